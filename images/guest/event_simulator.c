/* event_simulator.c - writes a made-up application log, one line a second, to standard output and to /log/app.log, as
 * the image kodekloud/event-simulator does. The directory may be a mounted volume; without it only standard output is
 * used. */
#include "guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *const actions[] = {"logged in", "logged out", "is viewing page1", "is viewing page2",
                                      "is viewing page3"};

static void end(int sig)
{
    (void)sig;
    _exit(0);
}

static void emit(FILE *log, const char *level, const char *text)
{
    struct timespec now;
    struct tm tm;
    char when[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    FILE *const to[] = {stdout, log};
    for (int i = 0; i < 2; i++)
        if (to[i]) {
            fprintf(to[i], "[%s,%03ld] %s in event-simulator: %s\n", when, now.tv_nsec / 1000000, level, text);
            fflush(to[i]);
        }
}

int event_simulator_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    signal(SIGTERM, end);
    signal(SIGINT, end);
    FILE *log = fopen("/log/app.log", "a");
    srand((unsigned)time(NULL) ^ (unsigned)getpid());
    for (unsigned n = 1;; n++) {
        char text[128];
        snprintf(text, sizeof text, "USER%d %s", 1 + rand() % 4,
                 actions[(unsigned)rand() % (sizeof actions / sizeof *actions)]);
        emit(log, "INFO", text);
        if (n % 5 == 0)
            emit(log, "WARNING", "USER5 Failed to Login as the account is locked due to MANY FAILED ATTEMPTS.");
        if (n % 8 == 0)
            emit(log, "WARNING", "USER7 Order failed as the item is OUT OF STOCK.");
        sleep(1);
    }
}

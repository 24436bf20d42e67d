/* stress.c - takes memory and CPU for real, for labs about limits and OOM kills: the options of polinux/stress (--vm,
 * --vm-bytes, --cpu, …) and those of vish/stress (-mem-total, -cpus).
 *
 * All hogs but the last are processes of their own; the last is the program itself, so that one that is killed ends the
 * container as what it is. */
#include "guest.h"
#include "hello.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct hog {
    size_t bytes, chunk;
    long sleep_ms; /* after each chunk */
    bool keeps;    /* what it has taken; else it lets go and begins again */
};

/* "150M", "250Mi", "1G", "4096" */
static size_t bytes_of(const char *text)
{
    static const struct {
        char unit;
        int shift;
    } units[] = {{'K', 10}, {'M', 20}, {'G', 30}};
    char *end = NULL;
    const double n = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if ((*end & ~32) == units[i].unit)
            return (size_t)(n * (double)(1L << units[i].shift));
    return (size_t)n;
}

static void burn(void)
{
    volatile double x = 1;
    while (1)
        x = x + 1 / x;
}

static void take(const struct hog *h)
{
    do {
        char *at = mmap(NULL, h->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) {
            perror("stress: mmap");
            exit(1);
        }
        for (size_t done = 0; done < h->bytes; done += h->chunk) {
            memset(at + done, 'Z', h->bytes - done < h->chunk ? h->bytes - done : h->chunk);
            if (h->sleep_ms)
                nanosleep(&(struct timespec){h->sleep_ms / 1000, h->sleep_ms % 1000 * 1000000}, NULL);
        }
        if (!h->keeps)
            munmap(at, h->bytes);
    } while (!h->keeps);
    while (1)
        pause();
}

static void work(const struct hog *memory, int memories, int i)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL);
    if (i < memories)
        take(memory);
    burn();
}

static void end(int sig)
{
    (void)sig;
    _exit(0);
}

/* CPU hogs come last, memory first; `seconds` 0 = for ever. */
static int let_loose(const struct hog *memory, int memories, int cpus, unsigned seconds)
{
    signal(SIGTERM, end);
    signal(SIGALRM, end);
    alarm(seconds);
    for (int i = 1; i < memories + cpus; i++)
        if (fork() == 0)
            work(memory, memories, i);
    if (memories + cpus > 0 && !seconds) {
        if (memories)
            take(memory);
        burn();
    }
    if (memories + cpus > 0 && fork() == 0)
        work(memory, memories, 0);
    for (int status; wait(&status) > 0;)
        if (WIFSIGNALED(status)) {
            fprintf(stderr, "stress: FAIL: [%d] worker got signal %d\n", (int)getpid(), WTERMSIG(status));
            return 1;
        }
    return 0;
}

static int number(const char *flag, const char *short_flag)
{
    return (int)strtol(hello_setting(flag, NULL, hello_setting(short_flag, NULL, "0")), NULL, 10);
}

static bool has_flag(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc; i++)
        if (strstr(argv[i], flag))
            return true;
    return false;
}

/* "30", "30s", "2m" */
static unsigned seconds_of(const char *text)
{
    char *unit = NULL;
    const unsigned long n = strtoul(text, &unit, 10);
    return (unsigned)(*unit == 'm' ? n * 60 : *unit == 'h' ? n * 3600 : n);
}

int stress_main(int argc, char **argv)
{
    hello_arguments(argc, argv);
    const bool by_total = has_flag(argc, argv, "-mem-total") || has_flag(argc, argv, "-cpus");
    if (by_total) {
        struct hog memory = {.bytes = bytes_of(hello_setting("mem-total", NULL, "0")),
                             .chunk = bytes_of(hello_setting("mem-alloc-size", NULL, "4Ki")),
                             .sleep_ms = 1,
                             .keeps = true};
        const char *pause_text = hello_setting("mem-alloc-sleep", NULL, "1ms");
        memory.sleep_ms =
            strstr(pause_text, "ms") ? (int)strtol(pause_text, NULL, 10) : (int)strtol(pause_text, NULL, 10) * 1000;
        fprintf(stderr, "Allocating \"%zu\" memory, in \"%zu\" chunks, with a %s sleep between allocations\n",
                memory.bytes, memory.chunk, pause_text);
        return let_loose(&memory, memory.bytes > 0, number("cpus", NULL), 0);
    }
    const int memories = number("vm", "m"), cpus = number("cpu", "c");
    if (memories + cpus == 0) {
        fprintf(stderr, "usage: stress [--cpu N] [--vm N] [--vm-bytes B] [--vm-hang N] [--timeout N]\n");
        return argc > 1;
    }
    const struct hog memory = {.bytes = bytes_of(hello_setting("vm-bytes", NULL, "256M")),
                               .chunk = 1 << 20,
                               .keeps = has_flag(argc, argv, "--vm-hang") || has_flag(argc, argv, "--vm-keep")};
    printf("stress: info: [%d] dispatching hogs: %d cpu, 0 io, %d vm, 0 hdd\n", (int)getpid(), cpus, memories);
    fflush(stdout);
    return let_loose(&memory, memories, cpus,
                     seconds_of(hello_setting("timeout", NULL, hello_setting("t", NULL, "0"))));
}

/* terminal.c - see terminal.h.
 *
 * DESIGN: one poll loop over at most four pairs; the user's side is base/term.h's. */
#include "cli/terminal.h"

#include "base/mem.h"
#include "base/term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct pump {
    int from, to;
    bool close_to; /* when `from` ends */
};

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* One readable moment. False when this direction is over. */
static bool pump_once(struct pump *p)
{
    char chunk[16384];
    ssize_t n = read(p->from, chunk, sizeof chunk);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    return n > 0 && write_all(p->to, chunk, (size_t)n);
}

static void follow_size(int pty)
{
    struct winsize size;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
        ioctl(pty, TIOCSWINSZ, &size);
}

static int read_exit(int exit_fd, char out_message[256])
{
    struct {
        int32_t code;
        char message[252];
    } end = {.code = 255};
    size_t got = 0;
    while (got < sizeof end) {
        ssize_t n = read(exit_fd, (char *)&end + got, sizeof end - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    end.message[sizeof end.message - 1] = '\0';
    memcpy(out_message, end.message, sizeof end.message);
    return end.code;
}

static void pump_all(struct pump *pumps, int count, int outputs, struct term *user, int pty)
{
    while (outputs > 0) {
        struct pollfd p[4];
        for (int i = 0; i < count; i++)
            p[i] = (struct pollfd){pumps[i].from, POLLIN, 0};
        p[count] = (struct pollfd){user->signals, POLLIN, 0};
        if (poll(p, (nfds_t)count + 1, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < count; i++) {
            if (!p[i].revents || pump_once(&pumps[i]))
                continue;
            if (pumps[i].close_to)
                close(pumps[i].to);
            else if (i > 0)
                outputs--;
            pumps[i].from = -1;
        }
        if (p[count].revents) {
            term_take(user);
            follow_size(pty);
        }
    }
}

int terminal_run(bool tty, int in, int out, int err, int exit_fd, char out_message[256])
{
    struct term user = {.signals = -1};
    signal(SIGPIPE, SIG_IGN);
    if (tty && term_begin(&user, STDIN_FILENO, true))
        follow_size(in);
    /* Direction 0 is the user's input; its end alone never ends the session. */
    struct pump pumps[3] = {
        {STDIN_FILENO, in, !tty}, {tty ? in : out, STDOUT_FILENO, false}, {err, STDERR_FILENO, false}};
    pump_all(pumps, tty ? 2 : 3, tty ? 1 : 2, &user, in);
    term_end(&user);
    int code = read_exit(exit_fd, out_message);
    int fds[] = {pumps[0].from == -1 && !tty ? -1 : in, out, err, exit_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return code;
}

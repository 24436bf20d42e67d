/* shells.c - see shells.h.
 *
 * DESIGN: who opens a shell by the control socket has its descriptors, and no stream of the API server's lies between
 * that could be cut. But a shell ends, with all it has started, when nobody holds its exit descriptor any more
 * (sys/exec.c). So that one stays here, with a thread that passes on what it tells, and lets go of it when the user's
 * end is closed, or when a common event says so, which from then on is always on.
 *
 * THREADS: one a shell. Each has an event descriptor of its own, so it may outlive the struct. */
#include "app/shells.h"

#include "apiserver/apiserver.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct shells {
    int over; /* readable for ever, once it is */
};
struct guard {
    int exit, told, over; /* of the shell; to the user; when all end */
};
struct result { /* as struct stream_fds has it */
    int32_t code;
    char text[252];
};

struct shells *shells_new(void)
{
    struct shells *s = xcalloc(1, sizeof *s);
    s->over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s;
}

void shells_free(struct shells *s)
{
    if (s && s->over >= 0)
        close(s->over);
    free(s);
}

void shells_end(struct shells *s)
{
    eventfd_write(s->over, 1);
}

static bool shell_ended(const struct guard *g, struct result *out)
{
    struct pollfd p[] = {{g->exit, POLLIN, 0}, {g->told, 0, 0}, {g->over, POLLIN, 0}}; /* the second: POLLERR */
    while (poll(p, ARRAY_LEN(p), -1) < 0 && errno == EINTR)
        ;
    if (p[0].revents)
        return read(g->exit, out, sizeof *out) == (ssize_t)sizeof *out;
    *out = (struct result){.code = 128 + SIGKILL};
    snprintf(out->text, sizeof out->text, SEALED_TEXT);
    return p[2].revents != 0;
}

static void guard_close(struct guard *g)
{
    close(g->exit);
    close(g->told);
    close(g->over);
    free(g);
}

static void *attend(void *arg)
{
    struct guard *g = arg;
    struct result result;
    if (shell_ended(g, &result) && write(g->told, &result, sizeof result) < 0)
        errno = 0; /* nobody asks any more */
    guard_close(g);
    return NULL;
}

int shells_guard(struct shells *s, int *exit_fd, struct err *e)
{
    int ends[2];
    pthread_t thread;
    _auto_close_ int over = fcntl(s->over, F_DUPFD_CLOEXEC, 0);
    if (over < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(e, errno, "a shell");
    struct guard *g = xcalloc(1, sizeof *g);
    *g = (struct guard){*exit_fd, ends[1], over};
    const int rc = pthread_create(&thread, NULL, attend, g);
    if (rc != 0) {
        close(ends[0]);
        close(ends[1]);
        free(g);
        return err_sys(e, rc, "a shell");
    }
    pthread_detach(thread);
    over = -1; /* the thread's */
    *exit_fd = ends[0];
    return 0;
}

/* stop_signal.c - a signal for a container that may not hear it yet.
 *
 * The kernel drops a signal to the first process of a PID namespace that does not handle it. So a server that is told
 * to stop in the moment between its start and its sigaction() would run on until the grace period is over. Here the
 * signal is sent again as soon as the program handles it or waits for it, which /proc tells. A program that never does
 * (sleep) hears nothing, as anywhere. That it is blocked or ignored says nothing yet: shells do both around what they
 * start, before they become the server; and who reads blocked signals from a descriptor has it by then.
 *
 *      signal --heard--> done
 *         \--deaf--> sent, and [look again, ever more rarely] --no longer deaf--> sent again --> done
 *
 * THREADS: none; the node's loop. Source: signal(7), pid_namespaces(7), sig_task_ignored() of the kernel. */
#include "sys/container_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOOK_FIRST_MS 2
#define LOOK_MOST_MS  100

/* "SigCgt:\t0000000000004002\n" */
static bool has_signal(const char *line, const char *name, int sig)
{
    const size_t n = strlen(name);
    return strncmp(line, name, n) == 0 && strtoull(line + n, NULL, 16) >> (sig - 1) & 1;
}

/* In sigwait(3) the signals that it waits for are not blocked, and yet not lost: "128 0x7ffe…" */
static bool waits_for_signals(pid_t pid)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    _auto_file_ FILE *f = fopen(path, "re");
    return f && fgets(line, sizeof line, f) && strtol(line, NULL, 10) == SYS_rt_sigtimedwait;
}

static bool is_deaf(pid_t pid, int sig)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    _auto_file_ FILE *f = fopen(path, "re");
    if (!f || sig < 1 || sig > 64 || sig == SIGKILL || sig == SIGSTOP || waits_for_signals(pid))
        return false;
    while (fgets(line, sizeof line, f))
        if (has_signal(line, "SigCgt:", sig))
            return false;
    return true;
}

static void look_again(struct container *c)
{
    const struct stop_signal *s = &c->stop;
    const struct itimerspec when = {.it_value.tv_nsec = s->look_ms * 1000000L};
    timerfd_settime(s->timer.fd, 0, &when, NULL);
}

static void on_look(struct node *n, struct watch *w)
{
    struct container *c = w->owner;
    struct stop_signal *s = &c->stop;
    uint64_t times;
    if (read(w->fd, &times, sizeof times) < 0)
        return;
    if (is_deaf(c->pid, s->sig)) {
        s->look_ms = s->look_ms * 2 < LOOK_MOST_MS ? s->look_ms * 2 : LOOK_MOST_MS;
        look_again(c);
        return;
    }
    kill(c->pid, s->sig);
    node_unwatch(n, w);
}

static void begin_looking(struct container *c, int sig)
{
    struct stop_signal *s = &c->stop;
    struct err lost = ERR_INIT;
    s->sig = sig;
    s->look_ms = LOOK_FIRST_MS;
    s->timer = (struct watch){timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), on_look, c};
    if (s->timer.fd < 0)
        return;
    if (node_watch(c->node, &s->timer, &lost) == 0) {
        look_again(c);
        return;
    }
    close(s->timer.fd);
    s->timer.fd = -1;
}

int stop_signal_send(struct container *c, int sig, struct err *e)
{
    const bool deaf =
        is_deaf(c->pid, sig); /* asked first: what it hears in between it may hear twice, never not at all */
    node_unwatch(c->node, &c->stop.timer);
    if (kill(c->pid, sig) < 0)
        return err_sys(e, errno, "signal container %s", c->box->spec.id);
    if (deaf)
        begin_looking(c, sig);
    return 0;
}

/* client.c - the real machine as the API process sees it: starts the node helper and speaks with it and with the nodes.
 *
 * DESIGN: one reader thread receives on all channels and wakes the caller that waits for the reply; a second thread
 * tells exits and deaths, so that a callback may itself make calls. A caller sends its own request: any number are in
 * flight.
 *
 * The helper is cloned straight into its namespaces while this process has one thread, and executes our binary anew, so
 * nothing of ours (memory, descriptors) is in it.
 *
 * INVARIANTS: every waiter is answered: by its reply, or, when its channel ends, with ERR_UNAVAILABLE. A channel's
 * descriptor is closed only with the machine, so a caller never sends to a recycled number.
 *
 * THREADS: safe from any thread; `mu` guards the tables and is never held while sending or calling back. */
#include "sys/client_int.h"
#include "sys/cgroup_int.h"
#include "sys/door_int.h"
#include "sys/hidden_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct waiter {
    struct waiter *next;
    uint32_t id;
    bool done;
    struct msg *reply; /* the caller's; filled in before done */
    pthread_cond_t cond;
};

struct real *real_of(struct machine *m)
{
    return (struct real *)m;
}

/* ---- channels ---- */

struct link *link_add(struct real *r, const char *node, int take_fd)
{
    struct link *l = xcalloc(1, sizeof *l);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
    l->node = xstrdup(node);
    l->fd = take_fd;
    l->alive = true;
    pthread_mutex_lock(&r->mu);
    l->next = r->links;
    r->links = l;
    pthread_mutex_unlock(&r->mu);
    if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, l->fd, &ev) < 0)
        BUG("epoll_ctl: %s", strerror(errno));
    return l;
}

struct link *link_find(struct real *r, const char *node)
{
    struct link *found = NULL;
    pthread_mutex_lock(&r->mu);
    for (struct link *l = r->links; l && !found; l = l->next)
        if (l->alive && str_eq(l->node, node))
            found = l;
    pthread_mutex_unlock(&r->mu);
    return found;
}

static void tell_locked(struct real *r, const struct happening *what)
{
    struct happening *h = xmemdup(what, sizeof *what);
    h->next = NULL;
    if (r->last)
        r->last->next = h;
    else
        r->first = h;
    r->last = h;
    pthread_cond_signal(&r->told);
}

/* The channel ended: nobody waits in vain, and somebody is told. */
static void link_end(struct real *r, struct link *l)
{
    epoll_ctl(r->epoll, EPOLL_CTL_DEL, l->fd, NULL);
    pthread_mutex_lock(&r->mu);
    l->alive = false;
    for (struct waiter *w = l->waiters; w; w = w->next) {
        w->done = true;
        pthread_cond_signal(&w->cond);
    }
    l->waiters = NULL;
    if (!l->expected_end && !r->closing) {
        struct happening h = {.is_death = true};
        snprintf(h.exit.node, sizeof h.exit.node, "%s", l->node);
        tell_locked(r, &h);
    }
    pthread_mutex_unlock(&r->mu);
}

static void take_exit(struct real *r, const struct link *l, const struct msg *m)
{
    struct happening h = {0};
    struct wire_in in = wire_reader(m->body.data, m->body.len);
    snprintf(h.exit.node, sizeof h.exit.node, "%s", l->node);
    snprintf(h.exit.id, sizeof h.exit.id, "%s", wire_need_str(&in));
    h.exit.code = (int)wire_get_u32(&in);
    h.exit.signal = (int)wire_get_u32(&in);
    h.exit.oom_killed = wire_get_bool(&in);
    h.exit.finished_ns = wire_get_i64(&in);
    pthread_mutex_lock(&r->mu);
    tell_locked(r, &h);
    pthread_mutex_unlock(&r->mu);
}

static void take_reply(struct real *r, struct link *l, struct msg *m)
{
    pthread_mutex_lock(&r->mu);
    for (struct waiter **at = &l->waiters; *at; at = &(*at)->next) {
        struct waiter *w = *at;
        if (w->id != m->id)
            continue;
        *at = w->next;
        *w->reply = *m;
        *m = MSG_INIT;
        w->done = true;
        pthread_cond_signal(&w->cond);
        break;
    }
    pthread_mutex_unlock(&r->mu);
}

static void *reader(void *arg)
{
    struct real *r = arg;
    for (;;) {
        struct epoll_event ev;
        if (epoll_wait(r->epoll, &ev, 1, -1) != 1)
            continue;
        struct link *l = ev.data.ptr;
        if (!l)
            return NULL; /* woken to end */
        _auto_msg_ struct msg m = MSG_INIT;
        if (chan_recv(l->fd, &m) != 1)
            link_end(r, l);
        else if (m.kind == MSG_EXIT)
            take_exit(r, l, &m);
        else
            take_reply(r, l, &m);
    }
}

static void *teller(void *arg)
{
    struct real *r = arg;
    pthread_mutex_lock(&r->mu);
    for (;;) {
        while (!r->first && !r->closing)
            pthread_cond_wait(&r->told, &r->mu);
        struct happening *h = r->first;
        if (!h)
            break;
        r->first = h->next;
        if (!r->first)
            r->last = NULL;
        void (*on_exit)(void *, const struct exit_info *) = r->closing ? NULL : r->on_exit;
        void (*on_death)(void *, const char *) = r->closing ? NULL : r->on_death;
        void *exit_arg = r->on_exit_arg, *death_arg = r->on_death_arg;
        r->telling = true;
        pthread_mutex_unlock(&r->mu);
        if (h->is_death && on_death)
            on_death(death_arg, h->exit.node);
        else if (!h->is_death && on_exit)
            on_exit(exit_arg, &h->exit);
        free(h);
        pthread_mutex_lock(&r->mu);
        r->telling = false;
        pthread_cond_broadcast(&r->told_one);
    }
    pthread_mutex_unlock(&r->mu);
    return NULL;
}

void client_on_exit(struct machine *m, void (*fn)(void *arg, const struct exit_info *info), void *arg)
{
    struct real *r = real_of(m);
    pthread_mutex_lock(&r->mu);
    r->on_exit = fn;
    r->on_exit_arg = arg;
    while (!fn && r->telling && !pthread_equal(pthread_self(), r->teller))
        pthread_cond_wait(&r->told_one, &r->mu);
    pthread_mutex_unlock(&r->mu);
}

void client_on_death(struct machine *m, void (*fn)(void *arg, const char *node), void *arg)
{
    struct real *r = real_of(m);
    pthread_mutex_lock(&r->mu);
    r->on_death = fn;
    r->on_death_arg = arg;
    pthread_mutex_unlock(&r->mu);
}

/* ---- calls ---- */

void call_release(struct call *c)
{
    buf_release(&c->body);
    msg_release(&c->reply);
}

static int gone(const struct link *l, struct err *e)
{
    return err_set(e, ERR_UNAVAILABLE, "%s%s is gone", *l->node ? "node " : "the node helper", l->node);
}

static struct waiter *waiter_add_locked(struct real *r, struct link *l, struct call *c)
{
    struct waiter *w = xcalloc(1, sizeof *w);
    pthread_cond_init(&w->cond, NULL);
    w->id = ++r->last_id ? r->last_id : ++r->last_id; /* 0 is for what nobody asked for */
    w->reply = &c->reply;
    w->next = l->waiters;
    l->waiters = w;
    return w;
}

static void waiter_drop_locked(struct link *l, struct waiter *w)
{
    for (struct waiter **at = &l->waiters; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    pthread_cond_destroy(&w->cond);
    free(w);
}

/* Sends and waits. The reply stays empty if the channel ends before; `e` tells of what could not even be sent. */
static void exchange(struct real *r, struct link *l, enum op op, struct call *c, struct err *e)
{
    pthread_mutex_lock(&r->mu);
    if (l->alive) {
        struct waiter *w = waiter_add_locked(r, l, c);
        const uint32_t id = w->id;
        pthread_mutex_unlock(&r->mu);
        const bool sent = chan_send(l->fd, id, op, &c->body, NULL, 0, e) == 0;
        pthread_mutex_lock(&r->mu);
        while (sent && !w->done)
            pthread_cond_wait(&w->cond, &r->mu);
        waiter_drop_locked(l, w);
    }
    pthread_mutex_unlock(&r->mu);
}

static int call_link(struct real *r, struct link *l, enum op op, struct call *c, struct err *e)
{
    struct err answer = ERR_INIT, unsent = ERR_INIT;
    exchange(r, l, op, c, &unsent);
    if (unsent.code != ERR_OK && unsent.code != ERR_UNAVAILABLE) {
        *e = unsent;
        return -1;
    }
    if (c->reply.fds_lost)
        return err_sys(e, EMFILE, "what %s%s sent", *l->node ? "node " : "the node helper", l->node);
    if (!c->reply.body.len)
        return gone(l, e);
    c->in = wire_reader(c->reply.body.data, c->reply.body.len);
    wire_get_err(&c->in, &answer);
    if (answer.code == ERR_OK)
        return 0;
    *e = answer;
    return -1;
}

int call_do(struct machine *m, const char *node, enum op op, struct call *c, struct err *e)
{
    struct real *r = real_of(m);
    struct link *l = link_find(r, node);
    if (!l)
        return *node ? err_set(e, ERR_NOT_FOUND, "node \"%s\" is not running", node)
                     : err_set(e, ERR_UNAVAILABLE, "the node helper is gone");
    return call_link(r, l, op, c, e);
}

/* ---- start and end ---- */

static _Noreturn void become_helper(const char *self_exe, const char *data_dir, int sock, int door)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int from[] = {fcntl(sock, F_DUPFD, HELPER_DOOR + 1), fcntl(door, F_DUPFD, HELPER_DOOR + 1)};
    if (dup2(from[0], HELPER_FD) < 0 || dup2(from[1], HELPER_DOOR) < 0)
        _exit(127);
    syscall(SYS_close_range, HELPER_DOOR + 1, ~0u, 0);
    execl(self_exe, "stowage node helper               ", HELPER_VERB, data_dir, (char *)NULL);
    _exit(127);
}

static int spawn_helper(const char *self_exe, const char *data_dir, struct real *r, int *out_sock, struct err *e)
{
    int pair[2];
    _auto_close_ int door = -1;
    if (door_open(&door, &r->door_pid, e) < 0)
        return -1;
    if (chan_pair(pair, e) < 0)
        return -1;
    const pid_t pid = proc_clone(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
    if (pid == 0)
        become_helper(self_exe, data_dir, pair[1], door);
    const int code = errno;
    close(pair[1]);
    if (pid > 0) {
        r->helper_pid = pid;
        *out_sock = pair[0];
        return 0;
    }
    close(pair[0]);
    if (code == EPERM)
        return err_set(e, ERR_UNSUPPORTED, "%s",
                       geteuid() ? "containers and disks need root: start Stowage with sudo"
                                 : "namespaces are not allowed here: in a container, start it with --privileged");
    return err_sys(e, code, "start the node helper");
}

static void start_threads(struct real *r)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are for the main thread */
    if (pthread_create(&r->reader, NULL, reader, r) || pthread_create(&r->teller, NULL, teller, r))
        BUG("cannot start a thread");
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int machine_begin_real(const char *self_exe, const char *data_dir, struct machine **out, struct err *e)
{
    int sock = -1;
    struct real *r = xcalloc(1, sizeof *r);
    if (proc_mkdir_p(data_dir, 0700, e) < 0 || spawn_helper(self_exe, data_dir, r, &sock, e) < 0) {
        free(r);
        return -1;
    }
    r->machine.ops = &client_ops;
    r->data_dir = xstrdup(data_dir);
    pthread_mutex_init(&r->mu, NULL);
    pthread_cond_init(&r->told, NULL);
    pthread_cond_init(&r->told_one, NULL);
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll < 0 || pipe2(r->wake, O_CLOEXEC) < 0)
        BUG("out of descriptors");
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->wake[0], &wake);
    link_add(r, "", sock);
    machine_describe(&r->info);
    *out = &r->machine;
    return 0;
}

/* The hello is read here: threads come only when it is sure that there is a machine. */
int machine_end_real(struct machine *m, struct err *e)
{
    struct real *r = real_of(m);
    _auto_msg_ struct msg hello = MSG_INIT;
    struct err answer = ERR_INIT;
    if (chan_recv(r->links->fd, &hello) == 1) {
        struct wire_in in = wire_reader(hello.body.data, hello.body.len);
        wire_get_err(&in, &answer);
    } else {
        err_set(&answer, ERR_UNAVAILABLE, "the node helper did not start");
    }
    start_threads(r);
    if (answer.code == ERR_OK)
        return 0;
    client_close(m);
    *e = answer;
    return -1;
}

int machine_open_real(const char *self_exe, const char *data_dir, struct machine **out, struct err *e)
{
    struct machine *m = NULL;
    if (machine_begin_real(self_exe, data_dir, &m, e) < 0 || machine_end_real(m, e) < 0)
        return -1;
    *out = m;
    return 0;
}

/* With it goes everything: processes, mounts, loop devices. Where filesystems have servers these write out first. */
static void end_helper(struct real *r)
{
    const int64_t until = clock_mono_ms(clock_real()) + SERVERS_MS + 5000;
    pid_t ended = 0;
    const struct link *link = link_find(r, ""); /* NULL: it is dead already */
    if (link && (r->info.caps & CAP_SERVED)) {
        shutdown(link->fd, SHUT_WR);
        while ((ended = waitpid(r->helper_pid, NULL, WNOHANG)) == 0 && clock_mono_ms(clock_real()) < until)
            nanosleep(&(struct timespec){0, 5 * 1000 * 1000}, NULL);
    }
    if (ended == r->helper_pid)
        return;
    kill(r->helper_pid, SIGKILL);
    while (waitpid(r->helper_pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void client_close(struct machine *m)
{
    struct real *r = real_of(m);
    pthread_mutex_lock(&r->mu);
    r->closing = true;
    pthread_cond_signal(&r->told);
    pthread_mutex_unlock(&r->mu);
    end_helper(r);
    while (r->door_pid && waitpid(r->door_pid, NULL, 0) < 0 && errno == EINTR) /* nobody has it open any more */
        ;
    if (write(r->wake[1], "", 1) != 1)
        BUG("wake: %s", strerror(errno));
    pthread_join(r->reader, NULL);
    pthread_join(r->teller, NULL);
    for (struct link *l = r->links, *next; l; l = next) {
        next = l->next;
        close(l->fd);
        free(l->node);
        free(l);
    }
    _auto_free_ char *cgroup = cgroup_cluster_name(r->data_dir);
    cgroup_remove_tree(cgroup);
    close(r->epoll);
    close(r->wake[0]);
    close(r->wake[1]);
    pthread_mutex_destroy(&r->mu);
    pthread_cond_destroy(&r->told);
    pthread_cond_destroy(&r->told_one);
    free(r->data_dir);
    free(r);
}

/* node.c - a node: first process of its PID namespace, with its own mounts, network, host name and root.
 *
 * WHAT: boots (root filesystem, network), says hello on its channel, then serves requests from a table. Requests marked
 * FORKED run in a child that replies for itself: mounting, walking trees and formatting never hold up the loop, and as
 * many run at once as are asked for.
 *
 * INVARIANTS: every request gets exactly one reply, also when the child that had it dies; the loop itself never blocks
 * except on sending to the API process, whose reader never waits for us.
 *
 * THREADS: one. When you add an op, also see ops_int.h. */
#include "sys/node_int.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum how { INLINE, FORKED };

static const struct {
    req_fn fn;
    enum how how;
} handlers[OP_MAX] = {
    [OP_FS_MOUNT] = {req_fs_mount, FORKED},
    [OP_FS_GROW] = {req_fs_grow, FORKED},
    [OP_BIND] = {req_bind, INLINE},
    [OP_BIND_BENEATH] = {req_bind_beneath, INLINE},
    [OP_TMPFS] = {req_tmpfs, INLINE},
    [OP_UNMOUNT] = {req_unmount, FORKED},
    [OP_IS_MOUNTED] = {req_is_mounted, INLINE},
    [OP_FS_STAT] = {req_fs_stat, INLINE},
    [OP_MKDIR_P] = {req_mkdir_p, INLINE},
    [OP_REMOVE_ALL] = {req_remove_all, FORKED},
    [OP_STAT] = {req_stat, INLINE},
    [OP_OPEN] = {req_open, INLINE},
    [OP_CHOWN_TREE] = {req_chown_tree, FORKED},
    [OP_WRITE_VOLUME] = {req_write_volume, FORKED},
    [OP_DISK_USAGE] = {req_disk_usage, FORKED},
    [OP_SANDBOX_START] = {req_sandbox_start, INLINE},
    [OP_SANDBOX_STOP] = {req_sandbox_stop, INLINE},
    [OP_CONTAINER_START] = {req_container_start, INLINE},
    [OP_CONTAINER_SIGNAL] = {req_container_signal, INLINE},
    [OP_CONTAINER_REMOVE] = {req_container_remove, INLINE},
    [OP_CONTAINER_USAGE] = {req_container_usage, INLINE},
    [OP_EXEC] = {req_exec, FORKED},
    [OP_ATTACH] = {req_attach, INLINE},
    [OP_DIAL] = {req_dial, FORKED},
    [OP_DIAL_FROM] = {req_dial_from, FORKED},
};

/* ---- the loop's pieces ---- */

int node_watch(struct node *n, struct watch *w, struct err *e)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};
    return epoll_ctl(n->epoll, EPOLL_CTL_ADD, w->fd, &ev) < 0 ? err_sys(e, errno, "epoll") : 0;
}

void node_unwatch(struct node *n, struct watch *w)
{
    if (w->fd < 0)
        return;
    epoll_ctl(n->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    close(w->fd);
    w->fd = -1;
}

void node_reply(struct node *n, uint32_t id, const struct err *e, const struct buf *payload, const int *fds,
                unsigned fd_count)
{
    _auto_buf_ struct buf body = BUF_INIT;
    struct err lost = ERR_INIT;
    wire_err(&body, e);
    if (payload && payload->len)
        buf_add(&body, payload->data, payload->len);
    chan_send(n->channel, id, MSG_REPLY, &body, fds, fd_count, &lost);
}

void req_reply(struct req *r, const struct err *e)
{
    const bool ok = e->code == ERR_OK;
    node_reply(r->node, r->id, e, ok ? &r->out : NULL, r->fds, ok ? r->fd_count : 0);
    for (unsigned i = 0; i < r->fd_count; i++)
        close(r->fds[i]);
    r->fd_count = 0;
}

static void run(struct req *r, req_fn fn)
{
    struct err e = ERR_INIT;
    const int result = fn(r, &e);
    if (result == REQ_LATER)
        return;
    if (r->in.bad)
        err_set(&e, ERR_BAD_REQUEST, "malformed request");
    if (result < 0 && e.code == ERR_OK)
        err_set(&e, ERR_INTERNAL, "no reason given");
    req_reply(r, &e);
}

void req_run_forked(struct req *r, req_fn fn)
{
    const pid_t pid = fork();
    if (pid == 0) {
        proc_reset_signals();
        signal(SIGPIPE, SIG_IGN);
        containers_close_fds(r->node);
        run(r, fn);
        _exit(0);
    }
    if (pid < 0) {
        struct err e = ERR_INIT;
        err_sys(&e, errno, "fork");
        req_reply(r, &e);
        return;
    }
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){r->node->jobs, pid, r->id};
    r->node->jobs = j;
}

static void on_channel(struct node *n, struct watch *w)
{
    _auto_msg_ struct msg m = MSG_INIT;
    if (chan_recv(w->fd, &m) != 1)
        _exit(0); /* the API process is gone; the kernel takes the rest */
    struct req r = {.node = n, .id = m.id, .op = m.kind, .msg = &m, .in = wire_reader(m.body.data, m.body.len)};
    struct err e = ERR_INIT;
    if (m.fds_lost) {
        err_sys(&e, EMFILE, "request");
        req_reply(&r, &e);
    } else if (m.kind >= OP_MAX || !handlers[m.kind].fn) {
        err_set(&e, ERR_UNSUPPORTED, "a node does not know request %u", m.kind);
        req_reply(&r, &e);
    } else if (handlers[m.kind].how == FORKED) {
        req_run_forked(&r, handlers[m.kind].fn);
    } else {
        run(&r, handlers[m.kind].fn);
    }
    buf_release(&r.out);
}

/* A child that ended badly never replied: do it for it. */
static void job_end(struct node *n, pid_t pid, int status)
{
    for (struct job **at = &n->jobs; *at; at = &(*at)->next) {
        struct job *j = *at;
        if (j->pid != pid)
            continue;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            struct err e = ERR_INIT;
            err_set(&e, ERR_INTERNAL, "node %s: a worker ended with status %d", n->name, status);
            node_reply(n, j->id, &e, NULL, NULL, 0);
        }
        *at = j->next;
        free(j);
        return;
    }
}

static void on_child(struct node *n, struct watch *w)
{
    struct signalfd_siginfo info;
    while (read(w->fd, &info, sizeof info) > 0)
        ;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == n->furnisher)
            n->furnisher = 0;
        else if (!containers_reap(n, pid, status))
            job_end(n, pid, status);
}

static _Noreturn void loop(struct node *n)
{
    struct err e = ERR_INIT;
    struct watch channel = {n->channel, on_channel, NULL},
                 children = {proc_child_signal_fd(SIG_SETMASK), on_child, NULL};
    if (node_watch(n, &channel, &e) < 0 || node_watch(n, &children, &e) < 0)
        _exit(1);
    for (int wait_ms = RESIDENT_REST_MS;;) {
        /* One event at a time: a handler may end the life of any other watch. */
        struct epoll_event ev;
        const int ready = epoll_wait(n->epoll, &ev, 1, wait_ms);
        if (ready == 1) {
            struct watch *w = ev.data.ptr;
            w->ready(n, w);
            wait_ms = RESIDENT_REST_MS;
        } else if (ready == 0) {
            resident_drop_program();
            wait_ms = -1;
        }
    }
}

_Noreturn void node_main(const struct node_boot *boot)
{
    struct err e = ERR_INIT;
    char title[64];
    struct node n = {.name = boot->name, .index = boot->index, .channel = boot->channel, .argv = boot->argv};
    n.nodefs_bytes = boot->nodefs_bytes;
    snprintf(title, sizeof title, "stowage node %s", boot->name);
    proc_title(boot->argv, title);
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    userns_remember();
    cgroups_enter_node(&n.cgroups, boot->cgroup, boot->name);
    n.epoll = epoll_create1(EPOLL_CLOEXEC);
    const int rest = node_furnish_from();
    if (node_root_enter(boot, n.cgroups.keeps_settings, &e) == 0 && node_net_setup(boot, &e) == 0) {
        cgroups_limit_node(&n.cgroups, false);
        n.self_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        n.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        n.self_mntns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        n.self_pidns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    }
    _auto_buf_ struct buf body = BUF_INIT;
    wire_err(&body, &e);
    if (chan_send(n.channel, 0, MSG_HELLO, &body, NULL, 0, &(struct err){0}) < 0 || e.code != ERR_OK)
        _exit(1);
    n.furnisher = node_furnish(rest);
    loop(&n);
}

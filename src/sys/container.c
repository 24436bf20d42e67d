/* container.c - containers of a node: start, output, attach, signals, end.
 *
 *      STARTING --(program runs)--> RUNNING --(process reaped)--> ENDED --remove--> gone
 *          \--(set-up failed)--> gone, once reaped
 *
 * DESIGN: the first process is cloned from the node into its own mount and PID namespace, joins the pod's other
 * namespaces, builds its root (rootfs.c), takes the user's identity (user.c) and becomes the program. A socket that
 * closes on exec tells how it went: a terminal's master, an error, and at last EOF. The node reads standard output and
 * error, writes the log and copies to attached sessions.
 *
 * INVARIANTS: a start request is answered once, when the socket ends; every container that ran gives one exit event,
 * after all its output is in the log; a session that does not read is cut off, the container never waits for it.
 *
 * THREADS: none; the node's loop. */
#include "sys/container_int.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/sm.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SINK_PIPE_SIZE (1 << 20)
#define DEVICES_MAX    256

static const struct sm_state states[] = {
    [CONTAINER_STARTING] = {"starting", SM(CONTAINER_RUNNING)},
    [CONTAINER_RUNNING] = {"running", SM(CONTAINER_ENDED)},
    [CONTAINER_ENDED] = {"ended", 0},
};
static const struct sm_def container_sm = {"container", states, ARRAY_LEN(states)};

static const char start_words[] =
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
    "failed: unable to start container process: error during container init: ";

struct container *container_find(struct node *n, const char *id)
{
    for (struct container *c = n->containers; c; c = c->next)
        if (str_eq(c->box->spec.id, id))
            return c;
    return NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- attached sessions ---- */

static void sink_free(struct sink *s)
{
    close_fd(&s->out);
    close_fd(&s->err);
    close_fd(&s->exit_fd);
    free(s);
}

static void sinks_end(struct container *c, int code)
{
    struct {
        int32_t code;
        char message[252];
    } result = {.code = code};
    for (struct sink *s = c->sinks, *next; s; s = next) {
        next = s->next;
        if (s->exit_fd >= 0 && write(s->exit_fd, &result, sizeof result) < 0)
            close_fd(&s->exit_fd);
        sink_free(s);
    }
    c->sinks = NULL;
}

static void sinks_write(struct container *c, int stream, const char *data, size_t len)
{
    for (struct sink **at = &c->sinks; *at;) {
        struct sink *s = *at;
        const int fd = stream ? s->err : s->out;
        if (fd < 0 || write(fd, data, len) == (ssize_t)len) {
            at = &s->next;
            continue;
        }
        *at = s->next; /* gone, or too slow */
        sink_free(s);
    }
}

/* ---- output ---- */

/* Reads what is there; false at the end of the stream. */
static bool stream_read(struct container *c, int stream)
{
    static char chunk[64 * 1024]; /* one loop, one reader */
    struct container_stream *s = &c->streams[stream];
    const ssize_t n = read(s->watch.fd, chunk, sizeof chunk);
    if (n > 0) {
        clog_write(&c->log, &s->log, chunk, (size_t)n, clock_wall_ns(clock_real()));
        sinks_write(c, stream, chunk, (size_t)n);
        return true;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void stream_end(struct container *c, int stream)
{
    struct container_stream *s = &c->streams[stream];
    node_unwatch(c->node, &s->watch);
    clog_finish(&c->log, &s->log, clock_wall_ns(clock_real()));
}

static void on_output(struct node *n, struct watch *w)
{
    (void)n;
    struct container *c = w->owner;
    const int stream = w == &c->streams[1].watch;
    if (!stream_read(c, stream))
        stream_end(c, stream);
}

/* The process is dead: everything it wrote is in the pipe. */
static void stream_drain(struct container *c, int stream)
{
    struct container_stream *s = &c->streams[stream];
    errno = 0;
    while (s->watch.fd >= 0 && stream_read(c, stream))
        if (errno == EAGAIN)
            break;
    stream_end(c, stream);
}

static int stream_start(struct container *c, int stream, int fd, struct err *e)
{
    struct container_stream *s = &c->streams[stream];
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    s->watch = (struct watch){fd, on_output, c};
    return node_watch(c->node, &s->watch, e);
}

/* ---- start, child side ---- */

static void take_stdio(const struct container_child *c)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        dup2(c->stdio[i] >= 0 ? c->stdio[i] : null, i);
    setsid();
}

static int child_prepare(const struct container_child *c, const struct user_spec *u, char **out_program, struct err *e)
{
    int code = 0;
    unshare(CLONE_NEWCGROUP); /* it is in its groups: they are the roots it sees */
    if (sandbox_join(c->sandbox, e) < 0 || rootfs_enter(c, e) < 0)
        return -1;
    if (u->tty) {
        _auto_close_ int master = user_take_tty(u->uid, e);
        if (master < 0 || chan_send(c->sync, 0, MSG_HELLO, NULL, &master, 1, e) < 0)
            return -1;
    } else {
        take_stdio(c);
    }
    _auto_close_ int guard = mount_guard_set(u);
    if (guard >= 0 && chan_send(c->sync, 0, MSG_GUARD, NULL, &guard, 1, e) < 0)
        return -1;
    if (user_become(u, e) < 0)
        return err_wrap(e, "OCI runtime create failed: runc create failed: unable to start container process: error "
                           "during container init");
    *out_program = user_find_program(u, start_words, &code, e);
    return *out_program ? 0 : -1;
}

static _Noreturn void container_child(const struct container_child *c)
{
    const struct container_spec *spec = c->spec;
    struct user_spec u = {.argv = spec->argv, .env = spec->env, .cwd = spec->cwd, .tty = spec->tty};
    user_fill(&u, spec, c->cgroups->memory >= 0);
    struct err e = ERR_INIT;
    char *program = NULL;
    proc_reset_signals();
    umask(022);
    if (child_prepare(c, &u, &program, &e) < 0) {
        _auto_buf_ struct buf body = BUF_INIT;
        struct err lost = ERR_INIT;
        wire_err(&body, &e);
        chan_send(c->sync, 0, MSG_REPLY, &body, NULL, 0, &lost);
        _exit(128);
    }
    char **env = user_environment(&u);
    if (u.no_new_privs && user_set_filter(&u, &e) < 0)
        _exit(128);
    execve(program, (char *const *)spec->argv, env);
    dprintf(2, "exec %s: %s\n", program,
            errno == ENOEXEC  ? "exec format error"
            : errno == ENOENT ? "no such file or directory"
                              : strerror(errno));
    _exit(255);
}

/* ---- start, node side ---- */

static void container_free(struct container *c)
{
    struct node *n = c->node;
    cgroups_remove(&n->cgroups, c->box->spec.id); /* again: its last processes may have been dying then */
    for (struct container **at = &n->containers; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    node_unwatch(n, &c->sync);
    node_unwatch(n, &c->guard);
    node_unwatch(n, &c->stop.timer);
    for (int i = 0; i < 2; i++) {
        node_unwatch(n, &c->streams[i].watch);
        buf_release(&c->streams[i].log.partial);
    }
    close_fd(&c->input);
    close_fd(&c->master);
    clog_release(&c->log);
    sinks_end(c, -1);
    spec_free(c->box);
    free(c);
}

static void start_done(struct container *c)
{
    node_unwatch(c->node, &c->sync);
    if (c->start_error.code == ERR_OK) {
        _auto_buf_ struct buf out = BUF_INIT;
        sm_move(&container_sm, &c->state, CONTAINER_RUNNING);
        wire_u32(&out, (uint32_t)c->pid);
        node_reply(c->node, c->start_id, &c->start_error, &out, NULL, 0);
    }
    /* A failed one is answered when it is reaped: then its mounts are gone and it can be started again. */
}

static void take_master(struct container *c, int fd)
{
    struct err lost = ERR_INIT;
    if (fd < 0)
        return;
    c->master = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    stream_start(c, 0, fd, &lost);
}

static void on_guard(struct node *n, struct watch *w)
{
    if (!mount_guard_answer(w->fd, n))
        node_unwatch(n, w);
}

static void take_guard(struct container *c, int fd)
{
    struct err lost = ERR_INIT;
    c->guard = (struct watch){fd, on_guard, c};
    if (fd >= 0 && node_watch(c->node, &c->guard, &lost) < 0)
        close_fd(&c->guard.fd);
}

static void on_sync(struct node *n, struct watch *w)
{
    (void)n;
    struct container *c = w->owner;
    _auto_msg_ struct msg m = MSG_INIT;
    if (chan_recv(w->fd, &m) != 1) {
        start_done(c);
    } else if (m.kind == MSG_HELLO) {
        take_master(c, msg_take_fd(&m, 0));
    } else if (m.kind == MSG_GUARD) {
        take_guard(c, msg_take_fd(&m, 0));
    } else {
        struct wire_in in = wire_reader(m.body.data, m.body.len);
        wire_get_err(&in, &c->start_error);
    }
}

struct pipes {
    int ours[3], theirs[3]; /* in, out, err */
};

static void pipes_close(struct pipes *p)
{
    for (int i = 0; i < 3; i++) {
        close_fd(&p->ours[i]);
        close_fd(&p->theirs[i]);
    }
}

static int pipes_make(struct pipes *p, const struct container_spec *spec, struct err *e)
{
    *p = (struct pipes){{-1, -1, -1}, {-1, -1, -1}};
    for (int i = spec->stdin_open ? 0 : 1; i < 3 && !spec->tty; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0) {
            err_sys(e, errno, "pipe");
            pipes_close(p);
            return -1;
        }
        p->ours[i] = fds[i == 0];
        p->theirs[i] = fds[i != 0];
        if (fchown(p->theirs[i], spec->uid, spec->gid) < 0) /* so that it may open /dev/stdout by name */
            continue;
    }
    return 0;
}

/* The process namespace it shares: its pod's, or that of the container it was made to look at; -1 = none. New. */
static int shared_pids(struct node *n, const struct sandbox *s, const struct container_spec *spec)
{
    const struct container *of = str_empty(spec->pid_of) ? NULL : container_find(n, spec->pid_of);
    if (s->pid >= 0)
        return fcntl(s->pid, F_DUPFD_CLOEXEC, 0);
    return of && of->state == CONTAINER_RUNNING ? (int)syscall(SYS_pidfd_open, of->pid, 0) : -1;
}

/* Clones into its control groups and the PID namespace the pod asks for. */
static pid_t clone_into(struct node *n, const struct sandbox *s, const struct container_spec *spec)
{
    _auto_close_ int pids = shared_pids(n, s, spec);
    if (pids < 0)
        return cgroups_fork(&n->cgroups, spec->id, CLONE_NEWNS | (s->host_pid ? 0 : CLONE_NEWPID));
    if (setns(pids, CLONE_NEWPID) < 0)
        return -1;
    const pid_t pid = cgroups_fork(&n->cgroups, spec->id, CLONE_NEWNS);
    if (pid != 0 && setns(n->self_pidns, CLONE_NEWPID) < 0)
        BUG("cannot come back to the node's process namespace: %s", strerror(errno));
    return pid;
}

static void make_groups(struct node *n, const struct container_spec *spec)
{
    struct cgroup_device devices[DEVICES_MAX];
    const struct cgroup_limits limits = {.container = true,
                                         .memory_bytes = spec->memory_bytes,
                                         .cpu_milli = spec->cpu_milli,
                                         .cpu_request_milli = spec->cpu_request_milli};
    cgroups_make(&n->cgroups, spec->id, &limits);
    cgroups_limit_devices(&n->cgroups, spec->id, devices, rootfs_devices(spec, devices, ARRAY_LEN(devices)));
}

static int container_spawn(struct container *c, const struct sandbox *s, struct err *e)
{
    const struct container_spec *spec = &c->box->spec;
    struct pipes p;
    int sync[2];
    if (pipes_make(&p, spec, e) < 0)
        return -1;
    if (chan_pair(sync, e) < 0) {
        pipes_close(&p);
        return -1;
    }
    make_groups(c->node, spec);
    c->pid = clone_into(c->node, s, spec);
    if (c->pid == 0) {
        const struct container_child child = {
            .spec = spec,
            .sandbox = s,
            .cgroups = &c->node->cgroups,
            .sync = sync[1],
            .stdio = {p.theirs[0], p.theirs[1], p.theirs[2]},
        };
        container_child(&child);
    }
    close(sync[1]);
    c->sync = (struct watch){sync[0], on_sync, c};
    if (c->pid < 0 || node_watch(c->node, &c->sync, e) < 0) {
        pipes_close(&p);
        return err_sys(e, errno, "start a process");
    }
    for (int i = 1; i < 3; i++)
        if (p.ours[i] >= 0 && stream_start(c, i - 1, TAKE_FD(p.ours[i]), e) < 0)
            break;
    c->input = TAKE_FD(p.ours[0]);
    pipes_close(&p);
    return 0;
}

int req_container_start(struct req *r, struct err *e)
{
    struct node *n = r->node;
    struct spec_box *box = spec_read(&r->msg->body);
    if (!box)
        return err_set(e, ERR_BAD_REQUEST, "malformed container specification");
    const struct sandbox *s = sandbox_find(n, box->spec.sandbox);
    const char *id = box->spec.id;
    if (!s)
        err_set(e, ERR_NOT_FOUND, "sandbox \"%s\" not found", box->spec.sandbox);
    else if (!*id || strchr(id, '/') || box->spec.rootfs_dir[0] != '/')
        err_set(e, ERR_BAD_REQUEST, "invalid container \"%s\"", id);
    else if (container_find(n, id))
        err_set(e, ERR_ALREADY_EXISTS, "container \"%s\" already exists", id);
    if (e->code != ERR_OK) {
        spec_free(box);
        return -1;
    }
    struct container *c = xcalloc(1, sizeof *c);
    *c = (struct container){.next = n->containers, .node = n, .box = box, .start_id = r->id, .input = -1, .master = -1};
    c->guard.fd = c->sync.fd = c->stop.timer.fd = c->streams[0].watch.fd = c->streams[1].watch.fd = -1;
    c->streams[0].log.name = "stdout";
    c->streams[1].log.name = "stderr";
    n->containers = c;
    clog_open(&c->log, box->spec.log_path);
    if (container_spawn(c, s, e) < 0) {
        cgroups_remove(&n->cgroups, id);
        container_free(c);
        return -1;
    }
    return REQ_LATER;
}

/* ---- the end ---- */

static void send_exit(struct container *c, int code, int sig)
{
    _auto_buf_ struct buf body = BUF_INIT;
    struct err lost = ERR_INIT;
    const bool oom = code != 0 && cgroups_oom_killed(&c->node->cgroups, c->box->spec.id);
    wire_str(&body, c->box->spec.id);
    wire_u32(&body, (uint32_t)code);
    wire_u32(&body, (uint32_t)sig);
    wire_u32(&body, oom);
    wire_i64(&body, clock_wall_ns(clock_real()));
    chan_send(c->node->channel, 0, MSG_EXIT, &body, NULL, 0, &lost);
}

void containers_end(struct node *n, const char *sandbox)
{
    for (struct container *c = n->containers, *next; c; c = next) {
        next = c->next;
        if (!str_eq(c->box->spec.sandbox, sandbox))
            continue;
        c->forgotten = true;
        if (c->state == CONTAINER_ENDED)
            container_free(c);
        else
            kill(c->pid, SIGKILL);
    }
}

bool containers_reap(struct node *n, pid_t pid, int status)
{
    struct container *c = n->containers;
    while (c && !(c->pid == pid && c->state != CONTAINER_ENDED))
        c = c->next;
    if (!c)
        return false;
    while (c->sync.fd >= 0) /* it is dead: what it said is all there */
        on_sync(n, &c->sync);
    for (int i = 0; i < 2; i++)
        if (c->streams[i].watch.fd >= 0)
            stream_drain(c, i);
    if (c->start_error.code != ERR_OK) {
        cgroups_remove(&n->cgroups, c->box->spec.id);
        node_reply(n, c->start_id, &c->start_error, NULL, NULL, 0);
        container_free(c);
        return true;
    }
    const int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const int code = sig ? 128 + sig : WEXITSTATUS(status);
    sm_move(&container_sm, &c->state, CONTAINER_ENDED);
    node_unwatch(n, &c->guard);
    node_unwatch(n, &c->stop.timer);
    send_exit(c, code, sig);
    sinks_end(c, code);
    clog_release(&c->log);
    close_fd(&c->input);
    close_fd(&c->master);
    cgroups_kill(&n->cgroups, c->box->spec.id); /* where it shares its process namespace nothing else ends them */
    cgroups_remove(&n->cgroups, c->box->spec.id);
    if (c->forgotten)
        container_free(c);
    return true;
}

void containers_close_fds(struct node *n)
{
    for (struct container *c = n->containers; c; c = c->next) {
        int *const fds[] = {
            &c->sync.fd, &c->guard.fd, &c->stop.timer.fd, &c->streams[0].watch.fd, &c->streams[1].watch.fd,
            &c->input,   &c->master,   &c->log.fd};
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
            close_fd(fds[i]);
        for (struct sink *s = c->sinks; s; s = s->next) {
            close_fd(&s->out);
            close_fd(&s->err);
            close_fd(&s->exit_fd);
        }
    }
}

int req_container_signal(struct req *r, struct err *e)
{
    const char *id = wire_need_str(&r->in);
    const int sig = (int)wire_get_u32(&r->in);
    struct container *c = container_find(r->node, id);
    if (!c || c->state == CONTAINER_ENDED)
        return err_set(e, ERR_NOT_FOUND, "container \"%s\" is not running", id);
    return stop_signal_send(c, sig, e);
}

/* In a child: the writable layer may be large. */
static int purge(struct req *r, struct err *e)
{
    return files_remove_tree(wire_need_str(&r->in), e);
}

int req_container_remove(struct req *r, struct err *e)
{
    const char *id = wire_need_str(&r->in);
    const bool with_layer = wire_get_bool(&r->in);
    struct container *c = container_find(r->node, id);
    if (!c)
        return 0;
    if (c->state != CONTAINER_ENDED)
        return err_set(e, ERR_BUSY, "container \"%s\" is running", id);
    _auto_buf_ struct buf dir = BUF_INIT;
    wire_str(&dir, c->box->spec.rootfs_dir);
    container_free(c);
    if (!with_layer)
        return 0;
    r->in = wire_reader(dir.data, dir.len);
    req_run_forked(r, purge);
    return REQ_LATER;
}

/* ---- attach ---- */

static int sink_pipe(int *out_ours, struct req *r, struct err *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    fcntl(fds[1], F_SETPIPE_SZ, SINK_PIPE_SIZE);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    *out_ours = fds[1];
    r->fds[r->fd_count++] = fds[0];
    return 0;
}

int req_attach(struct req *r, struct err *e)
{
    const char *id = wire_need_str(&r->in);
    struct container *c = container_find(r->node, id);
    if (!c || c->state != CONTAINER_RUNNING)
        return err_set(e, ERR_NOT_FOUND, "container \"%s\" is not running", id);
    const bool tty = c->box->spec.tty;
    const int input = tty ? c->master : c->input;
    if (input >= 0)
        r->fds[r->fd_count++] = fcntl(input, F_DUPFD_CLOEXEC, 0);
    struct sink *s = xcalloc(1, sizeof *s);
    *s = (struct sink){NULL, -1, -1, -1};
    if (sink_pipe(&s->out, r, e) < 0 || (!tty && sink_pipe(&s->err, r, e) < 0) || sink_pipe(&s->exit_fd, r, e) < 0) {
        sink_free(s);
        return -1;
    }
    wire_u32(&r->out, input >= 0);
    wire_u32(&r->out, true);
    wire_u32(&r->out, !tty);
    wire_u32(&r->out, true);
    s->next = c->sinks;
    c->sinks = s;
    if (!tty && c->box->spec.stdin_once)
        close_fd(&c->input); /* now the session's descriptor is the only one: its end is the end of the input */
    return 0;
}

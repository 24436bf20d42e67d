/* exec.c - another process in a container, or on the node itself (node shell).
 *
 * Runs in a child of the node's loop (the monitor), which joins the container's namespaces, starts the process, replies
 * with the descriptors of its streams, waits for it and writes its exit code. So a session costs one small process and
 * nothing in the loop, and ends with its container like everything else in there.
 *
 *      node loop --fork--> monitor (joins namespaces) --fork--> program
 *                             \--reply: in, out, err, exit_fd--> API process
 *
 * When the other side goes away, the program does too: a session that was cut leaves no process behind.
 *
 * A program that cannot be started is not an error of the request: its exit code is 126 or 127 and the runtime's words
 * are the text. THREADS: none. */
#include "sys/container_int.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAMILY_MAX  8192 /* processes of one session; a container has fewer */
#define EXEC_SPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

#define FURNISH_MS 10000

static const char exec_words[] = "OCI runtime exec failed: exec failed: unable to start container process: ";

struct exec_result {
    int32_t code;
    char message[252];
};
struct session {
    struct user_spec user;
    bool want_stdin;
    int64_t timeout_ms;                    /* 0 = none */
    int in[2], out[2], err[2], exit_fd[2]; /* pipes: read end, write end */
    int sync[2];
    int master;
    int guard;               /* its mounts are asked about here; -1 = they are not */
    const struct node *node; /* borrowed */
};

static int not_running(const char *id, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "container \"%s\" is not running", id);
}

static int join(const struct container *c, struct err *e)
{
    _auto_close_ int pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (pidfd >= 0 && setns(pidfd, EXEC_SPACES) == 0)
        return 0;
    if (errno == ESRCH)
        return not_running(c->box->spec.id, e);
    return err_sys(e, errno, "join container %s", c->box->spec.id);
}

static int make_pipes(struct session *s, struct err *e)
{
    int(*const all[])[2] = {&s->exit_fd, &s->in, &s->out, &s->err};
    for (size_t i = 0; i < (s->user.tty ? 1 : ARRAY_LEN(all)); i++)
        if (pipe2(*all[i], O_CLOEXEC) < 0)
            return err_sys(e, errno, "pipe");
    return chan_pair(s->sync, e);
}

/* ---- the program's side ---- */

static int program_prepare(struct session *s, char **out_program, int *out_code, struct err *e)
{
    if (s->user.tty) {
        _auto_close_ int master = user_take_tty(s->user.uid, e);
        if (master < 0 || chan_send(s->sync[1], 0, MSG_HELLO, NULL, &master, 1, e) < 0)
            return -1;
    } else {
        const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int i = 1; i < 3; i++)
            if (fchown(i == 1 ? s->out[1] : s->err[1], s->user.uid, s->user.gid) < 0)
                break;
        dup2(s->want_stdin ? s->in[0] : null, 0);
        dup2(s->out[1], 1);
        dup2(s->err[1], 2);
        setsid();
    }
    _auto_close_ int guard = mount_guard_set(&s->user);
    if (guard >= 0 && chan_send(s->sync[1], 0, MSG_GUARD, NULL, &guard, 1, e) < 0)
        return -1;
    if (user_become(&s->user, e) < 0) {
        *out_code = 126;
        return err_wrap(e, "OCI runtime exec failed: exec failed: unable to start container process");
    }
    *out_program = user_find_program(&s->user, exec_words, out_code, e);
    return *out_program ? 0 : -1;
}

static _Noreturn void program_run(struct session *s)
{
    struct err e = ERR_INIT;
    char *program = NULL;
    int code = 126;
    proc_reset_signals();
    if (program_prepare(s, &program, &code, &e) == 0) {
        char **env = user_environment(&s->user);
        if (s->user.no_new_privs && user_set_filter(&s->user, &e) < 0)
            _exit(code);
        execve(program, (char *const *)s->user.argv, env);
        err_set(&e, ERR_SYS, "%sexec %s: %s: unknown", exec_words, program,
                errno == ENOEXEC  ? "exec format error"
                : errno == ENOENT ? "no such file or directory"
                                  : strerror(errno));
        code = 126;
    }
    _auto_buf_ struct buf body = BUF_INIT;
    struct err lost = ERR_INIT;
    wire_u32(&body, (uint32_t)code);
    wire_str(&body, e.msg);
    chan_send(s->sync[1], 0, MSG_REPLY, &body, NULL, 0, &lost);
    _exit(code);
}

/* ---- the monitor's side ---- */

/* Waits until the program runs or could not; fills in the result then. */
static void wait_started(struct session *s, struct exec_result *result)
{
    close(s->sync[1]);
    for (;;) {
        _auto_msg_ struct msg m = MSG_INIT;
        if (chan_recv(s->sync[0], &m) != 1)
            return;
        if (m.kind == MSG_HELLO) {
            s->master = msg_take_fd(&m, 0);
            continue;
        }
        if (m.kind == MSG_GUARD) {
            s->guard = msg_take_fd(&m, 0);
            continue;
        }
        struct wire_in in = wire_reader(m.body.data, m.body.len);
        result->code = (int32_t)wire_get_u32(&in);
        snprintf(result->message, sizeof result->message, "%s", wire_need_str(&in));
    }
}

static void add_fd(struct req *r, int fd)
{
    wire_u32(&r->out, fd >= 0);
    if (fd >= 0)
        r->fds[r->fd_count++] = fd;
}

/* Gives our ends to the API process and closes the program's ends here. */
static void hand_over(struct req *r, struct session *s)
{
    struct err ok = ERR_INIT;
    const bool tty = s->user.tty;
    if (!tty) {
        close(s->in[0]);
        close(s->out[1]);
        close(s->err[1]);
        if (!s->want_stdin)
            close(s->in[1]);
    }
    add_fd(r, tty ? s->master : s->want_stdin ? s->in[1] : -1);
    add_fd(r, tty ? -1 : s->out[0]);
    add_fd(r, tty ? -1 : s->err[0]);
    add_fd(r, s->exit_fd[0]);
    req_reply(r, &ok);
}

/* What ended the watch: the program, its time, or that nobody asks any more. */
enum watch_end { WATCH_ENDED, WATCH_LATE, WATCH_CUT };

/* Answers for its mounts meanwhile. */
static enum watch_end wait_for_end(struct session *s, int pidfd)
{
    const int64_t deadline = s->timeout_ms > 0 ? clock_mono_ms(clock_real()) + s->timeout_ms : INT64_MAX;
    for (;;) {
        /* The second: POLLERR without a reader. */
        struct pollfd p[3] = {{pidfd, POLLIN, 0}, {s->exit_fd[1], 0, 0}, {s->guard, POLLIN, 0}};
        const int64_t left = deadline == INT64_MAX ? -1 : deadline - clock_mono_ms(clock_real());
        if (left < 0 && deadline != INT64_MAX)
            return WATCH_LATE;
        const int n = poll(p, ARRAY_LEN(p), left > INT_MAX ? INT_MAX : (int)left);
        if (n < 0 && errno != EINTR)
            return WATCH_ENDED;
        if (n <= 0)
            continue;
        if (p[0].revents)
            return WATCH_ENDED;
        if (p[1].revents)
            return WATCH_CUT;
        if (!mount_guard_answer(s->guard, s->node)) {
            close(s->guard);
            s->guard = -1;
        }
    }
}

/* The parent of a process that the node sees, or 0. */
static pid_t parent_of(int proc, const char *number)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "%.32s/stat", number);
    _auto_close_ int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *after = strrchr(text, ')'); /* its name may hold anything */
    int parent = 0;
    return after && sscanf(after, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* Those among `all` are stopped and their children join them. Returns whether there were new ones. */
static bool add_children(int proc, pid_t *all, size_t *count)
{
    const size_t before = *count;
    DIR *d = fdopendir(openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (const struct dirent *entry; d && *count < FAMILY_MAX && (entry = readdir(d));) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), parent = pid > 0 ? parent_of(proc, entry->d_name) : 0;
        bool child = false, known = false;
        for (size_t i = 0; parent > 0 && i < *count; i++) {
            child = child || all[i] == parent;
            known = known || all[i] == pid;
        }
        if (child && !known && kill(pid, SIGSTOP) == 0)
            all[(*count)++] = pid;
    }
    if (d)
        closedir(d);
    return *count > before;
}

/* Also children that lead sessions of their own. What daemonized itself belongs to the container, not to the session.
 */
static void kill_family(const struct node *n, pid_t pid)
{
    static pid_t all[FAMILY_MAX];
    size_t count = 1;
    all[0] = pid;
    kill(pid, SIGSTOP);
    while (add_children(n->proc, all, &count))
        ;
    kill(-pid, SIGKILL); /* it leads a group, as it leads a session */
    for (size_t i = 0; i < count; i++)
        kill(all[i], SIGKILL);
}

/* Lets it run until it ends, its time is over, or nobody asks any more; then it is killed with what it started. Returns
 * whether it was late. */
static bool watch_over(struct session *s, pid_t pid)
{
    _auto_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    const enum watch_end end = fd < 0 ? WATCH_ENDED : wait_for_end(s, fd);
    if (end == WATCH_ENDED)
        return false;
    kill_family(s->node, pid);
    return end == WATCH_LATE;
}

static _Noreturn void monitor(struct req *r, struct session *s, pid_t pid)
{
    struct exec_result result = {0};
    int status = 0;
    wait_started(s, &result);
    hand_over(r, s);
    const bool late = watch_over(s, pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!result.message[0])
        result.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (late && !result.message[0])
        snprintf(result.message, sizeof result.message, "timed out");
    if (write(s->exit_fd[1], &result, sizeof result) < 0)
        _exit(0); /* nobody asks any more */
    _exit(0);
}

/* The container's own user and environment, or the node's root. */
static void fill_user(struct user_spec *u, const struct node *n, const struct container *c, const char *const *env)
{
    static const char *const node_env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin",
                                           "HOME=/root", NULL};
    if (!c) {
        u->env = env ? env : node_env;
        u->caps = UINT64_MAX;
        if (str_empty(u->cwd))
            u->cwd = "/root";
        return;
    }
    const struct container_spec *spec = &c->box->spec;
    u->env = env ? env : spec->env;
    user_fill(u, spec, n->cgroups.memory >= 0);
    if (str_empty(u->cwd))
        u->cwd = spec->cwd;
}

/* A shell finds the node whole also when it is the first thing asked of it. */
static void await_furnished(const struct node *n)
{
    _auto_close_ int pidfd = n->furnisher ? (int)syscall(SYS_pidfd_open, n->furnisher, 0) : -1;
    struct pollfd p = {pidfd, POLLIN, 0};
    if (pidfd >= 0)
        poll(&p, 1, FURNISH_MS);
}

int req_exec(struct req *r, struct err *e)
{
    struct session s = {.master = -1, .guard = -1, .node = r->node};
    const char *id = wire_need_str(&r->in);
    _auto_free_ const char **argv = wire_get_strv(&r->in), **env = wire_get_strv(&r->in);
    s.user.argv = argv;
    s.user.cwd = wire_get_str(&r->in);
    s.user.uid = wire_get_u32(&r->in);
    s.user.gid = wire_get_u32(&r->in);
    s.user.tty = wire_get_bool(&r->in);
    s.want_stdin = wire_get_bool(&r->in);
    s.timeout_ms = wire_get_i64(&r->in);
    const struct container *c = *id ? container_find(r->node, id) : NULL;
    if (r->in.bad || !argv || !argv[0])
        return err_set(e, ERR_BAD_REQUEST, "malformed request");
    if (*id && (!c || c->state != CONTAINER_RUNNING))
        return not_running(id, e);
    if (!c)
        await_furnished(r->node);
    fill_user(&s.user, r->node, c, (const char *const *)env);
    if (make_pipes(&s, e) < 0 || (c && join(c, e) < 0))
        return -1;
    const pid_t pid = c ? cgroups_fork(&r->node->cgroups, c->box->spec.id, 0) : fork();
    if (pid < 0) /* a process namespace whose first process ended takes no new one: ENOMEM */
        return c && errno == ENOMEM ? not_running(id, e) : err_sys(e, errno, "fork");
    if (pid == 0)
        program_run(&s);
    monitor(r, &s, pid);
}

/* script.c - see script.h.
 *
 * DESIGN: bash (a node's: the host's shell command) in a process group of its own, the script on its stdin for a node
 * and as an argument here, so that a command that reads stdin does not eat the script. What it writes is read by
 * poll(); at the deadline the group is killed, and what of it still holds the pipes is not waited for. THREADS: any;
 * but SIGCHLD must not be ignored. */
#include "lab/script.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define KEPT_MAX  (1024 * 1024)
#define CODE_LATE 124 /* as timeout(1) has it */

struct child {
    pid_t pid;
    int in, out, err; /* our ends; -1 */
};

/* `kubectl` and `k` are found, and `stowage` finds the cluster. */
static void add_programs(const struct lab_env *env, struct strlist *vars)
{
    const char *path = getenv("PATH"), *own = env->host ? env->host->program : "", *slash = strrchr(own, '/');
    _auto_buf_ struct buf text = BUF_INIT;
    if (env->tools)
        buf_addf(&text, "%s:", env->tools);
    if (slash)
        buf_addf(&text, "%.*s:", (int)(slash - own), own);
    strlist_addf(vars, "PATH=%s%s", buf_str(&text), path ? path : "/usr/bin:/bin");
    if (env->host)
        strlist_addf(vars, "STOWAGE_DATA=%s", env->host->data);
}

/* The environment of a script: ours, and where the cluster is, the lab's variables among them. */
static void fill_env(const struct lab_env *env, struct strlist *vars)
{
    const char *name;
    json_t *value;
    static const char *const ours[] = {"KUBECONFIG=", "HOME=", "STOWAGE_DATA=", "LAB=", "PATH="};
    for (char **v = environ; *v; v++) {
        bool other = true;
        for (size_t i = 0; i < ARRAY_LEN(ours); i++)
            other = other && !str_starts(*v, ours[i]);
        if (other)
            strlist_add(vars, *v);
    }
    strlist_addf(vars, "KUBECONFIG=%s", env->kubeconfig);
    strlist_addf(vars, "HOME=%s", env->work);
    if (env->lab)
        strlist_addf(vars, "LAB=%s", env->lab->dir);
    add_programs(env, vars);
    json_object_foreach(env->vars, name, value) strlist_addf(vars, "%s=%s", name, json_string_value(value));
    strlist_take(vars, NULL);
}

static void close_pair(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static int spawn_in(const struct lab_env *env, char *const *argv, int pipes[3][2], pid_t *out_pid)
{
    _auto_strlist_ struct strlist vars = {0};
    posix_spawn_file_actions_t acts;
    posix_spawnattr_t attr;
    sigset_t none, usual;
    fill_env(env, &vars);
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGINT);
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_addchdir_np(&acts, env->work);
    posix_spawn_file_actions_adddup2(&acts, pipes[0][0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&acts, pipes[1][1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&acts, pipes[2][1], STDERR_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    const int rc = posix_spawnp(out_pid, argv[0], &acts, &attr, argv, vars.items);
    posix_spawn_file_actions_destroy(&acts);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static int start(const struct lab_env *env, char *const *argv, struct child *c, struct err *e)
{
    int pipes[3][2];
    for (int i = 0; i < 3; i++)
        if (pipe2(pipes[i], O_CLOEXEC) < 0) {
            const int why = errno;
            while (i-- > 0)
                close_pair(pipes[i]);
            return err_sys(e, why, "pipe");
        }
    const int rc = spawn_in(env, argv, pipes, &c->pid);
    if (rc != 0) {
        for (int i = 0; i < 3; i++)
            close_pair(pipes[i]);
        return err_sys(e, rc, "%s", argv[0]);
    }
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    c->in = pipes[0][1];
    c->out = pipes[1][0];
    c->err = pipes[2][0];
    fcntl(c->in, F_SETFL, O_NONBLOCK);
    return 0;
}

static void take_output(int *fd, struct buf *to)
{
    char piece[16384];
    const ssize_t n = read(*fd, piece, sizeof piece);
    if (n > 0) {
        const size_t room = to->len < KEPT_MAX ? KEPT_MAX - to->len : 0;
        buf_add(to, piece, (size_t)n < room ? (size_t)n : room);
    } else if (n == 0 || errno != EINTR) {
        close(*fd);
        *fd = -1;
    }
}

static void give_input(int *fd, const char **text)
{
    const ssize_t n = **text ? write(*fd, *text, strlen(*text)) : -1;
    *text += n > 0 ? n : 0;
    if (!**text || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        close(*fd);
        *fd = -1;
    }
}

/* Until both outputs are closed, the process has ended and what it left in the pipes is read, or it is late. */
static bool attend(struct child *c, int pidfd, const char *input, int64_t deadline, struct buf *out, struct buf *errors)
{
    bool ended = false;
    while (c->out >= 0 || c->err >= 0 || !ended) {
        struct pollfd p[] = {
            {c->out, POLLIN, 0}, {c->err, POLLIN, 0}, {c->in, POLLOUT, 0}, {ended ? -1 : pidfd, POLLIN, 0}};
        const int64_t left = deadline - env_now_ms();
        const int n = poll(p, ARRAY_LEN(p), ended ? 0 : left > 0 ? (int)left : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ended;
        if (p[2].revents)
            give_input(&c->in, &input);
        if (p[0].revents)
            take_output(&c->out, out);
        if (p[1].revents)
            take_output(&c->err, errors);
        ended = ended || p[3].revents;
    }
    return true;
}

static int finish(struct child *c, bool in_time)
{
    int status = 0;
    kill(-c->pid, SIGKILL); /* also what it left in the background */
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    int *const ends[] = {&c->in, &c->out, &c->err};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (*ends[i] >= 0)
            close(*ends[i]);
    return !in_time ? CODE_LATE : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_argv(struct lab_env *env, char *const *argv, const char *input, int64_t timeout_ms, int *out_code,
                    struct buf *out, struct buf *errors, struct err *e)
{
    struct child c = {.in = -1, .out = -1, .err = -1};
    if (start(env, argv, &c, e) < 0)
        return -1;
    if (env->janitor)
        janitor_group(env->janitor, c.pid);
    _auto_close_ int pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
    const bool in_time = attend(&c, pidfd, input, env_now_ms() + timeout_ms, out, errors);
    *out_code = finish(&c, in_time);
    if (env->janitor)
        janitor_group(env->janitor, 0);
    return 0;
}

int script_run(struct lab_env *env, const struct script *s, int *out_code, struct buf *out, struct buf *errors,
               struct err *e)
{
    if (!s->on_node && !s->node) {
        char *const argv[] = {"bash", "-c", (char *)(uintptr_t)s->text, NULL};
        return run_argv(env, argv, "", s->timeout_ms, out_code, out, errors, e);
    }
    if (!env->host)
        return err_set(e, ERR_UNSUPPORTED, "a node's shell is only to be had in a cluster of Stowage");
    char **argv = env->host->node_shell(env->host->self, s->node);
    const int rc = run_argv(env, argv, s->text, s->timeout_ms, out_code, out, errors, e);
    for (char **a = argv; *a; a++)
        free(*a);
    free(argv);
    return rc;
}

/* jail_inside.c - the first process of a jail: takes files and scripts from the owner, one after the other.
 *
 *     owner --JAIL_PUT--> file in the home --JAIL_DONE--> owner
 *     owner --JAIL_RUN--> bash as the jail's user --ends, or JAIL_STOP--> kill everything --JAIL_DONE--> owner
 *
 * INVARIANTS: (1) a script has none of our descriptors, rights or capabilities, and cannot signal or trace us: to a PID
 * namespace its first process is out of reach. (2) When a script is over, so is everything it began, daemons too: we
 * kill all that is in the namespace and reap until nobody is left. (3) When the owner is gone we end, and the kernel
 * ends the rest.
 *
 * THREADS: none. */
#include "sys/chan.h"
#include "sys/container_int.h"
#include "sys/jail_int.h"
#include "sys/netlink.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPT_FILE "/run/script"
#define REAP_MS     50
#define FILES_MAX   1024

static int listen_inside(int port, struct err *e)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    _auto_close_ int nl = nl_open(e);
    if (nl < 0 || nl_link_up(nl, "lo", NULL, e) < 0)
        return -1;
    _auto_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0)
        return err_sys(e, errno, "listen in the jail");
    return TAKE_FD(fd);
}

/* ---- files ---- */

/* The directory of that name, made if it is not there. A script may have left a link in its place; we have rights that
 * it has not, so none is followed. */
static int enter_dir(const struct jail_boot *boot, int dir, const char *name)
{
    if (strcmp(name, "..") == 0) {
        errno = EINVAL;
        return -1;
    }
    if (mkdirat(dir, name, 0755) == 0 && userns_chown(dir, name, boot->user, boot->user, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int put_file(const struct jail_boot *boot, char *path, const char *data, size_t len, struct err *e)
{
    _auto_close_ int dir = open(JAIL_HOME, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char *name = path;
    for (char *slash = strchr(name, '/'); slash && dir >= 0; slash = strchr(name, '/')) {
        *slash = '\0';
        const int next = enter_dir(boot, dir, name);
        close(dir);
        dir = next;
        *slash = '/';
        name = slash + 1;
    }
    _auto_close_ int fd =
        dir < 0 ? -1 : openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(e, errno, "%s", path);
    for (size_t at = 0; at < len;) {
        const ssize_t n = write(fd, data + at, len - at);
        if (n < 0)
            return err_sys(e, errno, "%s", path);
        at += (size_t)n;
    }
    return userns_chown(fd, "", boot->user, boot->user, 0) < 0 ? err_sys(e, errno, "%s", path) : 0;
}

/* ---- a script ---- */

static void limit(int what, rlim_t much)
{
    const struct rlimit l = {much, much};
    setrlimit(what, &l);
}

static void set_limits(const struct jail_conf *conf, bool group_limits)
{
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, FILES_MAX);
    limit(RLIMIT_FSIZE, (rlim_t)conf->disk_bytes);
    limit(RLIMIT_NPROC, (rlim_t)conf->pids);
    if (conf->cpu_ms && !group_limits) /* of each process: what all use together is not known */
        limit(RLIMIT_CPU, (rlim_t)(conf->cpu_ms + 999) / 1000);
    limit(RLIMIT_MSGQUEUE, 0);
    limit(RLIMIT_MEMLOCK, 0);
    if (!group_limits)
        limit(RLIMIT_DATA, (rlim_t)conf->memory_bytes);
    setpriority(PRIO_PROCESS, 0, 10); /* who judges comes first */
}

static _Noreturn void become_script(const struct jail_boot *boot, const struct msg *m, const char *const *env)
{
    static const char *const argv[] = {"/bin/bash", SCRIPT_FILE, NULL};
    const struct user_spec user = {.argv = argv,
                                   .env = env,
                                   .cwd = JAIL_HOME,
                                   .uid = boot->user,
                                   .gid = boot->user,
                                   .no_new_privs = true,
                                   .default_profile = true,
                                   .oom_score_adj = 1000};
    struct err e = ERR_INIT;
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    proc_reset_signals();
    prctl(PR_SET_DUMPABLE, 1); /* our files of /proc are ours again: a user namespace is mapped by them */
    setsid();
    dup2(null, STDIN_FILENO);
    dup2(m->fds[0], STDOUT_FILENO);
    dup2(m->fds[1], STDERR_FILENO);
    proc_keep_fds(NULL, 0);
    set_limits(boot->conf, boot->group_limits);
    if (user_become(&user, &e) == 0) {
        execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
        err_sys(&e, errno, "bash");
    }
    dprintf(STDERR_FILENO, "%s\n", e.msg);
    _exit(126);
}

/* Everything but us. */
static void end_all(void)
{
    do {
        kill(-1, SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    } while (waitpid(-1, NULL, 0) > 0);
}

/* Until the script ends or the owner has enough of it. Returns its code. */
static int await_script(int sock, pid_t script)
{
    int status = 0;
    bool ended = false;
    for (struct pollfd p = {sock, POLLIN, 0}; !ended;) {
        if (poll(&p, 1, REAP_MS) > 0)
            break;
        int one;
        for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;)
            if (pid == script) {
                ended = true;
                status = one;
            }
    }
    if (!ended)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void strings_of(const struct buf *body, struct strlist *env, const char **out_script)
{
    const char *at = buf_str(body);
    for (; *at; at += strlen(at) + 1)
        strlist_add(env, at);
    strlist_take(env, NULL);
    *out_script = at + 1;
}

static int run(const struct jail_boot *boot, const struct msg *m, struct err *e)
{
    _auto_strlist_ struct strlist env = {0};
    const char *script;
    strings_of(&m->body, &env, &script);
    _auto_close_ int fd = open(SCRIPT_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const size_t len = strlen(script);
    if (fd < 0 || write(fd, script, len) != (ssize_t)len)
        return err_sys(e, errno, "the jail's script");
    const pid_t pid = fork();
    if (pid == 0)
        become_script(boot, m, (const char *const *)env.items);
    if (pid < 0)
        return err_sys(e, errno, "fork in the jail");
    const int code = await_script(boot->sock, pid);
    end_all();
    return code < 0 ? 124 : code;
}

/* ---- the owner's messages ---- */

static int take(const struct jail_boot *boot, const struct msg *m, struct err *e)
{
    if (m->kind == JAIL_RUN)
        return run(boot, m, e);
    if (m->kind == JAIL_PUT) {
        _auto_free_ char *path = xstrdup(buf_str(&m->body));
        const char *data = buf_str(&m->body) + strlen(path) + 1;
        return put_file(boot, path, data, m->body.len - strlen(path) - 1, e);
    }
    return 0; /* a JAIL_STOP for what has ended meanwhile */
}

static void answer(int sock, int code, const struct err *e)
{
    _auto_buf_ struct buf body = BUF_INIT;
    struct err lost = ERR_INIT;
    if (code < 0)
        buf_adds(&body, e->msg);
    else
        buf_addf(&body, "%d", code);
    if (chan_send(sock, 0, code < 0 ? JAIL_FAILED : JAIL_DONE, &body, NULL, 0, &lost) < 0)
        _exit(0);
}

_Noreturn void jail_inside(const struct jail_boot *boot)
{
    struct err e = ERR_INIT;
    _auto_close_ int listener = -1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NAME, "stowage-jail");
    proc_keep_fds(&boot->sock, 1);
    umask(022);
    const bool ready = (!boot->conf->port || (listener = listen_inside(boot->conf->port, &e)) >= 0) &&
                       sethostname("student", 7) == 0 && jail_root_enter(boot->conf, boot->user, &e) == 0;
    if (!ready) {
        answer(boot->sock, -1, &e);
        _exit(1);
    }
    chan_send(boot->sock, 0, JAIL_READY, NULL, &listener, listener >= 0 ? 1 : 0, &e);
    close(TAKE_FD(listener));
    for (;;) {
        _auto_msg_ struct msg m = MSG_INIT;
        if (chan_recv(boot->sock, &m) != 1)
            _exit(0);
        if (m.kind != JAIL_STOP)
            answer(boot->sock, take(boot, &m, &e), &e);
        err_clear(&e);
    }
}

/* launcher.c - see launcher.h.
 *
 * A request is one packet: STOWAGE_DATA=…, the words, each ended by a NUL, and three descriptors. For each a child
 * starts the program, waits for it and tells its end; so the launcher itself waits for nothing but requests. */
#include "app/launcher.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/resident.h"
#include "base/str.h"
#include "sys/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 40
#define SOCK      3 /* the launcher's end; it has no other descriptor but 0, 1 and 2 */

extern char **environ;

/* ---- in the child of one request ---- */

/* The words of a body, with room for the program before them. Returns how many there are, 0: it is none of ours. */
static size_t words_of(struct buf *body, const char *words[WORDS_MAX + 1])
{
    size_t n = 0;
    for (size_t at = 0; at < body->len && n < WORDS_MAX; at += strlen(body->data + at) + 1)
        words[n++] = body->data + at;
    return n > 1 && (str_eq(words[1], "lab") || str_eq(words[1], "console")) ? n : 0;
}

static int spawn(const char *self_exe, const char **words, const struct msg *m, pid_t *out_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (int sig = 1; sig < 32; sig++)
        sigaddset(&usual, sig);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, m->fds[0], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, m->fds[1], STDERR_FILENO);
    putenv((char *)(uintptr_t)words[0]);
    words[0] = self_exe;
    const int rc = posix_spawn(out_pid, self_exe, &files, &attr, (char *const *)(uintptr_t)words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static void tell(int fd, int32_t number)
{
    const ssize_t n = write(fd, &number, sizeof number);
    (void)n; /* the server may have ended */
}

static _Noreturn void serve(const char *self_exe, struct msg *m)
{
    const char *words[WORDS_MAX + 1] = {NULL};
    pid_t pid;
    int status = 0;
    close(SOCK);
    signal(SIGCHLD, SIG_DFL);
    if (m->fd_count != 3 || !words_of(&m->body, words) || spawn(self_exe, words, m, &pid) != 0)
        _exit(1);
    close(m->fds[0]);
    close(m->fds[1]);
    tell(m->fds[2], pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    tell(m->fds[2], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    _exit(0);
}

/* ---- the launcher's life ---- */

static _Noreturn void live(const char *self_exe, int sock)
{
    prctl(PR_SET_NAME, "stowage-launch");
    setsid();
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_IGN); /* it ends with the server, by the socket; the kernel reaps its children */
    const int own = fcntl(sock, F_DUPFD_CLOEXEC, SOCK + 1), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup3(own, SOCK, O_CLOEXEC);
    for (int fd = 0; fd < SOCK; fd++)
        dup2(null, fd);
    close_range(SOCK + 1, ~0U, 0);
    for (;;) {
        resident_drop_program();
        struct msg m = MSG_INIT;
        const int rc = chan_recv(SOCK, &m);
        if (rc == 0 || (rc < 0 && errno != EINTR))
            _exit(0);
        if (rc > 0 && fork() == 0)
            serve(self_exe, &m);
        msg_release(&m);
    }
}

int launcher_open(struct launcher *l, const char *self_exe, struct err *e)
{
    int pair[2];
    if (chan_pair(pair, e) < 0)
        return -1;
    const pid_t pid = fork();
    if (pid == 0)
        live(self_exe, pair[1]);
    const int code = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_sys(e, code, "fork");
    }
    *l = (struct launcher){pid, pair[0]};
    return 0;
}

void launcher_close(struct launcher *l)
{
    if (!l->pid)
        return;
    close(l->sock);
    while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *l = (struct launcher){0};
}

/* ---- the server's half ---- */

int launcher_start(const struct launcher *l, const char *data, const char *const *argv, int out, int err, int *out_fd,
                   struct err *e)
{
    _auto_buf_ struct buf body = BUF_INIT;
    int ends[2];
    buf_addf(&body, "STOWAGE_DATA=%s", data);
    buf_addc(&body, '\0');
    for (; *argv; argv++) {
        buf_adds(&body, *argv);
        buf_addc(&body, '\0');
    }
    if (!l->pid)
        return err_set(e, ERR_UNAVAILABLE, "this server can start nothing");
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, errno, "pipe");
    const int fds[] = {out, err, ends[1]};
    const int rc = chan_send(l->sock, 0, 0, &body, fds, ARRAY_LEN(fds), e);
    close(ends[1]);
    if (rc < 0)
        close(ends[0]);
    else
        *out_fd = ends[0];
    return rc;
}

/* program.c - processes that the prompt starts: stowage's own verbs, the user's shell, what runs in the background.
 *
 * DESIGN: a process in front shares the terminal's foreground group with us, so Ctrl-C reaches it by itself and we only
 * wait. One in the background leads a group, which is ended with the session; the kernel ends it should we be killed.
 * The child between fork and exec makes system calls only. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/repl/session_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS 3000

static void __attribute__((noreturn)) child(const struct program *p, int null, const sigset_t *mask)
{
    static const int usual[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
    const int from[] = {p->in < 0 ? null : p->in, p->out < 0 ? null : p->out, p->err < 0 ? null : p->err};
    int high[ARRAY_LEN(from)];
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        signal(usual[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (p->background)
        setpgid(0, 0);
    for (size_t i = 0; i < ARRAY_LEN(from); i++) /* above what they become, or one would cover the other */
        high[i] = fcntl(from[i], F_DUPFD, 10);
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        dup2(high[i], (int)i);
        close(high[i]);
    }
    execvp(p->argv[0], (char *const *)(uintptr_t)p->argv);
    static const char failed[] = "stowage: the program can not be started\n";
    const ssize_t n = write(STDERR_FILENO, failed, sizeof failed - 1);
    (void)n;
    _exit(EXIT_NO_COMMAND);
}

pid_t program_start(const struct program *p, struct err *e)
{
    fflush(NULL);
    _auto_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); /* what comes for the child waits until it is one */
    const pid_t pid = fork();
    if (pid == 0)
        child(p, null, &before);
    const int why = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid < 0 ? err_sys(e, why, "%s", p->argv[0]) : pid;
}

int program_wait(const struct session *s, pid_t pid)
{
    int status = 0;
    if (session_interrupted(s)) /* before it was there to be told by the terminal */
        kill(pid, SIGINT);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        if (!s->interactive && session_interrupted(s))
            kill(pid, SIGINT);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool program_there(const char *name)
{
    _auto_strlist_ struct strlist dirs = {0};
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    strlist_split(&dirs, getenv("PATH") ? getenv("PATH") : "", ':');
    for (size_t i = 0; *name && i < dirs.len; i++) {
        _auto_free_ char *path = xasprintf("%s/%s", dirs.items[i], name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

void offer_kubectl(const struct session *s)
{
    _auto_free_ char *link = program_there("kubectl") ? NULL : state_path("bin/kubectl");
    if (!link)
        return;
    _auto_free_ char *path =
        xasprintf("%s:%.*s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin", (int)(strrchr(link, '/') - link), link);
    _auto_free_ char *fresh = xasprintf("%s.%d", link, (int)getpid());
    if (symlink(s->cli->self_exe, fresh) == 0 && rename(fresh, link) == 0) /* the program may have moved */
        setenv("PATH", path, 1);
}

/* ---- the background ---- */

void jobs_add(struct session *s, pid_t pid, const char *text)
{
    s->jobs = xrealloc(s->jobs, (s->njobs + 1) * sizeof *s->jobs);
    s->jobs[s->njobs++] = (struct job){pid, xstrdup(text)};
}

void jobs_list(const struct session *s, FILE *out)
{
    for (size_t i = 0; i < s->njobs; i++)
        fprintf(out, "%d  %s\n", (int)s->jobs[i].pid, s->jobs[i].text);
}

void jobs_notice(struct session *s, FILE *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->njobs; i++) {
        int status;
        if (waitpid(s->jobs[i].pid, &status, WNOHANG) == 0) {
            s->jobs[kept++] = s->jobs[i];
            continue;
        }
        if (s->interactive)
            fprintf(out, "%d  has ended: %s\n", (int)s->jobs[i].pid, s->jobs[i].text);
        free(s->jobs[i].text);
    }
    s->njobs = kept;
}

/* It has END_MS to end by itself. */
static void job_end(pid_t pid)
{
    _auto_close_ int ended = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {ended, POLLIN, 0};
    kill(-pid, SIGTERM);
    if (poll(&p, 1, END_MS) <= 0)
        kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void jobs_end(struct session *s)
{
    for (size_t i = 0; i < s->njobs; i++) {
        job_end(s->jobs[i].pid);
        free(s->jobs[i].text);
    }
    free(s->jobs);
    s->jobs = NULL;
    s->njobs = 0;
}

/* janitor.c - see janitor.h.
 *
 *     messages ──► group, state ──pipe closes──► kill the group, tidy, end
 *                       └──────── dismissed ───► end
 *
 * DESIGN: a message is a fixed struct, smaller than a pipe's atomic write. The janitor leads a session of its own and
 * ignores the signals a terminal sends, so what ends its owner does not end it; it keeps none of the owner's standard
 * streams, or whoever reads those would wait for it. */
#include "lab/janitor.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum message_kind { SAYS_GROUP, SAYS_STATE, SAYS_DISMISSED };
struct message {
    enum message_kind kind;
    int value;
};

static void leave_terminal(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    setsid();
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    const int none = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; none >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(none, fd);
}

static void watch(int fd, void (*tidy)(void *arg, enum janitor_state state), void *arg)
{
    struct message m;
    pid_t group = 0;
    enum janitor_state state = JANITOR_NOTHING;
    ssize_t n;
    leave_terminal();
    while ((n = read(fd, &m, sizeof m)) == (ssize_t)sizeof m || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        if (m.kind == SAYS_DISMISSED)
            _exit(0);
        if (m.kind == SAYS_GROUP)
            group = m.value;
        else
            state = (enum janitor_state)m.value;
    }
    if (group > 0)
        kill(-group, SIGKILL);
    if (tidy)
        tidy(arg, state);
    _exit(0);
}

int janitor_start(struct janitor *j, void (*tidy)(void *arg, enum janitor_state state), void *arg, struct err *e)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    const pid_t pid = fork();
    if (pid == 0) {
        close(pipes[1]);
        watch(pipes[0], tidy, arg);
    }
    close(pipes[0]);
    if (pid < 0) {
        close(pipes[1]);
        return err_sys(e, errno, "fork");
    }
    *j = (struct janitor){.pid = pid, .fd = pipes[1]};
    return 0;
}

/* Should it have been killed, there is nobody to tell. */
static void say(const struct janitor *j, enum message_kind kind, int value)
{
    const struct message m = {kind, value};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    if (!j->pid)
        return;
    sigaction(SIGPIPE, &ignore, &before);
    while (write(j->fd, &m, sizeof m) < 0 && errno == EINTR)
        ;
    sigaction(SIGPIPE, &before, NULL);
}

void janitor_group(const struct janitor *j, pid_t group)
{
    say(j, SAYS_GROUP, group);
}

void janitor_tell(const struct janitor *j, enum janitor_state state)
{
    say(j, SAYS_STATE, state);
}

void janitor_dismiss(struct janitor *j)
{
    if (!j->pid)
        return;
    say(j, SAYS_DISMISSED, 0);
    close(j->fd);
    while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *j = (struct janitor){0};
}

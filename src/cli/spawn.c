/* spawn.c - see spawn.h. A daemon that the program leaves behind may hold the pipe: reading ends with the program. */
#include "cli/spawn.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool read_some(int fd, struct buf *told)
{
    const ssize_t n = read(fd, buf_reserve(told, 4096), 4096);
    if (n <= 0)
        return false;
    told->len += (size_t)n;
    told->data[told->len] = '\0';
    return true;
}

static void listen_to(int fd, int pidfd, struct buf *told)
{
    for (bool ended = false;;) {
        struct pollfd p[] = {{fd, POLLIN, 0}, {ended ? -1 : pidfd, POLLIN, 0}};
        const int n = poll(p, ARRAY_LEN(p), ended ? 0 : -1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || (p[0].revents && !read_some(fd, told)))
            return;
        ended = ended || p[1].revents;
    }
}

int spawn_wait(const char *const *argv, struct buf *told, int *out_code, struct err *e)
{
    int pipes[2], status = 0;
    pid_t pid;
    posix_spawn_file_actions_t acts;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_addopen(&acts, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&acts, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&acts, pipes[1], STDERR_FILENO);
    const int rc = posix_spawnp(&pid, argv[0], &acts, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&acts);
    close(pipes[1]);
    _auto_close_ int from = pipes[0];
    if (rc != 0)
        return err_sys(e, rc, "%s", argv[0]);
    _auto_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    listen_to(from, pidfd, told);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    *out_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

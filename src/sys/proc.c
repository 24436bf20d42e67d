/* proc.c - see proc_int.h. THREADS: none; these run in the helper, in nodes and in their children. */
#include "sys/proc_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (64 * 1024)

static const char *const tool_dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
static const char *const tool_env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                       NULL};

static bool find_tool(const char *program, char *out, size_t size)
{
    for (size_t i = 0; i < ARRAY_LEN(tool_dirs); i++) {
        snprintf(out, size, "%s/%s", tool_dirs[i], program);
        if (access(out, X_OK) == 0)
            return true;
    }
    return false;
}

bool proc_has(const char *program)
{
    char path[256];
    return find_tool(program, path, sizeof path);
}

void proc_reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void run_child(const char *path, const char *const *argv, int out)
{
    proc_reset_signals();
    const int null = open("/dev/null", O_RDWR);
    if (null >= 0)
        dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    execve(path, (char *const *)argv, (char *const *)tool_env);
    _exit(127);
}

_Noreturn void proc_exec(const char *const *argv, int out)
{
    char path[256];
    if (!find_tool(argv[0], path, sizeof path))
        _exit(127);
    run_child(path, argv, out);
}

int proc_enter_mounts(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
    _auto_close_ int space = open(path, O_RDONLY | O_CLOEXEC);
    return space < 0 ? -1 : setns(space, CLONE_NEWNS);
}

int proc_run(const char *const *argv, struct buf *out_text)
{
    char path[256];
    int fds[2];
    if (!find_tool(argv[0], path, sizeof path) || pipe2(fds, O_CLOEXEC) < 0)
        return 127;
    const pid_t pid = fork();
    if (pid == 0)
        run_child(path, argv, fds[1]);
    close(fds[1]);
    char chunk[4096];
    ssize_t n;
    while (pid > 0 && ((n = read(fds[0], chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0 && out_text && out_text->len < OUTPUT_MAX)
            buf_add(out_text, chunk, (size_t)n);
    close(fds[0]);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 127;
    if (pid < 0)
        return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t proc_start(const char *const *argv)
{
    char path[256];
    _auto_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || !find_tool(argv[0], path, sizeof path))
        return -1;
    const pid_t pid = fork();
    if (pid == 0)
        run_child(path, argv, null);
    return pid;
}

void proc_keep_fds(const int *keep, size_t count)
{
    unsigned from = 3;
    for (;;) {
        unsigned next = ~0u;
        for (size_t i = 0; i < count; i++)
            if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        if (next > from)
            syscall(SYS_close_range, from, next == ~0u ? ~0u : next - 1, 0);
        if (next == ~0u)
            return;
        from = next + 1;
    }
}

pid_t proc_clone(uint64_t flags)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)(flags | SIGCHLD), 0L, 0L, 0L, 0L);
}

int proc_mkdir_p(const char *path, mode_t mode, struct err *e)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : err_sys(e, ENOTDIR, "mkdir %s", path);
    _auto_free_ char *copy = xstrdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return err_sys(e, errno, "mkdir %s", copy);
        *slash = '/';
    }
    if (mkdir(copy, mode) < 0)
        return errno == EEXIST ? 0 : err_sys(e, errno, "mkdir %s", path);
    return chmod(copy, mode) < 0 ? err_sys(e, errno, "chmod %s", path) : 0;
}

int proc_write(const char *path, const char *text)
{
    _auto_close_ int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC); /* a pod may have put a pipe there */
    if (fd < 0)
        return -1;
    return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

bool proc_mounts_device(pid_t pid, dev_t rdev)
{
    char path[64], want[32], seen[32], line[4096];
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    snprintf(want, sizeof want, "%u:%u", major(rdev), minor(rdev));
    _auto_file_ FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%*s %*s %31s", seen) == 1 && str_eq(seen, want))
            return true;
    return false;
}

int proc_child_signal_fd(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(how, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void proc_title(char **argv, const char *title)
{
    prctl(PR_SET_NAME, title);
    if (!argv || !argv[0])
        return;
    char *end = argv[0];
    for (char **a = argv; *a; a++)
        if (*a == end)
            end = *a + strlen(*a) + 1;
    memset(argv[0], 0, (size_t)(end - argv[0]));
    snprintf(argv[0], (size_t)(end - argv[0]), "%s", title);
}

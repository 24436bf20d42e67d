/* mount_proxy.c - a mount(2) of a guarded process, done in its stead: see mount_guard.c.
 *
 * DESIGN: what was asked for is read once, out of the waiting thread's memory. Then this process becomes a neighbour of
 * that thread: its namespaces, its root, its working directory; so names, "proc" and "sysfs" mean what they mean there,
 * and the kernel's own checks apply. Whoever gave CAP_SYS_ADMIN up, or never had it there, is refused as by the kernel.
 * Of a FUSE filesystem the descriptor that its options name is brought along.
 *
 *      read texts -> open its root, directory, namespaces -> is it still waiting? -> join -> mount
 *                                                                  \-> /proc, /sys: build on a stage first, then join,
 * place
 *
 * THREADS: none; one process for one call. Source: mount(2), seccomp_unotify(2), setns(2). */
#include "sys/mount_proxy_int.h"
#include "sys/kernel_fs_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAP_SYS_ADMIN 21
#define PAGE          4096
#define STAGE         "/srv" /* of the node: a directory that is there */

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* Filesystems that are the machine's own, one for all. */
static const char *const of_the_machine[] = {"binfmt_misc", "bpf",     "configfs", "debugfs", "devtmpfs",
                                             "efivarfs",    "fusectl", "pstore",   "resctrl", "securityfs",
                                             "selinuxfs",   "smackfs", "tracefs"};

static const struct {
    const char *name;
    int flag;
} spaces[] = {{"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},       {"net", CLONE_NEWNET},
              {"ipc", CLONE_NEWIPC}, {"cgroup", CLONE_NEWCGROUP}, {"user", CLONE_NEWUSER}};

struct asked {
    int proc; /* the node's /proc; borrowed */
    pid_t thread, process;
    char source[PATH_MAX], target[PATH_MAX], type[256], data[PAGE + 1];
    bool has_source, has_data;
    unsigned long flags;
    int root, directory;          /* of the thread */
    int space[ARRAY_LEN(spaces)]; /* -1: the same as ours */
};

/* ---- what is asked for ---- */

/* Up to `max` bytes at `at`, or to the end of what is mapped there. Page by page, as the next one need not be there. */
static size_t read_memory(pid_t pid, uint64_t at, char *out, size_t max)
{
    size_t have = 0;
    while (have < max) {
        const size_t page = PAGE - (at + have) % PAGE, want = max - have < page ? max - have : page;
        const struct iovec to = {out + have, want}, from = {(void *)(uintptr_t)(at + have), want};
        const ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);
        if (n <= 0 || memchr(out + have, '\0', (size_t)n))
            return have + (n > 0 ? (size_t)n : 0);
        have += (size_t)n;
    }
    return have;
}

/* A text with its end: 0 or errno. */
static int read_text(pid_t pid, uint64_t at, char *out, size_t size)
{
    const size_t n = read_memory(pid, at, out, size);
    if (n == 0)
        return EFAULT;
    return memchr(out, '\0', n) ? 0 : n == size ? ENAMETOOLONG : EFAULT;
}

static int read_call(const struct seccomp_notif *call, struct asked *a)
{
    const __u64 *args = call->data.args;
    a->thread = (pid_t)call->pid;
    a->flags = (unsigned long)args[3];
    a->has_source = args[0] != 0;
    a->has_data = args[4] != 0;
    int code = args[2] ? read_text(a->thread, args[2], a->type, sizeof a->type) : EINVAL;
    if (code == 0)
        code = read_text(a->thread, args[1], a->target, sizeof a->target);
    if (code == 0 && a->has_source)
        code = read_text(a->thread, args[0], a->source, sizeof a->source);
    if (code == 0 && a->has_data && read_memory(a->thread, args[4], a->data, PAGE) == 0)
        code = EFAULT;
    return code;
}

static int open_of(const struct asked *a, const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "%d/%s", (int)a->thread, name);
    return openat(a->proc, path, flags | O_CLOEXEC);
}

/* Which process it belongs to, and whether it may mount at all. */
static int read_status(struct asked *a)
{
    char line[256];
    unsigned long long caps = 0;
    int process = 0;
    const int fd = open_of(a, "status", O_RDONLY);
    _auto_file_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    while (f && fgets(line, sizeof line, f)) {
        sscanf(line, "Tgid: %d", &process);
        sscanf(line, "CapEff: %llx", &caps);
    }
    a->process = process;
    return process <= 0 ? ESRCH : caps >> CAP_SYS_ADMIN & 1 ? 0 : EPERM;
}

/* A namespace that is not ours: of user namespaces the kernel lets nobody join his own. */
static int open_space(const struct asked *a, const char *name)
{
    char path[64], own[64];
    struct stat theirs, ours;
    snprintf(path, sizeof path, "ns/%s", name);
    snprintf(own, sizeof own, "self/ns/%s", name);
    _auto_close_ int fd = open_of(a, path, O_RDONLY);
    if (fd < 0 || fstat(fd, &theirs) < 0)
        return -2;
    return fstatat(a->proc, own, &ours, 0) == 0 && ours.st_ino == theirs.st_ino ? -1 : TAKE_FD(fd);
}

static int open_place(struct asked *a)
{
    a->root = open_of(a, "root", O_PATH | O_DIRECTORY);
    a->directory = open_of(a, "cwd", O_PATH | O_DIRECTORY);
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
        if ((a->space[i] = open_space(a, spaces[i].name)) < -1)
            return ESRCH;
    return a->root < 0 || a->directory < 0 ? ESRCH : 0;
}

/* ---- being there ---- */

static int join_space(const struct asked *a, int flag)
{
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
        if (spaces[i].flag == flag && a->space[i] >= 0 && setns(a->space[i], flag) < 0)
            return errno;
    return 0;
}

static int enter_root(const struct asked *a)
{
    return fchdir(a->root) < 0 || chroot(".") < 0 || fchdir(a->directory) < 0 ? errno : 0;
}

/* In the order of the table: the user namespace comes last, then we are no more than the thread is. */
static int join(const struct asked *a)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < ARRAY_LEN(spaces); i++) {
        if (spaces[i].flag == CLONE_NEWUSER)
            code = enter_root(a);
        if (code == 0)
            code = join_space(a, spaces[i].flag);
    }
    return code;
}

static bool other_user_space(const struct asked *a)
{
    return a->space[ARRAY_LEN(spaces) - 1] >= 0;
}

/* ---- doing it ---- */

/* A filesystem that a program serves: "fd=3" is a number of the asking process. */
static int bring_descriptor(const struct asked *a)
{
    const char *at = a->has_data && str_starts(a->type, "fuse") ? strstr(a->data, "fd=") : NULL;
    if (!at || (at != a->data && at[-1] != ','))
        return 0;
    char *end;
    const long number = strtol(at + 3, &end, 10);
    _auto_close_ int process = (int)syscall(SYS_pidfd_open, a->process, 0);
    _auto_close_ int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, (int)number, 0);
    if (fd < 0 || end == at + 3)
        return EINVAL;
    if (fd == number)
        fd = -1; /* it stays open: this process ends with the call */
    else if (dup2(fd, (int)number) < 0)
        return errno;
    return 0;
}

static int mount_as_asked(const struct asked *a)
{
    return mount(a->has_source ? a->source : NULL, a->target, a->type, a->flags, a->has_data ? a->data : NULL) < 0
               ? errno
               : 0;
}

/* With its covers; made before we leave the node's own mounts. */
static int mount_covered(const struct asked *a, bool is_proc, const struct node *n)
{
    struct err e = ERR_INIT;
    struct kernel_fs fs;
    const struct kernel_fs_how how = {
        .skip_proc = !is_proc,
        .skip_sys = is_proc,
        .proc_flags = a->flags,
        .sys_flags = a->flags,
        .proc_options = a->has_data ? a->data : NULL,
        .settings_read_only = !n->cgroups.keeps_settings,
        .locked = true,
    };
    int code = join_space(a, CLONE_NEWNET);
    if (code || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return code ? code : errno;
    if (kernel_fs_make(STAGE, &how, &fs, &e) < 0)
        return e.sys_errno ? e.sys_errno : EPERM;
    code = setns(n->self_mntns, CLONE_NEWNS) < 0 ? errno : join_space(a, CLONE_NEWNS);
    if (code == 0)
        code = enter_root(a);
    if (code == 0 && kernel_fs_place(is_proc ? fs.proc : fs.sys, AT_FDCWD, a->target, &e) < 0)
        code = e.sys_errno;
    return code;
}

/* In a child in the thread's process namespace, of which a new /proc is. */
static int mount_in_child(const struct asked *a, bool is_proc, const struct node *n)
{
    int code = join_space(a, CLONE_NEWPID), status = 0;
    if (code)
        return code;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(mount_covered(a, is_proc, n));
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return pid < 0 ? errno : WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int mount_proxy(int listener, const struct seccomp_notif *call, const struct node *n)
{
    static struct asked a;
    if (setns(n->self_mntns, CLONE_NEWNS) < 0) /* an exec's monitor is in the container's, with its /proc */
        return EPERM;
    a.proc = n->proc;
    int code = read_call(call, &a);
    if (code == 0)
        code = read_status(&a);
    if (code == 0)
        code = open_place(&a);
    __u64 id = call->id;
    if (code == 0 && ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
        code = ESRCH; /* it was somebody else, with the same number */
    if (code)
        return code;
    for (size_t i = 0; i < ARRAY_LEN(of_the_machine); i++)
        if (str_eq(a.type, of_the_machine[i]))
            return EPERM;
    /* Elsewhere the kernel gives no /proc that shows more than what is there. */
    if (!other_user_space(&a) && (str_eq(a.type, "proc") || str_eq(a.type, "sysfs")))
        return mount_in_child(&a, str_eq(a.type, "proc"), n);
    code = bring_descriptor(&a);
    if (code == 0)
        code = join(&a);
    return code ? code : mount_as_asked(&a);
}

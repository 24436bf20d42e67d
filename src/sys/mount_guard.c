/* mount_guard.c - new filesystems of containers that may mount, however privileged: those of the machine are refused,
 * and /proc and /sys come with their covers.
 *
 * WHAT: who may mount can mount a devtmpfs, and remove or open to everybody the nodes of this machine's devices;
 * debugfs, tracefs, configfs and their like are the kernel's inside, one for all; a fresh /proc has no covers
 * (kernel_fs.c). Mounts of anything else are as they are: tmpfs, the container's own disks, FUSE; and so is what is
 * done with mounts that are there: binds, moves, remounts. The kernel keeps the covers in place then.
 *
 * DESIGN: a filter of system calls cannot see a text. So a mount(2) that asks for a new filesystem, from a process with
 * CAP_SYS_ADMIN, waits, and who started that process (the node, or the monitor of an exec) starts one that reads what
 * is asked for, joins the asking one's namespaces, and mounts there in its stead (mount_proxy.c). Nobody can change a
 * name between look and deed. fsopen(2), the newer way, is told not to be there; programs take the older one. When the
 * guard is gone, as after the end of an exec's program, such calls fail.
 *
 * THREADS: none; mount_guard_set() in the process that becomes the program, mount_guard_answer() in its guard. Source:
 * seccomp_unotify(2), mount(2), and which flags mean what in path_mount() of the kernel. */
#include "sys/container_int.h"
#include "sys/mount_proxy_int.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAP_SYS_ADMIN 21

#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif
#define MOUNT_32  21 /* of 32-bit programs, on both */
#define FSOPEN_32 430

/* These change mounts that are there. */
#define NOT_NEW     (MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define MAGIC_MASK  0xffff0000u /* "magic" that old programs put into the flags, and that is not of them */
#define MAGIC_VALUE 0xc0ed0000u

bool user_may_mount(uint64_t caps)
{
    return caps >> CAP_SYS_ADMIN & 1;
}

int mount_guard_set(const struct user_spec *u)
{
#define LOAD(field)             BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP_IF(op, k, yes, no) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (yes), (no))
#define RETURN(what)            BPF_STMT(BPF_RET | BPF_K, (what))
#define KEEP(bits)              BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (bits))
    static struct sock_filter code[] = {
#ifdef THIS_ARCH
        LOAD(arch),
        JUMP_IF(BPF_JEQ, THIS_ARCH, 6, 0),
        LOAD(nr),
        JUMP_IF(BPF_JEQ, MOUNT_32, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        JUMP_IF(BPF_JEQ, FSOPEN_32, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | ENOSYS),
        RETURN(SECCOMP_RET_ALLOW),
#endif
        LOAD(nr),
        JUMP_IF(BPF_JEQ, SYS_fsopen, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | ENOSYS),
        JUMP_IF(BPF_JEQ, SYS_mount, 0, 8),
        LOAD(args[3]),
        KEEP(MAGIC_MASK),
        JUMP_IF(BPF_JEQ, MAGIC_VALUE, 0, 3),
        LOAD(args[3]),
        KEEP(~MAGIC_MASK),
        JUMP_IF(BPF_JSET, NOT_NEW & ~MAGIC_MASK, 2, 3),
        LOAD(args[3]), /* without magic */
        JUMP_IF(BPF_JSET, NOT_NEW, 0, 1),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_USER_NOTIF),
    };
#undef LOAD
#undef JUMP_IF
#undef RETURN
#undef KEEP
    const struct sock_fprog program = {ARRAY_LEN(code), code};
    if (!user_may_mount(u->caps))
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* A child's child, so that nobody here waits for it: the node's first process does. */
static void serve(int fd, const struct seccomp_notif *call, const struct node *n)
{
    if (setns(n->self_pidns, CLONE_NEWPID) < 0) /* a monitor's children would be in the container's */
        return;
    const pid_t pid = fork();
    if (pid == 0) {
        if (fork() != 0)
            _exit(0);
        const struct seccomp_notif_resp answer = {.id = call->id, .error = -mount_proxy(fd, call, n)};
        ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

bool mount_guard_answer(int fd, const struct node *n)
{
    struct seccomp_notif call;
    struct pollfd p = {fd, POLLIN, 0};
    if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
        return !(p.revents & (POLLHUP | POLLERR)); /* nobody is left who could ask */
    memset(&call, 0, sizeof call);
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return errno == EINTR || errno == ENOENT; /* ENOENT: it was killed meanwhile */
    serve(fd, &call, n);
    return true;
}

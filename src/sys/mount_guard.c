/* mount_guard.c - filesystems that are the machine's own are not mounted by containers, however privileged.
 *
 * WHAT: who may mount can mount a devtmpfs, and remove or open to everybody the nodes of this machine's devices;
 * debugfs, tracefs, configfs and their like are the kernel's inside, one for all. Mounts of anything else stay as they
 * are: tmpfs, the container's own disks, FUSE, binds.
 *
 * DESIGN: a filter of system calls cannot see a text. So mount(2) and fsopen(2) of a process with CAP_SYS_ADMIN wait
 * until the one who started it (the node, or the monitor of an exec) has read the filesystem's name in the process's
 * memory and said yes or no. Who changes the name in between gets past this one wall; that no device can be opened
 * (cgroup_limits.c) is the next. When the guard is gone, as after the end of an exec's program, such calls fail.
 *
 * THREADS: none; mount_guard_set() in the process that becomes the program, mount_guard_answer() in its guard. Source:
 * seccomp_unotify(2). */
#include "sys/container_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CAP_SYS_ADMIN 21
#define NAME_MAX_LEN  32

static const char *const of_the_machine[] = {"binfmt_misc", "bpf",     "configfs", "debugfs", "devtmpfs",
                                             "efivarfs",    "fusectl", "pstore",   "resctrl", "securityfs",
                                             "selinuxfs",   "smackfs", "tracefs"};

/* These change mounts that are there: no filesystem is named. */
#define NOT_NEW (MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

int mount_guard_set(const struct user_spec *u)
{
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsopen, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {ARRAY_LEN(code), code};
    if (!(u->caps >> CAP_SYS_ADMIN & 1))
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* The text at `at` in the process, as far as it is there. */
static void read_name(pid_t pid, uint64_t at, char out[NAME_MAX_LEN])
{
    const size_t page = 4096, first = page - at % page < NAME_MAX_LEN ? page - at % page : NAME_MAX_LEN;
    const struct iovec to = {out, NAME_MAX_LEN};
    /* Two pieces: what begins on the next page need not be there. */
    const struct iovec from[] = {{(void *)(uintptr_t)at, first},
                                 {(void *)(uintptr_t)(at + first), NAME_MAX_LEN - first}};
    const ssize_t n = process_vm_readv(pid, &to, 1, from, 2, 0);
    out[n > 0 && n < NAME_MAX_LEN ? n : n > 0 ? NAME_MAX_LEN - 1 : 0] = '\0';
}

static bool is_of_the_machine(const struct seccomp_notif *call)
{
    const bool mounts = call->data.nr == SYS_mount;
    char name[NAME_MAX_LEN];
    if (mounts && (call->data.args[3] & NOT_NEW))
        return false;
    read_name((pid_t)call->pid, call->data.args[mounts ? 2 : 0], name);
    for (size_t i = 0; i < ARRAY_LEN(of_the_machine); i++)
        if (str_eq(name, of_the_machine[i]))
            return true;
    return false;
}

bool mount_guard_answer(int fd)
{
    struct seccomp_notif call;
    struct seccomp_notif_resp answer;
    struct pollfd p = {fd, POLLIN, 0};
    if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
        return !(p.revents & (POLLHUP | POLLERR)); /* nobody is left who could ask */
    memset(&call, 0, sizeof call);
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return errno == EINTR || errno == ENOENT; /* ENOENT: it was killed meanwhile */
    memset(&answer, 0, sizeof answer);
    answer.id = call.id;
    if (is_of_the_machine(&call))
        answer.error = -EPERM;
    else
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    return true;
}

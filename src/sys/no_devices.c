/* no_devices.c - device nodes cannot be made, by anybody, however privileged.
 *
 * DESIGN: who can make a node for 8:0 can read the user's disk. A container runtime leaves mknod to root in a container
 * and closes the devices with a device cgroup; not every machine lets us make one, so here the call itself is refused
 * by a system call filter: mknod(2) and mknodat(2) of a block or character device are EPERM; FIFOs, sockets and files
 * are made as ever. Capability bits look as they do elsewhere. Source: seccomp(2), bpf(4). */
#include "sys/container_int.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/mem.h"

#define LOAD(field)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (n))
#define AND(mask)         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (mask))
#define RETURN(what)      BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE            RETURN(SECCOMP_RET_ERRNO | EPERM)
#define ALLOW             RETURN(SECCOMP_RET_ALLOW)
/* Call `nr`, whose argument `arg` is the mode: 7 instructions. The low half stands first on the machines we know. */
#define CHECK_CALL(nr_, arg)                                                                                           \
    LOAD(nr), SKIP_UNLESS(nr_, 5), LOAD(args[arg]), AND(S_IFMT), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFBLK, 1, 0),   \
        SKIP_UNLESS(S_IFCHR, 1), REFUSE
#define CALL_LEN 7

#if defined(__x86_64__)
#define I386_MKNOD   14
#define I386_MKNODAT 297
static struct sock_filter filter[] = {
    LOAD(arch),
    SKIP_UNLESS(AUDIT_ARCH_X86_64, 2 * CALL_LEN + 1),
    CHECK_CALL(SYS_mknod, 1),
    CHECK_CALL(SYS_mknodat, 2),
    ALLOW,
    CHECK_CALL(I386_MKNOD, 1),
    CHECK_CALL(I386_MKNODAT, 2),
    ALLOW,
};
#else
static struct sock_filter filter[] = {CHECK_CALL(SYS_mknodat, 2), ALLOW};
#endif

int user_refuse_devices(struct err *e)
{
    const struct sock_fprog program = {ARRAY_LEN(filter), filter};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 || errno == EINVAL)
        return 0; /* EINVAL: a kernel without filters */
    return err_sys(e, errno, "seccomp");
}

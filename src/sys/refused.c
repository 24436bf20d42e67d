/* refused.c - system calls that are refused: to every process of a cluster, and to containers with the runtime's
 * default profile.
 *
 * DESIGN: who can make a node for 8:0 can read the user's disk, and so can who opens a file by its handle on a
 * filesystem of which it sees a corner. A container runtime leaves the first to root in a container and closes the
 * devices with a control group; not every machine lets us have one, so here the calls themselves are refused, to
 * everybody, however privileged: mknod(2) and mknodat(2) of a block or character device, and those of always[]: with
 * CAP_SYS_ADMIN a program for the kernel could take a device filter off, a loaded kernel waits for the next panic.
 * Capability bits look as they do elsewhere.
 *
 * RuntimeDefault is containerd's profile turned around: it lists what is allowed, we list what is not, which comes to
 * the same for the calls there are. Calls of which a capability decides are in the list with that capability.
 *
 * THREADS: none; the process is about to become the program. Source: seccomp(2), bpf(4), containerd's
 * contrib/seccomp/seccomp_default.go.
 *
 * When you add a call that must never work: always[]; one that the default profile refuses: by_default[]. */
#include "sys/container_int.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#define CAP_SYS_PACCT      20
#define CAP_SYS_ADMIN      21
#define CAP_SYS_BOOT       22
#define CAP_SYS_NICE       23
#define CAP_SYS_TIME       25
#define CAP_SYS_TTY_CONFIG 26
#define CAP_NOBODY         63 /* no capability helps */

/* Beside the handles: what reaches the one kernel, and what keys of the machine's root are in (they are the user's, not
 * the namespace's). CAP_SYS_ADMIN alone would be enough for most. */
static const unsigned always[] = {
    SYS_open_by_handle_at,
    SYS_add_key,
    SYS_bpf,
    SYS_delete_module,
    SYS_finit_module,
    SYS_init_module,
    SYS_kexec_file_load,
    SYS_kexec_load,
    SYS_keyctl,
    SYS_perf_event_open,
    SYS_request_key,
    SYS_swapoff,
    SYS_swapon,
#if defined(__x86_64__)
    SYS_ioperm,
    SYS_iopl,
#endif
};

static const struct {
    unsigned call;
    int unless; /* a capability */
} by_default[] = {
    {SYS_acct, CAP_SYS_PACCT},
    {SYS_clock_adjtime, CAP_SYS_TIME},
    {SYS_clock_settime, CAP_SYS_TIME},
    {SYS_fanotify_init, CAP_SYS_ADMIN},
    {SYS_fsconfig, CAP_SYS_ADMIN},
    {SYS_fsmount, CAP_SYS_ADMIN},
    {SYS_fsopen, CAP_SYS_ADMIN},
    {SYS_fspick, CAP_SYS_ADMIN},
    {SYS_get_mempolicy, CAP_SYS_NICE},
    {SYS_io_uring_enter, CAP_NOBODY},
    {SYS_io_uring_register, CAP_NOBODY},
    {SYS_io_uring_setup, CAP_NOBODY},
    {SYS_mbind, CAP_SYS_NICE},
    {SYS_mount, CAP_SYS_ADMIN},
    {SYS_mount_setattr, CAP_SYS_ADMIN},
    {SYS_move_mount, CAP_SYS_ADMIN},
    {SYS_move_pages, CAP_NOBODY},
    {SYS_nfsservctl, CAP_NOBODY},
    {SYS_open_tree, CAP_SYS_ADMIN},
    {SYS_pivot_root, CAP_NOBODY},
    {SYS_quotactl, CAP_SYS_ADMIN},
    {SYS_reboot, CAP_SYS_BOOT},
    {SYS_set_mempolicy, CAP_SYS_NICE},
    {SYS_setdomainname, CAP_SYS_ADMIN},
    {SYS_sethostname, CAP_SYS_ADMIN},
    {SYS_setns, CAP_SYS_ADMIN},
    {SYS_settimeofday, CAP_SYS_TIME},
    {SYS_umount2, CAP_SYS_ADMIN},
    {SYS_unshare, CAP_SYS_ADMIN},
    {SYS_userfaultfd, CAP_NOBODY},
    {SYS_vhangup, CAP_SYS_TTY_CONFIG},
#if defined(__x86_64__)
    {SYS_sysfs, CAP_NOBODY},
    {SYS_uselib, CAP_NOBODY},
    {SYS_ustat, CAP_NOBODY},
#endif
};

#define NEW_SPACES                                                                                                     \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

/* ---- the filter ---- */

#define CODE_MAX 512 /* far more than the tables need */

struct filter {
    struct sock_filter code[CODE_MAX];
    unsigned short n;
};

#define LOAD_FIELD(field)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP_IF(op, k, yes, no) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (yes), (no))
#define RETURN(what)            BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE(code)            RETURN(SECCOMP_RET_ERRNO | (code))

static void add(struct filter *f, struct sock_filter code)
{
    if (f->n == CODE_MAX)
        BUG("the filter of system calls is too long");
    f->code[f->n++] = code;
}

static void refuse(struct filter *f, unsigned call, unsigned code)
{
    add(f, (struct sock_filter)JUMP_IF(BPF_JEQ, call, 0, 1));
    add(f, (struct sock_filter)REFUSE(code));
}

/* The mode of the new file is the call's argument `arg`. The low half stands first on the machines we know. */
static void refuse_device(struct filter *f, unsigned call, int arg)
{
    const struct sock_filter code[] = {
        JUMP_IF(BPF_JEQ, call, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(offsetof(struct seccomp_data, args) + 8 * (size_t)arg)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, S_IFMT),
        JUMP_IF(BPF_JEQ, S_IFBLK, 1, 0),
        JUMP_IF(BPF_JEQ, S_IFCHR, 0, 1),
        REFUSE(EPERM),
        RETURN(SECCOMP_RET_ALLOW),
    };
    for (size_t i = 0; i < ARRAY_LEN(code); i++)
        add(f, code[i]);
}

/* clone(2) with new namespaces; of clone3(2) the flags cannot be seen: without it the C library takes clone(2). */
static void refuse_spaces(struct filter *f)
{
    refuse(f, SYS_clone3, ENOSYS);
    const struct sock_filter code[] = {
        JUMP_IF(BPF_JEQ, SYS_clone, 0, 4), LOAD_FIELD(args[0]), JUMP_IF(BPF_JSET, NEW_SPACES, 0, 1), REFUSE(EPERM),
        RETURN(SECCOMP_RET_ALLOW),
    };
    for (size_t i = 0; i < ARRAY_LEN(code); i++)
        add(f, code[i]);
}

static void add_default_profile(struct filter *f, uint64_t caps)
{
    for (size_t i = 0; i < ARRAY_LEN(by_default); i++)
        if (!(caps >> by_default[i].unless & 1))
            refuse(f, by_default[i].call, EPERM);
    if (!(caps >> CAP_SYS_ADMIN & 1))
        refuse_spaces(f);
}

#if defined(__x86_64__)
#define I386_MKNOD   14
#define I386_MKNODAT 297
#define X32_BIT      0x40000000

/* always[] in the table of 32-bit programs: swapon, ioperm, iopl, swapoff, init_module, delete_module, kexec_load,
 * add_key, request_key, keyctl, perf_event_open, open_by_handle_at, finit_module, bpf. */
static const unsigned always_i386[] = {87, 101, 110, 115, 128, 129, 283, 286, 287, 288, 336, 342, 350, 357};

/* The other ways into an x86 kernel: 32-bit programs, and a call table of its own that nobody uses. */
static void add_other_tables(struct filter *f)
{
    add(f, (struct sock_filter)LOAD_FIELD(arch));
    add(f, (struct sock_filter)JUMP_IF(BPF_JEQ, AUDIT_ARCH_X86_64, 16 + 2 * ARRAY_LEN(always_i386), 0));
    add(f, (struct sock_filter)LOAD_FIELD(nr));
    refuse_device(f, I386_MKNOD, 1);
    refuse_device(f, I386_MKNODAT, 2);
    for (size_t i = 0; i < ARRAY_LEN(always_i386); i++)
        refuse(f, always_i386[i], EPERM);
    add(f, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
    add(f, (struct sock_filter)LOAD_FIELD(nr));
    add(f, (struct sock_filter)JUMP_IF(BPF_JGE, X32_BIT, 0, 1));
    add(f, (struct sock_filter)REFUSE(ENOSYS));
    refuse_device(f, SYS_mknod, 1);
}
#else
static void add_other_tables(struct filter *f)
{
    add(f, (struct sock_filter)LOAD_FIELD(nr));
}
#endif

int user_refuse_calls(const struct user_spec *u, struct err *e)
{
    struct filter f = {.n = 0};
    add_other_tables(&f);
    refuse_device(&f, SYS_mknodat, 2);
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        refuse(&f, always[i], EPERM);
    if (u->default_profile)
        add_default_profile(&f, u->caps);
    add(&f, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
    const struct sock_fprog program = {f.n, f.code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 || errno == EINVAL)
        return 0; /* EINVAL: a kernel without filters */
    return err_sys(e, errno, "seccomp");
}

int user_set_filter(const struct user_spec *u, struct err *e)
{
    const size_t count = u->filter_len / sizeof(struct sock_filter);
    _auto_free_ struct sock_filter *code = xcalloc(count + 1, sizeof *code); /* the message's bytes are not aligned */
    if (count == 0)
        return 0;
    memcpy(code, u->filter, count * sizeof *code);
    const struct sock_fprog program = {(unsigned short)count, code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return err_sys(e, errno, "seccomp");
    return 0;
}

/* cgroup_limits.c - what a container may use: memory, CPU, processes, devices; and whether the kernel killed it for it.
 *
 * DESIGN: numbers as the kubelet and runc write them: shares of CPU by what is requested, a quota by the limit, no swap
 * beside the memory's limit, and on v2 the whole container dies of an OOM kill, not one process of it.
 *
 * Devices: a container opens the harmless ones, and those it was given (a volume in block mode; the node's own disks if
 * it is privileged). So it is of no use to it that another way leads to a device's node, as a devtmpfs does. A node has
 * the loop devices beside. v1 takes a list; v2 a small program, which the kernel asks at each open(2) and mknod(2).
 * Source: Documentation/admin-guide/cgroup-v1/devices.rst, bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE.
 *
 * THREADS: none. */
#include "sys/cgroup_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- devices ---- */

#define ANY UINT32_MAX

static const struct cgroup_device harmless[] = {
    {false, 1, 3},     /* null */
    {false, 1, 5},     /* zero */
    {false, 1, 7},     /* full */
    {false, 1, 8},     /* random */
    {false, 1, 9},     /* urandom */
    {false, 5, 0},     /* tty */
    {false, 5, 1},     /* console */
    {false, 5, 2},     /* ptmx */
    {false, 136, ANY}, /* pts/… */
    {false, 10, 200},  /* net/tun */
    {false, 10, 229},  /* fuse */
};

#define INSN(code_, dst, src, off_, imm_)                                                                              \
    (struct bpf_insn)                                                                                                  \
    {                                                                                                                  \
        .code = (code_), .dst_reg = (dst), .src_reg = (src), .off = (off_), .imm = (imm_)                              \
    }
#define RULE_LEN 5

/* Registers: 2 = type, 3 = major, 4 = minor. "If all are equal, allow." */
static struct bpf_insn *add_rule(struct bpf_insn *at, const struct cgroup_device *d)
{
    const int type = d->block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    *at++ = INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 4, type);
    *at++ = INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, 3, (int)d->major);
    *at++ = d->minor == ANY ? INSN(BPF_JMP | BPF_JA, 0, 0, 0, 0)
                            : INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 0, 2, (int)d->minor);
    *at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
    *at++ = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return at;
}

static int load(enum bpf_prog_type type, const struct bpf_insn *program, size_t len)
{
    union bpf_attr attr = {.prog_type = type};
    attr.insns = (uint64_t)(uintptr_t)program;
    attr.insn_cnt = (uint32_t)len;
    attr.license = (uint64_t)(uintptr_t) "GPL";
    attr.expected_attach_type = type == BPF_PROG_TYPE_CGROUP_SYSCTL ? BPF_CGROUP_SYSCTL : BPF_CGROUP_DEVICE;
    return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
}

static int load_program(const struct cgroup_device *devices, size_t count)
{
    struct bpf_insn *program = xcalloc(6 + RULE_LEN * (count + ARRAY_LEN(harmless)), sizeof *program), *at = program;
    *at++ = INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
    *at++ = INSN(BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff); /* the other half is the access */
    *at++ = INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
    *at++ = INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
    for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
        at = add_rule(at, &harmless[i]);
    for (size_t i = 0; i < count; i++)
        at = add_rule(at, &devices[i]);
    *at++ = INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
    *at++ = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    const int fd = load(BPF_PROG_TYPE_CGROUP_DEVICE, program, (size_t)(at - program));
    free(program);
    return fd;
}

static bool attach(int tree, const char *id, int program, enum bpf_attach_type type)
{
    _auto_close_ int group = openat(tree, *id ? id : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0 || program < 0)
        return false;
    union bpf_attr attr = {0};
    attr.target_fd = (uint32_t)group;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = type;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    return syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof attr) == 0;
}

static void allow_v1(int tree, const char *id, const struct cgroup_device *d)
{
    char text[64], minor[16] = "*";
    if (d->minor != ANY)
        snprintf(minor, sizeof minor, "%u", d->minor);
    snprintf(text, sizeof text, "%c %u:%s rwm", d->block ? 'b' : 'c', d->major, minor);
    cgroup_put(tree, id, "devices.allow", text);
}

bool cgroups_limit_devices(const struct cgroups *c, const char *id, const struct cgroup_device *devices, size_t count)
{
    if (c->devices >= 0) {
        if (!cgroup_put(c->devices, id, "devices.deny", "a"))
            return false;
        for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
            allow_v1(c->devices, id, &harmless[i]);
        for (size_t i = 0; i < count; i++)
            allow_v1(c->devices, id, &devices[i]);
        return true;
    }
    for (size_t i = 0; i < c->count; i++)
        if (c->trees[i].v2) {
            _auto_close_ int program = load_program(devices, count);
            return attach(c->trees[i].dir, id, program, BPF_CGROUP_DEVICE);
        }
    return false;
}

void cgroups_limit_node(const struct cgroups *c, bool starting)
{
    static const struct cgroup_device loops[] = {{true, 7, ANY}, {false, 10, 237}};
    if (!starting && c->devices >= 0)
        cgroup_put(c->devices, "", "devices.deny", "c 10:237 rwm"); /* "a" is no longer allowed: it has children */
    else
        cgroups_limit_devices(c, "", loops, starting ? 2 : 1);
}

/* ---- settings of the kernel ---- */

#define NAME_AT             (-64) /* on the program's stack */
#define KEEPER_MAX          512   /* instructions; far more than the table needs */
#define MOV(d, s)           INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, v)           INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, v)
#define ADD(d, v)           INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, v)
#define CALL(f)             INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define JUMP(op, r, v, far) INSN(BPF_JMP | (op) | BPF_K, r, 0, far, v)
#define EXIT                INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Settings that have a namespace: of the network, of System V's and POSIX' shared things, of the names. */
static const char *const own_settings[] = {"net/",       "kernel/shm",      "kernel/msg",       "kernel/sem",
                                           "fs/mqueue/", "kernel/hostname", "kernel/domainname"};

/* Those whose writer does not look where in the file it is asked to write. */
static const char *const locked_settings[] = {"kernel/seccomp/"};

/* "If the name begins so, that is the answer": 1 allows, 0 refuses. */
static struct bpf_insn *answer_setting(struct bpf_insn *at, const char *prefix, int answer)
{
    for (int i = 0, n = (int)strlen(prefix); i < n; i++) {
        *at++ = INSN(BPF_LDX | BPF_MEM | BPF_B, BPF_REG_1, BPF_REG_10, (short)(NAME_AT + i), 0);
        *at++ = JUMP(BPF_JNE, BPF_REG_1, prefix[i], (short)(2 * (n - i)));
    }
    *at++ = SET(BPF_REG_0, answer);
    *at++ = EXIT;
    return at;
}

/* Does the kernel ignore what is written behind the beginning of a setting? So it does unless told otherwise. */
static bool writes_are_strict(void)
{
    char text[8] = "";
    _auto_close_ int fd = open("/proc/sys/kernel/sysctl_writes_strict", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, text, sizeof text - 1) > 0 && text[0] == '1';
}

/* What a privileged container, or a node's root, writes into /proc/sys: settings with a namespace are its own. All
 * others belong to the one kernel, that is to the user: the write succeeds, as labs expect that do it ("sysctl -w
 * vm.max_map_count=…"), and the value stays what it is, because the write is moved to a place far behind it, where the
 * kernel takes it and does nothing. (To write the present value in its stead would not do: the call returned its
 * length, and a shell that wrote less went on with what is not there.) */
static int load_keeper(void)
{
    const struct bpf_insn begin[] = {
        INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0), /* is it a write? */
        JUMP(BPF_JNE, BPF_REG_2, 0, 2),
        SET(BPF_REG_0, 1),
        EXIT,
        MOV(BPF_REG_6, BPF_REG_1),
        MOV(BPF_REG_2, BPF_REG_10),
        ADD(BPF_REG_2, NAME_AT),
        SET(BPF_REG_3, 64),
        SET(BPF_REG_4, 0),
        CALL(BPF_FUNC_sysctl_get_name),
    };
    const struct bpf_insn end[] = {
        SET(BPF_REG_1, INT32_MAX),
        INSN(BPF_STX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_1, offsetof(struct bpf_sysctl, file_pos), 0),
        SET(BPF_REG_0, writes_are_strict()),
        EXIT,
    };
    struct bpf_insn code[KEEPER_MAX], *at = code;
    memcpy(at, begin, sizeof begin);
    at += ARRAY_LEN(begin);
    for (size_t i = 0; i < ARRAY_LEN(own_settings); i++)
        at = answer_setting(at, own_settings[i], 1);
    for (size_t i = 0; i < ARRAY_LEN(locked_settings); i++)
        at = answer_setting(at, locked_settings[i], 0);
    memcpy(at, end, sizeof end);
    at += ARRAY_LEN(end);
    return load(BPF_PROG_TYPE_CGROUP_SYSCTL, code, (size_t)(at - code));
}

bool cgroups_keep_settings(const struct cgroups *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->trees[i].v2) {
            _auto_close_ int program = load_keeper();
            return attach(c->trees[i].dir, "", program, BPF_CGROUP_SYSCTL);
        }
    return false;
}

/* ---- limits ---- */

static void put_number(int dir, const char *id, const char *file, long long number)
{
    char text[64];
    snprintf(text, sizeof text, "%lld", number);
    cgroup_put(dir, id, file, text);
}

static void limit_memory(const struct cgroups *c, const char *id, int64_t bytes)
{
    if (c->v2)
        cgroup_put(c->memory, id, "memory.oom.group", "1");
    if (bytes <= 0)
        return;
    put_number(c->memory, id, c->v2 ? "memory.max" : "memory.limit_in_bytes", bytes);
    put_number(c->memory, id, c->v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", c->v2 ? 0 : bytes);
}

#define SHARES_MAX    262144    /* the kernel's */
#define CPU_MILLI_MAX 100000000 /* 100,000 processors: more is no limit on any machine */

static void limit_cpu(const struct cgroups *c, const char *id, const struct cgroup_limits *l)
{
    char text[64];
    const long long request = l->cpu_request_milli < CPU_MILLI_MAX ? l->cpu_request_milli : CPU_MILLI_MAX;
    const long long asked = request * 1024 / 1000, shares = asked < 2 ? 2 : asked < SHARES_MAX ? asked : SHARES_MAX;
    put_number(c->cpu, id, c->v2 ? "cpu.weight" : "cpu.shares", c->v2 ? 1 + (shares - 2) * 9999 / 262142 : shares);
    if (l->cpu_milli <= 0 || l->cpu_milli > CPU_MILLI_MAX)
        return;
    const long long quota = l->cpu_milli * 100 > 1000 ? l->cpu_milli * 100 : 1000;
    snprintf(text, sizeof text, c->v2 ? "%lld 100000" : "%lld", quota);
    cgroup_put(c->cpu, id, c->v2 ? "cpu.max" : "cpu.cfs_quota_us", text);
}

void cgroups_limit(const struct cgroups *c, const char *id, const struct cgroup_limits *l)
{
    if (!l->container)
        return;
    limit_memory(c, id, l->memory_bytes);
    limit_cpu(c, id, l);
    put_number(c->pids, id, "pids.max", CONTAINER_PIDS_MAX);
}

bool cgroups_oom_killed(const struct cgroups *c, const char *id)
{
    char path[256], text[1024];
    snprintf(path, sizeof path, "%s/%s", id, c->v2 ? "memory.events" : "memory.oom_control");
    _auto_close_ int fd = c->memory < 0 ? -1 : openat(c->memory, path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    for (const char *at = strstr(text, "oom_kill "); at; at = strstr(at + 1, "oom_kill "))
        if ((at == text || at[-1] == '\n') && strtol(at + 9, NULL, 10) > 0)
            return true;
    return false;
}

/* seccomp.c - see seccomp.h.
 *
 * DESIGN: the program asks for the architecture, then for each rule in turn: is it this call, and do its arguments
 * compare as told? The first rule that fits decides; a rule whose action is the default one is left out, as libseccomp
 * does. An argument has 64 bits and the machine compares 32: halves, the high one first. All comparisons of one rule
 * must hold, but runc makes alternatives of several for one argument, and so do we.
 *
 *      [arch] [number] [rule: number? argument? … return] … return default
 *
 * THREADS: pure. When you add an action or an operator: a row. Source: seccomp(2), runc
 * libcontainer/seccomp/{config,seccomp_linux}.go. */
#include "sys/seccomp.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif
#ifndef SECCOMP_RET_LOG
#define SECCOMP_RET_LOG 0x7ffc0000U
#endif

#if defined(__x86_64__)
#define THIS_ARCH  AUDIT_ARCH_X86_64
#define OTHER_ARCH "SCMP_ARCH_X86"
#elif defined(__aarch64__)
#define THIS_ARCH  AUDIT_ARCH_AARCH64
#define OTHER_ARCH "SCMP_ARCH_ARM"
#endif

#define ARGS_MAX 6

static const struct {
    const char *name;
    unsigned number;
} calls[] = {
#include "sys/syscall_names.h"
};

static const struct {
    const char *name;
    unsigned value;
    bool with_errno;
} actions[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false},      {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL, false},        {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL, false}, {"SCMP_ACT_LOG", SECCOMP_RET_LOG, false},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true},       {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false},
};

enum op { OP_NE, OP_LT, OP_LE, OP_EQ, OP_GE, OP_GT, OP_MASKED };
static const char *const ops[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",       "SCMP_CMP_EQ",
                                  "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};

/* ---- instructions ---- */

#define LOAD(offset)            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(offset))
#define LOAD_NUMBER             LOAD(offsetof(struct seccomp_data, nr))
#define JUMP_IF(op, k, yes, no) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), (yes), (no))
#define RETURN(what)            BPF_STMT(BPF_RET | BPF_K, (what))
#define KEEP(bits)              BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (bits))
#define GO(far)                 BPF_STMT(BPF_JMP | BPF_JA, (unsigned)(far))

static void add(struct buf *out, const struct sock_filter *code, size_t n)
{
    buf_add(out, code, n * sizeof *code);
}
#define ADD(out, ...)                                                                                                  \
    do {                                                                                                               \
        const struct sock_filter more[] = {__VA_ARGS__};                                                               \
        add((out), more, ARRAY_LEN(more));                                                                             \
    } while (0)

static size_t length(const struct buf *b)
{
    return b->len / sizeof(struct sock_filter);
}

/* ---- comparisons ---- */

struct comparison {
    unsigned index;
    enum op op;
    uint64_t value, mask;
};

/* Falls out at its end when it holds; else it goes to the last instruction, whose jump is still to be told how far. */
static void add_comparison(struct buf *out, const struct comparison *c)
{
    const size_t at = offsetof(struct seccomp_data, args) + 8 * (size_t)c->index;
    const size_t low = at, high = at + 4; /* the low half stands first on the machines we know */
    const unsigned h = (unsigned)(c->value >> 32), l = (unsigned)c->value;
    switch (c->op) {
    case OP_EQ:
        ADD(out, LOAD(high), JUMP_IF(BPF_JEQ, h, 0, 2), LOAD(low), JUMP_IF(BPF_JEQ, l, 1, 0));
        break;
    case OP_NE:
        ADD(out, LOAD(high), JUMP_IF(BPF_JEQ, h, 0, 3), LOAD(low), JUMP_IF(BPF_JEQ, l, 0, 1));
        break;
    case OP_GE:
    case OP_GT:
        ADD(out, LOAD(high), JUMP_IF(BPF_JGT, h, 4, 0), JUMP_IF(BPF_JEQ, h, 0, 2), LOAD(low),
            JUMP_IF(c->op == OP_GE ? BPF_JGE : BPF_JGT, l, 1, 0));
        break;
    case OP_LT:
    case OP_LE:
        ADD(out, LOAD(high), JUMP_IF(BPF_JGT, h, 3, 0), JUMP_IF(BPF_JEQ, h, 0, 3), LOAD(low),
            JUMP_IF(c->op == OP_LT ? BPF_JGE : BPF_JGT, l, 0, 1));
        break;
    case OP_MASKED:
        ADD(out, LOAD(high), KEEP((unsigned)(c->mask >> 32)), JUMP_IF(BPF_JEQ, h, 0, 3), LOAD(low),
            KEEP((unsigned)c->mask), JUMP_IF(BPF_JEQ, l, 1, 0));
        break;
    }
    ADD(out, GO(0));
}

static int read_comparison(const json_t *arg, struct comparison *out, struct err *e)
{
    const char *op = jstr_or(arg, "op", "");
    size_t which = 0;
    while (which < ARRAY_LEN(ops) && !str_eq(ops[which], op))
        which++;
    if (which == ARRAY_LEN(ops))
        return err_set(e, ERR_INVALID, "string %s is not a valid operator for seccomp", op);
    *out = (struct comparison){
        .index = (unsigned)jint(arg, "index", 0), .op = (enum op)which, .value = (uint64_t)jint(arg, "value", 0)};
    if (out->index >= ARGS_MAX)
        return err_set(e, ERR_INVALID, "invalid syscall argument index %u", out->index);
    if (out->op == OP_MASKED) { /* here the mask comes first */
        out->mask = out->value;
        out->value = (uint64_t)jint(arg, "valueTwo", 0);
    }
    return 0;
}

/* ---- rules ---- */

static int read_action(const json_t *from, const char *member, const char *errno_member, unsigned *out, struct err *e)
{
    const char *name = jstr_or(from, member, "");
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (str_eq(actions[i].name, name)) {
            *out = actions[i].value;
            if (actions[i].with_errno)
                *out |= (unsigned)jint(from, errno_member, EPERM) & SECCOMP_RET_DATA;
            return 0;
        }
    return err_set(e, ERR_INVALID, "string %s is not a valid action for seccomp", name);
}

static int call_number(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(calls); i++)
        if (str_eq(calls[i].name, name))
            return (int)calls[i].number;
    return -1;
}

/* "This call with arguments that compare so": what does not, goes on behind the return. */
static void add_alternative(struct buf *out, unsigned number, const struct comparison *all, size_t count, unsigned act)
{
    size_t jumps[ARGS_MAX + 1], n = 0;
    ADD(out, LOAD_NUMBER, JUMP_IF(BPF_JEQ, number, 1, 0), GO(0));
    jumps[n++] = length(out) - 1;
    for (size_t i = 0; i < count; i++) {
        add_comparison(out, &all[i]);
        jumps[n++] = length(out) - 1;
    }
    ADD(out, RETURN(act));
    for (size_t i = 0; i < n; i++) {
        const struct sock_filter go = GO(length(out) - jumps[i] - 1);
        memcpy(out->data + jumps[i] * sizeof go, &go, sizeof go);
    }
}

static bool same_argument_twice(const struct comparison *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (all[i].index == all[j].index)
                return true;
    return false;
}

static void add_call(struct buf *out, unsigned number, const struct comparison *all, size_t count, unsigned act)
{
    if (count == 0)
        ADD(out, LOAD_NUMBER, JUMP_IF(BPF_JEQ, number, 0, 1), RETURN(act));
    else if (!same_argument_twice(all, count))
        add_alternative(out, number, all, count, act);
    else
        for (size_t i = 0; i < count; i++)
            add_alternative(out, number, &all[i], 1, act);
}

static int add_rule(struct buf *out, const json_t *rule, unsigned by_default, struct err *e)
{
    struct comparison all[ARGS_MAX];
    const json_t *args = json_object_get(rule, "args"), *name;
    unsigned act;
    size_t i;
    if (json_array_size(args) > ARGS_MAX)
        return err_set(e, ERR_INVALID, "too many arguments in a seccomp rule");
    for (i = 0; i < json_array_size(args); i++)
        if (read_comparison(json_array_get(args, i), &all[i], e) < 0)
            return -1;
    if (read_action(rule, "action", "errnoRet", &act, e) < 0)
        return -1;
    if (act == by_default)
        return 0;
    json_array_foreach(json_object_get(rule, "names"), i, name)
    {
        const int number = call_number(json_string_value(name));
        if (number >= 0)
            add_call(out, (unsigned)number, all, json_array_size(args), act);
    }
    return 0;
}

/* Programs of another architecture: their numbers are others. The profile's default, if it speaks of them at all. */
static void add_architecture(struct buf *out, const json_t *profile, unsigned by_default)
{
#ifdef THIS_ARCH
    unsigned other = SECCOMP_RET_KILL;
    size_t i;
    const json_t *name;
    json_array_foreach(json_object_get(profile, "architectures"), i, name)
    {
        if (str_eq(json_string_value(name), OTHER_ARCH))
            other = by_default;
    }
    ADD(out, LOAD(offsetof(struct seccomp_data, arch)), JUMP_IF(BPF_JEQ, THIS_ARCH, 1, 0), RETURN(other));
#else
    (void)out, (void)profile, (void)by_default;
#endif
}

int seccomp_compile(const json_t *profile, struct buf *out, struct err *e)
{
    unsigned by_default;
    size_t i;
    const json_t *rule;
    if (read_action(profile, "defaultAction", "defaultErrnoRet", &by_default, e) < 0)
        return -1;
    _auto_buf_ struct buf code = BUF_INIT;
    add_architecture(&code, profile, by_default);
    json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
    {
        if (add_rule(&code, rule, by_default, e) < 0)
            return -1;
    }
    ADD(&code, RETURN(by_default));
    if (length(&code) > BPF_MAXINSNS)
        return err_set(e, ERR_INVALID, "the seccomp profile is too long: %zu instructions", length(&code));
    buf_add(out, code.data, code.len);
    return 0;
}

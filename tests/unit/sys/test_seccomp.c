/* Profiles of system calls as filters: what each decides is asked of a small machine that runs the filter as the kernel
 * does. */
#include "base/json.h"
#include "base/mem.h"
#include "sys/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <cmocka.h>

#if defined(__x86_64__)
#define THIS_ARCH  AUDIT_ARCH_X86_64
#define OTHER_ARCH AUDIT_ARCH_I386
#define OTHER_NAME "SCMP_ARCH_X86"
#else
#define THIS_ARCH  AUDIT_ARCH_AARCH64
#define OTHER_ARCH AUDIT_ARCH_ARM
#define OTHER_NAME "SCMP_ARCH_ARM"
#endif
#define ERRNO(code) (SECCOMP_RET_ERRNO | (code))

static bool holds(unsigned op, uint32_t a, uint32_t k)
{
    return op == BPF_JEQ ? a == k : op == BPF_JGT ? a > k : op == BPF_JGE ? a >= k : (a & k) != 0;
}

static unsigned run(const struct buf *filter, const struct seccomp_data *data)
{
    const size_t count = filter->len / sizeof(struct sock_filter);
    uint32_t a = 0;
    for (size_t at = 0; at < count; at++) {
        struct sock_filter f;
        memcpy(&f, filter->data + at * sizeof f, sizeof f);
        if (f.code == (BPF_LD | BPF_W | BPF_ABS)) {
            assert_true(f.k + 4 <= sizeof *data);
            memcpy(&a, (const char *)data + f.k, 4);
        } else if (f.code == (BPF_ALU | BPF_AND | BPF_K)) {
            a &= f.k;
        } else if (f.code == (BPF_RET | BPF_K)) {
            return f.k;
        } else if (f.code == (BPF_JMP | BPF_JA)) {
            at += f.k;
        } else {
            assert_int_equal(BPF_CLASS(f.code), BPF_JMP);
            at += holds(BPF_OP(f.code), a, f.k) ? f.jt : f.jf;
        }
    }
    fail_msg("the filter has no end");
    return 0;
}

static json_t *parse(const char *text)
{
    _auto_free_ char *json = strdup(text);
    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *tree = json_loads(json, 0, NULL);
    assert_non_null(tree);
    return tree;
}

static void compile(const char *text, struct buf *out)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *profile = parse(text);
    if (seccomp_compile(profile, out, &e) < 0)
        fail_msg("%s", e.msg);
}

static unsigned ask(const struct buf *filter, int call, uint64_t first, uint64_t second)
{
    const struct seccomp_data data = {.nr = call, .arch = THIS_ARCH, .args = {first, second}};
    return run(filter, &data);
}

static void test_names(void **state)
{
    (void)state;
    _auto_buf_ struct buf f = BUF_INIT;
    compile(
        "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,'architectures':['" OTHER_NAME "'],'syscalls':["
        "{'names':['read','write','no_such_call'],'action':'SCMP_ACT_ALLOW'},"
        "{'names':['kill'],'action':'SCMP_ACT_KILL_PROCESS'},{'names':['chdir'],'action':'SCMP_ACT_LOG'},"
        "{'names':['fchdir'],'action':'SCMP_ACT_ERRNO','errnoRet':13},{'names':['close'],'action':'SCMP_ACT_TRAP'}]}",
        &f);
    assert_int_equal(ask(&f, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, SYS_write, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, SYS_kill, 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(ask(&f, SYS_chdir, 0, 0), SECCOMP_RET_LOG);
    assert_int_equal(ask(&f, SYS_fchdir, 0, 0), ERRNO(13));
    assert_int_equal(ask(&f, SYS_close, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(ask(&f, SYS_mkdirat, 0, 0), ERRNO(38));
    const struct seccomp_data other = {.nr = SYS_read, .arch = OTHER_ARCH};
    assert_int_equal(run(&f, &other), ERRNO(38));
}

static void test_other_architecture(void **state)
{
    (void)state;
    _auto_buf_ struct buf f = BUF_INIT;
    compile("{'defaultAction':'SCMP_ACT_ALLOW'}", &f);
    const struct seccomp_data other = {.nr = SYS_read, .arch = OTHER_ARCH};
    assert_int_equal(run(&f, &other), SECCOMP_RET_KILL);
    assert_int_equal(ask(&f, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
}

#define BIG UINT64_C(0x100000005) /* 5 with a high half */

static void test_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        uint64_t value;
        uint64_t yes[3], no[3];
    } rows[] = {
        {"EQ", BIG, {BIG, BIG, BIG}, {5, BIG + 1, BIG << 1}},
        {"NE", BIG, {5, BIG + 1, BIG << 1}, {BIG, BIG, BIG}},
        {"GT", BIG, {BIG + 1, BIG << 1, UINT64_MAX}, {BIG, 6, 0}},
        {"GE", BIG, {BIG, BIG << 1, UINT64_MAX}, {BIG - 1, 6, 0}},
        {"LT", BIG, {BIG - 1, 6, 0}, {BIG, BIG << 1, UINT64_MAX}},
        {"LE", BIG, {BIG, 6, 0}, {BIG + 1, BIG << 1, UINT64_MAX}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        _auto_buf_ struct buf f = BUF_INIT;
        snprintf(text, sizeof text,
                 "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read'],'action':'SCMP_ACT_ERRNO',"
                 "'args':[{'index':1,'value':%llu,'op':'SCMP_CMP_%s'}]}]}",
                 (unsigned long long)rows[i].value, rows[i].op);
        compile(text, &f);
        for (size_t n = 0; n < 3; n++) {
            if (ask(&f, SYS_read, 7, rows[i].yes[n]) != ERRNO(EPERM))
                fail_msg("%s does not hold for %llx", rows[i].op, (unsigned long long)rows[i].yes[n]);
            if (ask(&f, SYS_read, 7, rows[i].no[n]) != SECCOMP_RET_ALLOW)
                fail_msg("%s holds for %llx", rows[i].op, (unsigned long long)rows[i].no[n]);
        }
        assert_int_equal(ask(&f, SYS_write, 7, rows[i].yes[0]), SECCOMP_RET_ALLOW);
    }
}

/* clone without new namespaces, as docker's own profile has it; all of one rule, or one of several for one argument. */
static void test_masks_and_combinations(void **state)
{
    (void)state;
    _auto_buf_ struct buf f = BUF_INIT;
    compile("{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
            "{'names':['clone'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':2114060288,'valueTwo':0,"
            "'op':'SCMP_CMP_MASKED_EQ'}]},"
            "{'names':['dup2','dup3'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':3,'op':'SCMP_CMP_EQ'},"
            "{'index':1,'value':4,'op':'SCMP_CMP_GE'}]},"
            "{'names':['personality'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':0,'op':'SCMP_CMP_EQ'},"
            "{'index':0,'value':8,'op':'SCMP_CMP_EQ'}]},{'names':['close'],'action':'SCMP_ACT_ALLOW'}]}",
            &f);
    assert_int_equal(ask(&f, SYS_clone, 0x11, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, SYS_clone, 0x10000011, 0), ERRNO(EPERM));
    assert_int_equal(ask(&f, SYS_dup3, 3, 4), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, SYS_dup3, 3, 3), ERRNO(EPERM));
    assert_int_equal(ask(&f, SYS_dup3, 2, 4), ERRNO(EPERM));
    assert_int_equal(ask(&f, SYS_personality, 8, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, SYS_personality, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, SYS_personality, 4, 0), ERRNO(EPERM));
    assert_int_equal(ask(&f, SYS_close, 0, 0), SECCOMP_RET_ALLOW);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"{}", "string  is not a valid action for seccomp"},
        {"{'defaultAction':'ALLOW'}", "string ALLOW is not a valid action for seccomp"},
        {"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read'],'action':'x'}]}",
         "string x is not a valid action for seccomp"},
        {"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read'],'action':'SCMP_ACT_LOG',"
         "'args':[{'index':0,'op':'=='}]}]}",
         "string == is not a valid operator for seccomp"},
        {"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read'],'action':'SCMP_ACT_LOG',"
         "'args':[{'index':6,'op':'SCMP_CMP_EQ'}]}]}",
         "invalid syscall argument index 6"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        _auto_buf_ struct buf f = BUF_INIT;
        _auto_json_ json_t *profile = parse(rows[i].text);
        assert_int_equal(seccomp_compile(profile, &f, &e), -1);
        assert_string_equal(e.msg, rows[i].says);
        assert_int_equal(f.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_other_architecture),
        cmocka_unit_test(test_arguments), cmocka_unit_test(test_masks_and_combinations),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_list.c - continue tokens, revisions, and which list options go together. */
#include "apiserver/list_int.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void tokens_round_trip(void **state)
{
    (void)state;
    static const struct {
        struct continue_at at;
        bool namespaced, one_ns;
    } rows[] = {
        {{222, "", "c2"}, true, true},
        {{222, "default", "c2"}, true, false},
        {{-1, "", "node-1"}, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        arena_init(&a);
        struct err e = ERR_INIT;
        struct continue_at out;
        const char *token = continue_encode(&a, &rows[i].at, rows[i].one_ns);
        assert_int_equal(continue_decode(&a, token, rows[i].namespaced, rows[i].one_ns, &out, &e), 0);
        assert_int_equal(out.rv, rows[i].at.rv);
        assert_string_equal(out.ns, rows[i].at.ns);
        assert_string_equal(out.name, rows[i].at.name);
        arena_reset(&a);
    }
}

/* Texts recorded from a 1.32 server. */
static void tokens_refused(void **state)
{
    (void)state;
    static const struct {
        const char *token, *why;
    } rows[] = {
        {"garbage", "invalid character '\\u0081' looking for beginning of value"},
        {"eyJ2IjoibWV0YS5rOHMuaW8vdjkiLCJydiI6MjIyLCJzdGFydCI6Ii9jMlx1MDAwMCJ9",
         "server does not recognize this encoded version meta.k8s.io/v9"},
        {"eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjIyLCJzdGFydCI6IiJ9",
         "encoded start key empty (version meta.k8s.io/v1)"},
        {"eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjIyLCJzdGFydCI6Ii4uLy4uL3gifQ", "../../x"},
        {"eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiIvYzJcdTAwMDAifQ",
         "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"},
        {"ab!d", "illegal base64 data at input byte 2"},
        {"abcde", "illegal base64 data at input byte 5"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        arena_init(&a);
        struct err e = ERR_INIT;
        struct continue_at out;
        assert_int_equal(continue_decode(&a, rows[i].token, true, true, &out, &e), -1);
        _auto_free_ char *want = xasprintf("invalid continue token: continue key is not valid: %s", rows[i].why);
        assert_string_equal(e.msg, want);
        arena_reset(&a);
    }
}

static void real_token(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct err e = ERR_INIT;
    struct continue_at out;
    assert_int_equal(continue_decode(&a, "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjIyLCJzdGFydCI6Ii9jMlx1MDAwMCJ9", true,
                                     true, &out, &e),
                     0);
    assert_int_equal(out.rv, 222);
    assert_string_equal(out.name, "c2");
    arena_reset(&a);
}

static void revisions(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    uint64_t rv = 1;
    assert_int_equal(rv_parse("00", &rv, &e), 0);
    assert_int_equal(rv, 0);
    assert_int_equal(rv_parse("abc", &rv, &e), -1);
    assert_string_equal(e.msg,
                        "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax");
    assert_int_equal(rv_parse("-5", &rv, &e), -1);
    assert_int_equal(rv_parse("18446744073709551616", &rv, &e), -1);
    assert_string_equal(e.msg, "resourceVersion: Invalid value: \"18446744073709551616\": strconv.ParseUint: parsing "
                               "\"18446744073709551616\": value out of range");
}

static void check(struct list_opts o, const char *const *want)
{
    _auto_field_errors_ struct field_errors errs = {0};
    o.cont = o.cont ? o.cont : "";
    o.rv = o.rv ? o.rv : "";
    o.match = o.match ? o.match : "";
    list_opts_check(&o, &errs);
    size_t n = 0;
    for (; want[n]; n++) {
        assert_true(n < errs.len);
        assert_string_equal(errs.items[n].message, want[n]);
    }
    assert_int_equal(errs.len, n);
}
#define WANT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING   ((const char *const[]){NULL})

static void combinations(void **state)
{
    (void)state;
    const char *only_with = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
    const char *no_continue = "Forbidden: resourceVersionMatch is forbidden when continue is provided";
    const char *needs = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    check((struct list_opts){.rv = "5", .match = "Exact"}, NOTHING);
    check((struct list_opts){.rv = "0", .match = "NotOlderThan"}, NOTHING);
    check((struct list_opts){.match = "Exact"}, WANT(only_with));
    check((struct list_opts){.match = "Exact", .cont = "x"}, WANT(only_with, no_continue));
    check((struct list_opts){.rv = "5", .match = "Bogus"},
          WANT("Unsupported value: \"Bogus\": supported values: \"Exact\", \"NotOlderThan\", \"\""));
    check((struct list_opts){.rv = "0", .match = "Exact"},
          WANT("Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
    check((struct list_opts){.has_initial = true}, WANT("Forbidden: sendInitialEvents is forbidden for list"));
    check((struct list_opts){.watch = true}, NOTHING);
    check((struct list_opts){.watch = true, .has_initial = true, .match = "NotOlderThan"}, NOTHING);
    check((struct list_opts){.watch = true, .has_initial = true}, WANT(needs));
    check((struct list_opts){.watch = true, .has_initial = true, .match = "Exact"},
          WANT(needs, "Unsupported value: \"Exact\": supported values: \"NotOlderThan\""));
    check((struct list_opts){.watch = true, .match = "NotOlderThan"},
          WANT("Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
    check((struct list_opts){.watch = true, .cont = "x"}, WANT(no_continue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_round_trip), cmocka_unit_test(tokens_refused), cmocka_unit_test(real_token),
        cmocka_unit_test(revisions),         cmocka_unit_test(combinations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

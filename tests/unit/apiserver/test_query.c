/* test_query.c - queries and their values, read as Go and Kubernetes read them. */
#include "apiserver/query_int.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static struct query parse(const char *text)
{
    struct query q;
    arena_init(&arena);
    query_parse(&arena, text, &q);
    return q;
}

static void splits_and_decodes(void **state)
{
    (void)state;
    struct query q = parse("command=sh&command=-c&command=echo+a%20b%26c&stdin=true&empty=&flag");
    assert_int_equal(q.len, 6);
    assert_string_equal(query_nth(&q, "command", 0), "sh");
    assert_string_equal(query_nth(&q, "command", 2), "echo a b&c");
    assert_null(query_nth(&q, "command", 3));
    assert_string_equal(query_get(&q, "empty"), "");
    assert_string_equal(query_get(&q, "flag"), "");
    assert_null(query_get(&q, "nosuch"));
    arena_reset(&arena);
}

static void drops_what_is_broken(void **state)
{
    (void)state;
    struct query q = parse("a=%zz&b=1&c;d=2&e=%0&%41=x&z=%00&&");
    assert_int_equal(q.len, 2);
    assert_string_equal(query_get(&q, "b"), "1");
    assert_string_equal(query_get(&q, "A"), "x");
    arena_reset(&arena);
    assert_int_equal(parse(NULL).len, 0);
    assert_int_equal(parse("").len, 0);
}

static void booleans(void **state)
{
    (void)state;
    struct query q = parse("a=true&b=false&c=0&d=FALSE&e=&f=yes&g=1");
    assert_true(query_bool(&q, "a"));
    assert_false(query_bool(&q, "b"));
    assert_false(query_bool(&q, "c"));
    assert_false(query_bool(&q, "d"));
    assert_true(query_bool(&q, "e"));
    assert_true(query_bool(&q, "f"));
    assert_true(query_bool(&q, "g"));
    assert_false(query_bool(&q, "nosuch"));
    arena_reset(&arena);
}

static void numbers(void **state)
{
    (void)state;
    struct query q = parse("a=12&b=-3&c=x&d=&e=99999999999999999999&f=+5");
    struct err e = ERR_INIT;
    int64_t v = 7;
    assert_int_equal(query_int(&q, "nosuch", &v, &e), 0);
    assert_int_equal(v, 7);
    assert_int_equal(query_int(&q, "a", &v, &e), 1);
    assert_int_equal(v, 12);
    assert_int_equal(query_int(&q, "b", &v, &e), 1);
    assert_int_equal(v, -3);
    static const struct {
        const char *key, *text;
    } bad[] = {
        {"c", "strconv.ParseInt: parsing \"x\": invalid syntax"},
        {"d", "strconv.ParseInt: parsing \"\": invalid syntax"},
        {"e", "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"},
        {"f", "strconv.ParseInt: parsing \" 5\": invalid syntax"}, /* + is a blank */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(query_int(&q, bad[i].key, &v, &e), -1);
        assert_string_equal(e.msg, bad[i].text);
        assert_int_equal(e.code, ERR_BAD_REQUEST);
    }
    assert_int_equal(v, -3);
    arena_reset(&arena);
}

static void durations(void **state)
{
    (void)state;
    static const char *const good[] = {"32s", "1h15m30.918273645s", "0", "-1.5h", "1ns", "1us", ".5m", "7m35s"};
    static const char *const bad[] = {"", "abc", "1", "s", "1h2", "--1s", "1x", ".s"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(duration_ok(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(duration_ok(bad[i]));
}

static void arenas_grow(void **state)
{
    (void)state;
    arena_init(&arena);
    char *first = arena_strdup(&arena, "first");
    for (int i = 0; i < 1000; i++) {
        char *p = arena_alloc(&arena, (size_t)(i % 97) * 61 + 1);
        memset(p, i, (size_t)(i % 97) * 61 + 1);
        assert_int_equal((uintptr_t)p % 16, 0);
    }
    assert_string_equal(first, "first");
    assert_string_equal(arena_printf(&arena, "%d-%s", 5, "x"), "5-x");
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_and_decodes), cmocka_unit_test(drops_what_is_broken),
        cmocka_unit_test(booleans),           cmocka_unit_test(numbers),
        cmocka_unit_test(durations),          cmocka_unit_test(arenas_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The ground floor: errors, buffers, text, time, the state-machine checker, the worker pool. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/json_share.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/sm.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void err_maps_codes(void **state _unused_)
{
    struct err e = ERR_INIT;
    assert_int_equal(err_set(&e, ERR_NOT_FOUND, "pods \"%s\" not found", "x"), -1);
    assert_int_equal(err_http_status(e.code), 404);
    assert_string_equal(err_reason(e.code), "NotFound");
    err_wrap(&e, "reading %s", "it");
    assert_string_equal(e.msg, "reading it: pods \"x\" not found");
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void err_sys_tells_full_disks(void **state _unused_)
{
    struct err e = ERR_INIT;
    err_sys(&e, ENOSPC, "write %s", "f");
    assert_int_equal(e.code, ERR_NO_SPACE);
    assert_string_equal(e.msg, "write f: No space left on device");
}

static void err_cuts_long_texts(void **state _unused_)
{
    struct err e = ERR_INIT;
    char *big = xmalloc(5000);
    memset(big, 'x', 4999);
    big[4999] = '\0';
    err_set(&e, ERR_INVALID, "%s", big);
    err_wrap(&e, "%s", big);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    free(big);
}

/* An error becomes an event's message, a condition's: half a character would be no text. */
static void err_cuts_between_characters(void **state _unused_)
{
    struct err e = ERR_INIT;
    char text[2048];
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x92\xbe"};
    for (size_t c = 0; c < ARRAY_LEN(characters); c++) {
        const size_t n = strlen(characters[c]);
        for (size_t shift = 0; shift < 4; shift++) {
            memset(text, 'x', shift);
            for (size_t at = shift; at + n < sizeof text; at += n)
                memcpy(text + at, characters[c], n + 1);
            err_set(&e, ERR_INVALID, "%s", text);
            assert_int_equal((strlen(e.msg) - shift) % n, 0);
            assert_true(strlen(e.msg) > sizeof e.msg - 1 - n);
            err_wrap(&e, "%s", "why");
            err_sys(&e, ENOENT, "%s", text);
            assert_int_equal((strlen(e.msg) - shift) % n, 0);
        }
    }
}

static void quoted_like_go(void **state _unused_)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"a\"b\\c\n\x01\x7f", "\"a\\\"b\\\\c\\n\\x01\\x7f\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xc2\xa0key\xe2\x80\x8b", "\"\\u00a0key\\u200b\""},
        {"\xf3\xa0\x80\x81", "\"\\U000e0001\""},
        {"\xff\xc3", "\"\\xff\\xc3\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_buf_ struct buf b = BUF_INIT;
        buf_add_quoted(&b, rows[i].in, strlen(rows[i].in));
        assert_string_equal(buf_str(&b), rows[i].out);
    }
}

static void json_strings_escape_like_go(void **state _unused_)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"<a&b>", "\"\\u003ca\\u0026b\\u003e\""},
        {"tab\there\n", "\"tab\\there\\n\""},
        {"\x01", "\"\\u0001\""},
        {"\xe2\x80\xa8", "\"\\u2028\""},
        {"\xe2\x82\xac", "\"\xe2\x82\xac\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_buf_ struct buf b = BUF_INIT;
        buf_add_json_string(&b, rows[i].in, strlen(rows[i].in));
        assert_string_equal(buf_str(&b), rows[i].out);
    }
}

static void json_numbers_write_like_go(void **state _unused_)
{
    _auto_json_ json_t *j = json_pack("[i,f,f,I,b,n]", -5, 0.25, 3.0, (json_int_t)INT64_MIN, 1);
    _auto_free_ char *text = json_text(j);
    assert_string_equal(text, "[-5,0.25,3,-9223372036854775808,true,null]");
}

/* What is set can be written and read again, whatever it was. */
static void json_texts_are_utf8(void **state _unused_)
{
    _auto_json_ json_t *j = json_object();
    jset_str(j, "status.message", "cut: \303\251\303");
    jset_map(j, "metadata.annotations", "a", "\377b");
    jset_str(j, "status.phase", "\303\251");
    _auto_free_ char *text = json_text(j);
    _auto_json_ json_t *again = json_loads(text, 0, NULL);
    assert_non_null(again);
    assert_string_equal(jstr(again, "status.message"), "cut: ???");
    assert_string_equal(jmap(again, "metadata.annotations", "a"), "?b");
    assert_string_equal(jstr(again, "status.phase"), "\303\251");
}

static void json_paths_read_and_edit(void **state _unused_)
{
    _auto_json_ json_t *j = json_object();
    jset_str(j, "spec.claimRef.name", "c");
    jset_map(j, "metadata.annotations", "a.b/c", "v");
    jset_int(j, "spec.n", 3);
    assert_string_equal(jstr(j, "spec.claimRef.name"), "c");
    assert_string_equal(jmap(j, "metadata.annotations", "a.b/c"), "v");
    assert_int_equal(jint(j, "spec.n", 0), 3);
    assert_null(jstr(j, "spec.n"));
    assert_null(jat(j, "spec.claimRef.name.deeper"));
    jdel(j, "spec.claimRef");
    assert_null(jat(j, "spec.claimRef"));
    json_t *arr = jmake_arr(j, "metadata.finalizers");
    assert_true(jarr_add_unique(arr, "x"));
    assert_false(jarr_add_unique(arr, "x"));
    assert_true(jarr_has(j, "metadata.finalizers", "x"));
    jset(j, "rows", json_loads("[1, {\"a\": \"x\"}, {\"a\": \"y\", \"n\": 1}, {\"a\": \"y\", \"n\": 2}]", 0, NULL));
    assert_int_equal(jint(jfind(j, "rows", "a", "y"), "n", 0), 1);
    assert_null(jfind(j, "rows", "a", "z"));
    assert_null(jfind(j, "rows", "n", "1"));
    assert_null(jfind(j, "nothing", "a", "x"));
    assert_true(jarr_remove(arr, "x"));
    assert_false(jarr_remove(arr, "x"));
}

static void json_clones_and_compares(void **state _unused_)
{
    _auto_json_ json_t *a = json_loads("{\"n\":null,\"i\":1,\"o\":{\"l\":[1,{\"x\":\"y\"},true]}}", 0, NULL);
    _auto_json_ json_t *b = json_clone(a);
    assert_true(json_equal(a, b));
    json_array_append_new(jat(b, "o.l"), json_integer(2));
    assert_int_equal(json_array_size(jat(a, "o.l")), 3);
    _auto_json_ json_t *unlike = json_unlike(b, a);
    assert_int_equal(json_object_size(unlike), 1);
    assert_ptr_equal(json_object_get(unlike, "o"), json_object_get(b, "o"));
    json_object_del(b, "n");
    _auto_json_ json_t *gone = json_unlike(a, b);
    assert_true(json_is_null(json_object_get(gone, "n")));
    assert_null(json_clone(NULL));
}

static void versions_are_compared_member_by_member(void **state _unused_)
{
    static const char text[] = "{\"a\":{\"x\":1,\"y\":[\"s\",null]},\"b\":2.5}";
    static const char *const others[] = {
        "{\"a\":{\"x\":1,\"y\":[\"t\",null]},\"b\":2.5}",
        "{\"a\":{\"x\":1,\"y\":[\"s\"]},\"b\":2.5}",
        "{\"a\":{\"x\":1},\"b\":2.5}",
        "{\"a\":{\"x\":1,\"z\":[\"s\",null]},\"b\":2.5}",
        "{\"a\":[],\"b\":2.5}",
        "{\"b\":2.5,\"c\":{\"x\":1,\"y\":[\"s\",null]}}",
    };
    _auto_json_ json_t *a = json_loads(text, 0, NULL);
    _auto_json_ json_t *moved = json_loads("{\"b\":2.5,\"a\":{\"y\":[\"s\",null],\"x\":1}}", 0, NULL);
    assert_true(json_same(a, a));
    assert_true(json_same(a, moved));
    assert_false(json_same(a, NULL));
    assert_false(json_same(NULL, NULL));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        _auto_json_ json_t *b = json_loads(others[i], 0, NULL);
        assert_false(json_same(a, b));
        assert_false(json_same(b, a));
    }
}

static void versions_share_what_is_equal(void **state _unused_)
{
    _auto_json_ json_t *old =
        json_loads("{\"a\":{\"x\":1,\"y\":[{\"s\":\"t\"},{\"u\":2}]},\"b\":{\"c\":null}}", 0, NULL);
    _auto_json_ json_t *new =
        json_loads("{\"a\":{\"x\":1,\"y\":[{\"s\":\"t\"},{\"u\":3}]},\"b\":{\"c\":null}}", 0, NULL);
    _auto_free_ char *was = json_text(old), *is = json_text(new);
    assert_false(json_share(new, old));
    assert_ptr_equal(json_object_get(new, "b"), json_object_get(old, "b"));
    assert_ptr_not_equal(json_object_get(new, "a"), json_object_get(old, "a"));
    assert_ptr_equal(json_array_get(jat(new, "a.y"), 0), json_array_get(jat(old, "a.y"), 0));
    assert_ptr_not_equal(json_array_get(jat(new, "a.y"), 1), json_array_get(jat(old, "a.y"), 1));
    _auto_free_ char *old_text = json_text(old), *new_text = json_text(new);
    assert_string_equal(old_text, was);
    assert_string_equal(new_text, is);
    /* what somebody else holds is not edited, only replaced as a whole */
    _auto_json_ json_t *third = json_object();
    _auto_json_ json_t *held = json_loads("{\"x\":1,\"y\":[{\"s\":\"t\"},{\"u\":4}]}", 0, NULL);
    json_object_set(third, "a", held);
    json_t *item = json_array_get(json_object_get(held, "y"), 0);
    assert_false(json_share(third, old));
    assert_ptr_equal(json_array_get(jat(third, "a.y"), 0), item);
    /* another order is another text */
    _auto_json_ json_t *moved = json_loads("{\"m\":{\"c\":1,\"d\":2}}", 0, NULL);
    _auto_json_ json_t *first = json_loads("{\"m\":{\"d\":2,\"c\":1}}", 0, NULL);
    assert_false(json_share(moved, first));
    assert_ptr_not_equal(json_object_get(moved, "m"), json_object_get(first, "m"));
}

/* Wherever in a text it stands, a character is escaped. */
static void escapes_do_not_depend_on_the_place(void **state _unused_)
{
    static const struct {
        char c;
        const char *as;
    } rows[] = {{'"', "\\\""}, {'\\', "\\\\"},      {'<', "\\u003c"}, {'>', "\\u003e"}, {'&', "\\u0026"},
                {'\n', "\\n"}, {'\x1f', "\\u001f"}, {'\x7f', "\x7f"}, {' ', " "}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            memset(text, 'a', sizeof text);
            text[at] = rows[i].c;
            _auto_buf_ struct buf b = BUF_INIT;
            buf_add_json_string(&b, text, sizeof text);
            _auto_free_ char *want =
                xasprintf("\"%.*s%s%.*s\"", (int)at, text, rows[i].as, (int)(19 - at), text + at + 1);
            assert_string_equal(buf_str(&b), want);
        }
    }
}

static void numbers_parse_whole_texts_only(void **state _unused_)
{
    uint64_t u = 7;
    int64_t i = 7;
    assert_true(str_to_u64("18446744073709551615", &u));
    assert_false(str_to_u64("18446744073709551616", &u));
    assert_false(str_to_u64("", &u));
    assert_false(str_to_u64("1x", &u));
    assert_true(str_to_i64("-9223372036854775808", &i));
    assert_true(i == INT64_MIN);
    assert_false(str_to_i64("9223372036854775808", &i));
}

static void times_round_trip(void **state _unused_)
{
    static const struct {
        const char *text;
        const char *utc;
    } rows[] = {
        {"2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"},
        {"2024-01-01T00:30:00+02:00", "2023-12-31T22:30:00Z"},
        {"2024-01-01T00:00:00.999999Z", "2024-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ns;
        char out[TIME_TEXT_LEN];
        assert_int_equal(time_parse(rows[i].text, &ns), 0);
        time_format(ns, out);
        assert_string_equal(out, rows[i].utc);
    }
    static const char *const bad[] = {"", "2024", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00",
                                      "2024-01-01T00:00:00+2:00"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ns;
        assert_int_equal(time_parse(bad[i], &ns), -1);
    }
}

static void fake_clock_moves_only_when_told(void **state _unused_)
{
    struct clock_fake f;
    clock_fake_init(&f, 1000);
    int64_t before = clock_mono_ns(&f.clock);
    clock_fake_advance(&f, 500);
    assert_int_equal(clock_wall_ns(&f.clock), 1500);
    assert_int_equal(clock_mono_ns(&f.clock) - before, 500);
}

static void uuids_are_version_four(void **state _unused_)
{
    char a[37], b[37];
    random_uuid(a);
    random_uuid(b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
}

enum { A, B, C };
static const struct sm_state states[] = {[A] = {"A", SM(B)}, [B] = {"B", SM(C)}, [C] = {"C", 0}};
static const struct sm_def def = {"toy", states, ARRAY_LEN(states)};

static void state_machine_keeps_to_its_table(void **state _unused_)
{
    int s = A;
    assert_true(sm_may(&def, A, A));
    assert_false(sm_may(&def, A, C));
    sm_move(&def, &s, B);
    sm_move(&def, &s, C);
    assert_int_equal(s, C);
    assert_int_equal(sm_find(&def, "B"), B);
    assert_int_equal(sm_find(&def, "nope"), -1);
}

static _Atomic int ran;
static void count(void *arg _unused_)
{
    ran++;
}

static void pool_runs_every_job(void **state _unused_)
{
    for (unsigned threads = 0; threads <= 4; threads += 2) {
        ran = 0;
        struct pool *p = pool_new("test", threads);
        for (int i = 0; i < 500; i++)
            pool_submit(p, count, NULL);
        pool_free(p);
        assert_int_equal(ran, 500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_maps_codes),
        cmocka_unit_test(err_sys_tells_full_disks),
        cmocka_unit_test(err_cuts_long_texts),
        cmocka_unit_test(err_cuts_between_characters),
        cmocka_unit_test(quoted_like_go),
        cmocka_unit_test(json_strings_escape_like_go),
        cmocka_unit_test(json_numbers_write_like_go),
        cmocka_unit_test(json_texts_are_utf8),
        cmocka_unit_test(json_paths_read_and_edit),
        cmocka_unit_test(json_clones_and_compares),
        cmocka_unit_test(versions_are_compared_member_by_member),
        cmocka_unit_test(versions_share_what_is_equal),
        cmocka_unit_test(escapes_do_not_depend_on_the_place),
        cmocka_unit_test(numbers_parse_whole_texts_only),
        cmocka_unit_test(times_round_trip),
        cmocka_unit_test(fake_clock_moves_only_when_told),
        cmocka_unit_test(uuids_are_version_four),
        cmocka_unit_test(state_machine_keeps_to_its_table),
        cmocka_unit_test(pool_runs_every_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

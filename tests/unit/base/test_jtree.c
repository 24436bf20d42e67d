/* JSON trees: order, holes, the index of large objects, sharing between copies, what is frozen, text both ways. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_text(const json_t *j, const char *want)
{
    _auto_free_ char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, want);
}

static json_t *parsed(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, JSON_DECODE_ANY, &e);
    if (!j)
        fail_msg("%s: %s", text, e.text);
    return j;
}

static void members_keep_their_order(void **state _unused_)
{
    _auto_json_ json_t *o = json_object();
    for (const char *k = "dbac"; *k; k++)
        json_object_setn_new(o, k, 1, json_integer(*k - 'a'));
    assert_text(o, "{\"d\":3,\"b\":1,\"a\":0,\"c\":2}");
    json_object_set_new(o, "b", json_true());
    assert_int_equal(json_object_del(o, "a"), 0);
    assert_int_equal(json_object_del(o, "a"), -1);
    json_object_set_new(o, "a", json_null());
    assert_text(o, "{\"d\":3,\"b\":true,\"c\":2,\"a\":null}");
    assert_int_equal(json_object_size(o), 4);
    json_object_clear(o);
    assert_text(o, "{}");
}

/* Every size up to well beyond the index, with removals and returns, against a plain list of what must be there. */
static void objects_of_every_size(void **state _unused_)
{
    enum { MAX = 300 };
    _auto_json_ json_t *o = json_object();
    bool there[MAX] = {0};
    char key[16];
    size_t count = 0;
    unsigned dice = 1;
    for (int step = 0; step < 40 * MAX; step++) {
        dice = dice * 1103515245 + 12345;
        int i = (int)(dice >> 8) % (1 + step / 40);
        snprintf(key, sizeof key, "key-%d", i);
        if (dice >> 28 < 6) {
            assert_int_equal(json_object_del(o, key), there[i] ? 0 : -1);
            count -= there[i];
            there[i] = false;
        } else {
            json_object_set_new(o, key, json_integer(i));
            count += !there[i];
            there[i] = true;
        }
        assert_int_equal(json_object_size(o), count);
    }
    size_t seen = 0;
    const char *k;
    json_t *v;
    json_object_foreach(o, k, v)
    {
        seen++;
        assert_true(there[json_integer_value(v)]);
        assert_ptr_equal(json_object_get(o, k), v);
        assert_int_equal(json_key_length(k), strlen(k));
    }
    assert_int_equal(seen, count);
    _auto_json_ json_t *copy = json_deep_copy(o);
    assert_true(json_equal(o, copy));
    json_object_foreach(o, k, v) json_object_del(o, k); /* the walk goes on over holes */
    assert_int_equal(json_object_size(o), 0);
    assert_int_equal(json_object_size(copy), count);
    assert_false(json_equal(o, copy));
}

static void equal_whatever_the_order(void **state _unused_)
{
    _auto_json_ json_t *a = parsed("{\"x\":[1,2.5,{\"y\":\"z\"}],\"w\":null}");
    _auto_json_ json_t *b = parsed("{\"w\":null,\"x\":[1,2.5,{\"y\":\"z\"}]}");
    assert_true(json_equal(a, b));
    static const char *const others[] = {"{\"w\":null,\"x\":[1,2.5,{\"y\":\"Z\"}]}",   "{\"w\":null,\"x\":[1,2.5]}",
                                         "{\"w\":false,\"x\":[1,2.5,{\"y\":\"z\"}]}",  "{\"x\":[1,2.5,{\"y\":\"z\"}]}",
                                         "{\"w\":null,\"x\":[1.0,2.5,{\"y\":\"z\"}]}", "[]"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        _auto_json_ json_t *c = parsed(others[i]);
        assert_false(json_equal(a, c));
    }
    assert_false(json_equal(a, NULL));
}

/* A copy's containers are its own; what cannot change is shared. */
static void copies_share_scalars_only(void **state _unused_)
{
    _auto_json_ json_t *a = parsed("{\"spec\":{\"list\":[\"text\",{\"n\":123456}]},\"m\":{}}");
    _auto_json_ json_t *deep = json_deep_copy(a), *top = json_copy(a);
    assert_ptr_not_equal(jat(a, "spec"), jat(deep, "spec"));
    assert_ptr_equal(jat(a, "spec"), jat(top, "spec"));
    assert_ptr_equal(json_array_get(jat(a, "spec.list"), 0), json_array_get(jat(deep, "spec.list"), 0));
    json_array_append_new(jat(deep, "spec.list"), json_true());
    json_object_set_new(json_array_get(jat(deep, "spec.list"), 1), "n", json_integer(7));
    json_object_set_new(top, "m", json_false());
    assert_text(a, "{\"spec\":{\"list\":[\"text\",{\"n\":123456}]},\"m\":{}}");
    assert_text(deep, "{\"spec\":{\"list\":[\"text\",{\"n\":7},true]},\"m\":{}}");
}

static void refused_values_are_released(void **state _unused_)
{
    _auto_json_ json_t *o = json_object(), *a = json_array();
    assert_int_equal(json_object_set_new(o, "x", NULL), -1);
    assert_int_equal(json_object_set_new(o, NULL, json_string("x")), -1);
    assert_int_equal(json_object_set_new(o, "\xff", json_string("x")), -1);
    assert_int_equal(json_object_set_new(a, "x", json_string("x")), -1);
    assert_int_equal(json_array_append_new(o, json_string("x")), -1);
    assert_int_equal(json_array_insert_new(a, 1, json_string("x")), -1);
    assert_int_equal(json_array_set_new(a, 0, json_string("x")), -1);
    assert_int_equal(json_array_remove(a, 0), -1);
    assert_null(json_string("\xc0\x80"));
    assert_null(json_string("\xed\xa0\x80"));
    assert_null(json_string("\xf4\x90\x80\x80"));
    assert_null(json_stringn("abcdefgh\xe2\x82", 10));
    assert_null(json_real(1.0 / 0.0));
    assert_null(json_object_get(NULL, "x"));
    assert_null(json_pack("{s:o, s:s}", "kept", json_string("taken all the same"), "x", NULL));
    assert_null(json_pack("[s, o]", "\xff", json_object()));
}

static void arrays_edit_in_place(void **state _unused_)
{
    _auto_json_ json_t *a = json_array(), *b = json_pack("[i, s?, s*, o?, o*, b, n]", 1, NULL, NULL, NULL, NULL, 1);
    for (int i = 0; i < 5; i++)
        json_array_insert_new(a, 0, json_integer(i));
    json_array_remove(a, 1);
    json_array_set_new(a, 0, json_string("first"));
    json_array_extend(a, b);
    json_array_extend(b, b);
    assert_text(a, "[\"first\",2,1,0,1,null,null,true,null]");
    assert_text(b, "[1,null,null,true,null,1,null,null,true,null]");
    json_array_clear(a);
    assert_text(a, "[]");
}

static void updates(void **state _unused_)
{
    _auto_json_ json_t *a = parsed("{\"a\":1,\"in\":{\"x\":1,\"y\":2}}"), *b = parsed("{\"in\":{\"y\":3},\"b\":2}");
    _auto_json_ json_t *all = json_deep_copy(a), *missing = json_deep_copy(a), *deep = json_deep_copy(a);
    json_object_update(all, b);
    json_object_update_missing(missing, b);
    json_object_update_recursive(deep, b);
    assert_text(all, "{\"a\":1,\"in\":{\"y\":3},\"b\":2}");
    assert_text(missing, "{\"a\":1,\"in\":{\"x\":1,\"y\":2},\"b\":2}");
    assert_text(deep, "{\"a\":1,\"in\":{\"x\":1,\"y\":3},\"b\":2}");
}

static void text_both_ways(void **state _unused_)
{
    static const char *const same[] = {"{}",
                                       "[]",
                                       "[[],{},\"\",0,-1,31,32,9223372036854775807,-9223372036854775808]",
                                       "[1.5,-0.25,1e+100,3.0]",
                                       "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001/\"",
                                       "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
                                       "{\"a\":{\"b\":[true,false,null]},\"\":\"empty key\"}"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        _auto_json_ json_t *j = parsed(same[i]);
        assert_text(j, same[i]);
    }
    _auto_json_ json_t *j = parsed(" { \"a\" : [ \"\\u00e9\\ud83d\\ude00\\/\" , 1E2 ] , \"a\" : {\"b\":1,\"a\":[]} } ");
    assert_text(j, "{\"a\":{\"b\":1,\"a\":[]}}");
    _auto_free_ char *pretty = json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS), *plain = json_dumps(j, 0);
    assert_string_equal(pretty, "{\n  \"a\": {\n    \"a\": [],\n    \"b\": 1\n  }\n}");
    assert_string_equal(plain, "{\"a\": {\"b\": 1, \"a\": []}}");
    assert_null(json_dumps(json_true(), 0));
}

static void wrong_text_is_refused_where_it_is_wrong(void **state _unused_)
{
    static const struct {
        const char *text, *why;
        int line, column;
        size_t flags;
    } rows[] = {
        {"", "'[' or '{' expected", 1, 0, 0},
        {"7", "'[' or '{' expected", 1, 0, 0},
        {"{\n \"a\": tru }", "invalid token", 2, 6, 0},
        {"[1,]", "invalid token", 1, 3, 0},
        {"[1", "']' expected", 1, 2, 0},
        {"[1] x", "end of file expected", 1, 4, 0},
        {"[01]", "invalid token", 1, 3, 0},
        {"[-]", "invalid token", 1, 2, 0},
        {"[1.]", "invalid token", 1, 3, 0},
        {"[9223372036854775808]", "too big integer", 1, 20, 0},
        {"[1e999]", "real number overflow", 1, 6, 0},
        {"[\"a\nb\"]", "control character in a string", 1, 3, 0},
        {"[\"a", "premature end of input", 1, 3, 0},
        {"[\"\\x\"]", "invalid escape", 1, 3, 0},
        {"[\"\\ud800\"]", "invalid Unicode escape", 1, 8, 0},
        {"[\"\\u0000\"]", "\\u0000 is not allowed without JSON_ALLOW_NUL", 1, 8, 0},
        {"[\"\xff\"]", "unable to decode a byte", 1, 3, 0},
        {"{\"a\":1,\"a\":2}", "duplicate object key", 1, 10, JSON_REJECT_DUPLICATES},
        {"{\"\\u0000\":1}", "NUL byte in object key not supported", 1, 9, JSON_ALLOW_NUL},
        {"{1:2}", "string or '}' expected", 1, 1, 0},
        {"{\"a\" 2}", "':' expected", 1, 5, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_error_t e;
        assert_null(json_loads(rows[i].text, rows[i].flags, &e));
        assert_true(str_starts(e.text, rows[i].why));
        assert_int_equal(e.line, rows[i].line);
        assert_int_equal(e.column, rows[i].column);
    }
    _auto_free_ char *deep = xcalloc(1, 5001);
    memset(deep, '[', 5000);
    assert_null(json_loads(deep, 0, NULL));
}

static void options_of_reading(void **state _unused_)
{
    _auto_json_ json_t *nul = json_loads("[\"a\\u0000b\"]", JSON_ALLOW_NUL, NULL);
    assert_int_equal(json_string_length(json_array_get(nul, 0)), 3);
    json_error_t at;
    _auto_json_ json_t *first = json_loads("{\"a\":1} {\"b\":2}", JSON_DISABLE_EOF_CHECK, &at);
    assert_int_equal(json_object_size(first), 1);
    assert_int_equal(at.position, 7);
}

/* Writers in several threads release versions that share nearly everything. Run with TSan, this is the proof. */
static void *copy_and_drop(void *arg)
{
    for (int i = 0; i < 500; i++) {
        _auto_json_ json_t *mine = json_deep_copy(arg);
        json_object_set_new(mine, "of-mine", json_integer(i));
        _auto_json_ json_t *again = json_copy(mine);
        assert_true(json_equal(mine, again));
    }
    return NULL;
}

static void threads_share(void **state _unused_)
{
    _auto_json_ json_t *j = json_freeze(parsed("{\"meta\":{\"labels\":{\"an-odd-label\":\"x\"}},\"list\":[1000,{}]}"));
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_create(&threads[i], NULL, copy_and_drop, j);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_text(j, "{\"meta\":{\"labels\":{\"an-odd-label\":\"x\"}},\"list\":[1000,{}]}");
}

/* Whatever is changed in a copy, the rest is the original's again. */
static void unchanged_parts_are_used_again(void **state _unused_)
{
    _auto_json_ json_t *old =
        json_freeze(parsed("{\"a\":{\"x\":[1000,{\"y\":\"z\"}],\"w\":null},\"b\":[[\"q\"],2.5],\"c\":\"text\"}"));
    json_t *same = json_reuse(json_deep_copy(old), old);
    assert_ptr_equal(same, old);
    json_decref(same);
    _auto_json_ json_t *read_again =
        parsed("{\"a\":{\"x\":[1000,{\"y\":\"z\"}],\"w\":null},\"b\":[[\"q\"],2.5],\"c\":\"text\"}");
    read_again = json_reuse(read_again, old);
    assert_ptr_equal(read_again, old);

    json_t *draft = json_deep_copy(old);
    jset_int(draft, "a.new", 7);
    json_array_append_new(json_object_get(draft, "b"), json_string("more"));
    _auto_json_ json_t *now = json_reuse(draft, old);
    assert_ptr_not_equal(now, old);
    assert_ptr_not_equal(jat(now, "a"), jat(old, "a"));
    assert_ptr_equal(jat(now, "a.x"), jat(old, "a.x"));
    assert_ptr_equal(json_array_get(jat(now, "b"), 0), json_array_get(jat(old, "b"), 0));
    assert_text(
        now, "{\"a\":{\"x\":[1000,{\"y\":\"z\"}],\"w\":null,\"new\":7},\"b\":[[\"q\"],2.5,\"more\"],\"c\":\"text\"}");

    _auto_json_ json_t *moved = json_deep_copy(old);
    json_t *a = json_incref(jat(moved, "a"));
    json_object_del(moved, "a");
    json_object_set_new(moved, "a", a);
    moved = json_reuse(moved, old);
    assert_ptr_not_equal(moved, old); /* the order is another one */
    assert_ptr_equal(jat(moved, "a"), jat(old, "a"));
    _auto_json_ json_t *less = json_deep_copy(old);
    json_object_del(less, "c");
    less = json_reuse(less, old);
    assert_text(less, "{\"a\":{\"x\":[1000,{\"y\":\"z\"}],\"w\":null},\"b\":[[\"q\"],2.5]}");
}

static void kept_keys_are_one(void **state _unused_)
{
    json_key_keep("aKeptName", 9);
    json_key_keep("aKeptName", 9);
    _auto_json_ json_t *a = json_pack("{s:i, s:i}", "aKeptName", 1, "another", 2);
    _auto_json_ json_t *b = json_pack("{s:i, s:i}", "aKeptName", 1, "another", 2);
    const char *ka, *kb;
    size_t at = json_object_next(a, 0, &ka);
    json_object_next(b, 0, &kb);
    assert_ptr_equal(ka, kb);
    json_object_next(a, at, &ka);
    json_object_next(b, at, &kb);
    assert_ptr_not_equal(ka, kb);
    assert_true(json_equal(a, b));
}

#ifndef NDEBUG
enum { CHANGE_OBJECT, CHANGE_DEEP, CHANGE_ARRAY, CHANGE_REMOVE, CHANGES };

static void change(json_t *j, int how)
{
    switch (how) {
    case CHANGE_OBJECT:
        json_object_set_new(j, "new", json_true());
        break;
    case CHANGE_DEEP:
        jset_int(j, "a.b", 7);
        break;
    case CHANGE_ARRAY:
        json_array_append_new(json_object_get(j, "list"), json_true());
        break;
    default:
        json_object_del(j, "a");
    }
}

/* Each in a process of its own, which must die of it. */
static void frozen_trees_defend_themselves(void **state _unused_)
{
    _auto_json_ json_t *j = json_freeze(parsed("{\"a\":{\"b\":1},\"list\":[]}"));
    jset_int(j, "a.b", 1); /* it is 1 */
    json_object_del(j, "nothing");
    for (int how = 0; how < CHANGES; how++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (!freopen("/dev/null", "w", stderr))
                _exit(2);
            signal(SIGABRT, SIG_DFL);
            change(j, how);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(!WIFEXITED(status) || WEXITSTATUS(status) > 2);
        _auto_json_ json_t *copy = json_deep_copy(j);
        change(copy, how); /* nobody minds */
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_keep_their_order),
        cmocka_unit_test(objects_of_every_size),
        cmocka_unit_test(equal_whatever_the_order),
        cmocka_unit_test(copies_share_scalars_only),
        cmocka_unit_test(refused_values_are_released),
        cmocka_unit_test(arrays_edit_in_place),
        cmocka_unit_test(updates),
        cmocka_unit_test(text_both_ways),
        cmocka_unit_test(wrong_text_is_refused_where_it_is_wrong),
        cmocka_unit_test(options_of_reading),
        cmocka_unit_test(threads_share),
        cmocka_unit_test(unchanged_parts_are_used_again),
        cmocka_unit_test(kept_keys_are_one),
#ifndef NDEBUG
        cmocka_unit_test(frozen_trees_defend_themselves),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

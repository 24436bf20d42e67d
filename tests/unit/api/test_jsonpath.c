/* What kubectl's JSONPath gives: the examples of its page, and what is refused. */
#include "api/jsonpath.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char tree[] =
    "{\"kind\":\"List\",\"items\":["
    "{\"kind\":\"None\",\"metadata\":{\"name\":\"127.0.0.1\",\"labels\":{\"kubernetes.io/hostname\":\"127.0.0.1\"}},"
    "\"status\":{\"capacity\":{\"cpu\":\"4\"},\"n\":3,\"addresses\":[{\"type\":\"LegacyHostIP\",\"address\":\"127.0.0."
    "1\"}]}},"
    "{\"kind\":\"None\",\"metadata\":{\"name\":\"127.0.0.2\"},"
    "\"status\":{\"capacity\":{\"cpu\":\"8\"},\"n\":7,\"addresses\":[{\"type\":\"LegacyHostIP\",\"address\":\"127.0.0."
    "2\"},"
    "{\"type\":\"another\",\"address\":\"127.0.0.3\"}]}}],"
    "\"users\":[{\"name\":\"myself\",\"user\":{}},{\"name\":\"e2e\",\"user\":{\"username\":\"admin\",\"password\":"
    "\"secret\"}}]}";

static const struct {
    const char *template_text, *gives;
} rows[] = {
    {"kind is {.kind}", "kind is List"},
    {"{$.kind}{\"\\t\"}{['kind']}", "List\tList"},
    {"{..name}", "127.0.0.1 127.0.0.2 myself e2e"},
    {"{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"},
    {"{.items..metadata.name}", "127.0.0.1 127.0.0.2"},
    {"{.users[0].name}", "myself"},
    {"{.users[-1].name}", "e2e"},
    {"{.users[0:1].name}", "myself"},
    {"{.users[-1:].name}", "e2e"},
    {"{.users[0,1].name}", "myself e2e"},
    {"{.users[*]['name']}", "myself e2e"},
    {"{.items[0]['kind','metadata'].name}", "127.0.0.1"},
    {"{.users[?(@.name==\"e2e\")].user.password}", "secret"},
    {"{.users[?(@.name!='e2e')].name}", "myself"},
    {"{.users[?(@.user.username)].name}", "e2e"},
    {"{.items[?(@.status.n>3)].metadata.name}", "127.0.0.2"},
    {"{.items[?(@.status.n<=3)].metadata.name}", "127.0.0.1"},
    {"{range .items[*]}[{.metadata.name}, {.status.capacity.cpu}] {end}", "[127.0.0.1, 4] [127.0.0.2, 8] "},
    {"{range .items[*]}{.metadata.name}:{range .status.addresses[*]} {.type}{end}{'\\n'}{end}",
     "127.0.0.1: LegacyHostIP\n127.0.0.2: LegacyHostIP another\n"},
    {"{.items[*].metadata.labels.kubernetes\\.io/hostname}", "127.0.0.1"},
    {"{.items[0].status.capacity}", "{\"cpu\":\"4\"}"},
    {"{.items[0].status.n}", "3"},
    {"{.nothing}", ""},
    {"{.items[9].x}", ""},
    {"", ""},
};

static void test_gives(void **state)
{
    (void)state;
    _auto_json_ json_t *root = json_loads(tree, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        _auto_buf_ struct buf out = BUF_INIT;
        if (jsonpath_print(rows[i].template_text, root, true, &out, &e) < 0)
            fail_msg("%s: %s", rows[i].template_text, e.msg);
        assert_string_equal(buf_str(&out), rows[i].gives);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{.a",           "{.users[0}", "{.users[?(@.a==\"x]}", "{end}", "{range .items[*]}x",
        "{.users[?(@.a", "{\"x}",      "{.users[::0]}",        "{#}",   "{.users[x]}"};
    _auto_json_ json_t *root = json_loads(tree, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err e = ERR_INIT;
        _auto_buf_ struct buf out = BUF_INIT;
        if (jsonpath_print(wrong[i], root, true, &out, &e) == 0)
            fail_msg("%s gave \"%s\"", wrong[i], buf_str(&out));
        assert_int_equal(out.len, 0);
    }
}

static void test_missing(void **state)
{
    (void)state;
    _auto_json_ json_t *root = json_loads(tree, 0, NULL);
    struct err e = ERR_INIT;
    _auto_buf_ struct buf out = BUF_INIT;
    assert_int_equal(jsonpath_print("{.nothing}", root, false, &out, &e), -1);
    assert_string_equal(e.msg, "nothing is not found");
}

static void test_one_path(void **state)
{
    (void)state;
    _auto_json_ json_t *root = json_loads(tree, 0, NULL);
    static const char *const same[] = {"users[1].name", ".users[1].name", "{.users[1].name}"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        struct err e = ERR_INIT;
        _auto_json_ json_t *set = NULL;
        assert_int_equal(jsonpath_find(same[i], root, true, &set, &e), 0);
        assert_int_equal(json_array_size(set), 1);
        assert_string_equal(json_string_value(json_array_get(set, 0)), "e2e");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_one_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Words of `label` and `annotate`: what is put, what is taken, what is refused. */
#include "kubectl/pairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *words, const char *what, struct pairs *out, struct err *e)
{
    _auto_strlist_ struct strlist list = {0};
    strlist_split(&list, words, '|');
    return pairs_parse(&list, what, out, e);
}

static void test_put_and_remove(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_pairs_ struct pairs p = {0};
    assert_int_equal(parse("pod|web|a=b|c-|d=", "label", &p, &e), 0);
    assert_int_equal(p.words, 2);
    assert_string_equal(json_string_value(json_object_get(p.put, "a")), "b");
    assert_string_equal(json_string_value(json_object_get(p.put, "d")), "");
    assert_int_equal(p.remove.len, 1);
    assert_string_equal(p.remove.items[0], "c");
}

static void test_annotation_value(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_pairs_ struct pairs p = {0};
    assert_int_equal(parse("pod/web|note=a=b c", "annotation", &p, &e), 0);
    assert_string_equal(json_string_value(json_object_get(p.put, "note")), "a=b c");
}

static void refused(const char *words, const char *what, const char *why)
{
    struct err e = ERR_INIT;
    _auto_pairs_ struct pairs p = {0};
    assert_int_equal(parse(words, what, &p, &e), -1);
    assert_non_null(strstr(e.msg, why));
    assert_null(p.put);
}

static void test_refusals(void **state)
{
    (void)state;
    refused("pod|web|a=b|c", "label", "all resources must be specified before label changes: c");
    refused("pod|web|a=b=c", "label", "invalid label spec: a=b=c");
    refused("pod|web|a=b c", "label", "invalid label value: \"a=b c\": a valid label must be an empty string or");
    refused("pod|web|a=b|a-", "label", "can not both modify and remove a label in the same command");
    refused("pod|web|a=b|a-", "annotation",
            "can not both modify and remove the following annotation(s) in the same command: a");
    refused("pod|web|=b", "annotation", "invalid annotation format: =b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_and_remove),
        cmocka_unit_test(test_annotation_value),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

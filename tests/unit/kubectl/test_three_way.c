/* test_three_way.c - the patch of apply: what it puts in, takes out, leaves alone, and in which order; applied, it
 * leads to what was asked for. */
#include "api/patch.h"
#include "base/mem.h"
#include "kubectl/verbs/three_way.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static json_t *tree(const char *text)
{
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    return j;
}

/* The patch of a pod, as expected. */
static void expect(const char *original, const char *modified, const char *current, const char *patch)
{
    _auto_json_ json_t *was = original ? tree(original) : NULL, *to = tree(modified), *from = tree(current);
    _auto_json_ json_t *wanted = tree(patch), *made = three_way(was, to, from, builtin_type("", "v1", "Pod"));
    if (!json_equal(wanted, made)) {
        char *text = json_dumps(made, 0);
        print_message("%s\n", text);
        free(text);
        fail();
    }
}

static void nothing_to_do(void **state)
{
    (void)state;
    expect("{\"spec\":{\"nodeName\":\"a\"}}", "{\"spec\":{\"nodeName\":\"a\"}}",
           "{\"spec\":{\"nodeName\":\"a\",\"other\":1},\"status\":{}}", "{}");
}

static void what_is_gone_is_taken_out_and_what_others_added_stays(void **state)
{
    (void)state;
    expect("{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}}", "{\"metadata\":{\"labels\":{\"a\":\"3\"}}}",
           "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\",\"theirs\":\"x\"}}}",
           "{\"metadata\":{\"labels\":{\"a\":\"3\",\"b\":null}}}");
}

static void lists_merge_by_their_key(void **state)
{
    (void)state;
    expect("{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"gone\"}]}}",
           "{\"spec\":{\"containers\":[{\"name\":\"new\"},{\"name\":\"a\",\"image\":\"y\"}]}}",
           "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x\",\"tty\":true},{\"name\":\"gone\"},"
           "{\"name\":\"theirs\"}]}}",
           "{\"spec\":{\"containers\":[{\"name\":\"new\"},{\"name\":\"a\",\"image\":\"y\"},"
           "{\"$patch\":\"delete\",\"name\":\"gone\"}],"
           "\"$setElementOrder/containers\":[{\"name\":\"new\"},{\"name\":\"a\"}]}}");
}

static void scalars_of_a_set(void **state)
{
    (void)state;
    expect("{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}", "{\"metadata\":{\"finalizers\":[\"b\",\"c\"]}}",
           "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
           "{\"metadata\":{\"finalizers\":[\"c\"],\"$deleteFromPrimitiveList/finalizers\":[\"a\"],"
           "\"$setElementOrder/finalizers\":[\"b\",\"c\"]}}");
}

static void alternatives_keep_their_keys(void **state)
{
    (void)state;
    expect("{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}",
           "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"configMap\":{\"name\":\"c\"}}]}}",
           "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}",
           "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"configMap\":{\"name\":\"c\"},\"emptyDir\":null}],"
           "\"$setElementOrder/volumes\":[{\"name\":\"v\"}]}}");
}

static void a_merge_patch_replaces_lists(void **state)
{
    (void)state;
    _auto_json_ json_t *was = tree("{\"a\":[1],\"b\":1}"), *to = tree("{\"a\":[2]}"),
                       *from = tree("{\"a\":[1,3],\"b\":1}");
    _auto_json_ json_t *wanted = tree("{\"a\":[2],\"b\":null}"), *made = three_way(was, to, from, NULL);
    assert_true(json_equal(wanted, made));
}

/* Applying the patch of an edit to the old object gives the new one. */
static void an_edit_leads_to_what_was_edited(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"{\"spec\":{\"containers\":[{\"name\":\"a\",\"env\":[{\"name\":\"x\",\"value\":\"1\"}]},{\"name\":\"b\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"i\"},{\"name\":\"a\",\"env\":[{\"name\":\"y\","
         "\"value\":"
         "\"1\"}]}]}}"},
        {"{\"metadata\":{\"labels\":{\"a\":\"b\"},\"finalizers\":[\"f\"]}}",
         "{\"metadata\":{\"finalizers\":[\"g\",\"f\"]}}"},
        {"{\"spec\":{\"tolerations\":[{\"key\":\"a\"}],\"nodeSelector\":{\"a\":\"b\"}}}",
         "{\"spec\":{\"tolerations\":[{\"key\":\"c\"}],\"nodeSelector\":{\"c\":\"d\"}}}"},
    };
    const struct schema_type *pod = builtin_type("", "v1", "Pod");
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct err e = ERR_INIT;
        _auto_json_ json_t *from = tree(pairs[i][0]), *to = tree(pairs[i][1]), *result = NULL;
        _auto_json_ json_t *patch = two_way(from, to, pod);
        assert_int_equal(patch_strategic(pod, from, patch, &result, &e), 0);
        assert_true(json_equal(result, to));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(what_is_gone_is_taken_out_and_what_others_added_stays),
        cmocka_unit_test(lists_merge_by_their_key),
        cmocka_unit_test(scalars_of_a_set),
        cmocka_unit_test(alternatives_keep_their_keys),
        cmocka_unit_test(a_merge_patch_replaces_lists),
        cmocka_unit_test(an_edit_leads_to_what_was_edited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_patch.c - the three patches that need no ownership: results and refusals of a 1.32 server. */
#include "api/patch.h"
#include "base/json.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *doc, *patch;
    const char *result; /* NULL: refused with… */
    const char *refusal;
};

static json_t *parse(const char *text)
{
    json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(j);
    return j;
}

typedef int (*patch_fn)(const json_t *doc, const json_t *patch, json_t **out, struct err *e);

static void check(const struct row *row, patch_fn run)
{
    _auto_json_ json_t *doc = parse(row->doc), *patch = parse(row->patch), *out = NULL;
    struct err e = ERR_INIT;
    int done = run(doc, patch, &out, &e);
    _auto_free_ char *same_doc = json_text(doc), *same_patch = json_text(patch);
    assert_string_equal(same_doc, row->doc);
    assert_string_equal(same_patch, row->patch);
    if (row->result == NULL) {
        assert_int_equal(done, -1);
        assert_null(out);
        assert_string_equal(e.msg, row->refusal);
        return;
    }
    assert_int_equal(done, 0);
    _auto_free_ char *text = json_text(out);
    assert_string_equal(text, row->result);
}

#define REJECTED "the server rejected our request due to an error in our request"

static void test_json_patch(void **state)
{
    (void)state;
    static const char doc[] = "{\"data\":{\"a\":\"1\",\"b/c\":\"2\",\"d~e\":\"3\"},\"list\":[1,2]}";
    static const struct row rows[] = {
        {doc, "[{\"op\":\"add\",\"path\":\"/data/z\",\"value\":\"9\"}]",
         "{\"data\":{\"a\":\"1\",\"b/c\":\"2\",\"d~e\":\"3\",\"z\":\"9\"},\"list\":[1,2]}", NULL},
        {doc,
         "[{\"op\":\"replace\",\"path\":\"/data/b~1c\",\"value\":\"9\"},{\"op\":\"replace\",\"path\":\"/data/"
         "d~0e\",\"value\":\"8\"}]",
         "{\"data\":{\"a\":\"1\",\"b/c\":\"9\",\"d~e\":\"8\"},\"list\":[1,2]}", NULL},
        {doc, "[{\"op\":\"remove\",\"path\":\"/data/nosuch\"}]", NULL, REJECTED},
        {doc, "[{\"op\":\"replace\",\"path\":\"/data/nosuch\",\"value\":1}]", NULL, REJECTED},
        {doc, "[{\"op\":\"add\",\"path\":\"/metadata/labels/a\",\"value\":1}]", NULL, REJECTED},
        {doc, "[{\"op\":\"test\",\"path\":\"/data/a\",\"value\":\"2\"}]", NULL, REJECTED},
        {doc, "[{\"op\":\"test\",\"path\":\"/data/q\",\"value\":null},{\"op\":\"remove\",\"path\":\"/data\"}]",
         "{\"list\":[1,2]}", NULL},
        {doc, "[{\"op\":\"move\",\"from\":\"/data/a\",\"path\":\"/x\"},{\"op\":\"remove\",\"path\":\"/data\"}]",
         "{\"list\":[1,2],\"x\":\"1\"}", NULL},
        {doc, "[{\"op\":\"copy\",\"from\":\"/list\",\"path\":\"/data\"}]", "{\"data\":[1,2],\"list\":[1,2]}", NULL},
        {doc,
         "[{\"op\":\"add\",\"path\":\"/list/-\",\"value\":3},{\"op\":\"add\",\"path\":\"/list/"
         "0\",\"value\":0},{\"op\":\"remove\","
         "\"path\":\"/data\"}]",
         "{\"list\":[0,1,2,3]}", NULL},
        {doc, "[{\"op\":\"replace\",\"path\":\"/list/-1\",\"value\":5},{\"op\":\"remove\",\"path\":\"/data\"}]",
         "{\"list\":[1,5]}", NULL},
        {doc, "[{\"op\":\"replace\",\"path\":\"/list/2\",\"value\":5}]", NULL, REJECTED},
        {doc, "[{\"op\":\"frob\",\"path\":\"/data/a\"}]", NULL, REJECTED},
        {doc, "[{\"path\":\"/data/a\"}]", NULL, REJECTED},
        {doc, "[{\"op\":\"add\",\"value\":1}]", NULL, REJECTED},
        {doc, "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]", "{}", NULL},
        {doc, "[]", doc, NULL},
        {doc, "{\"op\":\"add\"}", NULL,
         "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(&rows[i], patch_json);
}

/* What little text could make of a document is limited: by its bytes, as upstream, and by its depth. */
static void test_json_patch_growth(void **state)
{
    (void)state;
    static const struct {
        const char *from, *path, *op;
        int times;
        bool ok;
    } rows[] = {
        {"/a", "/a/-", "copy", 8, true}, {"/a", "/a/-", "copy", 20, false},   /* twice as wide each time */
        {"/o", "/o/x", "copy", 8, true}, {"/o", "/o/x", "copy", 1100, false}, /* one deeper */
        {"", "", "deepen", 1000, true},  {"", "", "deepen", 1100, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        json_t *out = NULL;
        _auto_json_ json_t *doc = json_pack("{s:[s], s:{s:s}}", "a", "text", "o", "k", "v"), *ops = json_array();
        _auto_buf_ struct buf at = BUF_INIT;
        if (str_eq(rows[i].op, "deepen")) { /* one deep value below a deep place */
            json_t *value = json_object();
            for (int n = 0; n < rows[i].times / 2; n++) {
                value = json_pack("{s:o}", "x", value);
                buf_adds(&at, "/o");
                json_array_append_new(ops, json_pack("{s:s, s:s, s:{}}", "op", "add", "path", buf_str(&at), "value"));
            }
            buf_adds(&at, "/o");
            json_array_append_new(ops, json_pack("{s:s, s:s, s:o}", "op", "add", "path", buf_str(&at), "value", value));
        }
        for (int n = 0; n < rows[i].times && *rows[i].from; n++)
            json_array_append_new(
                ops, json_pack("{s:s, s:s, s:s}", "op", rows[i].op, "from", rows[i].from, "path", rows[i].path));
        if ((patch_json(doc, ops, &out, &e) == 0) != rows[i].ok)
            fail_msg("row %zu: %s", i, rows[i].ok ? e.msg : "patched");
        json_decref(out);
    }
}

static void test_merge_patch(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"a\":1,\"b\":{\"c\":1,\"d\":[1,2]}}", "{\"a\":null,\"b\":{\"d\":[3],\"e\":{\"x\":null,\"y\":1}}}",
         "{\"b\":{\"c\":1,\"d\":[3],\"e\":{\"y\":1}}}", NULL},
        {"{\"a\":\"x\"}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}", NULL},
        {"{}", "[]", NULL,
         "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(&rows[i], patch_merge);
}

static int pod_spec_patch(const json_t *doc, const json_t *patch, json_t **out, struct err *e)
{
    return patch_strategic(schema_type("core.v1.PodSpec"), doc, patch, out, e);
}

static void test_strategic(void **state)
{
    (void)state;
    static const char doc[] =
        "{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"containers\":[{\"name\":\"a\",\"args\":[\"1\"],"
        "\"ports\":[{\"containerPort\":80}]},{\"name\":\"b\",\"image\":\"j\"}]}";
    static const char two[] = "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\",\"image\":\"j\"}]}";
    static const struct row rows[] = {
        {two, "{\"containers\":[{\"name\":\"b\",\"image\":\"k\"}]}",
         "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\",\"image\":\"k\"}]}", NULL},
        {two, "{\"containers\":[{\"name\":\"new\"}]}",
         "{\"containers\":[{\"name\":\"new\"},{\"name\":\"a\"},{\"name\":\"b\",\"image\":\"j\"}]}", NULL},
        {two, "{\"containers\":[{\"name\":\"b\",\"$patch\":\"delete\"}]}", "{\"containers\":[{\"name\":\"a\"}]}", NULL},
        {two, "{\"containers\":[{\"$patch\":\"replace\"},{\"name\":\"only\"}]}",
         "{\"containers\":[{\"name\":\"only\"}]}", NULL},
        {two,
         "{\"$setElementOrder/"
         "containers\":[{\"name\":\"b\"},{\"name\":\"a\"}],\"containers\":[{\"name\":\"b\",\"image\":\"k\"}]}",
         "{\"containers\":[{\"name\":\"b\",\"image\":\"k\"},{\"name\":\"a\"}]}", NULL},
        {two, "{\"$setElementOrder/containers\":[{\"name\":\"zz\"}],\"containers\":[{\"name\":\"b\",\"image\":\"k\"}]}",
         NULL,
         "The order in patch list:\n[map[image:k name:b]]\n doesn't match $setElementOrder list:\n[map[name:zz]]\n"},
        {two, "{\"containers\":[{\"image\":\"k\"}]}", NULL,
         "map: map[image:k] does not contain declared merge key: name"},
        {two, "{\"containers\":[{\"name\":\"a\",\"$patch\":\"frob\"}]}", NULL,
         "unknown patch type: frob in map: map[$patch:frob name:a]"},
        {two, "{\"tolerations\":[{\"key\":\"a\"}],\"containers\":null,\"nodeName\":null}",
         "{\"tolerations\":[{\"key\":\"a\"}]}", NULL},
        {doc,
         "{\"containers\":[{\"name\":\"a\",\"args\":[\"2\"],\"ports\":[{\"containerPort\":443}]}],\"volumes\":[{\"$"
         "retainKeys\":"
         "[\"name\",\"hostPath\"],\"name\":\"v\",\"hostPath\":{\"path\":\"/x\"}}]}",
         "{\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/"
         "x\"}}],\"containers\":[{\"name\":\"a\",\"args\":[\"2\"],\"ports\":[{"
         "\"containerPort\":443},{\"containerPort\":80}]},{\"name\":\"b\",\"image\":\"j\"}]}",
         NULL},
        {two, "null", two, NULL},
        {two, "[]", NULL, "json: cannot unmarshal array into Go value of type map[string]interface {}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(&rows[i], pod_spec_patch);
}

static int meta_patch(const json_t *doc, const json_t *patch, json_t **out, struct err *e)
{
    return patch_strategic(schema_type("meta.v1.ObjectMeta"), doc, patch, out, e);
}

static void test_strategic_scalars_and_maps(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"finalizers\":[\"x/y\",\"k/l\"]}",
         "{\"$deleteFromPrimitiveList/finalizers\":[\"x/y\"],\"finalizers\":[\"a/b\"]}",
         "{\"finalizers\":[\"a/b\",\"k/l\"]}", NULL},
        {"{\"labels\":{\"a\":\"1\"}}", "{\"labels\":{\"$patch\":\"replace\",\"only\":\"x\"}}",
         "{\"labels\":{\"only\":\"x\"}}", NULL},
        {"{\"labels\":{\"a\":\"1\"}}", "{\"labels\":{\"a\":null,\"b\":\"2\"}}", "{\"labels\":{\"b\":\"2\"}}", NULL},
        {"{}", "{\"labels\":{\"a\":null,\"b\":\"2\"}}", "{\"labels\":{\"b\":\"2\"}}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(&rows[i], meta_patch);
}

static int setup(void **state)
{
    (void)state;
    schema_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_patch),
        cmocka_unit_test(test_json_patch_growth),
        cmocka_unit_test(test_merge_patch),
        cmocka_unit_test(test_strategic),
        cmocka_unit_test(test_strategic_scalars_and_maps),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

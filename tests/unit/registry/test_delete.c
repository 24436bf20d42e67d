/* Deleting: finalizers, propagation, grace, preconditions, namespaces, collections, eviction. */
#include "door.h"

#include <stdio.h>

static int setup(void **state)
{
    struct door *d = xcalloc(1, sizeof *d);
    door_open(d);
    door_expect(d, door_post(d, "serviceaccounts", "default/", "{\"metadata\":{\"name\":\"default\"}}"), 201);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    door_close(*state);
    free(*state);
    return 0;
}

static void make_cm(struct door *d, const char *name, const char *more)
{
    char text[256];
    snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"%s\"%s}}", name, more);
    door_expect(d, door_post(d, "configmaps", "default/", text), 201);
}

static void test_at_once(void **state)
{
    struct door *d = *state;
    make_cm(d, "a", "");
    door_expect(d, door_delete(d, "configmaps", "default/a", "{\"dryRun\":[\"All\"]}"), 200);
    door_expect(d, door_get(d, "configmaps", "default/a"), 200);
    door_expect(d, door_delete(d, "configmaps", "default/a", NULL), 200);
    door_expect_str(d, "status", "Success");
    door_expect_str(d, "details.kind", "configmaps");
    door_expect(d, door_delete(d, "configmaps", "default/a", NULL), 404);
    /* kinds that answer the object */
    door_expect(d, door_delete(d, "serviceaccounts", "default/default", NULL), 200);
    door_expect_str(d, "kind", "ServiceAccount");
}

static void test_finalizers(void **state)
{
    struct door *d = *state;
    make_cm(d, "a", ",\"finalizers\":[\"example.com/x\"]");
    door_expect(d, door_delete(d, "configmaps", "default/a", NULL), 200);
    door_expect_str(d, "metadata.deletionTimestamp", "2023-11-14T22:13:20Z");
    assert_int_equal(jint(door_json(d), "metadata.deletionGracePeriodSeconds", -1), 0);
    _auto_free_ char *rv = xstrdup(jstr(door_json(d), "metadata.resourceVersion"));
    clock_fake_advance(&d->clock, INT64_C(5000000000));
    door_expect(d, door_delete(d, "configmaps", "default/a", NULL), 200);
    door_expect_str(d, "metadata.resourceVersion", rv);
    door_expect(d, door_patch(d, "configmaps", "default/a", PATCH_MERGE, "{\"metadata\":{\"finalizers\":null}}"), 200);
    door_expect_str(d, "metadata.resourceVersion", rv);
    door_expect(d, door_get(d, "configmaps", "default/a"), 404);
}

static void test_propagation(void **state)
{
    struct door *d = *state;
    static const struct {
        const char *options, *finalizer;
    } rows[] = {
        {"{\"propagationPolicy\":\"Foreground\"}", "foregroundDeletion"},
        {"{\"propagationPolicy\":\"Orphan\"}", "orphan"},
        {"{\"orphanDependents\":true}", "orphan"},
        {"{\"propagationPolicy\":\"Background\"}", NULL},
        {"{\"orphanDependents\":false}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_cm(d, "a", "");
        door_expect(d, door_delete(d, "configmaps", "default/a", rows[i].options), 200);
        if (rows[i].finalizer) {
            assert_true(jarr_has(door_json(d), "metadata.finalizers", rows[i].finalizer));
            door_expect(d, door_patch(d, "configmaps", "default/a", PATCH_MERGE, "{\"metadata\":{\"finalizers\":[]}}"),
                        200);
        }
        door_expect(d, door_get(d, "configmaps", "default/a"), 404);
    }
}

static void test_options_refused(void **state)
{
    struct door *d = *state;
    static const struct {
        const char *options;
        int http;
        const char *message;
    } rows[] = {
        {"{\"orphanDependents\":true,\"propagationPolicy\":\"Background\"}", 422,
         "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"Background\": "
         "orphanDependents and "
         "deletionPropagation cannot be both set"},
        {"{\"propagationPolicy\":\"Sideways\"}", 422,
         "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Sideways\": supported "
         "values: "
         "\"Foreground\", \"Background\", \"Orphan\", \"nil\""},
        {"{\"gracePeriodSeconds\":\"x\"}", 500,
         "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64"},
        {"{\"dryRun\":[\"x\"]}", 422,
         "DeleteOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: []string{\"x\"}: supported values: "
         "\"All\""},
        {"{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}", 500,
         "no kind \"Pod\" is registered for version \"v1\" in scheme "
         "\"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\""},
        {"{", 500, "couldn't get version/kind; json parse error: unexpected end of JSON input"},
    };
    make_cm(d, "a", "");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        door_expect(d, door_delete(d, "configmaps", "default/a", rows[i].options), rows[i].http);
        door_expect_message(d, rows[i].message);
    }
    door_expect(d, door_delete(d, "configmaps", "default/a", "{\"preconditions\":{\"uid\":\"u\"}}"), 409);
    assert_non_null(strstr(jstr(door_json(d), "message"),
                           "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the "
                           "precondition (u) does not match the UID in record ("));
    door_expect(
        d,
        door_delete(d, "configmaps", "default/a", "{\"foo\":1,\"kind\":\"DeleteOptions\",\"apiVersion\":\"apps/v1\"}"),
        200);
}

#define POD "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"

static void make_pod(struct door *d, const char *name, const char *spec)
{
    char text[512];
    snprintf(text, sizeof text, POD, name, spec);
    door_expect(d, door_post(d, "pods", "default/", text), 201);
}

static int64_t grace_of(struct door *d)
{
    return jint(door_json(d), "metadata.deletionGracePeriodSeconds", -1);
}

static void test_grace(void **state)
{
    struct door *d = *state;
    make_pod(d, "p", ""); /* nobody runs it: at once */
    door_expect(d, door_delete(d, "pods", "default/p", NULL), 200);
    door_expect_str(d, "kind", "Pod");
    assert_int_equal(grace_of(d), 0);
    door_expect(d, door_get(d, "pods", "default/p"), 404);

    make_pod(d, "q", "\"nodeName\":\"n\",");
    door_expect(d, door_delete(d, "pods", "default/q", NULL), 200);
    assert_int_equal(grace_of(d), 30);
    door_expect_str(d, "metadata.deletionTimestamp", "2023-11-14T22:13:50Z");
    door_expect(d, door_delete(d, "pods", "default/q", NULL), 200);
    assert_int_equal(grace_of(d), 30);
    door_expect(d, door_delete(d, "pods", "default/q", "{\"gracePeriodSeconds\":10}"), 200);
    assert_int_equal(grace_of(d), 10);
    door_expect_str(d, "metadata.deletionTimestamp", "2023-11-14T22:13:30Z");
    door_expect(d, door_delete(d, "pods", "default/q", "{\"gracePeriodSeconds\":60}"), 200);
    assert_int_equal(grace_of(d), 10);
    door_expect(d, door_delete(d, "pods", "default/q", "{\"gracePeriodSeconds\":0}"), 200);
    assert_int_equal(grace_of(d), 0);
    door_expect(d, door_get(d, "pods", "default/q"), 404);

    make_pod(d, "r", "\"nodeName\":\"n\",\"terminationGracePeriodSeconds\":5,");
    door_expect(d, door_delete(d, "pods", "default/r", NULL), 200);
    assert_int_equal(grace_of(d), 5);
    make_pod(d, "s", "\"nodeName\":\"n\",");
    door_expect(d, door_patch(d, "pods", "default/s/status", PATCH_MERGE, "{\"status\":{\"phase\":\"Succeeded\"}}"),
                200);
    door_expect(d, door_delete(d, "pods", "default/s", NULL), 200);
    door_expect(d, door_get(d, "pods", "default/s"), 404);
}

static void test_eviction(void **state)
{
    struct door *d = *state;
    make_pod(d, "p", "\"nodeName\":\"n\",");
    const char *ev = "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\"}}";
    char text[256];
    snprintf(text, sizeof text, ev, "zz");
    door_expect(d, door_post(d, "pods", "default/p/eviction", text), 400);
    door_expect_message(d, "name in URL does not match name in Eviction object");
    snprintf(text, sizeof text, ev, "p");
    door_expect(d, door_post(d, "pods", "default/p/eviction", text), 201);
    door_expect_str(d, "status", "Success");
    door_expect(d, door_get(d, "pods", "default/p"), 200);
    assert_int_equal(grace_of(d), 30);
    const json_t *c = json_array_get(jat(door_json(d), "status.conditions"), 0);
    assert_string_equal(jstr(c, "reason"), "EvictionByEvictionAPI");
}

static void test_namespace(void **state)
{
    struct door *d = *state;
    door_expect(d, door_delete(d, "namespaces", "/default", NULL), 403);
    door_expect_message(d, "namespaces \"default\" is forbidden: this namespace may not be deleted");
    door_expect(d, door_post(d, "namespaces", "/", "{\"metadata\":{\"name\":\"x\"}}"), 201);
    door_expect(d, door_delete(d, "namespaces", "/x", "{\"preconditions\":{\"uid\":\"u\"}}"), 409);
    door_expect(d, door_delete(d, "namespaces", "/x", NULL), 200);
    assert_int_equal(grace_of(d), -1);
    door_expect(d, door_delete(d, "namespaces", "/x", NULL), 200);
    door_expect(d, door_get(d, "namespaces", "/x"), 200);
    /* the controller's last word */
    door_expect(d, door_put(d, "namespaces", "/x/finalize", "{\"metadata\":{\"name\":\"x\"},\"spec\":{}}"), 200);
    door_expect(d, door_get(d, "namespaces", "/x"), 404);
}

static void test_collection(void **state)
{
    struct door *d = *state;
    make_cm(d, "a", ",\"labels\":{\"x\":\"1\"}");
    make_cm(d, "b", ",\"labels\":{\"x\":\"1\"},\"finalizers\":[\"example.com/x\"]");
    make_cm(d, "c", "");
    struct label_selector *sel = NULL;
    assert_int_equal(label_selector_parse("x=1", &sel, &d->e), 0);
    struct reg_ctx ctx = door_ctx(d);
    struct reg_target t = {.res = RES.configmaps, .ns = "default", .name = "", .sub = ""};
    reg_answer_release(&d->ans);
    struct reg_delete_opts o = REG_DELETE_DEFAULT;
    assert_int_equal(reg_delete_collection(d->r, &ctx, &t, sel, NULL, &o, &d->ans, &d->e), 0);
    label_selector_free(sel);
    door_expect_str(d, "kind", "ConfigMapList");
    assert_int_equal(json_array_size(jat(door_json(d), "items")), 2);
    assert_null(jat(json_array_get(jat(door_json(d), "items"), 1), "metadata.deletionTimestamp"));
    door_expect(d, door_get(d, "configmaps", "default/a"), 404);
    door_expect(d, door_get(d, "configmaps", "default/b"), 200);
    assert_non_null(jat(door_json(d), "metadata.deletionTimestamp"));
    door_expect(d, door_get(d, "configmaps", "default/c"), 200);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_at_once), T(test_finalizers), T(test_propagation), T(test_options_refused),
        T(test_grace),   T(test_eviction),   T(test_namespace),   T(test_collection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Creating: system fields, names, namespaces, dry run, refusals. */
#include "door.h"

#include <stdio.h>

static int setup(void **state)
{
    struct door *d = xcalloc(1, sizeof *d);
    door_open(d);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    door_close(*state);
    free(*state);
    return 0;
}

static void test_system_fields(void **state)
{
    struct door *d = *state;
    door_expect(d,
                door_post(d, "configmaps", "default/",
                          "{\"metadata\":{\"name\":\"a\",\"uid\":\"mine\",\"selfLink\":\"/x\","
                          "\"deletionTimestamp\":\"2020-01-01T00:00:00Z\"},\"data\":{\"k\":\"v\"}}"),
                201);
    door_expect_str(d, "kind", "ConfigMap");
    door_expect_str(d, "metadata.namespace", "default");
    door_expect_str(d, "metadata.creationTimestamp", "2023-11-14T22:13:20Z");
    assert_int_equal(strlen(jstr(door_json(d), "metadata.uid")), 36);
    assert_null(jat(door_json(d), "metadata.deletionTimestamp"));
    assert_null(jat(door_json(d), "metadata.selfLink"));
    assert_true(strtoul(jstr(door_json(d), "metadata.resourceVersion"), NULL, 10) > 0);
    /* canonical order, whatever the client's */
    assert_non_null(
        strstr(d->ans.obj->bytes, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\","));
}

static void test_already_exists(void **state)
{
    struct door *d = *state;
    const char *cm = "{\"metadata\":{\"name\":\"a\",\"finalizers\":[\"example.com/x\"]}}";
    door_expect(d, door_post(d, "configmaps", "default/", cm), 201);
    door_expect(d, door_post(d, "configmaps", "default/", cm), 409);
    door_expect_message(d, "configmaps \"a\" already exists");
    door_expect_str(d, "reason", "AlreadyExists");
    assert_int_equal(d->e.code, ERR_ALREADY_EXISTS);
    door_expect(d, door_delete(d, "configmaps", "default/a", NULL), 200);
    door_expect(d, door_post(d, "configmaps", "default/", cm), 409);
    door_expect_message(d, "object is being deleted: configmaps \"a\" already exists");
}

static void test_generate_name(void **state)
{
    struct door *d = *state;
    door_expect(d, door_post(d, "configmaps", "default/", "{\"metadata\":{\"generateName\":\"gen-\"}}"), 201);
    assert_int_equal(strlen(jstr(door_json(d), "metadata.name")), strlen("gen-") + 5);
    char text[256];
    snprintf(text, sizeof text, "{\"metadata\":{\"generateName\":\"%070d\"}}", 0);
    door_expect(d, door_post(d, "configmaps", "default/", text), 201);
    assert_int_equal(strlen(jstr(door_json(d), "metadata.name")), 63);
    door_expect(d, door_post(d, "configmaps", "default/", "{\"metadata\":{}}"), 422);
    door_expect_message(d,
                        "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required");
}

static void test_refusals(void **state)
{
    struct door *d = *state;
    static const struct {
        const char *path, *body;
        int http;
        const char *message;
    } rows[] = {
        {"default/", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"other\"}}", 400,
         "the namespace of the provided object does not match the namespace sent on the request"},
        {"nosuch/", "{\"metadata\":{\"name\":\"a\"}}", 404, "namespaces \"nosuch\" not found"},
        {"default/", "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}}", 500,
         "resourceVersion should not be set on objects to be created"},
        {"default/", "{\"kind\":\"Wrong\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}", 400,
         "Wrong in version \"v1\" cannot be handled as a ConfigMap: no kind \"Wrong\" is registered for version \"v1\" "
         "in "
         "scheme \"pkg/api/legacyscheme/scheme.go:30\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        door_expect(d, door_post(d, "configmaps", rows[i].path, rows[i].body), rows[i].http);
        door_expect_message(d, rows[i].message);
        assert_string_equal(d->e.msg, rows[i].message);
        door_expect(d, door_get(d, "configmaps", "default/a"), 404);
    }
}

static void test_dry_run(void **state)
{
    struct door *d = *state;
    d->dry_run = true;
    uint64_t rv = store_rv(d->store);
    door_expect(d, door_post(d, "configmaps", "default/", "{\"metadata\":{\"name\":\"a\"}}"), 201);
    assert_null(jat(door_json(d), "metadata.resourceVersion"));
    assert_non_null(jat(door_json(d), "metadata.uid"));
    door_expect(
        d, door_post(d, "services", "default/", "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"ports\":[{\"port\":80}]}}"),
        201);
    door_expect_str(d, "spec.clusterIP", "10.96.0.0");
    assert_int_equal(store_rv(d->store), rv);
    door_expect(d, door_get(d, "configmaps", "default/a"), 404);
    door_expect(d, door_post(d, "namespaces", "/", "{\"metadata\":{\"name\":\"default\"}}"), 409);
}

static void test_terminating_namespace(void **state)
{
    struct door *d = *state;
    door_expect(d, door_post(d, "namespaces", "/", "{\"metadata\":{\"name\":\"doomed\"}}"), 201);
    door_expect_str(d, "status.phase", "Active");
    assert_string_equal(jmap(door_json(d), "metadata.labels", "kubernetes.io/metadata.name"), "doomed");
    door_expect(d, door_delete(d, "namespaces", "/doomed", NULL), 200);
    door_expect_str(d, "status.phase", "Terminating");
    door_expect(d, door_post(d, "configmaps", "doomed/", "{\"metadata\":{\"name\":\"late\"}}"), 403);
    door_expect_message(
        d, "configmaps \"late\" is forbidden: unable to create new content in namespace doomed because it is "
           "being terminated");
    const json_t *cause = json_array_get(jat(door_json(d), "details.causes"), 0);
    assert_string_equal(jstr(cause, "reason"), "NamespaceTerminating");
}

/* Kinds whose new objects look different from what was sent. */
static void test_kinds(void **state)
{
    struct door *d = *state;
    static const struct {
        const char *bucket, *path, *body, *member, *value;
    } rows[] = {
        {"persistentvolumeclaims", "default/",
         "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"
         "\"storage\":\"1Gi\"}}},\"status\":{\"phase\":\"Bound\"}}",
         "status.phase", "Pending"},
        {"persistentvolumes", "/",
         "{\"metadata\":{\"name\":\"v\"},\"spec\":{\"capacity\":{\"storage\":\"1Gi\"},\"accessModes\":["
         "\"ReadWriteOnce\"],"
         "\"hostPath\":{\"path\":\"/x\"}}}",
         "status.lastPhaseTransitionTime", "2023-11-14T22:13:20Z"},
        {"secrets", "default/", "{\"metadata\":{\"name\":\"s\"},\"stringData\":{\"a\":\"b\"}}", "data.a", "Yg=="},
        {"serviceaccounts", "default/",
         "{\"metadata\":{\"name\":\"sa\"},\"secrets\":[{\"name\":\"x\",\"kind\":\"Secret\"}]}", "metadata.name", "sa"},
        {"nodes", "/", "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"podCIDR\":\"10.244.1.0/24\"}}", "spec.podCIDR",
         "10.244.1.0/24"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        door_expect(d, door_post(d, rows[i].bucket, rows[i].path, rows[i].body), 201);
        door_expect_str(d, rows[i].member, rows[i].value);
    }
    assert_true(jarr_has(door_json(d), "spec.podCIDRs", "10.244.1.0/24"));
    const json_t *taint = json_array_get(jat(door_json(d), "spec.taints"), 0);
    assert_string_equal(jstr(taint, "key"), "node.kubernetes.io/not-ready");
    door_expect(d, door_get(d, "persistentvolumeclaims", "default/c"), 200);
    assert_true(jarr_has(door_json(d), "metadata.finalizers", "kubernetes.io/pvc-protection"));
    door_expect(d, door_get(d, "persistentvolumes", "/v"), 200);
    assert_true(jarr_has(door_json(d), "metadata.finalizers", "kubernetes.io/pv-protection"));
    door_expect(d, door_get(d, "serviceaccounts", "default/sa"), 200);
    assert_null(jstr(json_array_get(jat(door_json(d), "secrets"), 0), "kind"));
}

static void test_bootstrap(void **state)
{
    struct door *d = *state;
    static const char *const namespaces[] = {"/default", "/kube-system", "/kube-public", "/kube-node-lease"};
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        door_expect(d, door_get(d, "namespaces", namespaces[i]), 200);
    door_expect(d, door_get(d, "services", "default/kubernetes"), 200);
    door_expect_str(d, "spec.clusterIP", "10.96.0.1");
    uint64_t rv = store_rv(d->store);
    assert_int_equal(registry_bootstrap(d->r, "127.0.0.1", 6443, &d->e), 0);
    assert_int_equal(store_rv(d->store), rv); /* twice changes nothing */
    assert_int_equal(registry_bootstrap(d->r, "192.0.2.7", 7443, &d->e), 0);
    door_expect(d, door_get(d, "endpoints", "default/kubernetes"), 200);
    const json_t *subset = json_array_get(json_object_get(door_json(d), "subsets"), 0);
    assert_string_equal(jstr(json_array_get(json_object_get(subset, "addresses"), 0), "ip"), "192.0.2.7");
}

static void nobody_told(void *arg)
{
    (void)arg;
}

static void test_later(void **state)
{
    struct door *d = *state;
    struct reg_later later = {.told = nobody_told};
    struct reg_ctx ctx = door_ctx(d);
    ctx.later = &later;
    struct reg_target t = {.res = door_res("configmaps"), .ns = "default", .name = "", .sub = ""};
    for (int code = 201; code <= 409; code += 409 - 201) { /* decided by the end only */
        struct reg_body body = {.tree = json_pack("{s:{s:s}}", "metadata", "name", "l")};
        reg_answer_release(&d->ans);
        assert_int_equal(reg_create(d->r, &ctx, &t, &body, &d->ans, &d->e), 0);
        assert_non_null(later.write);
        assert_null(d->ans.obj);
        assert_null(d->ans.body);
        reg_create_end(d->r, &ctx, &t, &d->ans, &d->e);
        door_expect(d, d->ans.http, code);
        assert_null(later.write);
    }
    door_expect_message(d, "configmaps \"l\" already exists");
    struct reg_body generated = {.tree = json_pack("{s:{s:s}}", "metadata", "generateName", "l-")};
    reg_answer_release(&d->ans);
    assert_int_equal(reg_create(d->r, &ctx, &t, &generated, &d->ans, &d->e), 0);
    assert_null(later.write); /* may have to be tried again: waited for */
    door_expect(d, d->ans.http, 201);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_system_fields),         T(test_already_exists), T(test_generate_name), T(test_refusals), T(test_dry_run),
        T(test_terminating_namespace), T(test_kinds),          T(test_bootstrap),     T(test_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

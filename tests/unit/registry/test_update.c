/* Changing: versions, conflicts, status split, generation, no-op writes, patches, loops. */
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

#define CM "{\"metadata\":{\"name\":\"a\"%s},\"data\":{\"k\":\"%s\"}}"

static void put_cm(struct door *d, const char *meta, const char *value, int http)
{
    char text[512];
    snprintf(text, sizeof text, CM, meta, value);
    door_expect(d, door_put(d, "configmaps", "default/a", text), http);
}

static void test_versions(void **state)
{
    struct door *d = *state;
    door_expect(d, door_post(d, "configmaps", "default/", "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"1\"}}"),
                201);
    _auto_free_ char *rv = xstrdup(jstr(door_json(d), "metadata.resourceVersion"));
    _auto_free_ char *uid = xstrdup(jstr(door_json(d), "metadata.uid"));
    uint64_t before = store_rv(d->store);

    put_cm(d, "", "1", 200); /* nothing changed: nothing written */
    door_expect_str(d, "metadata.resourceVersion", rv);
    assert_int_equal(store_rv(d->store), before);

    put_cm(d, "", "2", 200);
    door_expect_str(d, "metadata.uid", uid);
    assert_string_not_equal(jstr(door_json(d), "metadata.resourceVersion"), rv);

    char meta[128];
    snprintf(meta, sizeof meta, ",\"resourceVersion\":\"%s\"", rv);
    put_cm(d, meta, "3", 409);
    door_expect_message(
        d, "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your "
           "changes to the latest version and try again");
    assert_int_equal(d->e.code, ERR_CONFLICT);

    put_cm(d, ",\"uid\":\"other\"", "3", 409);
    snprintf(meta, sizeof meta,
             "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: 4, Key: "
             "/registry/configmaps/default/a");
    assert_true(strncmp(jstr(door_json(d), "message"), meta, strlen(meta)) == 0);

    put_cm(d, ",\"namespace\":\"kube-system\"", "3", 400);
    door_expect(d, door_put(d, "configmaps", "default/a", "{\"metadata\":{\"name\":\"b\"}}"), 400);
    door_expect_message(d, "the name of the object (b) does not match the name on the URL (a)");
    door_expect(d, door_put(d, "configmaps", "default/b", "{\"metadata\":{\"name\":\"b\"}}"), 404);
}

static void test_needs_version_and_put_creates(void **state)
{
    struct door *d = *state;
    const char *lease = "{\"metadata\":{\"name\":\"l\"},\"spec\":{\"holderIdentity\":\"me\"}}";
    door_expect(d, door_put(d, "leases.coordination.k8s.io", "default/l", lease), 201);
    door_expect(d, door_put(d, "leases.coordination.k8s.io", "default/l", lease), 422);
    door_expect_message(
        d, "leases.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be "
           "specified for an update");
}

#define DEPLOY                                                                                                         \
    "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":%d,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"           \
    "\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}" \
    "]}}}}"

static void test_generation_and_status(void **state)
{
    struct door *d = *state;
    const char *b = "deployments.apps";
    char text[1024];
    snprintf(text, sizeof text, DEPLOY, 1);
    door_expect(d, door_post(d, b, "default/", text), 201);
    assert_int_equal(jint(door_json(d), "metadata.generation", 0), 1);

    door_expect(
        d,
        door_patch(
            d, b, "default/d/status", PATCH_MERGE,
            "{\"spec\":{\"replicas\":9},\"metadata\":{\"labels\":{\"x\":\"y\"}},\"status\":{\"observedGeneration\":1,"
            "\"replicas\":1}}"),
        200);
    assert_int_equal(jint(door_json(d), "spec.replicas", 0), 1);
    assert_int_equal(jint(door_json(d), "status.replicas", 0), 1);
    assert_int_equal(jint(door_json(d), "metadata.generation", 0), 1);
    assert_null(jmap(door_json(d), "metadata.labels", "x"));

    snprintf(text, sizeof text, DEPLOY, 3); /* no status in it */
    door_expect(d, door_put(d, b, "default/d", text), 200);
    assert_int_equal(jint(door_json(d), "metadata.generation", 0), 2);
    assert_int_equal(jint(door_json(d), "status.replicas", 0), 1);

    door_expect(d, door_patch(d, b, "default/d", PATCH_MERGE, "{\"metadata\":{\"labels\":{\"l\":\"1\"}}}"), 200);
    assert_int_equal(jint(door_json(d), "metadata.generation", 0), 2);
    door_expect(d, door_patch(d, b, "default/d", PATCH_MERGE, "{\"metadata\":{\"annotations\":{\"l\":\"1\"}}}"), 200);
    assert_int_equal(jint(door_json(d), "metadata.generation", 0), 3);
}

static void test_scale(void **state)
{
    struct door *d = *state;
    const char *b = "deployments.apps";
    char text[1024];
    snprintf(text, sizeof text, DEPLOY, 1);
    door_expect(d, door_post(d, b, "default/", text), 201);
    door_expect(d, door_get(d, b, "default/nosuch/scale"), 404);
    door_expect_message(d, "deployments/scale.apps \"nosuch\" not found");
    door_expect_str(d, "details.kind", "deployments/scale");
    door_expect(d, door_patch(d, b, "default/nosuch/scale", PATCH_MERGE, "{\"spec\":{\"replicas\":1}}"), 404);
    door_expect_message(d, "deployments.apps \"nosuch\" not found");
    door_expect(d, door_get(d, b, "default/d/scale"), 200);
    door_expect_str(d, "kind", "Scale");
    door_expect_str(d, "status.selector", "a=b");
    door_expect(d, door_put(d, b, "default/d/scale", "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":4}}"), 200);
    assert_int_equal(jint(door_json(d), "spec.replicas", 0), 4);
    door_expect(d,
                door_patch(d, b, "default/d/scale", PATCH_JSON,
                           "[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":2}]"),
                200);
    door_expect(d, door_patch(d, b, "default/d/scale", PATCH_MERGE, "{\"spec\":{\"replicas\":-1}}"), 422);
    door_expect_message(
        d, "Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal "
           "to 0");
    door_expect(d,
                door_patch(d, b, "default/d/scale", PATCH_MERGE,
                           "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":2}}"),
                409);
    door_expect(d, door_get(d, b, "default/d"), 200);
    assert_int_equal(jint(door_json(d), "spec.replicas", 0), 2);
    assert_int_equal(jint(door_json(d), "metadata.generation", 0), 3);
}

static void test_patch_refusals(void **state)
{
    struct door *d = *state;
    door_expect(d, door_patch(d, "configmaps", "default/no", PATCH_MERGE, "garbage"), 404);
    door_expect(d, door_post(d, "configmaps", "default/", "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"1\"}}"),
                201);
    door_expect(d,
                door_patch(d, "configmaps", "default/a", PATCH_JSON,
                           "[{\"op\":\"test\",\"path\":\"/data/k\",\"value\":\"2\"}]"),
                422);
    door_expect_message(d, "the server rejected our request due to an error in our request");
    door_expect(d, door_patch(d, "configmaps", "default/a", PATCH_MERGE, "{\"metadata\":{\"name\":\"b\"}}"), 400);
    door_expect(d,
                door_patch(d, "configmaps", "default/a", PATCH_MERGE,
                           "{\"metadata\":{\"resourceVersion\":\"1\"},\"data\":{\"k\":\"2\"}}"),
                409);
    door_expect(d, door_patch(d, "configmaps", "default/a", PATCH_MERGE, "garbage"), 400);
    door_expect(d, door_patch(d, "configmaps", "default/a", PATCH_STRATEGIC, "{\"data\":{\"l\":\"2\"}}"), 200);
    door_expect_str(d, "data.k", "1");
    door_expect_str(d, "data.l", "2");
}

/* -- loops -- */

struct tries {
    struct door *d;
    int calls;
};

/* The first call loses a race against another writer. */
static int edit_with_rival(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    struct tries *t = arg;
    if (t->calls++ == 0)
        put_cm(t->d, "", "rival", 200);
    jset_str(obj, "data.mine", "1");
    return 1;
}

static int edit_nothing(json_t *obj, void *arg, struct err *e)
{
    (void)obj;
    (void)arg;
    (void)e;
    return 0;
}

static int edit_gives_up(json_t *obj, void *arg, struct err *e)
{
    (void)obj;
    (void)arg;
    return err_set(e, ERR_BUSY, "not now");
}

static void test_loops(void **state)
{
    struct door *d = *state;
    struct err e = ERR_INIT;
    struct tries t = {.d = d};
    struct sobj *made = NULL;
    assert_int_equal(reg_make(d->r, "loop", RES.configmaps, "default",
                              json_pack("{s{ss}s{ss}}", "metadata", "name", "a", "data", "k", "1"), &made, &e),
                     0);
    assert_int_equal(
        reg_make(d->r, "loop", RES.configmaps, "default", json_pack("{s{ss}}", "metadata", "name", "a"), NULL, &e), -1);
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    assert_int_equal(reg_modify(d->r, "loop", RES.configmaps, "default", "a", "", edit_with_rival, &t, &e), 0);
    assert_int_equal(t.calls, 2);
    door_expect(d, door_get(d, "configmaps", "default/a"), 200);
    door_expect_str(d, "data.k", "rival");
    door_expect_str(d, "data.mine", "1");

    json_t *stale = json_deep_copy(made->tree);
    assert_int_equal(reg_write(d->r, "loop", RES.configmaps, "", stale, NULL, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(reg_modify(d->r, "loop", RES.configmaps, "default", "a", "", edit_nothing, NULL, &e), 0);
    assert_int_equal(reg_modify(d->r, "loop", RES.configmaps, "default", "a", "", edit_gives_up, NULL, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    assert_int_equal(reg_remove(d->r, "loop", RES.configmaps, "default", "a", NULL, &e), 0);
    assert_int_equal(reg_remove(d->r, "loop", RES.configmaps, "default", "a", NULL, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    sobj_unref(made);
}

static int edit_mine(json_t *obj, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    jset_str(obj, "data.mine", "1");
    return 1;
}

/* Written together, each with an end of its own. */
static void test_loops_together(void **state)
{
    struct door *d = *state;
    struct err e = ERR_INIT;
    struct tries t = {.d = d};
    const struct resource *cm = RES.configmaps;
    const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(
            reg_make(d->r, "loop", cm, "default", json_pack("{s{ss}}", "metadata", "name", names[i]), NULL, &e), 0);
    struct reg_edit edits[] = {
        {.res = cm, .ns = "default", .name = "b", .sub = "", .edit = edit_mine},
        {.res = cm, .ns = "default", .name = "a", .sub = "", .edit = edit_with_rival, .arg = &t},
        {.res = cm, .ns = "default", .name = "none", .sub = "", .edit = edit_mine},
        {.res = cm, .ns = "default", .name = "c", .sub = "", .edit = edit_nothing},
    };
    assert_int_equal(reg_modify_all(d->r, "loop", edits, 2), 0);
    assert_int_equal(t.calls, 2);
    door_expect(d, door_get(d, "configmaps", "default/a"), 200);
    door_expect_str(d, "data.k", "rival");
    door_expect_str(d, "data.mine", "1");
    door_expect(d, door_get(d, "configmaps", "default/b"), 200);
    door_expect_str(d, "data.mine", "1");
    assert_int_equal(reg_modify_all(d->r, "loop", edits, ARRAY_LEN(edits)), -1);
    assert_int_equal(edits[0].rc, 0);
    assert_int_equal(edits[2].rc, -1);
    assert_int_equal(edits[2].err.code, ERR_NOT_FOUND);
    assert_int_equal(edits[3].rc, 0);
    edits[3].edit = edit_gives_up;
    assert_int_equal(reg_modify_all(d->r, "loop", edits + 3, 1), -1);
    assert_int_equal(edits[3].err.code, ERR_BUSY);
    assert_int_equal(reg_modify_all(d->r, "loop", NULL, 0), 0);
}

static struct sobj *make_deployment(struct door *d, const char *name)
{
    struct err e = ERR_INIT;
    struct sobj *made = NULL;
    json_t *tree = json_pack("{s{ss} s{si s{s{ss}} s{s{s{ss}} s{s[{ssss}]}}}}", "metadata", "name", name, "spec",
                             "replicas", 1, "selector", "matchLabels", "a", "b", "template", "metadata", "labels", "a",
                             "b", "spec", "containers", "name", "c", "image", "i");
    assert_int_equal(reg_make(d->r, "loop", RES.deployments, "default", tree, &made, &e), 0);
    return made;
}

static int edit_scale(json_t *obj, void *arg, struct err *e)
{
    (void)arg, (void)e;
    jset_int(obj, "spec.replicas", 2);
    return 1;
}

/* What one template made is one in memory, and still each object is changed alone. */
static void test_siblings(void **state)
{
    struct door *d = *state;
    struct err e = ERR_INIT;
    _auto_sobj_ struct sobj *a = make_deployment(d, "a"), *b = make_deployment(d, "b");
    assert_ptr_equal(jat(a->tree, "spec"), jat(b->tree, "spec"));
    assert_ptr_equal(jat(a->tree, "metadata.managedFields"), jat(b->tree, "metadata.managedFields"));
    assert_ptr_not_equal(jat(a->tree, "metadata"), jat(b->tree, "metadata"));
    assert_string_not_equal(jstr(a->tree, "metadata.uid"), jstr(b->tree, "metadata.uid"));
    assert_string_not_equal(jstr(a->tree, "metadata.resourceVersion"), jstr(b->tree, "metadata.resourceVersion"));

    assert_int_equal(reg_modify(d->r, "loop", RES.deployments, "default", "a", "", edit_scale, NULL, &e), 0);
    _auto_sobj_ struct sobj *scaled = reg_read(d->r, RES.deployments, "default", "a");
    _auto_sobj_ struct sobj *other = reg_read(d->r, RES.deployments, "default", "b");
    assert_int_equal(jint(scaled->tree, "spec.replicas", 0), 2);
    assert_int_equal(jint(other->tree, "spec.replicas", 0), 1);
    assert_ptr_equal(jat(scaled->tree, "spec.template"), jat(other->tree, "spec.template"));

    assert_int_equal(reg_modify(d->r, "loop", RES.deployments, "default", "b", "", edit_scale, NULL, &e), 0);
    _auto_sobj_ struct sobj *too = reg_read(d->r, RES.deployments, "default", "b");
    assert_ptr_equal(jat(scaled->tree, "spec"), jat(too->tree, "spec"));
    assert_ptr_equal(jat(a->tree, "spec"), jat(b->tree, "spec"));
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_versions),
        T(test_needs_version_and_put_creates),
        T(test_generation_and_status),
        T(test_scale),
        T(test_patch_refusals),
        T(test_loops),
        T(test_loops_together),
        T(test_siblings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

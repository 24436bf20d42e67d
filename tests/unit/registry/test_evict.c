/* test_evict.c - evictions and the disruption budgets they ask. */
#include "door.h"

#include <stdio.h>

#define BUDGETS "poddisruptionbudgets.policy"
#define REFUSED "Cannot evict pod as it would violate the pod's disruption budget."

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

/* A running pod with the label a=b; `ready` is the status of its condition. */
static void make_pod(struct door *d, const char *name, const char *ready)
{
    char text[512], path[64];
    snprintf(text, sizeof text,
             "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"nodeName\":\"n\",\"containers\":[{"
             "\"name\":\"c\",\"image\":\"i\"}]}}",
             name);
    door_expect(d, door_post(d, "pods", "default/", text), 201);
    snprintf(path, sizeof path, "default/%s/status", name);
    snprintf(text, sizeof text,
             "{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}", ready);
    door_expect(d, door_patch(d, "pods", path, PATCH_MERGE, text), 200);
}

static void make_budget(struct door *d, const char *name)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"minAvailable\":1,\"selector\":{\"matchLabels\":{\"a\":"
             "\"b\"}}}}",
             name);
    door_expect(d, door_post(d, BUDGETS, "default/", text), 201);
    assert_int_equal(jint(door_json(d), "metadata.generation", 0), 1);
    assert_int_equal(jint(door_json(d), "status.disruptionsAllowed", -1), 0);
}

/* Plays the disruption controller. */
static void set_status(struct door *d, const char *status)
{
    char text[512];
    snprintf(text, sizeof text, "{\"status\":{\"observedGeneration\":1,%s}}", status);
    door_expect(d, door_patch(d, BUDGETS, "default/pdb/status", PATCH_MERGE, text), 200);
}

static int evict_as(struct door *d, const char *version, const char *name)
{
    char text[256], path[64];
    snprintf(text, sizeof text, "{\"apiVersion\":\"%s\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\"}}", version,
             name);
    snprintf(path, sizeof path, "default/%s/eviction", name);
    return door_post(d, "pods", path, text);
}

static int evict(struct door *d, const char *name)
{
    return evict_as(d, "policy/v1", name);
}

static void expect_cause(struct door *d, const char *message)
{
    door_expect_message(d, REFUSED);
    door_expect_str(d, "reason", "TooManyRequests");
    const json_t *cause = json_array_get(jat(door_json(d), "details.causes"), 0);
    assert_string_equal(jstr(cause, "reason"), "DisruptionBudget");
    assert_string_equal(jstr(cause, "message"), message);
}

static void test_counted_down(void **state)
{
    struct door *d = *state;
    make_budget(d, "pdb");
    make_pod(d, "p", "True");
    make_pod(d, "q", "True");
    door_expect(d, evict(d, "p"), 429);
    expect_cause(d, "The disruption budget pdb is still being processed by the server.");
    assert_int_equal(jint(door_json(d), "details.retryAfterSeconds", 0), 10);
    set_status(d, "\"disruptionsAllowed\":0,\"currentHealthy\":1,\"desiredHealthy\":1,\"expectedPods\":2");
    door_expect(d, evict(d, "p"), 429);
    expect_cause(d, "The disruption budget pdb needs 1 healthy pods and has 1 currently");
    assert_null(jat(door_json(d), "details.retryAfterSeconds"));

    set_status(d, "\"disruptionsAllowed\":1,\"currentHealthy\":2,\"desiredHealthy\":1,\"expectedPods\":2");
    d->dry_run = true;
    door_expect(d, evict(d, "p"), 201);
    d->dry_run = false;
    door_expect(d, evict(d, "p"), 201);
    door_expect(d, door_get(d, BUDGETS, "default/pdb"), 200);
    assert_int_equal(jint(door_json(d), "status.disruptionsAllowed", -1), 0);
    door_expect_str(d, "status.disruptedPods.p", "2023-11-14T22:13:20Z");
    const json_t *c = json_array_get(jat(door_json(d), "status.conditions"), 0);
    assert_string_equal(jstr(c, "reason"), "InsufficientPods");
    assert_string_equal(jstr(c, "status"), "False");
    door_expect(d, evict(d, "q"), 429);
    expect_cause(d, "The disruption budget pdb needs 1 healthy pods and has 2 currently");
    door_expect(d, evict(d, "p"), 201); /* on its way already: no budget is asked */
}

static void test_who_is_not_guarded(void **state)
{
    struct door *d = *state;
    make_budget(d, "pdb");
    make_pod(d, "sick", "False");
    set_status(d, "\"disruptionsAllowed\":0,\"currentHealthy\":0,\"desiredHealthy\":1,\"expectedPods\":1");
    door_expect(d, evict(d, "sick"), 429);
    set_status(d, "\"disruptionsAllowed\":0,\"currentHealthy\":1,\"desiredHealthy\":1,\"expectedPods\":2");
    door_expect(d, evict(d, "sick"), 201);
    make_pod(d, "done", "False");
    door_expect(d, door_patch(d, "pods", "default/done/status", PATCH_MERGE, "{\"status\":{\"phase\":\"Succeeded\"}}"),
                200);
    set_status(d, "\"currentHealthy\":0");
    door_expect(d, evict(d, "done"), 201);
    make_pod(d, "sick2", "False");
    door_expect(d, evict(d, "sick2"), 429);
    door_expect(d,
                door_patch(d, BUDGETS, "default/pdb", PATCH_MERGE,
                           "{\"spec\":{\"unhealthyPodEvictionPolicy\":\"AlwaysAllow\"}}"),
                200);
    assert_int_equal(jint(door_json(d), "metadata.generation", 0), 2);
    door_expect(d, evict(d, "sick2"), 201);
}

static void test_refusals(void **state)
{
    struct door *d = *state;
    make_budget(d, "pdb");
    make_pod(d, "p", "True");
    set_status(d, "\"conditions\":[{\"type\":\"DisruptionAllowed\",\"status\":\"False\",\"reason\":\"SyncFailed\","
                  "\"message\":\"found no controllers for pod \\\"p\\\"\",\"lastTransitionTime\":"
                  "\"2023-11-14T22:13:20Z\"}]");
    door_expect(d, evict(d, "p"), 429);
    expect_cause(d, "The disruption budget pdb does not allow evicting pods currently because it failed sync: found no "
                    "controllers for pod \"p\"");
    make_budget(d, "pdb2");
    door_expect(d, evict(d, "p"), 500);
    door_expect_message(d, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                           "support.");
    assert_null(jat(door_json(d), "reason"));
    door_expect(d, evict(d, "nosuch"), 404);
}

/* What kubectl before 1.22 sends; budgets hold for it too. */
static void test_older_version(void **state)
{
    struct door *d = *state;
    make_pod(d, "p", "True");
    door_expect(d, evict_as(d, "policy/v1beta2", "p"), 400);
    make_budget(d, "pdb");
    door_expect(d, evict_as(d, "policy/v1beta1", "p"), 429);
    set_status(d, "\"disruptionsAllowed\":1,\"currentHealthy\":2,\"desiredHealthy\":1,\"expectedPods\":2");
    door_expect(d, evict_as(d, "policy/v1beta1", "p"), 201);
}

/* The older version's name in another place says nothing about the version. */
static void test_older_version_elsewhere(void **state)
{
    struct door *d = *state;
    make_pod(d, "p", "True");
    door_expect(d, door_post(d, "pods", "default/p/eviction", "{\"metadata\":{\"name\":\"policy/v1beta1\"}}"), 400);
    door_expect(d, door_post(d, "pods", "default/p/eviction", "{\"apiVersion\":[\"policy/v1beta1\"]}"), 400);
    door_expect(d, door_post(d, "pods", "default/p/eviction", "[\"policy/v1beta1\"]"), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counted_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_not_guarded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older_version_elsewhere, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

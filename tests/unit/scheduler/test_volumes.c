/* A pod that was given a node before its volumes were bound: it waits there, goes nowhere else, and loses the node when
 * a provisioner gives up or ten minutes have passed. */
#include "unit/scheduler/scheduler_kit.h"

#define PVC      RES.persistentvolumeclaims
#define SELECTED "volume.kubernetes.io/selected-node"
#define FAILED   "running PreBind plugin \"VolumeBinding\": binding volumes: "

static void begin(struct loop_world *w)
{
    make_node(w, "n1", NODE("n1", "", ""));
    make_node(w, "n2", NODE("n2", "", ""));
    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass','metadata':{'name':'w'},'provisioner':"
            "'x.example.com/p','volumeBindingMode':'WaitForFirstConsumer'}");
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'w'"));
    make(w, POD_WITH_CLAIM("p", "c", ""));
    settle(w);
    assert_string_equal(annotation(w, PVC, "c", SELECTED), "n1");
    assert_string_equal(text_at(w, RES.pods, "p", "spec.nodeName"), "");
}

static void expect_error(struct loop_world *w, const char *message)
{
    assert_event(w, "p", "FailedScheduling", message);
    _auto_sobj_ struct sobj *o = get(w, RES.pods, "p");
    const json_t *cond = condition_get(o->tree, "PodScheduled");
    assert_string_equal(jstr(cond, "reason"), "SchedulerError");
    assert_string_equal(jstr(cond, "message"), message);
}

static void test_counts_and_stays(void **state)
{
    struct loop_world *w = *state;
    begin(w);
    make(w, POD("q", "")); /* the first is counted where it will be */
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "q", "spec.nodeName"), "n2");
    make(w, VOLUME("v", "1Gi",
                   ",'storageClassName':'w','hostPath':{'path':'/x'},'claimRef':{'namespace':'default','name':'c'}"));
    change(w, PVC, "c", "", "spec.volumeName", "'v'");
    change(w, PVC, "c", "", "metadata.annotations", "{'pv.kubernetes.io/bind-completed':'yes','" SELECTED "':'n1'}");
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "p", "spec.nodeName"), "");
    change(w, PVC, "c", "status", "status.phase", "'Bound'");
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "p", "spec.nodeName"), "n1");
    assert_event(w, "p", "Scheduled", "Successfully assigned default/p to n1");
}

static void test_provisioner_gives_up(void **state)
{
    struct loop_world *w = *state;
    begin(w);
    change(w, PVC, "c", "", "metadata.annotations", "{}");
    settle(w);
    expect_error(w, FAILED "provisioning failed for PVC \"c\"");
    assert_string_equal(annotation(w, PVC, "c", SELECTED), "");
    pass_seconds(w, 2); /* tried again after its back-off */
    assert_string_equal(annotation(w, PVC, "c", SELECTED), "n1");
}

static void test_ten_minutes(void **state)
{
    struct loop_world *w = *state;
    begin(w);
    pass_seconds(w, 599);
    assert_string_equal(text_at(w, RES.pods, "p", "status.conditions"), "");
    pass_seconds(w, 302);
    expect_error(w, FAILED "context deadline exceeded");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {T(test_counts_and_stays), T(test_provisioner_gives_up), T(test_ten_minutes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

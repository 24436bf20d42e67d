/* Autoscalers: how many replicas the use of pods asks for, how fast they come and go, and what is said of it. */
#include "unit/controllers/controllers_kit.h"

#include "registry/node_ops.h"

/* What every pod on the node uses, as the node tells it; cpu < 0: nothing was measured. */
struct machine_use {
    struct loop_world *w;
    int64_t cpu_milli;
};

static int told_usage(void *self, const char *node, json_t **out, struct err *e)
{
    const struct machine_use *use = self;
    _auto_objlist_ struct objlist pods = {0};
    (void)e;
    objlist_load(&pods, use->w->registry, RES.pods->bucket, NULL);
    json_t *list = json_array();
    for (size_t i = 0; use->cpu_milli >= 0 && i < pods.len; i++)
        if (str_eq(jstr(pods.trees[i], "spec.nodeName"), node))
            json_array_append_new(list, json_pack("{s:{s:s}, s:[{s:s, s:{s:I}, s:{s:i}}]}", "podRef", "uid",
                                                  obj_uid(pods.trees[i]), "containers", "name", "c", "cpu",
                                                  "usageNanoCores", (json_int_t)(use->cpu_milli * 1000000), "memory",
                                                  "workingSetBytes", 1 << 20));
    *out = json_pack("{s:o}", "pods", list);
    return 0;
}

static const struct node_ops node = {.usage = told_usage};

#define HPA(spec)                                                                                                      \
    "{'apiVersion':'autoscaling/v2','kind':'HorizontalPodAutoscaler','metadata':{'name':'h','namespace':'default'},"   \
    "'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'web'},'maxReplicas':10" spec "}}"

/* The pods that a set has made run on a node and are ready. */
static void run_pods(struct loop_world *w)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, RES.pods->bucket, "default");
    for (size_t i = 0; i < pods.len; i++) {
        if (jstr(pods.trees[i], "spec.nodeName") || !pod_active(pods.trees[i]))
            continue;
        struct err e = ERR_INIT;
        if (reg_bind_pod(w->registry, "test", "default", pods.items[i]->name, "n1", &e) < 0)
            fail_msg("bind: %s", e.msg);
        change(w, RES.pods, pods.items[i]->name, "status", "status.phase", "'Running'");
        change(w, RES.pods, pods.items[i]->name, "status", "status.conditions",
               "[{'type':'Ready','status':'True','lastTransitionTime':'2026-01-01T00:00:00Z'}]");
    }
    settle(w);
}

static void make_set(struct loop_world *w, int replicas, const char *requests)
{
    make(
        w,
        "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'web','namespace':'default'},'spec':{"
        "'replicas':%d,'selector':{'matchLabels':{'app':'web'}},'template':{'metadata':{'labels':{'app':'web'}},'spec':"
        "{'containers':[{'name':'c','image':'i','resources':{'requests':{%s}}}]}}}}",
        replicas, requests);
    settle(w);
    run_pods(w);
}

static const char *replicas_of(struct loop_world *w)
{
    return text_at(w, RES.replicasets, "web", "spec.replicas");
}

static const json_t *condition(struct loop_world *w, const char *type)
{
    static json_t *kept;
    _auto_sobj_ struct sobj *o = get(w, RES.autoscalers, "h");
    json_decref(kept);
    kept = json_deep_copy(condition_get(o->tree, type));
    return kept;
}

/* Use in percent of what is asked for, against a target of 50. */
static void test_how_many(void **state)
{
    static const struct {
        const char *name;
        int64_t cpu; /* of 100m that each pod asks for */
        const char *replicas;
        const char *limited;
    } rows[] = {
        {"as it should be", 50, "2", "DesiredWithinRange"},
        {"within a tenth", 54, "2", "DesiredWithinRange"},
        {"a third more", 70, "3", "DesiredWithinRange"},
        {"twice", 100, "4", "DesiredWithinRange"},
        {"no more than twice at once, or four", 400, "4", "ScaleUpLimit"},
        {"less is not had before five minutes", 10, "2", "DesiredWithinRange"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *world;
        setup(&world);
        struct loop_world *w = world;
        struct machine_use use = {w, rows[i].cpu};
        registry_set_node_ops(w->registry, &node, &use);
        make_set(w, 2, "'cpu':'100m'");
        make(w, HPA(",'metrics':[{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization',"
                    "'averageUtilization':50}}}]"));
        pass_seconds(w, 16);
        if (!str_eq(replicas_of(w), rows[i].replicas))
            fail_msg("%s: %s instead of %s", rows[i].name, replicas_of(w), rows[i].replicas);
        assert_string_equal(jstr(condition(w, "ScalingLimited"), "reason"), rows[i].limited);
        assert_string_equal(jstr(condition(w, "ScalingActive"), "reason"), "ValidMetricFound");
        registry_set_node_ops(w->registry, NULL, NULL);
        teardown(&world);
    }
}

static void test_words(void **state)
{
    struct loop_world *w = *state;
    struct machine_use use = {w, 100};
    registry_set_node_ops(w->registry, &node, &use);
    make_set(w, 2, "'cpu':'100m'");
    make(w, HPA(",'metrics':[{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization',"
                "'averageUtilization':50}}}]"));
    pass_seconds(w, 16);
    assert_event(w, "h", "SuccessfulRescale",
                 "New size: 4; reason: cpu resource utilization (percentage of request) above target");
    assert_string_equal(text_at(w, RES.autoscalers, "h", "status.currentMetrics"),
                        "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"current\":{\"averageValue\":\"100m\","
                        "\"averageUtilization\":100}}}]");
    run_pods(w);
    use.cpu_milli = 10;
    pass_seconds(w, 240);
    assert_string_equal(replicas_of(w), "4");
    assert_string_equal(jstr(condition(w, "AbleToScale"), "reason"), "ScaleDownStabilized");
    pass_seconds(w, 90);
    assert_string_equal(replicas_of(w), "1");
    assert_event(w, "h", "SuccessfulRescale", "New size: 1; reason: All metrics below target");
    registry_set_node_ops(w->registry, NULL, NULL);
}

static void test_failures(void **state)
{
    struct loop_world *w = *state;
#define NO_API                                                                                                         \
    "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource "    \
    "metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
    make_set(w, 2, "'cpu':'100m'");
    make(w, HPA("")); /* cpu at 80 % is the default */
    pass_seconds(w, 16);
    assert_event(w, "h", "FailedGetResourceMetric", NO_API);
    assert_event(
        w, "h", "FailedComputeMetricsReplicas",
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: " NO_API);
    assert_string_equal(jstr(condition(w, "ScalingActive"), "message"),
                        "the HPA was unable to compute the replica count: " NO_API);
    assert_string_equal(text_at(w, RES.autoscalers, "h", "status.currentMetrics"), "[{\"type\":\"\"}]");
    delete_it(w, RES.replicasets, "web", NULL);
    pass_seconds(w, 16);
    assert_event(w, "h", "FailedGetScale", "replicasets/scale.apps \"web\" not found");
}

static void test_no_requests(void **state)
{
    struct loop_world *w = *state;
    struct machine_use use = {w, 100};
    registry_set_node_ops(w->registry, &node, &use);
    make_set(w, 1, "");
    make(w, HPA(""));
    pass_seconds(w, 16);
    const char *message = jstr_or(condition(w, "ScalingActive"), "message", "");
    if (!strstr(message, "failed to get cpu utilization: missing request for cpu in container c of Pod web-"))
        fail_msg("%s", message);
    registry_set_node_ops(w->registry, NULL, NULL);
}

static void test_limits(void **state)
{
    struct loop_world *w = *state;
    struct machine_use use = {w, 50};
    registry_set_node_ops(w->registry, &node, &use);
    make_set(w, 1, "'cpu':'100m'");
    make(w, HPA(",'minReplicas':3"));
    pass_seconds(w, 16);
    assert_string_equal(replicas_of(w), "3");
    assert_event(w, "h", "SuccessfulRescale", "New size: 3; reason: Current number of replicas below Spec.MinReplicas");
    registry_set_node_ops(w->registry, NULL, NULL);
}

/* Through the older version nothing is lost. */
static void test_v1(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'autoscaling/v1','kind':'HorizontalPodAutoscaler','metadata':{'name':'h','namespace':"
            "'default'},'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'web'},"
            "'maxReplicas':3,'targetCPUUtilizationPercentage':70}}");
    assert_string_equal(text_at(w, RES.autoscalers, "h", "apiVersion"), "autoscaling/v2");
    assert_string_equal(text_at(w, RES.autoscalers, "h", "spec.metrics"),
                        "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\","
                        "\"averageUtilization\":70}}}]");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_many),
        T(test_words),
        T(test_failures),
        T(test_no_requests),
        T(test_limits),
        T(test_v1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

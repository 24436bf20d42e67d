/* Who has to go for a pod of more priority, and who need not. */
#include "scheduler_kit.h"

#define HIGH ",'priorityClassName':'high'"

static int setup(void **state)
{
    kit_setup(state);
    kit_class(*state, "high", 1000, "");
    kit_class(*state, "polite", 1000, ",'preemptionPolicy':'Never'");
    kit_class(*state, "low", 10, "");
    return 0;
}

static bool going(struct loop_world *w, const char *pod)
{
    const char *at = text_at(w, RES.pods, pod, "metadata.deletionTimestamp");
    return *at && !str_eq(at, "(gone)");
}

static void test_makes_room(void **state)
{
    struct loop_world *w = *state;
    char text[256];
    kit_node(w, "a", "", "");
    kit_pod_cpu(w, "victim", "3", "");
    settle(w);
    kit_pod_cpu(w, "vip", "3", HIGH);
    settle(w);
    assert_true(going(w, "victim"));
    assert_string_equal(text_at(w, RES.pods, "vip", "status.nominatedNodeName"), "a");
    assert_string_equal(kit_message(w, "vip"), "0/1 nodes are available: 1 Insufficient cpu.");
    snprintf(text, sizeof text, "Preempted by pod %s on node a", text_at(w, RES.pods, "vip", "metadata.uid"));
    assert_event(w, "victim", "Preempted", text);
    _auto_sobj_ struct sobj *victim = get(w, RES.pods, "victim");
    const json_t *target = condition_get(victim->tree, "DisruptionTarget");
    assert_string_equal(jstr(target, "reason"), "PreemptionByScheduler");
    assert_string_equal(jstr(target, "message"), "default-scheduler: preempting to accommodate a higher priority pod");
    pass_seconds(w, 10);
    assert_string_equal(kit_node_of(w, "vip"), ""); /* it waits for the victim to end */
    end_pod(w, "victim");
    pass_seconds(w, 10);
    assert_string_equal(kit_node_of(w, "vip"), "a");
}

/* The room that was made is not for others. */
static void test_the_promise_holds(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod_cpu(w, "victim", "3", "");
    settle(w);
    kit_pod_cpu(w, "vip", "3", HIGH);
    settle(w);
    end_pod(w, "victim");
    kit_pod_cpu(w, "thief", "3", ",'priorityClassName':'low'");
    settle(w);
    assert_string_equal(kit_node_of(w, "thief"), "");
    pass_seconds(w, 10);
    assert_string_equal(kit_node_of(w, "vip"), "a");
    assert_string_equal(kit_node_of(w, "thief"), "");
}

static void test_never(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod_cpu(w, "there", "3", "");
    settle(w);
    kit_pod_cpu(w, "p", "3", ",'priorityClassName':'polite'");
    settle(w);
    assert_false(going(w, "there"));
    assert_string_equal(kit_message(w, "p"),
                        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due "
                        "to preemptionPolicy=Never.");
}

/* Even without the others it would not fit. */
static void test_in_vain(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod_cpu(w, "there", "3", "");
    settle(w);
    kit_pod_cpu(w, "p", "9", HIGH);
    settle(w);
    assert_false(going(w, "there"));
    assert_string_equal(kit_message(w, "p"),
                        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 "
                        "Insufficient cpu.");
}

/* Of three nodes that one is taken where the least important pod has to go; small ones that are not in the way stay. */
static void test_least_harm(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_node(w, "b", "", "");
    kit_node(w, "c", "", "");
    kit_pod_cpu(w, "on-a", "3", ",'nodeName':'a','priorityClassName':'low'");
    kit_pod_cpu(w, "on-b", "3", ",'nodeName':'b'");
    kit_pod_cpu(w, "small-b", "500m", ",'nodeName':'b'");
    kit_pod_cpu(w, "on-c1", "2", ",'nodeName':'c'");
    kit_pod_cpu(w, "on-c2", "2", ",'nodeName':'c'");
    settle(w);
    kit_pod_cpu(w, "vip", "3", HIGH);
    settle(w);
    assert_true(going(w, "on-b"));
    assert_false(going(w, "small-b"));
    assert_false(going(w, "on-a"));
    assert_false(going(w, "on-c1"));
    assert_false(going(w, "on-c2"));
}

/* A budget that would be broken weighs more than anything else. */
static void test_budgets(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_node(w, "b", "", "");
    kit_pod_cpu(w, "kept", "3", ",'nodeName':'a'");
    kit_pod_cpu(w, "spent", "3", ",'nodeName':'b','priorityClassName':'low'");
    make(w,
         "{'apiVersion':'policy/v1','kind':'PodDisruptionBudget','metadata':{'name':'b','namespace':'default'},'spec'"
         ":{'minAvailable':1,'selector':{'matchLabels':{'app':'kept'}}}}");
    settle(w);
    kit_pod_cpu(w, "vip", "3", HIGH);
    settle(w);
    assert_true(going(w, "spent"));
    assert_false(going(w, "kept"));
}

/* Anti-affinity is a reason that sending the other away helps against. */
static void test_affinity(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod(w, "there", "'app':'x'", "");
    settle(w);
    kit_pod(w, "vip", "",
            HIGH ",'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'labelSelector':{"
                 "'matchLabels':{'app':'x'}},'topologyKey':'kubernetes.io/hostname'}]}}");
    settle(w);
    assert_true(going(w, "there"));
    assert_string_equal(text_at(w, RES.pods, "vip", "status.nominatedNodeName"), "a");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(test_makes_room), T(test_the_promise_holds), T(test_never),    T(test_in_vain),
        T(test_least_harm), T(test_budgets),           T(test_affinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A node that is no longer heard of, what its pods are told, and those that are collected when it is out of service. */
#include "unit/loop_world.h"

#include "controllers/controllers_int.h"

#define NODES RES.nodes
#define PODS  RES.pods
#define CONDITION(type, status)                                                                                        \
    "{'type':'" type "','status':'" status "','reason':'x','message':'x','lastTransitionTime':'2026-01-01T00:00:00Z'," \
    "'lastHeartbeatTime':'2026-01-01T00:00:00Z'}"

static int setup(void **state)
{
    static const struct loop_def *const loops[] = {&node_monitor_loop, &node_lifecycle_loop, &pod_gc_loop};
    struct loop_world *w = xcalloc(1, sizeof *w);
    world_open(w);
    world_account(w);
    world_start(w, loops, ARRAY_LEN(loops), NULL);
    make_node(w, "n1", NODE("n1", "", ""));
    change(w, NODES, "n1", "status", "status.conditions",
           "[" CONDITION("Ready", "True") "," CONDITION("DiskPressure", "False") "]");
    make(w, "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'n1','namespace':'kube-node-"
            "lease'},'spec':{'holderIdentity':'n1','renewTime':'2026-01-01T00:00:00.000000Z'}}");
    make(w, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'default'},'spec':{'nodeName':'n1',"
            "'containers':[{'name':'c','image':'busybox'}]}}");
    change(w, PODS, "p", "status", "status", "{'phase':'Running','conditions':[{'type':'Ready','status':'True'}]}");
    settle(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* "True", "Unknown", … of a condition of the node. */
static const char *condition_of(struct loop_world *w, const char *type)
{
    static char status[16];
    _auto_sobj_ struct sobj *node = get(w, NODES, "n1");
    snprintf(status, sizeof status, "%s", jstr_or(condition_get(node->tree, type), "status", ""));
    return status;
}

static int edit_renew(json_t *lease, void *arg, struct err *e)
{
    (void)e;
    jset_str(lease, "spec.renewTime", arg);
    return 1;
}

static void renew(struct loop_world *w, char *when)
{
    struct err e = ERR_INIT;
    assert_int_equal(reg_modify(w->registry, "test", RES.leases, "kube-node-lease", "n1", "", edit_renew, when, &e), 0);
    settle(w);
}

static void test_silence(void **state)
{
    struct loop_world *w = *state;
    pass_seconds(w, 40);
    renew(w, "2026-01-01T00:00:40.000000Z");
    pass_seconds(w, 49);
    assert_string_equal(condition_of(w, "Ready"), "True");
    pass_seconds(w, 5);
    assert_string_equal(condition_of(w, "Ready"), "Unknown");
    assert_string_equal(condition_of(w, "DiskPressure"), "Unknown");
    assert_event(w, "n1", "NodeNotReady", "Node n1 status is now: NodeNotReady");
    assert_event(w, "p", "NodeNotReady", "Node is not ready");
    assert_non_null(strstr(text_at(w, NODES, "n1", "spec.taints"), "node.kubernetes.io/unreachable"));
    _auto_sobj_ struct sobj *pod = get(w, PODS, "p");
    assert_false(pod_ready(pod->tree));
}

/* A whole machine that was held up has its heartbeat due at the same moment: it gets a second look. */
static void test_late_heartbeat(void **state)
{
    struct loop_world *w = *state;
    clock_fake_advance(&w->clock, 60 * SECOND);
    control_wake(w->control);
    settle(w);
    assert_string_equal(condition_of(w, "Ready"), "True");
    renew(w, "2026-01-01T00:01:00.000000Z");
    pass_seconds(w, 10);
    assert_string_equal(condition_of(w, "Ready"), "True");
}

static void test_out_of_service(void **state)
{
    struct loop_world *w = *state;
    pass_seconds(w, 55);
    delete_it(w, PODS, "p", NULL);
    settle(w);
    assert_string_equal(text_at(w, PODS, "p", "status.phase"), "Running"); /* nobody there ends it */
    change(w, NODES, "n1", "", "spec.taints",
           "[{'key':'node.kubernetes.io/out-of-service','value':'nodeshutdown','effect':'NoExecute'}]");
    settle(w);
    assert_string_equal(text_at(w, PODS, "p", "status.phase"), "(gone)");
}

/* Longer than most, but a name. */
#define LONG "a-node.of-a-name.that-is-as-long-as-names-of-nodes-may-well-be.in-a-domain.of-its-own.example.com"

static void test_long_name(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'v1','kind':'Node','metadata':{'name':'" LONG "'}}");
    change(w, NODES, LONG, "status", "status.conditions", "[" CONDITION("Ready", "True") "]");
    make(w, "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'" LONG
            "','namespace':'kube-node-lease'},'spec':{'renewTime':'2026-01-01T00:00:00.000000Z'}}");
    settle(w);
    pass_seconds(w, 30);
    change(w, NODES, LONG, "", "metadata.labels", "{'a':'b'}");
    pass_seconds(w, 25);
    assert_non_null(strstr(text_at(w, NODES, LONG, "spec.taints"), "node.kubernetes.io/unreachable"));
}

/* Seconds that are negative are none, and those of many centuries are no few. */
static void test_odd_tolerations(void **state)
{
    static const char *const rows[][2] = {{"less", "-5"}, {"most", "9223372036854775807"}};
    struct loop_world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make(w,
             "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'default'},'spec':{'nodeName':'n1',"
             "'tolerations':[{'key':'node.kubernetes.io/unreachable','operator':'Exists','effect':'NoExecute',"
             "'tolerationSeconds':%s}],'containers':[{'name':'c','image':'busybox'}]}}",
             rows[i][0], rows[i][1]);
    }
    settle(w);
    pass_seconds(w, 55);
    assert_string_not_equal(text_at(w, PODS, "less", "metadata.deletionTimestamp"), "");
    assert_string_equal(text_at(w, PODS, "most", "metadata.deletionTimestamp"), "");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_silence), T(test_late_heartbeat), T(test_out_of_service),
                                       T(test_long_name), T(test_odd_tolerations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

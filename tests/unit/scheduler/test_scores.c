/* Which of the nodes that would do is taken: one row a reason. */
#include "scheduler_kit.h"

#define PREF "preferredDuringSchedulingIgnoredDuringExecution"
#define ZONE "topology.kubernetes.io/zone"

static const struct {
    const char *name;
    const char *on_a, *on_b;   /* what the nodes' specs hold */
    const char *there;         /* spec of a pod "app=x" that is there already, or NULL */
    const char *spec, *expect; /* of the newcomer; its node */
} rows[] = {
    {"ties go to the first", "", "", NULL, "", "a"},
    {"the emptier", "", "", ",'nodeName':'a'", "", "b"},
    {"a taint to be avoided", "'taints':[{'key':'k','effect':'PreferNoSchedule'}]", "", NULL, "", "b"},
    {"a taint that is tolerated", "'taints':[{'key':'k','effect':'PreferNoSchedule'}]", "", NULL,
     ",'tolerations':[{'operator':'Exists'}]", "a"},
    {"a preferred label", "", "", NULL,
     ",'affinity':{'nodeAffinity':{'" PREF "':[{'weight':10,'preference':{'matchExpressions':[{'key':'" ZONE
     "','operator':'In','values':['z2']}]}}]}}",
     "b"},
    {"the heavier preference", "", "", NULL,
     ",'affinity':{'nodeAffinity':{'" PREF "':[{'weight':10,'preference':{'matchExpressions':[{'key':'" ZONE
     "','operator':'In','values':['z2']}]}},{'weight':20,'preference':{'matchExpressions':[{'key':'" ZONE
     "','operator':'In','values':['z1']}]}}]}}",
     "a"},
    {"liked company", "", "", ",'nodeName':'a'",
     ",'affinity':{'podAffinity':{'" PREF
     "':[{'weight':100,'podAffinityTerm':{'labelSelector':{'matchLabels':{'app':'x'}},'topologyKey':'" ZONE "'}}]}}",
     "a"},
    {"company not liked", "", "", ",'nodeName':'a'",
     ",'affinity':{'podAntiAffinity':{'" PREF
     "':[{'weight':100,'podAffinityTerm':{'labelSelector':{'matchLabels':{'app':'x'}},'topologyKey':'" ZONE "'}}]}}",
     "b"},
    {"even if possible", "", "", ",'nodeName':'a'",
     ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'" ZONE
     "','whenUnsatisfiable':'ScheduleAnyway','labelSelector':{'matchLabels':{'app':'x'}}}]",
     "b"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *w;
        kit_setup(&w);
        kit_node(w, "a", ",'" ZONE "':'z1'", rows[i].on_a);
        kit_node(w, "b", ",'" ZONE "':'z2'", rows[i].on_b);
        if (rows[i].there)
            kit_pod(w, "there", "'app':'x'", rows[i].there);
        settle(w);
        kit_pod(w, "p", "'app':'x'", rows[i].spec);
        settle(w);
        if (!str_eq(kit_node_of(w, "p"), rows[i].expect))
            fail_msg("%s: on \"%s\": %s", rows[i].name, kit_node_of(w, "p"), kit_message(w, "p"));
        kit_teardown(&w);
    }
}

static void test_image_is_there(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_node(w, "b", "", "");
    change(w, RES.nodes, "b", "status", "status.images", "[{'names':['i:latest'],'sizeBytes':900000000}]");
    settle(w);
    kit_pod(w, "p", "", "");
    settle(w);
    assert_string_equal(kit_node_of(w, "p"), "b");
}

/* Replicas of one service stand on different hosts although one node has much more room. */
static void test_replicas_spread_by_default(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_node(w, "b", "", "");
    make(w,
         "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s','namespace':'default'},'spec':{'selector':{'app':"
         "'x'},'ports':[{'port':80}]}}");
    kit_pod_cpu(w, "busy", "1", ",'nodeName':'b'");
    kit_pod(w, "one", "'app':'x'", "");
    settle(w);
    assert_string_equal(kit_node_of(w, "one"), "a");
    kit_pod(w, "two", "'app':'x'", "");
    settle(w);
    assert_string_equal(kit_node_of(w, "two"), "b");
}

/* What a selector counts on a node is remembered until one of its pods comes, goes, or says otherwise. */
static void test_counts_follow(void **state)
{
    struct loop_world *w = *state;
    static const char even[] = ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'kubernetes.io/hostname',"
                               "'whenUnsatisfiable':'ScheduleAnyway','labelSelector':{'matchLabels':{'app':'x'}}}]";
    kit_node(w, "a", "", "");
    kit_node(w, "b", "", "");
    kit_pod_cpu(w, "busy", "1", ",'nodeName':'a'"); /* nobody goes to a but for the counts */
    kit_pod(w, "on-a", "'app':'x'", ",'nodeName':'a'");
    settle(w);
    kit_pod(w, "one", "'app':'z'", even);
    settle(w);
    assert_string_equal(kit_node_of(w, "one"), "b");

    kit_pod(w, "on-b", "'app':'x'", ",'nodeName':'b'");
    change(w, RES.pods, "on-a", "status", "status.phase", "'Running'"); /* says nothing of who is there */
    change(w, RES.pods, "on-a", "", "metadata.labels", "{'app':'y'}");
    settle(w);
    kit_pod(w, "two", "'app':'z'", even);
    settle(w);
    assert_string_equal(kit_node_of(w, "two"), "a");

    change(w, RES.pods, "on-a", "", "metadata.labels", "{'app':'x'}");
    delete_it(w, RES.pods, "on-b", "Background"); /* it is going, and counts no more */
    settle(w);
    kit_pod(w, "three", "'app':'z'", even);
    settle(w);
    assert_string_equal(kit_node_of(w, "three"), "b");

    end_pod(w, "on-a");
    kit_pod(w, "on-b-too", "'app':'x'", ",'nodeName':'b'");
    settle(w);
    kit_pod(w, "four", "'app':'z'", even);
    settle(w);
    assert_string_equal(kit_node_of(w, "four"), "a");
}

/* In a big cluster not all nodes are asked, and the next search begins where the last one ended. */
static void test_many_nodes(void **state)
{
    struct loop_world *w = *state;
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%03d", i);
        kit_node(w, name, "", "");
    }
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%02d", i);
        kit_pod_cpu(w, name, "3", "");
    }
    settle(w);
    for (int i = 1; i < 30; i++) {
        char name[16], before[16];
        snprintf(name, sizeof name, "p%02d", i);
        snprintf(before, sizeof before, "p%02d", i - 1);
        assert_string_not_equal(kit_node_of(w, name), "");
        assert_string_not_equal(kit_node_of(w, name), kit_node_of(w, before));
    }
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), T(test_image_is_there), T(test_replicas_spread_by_default),
        T(test_counts_follow),       T(test_many_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

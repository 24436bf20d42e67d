/* Where pods go, and what they are told when they cannot. */
#include "unit/loop_world.h"

#include "scheduler/explain.h"
#include "scheduler/scheduler.h"

static int setup(void **state)
{
    struct loop_world *w = xcalloc(1, sizeof *w);
    size_t n;
    world_open(w);
    world_account(w);
    const struct loop_def *const *loops = scheduler_loops(&n);
    world_start(w, loops, n, NULL);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* A pod that was refused comes again ten seconds later at most, if something that matters changed. */
static void try_again(struct loop_world *w)
{
    pass_seconds(w, 10);
}

#define TAINTED    "'taints':[{'key':'node-role.kubernetes.io/control-plane','effect':'NoSchedule'}]"
#define PREEMPT(n) "preemption: 0/" n " nodes are available: "
#define HOPELESS   " Preemption is not helpful for scheduling."

static const char *node_of(struct loop_world *w, const char *pod)
{
    return text_at(w, RES.pods, pod, "spec.nodeName");
}

static void assert_unschedulable(struct loop_world *w, const char *pod, const char *message)
{
    assert_event(w, pod, "FailedScheduling", message);
    _auto_sobj_ struct sobj *o = get(w, RES.pods, pod);
    const json_t *cond = condition_get(o->tree, "PodScheduled");
    assert_string_equal(jstr(cond, "status"), "False");
    assert_string_equal(jstr(cond, "reason"), "Unschedulable");
    assert_string_equal(jstr(cond, "message"), message);
    _auto_json_ json_t *told = scheduler_explain(w->registry, o->tree); /* it says what was done */
    assert_string_equal(jstr(told, "message"), message);
}

static void test_binds(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "controlplane", NODE("controlplane", "", TAINTED));
    make_node(w, "node01", NODE("node01", "", ""));
    make(w, POD("p", ""));
    settle(w);
    assert_string_equal(node_of(w, "p"), "node01");
    assert_event(w, "p", "Scheduled", "Successfully assigned default/p to node01");
    _auto_sobj_ struct sobj *pod = get(w, RES.pods, "p");
    assert_true(condition_true(pod->tree, "PodScheduled"));
}

static void test_spreads(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make_node(w, "n2", NODE("n2", "", ""));
    make(w, POD("a", ""));
    settle(w);
    make(w, POD("b", ""));
    settle(w);
    assert_string_not_equal(node_of(w, "a"), node_of(w, "b"));
}

static void test_texts(void **state)
{
    struct loop_world *w = *state;
    make(w, POD("none", ""));
    settle(w);
    assert_unschedulable(w, "none", "no nodes available to schedule pods");
    make_node(w, "n1", NODE("n1", "", "'unschedulable':true"));
    make_node(w, "n2", NODE("n2", "", "'taints':[{'key':'k','value':'v','effect':'NoSchedule'}]"));
    try_again(w);
    assert_unschedulable(
        w, "none",
        "0/2 nodes are available: 1 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable. " PREEMPT(
            "2") "2" HOPELESS);
    change(w, RES.nodes, "n2", "", "spec.taints",
           NULL); /* a change of the cluster brings waiting pods another attempt */
    try_again(w);
    assert_string_equal(node_of(w, "none"), "n2");

    make(w, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'cpu','namespace':'default'},'spec':{'containers':[{'"
            "name':'c',"
            "'image':'i','resources':{'requests':{'cpu':'100'}}}]}}");
    make(w, POD("sel", ",'nodeSelector':{'disk':'ssd'}"));
    make(w, POD_WITH_CLAIM("claim", "nosuch", ""));
    settle(w);
    assert_unschedulable(w, "cpu",
                         "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. " PREEMPT(
                             "2") "1 No preemption victims found for incoming pod, 1" HOPELESS);
    assert_unschedulable(w, "sel",
                         "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were "
                         "unschedulable. " PREEMPT("2") "2" HOPELESS);
    assert_unschedulable(
        w, "claim", "0/2 nodes are available: persistentvolumeclaim \"nosuch\" not found. " PREEMPT("2") "2" HOPELESS);
}

static void test_ports_and_affinity(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make(w,
         "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a','namespace':'default','labels':{'app':'x'}},'spec':{"
         "'containers':[{'name':'c','image':'i','ports':[{'containerPort':80,'hostPort':80}]}]}}");
    settle(w);
    make(w, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'b','namespace':'default'},'spec':{'containers':[{'"
            "name':'c',"
            "'image':'i','ports':[{'containerPort':80,'hostPort':80}]}]}}");
    make(w, POD("far",
                ",'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'labelSelector':{"
                "'matchLabels':{'app':'x'}},'topologyKey':'kubernetes.io/hostname'}]}}"));
    make(w,
         POD("near", ",'affinity':{'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'labelSelector':{"
                     "'matchLabels':{'app':'x'}},'topologyKey':'kubernetes.io/hostname'}]}}"));
    settle(w);
    assert_unschedulable(
        w, "b",
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. " PREEMPT(
            "1") "1 No preemption victims found for incoming pod.");
    assert_unschedulable(w, "far",
                         "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. " PREEMPT(
                             "1") "1 No preemption victims found for incoming pod.");
    assert_string_equal(node_of(w, "near"), "n1");
}

#define WAITING_CLASS(provisioner)                                                                                     \
    "{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass','metadata':{'name':'w'},'provisioner':'" provisioner      \
    "','volumeBindingMode':'WaitForFirstConsumer'}"
#define ON_NODE(n)                                                                                                     \
    ",'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'kubernetes.io/hostname',"          \
    "'operator':'In','values':['" n "']}]}]}}"

static void test_static_volume_decides(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make_node(w, "n2", NODE("n2", "", ""));
    make(w, WAITING_CLASS("kubernetes.io/no-provisioner"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'w'"));
    make(w, POD_WITH_CLAIM("p", "c", ""));
    settle(w);
    assert_unschedulable(
        w, "p",
        "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind. " PREEMPT(
            "2") "2" HOPELESS);
    make(w, VOLUME("local", "2Gi", ",'storageClassName':'w','local':{'path':'/mnt'}" ON_NODE("n2")));
    change(w, RES.persistentvolumes, "local", "status", "status.phase", "'Available'");
    try_again(w);
    assert_string_equal(text_at(w, RES.persistentvolumes, "local", "spec.claimRef.name"), "c");
    assert_string_equal(node_of(w, "p"), ""); /* waits until the binder has done its part */
    change(w, RES.persistentvolumes, "local", "status", "status.phase", "'Bound'");
    change(w, RES.persistentvolumeclaims, "c", "", "spec.volumeName", "'local'");
    change(w, RES.persistentvolumeclaims, "c", "", "metadata.annotations", "{'pv.kubernetes.io/bind-completed':'yes'}");
    change(w, RES.persistentvolumeclaims, "c", "status", "status.phase", "'Bound'");
    settle(w);
    assert_string_equal(node_of(w, "p"), "n2");
}

static void test_dynamic_volume_is_told_its_node(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make(w, WAITING_CLASS("ebs.csi.aws.com"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'w'"));
    make(w, POD_WITH_CLAIM("p", "c", ""));
    settle(w);
    assert_string_equal(annotation(w, RES.persistentvolumeclaims, "c", "volume.kubernetes.io/selected-node"), "n1");
    assert_string_equal(node_of(w, "p"), "");
}

static void test_claim_texts(void **state)
{
    static const struct {
        const char *status; /* of the claim */
        const char *why;
    } rows[] = {
        {"{'phase':'Pending'}", "pod has unbound immediate PersistentVolumeClaims"},
        {"{'phase':'Lost'}", "persistentvolumeclaim \"c\" bound to non-existent persistentvolume \"\""},
    };
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'now'"));
    make(w, POD_WITH_CLAIM("p", "c", ""));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        change(w, RES.persistentvolumeclaims, "c", "status", "status", rows[i].status);
        try_again(w);
        snprintf(text, sizeof text, "0/1 nodes are available: %s. " PREEMPT("1") "1" HOPELESS, rows[i].why);
        assert_unschedulable(w, "p", text);
    }
}

static void test_conflict_and_zone(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make(w, VOLUME("v", "1Gi", ",'hostPath':{'path':'/v'}" ON_NODE("n9")));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'','volumeName':'v'"));
    change(w, RES.persistentvolumeclaims, "c", "", "metadata.annotations", "{'pv.kubernetes.io/bind-completed':'yes'}");
    change(w, RES.persistentvolumeclaims, "c", "status", "status.phase", "'Bound'");
    make(w, POD_WITH_CLAIM("p", "c", ""));
    settle(w);
    assert_unschedulable(
        w, "p", "0/1 nodes are available: 1 node(s) had volume node affinity conflict. " PREEMPT("1") "1" HOPELESS);

    /* A node without zone labels takes volumes of any zone, one with another zone does not. */
    change(w, RES.nodes, "n1", "", "metadata.labels", "{'topology.kubernetes.io/zone':'us-east-1b'}");
    make(w, VOLUME("z", "1Gi", ",'hostPath':{'path':'/v'}"));
    change(w, RES.persistentvolumes, "z", "", "metadata.labels", "{'topology.kubernetes.io/zone':'us-east-1a'}");
    make(w, CLAIM("d", "1Gi", ",'storageClassName':'','volumeName':'z'"));
    change(w, RES.persistentvolumeclaims, "d", "", "metadata.annotations", "{'pv.kubernetes.io/bind-completed':'yes'}");
    change(w, RES.persistentvolumeclaims, "d", "status", "status.phase", "'Bound'");
    make(w, POD_WITH_CLAIM("q", "d", ""));
    settle(w);
    assert_unschedulable(w, "q",
                         "0/1 nodes are available: 1 node(s) had no available volume zone. " PREEMPT("1") "1" HOPELESS);
    change(w, RES.nodes, "n1", "", "metadata.labels", "{'topology.kubernetes.io/zone':'us-east-1a'}");
    try_again(w);
    assert_string_equal(node_of(w, "q"), "n1");
}

/* Where a driver says how much room it has, a claim goes where there is enough; where the class names topologies, only
 * there. */
static void test_room_and_topology(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'CSIDriver','metadata':{'name':'d.io'},'spec':{"
            "'storageCapacity':true}}");
    make(w, WAITING_CLASS("d.io"));
    make(w, CLAIM("c", "5Gi", ",'storageClassName':'w'"));
    make(w, POD_WITH_CLAIM("p", "c", ""));
    settle(w);
    assert_unschedulable(
        w, "p", "0/1 nodes are available: 1 node(s) did not have enough free storage. " PREEMPT("1") "1" HOPELESS);
    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'CSIStorageCapacity','metadata':{'name':'here','namespace':"
            "'default'},'storageClassName':'w','nodeTopology':{},'capacity':'100Gi','maximumVolumeSize':'4Gi'}");
    try_again(w);
    assert_string_equal(annotation(w, RES.persistentvolumeclaims, "c", "volume.kubernetes.io/selected-node"), "");
    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'CSIStorageCapacity','metadata':{'name':'more','namespace':"
            "'default'},'storageClassName':'w','nodeTopology':{'matchLabels':{'kubernetes.io/hostname':'n1'}},"
            "'capacity':'5Gi'}");
    try_again(w);
    assert_string_equal(annotation(w, RES.persistentvolumeclaims, "c", "volume.kubernetes.io/selected-node"), "n1");

    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass','metadata':{'name':'far'},'provisioner':'e.io',"
            "'volumeBindingMode':'WaitForFirstConsumer','allowedTopologies':[{'matchLabelExpressions':[{'key':"
            "'topology.kubernetes.io/zone','values':['elsewhere']}]}]}");
    make(w, CLAIM("f", "1Gi", ",'storageClassName':'far'"));
    make(w, POD_WITH_CLAIM("q", "f", ""));
    settle(w);
    assert_unschedulable(
        w, "q",
        "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind. " PREEMPT(
            "1") "1" HOPELESS);
}

static void test_exclusive_claim(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make(w, "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'v'},'spec':{'accessModes':['"
            "ReadWriteOncePod'],"
            "'capacity':{'storage':'1Gi'},'csi':{'driver':'d.io','volumeHandle':'h'}}}");
    make(
        w,
        "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'c','namespace':'default','annotations':{"
        "'pv.kubernetes.io/bind-completed':'yes'}},'spec':{'accessModes':['ReadWriteOncePod'],'storageClassName':'',"
        "'volumeName':'v','resources':{'requests':{'storage':'1Gi'}}}}");
    change(w, RES.persistentvolumeclaims, "c", "status", "status.phase", "'Bound'");
    make(w, POD_WITH_CLAIM("a", "c", ""));
    settle(w);
    assert_string_equal(node_of(w, "a"), "n1");
    make(w, POD_WITH_CLAIM("b", "c", ""));
    settle(w);
    assert_unschedulable(
        w, "b",
        "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and "
        "ReadWriteOncePod access mode. " PREEMPT("1") "1 No preemption victims found for incoming pod.");
    end_pod(w, "a");
    try_again(w);
    assert_string_equal(node_of(w, "b"), "n1");
}

static void test_others_pods_are_left_alone(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make(w, POD("gated", ",'schedulingGates':[{'name':'x.io/g'}]"));
    make(w, POD("foreign", ",'schedulerName':'mine'"));
    settle(w);
    assert_string_equal(node_of(w, "gated"), "");
    assert_string_equal(node_of(w, "foreign"), "");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_binds),
        T(test_spreads),
        T(test_texts),
        T(test_ports_and_affinity),
        T(test_static_volume_decides),
        T(test_dynamic_volume_is_told_its_node),
        T(test_claim_texts),
        T(test_conflict_and_zone),
        T(test_room_and_topology),
        T(test_exclusive_claim),
        T(test_others_pods_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

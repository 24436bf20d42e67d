/* Pods that name disks themselves: one a node and disk, and they count for the driver's limit. */
#include "unit/loop_world.h"

#include "scheduler/scheduler.h"

static int setup(void **state)
{
    struct loop_world *w = xcalloc(1, sizeof *w);
    size_t n;
    world_open(w);
    world_account(w);
    const struct loop_def *const *loops = scheduler_loops(&n);
    world_start(w, loops, n, NULL);
    make_node(w, "n1", NODE("n1", "", ""));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

#define EBS(name, id) POD(name, ",'volumes':[{'name':'v','awsElasticBlockStore':{'volumeID':'" id "'}}]")
#define NO_VICTIMS    " preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."

static void test_same_disk(void **state)
{
    struct loop_world *w = *state;
    make(w, EBS("a", "vol-1"));
    make(w, EBS("other", "vol-2"));
    settle(w);
    make(w, EBS("b", "vol-1"));
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "a", "spec.nodeName"), "n1");
    assert_string_equal(text_at(w, RES.pods, "other", "spec.nodeName"), "n1");
    assert_event(w, "b", "FailedScheduling", "0/1 nodes are available: 1 node(s) had no available disk." NO_VICTIMS);
    end_pod(w, "a");
    pass_seconds(w, 10); /* its back-off */
    assert_string_equal(text_at(w, RES.pods, "b", "spec.nodeName"), "n1");
}

static void test_they_count(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'CSINode','metadata':{'name':'n1'},'spec':{'drivers':[{'name':"
            "'ebs.csi.aws.com','nodeID':'i-1','topologyKeys':[],'allocatable':{'count':1}}]}}");
    make(w, EBS("a", "aws://us-east-1a/vol-1"));
    settle(w);
    make(w, EBS("b", "vol-2"));
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "a", "spec.nodeName"), "n1");
    assert_event(w, "b", "FailedScheduling", "0/1 nodes are available: 1 node(s) exceed max volume count." NO_VICTIMS);
    make(w, EBS("c", "vol-1")); /* the same disk counts once */
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "c", "spec.nodeName"), "n1");
}

/* A disk counts until it is off the node. */
static void test_attached_counts(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'CSINode','metadata':{'name':'n1'},'spec':{'drivers':[{'name':"
            "'ebs.csi.aws.com','nodeID':'i-1','topologyKeys':[],'allocatable':{'count':1}}]}}");
    make(w, VOLUME("old", "1Gi", ",'csi':{'driver':'ebs.csi.aws.com','volumeHandle':'vol-1'}"));
    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'VolumeAttachment','metadata':{'name':'va'},'spec':{'attacher':"
            "'ebs.csi.aws.com','nodeName':'n1','source':{'persistentVolumeName':'old'}}}");
    make(w, EBS("same", "vol-1"));
    make(w, EBS("b", "vol-2"));
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "same", "spec.nodeName"), "n1");
    end_pod(w, "same");
    pass_seconds(w, 10);
    assert_event(w, "b", "FailedScheduling", "0/1 nodes are available: 1 node(s) exceed max volume count." NO_VICTIMS);
    assert_string_equal(text_at(w, RES.pods, "b", "spec.nodeName"), "");
    delete_it(w, RES.volumeattachments, "va", NULL);
    pass_seconds(w, 10);
    assert_string_equal(text_at(w, RES.pods, "b", "spec.nodeName"), "n1");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_same_disk), T(test_they_count), T(test_attached_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

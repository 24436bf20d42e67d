/* When a waiting pod is tried: order, back-off, what wakes it, what does not. */
#include "scheduler_kit.h"

#include "scheduler/queue_int.h"

/* How often the scheduler has said that the pod cannot be placed. */
static int64_t refusals(struct loop_world *w, const char *pod)
{
    _auto_objlist_ struct objlist all = {0};
    int64_t n = 0;
    objlist_load(&all, w->registry, RES.events->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "involvedObject.name"), pod) &&
            str_eq(jstr(all.trees[i], "reason"), "FailedScheduling"))
            n += jint(all.trees[i], "series.count", 1);
    return n;
}

static void test_priority_first(void **state)
{
    struct loop_world *w = *state;
    kit_class(w, "high", 1000, "");
    kit_pod_cpu(w, "low", "3", "");
    kit_pod_cpu(w, "high", "3", ",'priorityClassName':'high'");
    kit_node(w, "a", "", "");
    settle(w);
    assert_string_equal(kit_node_of(w, "high"), "a");
    assert_string_equal(kit_node_of(w, "low"), "");
}

/* One second after the first failure, two after the second, ten at most; not before, whatever happens. */
static void test_backoff(void **state)
{
    static const int waits[] = {1, 2, 4, 8, 10, 10};
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod_cpu(w, "p", "9", "");
    settle(w);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        char cpu[16];
        int64_t before = refusals(w, "p");
        snprintf(cpu, sizeof cpu, "{'a.io/x':'%zu'}", i);
        change(w, RES.pods, "p", "", "metadata.annotations", cpu); /* an edit of its own wakes it */
        pass_seconds(w, waits[i] - 1);
        assert_int_equal(refusals(w, "p"), before);
        pass_seconds(w, 1);
        assert_true(refusals(w, "p") > before || i > 0); /* later ones may be counted in a series */
    }
    change(w, RES.nodes, "a", "status", "status.allocatable.cpu", "'10'");
    pass_seconds(w, 10);
    assert_string_equal(kit_node_of(w, "p"), "a");
}

/* What cannot help does not wake it; five minutes do. */
static void test_only_what_helps(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod(w, "p", "", ",'nodeSelector':{'disk':'ssd'}");
    settle(w);
    int64_t before = refusals(w, "p");
    kit_pod(w, "other", "", "");
    settle(w);
    end_pod(w, "other");
    change(w, RES.nodes, "a", "status", "status.allocatable.cpu", "'8'");
    pass_seconds(w, 60);
    assert_int_equal(refusals(w, "p"), before);
    pass_seconds(w, 241);
    assert_true(refusals(w, "p") > before);
    change(w, RES.nodes, "a", "", "metadata.labels.disk", "'ssd'");
    pass_seconds(w, 10);
    assert_string_equal(kit_node_of(w, "p"), "a");
}

static void test_gates(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod(w, "p", "", ",'schedulingGates':[{'name':'x.io/one'},{'name':'x.io/two'}]");
    pass_seconds(w, 20);
    assert_string_equal(kit_node_of(w, "p"), "");
    _auto_sobj_ struct sobj *gated = get(w, RES.pods, "p");
    assert_string_equal(jstr(condition_get(gated->tree, "PodScheduled"), "reason"), "SchedulingGated");
    assert_int_equal(refusals(w, "p"), 0);
    change(w, RES.pods, "p", "", "spec.schedulingGates", "[{'name':'x.io/two'}]");
    settle(w);
    assert_string_equal(kit_node_of(w, "p"), "");
    change(w, RES.pods, "p", "", "spec.schedulingGates", NULL);
    settle(w);
    assert_string_equal(kit_node_of(w, "p"), "a");
}

/* Two pods that fit only one at a time: what was bound counts at once, what ended no more. */
static void test_room_is_counted_at_once(void **state)
{
    struct loop_world *w = *state;
    kit_node(w, "a", "", "");
    kit_pod_cpu(w, "one", "3", "");
    kit_pod_cpu(w, "two", "3", "");
    settle(w);
    assert_int_equal((*kit_node_of(w, "one") != 0) + (*kit_node_of(w, "two") != 0), 1);
    change(w, RES.pods, "one", "status", "status.phase", "'Succeeded'");
    pass_seconds(w, 2);
    assert_string_equal(kit_node_of(w, "two"), "a");
}

/* A pod is on a node before its node is known, and the node goes and comes while it runs. */
static void test_nodes_come_and_go(void **state)
{
    struct loop_world *w = *state;
    kit_pod_cpu(w, "early", "3", ",'nodeName':'a'");
    settle(w);
    kit_node(w, "a", "", "");
    kit_pod_cpu(w, "late", "3", "");
    settle(w);
    assert_string_equal(kit_node_of(w, "late"), "");
    delete_it(w, RES.nodes, "a", NULL);
    settle(w);
    kit_node(w, "a", "", "");
    pass_seconds(w, 10);
    assert_string_equal(kit_node_of(w, "late"), "");
    end_pod(w, "early");
    pass_seconds(w, 10);
    assert_string_equal(kit_node_of(w, "late"), "a");
}

/* A binding fails while an event (here an edit) has brought the pod back. */
static void test_fails_when_it_is_back(void **state)
{
    struct loop_world *w = *state;
    bool fresh;
    kit_pod(w, "p", "", ",'nodeSelector':{'disk':'ssd'}");
    _auto_sobj_ struct sobj *pod = reg_read(w->registry, RES.pods, "default", "p");
    struct queue *q = queue_new();
    struct queued *p = queue_offer(q, pod, 0, &fresh);
    assert_ptr_equal(queue_pop(q), p);
    queue_waits(q, p, 1000);
    queue_wake(q, p, 1000);
    queue_failed(q, p, 1000);
    assert_ptr_equal(queue_pop(q), p);
    queue_failed(q, p, 1000);
    assert_null(queue_pop(q));
    queue_free(q);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        T(test_priority_first),          T(test_backoff),           T(test_only_what_helps),       T(test_gates),
        T(test_room_is_counted_at_once), T(test_nodes_come_and_go), T(test_fails_when_it_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What containers use: CPU is counted by the machine's time, whatever the cluster's clock does meanwhile. */
#include "unit/kubeletsim/kubelet_kit.h"

#include "registry/node_ops.h"

#define SECOND INT64_C(1000000000)

/* What the machine tells next. */
static struct container_use told;

static int usage(struct machine *m, const char *node, const char *const *ids, size_t count, struct container_use *out,
                 struct err *e)
{
    (void)m;
    (void)node;
    (void)ids;
    (void)e;
    for (size_t i = 0; i < count; i++)
        out[i] = told;
    return 0;
}

/* Both clocks and the CPU time go on, the next measurement is made: how many thousandths of a core does it show? */
static int64_t milli_cores(struct kit *kit, int64_t cluster_s, int64_t machine_ns, int64_t cpu_ns)
{
    struct err e = ERR_INIT;
    json_t *summary = NULL;
    told.at_ns += machine_ns;
    told.cpu_ns += cpu_ns;
    pass_seconds(&kit->w, cluster_s);
    assert_int_equal(kubelet_node_ops()->usage(kit->kubelet, FIRST_NODE, &summary, &e), 0);
    const json_t *pod = json_array_get(json_object_get(summary, "pods"), 0);
    int64_t nano = jint(json_array_get(json_object_get(pod, "containers"), 0), "cpu.usageNanoCores", -1);
    json_decref(summary);
    return nano / 1000000;
}

static void test_rates(void **state)
{
    struct kit *kit = *state;
    kit->ops.container_usage = usage;
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    milli_cores(kit, 15, 15 * SECOND, 0);
    assert_int_equal(milli_cores(kit, 10, 10 * SECOND, 5 * SECOND), 500);
    assert_int_equal(milli_cores(kit, 600, 2 * SECOND, SECOND), 500);        /* the cluster's clock is moved */
    assert_int_equal(milli_cores(kit, 10, SECOND / 100, SECOND / 200), 500); /* too short to tell */
    assert_int_equal(milli_cores(kit, 10, SECOND - SECOND / 100, 0), 5);     /* but it counts with what follows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_rates, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

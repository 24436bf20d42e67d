/* A node that is switched off says nothing and holds nothing; switched on it goes on where its objects are. */
#include "unit/kubeletsim/kubelet_kit.h"

#include <pthread.h>

#define LEASE        "kube-node-lease"
#define NODES_OF_KIT 2

static const char *renewed(struct kit *kit)
{
    static char text[64];
    _auto_sobj_ struct sobj *lease = reg_read(kit->w.registry, RES.leases, LEASE, FIRST_NODE);
    snprintf(text, sizeof text, "%s", lease ? jstr_or(lease->tree, "spec.renewTime", "") : "");
    return text;
}

static void test_off_and_on(void **state)
{
    struct kit *kit = *state;
    struct err e = ERR_INIT;
    struct fake_counts left;
    char before[64], rebooted[128];
    make(&kit->w, POD_ON_NODE("p", "", ",'automountServiceAccountToken':false"));
    make(&kit->w, POD_ON_NODE("q", "", ",'automountServiceAccountToken':false"));
    expect_text(kit, "p", "status.phase", "Running");
    assert_int_equal(kubelet_node_power(kit->kubelet, FIRST_NODE, false, NULL, NULL, &e), 0);
    assert_int_equal(kubelet_node_power(kit->kubelet, FIRST_NODE, false, NULL, NULL, &e), 0);
    settle(&kit->w);
    machine_fake_count(kit->machine, &left);
    assert_int_equal(left.containers, 0);
    snprintf(before, sizeof before, "%s", renewed(kit));
    delete_it(&kit->w, PODS, "q", NULL);
    pass_seconds(&kit->w, 60);
    assert_string_equal(renewed(kit), before);
    assert_string_equal(phase(kit, "p"), "Running"); /* nobody has told otherwise */
    assert_string_equal(phase(kit, "q"), "Running");
    make(&kit->w, POD_ON_NODE("later", "", ",'automountServiceAccountToken':false"));
    settle(&kit->w);
    assert_string_equal(phase(kit, "later"), "Pending");

    assert_int_equal(kubelet_node_power(kit->kubelet, FIRST_NODE, true, NULL, NULL, &e), 0);
    settle(&kit->w);
    assert_string_not_equal(renewed(kit), before);
    snprintf(rebooted, sizeof rebooted, "Node " FIRST_NODE " has been rebooted, boot id: %s",
             text_at(&kit->w, RES.nodes, FIRST_NODE, "status.nodeInfo.bootID"));
    assert_event(&kit->w, FIRST_NODE, "Rebooted", rebooted);
    pass_seconds(&kit->w, 40);
    expect_cs(kit, "p", "c", "restartCount", "1");
    expect_text(kit, "later", "status.phase", "Running");
    expect_gone(kit, "q");
    assert_int_equal(kubelet_node_power(kit->kubelet, "nosuch", true, NULL, NULL, &e), -1);
}

/* ---- restarts ---- */

#define SECOND_NODE "node01"

struct asker {
    struct kit *kit;
    bool was_on, switched_off;
};

static void *ask(void *arg)
{
    struct asker *a = arg;
    struct err e = ERR_INIT;
    a->was_on = kubelet_node_await(a->kit->kubelet, SECOND_NODE, &e) == 0 && kubelet_node_is_on(a->kit->kubelet, 1);
    return NULL;
}

static void *ask_off(void *arg)
{
    struct asker *a = arg;
    struct err e = ERR_INIT;
    a->switched_off = kubelet_node_power(a->kit->kubelet, SECOND_NODE, false, NULL, NULL, &e) == 0;
    return NULL;
}

/* Before the nodes speak again: a disk of the first is attached nowhere. */
static int disk_is_free(void *arg, struct err *e)
{
    struct kit *kit = arg;
    struct disk_info disk;
    assert_int_equal(kit->fake_ops->disk_info(kit->machine, "vol-1", &disk, e), 0);
    assert_string_equal(disk.node, "");
    assert_false(kubelet_node_is_on(kit->kubelet, 1));
    return kit->fake_ops->disk_attach(kit->machine, "vol-1", FIRST_NODE, "/dev/xvdba", 0, e);
}

/* Both nodes, while another thread wants something of the second. */
static void restart_beside(struct kit *kit, void *(*other)(void *), struct asker *asker)
{
    struct err e = ERR_INIT;
    const bool both[NODES_OF_KIT] = {true, true};
    pthread_t thread;
    assert_int_equal(kubelet_restart_begin(kit->kubelet, both, &e), 0);
    assert_false(kubelet_node_is_on(kit->kubelet, 1));
    assert_int_equal(pthread_create(&thread, NULL, other, asker), 0);
    assert_int_equal(kubelet_restart_end(kit->kubelet, both, disk_is_free, kit, &e), 0);
    pthread_join(thread, NULL);
}

static void test_restart(void **state)
{
    struct kit *kit = *state;
    struct err e = ERR_INIT;
    struct asker asker = {.kit = kit};
    assert_int_equal(kit->fake_ops->disk_create(kit->machine, "vol-1", 1 << 30, &e), 0);
    assert_int_equal(kit->fake_ops->disk_attach(kit->machine, "vol-1", FIRST_NODE, "/dev/xvdba", 0, &e), 0);
    assert_int_equal(kubelet_node_await(kit->kubelet, SECOND_NODE, &e), 0); /* none is under way */
    restart_beside(kit, ask, &asker);
    assert_true(asker.was_on);
    restart_beside(kit, ask_off, &asker);
    assert_true(asker.switched_off);
    assert_false(kubelet_node_is_on(kit->kubelet, 1));
    assert_true(kubelet_node_is_on(kit->kubelet, 0));
}

static int no_start(struct machine *m, const struct node_spec *spec, struct err *e)
{
    (void)m;
    return err_set(e, ERR_SYS, "no disk in %s", spec->name);
}

static void test_does_not_come_on(void **state)
{
    struct kit *kit = *state;
    struct err e = ERR_INIT;
    const bool second[NODES_OF_KIT] = {false, true};
    int (*start)(struct machine *, const struct node_spec *, struct err *) = kit->ops.node_start;
    assert_int_equal(kubelet_restart_begin(kit->kubelet, second, &e), 0);
    kit->ops.node_start = no_start;
    assert_int_equal(kubelet_restart_end(kit->kubelet, second, NULL, NULL, &e), -1);
    err_clear(&e);
    assert_int_equal(kubelet_node_await(kit->kubelet, SECOND_NODE, &e), -1);
    assert_string_equal(e.msg, "node node01 is off: no disk in node01");
    err_clear(&e);
    assert_int_equal(kubelet_node_await(kit->kubelet, FIRST_NODE, &e), 0);
    kit->ops.node_start = start;
    assert_int_equal(kubelet_node_power(kit->kubelet, SECOND_NODE, true, NULL, NULL, &e), 0);
    assert_int_equal(kubelet_node_await(kit->kubelet, SECOND_NODE, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_off_and_on, kit_setup, kit_teardown),
                                       cmocka_unit_test_setup_teardown(test_restart, kit_setup, kit_teardown),
                                       cmocka_unit_test_setup_teardown(test_does_not_come_on, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

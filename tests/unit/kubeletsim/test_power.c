/* A node that is switched off says nothing and holds nothing; switched on it goes on where its objects are. */
#include "unit/kubeletsim/kubelet_kit.h"

#define LEASE "kube-node-lease"

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
    assert_int_equal(kubelet_node_power(kit->kubelet, FIRST_NODE, false, &e), 0);
    assert_int_equal(kubelet_node_power(kit->kubelet, FIRST_NODE, false, &e), 0);
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

    assert_int_equal(kubelet_node_power(kit->kubelet, FIRST_NODE, true, &e), 0);
    settle(&kit->w);
    assert_string_not_equal(renewed(kit), before);
    snprintf(rebooted, sizeof rebooted, "Node " FIRST_NODE " has been rebooted, boot id: %s",
             text_at(&kit->w, RES.nodes, FIRST_NODE, "status.nodeInfo.bootID"));
    assert_event(&kit->w, FIRST_NODE, "Rebooted", rebooted);
    pass_seconds(&kit->w, 40);
    expect_cs(kit, "p", "c", "restartCount", "1");
    expect_text(kit, "later", "status.phase", "Running");
    expect_gone(kit, "q");
    assert_int_equal(kubelet_node_power(kit->kubelet, "nosuch", true, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_off_and_on, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

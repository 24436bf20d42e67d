/* test_disruption.c - what a disruption budget allows, as its controller counts it. */
#include "unit/loop_world.h"

#include "controllers/controllers.h"

static struct controllers_env env = {.ca_pem = "CERT"};

static int setup(void **state)
{
    struct loop_world *w = xcalloc(1, sizeof *w);
    size_t n;
    world_open(w);
    const struct loop_def *const *loops = controllers_loops(&n);
    world_start(w, loops, n, &env);
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

#define BUDGET(bounds)                                                                                                 \
    "{'apiVersion':'policy/v1','kind':'PodDisruptionBudget','metadata':{'name':'pdb','namespace':'default'},'spec':{"  \
    "'selector':{'matchLabels':{'app':'web'}}," bounds "}}"
#define WEB                                                                                                            \
    "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','namespace':'default'},'spec':{'replicas':3" \
    ",'selector':{'matchLabels':{'app':'web'}},'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[" \
    "{'name':'c','image':'nginx'}]}}}}"
#define READY(state) "[{'type':'Ready','status':'" state "','lastTransitionTime':'2026-01-01T00:00:00Z'}]"
#define PDB          RES.poddisruptionbudgets

/* The condition Ready of all pods, as a kubelet would say it. */
static void all_ready(struct loop_world *w, const char *conditions)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, "pods", "default");
    for (size_t i = 0; i < pods.len; i++)
        change(w, RES.pods, pods.items[i]->name, "status", "status.conditions", conditions);
    settle(w);
}

static void assert_status(struct loop_world *w, const char *allowed, const char *healthy, const char *desired,
                          const char *expected)
{
    assert_string_equal(text_at(w, PDB, "pdb", "status.disruptionsAllowed"), allowed);
    assert_string_equal(text_at(w, PDB, "pdb", "status.currentHealthy"), healthy);
    assert_string_equal(text_at(w, PDB, "pdb", "status.desiredHealthy"), desired);
    assert_string_equal(text_at(w, PDB, "pdb", "status.expectedPods"), expected);
    assert_string_equal(text_at(w, PDB, "pdb", "status.observedGeneration"), "1");
}

static void assert_allowed(struct loop_world *w, const char *state, const char *reason)
{
    _auto_sobj_ struct sobj *o = get(w, PDB, "pdb");
    const json_t *c = condition_get(o->tree, "DisruptionAllowed");
    assert_string_equal(jstr(c, "status"), state);
    assert_string_equal(jstr(c, "reason"), reason);
}

static void test_a_number(void **state)
{
    struct loop_world *w = *state;
    make(w, BUDGET("'minAvailable':2"));
    settle(w);
    assert_status(w, "0", "0", "2", "0");
    assert_allowed(w, "False", "InsufficientPods");
    assert_event(w, "pdb", "NoPods", "No matching pods found");
    make(w, WEB);
    settle(w);
    assert_status(w, "0", "0", "2", "3");
    all_ready(w, READY("True"));
    assert_status(w, "1", "3", "2", "3");
    assert_allowed(w, "True", "SufficientPods");
    all_ready(w, READY("False"));
    assert_status(w, "0", "0", "2", "3");
}

static void test_percentages(void **state)
{
    struct loop_world *w = *state;
    make(w, WEB);
    make(w, BUDGET("'maxUnavailable':'50%'"));
    settle(w);
    all_ready(w, READY("True"));
    assert_status(w, "2", "3", "1", "3"); /* half of 3, rounded up, may be missing */
    delete_it(w, PDB, "pdb", NULL);
    make(w, BUDGET("'minAvailable':'50%'"));
    settle(w);
    assert_status(w, "1", "3", "2", "3");
}

static void test_granted_pods_are_awaited(void **state)
{
    struct loop_world *w = *state;
    make(w, WEB);
    make(w, BUDGET("'minAvailable':1"));
    settle(w);
    all_ready(w, READY("True"));
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, "pods", "default");
    char granted[512];
    snprintf(granted, sizeof granted, "{'%s':'2026-01-01T00:00:00Z'}", pods.items[0]->name);
    change(w, PDB, "pdb", "status", "status.disruptedPods", granted);
    settle(w);
    assert_status(w, "1", "2", "1", "3");
    pass_seconds(w, 121);
    assert_status(w, "2", "3", "1", "3");
    assert_string_equal(text_at(w, PDB, "pdb", "status.disruptedPods"), "");
    assert_event(w, pods.items[0]->name, "NotDeleted",
                 "Pod was expected by PDB default/pdb to be deleted but it wasn't");
}

static void test_nobody_decides(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'default','labels':{'app':'web'}},"
            "'spec':{'containers':[{'name':'c','image':'nginx'}]}}");
    make(w, BUDGET("'maxUnavailable':1"));
    settle(w);
    assert_status(w, "0", "0", "0", "0");
    assert_event(
        w, "pdb", "UnmanagedPods",
        "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: "
        "web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged. As a result, the "
        "status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account "
        "for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.");
    change(w, RES.pods, "p", "", "metadata.ownerReferences",
           "[{'apiVersion':'example.com/v1','kind':'Robot','name':'r','uid':'u','controller':true}]");
    settle(w);
    assert_allowed(w, "False", "SyncFailed");
    assert_event(w, "pdb", "CalculateExpectedPodCountFailed",
                 "Failed to calculate the number of expected pods: found no controllers for pod \"p\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_percentages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_granted_pods_are_awaited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_decides, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

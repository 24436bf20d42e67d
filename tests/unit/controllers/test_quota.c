/* The quota loop: a new quota is counted, and what goes is given back. */
#include "controllers_kit.h"

static void expect_used(struct loop_world *w, const char *name, const char *amount)
{
    _auto_sobj_ struct sobj *quota = get(w, RES.resourcequotas, "rq");
    const char *used = jmap(quota->tree, "status.used", name);
    if (!str_eq(used, amount))
        fail_msg("%s: %s used, not %s", name, used ? used : "(none)", amount);
}

static void test_counted_and_given_back(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'a','namespace':'default'},"
            "'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}");
    make(w, "{'apiVersion':'v1','kind':'ResourceQuota','metadata':{'name':'rq','namespace':'default'},'spec':{'hard':{"
            "'requests.storage':'5Gi','count/configmaps':'5','count/nosuch.things':'1'}}}");
    settle(w);
    expect_used(w, "requests.storage", "1Gi");
    expect_used(w, "count/configmaps", "1"); /* kube-root-ca.crt */
    expect_used(w, "count/nosuch.things", NULL);
    make(w, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','namespace':'default'}}");
    expect_used(w, "count/configmaps", "2"); /* charged by the write itself */
    struct err e = ERR_INIT;
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    assert_int_equal(reg_remove(w->registry, "test", RES.configmaps, "default", "c", &opts, &e), 0);
    settle(w);
    expect_used(w, "count/configmaps", "1");
    change(w, RES.resourcequotas, "rq", "", "spec.hard", "{'pods':'7'}");
    settle(w);
    expect_used(w, "pods", "0");
    expect_used(w, "requests.storage", NULL);
}

static void test_replicas_blocked(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'v1','kind':'ResourceQuota','metadata':{'name':'rq','namespace':'default'},'spec':{'hard':{"
            "'pods':'1'}}}");
    make(w, "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'rs','namespace':'default'},'spec':{"
            "'replicas':2,'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},'spec':{"
            "'containers':[{'name':'c','image':'i'}]}}}}");
    settle(w);
    assert_int_equal(count(w, RES.pods), 1);
    _auto_sobj_ struct sobj *rs = get(w, RES.replicasets, "rs");
    const json_t *failure = condition_get(rs->tree, "ReplicaFailure");
    assert_string_equal(jstr(failure, "reason"), "FailedCreate");
    assert_non_null(strstr(jstr(failure, "message"),
                           "is forbidden: exceeded quota: rq, requested: pods=1, used: pods=1, limited: pods=1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counted_and_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replicas_blocked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

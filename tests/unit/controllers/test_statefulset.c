/* StatefulSets: pods in order with claims of their own, updates from the last to the first, revisions, and what becomes
 * of claims when their pod or their set goes. */
#include "controllers_kit.h"

#define SET(more)                                                                                                      \
    "{'apiVersion':'apps/v1','kind':'StatefulSet','metadata':{'name':'db','namespace':'default'},"                     \
    "'spec':{'replicas':3,'serviceName':'db','selector':{'matchLabels':{'app':'db'}},"                                 \
    "'template':{'metadata':{'labels':{'app':'db'}},'spec':{'containers':[{'name':'c','image':'nginx:1.27'}]}},"       \
    "'volumeClaimTemplates':[{'metadata':{'name':'data','labels':{'tier':'x'}},'spec':{'accessModes':['ReadWriteOnce'" \
    "],"                                                                                                               \
    "'resources':{'requests':{'storage':'1Gi'}}}}]" more "}}"
#define STS RES.statefulsets
#define PVC RES.persistentvolumeclaims

/* Makes one pod ready, as a kubelet would. */
static void ready(struct loop_world *w, const char *pod)
{
    struct err e = ERR_INIT;
    if (reg_modify(w->registry, "kubelet", RES.pods, "default", pod, "status", edit_ready, NULL, &e) < 0)
        fail_msg("%s: %s", pod, e.msg);
    settle(w);
}

/* Plays the kubelet until nothing changes: new pods get ready, deleted ones go. */
static void run(struct loop_world *w)
{
    settle(w);
    for (int i = 0; i < 24; i++) {
        _auto_objlist_ struct objlist pods = {0};
        objlist_load(&pods, w->registry, "pods", "default");
        for (size_t k = 0; k < pods.len; k++) {
            struct err e = ERR_INIT;
            if (jstr(pods.trees[k], "metadata.deletionTimestamp"))
                end_pod(w, pods.items[k]->name);
            else if (!jstr(pods.trees[k], "spec.nodeName"))
                reg_bind_pod(w->registry, "scheduler", "default", pods.items[k]->name, "n1", &e);
            else if (!pod_ready(pods.trees[k]))
                ready(w, pods.items[k]->name);
        }
        settle(w);
    }
}

static bool there(struct loop_world *w, const struct resource *res, const char *name)
{
    _auto_sobj_ struct sobj *o = reg_read(w->registry, res, "default", name);
    return o != NULL;
}

static const char *pod_image(struct loop_world *w, const char *pod)
{
    static char text[64];
    _auto_sobj_ struct sobj *o = get(w, RES.pods, pod);
    snprintf(text, sizeof text, "%s", jstr_or(json_array_get(jat(o->tree, "spec.containers"), 0), "image", ""));
    return text;
}

static void test_order(void **state)
{
    struct loop_world *w = *state;
    make(w, SET(""));
    settle(w);
    assert_true(there(w, RES.pods, "db-0"));
    assert_false(there(w, RES.pods, "db-1"));
    assert_event(w, "db", "SuccessfulCreate", "create Claim data-db-0 Pod db-0 in StatefulSet db success");
    assert_event(w, "db", "SuccessfulCreate", "create Pod db-0 in StatefulSet db successful");
    _auto_sobj_ struct sobj *pod = get(w, RES.pods, "db-0");
    assert_string_equal(jstr(pod->tree, "spec.hostname"), "db-0");
    assert_string_equal(jstr(pod->tree, "spec.subdomain"), "db");
    assert_string_equal(jmap(pod->tree, "metadata.labels", "statefulset.kubernetes.io/pod-name"), "db-0");
    assert_string_equal(jmap(pod->tree, "metadata.labels", "apps.kubernetes.io/pod-index"), "0");
    assert_string_equal(jstr(json_array_get(jat(pod->tree, "spec.volumes"), 0), "persistentVolumeClaim.claimName"),
                        "data-db-0");
    _auto_sobj_ struct sobj *claim = get(w, PVC, "data-db-0");
    assert_string_equal(jmap(claim->tree, "metadata.labels", "app"), "db");
    assert_string_equal(jmap(claim->tree, "metadata.labels", "tier"), "x");
    assert_null(jat(claim->tree, "metadata.ownerReferences"));

    ready(w, "db-0");
    assert_true(there(w, RES.pods, "db-1"));
    assert_false(there(w, RES.pods, "db-2"));
    run(w);
    assert_string_equal(text_at(w, STS, "db", "status.availableReplicas"), "3");
    assert_string_equal(text_at(w, STS, "db", "status.currentReplicas"), "3");

    change(w, STS, "db", "", "spec.replicas", "1");
    settle(w);
    assert_event(w, "db", "SuccessfulDelete", "delete Pod db-2 in StatefulSet db successful");
    _auto_sobj_ struct sobj *kept = get(w, RES.pods, "db-1");
    assert_null(jstr(kept->tree, "metadata.deletionTimestamp")); /* waits for db-2 to be gone */
    run(w);
    assert_false(there(w, RES.pods, "db-1"));
    assert_true(there(w, PVC, "data-db-1")); /* Retain */
}

static void test_update(void **state)
{
    struct loop_world *w = *state;
    make(w, SET(",'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'partition':1}}"));
    run(w);
    char first[300];
    snprintf(first, sizeof first, "%s", text_at(w, STS, "db", "status.currentRevision"));
    change(w, STS, "db", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:1.28'}]");
    settle(w);
    assert_string_equal(text_at(w, STS, "db", "status.currentReplicas"), "2");
    _auto_sobj_ struct sobj *last = get(w, RES.pods, "db-2"), *middle = get(w, RES.pods, "db-1");
    assert_non_null(jstr(last->tree, "metadata.deletionTimestamp"));
    assert_null(jstr(middle->tree, "metadata.deletionTimestamp"));
    run(w);
    assert_string_equal(pod_image(w, "db-2"), "nginx:1.28");
    assert_string_equal(pod_image(w, "db-1"), "nginx:1.28");
    assert_string_equal(pod_image(w, "db-0"), "nginx:1.27"); /* below the partition */
    assert_string_equal(text_at(w, STS, "db", "status.currentRevision"), first);
    assert_string_equal(text_at(w, STS, "db", "status.updatedReplicas"), "2");

    end_pod(w, "db-0"); /* comes again as it was */
    run(w);
    assert_string_equal(pod_image(w, "db-0"), "nginx:1.27");

    change(w, STS, "db", "", "spec.updateStrategy.rollingUpdate.partition", "0");
    run(w);
    assert_string_equal(pod_image(w, "db-0"), "nginx:1.28");
    assert_string_not_equal(text_at(w, STS, "db", "status.currentRevision"), first);

    change(w, STS, "db", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:1.27'}]"); /* back */
    run(w);
    assert_string_equal(text_at(w, STS, "db", "status.currentRevision"), first);
    assert_string_equal(text_at(w, RES.controllerrevisions, first, "revision"), "3");
    assert_int_equal(count(w, RES.controllerrevisions), 2);
}

static int edit_succeeded(json_t *pod, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    jset_str(pod, "status.phase", "Succeeded");
    return 1;
}

/* A pod that ended by itself is deleted, and followed once it is gone; nothing else is said of it. */
static void test_ended(void **state)
{
    struct loop_world *w = *state;
    struct err e = ERR_INIT;
    make(w, SET(""));
    run(w);
    _auto_sobj_ struct sobj *before = get(w, RES.pods, "db-1");
    reg_modify(w->registry, "kubelet", RES.pods, "default", "db-1", "status", edit_succeeded, NULL, &e);
    run(w);
    _auto_sobj_ struct sobj *after = get(w, RES.pods, "db-1");
    assert_non_null(after);
    assert_string_not_equal(obj_uid(after->tree), obj_uid(before->tree));
    assert_event(w, "db", "SuccessfulDelete", "delete Pod db-1 in StatefulSet db successful");
    _auto_objlist_ struct objlist events = {0};
    objlist_load(&events, w->registry, RES.events->bucket, NULL);
    for (size_t i = 0; i < events.len; i++)
        assert_false(str_starts(jstr_or(events.trees[i], "reason", ""), "Recreating"));
}

static void test_on_delete(void **state)
{
    struct loop_world *w = *state;
    make(w, SET(",'updateStrategy':{'type':'OnDelete'},'podManagementPolicy':'Parallel'"));
    settle(w);
    assert_int_equal(count(w, RES.pods), 3); /* all at once */
    run(w);
    change(w, STS, "db", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:1.28'}]");
    run(w);
    assert_string_equal(pod_image(w, "db-1"), "nginx:1.27");
    end_pod(w, "db-1");
    run(w);
    assert_string_equal(pod_image(w, "db-1"), "nginx:1.28");
    assert_string_equal(pod_image(w, "db-2"), "nginx:1.27");
}

/* Who the one owner of a claim is: its kind, or "". */
static const char *claim_owner(struct loop_world *w, const char *name)
{
    static char kind[64];
    _auto_sobj_ struct sobj *claim = get(w, PVC, name);
    snprintf(kind, sizeof kind, "%s",
             jstr_or(json_array_get(jat(claim->tree, "metadata.ownerReferences"), 0), "kind", ""));
    return kind;
}

static void test_retention(void **state)
{
    struct loop_world *w = *state;
    make(w, SET(",'persistentVolumeClaimRetentionPolicy':{'whenDeleted':'Delete','whenScaled':'Delete'}"));
    run(w);
    assert_string_equal(claim_owner(w, "data-db-2"), "StatefulSet");
    change(w, STS, "db", "", "spec.replicas", "2");
    settle(w);
    assert_string_equal(claim_owner(w, "data-db-2"), "Pod");
    run(w);
    /* pvc-protection is the binder's to take; without it the claim stays marked */
    _auto_sobj_ struct sobj *claim = get(w, PVC, "data-db-2");
    assert_non_null(jstr(claim->tree, "metadata.deletionTimestamp"));
    change(w, STS, "db", "", "spec.persistentVolumeClaimRetentionPolicy",
           "{'whenDeleted':'Retain','whenScaled':'Delete'}");
    run(w);
    assert_string_equal(claim_owner(w, "data-db-0"), "");
}

static void test_failed_create(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data-db-0','namespace':'default'},"
            "'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}");
    struct err e = ERR_INIT;
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    assert_int_equal(reg_remove(w->registry, "test", PVC, "default", "data-db-0", &opts, &e),
                     0); /* held by protection */
    make(w, SET(""));
    settle(w);
    assert_false(there(w, RES.pods, "db-0"));
    assert_event(w, "db", "FailedCreate",
                 "create Pod db-0 in StatefulSet db failed error: pvc data-db-0 is being deleted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_update, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_on_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retention, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_create, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

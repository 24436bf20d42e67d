/* Deployments and ReplicaSets: made, scaled, rolled out, rolled back; pods adopted and released; owners and what they
 * own. */
#include "controllers_kit.h"

#define TEMPLATE(image)                                                                                                \
    "'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[{'name':'c','image':'" image "'}]}}"
#define DEPLOYMENT(replicas, image, more)                                                                              \
    "{'apiVersion':'apps/"                                                                                             \
    "v1','kind':'Deployment','metadata':{'name':'web','namespace':'default'},'spec':{'replicas':" replicas             \
    ",'selector':{'matchLabels':{'app':'web'}}," TEMPLATE(image) more "}}"

/* Plays the kubelet once: new pods become ready, deleted ones go. */
static void kubelet(struct loop_world *w)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, "pods", "default");
    for (size_t i = 0; i < pods.len; i++) {
        struct err e = ERR_INIT;
        if (jstr(pods.trees[i], "metadata.deletionTimestamp"))
            end_pod(w, pods.items[i]->name);
        else if (!jstr(pods.trees[i], "spec.nodeName"))
            reg_bind_pod(w->registry, "scheduler", "default", pods.items[i]->name, "n1", &e);
        else if (!pod_ready(pods.trees[i]) && !pod_terminal(pods.trees[i]))
            reg_modify(w->registry, "kubelet", RES.pods, "default", pods.items[i]->name, "status", edit_ready, NULL,
                       &e);
    }
    settle(w);
}

static void run(struct loop_world *w)
{
    settle(w);
    for (int i = 0; i < 12; i++)
        kubelet(w);
}

/* The ReplicaSet of that revision (static buffer). */
static const char *set_of_revision(struct loop_world *w, const char *revision)
{
    static char name[300];
    _auto_objlist_ struct objlist sets = {0};
    objlist_load(&sets, w->registry, RES.replicasets->bucket, "default");
    for (size_t i = 0; i < sets.len; i++)
        if (str_eq(jmap(sets.trees[i], "metadata.annotations", "deployment.kubernetes.io/revision"), revision)) {
            snprintf(name, sizeof name, "%s", sets.items[i]->name);
            return name;
        }
    fail_msg("no set of revision %s", revision);
    return "";
}

#define DEP RES.deployments
#define RS  RES.replicasets

static void test_rollout(void **state)
{
    struct loop_world *w = *state;
    make(w, DEPLOYMENT("3", "nginx:1.27", ""));
    settle(w);
    char first[300], text[600];
    snprintf(first, sizeof first, "%s", set_of_revision(w, "1"));
    snprintf(text, sizeof text, "Scaled up replica set %s from 0 to 3", first);
    assert_event(w, "web", "ScalingReplicaSet", text);
    assert_int_equal(count(w, RES.pods), 3);
    assert_string_equal(text_at(w, DEP, "web", "status.unavailableReplicas"), "3");
    run(w);
    assert_string_equal(text_at(w, DEP, "web", "status.availableReplicas"), "3");
    _auto_sobj_ struct sobj *d = get(w, DEP, "web");
    assert_string_equal(jstr(condition_get(d->tree, "Available"), "status"), "True");
    assert_string_equal(jstr(condition_get(d->tree, "Progressing"), "reason"), "NewReplicaSetAvailable");
    assert_string_equal(annotation(w, DEP, "web", "deployment.kubernetes.io/revision"), "1");

    change(w, DEP, "web", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:1.28'}]");
    settle(w);
    assert_in_range(count(w, RES.pods), 3, 4); /* maxSurge 25 % of 3, rounded up */
    run(w);
    assert_int_equal(count(w, RES.pods), 3);
    assert_string_equal(text_at(w, RS, first, "spec.replicas"), "0");
    assert_string_equal(text_at(w, RS, set_of_revision(w, "2"), "status.availableReplicas"), "3");

    change(w, DEP, "web", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:1.27'}]"); /* back */
    run(w);
    assert_string_equal(set_of_revision(w, "3"), first);
    assert_string_equal(annotation(w, RS, first, "deployment.kubernetes.io/revision-history"), "1");
    assert_string_equal(annotation(w, DEP, "web", "deployment.kubernetes.io/revision"), "3");
    assert_int_equal(count(w, RES.replicasets), 2);
}

static void test_scale_and_pause(void **state)
{
    struct loop_world *w = *state;
    make(w, DEPLOYMENT("2", "nginx", ""));
    run(w);
    change(w, DEP, "web", "", "spec.replicas", "5");
    run(w);
    assert_int_equal(count(w, RES.pods), 5);
    change(w, DEP, "web", "", "spec.replicas", "1");
    run(w);
    assert_int_equal(count(w, RES.pods), 1);

    change(w, DEP, "web", "", "spec.paused", "true");
    settle(w);
    change(w, DEP, "web", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:2'}]");
    run(w);
    assert_int_equal(count(w, RES.replicasets), 1);
    _auto_sobj_ struct sobj *d = get(w, DEP, "web");
    assert_string_equal(jstr(condition_get(d->tree, "Progressing"), "reason"), "DeploymentPaused");
    change(w, DEP, "web", "", "spec.paused", NULL);
    run(w);
    assert_int_equal(count(w, RES.replicasets), 2);
    assert_int_equal(count(w, RES.pods), 1);
}

static void test_recreate(void **state)
{
    struct loop_world *w = *state;
    make(w, DEPLOYMENT("2", "nginx", ",'strategy':{'type':'Recreate'}"));
    run(w);
    change(w, DEP, "web", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:2'}]");
    settle(w);
    assert_int_equal(count(w, RES.replicasets), 1); /* the old pods are still going */
    run(w);
    assert_int_equal(count(w, RES.replicasets), 2);
    assert_int_equal(count(w, RES.pods), 2);
    assert_string_equal(text_at(w, DEP, "web", "status.updatedReplicas"), "2");
}

static void test_deadline(void **state)
{
    struct loop_world *w = *state;
    make(w, DEPLOYMENT("1", "nosuch", ",'progressDeadlineSeconds':4"));
    settle(w);
    pass_seconds(w, 7);
    _auto_sobj_ struct sobj *d = get(w, DEP, "web");
    assert_string_equal(jstr(condition_get(d->tree, "Progressing"), "reason"), "ProgressDeadlineExceeded");
}

static void test_history_limit(void **state)
{
    struct loop_world *w = *state;
    make(w, DEPLOYMENT("1", "nginx:1", ",'revisionHistoryLimit':1"));
    for (int i = 2; i <= 5; i++) {
        char image[64];
        run(w);
        snprintf(image, sizeof image, "[{'name':'c','image':'nginx:%d'}]", i);
        change(w, DEP, "web", "", "spec.template.spec.containers", image);
    }
    run(w);
    assert_int_equal(count(w, RES.replicasets), 2);
}

static void test_delete(void **state)
{
    static const struct {
        const char *propagation;
        size_t sets, pods; /* what stays */
    } rows[] = {{"Background", 0, 0}, {"Foreground", 0, 0}, {"Orphan", 1, 2}};
    struct loop_world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make(w, DEPLOYMENT("2", "nginx", ""));
        run(w);
        delete_it(w, DEP, "web", rows[i].propagation);
        run(w);
        assert_string_equal(text_at(w, DEP, "web", "metadata.name"), "(gone)");
        assert_int_equal(count(w, RES.replicasets), rows[i].sets);
        assert_int_equal(count(w, RES.pods), rows[i].pods);
    }
}

static void test_adoption(void **state)
{
    struct loop_world *w = *state;
    make(w, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'orphan','namespace':'default','labels':{'app':'web'}},"
            "'spec':{'containers':[{'name':'c','image':'nginx'}]}}");
    make(w, "{'apiVersion':'apps/"
            "v1','kind':'ReplicaSet','metadata':{'name':'web','namespace':'default'},'spec':{'replicas':2,"
            "'selector':{'matchLabels':{'app':'web'}}," TEMPLATE("nginx") "}}");
    run(w);
    assert_int_equal(count(w, RES.pods), 2);
    _auto_sobj_ struct sobj *pod = get(w, RES.pods, "orphan");
    assert_string_equal(jstr(controller_of(pod->tree), "name"), "web");
    change(w, RES.pods, "orphan", "", "metadata.labels", "{'app':'other'}");
    run(w);
    assert_int_equal(count(w, RES.pods), 3);
    _auto_sobj_ struct sobj *released = get(w, RES.pods, "orphan");
    assert_null(controller_of(released->tree));
    assert_string_equal(text_at(w, RS, "web", "status.replicas"), "2");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_rollout),       T(test_scale_and_pause), T(test_recreate), T(test_deadline),
        T(test_history_limit), T(test_delete),          T(test_adoption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

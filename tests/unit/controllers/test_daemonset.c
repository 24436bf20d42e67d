/* DaemonSets: one pod on each node that fits, replaced one by one when the template changes. */
#include "controllers_kit.h"

static int with_nodes(void **state)
{
    setup(state);
    change(*state, RES.nodes, "n1", "", "metadata.labels.disk", "'ssd'");
    make_node(*state, "n2", NODE("n2", "", ""));
    settle(*state);
    return 0;
}

#define SET(more)                                                                                                      \
    "{'apiVersion':'apps/v1','kind':'DaemonSet','metadata':{'name':'ds','namespace':'default'},'spec':{'selector':{"   \
    "'matchLabels':{'app':'ds'}},'template':{'metadata':{'labels':{'app':'ds'}},'spec':{'containers':[{'name':'c',"    \
    "'image':'nginx:1.27'}]}}" more "}}"
#define DS          RES.daemonsets
#define NODE_OF_POD "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"

static const char *node_of(const json_t *pod)
{
    const json_t *term = json_array_get(jat(pod, NODE_OF_POD), 0);
    const json_t *field = json_array_get(jat(term, "matchFields"), 0);
    return json_string_value(json_array_get(jat(field, "values"), 0));
}

/* Plays scheduler and kubelet until nothing changes. */
static void run(struct loop_world *w)
{
    settle(w);
    for (int i = 0; i < 16; i++) {
        _auto_objlist_ struct objlist pods = {0};
        objlist_load(&pods, w->registry, "pods", "default");
        for (size_t k = 0; k < pods.len; k++) {
            struct err e = ERR_INIT;
            const char *name = pods.items[k]->name;
            if (jstr(pods.trees[k], "metadata.deletionTimestamp"))
                end_pod(w, name);
            else if (!jstr(pods.trees[k], "spec.nodeName"))
                reg_bind_pod(w->registry, "scheduler", "default", name, node_of(pods.trees[k]), &e);
            else if (!pod_ready(pods.trees[k]))
                reg_modify(w->registry, "kubelet", RES.pods, "default", name, "status", edit_ready, NULL, &e);
        }
        settle(w);
    }
}

/* How many pods run that image. */
static size_t with_image(struct loop_world *w, const char *image)
{
    size_t n = 0;
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, "pods", "default");
    for (size_t i = 0; i < pods.len; i++)
        n += str_eq(jstr(json_array_get(jat(pods.trees[i], "spec.containers"), 0), "image"), image);
    return n;
}

static void test_one_each(void **state)
{
    struct loop_world *w = *state;
    make(w, SET(""));
    settle(w);
    assert_int_equal(count(w, RES.pods), 2);
    assert_string_equal(text_at(w, DS, "ds", "status.numberUnavailable"), "2");
    run(w);
    assert_string_equal(text_at(w, DS, "ds", "status.numberAvailable"), "2");
    make_node(w, "n3", NODE("n3", "", ""));
    run(w);
    assert_int_equal(count(w, RES.pods), 3);
    change(w, RES.nodes, "n2", "", "spec.unschedulable", "true"); /* a cordon is nothing to a daemon */
    run(w);
    assert_int_equal(count(w, RES.pods), 3);
    change(w, RES.nodes, "n2", "", "spec.taints", "[{'key':'a','effect':'NoExecute'}]");
    run(w);
    assert_int_equal(count(w, RES.pods), 2);
    delete_it(w, RES.nodes, "n3", NULL);
    run(w);
    assert_int_equal(count(w, RES.pods), 1);
    assert_string_equal(text_at(w, DS, "ds", "status.desiredNumberScheduled"), "1");
}

static void test_update(void **state)
{
    struct loop_world *w = *state;
    make(w, SET(""));
    run(w);
    change(w, DS, "ds", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:1.28'}]");
    settle(w);
    size_t going = 0;
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, "pods", "default");
    for (size_t i = 0; i < pods.len; i++)
        going += jstr(pods.trees[i], "metadata.deletionTimestamp") != NULL;
    assert_int_equal(going, 1); /* maxUnavailable */
    assert_string_equal(annotation(w, DS, "ds", "deprecated.daemonset.template.generation"), "2");
    run(w);
    assert_int_equal(with_image(w, "nginx:1.28"), 2);
    assert_string_equal(text_at(w, DS, "ds", "status.updatedNumberScheduled"), "2");
    assert_int_equal(count(w, RES.controllerrevisions), 2);
    change(w, DS, "ds", "", "spec.template.spec.nodeSelector", "{'disk':'ssd'}");
    run(w);
    assert_int_equal(count(w, RES.pods), 1);
}

static void test_surge(void **state)
{
    struct loop_world *w = *state;
    make(w, SET(",'updateStrategy':{'type':'RollingUpdate','rollingUpdate':{'maxUnavailable':0,'maxSurge':1}}"));
    run(w);
    change(w, DS, "ds", "", "spec.template.spec.containers", "[{'name':'c','image':'nginx:1.28'}]");
    settle(w);
    assert_int_equal(with_image(w, "nginx:1.27"), 2); /* the old ones stay until a new one is there */
    assert_int_equal(with_image(w, "nginx:1.28"), 1);
    run(w);
    assert_int_equal(with_image(w, "nginx:1.28"), 2);
    assert_int_equal(count(w, RES.pods), 2);
}

static int edit_failed(json_t *pod, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    jset_str(pod, "status.phase", "Failed");
    return 1;
}

static void test_ended(void **state)
{
    struct loop_world *w = *state;
    struct err e = ERR_INIT;
    char name[300], text[700];
    make(w, SET(""));
    run(w);
    {
        _auto_objlist_ struct objlist pods = {0};
        objlist_load(&pods, w->registry, "pods", "default");
        snprintf(name, sizeof name, "%s", pods.items[0]->name);
        snprintf(text, sizeof text, "Found failed daemon pod default/%s on node %s, will try to kill it", name,
                 jstr(pods.trees[0], "spec.nodeName"));
    }
    assert_int_equal(reg_modify(w->registry, "kubelet", RES.pods, "default", name, "status", edit_failed, NULL, &e), 0);
    run(w);
    assert_event(w, "ds", "FailedDaemonPod", text);
    assert_string_equal(text_at(w, RES.pods, name, "metadata.name"), "(gone)");
    assert_string_equal(text_at(w, DS, "ds", "status.numberAvailable"), "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_each, with_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_update, with_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_surge, with_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_ended, with_nodes, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

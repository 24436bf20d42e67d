/* What a replica set says of its pods, against pods counted one by one, through all that can happen to them. */
#include "controllers_kit.h"

#define SET                                                                                                            \
    "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'web','namespace':'default'},'spec':{'replicas':"  \
    "12,'selector':{'matchLabels':{'app':'web'}},'template':{'metadata':{'labels':{'app':'web','tier':'front'}},"      \
    "'spec':{'containers':[{'name':'c','image':'i'}]}}}}"
#define STEPS 400

static unsigned draw(unsigned n)
{
    static unsigned seed = 1;
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

static int edit_not_ready(json_t *pod, void *arg _unused_, struct err *e _unused_)
{
    jset_str(pod, "status.phase", "Running");
    jset(pod, "status.conditions", json_pack("[{s:s, s:s}]", "type", "Ready", "status", "False"));
    return 1;
}

static int edit_failed(json_t *pod, void *arg _unused_, struct err *e _unused_)
{
    jset_str(pod, "status.phase", "Failed");
    return 1;
}

static void bind_new(struct loop_world *w, const struct objlist *pods)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < pods->len; i++)
        if (!jstr(pods->trees[i], "spec.nodeName"))
            reg_bind_pod(w->registry, "scheduler", "default", pods->items[i]->name, "n1", &e);
}

/* One thing that may happen to a pod. */
static void happen(struct loop_world *w, const json_t *pod)
{
    static const struct {
        const char *path, *json; /* an edit; or … */
        int (*status)(json_t *pod, void *arg, struct err *e);
    } edits[] = {
        {NULL, NULL, edit_ready},
        {NULL, NULL, edit_ready},
        {NULL, NULL, edit_not_ready},
        {NULL, NULL, edit_failed},
        {"metadata.labels", "{'app':'web'}", NULL},
        {"metadata.labels", "{'app':'web','tier':'front'}", NULL},
        {"metadata.labels", "{'app':'other'}", NULL},
        {"metadata.annotations", "{'seen':'yes'}", NULL},
    };
    struct err e = ERR_INIT;
    const char *name = obj_name(pod);
    unsigned which = draw(ARRAY_LEN(edits) + 2);
    if (which >= ARRAY_LEN(edits)) {
        struct reg_delete_opts opts = REG_DELETE_DEFAULT;
        if (jstr(pod, "metadata.deletionTimestamp"))
            end_pod(w, name);
        else
            reg_remove(w->registry, "test", RES.pods, "default", name, &opts, &e);
    } else if (edits[which].status) {
        reg_modify(w->registry, "kubelet", RES.pods, "default", name, "status", edits[which].status, NULL, &e);
    } else {
        change(w, RES.pods, name, "", edits[which].path, edits[which].json);
    }
}

/* The set's own words are those of a look at each pod. */
static void agree(struct loop_world *w, int step)
{
    _auto_sobj_ struct sobj *rs = get(w, RES.replicasets, "web");
    _auto_objlist_ struct objlist pods = {0};
    int64_t all = 0, labelled = 0, ready = 0;
    objlist_load(&pods, w->registry, "pods", "default");
    for (size_t i = 0; i < pods.len; i++) {
        const json_t *pod = pods.trees[i];
        if (!controlled_by(pod, rs->tree) || !pod_active(pod))
            continue;
        assert_string_equal(jmap(pod, "metadata.labels", "app"), "web");
        all++;
        labelled += str_eq(jmap(pod, "metadata.labels", "tier"), "front");
        ready += pod_ready(pod);
    }
    if (all != jint(rs->tree, "spec.replicas", -1) || all != jint(rs->tree, "status.replicas", -1) ||
        labelled != jint(rs->tree, "status.fullyLabeledReplicas", 0) ||
        ready != jint(rs->tree, "status.readyReplicas", 0) || ready != jint(rs->tree, "status.availableReplicas", 0))
        fail_msg("step %d: %d pods, %d labelled, %d ready; the set says %s", step, (int)all, (int)labelled, (int)ready,
                 rs->bytes);
}

static void test_whatever_happens(void **state)
{
    struct loop_world *w = *state;
    make(w, SET);
    settle(w);
    for (int step = 0; step < STEPS; step++) {
        _auto_objlist_ struct objlist pods = {0};
        objlist_load(&pods, w->registry, "pods", "default");
        bind_new(w, &pods);
        for (unsigned n = draw(4); n > 0 && pods.len; n--) {
            _auto_sobj_ struct sobj *now = get(w, RES.pods, pods.items[draw((unsigned)pods.len)]->name);
            if (now)
                happen(w, now->tree);
        }
        if (draw(10) == 0) {
            char replicas[8];
            snprintf(replicas, sizeof replicas, "%u", draw(30));
            change(w, RES.replicasets, "web", "", "spec.replicas", replicas);
        }
        settle(w);
        agree(w, step);
    }
}

/* A set of the same name that comes after another does not take over what that one had counted. */
static void test_another_of_that_name(void **state)
{
    struct loop_world *w = *state;
    for (int i = 0; i < 3; i++) {
        make(w, SET);
        settle(w);
        agree(w, i);
        delete_it(w, RES.replicasets, "web", "Background");
        settle(w);
        _auto_objlist_ struct objlist pods = {0};
        objlist_load(&pods, w->registry, "pods", "default");
        for (size_t p = 0; p < pods.len; p++)
            end_pod(w, pods.items[p]->name);
        settle(w);
        assert_int_equal(count(w, RES.pods), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whatever_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_of_that_name, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

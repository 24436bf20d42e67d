/* Services with more pods than one slice holds: who stands where, what a change writes, and what is left at the end. */
#include "controllers_kit.h"

#define SLICE 100

static void make_service(struct loop_world *w)
{
    make(w, "{'apiVersion':'v1','kind':'Service','metadata':{'name':'web','namespace':'default'},'spec':{'selector':{"
            "'app':'x'},'ports':[{'port':80}]}}");
}

static int edit_runs(json_t *pod, void *arg, struct err *e)
{
    edit_ready(pod, arg, e);
    jset_str(pod, "status.podIP", arg);
    return 1;
}

static void pod_name(int i, char out[16])
{
    snprintf(out, 16, "p%04d", i);
}

static void make_pods(struct loop_world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[16], ip[32];
        struct err e = ERR_INIT;
        pod_name(i, name);
        snprintf(ip, sizeof ip, "10.1.%d.%d", i / 250, 1 + i % 250);
        make(w,
             "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'default','labels':{'app':'x'}},"
             "'spec':{'nodeName':'n1','containers':[{'name':'c','image':'i'}]}}",
             name);
        assert_int_equal(reg_modify(w->registry, "kubelet", RES.pods, "default", name, "status", edit_runs, ip, &e), 0);
    }
    settle(w);
}

static void end_pods(struct loop_world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[16];
        pod_name(i, name);
        end_pod(w, name);
    }
    settle(w);
}

static void load(struct loop_world *w, struct objlist *out)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, w->registry, RES.endpointslices->bucket, "default");
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jmap(all.trees[i], "metadata.labels", "kubernetes.io/service-name"), "web"))
            objlist_add(out, all.items[i]);
}

/* So many slices, which together name each of `pods` pods once; none holds too many. */
static void slices_are(struct loop_world *w, size_t slices, size_t pods)
{
    _auto_objlist_ struct objlist all = {0};
    _auto_json_ json_t *seen = json_object();
    size_t total = 0;
    load(w, &all);
    for (size_t s = 0; s < all.len; s++) {
        size_t i;
        json_t *ep;
        assert_true(json_array_size(jat(all.trees[s], "endpoints")) <= SLICE);
        json_array_foreach(jat(all.trees[s], "endpoints"), i, ep)
        {
            json_object_set_new(seen, jstr_or(ep, "targetRef.name", ""), json_true());
            total++;
        }
    }
    assert_int_equal(all.len, slices);
    assert_int_equal(total, pods);
    assert_int_equal(json_object_size(seen), pods);
}

/* How many of the slices are other versions than they were. */
static size_t written(struct loop_world *w, const struct objlist *before)
{
    _auto_objlist_ struct objlist now = {0};
    size_t n = 0;
    load(w, &now);
    for (size_t i = 0; i < now.len; i++) {
        const struct sobj *was = objlist_find(before, "default", now.items[i]->name);
        n += !was || was->rv != now.items[i]->rv;
    }
    return n;
}

static void test_many(void **state)
{
    struct loop_world *w = *state;
    make_service(w);
    settle(w);
    slices_are(w, 1, 0); /* a placeholder */
    make_pods(w, 0, 40);
    slices_are(w, 1, 40);
    make_pods(w, 40, 101);
    slices_are(w, 2, 101);
    make_pods(w, 101, 250);
    slices_are(w, 3, 250);

    _auto_objlist_ struct objlist before = {0};
    load(w, &before);
    make_pods(w, 250, 251); /* one more comes to where there is room */
    slices_are(w, 3, 251);
    assert_int_equal(written(w, &before), 1);

    _auto_objlist_ struct objlist then = {0};
    load(w, &then);
    end_pods(w, 7, 8);
    slices_are(w, 3, 250);
    assert_int_equal(written(w, &then), 1);

    end_pods(w, 8, 251);
    slices_are(w, 1, 7);
    end_pods(w, 0, 7);
    slices_are(w, 1, 0);
    make_pods(w, 300, 420);
    slices_are(w, 2, 120);
}

static void test_too_many_for_endpoints(void **state)
{
    struct loop_world *w = *state;
    make_service(w);
    make_pods(w, 0, 1010);
    slices_are(w, 11, 1010);
    _auto_sobj_ struct sobj *ep = get(w, RES.endpoints, "web");
    assert_int_equal(json_array_size(jat(json_array_get(jat(ep->tree, "subsets"), 0), "addresses")), 1000);
    assert_string_equal(annotation(w, RES.endpoints, "web", "endpoints.kubernetes.io/over-capacity"), "truncated");
    end_pods(w, 0, 20);
    _auto_sobj_ struct sobj *now = get(w, RES.endpoints, "web");
    assert_int_equal(json_array_size(jat(json_array_get(jat(now->tree, "subsets"), 0), "addresses")), 990);
    assert_null(jmap(now->tree, "metadata.annotations", "endpoints.kubernetes.io/over-capacity"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_for_endpoints, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

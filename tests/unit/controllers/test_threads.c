/* The loops of this folder among threads: what workers make and delete for them, in portions. For ThreadSanitizer, and
 * for the promise that no portion is forgotten. */
#include "controllers_kit.h"

#define REPLICAS 620 /* more than are made in one go */
#define MAPS     700 /* more than are deleted in one go */

static struct pool *workers;

static bool set_is_complete(struct loop_world *w)
{
    _auto_sobj_ struct sobj *rs = get(w, RES.replicasets, "web");
    return count(w, RES.pods) == REPLICAS && rs && jint(rs->tree, "status.replicas", 0) == REPLICAS;
}

static bool has_no_pods(struct loop_world *w)
{
    return count(w, RES.pods) == 0;
}

static bool namespace_is_gone(struct loop_world *w)
{
    _auto_sobj_ struct sobj *ns = get(w, RES.namespaces, "full");
    return !ns;
}

static bool account_is_there(struct loop_world *w)
{
    _auto_sobj_ struct sobj *account = get(w, RES.serviceaccounts, "default");
    return account != NULL;
}

static int open_threads(void **state)
{
    static struct controllers_env env = {.ca_pem = "CERT"};
    static struct loop_world w;
    size_t n;
    workers = pool_new("test", 4);
    world_open_threads(&w, workers);
    const struct loop_def *const *loops = controllers_loops(&n);
    world_start(&w, loops, n, &env);
    await(&w, account_is_there, "the namespace has its account");
    *state = &w;
    return 0;
}

static int close_threads(void **state)
{
    world_close(*state);
    pool_free(workers);
    return 0;
}

static void test_set_comes_and_goes(void **state)
{
    struct loop_world *w = *state;
    make(w,
         "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'web','namespace':'default'},'spec':{"
         "'replicas':%d,'selector':{'matchLabels':{'app':'web'}},'template':{'metadata':{'labels':{'app':'web'}},"
         "'spec':{'containers':[{'name':'c','image':'i'}]}}}}",
         REPLICAS);
    await(w, set_is_complete, "all replicas are made, and counted");
    delete_it(w, RES.replicasets, "web", "Background");
    await(w, has_no_pods, "the garbage collector deletes them all");
}

static void test_namespace_goes(void **state)
{
    struct loop_world *w = *state;
    struct err e = ERR_INIT;
    make(w, "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'full'}}");
    for (int i = 0; i < MAPS; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%03d", i);
        json_t *map = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata", "name",
                                name, "namespace", "full");
        assert_int_equal(reg_make(w->registry, "test", RES.configmaps, "full", map, NULL, &e), 0);
    }
    delete_it(w, RES.namespaces, "full", "Background");
    await(w, namespace_is_gone, "the namespace is empty and goes");
    _auto_objlist_ struct objlist left = {0};
    objlist_load(&left, w->registry, RES.configmaps->bucket, "full");
    assert_int_equal(left.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_set_comes_and_goes, open_threads, close_threads),
        cmocka_unit_test_setup_teardown(test_namespace_goes, open_threads, close_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The scheduler among threads: pods are posted and taken away from everywhere while workers bind others. For
 * ThreadSanitizer, and for the promise that whoever stays gets a node. */
#include "scheduler_kit.h"

#include <pthread.h>

#define POSTERS 4
#define EACH    40
#define NODES   20

struct poster {
    struct loop_world *w;
    int number;
    int failed; /* posts */
};

static json_t *pod_object(const char *name)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:{s:[{s:s, s:s, s:{s:{s:s}}}]}}", "apiVersion", "v1", "kind",
                     "Pod", "metadata", "name", name, "namespace", "default", "labels", "app", "x", "spec",
                     "containers", "name", "c", "image", "i", "resources", "requests", "cpu", "100m");
}

/* Posts pods, and takes every third away again, with whatever has become of it. */
static void *post(void *arg)
{
    struct poster *p = arg;
    struct reg_delete_opts now = {.grace_seconds = 0};
    for (int i = 0; i < EACH; i++) {
        struct err e = ERR_INIT;
        char name[32];
        snprintf(name, sizeof name, "p%d-%d", p->number, i);
        p->failed += reg_make(p->w->registry, "test", RES.pods, "default", pod_object(name), NULL, &e) < 0;
        if (i % 3 == 2)
            p->failed += reg_remove(p->w->registry, "test", RES.pods, "default", name, &now, &e) < 0;
    }
    return NULL;
}

static bool all_have_nodes(struct loop_world *w)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, "pods", "default");
    for (size_t i = 0; i < pods.len; i++)
        if (str_empty(jstr(pods.trees[i], "spec.nodeName")))
            return false;
    return true;
}

static size_t said_scheduled(struct loop_world *w)
{
    _auto_objlist_ struct objlist events = {0};
    size_t n = 0;
    objlist_load(&events, w->registry, RES.events->bucket, "default");
    for (size_t i = 0; i < events.len; i++)
        n += str_eq(jstr(events.trees[i], "reason"), "Scheduled");
    return n;
}

static void test_posted_from_everywhere(void **state _unused_)
{
    struct loop_world w;
    struct pool *pool = pool_new("test", 4);
    struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    size_t n, stay = 0;
    world_open_threads(&w, pool);
    world_account(&w);
    for (int i = 0; i < NODES; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%02d", i);
        kit_node(&w, name, "", "");
    }
    const struct loop_def *const *loops = scheduler_loops(&n);
    world_start(&w, loops, n, NULL);
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.w = &w, .number = i};
        pthread_create(&threads[i], NULL, post, &posters[i]);
    }
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(posters[i].failed, 0);
        stay += EACH - EACH / 3;
    }
    await(&w, all_have_nodes, "every pod has a node");
    assert_int_equal(count(&w, RES.pods), stay);
    control_stop(w.control); /* writes the events that are on their way */
    assert_true(said_scheduled(&w) >= stay);
    world_close(&w);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_posted_from_everywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

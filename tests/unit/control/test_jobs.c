/* Work that many take part in, and events that another thread writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_int.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

#define ITEMS   1000
#define WORKERS 4
#define EVENTS  60 /* by each of the workers */

struct house {
    struct store *store;
    struct registry *registry;
    struct pool *pool;
    struct control *control;
    struct loop *loop;
    atomic_int ran[ITEMS];
    int order[ITEMS], len; /* step mode */
    int bad;               /* this item and all behind it fail; -1: none */
    sem_t blocked, go;
};

static int no_reconcile(struct loop *l _unused_, const char *ns _unused_, const char *name _unused_,
                        struct err *e _unused_)
{
    return 0;
}
static const struct loop_def plain_loop = {.name = "plain", .component = "plain", .reconcile = no_reconcile};

static void house_open(struct house *h, bool step_mode)
{
    struct err e = ERR_INIT;
    const struct clock *clock = clock_real();
    h->bad = -1;
    sem_init(&h->blocked, 0, 0);
    sem_init(&h->go, 0, 0);
    assert_int_equal(store_open(&(struct store_conf){.clock = clock}, &h->store, &e), 0);
    h->registry = registry_new(&(struct registry_conf){
        .store = h->store, .clock = clock, .service_cidr = "10.96.0.0/12", .pod_cidr = "10.244.0.0/16"});
    assert_int_equal(registry_bootstrap(h->registry, "127.0.0.1", 6443, &e), 0);
    h->pool = step_mode ? NULL : pool_new("test", WORKERS);
    h->control = control_new(
        &(struct control_conf){.registry = h->registry, .clock = clock, .pool = h->pool, .step_mode = step_mode});
    h->loop = control_add(h->control, &plain_loop, h);
    assert_int_equal(control_start(h->control, &e), 0);
}

static void house_close(struct house *h)
{
    control_free(h->control);
    pool_free(h->pool);
    registry_free(h->registry);
    store_close(h->store);
    sem_destroy(&h->blocked);
    sem_destroy(&h->go);
}

static int item(void *arg, size_t i, struct err *e)
{
    struct house *h = arg;
    h->ran[i]++;
    return h->bad >= 0 && (int)i >= h->bad ? err_set(e, ERR_UNAVAILABLE, "item %zu", i) : 0;
}

static int item_in_order(void *arg, size_t i, struct err *e)
{
    struct house *h = arg;
    h->order[h->len++] = (int)i;
    return item(arg, i, e);
}

static void each_ran(struct house *h, int times)
{
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(h->ran[i], times);
}

static void test_in_order(void **state _unused_)
{
    static struct house h;
    struct err e = ERR_INIT;
    house_open(&h, true);
    assert_int_equal(loop_each(h.loop, 0, item_in_order, &h, &e), 0);
    assert_int_equal(h.len, 0);
    assert_int_equal(loop_each(h.loop, ITEMS, item_in_order, &h, &e), 0);
    assert_int_equal(h.len, ITEMS);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(h.order[i], i);
    house_close(&h);
}

static void test_together(void **state _unused_)
{
    static struct house h;
    struct err e = ERR_INIT;
    house_open(&h, false);
    for (int times = 1; times <= 20; times++) {
        assert_int_equal(loop_each(h.loop, ITEMS, item, &h, &e), 0);
        each_ran(&h, times);
    }
    assert_int_equal(e.code, ERR_OK);
    house_close(&h);
}

/* All are tried, and the first failure is told, whoever was quicker. */
static void test_first_failure(void **state _unused_)
{
    static struct house h;
    house_open(&h, false);
    h.bad = 300;
    for (int times = 1; times <= 20; times++) {
        struct err e = ERR_INIT;
        assert_int_equal(loop_each(h.loop, ITEMS, item, &h, &e), -1);
        assert_string_equal(e.msg, "item 300");
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        each_ran(&h, times);
    }
    house_close(&h);
}

static void block(void *arg)
{
    struct house *h = arg;
    sem_post(&h->blocked);
    sem_wait(&h->go);
}

/* Workers that have no time are not waited for; when they come there is nothing left, and nothing is touched. */
static void test_nobody_has_time(void **state _unused_)
{
    static struct house h;
    struct err e = ERR_INIT;
    house_open(&h, false);
    for (int i = 0; i < WORKERS; i++)
        pool_submit(h.pool, block, &h);
    for (int i = 0; i < WORKERS; i++)
        sem_wait(&h.blocked);
    assert_int_equal(loop_each(h.loop, ITEMS, item, &h, &e), 0);
    each_ran(&h, 1);
    for (int i = 0; i < WORKERS; i++)
        sem_post(&h.go);
    house_close(&h);
    each_ran(&h, 1);
}

static int record(void *arg, size_t i, struct err *e _unused_)
{
    struct house *h = arg;
    char name[32];
    snprintf(name, sizeof name, "object-%zu", i);
    _auto_json_ json_t *o = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "kind", "ConfigMap", "apiVersion", "v1",
                                      "metadata", "name", name, "namespace", "default", "uid", name);
    loop_event(h->loop, o, EVENT_NORMAL, "Seen", "once");
    loop_event(h->loop, o, EVENT_NORMAL, "Seen", "once");
    return 0;
}

static int count_seen(struct sobj *o, void *arg)
{
    int *seen = arg;
    *seen += str_eq(jstr(o->tree, "reason"), "Seen");
    assert_int_equal(jint(o->tree, "count", 0), 2);
    return 0;
}

/* What was recorded before the end is written at the end, by whomever: each once, with the count of both. */
static void test_events_from_everywhere(void **state _unused_)
{
    static struct house h;
    struct err e = ERR_INIT;
    int seen = 0;
    house_open(&h, false);
    assert_int_equal(loop_each(h.loop, EVENTS * WORKERS, record, &h, &e), 0);
    control_stop(h.control);
    struct snapshot *snap = reg_snapshot(h.registry);
    snapshot_scan(snap, "events", "default", NULL, NULL, count_seen, &seen);
    snapshot_unref(snap);
    assert_int_equal(seen, EVENTS * WORKERS);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_first_failure),
        cmocka_unit_test(test_nobody_has_time),
        cmocka_unit_test(test_events_from_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

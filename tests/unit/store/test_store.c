/* What the store promises about writing, reading and the past. */
#include "store_kit.h"

#include <pthread.h>

static void test_frozen_form(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    struct err e = ERR_INIT;
    struct sobj *o = NULL;
    json_t *tree = json_pack("{s:s,s:{s:s,s:s,s:s},s:s}", "kind", "Thing", "metadata", "name", "a", "resourceVersion",
                             "stale", "uid", "u", "note", "<&>");
    assert_int_equal(store_put(s, "things", "ns", "a", RV_ABSENT, tree, &o, &e), 0);
    assert_int_equal(o->rv, 2);
    assert_string_equal(o->bytes,
                        "{\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"2\",\"uid\":\"u\"},"
                        "\"note\":\"\\u003c\\u0026\\u003e\"}");
    assert_int_equal(o->len, strlen(o->bytes));
    assert_string_equal(o->bucket, "things");
    assert_string_equal(o->ns, "ns");
    assert_string_equal(o->name, "a");
    assert_string_equal(json_string_value(json_object_get(json_object_get(o->tree, "metadata"), "resourceVersion")),
                        "2");
    sobj_unref(o);

    assert_int_equal(store_put(s, "things", "", "bare", RV_ANY, json_object(), &o, &e), 0);
    assert_string_equal(o->bytes, "{\"metadata\":{\"resourceVersion\":\"3\"}}");
    sobj_unref(o);

    assert_int_equal(store_delete(s, "things", "ns", "a", 2, &o, &e), 0);
    assert_int_equal(o->rv, 4);
    assert_string_equal(o->bytes,
                        "{\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"4\",\"uid\":\"u\"},"
                        "\"note\":\"\\u003c\\u0026\\u003e\"}");
    sobj_unref(o);
    store_close(s);
}

static void put_fails(struct store *s, const char *name, uint64_t expect, enum err_code code)
{
    struct err e = ERR_INIT;
    struct sobj *untouched = NULL;
    uint64_t before = store_rv(s);
    assert_int_equal(store_put(s, "things", "ns", name, expect, kit_object(name, 9), &untouched, &e), -1);
    assert_int_equal(e.code, code);
    assert_null(untouched);
    assert_int_equal(store_rv(s), before);
}

static void test_expectations(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    struct err e = ERR_INIT;
    uint64_t rv = kit_put(s, "things", "ns", "a", 1);
    put_fails(s, "a", RV_ABSENT, ERR_ALREADY_EXISTS);
    put_fails(s, "a", rv + 1, ERR_CONFLICT);
    put_fails(s, "b", rv, ERR_NOT_FOUND);
    assert_int_equal(store_put(s, "things", "ns", "a", rv, kit_object("a", 2), NULL, &e), 0);
    assert_int_equal(store_delete(s, "things", "ns", "a", rv, NULL, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(store_delete(s, "things", "other", "a", RV_ANY, NULL, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_int_equal(store_delete(s, "things", "ns", "a", RV_ANY, NULL, &e), 0);
    assert_null(store_get(s, "things", "ns", "a"));
    store_close(s);
}

static int count_one(struct sobj *o, void *arg)
{
    (void)o;
    ++*(int *)arg;
    return 0;
}

static int count_bucket(const char *bucket, void *arg)
{
    (void)bucket;
    ++*(int *)arg;
    return 0;
}

static void test_snapshots_stand_still(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        kit_put(s, "things", i % 2 ? "odd" : "even", name, i);
    }
    struct snapshot *snap = store_snapshot(s);
    uint64_t rv = snapshot_rv(snap);
    for (int i = 0; i < 100; i += 2) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        kit_delete(s, "things", "even", name);
    }
    kit_put(s, "things", "odd", "n1", 1000);
    kit_put(s, "others", "odd", "n1", 1000);
    int seen = 0, buckets = 0;
    snapshot_scan(snap, "things", NULL, NULL, NULL, count_one, &seen);
    assert_int_equal(seen, 100);
    snapshot_buckets(snap, count_bucket, &buckets);
    assert_int_equal(buckets, 1);
    struct sobj *o = snapshot_get(snap, "things", "odd", "n1");
    assert_int_equal(kit_value(o), 1);
    sobj_unref(o);

    struct snapshot *now = store_snapshot(s);
    assert_int_equal(snapshot_count(now, "things"), 50);
    assert_int_equal(snapshot_count(now, "others"), 1);
    assert_int_equal(snapshot_count(now, "none"), 0);
    snapshot_unref(now);

    /* the same revision again, by undoing */
    struct snapshot *again = store_snapshot_at(s, rv);
    assert_non_null(again);
    assert_int_equal(snapshot_rv(again), rv);
    seen = 0;
    snapshot_scan(again, "things", NULL, NULL, NULL, count_one, &seen);
    assert_int_equal(seen, 100);
    assert_int_equal(snapshot_count(again, "others"), 0);
    o = snapshot_get(again, "things", "odd", "n1");
    assert_int_equal(kit_value(o), 1);
    sobj_unref(o);
    snapshot_unref(again);
    snapshot_unref(snap);
    assert_null(store_snapshot_at(s, store_rv(s) + 1));
    store_close(s);
}

static void test_pins(void **state)
{
    (void)state;
    struct clock_fake clock;
    clock_fake_init(&clock, 0);
    struct store *s = kit_open(&(struct store_conf){.clock = &clock.clock, .window_events = 4});
    uint64_t rv = kit_put(s, "things", "", "a", 1);
    struct snapshot *snap = store_snapshot(s);
    store_pin(s, snap);
    snapshot_unref(snap);
    for (int i = 0; i < 20; i++)
        kit_put(s, "things", "", "a", 2 + i);
    assert_null(store_snapshot_at(s, rv + 1)); /* out of the history, not pinned */
    snap = store_snapshot_at(s, rv);
    assert_non_null(snap);
    struct sobj *o = snapshot_get(snap, "things", "", "a");
    assert_int_equal(kit_value(o), 1);
    sobj_unref(o);
    snapshot_unref(snap);
    clock_fake_advance(&clock, INT64_C(301) * 1000000000);
    assert_null(store_snapshot_at(s, rv));
    store_close(s);
}

/* -- many writers -- */

enum { THREADS = 8, ROUNDS = 200 };

struct counter_job {
    struct store *s;
    int conflicts;
};

/* Everybody adds ROUNDS to one counter, with the expectation as the only protection. */
static void *count_up(void *arg)
{
    struct counter_job *job = arg;
    for (int done = 0; done < ROUNDS;) {
        struct err e = ERR_INIT;
        struct sobj *o = store_get(job->s, "things", "", "counter");
        int rc = store_put(job->s, "things", "", "counter", o->rv, kit_object("counter", kit_value(o) + 1), NULL, &e);
        uint64_t seen = o->rv;
        sobj_unref(o);
        if (rc == 0) {
            done++;
            continue;
        }
        assert_int_equal(e.code, ERR_CONFLICT);
        job->conflicts++;
        o = store_get(job->s, "things", "", "counter"); /* a loser sees what it lost against */
        assert_true(o->rv > seen);
        sobj_unref(o);
    }
    return NULL;
}

static void run_counters(const char *path)
{
    struct store *s = kit_open(&(struct store_conf){.clock = clock_real(), .path = path});
    kit_put(s, "things", "", "counter", 0);
    pthread_t threads[THREADS];
    struct counter_job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct counter_job){.s = s};
        pthread_create(&threads[i], NULL, count_up, &jobs[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct sobj *o = store_get(s, "things", "", "counter");
    assert_int_equal(kit_value(o), THREADS * ROUNDS);
    assert_int_equal(o->rv, 2 + THREADS * ROUNDS); /* refused changes use no revision */
    sobj_unref(o);
    struct store_stats stats;
    store_stats(s, &stats);
    assert_int_equal(stats.commits, 1 + THREADS * ROUNDS);
    assert_int_equal(stats.objects, 1);
    store_close(s);
}

static void test_threads_memory(void **state)
{
    (void)state;
    run_counters(NULL);
}

static void test_threads_journal(void **state)
{
    (void)state;
    char *path = kit_path();
    run_counters(path);
    struct store *s = kit_open(&(struct store_conf){.clock = clock_real(), .path = path});
    struct sobj *o = store_get(s, "things", "", "counter");
    assert_int_equal(kit_value(o), THREADS * ROUNDS);
    sobj_unref(o);
    store_close(s);
    kit_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frozen_form),           cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_snapshots_stand_still), cmocka_unit_test(test_pins),
        cmocka_unit_test(test_threads_memory),        cmocka_unit_test(test_threads_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

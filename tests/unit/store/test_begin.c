/* Writes that are begun now and ended later: they share a group, each has its own outcome, none is forgotten. */
#include "store_kit.h"

#include "store/store_int.h"

#include <pthread.h>
#include <stdatomic.h>

static void count(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static struct store_write *begin(struct store *s, const char *name, int value, atomic_int *told)
{
    return store_put_begin(s, "things", "ns", name, RV_ABSENT, kit_object(name, value), told ? count : NULL, told);
}

static void ends_well(struct store_write *w)
{
    struct err e = ERR_INIT;
    struct sobj *o = NULL;
    if (store_write_end(w, &o, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(o->rv > 0);
    sobj_unref(o);
}

static bool is_there(struct store *s, const char *name)
{
    struct sobj *o = store_get(s, "things", "ns", name);
    sobj_unref(o);
    return o != NULL;
}

static void test_one_group(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    struct store_stats before, after;
    struct store_write *w[10];
    atomic_int told = 0;
    store_flush(s); /* nothing there: nothing happens */
    store_stats(s, &before);
    for (int i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof name, "a-%d", i); /* need not outlive the call */
        w[i] = begin(s, name, i, &told);
    }
    assert_false(is_there(s, "a-0"));
    assert_int_equal(told, 0);
    store_flush(s);
    assert_int_equal(told, 10);
    assert_true(is_there(s, "a-0") && is_there(s, "a-9"));
    for (int i = 0; i < 10; i++)
        ends_well(w[i]);
    store_stats(s, &after);
    assert_int_equal(after.groups - before.groups, 1);
    assert_int_equal(after.commits - before.commits, 10);
    store_close(s);
}

static void test_own_outcomes(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    struct err e = ERR_INIT;
    struct store_write *first = begin(s, "a", 1, NULL), *second = begin(s, "a", 2, NULL);
    store_flush(s);
    assert_int_equal(store_write_end(second, NULL, &e), -1);
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    assert_non_null(strstr(e.msg, "ns/a"));
    ends_well(first);
    store_close(s);
}

static void test_no_flush(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    atomic_int told = 0;
    ends_well(begin(s, "a", 1, NULL)); /* the end waits, and writes */
    struct store_write *w = begin(s, "b", 1, &told);
    kit_put(s, "things", "ns", "c", 1); /* who waits takes all along */
    assert_int_equal(told, 1);
    ends_well(w);
    store_close(s);
}

static void test_full_disk(void **state)
{
    (void)state;
    char *path = kit_path();
    struct store *s = kit_open(&(struct store_conf){.clock = clock_real(), .path = path});
    struct err e = ERR_INIT;
    atomic_int told = 0;
    json_t *big = kit_object("big", 1);
    _auto_free_ char *filler = xcalloc(1, 300001);
    memset(filler, 'x', 300000);
    json_object_set_new(big, "filler", json_string(filler));
    journal_limit_pages(s->journal, 16);
    struct store_write *small = begin(s, "small", 1, &told);
    struct store_write *large = store_put_begin(s, "things", "ns", "big", RV_ABSENT, big, count, &told);
    store_flush(s);
    assert_int_equal(told, 2);
    assert_int_equal(store_write_end(small, NULL, &e), -1); /* the group is written as a whole or not at all */
    assert_int_equal(e.code, ERR_NO_SPACE);
    assert_int_equal(store_write_end(large, NULL, &e), -1);
    assert_false(is_there(s, "small"));
    journal_limit_pages(s->journal, 0);
    ends_well(begin(s, "small", 1, NULL));
    store_close(s);
    s = kit_open(&(struct store_conf){.clock = clock_real(), .path = path});
    assert_true(is_there(s, "small"));
    store_close(s);
    kit_remove(path);
}

/* -- many at once -- */

enum { ROUNDS = 60, CROWD = 8 };

struct party {
    struct store *store;
    pthread_t thread;
    int id;
    bool waits, flushes;
    atomic_int told;
};

static void *take_part(void *arg)
{
    struct party *p = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct store_write *w[CROWD];
        char name[32];
        for (int k = 0; k < CROWD; k++) {
            snprintf(name, sizeof name, "p-%d-%d-%d", p->id, i, k);
            if (p->waits)
                kit_put(p->store, "things", "ns", name, k);
            else
                w[k] = begin(p->store, name, k, &p->told);
        }
        if (p->flushes)
            store_flush(p->store);
        for (int k = 0; !p->waits && k < CROWD; k++)
            ends_well(w[k]);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    char *path = kit_path();
    struct store *s = kit_open(&(struct store_conf){.clock = clock_real(), .path = path});
    struct party all[] = {{.flushes = true}, {.flushes = true}, {.waits = true}, {.waits = true}, {.id = 0}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        all[i].store = s;
        all[i].id = (int)i;
        assert_int_equal(pthread_create(&all[i].thread, NULL, take_part, &all[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        pthread_join(all[i].thread, NULL);
        assert_int_equal(all[i].told, all[i].waits ? 0 : ROUNDS * CROWD);
    }
    struct store_stats st;
    store_stats(s, &st);
    assert_int_equal(st.objects, ARRAY_LEN(all) * ROUNDS * CROWD);
    store_close(s);
    kit_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_group), cmocka_unit_test(test_own_outcomes), cmocka_unit_test(test_no_flush),
        cmocka_unit_test(test_full_disk), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

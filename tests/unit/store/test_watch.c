/* What the store promises to watchers: order, no gap, no repetition, expiry, and that a slow one is dropped. */
#include "store_kit.h"

#include "base/str.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static struct watch *watch_from(struct store *s, const char *bucket, const char *ns, uint64_t rv)
{
    struct watch *w = NULL;
    struct err e = ERR_INIT;
    struct watch_conf conf = {.bucket = bucket, .ns = ns, .after_rv = rv};
    if (store_watch(s, &conf, &w, &e) < 0)
        fail_msg("store_watch: %s", e.msg);
    return w;
}

/* The next event as "TYPE ns/name new<-old". */
static void next_is(struct watch *w, const char *want)
{
    static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
    struct watch_event ev;
    char text[128] = "nothing";
    if (watch_next(w, &ev) == 1) {
        char prev[16] = "-";
        if (ev.prev)
            snprintf(prev, sizeof prev, "%d", kit_value(ev.prev));
        snprintf(text, sizeof text, "%s %s/%s %d<-%s", types[ev.type], ev.obj->ns, ev.obj->name, kit_value(ev.obj),
                 prev);
        watch_event_release(&ev);
    }
    assert_string_equal(text, want);
}

static void test_types_and_filters(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    uint64_t start = store_rv(s);
    struct watch *all = watch_from(s, NULL, NULL, start);
    struct watch *things = watch_from(s, "things", NULL, start);
    struct watch *one_ns = watch_from(s, "things", "y", start);
    kit_put(s, "things", "x", "a", 1);
    kit_put(s, "things", "x", "a", 2);
    kit_put(s, "others", "y", "b", 3);
    kit_put(s, "things", "y", "b", 4);
    kit_delete(s, "things", "x", "a");
    struct watch *late = watch_from(s, NULL, NULL, start);
    struct watch *both[] = {all, late};
    for (int i = 0; i < 2; i++) {
        next_is(both[i], "ADDED x/a 1<--");
        next_is(both[i], "MODIFIED x/a 2<-1");
        next_is(both[i], "ADDED y/b 3<--");
        next_is(both[i], "ADDED y/b 4<--");
        next_is(both[i], "DELETED x/a 2<-2");
        next_is(both[i], "nothing");
    }
    next_is(things, "ADDED x/a 1<--");
    next_is(things, "MODIFIED x/a 2<-1");
    next_is(things, "ADDED y/b 4<--");
    next_is(things, "DELETED x/a 2<-2");
    next_is(things, "nothing");
    next_is(one_ns, "ADDED y/b 4<--");
    next_is(one_ns, "nothing");
    struct watch *resumed = watch_from(s, "things", NULL, start + 2);
    next_is(resumed, "ADDED y/b 4<--");
    struct store_stats stats;
    store_stats(s, &stats);
    assert_int_equal(stats.watchers, 5);
    assert_int_equal(stats.log_events, 5);
    watch_close(all);
    watch_close(things);
    watch_close(one_ns);
    watch_close(late);
    watch_close(resumed);
    store_stats(s, &stats);
    assert_int_equal(stats.watchers, 0);
    store_close(s);
}

static void expired(struct store *s, uint64_t rv, const char *want)
{
    struct watch *w = NULL;
    struct err e = ERR_INIT;
    struct watch_conf conf = {.after_rv = rv};
    assert_int_equal(store_watch(s, &conf, &w, &e), -1);
    assert_int_equal(e.code, ERR_EXPIRED);
    assert_string_equal(e.msg, want);
}

static void test_window(void **state)
{
    (void)state;
    struct clock_fake clock;
    clock_fake_init(&clock, 0);
    struct store *s = kit_open(&(struct store_conf){.clock = &clock.clock, .window_events = 3, .window_seconds = 10});
    for (int i = 0; i < 5; i++)
        kit_put(s, "things", "", "a", i); /* revisions 2..6; 4, 5, 6 stay */
    expired(s, 2, "too old resource version: 2 (3)");
    struct watch *w = watch_from(s, NULL, NULL, 3);
    next_is(w, "MODIFIED /a 2<-1");
    watch_close(w);
    clock_fake_advance(&clock, INT64_C(11) * 1000000000);
    expired(s, 5, "too old resource version: 5 (6)");
    watch_close(watch_from(s, NULL, NULL, 6));
    store_close(s);
}

static void count_notice(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_slow_is_dropped(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    atomic_int notices = 0;
    struct watch *w = NULL;
    struct err e = ERR_INIT;
    struct watch_conf conf = {.after_rv = store_rv(s), .queue_max = 3, .notify = count_notice, .arg = &notices};
    assert_int_equal(store_watch(s, &conf, &w, &e), 0);
    for (int i = 0; i < 3; i++)
        kit_put(s, "things", "", "a", i);
    assert_int_equal(notices, 1); /* on the first only */
    kit_put(s, "things", "", "a", 3);
    assert_int_equal(notices, 2); /* it died */
    struct watch_event ev;
    assert_int_equal(watch_next(w, &ev), -1);
    kit_put(s, "things", "", "a", 4);
    assert_int_equal(notices, 2);
    watch_close(w);

    /* a backlog does not count against the bound */
    conf.after_rv = 1;
    assert_int_equal(store_watch(s, &conf, &w, &e), 0);
    for (int i = 0; i < 3; i++)
        kit_put(s, "things", "", "a", 10 + i);
    assert_int_equal(watch_next(w, &ev), 1);
    watch_event_release(&ev);
    watch_close(w);
    store_close(s);
}

static void test_close_kills(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    atomic_int notices = 0;
    struct watch *w = NULL;
    struct err e = ERR_INIT;
    struct watch_conf conf = {.bucket = "things", .after_rv = 1, .notify = count_notice, .arg = &notices};
    assert_int_equal(store_watch(s, &conf, &w, &e), 0);
    store_close(s);
    struct watch_event ev;
    assert_int_equal(notices, 1);
    assert_int_equal(watch_next(w, &ev), -1);
    watch_close(w);
}

/* -- with threads -- */

enum { WRITERS = 4, WRITES = 500 };

static void *write_many(void *arg)
{
    static atomic_int next_id;
    struct store *s = arg;
    char name[16];
    snprintf(name, sizeof name, "w%d", atomic_fetch_add(&next_id, 1));
    for (int i = 0; i < WRITES; i++)
        kit_put(s, "things", "", name, i);
    return NULL;
}

struct follower {
    struct store *s;
    sem_t wake;
    uint64_t after;
    int seen;
};

static void wake_follower(void *arg)
{
    sem_post(&((struct follower *)arg)->wake);
}

/* Resumes with a new watch every 100 events; must see every revision once, in order. */
static void *follow(void *arg)
{
    struct follower *f = arg;
    struct watch *w = NULL;
    while (f->seen < WRITERS * WRITES) {
        struct err e = ERR_INIT;
        struct watch_conf conf = {.after_rv = f->after, .notify = wake_follower, .arg = f};
        assert_int_equal(store_watch(f->s, &conf, &w, &e), 0);
        for (int n = 0; n < 100 && f->seen < WRITERS * WRITES;) {
            struct watch_event ev;
            if (watch_next(w, &ev) != 1) {
                sem_wait(&f->wake);
                continue;
            }
            assert_int_equal(ev.obj->rv, f->after + 1);
            f->after++;
            f->seen++;
            n++;
            watch_event_release(&ev);
        }
        watch_close(w);
    }
    return NULL;
}

static void test_no_gap(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    pthread_t writers[WRITERS], followers[3];
    struct follower f[3];
    for (int i = 0; i < 3; i++) {
        f[i] = (struct follower){.s = s, .after = store_rv(s)};
        sem_init(&f[i].wake, 0, 0);
        pthread_create(&followers[i], NULL, follow, &f[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&writers[i], NULL, write_many, s);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(followers[i], NULL);
        assert_int_equal(f[i].seen, WRITERS * WRITES);
        sem_destroy(&f[i].wake);
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_filters), cmocka_unit_test(test_window), cmocka_unit_test(test_slow_is_dropped),
        cmocka_unit_test(test_close_kills),       cmocka_unit_test(test_no_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

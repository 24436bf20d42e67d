/* The queue alone: once is enough, again while working, delays, back-off, and no memory kept for keys at rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/workqueue_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct work *take_is(struct workqueue *q, const char *want)
{
    const struct work *w = wq_take(q);
    char got[64] = "nothing";
    if (w)
        snprintf(got, sizeof got, "%s/%s", w->ns, w->name);
    assert_string_equal(got, want);
    return w;
}

static void test_dedup_and_order(void **state)
{
    (void)state;
    struct workqueue *q = wq_new(5, 1000);
    wq_add(q, "ns", "a");
    wq_add(q, "ns", "b");
    wq_add(q, "ns", "a");
    wq_add(q, "", "a");
    assert_int_equal(wq_len(q), 3);
    wq_done(q, take_is(q, "ns/a"));
    wq_done(q, take_is(q, "ns/b"));
    wq_done(q, take_is(q, "/a"));
    take_is(q, "nothing");
    assert_int_equal(wq_known(q), 0);
    wq_free(q);
}

static void test_again_while_working(void **state)
{
    (void)state;
    struct workqueue *q = wq_new(5, 1000);
    wq_add(q, "ns", "a");
    const struct work *w = take_is(q, "ns/a");
    wq_add(q, "ns", "a");
    wq_add(q, "ns", "a");
    take_is(q, "nothing"); /* never two at a time */
    wq_done(q, w);
    wq_done(q, take_is(q, "ns/a"));
    take_is(q, "nothing");
    wq_free(q);
}

static void test_delay(void **state)
{
    (void)state;
    struct workqueue *q = wq_new(5, 1000);
    wq_add_at(q, "ns", "late", 300);
    wq_add_at(q, "ns", "early", 100);
    wq_add_at(q, "ns", "late", 200); /* earlier wins */
    wq_add_at(q, "ns", "early", 500);
    assert_int_equal(wq_next_due(q), 100);
    wq_expire(q, 99);
    take_is(q, "nothing");
    wq_expire(q, 100);
    wq_done(q, take_is(q, "ns/early"));
    assert_int_equal(wq_next_due(q), 200);
    wq_add(q, "ns", "late"); /* now, and still at its time */
    wq_done(q, take_is(q, "ns/late"));
    assert_int_equal(wq_known(q), 1);
    wq_expire(q, 250);
    wq_done(q, take_is(q, "ns/late"));
    assert_int_equal(wq_next_due(q), -1);
    assert_int_equal(wq_known(q), 0);
    wq_free(q);
}

static void test_many_timers(void **state)
{
    (void)state;
    struct workqueue *q = wq_new(5, 1000);
    srand(7);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        wq_add_at(q, "", name, rand() % 500);
        wq_add_at(q, "", name, rand() % 500);
    }
    int taken = 0;
    for (int now = 0; now < 500; now++) {
        assert_true(wq_next_due(q) < 0 || wq_next_due(q) >= now);
        wq_expire(q, now);
        const struct work *w;
        while ((w = wq_take(q))) {
            wq_done(q, w);
            taken++;
        }
    }
    assert_int_equal(taken, 1000);
    assert_int_equal(wq_known(q), 0);
    wq_free(q);
}

static void test_backoff(void **state)
{
    (void)state;
    static const int64_t want[] = {5, 10, 20, 40, 80, 100, 100};
    struct workqueue *q = wq_new(5, 100);
    int64_t now = 0;
    wq_add(q, "", "a");
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct work *w = take_is(q, "/a");
        assert_int_equal(wq_failed(q, w, now), want[i]);
        now = wq_next_due(q);
        wq_expire(q, now);
    }
    const struct work *w = take_is(q, "/a");
    wq_forget(q, "", "a");
    assert_int_equal(wq_failed(q, w, now), 5);
    wq_expire(q, now + 5);
    w = take_is(q, "/a");
    wq_forget(q, "", "a");
    wq_done(q, w);
    assert_int_equal(wq_known(q), 0);
    wq_forget(q, "", "nobody");
    wq_free(q);
}

static void test_failed_and_added(void **state)
{
    (void)state;
    struct workqueue *q = wq_new(5, 100);
    wq_add(q, "", "a");
    const struct work *w = take_is(q, "/a");
    wq_add(q, "", "a");
    wq_failed(q, w, 0);
    wq_done(q, take_is(q, "/a")); /* what was added does not wait for the back-off */
    wq_expire(q, 5);
    take_is(q, "/a");
    wq_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dedup_and_order), cmocka_unit_test(test_again_while_working),
        cmocka_unit_test(test_delay),           cmocka_unit_test(test_many_timers),
        cmocka_unit_test(test_backoff),         cmocka_unit_test(test_failed_and_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

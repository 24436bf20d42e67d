/* A clock that is ahead reads what the real one reads, and as much more as it was moved. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MINUTE (INT64_C(60) * 1000000000)

static void test_ahead(void **state)
{
    (void)state;
    struct clock_ahead a;
    clock_ahead_init(&a, 0);
    int64_t wall = clock_wall_ns(clock_real()), mono = clock_mono_ns(clock_real());
    assert_true(clock_wall_ns(&a.clock) >= wall);
    assert_true(clock_mono_ns(&a.clock) >= mono);
    clock_ahead_move(&a, 6 * MINUTE);
    assert_int_equal(clock_ahead_by(&a), 6 * MINUTE);
    assert_true(clock_wall_ns(&a.clock) >= wall + 6 * MINUTE);
    assert_true(clock_mono_ns(&a.clock) >= mono + 6 * MINUTE);
    int64_t moved = clock_mono_ns(&a.clock);
    assert_true(moved - 6 * MINUTE <= clock_mono_ns(clock_real()));
}

/* Manifests that a program wrote have the year 1 where it had no time; and anybody may write the last year there is. */
static void test_far_times(void **state)
{
    (void)state;
    static const char *const in_order[] = {"0000-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2024-01-02T03:04:05Z",
                                           "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"};
    int64_t before = 0, first = 0, last = 0, t;
    for (size_t i = 0; i < sizeof in_order / sizeof *in_order; i++, before = t) {
        assert_int_equal(time_parse(in_order[i], &t), 0);
        assert_true(i == 0 || before < t);
    }
    assert_int_equal(time_parse("0001-01-01T00:00:00Z", &first), 0);
    assert_int_equal(time_parse("9999-12-31T23:59:59Z", &last), 0);
    assert_true(clock_wall_ns(clock_real()) > first);
    assert_true(clock_wall_ns(clock_real()) - first > 0); /* an age */
    assert_true(last + 365 * 24 * 60 * MINUTE > last);    /* a deadline */
}

/* "--since 10000000h", and a grace period of all the seconds there are. */
static void test_held_in_the_range(void **state)
{
    (void)state;
    assert_int_equal(time_after(5, 2, 1000), 2005);
    assert_int_equal(time_after(5, -2, 1000), -1995);
    assert_true(time_after(5, INT64_MAX, 1000) == INT64_MAX);
    assert_true(time_after(5, INT64_MAX, 1) == INT64_MAX);
    assert_true(time_after(5, INT64_MIN, 1000) == INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ahead), cmocka_unit_test(test_far_times),
                                       cmocka_unit_test(test_held_in_the_range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

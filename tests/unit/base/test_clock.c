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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ahead)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The life of a student's cluster: what is so now, by what was written and what is seen; no state that is not true. */
#include "cli/class_life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_what_is_so(void **state)
{
    (void)state;
    static const struct {
        enum life written;
        struct life_seen seen; /* busy, answers, under way */
        enum life now;
    } rows[] = {
        {LIFE_NEW, {false, false, false}, LIFE_NEW},
        {LIFE_STARTING, {true, false, false}, LIFE_STARTING},
        {LIFE_STARTING, {true, true, true}, LIFE_STARTING},
        {LIFE_STARTING, {false, false, false}, LIFE_FAILED}, /* who started it was killed */
        {LIFE_STARTING, {false, true, false}, LIFE_FAILED},
        {LIFE_STARTING, {false, true, true}, LIFE_UP},
        {LIFE_UP, {false, true, true}, LIFE_UP},
        {LIFE_UP, {false, false, true}, LIFE_DOWN},  /* it was killed, or the machine */
        {LIFE_UP, {false, false, false}, LIFE_FREE}, /* its student has ended the lab */
        {LIFE_DOWN, {false, true, true}, LIFE_UP},
        {LIFE_STOPPING, {true, true, true}, LIFE_STOPPING},
        {LIFE_STOPPING, {false, false, true}, LIFE_STOPPED},
        {LIFE_STOPPING, {false, true, true}, LIFE_UP},
        {LIFE_STOPPED, {false, true, true}, LIFE_UP}, /* by a word of the student's */
        {LIFE_STOPPED, {false, false, true}, LIFE_STOPPED},
        {LIFE_FAILED, {false, false, true}, LIFE_FAILED},
        {LIFE_FREE, {false, true, true}, LIFE_UP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (life_now(rows[i].written, &rows[i].seen) != rows[i].now)
            fail_msg("row %zu: %s", i, sm_name(&life_sm, (int)life_now(rows[i].written, &rows[i].seen)));
}

/* Whatever is so, it can be started and stopped; and nothing is seen that the table does not allow. */
static void test_a_way_from_everywhere(void **state)
{
    (void)state;
    for (int written = 0; written < (int)life_sm.count; written++)
        for (int bits = 0; bits < 8; bits++) {
            const struct life_seen seen = {bits & 1, bits & 2, bits & 4};
            const int now = (int)life_now((enum life)written, &seen);
            if (!sm_may(&life_sm, written, now))
                fail_msg("from %s to %s", sm_name(&life_sm, written), sm_name(&life_sm, now));
            if (!seen.busy)
                assert_true(sm_may(&life_sm, now, LIFE_STARTING) && sm_may(&life_sm, now, LIFE_STOPPING));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_so), cmocka_unit_test(test_a_way_from_everywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

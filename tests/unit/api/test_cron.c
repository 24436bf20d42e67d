/* Schedules: what is refused in which words, and when the next time is. */
#include "api/cron.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* 2026-01-01T00:00:00Z, a Thursday */
#define NEW_YEAR INT64_C(1767225600)
#define HOUR     INT64_C(3600)
#define DAY      (24 * HOUR)

static void test_next(void **state)
{
    static const struct {
        const char *schedule;
        int64_t after, next; /* seconds from the new year on */
    } cases[] = {
        {"* * * * *", 0, 60},
        {"* * * * *", 59, 60},
        {"*/5 * * * *", 61, 300},
        {"30 4 * * *", 0, 4 * HOUR + 1800},
        {"30 4 * * *", 5 * HOUR, DAY + 4 * HOUR + 1800},
        {"0 0 1 * *", 1, 31 * DAY},
        {"0 0 29 feb *", 0, (365 + 365 + 31 + 28) * DAY}, /* 2028 */
        {"0 12 * * sun", 0, 3 * DAY + 12 * HOUR},
        {"0 0 13 * 5", 0, DAY},  /* the 13th or a Friday: Friday 2 January */
        {"0 0 */2 * 5", 0, DAY}, /* with a step it is no star any more */
        {"@hourly", 10, HOUR},
        {"@daily", 10, DAY},
        {"@every 90s", 10, 100},
        {"1-3,7 10-12/2 * * *", 0, 10 * HOUR + 60},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cron c;
        struct err e = ERR_INIT;
        if (cron_parse(cases[i].schedule, &c, &e) < 0)
            fail_msg("%s: %s", cases[i].schedule, e.msg);
        if (cron_next(&c, NULL, NEW_YEAR + cases[i].after) != NEW_YEAR + cases[i].next)
            fail_msg("%s after %lld: %lld", cases[i].schedule, (long long)cases[i].after,
                     (long long)(cron_next(&c, NULL, NEW_YEAR + cases[i].after) - NEW_YEAR));
    }
}

static void test_never(void **state)
{
    struct cron c;
    struct err e = ERR_INIT;
    (void)state;
    assert_int_equal(cron_parse("0 0 31 2 *", &c, &e), 0);
    assert_int_equal(cron_next(&c, "", NEW_YEAR), -1);
}

static void test_zone(void **state)
{
    struct cron c;
    struct err e = ERR_INIT;
    (void)state;
    assert_true(cron_zone_known("UTC"));
    assert_false(cron_zone_known("Mars/Base"));
    assert_false(cron_zone_known("../../etc/passwd"));
    if (!cron_zone_known("Europe/Berlin"))
        skip(); /* a machine without time zones */
    assert_int_equal(cron_parse("0 12 * * *", &c, &e), 0);
    assert_int_equal(cron_next(&c, "Europe/Berlin", NEW_YEAR), NEW_YEAR + 11 * HOUR);
    assert_int_equal(cron_next(&c, "Europe/Berlin", NEW_YEAR + 181 * DAY), NEW_YEAR + 181 * DAY + 10 * HOUR); /* July */
}

static void test_refused(void **state)
{
    static const char *const cases[][2] = {
        {"", "empty spec string"},
        {"* * * *", "expected exactly 5 fields, found 4: [* * * *]"},
        {"often", "expected exactly 5 fields, found 1: [often]"},
        {"60 * * * *", "end of range (60) above maximum (59): 60"},
        {"* * 0 * *", "beginning of range (0) below minimum (1): 0"},
        {"5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"},
        {"*/0 * * * *", "step of range should be a positive number: */0"},
        {"1-2-3 * * * *", "too many hyphens: 1-2-3"},
        {"1/2/3 * * * *", "too many slashes: 1/2/3"},
        {"x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"},
        {"@sometimes", "unrecognized descriptor: @sometimes"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cron c;
        struct err e = ERR_INIT;
        assert_int_equal(cron_parse(cases[i][0], &c, &e), -1);
        assert_string_equal(e.msg, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ways a text matches, and the forms of a report. */
#include "base/json.h"
#include "base/mem.h"
#include "lab/check_int.h"
#include "lab/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *match, *text;
    bool fits;
} rows[] = {
    {"{\"is\":\"Bound\"}", " Bound\n", true},
    {"{\"is\":\"Bound\"}", "Pending", false},
    {"{\"is\":\"1Gi\"}", "1024Mi", true},
    {"{\"is\":3}", "3", true},
    {"{\"is\":true}", "true", true},
    {"{\"contains\":\"ext4\"}", "/dev/xvdba ext4 rw", true},
    {"{\"lacks\":\"ext4\"}", "/dev/xvdba ext4 rw", false},
    {"{\"matches\":\"^a+$\"}", "b\naaa\n", true},
    {"{\"matches\":\"^a+$\"}", "baaa", false},
    {"{\"atLeast\":\"1Gi\"}", "2Gi", true},
    {"{\"atLeast\":\"1Gi\"}", "900Mi", false},
    {"{\"atLeast\":2}", "none", false},
    {"{\"atMost\":5}", "5", true},
    {"{\"oneOf\":[\"a\",\"b\"]}", "b", true},
    {"{\"oneOf\":[\"a\",\"b\"]}", "c", false},
};

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        _auto_json_ json_t *match = json_loads(rows[i].match, 0, NULL);
        _auto_buf_ struct buf expected = BUF_INIT;
        bool fits;
        assert_int_equal(match_text(match, rows[i].text, &fits, &expected, &e), 0);
        if (fits != rows[i].fits)
            fail_msg("%s of \"%s\"", rows[i].match, rows[i].text);
        assert_true(expected.len > 0);
    }
}

static void test_an_expression_that_is_none(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_json_ json_t *match = json_pack("{s:s}", "matches", "a(");
    _auto_buf_ struct buf expected = BUF_INIT;
    bool fits;
    assert_int_equal(match_text(match, "a", &fits, &expected, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
}

static const char report_text[] =
    "{\"lab\":\"l\",\"score\":50.0,\"points\":1,\"of\":2,\"steps\":[{\"name\":\"s\",\"checks\":["
    "{\"name\":\"good\",\"passed\":true,\"points\":1,\"of\":1,\"ms\":5},"
    "{\"name\":\"<bad>\",\"passed\":false,\"points\":0,\"of\":1,\"ms\":1500,\"expected\":\"a & "
    "b\",\"observed\":\"c\\nd\","
    "\"look\":\"there\"}]}]}";

static void test_reports(void **state)
{
    (void)state;
    _auto_json_ json_t *report = json_loads(report_text, 0, NULL);
    _auto_buf_ struct buf junit = BUF_INIT, tap = BUF_INIT, score = BUF_INIT, row = BUF_INIT;
    report_junit(report, &junit);
    assert_non_null(strstr(buf_str(&junit), "<testsuite name=\"s\" tests=\"2\" failures=\"1\">"));
    assert_non_null(strstr(buf_str(&junit), "name=\"&lt;bad&gt;\" time=\"1.500\""));
    assert_non_null(strstr(buf_str(&junit), "expected a &amp; b"));
    report_tap(report, &tap);
    assert_string_equal(buf_str(&tap), "TAP version 13\n1..2\nok 1 - s: good\nnot ok 2 - s: <bad>\n"
                                       "  ---\n  expected: \"a & b\"\n  observed: \"c\\nd\"\n  ...\n");
    report_text_score(report, &score);
    assert_string_equal(buf_str(&score), "50 of 100 (1 of 2 points)");
    report_text_check(json_array_get(json_object_get(json_array_get(json_object_get(report, "steps"), 0), "checks"), 1),
                      false, &row);
    assert_string_equal(buf_str(&row), "  FAIL <bad> (0 of 1)\n      expected  a & b\n"
                                       "      observed  c\n                d\n      look      there\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_an_expression_that_is_none),
        cmocka_unit_test(test_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

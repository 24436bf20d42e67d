/* report.c - see report.h. THREADS: pure. */
#include "lab/report.h"

#include "base/json.h"
#include "base/mem.h"

#include <string.h>

/* Each line behind the first is put under it. */
static void add_block(struct buf *out, const char *label, const char *text)
{
    static const char indent[] = "                ";
    buf_addf(out, "      %-10s", label);
    for (; *text; text++) {
        buf_addc(out, *text);
        if (*text == '\n')
            buf_adds(out, indent);
    }
    buf_addc(out, '\n');
}

void report_text_check(const json_t *row, bool colour, struct buf *out)
{
    static const char *const members[] = {"expected", "observed", "look"};
    const bool passed = jbool(row, "passed", false);
    buf_addf(out, "  %s%s%s %s (%lld of %lld)\n", colour ? passed ? "\033[32m" : "\033[31m" : "",
             passed ? "ok  " : "FAIL", colour ? "\033[0m" : "", jstr_or(row, "name", ""),
             (long long)jint(row, "points", 0), (long long)jint(row, "of", 0));
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (jstr(row, members[i]) && *jstr(row, members[i]))
            add_block(out, members[i], jstr(row, members[i]));
}

void report_text_score(const json_t *report, struct buf *out)
{
    buf_addf(out, "%.4g of 100 (%lld of %lld points)", json_real_value(json_object_get(report, "score")),
             (long long)jint(report, "points", 0), (long long)jint(report, "of", 0));
}

/* ---- JUnit ---- */

void report_xml(struct buf *out, const char *text)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}};
    for (; *text; text++) {
        size_t i = 0;
        while (i < ARRAY_LEN(entities) && entities[i].c != *text)
            i++;
        if (i < ARRAY_LEN(entities))
            buf_adds(out, entities[i].entity);
        else if ((unsigned char)*text >= 0x20 || strchr("\t\n", *text))
            buf_addc(out, *text);
    }
}

void report_junit_case(const json_t *row, const char *step, struct buf *out)
{
    buf_adds(out, "    <testcase classname=\"");
    report_xml(out, step);
    buf_adds(out, "\" name=\"");
    report_xml(out, jstr_or(row, "name", ""));
    buf_addf(out, "\" time=\"%.3f\"", (double)jint(row, "ms", 0) / 1000);
    if (jbool(row, "passed", false)) {
        buf_adds(out, "/>\n");
        return;
    }
    buf_adds(out, ">\n      <failure message=\"expected ");
    report_xml(out, jstr_or(row, "expected", ""));
    buf_adds(out, "\">observed ");
    report_xml(out, jstr_or(row, "observed", ""));
    buf_adds(out, "</failure>\n    </testcase>\n");
}

static size_t failures(const json_t *step)
{
    size_t i, n = 0;
    const json_t *row;
    json_array_foreach(json_object_get(step, "checks"), i, row) n += !jbool(row, "passed", false);
    return n;
}

void report_junit(const json_t *report, struct buf *out)
{
    size_t s, c;
    const json_t *step, *row;
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"");
    report_xml(out, jstr_or(report, "lab", ""));
    buf_adds(out, "\">\n");
    json_array_foreach(json_object_get(report, "steps"), s, step)
    {
        const json_t *checks = json_object_get(step, "checks");
        buf_adds(out, "  <testsuite name=\"");
        report_xml(out, jstr_or(step, "name", ""));
        buf_addf(out, "\" tests=\"%zu\" failures=\"%zu\">\n", json_array_size(checks), failures(step));
        json_array_foreach(checks, c, row) report_junit_case(row, jstr_or(step, "name", ""), out);
        buf_adds(out, "  </testsuite>\n");
    }
    buf_adds(out, "</testsuites>\n");
}

/* ---- TAP ---- */

void report_tap(const json_t *report, struct buf *out)
{
    size_t s, c, n = 0;
    const json_t *step, *row;
    json_array_foreach(json_object_get(report, "steps"), s, step) n += json_array_size(json_object_get(step, "checks"));
    buf_addf(out, "TAP version 13\n1..%zu\n", n);
    n = 0;
    json_array_foreach(json_object_get(report, "steps"), s, step)
        json_array_foreach(json_object_get(step, "checks"), c, row)
    {
        const bool passed = jbool(row, "passed", false);
        buf_addf(out, "%sok %zu - %s: %s\n", passed ? "" : "not ", ++n, jstr_or(step, "name", ""),
                 jstr_or(row, "name", ""));
        if (passed)
            continue;
        _auto_free_ char *expected = json_dumps(json_object_get(row, "expected"), JSON_ENCODE_ANY);
        _auto_free_ char *observed = json_dumps(json_object_get(row, "observed"), JSON_ENCODE_ANY);
        buf_addf(out, "  ---\n  expected: %s\n  observed: %s\n  ...\n", expected, observed);
    }
}

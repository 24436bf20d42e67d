/* results.c - see results.h: the table of forms; table, CSV, JUnit and JSON. THREADS: pure. */
#include "lab/results.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "lab/report.h"

#include <stdlib.h>
#include <string.h>

void results_plain(struct buf *out, const char *text, size_t max)
{
    size_t i = 0;
    for (; text[i] && i < max; i++) {
        const unsigned char c = (unsigned char)text[i];
        /* 0x80..0x9f as code points (in UTF-8: 0xc2 and such a byte) are control codes to some terminals. */
        const bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0);
        buf_addc(out, control ? '?' : (char)c);
        i += c == 0xc2 && control && text[i + 1];
    }
    while (text[i] && (text[i] & 0xc0) == 0x80) /* not in the middle of a character */
        buf_addc(out, text[i++]);
}

static double score_of(const json_t *student)
{
    return json_number_value(jat(student, "report.score"));
}

void results_trouble(const json_t *student, struct buf *out)
{
    size_t i, k;
    const json_t *step, *note, *remark;
    const char *refused = jstr(student, "report.refused"), *error = jstr(student, "error");
    if (refused || error)
        buf_addf(out, "%s\n", refused ? refused : error);
    if (json_object_get(student, "bundle") && jint(student, "bundle.points", 0) != jint(student, "report.points", 0))
        buf_addf(out, "the bundle says %lld points\n", (long long)jint(student, "bundle.points", 0));
    json_array_foreach(json_object_get(student, "remarks"), i, remark) buf_addf(out, "%s\n", json_string_value(remark));
    json_array_foreach(jat(student, "report.steps"), i, step)
    {
        json_array_foreach(json_object_get(step, "notes"), k, note)
            buf_addf(out, "%s: %s\n", jstr_or(note, "file", ""), jstr_or(note, "says", ""));
    }
}

/* ---- a table for the terminal ---- */

static size_t failed_checks(const json_t *student)
{
    size_t s, c, n = 0;
    const json_t *step, *row;
    json_array_foreach(jat(student, "report.steps"), s, step)
    {
        json_array_foreach(json_object_get(step, "checks"), c, row) n += !jbool(row, "passed", false);
    }
    return n;
}

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void add_summary(const json_t *class, struct buf *out)
{
    const json_t *students = json_object_get(class, "students"), *student;
    const size_t n = json_array_size(students);
    _auto_free_ double *scores = xcalloc(n + 1, sizeof *scores);
    double sum = 0;
    size_t i, full = 0;
    json_array_foreach(students, i, student)
    {
        scores[i] = score_of(student);
        sum += scores[i];
        full += scores[i] >= 100;
    }
    qsort(scores, n, sizeof *scores, by_number);
    const double median = n == 0 ? 0 : n % 2 ? scores[n / 2] : (scores[n / 2 - 1] + scores[n / 2]) / 2;
    buf_addf(out, "%zu submission%s, mean %.1f, median %.1f, %zu with all points, in %.1f s\n", n, n == 1 ? "" : "s",
             n ? sum / (double)n : 0, median, full, json_number_value(json_object_get(class, "seconds")));
}

static void make_table(const json_t *class, struct buf *out)
{
    size_t i;
    const json_t *student;
    buf_addf(out, "%-28s %6s %9s  %-8s %s\n", "STUDENT", "SCORE", "POINTS", "STATUS", "");
    json_array_foreach(json_object_get(class, "students"), i, student)
    {
        _auto_buf_ struct buf name = BUF_INIT, trouble = BUF_INIT, points = BUF_INIT;
        results_plain(&name, jstr_or(student, "student", ""), 28);
        results_trouble(student, &trouble);
        buf_addf(&points, "%lld/%lld", (long long)jint(student, "report.points", 0),
                 (long long)jint(student, "report.of", 0));
        buf_addf(out, "%-28s %6.1f %9s  %-8s ", buf_str(&name), score_of(student), buf_str(&points),
                 jstr_or(student, "status", ""));
        if (!trouble.len && failed_checks(student))
            buf_addf(&trouble, "%zu checks failed", failed_checks(student));
        if (trouble.len)
            trouble.data[strcspn(trouble.data, "\n")] = '\0';
        results_plain(out, buf_str(&trouble), 72);
        while (out->len && out->data[out->len - 1] == ' ')
            out->data[--out->len] = '\0';
        buf_addc(out, '\n');
    }
    add_summary(class, out);
}

/* ---- CSV: RFC 4180 ---- */

void results_csv_cell(struct buf *out, const char *text)
{
    buf_adds(out, strchr("=+-@\t\r", *text) && *text ? "\"'" : "\"");
    for (; *text; text++) {
        if (*text == '"')
            buf_addc(out, '"');
        if ((unsigned char)*text >= 0x20 || *text == '\n')
            buf_addc(out, *text);
    }
    buf_addc(out, '"');
}

static void csv_head(const json_t *class, struct buf *out)
{
    size_t i;
    const json_t *step;
    buf_adds(out, "student,status,score,points,of");
    json_array_foreach(jat(json_array_get(json_object_get(class, "students"), 0), "report.steps"), i, step)
    {
        buf_addc(out, ',');
        results_csv_cell(out, jstr_or(step, "name", ""));
    }
    buf_adds(out, ",remarks\r\n");
}

static void make_csv(const json_t *class, struct buf *out)
{
    size_t i, k;
    const json_t *student, *step;
    csv_head(class, out);
    json_array_foreach(json_object_get(class, "students"), i, student)
    {
        _auto_buf_ struct buf trouble = BUF_INIT;
        results_trouble(student, &trouble);
        results_csv_cell(out, jstr_or(student, "student", ""));
        buf_addf(out, ",%s,%.4g,%lld,%lld", jstr_or(student, "status", ""), score_of(student),
                 (long long)jint(student, "report.points", 0), (long long)jint(student, "report.of", 0));
        json_array_foreach(jat(student, "report.steps"), k, step)
            buf_addf(out, ",%lld", (long long)jint(step, "points", 0));
        buf_addc(out, ',');
        results_csv_cell(out, buf_str(&trouble));
        buf_adds(out, "\r\n");
    }
}

/* ---- JUnit: a suite a student, a case a check ---- */

static void junit_student(const json_t *student, struct buf *out)
{
    size_t s, c, tests = 0;
    const json_t *step, *row;
    json_array_foreach(jat(student, "report.steps"), s, step) tests += json_array_size(json_object_get(step, "checks"));
    buf_adds(out, "  <testsuite name=\"");
    report_xml(out, jstr_or(student, "student", ""));
    buf_addf(out, "\" tests=\"%zu\" failures=\"%zu\">\n", tests, failed_checks(student));
    json_array_foreach(jat(student, "report.steps"), s, step)
    {
        json_array_foreach(json_object_get(step, "checks"), c, row)
            report_junit_case(row, jstr_or(step, "name", ""), out);
    }
    buf_adds(out, "  </testsuite>\n");
}

static void make_junit(const json_t *class, struct buf *out)
{
    size_t i;
    const json_t *student;
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"");
    report_xml(out, jstr_or(class, "lab", ""));
    buf_adds(out, "\">\n");
    json_array_foreach(json_object_get(class, "students"), i, student) junit_student(student, out);
    buf_adds(out, "</testsuites>\n");
}

static void make_json(const json_t *class, struct buf *out)
{
    _auto_free_ char *text = json_dumps(class, JSON_INDENT(1));
    buf_addf(out, "%s\n", text);
}

/* ---- all ---- */

const struct results_form results_forms[] = {
    {"table", "results.txt", false, make_table},
    {"csv", "results.csv", false, make_csv},
    {"html", "results.html", false, results_html},
    {"junit", "junit.xml", false, make_junit},
    {"json", "results.json", false, make_json},
    {"nbgrader", "nbgrader.json", false, results_nbgrader},
    {"gradescope", "gradescope.json", true, results_gradescope},
    {"classroom", "classroom.json", true, results_classroom},
    {NULL, NULL, false, NULL},
};

const struct results_form *results_form(const char *name)
{
    for (const struct results_form *f = results_forms; f->name; f++)
        if (str_eq(f->name, name))
            return f;
    return NULL;
}

/* results_html.c - a class as one page: no script, nothing from elsewhere, everything a student wrote escaped.
 *
 * Top: the class in numbers and how many passed each step; below: a fold-out for each student, what was expected beside
 * what was observed. A Content-Security-Policy in the page forbids what it does not need. THREADS: pure. */
#include "lab/results.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/report.h"

#include <time.h>

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<style>\n"
    ":root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#cf222e}\n"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\n"
    "table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid var(--line);padding:.3rem .6rem;"
    "text-align:left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0;font:13px/1.4 ui-monospace,monospace}\n"
    "summary{cursor:pointer;padding:.4rem 0}.good{color:var(--good)}.bad{color:var(--bad)}\n"
    "details{border-bottom:1px solid var(--line)}details>table{margin:.3rem 0 1rem}\n"
    "meter{width:8rem;vertical-align:middle}\n"
    "</style>\n";

static void add(struct buf *out, const char *text)
{
    report_xml(out, text);
}

static void pre_cell(struct buf *out, const char *text)
{
    buf_adds(out, "<td><pre>");
    add(out, text);
    buf_adds(out, "</pre></td>");
}

/* ---- the class ---- */

static void step_row(const json_t *students, size_t s, const json_t *step, struct buf *out)
{
    size_t i, all = 0;
    const json_t *student;
    json_array_foreach(students, i, student)
    {
        const json_t *theirs = json_array_get(jat(student, "report.steps"), s);
        all += theirs && jint(theirs, "points", 0) == jint(theirs, "of", 0);
    }
    buf_adds(out, "<tr><td>");
    add(out, jstr_or(step, "title", ""));
    buf_addf(out,
             "</td><td class=\"n\">%zu of %zu</td><td><meter min=\"0\" max=\"%zu\" value=\"%zu\"></meter></td></tr>\n",
             all, json_array_size(students), json_array_size(students), all);
}

static void class_part(const json_t *class, struct buf *out)
{
    const json_t *students = json_object_get(class, "students"), *step;
    size_t s;
    buf_adds(out, "<h2>Steps</h2>\n<table><tr><th>Step</th><th class=\"n\">Solved by</th><th></th></tr>\n");
    json_array_foreach(jat(json_array_get(students, 0), "report.steps"), s, step) step_row(students, s, step, out);
    buf_adds(out, "</table>\n");
}

/* ---- a student ---- */

static void check_row(const json_t *step, const json_t *row, struct buf *out)
{
    const bool passed = jbool(row, "passed", false);
    buf_addf(out, "<tr><td class=\"%s\">%s</td><td>", passed ? "good" : "bad", passed ? "✓" : "✗");
    add(out, jstr_or(step, "name", ""));
    buf_adds(out, ": ");
    add(out, jstr_or(row, "name", ""));
    buf_addf(out, "</td><td class=\"n\">%lld/%lld</td>", (long long)jint(row, "points", 0),
             (long long)jint(row, "of", 0));
    pre_cell(out, jstr_or(row, "expected", ""));
    pre_cell(out, jstr_or(row, "observed", ""));
    pre_cell(out, jstr_or(row, "look", ""));
    buf_adds(out, "</tr>\n");
}

static void student_part(const json_t *student, struct buf *out)
{
    const double score = json_number_value(jat(student, "report.score"));
    size_t s, c;
    const json_t *step, *row;
    _auto_buf_ struct buf trouble = BUF_INIT;
    results_trouble(student, &trouble);
    buf_adds(out, "<details><summary><strong>");
    add(out, jstr_or(student, "student", ""));
    buf_addf(out, "</strong> <meter min=\"0\" max=\"100\" value=\"%.1f\"></meter> %.1f (%lld of %lld), %s</summary>\n",
             score, score, (long long)jint(student, "report.points", 0), (long long)jint(student, "report.of", 0),
             jstr_or(student, "status", ""));
    if (trouble.len) {
        buf_adds(out, "<pre>");
        add(out, buf_str(&trouble));
        buf_adds(out, "</pre>\n");
    }
    buf_adds(out, "<table><tr><th></th><th>Check</th><th class=\"n\">Points</th><th>Expected</th><th>Observed</th>"
                  "<th>Where to look</th></tr>\n");
    json_array_foreach(jat(student, "report.steps"), s, step)
    {
        json_array_foreach(json_object_get(step, "checks"), c, row) check_row(step, row, out);
    }
    buf_adds(out, "</table></details>\n");
}

void results_html(const json_t *class, struct buf *out)
{
    const json_t *students = json_object_get(class, "students"), *student;
    size_t i;
    double sum = 0;
    char stamp[32];
    struct tm when;
    const time_t graded = (time_t)jint(class, "graded", 0);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M UTC", gmtime_r(&graded, &when));
    json_array_foreach(students, i, student) sum += json_number_value(jat(student, "report.score"));
    buf_adds(out, head);
    buf_adds(out, "<title>");
    add(out, jstr_or(class, "title", ""));
    buf_adds(out, "</title>\n</head>\n<body>\n<h1>");
    add(out, jstr_or(class, "title", ""));
    buf_addf(out, "</h1>\n<p>%zu submissions, mean %.1f of 100, graded %s.</p>\n", json_array_size(students),
             i ? sum / (double)i : 0, stamp);
    class_part(class, out);
    buf_adds(out, "<h2>Students</h2>\n");
    json_array_foreach(students, i, student) student_part(student, out);
    buf_adds(out, "</body>\n</html>\n");
}

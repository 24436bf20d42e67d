/* results_systems.c - results as other systems take them.
 *
 * gradescope: results.json of an autograder, for one submission. Source: gradescope-autograders.readthedocs.io, "Output
 * format". classroom: the result object of a GitHub Classroom autograding runner, which its reporter takes
 * base64-encoded. Source: classroom-resources/autograding-command-grader. nbgrader: the fields of its export, and of
 * the grades of its gradebook. Source: nbgrader/plugins/export.py, nbgrader/api.py. THREADS: pure. */
#include "lab/results.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <time.h>

static void write_json(struct buf *out, json_t *take_tree)
{
    _auto_json_ json_t *tree = take_tree;
    _auto_free_ char *text = json_dumps(tree, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    buf_addf(out, "%s\n", text);
}

/* What a failed check says. Returns new. */
static char *explained(const json_t *row)
{
    const char *look = jstr_or(row, "look", "");
    if (jbool(row, "passed", false))
        return xstrdup("");
    return xasprintf("expected: %s\nobserved: %s%s%s", jstr_or(row, "expected", ""), jstr_or(row, "observed", ""),
                     *look ? "\nlook: " : "", look);
}

/* Calls for each check of a student: its step, its row, and where they stand. */
static void each_check(const json_t *student, json_t *to,
                       json_t *(*make)(const json_t *step, const json_t *row, size_t s, size_t c))
{
    size_t s, c;
    const json_t *step, *row;
    json_array_foreach(jat(student, "report.steps"), s, step)
    {
        json_array_foreach(json_object_get(step, "checks"), c, row) json_array_append_new(to, make(step, row, s, c));
    }
}

/* ---- Gradescope ---- */

static json_t *gradescope_test(const json_t *step, const json_t *row, size_t s, size_t c)
{
    _auto_free_ char *number = xasprintf("%zu.%zu", s + 1, c + 1), *output = explained(row),
                     *name = xasprintf("%s: %s", jstr_or(step, "title", ""), jstr_or(row, "name", ""));
    return json_pack("{s:f, s:f, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "score", (double)jint(row, "points", 0),
                     "max_score", (double)jint(row, "of", 0), "status",
                     jbool(row, "passed", false) ? "passed" : "failed", "name", name, "name_format", "text", "number",
                     number, "output", output, "output_format", "text", "visibility", "visible");
}

void results_gradescope(const json_t *class, struct buf *out)
{
    const json_t *student = json_array_get(json_object_get(class, "students"), 0);
    _auto_buf_ struct buf trouble = BUF_INIT;
    json_t *tests = json_array();
    results_trouble(student, &trouble);
    each_check(student, tests, gradescope_test);
    write_json(out, json_pack("{s:f, s:f, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:o}", "score",
                              (double)jint(student, "report.points", 0), "execution_time",
                              round((double)jint(student, "ms", 0) / 1000), "output", buf_str(&trouble),
                              "output_format", "text", "test_output_format", "text", "visibility", "visible",
                              "extra_data", "lab", jstr_or(class, "lab", ""), "status", jstr_or(student, "status", ""),
                              "digest", jstr_or(student, "digest", ""), "tests", tests));
}

/* ---- GitHub Classroom ---- */

static json_t *classroom_test(const json_t *step, const json_t *row, size_t s _unused_, size_t c _unused_)
{
    _auto_free_ char *message = explained(row),
                     *name = xasprintf("%s: %s", jstr_or(step, "name", ""), jstr_or(row, "name", ""));
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:I}", "name", name, "status",
                     jbool(row, "passed", false) ? "pass" : "fail", "score", (int)jint(row, "points", 0), "message",
                     message, "test_code", "", "filename", "", "line_no", 0, "duration",
                     (json_int_t)jint(row, "ms", 0));
}

void results_classroom(const json_t *class, struct buf *out)
{
    const json_t *student = json_array_get(json_object_get(class, "students"), 0);
    const int64_t of = jint(student, "report.of", 0);
    json_t *tests = json_array();
    each_check(student, tests, classroom_test);
    write_json(out, json_pack("{s:i, s:s, s:I, s:o}", "version", 1, "status",
                              str_eq(jstr(student, "status"), "error")        ? "error"
                              : of && jint(student, "report.points", 0) == of ? "pass"
                                                                              : "fail",
                              "max_score", (json_int_t)of, "tests", tests));
}

/* ---- nbgrader ---- */

static json_t *nbgrader_grade(const json_t *step, const json_t *row, size_t s _unused_, size_t c _unused_)
{
    _auto_free_ char *comment = explained(row);
    return json_pack("{s:s, s:s, s:f, s:n, s:f, s:b, s:s}", "notebook", jstr_or(step, "name", ""), "name",
                     jstr_or(row, "name", ""), "auto_score", (double)jint(row, "points", 0), "manual_score",
                     "max_score", (double)jint(row, "of", 0), "needs_manual_grade", 0, "comment", comment);
}

void results_nbgrader(const json_t *class, struct buf *out)
{
    json_t *rows = json_array();
    size_t i;
    const json_t *student;
    char stamp[32];
    struct tm when;
    const time_t graded = (time_t)jint(class, "graded", 0);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", gmtime_r(&graded, &when));
    json_array_foreach(json_object_get(class, "students"), i, student)
    {
        const double points = (double)jint(student, "report.points", 0);
        json_t *grades = json_array();
        each_check(student, grades, nbgrader_grade);
        json_array_append_new(rows,
                              json_pack("{s:s, s:n, s:s, s:s, s:n, s:n, s:n, s:f, s:f, s:f, s:f, s:o}", "assignment",
                                        jstr_or(class, "lab", ""), "duedate", "timestamp", stamp, "student_id",
                                        jstr_or(student, "student", ""), "last_name", "first_name", "email",
                                        "raw_score", points, "late_submission_penalty", 0.0, "score", points,
                                        "max_score", (double)jint(student, "report.of", 0), "grades", grades));
    }
    write_json(out, rows);
}

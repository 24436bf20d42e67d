/* progress.c - see progress.h.
 *
 * DESIGN: two reads of the book, results and hints, in the order in which they were written; all else is a fold over
 * them. What a teacher sees is so what the student's own words go by, and costs no cluster anything. */
#include "lab/progress.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "lab/book_int.h"
#include "lab/check.h"

#include <string.h>

/* ---- what there is to be done ---- */

json_t *progress_task(const struct lab *lab, const char *only, struct err *e)
{
    _auto_json_ json_t *steps = json_array();
    size_t i;
    const json_t *step;
    int of = 0;
    json_array_foreach(json_object_get(lab->tree, "steps"), i, step)
    {
        const char *name = jstr_or(step, "name", "");
        if (only && !str_eq(name, only))
            continue;
        of += lab_step_points(step);
        json_array_append_new(steps, json_pack("{s:s, s:s, s:i}", "name", name, "title", jstr_or(step, "title", name),
                                               "of", lab_step_points(step)));
    }
    if (only && json_array_size(steps) == 0) {
        err_set(e, ERR_NOT_FOUND, "lab %s has no step \"%s\"", lab->name, only);
        return NULL;
    }
    json_t *task = json_pack("{s:s, s:s, s:i, s:O}", "lab", lab->name, "title", jstr_or(lab->tree, "title", lab->name),
                             "of", of, "steps", steps);
    if (only)
        jset_str(task, "only", only);
    return task;
}

/* ---- the book ---- */

/* The columns of one attempt. */
static void take_attempt(sqlite3_stmt *st, void *arg)
{
    json_t *state = json_loads((const char *)sqlite3_column_text(st, 5), 0, NULL);
    json_array_append_new(
        arg, json_pack("{s:I, s:I, s:I, s:s, s:I, s:o}", "id", (json_int_t)sqlite3_column_int64(st, 0), "began",
                       (json_int_t)sqlite3_column_int64(st, 1), "ended", (json_int_t)sqlite3_column_int64(st, 2),
                       "seed", (const char *)sqlite3_column_text(st, 3), "step",
                       (json_int_t)sqlite3_column_int64(st, 4), "state", state ? state : json_object()));
}

/* The latest at this task. Returns new; NULL: there is none, or `e` is set. */
static json_t *find_attempt(struct book *b, const json_t *task, struct err *e)
{
    _auto_json_ json_t *rows = json_array();
    size_t i;
    json_t *row;
    if (book_query(b, take_attempt, rows, e,
                   "SELECT id, began, ended, seed, step, state FROM attempt WHERE lab = ? ORDER BY id DESC", "s",
                   jstr_or(task, "lab", "")) < 0)
        return NULL;
    json_array_foreach(rows, i, row)
    {
        if (str_eq(jstr(row, "state.only"), jstr(task, "only")))
            return json_incref(row);
    }
    return NULL;
}

static json_t *step_named(const json_t *steps, const char *name)
{
    size_t i;
    json_t *step;
    json_array_foreach(steps, i, step)
    {
        if (str_eq(jstr(step, "name"), name))
            return step;
    }
    return NULL;
}

struct folding {
    json_t *out;   /* the progress */
    json_t *tries; /* step -> check -> {"since", "tries"}: since it last passed */
};

static void touch(struct folding *f, int64_t at)
{
    if (at > jint(f->out, "last", 0))
        jset_int(f->out, "last", at);
}

static void put_check(json_t *checks, json_t *take_row)
{
    size_t i;
    const json_t *have;
    json_array_foreach(checks, i, have)
    {
        if (str_eq(jstr(have, "name"), jstr(take_row, "name"))) {
            json_array_set_new(checks, i, take_row);
            return;
        }
    }
    json_array_append_new(checks, take_row);
}

static json_t *tried_in(struct folding *f, const char *step)
{
    if (!json_object_get(f->tries, step))
        json_object_set_new(f->tries, step, json_object());
    return json_object_get(f->tries, step);
}

/* step, name, points, of, at, row */
static void take_result(sqlite3_stmt *st, void *arg)
{
    struct folding *f = arg;
    const char *step_name = (const char *)sqlite3_column_text(st, 0), *name = (const char *)sqlite3_column_text(st, 1);
    const int64_t points = sqlite3_column_int64(st, 2), of = sqlite3_column_int64(st, 3),
                  at = sqlite3_column_int64(st, 4);
    json_t *step = step_named(json_object_get(f->out, "steps"), step_name),
           *row = json_loads((const char *)sqlite3_column_text(st, 5), 0, NULL);
    const bool judged = jbool(row, PROGRESS_JUDGED, false);
    if (!judged)
        touch(f, at);
    if (!step) {
        json_decref(row);
        return;
    }
    if (!row || !json_object_get(row, "passed")) { /* of an earlier version: nothing but points was written down */
        json_decref(row);
        row = json_pack("{s:s, s:b, s:I, s:I}", "name", name, "passed", points == of, "points", (json_int_t)points,
                        "of", (json_int_t)of);
    }
    json_t *tried = tried_in(f, step_name), *failing = json_object_get(tried, name);
    if (jbool(row, "passed", false))
        json_object_del(tried, name);
    else if (!judged || failing)
        json_object_set_new(tried, name,
                            json_pack("{s:I, s:I}", "since", (json_int_t)jint(failing, "since", at), "tries",
                                      (json_int_t)jint(failing, "tries", 0) + !judged));
    put_check(jmake_arr(step, "checks"), row);
}

/* step, cost, at */
static void take_hint(sqlite3_stmt *st, void *arg)
{
    struct folding *f = arg;
    json_t *step = step_named(json_object_get(f->out, "steps"), (const char *)sqlite3_column_text(st, 0));
    touch(f, sqlite3_column_int64(st, 2));
    jset_int(f->out, "hints", jint(f->out, "hints", 0) + 1);
    if (step)
        jset_int(step, "hints", jint(step, "hints", 0) + 1);
}

/* ---- what it comes to ---- */

/* The first check of the step that does not pass, or NULL. */
static json_t *stuck_on(const json_t *step, const json_t *tries)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(step, "checks"), i, row)
    {
        const json_t *failing =
            json_object_get(json_object_get(tries, jstr_or(step, "name", "")), jstr_or(row, "name", ""));
        if (failing)
            return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "step", jstr_or(step, "name", ""), "title",
                             jstr_or(step, "title", ""), "check", jstr_or(row, "name", ""), "since",
                             (json_int_t)jint(failing, "since", 0), "tries", (json_int_t)jint(failing, "tries", 0),
                             "expected", jstr_or(row, "expected", ""), "observed", jstr_or(row, "observed", ""));
    }
    return NULL;
}

/* `at`: where among the task's steps the attempt is; one that asks for a single step counts the lab's steps. */
static void judge_steps(struct folding *f, const json_t *attempt)
{
    json_t *steps = json_object_get(f->out, "steps"), *step;
    const bool only = jstr(f->out, "only") != NULL, ended = jint(attempt, "ended", 0) != 0;
    const size_t n = json_array_size(steps), at = (size_t)jint(attempt, "step", 0);
    const bool all = only ? at >= (size_t)jint(attempt, "state.steps", 1) : at >= n;
    const size_t here = all ? n : only ? 0 : at;
    size_t i;
    json_array_foreach(steps, i, step)
    {
        const bool passed = i < here;
        json_t *stuck = i == here && !ended ? stuck_on(step, f->tries) : NULL;
        jset_str(step, "state",
                 passed      ? jint(step, "points", 0) >= jint(step, "of", 0) ? "done" : "skipped"
                 : ended     ? "left"
                 : stuck     ? "stuck"
                 : i == here ? "working"
                             : "ahead");
        if (i == here)
            jset_str(f->out, "at", jstr_or(step, "name", ""));
        if (stuck)
            json_object_set_new(f->out, "stuck", stuck);
    }
    jset_str(f->out, "state", all ? "done" : ended ? "ended" : json_object_get(f->out, "stuck") ? "stuck" : "working");
}

static json_t *nothing_yet(const json_t *task)
{
    json_t *out = json_pack("{s:s, s:s, s:i, s:I, s:i, s:i, s:o}", "lab", jstr_or(task, "lab", ""), "state",
                            "not begun", "points", 0, "of", (json_int_t)jint(task, "of", 0), "cost", 0, "hints", 0,
                            "steps", json_deep_copy(json_object_get(task, "steps")));
    size_t i;
    json_t *step;
    if (jstr(task, "only"))
        jset_str(out, "only", jstr(task, "only"));
    json_array_foreach(json_object_get(out, "steps"), i, step)
    {
        json_object_update_new(step,
                               json_pack("{s:s, s:i, s:i, s:[]}", "state", "ahead", "points", 0, "hints", 0, "checks"));
    }
    return out;
}

static int add_points(struct book *b, json_t *out, int64_t attempt, struct err *e)
{
    const struct attempt a = {.id = attempt};
    int64_t points, cost;
    size_t i;
    json_t *step;
    if (book_points(b, &a, &points, &cost, e) < 0)
        return -1;
    jset_int(out, "points", points);
    jset_int(out, "cost", cost);
    json_array_foreach(json_object_get(out, "steps"), i, step)
    {
        if (book_step_points(b, &a, jstr_or(step, "name", ""), &points, e) < 0)
            return -1;
        jset_int(step, "points", points);
    }
    return 0;
}

json_t *progress_read(struct book *b, const json_t *task, struct err *e)
{
    _auto_json_ json_t *out = nothing_yet(task), *tries = json_object();
    struct err none = ERR_INIT;
    _auto_json_ json_t *attempt = find_attempt(b, task, &none);
    struct folding f = {.out = out, .tries = tries};
    if (none.code) {
        *e = none;
        return NULL;
    }
    if (!attempt)
        return TAKE(out);
    const int64_t id = jint(attempt, "id", 0);
    json_object_update_new(out, json_pack("{s:O, s:O, s:O, s:O}", "began", json_object_get(attempt, "began"), "ended",
                                          json_object_get(attempt, "ended"), "seed", json_object_get(attempt, "seed"),
                                          "last", json_object_get(attempt, "began")));
    if (book_query(b, take_result, &f, e,
                   "SELECT step, name, points, of, at, row FROM result WHERE attempt = ?1 AND at <= "
                   "(SELECT coalesce(max(until), 9223372036854775807) FROM exam WHERE id = "
                   "(SELECT attempt.exam FROM attempt WHERE attempt.id = ?1)) ORDER BY rowid",
                   "i", id) < 0 ||
        book_query(b, take_hint, &f, e, "SELECT step, cost, at FROM hint WHERE attempt = ? ORDER BY rowid", "i", id) <
            0 ||
        add_points(b, out, id, e) < 0)
        return NULL;
    judge_steps(&f, attempt);
    return TAKE(out);
}

/* ---- as a report ---- */

static const json_t *row_of(const json_t *step, const char *check)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(step, "checks"), i, row)
    {
        if (str_eq(jstr(row, "name"), check))
            return row;
    }
    return NULL;
}

static json_t *report_step(const json_t *made, const json_t *step)
{
    json_t *rows = json_array();
    size_t i;
    const json_t *check;
    json_array_foreach(json_object_get(step, "checks"), i, check)
    {
        const char *name = jstr_or(check, "name", "");
        json_t *row =
            json_pack("{s:s, s:b, s:i, s:i, s:i, s:s, s:s, s:s}", "name", name, "passed", 0, "points", 0, "of",
                      check_points(check), "ms", 0, "expected", name, "observed", "not looked at", "look", "");
        json_object_update(row, (json_t *)(uintptr_t)row_of(made, name));
        json_array_append_new(rows, row);
    }
    return json_pack("{s:s, s:s, s:I, s:i, s:o}", "name", jstr_or(step, "name", ""), "title",
                     jstr_or(step, "title", jstr_or(step, "name", "")), "points", (json_int_t)jint(made, "points", 0),
                     "of", lab_step_points(step), "checks", rows);
}

json_t *progress_report(const json_t *progress, const struct lab *lab)
{
    _auto_json_ json_t *rows = json_array();
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(lab->tree, "steps"), i, step)
    {
        const json_t *made = step_named(json_object_get(progress, "steps"), jstr_or(step, "name", ""));
        if (made)
            json_array_append_new(rows, report_step(made, step));
    }
    json_t *report = check_report(lab, rows);
    const int64_t points = jint(progress, "points", 0), of = jint(report, "of", 0); /* what hints cost is off */
    jset_int(report, "points", points);
    json_object_set_new(report, "score", json_real(of ? 100.0 * (double)points / (double)of : 100.0));
    return report;
}

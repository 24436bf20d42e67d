/* lab_view.c - see lab_view.h.
 *
 * DESIGN: nothing is told that the student must not know yet: of later steps only titles and points, of a question not
 * its answer, of a hint its text once it was taken. THREADS: none. */
#include "cli/lab_view.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/lab_place.h"
#include "cli/own_cluster.h"
#include "lab/lab.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct view {
    struct book *book;
    const char *home;
    const struct attempt *attempt;
    const struct lab *lab;
};

/* ---- a step ---- */

static json_t *text_of(const struct lab *lab, const json_t *step, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (!jstr(step, "file"))
        return json_string(jstr_or(step, "text", ""));
    return lab_file(lab, jstr(step, "file"), &text, e) < 0 ? NULL : json_string(buf_str(&text));
}

static json_t *hints_of(const struct view *v, const json_t *step, struct err *e)
{
    const json_t *hints = json_object_get(step, "hints"), *hint;
    const int taken = book_hints(v->book, v->attempt, jstr_or(step, "name", ""), e);
    json_t *told = json_array();
    size_t i;
    if (taken < 0) {
        json_decref(told);
        return NULL;
    }
    json_array_foreach(hints, i, hint)
    {
        if (i < (size_t)taken)
            json_array_append_new(told, json_pack("{s:s, s:I}", "text", jstr_or(hint, "text", ""), "cost",
                                                  (json_int_t)jint(hint, "cost", 0)));
    }
    const json_t *next = json_array_get(hints, (size_t)taken);
    return json_pack("{s:I, s:o, s:o}", "of", (json_int_t)json_array_size(hints), "taken", told, "next",
                     next ? json_pack("{s:I}", "cost", (json_int_t)jint(next, "cost", 0)) : json_null());
}

static const json_t *result_of(const json_t *results, const char *check)
{
    size_t i;
    const json_t *row;
    json_array_foreach(results, i, row)
    {
        if (str_eq(jstr(row, "name"), check))
            return row;
    }
    return NULL;
}

static json_t *quiz_of(const struct view *v, const json_t *check)
{
    const json_t *choices = jat(check, "quiz.choices");
    const char *answer = jmap(v->attempt->state, "answers", jstr_or(check, "name", ""));
    return json_pack("{s:s, s:s, s:O?, s:s?}", "ask", jstr_or(check, "quiz.ask", ""), "kind",
                     jstr_or(check, "quiz.kind", choices ? "choice" : "text"), "choices", choices, "answered", answer);
}

static json_t *check_of(const struct view *v, const json_t *check, const json_t *results)
{
    const char *name = jstr_or(check, "name", "");
    const json_t *row = result_of(results, name);
    json_t *told = row ? json_deep_copy(row) : json_pack("{s:s, s:n, s:i}", "name", name, "passed", "points", 0);
    jset_int(told, "of", check_points(check));
    if (json_object_get(check, "quiz"))
        json_object_set_new(told, "quiz", quiz_of(v, check));
    return told;
}

static json_t *checks_of(const struct view *v, const json_t *step, const json_t *results)
{
    json_t *told = json_array();
    size_t i;
    const json_t *check;
    json_array_foreach(json_object_get(step, "checks"), i, check)
        json_array_append_new(told, check_of(v, check, results));
    return told;
}

/* What the student sees of a step that he has reached. */
static int add_reached(const struct view *v, const json_t *step, json_t *told, struct err *e)
{
    _auto_json_ json_t *results = book_results(v->book, v->attempt, jstr_or(step, "name", ""), e);
    json_t *hints = results ? hints_of(v, step, e) : NULL, *text = hints ? text_of(v->lab, step, e) : NULL;
    if (!text) {
        json_decref(hints);
        return -1;
    }
    int64_t tries = 0, last = 0;
    size_t i;
    const json_t *row;
    json_array_foreach(results, i, row)
    {
        tries = jint(row, "tries", 0) > tries ? jint(row, "tries", 0) : tries;
        last = jint(row, "at", 0) > last ? jint(row, "at", 0) : last;
    }
    json_object_set_new(told, "text", text);
    json_object_set_new(told, "hints", hints);
    json_object_set_new(told, "checks", checks_of(v, step, results));
    jset_int(told, "tries", tries);
    json_object_set_new(told, "checked", last ? json_integer(last) : json_null());
    return 0;
}

static json_t *step_of(const struct view *v, const json_t *step, int64_t number, struct err *e)
{
    const char *name = jstr_or(step, "name", ""), *only = jstr(v->attempt->state, "only");
    const int64_t at = v->attempt->step;
    const bool left_out = only && !str_eq(only, name);
    int64_t points;
    if (book_step_points(v->book, v->attempt, name, &points, e) < 0)
        return NULL;
    _auto_json_ json_t *told =
        json_pack("{s:s, s:s, s:s, s:I, s:i}", "name", name, "title", jstr_or(step, "title", name), "state",
                  left_out       ? "left out"
                  : number < at  ? "done"
                  : number == at ? "now"
                                 : "later",
                  "points", (json_int_t)points, "of", lab_step_points(step));
    if (number <= at && !left_out && add_reached(v, step, told, e) < 0)
        return NULL;
    return TAKE(told);
}

static json_t *steps_of(const struct view *v, struct err *e)
{
    _auto_json_ json_t *told = json_array();
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(v->lab->tree, "steps"), i, step)
    {
        json_t *one = step_of(v, step, (int64_t)i, e);
        if (!one)
            return NULL;
        json_array_append_new(told, one);
    }
    return TAKE(told);
}

/* ---- an exam ---- */

static json_t *task_of(const json_t *task, size_t number, const struct exam *x)
{
    const json_t *state = json_object_get(task, "state");
    return json_pack("{s:I, s:s, s:s?, s:I, s:I, s:I, s:I, s:b, s:b, s:b}", "number", (json_int_t)number, "lab",
                     jstr_or(task, "lab", ""), "only", jstr(state, "only"), "points",
                     (json_int_t)jint(task, "points", 0), "of", (json_int_t)jint(state, "of", 0), "step",
                     (json_int_t)jint(task, "step", 0), "steps", (json_int_t)jint(state, "steps", 1), "opened",
                     json_object_get(state, "opened") != NULL, "done", jint(task, "step", 0) >= jint(state, "steps", 1),
                     "chosen", !x->ended && jint(task, "id", 0) == x->task);
}

/* The last one there was; null: there was none. */
static json_t *exam_of(struct book *b, struct err *e)
{
    struct exam x;
    struct err none = ERR_INIT;
    if (book_exam_find(b, 0, &x, &none) < 0)
        return json_null();
    _auto_json_ json_t *tasks = book_exam_tasks(b, &x, e), *told = json_array();
    size_t i;
    const json_t *task;
    int64_t points = 0, of = 0;
    const int64_t now = time(NULL);
    if (!tasks)
        return NULL;
    json_array_foreach(tasks, i, task)
    {
        json_array_append_new(told, task_of(task, i + 1, &x));
        points += jint(task, "points", 0);
        of += jint(task, "state.of", 0);
    }
    return json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:O}", "id", (json_int_t)x.id, "began", (json_int_t)x.began,
                     "until", (json_int_t)x.until, "ended", x.ended ? json_integer(x.ended) : json_null(), "left",
                     (json_int_t)(x.ended || now > x.until ? 0 : x.until - now), "points", (json_int_t)points, "of",
                     (json_int_t)of, "tasks", told);
}

/* ---- the whole ---- */

static json_t *cluster_of(const struct view *v)
{
    _auto_free_ char *dir = lab_cluster_dir(v->home, v->attempt->exam ? v->attempt->id : 0);
    _auto_free_ char *data = xasprintf("%s/data", dir), *kubeconfig = xasprintf("%s/kubeconfig", data);
    return json_pack("{s:b, s:s, s:s}", "up", own_cluster_is_up(data), "data", data, "kubeconfig", kubeconfig);
}

static json_t *view_of(const struct view *v, struct err *e)
{
    const struct attempt *a = v->attempt;
    const json_t *tree = v->lab->tree;
    int64_t points, cost;
    _auto_json_ json_t *steps = steps_of(v, e);
    if (!steps || book_points(v->book, a, &points, &cost, e) < 0)
        return NULL;
    const json_t *since = json_object_get(a->state, "since");
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:O?, s:I, s:b, s:I, s:I, s:I, s:o, s:O}", "lab",
                     v->lab->name, "title", jstr_or(tree, "title", ""), "about", jstr_or(tree, "about", ""), "attempt",
                     (json_int_t)a->id, "time", (json_int_t)time(NULL), "seed", a->seed, "began", (json_int_t)a->began,
                     "minutes", (json_int_t)jint(tree, "minutes", 0), "since", since, "step", (json_int_t)a->step,
                     "done", a->step >= (int64_t)json_array_size(steps), "points", (json_int_t)points, "cost",
                     (json_int_t)cost, "of", (json_int_t)jint(a->state, "of", lab_points(v->lab)), "cluster",
                     cluster_of(v), "steps", steps);
}

static int load(const struct attempt *a, struct lab *out, struct err *e)
{
    _auto_strlist_ struct strlist faults = {0};
    if (lab_load(a->dir, a->seed, out, &faults, e) == 0)
        return 0;
    return faults.len ? err_set(e, ERR_BAD_REQUEST, "%s", faults.items[0]) : -1;
}

json_t *lab_view(struct book *b, const char *home, struct err *e)
{
    _auto_attempt_ struct attempt a = {0};
    _auto_lab_ struct lab lab = {0};
    json_t *told;
    if (book_current(b, &a, e) < 0) {
        if (e->code != ERR_NOT_FOUND)
            return NULL;
        err_clear(e);
        told = json_pack("{s:n}", "lab");
    } else if (load(&a, &lab, e) < 0) {
        return NULL;
    } else {
        told = view_of(&(struct view){b, home, &a, &lab}, e);
    }
    json_t *exam = told ? exam_of(b, e) : NULL;
    if (!exam) {
        json_decref(told);
        return NULL;
    }
    json_object_set_new(told, "exam", exam);
    return told;
}

/* ---- the catalogue ---- */

/* What was made of a lab: the best of all goes. */
static void add_goes(json_t *told, const json_t *history)
{
    size_t i;
    const json_t *row;
    int64_t goes = 0, best = 0;
    bool current = false;
    json_array_foreach(history, i, row)
    {
        if (!str_eq(jstr(row, "lab"), jstr(told, "name")))
            continue;
        goes++;
        best = jint(row, "points", 0) > best ? jint(row, "points", 0) : best;
        current = current || !jint(row, "ended", 0);
    }
    jset_int(told, "goes", goes);
    jset_int(told, "best", best);
    jset_bool(told, "current", current);
}

/* NULL: it is none. A lab with a fault is told with it. */
static json_t *lab_row(const char *dir, const char *name)
{
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    struct err e = ERR_INIT;
    if (lab_load(dir, NULL, &lab, &faults, &e) < 0)
        return e.code == ERR_NOT_FOUND ? NULL : json_pack("{s:s, s:s}", "name", name, "fault", e.msg);
    const json_t *topics = json_object_get(lab.tree, "topics");
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:I, s:i, s:I, s:s, s:I}", "name", lab.name, "title", jstr_or(lab.tree, "title", ""),
        "about", jstr_or(lab.tree, "about", ""), "topics", topics ? json_deep_copy(topics) : json_array(), "minutes",
        (json_int_t)jint(lab.tree, "minutes", 0), "of", lab_points(&lab), "steps",
        (json_int_t)json_array_size(json_object_get(lab.tree, "steps")), "profile",
        jstr_or(lab.tree, "cluster.profile", "eks"), "nodes", (json_int_t)jint(lab.tree, "cluster.nodes", 2));
}

static json_t *history_at(const char *home, struct err *e)
{
    _auto_free_ char *path = home ? xasprintf("%s/book.db", home) : NULL;
    struct book *b = NULL;
    if (!path || access(path, F_OK) < 0)
        return json_array();
    if (book_open(path, &b, e) < 0)
        return NULL;
    json_t *rows = book_history(b, e);
    book_close(b);
    return rows;
}

json_t *lab_catalogue(const char *labs, const char *home, struct err *e)
{
    _auto_json_ json_t *history = history_at(home, e), *told = json_array();
    struct dirent **names;
    const int n = history && labs ? scandir(labs, &names, NULL, alphasort) : -1;
    if (!history)
        return NULL;
    if (n < 0) {
        err_set(e, ERR_NOT_FOUND, "no labs here: name their folder in STOWAGE_LABS");
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        _auto_free_ char *dir = xasprintf("%s/%s", labs, names[i]->d_name);
        json_t *row = names[i]->d_name[0] != '.' ? lab_row(dir, names[i]->d_name) : NULL;
        if (row) {
            add_goes(row, history);
            json_array_append_new(told, row);
        }
        free(names[i]);
    }
    free(names);
    return TAKE(told);
}

/* class_book.c - see class_book.h. */
#include "cli/class_book.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/gradebook.h"
#include "lab/lab.h"
#include "lab/progress.h"

#include <stdio.h>
#include <time.h>

static const json_t *task_at(const struct classroom *c, size_t task)
{
    return json_array_get(json_object_get(c->file, "tasks"), task);
}

char *class_task_name(const struct classroom *c, size_t task)
{
    const char *only = jstr(task_at(c, task), "only");
    return xasprintf("%s%s%s", jstr_or(task_at(c, task), "lab", ""), only ? "-" : "", only ? only : "");
}

int class_task(const struct classroom *c, const char *word, struct err *e)
{
    const size_t n = json_array_size(json_object_get(c->file, "tasks"));
    if (!word && n == 1)
        return 0;
    for (size_t i = 0; word && i < n; i++) {
        const char *only = jstr(task_at(c, i), "only"), *lab = jstr_or(task_at(c, i), "lab", "");
        _auto_free_ char *name = xasprintf("%s%s%s", lab, only ? ":" : "", only ? only : "");
        if (str_eq(name, word))
            return (int)i;
    }
    return word ? err_set(e, ERR_NOT_FOUND, "this class does not do %s", word)
                : err_set(e, ERR_USAGE, "this class does %zu labs: name one with --lab, or take --out DIR", n);
}

/* ---- results ---- */

static void add_remarks(json_t *row, const json_t *progress)
{
    json_t *remarks = json_object_get(row, "remarks");
    if (jint(progress, "cost", 0))
        json_array_append_new(remarks, json_sprintf("hints took %lld points", (long long)jint(progress, "cost", 0)));
    if (str_eq(jstr(progress, "state"), "not begun"))
        json_array_append_new(remarks, json_string("not begun"));
}

/* What the student's book says of a task; a student without a book has not begun. Returns new, or NULL. */
static json_t *read_progress(const struct classroom *c, const char *student, const json_t *task, struct err *e)
{
    struct book *book = NULL;
    struct err none = ERR_INIT;
    if (classroom_book(c, student, &book, &none) == 0) {
        json_t *progress = progress_read(book, task, e);
        book_close(book);
        return progress;
    }
    if (none.code == ERR_NOT_FOUND)
        return json_pack("{s:s}", "state", "not begun");
    *e = none;
    return NULL;
}

static json_t *student_row(const struct classroom *c, const char *student, const json_t *task, struct err *e)
{
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    _auto_json_ json_t *progress = read_progress(c, student, task, e);
    if (!progress || lab_load(jstr_or(task, "dir", ""), jstr_or(progress, "seed", student), &lab, &faults, e) < 0)
        return NULL;
    if (!json_object_get(progress, "steps"))
        json_object_set(progress, "steps", json_object_get(task, "steps"));
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:[], s:o}", "student", student, "submission", student,
                            "status", "graded", "seed", jstr_or(progress, "seed", student), "digest", "", "ms", 0,
                            "remarks", "report", progress_report(progress, &lab));
    add_remarks(row, progress);
    return row;
}

json_t *class_results(const struct classroom *c, size_t task, struct err *e)
{
    const json_t *t = task_at(c, task), *name;
    const time_t now = time(NULL);
    _auto_json_ json_t *rows = json_array();
    size_t i;
    json_array_foreach(json_object_get(c->file, "students"), i, name)
    {
        json_t *row = student_row(c, json_string_value(name), t, e);
        if (!row)
            return NULL;
        json_array_append_new(rows, row);
    }
    return json_pack("{s:s, s:s, s:I, s:f, s:I, s:O}", "lab", jstr_or(t, "lab", ""), "title", jstr_or(t, "title", ""),
                     "graded", (json_int_t)now, "seconds", (double)(now - jint(c->file, "began", now)), "of",
                     (json_int_t)jint(t, "of", 0), "students", rows);
}

int class_keep(const struct classroom *c, const json_t *results, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/book.db", c->dir);
    struct book *book = NULL;
    if (book_open(path, &book, e) < 0)
        return -1;
    const int rc = gradebook_add(book, results, e);
    book_close(book);
    return rc;
}

/* class_status.c - see class_status.h. */
#include "cli/class_status.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/class_life.h"
#include "cli/session_log.h"
#include "lab/progress.h"
#include "lab/results.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* ---- a student ---- */

/* The sooner a teacher should look, the earlier; the first that any task is in is the student's. */
static const char *const urgency[] = {"stuck", "working", "not begun", "ended", "done"};

static void sum_up(json_t *row)
{
    int64_t points = 0, cost = 0, hints = 0, last = jint(row, "last", 0);
    size_t i, best = ARRAY_LEN(urgency) - 1;
    const json_t *task;
    json_array_foreach(json_object_get(row, "tasks"), i, task)
    {
        points += jint(task, "points", 0);
        cost += jint(task, "cost", 0);
        hints += jint(task, "hints", 0);
        last = jint(task, "last", 0) > last ? jint(task, "last", 0) : last;
        for (size_t u = 0; u < best; u++)
            if (str_eq(urgency[u], jstr(task, "state")))
                best = u;
        json_t *stuck = json_object_get(task, "stuck");
        if (stuck && !json_object_get(row, "stuck")) {
            json_t *whole = json_copy(stuck);
            jset_str(whole, "lab", jstr_or(task, "lab", ""));
            json_object_set_new(row, "stuck", whole);
        }
    }
    json_object_update_new(row,
                           json_pack("{s:s, s:I, s:I, s:I, s:I}", "state", urgency[best], "points", (json_int_t)points,
                                     "cost", (json_int_t)cost, "hints", (json_int_t)hints, "last", (json_int_t)last));
}

/* What was typed at the prompt last. */
static int64_t typed_last(const struct classroom *c, const char *student)
{
    _auto_free_ char *home = classroom_home(c, student), *labs = xasprintf("%s/labs", home),
                     *log = session_log_path(labs);
    struct stat st;
    return stat(log, &st) == 0 ? (int64_t)st.st_mtime : 0;
}

static int add_tasks(const struct classroom *c, struct book *book, json_t *row, struct err *e)
{
    json_t *list = jmake_arr(row, "tasks");
    size_t i;
    const json_t *task;
    json_array_foreach(json_object_get(c->file, "tasks"), i, task)
    {
        json_t *progress = progress_read(book, task, e);
        if (!progress)
            return -1;
        json_array_append_new(list, progress);
    }
    return 0;
}

static json_t *student_row(const struct classroom *c, const char *student, struct err *e)
{
    _auto_life_ struct life_row life = {0};
    _auto_free_ char *dir = NULL;
    struct book *book = NULL;
    struct err none = ERR_INIT;
    life_look(c, student, &life);
    _auto_json_ json_t *row =
        json_pack("{s:s, s:s, s:I, s:[], s:I}", "student", student, "cluster", sm_name(&life_sm, life.state), "since",
                  (json_int_t)life.since, "tasks", "last", (json_int_t)typed_last(c, student));
    if (life.why)
        jset_str(row, "why", life.why);
    if (classroom_cluster(c, student, &dir, &none) == 0) {
        json_object_set_new(row, "data", json_sprintf("%s/data", dir));
        json_object_set_new(row, "kubeconfig", json_sprintf("%s/data/kubeconfig", dir));
    }
    if (classroom_book(c, student, &book, &none) == 0) {
        const int rc = add_tasks(c, book, row, e);
        book_close(book);
        if (rc < 0)
            return NULL;
    } else if (none.code != ERR_NOT_FOUND) {
        *e = none;
        return NULL;
    }
    sum_up(row);
    return TAKE(row);
}

json_t *class_status(const struct classroom *c, struct err *e)
{
    _auto_json_ json_t *rows = json_array();
    int64_t of = 0;
    size_t i;
    const json_t *name, *task;
    json_array_foreach(json_object_get(c->file, "students"), i, name)
    {
        json_t *row = student_row(c, json_string_value(name), e);
        if (!row)
            return NULL;
        json_array_append_new(rows, row);
    }
    json_array_foreach(json_object_get(c->file, "tasks"), i, task) of += jint(task, "of", 0);
    return json_pack("{s:s, s:O, s:O, s:O, s:I, s:I, s:O, s:O}", "class", c->dir, "exam",
                     json_object_get(c->file, "exam"), "minutes", json_object_get(c->file, "minutes"), "began",
                     json_object_get(c->file, "began"), "now", (json_int_t)time(NULL), "of", (json_int_t)of, "tasks",
                     json_object_get(c->file, "tasks"), "students", rows);
}

/* ---- for people ---- */

/* "12s", "5m", "3h", "2d" */
static void add_ago(struct buf *out, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (seconds >= units[i].seconds || units[i].seconds == 1) {
            buf_addf(out, "%lld%c", (long long)(seconds > 0 ? seconds / units[i].seconds : 0), units[i].unit);
            return;
        }
}

static const struct {
    const char *state;
    char mark;
} marks[] = {{"done", '#'}, {"skipped", '-'}, {"stuck", '!'}, {"working", '>'}, {"ahead", '.'}, {"left", 'x'}};

/* "##!.." for each task, a blank between. */
static void add_marks(struct buf *out, const json_t *student)
{
    size_t t, s;
    const json_t *task, *step;
    json_array_foreach(json_object_get(student, "tasks"), t, task)
    {
        buf_adds(out, t ? " " : "");
        json_array_foreach(json_object_get(task, "steps"), s, step)
        {
            for (size_t m = 0; m < ARRAY_LEN(marks); m++)
                if (str_eq(jstr(step, "state"), marks[m].state))
                    buf_addc(out, marks[m].mark);
        }
    }
}

static size_t marks_width(const json_t *status)
{
    size_t i, n = 0;
    const json_t *task;
    json_array_foreach(json_object_get(status, "tasks"), i, task) n +=
        json_array_size(json_object_get(task, "steps")) + (i > 0);
    return n > 8 ? n : 8; /* of the head */
}

/* Bytes beyond those that are seen: printf() counts bytes. */
static int unseen(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) == 0x80;
    return n;
}

static void table_row(const json_t *status, const json_t *student, int width, struct buf *out)
{
    _auto_buf_ struct buf name = BUF_INIT, points = BUF_INIT, ago = BUF_INIT, steps = BUF_INIT;
    const json_t *stuck = json_object_get(student, "stuck");
    const int64_t now = jint(status, "now", 0), last = jint(student, "last", 0);
    results_plain(&name, jstr_or(student, "student", ""), 20);
    buf_addf(&points, "%lld/%lld", (long long)jint(student, "points", 0), (long long)jint(status, "of", 0));
    add_marks(&steps, student);
    if (last)
        add_ago(&ago, now - last);
    buf_addf(out, "%-*s  %-8s %9s  %5lld  %5s  %-*s  ", 20 + unseen(buf_str(&name)), buf_str(&name),
             jstr_or(student, "cluster", ""), buf_str(&points), (long long)jint(student, "hints", 0), buf_str(&ago),
             width, buf_str(&steps));
    if (stuck) {
        results_plain(out, jstr_or(stuck, "title", ""), 28);
        buf_adds(out, ": ");
        results_plain(out, jstr_or(stuck, "check", ""), 40);
        buf_adds(out, ", ");
        add_ago(out, now - jint(stuck, "since", now));
    } else {
        results_plain(out, jstr_or(student, "why", jstr_or(student, "state", "")), 72);
    }
    buf_addc(out, '\n');
}

void class_status_table(const json_t *status, struct buf *out)
{
    const int width = (int)marks_width(status);
    size_t i;
    const json_t *student;
    buf_addf(out, "%-20s  %-8s %9s  %5s  %5s  %-*s  %s\n", "STUDENT", "CLUSTER", "POINTS", "HINTS", "LAST", width,
             "STEPS", "STATE, OR STUCK ON");
    json_array_foreach(json_object_get(status, "students"), i, student) table_row(status, student, width, out);
    buf_adds(out, "steps: # done, - without all points, ! stuck, > at it, . ahead, x never done\n");
}

/* ---- for spreadsheets ---- */

static void csv_cells(const json_t *student, struct buf *out)
{
    const json_t *stuck = json_object_get(student, "stuck");
    results_csv_cell(out, jstr_or(student, "student", ""));
    buf_addf(out, ",%s,%s,%lld,%lld,%lld,%lld,", jstr_or(student, "cluster", ""), jstr_or(student, "state", ""),
             (long long)jint(student, "points", 0), (long long)jint(student, "hints", 0),
             (long long)jint(student, "cost", 0), (long long)jint(student, "last", 0));
    results_csv_cell(out, jstr_or(stuck, "step", ""));
    buf_addc(out, ',');
    results_csv_cell(out, jstr_or(stuck, "check", ""));
    buf_addf(out, ",%lld", (long long)jint(stuck, "since", 0));
}

void class_status_csv(const json_t *status, struct buf *out)
{
    size_t i, t, s;
    const json_t *student, *task, *step;
    buf_adds(out, "student,cluster,state,points,hints,cost,last,stuck_step,stuck_check,stuck_since");
    json_array_foreach(json_object_get(status, "tasks"), t, task)
        json_array_foreach(json_object_get(task, "steps"), s, step)
    {
        _auto_free_ char *name = xasprintf("%s:%s", jstr_or(task, "lab", ""), jstr_or(step, "name", ""));
        buf_addc(out, ',');
        results_csv_cell(out, name);
    }
    buf_adds(out, "\r\n");
    json_array_foreach(json_object_get(status, "students"), i, student)
    {
        csv_cells(student, out);
        json_array_foreach(json_object_get(status, "tasks"), t, task)
        {
            const json_t *steps = json_object_get(json_array_get(json_object_get(student, "tasks"), t), "steps");
            for (s = 0; s < json_array_size(json_object_get(task, "steps")); s++)
                buf_addf(out, ",%lld", (long long)jint(json_array_get(steps, s), "points", 0));
        }
        buf_adds(out, "\r\n");
    }
}

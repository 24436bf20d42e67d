/* book_exam.c - exams in the book: which attempts are tasks of one, and when its time is over.
 *
 * DESIGN: an exam is two moments of the machine's clock, written down when it begins. No process has to live for it:
 * who opens the book later sees that the time is over, and results of later moments are not among those that count
 * (book_points). THREADS: see book.h. */
#include "lab/book_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <time.h>

int book_exam_begin(struct book *b, int64_t seconds, struct exam *out, struct err *e)
{
    const int64_t now = time(NULL);
    if (book_query(b, NULL, NULL, e, "INSERT INTO exam(began, until) VALUES(?, ?)", "ii", now, now + seconds) < 0)
        return -1;
    return book_exam(b, out, e);
}

static void take_exam(sqlite3_stmt *st, void *arg)
{
    *(struct exam *)arg =
        (struct exam){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
                      sqlite3_column_int64(st, 3), sqlite3_column_int64(st, 4)};
}

#define EXAMS "SELECT id, began, until, ended, task FROM exam "

int book_exam(struct book *b, struct exam *out, struct err *e)
{
    struct exam x = {0};
    if (book_query(b, take_exam, &x, e, EXAMS "WHERE ended = 0 ORDER BY id DESC LIMIT 1", "") < 0)
        return -1;
    if (!x.id)
        return err_set(e, ERR_NOT_FOUND, "no exam is under way: `stowage lab exam LAB...`");
    *out = x;
    return 0;
}

int book_exam_find(struct book *b, int64_t id, struct exam *out, struct err *e)
{
    struct exam x = {0};
    if (book_query(b, take_exam, &x, e, EXAMS "WHERE ?1 = 0 OR id = ?1 ORDER BY id DESC LIMIT 1", "i", id) < 0)
        return -1;
    if (!x.id)
        return err_set(e, ERR_NOT_FOUND, "there was no exam yet: `stowage lab exam LAB...`");
    *out = x;
    return 0;
}

int book_exam_choose(struct book *b, const struct exam *x, int64_t attempt, struct err *e)
{
    return book_query(b, NULL, NULL, e, "UPDATE exam SET task = ? WHERE id = ?", "ii", attempt, x->id);
}

/* Now, or when the time was over. */
static int64_t end_of(const struct exam *x)
{
    const int64_t now = time(NULL);
    return now < x->until ? now : x->until;
}

int book_exam_end_task(struct book *b, const struct exam *x, int64_t attempt, struct err *e)
{
    return book_query(b, NULL, NULL, e, "UPDATE attempt SET ended = ? WHERE id = ? AND ended = 0", "ii", end_of(x),
                      attempt);
}

int book_exam_end(struct book *b, struct exam *x, struct err *e)
{
    x->ended = end_of(x);
    if (book_query(b, NULL, NULL, e, "UPDATE attempt SET ended = ? WHERE exam = ? AND ended = 0", "ii", x->ended,
                   x->id) < 0)
        return -1;
    return book_query(b, NULL, NULL, e, "UPDATE exam SET ended = ? WHERE id = ?", "ii", x->ended, x->id);
}

static void take_task(sqlite3_stmt *st, void *arg)
{
    json_t *state = json_loads((const char *)sqlite3_column_text(st, 5), 0, NULL);
    json_array_append_new(
        arg,
        json_pack("{s:I, s:s, s:s, s:s, s:I, s:o, s:I}", "id", (json_int_t)sqlite3_column_int64(st, 0), "lab",
                  (const char *)sqlite3_column_text(st, 1), "dir", (const char *)sqlite3_column_text(st, 2), "seed",
                  (const char *)sqlite3_column_text(st, 3), "step", (json_int_t)sqlite3_column_int64(st, 4), "state",
                  state ? state : json_object(), "ended", (json_int_t)sqlite3_column_int64(st, 6)));
}

json_t *book_exam_tasks(struct book *b, const struct exam *x, struct err *e)
{
    _auto_json_ json_t *tasks = json_array();
    size_t i;
    json_t *task;
    if (book_query(b, take_task, tasks, e,
                   "SELECT id, lab, dir, seed, step, state, ended FROM attempt WHERE exam = ? ORDER BY id", "i",
                   x->id) < 0)
        return NULL;
    json_array_foreach(tasks, i, task)
    {
        const struct attempt a = {.id = jint(task, "id", 0)};
        int64_t points, cost;
        if (book_points(b, &a, &points, &cost, e) < 0)
            return NULL;
        jset_int(task, "points", points);
    }
    return TAKE(tasks);
}

/* book.c - see book.h.
 *
 * LAYOUT (4), in `PRAGMA user_version`
 *     attempt(id, lab, dir, seed, began, ended, step, state)
 *     result(attempt, step, name, points, of, at)     a row a check and look at it; the last counts
 *     hint(attempt, step, cost, at)
 *     grading, grade                                  since 2: gradebook.c
 *     exam(id, began, until, ended, task), attempt.exam    since 3: book_exam.c
 *     result.row                                      since 4: the row as check.h has it, what was observed with it
 *
 * One function, book_query(), binds and runs every statement; texts of SQL stand where they are used. */
#include "lab/book_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#define LAYOUT  4
#define BUSY_MS 5000

static const char tables[] =
    "CREATE TABLE attempt(id INTEGER PRIMARY KEY, lab TEXT NOT NULL, dir TEXT NOT NULL, seed TEXT NOT NULL, began "
    "INTEGER NOT "
    "NULL, ended INTEGER NOT NULL DEFAULT 0, step INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL);"
    "CREATE TABLE result(attempt INTEGER NOT NULL, step TEXT NOT NULL, name TEXT NOT NULL, points INTEGER NOT NULL, of "
    "INTEGER "
    "NOT NULL, at INTEGER NOT NULL);"
    "CREATE INDEX result_attempt ON result(attempt);"
    "CREATE TABLE hint(attempt INTEGER NOT NULL, step TEXT NOT NULL, cost INTEGER NOT NULL, at INTEGER NOT NULL);";
static const char tables_2[] =
    "CREATE TABLE grading(id INTEGER PRIMARY KEY, lab TEXT NOT NULL, at INTEGER NOT NULL);"
    "CREATE TABLE grade(grading INTEGER NOT NULL, student TEXT NOT NULL, status TEXT NOT NULL, seed TEXT NOT NULL, "
    "points INTEGER NOT NULL, of INTEGER NOT NULL, digest TEXT NOT NULL, report TEXT NOT NULL);"
    "CREATE INDEX grade_grading ON grade(grading);";
static const char tables_3[] =
    "ALTER TABLE attempt ADD COLUMN exam INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE exam(id INTEGER PRIMARY KEY, began INTEGER NOT NULL, until INTEGER NOT NULL, ended INTEGER NOT NULL "
    "DEFAULT 0, task INTEGER NOT NULL DEFAULT 0);";
static const char tables_4[] = "ALTER TABLE result ADD COLUMN row TEXT NOT NULL DEFAULT '{}';";

struct book {
    sqlite3 *db;
    char *path;
};

static int failed(struct book *b, struct err *e)
{
    const int rc = sqlite3_errcode(b->db);
    const enum err_code code = rc == SQLITE_BUSY                             ? ERR_BUSY
                               : rc == SQLITE_FULL                           ? ERR_NO_SPACE
                               : rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? ERR_CORRUPT
                                                                             : ERR_SYS;
    return err_set(e, code, "%s: %s", b->path, sqlite3_errmsg(b->db));
}

static void bind_all(sqlite3_stmt *st, const char *types, va_list ap)
{
    for (int i = 0; types[i]; i++)
        if (types[i] == 's')
            sqlite3_bind_text(st, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(st, i + 1, va_arg(ap, int64_t));
}

int book_query(struct book *b, void (*row)(sqlite3_stmt *st, void *arg), void *arg, struct err *e, const char *sql,
               const char *types, ...)
{
    sqlite3_stmt *st = NULL;
    va_list ap;
    if (sqlite3_prepare_v2(b->db, sql, -1, &st, NULL) != SQLITE_OK)
        return failed(b, e);
    va_start(ap, types);
    bind_all(st, types, ap);
    va_end(ap);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        if (row)
            row(st, arg);
    const int result = rc == SQLITE_DONE ? 0 : failed(b, e);
    sqlite3_finalize(st);
    return result;
}

/* ---- opening ---- */

static void take_int(sqlite3_stmt *st, void *arg)
{
    *(int64_t *)arg = sqlite3_column_int64(st, 0);
}

/* In a transaction: of two that open a book for the first time one makes its tables. */
static int make_layout(struct book *b, struct err *e)
{
    int64_t layout = 0;
    if (book_query(b, take_int, &layout, e, "PRAGMA user_version", "") < 0)
        return -1;
    _auto_free_ char *make =
        xasprintf("%s %s %s %s PRAGMA user_version = %d; COMMIT;", layout < 1 ? tables : "", layout < 2 ? tables_2 : "",
                  layout < 3 ? tables_3 : "", layout < 4 ? tables_4 : "", LAYOUT);
    return sqlite3_exec(b->db, make, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(b, e);
}

static int check_layout(struct book *b, struct err *e)
{
    int64_t layout = 0;
    if (book_query(b, take_int, &layout, e, "PRAGMA user_version", "") < 0)
        return -1;
    if (layout > LAYOUT)
        return err_set(e, ERR_UNSUPPORTED, "%s was written by a newer stowage: use that one, or another data directory",
                       b->path);
    if (layout == LAYOUT)
        return 0;
    if (book_query(b, NULL, NULL, e, "BEGIN IMMEDIATE", "") < 0)
        return -1;
    const int rc = make_layout(b, e);
    if (rc < 0)
        sqlite3_exec(b->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int book_open(const char *path, struct book **out, struct err *e)
{
    struct book *b = xcalloc(1, sizeof *b);
    b->path = xstrdup(path);
    if (sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        failed(b, e);
        book_close(b);
        return -1;
    }
    sqlite3_busy_timeout(b->db, BUSY_MS);
    if (book_query(b, NULL, NULL, e, "PRAGMA journal_mode = WAL", "") < 0 || check_layout(b, e) < 0) {
        book_close(b);
        return -1;
    }
    *out = b;
    return 0;
}

void book_close(struct book *b)
{
    if (!b)
        return;
    sqlite3_close(b->db);
    free(b->path);
    free(b);
}

/* ---- attempts ---- */

void attempt_release(struct attempt *a)
{
    free(a->lab);
    free(a->dir);
    free(a->seed);
    json_decref(a->state);
    *a = (struct attempt){0};
}

int book_begin(struct book *b, struct attempt *a, struct err *e)
{
    _auto_free_ char *state = json_text(a->state);
    a->began = time(NULL);
    if (book_query(b, NULL, NULL, e, "INSERT INTO attempt(lab, dir, seed, began, state, exam) VALUES(?, ?, ?, ?, ?, ?)",
                   "sssisi", a->lab, a->dir, a->seed, a->began, state, a->exam) < 0)
        return -1;
    a->id = sqlite3_last_insert_rowid(b->db);
    return 0;
}

static void take_attempt(sqlite3_stmt *st, void *arg)
{
    struct attempt *a = arg;
    a->id = sqlite3_column_int64(st, 0);
    a->lab = xstrdup((const char *)sqlite3_column_text(st, 1));
    a->dir = xstrdup((const char *)sqlite3_column_text(st, 2));
    a->seed = xstrdup((const char *)sqlite3_column_text(st, 3));
    a->began = sqlite3_column_int64(st, 4);
    a->step = sqlite3_column_int64(st, 5);
    a->state = json_loads((const char *)sqlite3_column_text(st, 6), 0, NULL);
    a->exam = sqlite3_column_int64(st, 7);
}

int book_current(struct book *b, struct attempt *out, struct err *e)
{
    struct attempt a = {0};
    if (book_query(b, take_attempt, &a, e,
                   "SELECT id, lab, dir, seed, began, step, state, exam FROM attempt WHERE ended = 0 "
                   "ORDER BY id IN (SELECT task FROM exam WHERE ended = 0) DESC, id DESC LIMIT 1",
                   "") < 0)
        return -1;
    if (!a.id)
        return err_set(e, ERR_NOT_FOUND, "no lab is under way: `stowage lab list`, then `stowage lab start NAME`");
    *out = a;
    return 0;
}

int book_save(struct book *b, const struct attempt *a, struct err *e)
{
    _auto_free_ char *state = json_text(a->state);
    return book_query(b, NULL, NULL, e, "UPDATE attempt SET step = ?, state = ? WHERE id = ?", "isi", a->step, state,
                      a->id);
}

int book_end(struct book *b, const struct attempt *a, struct err *e)
{
    return book_query(b, NULL, NULL, e, "UPDATE attempt SET ended = ? WHERE id = ?", "ii", (int64_t)time(NULL), a->id);
}

/* ---- results ---- */

int book_result(struct book *b, const struct attempt *a, const json_t *step, struct err *e)
{
    return book_result_at(b, a, step, 0, e);
}

int book_result_at(struct book *b, const struct attempt *a, const json_t *step, int64_t at, struct err *e)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(step, "checks"), i, row)
    {
        _auto_free_ char *text = json_text(row);
        if (book_query(b, NULL, NULL, e,
                       "INSERT INTO result(attempt, step, name, points, of, at, row) VALUES(?, ?, ?, ?, ?, ?, ?)",
                       "issiiis", a->id, jstr_or(step, "name", ""), jstr_or(row, "name", ""), jint(row, "points", 0),
                       jint(row, "of", 0), at ? at : (int64_t)time(NULL), text) < 0)
            return -1;
    }
    return 0;
}

int book_hint(struct book *b, const struct attempt *a, const char *step, int64_t cost, struct err *e)
{
    return book_query(b, NULL, NULL, e, "INSERT INTO hint VALUES(?, ?, ?, ?)", "isii", a->id, step, cost,
                      (int64_t)time(NULL));
}

int book_hints(struct book *b, const struct attempt *a, const char *step, struct err *e)
{
    int64_t n = 0;
    if (book_query(b, take_int, &n, e, "SELECT count(*) FROM hint WHERE attempt = ? AND step = ?", "is", a->id, step) <
        0)
        return -1;
    return (int)n;
}

/* SQLite: with max() beside them, bare columns are those of the row that has it. */
#define LAST_RESULTS                                                                                                   \
    "SELECT step, name, points, at, row, count(*) AS tries, max(rowid) AS last FROM result WHERE attempt = ?1 AND at " \
    "<= "                                                                                                              \
    "(SELECT coalesce(max(until), 9223372036854775807) FROM exam WHERE id = "                                          \
    "(SELECT attempt.exam FROM attempt WHERE attempt.id = ?1)) GROUP BY step, name"

int book_step_points(struct book *b, const struct attempt *a, const char *step, int64_t *out_points, struct err *e)
{
    int64_t points = 0;
    if (book_query(b, take_int, &points, e, "SELECT coalesce(sum(points), 0) FROM (" LAST_RESULTS ") WHERE step = ?2",
                   "is", a->id, step) < 0)
        return -1;
    *out_points = points;
    return 0;
}

static void take_result(sqlite3_stmt *st, void *arg)
{
    json_t *row = json_loads((const char *)sqlite3_column_text(st, 0), 0, NULL);
    json_object_update_new(row, json_pack("{s:s, s:I, s:I, s:I}", "name", (const char *)sqlite3_column_text(st, 1),
                                          "points", (json_int_t)sqlite3_column_int64(st, 2), "at",
                                          (json_int_t)sqlite3_column_int64(st, 3), "tries",
                                          (json_int_t)sqlite3_column_int64(st, 4)));
    json_array_append_new(arg, row);
}

json_t *book_results(struct book *b, const struct attempt *a, const char *step, struct err *e)
{
    _auto_json_ json_t *rows = json_array();
    if (book_query(b, take_result, rows, e,
                   "SELECT row, name, points, at, tries FROM (" LAST_RESULTS ") WHERE step = ?2 ORDER BY last", "is",
                   a->id, step) < 0)
        return NULL;
    return TAKE(rows);
}

int book_points(struct book *b, const struct attempt *a, int64_t *out_points, int64_t *out_cost, struct err *e)
{
    int64_t points = 0, cost = 0;
    if (book_query(b, take_int, &points, e, "SELECT coalesce(sum(points), 0) FROM (" LAST_RESULTS ")", "i", a->id) <
            0 ||
        book_query(b, take_int, &cost, e, "SELECT coalesce(sum(cost), 0) FROM hint WHERE attempt = ?", "i", a->id) < 0)
        return -1;
    *out_points = points > cost ? points - cost : 0;
    *out_cost = cost;
    return 0;
}

static void take_history(sqlite3_stmt *st, void *arg)
{
    json_array_append_new(arg, json_pack("{s:I, s:s, s:I, s:I, s:I}", "id", (json_int_t)sqlite3_column_int64(st, 0),
                                         "lab", (const char *)sqlite3_column_text(st, 1), "began",
                                         (json_int_t)sqlite3_column_int64(st, 2), "ended",
                                         (json_int_t)sqlite3_column_int64(st, 3), "exam",
                                         (json_int_t)sqlite3_column_int64(st, 4)));
}

json_t *book_history(struct book *b, struct err *e)
{
    _auto_json_ json_t *rows = json_array();
    size_t i;
    json_t *row;
    if (book_query(b, take_history, rows, e, "SELECT id, lab, began, ended, exam FROM attempt ORDER BY id DESC", "") <
        0)
        return NULL;
    json_array_foreach(rows, i, row)
    {
        const struct attempt a = {.id = jint(row, "id", 0)};
        int64_t points, cost;
        if (book_points(b, &a, &points, &cost, e) < 0)
            return NULL;
        jset_int(row, "points", points);
        jset_int(row, "cost", cost);
    }
    return TAKE(rows);
}

/* gradebook.c - see gradebook.h. Tables: grading(id, lab, at), a row each time a class was judged; grade(grading,
 * student, …, report), a row a submission, with the whole report as JSON. */
#include "lab/gradebook.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "lab/book_int.h"

static void take_id(sqlite3_stmt *st, void *arg)
{
    *(int64_t *)arg = sqlite3_column_int64(st, 0);
}

static int add_student(struct book *b, int64_t grading, const json_t *s, struct err *e)
{
    const json_t *report = json_object_get(s, "report");
    _auto_free_ char *text = json_text(report);
    return book_query(b, NULL, NULL, e, "INSERT INTO grade VALUES(?, ?, ?, ?, ?, ?, ?, ?)", "isssiiss", grading,
                      jstr_or(s, "student", ""), jstr_or(s, "status", ""), jstr_or(s, "seed", ""),
                      jint(report, "points", 0), jint(report, "of", 0), jstr_or(s, "digest", ""), text);
}

static int add_class(struct book *b, const json_t *class, struct err *e)
{
    size_t i;
    const json_t *student;
    int64_t id = 0;
    if (book_query(b, take_id, &id, e, "INSERT INTO grading(lab, at) VALUES(?, ?) RETURNING id", "si",
                   jstr_or(class, "lab", ""), jint(class, "graded", 0)) < 0)
        return -1;
    json_array_foreach(json_object_get(class, "students"), i, student)
    {
        if (add_student(b, id, student, e) < 0)
            return -1;
    }
    return 0;
}

int gradebook_add(struct book *b, const json_t *class, struct err *e)
{
    struct err none = ERR_INIT;
    if (book_query(b, NULL, NULL, e, "BEGIN IMMEDIATE", "") < 0)
        return -1;
    if (add_class(b, class, e) == 0 && book_query(b, NULL, NULL, e, "COMMIT", "") == 0)
        return 0;
    book_query(b, NULL, NULL, &none, "ROLLBACK", "");
    return -1;
}

static void take_row(sqlite3_stmt *st, void *arg)
{
    const int64_t points = sqlite3_column_int64(st, 5), of = sqlite3_column_int64(st, 6);
    json_array_append_new(arg, json_pack("{s:I, s:s, s:s, s:s, s:s, s:f, s:I, s:I, s:s}", "at",
                                         (json_int_t)sqlite3_column_int64(st, 0), "lab", sqlite3_column_text(st, 1),
                                         "student", sqlite3_column_text(st, 2), "status", sqlite3_column_text(st, 3),
                                         "seed", sqlite3_column_text(st, 4), "score",
                                         of ? 100.0 * (double)points / (double)of : 100.0, "points", (json_int_t)points,
                                         "of", (json_int_t)of, "digest", sqlite3_column_text(st, 7)));
}

json_t *gradebook_history(struct book *b, const char *lab, const char *student, struct err *e)
{
    _auto_json_ json_t *rows = json_array();
    if (book_query(
            b, take_row, rows, e,
            "SELECT at, lab, student, status, seed, points, of, digest FROM grade JOIN grading ON grading.id = "
            "grade.grading WHERE (? = '' OR lab = ?) AND (? = '' OR student = ?) ORDER BY grading.id DESC, student",
            "ssss", lab ? lab : "", lab ? lab : "", student ? student : "", student ? student : "") < 0)
        return NULL;
    return TAKE(rows);
}

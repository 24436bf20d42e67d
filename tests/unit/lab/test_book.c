/* The book of labs: attempts, last results, what hints cost; two at a time; files that are none. */
#include "base/json.h"
#include "base/mem.h"
#include "lab/book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[128];

static struct book *opened(void)
{
    struct err e = ERR_INIT;
    struct book *b = NULL;
    if (book_open(path, &b, &e) < 0)
        fail_msg("%s", e.msg);
    return b;
}

static void result(struct book *b, const struct attempt *a, const char *name, int points)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *step =
        json_pack("{s:s, s:[{s:s, s:i, s:i}]}", "name", "s", "checks", "name", name, "points", points, "of", 3);
    assert_int_equal(book_result(b, a, step, &e), 0);
}

static void test_an_attempt(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct book *b = opened();
    _auto_attempt_ struct attempt none = {0}, again = {0};
    assert_int_equal(book_current(b, &none, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    _auto_attempt_ struct attempt a = {
        .lab = xstrdup("l"), .dir = xstrdup("/d"), .seed = xstrdup("me"), .state = json_pack("{s:i}", "x", 1)};
    err_clear(&e);
    assert_int_equal(book_begin(b, &a, &e), 0);
    a.step = 2;
    jset_int(a.state, "x", 2);
    assert_int_equal(book_save(b, &a, &e), 0);
    book_close(b);

    b = opened(); /* another process, later */
    assert_int_equal(book_current(b, &again, &e), 0);
    assert_int_equal(again.id, a.id);
    assert_int_equal(again.step, 2);
    assert_int_equal(jint(again.state, "x", 0), 2);
    assert_string_equal(again.seed, "me");

    int64_t points, cost;
    result(b, &a, "one", 0);
    result(b, &a, "two", 3);
    result(b, &a, "one", 2);
    result(b, &a, "two", 1); /* the last counts */
    _auto_json_ json_t *last = book_results(b, &a, "s", &e);
    assert_int_equal(json_array_size(last), 2);
    assert_string_equal(jstr(json_array_get(last, 0), "name"), "one");
    assert_int_equal(jint(json_array_get(last, 0), "points", -1), 2);
    assert_int_equal(jint(json_array_get(last, 0), "tries", 0), 2);
    assert_int_equal(book_hint(b, &a, "s", 1, &e), 0);
    assert_int_equal(book_hints(b, &a, "s", &e), 1);
    assert_int_equal(book_hints(b, &a, "other", &e), 0);
    assert_int_equal(book_points(b, &a, &points, &cost, &e), 0);
    assert_int_equal(points, 2);
    assert_int_equal(cost, 1);
    assert_int_equal(book_end(b, &a, &e), 0);
    assert_int_equal(book_current(b, &none, &e), -1);
    err_clear(&e);
    _auto_json_ json_t *history = book_history(b, &e);
    assert_int_equal(json_array_size(history), 1);
    assert_int_equal(jint(json_array_get(history, 0), "points", 0), 2);
    book_close(b);
}

static void result_at(struct book *b, const struct attempt *a, const char *step, int points, int64_t at)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *row =
        json_pack("{s:s, s:[{s:s, s:i, s:i}]}", "name", step, "checks", "name", "c", "points", points, "of", 5);
    assert_int_equal(book_result_at(b, a, row, at, &e), 0);
}

static void test_an_exam(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct exam x, again;
    struct book *b = opened();
    assert_int_equal(book_exam(b, &x, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    err_clear(&e);
    assert_int_equal(book_exam_begin(b, 600, &x, &e), 0);
    assert_int_equal(x.until - x.began, 600);
    _auto_attempt_ struct attempt one = {
        .lab = xstrdup("one"), .dir = xstrdup("/d"), .seed = xstrdup(""), .exam = x.id};
    _auto_attempt_ struct attempt two = {
        .lab = xstrdup("two"), .dir = xstrdup("/d"), .seed = xstrdup(""), .exam = x.id};
    one.state = json_object();
    two.state = json_object();
    assert_int_equal(book_begin(b, &one, &e), 0);
    assert_int_equal(book_begin(b, &two, &e), 0);

    _auto_attempt_ struct attempt first = {0}, chosen = {0}, none = {0};
    assert_int_equal(book_exam_choose(b, &x, one.id, &e), 0); /* not the youngest */
    assert_int_equal(book_current(b, &first, &e), 0);
    assert_string_equal(first.lab, "one");
    assert_int_equal(first.exam, x.id);
    assert_int_equal(book_exam_choose(b, &x, two.id, &e), 0);
    book_close(b);

    b = opened(); /* another process: the clock is the same */
    assert_int_equal(book_exam(b, &again, &e), 0);
    assert_int_equal(again.until, x.until);
    assert_int_equal(book_current(b, &chosen, &e), 0);
    assert_string_equal(chosen.lab, "two");

    int64_t points;
    result_at(b, &one, "s", 2, x.began);
    result_at(b, &one, "t", 1, x.until);
    result_at(b, &one, "t", 5, x.until + 1); /* late: what was there in time counts */
    result_at(b, &two, "s", 5, x.until + 1);
    assert_int_equal(book_step_points(b, &one, "t", &points, &e), 0);
    assert_int_equal(points, 1);
    _auto_json_ json_t *tasks = book_exam_tasks(b, &x, &e);
    assert_int_equal(json_array_size(tasks), 2);
    assert_int_equal(jint(json_array_get(tasks, 0), "points", -1), 3);
    assert_int_equal(jint(json_array_get(tasks, 1), "points", -1), 0);

    assert_int_equal(book_exam_end(b, &x, &e), 0);
    assert_true(x.ended >= x.began && x.ended <= x.until);
    assert_int_equal(book_exam(b, &again, &e), -1);
    assert_int_equal(book_current(b, &none, &e), -1);
    err_clear(&e);
    assert_int_equal(book_exam_find(b, 0, &again, &e), 0);
    assert_int_equal(again.id, x.id);
    _auto_json_ json_t *history = book_history(b, &e);
    assert_int_equal(jint(json_array_get(history, 0), "exam", 0), x.id);
    book_close(b);
}

static void test_a_file_that_is_no_book(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct book *b = NULL;
    _auto_free_ char *other = xasprintf("%s/other", dir);
    FILE *f = fopen(other, "we");
    fputs("this is no database, but long enough to be read as one, and so it is refused; nothing of it changes.\n", f);
    fclose(f);
    assert_int_equal(book_open(other, &b, &e), -1);
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_null(b);
    unlink(other);
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/stowage-book-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/book.db", dir);
    return 0;
}

static int drop_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_attempt),
        cmocka_unit_test(test_an_exam),
        cmocka_unit_test(test_a_file_that_is_no_book),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}

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
        cmocka_unit_test(test_a_file_that_is_no_book),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}

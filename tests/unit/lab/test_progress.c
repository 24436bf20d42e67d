/* How far somebody is with a lab, as the book tells it: steps, who is stuck on what since when, what a teacher's look
 * changes; books of earlier versions. */
#include "base/json.h"
#include "base/mem.h"
#include "lab/book_int.h"
#include "lab/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[128];

static struct lab a_lab(void)
{
    return (struct lab){.name = xstrdup("l"),
                        .dir = xstrdup("/l"),
                        .tree = json_pack("{s:s, s:[{s:s, s:s, s:[{s:s, s:i}, {s:s, s:i}]}, {s:s, s:[{s:s, s:i}]}]}",
                                          "title", "L", "steps", "name", "one", "title", "First", "checks", "name", "a",
                                          "points", 2, "name", "b", "points", 1, "name", "two", "checks", "name", "c",
                                          "points", 4),
                        .vars = json_object()};
}

static struct book *opened(void)
{
    struct err e = ERR_INIT;
    struct book *b = NULL;
    if (book_open(path, &b, &e) < 0)
        fail_msg("%s", e.msg);
    return b;
}

static json_t *row(const char *name, bool passed, int of, bool judged)
{
    json_t *r = json_pack("{s:s, s:b, s:i, s:i, s:s, s:s}", "name", name, "passed", passed, "points", passed ? of : 0,
                          "of", of, "expected", "x", "observed", "y");
    if (judged)
        jset_bool(r, PROGRESS_JUDGED, true);
    return r;
}

/* Step one was looked at. */
static void look(struct book *b, const struct attempt *a, bool first, bool second, int64_t at, bool judged)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *step =
        json_pack("{s:s, s:[o, o]}", "name", "one", "checks", row("a", first, 2, judged), row("b", second, 1, judged));
    assert_int_equal(book_result_at(b, a, step, at, &e), 0);
}

static json_t *progress(struct book *b, const json_t *task)
{
    struct err e = ERR_INIT;
    json_t *p = progress_read(b, task, &e);
    if (!p)
        fail_msg("%s", e.msg);
    return p;
}

static struct attempt begun(struct book *b, const char *seed)
{
    struct err e = ERR_INIT;
    struct attempt a = {.lab = xstrdup("l"), .dir = xstrdup("/l"), .seed = xstrdup(seed), .state = json_object()};
    assert_int_equal(book_begin(b, &a, &e), 0);
    return a;
}

static const char *state_of(const json_t *p, size_t step)
{
    return jstr(json_array_get(json_object_get(p, "steps"), step), "state");
}

static void test_a_way(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct book *b = opened();
    _auto_lab_ struct lab lab = a_lab();
    _auto_json_ json_t *task = progress_task(&lab, NULL, &e), *p = progress(b, task);
    assert_int_equal(jint(task, "of", 0), 7);
    assert_string_equal(jstr(p, "state"), "not begun");

    _auto_attempt_ struct attempt a = begun(b, "me");
    json_decref(p);
    p = progress(b, task);
    assert_string_equal(jstr(p, "state"), "working");
    assert_string_equal(jstr(p, "seed"), "me");
    assert_string_equal(jstr(p, "at"), "one");

    const int64_t t = a.began + 100;
    look(b, &a, true, false, t, false);
    look(b, &a, true, false, t + 50, false);
    assert_int_equal(book_hint(b, &a, "one", 1, &e), 0);
    json_decref(p);
    p = progress(b, task);
    assert_string_equal(jstr(p, "state"), "stuck");
    assert_string_equal(jstr(p, "stuck.check"), "b");
    assert_string_equal(jstr(p, "stuck.observed"), "y");
    assert_int_equal(jint(p, "stuck.since", 0), t);
    assert_int_equal(jint(p, "stuck.tries", 0), 2);
    assert_int_equal(jint(p, "points", 0), 1); /* a hint is off */
    assert_int_equal(jint(p, "hints", 0), 1);
    assert_int_equal(jint(p, "last", 0), t + 50);

    look(b, &a, true, true, t + 60, false);
    a.step = 1;
    assert_int_equal(book_save(b, &a, &e), 0);
    json_decref(p);
    p = progress(b, task);
    assert_string_equal(jstr(p, "state"), "working");
    assert_string_equal(state_of(p, 0), "done");
    assert_string_equal(state_of(p, 1), "working");
    assert_null(json_object_get(p, "stuck"));

    a.step = 2; /* without having looked */
    assert_int_equal(book_save(b, &a, &e), 0);
    json_decref(p);
    p = progress(b, task);
    assert_string_equal(jstr(p, "state"), "done");
    assert_string_equal(state_of(p, 1), "skipped");
    _auto_json_ json_t *report = progress_report(p, &lab);
    assert_int_equal(jint(report, "points", 0), 2);
    assert_int_equal(jint(report, "of", 0), 7);
    book_close(b);
}

static void test_a_teachers_look(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct book *b = opened();
    _auto_lab_ struct lab lab = a_lab();
    _auto_json_ json_t *task = progress_task(&lab, NULL, &e);
    _auto_attempt_ struct attempt a = begun(b, "");
    look(b, &a, true, false, a.began + 10, true);
    _auto_json_ json_t *p = progress(b, task);
    assert_string_equal(jstr(p, "state"), "working");
    assert_int_equal(jint(p, "points", 0), 2);
    assert_int_equal(jint(p, "last", 0), a.began);
    look(b, &a, true, false, a.began + 20, false);
    look(b, &a, true, false, a.began + 30, true);
    json_decref(p);
    p = progress(b, task);
    assert_int_equal(jint(p, "stuck.since", 0), a.began + 20);
    assert_int_equal(jint(p, "stuck.tries", 0), 1);

    assert_int_equal(book_end(b, &a, &e), 0);
    json_decref(p);
    p = progress(b, task);
    assert_string_equal(jstr(p, "state"), "ended");
    assert_string_equal(state_of(p, 1), "left");
    book_close(b);
}

static void test_one_step_of_an_exam(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct book *b = opened();
    _auto_lab_ struct lab lab = a_lab();
    assert_null(progress_task(&lab, "none", &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    _auto_json_ json_t *task = progress_task(&lab, "two", &e);
    assert_int_equal(jint(task, "of", 0), 4);
    _auto_attempt_ struct attempt a = begun(b, "");
    json_object_update_new(a.state, json_pack("{s:s, s:i}", "only", "two", "steps", 2));
    a.step = 1;
    assert_int_equal(book_save(b, &a, &e), 0);
    _auto_json_ json_t *p = progress(b, task);
    assert_string_equal(jstr(p, "state"), "working");
    assert_string_equal(state_of(p, 0), "working");
    a.step = 2;
    assert_int_equal(book_save(b, &a, &e), 0);
    json_decref(p);
    p = progress(b, task);
    assert_string_equal(jstr(p, "state"), "done");
    book_close(b);
}

/* Layout 3 wrote no row beside the points. */
static void test_an_earlier_book(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct book *b = opened();
    _auto_lab_ struct lab lab = a_lab();
    _auto_json_ json_t *task = progress_task(&lab, NULL, &e);
    _auto_attempt_ struct attempt a = begun(b, "");
    look(b, &a, false, true, a.began + 10, false);
    assert_int_equal(book_query(b, NULL, NULL, &e, "ALTER TABLE result DROP COLUMN row", ""), 0);
    assert_int_equal(book_query(b, NULL, NULL, &e, "PRAGMA user_version = 3", ""), 0);
    book_close(b);
    b = opened();
    _auto_json_ json_t *p = progress(b, task);
    assert_string_equal(jstr(p, "stuck.check"), "a");
    assert_int_equal(jint(p, "points", 0), 1);
    book_close(b);
}

static int fresh(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/stowage-progress.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/book.db", dir);
    return 0;
}

static int gone(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_way, fresh, gone),
        cmocka_unit_test_setup_teardown(test_a_teachers_look, fresh, gone),
        cmocka_unit_test_setup_teardown(test_one_step_of_an_exam, fresh, gone),
        cmocka_unit_test_setup_teardown(test_an_earlier_book, fresh, gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What was typed: the file for the arrow keys, and the record of a lab. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/repl/line_int.h"
#include "cli/session_log.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/typed-test.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int gone(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, gone, 8, FTW_DEPTH | FTW_PHYS);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void secrets_are_known(void **state)
{
    (void)state;
    assert_true(typed_secret("create secret generic s --from-literal=password=x"));
    assert_true(typed_secret("create secret docker-registry r --docker-password x"));
    assert_true(typed_secret("get pods --token=abc"));
    assert_true(typed_secret("PASSWORD=x"));
    assert_false(typed_secret("get secret s -o yaml"));
    assert_false(typed_secret("describe pod tokens"));
}

static void lines_are_kept_for_their_owner(void **state)
{
    (void)state;
    _auto_free_ char *path = xasprintf("%s/a/b/history", dir);
    _auto_strlist_ struct strlist none = {0}, two = {0};
    typed_load(path, &none);
    assert_int_equal(none.len, 0);
    typed_append(path, "get pods");
    typed_append(path, "get pvc");
    typed_load(path, &two);
    assert_int_equal(two.len, 2);
    assert_string_equal(two.items[1], "get pvc");
    assert_int_equal(mode_of(path), 0600);
}

static void a_long_file_is_cut(void **state)
{
    (void)state;
    _auto_free_ char *path = xasprintf("%s/long", dir);
    _auto_strlist_ struct strlist before = {0}, after = {0};
    for (int i = 0; i < 2500; i++) {
        _auto_free_ char *row = xasprintf("line %d", i);
        typed_append(path, row);
    }
    typed_load(path, &before);
    typed_load(path, &after);
    assert_int_equal(before.len, 2500);
    assert_int_equal(after.len, 1000);
    assert_string_equal(after.items[0], "line 1500");
    assert_string_equal(after.items[999], "line 2499");
    assert_int_equal(mode_of(path), 0600);
}

static void records_are_found_again(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *path = session_log_path(dir);
    const struct session_record first = {.attempt = 3,
                                         .step = 2,
                                         .lab = "first-volume",
                                         .ns = "default",
                                         .line = "apply -f -\na: \"b\"\n---end",
                                         .time = 1700000000};
    const struct session_record other = {
        .attempt = 2, .lab = "other", .ns = "x", .line = "get pods", .time = 1700000001, .exit = 1};
    _auto_json_ json_t *none = session_log_read(path, 3, &e);
    assert_int_equal(json_array_size(none), 0);
    assert_int_equal(session_log_add(path, &first, &e), 0);
    assert_int_equal(session_log_add(path, &other, &e), 0);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs("{\"attempt\": 3, \"line\": \"cut by a cra\n", f);
    fclose(f);
    assert_int_equal(session_log_add(path, &first, &e), 0);
    _auto_json_ json_t *rows = session_log_read(path, 3, &e);
    assert_int_equal(json_array_size(rows), 2);
    const json_t *row = json_array_get(rows, 0);
    assert_string_equal(jstr(row, "line"), first.line);
    assert_string_equal(jstr(row, "time"), "2023-11-14T22:13:20Z");
    assert_string_equal(jstr(row, "namespace"), "default");
    assert_int_equal(jint(row, "step", -1), 2);
    assert_int_equal(jint(row, "exit", -1), 0);
    assert_int_equal(mode_of(path), 0600);
    const struct session_record odd = {.attempt = 3, .lab = "l", .ns = "n", .line = "\xff"};
    assert_int_equal(session_log_add(path, &odd, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_known),
        cmocka_unit_test(lines_are_kept_for_their_owner),
        cmocka_unit_test(a_long_file_is_cut),
        cmocka_unit_test(records_are_found_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

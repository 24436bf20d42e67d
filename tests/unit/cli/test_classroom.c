/* The names of a class. */
#include "cli/classroom.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* 0, or -1 with the reason in `e`. */
static int names_of(const char *text, struct strlist *out, struct err *e)
{
    char path[] = "/tmp/stowage-names-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const int rc = classroom_names(path, out, e);
    unlink(path);
    return rc;
}

static void test_names(void **state _unused_)
{
    _auto_strlist_ struct strlist names = {0};
    struct err e = ERR_INIT;
    assert_int_equal(names_of("# a class\nalice, A.\n\"J\303\266rg\"\n\n", &names, &e), 0);
    assert_int_equal(names.len, 2);
    assert_string_equal(names.items[1], "J\303\266rg");
}

/* A list that a spreadsheet wrote in another encoding: whoever is in it must not be left out without a word. */
static void test_other_encoding(void **state _unused_)
{
    _auto_strlist_ struct strlist names = {0};
    struct err e = ERR_INIT;
    assert_int_equal(names_of("alice\nJ\366rg\n", &names, &e), -1);
    assert_non_null(strstr(e.msg, ":2: "));
    assert_non_null(strstr(e.msg, "UTF-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_other_encoding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

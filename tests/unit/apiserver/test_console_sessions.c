/* Who is signed in to the console: codes are good once and not for long, cookies until they end, and the file tells
 * neither. */
#include "apiserver/console/sessions.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static struct clock_fake now;
static char path[] = "/tmp/stowage-sessions.XXXXXX";

static void test_codes(void **state)
{
    (void)state;
    struct sessions *s = sessions_new(&now.clock, NULL);
    enum session_who who = SESSION_ADMIN;
    char code[SESSION_COOKIE_LEN], late[SESSION_COOKIE_LEN], many[6][SESSION_COOKIE_LEN];
    sessions_code(s, SESSION_VIEWER, CODE_SECONDS, code);
    assert_true(sessions_have_viewer(s));
    assert_int_equal(strlen(code), SESSION_COOKIE_LEN - 1);
    assert_true(sessions_redeem(s, code, &who));
    assert_int_equal(who, SESSION_VIEWER);
    assert_false(sessions_redeem(s, code, &who));
    assert_false(sessions_redeem(s, "", &who));
    assert_false(sessions_have_viewer(s));
    sessions_code(s, SESSION_ADMIN, CODE_SECONDS, late);
    clock_fake_advance(&now, CODE_SECONDS * SECOND);
    assert_false(sessions_redeem(s, late, &who));
    for (size_t i = 0; i < 6; i++) {
        clock_fake_advance(&now, SECOND);
        sessions_code(s, SESSION_ADMIN, CODE_SECONDS, many[i]);
    }
    assert_false(sessions_redeem(s, many[0], &who)); /* it made room */
    assert_true(sessions_redeem(s, many[5], &who));
    sessions_free(s);
}

static void test_sessions(void **state)
{
    (void)state;
    struct sessions *s = sessions_new(&now.clock, NULL);
    char admin[SESSION_COOKIE_LEN], guest[SESSION_COOKIE_LEN];
    sessions_begin(s, SESSION_ADMIN, NULL, admin);
    sessions_begin(s, SESSION_TOKEN, "a-token", guest);
    assert_string_not_equal(admin, guest);
    enum session_who who;
    char *token = (char *)"untouched";
    assert_false(sessions_find(s, "0123", &who, &token));
    assert_string_equal(token, "untouched");
    assert_true(sessions_find(s, admin, &who, &token));
    assert_null(token);
    assert_true(sessions_find(s, guest, &who, &token));
    assert_string_equal(token, "a-token");
    free(token);
    sessions_end(s, guest);
    assert_false(sessions_find(s, guest, &who, &token));
    clock_fake_advance(&now, SESSION_SECONDS * SECOND);
    assert_false(sessions_find(s, admin, &who, &token));
    sessions_free(s);
}

static void test_kept(void **state)
{
    (void)state;
    struct sessions *s = sessions_new(&now.clock, path);
    char admin[SESSION_COOKIE_LEN], guest[SESSION_COOKIE_LEN], viewer[SESSION_COOKIE_LEN], text[65536];
    sessions_keep_port(s, 4711);
    sessions_begin(s, SESSION_ADMIN, NULL, admin);
    sessions_begin(s, SESSION_TOKEN, "a-token", guest);
    sessions_begin(s, SESSION_VIEWER, NULL, viewer);
    sessions_free(s);

    FILE *f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    assert_null(strstr(text, admin));
    assert_null(strstr(text, "a-token"));

    s = sessions_new(&now.clock, path);
    enum session_who who;
    char *token = NULL;
    assert_int_equal(sessions_port(s), 4711);
    assert_true(sessions_find(s, admin, &who, &token));
    assert_int_equal(who, SESSION_ADMIN);
    assert_null(token);
    assert_false(sessions_find(s, guest, &who, &token));
    assert_true(sessions_find(s, viewer, &who, &token));
    assert_int_equal(who, SESSION_VIEWER);
    assert_true(sessions_have_viewer(s));
    sessions_free(s);
}

static void test_spoiled_file(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[", "{\"sessions\":7,\"port\":\"x\"}",
                                        "{\"sessions\":[{},{\"digest\":\"ab\"}]}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        fputs(texts[i], f);
        fclose(f);
        struct sessions *s = sessions_new(&now.clock, path);
        enum session_who who;
        char *token = NULL;
        assert_int_equal(sessions_port(s), 0);
        assert_false(sessions_find(s, "", &who, &token));
        sessions_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_spoiled_file),
    };
    clock_fake_init(&now, INT64_C(1700000000) * SECOND);
    close(mkstemp(path));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}

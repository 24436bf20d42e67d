/* What of a kubeconfig leads to a cluster: contexts, data and files, several files, plug-ins, and what is wrong. */
#include "base/mem.h"
#include "base/str.h"
#include "client/kubeconfig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static char *put(const char *name, const char *text, mode_t mode)
{
    char *path = xasprintf("%s/%s", dir, name);
    _auto_file_ FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fchmod(fileno(f), mode), 0);
    return path;
}

#define ONE                                                                                                            \
    "current-context: a\n"                                                                                             \
    "clusters:\n- name: c\n  cluster: {server: 'https://10.0.0.1:6443', certificate-authority-data: Y2E=}\n"           \
    "users:\n- name: u\n  user: {token: t-1}\n"                                                                        \
    "contexts:\n- name: a\n  context: {cluster: c, user: u, namespace: shop}\n"                                        \
    "- name: b\n  context: {cluster: c, user: nobody}\n"

static void test_current_context(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *path = put("one", ONE, 0600);
    _auto_access_ struct access a = {0};
    assert_int_equal(access_load(path, NULL, &a, &e), 0);
    assert_string_equal(a.url, "https://10.0.0.1:6443");
    assert_string_equal(a.ca_pem, "ca");
    assert_string_equal(a.token, "t-1");
    assert_string_equal(a.ns, "shop");
    assert_string_equal(a.context, "a");
}

static void test_other_context_without_user(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *path = put("one", ONE, 0600);
    _auto_access_ struct access a = {0};
    assert_int_equal(access_load(path, "b", &a, &e), 0);
    assert_null(a.token);
    assert_string_equal(a.ns, "default");
}

static void test_files_beside_and_first_name_wins(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *ca = put("ca.pem", "from a file", 0600);
    assert_non_null(ca);
    _auto_free_ char *first =
        put("first", "clusters:\n- name: c\n  cluster: {server: 'http://h', certificate-authority: ca.pem}\n", 0600);
    _auto_free_ char *second = put("one", ONE, 0600);
    _auto_free_ char *both = xasprintf("%s:%s", first, second);
    _auto_access_ struct access a = {0};
    setenv("KUBECONFIG", both, 1);
    assert_int_equal(access_load(NULL, NULL, &a, &e), 0);
    unsetenv("KUBECONFIG");
    assert_string_equal(a.url, "http://h");
    assert_string_equal(a.ca_pem, "from a file");
    assert_string_equal(a.token, "t-1");
}

static void test_plugin_gives_a_token(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *plugin =
        put("plugin", "#!/bin/sh\necho \"{\\\"status\\\":{\\\"token\\\":\\\"$1-$WHO\\\"}}\"\n", 0700);
    _auto_free_ char *text = xasprintf("current-context: a\n"
                                       "clusters:\n- name: c\n  cluster: {server: 'https://h'}\n"
                                       "users:\n- name: u\n  user:\n    exec:\n      command: %s\n      args: [hello]\n"
                                       "      env: [{name: WHO, value: me}]\n"
                                       "contexts:\n- name: a\n  context: {cluster: c, user: u}\n",
                                       plugin);
    _auto_free_ char *path = put("plug", text, 0600);
    _auto_access_ struct access a = {0};
    assert_int_equal(access_load(path, NULL, &a, &e), 0);
    assert_string_equal(a.token, "hello-me");
}

/* A plug-in sees the variable of the file, not also the one of that name that was there. */
static void test_plugin_variables(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *path = put("vars",
                                 "current-context: a\n"
                                 "clusters:\n- name: c\n  cluster: {server: 'https://h'}\n"
                                 "users:\n- name: u\n  user:\n    exec:\n      command: printenv\n      args: [WHO]\n"
                                 "      env: [{name: WHO, value: '{\"status\":{\"token\":\"mine\"}}'}]\n"
                                 "contexts:\n- name: a\n  context: {cluster: c, user: u}\n",
                                 0600);
    _auto_access_ struct access a = {0};
    setenv("WHO", "{\"status\":{\"token\":\"theirs\"}}", 1);
    const int rc = access_load(path, NULL, &a, &e);
    unsetenv("WHO");
    if (rc < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(a.token, "mine");
}

static void test_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *context, *says;
        enum err_code code;
    } rows[] = {
        {ONE, "z", "context \"z\" does not exist", ERR_NOT_FOUND},
        {"{}", NULL, "no cluster is configured", ERR_NOT_FOUND},
        {"a: [", NULL, "error loading config file", ERR_BAD_REQUEST},
        {"current-context: a\nclusters: [{name: c, cluster: {server: 'https://h', certificate-authority-data: '*'}}]\n"
         "contexts: [{name: a, context: {cluster: c}}]\n",
         NULL, "illegal base64 data", ERR_BAD_REQUEST},
        {"current-context: a\nclusters: [{name: c, cluster: {server: 'https://h'}}]\n"
         "users: [{name: u, user: {exec: {command: /nowhere/at-all}}}]\n"
         "contexts: [{name: a, context: {cluster: c, user: u}}]\n",
         NULL, "executable /nowhere/at-all failed", ERR_UNAUTHORIZED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        _auto_access_ struct access a = {0};
        _auto_free_ char *path = put("wrong", rows[i].text, 0600);
        assert_int_equal(access_load(path, rows[i].context, &a, &e), -1);
        assert_non_null(strstr(e.msg, rows[i].says));
        assert_int_equal(e.code, rows[i].code);
        assert_null(a.url);
    }
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/stowage-kubeconfig-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    static const char *const names[] = {"one", "first", "ca.pem", "plugin", "plug", "wrong"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _auto_free_ char *path = xasprintf("%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_current_context),
        cmocka_unit_test(test_other_context_without_user),
        cmocka_unit_test(test_files_beside_and_first_name_wins),
        cmocka_unit_test(test_plugin_gives_a_token),
        cmocka_unit_test(test_plugin_variables),
        cmocka_unit_test(test_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}

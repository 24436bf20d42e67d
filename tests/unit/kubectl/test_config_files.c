/* Kubeconfig files: which are read, and how they are written. */
#include "kubectl/verbs/config_files.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_no_file_named(void **state)
{
    static const char *const values[] = {":", ":::"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct kubectl k = {0};
        struct call c = {.k = &k};
        struct err e = ERR_INIT;
        bool fresh;
        _auto_config_files_ struct config_files f = {0};
        setenv("KUBECONFIG", values[i], 1);
        assert_int_equal(config_files_load(&c, &f, &e), 0);
        assert_string_equal(config_current(&f), "");
        _auto_json_ json_t *all = config_merged(&f);
        assert_true(json_is_null(json_object_get(all, "contexts")));
        assert_non_null(config_make(&f, "contexts", "context", "a", &fresh));
        assert_int_equal(config_files_save(&f, &e), -1);
        assert_string_equal(e.msg, "KUBECONFIG names no file: unset it, or name one");
    }
}

/* What stands elsewhere is changed there. */
static void test_link(void **state)
{
    char folder[] = "/tmp/config-files-XXXXXX";
    struct stat st;
    struct kubectl k = {0};
    struct call c = {.k = &k};
    struct err e = ERR_INIT;
    bool fresh;
    (void)state;
    assert_non_null(mkdtemp(folder));
    _auto_free_ char *file = xasprintf("%s/real", folder), *link = xasprintf("%s/config", folder);
    _auto_config_files_ struct config_files f = {0}, again = {0};
    k.kubeconfig = file;
    assert_int_equal(config_files_load(&c, &f, &e), 0);
    assert_non_null(config_make(&f, "contexts", "context", "a", &fresh));
    assert_int_equal(config_files_save(&f, &e), 0);
    assert_int_equal(symlink("real", link), 0);
    config_files_release(&f);
    k.kubeconfig = link;
    assert_int_equal(config_files_load(&c, &f, &e), 0);
    assert_non_null(config_make(&f, "contexts", "context", "b", &fresh));
    assert_int_equal(config_files_save(&f, &e), 0);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    k.kubeconfig = file;
    assert_int_equal(config_files_load(&c, &again, &e), 0);
    assert_non_null(config_find(&again, "contexts", "b", NULL));
    unlink(link);
    unlink(file);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_file_named),
        cmocka_unit_test(test_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

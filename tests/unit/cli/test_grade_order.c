/* Which submission of a class is begun when. */
#include "base/mem.h"
#include "cli/grade_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The entries in the order in which they are begun, by their names. */
static char *begun(const char *entries)
{
    _auto_strlist_ struct strlist names = {0}, shown = {0};
    strlist_split(&names, entries, ' ');
    _auto_free_ size_t *order = grade_order(&names);
    for (size_t i = 0; i < names.len; i++)
        strlist_add(&shown, names.items[order[i]]);
    return strlist_join(&shown, " ");
}

static void scripts_come_first(void **state _unused_)
{
    _auto_free_ char *order = begun("ann bob.sh cid.tar.gz dan.jsonl eve.yaml fay.sh");
    const char *const slow[] = {"bob.sh", "dan.jsonl", "fay.sh"}, *const others[] = {"ann", "cid.tar.gz", "eve.yaml"};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++)
            assert_true(strstr(order, slow[i]) < strstr(order, others[k]));
    assert_int_equal(strlen(order), strlen("ann bob.sh cid.tar.gz dan.jsonl eve.yaml fay.sh"));
    _auto_free_ char *one = begun("a"), *again = begun("ann bob.sh cid.tar.gz dan.jsonl eve.yaml fay.sh");
    assert_string_equal(one, "a");
    assert_string_equal(order, again);
}

/* Of twenty of one name and twenty of another, the first half is not all of one. */
static void like_names_are_spread(void **state _unused_)
{
    _auto_strlist_ struct strlist names = {0};
    for (int i = 0; i < 40; i++)
        strlist_addf(&names, "%s%03d", i < 20 ? "answers" : "folder", i % 20);
    _auto_free_ size_t *order = grade_order(&names);
    int answers = 0;
    bool seen[40] = {false};
    for (size_t i = 0; i < 40; i++) {
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        answers += i < 20 && order[i] < 20;
    }
    assert_in_range(answers, 5, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scripts_come_first), cmocka_unit_test(like_names_are_spread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

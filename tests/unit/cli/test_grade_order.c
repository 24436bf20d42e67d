/* Which submission of a class is begun when. */
#include "base/mem.h"
#include "cli/grade_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

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
    assert_string_equal(order, "bob.sh dan.jsonl fay.sh ann cid.tar.gz eve.yaml");
}

static void else_the_order_stays(void **state _unused_)
{
    _auto_free_ char *order = begun("c b a"), *scripts = begun("c.sh b.sh a.sh"), *one = begun("a");
    assert_string_equal(order, "c b a");
    assert_string_equal(scripts, "c.sh b.sh a.sh");
    assert_string_equal(one, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scripts_come_first), cmocka_unit_test(else_the_order_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The tree against a sorted array, under random changes, with old roots kept and checked later. */
#include "store_kit.h"

#include "store/sobj_int.h"
#include "store/tree_int.h"

enum { KEYS = 400, STEPS = 20000, KEPT = 16 };

struct model {
    int value[KEYS]; /* 0: absent */
};

static void key_of(int k, char ns[8], char name[16])
{
    snprintf(ns, 8, "ns%d", k % 7);
    snprintf(name, 16, "n%03d", k / 7);
}

static struct sobj *object_of(int k, int value)
{
    char ns[8], name[16];
    key_of(k, ns, name);
    struct sobj *o = sobj_freeze(ns, name, kit_object(name, value));
    sobj_stamp(o, "things", (uint64_t)value, 1);
    return o;
}

struct walk {
    char last_ns[8], last_name[16];
    size_t seen;
    const struct model *model;
};

static int check_one(struct sobj *o, void *arg)
{
    struct walk *w = arg;
    int c = strcmp(w->last_ns, o->ns);
    assert_true(c < 0 || (c == 0 && strcmp(w->last_name, o->name) < 0) || w->seen == 0);
    snprintf(w->last_ns, sizeof w->last_ns, "%s", o->ns);
    snprintf(w->last_name, sizeof w->last_name, "%s", o->name);
    int k = (int)(strtol(o->name + 1, NULL, 10) * 7 + strtol(o->ns + 2, NULL, 10));
    assert_int_equal(kit_value(o), w->model->value[k]);
    w->seen++;
    return 0;
}

static void check_against(const struct tnode *t, const struct model *m)
{
    struct walk w = {.model = m};
    size_t count = 0;
    for (int k = 0; k < KEYS; k++)
        count += m->value[k] != 0;
    tree_check(t);
    assert_int_equal(tree_size(t), count);
    assert_int_equal(tree_scan(t, NULL, NULL, NULL, check_one, &w), 0);
    assert_int_equal(w.seen, count);
}

static void test_random(void **state)
{
    (void)state;
    struct tnode *t = NULL, *kept[KEPT] = {0};
    struct model now = {{0}}, *kept_model = xcalloc(KEPT, sizeof *kept_model);
    srand(42);
    for (int step = 1; step <= STEPS; step++) {
        int k = rand() % KEYS;
        char ns[8], name[16];
        key_of(k, ns, name);
        if (rand() % 3 && step % 5000 < 4000) {
            struct sobj *o = object_of(k, step);
            t = tree_put(t, o);
            sobj_unref(o);
            now.value[k] = step;
        } else if (now.value[k]) {
            t = tree_remove(t, ns, name);
            now.value[k] = 0;
        }
        struct sobj *found = tree_find(t, ns, name);
        assert_int_equal(found ? kit_value(found) : 0, now.value[k]);
        if (step % 100 == 0) { /* an old root goes, this one stays for a while */
            int at = rand() % KEPT;
            check_against(kept[at], &kept_model[at]);
            tree_unref(kept[at]);
            kept[at] = tree_ref(t);
            kept_model[at] = now;
            check_against(t, &now);
        }
    }
    for (int i = 0; i < KEPT; i++) {
        check_against(kept[i], &kept_model[i]);
        tree_unref(kept[i]);
    }
    tree_unref(t);
    free(kept_model);
}

static void test_sorted_input_stays_flat(void **state)
{
    (void)state;
    struct tnode *t = NULL;
    for (int i = 0; i < 7000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%06d", i);
        struct sobj *o = sobj_freeze("", name, kit_object(name, i));
        sobj_stamp(o, "things", 1, 1);
        t = tree_put(t, o);
        sobj_unref(o);
    }
    tree_check(t);
    assert_true(tree_height(t) <= 26); /* log(7000) / log(4/3) would be 30; in practice about 15 */
    tree_unref(t);
}

struct names {
    char text[256];
    int stop_after;
};

static int add_name(struct sobj *o, void *arg)
{
    struct names *n = arg;
    size_t len = strlen(n->text);
    snprintf(n->text + len, sizeof n->text - len, "%s/%s ", o->ns, o->name);
    return --n->stop_after == 0 ? 7 : 0;
}

static void scan_is(const struct tnode *t, const char *ns, const char *after_ns, const char *after_name, int stop_after,
                    const char *want)
{
    struct names n = {.stop_after = stop_after};
    assert_int_equal(tree_scan(t, ns, after_ns, after_name, add_name, &n), stop_after > 0 ? 7 : 0);
    assert_string_equal(n.text, want);
}

static void test_scan_ranges(void **state)
{
    (void)state;
    static const char *const keys[][2] = {{"a", "x"}, {"a", "y"}, {"b", "m"}, {"b", "x"},
                                          {"b", "z"}, {"c", "a"}, {"bb", "q"}};
    struct tnode *t = NULL;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct sobj *o = sobj_freeze(keys[i][0], keys[i][1], kit_object(keys[i][1], 1));
        sobj_stamp(o, "things", 1, 1);
        t = tree_put(t, o);
        sobj_unref(o);
    }
    scan_is(t, NULL, NULL, NULL, 0, "a/x a/y b/m b/x b/z bb/q c/a ");
    scan_is(t, "b", NULL, NULL, 0, "b/m b/x b/z ");
    scan_is(t, "b", "b", "m", 0, "b/x b/z ");
    scan_is(t, "b", "b", "n", 0, "b/x b/z ");
    scan_is(t, NULL, "a", "y", 0, "b/m b/x b/z bb/q c/a ");
    scan_is(t, NULL, "a", "y", 2, "b/m b/x ");
    scan_is(t, "none", NULL, NULL, 0, "");
    scan_is(NULL, NULL, NULL, NULL, 0, "");
    tree_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_sorted_input_stays_flat),
        cmocka_unit_test(test_scan_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

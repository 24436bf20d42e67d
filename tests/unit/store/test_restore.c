/* What the store promises when it goes back to an earlier state: the objects of then, revisions that only rise, events
 * that tell what happened, and all of it or nothing. */
#include "store_kit.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "store/store_int.h"

#include <inttypes.h>

static struct store_restored go_back(struct store *s, const struct store_restore *r)
{
    struct store_restored told;
    struct err e = ERR_INIT;
    if (store_restore(s, r, &told, &e) < 0)
        fail_msg("store_restore: %s", e.msg);
    return told;
}

static void value_is(struct store *s, const char *name, int want)
{
    struct sobj *o = store_get(s, "things", "ns", name);
    assert_int_equal(o ? kit_value(o) : -1, want);
    sobj_unref(o);
}

static void told_is(struct store_restored told, size_t added, size_t changed, size_t removed)
{
    assert_int_equal(told.added, added);
    assert_int_equal(told.changed, changed);
    assert_int_equal(told.removed, removed);
}

/* "ADDED name rv" of each event, in order; revisions must rise. */
static char *events_after(struct store *s, uint64_t rv)
{
    static const char *const types[] = {"added", "modified", "deleted"};
    struct watch *w = NULL;
    struct watch_event ev;
    struct err e = ERR_INIT;
    struct buf text = BUF_INIT;
    assert_int_equal(store_watch(s, &(struct watch_conf){.after_rv = rv}, &w, &e), 0);
    while (watch_next(w, &ev) == 1) {
        assert_true(ev.obj->rv > rv);
        rv = ev.obj->rv;
        buf_addf(&text, "%s %s; ", types[ev.type], ev.obj->name);
        watch_event_release(&ev);
    }
    watch_close(w);
    char *out = xstrdup(buf_str(&text));
    buf_release(&text);
    return out;
}

static void test_back_and_told(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    const uint64_t same = kit_put(s, "things", "ns", "same", 1);
    kit_put(s, "things", "ns", "changed", 2);
    kit_put(s, "things", "ns", "deleted", 3);
    struct snapshot *then = store_snapshot(s);
    kit_put(s, "things", "ns", "changed", 20);
    kit_delete(s, "things", "ns", "deleted");
    kit_put(s, "others", "", "new", 4);
    const uint64_t before = store_rv(s);

    told_is(go_back(s, &(struct store_restore){.to = then}), 1, 1, 1);
    value_is(s, "same", 1);
    value_is(s, "changed", 2);
    value_is(s, "deleted", 3);
    assert_null(store_get(s, "others", "", "new"));
    struct sobj *o = store_get(s, "things", "ns", "same");
    assert_int_equal(o->rv, same);
    sobj_unref(o);
    assert_int_equal(store_rv(s), before + 3);
    char *told = events_after(s, before);
    assert_string_equal(told, "deleted new; modified changed; added deleted; ");
    free(told);

    told_is(go_back(s, &(struct store_restore){.to = then}), 0, 0, 0); /* it says the same, if at other revisions */
    assert_int_equal(store_rv(s), before + 3);
    snapshot_unref(then);
    store_close(s);
}

/* Who read before the restore and writes after it has lost. */
static void test_old_readers_lose(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    struct err e = ERR_INIT;
    kit_put(s, "things", "ns", "a", 1);
    struct snapshot *then = store_snapshot(s);
    const uint64_t read = kit_put(s, "things", "ns", "a", 2);
    go_back(s, &(struct store_restore){.to = then});
    assert_int_equal(store_put(s, "things", "ns", "a", read, kit_object("a", 3), NULL, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    value_is(s, "a", 1);
    snapshot_unref(then);
    store_close(s);
}

static void test_another_of_that_name(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    struct err e = ERR_INIT;
    kit_put(s, "things", "ns", "a", 1);
    struct snapshot *then = store_snapshot(s);
    kit_delete(s, "things", "ns", "a");
    json_t *other = kit_object("a", 2);
    json_object_set_new(json_object_get(other, "metadata"), "uid", json_string("u-2"));
    assert_int_equal(store_put(s, "things", "ns", "a", RV_ABSENT, other, NULL, &e), 0);
    const uint64_t before = store_rv(s);
    told_is(go_back(s, &(struct store_restore){.to = then}), 0, 1, 0);
    char *told = events_after(s, before);
    assert_string_equal(told, "deleted a; added a; ");
    free(told);
    value_is(s, "a", 1);
    snapshot_unref(then);
    store_close(s);
}

static bool always(const struct sobj *now _unused_, const struct sobj *then _unused_, void *arg _unused_)
{
    return true;
}

/* Nothing that is being deleted ever ceases to be, as far as a watch can tell. */
static void test_not_deleted_any_more(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    struct err e = ERR_INIT;
    kit_put(s, "things", "ns", "a", 1);
    kit_put(s, "things", "ns", "b", 2);
    struct snapshot *then = store_snapshot(s);
    json_t *dying = kit_object("a", 1);
    json_object_set_new(json_object_get(dying, "metadata"), "deletionTimestamp", json_string("2024-01-02T03:04:05Z"));
    assert_int_equal(store_put(s, "things", "ns", "a", RV_ANY, dying, NULL, &e), 0);
    kit_put(s, "things", "ns", "b", 3);
    uint64_t before = store_rv(s);
    go_back(s, &(struct store_restore){.to = then});
    char *told = events_after(s, before);
    assert_string_equal(told, "deleted a; added a; modified b; ");
    free(told);

    kit_put(s, "things", "ns", "b", 3);
    before = store_rv(s);
    go_back(s, &(struct store_restore){.to = then, .anew = always});
    told = events_after(s, before);
    assert_string_equal(told, "deleted b; added b; ");
    free(told);
    snapshot_unref(then);
    store_close(s);
}

static bool keep_others(const char *bucket, const char *ns _unused_, const char *name _unused_, void *arg)
{
    return str_eq(bucket, arg);
}

static json_t *tenfold(const struct sobj *obj, void *arg _unused_)
{
    if (!str_eq(obj->bucket, "things"))
        return NULL;
    json_t *tree = json_deep_copy(obj->tree);
    json_object_set_new(json_object_get(tree, "spec"), "value", json_integer(10 * kit_value(obj)));
    return tree;
}

static void test_kept_and_revised(void **state)
{
    (void)state;
    struct store *s = kit_memory();
    kit_put(s, "things", "ns", "a", 1);
    kit_put(s, "others", "", "gone", 5);
    struct snapshot *then = store_snapshot(s);
    kit_delete(s, "others", "", "gone");
    kit_put(s, "others", "", "new", 6);
    const struct store_restore r = {
        .to = then, .keep = keep_others, .revise = tenfold, .arg = (void *)(uintptr_t) "others"};
    told_is(go_back(s, &r), 0, 1, 0);
    value_is(s, "a", 10);
    assert_null(store_get(s, "others", "", "gone"));
    struct sobj *o = store_get(s, "others", "", "new");
    assert_non_null(o);
    sobj_unref(o);
    snapshot_unref(then);
    store_close(s);
}

/* What comes back is what the journal has, too, and so is the mark; a snapshot outlives the store in its file. */
static void test_durable(void **state)
{
    (void)state;
    char *path = kit_path(), *file = xasprintf("%s.then", path), mark[STORE_MARK_LEN];
    struct err e = ERR_INIT;
    const struct store_conf conf = {.clock = clock_real(), .path = path};
    struct store *s = kit_open(&conf);
    kit_put(s, "things", "ns", "a", 1);
    kit_put(s, "things", "", "b:c", 2);
    struct snapshot *then = store_snapshot(s);
    assert_int_equal(snapshot_write(then, file, &e), 0);
    snapshot_unref(then);
    kit_put(s, "things", "ns", "a", 3);
    kit_delete(s, "things", "", "b:c");
    store_close(s);
    assert_int_equal(store_mark_read(path, mark, &e), 0);
    assert_string_equal(mark, "");

    s = kit_open(&conf);
    assert_int_equal(store_read_snapshot(s, file, &then, &e), 0);
    told_is(go_back(s, &(struct store_restore){.to = then, .mark = "first"}), 1, 1, 0);
    told_is(go_back(s, &(struct store_restore){.to = then, .mark = "second"}), 0, 0, 0);
    const uint64_t last = store_rv(s);
    snapshot_unref(then);
    store_close(s);
    assert_int_equal(store_mark_read(path, mark, &e), 0);
    assert_string_equal(mark, "second");

    s = kit_open(&conf);
    assert_int_equal(store_rv(s), last);
    value_is(s, "a", 1);
    struct sobj *o = store_get(s, "things", "", "b:c");
    assert_non_null(o);
    assert_int_equal(kit_value(o), 2);
    sobj_unref(o);
    store_close(s);
    unlink(file);
    free(file);
    kit_remove(path);
}

static void test_damaged_file(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "something else\n",
                                        "stowage-objects 1 7\n",
                                        "stowage-objects 1 7\nend 1\n",
                                        "stowage-objects 1 7\nthings ns a 3 9\n{\"a\"",
                                        "stowage-objects 1 7\nthings\n",
                                        "stowage-objects 1 7\nthings ns a 3 2\n[]\nend 1\n"};
    char *path = kit_path(), *file = xasprintf("%s.then", path);
    struct store *s = kit_memory();
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = ERR_INIT;
        struct snapshot *untouched = NULL;
        FILE *f = fopen(file, "we");
        assert_non_null(f);
        fputs(texts[i], f);
        fclose(f);
        assert_int_equal(store_read_snapshot(s, file, &untouched, &e), -1);
        assert_int_equal(e.code, ERR_CORRUPT);
        assert_null(untouched);
    }
    store_close(s);
    unlink(file);
    free(file);
    kit_remove(path);
}

static json_t *bloated(const struct sobj *obj, void *arg _unused_)
{
    _auto_free_ char *text = xmalloc(1 << 20);
    memset(text, 'x', 1 << 20);
    json_t *tree = json_deep_copy(obj->tree);
    json_object_set_new(tree, "text", json_stringn(text, 1 << 20));
    return tree;
}

/* A full disk leaves the present as it was. */
static void test_all_or_nothing(void **state)
{
    (void)state;
    char *path = kit_path(), mark[STORE_MARK_LEN];
    struct err e = ERR_INIT;
    struct store *s = kit_open(&(struct store_conf){.clock = clock_real(), .path = path});
    kit_put(s, "things", "ns", "a", 1);
    struct snapshot *then = store_snapshot(s);
    kit_put(s, "things", "ns", "a", 2);
    kit_put(s, "things", "ns", "new", 3);
    const uint64_t before = store_rv(s);
    struct store_restored untouched = {7, 7, 7};
    journal_limit_pages(s->journal, 16);
    const struct store_restore r = {.to = then, .revise = bloated, .mark = "never"};
    assert_int_equal(store_restore(s, &r, &untouched, &e), -1);
    assert_int_equal(e.code, ERR_NO_SPACE);
    told_is(untouched, 7, 7, 7);
    assert_int_equal(store_rv(s), before);
    value_is(s, "a", 2);
    value_is(s, "new", 3);
    journal_limit_pages(s->journal, 0);
    told_is(go_back(s, &(struct store_restore){.to = then}), 0, 1, 1);
    snapshot_unref(then);
    store_close(s);
    assert_int_equal(store_mark_read(path, mark, &e), 0);
    assert_string_equal(mark, "");
    kit_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back_and_told),        cmocka_unit_test(test_old_readers_lose),
        cmocka_unit_test(test_another_of_that_name), cmocka_unit_test(test_not_deleted_any_more),
        cmocka_unit_test(test_kept_and_revised),     cmocka_unit_test(test_durable),
        cmocka_unit_test(test_damaged_file),         cmocka_unit_test(test_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

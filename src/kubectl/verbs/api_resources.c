/* api_resources.c - `kubectl api-resources`, `kubectl api-versions`: what discovery says. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/output/table.h"
#include "kubectl/verbs/verbs_int.h"
#include "kubectl/call.h"

#include <stdlib.h>
#include <string.h>

struct rows {
    const struct kind **items; /* owned, each borrowed */
    size_t len;
};

/* Of several versions of a group the server tells the preferred one first. */
static bool is_preferred(const struct kinds *all, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (str_eq(all->items[i].group, all->items[at].group) && str_eq(all->items[i].plural, all->items[at].plural))
            return false;
    return true;
}

static bool has_all(const struct strlist *has, const struct strlist *wanted)
{
    for (size_t i = 0; i < wanted->len; i++)
        if (!strlist_has(has, wanted->items[i]))
            return false;
    return true;
}

static bool is_wanted(const struct call *c, const struct kind *k)
{
    if (call_given(c, "api-group") && !str_eq(k->group, call_text(c, "api-group")))
        return false;
    if (call_given(c, "namespaced") && k->namespaced != call_bool(c, "namespaced"))
        return false;
    return k->verbs.len && has_all(&k->verbs, call_list(c, "verbs")) &&
           has_all(&k->categories, call_list(c, "categories"));
}

static int by_group(const void *pa, const void *pb)
{
    const struct kind *a = *(const struct kind *const *)pa, *b = *(const struct kind *const *)pb;
    const int c = strcmp(a->group, b->group);
    return c ? c : strcmp(a->plural, b->plural);
}

static int by_name(const void *pa, const void *pb)
{
    return strcmp((*(const struct kind *const *)pa)->plural, (*(const struct kind *const *)pb)->plural);
}

static int by_kind(const void *pa, const void *pb)
{
    return strcmp((*(const struct kind *const *)pa)->kind, (*(const struct kind *const *)pb)->kind);
}

static void print_row(struct table *t, const struct kind *k, bool wide)
{
    _auto_free_ char *shorts = strlist_join(&k->shorts, ","), *verbs = strlist_join(&k->verbs, ",");
    _auto_free_ char *categories = strlist_join(&k->categories, ",");
    table_addf(t, "%s\t%s\t", k->plural, shorts);
    kind_api_version(k, &t->text);
    table_addf(t, "\t%s\t%s", k->namespaced ? "true" : "false", k->kind);
    if (wide)
        table_addf(t, "\t%s\t%s", verbs, categories);
    table_addf(t, "\n");
}

static void print_rows(struct call *c, const struct rows *rows, const char *form)
{
    _auto_table_ struct table t = {0};
    const bool wide = str_eq(form, "wide"), names = str_eq(form, "name");
    if (!call_bool(c, "no-headers") && !names)
        table_addf(&t, "NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND%s\n", wide ? "\tVERBS\tCATEGORIES" : "");
    for (size_t i = 0; i < rows->len; i++) {
        if (!names) {
            print_row(&t, rows->items[i], wide);
            continue;
        }
        kind_qualified(rows->items[i], &t.text);
        buf_addc(&t.text, '\n');
    }
    table_flush(&t, c->k->out);
}

static int api_resources_run(struct call *c)
{
    struct err e = ERR_INIT;
    const char *form = call_text(c, "output"), *sort = call_text(c, "sort-by");
    if (c->words.len) {
        _auto_free_ char *words = strlist_join(&c->words, " ");
        return call_usage(c, "unexpected arguments: [%s]", words);
    }
    if (*form && !str_eq(form, "wide") && !str_eq(form, "name"))
        return call_fail(c, "--output %s is not available", form);
    if (*sort && !str_eq(sort, "name") && !str_eq(sort, "kind"))
        return call_fail(c, "--sort-by accepts only name or kind");
    const struct kinds *all = call_kinds(c, &e);
    if (!all)
        return call_error(c, &e);
    struct rows rows = {.items = xcalloc(all->len, sizeof(const struct kind *))};
    for (size_t i = 0; i < all->len; i++)
        if (is_preferred(all, i) && is_wanted(c, &all->items[i]))
            rows.items[rows.len++] = &all->items[i];
    qsort(rows.items, rows.len, sizeof(const struct kind *), by_group);
    if (*sort)
        qsort(rows.items, rows.len, sizeof(const struct kind *), str_eq(sort, "name") ? by_name : by_kind);
    print_rows(c, &rows, form);
    free(rows.items);
    return 0;
}

static const struct kubectl_flag flags[] = {
    {"output", 'o', FLAG_TEXT, NULL, "wide or name"},
    {"api-group", 0, FLAG_TEXT, NULL, "Of this group only"},
    {"namespaced", 0, FLAG_BOOL, "true", "Only those of namespaces; false: only those of the cluster"},
    {"verbs", 0, FLAG_LIST, NULL, "Only those that know all these verbs"},
    {"categories", 0, FLAG_LIST, NULL, "Only those of all these categories"},
    {"sort-by", 0, FLAG_TEXT, NULL, "name or kind"},
    {"no-headers", 0, FLAG_BOOL, NULL, "No first line with headers"},
    {"cached", 0, FLAG_BOOL, NULL, "What is known already will do"},
    {0},
};

const struct kubectl_verb kubectl_api_resources = {
    .name = "api-resources",
    .summary = "Print the supported API resources on the server",
    .usage = "[options]",
    .flags = flags,
    .run = api_resources_run,
};

static int api_versions_run(struct call *c)
{
    struct err e = ERR_INIT;
    _auto_strlist_ struct strlist versions = {0};
    const struct kinds *all = call_kinds(c, &e);
    if (!all)
        return call_error(c, &e);
    for (size_t i = 0; i < all->len; i++) {
        _auto_buf_ struct buf version = BUF_INIT;
        kind_api_version(&all->items[i], &version);
        if (!strlist_has(&versions, buf_str(&version)))
            strlist_add(&versions, buf_str(&version));
    }
    strlist_sort(&versions);
    for (size_t i = 0; i < versions.len; i++)
        fprintf(c->k->out, "%s\n", versions.items[i]);
    return 0;
}

const struct kubectl_verb kubectl_api_versions = {
    .name = "api-versions",
    .summary = "Print the supported API versions on the server, in the form of \"group/version\"",
    .usage = "[options]",
    .run = api_versions_run,
};

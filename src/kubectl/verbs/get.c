/* get.c - `kubectl get`: lists, single objects, every form of output, watches.
 *
 * DESIGN: for people the server makes tables and this sets their columns; for programs objects are gathered into one
 * List. Rows of one kind share a table, so their columns are as wide as the widest of all; another kind begins a new
 * one below an empty line. */
#include "api/decode.h"
#include "api/printer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/output/print.h"
#include "kubectl/output/server_table.h"
#include "kubectl/output/sorting.h"
#include "kubectl/targets.h"
#include "kubectl/verbs/verbs_int.h"
#include "kubectl/verbs/watching.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- tables ---- */

/* What was answered, in order: tables, and of which kind. */
struct answers {
    const struct kind **kinds; /* owned, each borrowed */
    json_t *tables;            /* owned */
    bool cluster;              /* one of the kinds is the cluster's own */
};

static void answers_add(struct answers *all, const struct kind *k, json_t *take_table)
{
    const size_t n = json_array_size(all->tables);
    all->kinds = xrealloc(all->kinds, (n + 1) * sizeof(const struct kind *));
    all->kinds[n] = k;
    json_array_append_new(all->tables, take_table);
}

/* A server that makes no tables gives objects: name and age are all that can be shown of any kind. */
static json_t *as_table(const json_t *answer)
{
    if (str_eq(jstr(answer, "kind"), "Table"))
        return json_incref((json_t *)(uintptr_t)answer);
    const json_t *items = json_object_get(answer, "items");
    json_t *table = json_pack("{s:[{s:s,s:s},{s:s}],s:[]}", "columnDefinitions", "name", "Name", "format", "name",
                              "name", "Age", "rows");
    const size_t n = json_is_array(items) ? json_array_size(items) : 1;
    for (size_t i = 0; i < n; i++) {
        json_t *object = json_is_array(items) ? json_array_get(items, i) : (json_t *)(uintptr_t)answer;
        char age[24] = "<unknown>";
        int64_t born;
        if (time_parse(jstr_or(object, "metadata.creationTimestamp", ""), &born) == 0)
            human_duration((int64_t)time(NULL) * 1000000000 - born, age);
        json_array_append_new(
            json_object_get(table, "rows"),
            json_pack("{s:[s,s],s:O}", "cells", jstr_or(object, "metadata.name", ""), age, "object", object));
    }
    return table;
}

/* The request for a table: one object or a piece of a list. */
static int ask(struct call *c, const struct targets *all, const struct target *t, const char *more, json_t **out,
               struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_client_answer_ struct client_answer a = {0};
    const bool sorted = *call_text(c, "sort-by");
    target_path(all, t, &path);
    if (*call_text(c, "subresource"))
        buf_addf(&path, "/%s", call_text(c, "subresource"));
    if (sorted)
        call_query(&path, "includeObject", "Object");
    if (!t->name && !sorted && call_int(c, "chunk-size") > 0)
        call_query(&path, "limit", call_text(c, "chunk-size"));
    if (*more)
        call_query(&path, "continue", more);
    const struct client_request rq = {.path = buf_str(&path),
                                      .accept = call_bool(c, "server-print") ? TABLE_ACCEPT : "application/json"};
    if (call_request(c, &rq, &a, e) < 0)
        return -1;
    return json_parse(buf_str(&a.body), a.body.len, out, e);
}

static void get_table(struct call *c, const struct targets *all, const struct target *t, struct answers *to)
{
    _auto_free_ char *more = xstrdup("");
    to->cluster |= !t->kind->namespaced;
    do {
        _auto_json_ json_t *answer = NULL;
        struct err e = ERR_INIT;
        if (ask(c, all, t, more, &answer, &e) < 0) {
            if (!(call_not_found(c) && call_bool(c, "ignore-not-found")))
                targets_tell(c, all, t, &e);
            call_forget(c);
            return;
        }
        answers_add(to, t->kind, as_table(answer));
        free(more);
        more = xstrdup(jstr_or(answer, "metadata.continue", ""));
    } while (*more);
}

static bool several_kinds(const struct answers *all)
{
    for (size_t i = 1; i < json_array_size(all->tables); i++)
        if (all->kinds[i] != all->kinds[0])
            return true;
    return false;
}

/* Tables of one kind are one; another kind begins below an empty line. Returns whether anything was shown. */
static bool show_tables(struct call *c, const struct targets *t, const struct printer *p, const struct answers *all)
{
    struct table table = {0};
    struct server_table st = {.wide = p->wide,
                              .no_headers = p->no_headers,
                              .show_labels = call_bool(c, "show-labels"),
                              .label_columns = call_list(c, "label-columns"),
                              .with_kind = several_kinds(all) || call_bool(c, "show-kind")};
    bool shown = false;
    for (size_t i = 0; i < json_array_size(all->tables); i++) {
        const struct kind *k = all->kinds[i];
        const json_t *one = json_array_get(all->tables, i);
        if (i > 0 && k != all->kinds[i - 1]) {
            table_flush(&table, c->k->out);
            st.headed = false;
        }
        st.with_namespace = t->everywhere && k->namespaced;
        if (shown && !st.headed && !st.no_headers && json_array_size(json_object_get(one, "rows")))
            fputc('\n', c->k->out);
        server_table_add(&st, k, one, NULL, &table);
        shown |= table.text.len > 0;
    }
    table_flush(&table, c->k->out);
    server_table_release(&st);
    table_release(&table);
    return shown;
}

static int sort_tables(struct call *c, struct answers *all)
{
    const char *by = call_text(c, "sort-by");
    struct err e = ERR_INIT;
    size_t i;
    json_t *table;
    json_array_foreach(all->tables, i, table) if (*by && sort_by(json_object_get(table, "rows"), by, "object", &e) <
                                                             0) return call_error(c, &e);
    return 0;
}

static int get_tables(struct call *c, const struct targets *t, const struct printer *p)
{
    struct answers all = {.tables = json_array(), .cluster = t->everywhere};
    for (size_t i = 0; i < t->len; i++)
        get_table(c, t, &t->items[i], &all);
    if (sort_tables(c, &all) == 0 && !show_tables(c, t, p, &all) && c->code == 0 && !call_bool(c, "ignore-not-found"))
        fprintf(c->k->err, all.cluster ? "No resources found\n" : "No resources found in %s namespace.\n", c->ns);
    free(all.kinds);
    json_decref(all.tables);
    return c->code;
}

/* ---- objects ---- */

static int gather(struct call *c _unused_, const struct target *t _unused_, json_t *object, void *arg)
{
    json_array_append(arg, object);
    return 0;
}

static int gather_all(struct call *c, const struct targets *all, json_t *items)
{
    for (size_t i = 0; i < all->len; i++) {
        const struct target *t = &all->items[i];
        struct targets one = *all;
        one.items = &all->items[i];
        one.len = 1;
        if (!t->name || !(call_bool(c, "ignore-not-found") || *call_text(c, "subresource"))) {
            if (targets_visit(c, &one, gather, items) < 0)
                return -1;
            continue;
        }
        _auto_buf_ struct buf path = BUF_INIT;
        _auto_json_ json_t *object = NULL;
        struct err e = ERR_INIT;
        const char *sub = call_text(c, "subresource");
        kind_path(t->kind, t->ns, t->name, *sub ? sub : NULL, &path);
        if (call_json(c, "GET", buf_str(&path), NULL, NULL, &object, &e) == 0)
            json_array_append(items, object);
        else if (!call_not_found(c) || !call_bool(c, "ignore-not-found"))
            call_error(c, &e);
    }
    return 0;
}

static int get_objects(struct call *c, const struct targets *all, struct printer *p)
{
    _auto_json_ json_t *items = json_array();
    struct err e = ERR_INIT;
    if (gather_all(c, all, items) < 0)
        return c->code;
    if (all->single && (c->code || json_array_size(items) == 0))
        return c->code;
    if (c->code && json_array_size(items) == 0 && all->len == 1)
        return c->code;
    if (*call_text(c, "sort-by") && sort_by(items, call_text(c, "sort-by"), NULL, &e) < 0)
        return call_error(c, &e);
    json_t *list = json_pack("{s:s,s:O,s:s,s:{s:s}}", "apiVersion", "v1", "items", items, "kind", "List", "metadata",
                             "resourceVersion", "");
    const json_t *shown = all->single ? json_array_get(items, 0) : list;
    const struct kind *kind = all->single ? all->items[0].kind : NULL;
    if (printer_object(c, p, kind, shown, NULL, &e) < 0)
        call_error(c, &e);
    printer_end(c, p);
    json_decref(list);
    return c->code;
}

/* ---- the verb ---- */

static int get_raw(struct call *c)
{
    _auto_client_answer_ struct client_answer a = {0};
    struct err e = ERR_INIT;
    const struct client_request rq = {.path = call_text(c, "raw"), .accept = "*/*"};
    if (call_request(c, &rq, &a, &e) < 0)
        return call_error(c, &e);
    fwrite(buf_str(&a.body), 1, a.body.len, c->k->out);
    return 0;
}

static int no_kind(struct call *c)
{
    fprintf(c->k->err,
            "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of "
            "supported resources.\n\nerror: Required resource not specified.\nUse \"kubectl explain <resource>\" for a "
            "detailed description of that resource (e.g. kubectl explain pods).\nSee '%s -h' for help and examples\n",
            c->path);
    return 1;
}

static int get_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    _auto_printer_ struct printer p = {0};
    const bool watch = call_bool(c, "watch") || call_bool(c, "watch-only");
    if (*call_text(c, "raw"))
        return get_raw(c);
    if (c->words.len == 0 && !call_has_files(c))
        return no_kind(c);
    if (printer_init(c, &p, true) < 0 || targets_of(c, &(struct targets_opts){.all = true}, &t) < 0)
        return c->code;
    if (*call_text(c, "subresource") && !t.single)
        return call_fail(c, "subresource cannot be used when bulk resources are specified");
    if (watch)
        return watch_targets(c, &t, &p);
    return p.form == PRINT_TABLE ? get_tables(c, &t, &p) : get_objects(c, &t, &p);
}

static const struct kubectl_flag flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files whose objects are asked for"),
    FLAGS_SELECTOR,
    FLAGS_FIELDS,
    FLAGS_ALL_NAMESPACES,
    FLAGS_CHUNK,
    {"watch", 'w', FLAG_BOOL, NULL, "Afterwards, show what changes"},
    {"watch-only", 0, FLAG_BOOL, NULL, "Show what changes, not what is there now"},
    {"output-watch-events", 0, FLAG_BOOL, NULL, "Tell of each change which kind it is"},
    {"sort-by", 0, FLAG_TEXT, NULL, "In order of what this JSONPath gives: .metadata.name"},
    {"show-labels", 0, FLAG_BOOL, NULL, "Labels in a last column"},
    {"label-columns", 'L', FLAG_LIST, NULL, "These labels as columns of their own"},
    {"show-kind", 0, FLAG_BOOL, NULL, "Kinds in front of names"},
    {"no-headers", 0, FLAG_BOOL, NULL, "No first line with headers"},
    {"ignore-not-found", 0, FLAG_BOOL, NULL, "What is not there is no error"},
    {"subresource", 0, FLAG_TEXT, NULL, "status or scale, instead of the object"},
    {"server-print", 0, FLAG_BOOL, "true", "Let the server make the tables"},
    {"raw", 0, FLAG_TEXT, NULL, "A path of the API, its answer as it comes"},
    {0},
};

const struct kubectl_verb kubectl_get = {
    .name = "get",
    .summary = "Display one or many resources",
    .usage = "[(-o|--output=)json|yaml|name|wide|custom-columns=…|jsonpath=…|go-template=…] (TYPE[.VERSION][.GROUP] "
             "[NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags] [options]",
    .help = "  kubectl get pods\n  kubectl get pods -A -o wide\n  kubectl get pvc,pv\n"
            "  kubectl get pod web -o jsonpath='{.status.podIP}'\n  kubectl get pods -l app=web -w\n"
            "  kubectl get events --sort-by=.lastTimestamp\n",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = get_run,
};

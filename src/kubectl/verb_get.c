/* verb_get.c - `kubectl get`: lists, single objects, every form of output, watches.
 *
 * DESIGN: for people the server makes tables and this sets their columns; for programs objects are gathered into one
 * List. Rows of one kind share a table, so their columns are as wide as the widest of all; another kind begins a new
 * one below an empty line. */
#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/print.h"
#include "kubectl/server_table.h"
#include "kubectl/sorting.h"
#include "kubectl/targets.h"
#include "kubectl/verbs_int.h"
#include "kubectl/watching.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

struct showing {
    struct server_table st;
    struct table table;
    const struct kind *last; /* of the rows so far */
    bool written, cluster;   /* something is out; one of the kinds is the cluster's own */
};

static void table_options(struct call *c, const struct printer *p, struct server_table *st)
{
    st->wide = p->wide;
    st->no_headers = p->no_headers;
    st->show_labels = call_bool(c, "show-labels");
    st->label_columns = call_list(c, "label-columns");
}

static void begin_kind(struct call *c, const struct targets *all, const struct kind *k, struct showing *s)
{
    if (s->last == k)
        return;
    table_flush(&s->table, c->k->out);
    s->last = k;
    s->st.headed = false;
    s->st.with_namespace = all->everywhere && k->namespaced;
    s->st.with_kind = all->several_kinds || call_bool(c, "show-kind");
    s->cluster |= !k->namespaced;
}

/* A server that makes no tables gives objects: name and age are all that can be shown of any kind. */
static json_t *as_table(const json_t *answer)
{
    if (str_eq(jstr(answer, "kind"), "Table"))
        return json_incref((json_t *)(uintptr_t)answer);
    const json_t *items = json_object_get(answer, "items");
    json_t *table = json_pack("{s:[{s:s,s:s}],s:[]}", "columnDefinitions", "name", "Name", "format", "name", "rows");
    const size_t n = json_is_array(items) ? json_array_size(items) : 1;
    for (size_t i = 0; i < n; i++) {
        json_t *object = json_is_array(items) ? json_array_get(items, i) : (json_t *)(uintptr_t)answer;
        json_array_append_new(
            json_object_get(table, "rows"),
            json_pack("{s:[s],s:O}", "cells", jstr_or(object, "metadata.name", ""), "object", object));
    }
    return table;
}

static int show_table(struct call *c, const struct targets *all, const struct target *t, const json_t *answer,
                      struct showing *s)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *table = as_table(answer);
    const char *by = call_text(c, "sort-by");
    if (*by && sort_by(json_object_get(table, "rows"), by, "object", &e) < 0)
        return call_error(c, &e), -1;
    begin_kind(c, all, t->kind, s);
    if (s->written && s->table.text.len == 0 && !s->st.headed && json_array_size(json_object_get(table, "rows")) &&
        !s->st.no_headers)
        fputc('\n', c->k->out);
    server_table_add(&s->st, t->kind, table, NULL, &s->table);
    s->written |= s->table.text.len > 0;
    return 0;
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
    const struct client_request rq = {.path = buf_str(&path), .accept = TABLE_ACCEPT};
    if (call_request(c, &rq, &a, e) < 0)
        return -1;
    return json_parse(buf_str(&a.body), a.body.len, out, e);
}

static int get_table(struct call *c, const struct targets *all, const struct target *t, struct showing *s)
{
    _auto_free_ char *more = xstrdup("");
    do {
        _auto_json_ json_t *answer = NULL;
        struct err e = ERR_INIT;
        if (ask(c, all, t, more, &answer, &e) < 0) {
            if (!(call_not_found(c) && call_bool(c, "ignore-not-found")))
                call_error(c, &e);
            json_decref(c->failure);
            c->failure = NULL;
            s->cluster |= !t->kind->namespaced;
            return 0;
        }
        if (show_table(c, all, t, answer, s) < 0)
            return -1;
        free(more);
        more = xstrdup(jstr_or(answer, "metadata.continue", ""));
    } while (*more);
    return 0;
}

static int get_tables(struct call *c, const struct targets *all, const struct printer *p)
{
    struct showing s = {.cluster = all->everywhere};
    table_options(c, p, &s.st);
    for (size_t i = 0; i < all->len; i++)
        if (get_table(c, all, &all->items[i], &s) < 0)
            break;
    table_flush(&s.table, c->k->out);
    if (!s.written && c->code == 0 && !call_bool(c, "ignore-not-found")) {
        if (s.cluster)
            fputs("No resources found\n", c->k->err);
        else
            fprintf(c->k->err, "No resources found in %s namespace.\n", c->ns);
    }
    server_table_release(&s.st);
    table_release(&s.table);
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
    if (c->words.len == 0 && call_list(c, "filename")->len == 0)
        return no_kind(c);
    if (printer_init(c, &p, true) < 0 || targets_of(c, &(struct targets_opts){.all = true}, &t) < 0)
        return c->code;
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

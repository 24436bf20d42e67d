/* watching.c - see watching.h.
 *
 * DESIGN: a list first, its version next, then a watch from that version: nothing is shown twice and nothing is missed.
 * Tables keep their columns' widths from event to event, as a terminal wants it. */
#include "kubectl/verbs/watching.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/output/server_table.h"

#include <stdlib.h>
#include <string.h>

struct watching {
    struct call *c;
    const struct target *t;
    struct printer *p;
    struct server_table st;
    struct table table;
    struct buf line;
    bool events;
    char *version;
};

static int show_object(struct watching *w, const char *type, json_t *object, struct err *e)
{
    _auto_json_ json_t *wrapped = w->events ? json_pack("{s:O,s:s}", "object", object, "type", type) : NULL;
    if (wrapped && w->p->form == PRINT_JSON) { /* one line an event, for programs that read them as they come */
        _auto_buf_ struct buf text = BUF_INIT;
        json_compact(&text, object);
        fprintf(w->c->k->out, "{\"type\":\"%s\",\"object\":%s}\n", type, buf_str(&text));
        return 0;
    }
    if (printer_object(w->c, w->p, w->t->kind, wrapped ? wrapped : object, NULL, e) < 0)
        return -1;
    printer_end(w->c, w->p);
    return 0;
}

static int show(struct watching *w, const char *type, json_t *object, struct err *e)
{
    size_t i;
    json_t *item;
    if (w->p->form == PRINT_TABLE) {
        server_table_add(&w->st, w->t->kind, object, w->events ? type : NULL, &w->table);
        table_flush(&w->table, w->c->k->out);
    } else if (json_is_array(json_object_get(object, "items"))) {
        json_array_foreach(json_object_get(object, "items"), i, item)
        {
            _auto_buf_ struct buf version = BUF_INIT;
            kind_api_version(w->t->kind, &version);
            jset_str(item, "apiVersion", buf_str(&version));
            jset_str(item, "kind", w->t->kind->kind);
            if (show_object(w, type, item, e) < 0)
                return -1;
        }
    } else if (show_object(w, type, object, e) < 0) {
        return -1;
    }
    fflush(w->c->k->out);
    return 0;
}

static const char *accepts(const struct watching *w)
{
    return w->p->form == PRINT_TABLE ? TABLE_ACCEPT : "application/json";
}

static int ask_first(struct watching *w, const struct targets *all, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_client_answer_ struct client_answer a = {0};
    _auto_json_ json_t *first = NULL;
    target_path(all, w->t, &path);
    const struct client_request rq = {.path = buf_str(&path), .accept = accepts(w)};
    if (call_request(w->c, &rq, &a, e) < 0 || json_parse(buf_str(&a.body), a.body.len, &first, e) < 0)
        return -1;
    w->version = xstrdup(jstr_or(first, "metadata.resourceVersion", "0"));
    if (call_bool(w->c, "watch-only"))
        return 0;
    return show(w, "ADDED", first, e);
}

static int one_event(struct watching *w, const char *text, size_t len, struct err *e)
{
    _auto_json_ json_t *event = NULL;
    if (len == 0)
        return 0;
    if (json_parse(text, len, &event, e) < 0)
        return -1;
    json_t *object = json_object_get(event, "object");
    if (str_eq(jstr(event, "type"), "ERROR")) {
        json_decref(w->c->failure);
        w->c->failure = json_incref(object);
        return err_set(e, ERR_INTERNAL, "%s", jstr_or(object, "message", ""));
    }
    return show(w, jstr_or(event, "type", ""), object, e);
}

static int take(void *arg, const void *data, size_t n, struct err *e)
{
    struct watching *w = arg;
    buf_add(&w->line, data, n);
    size_t at = 0;
    for (const char *end; (end = memchr(w->line.data + at, '\n', w->line.len - at));
         at = (size_t)(end - w->line.data) + 1)
        if (one_event(w, w->line.data + at, (size_t)(end - w->line.data) - at, e) < 0)
            return -1;
    buf_consume(&w->line, at);
    return 0;
}

static int follow(struct watching *w, const struct targets *all, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_client_answer_ struct client_answer a = {0};
    if (w->t->name) {
        _auto_free_ char *only = xasprintf("metadata.name=%s", w->t->name);
        kind_path(w->t->kind, w->t->ns, NULL, NULL, &path);
        call_query(&path, "fieldSelector", only);
    } else {
        target_path(all, w->t, &path);
    }
    call_query(&path, "resourceVersion", w->version);
    call_query(&path, "watch", "true");
    const struct client_request rq = {
        .path = buf_str(&path), .accept = accepts(w), .timeout_ms = -1, .take = take, .arg = w};
    return call_request(w->c, &rq, &a, e);
}

int watch_targets(struct call *c, const struct targets *all, struct printer *p)
{
    struct watching w = {.c = c, .t = all->items, .p = p, .events = call_bool(c, "output-watch-events")};
    struct err e = ERR_INIT;
    if (all->len != 1)
        return call_fail(c, "you may only specify a single resource type");
    w.st = (struct server_table){.wide = p->wide,
                                 .no_headers = p->no_headers,
                                 .show_labels = call_bool(c, "show-labels"),
                                 .label_columns = call_list(c, "label-columns"),
                                 .with_namespace = all->everywhere && w.t->kind->namespaced,
                                 .with_kind = call_bool(c, "show-kind")};
    w.table.remember = true;
    if (ask_first(&w, all, &e) < 0 || follow(&w, all, &e) < 0)
        call_error(c, &e);
    server_table_release(&w.st);
    table_release(&w.table);
    buf_release(&w.line);
    free(w.version);
    return c->code;
}

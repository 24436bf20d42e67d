/* watch_event.c - the text of watch events, see watch_int.h.
 *
 * DESIGN: {"type":T,"object":O} and a newline. O is usually the stored text; other forms (Table, metadata only) are
 * made for each watcher. Selectors turn one change into what this watcher must hear:
 *
 *     matched before, matches now   -> MODIFIED
 *     did not match,  matches now   -> ADDED
 *     matched before, not now       -> DELETED: the state before, under the revision of the change
 *
 * Source: apiserver storage/cacher/cache_watcher.go convertToWatchEvent, endpoints/handlers/response.go.
 * THREADS: the watcher's own. */
#include "apiserver/watch_int.h"

#include "api/base64.h"
#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void open_event(struct watch_writer *w, const char *type)
{
    buf_addf(w->out, "{\"type\":\"%s\",\"object\":", type);
}

static void close_event(struct watch_writer *w)
{
    buf_add(w->out, "}\n", 2);
}

static void add_table(struct watch_writer *w, const json_t *tree)
{
    struct table_opts o = {.version = w->wanted.version, .include = w->include, .now = clock_wall_ns(w->clock)};
    char meta[64];
    snprintf(meta, sizeof meta, "{\"resourceVersion\":\"%s\"}", jstr_or(tree, "metadata.resourceVersion", ""));
    table_open(w->out, w->res, &o, meta, !w->columns_sent);
    table_row(w->out, w->res, &o, tree);
    buf_add(w->out, "]}", 2);
    w->columns_sent = true;
}

/* `bytes` is the compact text of the tree, or NULL. */
static void write_event(struct watch_writer *w, const char *type, const json_t *tree, const char *bytes, size_t len)
{
    open_event(w, type);
    if (w->wanted.form == FORM_TABLE)
        add_table(w, tree);
    else if (w->wanted.form != FORM_OBJECT)
        partial_write(w->out, w->wanted.version, tree, false);
    else if (bytes)
        buf_add(w->out, bytes, len);
    else
        json_write(w->out, tree);
    close_event(w);
}

static void write_stored(struct watch_writer *w, const char *type, const struct sobj *obj)
{
    if (!reg_view_converts(w->res)) {
        write_event(w, type, obj->tree, obj->bytes, obj->len);
        return;
    }
    _auto_json_ json_t *view = view_tree(w->res, obj);
    write_event(w, type, view, NULL, 0);
}

/* The state before, as if it were of revision `rv`. */
static void write_left(struct watch_writer *w, const struct sobj *prev, uint64_t rv)
{
    _auto_json_ json_t *view = view_tree(w->res, prev);
    _auto_json_ json_t *tree = json_copy(view);
    json_t *meta = json_copy(json_object_get(view, "metadata"));
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, rv);
    json_object_set_new(meta, "resourceVersion", json_string(text));
    json_object_set_new(tree, "metadata", meta);
    write_event(w, "DELETED", tree, NULL, 0);
}

static bool selected(const struct watch_writer *w, const struct sobj *obj)
{
    if (!list_opts_selects(w->opts))
        return true;
    if (!reg_view_converts(w->res))
        return list_opts_match(w->opts, obj->tree);
    _auto_json_ json_t *view = view_tree(w->res, obj);
    return list_opts_match(w->opts, view);
}

void watch_write_initial(struct watch_writer *w, const struct sobj *obj)
{
    if (selected(w, obj))
        write_stored(w, "ADDED", obj);
}

void watch_write_change(struct watch_writer *w, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED) {
        if (selected(w, ev->prev ? ev->prev : ev->obj))
            write_stored(w, "DELETED", ev->obj);
        return;
    }
    bool now = selected(w, ev->obj);
    bool before = ev->type == WATCH_MODIFIED && ev->prev && selected(w, ev->prev);
    if (now)
        write_stored(w, before ? "MODIFIED" : "ADDED", ev->obj);
    else if (before)
        write_left(w, ev->prev, ev->obj->rv);
}

/* The annotations that end a streamed list; the second is an empty list of the kind, for clients to build theirs from.
 */
static void add_end_annotations(struct watch_writer *w, json_t *meta)
{
    bool partial = w->wanted.form != FORM_OBJECT;
    _auto_free_ char *list = xasprintf("{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{},\"items\":null}\n",
                                       partial ? "PartialObjectMetadataList" : w->res->list_kind,
                                       partial ? "meta.k8s.io/v1" : resource_api_version(w->res));
    _auto_buf_ struct buf b64 = BUF_INIT;
    base64_encode(list, strlen(list), &b64);
    json_object_set_new(meta, "annotations",
                        json_pack("{s:s,s:s}", "k8s.io/initial-events-end", "true",
                                  "kubernetes.io/initial-events-list-blueprint", buf_str(&b64)));
}

void watch_write_bookmark(struct watch_writer *w, uint64_t rv, bool initial_end)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, rv);
    json_t *meta = json_pack("{s:s,s:n}", "resourceVersion", text, "creationTimestamp");
    if (initial_end)
        add_end_annotations(w, meta);
    _auto_json_ json_t *tree =
        json_pack("{s:s,s:s,s:o}", "kind", w->res->kind, "apiVersion", resource_api_version(w->res), "metadata", meta);
    write_event(w, "BOOKMARK", tree, NULL, 0);
}

void watch_write_error(struct watch_writer *w, const struct err *e)
{
    _auto_json_ json_t *status = status_failure(e->code, e->msg, NULL);
    open_event(w, "ERROR");
    json_write(w->out, status);
    close_event(w);
}

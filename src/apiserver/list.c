/* list.c - LIST: which snapshot, which objects, how they are written.
 *
 * DESIGN: a list is read from one snapshot, so it is consistent however long it takes, and writers are not held up.
 * First the objects are chosen (pointers only), then the answer is built in one buffer of exactly the right size from
 * the text each object already has: a list item is the object's text without its kind and apiVersion, that is "{" and
 * the bytes from resource->prefix_len on. Seven thousand objects are seven thousand memcpy().
 *
 * The state that is asked for:
 *
 *     resourceVersion   match          state
 *     ""                               the present one
 *     "0"               NotOlderThan   the present one; a limit is ignored
 *     N                 NotOlderThan   the present one, once it is as new as N
 *     N                 Exact (or a limit)  as it was at N; 410 if that is forgotten
 *     continue token                   as it was when the first page was read; 410 with a token for the rest
 *
 * Source: apiserver storage/etcd3/store.go GetList, cacher.go; endpoints/handlers/get.go.
 * THREADS: on the HTTP thread of the request. */
#include "apiserver/list_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/view_int.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char forgotten_list[] = "The resourceVersion for the provided list is too old.";
static const char forgotten_page[] = "The provided continue parameter is too old to display a consistent list result. "
                                     "You can start a new list without the "
                                     "continue parameter, or use the continue token in this response to retrieve the "
                                     "remainder of the results. Continuing "
                                     "with the provided token results in an inconsistent list - objects that were "
                                     "created, modified, or deleted between the "
                                     "time the first chunk was returned and now may show up in the list.";
static const char future[] = "etcdserver: mvcc: required revision is a future revision";

struct page {
    const struct list_opts *opts;
    size_t limit;       /* 0 = none */
    struct sobj **objs; /* owned array of borrowed objects: the snapshot holds them */
    size_t len, cap;
    size_t remaining; /* beyond the limit, whether selected or not */
    bool count_all;
    struct snapshot *snap; /* owned */
    const char *ns;        /* NULL: all */
};

static void page_release(struct page *p)
{
    free(p->objs);
    snapshot_unref(p->snap);
}

/* -- choosing -- */

static int page_visit(struct sobj *obj, void *arg)
{
    struct page *p = arg;
    if (p->limit && p->len == p->limit) {
        p->remaining++;
        return p->count_all ? 0 : 1;
    }
    if (!list_opts_match(p->opts, obj->tree))
        return 0;
    if (p->len == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->objs = xrealloc(p->objs, p->cap * sizeof(struct sobj *));
    }
    p->objs[p->len++] = obj;
    return 0;
}

/* metadata.name=x is a look-up, not a walk. */
static bool page_find_one(struct page *p, const struct resource *res)
{
    const char *name = p->opts->fields ? field_selector_name(p->opts->fields) : NULL;
    if (!name || (res->namespaced && !p->ns))
        return false;
    _auto_sobj_ struct sobj *obj = snapshot_get(p->snap, res->bucket, res->namespaced ? p->ns : "", name);
    if (obj)
        page_visit(obj, p);
    return true;
}

static void page_collect(struct page *p, const struct resource *res, const struct continue_at *after)
{
    if (!after && page_find_one(p, res))
        return;
    if (!list_opts_selects(p->opts) && !p->limit) {
        p->cap = snapshot_count(p->snap, res->bucket) + 1;
        p->objs = xmalloc(p->cap * sizeof(struct sobj *));
    }
    const char *after_ns = after ? (p->ns ? p->ns : after->ns) : NULL;
    snapshot_scan(p->snap, res->bucket, p->ns, after_ns, after ? after->name : NULL, page_visit, p);
}

/* -- writing -- */

static const char *list_metadata(struct request *rq, const struct page *p)
{
    struct arena *a = &rq->arena;
    const char *more = "", *left = "";
    if (p->remaining) {
        const struct sobj *last = p->objs[p->len - 1];
        struct continue_at at = {.rv = (int64_t)snapshot_rv(p->snap), .ns = last->ns, .name = last->name};
        more = arena_printf(a, ",\"continue\":\"%s\"", continue_encode(a, &at, p->ns != NULL));
        if (p->count_all)
            left = arena_printf(a, ",\"remainingItemCount\":%zu", p->remaining);
    }
    return arena_printf(a, "{\"resourceVersion\":\"%" PRIu64 "\"%s%s}", snapshot_rv(p->snap), more, left);
}

/* What the items take at most. */
static size_t items_size(const struct page *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->len; i++)
        n += p->objs[i]->len + 1;
    return n;
}

static void add_item(struct buf *out, const struct resource *res, const struct sobj *obj, struct buf *scratch)
{
    const char *text;
    size_t len;
    view_bytes(res, obj, scratch, &text, &len);
    if (len > res->prefix_len && memcmp(text, res->prefix, res->prefix_len) == 0) {
        buf_addc(out, '{');
        buf_add(out, text + res->prefix_len, len - res->prefix_len);
        return;
    }
    _auto_json_ json_t *view = view_tree(res, obj);
    _auto_json_ json_t *item = json_copy(view);
    json_object_del(item, "kind");
    json_object_del(item, "apiVersion");
    json_write(out, item);
}

static void write_objects(struct buf *out, struct request *rq, const struct page *p, const char *meta)
{
    const struct resource *res = rq->res;
    const char *head = arena_printf(&rq->arena, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[",
                                    res->list_kind, resource_api_version(res), meta);
    buf_reserve(out, strlen(head) + items_size(p) + 3);
    buf_adds(out, head);
    _auto_buf_ struct buf scratch = BUF_INIT;
    for (size_t i = 0; i < p->len; i++) {
        if (i)
            buf_addc(out, ',');
        add_item(out, res, p->objs[i], &scratch);
    }
    buf_adds(out, "]}");
}

static void write_partial(struct buf *out, struct request *rq, const struct page *p, const char *meta,
                          const char *version)
{
    buf_addf(out,
             "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":%s,\"items\":",
             version, meta);
    for (size_t i = 0; i < p->len; i++) {
        buf_addc(out, i ? ',' : '[');
        _auto_json_ json_t *tree = view_tree(rq->res, p->objs[i]);
        partial_write(out, version, tree, true);
    }
    buf_adds(out, p->len ? "]}" : "null}"); /* the real one does not make an empty list here */
}

/* false: the refusal has been sent. */
static bool write_table(struct buf *out, struct request *rq, const struct page *p, const char *meta,
                        const char *version)
{
    struct err e = ERR_INIT;
    struct table_opts o = {.version = version, .now = clock_wall_ns(rq->srv->clock)};
    if (table_include(query_get(&rq->query, "includeObject"), &o.include, &e) < 0) {
        reply_err(rq, &e);
        return false;
    }
    table_open(out, rq->res, &o, meta, true);
    for (size_t i = 0; i < p->len; i++) {
        if (i)
            buf_addc(out, ',');
        _auto_json_ json_t *tree = view_tree(rq->res, p->objs[i]);
        table_row(out, rq->res, &o, tree);
    }
    buf_adds(out, "]}");
    return true;
}

static void send_page(struct request *rq, const struct page *p, const struct wanted *w)
{
    struct buf out = BUF_INIT;
    const char *meta = list_metadata(rq, p);
    struct err e = ERR_INIT;
    switch (w->form) {
    case FORM_TABLE:
        if (!write_table(&out, rq, p, meta, w->version))
            return;
        break;
    case FORM_PARTIAL_LIST:
        write_partial(&out, rq, p, meta, w->version);
        break;
    case FORM_PARTIAL:
        err_set(&e, ERR_NOT_ACCEPTABLE,
                "you requested PartialObjectMetadata, but the requested object is a list (*%sList)", rq->res->go_kind);
        reply_err(rq, &e);
        return;
    default:
        write_objects(&out, rq, p, meta);
    }
    reply_json(rq, 200, w, &out);
}

/* -- which state -- */

static void refuse_gone(struct request *rq, const char *text, const char *token)
{
    json_t *status = status_failure(ERR_EXPIRED, text, NULL);
    if (token)
        json_object_set_new(status, "metadata", json_pack("{s:s}", "continue", token));
    reply_status(rq, status);
}

/* The state at `rv`, in p->snap; -1 after the refusal was sent. */
static int open_at(struct request *rq, uint64_t rv, const char *gone, const char *token, struct page *p)
{
    struct store *store = registry_store(rq->srv->registry);
    if (rv > store_rv(store)) {
        reply_plain_error(rq, future);
        return -1;
    }
    p->snap = store_snapshot_at(store, rv);
    if (p->snap)
        return 0;
    refuse_gone(rq, gone, token);
    return -1;
}

static int open_continued(struct request *rq, const struct list_opts *o, struct continue_at *at, struct page *p)
{
    struct err e = ERR_INIT;
    bool one_ns = p->ns != NULL;
    if (continue_decode(&rq->arena, o->cont, rq->res->namespaced, one_ns, at, &e) == 0 && *o->rv &&
        strcmp(o->rv, "0") != 0)
        err_set(&e, ERR_BAD_REQUEST, "specifying resource version is not allowed when using continue");
    if (e.code != ERR_OK) {
        reply_err(rq, &e);
        return -1;
    }
    if (at->rv < 0) {
        p->snap = reg_snapshot(rq->srv->registry);
        return 0;
    }
    struct continue_at rest = {.rv = -1, .ns = at->ns, .name = at->name};
    return open_at(rq, (uint64_t)at->rv, forgotten_page, continue_encode(&rq->arena, &rest, one_ns), p);
}

/* "00" is a revision too, and means 0. */
static bool wants_exact(const struct list_opts *o)
{
    return strcmp(o->match, "Exact") == 0 || (!*o->match && o->limit > 0 && *o->rv && strcmp(o->rv, "0") != 0);
}

static void refuse_rv(struct request *rq, const struct list_opts *o, const struct err *why)
{
    if (!wants_exact(o)) {
        reply_plain_error(rq, why->msg);
        return;
    }
    struct err e = ERR_INIT;
    err_set(&e, ERR_BAD_REQUEST, "invalid resource version: %s", why->msg);
    reply_err(rq, &e);
}

/* 0: p->snap is open. 1: wait for *out_rv first. -1: refused. */
static int open_state(struct request *rq, const struct list_opts *o, struct continue_at *at, struct page *p,
                      uint64_t *out_rv)
{
    if (*o->cont)
        return open_continued(rq, o, at, p);
    uint64_t rv = 0;
    struct err e = ERR_INIT;
    if (*o->rv && rv_parse(o->rv, &rv, &e) < 0) {
        refuse_rv(rq, o, &e);
        return -1;
    }
    if (rv && wants_exact(o))
        return open_at(rq, rv, forgotten_list, NULL, p);
    if (rv > store_rv(registry_store(rq->srv->registry))) {
        *out_rv = rv;
        return 1;
    }
    p->snap = reg_snapshot(rq->srv->registry);
    return 0;
}

static bool limit_counts(const struct list_opts *o)
{
    return *o->cont || strcmp(o->rv, "0") != 0 || strcmp(o->match, "Exact") == 0;
}

void list_serve(struct request *rq)
{
    struct wanted w;
    _auto_list_opts_ struct list_opts o = {0};
    if (!reply_negotiate(rq, OFFER_TABLE | OFFER_PARTIAL, &w) || list_opts_read(rq, false, &o) < 0)
        return;
    struct page p __attribute__((cleanup(page_release))) = {.opts = &o};
    p.ns = rq->res->namespaced && rq->target.in_ns && rq->target.ns[0] ? rq->target.ns : NULL;
    p.limit = limit_counts(&o) ? (size_t)o.limit : 0;
    p.count_all = !list_opts_selects(&o);
    struct continue_at at = {0};
    uint64_t rv = 0;
    int rc = open_state(rq, &o, &at, &p, &rv);
    if (rc > 0)
        rv_wait(rq, rv, list_serve);
    if (rc != 0)
        return;
    page_collect(&p, rq->res, *o.cont ? &at : NULL);
    if (p.remaining)
        store_pin(registry_store(rq->srv->registry), p.snap);
    send_page(rq, &p, &w);
}

/* list_opts.c - ListOptions: reading the query of a list or watch, and what combinations mean.
 *
 * Source: apimachinery apis/meta/internalversion/validation/validation.go; storage/cacher and etcd3 for what is waited
 * for.
 * THREADS: on the HTTP thread of the request. */
#include "apiserver/list_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RV_PATIENCE_MS = 3000 };

void list_opts_release(struct list_opts *o)
{
    label_selector_free(o->labels);
    field_selector_free(o->fields);
    o->labels = NULL;
    o->fields = NULL;
}

static const char *text_arg(const struct request *rq, const char *key)
{
    const char *v = query_get(&rq->query, key);
    return v ? v : "";
}

/* The old /watch/…/name form watches one object. */
static int read_fields(struct request *rq, struct list_opts *o, struct err *e)
{
    const char *text = text_arg(rq, "fieldSelector");
    if (rq->target.via_watch && rq->target.parts > 1)
        text = arena_printf(&rq->arena, "metadata.name=%s%s%s", rq->target.name, *text ? "," : "", text);
    return *text ? field_selector_parse(rq->res, text, &o->fields, e) : 0;
}

static int read_args(struct request *rq, struct list_opts *o, struct err *e)
{
    const struct query *q = &rq->query;
    o->cont = text_arg(rq, "continue");
    o->rv = text_arg(rq, "resourceVersion");
    o->match = text_arg(rq, "resourceVersionMatch");
    o->bookmarks = query_bool(q, "allowWatchBookmarks");
    o->has_initial = query_get(q, "sendInitialEvents") != NULL;
    o->initial = query_bool(q, "sendInitialEvents");
    const char *labels = text_arg(rq, "labelSelector");
    if (*labels && label_selector_parse(labels, &o->labels, e) < 0)
        return -1;
    int rc = query_int(q, "timeoutSeconds", &o->timeout_s, e);
    o->has_timeout = rc > 0;
    if (rc < 0 || query_int(q, "limit", &o->limit, e) < 0)
        return -1;
    if (o->limit < 0)
        o->limit = 0;
    return read_fields(rq, o, e);
}

static const char only_with[] = "resourceVersionMatch is forbidden unless resourceVersion is provided";
static const char not_with_continue[] = "resourceVersionMatch is forbidden when continue is provided";

static void check_list(const struct list_opts *o, struct field_errors *errs)
{
    static const char path[] = "resourceVersionMatch";
    static const char *const known[] = {"Exact", "NotOlderThan", "", NULL};
    if (*o->match) {
        if (!*o->rv)
            fe_forbidden(errs, path, only_with);
        if (*o->cont)
            fe_forbidden(errs, path, not_with_continue);
        if (strcmp(o->match, "Exact") != 0 && strcmp(o->match, "NotOlderThan") != 0)
            fe_not_supported(errs, path, o->match, known);
        if (strcmp(o->match, "Exact") == 0 && strcmp(o->rv, "0") == 0)
            fe_forbidden(errs, path, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    }
    if (o->has_initial)
        fe_forbidden(errs, "sendInitialEvents", "sendInitialEvents is forbidden for list");
}

static void check_watch(const struct list_opts *o, struct field_errors *errs)
{
    static const char path[] = "resourceVersionMatch";
    static const char *const known[] = {"NotOlderThan", NULL};
    bool right = strcmp(o->match, "NotOlderThan") == 0;
    if (o->has_initial && !right)
        fe_forbidden(errs, path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (*o->match && !o->has_initial)
        fe_forbidden(errs, path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    if (*o->match && !right)
        fe_not_supported(errs, path, o->match, known);
    if (*o->cont)
        fe_forbidden(errs, path, not_with_continue);
}

void list_opts_check(const struct list_opts *o, struct field_errors *errs)
{
    if (o->watch)
        check_watch(o, errs);
    else
        check_list(o, errs);
}

int list_opts_read(struct request *rq, bool watch, struct list_opts *out)
{
    struct err e = ERR_INIT;
    _auto_list_opts_ struct list_opts o = {.watch = watch};
    if (read_args(rq, &o, &e) < 0) {
        reply_err(rq, &e);
        return -1;
    }
    _auto_field_errors_ struct field_errors errs = {0};
    list_opts_check(&o, &errs);
    if (errs.len) {
        reply_status(rq, status_invalid("meta.k8s.io", "ListOptions", "", &errs));
        return -1;
    }
    *out = o;
    o = (struct list_opts){0};
    return 0;
}

bool list_opts_selects(const struct list_opts *o)
{
    return o->labels || o->fields;
}

bool list_opts_match(const struct list_opts *o, const json_t *tree)
{
    if (o->labels && !label_selector_match(o->labels, json_object_get(json_object_get(tree, "metadata"), "labels")))
        return false;
    return !o->fields || field_selector_match(o->fields, tree);
}

/* -- revisions -- */

int rv_parse(const char *text, uint64_t *out, struct err *e)
{
    const char *why = NULL;
    errno = 0;
    unsigned long long n = strtoull(text, NULL, 10);
    if (!*text || text[strspn(text, "0123456789")])
        why = "invalid syntax";
    else if (errno == ERANGE)
        why = "value out of range";
    if (why)
        return err_set(e, ERR_INTERNAL, "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": %s",
                       text, text, why);
    *out = n;
    return 0;
}

struct rv_wait {
    uint64_t rv;
    void (*then)(struct request *rq);
};

static void refuse_future(struct request *rq, uint64_t rv, uint64_t now)
{
    json_t *details = json_pack("{s:[{s:s,s:s}],s:i}", "causes", "reason", "ResourceVersionTooLarge", "message",
                                "Too large resource version", "retryAfterSeconds", 1);
    const char *text =
        arena_printf(&rq->arena, "Timeout: Too large resource version: %" PRIu64 ", current: %" PRIu64, rv, now);
    reply_status(rq, status_failure(ERR_TIMEOUT, text, details));
}

static void rv_waited(struct request *rq)
{
    struct rv_wait *w = rq->resume_arg;
    uint64_t now = store_rv(registry_store(rq->srv->registry));
    if (w->rv > now)
        refuse_future(rq, w->rv, now);
    else
        w->then(rq);
}

void rv_wait(struct request *rq, uint64_t rv, void (*then)(struct request *rq))
{
    if (rv <= store_rv(registry_store(rq->srv->registry))) {
        then(rq);
        return;
    }
    struct rv_wait *w = arena_alloc(&rq->arena, sizeof *w);
    *w = (struct rv_wait){rv, then};
    request_sleep(rq, waker_now_ms() + RV_PATIENCE_MS, rv_waited, w);
}

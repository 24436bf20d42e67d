/* write.c - PUT, PATCH, DELETE (POST: create.c): from a body and its options to one call of the registry.
 *
 * DESIGN: what can be refused by looking at the request alone is refused here (type, size, options); everything about
 * the object is the registry's. Its answer goes out as it is.
 * Source: apiserver endpoints/handlers/{create,update,patch,delete}.go.
 * THREADS: on the HTTP thread of the request, which waits for the journal. */
#include "apiserver/write_int.h"

#include "api/status.h"
#include "apiserver/list_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

static const struct {
    const char *type;
    enum patch_type patch;
    enum media media;
} patch_types[] = {
    {"application/json-patch+json", PATCH_JSON, MEDIA_JSON},
    {"application/merge-patch+json", PATCH_MERGE, MEDIA_JSON},
    {"application/strategic-merge-patch+json", PATCH_STRATEGIC, MEDIA_JSON},
    {"application/apply-patch+yaml", PATCH_APPLY, MEDIA_YAML},
};

static int find_patch_type(const struct request *rq)
{
    const char *h = request_header(rq, "Content-Type");
    for (size_t i = 0; h && i < ARRAY_LEN(patch_types); i++)
        if (content_is(h, patch_types[i].type))
            return (int)i;
    return -1;
}

bool patch_type_known(const struct request *rq)
{
    return find_patch_type(rq) >= 0;
}

json_t *patch_type_refusal(void)
{
    return status_failure(ERR_UNSUPPORTED_MEDIA, "415: Unsupported Media Type", json_object());
}

/* -- bodies -- */

static bool body_fits(struct request *rq)
{
    if (!rq->body_too_large)
        return true;
    struct err e = ERR_INIT;
    err_set(&e, ERR_TOO_LARGE, "Request entity too large: limit is %zu", BODY_LIMIT);
    reply_err(rq, &e);
    return false;
}

bool take_body(struct request *rq, struct reg_body *out)
{
    *out = (struct reg_body){.bytes = buf_str(&rq->body), .len = rq->body.len};
    if (content_media(request_header(rq, "Content-Type"), &out->media) < 0) {
        reply_unsupported_media(rq);
        return false;
    }
    return body_fits(rq);
}

bool can_answer(struct request *rq)
{
    struct wanted w;
    bool own = rq->res->list_kind != NULL;
    return reply_negotiate(rq, own ? OFFER_TABLE | OFFER_PARTIAL : 0, &w);
}

/* -- verbs -- */

void update_serve(struct request *rq)
{
    struct err e = ERR_INIT;
    struct reg_body body;
    if (!can_answer(rq) || !take_body(rq, &body) || !write_options_ok(rq, WRITE_UPDATE))
        return;
    _auto_answer_ struct reg_answer ans = {0};
    struct reg_ctx ctx = request_ctx(rq);
    struct reg_target t = request_target(rq);
    reg_update(rq->srv->registry, &ctx, &t, &body, &ans, &e);
    reply_answer(rq, &ans);
}

void patch_serve(struct request *rq)
{
    struct err e = ERR_INIT;
    int type = find_patch_type(rq);
    if (!can_answer(rq) || !body_fits(rq))
        return;
    bool apply = patch_types[type].patch == PATCH_APPLY;
    if (!write_options_ok(rq, apply ? WRITE_APPLY : WRITE_PATCH))
        return;
    struct reg_body body = {.bytes = buf_str(&rq->body), .len = rq->body.len, .media = patch_types[type].media};
    _auto_answer_ struct reg_answer ans = {0};
    struct reg_ctx ctx = request_ctx(rq);
    struct reg_target t = request_target(rq);
    bool force = query_bool(&rq->query, "force");
    reg_patch(rq->srv->registry, &ctx, &t, patch_types[type].patch, force, &body, &ans, &e);
    reply_answer(rq, &ans);
}

/* -- deleting -- */

struct deletion {
    struct reg_delete_opts opts;
    struct reg_ctx ctx;
    json_t *hold; /* owned: texts of opts */
};

static void deletion_release(struct deletion *d)
{
    json_decref(d->hold);
}

static bool read_deletion(struct request *rq, struct deletion *d)
{
    struct reg_body body = {.bytes = ""};
    if (!can_answer(rq))
        return false;
    if (rq->body.len || rq->body_too_large) { /* without a body its type does not matter */
        if (!take_body(rq, &body))
            return false;
    }
    const struct query *q = &rq->query;
    struct reg_delete_query given = {
        .grace = query_get(q, "gracePeriodSeconds"),
        .propagation = query_get(q, "propagationPolicy"),
        .orphan = query_get(q, "orphanDependents"),
        .dry_run = query_get(q, "dryRun"),
    };
    struct err e = ERR_INIT;
    bool dry_run = false;
    _auto_answer_ struct reg_answer ans = {0};
    if (reg_delete_options(&body, &given, &d->opts, &dry_run, &d->hold, &ans, &e) < 0) {
        reply_answer(rq, &ans);
        return false;
    }
    d->ctx = request_ctx(rq);
    d->ctx.dry_run = dry_run;
    return true;
}

void delete_serve(struct request *rq)
{
    struct deletion d __attribute__((cleanup(deletion_release))) = {0};
    if (!read_deletion(rq, &d))
        return;
    struct err e = ERR_INIT;
    _auto_answer_ struct reg_answer ans = {0};
    struct reg_target t = request_target(rq);
    reg_delete(rq->srv->registry, &d.ctx, &t, &d.opts, &ans, &e);
    reply_answer(rq, &ans);
}

void delete_collection_serve(struct request *rq)
{
    struct deletion d __attribute__((cleanup(deletion_release))) = {0};
    _auto_list_opts_ struct list_opts o = {0};
    if (!read_deletion(rq, &d) || list_opts_read(rq, false, &o) < 0)
        return;
    struct err e = ERR_INIT;
    _auto_answer_ struct reg_answer ans = {0};
    struct reg_target t = request_target(rq);
    reg_delete_collection(rq->srv->registry, &d.ctx, &t, o.labels, o.fields, &d.opts, &ans, &e);
    reply_answer(rq, &ans);
}

/* door.h - a registry over an in-memory store for tests, spoken to as a client would: JSON texts in, HTTP status and
 * JSON out. */
#ifndef STOWAGE_TESTS_REGISTRY_DOOR_H
#define STOWAGE_TESTS_REGISTRY_DOOR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "registry/node_ops.h"
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

struct door {
    struct clock_fake clock;
    struct store *store;
    struct registry *r;
    struct reg_answer ans; /* of the last call */
    struct err e;
    bool dry_run;
    struct strlist warnings;
};

#define DOOR_EPOCH INT64_C(1700000000)

static inline void door_open(struct door *d)
{
    *d = (struct door){0};
    clock_fake_init(&d->clock, DOOR_EPOCH * 1000000000);
    assert_int_equal(store_open(&(struct store_conf){.clock = &d->clock.clock}, &d->store, &d->e), 0);
    d->r = registry_new(&(struct registry_conf){
        .store = d->store, .clock = &d->clock.clock, .service_cidr = "10.96.0.0/12", .pod_cidr = "10.244.0.0/16"});
    if (registry_bootstrap(d->r, "127.0.0.1", 6443, &d->e) < 0)
        fail_msg("bootstrap: %s", d->e.msg);
}

static inline void door_close(struct door *d)
{
    reg_answer_release(&d->ans);
    strlist_release(&d->warnings);
    registry_free(d->r);
    store_close(d->store);
}

static inline struct reg_ctx door_ctx(struct door *d)
{
    static const char *const groups[] = {"system:masters", "system:authenticated", NULL};
    return (struct reg_ctx){.user = "kubernetes-admin",
                            .groups = groups,
                            .manager = "test",
                            .dry_run = d->dry_run,
                            .fields = FIELDS_WARN,
                            .warnings = &d->warnings};
}

/* The answer's JSON: the object or the body. Borrowed until the next call. */
static inline const json_t *door_json(const struct door *d)
{
    return d->ans.obj ? d->ans.obj->tree : d->ans.body;
}

/* "configmaps", "deployments.apps" */
static inline const struct resource *door_res(const char *bucket)
{
    const struct resource *res = resource_by_bucket(bucket);
    if (!res)
        fail_msg("no resource %s", bucket);
    return res;
}

/* "ns/name", "ns/name/sub", "/name" */
struct door_path {
    char text[256];
    struct reg_target t;
};
static inline struct reg_target *door_path(struct door_path *p, const char *bucket, const char *path)
{
    static const char none[] = "";
    strncpy(p->text, path, sizeof p->text - 1);
    p->text[sizeof p->text - 1] = 0;
    char *name = strchr(p->text, '/');
    *name++ = 0;
    char *sub = strchr(name, '/');
    if (sub)
        *sub++ = 0;
    p->t = (struct reg_target){.res = door_res(bucket), .ns = p->text, .name = name, .sub = sub ? sub : none};
    return &p->t;
}

static inline int door_done(struct door *d, int rc)
{
    assert_true(rc == 0 || (d->ans.http >= 400 && d->ans.body && d->e.code != ERR_OK));
    return d->ans.http;
}

static inline int door_post(struct door *d, const char *bucket, const char *path, const char *json)
{
    struct door_path p;
    struct reg_ctx ctx = door_ctx(d);
    struct reg_body body = {.bytes = json, .len = strlen(json), .media = MEDIA_JSON};
    reg_answer_release(&d->ans);
    return door_done(d, reg_create(d->r, &ctx, door_path(&p, bucket, path), &body, &d->ans, &d->e));
}

static inline int door_get(struct door *d, const char *bucket, const char *path)
{
    struct door_path p;
    reg_answer_release(&d->ans);
    return door_done(d, reg_get(d->r, door_path(&p, bucket, path), &d->ans, &d->e));
}

static inline int door_put(struct door *d, const char *bucket, const char *path, const char *json)
{
    struct door_path p;
    struct reg_ctx ctx = door_ctx(d);
    struct reg_body body = {.bytes = json, .len = strlen(json), .media = MEDIA_JSON};
    reg_answer_release(&d->ans);
    return door_done(d, reg_update(d->r, &ctx, door_path(&p, bucket, path), &body, &d->ans, &d->e));
}

static inline int door_patch(struct door *d, const char *bucket, const char *path, enum patch_type type,
                             const char *json)
{
    struct door_path p;
    struct reg_ctx ctx = door_ctx(d);
    struct reg_body body = {.bytes = json, .len = strlen(json), .media = MEDIA_JSON};
    reg_answer_release(&d->ans);
    return door_done(d, reg_patch(d->r, &ctx, door_path(&p, bucket, path), type, false, &body, &d->ans, &d->e));
}

static inline int door_delete(struct door *d, const char *bucket, const char *path, const char *options)
{
    struct door_path p;
    struct reg_ctx ctx = door_ctx(d);
    struct reg_body body = {.bytes = options, .len = options ? strlen(options) : 0, .media = MEDIA_JSON};
    struct reg_delete_query q = {0};
    struct reg_delete_opts o;
    _auto_json_ json_t *hold = NULL;
    bool dry = false;
    reg_answer_release(&d->ans);
    if (reg_delete_options(&body, &q, &o, &dry, &hold, &d->ans, &d->e) < 0)
        return door_done(d, -1);
    ctx.dry_run = ctx.dry_run || dry;
    return door_done(d, reg_delete(d->r, &ctx, door_path(&p, bucket, path), &o, &d->ans, &d->e));
}

#define door_expect(d, call, http)                                                                                     \
    do {                                                                                                               \
        int got_ = (call);                                                                                             \
        if (got_ != (http)) {                                                                                          \
            _auto_free_ char *body_ = door_json(d) ? json_text(door_json(d)) : xstrdup("-");                           \
            fail_msg("%s: %d, wanted %d: %s", #call, got_, http, body_);                                               \
        }                                                                                                              \
    } while (0)

#define door_expect_str(d, path, text)                                                                                 \
    do {                                                                                                               \
        const char *got_ = jstr(door_json(d), path);                                                                   \
        if (!got_ || strcmp(got_, text) != 0) {                                                                        \
            _auto_free_ char *body_ = json_text(door_json(d));                                                         \
            fail_msg("%s is %s, wanted %s, in %s", path, got_ ? got_ : "(absent)", text, body_);                       \
        }                                                                                                              \
    } while (0)

#define door_expect_message(d, text) door_expect_str(d, "message", text)

#endif

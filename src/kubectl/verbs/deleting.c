/* deleting.c - see deleting.h.
 *
 * DESIGN: first every object is deleted, then each is waited for: a watch from a fresh look on, until an object of
 * that uid is no longer there. */
#include "kubectl/verbs/deleting.h"

#include "base/json.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WEEK_MS (7LL * 24 * 3600 * 1000)

struct gone {
    char *uid, *path, *collection, *name;
    const struct kind *kind;
};
struct round {
    const struct deleting *how;
    struct gone *items;
    size_t len, found;
    const struct targets *all;
};

/* ---- deleting ---- */

static void remember(struct round *r, const struct target *t, const char *ns, const char *name, const char *uid)
{
    _auto_buf_ struct buf path = BUF_INIT, collection = BUF_INIT;
    kind_path(t->kind, ns, name, NULL, &path);
    kind_path(t->kind, ns, NULL, NULL, &collection);
    r->items = xrealloc(r->items, (r->len + 1) * sizeof *r->items);
    r->items[r->len++] = (struct gone){uid ? xstrdup(uid) : NULL, buf_steal(&path, NULL), buf_steal(&collection, NULL),
                                       xstrdup(name), t->kind};
}

static void tell(struct call *c, const struct round *r, const struct kind *k, const char *name)
{
    _auto_buf_ struct buf label = BUF_INIT;
    call_label(k, &label);
    if (r->how->quiet)
        return;
    if (str_eq(r->how->output, "name"))
        fprintf(c->k->out, "%s/%s\n", buf_str(&label), name);
    else
        fprintf(c->k->out, "%s \"%s\" %s%s\n", buf_str(&label), name,
                r->how->force && r->how->grace_s == 0 ? "force deleted" : "deleted", dry_run_note(r->how->dry));
}

static json_t *options_of(const struct deleting *how)
{
    json_t *options = json_pack("{s:s}", "propagationPolicy", how->cascade);
    if (how->grace_s >= 0)
        json_object_set_new(options, "gracePeriodSeconds", json_integer(how->grace_s));
    if (how->dry == DRY_SERVER)
        json_object_set_new(options, "dryRun", json_pack("[s]", "All"));
    return options;
}

static void refused(struct call *c, const struct round *r, const struct target *t, const struct err *e)
{
    if (call_not_found(c) && r->how->missing_ok) {
        call_forget(c);
        return;
    }
    _auto_free_ char *before = t->source ? xasprintf("error when deleting \"%s\": ", t->source) : xstrdup("");
    call_error_at(c, before, e);
}

static void delete_one(struct call *c, struct round *r, const struct target *t, const char *ns, const char *name)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *options = options_of(r->how), *answer = NULL;
    struct err e = ERR_INIT;
    kind_path(t->kind, ns, name, NULL, &path);
    r->found++;
    if (r->how->dry != DRY_CLIENT && call_json(c, "DELETE", buf_str(&path), options, NULL, &answer, &e) < 0) {
        refused(c, r, t, &e);
        return;
    }
    tell(c, r, t->kind, name);
    /* a Status tells the uid in its details */
    const char *uid = jstr(answer, "metadata.uid") ? jstr(answer, "metadata.uid") : jstr(answer, "details.uid");
    if (r->how->dry == DRY_NONE)
        remember(r, t, ns, name, uid);
}

static int delete_listed(struct call *c, const struct target *t, json_t *object, void *arg)
{
    delete_one(c, arg, t, jstr(object, "metadata.namespace"), jstr_or(object, "metadata.name", ""));
    return 0;
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int on_event(void *arg, const char *type, json_t *object, struct err *e _unused_)
{
    const struct gone *g = arg;
    if (g->uid && !str_eq(jstr(object, "metadata.uid"), g->uid))
        return 1; /* another one took its name */
    return str_eq(type, "DELETED");
}

/* 1: it is not there any more; 0: it is, *out_version where to watch from. */
static int is_gone(struct call *c, const struct gone *g, char **out_version, struct err *e)
{
    _auto_json_ json_t *object = NULL;
    if (call_json(c, "GET", g->path, NULL, NULL, &object, e) < 0) {
        if (!call_not_found(c))
            return -1;
        call_forget(c);
        err_clear(e);
        return 1;
    }
    if (g->uid && !str_eq(jstr(object, "metadata.uid"), g->uid))
        return 1;
    *out_version = xstrdup(jstr_or(object, "metadata.resourceVersion", "0"));
    return 0;
}

static int wait_one(struct call *c, struct gone *g, int64_t deadline, struct err *e)
{
    for (;;) {
        _auto_free_ char *version = NULL, *only = xasprintf("metadata.name=%s", g->name);
        _auto_buf_ struct buf path = BUF_INIT;
        int rc = is_gone(c, g, &version, e);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        const int64_t left = deadline - now_ms();
        if (left <= 0) {
            _auto_buf_ struct buf name = BUF_INIT;
            kind_qualified(g->kind, &name);
            return err_set(e, ERR_TIMEOUT, "timed out waiting for the condition on %s/%s", buf_str(&name), g->name);
        }
        buf_adds(&path, g->collection);
        call_query(&path, "fieldSelector", only);
        call_query(&path, "resourceVersion", version);
        call_query(&path, "watch", "true");
        rc = client_watch(c->k->client, buf_str(&path), left, on_event, g, e);
        if (rc < 0 && e->code != ERR_EXPIRED && e->code != ERR_GONE)
            return -1;
        err_clear(e);
    }
}

static void wait_all(struct call *c, struct round *r)
{
    const int64_t deadline = now_ms() + (r->how->timeout_ms > 0 ? r->how->timeout_ms : WEEK_MS);
    for (size_t i = 0; i < r->len; i++) {
        struct err e = ERR_INIT;
        if (wait_one(c, &r->items[i], deadline, &e) < 0)
            call_error(c, &e);
    }
}

size_t delete_targets(struct call *c, const struct targets *all, const struct deleting *how)
{
    struct round r = {.how = how, .all = all};
    for (size_t i = 0; i < all->len; i++) {
        struct targets one = *all;
        one.items = &all->items[i];
        one.len = 1;
        if (all->items[i].name)
            delete_one(c, &r, &all->items[i], all->items[i].ns, all->items[i].name);
        else if (targets_visit(c, &one, delete_listed, &r) < 0)
            break;
    }
    fflush(c->k->out);
    if (how->wait && how->dry == DRY_NONE)
        wait_all(c, &r);
    for (size_t i = 0; i < r.len; i++) {
        free(r.items[i].uid);
        free(r.items[i].path);
        free(r.items[i].collection);
        free(r.items[i].name);
    }
    free(r.items);
    return r.found;
}

/* namespace.c - the end of a namespace: its content is deleted, then its finalizer.
 *
 * DESIGN: every namespaced kind is emptied; what stays (pods that take their time, claims in use, foreign finalizers)
 * is named in the conditions, and the next round comes when a pod or claim goes, at the latest after a moment. When
 * nothing is left the "kubernetes" finalizer is removed through the finalize subresource and the registry drops the
 * object. Source: pkg/controller/namespace/deletion. */
#include "controllers/controllers_int.h"

#include "api/resource.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define AGAIN_MS 300
#define PORTION  500 /* of objects of one kind that are deleted in one go */

static void map_content(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED)
        loop_enqueue(l, "", ev->obj->ns);
}

static void map_namespace(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_DELETED && jstr(ev->obj->tree, "metadata.deletionTimestamp"))
        loop_enqueue(l, "", ev->obj->name);
}

struct leftovers {
    struct buf kinds; /* "pods. has 1 resource instances, …" */
    struct strlist finalizers;
    size_t total;
};

static void count_leftovers(struct loop *l, const struct resource *res, const char *ns, struct leftovers *left)
{
    _auto_objlist_ struct objlist now = {0};
    objlist_load(&now, loop_registry(l), res->bucket, ns);
    if (!now.len)
        return;
    buf_addf(&left->kinds, "%s%s.%s has %zu resource instances", left->total ? ", " : "", res->plural, res->group,
             now.len);
    left->total += now.len;
    for (size_t i = 0; i < now.len; i++) {
        size_t f;
        json_t *name;
        json_array_foreach(jat(now.trees[i], "metadata.finalizers"), f, name)
        {
            if (!strlist_has(&left->finalizers, json_string_value(name)))
                strlist_add(&left->finalizers, json_string_value(name));
        }
    }
}

struct emptying {
    struct loop *l;
    const struct resource *res;
    const char *ns;
    struct sobj *of[PORTION];
    size_t len;
};

static int remove_one(void *arg, size_t i, struct err *e)
{
    const struct emptying *t = arg;
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.propagation = "Background";
    if (reg_remove(loop_registry(t->l), WHO, t->res, t->ns, t->of[i]->name, &opts, e) < 0 && e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

/* 1: every object of the kind has been asked to go; 0: the next portion was; -1: one cannot be. */
static int empty_kind(struct loop *l, const struct resource *res, const char *ns, struct err *e)
{
    _auto_objlist_ struct objlist all = {0};
    struct emptying t = {.l = l, .res = res, .ns = ns};
    objlist_load(&all, loop_registry(l), res->bucket, ns);
    for (size_t i = 0; i < all.len && t.len < PORTION; i++)
        if (!jstr(all.trees[i], "metadata.deletionTimestamp"))
            t.of[t.len++] = all.items[i];
    if (loop_each(l, t.len, remove_one, &t, e) < 0)
        return -1;
    return t.len < PORTION;
}

/* As empty_kind(), with what is left when all has been asked to go. */
static int empty_namespace(struct loop *l, const char *ns, struct leftovers *left, struct err *e)
{
    size_t count;
    const struct resource *const *all = resource_all(&count);
    for (size_t i = 0; i < count; i++) {
        const struct resource *res = all[i];
        if (!res->namespaced || !res->list_kind || !res->bucket || resource_by_bucket(res->bucket) != res)
            continue;
        int all_asked = empty_kind(l, res, ns, e);
        if (all_asked <= 0)
            return all_asked;
        count_leftovers(l, res, ns, left);
    }
    return 1;
}

static int edit_finalized(json_t *ns, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    json_t *list = jat(ns, "spec.finalizers");
    return list && jarr_remove(list, "kubernetes") ? 1 : 0;
}

static int finalize(struct loop *l, const json_t *ns, struct err *e)
{
    json_t *next = json_deep_copy(ns);
    if (edit_finalized(next, NULL, e) == 0) {
        json_decref(next);
        return 0;
    }
    struct reg_ctx ctx = {.user = WHO, .manager = WHO, .loop = true};
    struct reg_target t = {.res = RES.namespaces, .ns = "", .name = obj_name(ns), .sub = "finalize"};
    struct reg_body body = {.tree = next};
    _auto_answer_ struct reg_answer answer = {0};
    int rc = reg_update(loop_registry(l), &ctx, &t, &body, &answer, e);
    if (rc < 0 && e->code == ERR_NOT_FOUND) {
        err_clear(e);
        return 0;
    }
    return rc;
}

static void put_condition(json_t *ns, const char *type, bool truth, const char *reason, const char *message,
                          const char *now)
{
    const json_t *old = condition_get(ns, type);
    const char *status = truth ? "True" : "False";
    const char *since = str_eq(jstr(old, "status"), status) ? jstr_or(old, "lastTransitionTime", now) : now;
    json_t *cond = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "lastTransitionTime", since,
                             "reason", reason, "message", message);
    json_t *conds = jmake_arr(ns, "status.conditions");
    for (size_t i = 0; i < json_array_size(conds); i++) {
        if (str_eq(jstr(json_array_get(conds, i), "type"), type)) {
            json_array_set_new(conds, i, cond);
            return;
        }
    }
    json_array_append_new(conds, cond);
}

static int tell_leftovers(struct loop *l, const json_t *ns, const struct leftovers *left, struct err *e)
{
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    json_t *next = json_deep_copy(ns);
    put_condition(next, "NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
                  "All resources successfully discovered", now);
    put_condition(next, "NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
                  "All legacy kube types successfully parsed", now);
    put_condition(next, "NamespaceDeletionContentFailure", false, "ContentDeleted",
                  "All content successfully deleted, may be waiting on finalization", now);
    _auto_free_ char *remain = xasprintf("Some resources are remaining: %s", buf_str(&left->kinds));
    put_condition(next, "NamespaceContentRemaining", true, "SomeResourcesRemain", remain, now);
    _auto_free_ char *names = strlist_join(&left->finalizers, ", ");
    _auto_free_ char *held = xasprintf("Some content in the namespace has finalizers remaining: %s", names);
    bool any = left->finalizers.len > 0;
    put_condition(next, "NamespaceFinalizersRemaining", any, any ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
                  any ? held : "All content-preserving finalizers finished", now);
    return write_status(l, RES.namespaces, ns, next, e) < 0 ? -1 : 0;
}

static int reconcile(struct loop *l, const char *none, const char *name, struct err *e)
{
    (void)none;
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), RES.namespaces, "", name);
    if (!obj || !jstr(obj->tree, "metadata.deletionTimestamp") || !jarr_has(obj->tree, "spec.finalizers", "kubernetes"))
        return 0;
    struct leftovers left = {0};
    int rc = empty_namespace(l, name, &left, e);
    if (rc == 0) {
        loop_goes_on(l);
        loop_enqueue(l, "", name);
    } else if (rc > 0 && left.total == 0) {
        rc = finalize(l, obj->tree, e);
    } else if (rc > 0) {
        loop_enqueue_after(l, "", name, AGAIN_MS);
        rc = tell_leftovers(l, obj->tree, &left, e);
    }
    buf_release(&left.kinds);
    strlist_release(&left.finalizers);
    return rc < 0 ? -1 : 0;
}

static const struct loop_watch watches[] = {
    {"namespaces", map_namespace}, {"pods", map_content}, {"persistentvolumeclaims", map_content}, {NULL, NULL}};

const struct loop_def namespace_loop = {
    .name = "namespace",
    .component = "namespace-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 5000,
};

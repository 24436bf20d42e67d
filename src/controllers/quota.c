/* quota.c - resource quotas are counted anew when they change, and when something that counts comes or goes.
 *
 * DESIGN: writes charge quotas themselves (registry/quota.c); this loop gives back. A quota is recounted at once when
 * it is new or its spec changed, and when an object of its namespace went away, ended, or shrank. What came is already
 * charged, unless its write was judged before the quota existed: a recount a little later makes that good.
 * Source: pkg/controller/resourcequota/resource_quota_controller.go. */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum { SETTLE_MS = 1000 };

static void enqueue_quotas(struct loop *l, const char *ns, int64_t delay_ms)
{
    _auto_objlist_ struct objlist quotas = {0};
    objlist_load(&quotas, loop_registry(l), RES.resourcequotas->bucket, ns);
    for (size_t i = 0; i < quotas.len; i++)
        loop_enqueue_after(l, ns, quotas.items[i]->name, delay_ms);
}

/* Its own counting does not count. */
static void map_quota(struct loop *l, const struct watch_event *ev)
{
    const json_t *quota = ev->obj->tree;
    if (ev->type != WATCH_MODIFIED)
        enqueue_quotas(l, ev->obj->ns, 0);
    else if (!ev->prev || !same_member(quota, ev->prev->tree, "spec") ||
             !same_member(quota, ev->prev->tree, "status.hard"))
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

static void map_object(struct loop *l, const struct watch_event *ev)
{
    if (!*ev->obj->ns || ev->type == WATCH_MODIFIED)
        return;
    enqueue_quotas(l, ev->obj->ns, ev->type == WATCH_DELETED ? 0 : SETTLE_MS);
}

/* A pod that ended uses nothing any more. */
static void map_pod(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_MODIFIED)
        map_object(l, ev);
    else if (ev->prev && pod_terminal(ev->obj->tree) != pod_terminal(ev->prev->tree))
        enqueue_quotas(l, ev->obj->ns, 0);
}

static void map_claim(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_MODIFIED)
        map_object(l, ev);
    else if (ev->prev && (!same_member(ev->obj->tree, ev->prev->tree, "spec.resources") ||
                          !same_member(ev->obj->tree, ev->prev->tree, "status.allocatedResources")))
        enqueue_quotas(l, ev->obj->ns, 0);
}

static void map_service(struct loop *l, const struct watch_event *ev)
{
    if (ev->type != WATCH_MODIFIED)
        map_object(l, ev);
    else if (ev->prev && !same_member(ev->obj->tree, ev->prev->tree, "spec"))
        enqueue_quotas(l, ev->obj->ns, 0);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    if (reg_quota_recount(loop_registry(l), ns, name, e) == 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

static loop_map_fn map_of(const struct resource *res)
{
    return res == RES.pods                     ? map_pod
           : res == RES.persistentvolumeclaims ? map_claim
           : res == RES.services               ? map_service
                                               : map_object;
}

/* Every namespaced kind may be counted. The quotas stand first. */
const struct loop_def *quota_loop(void)
{
    static struct loop_watch watches[128];
    static struct loop_def def = {
        .name = "resourcequota",
        .component = "resourcequota-controller",
        .watches = watches,
        .reconcile = reconcile,
        .max_backoff_ms = 30000,
    };
    if (watches[0].bucket)
        return &def;
    size_t count, used = 0;
    const struct resource *const *all = resource_all(&count);
    watches[used++] = (struct loop_watch){"resourcequotas", map_quota};
    for (size_t i = 0; i < count; i++) {
        if (!all[i]->list_kind || !all[i]->bucket || !all[i]->namespaced || str_eq(all[i]->bucket, "events") ||
            str_eq(all[i]->bucket, "resourcequotas") || used + 1 >= ARRAY_LEN(watches))
            continue;
        watches[used++] = (struct loop_watch){all[i]->bucket, map_of(all[i])};
    }
    return &def;
}

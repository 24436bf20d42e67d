/* disruption.c - counts for each PodDisruptionBudget how many of its pods may be evicted.
 *
 * DESIGN: expected pods, healthy pods, pods that must stay healthy; what is left over may go. A percentage, and
 * maxUnavailable, are of the pods that the controllers of the pods want (spec.replicas of whoever has the subresource
 * scale), not of those there are. Pods whose eviction was granted (status.disruptedPods, written by the eviction
 * subresource) do not count as healthy until they are gone, or for two minutes at most. When nothing can be counted
 * the budget allows nothing and says why. Source: pkg/controller/disruption/disruption.go. */
#include "controllers/controllers_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "registry/budget.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DELETION_NS (INT64_C(120) * 1000000000)

/* -- pods -- */

static bool selects(const json_t *budget, const json_t *labels)
{
    struct label_selector *sel = NULL;
    struct err e = ERR_INIT;
    bool match =
        label_selector_from_json(jat(budget, "spec.selector"), &sel, &e) == 0 && label_selector_match(sel, labels);
    label_selector_free(sel);
    return match;
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    _auto_objlist_ struct objlist budgets = {0};
    objlist_load(&budgets, loop_registry(l), RES.poddisruptionbudgets->bucket, obj_ns(ev->obj->tree));
    for (size_t i = 0; i < budgets.len; i++) {
        const json_t *b = budgets.trees[i];
        if (selects(b, jat(ev->obj->tree, "metadata.labels")) ||
            (ev->prev && selects(b, jat(ev->prev->tree, "metadata.labels"))))
            loop_enqueue(l, obj_ns(b), obj_name(b));
    }
}

static void load_pods(struct loop *l, const json_t *budget, struct objlist *out)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.pods->bucket, obj_ns(budget));
    for (size_t i = 0; i < all.len; i++)
        if (selects(budget, jat(all.trees[i], "metadata.labels")))
            objlist_add(out, all.items[i]);
}

/* -- what is wanted -- */

/* What a reference points at, if it is still the same object. Returns a new reference or NULL. */
static struct sobj *referent(struct loop *l, const char *ns, const json_t *ref)
{
    const struct resource *res = resource_by_api_version(jstr_or(ref, "apiVersion", ""), jstr_or(ref, "kind", ""));
    struct sobj *o =
        res && resource_sub(res, "scale") ? reg_read(loop_registry(l), res, ns, jstr_or(ref, "name", "")) : NULL;
    if (!o || str_eq(obj_uid(o->tree), jstr(ref, "uid")))
        return o;
    sobj_unref(o);
    return NULL;
}

/* Who decides how many such pods there are: the deployment behind a replica set. */
static struct sobj *scaler_of(struct loop *l, const json_t *pod)
{
    struct sobj *o = referent(l, obj_ns(pod), controller_of(pod));
    const json_t *above = o ? controller_of(o->tree) : NULL;
    if (above && str_eq(jstr(above, "kind"), "Deployment")) {
        struct sobj *up = referent(l, obj_ns(pod), above);
        sobj_unref(o);
        return up;
    }
    return o;
}

struct wanted {
    int64_t expected, desired;
    bool unmanaged; /* pods without a controller were met */
};

/* The sum over the distinct controllers of the pods. */
static int wanted_by_controllers(struct loop *l, const struct objlist *pods, struct wanted *w, struct err *e)
{
    _auto_json_ json_t *seen = json_object();
    for (size_t i = 0; i < pods->len; i++) {
        if (!controller_of(pods->trees[i])) {
            w->unmanaged = true;
            continue;
        }
        _auto_sobj_ struct sobj *owner = scaler_of(l, pods->trees[i]);
        if (!owner)
            return err_set(e, ERR_NOT_FOUND, "found no controllers for pod \"%s\"", obj_name(pods->trees[i]));
        if (json_object_get(seen, obj_uid(owner->tree)))
            continue;
        json_object_set_new(seen, obj_uid(owner->tree), json_true());
        w->expected += jint(owner->tree, "spec.replicas", 1);
    }
    return 0;
}

/* A count, or a percentage of `total` rounded up. */
static int64_t scaled(const json_t *bound, int64_t total)
{
    if (!json_is_string(bound))
        return json_integer_value(bound);
    return (strtoll(json_string_value(bound), NULL, 10) * total + 99) / 100;
}

static int count_wanted(struct loop *l, const json_t *budget, const struct objlist *pods, struct wanted *w,
                        struct err *e)
{
    const json_t *most = jat(budget, "spec.maxUnavailable"), *least = jat(budget, "spec.minAvailable");
    if (json_is_integer(least)) {
        w->expected = (int64_t)pods->len;
        w->desired = json_integer_value(least);
        return 0;
    }
    if (!most && !least)
        return 0;
    if (wanted_by_controllers(l, pods, w, e) < 0)
        return -1;
    w->desired = most ? w->expected - scaled(most, w->expected) : scaled(least, w->expected);
    if (w->desired < 0)
        w->desired = 0;
    return 0;
}

/* -- what is there -- */

/* The moment until which a granted pod is waited for, or 0 for pods that are not. */
static int64_t awaited_until(const json_t *budget, const json_t *pod)
{
    int64_t granted = 0;
    const char *text = jmap(budget, "status.disruptedPods", obj_name(pod));
    return text && time_parse(text, &granted) == 0 ? granted + DELETION_NS : 0;
}

/* Granted pods that are still awaited (new, NULL if none); sees to it that the time they may take is noticed. */
static json_t *still_awaited(struct loop *l, const json_t *budget, const struct objlist *pods, int64_t now)
{
    json_t *awaited = json_object();
    for (size_t i = 0; i < pods->len; i++) {
        const json_t *pod = pods->trees[i];
        int64_t until = jstr(pod, "metadata.deletionTimestamp") ? 0 : awaited_until(budget, pod);
        if (until == 0)
            continue;
        if (until < now) {
            loop_event(l, pod, EVENT_WARNING, "NotDeleted", "Pod was expected by PDB %s/%s to be deleted but it wasn't",
                       obj_ns(budget), obj_name(budget));
            continue;
        }
        json_object_set_new(awaited, obj_name(pod), json_string(jmap(budget, "status.disruptedPods", obj_name(pod))));
        loop_enqueue_after(l, obj_ns(budget), obj_name(budget), (until - now) / 1000000 + 1);
    }
    if (json_object_size(awaited) > 0)
        return awaited;
    json_decref(awaited);
    return NULL;
}

static int64_t count_healthy(const struct objlist *pods, const json_t *awaited)
{
    int64_t n = 0;
    for (size_t i = 0; i < pods->len; i++)
        n += !jstr(pods->trees[i], "metadata.deletionTimestamp") && pod_ready(pods->trees[i]) &&
             !json_object_get(awaited, obj_name(pods->trees[i]));
    return n;
}

/* -- what is said -- */

static int write_counts(struct loop *l, const json_t *budget, const struct objlist *pods, const struct wanted *w,
                        struct err *e)
{
    json_t *next = json_deep_copy(budget);
    json_t *status = jmake_obj(next, "status");
    json_t *awaited = still_awaited(l, budget, pods, clock_wall_ns(loop_clock(l)));
    int64_t healthy = count_healthy(pods, awaited);
    int64_t allowed = w->expected > 0 && healthy > w->desired ? healthy - w->desired : 0;
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    jset_int(status, "observedGeneration", jint(budget, "metadata.generation", 0));
    jset_int(status, "disruptionsAllowed", allowed);
    jset_int(status, "currentHealthy", healthy);
    jset_int(status, "desiredHealthy", w->desired);
    jset_int(status, "expectedPods", w->expected);
    if (awaited)
        json_object_set_new(status, "disruptedPods", awaited);
    else
        json_object_del(status, "disruptedPods");
    budget_tell_allowed(status, now);
    return write_status(l, RES.poddisruptionbudgets, budget, next, e) < 0 ? -1 : 0;
}

/* Nothing may go while nobody knows how many there should be. */
static void write_failure(struct loop *l, const json_t *budget, const char *why)
{
    json_t *next = json_deep_copy(budget);
    json_t *status = jmake_obj(next, "status");
    struct err e = ERR_INIT;
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    jset_int(status, "disruptionsAllowed", 0);
    jset_int(status, "observedGeneration", jint(budget, "metadata.generation", 0));
    budget_condition(status, "False", "SyncFailed", why, now);
    write_status(l, RES.poddisruptionbudgets, budget, next, &e);
}

/* A LabelSelector as Go's %v prints a pointer to one. */
static void selector_write(struct buf *out, const json_t *selector)
{
    const char *key;
    json_t *v;
    size_t i, k;
    buf_adds(out, "&LabelSelector{MatchLabels:map[string]string{");
    json_object_foreach(json_object_get(selector, "matchLabels"), key, v)
    {
        buf_addf(out, "%s: %s,", key, json_string_value(v));
    }
    buf_adds(out, "},MatchExpressions:[]LabelSelectorRequirement{");
    json_array_foreach(json_object_get(selector, "matchExpressions"), i, v)
    {
        const json_t *values = json_object_get(v, "values");
        buf_addf(out, "LabelSelectorRequirement{Key:%s,Operator:%s,Values:[", jstr_or(v, "key", ""),
                 jstr_or(v, "operator", ""));
        for (k = 0; k < json_array_size(values); k++)
            buf_addf(out, "%s%s", k > 0 ? " " : "", json_string_value(json_array_get(values, k)));
        buf_adds(out, "],},");
    }
    buf_adds(out, "},}");
}

static void warn_unmanaged(struct loop *l, const json_t *budget)
{
    _auto_buf_ struct buf selector = BUF_INIT;
    selector_write(&selector, jat(budget, "spec.selector"));
    loop_event(l, budget, EVENT_WARNING, "UnmanagedPods",
               "Pods selected by this PodDisruptionBudget (selector: %s) were found to be unmanaged. As a result, the "
               "status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account "
               "for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.",
               buf_str(&selector));
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), RES.poddisruptionbudgets, ns, name);
    if (!obj)
        return 0;
    const json_t *budget = obj->tree;
    struct wanted w = {0};
    _auto_objlist_ struct objlist pods = {0};
    load_pods(l, budget, &pods);
    if (pods.len == 0)
        loop_event(l, budget, EVENT_NORMAL, "NoPods", "No matching pods found");
    if (count_wanted(l, budget, &pods, &w, e) < 0) {
        loop_event(l, budget, EVENT_WARNING, "CalculateExpectedPodCountFailed",
                   "Failed to calculate the number of expected pods: %s", e->msg);
        write_failure(l, budget, e->msg);
        return -1;
    }
    if (w.unmanaged)
        warn_unmanaged(l, budget);
    return write_counts(l, budget, &pods, &w, e);
}

static const struct loop_watch watches[] = {{"poddisruptionbudgets.policy", NULL}, {"pods", map_pod}, {NULL, NULL}};

const struct loop_def disruption_loop = {
    .name = "disruption",
    .component = "controllermanager",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

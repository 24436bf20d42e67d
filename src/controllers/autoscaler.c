/* autoscaler.c - horizontal pod autoscalers: every fifteen seconds, as many replicas as their use asks for.
 *
 * DESIGN: read the target's number, ask each metric how many it wants, take the most, limit it, write it. What was seen
 * and decided is in the status, in three conditions as the real one words them: AbleToScale, ScalingActive,
 * ScalingLimited. Source: pkg/controller/podautoscaler/horizontal.go.
 *
 * THREADS: the loop thread. */
#include "controllers/autoscaler_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#define PERIOD_MS 15000

struct look {
    struct loop *l;
    const json_t *hpa;
    json_t *next, *status; /* next: owned, the autoscaler as it will be written; status: its own */
    struct sobj *target;   /* owned */
    const struct resource *res;
    int64_t current, desired;
    char reason[256]; /* why it is changed */
    char now[TIME_TEXT_LEN];
};

/* -- status -- */

static void set_condition(struct look *k, const char *type, const char *status, const char *reason, const char *message)
{
    json_t *list = jmake_arr(k->status, "conditions"), *c;
    size_t i;
    json_array_foreach(list, i, c)
    {
        if (!str_eq(jstr(c, "type"), type))
            continue;
        if (!str_eq(jstr(c, "status"), status))
            jset_str(c, "lastTransitionTime", k->now);
        jset_str(c, "status", status);
        jset_str(c, "reason", reason);
        jset_str(c, "message", message);
        return;
    }
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status,
                                          "lastTransitionTime", k->now, "reason", reason, "message", message));
}

/* -- the target -- */

/* 0, or -1 when it is not there: said so. */
static int find_target(struct look *k)
{
    const char *kind = jstr_or(k->hpa, "spec.scaleTargetRef.kind", ""),
               *name = jstr_or(k->hpa, "spec.scaleTargetRef.name", "");
    char why[512];
    k->res = resource_by_api_version(jstr_or(k->hpa, "spec.scaleTargetRef.apiVersion", ""), kind);
    bool scales = k->res && k->res->bucket && resource_sub(k->res, "scale");
    k->target = scales ? reg_read(loop_registry(k->l), k->res, obj_ns(k->hpa), name) : NULL;
    if (k->target)
        return 0;
    if (scales)
        snprintf(why, sizeof why, "%s/scale%s%s \"%s\" not found", k->res->plural, *k->res->group ? "." : "",
                 k->res->group, name);
    else
        snprintf(why, sizeof why, "no matches for kind \"%s\" in group \"%s\"", kind,
                 jstr_or(k->hpa, "spec.scaleTargetRef.apiVersion", ""));
    loop_event(k->l, k->hpa, EVENT_WARNING, "FailedGetScale", "%s", why);
    char message[640];
    snprintf(message, sizeof message, "the HPA controller was unable to get the target's current scale: %s", why);
    set_condition(k, "AbleToScale", "False", "FailedGetScale", message);
    return -1;
}

static int edit_replicas(json_t *obj, void *arg, struct err *e _unused_)
{
    jset_int(obj, "spec.replicas", *(int64_t *)arg);
    return 1;
}

static int rescale(struct look *k, struct pace *pace, struct err *e)
{
    char text[128];
    if (reg_modify(loop_registry(k->l), WHO, k->res, k->target->ns, k->target->name, "", edit_replicas, &k->desired,
                   e) < 0) {
        loop_event(k->l, k->hpa, EVENT_WARNING, "FailedRescale", "New size: %lld; reason: %s; error: %s",
                   (long long)k->desired, k->reason, e->msg);
        set_condition(k, "AbleToScale", "False", "FailedUpdateScale",
                      "the HPA controller was unable to update the target scale");
        return -1;
    }
    snprintf(text, sizeof text, "the HPA controller was able to update the target scale to %lld",
             (long long)k->desired);
    set_condition(k, "AbleToScale", "True", "SucceededRescale", text);
    loop_event(k->l, k->hpa, EVENT_NORMAL, "SuccessfulRescale", "New size: %lld; reason: %s", (long long)k->desired,
               k->reason);
    pace_scaled(pace, clock_mono_ms(loop_clock(k->l)), k->desired - k->current);
    jset_str(k->status, "lastScaleTime", k->now);
    return 0;
}

/* -- metrics -- */

struct tally {
    int64_t most;
    size_t invalid;
    struct measure first_bad, best;
};

/* Asks every metric. 0, or -1 when none could be had, or one could not and the others want fewer: said so. */
static int ask_metrics(struct look *k, struct tally *t)
{
    const json_t *metrics = jat(k->hpa, "spec.metrics");
    size_t n = json_array_size(metrics);
    json_t *seen = json_array();
    t->most = -1;
    for (size_t i = 0; i < n; i++) {
        struct measure m;
        bool ok = measure_take(k->l, json_array_get(metrics, i), k->target->tree, k->current, &m) == 0;
        json_array_append(seen, m.status);
        if (!ok)
            loop_event(k->l, k->hpa, EVENT_WARNING, m.reason, "%s", m.message);
        if (!ok && t->invalid++ == 0)
            t->first_bad = m;
        if (ok && m.replicas > t->most) {
            t->most = m.replicas;
            t->best = m;
        }
        measure_release(&m);
    }
    jset(k->status, "currentMetrics", seen);
    if (t->invalid == n || (t->invalid && t->most < k->current)) {
        char text[640];
        snprintf(text, sizeof text, "the HPA was unable to compute the replica count: %s", t->first_bad.message);
        set_condition(k, "ScalingActive", "False", t->first_bad.reason, text);
        loop_event(k->l, k->hpa, EVENT_WARNING, "FailedComputeMetricsReplicas",
                   "invalid metrics (%zu invalid out of %zu), first error is: %s", t->invalid, n, t->first_bad.error);
        return -1;
    }
    char text[256];
    snprintf(text, sizeof text, "the HPA was able to successfully calculate a replica count from %s", t->best.name);
    set_condition(k, "ScalingActive", "True", "ValidMetricFound", text);
    return 0;
}

/* -- the decision -- */

/* Below or above the limits no metric is asked. */
static bool out_of_range(struct look *k)
{
    int64_t least = jint(k->hpa, "spec.minReplicas", 1), most = jint(k->hpa, "spec.maxReplicas", 1);
    if (k->current > most) {
        snprintf(k->reason, sizeof k->reason, "Current number of replicas above Spec.MaxReplicas");
        k->desired = most;
        return true;
    }
    if (k->current < least) {
        snprintf(k->reason, sizeof k->reason, "Current number of replicas below Spec.MinReplicas");
        k->desired = least;
        return true;
    }
    return false;
}

/* 0, or -1 when nothing can be decided. */
static int decide(struct look *k, struct pace *pace)
{
    struct tally t = {0};
    struct verdict_text able, limited;
    if (k->current == 0) {
        set_condition(k, "ScalingActive", "False", "ScalingDisabled",
                      "scaling is disabled since the replica count of the target is zero");
        k->desired = 0;
        return 0;
    }
    if (out_of_range(k))
        return 0;
    if (ask_metrics(k, &t) < 0)
        return -1;
    k->desired = pace_limit(pace, k->hpa, clock_mono_ms(loop_clock(k->l)), k->current, t.most, &able, &limited);
    set_condition(k, "AbleToScale", able.status, able.reason, able.message);
    set_condition(k, "ScalingLimited", limited.status, limited.reason, limited.message);
    if (t.most > k->current)
        snprintf(k->reason, sizeof k->reason, "%s above target", t.best.name);
    else
        snprintf(k->reason, sizeof k->reason, "All metrics below target");
    return 0;
}

static int scale(struct look *k, struct pace *pace, struct err *e)
{
    if (find_target(k) < 0)
        return 0;
    k->current = jint(k->target->tree, "spec.replicas", 1);
    set_condition(k, "AbleToScale", "True", "SucceededGetScale",
                  "the HPA controller was able to get the target's current scale");
    jset_int(k->status, "currentReplicas", jint(k->target->tree, "status.replicas", 0));
    if (decide(k, pace) < 0)
        return 0;
    jset_int(k->status, "desiredReplicas", k->desired);
    return k->desired == k->current ? 0 : rescale(k, pace, e);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    struct pace **paces = loop_state(l);
    _auto_sobj_ struct sobj *o = reg_read(loop_registry(l), RES.autoscalers, ns, name);
    if (!o) {
        pace_drop(paces, ns, name);
        return 0;
    }
    struct look k = {.l = l, .hpa = o->tree, .next = json_deep_copy(o->tree)};
    k.status = jmake_obj(k.next, "status");
    now_text(loop_clock(l), k.now);
    loop_enqueue_after(l, ns, name, PERIOD_MS);
    int rc = scale(&k, pace_of(paces, ns, name), e);
    struct err other = ERR_INIT;
    if (write_status(l, RES.autoscalers, o->tree, k.next, rc < 0 ? &other : e) < 0)
        rc = -1;
    sobj_unref(k.target);
    return rc;
}

/* Our own status writes are no news: the next look is in its time. */
static void map_autoscaler(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_DELETED || !ev->prev || !same_member(ev->prev->tree, ev->obj->tree, "spec"))
        loop_enqueue_after(l, ev->obj->ns, ev->obj->name, ev->prev ? 0 : PERIOD_MS);
}

static void stop(struct loop *l)
{
    struct pace **paces = loop_state(l);
    paces_free(*paces);
}

static const struct loop_watch watches[] = {{"horizontalpodautoscalers.autoscaling", map_autoscaler}, {NULL, NULL}};

const struct loop_def autoscaler_loop = {
    .name = "horizontal-pod-autoscaler",
    .component = "horizontal-pod-autoscaler",
    .watches = watches,
    .state_size = sizeof(struct pace *),
    .stop = stop,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

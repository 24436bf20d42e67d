/* autoscaler_metrics.c - what an autoscaler's metric says, and how many replicas it asks for.
 *
 * DESIGN: resources of pods come from the nodes' last measurements (node_ops.usage), which metrics.k8s.io shows too.
 * Pods that are not ready yet count as idle when there seem too few, pods without a measurement as full when there seem
 * too many: nothing is decided by what is not known. Custom and external metrics need an adapter that nobody has
 * installed, and fail with the words of a server without one. Source: pkg/controller/podautoscaler
 * replica_calculator.go, metrics/client.go.
 *
 * THREADS: the loop thread; nodes answer at once. */
#include "controllers/autoscaler_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "registry/node_ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TOLERANCE 0.1

void measure_release(struct measure *m)
{
    json_decref(m->status);
}

/* -- usage -- */

struct usage {
    const struct node_ops *ops;
    void *self;
    json_t *by_node; /* owned */
};

static const json_t *pod_usage(struct usage *u, const json_t *pod)
{
    const char *node = jstr_or(pod, "spec.nodeName", "");
    json_t *summary = json_object_get(u->by_node, node), *p;
    struct err e = ERR_INIT;
    size_t i;
    if (!summary) {
        if (u->ops->usage(u->self, node, &summary, &e) < 0)
            summary = json_null();
        json_object_set_new(u->by_node, node, summary);
    }
    json_array_foreach(json_object_get(summary, "pods"), i, p)
    {
        if (str_eq(jstr(p, "podRef.uid"), obj_uid(pod)))
            return p;
    }
    return NULL;
}

/* Milli-units of cpu, thousandths of bytes; of all containers, or the one named. -1: not measured. */
static int64_t used_milli(const json_t *measured, const char *resource, const char *container)
{
    int64_t sum = 0;
    size_t i;
    json_t *c;
    if (!json_array_size(json_object_get(measured, "containers")))
        return -1;
    json_array_foreach(json_object_get(measured, "containers"), i, c)
    {
        if (container && !str_eq(jstr(c, "name"), container))
            continue;
        sum += str_eq(resource, "cpu") ? jint(c, "cpu.usageNanoCores", 0) / 1000000
                                       : jint(c, "memory.workingSetBytes", 0) * 1000;
    }
    return sum;
}

/* What the pod's containers ask for; -1 with the first that asks nothing in *out_container. */
static int64_t asked_milli(const json_t *pod, const char *resource, const char *container, const char **out_container)
{
    int64_t sum = 0;
    size_t i;
    json_t *c;
    json_array_foreach(jat(pod, "spec.containers"), i, c)
    {
        struct quantity q;
        const char *text = jmap(c, "resources.requests", resource);
        if (container && !str_eq(jstr(c, "name"), container))
            continue;
        if (!text || quantity_parse(text, &q) < 0) {
            *out_container = jstr_or(c, "name", "");
            return -1;
        }
        sum += quantity_milli(&q);
    }
    return sum;
}

/* -- the pods of the target -- */

struct sums {
    int64_t used, asked; /* of ready pods that were measured */
    size_t measured, unready, missing;
    int64_t asked_unready, asked_missing;
};

struct question {
    struct loop *l;
    const char *resource, *container; /* container: or NULL */
    bool shares;                      /* of what the pods ask for */
    int64_t target;                   /* percent, or thousandths */
};

/* 0, or -1 with the text why shares cannot be told. */
static int sum_pod(const struct question *q, struct usage *u, const json_t *pod, struct sums *s, struct measure *out)
{
    const char *lacking = NULL;
    if (jstr(pod, "metadata.deletionTimestamp") || str_eq(jstr(pod, "status.phase"), "Failed"))
        return 0;
    int64_t asked = q->shares ? asked_milli(pod, q->resource, q->container, &lacking) : q->target;
    if (asked < 0) {
        snprintf(out->message, sizeof out->message, "missing request for %s in container %s of Pod %s", q->resource,
                 lacking, obj_name(pod));
        return -1;
    }
    int64_t used = used_milli(pod_usage(u, pod), q->resource, q->container);
    bool unready = str_eq(jstr(pod, "status.phase"), "Pending") || (str_eq(q->resource, "cpu") && !pod_ready(pod));
    if (unready) {
        s->unready++;
        s->asked_unready += asked;
    } else if (used < 0) {
        s->missing++;
        s->asked_missing += asked;
    } else {
        s->measured++;
        s->used += used;
        s->asked += asked;
    }
    return 0;
}

static int sum_pods(const struct question *q, const json_t *target, struct sums *s, struct measure *out)
{
    struct registry *r = loop_registry(q->l);
    struct usage u = {.by_node = json_object()};
    struct label_selector *selector = NULL;
    struct err e = ERR_INIT;
    _auto_objlist_ struct objlist pods = {0};
    int rc = selector_of(target, &selector, &e);
    u.ops = registry_node_ops(r, &u.self);
    if (rc == 0 && (!u.ops || !u.ops->usage)) {
        snprintf(out->message, sizeof out->message,
                 "unable to get metrics for resource %s: unable to fetch metrics from resource metrics API: the server "
                 "could not find the requested resource (get pods.metrics.k8s.io)",
                 q->resource);
        rc = -1;
    }
    if (rc == 0)
        objlist_load(&pods, r, RES.pods->bucket, obj_ns(target));
    for (size_t i = 0; rc == 0 && i < pods.len; i++)
        if (label_selector_match(selector, jat(pods.trees[i], "metadata.labels")))
            rc = sum_pod(q, &u, pods.trees[i], s, out);
    if (rc == 0 && !s->measured) {
        rc = -1;
        snprintf(out->message, sizeof out->message, "%s",
                 s->unready ? "did not receive metrics for targeted pods (pods might be unready)"
                            : "unable to get metrics for resource ");
        if (!s->unready)
            snprintf(out->message, sizeof out->message,
                     "unable to get metrics for resource %s: no metrics returned from resource metrics API",
                     q->resource);
    }
    label_selector_free(selector);
    json_decref(u.by_node);
    return rc;
}

/* -- how many -- */

static double ratio_of(const struct question *q, int64_t used, int64_t asked, size_t pods)
{
    if (q->shares)
        return asked ? (double)(used * 100 / asked) / (double)q->target : 1;
    return (double)used / (double)pods / (double)q->target;
}

static int64_t replicas_for(const struct question *q, const struct sums *s, int64_t current)
{
    double ratio = ratio_of(q, s->used, s->asked, s->measured);
    bool idle_too = s->unready && ratio > 1;
    if (!idle_too && !s->missing) {
        if (fabs(1 - ratio) <= TOLERANCE)
            return current;
        return (int64_t)ceil(ratio * (double)s->measured);
    }
    int64_t used = s->used, asked = s->asked;
    size_t pods = s->measured;
    if (s->missing) { /* full when there seem too many, idle when too few */
        used += ratio < 1 ? s->asked_missing : 0;
        asked += s->asked_missing;
        pods += s->missing;
    }
    if (idle_too) {
        asked += s->asked_unready;
        pods += s->unready;
    }
    double careful = ratio_of(q, used, asked, pods);
    if (fabs(1 - careful) <= TOLERANCE || (ratio < 1 && careful > 1) || (ratio > 1 && careful < 1))
        return current;
    int64_t n = (int64_t)ceil(careful * (double)pods);
    return (careful < 1 && n > current) || (careful > 1 && n < current) ? current : n;
}

static json_t *current_of(const struct question *q, const struct sums *s)
{
    char text[40];
    int64_t average = s->used / (int64_t)s->measured;
    if (str_eq(q->resource, "cpu"))
        snprintf(text, sizeof text, "%lldm", (long long)average);
    else
        snprintf(text, sizeof text, "%lld", (long long)(average / 1000));
    json_t *current = json_pack("{s:s}", "averageValue", text);
    if (q->shares && s->asked)
        jset_int(current, "averageUtilization", s->used * 100 / s->asked);
    return current;
}

/* -- one metric -- */

static int fail_metric(struct measure *out, const char *reason, const char *what, const char *about)
{
    char why[sizeof out->message];
    snprintf(why, sizeof why, "%s", out->message);
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    snprintf(out->message, sizeof out->message, "%s: %s", what, why);
    snprintf(out->error, sizeof out->error, "failed to get %s metric value: %s", about, out->message);
    out->status = json_pack("{s:s}", "type", "");
    return -1;
}

static int take_resource(struct loop *l, const json_t *metric, const json_t *target, int64_t replicas,
                         struct measure *out)
{
    bool one = str_eq(jstr(metric, "type"), "ContainerResource");
    const json_t *source = json_object_get(metric, one ? "containerResource" : "resource");
    struct question q = {.l = l, .resource = jstr_or(source, "name", ""), .container = jstr(source, "container")};
    struct sums s = {0};
    struct quantity value;
    q.target = jint(source, "target.averageUtilization", 0);
    q.shares = q.target > 0;
    if (!q.shares && quantity_parse(jstr_or(source, "target.averageValue", ""), &value) == 0)
        q.target = quantity_milli(&value);
    if (q.target <= 0 || sum_pods(&q, target, &s, out) < 0) {
        char what[96], about[96];
        snprintf(what, sizeof what, "failed to get %s %s", q.resource, q.shares ? "utilization" : "usage");
        snprintf(about, sizeof about, "%s %s", q.resource, one ? "container resource" : "resource");
        return fail_metric(out, one ? "FailedGetContainerResourceMetric" : "FailedGetResourceMetric", what, about);
    }
    out->replicas = replicas_for(&q, &s, replicas);
    snprintf(out->name, sizeof out->name, "%s %sresource%s", q.resource, one ? "container " : "",
             q.shares ? " utilization (percentage of request)" : "");
    json_t *seen = json_pack("{s:s, s:o}", "name", q.resource, "current", current_of(&q, &s));
    if (one)
        jset_str(seen, "container", q.container ? q.container : "");
    out->status =
        json_pack("{s:s, s:o}", "type", jstr_or(metric, "type", ""), one ? "containerResource" : "resource", seen);
    return 0;
}

static int take_foreign(const json_t *metric, const char *ns, struct measure *out)
{
    static const struct {
        const char *type, *member, *reason, *api, *what, *about;
    } rows[] = {
        {"Pods", "pods", "FailedGetPodsMetric", "custom", "failed to get pods metric value", "pods"},
        {"Object", "object", "FailedGetObjectMetric", "custom", "failed to get object metric value", "object"},
        {"External", "external", "FailedGetExternalMetric", "external", "failed to get external metric", "external"},
    };
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(rows) && !str_eq(rows[i].type, jstr(metric, "type")))
        i++;
    const char *name = jstr_or(json_object_get(metric, rows[i].member), "metric.name", "");
    snprintf(out->message, sizeof out->message,
             "unable to get metric %s: unable to fetch metrics from %s metrics API: no matches for kind in group "
             "%s.metrics.k8s.io of namespace %s",
             name, rows[i].api, rows[i].api, ns);
    return fail_metric(out, rows[i].reason, rows[i].what, rows[i].about);
}

int measure_take(struct loop *l, const json_t *metric, const json_t *target, int64_t replicas, struct measure *out)
{
    const char *type = jstr_or(metric, "type", "");
    *out = (struct measure){0};
    return str_ends(type, "Resource") ? take_resource(l, metric, target, replicas, out)
                                      : take_foreign(metric, obj_ns(target), out);
}

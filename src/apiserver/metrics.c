/* metrics.c - the group metrics.k8s.io: what nodes and pods use, as `kubectl top` and autoscalers ask.
 *
 * DESIGN: nothing is stored. Each answer is made from the nodes' last measurements (node_ops.usage) and the objects
 * they belong to, whose labels select. A node that is down, and a pod that was not measured yet, has no metrics, as
 * with a real metrics server.
 *
 * THREADS: on the HTTP thread of the request; nodes answer at once. Source: kubernetes-sigs/metrics-server pkg/api. */
#include "apiserver/metrics_int.h"

#include "api/status.h"
#include "apiserver/list_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "registry/node_ops.h"

#include <stdio.h>

#define WINDOW "10s"

static json_t *usage_of(const json_t *measured)
{
    char cpu[32], memory[32];
    snprintf(cpu, sizeof cpu, "%lldn", (long long)jint(measured, "cpu.usageNanoCores", 0));
    snprintf(memory, sizeof memory, "%lldKi", (long long)(jint(measured, "memory.workingSetBytes", 0) >> 10));
    return json_pack("{s:s, s:s}", "cpu", cpu, "memory", memory);
}

/* The frame of either kind: named and labelled as the object it tells of. */
static json_t *frame(const struct request *rq, const json_t *object, const json_t *measured)
{
    const char *time = jstr_or(measured, "cpu.time", "");
    json_t *meta = json_pack("{s:s, s:s}", "name", jstr_or(object, "metadata.name", ""), "creationTimestamp", time);
    if (jstr(object, "metadata.namespace"))
        jset_str(meta, "namespace", jstr(object, "metadata.namespace"));
    if (jat(object, "metadata.labels"))
        jset(meta, "labels", json_deep_copy(jat(object, "metadata.labels")));
    return json_pack("{s:s, s:s, s:o, s:s, s:s}", "kind", rq->res->kind, "apiVersion", rq->res->api_version, "metadata",
                     meta, "timestamp", time, "window", WINDOW);
}

static json_t *node_metrics(const struct request *rq, const json_t *node, const json_t *summary)
{
    const json_t *measured = json_object_get(summary, "node");
    json_t *out = frame(rq, node, measured);
    jset(out, "usage", usage_of(measured));
    return out;
}

static json_t *pod_metrics(const struct request *rq, const json_t *pod, const json_t *summary)
{
    size_t i, j;
    const json_t *measured, *c;
    json_array_foreach(json_object_get(summary, "pods"), i, measured)
    {
        if (!str_eq(jstr(measured, "podRef.uid"), jstr(pod, "metadata.uid")))
            continue;
        json_t *out = frame(rq, pod, measured), *list = json_array();
        json_array_foreach(json_object_get(measured, "containers"), j, c)
        {
            json_array_append_new(list, json_pack("{s:s, s:o}", "name", jstr_or(c, "name", ""), "usage", usage_of(c)));
        }
        jset(out, "containers", list);
        return out;
    }
    return NULL;
}

/* -- summaries, each asked for once a request -- */

struct summaries {
    const struct node_ops *ops;
    void *self;
    json_t *by_node; /* owned */
};

static void summaries_release(struct summaries *s)
{
    json_decref(s->by_node);
}

static const json_t *summary_of(struct summaries *s, const char *node)
{
    struct err e = ERR_INIT;
    json_t *summary = json_object_get(s->by_node, node);
    if (summary || !*node || !s->ops || !s->ops->usage)
        return summary;
    if (s->ops->usage(s->self, node, &summary, &e) < 0)
        summary = json_null();
    json_object_set_new(s->by_node, node, summary);
    return summary;
}

static bool is_of_nodes(const struct request *rq)
{
    return !rq->res->namespaced;
}

/* What there is of the object; NULL: nothing. */
static json_t *metrics_of(struct request *rq, struct summaries *s, const json_t *object)
{
    const char *node = jstr_or(object, is_of_nodes(rq) ? "metadata.name" : "spec.nodeName", "");
    const json_t *summary = summary_of(s, node);
    if (!json_is_object(summary))
        return NULL;
    return is_of_nodes(rq) ? node_metrics(rq, object, summary) : pod_metrics(rq, object, summary);
}

/* -- requests -- */

static const struct resource *told_of(const struct request *rq)
{
    return is_of_nodes(rq) ? RES.nodes : RES.pods;
}

static void serve_one(struct request *rq, struct summaries *s)
{
    _auto_sobj_ struct sobj *o = reg_read(rq->srv->registry, told_of(rq), rq->target.ns, rq->target.name);
    json_t *metrics = o ? metrics_of(rq, s, o->tree) : NULL;
    if (metrics)
        reply_tree(rq, 200, metrics);
    else
        reply_status(rq, status_not_found(rq->res, rq->target.name));
}

struct collect {
    struct request *rq;
    struct summaries *summaries;
    const struct list_opts *opts;
    json_t *items;
};

static int collect_one(struct sobj *obj, void *arg)
{
    struct collect *c = arg;
    json_t *metrics = list_opts_match(c->opts, obj->tree) ? metrics_of(c->rq, c->summaries, obj->tree) : NULL;
    if (metrics)
        json_array_append_new(c->items, metrics);
    return 0;
}

static void serve_list(struct request *rq, struct summaries *s)
{
    _auto_list_opts_ struct list_opts opts = {0};
    if (list_opts_read(rq, false, &opts) < 0)
        return;
    struct collect c = {rq, s, &opts, json_array()};
    struct snapshot *snap = store_snapshot(registry_store(rq->srv->registry));
    snapshot_scan(snap, told_of(rq)->bucket, rq->target.in_ns ? rq->target.ns : NULL, NULL, NULL, collect_one, &c);
    snapshot_unref(snap);
    reply_tree(rq, 200,
               json_pack("{s:s, s:s, s:{}, s:o}", "kind", rq->res->list_kind, "apiVersion", rq->res->api_version,
                         "metadata", "items", c.items));
}

bool metrics_serve(struct request *rq)
{
    if (!str_eq(rq->res->group, "metrics.k8s.io"))
        return false;
    struct summaries s __attribute__((cleanup(summaries_release))) = {.by_node = json_object()};
    s.ops = registry_node_ops(rq->srv->registry, &s.self);
    if (rq->target.name[0] && rq->target.parts > 1)
        serve_one(rq, &s);
    else
        serve_list(rq, &s);
    return true;
}

/* -- nodes/NAME/proxy/... -- */

void node_proxy_serve(struct request *rq)
{
    void *self = NULL;
    char *text = NULL;
    const char *type = NULL;
    struct err e = ERR_INIT;
    const struct node_ops *ops = registry_node_ops(rq->srv->registry, &self);
    _auto_sobj_ struct sobj *node = reg_read(rq->srv->registry, RES.nodes, "", rq->target.name);
    if (!node) {
        reply_status(rq, status_not_found(RES.nodes, rq->target.name));
    } else if (!ops || !ops->page || !str_eq(rq->method, "GET")) {
        reply_no_method(rq);
    } else if (ops->page(self, rq->target.name, rq->target.rest, &text, &type, &e) == 0) {
        struct buf b = BUF_INIT;
        buf_adds(&b, text);
        reply_buf(rq, &(struct reply){.http = 200, .type = type}, &b);
    } else if (e.code == ERR_NOT_FOUND) {
        reply_no_page(rq);
    } else {
        _auto_free_ char *why = xasprintf("error trying to reach service: %s", e.msg);
        err_set(&e, ERR_UNAVAILABLE, "%s", why);
        reply_err(rq, &e);
    }
    free(text);
}

/* service_proxy.c - what kube-proxy and CoreDNS do: service addresses and names inside the cluster's network.
 *
 * DESIGN: one key, "rules". A change of any Service or EndpointSlice makes the whole table anew and hands it to the
 * machine if it differs from the last one; one hand-over at a time, so that an older table never replaces a newer one.
 * The kubernetes Service is left out: the API server listens at its address itself.
 * Source: Kubernetes DNS specification 1.1.0 (A records of services, headless services, pods with a hostname). */
#include "kubeletsim/kubelet_int.h"

#include "control/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMAIN  "svc.cluster.local"
#define RULES   "rules"
#define SERVICE "kubernetes.io/service-name"

struct proxy {
    char *last;   /* owned: the table the machine has */
    bool busy;    /* a hand-over is under way */
    bool changed; /* and another is due */
};

/* -- the table -- */

static void add_name(json_t *names, const char *name, const char *ip)
{
    json_t *list = json_object_get(names, name);
    if (!list)
        json_object_set_new(names, name, list = json_array());
    jarr_add_unique(list, ip);
}

static bool is_ready(const json_t *endpoint)
{
    return jbool(endpoint, "conditions.ready", true);
}

/* The slice's number for the service port of that name; 0 if it has none. */
static int64_t slice_port(const json_t *slice, const char *name)
{
    size_t i;
    const json_t *port;
    json_array_foreach(json_object_get(slice, "ports"), i, port)
    {
        if (str_eq(jstr_or(port, "name", ""), name))
            return jint(port, "port", 0);
    }
    return 0;
}

static bool of_service(const struct sobj *slice, const struct sobj *service)
{
    return str_eq(slice->ns, service->ns) && str_eq(jmap(slice->tree, "metadata.labels", SERVICE), service->name);
}

static void add_targets(json_t *targets, const json_t *slice, const char *port_name)
{
    int64_t number = slice_port(slice, port_name);
    size_t i, j;
    const json_t *endpoint, *address;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
        {
            if (number == 0 || !is_ready(endpoint))
                continue;
            char text[80];
            snprintf(text, sizeof text, "%s:%d", json_string_value(address), (int)number);
            json_array_append_new(targets, json_string(text));
        }
    }
}

static void add_ports(json_t *out, const struct sobj *service, const char *ip, const struct objlist *slices)
{
    size_t i;
    const json_t *port;
    json_array_foreach(jat(service->tree, "spec.ports"), i, port)
    {
        if (!str_eq(jstr_or(port, "protocol", "TCP"), "TCP"))
            continue;
        json_t *targets = json_array();
        for (size_t s = 0; s < slices->len; s++)
            if (of_service(slices->items[s], service))
                add_targets(targets, slices->trees[s], jstr_or(port, "name", ""));
        json_array_append_new(
            out, json_pack("{s:s, s:i, s:o}", "ip", ip, "port", (int)jint(port, "port", 0), "targets", targets));
    }
}

/* A headless service's name leads to its pods; a pod with a hostname has a name of its own below it. */
static void add_headless(json_t *names, const char *service_name, const json_t *slice)
{
    size_t i, j;
    const json_t *endpoint, *address;
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        const char *host = jstr(endpoint, "hostname");
        json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
        {
            if (!is_ready(endpoint))
                continue;
            add_name(names, service_name, json_string_value(address));
            if (!host)
                continue;
            _auto_free_ char *own = xasprintf("%s.%s", host, service_name);
            add_name(names, own, json_string_value(address));
        }
    }
}

static void add_service(json_t *services, json_t *names, const struct sobj *service, const struct objlist *slices)
{
    const char *ip = jstr_or(service->tree, "spec.clusterIP", "");
    _auto_free_ char *name = xasprintf("%s.%s." DOMAIN, service->name, service->ns);
    if (str_eq(ip, "None")) {
        for (size_t s = 0; s < slices->len; s++)
            if (of_service(slices->items[s], service))
                add_headless(names, name, slices->trees[s]);
        return;
    }
    if (!*ip)
        return;
    add_name(names, name, ip);
    if (!str_eq(service->ns, "default") || !str_eq(service->name, "kubernetes"))
        add_ports(services, service, ip, slices);
}

/* Returns new text. */
static char *make_table(struct kubelet *k)
{
    _auto_objlist_ struct objlist all = {0};
    _auto_objlist_ struct objlist slices = {0};
    json_t *services = json_array(), *names = json_object();
    objlist_load(&all, k->conf.registry, RES.services->bucket, NULL);
    objlist_load(&slices, k->conf.registry, RES.endpointslices->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        add_service(services, names, all.items[i], &slices);
    _auto_json_ json_t *table =
        json_pack("{s:s, s:o, s:o}", "dns", k->conf.cluster_dns, "services", services, "names", names);
    return json_text(table);
}

/* -- the hand-over -- */

struct hand_over {
    struct kubelet *k;
    char *table; /* owned */
    bool ok;
};

static void hand_over(void *arg)
{
    struct hand_over *h = arg;
    struct err e = ERR_INIT;
    h->ok = h->k->m->ops->set_services(h->k->m, h->table, &e) == 0;
}

static void handed_over(struct loop *l, void *arg)
{
    struct hand_over *h = arg;
    struct proxy *p = loop_state(l);
    p->busy = false;
    free(p->last);
    p->last = h->ok ? TAKE(h->table) : NULL;
    if (p->changed || !h->ok)
        loop_enqueue_after(l, "", RULES, h->ok ? 0 : 1000);
    p->changed = false;
    free(h->table);
    free(h);
}

static int proxy_reconcile(struct loop *l, const char *ns _unused_, const char *name _unused_, struct err *e _unused_)
{
    struct kubelet *k = loop_env(l);
    struct proxy *p = loop_state(l);
    if (p->busy) {
        p->changed = true;
        return 0;
    }
    char *table = make_table(k);
    if (str_eq(table, p->last)) {
        free(table);
        return 0;
    }
    struct hand_over *h = xcalloc(1, sizeof *h);
    *h = (struct hand_over){k, table, false};
    p->busy = true;
    loop_offload(l, hand_over, handed_over, h);
    return 0;
}

static void any_change(struct loop *l, const struct watch_event *ev _unused_)
{
    loop_enqueue(l, "", RULES);
}

static int proxy_start(struct loop *l, struct err *e _unused_)
{
    loop_set_state(l, xcalloc(1, sizeof(struct proxy)));
    return 0;
}

static void proxy_stop(struct loop *l)
{
    struct proxy *p = loop_state(l);
    if (p)
        free(p->last);
    free(p);
}

static const struct loop_watch proxy_watches[] = {
    {"services", any_change},
    {"endpointslices.discovery.k8s.io", any_change},
    {NULL, NULL},
};

const struct loop_def service_proxy_loop_def = {
    .name = "kube-proxy",
    .component = "kube-proxy",
    .watches = proxy_watches,
    .start = proxy_start,
    .stop = proxy_stop,
    .reconcile = proxy_reconcile,
    .max_backoff_ms = 10000,
};

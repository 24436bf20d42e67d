/* endpointslice.c - the EndpointSlices of a service: its pods with their readiness and zone.
 *
 * DESIGN: a slice has 100 endpoints at most, all with the same ports: pods that give a named port another number have
 * slices of their own. Endpoints keep their slice and their place in it from change to change; new ones fill what has
 * room before another slice begins; a slice that nobody is in any more is used for those that would need a new one,
 * or goes. A service without pods has one empty slice. Slices are named <service>-<random> and owned by the service, so
 * that the garbage collector ends them. Source: staging/src/k8s.io/endpointslice/reconciler.go. */
#include "controllers/endpoints_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_MANAGED "endpointslice.kubernetes.io/managed-by"
#define LABEL_SERVICE "kubernetes.io/service-name"
#define MANAGER       "endpointslice-controller.k8s.io"
#define MAX_ENDPOINTS 100

/* Those we made, in the order of their names. */
static void find_slices(struct loop *l, const char *ns, const char *service, struct objlist *out)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.endpointslices->bucket, ns);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jmap(all.trees[i], "metadata.labels", LABEL_SERVICE), service) &&
            str_eq(jmap(all.trees[i], "metadata.labels", LABEL_MANAGED), MANAGER) &&
            !jstr(all.trees[i], "metadata.deletionTimestamp"))
            objlist_add(out, all.items[i]);
}

static json_t *endpoint_of(struct loop *l, const json_t *svc, const json_t *pod)
{
    bool serving = pod_ready(pod);
    bool going = jstr(pod, "metadata.deletionTimestamp") != NULL;
    bool ready = (serving && !going) || jbool(svc, "spec.publishNotReadyAddresses", false);
    json_t *ep = json_pack("{s:[s], s:{s:b, s:b, s:b}}", "addresses", jstr_or(pod, "status.podIP", ""), "conditions",
                           "ready", (int)ready, "serving", (int)serving, "terminating", (int)going);
    const char *hostname = endpoint_hostname(svc, pod);
    if (hostname)
        jset_str(ep, "hostname", hostname);
    json_object_set_new(ep, "targetRef", endpoint_target(pod));
    const char *node_name = jstr(pod, "spec.nodeName");
    if (!node_name)
        return ep;
    jset_str(ep, "nodeName", node_name);
    _auto_sobj_ struct sobj *node = reg_read(loop_registry(l), RES.nodes, "", node_name);
    const char *zone = node ? jmap(node->tree, "metadata.labels", "topology.kubernetes.io/zone") : NULL;
    if (zone)
        jset_str(ep, "zone", zone);
    return ep;
}

/* The ports as this pod has them. Returns new. */
static json_t *ports_of(const json_t *svc, const json_t *pod)
{
    json_t *ports = service_ports(svc, pod);
    size_t i;
    json_t *port;
    json_array_foreach(ports, i, port)
    {
        if (!jstr(port, "name")) /* here an unnamed port is written out */
            jset_str(port, "name", "");
    }
    if (json_array_size(ports))
        return ports;
    json_decref(ports);
    return json_null();
}

static json_t *build_labels(const json_t *svc)
{
    json_t *labels = jat(svc, "metadata.labels") ? json_deep_copy(jat(svc, "metadata.labels")) : json_object();
    json_object_set_new(labels, LABEL_MANAGED, json_string(MANAGER));
    json_object_set_new(labels, LABEL_SERVICE, json_string(obj_name(svc)));
    if (service_is_headless(svc))
        json_object_set_new(labels, LABEL_HEADLESS, json_string(""));
    return labels;
}

static json_t *new_slice(const json_t *svc)
{
    json_t *slice =
        json_pack("{s:s, s:s, s:{s:s, s:[o]}, s:s}", "kind", "EndpointSlice", "apiVersion", "discovery.k8s.io/v1",
                  "metadata", "namespace", obj_ns(svc), "ownerReferences", controller_ref(svc), "addressType", "IPv4");
    jset(slice, "metadata.generateName", json_sprintf("%s-", obj_name(svc)));
    return slice;
}

/* ---- who is in which slice ---- */

struct slice {
    const json_t *old; /* borrowed; NULL: a new one */
    json_t *ports, *endpoints;
};
struct place {
    const char *uid; /* borrowed */
    size_t at;       /* in the list of pods */
};
struct plan {
    struct loop *l;
    const json_t *svc;
    struct objlist pods;
    json_t **ports; /* of each pod */
    bool *done;
    struct place *by_uid;
    struct slice *slices;
    size_t count, max;
};

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct place *)a)->uid, ((const struct place *)b)->uid);
}

/* -1: it is not behind the service any more. */
static int position(const struct plan *p, const char *uid)
{
    const struct place wanted = {.uid = uid},
                       *found = bsearch(&wanted, p->by_uid, p->pods.len, sizeof *p->by_uid, by_uid);
    return found ? (int)found->at : -1;
}

static struct slice *plan_slice(struct plan *p, const json_t *old, json_t *take_ports)
{
    if (p->count == p->max)
        p->slices = xrealloc(p->slices, (p->max = p->max ? 2 * p->max : 4) * sizeof *p->slices);
    p->slices[p->count] = (struct slice){old, take_ports, json_array()};
    return &p->slices[p->count++];
}

static void plan_pod(struct plan *p, struct slice *s, size_t pod)
{
    p->done[pod] = true;
    json_array_append_new(s->endpoints, endpoint_of(p->l, p->svc, p->pods.trees[pod]));
}

/* Those that are in it and still have these ports, in their order. */
static void plan_old(struct plan *p, const json_t *old)
{
    const json_t *ports = json_object_get(old, "ports");
    struct slice *s = plan_slice(p, old, ports ? json_deep_copy(ports) : json_null());
    size_t i;
    const json_t *ep;
    json_array_foreach(jat(old, "endpoints"), i, ep)
    {
        const int at = position(p, jstr_or(ep, "targetRef.uid", ""));
        if (at >= 0 && !p->done[at] && json_equal(p->ports[at], s->ports))
            plan_pod(p, s, (size_t)at);
    }
}

/* One with these ports and room, else an empty one, else a new one. */
static struct slice *plan_room(struct plan *p, const json_t *ports)
{
    struct slice *empty = NULL;
    for (size_t i = 0; i < p->count; i++) {
        struct slice *s = &p->slices[i];
        const size_t has = json_array_size(s->endpoints);
        if (has > 0 && has < MAX_ENDPOINTS && json_equal(s->ports, ports))
            return s;
        if (has == 0 && (!empty || json_equal(s->ports, ports)))
            empty = s;
    }
    if (!empty)
        return plan_slice(p, NULL, json_deep_copy(ports));
    json_decref(empty->ports);
    empty->ports = json_deep_copy(ports);
    return empty;
}

static void plan_make(struct plan *p, const struct objlist *have)
{
    p->ports = xcalloc(p->pods.len + 1, sizeof(json_t *));
    p->done = xcalloc(p->pods.len + 1, sizeof *p->done);
    p->by_uid = xcalloc(p->pods.len + 1, sizeof *p->by_uid);
    for (size_t i = 0; i < p->pods.len; i++) {
        p->ports[i] = ports_of(p->svc, p->pods.trees[i]);
        p->by_uid[i] = (struct place){obj_uid(p->pods.trees[i]), i};
    }
    qsort(p->by_uid, p->pods.len, sizeof *p->by_uid, by_uid);
    for (size_t i = 0; i < have->len; i++)
        plan_old(p, have->trees[i]);
    for (size_t i = 0; i < p->pods.len; i++)
        if (!p->done[i])
            plan_pod(p, plan_room(p, p->ports[i]), i);
    if (p->count == 0)
        plan_slice(p, NULL, json_null());
}

static void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->pods.len; i++)
        json_decref(p->ports[i]);
    for (size_t i = 0; i < p->count; i++) {
        json_decref(p->slices[i].ports);
        json_decref(p->slices[i].endpoints);
    }
    free(p->ports);
    free(p->done);
    free(p->by_uid);
    free(p->slices);
    objlist_release(&p->pods);
}

/* ---- writing ---- */

static int put(const struct plan *p, const struct slice *s, struct err *e)
{
    struct registry *r = loop_registry(p->l);
    const json_t *have = jat(s->old, "endpoints");
    _auto_json_ json_t *labels = build_labels(p->svc);
    const bool same = have ? json_equal(have, s->endpoints) : json_array_size(s->endpoints) == 0;
    if (s->old && same && json_equal(json_object_get(s->old, "ports"), s->ports) &&
        json_equal(jat(s->old, "metadata.labels"), labels))
        return 0;
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(p->l), now);
    json_t *next = s->old ? json_deep_copy(s->old) : new_slice(p->svc);
    jset(next, "metadata.labels", json_incref(labels));
    jset_map(next, "metadata.annotations", ANN_TRIGGER, now);
    json_object_set(next, "endpoints", s->endpoints);
    json_object_set(next, "ports", s->ports);
    return s->old ? reg_write(r, WHO, RES.endpointslices, "", next, NULL, e)
                  : reg_make(r, WHO, RES.endpointslices, obj_ns(p->svc), next, NULL, e);
}

static int remove_slice(const struct plan *p, const struct slice *s, struct err *e)
{
    const struct reg_delete_opts now = {.grace_seconds = -1, .uid = obj_uid(s->old)};
    if (reg_remove(loop_registry(p->l), WHO, RES.endpointslices, obj_ns(s->old), obj_name(s->old), &now, e) == 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

/* The first one stays although it is empty if all are. */
static int put_all(struct plan *p, struct err *e)
{
    size_t used = 0;
    for (size_t i = 0; i < p->count; i++)
        used += json_array_size(p->slices[i].endpoints) > 0;
    for (size_t i = 0; i < p->count; i++) {
        struct slice *s = &p->slices[i];
        const bool empty = json_array_size(s->endpoints) == 0, stays = !empty || (used == 0 && i == 0);
        if (empty && stays) {
            json_decref(s->ports);
            s->ports = json_null();
        }
        if ((stays ? put(p, s, e) : remove_slice(p, s, e)) < 0)
            return -1;
    }
    return 0;
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *svc = reg_read(loop_registry(l), RES.services, ns, name);
    if (!svc || !service_has_endpoints(svc->tree) || jstr(svc->tree, "metadata.deletionTimestamp"))
        return 0;
    _auto_objlist_ struct objlist have = {0};
    struct plan p = {.l = l, .svc = svc->tree};
    find_slices(l, ns, name, &have);
    service_pods(l, svc->tree, true, &p.pods);
    plan_make(&p, &have);
    const int rc = put_all(&p, e);
    plan_release(&p);
    return rc;
}

static const struct loop_watch watches[] = {{"services", NULL}, {"pods", map_pod_to_services}, {NULL, NULL}};

const struct loop_def endpointslice_loop = {
    .name = "endpointslice",
    .component = "endpoint-slice-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

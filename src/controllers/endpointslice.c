/* endpointslice.c - the EndpointSlice of a service: its pods with their readiness and zone.
 *
 * DESIGN: one slice a service (a real controller begins a second one beyond 100 endpoints; nodes here hold fewer pods).
 * It is named <service>-<random> and owned by the service, so that the garbage collector ends it. Endpoints keep their
 * place in the list from change to change. Source: pkg/controller/endpointslice. */
#include "controllers/endpoints_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define LABEL_MANAGED "endpointslice.kubernetes.io/managed-by"
#define LABEL_SERVICE "kubernetes.io/service-name"
#define MANAGER       "endpointslice-controller.k8s.io"
#define MAX_ENDPOINTS 1000

static struct sobj *find_slice(struct loop *l, const char *ns, const char *service)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.endpointslices->bucket, ns);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jmap(all.trees[i], "metadata.labels", LABEL_SERVICE), service) &&
            str_eq(jmap(all.trees[i], "metadata.labels", LABEL_MANAGED), MANAGER) &&
            !jstr(all.trees[i], "metadata.deletionTimestamp"))
            return sobj_ref(all.items[i]);
    return NULL;
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

static int position(const struct objlist *pods, const char *uid)
{
    for (size_t i = 0; i < pods->len; i++)
        if (str_eq(obj_uid(pods->trees[i]), uid))
            return (int)i;
    return -1;
}

/* First those that are in the old slice, in its order, then the new ones. */
static json_t *build_endpoints(struct loop *l, const json_t *svc, const json_t *old, const struct objlist *pods)
{
    json_t *list = json_array();
    _auto_free_ bool *done = xcalloc(pods->len + 1, sizeof *done);
    size_t i;
    json_t *ep;
    json_array_foreach(jat(old, "endpoints"), i, ep)
    {
        int at = position(pods, jstr_or(ep, "targetRef.uid", ""));
        if (at < 0)
            continue;
        done[at] = true;
        json_array_append_new(list, endpoint_of(l, svc, pods->trees[at]));
    }
    for (size_t p = 0; p < pods->len && json_array_size(list) < MAX_ENDPOINTS; p++)
        if (!done[p])
            json_array_append_new(list, endpoint_of(l, svc, pods->trees[p]));
    return list;
}

static json_t *build_ports(const json_t *svc, const struct objlist *pods)
{
    json_t *ports = service_ports(svc, pods->len ? pods->trees[0] : NULL);
    if (json_array_size(ports) && pods->len) {
        size_t i;
        json_t *port;
        json_array_foreach(ports, i, port)
        {
            if (!jstr(port, "name")) /* here an unnamed port is written out */
                jset_str(port, "name", "");
        }
        return ports;
    }
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

static int put(struct loop *l, const json_t *svc, const json_t *old, struct err *e)
{
    _auto_objlist_ struct objlist pods = {0};
    service_pods(l, svc, true, &pods);
    _auto_json_ json_t *endpoints = build_endpoints(l, svc, old, &pods);
    _auto_json_ json_t *ports = build_ports(svc, &pods);
    _auto_json_ json_t *labels = build_labels(svc);
    const json_t *have = jat(old, "endpoints");
    bool same = have ? json_equal(have, endpoints) : json_array_size(endpoints) == 0;
    if (old && same && json_equal(json_object_get(old, "ports"), ports) &&
        json_equal(jat(old, "metadata.labels"), labels))
        return 0;
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    json_t *next = old ? json_deep_copy(old) : new_slice(svc);
    jset(next, "metadata.labels", json_incref(labels));
    jset_map(next, "metadata.annotations", ANN_TRIGGER, now);
    json_object_set(next, "endpoints", endpoints);
    json_object_set(next, "ports", ports);
    return old ? reg_write(loop_registry(l), WHO, RES.endpointslices, "", next, NULL, e)
               : reg_make(loop_registry(l), WHO, RES.endpointslices, obj_ns(svc), next, NULL, e);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *svc = reg_read(loop_registry(l), RES.services, ns, name);
    if (!svc || !service_has_endpoints(svc->tree) || jstr(svc->tree, "metadata.deletionTimestamp"))
        return 0;
    _auto_sobj_ struct sobj *have = find_slice(l, ns, name);
    return put(l, svc->tree, have ? have->tree : NULL, e);
}

static const struct loop_watch watches[] = {{"services", NULL}, {"pods", map_pod_to_services}, {NULL, NULL}};

const struct loop_def endpointslice_loop = {
    .name = "endpointslice",
    .component = "endpoint-slice-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

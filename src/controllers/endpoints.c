/* endpoints.c - the Endpoints object of a service: addresses of its pods, ready and not, grouped by the ports they
 * offer.
 *
 * Source: pkg/controller/endpoint. The EndpointSlice beside it is another loop's (endpointslice.c). */
#include "controllers/endpoints_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ADDRESSES 1000
#define ANN_CAPACITY  "endpoints.kubernetes.io/over-capacity"

static json_t *address_of(const json_t *svc, const json_t *pod)
{
    json_t *address = json_object();
    jset_str(address, "ip", jstr_or(pod, "status.podIP", ""));
    const char *hostname = endpoint_hostname(svc, pod);
    if (hostname)
        jset_str(address, "hostname", hostname);
    if (jstr(pod, "spec.nodeName"))
        jset_str(address, "nodeName", jstr(pod, "spec.nodeName"));
    json_object_set_new(address, "targetRef", endpoint_target(pod));
    return address;
}

/* The subset with these ports (taken), made if there is none. Borrows. */
static json_t *subset_for(json_t *subsets, json_t *take_ports)
{
    size_t i;
    json_t *subset;
    json_array_foreach(subsets, i, subset)
    {
        const json_t *ports = jat(subset, "ports");
        if (ports ? json_equal(ports, take_ports) : json_array_size(take_ports) == 0) {
            json_decref(take_ports);
            return subset;
        }
    }
    subset = json_object();
    json_array_append_new(subsets, subset);
    json_object_set_new(subset, "addresses", json_array());
    json_object_set_new(subset, "notReadyAddresses", json_array());
    if (json_array_size(take_ports))
        json_object_set_new(subset, "ports", take_ports);
    else
        json_decref(take_ports);
    return subset;
}

static int by_ip(const void *pa, const void *pb)
{
    return strcmp(jstr_or(*(json_t *const *)pa, "ip", ""), jstr_or(*(json_t *const *)pb, "ip", ""));
}

static void sort_or_drop(json_t *subset, const char *field)
{
    json_t *list = json_object_get(subset, field);
    size_t n = json_array_size(list);
    if (n == 0) {
        json_object_del(subset, field);
        return;
    }
    json_t **order = xcalloc(n, sizeof(*order));
    for (size_t i = 0; i < n; i++)
        order[i] = json_incref(json_array_get(list, i));
    qsort(order, n, sizeof *order, by_ip);
    for (size_t i = 0; i < n; i++)
        json_array_set_new(list, i, order[i]);
    free(order);
}

/* -- too many for one object: the ready ones first, from each subset in proportion -- */

static size_t count_in(const json_t *subsets, const char *field)
{
    size_t n = 0, i;
    json_t *subset;
    json_array_foreach(subsets, i, subset) n += json_array_size(json_object_get(subset, field));
    return n;
}

static void cut(json_t *list, size_t keep)
{
    while (json_array_size(list) > keep)
        json_array_remove(list, json_array_size(list) - 1);
}

/* Returns whether anything had to go. */
static bool truncate_subsets(json_t *subsets)
{
    const size_t ready = count_in(subsets, "addresses"), others = count_in(subsets, "notReadyAddresses");
    if (ready + others <= MAX_ADDRESSES)
        return false;
    const bool too_many_ready = ready > MAX_ADDRESSES;
    const size_t room = too_many_ready ? MAX_ADDRESSES : MAX_ADDRESSES - ready, total = too_many_ready ? ready : others;
    size_t left = room, i;
    json_t *subset;
    json_array_foreach(subsets, i, subset)
    {
        json_t *list = json_object_get(subset, too_many_ready ? "addresses" : "notReadyAddresses");
        size_t share = (json_array_size(list) * room + total - 1) / total;
        cut(list, share < left ? share : left);
        left -= json_array_size(list);
        if (too_many_ready)
            cut(json_object_get(subset, "notReadyAddresses"), 0);
    }
    return true;
}

static json_t *build_subsets(struct loop *l, const json_t *svc, bool *out_truncated)
{
    _auto_objlist_ struct objlist pods = {0};
    bool all_ready = jbool(svc, "spec.publishNotReadyAddresses", false);
    service_pods(l, svc, all_ready, &pods);
    json_t *subsets = json_array();
    for (size_t i = 0; i < pods.len; i++) {
        json_t *ports = service_ports(svc, pods.trees[i]);
        if (!json_array_size(ports) && json_array_size(jat(svc, "spec.ports"))) {
            json_decref(ports); /* none of the named ports is offered */
            continue;
        }
        json_t *subset = subset_for(subsets, ports);
        bool ready = all_ready || pod_ready(pods.trees[i]);
        json_array_append_new(json_object_get(subset, ready ? "addresses" : "notReadyAddresses"),
                              address_of(svc, pods.trees[i]));
    }
    size_t i;
    json_t *subset;
    *out_truncated = truncate_subsets(subsets);
    json_array_foreach(subsets, i, subset)
    {
        sort_or_drop(subset, "addresses");
        sort_or_drop(subset, "notReadyAddresses");
    }
    return subsets;
}

static json_t *build_labels(const json_t *svc)
{
    json_t *labels = jat(svc, "metadata.labels") ? json_deep_copy(jat(svc, "metadata.labels")) : json_object();
    if (service_is_headless(svc))
        json_object_set_new(labels, LABEL_HEADLESS, json_string(""));
    else
        json_object_del(labels, LABEL_HEADLESS);
    return labels;
}

static int put(struct loop *l, const json_t *svc, const json_t *old, struct err *e)
{
    bool truncated;
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(l), now);
    _auto_json_ json_t *subsets = build_subsets(l, svc, &truncated);
    _auto_json_ json_t *labels = build_labels(svc);
    const json_t *have = jat(old, "subsets");
    const json_t *have_labels = jat(old, "metadata.labels");
    bool same = have ? json_equal(have, subsets) : json_array_size(subsets) == 0;
    bool same_labels = have_labels ? json_equal(have_labels, labels) : json_object_size(labels) == 0;
    bool said = str_eq(jmap(old, "metadata.annotations", ANN_CAPACITY), "truncated");
    if (old && same && same_labels && said == truncated)
        return 0;
    json_t *next = old ? json_deep_copy(old)
                       : json_pack("{s:s, s:s, s:{s:s, s:s}}", "kind", "Endpoints", "apiVersion", "v1", "metadata",
                                   "name", obj_name(svc), "namespace", obj_ns(svc));
    if (json_object_size(labels))
        jset(next, "metadata.labels", json_incref(labels));
    else
        jdel(next, "metadata.labels");
    jset_map(next, "metadata.annotations", ANN_TRIGGER, now);
    if (truncated)
        jset_map(next, "metadata.annotations", ANN_CAPACITY, "truncated");
    else
        json_object_del(jat(next, "metadata.annotations"), ANN_CAPACITY);
    if (json_array_size(subsets))
        json_object_set(next, "subsets", subsets);
    else
        json_object_del(next, "subsets");
    return old ? reg_write(loop_registry(l), WHO, RES.endpoints, "", next, NULL, e)
               : reg_make(loop_registry(l), WHO, RES.endpoints, obj_ns(svc), next, NULL, e);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *svc = reg_read(loop_registry(l), RES.services, ns, name);
    _auto_sobj_ struct sobj *have = reg_read(loop_registry(l), RES.endpoints, ns, name);
    if (svc)
        return service_has_endpoints(svc->tree) ? put(l, svc->tree, have ? have->tree : NULL, e) : 0;
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    if (have && reg_remove(loop_registry(l), WHO, RES.endpoints, ns, name, &opts, e) < 0 && e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

static const struct loop_watch watches[] = {{"services", NULL}, {"pods", map_pod_to_services}, {NULL, NULL}};

const struct loop_def endpoints_loop = {
    .name = "endpoint",
    .component = "endpoint-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

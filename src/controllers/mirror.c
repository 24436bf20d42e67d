/* mirror.c - Endpoints that somebody wrote himself, for a service without a selector, as EndpointSlices: what reads
 * endpoints reads those alone.
 *
 * One slice a subset, named <endpoints>-<random>, owned by the Endpoints, so that the garbage collector ends it.
 * Endpoints that say so are left alone. Source: pkg/controller/endpointslicemirroring. THREADS: the loop thread. */
#include "controllers/endpoints_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define LABEL_SKIP    "endpointslice.kubernetes.io/skip-mirror"
#define LABEL_LEADER  "control-plane.alpha.kubernetes.io/leader"
#define LABEL_MANAGED "endpointslice.kubernetes.io/managed-by"
#define LABEL_SERVICE "kubernetes.io/service-name"
#define MANAGER       "endpointslicemirroring-controller.k8s.io"

static bool is_mirrored(const json_t *endpoints, const json_t *svc)
{
    return endpoints && svc && !jstr(endpoints, "metadata.deletionTimestamp") &&
           json_object_size(jat(svc, "spec.selector")) == 0 &&
           !str_eq(jmap(endpoints, "metadata.labels", LABEL_SKIP), "true") &&
           !jmap(endpoints, "metadata.annotations", LABEL_LEADER);
}

static void add_addresses(json_t *out, const json_t *list, bool ready)
{
    size_t i;
    const json_t *address;
    json_array_foreach(list, i, address)
    {
        json_t *ep =
            json_pack("{s:[s], s:{s:b}}", "addresses", jstr_or(address, "ip", ""), "conditions", "ready", (int)ready);
        static const char *const same[] = {"hostname", "nodeName", "targetRef"};
        for (size_t s = 0; s < ARRAY_LEN(same); s++)
            if (json_object_get(address, same[s]))
                json_object_set_new(ep, same[s], json_deep_copy(json_object_get(address, same[s])));
        json_array_append_new(out, ep);
    }
}

static json_t *ports_of(const json_t *subset)
{
    json_t *ports = json_array();
    size_t i;
    const json_t *port;
    json_array_foreach(json_object_get(subset, "ports"), i, port)
    {
        json_t *copy = json_deep_copy(port);
        if (!jstr(copy, "name"))
            jset_str(copy, "name", "");
        json_array_append_new(ports, copy);
    }
    return ports;
}

/* Returns new. */
static json_t *slice_of(const json_t *endpoints, const json_t *subset)
{
    json_t *labels =
        jat(endpoints, "metadata.labels") ? json_deep_copy(jat(endpoints, "metadata.labels")) : json_object();
    json_object_del(labels, LABEL_HEADLESS);
    json_object_set_new(labels, LABEL_MANAGED, json_string(MANAGER));
    json_object_set_new(labels, LABEL_SERVICE, json_string(obj_name(endpoints)));
    json_t *list = json_array();
    add_addresses(list, json_object_get(subset, "addresses"), true);
    add_addresses(list, json_object_get(subset, "notReadyAddresses"), false);
    json_t *slice = json_pack("{s:s, s:s, s:{s:s, s:[o], s:o}, s:s, s:o, s:o}", "kind", "EndpointSlice", "apiVersion",
                              "discovery.k8s.io/v1", "metadata", "namespace", obj_ns(endpoints), "ownerReferences",
                              controller_ref(endpoints), "labels", labels, "addressType", "IPv4", "endpoints", list,
                              "ports", ports_of(subset));
    jset(slice, "metadata.generateName", json_sprintf("%s-", obj_name(endpoints)));
    return slice;
}

static bool is_mirror_of(const json_t *slice, const char *name)
{
    return str_eq(jmap(slice, "metadata.labels", LABEL_SERVICE), name) &&
           str_eq(jmap(slice, "metadata.labels", LABEL_MANAGED), MANAGER) && !jstr(slice, "metadata.deletionTimestamp");
}

/* The slices there are take the subsets in turn; what is over goes, what is missing comes. */
static int bring(struct loop *l, const struct objlist *have, const json_t *endpoints, const json_t *subsets,
                 struct err *e)
{
    const size_t wanted = json_array_size(subsets);
    for (size_t i = 0; i < wanted || i < have->len; i++) {
        int rc;
        if (i >= wanted) {
            struct reg_delete_opts opts = REG_DELETE_DEFAULT;
            rc = reg_remove(loop_registry(l), WHO, RES.endpointslices, have->items[i]->ns, have->items[i]->name, &opts,
                            e);
        } else {
            json_t *next = slice_of(endpoints, json_array_get(subsets, i));
            if (i >= have->len) {
                rc = reg_make(loop_registry(l), WHO, RES.endpointslices, obj_ns(endpoints), next, NULL, e);
            } else if (json_equal(json_object_get(have->trees[i], "endpoints"), json_object_get(next, "endpoints")) &&
                       json_equal(json_object_get(have->trees[i], "ports"), json_object_get(next, "ports"))) {
                json_decref(next);
                rc = 0;
            } else {
                json_t *changed = json_deep_copy(have->trees[i]);
                json_object_set(changed, "endpoints", json_object_get(next, "endpoints"));
                json_object_set(changed, "ports", json_object_get(next, "ports"));
                json_decref(next);
                rc = reg_write(loop_registry(l), WHO, RES.endpointslices, "", changed, NULL, e);
            }
        }
        if (rc < 0 && e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
    }
    return 0;
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *endpoints = reg_read(loop_registry(l), RES.endpoints, ns, name);
    _auto_sobj_ struct sobj *svc = reg_read(loop_registry(l), RES.services, ns, name);
    _auto_objlist_ struct objlist all = {0};
    _auto_objlist_ struct objlist have = {0};
    if (str_eq(ns, "default") && str_eq(name, "kubernetes"))
        return 0; /* the API server writes both itself */
    objlist_load(&all, loop_registry(l), RES.endpointslices->bucket, ns);
    for (size_t i = 0; i < all.len; i++)
        if (is_mirror_of(all.trees[i], name))
            objlist_add(&have, all.items[i]);
    const bool wanted = is_mirrored(endpoints ? endpoints->tree : NULL, svc ? svc->tree : NULL);
    return bring(l, &have, wanted ? endpoints->tree : NULL, wanted ? jat(endpoints->tree, "subsets") : NULL, e);
}

static const struct loop_watch watches[] = {{"endpoints", NULL}, {"services", NULL}, {NULL, NULL}};

const struct loop_def mirror_loop = {
    .name = "endpointslicemirroring",
    .component = "endpoint-slice-mirroring-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

/* proxy_int.h - what the network of the cluster is told, part by part. Private to kubeletsim.
 *
 * Each part is a function of the objects as they are, and returns the member of the table that machine.h describes. */
#ifndef STOWAGE_KUBELETSIM_PROXY_INT_H
#define STOWAGE_KUBELETSIM_PROXY_INT_H

#include "control/objects.h"
#include "kubeletsim/kubelet_int.h"

struct proxy_view {
    struct objlist services, slices, namespaces, policies;
    struct objlist pods;         /* only if there are policies */
    json_t *slices_of;           /* "namespace/service" -> [index in slices] */
    const char *cluster_dns;     /* borrowed */
    const struct kubelet *owner; /* borrowed */
};
void proxy_view_load(struct proxy_view *v, struct kubelet *k);
void proxy_view_release(struct proxy_view *v);
/* The i-th slice of a service, or NULL. Borrows. */
const json_t *proxy_slice(const struct proxy_view *v, const struct sobj *service, size_t i);
/* The slice's number for the service port of that name; 0 if it has none. */
int64_t proxy_slice_port(const json_t *slice, const char *name);
bool proxy_endpoint_ready(const json_t *endpoint);

/* proxy_services.c: "services". Returns new. */
json_t *proxy_services(const struct proxy_view *v);
/* dns_zone.c: "names" and "PTR" go into `table`. */
void proxy_zone(const struct proxy_view *v, json_t *table);
/* policy_table.c: "policies". Returns new. */
json_t *proxy_policies(const struct proxy_view *v);

#define DNS_SERVICE_NS "kube-system"
#define DNS_SERVICE    "kube-dns"
/* Where the DNS server and whoever comes in by ingress are, as policies see them: an address in a namespace, with these
 * labels. */
#define DNS_LABEL_KEY   "k8s-app"
#define DNS_LABEL_VALUE "kube-dns"

#endif

/* bootstrap.c - what every cluster has from its first second: four namespaces, and the way to the API server.
 *
 * Idempotent: what is there stays, the endpoints are brought to the address in use. Control loops make the rest.
 * Source: pkg/controlplane (system namespaces, kubernetesservice, reconcilers). */
#include "registry/meta_int.h"
#include "registry/registry_int.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define WHO        "kube-apiserver"
#define ADVERTISED "172.30.1.2"

static int make_once(struct registry *r, const struct resource *res, const char *ns, json_t *take_tree, struct err *e)
{
    if (reg_make(r, WHO, res, ns, take_tree, NULL, e) < 0 && e->code != ERR_ALREADY_EXISTS)
        return -1;
    err_clear(e);
    return 0;
}

static int make_namespaces(struct registry *r, struct err *e)
{
    static const char *const all[] = {"kube-system", "kube-public", "kube-node-lease", "default"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (make_once(r, RES.namespaces, "", json_pack("{s{ss}}", "metadata", "name", all[i]), e) < 0)
            return err_wrap(e, "namespace %s", all[i]);
    return 0;
}

static int make_priorities(struct registry *r, struct err *e)
{
    static const struct {
        const char *name;
        int value;
        const char *description;
    } all[] = {
        {"system-node-critical", 2000001000,
         "Used for system critical pods that must not be moved from their current node."},
        {"system-cluster-critical", 2000000000,
         "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (make_once(r, RES.priorityclasses, "",
                      json_pack("{s{ss} si ss}", "metadata", "name", all[i].name, "value", all[i].value, "description",
                                all[i].description),
                      e) < 0)
            return err_wrap(e, "priority class %s", all[i].name);
    return 0;
}

/* The first address of the service range. */
static void first_service_ip(const struct registry *r, char out[INET_ADDRSTRLEN])
{
    struct in_addr a;
    _auto_free_ char *cidr = xstrdup(r->service_cidr);
    cidr[strcspn(cidr, "/")] = 0;
    if (inet_pton(AF_INET, cidr, &a) != 1)
        inet_pton(AF_INET, "10.96.0.0", &a);
    a.s_addr = htonl(ntohl(a.s_addr) + 1);
    inet_ntop(AF_INET, &a, out, INET_ADDRSTRLEN);
}

static json_t *service(const struct registry *r, int port)
{
    char ip[INET_ADDRSTRLEN];
    first_service_ip(r, ip);
    json_t *ports = json_pack("[{ss ss si si}]", "name", "https", "protocol", "TCP", "port", 443, "targetPort", port);
    return json_pack("{s{ss s{ssss}} s{ss s[s] s[s] ss ss ss so}}", "metadata", "name", "kubernetes", "labels",
                     "component", "apiserver", "provider", "kubernetes", "spec", "clusterIP", ip, "clusterIPs", ip,
                     "ipFamilies", "IPv4", "ipFamilyPolicy", "SingleStack", "sessionAffinity", "None", "type",
                     "ClusterIP", "ports", ports);
}

static json_t *subsets(const char *host, int port)
{
    return json_pack("[{s[{ss}] s[{ss ss si}]}]", "addresses", "ip", host, "ports", "name", "https", "protocol", "TCP",
                     "port", port);
}

static json_t *slice_endpoints(const char *host)
{
    return json_pack("[{s[s] s{sb}}]", "addresses", host, "conditions", "ready", 1);
}

static json_t *slice_ports(int port)
{
    return json_pack("[{ss ss si}]", "name", "https", "protocol", "TCP", "port", port);
}

struct where {
    const char *host;
    int port;
};

static int edit_endpoints(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    const struct where *w = arg;
    json_object_set_new(obj, "subsets", subsets(w->host, w->port));
    return 1;
}

static int edit_slice(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    const struct where *w = arg;
    json_object_set_new(obj, "endpoints", slice_endpoints(w->host));
    json_object_set_new(obj, "ports", slice_ports(w->port));
    return 1;
}

static int edit_service(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    const struct where *w = arg;
    json_t *port = json_array_get(jat(obj, "spec.ports"), 0);
    if (!port || jint(port, "targetPort", 0) == w->port)
        return 0;
    json_object_set_new(port, "targetPort", json_integer(w->port));
    return 1;
}

static int make_way(struct registry *r, struct where *w, struct err *e)
{
    json_t *endpoints =
        json_pack("{s{ss s{ss}} so}", "metadata", "name", "kubernetes", "labels",
                  "endpointslice.kubernetes.io/skip-mirror", "true", "subsets", subsets(w->host, w->port));
    json_t *slice = json_pack("{s{ss s{ss}} ss so so}", "metadata", "name", "kubernetes", "labels",
                              "kubernetes.io/service-name", "kubernetes", "addressType", "IPv4", "endpoints",
                              slice_endpoints(w->host), "ports", slice_ports(w->port));
    if (make_once(r, RES.services, "default", service(r, w->port), e) < 0) {
        json_decref(endpoints);
        json_decref(slice);
        return err_wrap(e, "service kubernetes");
    }
    if (make_once(r, RES.endpoints, "default", endpoints, e) < 0) {
        json_decref(slice);
        return err_wrap(e, "endpoints kubernetes");
    }
    if (make_once(r, RES.endpointslices, "default", slice, e) < 0)
        return err_wrap(e, "endpoint slice kubernetes");
    if (reg_modify(r, WHO, RES.services, "default", "kubernetes", "", edit_service, w, e) < 0 ||
        reg_modify(r, WHO, RES.endpoints, "default", "kubernetes", "", edit_endpoints, w, e) < 0 ||
        reg_modify(r, WHO, RES.endpointslices, "default", "kubernetes", "", edit_slice, w, e) < 0)
        return err_wrap(e, "address of the API server");
    return 0;
}

/* Endpoints may not name a loopback address; a cluster that listens there shows the address its first node would have.
 */
static const char *shown_host(const char *host)
{
    struct in_addr a;
    if (inet_pton(AF_INET, host, &a) != 1)
        return ADVERTISED;
    uint32_t ip = ntohl(a.s_addr);
    return ip == 0 || ip >> 24 == 127 ? ADVERTISED : host;
}

int registry_bootstrap(struct registry *r, const char *api_host, int api_port, struct err *e)
{
    struct where w = {.host = shown_host(api_host), .port = api_port};
    if (make_namespaces(r, e) < 0 || make_priorities(r, e) < 0)
        return -1;
    return make_way(r, &w, e) < 0 ? -1 : definitions_make(r, e);
}

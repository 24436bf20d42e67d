/* printer_network.c - columns of Service, Endpoints and EndpointSlice. Lists of addresses and ports show three, then
 * how many more. THREADS: pure functions. */
#include "api/printer_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define SHOWN 3

/* A joined list that stops after SHOWN entries but counts on. */
struct short_list {
    struct buf text;
    size_t count;
};

static void short_list_add(struct short_list *l, const char *entry)
{
    if (l->count++ >= SHOWN)
        return;
    if (l->count > 1)
        buf_addc(&l->text, ',');
    buf_adds(&l->text, entry);
}

/* Writes the cell and releases the list. */
static void short_list_cell(struct buf *out, struct short_list *l, const char *empty)
{
    if (l->count > SHOWN)
        buf_addf(&l->text, " + %zu more...", l->count - SHOWN);
    cell_text_or(out, buf_str(&l->text), empty);
    buf_release(&l->text);
}

static void service_type(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.type"));
}

static void service_cluster_ip(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *ips = jat(obj, "spec.clusterIPs");
    const char *ip = json_array_size(ips) > 0 ? json_string_value(json_array_get(ips, 0)) : jstr(obj, "spec.clusterIP");
    cell_text_or(out, ip, "<none>");
}

/* Addresses the load balancer gave, sorted, then spec.externalIPs. */
static void external_addresses(const json_t *service, bool balancer, struct strlist *out)
{
    const json_t *ingress = balancer ? jat(service, "status.loadBalancer.ingress") : NULL;
    for (size_t i = 0; i < json_array_size(ingress); i++) {
        const json_t *entry = json_array_get(ingress, i);
        const char *address = jstr(entry, "ip") != NULL ? jstr(entry, "ip") : jstr(entry, "hostname");
        if (!str_empty(address) && !strlist_has(out, address))
            strlist_add(out, address);
    }
    strlist_sort(out);
    const json_t *ips = jat(service, "spec.externalIPs");
    for (size_t i = 0; i < json_array_size(ips); i++)
        strlist_add(out, json_string_value(json_array_get(ips, i)));
}

static void service_external_ip(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const char *type = jstr_or(obj, "spec.type", "");
    if (str_eq(type, "ExternalName")) {
        cell_text(out, jstr(obj, "spec.externalName"));
        return;
    }
    bool balancer = str_eq(type, "LoadBalancer");
    _auto_strlist_ struct strlist addresses = {0};
    external_addresses(obj, balancer, &addresses);
    _auto_free_ char *text = strlist_join(&addresses, ",");
    cell_text_or(out, text, balancer ? "<pending>" : "<none>");
}

static void service_ports(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *ports = jat(obj, "spec.ports");
    _auto_buf_ struct buf b = BUF_INIT;
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *p = json_array_get(ports, i);
        int64_t node_port = jint(p, "nodePort", 0);
        buf_addf(&b, "%s%lld", i > 0 ? "," : "", (long long)jint(p, "port", 0));
        if (node_port > 0)
            buf_addf(&b, ":%lld", (long long)node_port);
        buf_addf(&b, "/%s", jstr_or(p, "protocol", ""));
    }
    cell_text_or(out, buf_str(&b), "<none>");
}

static void service_selector(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    _auto_strlist_ struct strlist pairs = {0};
    const char *key;
    json_t *value;
    json_object_foreach(jat(obj, "spec.selector"), key, value)
        strlist_addf(&pairs, "%s=%s", key, json_is_string(value) ? json_string_value(value) : "");
    strlist_sort(&pairs);
    _auto_free_ char *text = strlist_join(&pairs, ",");
    cell_text_or(out, text, "<none>");
}

/* "10.0.0.1:80", "[fd00::1]:80", or the bare address without a port. */
static void subset_add(struct short_list *l, const json_t *addresses, const json_t *port)
{
    for (size_t i = 0; i < json_array_size(addresses); i++) {
        const char *ip = jstr_or(json_array_get(addresses, i), "ip", "");
        bool six = strchr(ip, ':') != NULL;
        _auto_buf_ struct buf b = BUF_INIT;
        buf_addf(&b, port != NULL && six ? "[%s]" : "%s", ip);
        if (port != NULL)
            buf_addf(&b, ":%lld", (long long)jint(port, "port", 0));
        short_list_add(l, buf_str(&b));
    }
}

static void endpoints_list(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *subsets = json_object_get(obj, "subsets");
    struct short_list l = {.text = BUF_INIT};
    for (size_t i = 0; i < json_array_size(subsets); i++) {
        const json_t *subset = json_array_get(subsets, i), *ports = json_object_get(subset, "ports");
        const json_t *addresses = json_object_get(subset, "addresses");
        if (json_array_size(ports) == 0)
            subset_add(&l, addresses, NULL);
        for (size_t p = 0; p < json_array_size(ports); p++)
            subset_add(&l, addresses, json_array_get(ports, p));
    }
    short_list_cell(out, &l, json_array_size(subsets) == 0 ? "<none>" : "");
}

static void slice_type(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "addressType"));
}

static void slice_ports(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *ports = json_object_get(obj, "ports");
    struct short_list l = {.text = BUF_INIT};
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *p = json_array_get(ports, i);
        const char *name = jstr_or(p, "name", "*");
        _auto_free_ char *number = jat(p, "port") != NULL ? xasprintf("%lld", (long long)jint(p, "port", 0)) : NULL;
        short_list_add(&l, number != NULL ? number : name);
    }
    short_list_cell(out, &l, "<unset>");
}

static void slice_endpoints(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *endpoints = json_object_get(obj, "endpoints");
    struct short_list l = {.text = BUF_INIT};
    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        const json_t *addresses = json_object_get(json_array_get(endpoints, i), "addresses");
        for (size_t a = 0; a < json_array_size(addresses); a++)
            short_list_add(&l, json_string_value(json_array_get(addresses, a)));
    }
    short_list_cell(out, &l, "<unset>");
}

static const struct column service_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Type", "string", "", 0, service_type,
     "type determines how the Service is exposed. Defaults to ClusterIP. Valid options are ExternalName, "
     "ClusterIP, NodePort, and LoadBalancer. \"ClusterIP\" allocates a cluster-internal IP address for "
     "load-balancing to endpoints. Endpoints are determined by the selector or if that is not specified, "
     "by manual construction of an Endpoints object or EndpointSlice objects. If clusterIP is \"None\", no "
     "virtual IP is allocated and the endpoints are published as a set of endpoints rather than a virtual "
     "IP. \"NodePort\" builds on ClusterIP and allocates a port on every node which routes to the same "
     "endpoints as the clusterIP. \"LoadBalancer\" builds on NodePort and creates an external "
     "load-balancer (if supported in the current cloud) which routes to the same endpoints as the "
     "clusterIP. \"ExternalName\" aliases this service to the specified externalName. Several other fields "
     "do not apply to ExternalName services. More info: "
     "https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types"},
    {"Cluster-IP", "string", "", 0, service_cluster_ip,
     "clusterIP is the IP address of the service and is usually assigned randomly. If an address is "
     "specified manually, is in-range (as per system configuration), and is not in use, it will be "
     "allocated to the service; otherwise creation of the service will fail. This field may not be changed "
     "through updates unless the type field is also being changed to ExternalName (which requires this "
     "field to be blank) or the type field is being changed from ExternalName (in which case this field "
     "may optionally be specified, as describe above).  Valid values are \"None\", empty string (\"\"), or "
     "a valid IP address. Setting this to \"None\" makes a \"headless service\" (no virtual IP), which is "
     "useful when direct endpoint connections are preferred and proxying is not required.  Only applies to "
     "types ClusterIP, NodePort, and LoadBalancer. If this field is specified when creating a Service of "
     "type ExternalName, creation will fail. This field will be wiped when updating a Service to type "
     "ExternalName. More info: "
     "https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies"},
    {"External-IP", "string", "", 0, service_external_ip,
     "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for "
     "this service.  These IPs are not managed by Kubernetes.  The user is responsible for ensuring that "
     "traffic arrives at a node with this IP.  A common example is external load-balancers that are not "
     "part of the Kubernetes system."},
    {"Port(s)", "string", "", 0, service_ports,
     "The list of ports that are exposed by this service. More info: "
     "https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Selector", "string", "", 1, service_selector,
     "Route service traffic to pods with label keys and values matching this selector. If empty or not "
     "present, the service is assumed to have an external process managing its endpoints, which Kubernetes "
     "will not modify. Only applies to types ClusterIP, NodePort, and LoadBalancer. Ignored if type is "
     "ExternalName. More info: https://kubernetes.io/docs/concepts/services-networking/service/"},
};
const struct printer printer_service = {"", "Service", service_columns, ARRAY_LEN(service_columns), NULL};

static const struct column endpoints_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Endpoints", "string", "", 0, endpoints_list,
     "The set of all endpoints is the union of all subsets. Addresses are placed into subsets according to "
     "the IPs they share. A single address with multiple ports, some of which are ready and some of which "
     "are not (because they come from different containers) will result in the address being displayed in "
     "different subsets for the different ports. No address will appear in both Addresses and "
     "NotReadyAddresses in the same subset. Sets of addresses and ports that comprise a service."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_endpoints = {"", "Endpoints", endpoints_columns, ARRAY_LEN(endpoints_columns), NULL};

static const struct column endpointslice_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"AddressType", "string", "", 0, slice_type,
     "addressType specifies the type of address carried by this EndpointSlice. All addresses in this slice "
     "must be the same type. This field is immutable after creation. The following address types are "
     "currently supported: * IPv4: Represents an IPv4 Address. * IPv6: Represents an IPv6 Address. * FQDN: "
     "Represents a Fully Qualified Domain Name."},
    {"Ports", "string", "", 0, slice_ports,
     "ports specifies the list of network ports exposed by each endpoint in this slice. Each port must "
     "have a unique name. When ports is empty, it indicates that there are no defined ports. When a port "
     "is defined with a nil port value, it indicates \"all ports\". Each slice may include a maximum of "
     "100 ports."},
    {"Endpoints", "string", "", 0, slice_endpoints,
     "endpoints is a list of unique endpoints in this slice. Each slice may include a maximum of 1000 "
     "endpoints."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_endpointslice = {"discovery.k8s.io", "EndpointSlice", endpointslice_columns,
                                              ARRAY_LEN(endpointslice_columns), NULL};

/* network.c - services, their endpoints, ingresses and network policies. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define ENDPOINTS_SHOWN 3

struct endpoint_list {
    struct buf text;
    size_t shown, ready;
    bool more;
};

static void add_endpoint(struct endpoint_list *l, const json_t *endpoint, const json_t *port)
{
    if (l->shown == ENDPOINTS_SHOWN)
        l->more = true;
    const json_t *is_ready = jat(endpoint, "conditions.ready");
    if (json_is_false(is_ready))
        return;
    l->ready++;
    if (l->more)
        return;
    const char *address = json_string_value(json_array_get(jat(endpoint, "addresses"), 0));
    address = address != NULL ? address : "";
    bool six = strchr(address, ':') != NULL && port != NULL;
    buf_addf(&l->text, "%s%s%s%s", l->shown++ > 0 ? "," : "", six ? "[" : "", address, six ? "]" : "");
    if (port != NULL)
        buf_addf(&l->text, ":%lld", (long long)jint(port, "port", 0));
}

/* Ready endpoints of the port of that name; of slices without ports, all. */
static void add_endpoints(struct buf *out, const json_t *slices, const char *port_name)
{
    struct endpoint_list l = {.text = BUF_INIT};
    for (size_t i = 0; i < json_array_size(slices); i++) {
        const json_t *ports = jat(json_array_get(slices, i), "ports"),
                     *ends = jat(json_array_get(slices, i), "endpoints");
        bool bare = json_array_size(ports) == 0;
        for (size_t j = 0; bare ? j < 1 : j < json_array_size(ports); j++) {
            const json_t *port = bare ? NULL : json_array_get(ports, j);
            if (!bare && !str_eq(jstr_or(port, "name", ""), port_name))
                continue;
            for (size_t k = 0; k < json_array_size(ends); k++)
                add_endpoint(&l, json_array_get(ends, k), port);
        }
    }
    buf_adds(out, json_array_size(slices) == 0 ? "<none>" : buf_str(&l.text));
    if (l.more)
        buf_addf(out, " + %zu more...", l.ready - ENDPOINTS_SHOWN);
    buf_release(&l.text);
}

/* -- services -- */

static void put_load_balancer(struct page *p, const json_t *list)
{
    _auto_buf_ struct buf text = BUF_INIT;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *in = json_array_get(list, i);
        const char *ip = jstr_or(in, "ip", "");
        buf_addf(&text, "%s%s", i > 0 ? ", " : "", ip[0] != '\0' ? ip : jstr_or(in, "hostname", ""));
        if (ip[0] != '\0' && jstr(in, "ipMode") != NULL)
            buf_addf(&text, " (%s)", jstr(in, "ipMode"));
    }
    if (json_array_size(list) > 0)
        page_put(p, 0, "LoadBalancer Ingress:\t%s\n", buf_str(&text));
}

static void put_ports(struct page *p, const json_t *ports)
{
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const char *name = jstr_or(port, "name", ""), *shown = name[0] != '\0' ? name : "<unset>";
        const char *protocol = jstr_or(port, "protocol", "");
        _auto_buf_ struct buf target = BUF_INIT, ends = BUF_INIT;
        value_text(&target, jat(port, "targetPort"));
        add_endpoints(&ends, jat(p->related, "slices"), name);
        page_put(p, 0, "Port:\t%s\t%lld/%s\n", shown, (long long)jint(port, "port", 0), protocol);
        page_put(p, 0, "TargetPort:\t%s/%s\n", buf_str(&target), protocol);
        if (jint(port, "nodePort", 0) != 0)
            page_put(p, 0, "NodePort:\t%s\t%lld/%s\n", shown, (long long)jint(port, "nodePort", 0), protocol);
        page_put(p, 0, "Endpoints:\t%s\n", buf_str(&ends));
    }
}

static void put_health_port(struct page *p, const json_t *port)
{
    if (json_is_integer(port) && json_integer_value(port) != 0)
        page_put(p, 0, "HealthCheck NodePort:\t%lld\n", (long long)json_integer_value(port));
}

const struct row rows_service[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"Selector:", ROW_PAIRS, "spec.selector", NULL, NULL, 0},
    {"Type:", ROW_SHOW, "spec.type", NULL, NULL, 0},
    {"IP Family Policy:", ROW_SOME, "spec.ipFamilyPolicy", NULL, NULL, 0},
    {"IP Families:", ROW_ELSE, "spec.ipFamilies", "<none>", NULL, 0},
    {"IP:", ROW_SHOW, "spec.clusterIP", NULL, NULL, 0},
    {"IPs:", ROW_ELSE, "spec.clusterIPs", "<none>", NULL, 0},
    {"External IPs:", ROW_FULL, "spec.externalIPs", NULL, NULL, 0},
    {"Desired LoadBalancer IP:", ROW_FULL, "spec.loadBalancerIP", NULL, NULL, 0},
    {"External Name:", ROW_FULL, "spec.externalName", NULL, NULL, 0},
    {NULL, ROW_CALL, "status.loadBalancer.ingress", NULL, put_load_balancer, 0},
    {NULL, ROW_CALL, "spec.ports", NULL, put_ports, 0},
    {"Session Affinity:", ROW_SHOW, "spec.sessionAffinity", NULL, NULL, 0},
    {"External Traffic Policy:", ROW_FULL, "spec.externalTrafficPolicy", NULL, NULL, 0},
    {"Internal Traffic Policy:", ROW_SOME, "spec.internalTrafficPolicy", NULL, NULL, 0},
    {NULL, ROW_CALL, "spec.healthCheckNodePort", NULL, put_health_port, 0},
    {"LoadBalancer Source Ranges:", ROW_FULL, "spec.loadBalancerSourceRanges", NULL, NULL, 0},
    ROWS_END,
};

/* -- endpoints and slices -- */

static void put_port_table(struct page *p, int level, const json_t *ports)
{
    page_put(p, level, "Name\tPort\tProtocol\n");
    page_put(p, level, "----\t----\t--------\n");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const char *name = jstr_or(port, "name", "");
        _auto_buf_ struct buf number = BUF_INIT;
        if (json_is_integer(jat(port, "port")))
            value_text(&number, jat(port, "port"));
        page_put(p, level, "%s\t%s\t%s\n", name[0] != '\0' ? name : "<unset>",
                 number.len > 0 ? buf_str(&number) : "<unset>", jstr_or(port, "protocol", ""));
    }
}

static void put_ips(struct page *p, const char *label, const json_t *addresses)
{
    _auto_buf_ struct buf text = BUF_INIT;
    for (size_t i = 0; i < json_array_size(addresses); i++)
        buf_addf(&text, "%s%s", i > 0 ? "," : "", jstr_or(json_array_get(addresses, i), "ip", ""));
    page_put(p, 1, "%s\t%s\n", label, text.len > 0 ? buf_str(&text) : "<none>");
}

static void put_subsets(struct page *p, const json_t *subsets)
{
    page_put(p, 0, "Subsets:\n");
    for (size_t i = 0; i < json_array_size(subsets); i++) {
        const json_t *s = json_array_get(subsets, i);
        put_ips(p, "Addresses:", jat(s, "addresses"));
        put_ips(p, "NotReadyAddresses:", jat(s, "notReadyAddresses"));
        if (json_array_size(jat(s, "ports")) > 0) {
            page_put(p, 1, "Ports:\n");
            put_port_table(p, 2, jat(s, "ports"));
        }
        page_put(p, 0, "\n");
    }
}

const struct row rows_endpoints[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, "subsets", NULL, put_subsets, 0},
    ROWS_END,
};

static void put_endpoint(struct page *p, const json_t *e)
{
    static const struct row rows[] = {
        {"NodeName:", ROW_ELSE, "nodeName", "<unset>", NULL, 2},
        {"Zone:", ROW_ELSE, "zone", "<unset>", NULL, 2},
        ROWS_END,
    };
    _auto_buf_ struct buf addresses = BUF_INIT;
    value_join(&addresses, jat(e, "addresses"), ", ");
    page_put(p, 1, "- Addresses:\t%s\n", addresses.len > 0 ? buf_str(&addresses) : "<none>");
    page_put(p, 2, "Conditions:\n");
    const json_t *ready = jat(e, "conditions.ready");
    page_put(p, 3, "Ready:\t%s\n", json_is_boolean(ready) ? (json_is_true(ready) ? "true" : "false") : "<unset>");
    page_put(p, 2, "Hostname:\t%s\n", jstr_or(e, "hostname", "<unset>"));
    if (json_is_object(jat(e, "targetRef")))
        page_put(p, 2, "TargetRef:\t%s/%s\n", jstr_or(e, "targetRef.kind", ""), jstr_or(e, "targetRef.name", ""));
    page_rows(p, rows, e);
}

static void put_slice(struct page *p, const json_t *slice)
{
    const json_t *ports = jat(slice, "ports"), *ends = jat(slice, "endpoints");
    page_put(p, 0, "Ports:%s\n", json_array_size(ports) == 0 ? " <unset>" : "");
    if (json_array_size(ports) > 0)
        put_port_table(p, 1, ports);
    page_put(p, 0, "Endpoints:%s\n", json_array_size(ends) == 0 ? " <none>" : "");
    for (size_t i = 0; i < json_array_size(ends); i++)
        put_endpoint(p, json_array_get(ends, i));
}

const struct row rows_slice[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"AddressType:", ROW_SHOW, "addressType", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_slice, 0},
    ROWS_END,
};

/* -- ingresses -- */

static const json_t *service_of(struct page *p, const char *name)
{
    const json_t *services = jat(p->related, "services");
    for (size_t i = 0; i < json_array_size(services); i++)
        if (str_eq(jstr(json_array_get(services, i), "metadata.name"), name))
            return json_array_get(services, i);
    return NULL;
}

/* The slices of one service. Returns new array of references. */
static json_t *slices_of(struct page *p, const char *name)
{
    const json_t *all = jat(p->related, "slices");
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(all); i++)
        if (str_eq(jmap(json_array_get(all, i), "metadata.labels", "kubernetes.io/service-name"), name))
            json_array_append(out, json_array_get(all, i));
    return out;
}

static void add_service_backend(struct page *p, struct buf *out, const json_t *backend)
{
    const char *name = jstr_or(backend, "name", ""), *by_name = jstr_or(backend, "port.name", ""), *port_name = "";
    int64_t number = jint(backend, "port.number", 0);
    buf_addf(out, "%s:", name);
    if (number != 0)
        buf_addf(out, "%lld", (long long)number);
    else
        buf_adds(out, by_name);
    const json_t *service = service_of(p, name), *ports = jat(service, "spec.ports");
    if (service == NULL) {
        const char *why = jstr(p->related, "errors.services");
        buf_addf(out, " (<error: %s%s%s>)", why != NULL ? why : "services \"", why != NULL ? "" : name,
                 why != NULL ? "" : "\" not found");
        return;
    }
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const char *its = jstr_or(port, "name", "");
        if ((number != 0 && number == jint(port, "port", 0)) || (by_name[0] != '\0' && str_eq(by_name, its)))
            port_name = its;
    }
    _auto_json_ json_t *slices = slices_of(p, name);
    buf_adds(out, " (");
    add_endpoints(out, slices, port_name);
    buf_addc(out, ')');
}

static void add_backend(struct page *p, struct buf *out, const json_t *backend)
{
    const json_t *resource = jat(backend, "resource");
    if (json_is_object(jat(backend, "service")))
        add_service_backend(p, out, jat(backend, "service"));
    else if (json_is_object(resource))
        buf_addf(out, "APIGroup: %s, Kind: %s, Name: %s", jstr_or(resource, "apiGroup", "<none>"),
                 jstr_or(resource, "kind", ""), jstr_or(resource, "name", ""));
}

static void put_ingress_addresses(struct page *p, const json_t *list)
{
    _auto_strlist_ struct strlist all = {0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *in = json_array_get(list, i);
        const char *ip = jstr_or(in, "ip", ""), *text = ip[0] != '\0' ? ip : jstr_or(in, "hostname", "");
        if (text[0] != '\0' && !strlist_has(&all, text))
            strlist_add(&all, text);
    }
    strlist_sort(&all);
    _auto_free_ char *text = strlist_join(&all, ",");
    page_put(p, 0, "Address:\t%s\n", text);
}

static void put_tls(struct page *p, const json_t *tls)
{
    if (json_array_size(tls) > 0)
        page_put(p, 0, "TLS:\n");
    for (size_t i = 0; i < json_array_size(tls); i++) {
        const char *secret = jstr_or(json_array_get(tls, i), "secretName", "");
        _auto_buf_ struct buf hosts = BUF_INIT;
        value_join(&hosts, jat(json_array_get(tls, i), "hosts"), ",");
        page_put(p, 1, "%s %s %s\n", secret[0] != '\0' ? secret : "SNI", secret[0] != '\0' ? "terminates" : "routes",
                 buf_str(&hosts));
    }
}

static void put_rule(struct page *p, const json_t *rule)
{
    const json_t *paths = jat(rule, "http.paths");
    const char *host = jstr_or(rule, "host", "");
    page_put(p, 1, "%s\t\n", host[0] != '\0' ? host : "*");
    for (size_t i = 0; i < json_array_size(paths); i++) {
        _auto_buf_ struct buf backend = BUF_INIT;
        add_backend(p, &backend, jat(json_array_get(paths, i), "backend"));
        page_put(p, 2, "\t%s \t%s\n", jstr_or(json_array_get(paths, i), "path", ""), buf_str(&backend));
    }
}

static void put_rules(struct page *p, const json_t *ingress)
{
    const json_t *rules = jat(ingress, "spec.rules");
    _auto_buf_ struct buf fallback = BUF_INIT;
    if (json_is_object(jat(ingress, "spec.defaultBackend")))
        add_backend(p, &fallback, jat(ingress, "spec.defaultBackend"));
    else
        buf_adds(&fallback, "<default>");
    page_put(p, 0, "Default backend:\t%s\n", buf_str(&fallback));
    put_tls(p, jat(ingress, "spec.tls"));
    page_put(p, 0, "Rules:\n  Host\tPath\tBackends\n");
    page_put(p, 1, "----\t----\t--------\n");
    size_t shown = 0;
    for (size_t i = 0; i < json_array_size(rules); i++) {
        if (!json_is_object(jat(json_array_get(rules, i), "http")))
            continue;
        put_rule(p, json_array_get(rules, i));
        shown++;
    }
    if (shown == 0)
        page_put(p, 1, "*\t*\t%s\n", buf_str(&fallback));
}

const struct row rows_ingress[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {NULL, ROW_CALL, "status.loadBalancer.ingress", NULL, put_ingress_addresses, 0},
    {"Ingress Class:", ROW_ELSE, "spec.ingressClassName", "<none>", NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_rules, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    ROWS_END,
};

static void put_parameters(struct page *p, const json_t *parameters)
{
    static const struct row rows[] = {
        {"Parameters:", ROW_TITLE, NULL, NULL, NULL, 0},
        {"APIGroup:", ROW_SOME, "apiGroup", NULL, NULL, 1},
        {"Kind:", ROW_SHOW, "kind", NULL, NULL, 1},
        {"Name:", ROW_SHOW, "name", NULL, NULL, 1},
        ROWS_END,
    };
    if (json_is_object(parameters))
        page_rows(p, rows, parameters);
}

const struct row rows_ingress_class[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"Controller:", ROW_SHOW, "spec.controller", NULL, NULL, 0},
    {NULL, ROW_CALL, "spec.parameters", NULL, put_parameters, 0},
    ROWS_END,
};

/* -- what addresses there are -- */

static void put_cidrs(struct page *p, const json_t *object)
{
    _auto_buf_ struct buf text = BUF_INIT;
    value_join(&text, jat(object, "spec.cidrs"), ", ");
    page_put(p, 0, "CIDRs:\t%s\n", buf_str(&text));
    if (json_array_size(jat(object, "status.conditions")) > 0)
        page_put(p, 0, "Status:\n");
    page_conditions_timed(p, jat(object, "status.conditions"));
}

const struct row rows_service_cidr[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_cidrs, 0},
    ROWS_END,
};

static void put_parent(struct page *p, const json_t *parent)
{
    static const struct row rows[] = {
        {"Parent Reference:", ROW_TITLE, NULL, NULL, NULL, 0},
        {"Group:", ROW_SHOW, "group", NULL, NULL, 1},
        {"Resource:", ROW_SHOW, "resource", NULL, NULL, 1},
        {"Namespace:", ROW_SHOW, "namespace", NULL, NULL, 1},
        {"Name:", ROW_SHOW, "name", NULL, NULL, 1},
        ROWS_END,
    };
    if (json_is_object(parent))
        page_rows(p, rows, parent);
}

const struct row rows_ip_address[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, "spec.parentRef", NULL, put_parent, 0},
    ROWS_END,
};

/* printer_ingress.c - columns of Ingress, IngressClass and NetworkPolicy. Hosts show three, then how many more.
 * THREADS: pure functions. */
#include "api/printer_int.h"
#include "api/selector.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define SHOWN 3

static void ingress_class(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const char *class = jstr(obj, "spec.ingressClassName");
    cell_text_or(out, class ? class : jmap(obj, "metadata.annotations", "kubernetes.io/ingress.class"), "<none>");
}

static void ingress_hosts(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    _auto_buf_ struct buf b = BUF_INIT;
    size_t i, hosts = 0;
    const json_t *rule;
    json_array_foreach(jat(obj, "spec.rules"), i, rule)
    {
        const char *host = jstr_or(rule, "host", "");
        if (*host && hosts++ < SHOWN)
            buf_addf(&b, "%s%s", hosts > 1 ? "," : "", host);
    }
    if (hosts > SHOWN)
        buf_addf(&b, " + %zu more...", hosts - SHOWN);
    cell_text_or(out, buf_str(&b), "*");
}

static void ingress_address(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    _auto_buf_ struct buf b = BUF_INIT;
    size_t i;
    const json_t *at;
    json_array_foreach(jat(obj, "status.loadBalancer.ingress"), i, at)
    {
        const char *ip = jstr_or(at, "ip", "");
        buf_addf(&b, "%s%s", b.len ? "," : "", *ip ? ip : jstr_or(at, "hostname", ""));
    }
    cell_text(out, buf_str(&b));
}

static void ingress_ports(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, json_array_size(jat(obj, "spec.tls")) ? "80, 443" : "80");
}

static void class_controller(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.controller"));
}

static void class_parameters(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *p = jat(obj, "spec.parameters");
    _auto_buf_ struct buf b = BUF_INIT;
    if (p) {
        const char *group = jstr_or(p, "apiGroup", "");
        buf_addf(&b, "%s%s%s/%s", jstr_or(p, "kind", ""), *group ? "." : "", group, jstr_or(p, "name", ""));
    }
    cell_text_or(out, buf_str(&b), "<none>");
}

static void policy_selector(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_selector_at(out, obj, "spec.podSelector");
}

static const struct column ingress_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Class", "string", "", 0, ingress_class,
     "The name of the IngressClass resource that should be used for additional configuration"},
    {"Hosts", "string", "", 0, ingress_hosts,
     "Hosts that incoming requests are matched against before the ingress rule"},
    {"Address", "string", "", 0, ingress_address, "Address is a list containing ingress points for the load-balancer"},
    {"Ports", "string", "", 0, ingress_ports, "Ports of TLS configurations that open"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_ingress = {"networking.k8s.io", "Ingress", ingress_columns, ARRAY_LEN(ingress_columns),
                                        NULL};

static const struct column class_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Controller", "string", "", 0, class_controller, "Controller that is responsible for handling this class"},
    {"Parameters", "string", "", 0, class_parameters, "A reference to a resource with additional parameters"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_ingress_class = {"networking.k8s.io", "IngressClass", class_columns,
                                              ARRAY_LEN(class_columns), NULL};

static const struct column policy_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Pod-Selector", "string", "", 0, policy_selector,
     "Selects the pods to which this NetworkPolicy object applies.  The array of ingress rules is applied to any pods "
     "selected by this field. Multiple network policies can select the same set of pods.  In this case, the ingress "
     "rules for each are combined additively. This field is NOT optional and follows standard label selector "
     "semantics. An empty podSelector matches all pods in this namespace."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_network_policy = {"networking.k8s.io", "NetworkPolicy", policy_columns,
                                               ARRAY_LEN(policy_columns), NULL};

/* expose.c - kubectl expose: a service for the pods of a deployment, replica set, service or pod.
 *
 * DESIGN: selector, ports with their protocols and labels come from the object, unless flags say other ones. Source:
 * kubectl cmd/expose, polymorphichelpers. */
#include "kubectl/create/made.h"
#include "kubectl/targets.h"
#include "kubectl/verbs/verbs_int.h"

#include "base/json.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

static const struct kubectl_flag flags[] = {
    {"cluster-ip", 0, FLAG_TEXT, NULL, "The service's address; None: none", NULL},
    FLAGS_DRY_RUN,
    {"external-ip", 0, FLAG_TEXT, NULL, "One more address that leads to the service", NULL},
    FLAGS_MANAGER("kubectl-expose"),
    FLAGS_FILES("The object to expose"),
    {"labels", 'l', FLAG_TEXT, NULL, "Labels of the service: key=value, with commas; else the object's", NULL},
    {"load-balancer-ip", 0, FLAG_TEXT, NULL, "The address that a load balancer shall have", NULL},
    {"name", 0, FLAG_TEXT, NULL, "The service's name; else the object's", NULL},
    FLAGS_OUTPUT,
    FLAGS_OVERRIDES,
    {"port", 0, FLAG_TEXT, NULL, "The port of the service; else those of the object", NULL},
    {"protocol", 0, FLAG_TEXT, NULL, "TCP, UDP or SCTP; else that of the object's port", NULL},
    {"save-config", 0, FLAG_BOOL, NULL, "Keep the configuration in an annotation, for a later apply", NULL},
    {"selector", 0, FLAG_TEXT, NULL, "Which pods: key=value, with commas; else as the object chooses them", NULL},
    {"session-affinity", 0, FLAG_TEXT, NULL, "None or ClientIP", NULL},
    {"target-port", 0, FLAG_TEXT, NULL, "Number or name of the container's port; else that of the service", NULL},
    {"type", 0, FLAG_TEXT, NULL, "ClusterIP, NodePort, LoadBalancer or ExternalName", NULL},
    {NULL},
};

struct exposing {
    struct printer printer;
    enum dry_run dry;
};

/* ---- what the object says ---- */

static int may_be_exposed(const struct kind *kind, struct err *e)
{
    static const char *const kinds[] = {"ReplicationController", "Service", "Pod", "Deployment.apps",
                                        "ReplicaSet.apps"};
    _auto_free_ char *name = xasprintf("%s%s%s", kind->kind, *kind->group ? "." : "", kind->group);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(name, kinds[i]))
            return 0;
    return err_set(e, ERR_INVALID, "cannot expose a %s", name);
}

/* Labels to choose pods by. Returns new; NULL with `e`. */
static json_t *selector_of(const json_t *object, struct err *e)
{
    const char *kind = jstr_or(object, "kind", ""), *why = NULL;
    const json_t *labels = NULL;
    if (str_eq(kind, "Pod")) {
        labels = jat(object, "metadata.labels");
        why = "the pod has no labels and cannot be exposed";
    } else if (str_eq(kind, "Service")) {
        labels = jat(object, "spec.selector");
        why = "the service has no pod selector set";
    } else if (str_eq(kind, "ReplicationController")) {
        labels = jat(object, "spec.selector");
    } else {
        labels = jat(object, "spec.selector.matchLabels");
        why = str_eq(kind, "Deployment") ? "invalid deployment: no selectors, therefore cannot be exposed"
                                         : "invalid replicaset: no selectors, therefore cannot be exposed";
        if (json_array_size(jat(object, "spec.selector.matchExpressions")) > 0)
            why = "couldn't convert expressions to map-based selector format", labels = NULL;
    }
    if (json_object_size(labels) == 0) {
        err_set(e, ERR_INVALID, "couldn't retrieve selectors via --selector flag or introspection: %s", why ? why : "");
        return NULL;
    }
    return json_deep_copy(labels);
}

/* {"port": 80, "protocols": ["TCP"]} for each port of the object, in order. Returns new. */
static json_t *ports_of(const json_t *object)
{
    const bool service = str_eq(jstr(object, "kind"), "Service");
    const json_t *spec =
        str_eq(jstr(object, "kind"), "Pod") || service ? jat(object, "spec") : jat(object, "spec.template.spec");
    _auto_json_ json_t *all = json_array();
    json_t *out = json_array(), *row;
    size_t i, k;
    const json_t *container, *port;
    json_array_foreach(service ? jat(spec, "ports") : NULL, i, port) json_array_append(all, (json_t *)(uintptr_t)port);
    json_array_foreach(jat(spec, "containers"), i, container) json_array_foreach(jat(container, "ports"), k, port)
        json_array_append(all, (json_t *)(uintptr_t)port);
    json_array_foreach(all, i, port)
    {
        const json_int_t number = jint(port, service ? "port" : "containerPort", 0);
        json_t *found = NULL;
        json_array_foreach(out, k, row) if (jint(row, "port", 0) == number) found = row;
        if (!found)
            json_array_append_new(out, found = json_pack("{s:I, s:[]}", "port", number, "protocols"));
        json_array_append_new(jat(found, "protocols"), json_string(jstr_or(port, "protocol", "TCP")));
    }
    return out;
}

/* ---- the service ---- */

static void add_port(json_t *ports, const char *name, const char *protocol, int64_t port, const char *target)
{
    json_t *row = json_object();
    if (name)
        json_object_set_new(row, "name", json_string(name));
    json_object_set_new(row, "protocol", json_string(protocol));
    json_object_set_new(row, "port", json_integer(port));
    json_object_set_new(row, "targetPort", *target ? made_int_or_text(target) : json_integer(port));
    json_array_append_new(ports, row);
}

/* One port that is wished, by its place among them. */
static int add_wished(struct call *c, json_t *ports, const char *text, size_t at, size_t of, const json_t *known,
                      struct err *e)
{
    const char *protocol = call_text(c, "protocol"), *target = call_text(c, "target-port");
    const json_t *protocols = NULL, *row;
    size_t i;
    int64_t port;
    if (made_number(text, &port, e) < 0)
        return -1;
    _auto_free_ char *name = of > 1 ? xasprintf("port-%zu", at + 1) : NULL;
    json_array_foreach(known, i, row) if (jint(row, "port", 0) == port) protocols = json_object_get(row, "protocols");
    if (*protocol || json_array_size(protocols) <= 1) {
        const char *own = json_string_value(json_array_get(protocols, 0));
        add_port(ports, name, *protocol ? protocol : own ? own : "TCP", port, target);
        return 0;
    }
    json_array_foreach(protocols, i, row)
    {
        _auto_free_ char *several = xasprintf("port-%zu-%s", at + 1, json_string_value(row));
        for (char *p = several; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        add_port(ports, several, json_string_value(row), port, target);
    }
    return 0;
}

static json_t *make_ports(struct call *c, const json_t *object, struct err *e)
{
    _auto_json_ json_t *known = ports_of(object), *out = json_array();
    _auto_strlist_ struct strlist wished = {0};
    const json_t *row;
    size_t i;
    if (*call_text(c, "port"))
        strlist_split(&wished, call_text(c, "port"), ',');
    else
        json_array_foreach(known, i, row) strlist_addf(&wished, "%lld", (long long)jint(row, "port", 0));
    if (wished.len == 0 && !str_eq(call_text(c, "cluster-ip"), "None")) {
        err_set(e, ERR_INVALID, "couldn't find port via --port flag or introspection");
        return NULL;
    }
    for (i = 0; i < wished.len; i++)
        if (add_wished(c, out, wished.items[i], i, wished.len, known, e) < 0)
            return NULL;
    return TAKE(out);
}

static int add_options(struct call *c, json_t *spec, struct err *e)
{
    const char *type = call_text(c, "type"), *affinity = call_text(c, "session-affinity");
    if (*call_text(c, "external-ip"))
        json_object_set_new(spec, "externalIPs", json_pack("[s]", call_text(c, "external-ip")));
    if (*type)
        jset_str(spec, "type", type);
    if (str_eq(type, "LoadBalancer") && *call_text(c, "load-balancer-ip"))
        jset_str(spec, "loadBalancerIP", call_text(c, "load-balancer-ip"));
    if (*affinity && !str_eq(affinity, "None") && !str_eq(affinity, "ClientIP"))
        return err_set(e, ERR_INVALID, "unknown session affinity: %s", affinity);
    if (*affinity)
        jset_str(spec, "sessionAffinity", affinity);
    if (*call_text(c, "cluster-ip"))
        jset_str(spec, "clusterIP", call_text(c, "cluster-ip"));
    return 0;
}

static json_t *make_service(struct call *c, const json_t *object, struct err *e)
{
    const char *wished = call_text(c, "selector"), *named = call_text(c, "labels");
    _auto_json_ json_t *selector = *wished ? NULL : selector_of(object, e), *labels = NULL;
    if (!*wished && !selector)
        return NULL;
    _auto_json_ json_t *ports = make_ports(c, object, e);
    if (!ports || (*wished && !(selector = made_labels(wished, e))) || (*named && !(labels = made_labels(named, e))))
        return NULL;
    if (!labels && json_object_size(jat(object, "metadata.labels")))
        labels = json_deep_copy(jat(object, "metadata.labels"));
    _auto_free_ char *name =
        *call_text(c, "name") ? xstrdup(call_text(c, "name")) : xstrndup(jstr_or(object, "metadata.name", ""), 63);
    _auto_json_ json_t *spec = json_pack("{s:O}", "selector", selector);
    if (json_array_size(ports))
        json_object_set(spec, "ports", ports);
    if (add_options(c, spec, e) < 0)
        return NULL;
    return made_object("Service", name, TAKE(labels), TAKE(spec), json_pack("{s:{}}", "loadBalancer"));
}

/* ---- the verb ---- */

static int expose(struct call *c, const struct kind *kind, const json_t *object, struct exposing *x, struct err *e)
{
    if (may_be_exposed(kind, e) < 0)
        return -1;
    _auto_json_ json_t *service = make_service(c, object, e);
    const struct kind *services = service ? call_kind(c, "services") : NULL;
    if (!service || !services || made_override(c, &service, e) < 0 ||
        made_create(c, "services", x->dry, &service, e) < 0)
        return -1;
    _auto_free_ char *done = xasprintf("exposed%s", dry_run_note(x->dry));
    return printer_object(c, &x->printer, services, service, done, e);
}

static int visit(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct err e = ERR_INIT;
    if (expose(c, t->kind, object, arg, &e) == 0)
        return 0;
    call_error(c, &e);
    return -1;
}

static int run(struct call *c)
{
    struct exposing x = {0};
    _auto_targets_ struct targets targets = {0};
    const struct targets_opts opts = {.own_selector = true};
    if (call_dry_run(c, &x.dry) < 0 || printer_init(c, &x.printer, false) < 0)
        return c->code ? c->code : 1;
    if (targets_of(c, &opts, &targets) == 0 && targets_visit(c, &targets, visit, &x) == 0)
        printer_end(c, &x.printer);
    printer_release(&x.printer);
    return c->code;
}

const struct kubectl_verb kubectl_expose = {
    .name = "expose",
    .summary = "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service",
    .usage = "(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] "
             "[--name=name] [--external-ip=external-ip-of-service] [--type=type]",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = run,
};

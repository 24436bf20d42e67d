/* service.c - `create service clusterip|nodeport|loadbalancer|externalname`: one row each. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/create/creating.h"

#include <string.h>

/* "80", "80:8080", "80:http". NULL: told. */
static json_t *port_of(struct call *c, const char *text)
{
    const char *colon = strchr(text, ':');
    _auto_free_ char *first = xstrndup(text, strcspn(text, ":"));
    _auto_free_ char *name = colon ? xasprintf("%s-%s", first, colon + 1) : xstrdup(first);
    int64_t port, target;
    if (!str_to_i64(first, &port) || port < 1 || port > 65535) {
        call_fail(c,
                  str_to_i64(first, &port) ? "port %s is out of range"
                                           : "strconv.ParseInt: parsing \"%s\": invalid "
                                             "syntax",
                  first);
        return NULL;
    }
    json_t *row = json_pack("{s:s,s:I,s:s}", "name", name, "port", (json_int_t)port, "protocol", "TCP");
    if (!colon)
        json_object_set_new(row, "targetPort", json_integer(port));
    else if (str_to_i64(colon + 1, &target))
        json_object_set_new(row, "targetPort", json_integer(target));
    else
        json_object_set_new(row, "targetPort", json_string(colon + 1));
    return row;
}

static int make(struct call *c, const char *type, bool need_port, json_t **out)
{
    const char *name = creating_name(c);
    const struct strlist *tcp = call_list(c, "tcp");
    if (!name)
        return -1;
    if (need_port && tcp->len == 0)
        return call_fail(c, "at least one tcp port specifier must be provided"), -1;
    json_t *o = creating_object(c, "v1", "Service", name);
    jset_map(o, "metadata.labels", "app", name);
    for (size_t i = 0; i < tcp->len; i++) {
        json_t *port = port_of(c, tcp->items[i]);
        if (!port) {
            json_decref(o);
            return -1;
        }
        json_array_append_new(jmake_arr(o, "spec.ports"), port);
    }
    jset_map(o, "spec.selector", "app", name);
    jset_str(o, "spec.type", type);
    jset(o, "status.loadBalancer", json_object());
    *out = o;
    return 0;
}

static int clusterip_run(struct call *c)
{
    json_t *o;
    const char *ip = call_text(c, "clusterip");
    if (make(c, "ClusterIP", !str_eq(ip, "None"), &o) < 0)
        return c->code;
    if (*ip)
        jset_str(o, "spec.clusterIP", ip);
    return creating_send(c, o, "services", true, "failed to create ClusterIP service: ");
}

static int nodeport_run(struct call *c)
{
    json_t *o;
    if (make(c, "NodePort", true, &o) < 0)
        return c->code;
    if (call_int(c, "node-port"))
        json_object_set_new(json_array_get(jat(o, "spec.ports"), 0), "nodePort",
                            json_integer(call_int(c, "node-port")));
    return creating_send(c, o, "services", true, "failed to create NodePort service: ");
}

static int loadbalancer_run(struct call *c)
{
    json_t *o;
    if (make(c, "LoadBalancer", true, &o) < 0)
        return c->code;
    return creating_send(c, o, "services", true, "failed to create LoadBalancer service: ");
}

static int externalname_run(struct call *c)
{
    json_t *o;
    if (!creating_has(c, "external-name") || make(c, "ExternalName", false, &o) < 0)
        return c->code;
    jset_str(o, "spec.externalName", call_text(c, "external-name"));
    return creating_send(c, o, "services", true, "failed to create ExternalName service: ");
}

#define FLAGS_TCP                                                                                                      \
    {                                                                                                                  \
        "tcp", 0, FLAG_LIST, NULL, "port or port:targetPort; again for more"                                           \
    }

static const struct kubectl_flag clusterip_flags[] = {
    FLAGS_CREATE, FLAGS_TCP, {"clusterip", 0, FLAG_TEXT, NULL, "This address; None: headless"}, {0}};
static const struct kubectl_flag nodeport_flags[] = {
    FLAGS_CREATE, FLAGS_TCP, {"node-port", 0, FLAG_INT, "0", "The port on the nodes"}, {0}};
static const struct kubectl_flag loadbalancer_flags[] = {FLAGS_CREATE, FLAGS_TCP, {0}};
static const struct kubectl_flag externalname_flags[] = {
    FLAGS_CREATE, FLAGS_TCP, {"external-name", 0, FLAG_TEXT, NULL, "The name it stands for"}, {0}};

static const struct kubectl_verb rows[] = {
    {.name = "clusterip",
     .summary = "Create a ClusterIP service",
     .usage = "NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none] [options]",
     .flags = clusterip_flags,
     .takes = TAKES_NAME,
     .run = clusterip_run},
    {.name = "externalname",
     .summary = "Create an ExternalName service",
     .usage = "NAME --external-name external.name [--dry-run=server|client|none] [options]",
     .flags = externalname_flags,
     .takes = TAKES_NAME,
     .run = externalname_run},
    {.name = "loadbalancer",
     .summary = "Create a LoadBalancer service",
     .usage = "NAME [--tcp=port:targetPort] [--dry-run=server|client|none] [options]",
     .flags = loadbalancer_flags,
     .takes = TAKES_NAME,
     .run = loadbalancer_run},
    {.name = "nodeport",
     .summary = "Create a NodePort service",
     .usage = "NAME [--tcp=port:targetPort] [--dry-run=server|client|none] [options]",
     .flags = nodeport_flags,
     .takes = TAKES_NAME,
     .run = nodeport_run},
};
static const struct kubectl_verb *const subs[] = {&rows[0], &rows[1], &rows[2], &rows[3], NULL};

const struct kubectl_verb kubectl_create_service = {
    .name = "service",
    .aliases = "svc",
    .summary = "Create a service using a specified subcommand",
    .usage = "[flags] [options]",
    .subs = subs,
};

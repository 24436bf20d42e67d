/* ingress_loop.c - what ingress-nginx does: ingresses become the table of the proxy (ingress/ingress.h), and are told
 * the address on which it listens.
 *
 * DESIGN: one key, "table". It serves ingresses whose class names the controller k8s.io/ingress-nginx, those of the old
 * annotation "nginx", and those without a class. Backends are the ready endpoints of services, not their addresses. Of
 * ingresses that say the same the oldest counts. Annotations that are honoured: rewrite-target, use-regex,
 * ssl-redirect, force-ssl-redirect (nginx.ingress.kubernetes.io/…).
 *
 * Where pods are only remembered nothing listens; the address is told all the same, as the rest of the cluster is.
 *
 * THREADS: the loop thread. */
#include "kubeletsim/proxy_int.h"

#include "api/base64.h"
#include "control/loopback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE      "table"
#define CONTROLLER "k8s.io/ingress-nginx"
#define OLD_CLASS  "kubernetes.io/ingress.class"
#define ANNOTATION "nginx.ingress.kubernetes.io/"
#define GATHER     20 /* ms that changes are gathered for */

/* -- which -- */

static bool is_ours(struct loop *l, const json_t *ingress)
{
    const char *class = jstr(ingress, "spec.ingressClassName");
    const char *old = jmap(ingress, "metadata.annotations", OLD_CLASS);
    if (!class)
        return !old || str_eq(old, "nginx");
    _auto_sobj_ struct sobj *o = reg_read(loop_registry(l), RES.ingressclasses, "", class);
    return o && str_eq(jstr(o->tree, "spec.controller"), CONTROLLER);
}

static const char *annotation(const json_t *ingress, const char *name)
{
    char key[96];
    snprintf(key, sizeof key, ANNOTATION "%s", name);
    return jmap(ingress, "metadata.annotations", key);
}

static int by_age(const void *pa, const void *pb)
{
    const json_t *a = *(const json_t *const *)pa, *b = *(const json_t *const *)pb;
    const int age = strcmp(jstr_or(a, "metadata.creationTimestamp", ""), jstr_or(b, "metadata.creationTimestamp", ""));
    const int ns = age ? age : strcmp(obj_ns(a), obj_ns(b));
    return ns ? ns : strcmp(obj_name(a), obj_name(b));
}

/* -- the table -- */

/* The name of the service port that a backend means, or NULL. */
static const char *port_name(const json_t *service, const json_t *backend)
{
    const char *name = jstr_or(backend, "port.name", "");
    const int64_t number = jint(backend, "port.number", 0);
    size_t i;
    const json_t *port;
    json_array_foreach(jat(service, "spec.ports"), i, port)
    {
        if (*name ? str_eq(jstr(port, "name"), name) : jint(port, "port", 0) == number)
            return jstr_or(port, "name", "");
    }
    return NULL;
}

/* Ready endpoints, "ip:port". Returns new. */
static json_t *targets_of(const struct proxy_view *v, const char *ns, const json_t *backend)
{
    json_t *targets = json_array();
    const struct sobj *service = objlist_find(&v->services, ns, jstr_or(backend, "name", ""));
    const char *port = service ? port_name(service->tree, backend) : NULL;
    const json_t *slice, *endpoint, *address;
    for (size_t s = 0; port && (slice = proxy_slice(v, service, s)); s++) {
        const int64_t number = proxy_slice_port(slice, port);
        size_t i, j;
        json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
        {
            json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
            {
                if (number && proxy_endpoint_ready(endpoint))
                    json_array_append_new(targets, json_sprintf("%s:%d", json_string_value(address), (int)number));
            }
        }
    }
    return targets;
}

static json_t *add_rule(const struct proxy_view *v, json_t *rules, const json_t *ingress, const char *host,
                        const json_t *backend)
{
    json_t *rule = json_pack("{s:s, s:o}", "host", host, "targets",
                             targets_of(v, obj_ns(ingress), json_object_get(backend, "service")));
    json_array_append_new(rules, rule);
    return rule;
}

static void add_paths(const struct proxy_view *v, json_t *rules, const json_t *ingress, const json_t *from)
{
    const char *rewrite = annotation(ingress, "rewrite-target"), *host = jstr_or(from, "host", "");
    const bool regex = str_eq(annotation(ingress, "use-regex"), "true");
    size_t i;
    const json_t *path;
    json_array_foreach(jat(from, "http.paths"), i, path)
    {
        json_t *rule = add_rule(v, rules, ingress, host, json_object_get(path, "backend"));
        jset_str(rule, "path", jstr_or(path, "path", "/"));
        jset_str(rule, "type", jstr_or(path, "pathType", "Prefix"));
        if (rewrite)
            jset_str(rule, "rewrite", rewrite);
        if (regex)
            jset_bool(rule, "regex", true);
    }
    if (jat(ingress, "spec.defaultBackend"))
        jset_bool(add_rule(v, rules, ingress, host, jat(ingress, "spec.defaultBackend")), "fallback", true);
}

/* The decoded entry of a Secret; returns new, or NULL. */
static char *secret_text(const json_t *secret, const char *key)
{
    const char *encoded = jmap(secret, "data", key);
    size_t at;
    _auto_buf_ struct buf out = BUF_INIT;
    if (!encoded || base64_decode(encoded, strlen(encoded), &out, &at) < 0)
        return NULL;
    return xstrndup(out.data ? out.data : "", out.len);
}

static void add_tls(struct loop *l, json_t *tls, const json_t *ingress, const json_t *entry)
{
    _auto_sobj_ struct sobj *secret =
        reg_read(loop_registry(l), RES.secrets, obj_ns(ingress), jstr_or(entry, "secretName", ""));
    _auto_free_ char *cert = secret ? secret_text(secret->tree, "tls.crt") : NULL;
    _auto_free_ char *key = secret ? secret_text(secret->tree, "tls.key") : NULL;
    const bool redirect = !str_eq(annotation(ingress, "ssl-redirect"), "false") ||
                          str_eq(annotation(ingress, "force-ssl-redirect"), "true");
    json_t *hosts = json_object_get(entry, "hosts") ? json_deep_copy(json_object_get(entry, "hosts")) : json_array();
    json_array_append_new(tls, json_pack("{s:o, s:s, s:s, s:b}", "hosts", hosts, "cert", cert ? cert : "", "key",
                                         key ? key : "", "redirect", (int)redirect));
}

static void add_ingress(struct loop *l, const struct proxy_view *v, json_t *table, const json_t *ingress)
{
    json_t *rules = json_object_get(table, "rules"), *tls = json_object_get(table, "tls");
    size_t i;
    const json_t *item;
    json_array_foreach(jat(ingress, "spec.rules"), i, item) add_paths(v, rules, ingress, item);
    if (!json_array_size(jat(ingress, "spec.rules")) && jat(ingress, "spec.defaultBackend"))
        jset_bool(add_rule(v, rules, ingress, "", jat(ingress, "spec.defaultBackend")), "fallback", true);
    json_array_foreach(jat(ingress, "spec.tls"), i, item) add_tls(l, tls, ingress, item);
}

/* -- what ingresses are told -- */

static int put_address(json_t *ingress, void *arg, struct err *e _unused_)
{
    const char *ip = arg;
    if (str_eq(jstr(json_array_get(jat(ingress, "status.loadBalancer.ingress"), 0), "ip"), ip))
        return 0;
    jset(ingress, "status.loadBalancer", json_pack("{s:[{s:s}]}", "ingress", "ip", ip));
    return 1;
}

static void tell(struct loop *l, const json_t *ingress, char *ip)
{
    struct err e = ERR_INIT;
    if (str_eq(jstr(json_array_get(jat(ingress, "status.loadBalancer.ingress"), 0), "ip"), ip))
        return;
    if (reg_modify(loop_registry(l), "nginx-ingress-controller", RES.ingresses, obj_ns(ingress), obj_name(ingress),
                   "status", put_address, ip, &e) == 0)
        loop_event(l, ingress, EVENT_NORMAL, "Sync", "Scheduled for sync");
}

/* -- the loop -- */

static int reconcile(struct loop *l, const char *ns _unused_, const char *name _unused_, struct err *e _unused_)
{
    struct kubelet *k = loop_env(l);
    struct proxy_view v;
    char ip[LOOPBACK_LEN];
    _auto_objlist_ struct objlist all = {0};
    json_t *table = json_pack("{s:[], s:[]}", "rules", "tls");
    loopback_address(loop_registry(l), LOOPBACK_INGRESS, ip);
    objlist_load(&all, loop_registry(l), RES.ingresses->bucket, NULL);
    if (all.len)
        qsort(all.trees, all.len, sizeof *all.trees, by_age);
    proxy_view_load(&v, k);
    for (size_t i = 0; i < all.len; i++) {
        if (!is_ours(l, all.trees[i]))
            continue;
        add_ingress(l, &v, table, all.trees[i]);
        tell(l, all.trees[i], ip);
    }
    proxy_view_release(&v);
    if (k->ingress)
        ingress_set(k->ingress, table);
    else
        json_decref(table);
    return 0;
}

static void own_change(struct loop *l, const struct watch_event *ev _unused_)
{
    loop_enqueue_after(l, "", TABLE, GATHER);
}

/* Of services, endpoints and secrets, while there is an ingress. */
static void other_change(struct loop *l, const struct watch_event *ev)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.ingresses->bucket, ev->obj->ns);
    if (all.len)
        own_change(l, ev);
}

static int dial(void *arg, const char *ip, uint16_t port)
{
    struct kubelet *k = arg;
    struct err e = ERR_INIT;
    int fd = -1;
    return k->m->ops->dial_ip(k->m, ip, port, &fd, &e) < 0 ? -1 : fd;
}

/* On the usual ports; another program that listens everywhere may have them. */
static bool open_proxy(struct kubelet *k, struct kubelet_net *net, const char *ip, struct err *e)
{
    static const uint16_t ports[][2] = {{80, 443}, {8080, 8443}, {18080, 18443}};
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        const struct ingress_conf conf = {ip, ports[i][0], ports[i][1], dial, k};
        err_clear(e);
        if (ingress_open(&conf, &k->ingress, e) < 0)
            continue;
        snprintf(net->ingress, sizeof net->ingress, "%s", ip);
        snprintf(net->ingress_tls, sizeof net->ingress_tls, "%s", ip);
        if (i) {
            snprintf(net->ingress, sizeof net->ingress, "%s:%u", ip, ports[i][0]);
            snprintf(net->ingress_tls, sizeof net->ingress_tls, "%s:%u", ip, ports[i][1]);
        }
        return true;
    }
    return false;
}

static int start(struct loop *l, struct err *e)
{
    struct kubelet *k = loop_env(l);
    struct kubelet_net net = {0};
    char ip[LOOPBACK_LEN];
    loopback_address(loop_registry(l), LOOPBACK_INGRESS, ip);
    if (!k->info.simulated && !open_proxy(k, &net, ip, e)) {
        snprintf(net.ingress_why, sizeof net.ingress_why, "%s", e->msg);
        err_clear(e); /* the rest of the cluster does without */
    }
    pthread_mutex_lock(&k->mu);
    k->net = net;
    pthread_mutex_unlock(&k->mu);
    return 0;
}

static const struct loop_watch watches[] = {
    {"ingresses.networking.k8s.io", own_change},
    {"ingressclasses.networking.k8s.io", own_change},
    {"services", other_change},
    {"endpointslices.discovery.k8s.io", other_change},
    {"secrets", other_change},
    {NULL, NULL},
};

const struct loop_def ingress_loop_def = {
    .name = "ingress-nginx",
    .component = "nginx-ingress-controller",
    .watches = watches,
    .start = start,
    .reconcile = reconcile,
    .max_backoff_ms = 10000,
};

/* ingress.c - `create ingress`: --rule=host/path=service:port[,tls[=secret]]. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/create/creating.h"

#include <string.h>

/* {"service":{"name":"web","port":{"number":80}}}. NULL: it is no service:port. */
static json_t *backend_of(const char *text, size_t n)
{
    const char *colon = memchr(text, ':', n);
    int64_t number;
    if (!colon)
        return NULL;
    _auto_free_ char *service = xstrndup(text, (size_t)(colon - text));
    _auto_free_ char *port = xstrndup(colon + 1, n - (size_t)(colon - text) - 1);
    json_t *of_port =
        str_to_i64(port, &number) ? json_pack("{s:I}", "number", (json_int_t)number) : json_pack("{s:s}", "name", port);
    return json_pack("{s:{s:s,s:o}}", "service", "name", service, "port", of_port);
}

/* The rule of a host; made when there is none. */
static json_t *paths_of(json_t *rules, const char *host)
{
    size_t i;
    json_t *rule;
    json_array_foreach(rules, i, rule) if (str_eq(jstr_or(rule, "host", ""), host)) return jat(rule, "http.paths");
    rule = json_pack("{s:{s:[]}}", "http", "paths");
    if (*host)
        jset_str(rule, "host", host);
    json_array_append_new(rules, rule);
    return jat(rule, "http.paths");
}

static void put_tls(json_t *o, const char *text, const char *host)
{
    json_t *row = json_object();
    if (*host)
        json_object_set_new(row, "hosts", json_pack("[s]", host));
    if (text[3] == '=' && text[4])
        json_object_set_new(row, "secretName", json_string(text + 4));
    json_array_append_new(jmake_arr(o, "spec.tls"), row);
}

/* -1: it is no rule. */
static int read_rule(json_t *o, const char *text)
{
    const char *equal = strchr(text, '='), *slash = strchr(text, '/'), *comma = equal ? strchr(equal, ',') : NULL;
    if (!equal)
        return -1;
    const size_t host_len = slash && slash < equal ? (size_t)(slash - text) : (size_t)(equal - text);
    _auto_free_ char *host = xstrndup(text, host_len);
    _auto_free_ char *path = xstrndup(text + host_len, (size_t)(equal - text) - host_len);
    json_t *backend = backend_of(equal + 1, comma ? (size_t)(comma - equal) - 1 : strlen(equal + 1));
    if (!backend)
        return -1;
    const size_t n = strlen(path);
    const bool prefix = n && path[n - 1] == '*';
    if (prefix)
        path[n - 1] = '\0';
    json_array_append_new(paths_of(jmake_arr(o, "spec.rules"), host),
                          json_pack("{s:o,s:s,s:s}", "backend", backend, "path", *path ? path : "/", "pathType",
                                    prefix ? "Prefix" : "Exact"));
    if (comma && str_starts(comma + 1, "tls"))
        put_tls(o, comma + 1, host);
    return 0;
}

static int fill(struct call *c, json_t *o)
{
    const struct strlist *rules = call_list(c, "rule"), *notes = call_list(c, "annotation");
    const char *dflt = call_text(c, "default-backend");
    for (size_t i = 0; i < notes->len; i++) {
        const char *equal = strchr(notes->items[i], '=');
        if (!equal)
            return call_fail(c, "annotation %s is invalid and should be in format key=[value]", notes->items[i]), -1;
        _auto_free_ char *key = xstrndup(notes->items[i], (size_t)(equal - notes->items[i]));
        jset_map(o, "metadata.annotations", key, equal + 1);
    }
    if (*call_text(c, "class"))
        jset_str(o, "spec.ingressClassName", call_text(c, "class"));
    if (*dflt) {
        json_t *backend = backend_of(dflt, strlen(dflt));
        if (!backend)
            return call_fail(c, "default-backend should be in format servicename:serviceport"), -1;
        jset(o, "spec.defaultBackend", backend);
    }
    for (size_t i = 0; i < rules->len; i++)
        if (read_rule(o, rules->items[i]) < 0)
            return call_fail(c, "rule %s is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]",
                             rules->items[i]),
                   -1;
    return 0;
}

static int ingress_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name)
        return c->code;
    if (call_list(c, "rule")->len == 0 && !*call_text(c, "default-backend"))
        return call_fail(c, "not enough information provided: every ingress has to either specify a default-backend "
                            "(which catches all traffic) or a list of rules (which catch specific paths)");
    json_t *o = creating_object(c, "networking.k8s.io/v1", "Ingress", name);
    if (fill(c, o) < 0) {
        json_decref(o);
        return c->code;
    }
    jset(o, "status.loadBalancer", json_object());
    return creating_send(c, o, "ingresses", true, "failed to create ingress: ");
}

static const struct kubectl_flag flags[] = {
    FLAGS_CREATE,
    {"rule", 0, FLAG_ARRAY, NULL, "host/path=service:port[,tls[=secret]]"},
    {"class", 0, FLAG_TEXT, NULL, "The ingress class"},
    {"default-backend", 0, FLAG_TEXT, NULL, "service:port for everything else"},
    {"annotation", 0, FLAG_ARRAY, NULL, "key=value"},
    {0},
};

const struct kubectl_verb kubectl_create_ingress = {
    .name = "ingress",
    .aliases = "ing",
    .summary = "Create an ingress with the specified name",
    .usage = "NAME --rule=host/path=service:port[,tls[=secret]] [options]",
    .flags = flags,
    .takes = TAKES_NAME,
    .run = ingress_run,
};

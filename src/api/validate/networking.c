/* networking.c - ingresses and their classes.
 *
 * DESIGN: a rule whose host is malformed is still looked into; a path without a type is not, as nothing about it can be
 * said. THREADS: pure functions. Source: pkg/apis/networking/validation. */
#include "api/validate/kinds_int.h"

#include <arpa/inet.h>

#define SPEC FIELD(NULL, "spec")

/* -- hosts -- */

static void rule_wildcard_host(const char *s, struct msgs *out)
{
    struct msgs inner = {.len = 0};
    if (s[0] == '*' && s[1] == '.')
        rule_subdomain(s + 2, &inner);
    if (s[0] == '*' && s[1] == '.' && inner.len == 0)
        return;
    out->text[out->len++] =
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
        "regex used for validation is "
        "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

static void host_check(const struct change *c, const struct vpath *p, const char *host)
{
    unsigned char bytes[16];
    if (inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1)
        v_invalid(c->errs, p, host, "must be a DNS name, not an IP address");
    v_name(c->errs, p, host, strchr(host, '*') ? rule_wildcard_host : rule_subdomain);
}

static void tls_check(const struct change *c, const struct vpath *p, const json_t *tls)
{
    const json_t *hosts = vget(tls, "hosts");
    const struct vpath *hosts_at = FIELD(p, "hosts");
    const char *secret = vstr(tls, "secretName");
    for (size_t i = 0; i < json_array_size(hosts); i++)
        v_name(c->errs, ITEM(hosts_at, i), vitem(hosts, i),
               strchr(vitem(hosts, i), '*') ? rule_wildcard_host : rule_subdomain);
    if (secret[0] != '\0')
        v_name(c->errs, FIELD(p, "secretName"), secret, rule_subdomain);
}

/* -- backends -- */

static void resource_check(const struct change *c, const struct vpath *p, const json_t *ref)
{
    if (vhas(ref, "apiGroup"))
        v_name(c->errs, FIELD(p, "apiGroup"), vstr(ref, "apiGroup"), rule_subdomain);
    v_required_str(c->errs, p, ref, "kind");
    v_required_str(c->errs, p, ref, "name");
}

static void service_check(const struct change *c, const struct vpath *p, const json_t *service)
{
    const struct vpath *service_at = FIELD(p, "service"), *port_at = FIELD(service_at, "port");
    const json_t *port = vget(service, "port");
    const char *name = vstr(service, "name"), *port_name = vstr(port, "name");
    const int64_t number = vint(port, "number");
    if (name[0] == '\0')
        v_required(c->errs, FIELD(service_at, "name"), NULL);
    else
        v_name(c->errs, FIELD(service_at, "name"), name, rule_dns1035);
    if (port_name[0] != '\0' && number != 0)
        v_invalid(c->errs, p, "", "cannot set both port name & port number");
    else if (port_name[0] != '\0')
        v_name(c->errs, FIELD(port_at, "name"), port_name, rule_port_name);
    else if (number != 0)
        v_port(c->errs, FIELD(port_at, "number"), number);
    else
        v_required(c->errs, p, "port name or number is required");
}

static void backend_check(const struct change *c, const struct vpath *p, const json_t *backend)
{
    const json_t *resource = vget(backend, "resource"), *service = vget(backend, "service");
    if (resource != NULL && service != NULL)
        v_invalid(c->errs, p, "", "cannot set both resource and service backends");
    else if (resource != NULL)
        resource_check(c, FIELD(p, "resource"), resource);
    else if (service != NULL)
        service_check(c, p, service);
    else
        v_invalid(c->errs, p, "", "resource or service backend is required");
}

/* -- paths -- */

static void path_text_check(const struct change *c, const struct vpath *p, const char *path)
{
    static const char *const parts[] = {"//", "/./", "/../", "%2f", "%2F"};
    static const char *const ends[] = {"/..", "/."};
    const size_t len = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (strstr(path, parts[i]) == NULL)
            continue;
        _auto_free_ char *why = xasprintf("must not contain '%s'", parts[i]);
        v_invalid(c->errs, p, path, why);
    }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        const size_t end = strlen(ends[i]);
        if (len < end || strcmp(path + len - end, ends[i]) != 0)
            continue;
        _auto_free_ char *why = xasprintf("cannot end with '%s'", ends[i]);
        v_invalid(c->errs, p, path, why);
    }
}

static void path_check(const struct change *c, const struct vpath *p, const json_t *path)
{
    static const char *const types[] = {"Exact", "ImplementationSpecific", "Prefix", NULL};
    const struct vpath *type_at = FIELD(p, "pathType"), *path_at = FIELD(p, "path");
    const char *type = vstr(path, "pathType"), *text = vstr(path, "path");
    if (!vhas(path, "pathType")) {
        v_required(c->errs, type_at, "pathType must be specified");
        return;
    }
    const bool own = strcmp(type, "ImplementationSpecific") == 0;
    if (!one_of(type, types)) {
        v_unsupported(c->errs, type_at, type, types);
    } else if (text[0] != '/') {
        if (!own || text[0] != '\0')
            v_invalid(c->errs, path_at, text, "must be an absolute path");
    }
    if (one_of(type, types) && !own && text[0] != '\0')
        path_text_check(c, path_at, text);
    backend_check(c, FIELD(p, "backend"), vget(path, "backend"));
}

static void rule_check(const struct change *c, const struct vpath *p, const json_t *rule)
{
    const json_t *http = vget(rule, "http"), *paths = vget(http, "paths");
    const struct vpath *paths_at = FIELD(FIELD(p, "http"), "paths");
    size_t i;
    json_t *path;
    if (vstr(rule, "host")[0] != '\0')
        host_check(c, FIELD(p, "host"), vstr(rule, "host"));
    if (http != NULL && json_array_size(paths) == 0)
        v_required(c->errs, paths_at, NULL);
    json_array_foreach(paths, i, path) path_check(c, ITEM(paths_at, i), path);
}

/* -- ingresses -- */

static void spec_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec"), *rules = vget(spec, "rules");
    const struct vpath *rules_at = FIELD(SPEC, "rules"), *tls_at = FIELD(SPEC, "tls");
    size_t i;
    json_t *item;
    if (json_array_size(rules) == 0 && !vhas(spec, "defaultBackend"))
        v_invalid_go(c->errs, SPEC, go_list_text("networking.IngressRule", rules),
                     "either `defaultBackend` or `rules` must be specified");
    if (vhas(spec, "defaultBackend"))
        backend_check(c, FIELD(SPEC, "defaultBackend"), vget(spec, "defaultBackend"));
    json_array_foreach(rules, i, item) rule_check(c, ITEM(rules_at, i), item);
    json_array_foreach(vget(spec, "tls"), i, item) tls_check(c, ITEM(tls_at, i), item);
    if (vhas(spec, "ingressClassName"))
        v_name(c->errs, FIELD(SPEC, "ingressClassName"), vstr(spec, "ingressClassName"), rule_subdomain);
}

void ingress_create(const struct change *c)
{
    static const char annotation[] = "kubernetes.io/ingress.class";
    const char *old_way = jmap(c->obj, "metadata.annotations", annotation);
    change_meta_create(c);
    spec_check(c);
    if (old_way != NULL && vhas(vget(c->obj, "spec"), "ingressClassName"))
        v_invalid(c->errs, FIELD(FIELD(NULL, "annotations"), annotation), old_way,
                  "can not be set when the class field is also set");
}

static void status_check(const struct change *c)
{
    const json_t *list = jat(c->obj, "status.loadBalancer.ingress");
    const struct vpath *p = FIELD(FIELD(FIELD(NULL, "status"), "loadBalancer"), "ingress");
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (vstr(item, "ip")[0] != '\0')
            v_ip(c->errs, FIELD(ITEM(p, i), "ip"), vstr(item, "ip"));
        if (vstr(item, "hostname")[0] != '\0')
            v_name(c->errs, FIELD(ITEM(p, i), "hostname"), vstr(item, "hostname"), rule_subdomain);
    }
}

void ingress_update(const struct change *c)
{
    change_meta_update(c);
    if (strcmp(c->sub, "status") == 0)
        status_check(c);
    else
        spec_check(c);
}

/* -- classes -- */

/* "acme.io/foo": a domain, a slash, a path. */
static void controller_check(const struct change *c, const struct vpath *p, const char *name)
{
    enum { MAX_NAME = 250 };
    const char *slash = strchr(name, '/');
    if (strlen(name) > MAX_NAME)
        v_too_long(c->errs, p, MAX_NAME);
    if (name[0] == '\0') {
        v_required(c->errs, p, NULL);
        return;
    }
    if (slash == NULL || slash == name || slash[1] == '\0') {
        v_invalid(c->errs, p, name, "must be a domain-prefixed path (such as \"acme.io/foo\")");
        return;
    }
    _auto_free_ char *domain = xstrndup(name, (size_t)(slash - name));
    v_name(c->errs, p, domain, rule_subdomain);
}

static void class_spec_check(const struct change *c)
{
    static const char *const scopes[] = {"Cluster", "Namespace", NULL};
    const json_t *spec = vget(c->obj, "spec"), *parameters = vget(spec, "parameters");
    const struct vpath *p = FIELD(SPEC, "parameters");
    controller_check(c, FIELD(SPEC, "controller"), vstr(spec, "controller"));
    if (parameters == NULL)
        return;
    const char *scope = vstr(parameters, "scope");
    resource_check(c, p, parameters);
    v_choice(c->errs, FIELD(p, "scope"), scope, scopes);
    if (strcmp(scope, "Namespace") == 0 && !vhas(parameters, "namespace"))
        v_required(c->errs, FIELD(p, "namespace"), "`parameters.scope` is set to 'Namespace'");
    if (strcmp(scope, "Cluster") == 0 && vhas(parameters, "namespace"))
        v_forbidden(c->errs, FIELD(p, "namespace"), "`parameters.scope` is set to 'Cluster'");
}

void ingress_class_create(const struct change *c)
{
    change_meta_create(c);
    class_spec_check(c);
}

void ingress_class_update(const struct change *c)
{
    change_meta_update(c);
    class_spec_check(c);
    v_immutable_str(c->errs, FIELD(SPEC, "controller"), vstr(vget(c->obj, "spec"), "controller"),
                    vstr(vget(c->old, "spec"), "controller"));
}

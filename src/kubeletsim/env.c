/* env.c - a container's environment: image, services, envFrom, env; $(VAR) expansion.
 *
 * DESIGN: two lists. `own` is what Kubernetes defines: services, then envFrom, then env; $(VAR) sees only that. `whole`
 * is what the process gets: the image's variables and the runtime's, with `own` over them. In both a later entry of a
 * name replaces an earlier one.
 *
 * THREADS: workers. Source: pkg/kubelet/kubelet_pods.go makeEnvironmentVariables, envvars/envvars.go,
 * third_party/forked/golang/expansion. */
#include "kubeletsim/pod_int.h"

#include "api/base64.h"
#include "base/buf.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the lists -- */

void env_release(struct env *env)
{
    strlist_release(&env->own);
    strlist_release(&env->whole);
}

static size_t env_find(const struct strlist *env, const char *name, size_t n)
{
    for (size_t i = 0; i < env->len; i++)
        if (strncmp(env->items[i], name, n) == 0 && env->items[i][n] == '=')
            return i;
    return env->len;
}

static const char *env_get(const struct strlist *env, const char *name, size_t n)
{
    size_t at = env_find(env, name, n);
    return at < env->len ? env->items[at] + n + 1 : NULL;
}

/* entry: "NAME=value". */
static void env_put(struct strlist *env, char *take_entry)
{
    size_t at = env_find(env, take_entry, strcspn(take_entry, "="));
    if (at == env->len) {
        strlist_take(env, take_entry);
        return;
    }
    free(env->items[at]);
    env->items[at] = take_entry;
}

__attribute__((format(printf, 3, 4))) static void env_set(struct strlist *env, const char *name, const char *fmt, ...)
{
    _auto_buf_ struct buf entry = BUF_INIT;
    va_list ap;
    buf_addf(&entry, "%s=", name);
    va_start(ap, fmt);
    buf_addv(&entry, fmt, ap);
    va_end(ap);
    env_put(env, buf_steal(&entry, NULL));
}

/* -- $(VAR) -- */

/* Calls for each piece of the text: plain ones with name = NULL. */
static void expand(const char *text, void (*piece)(void *arg, const char *text, size_t n, bool is_name), void *arg)
{
    while (*text) {
        const char *end = text[0] == '$' && text[1] == '(' ? strchr(text, ')') : NULL;
        if (text[0] == '$' && text[1] == '$') {
            piece(arg, "$", 1, false);
            text += 2;
        } else if (end) {
            piece(arg, text + 2, (size_t)(end - text - 2), true);
            text = end + 1;
        } else {
            piece(arg, text++, 1, false);
        }
    }
}

struct expansion {
    const struct strlist *env;
    struct buf out;
    struct strlist missing;
};

static void expand_piece(void *arg, const char *text, size_t n, bool is_name)
{
    struct expansion *x = arg;
    const char *value = is_name ? env_get(x->env, text, n) : NULL;
    if (is_name && str_empty(value)) {
        _auto_free_ char *name = xstrndup(text, n);
        if (!strlist_has(&x->missing, name))
            strlist_add(&x->missing, name);
    }
    if (value)
        buf_adds(&x->out, value);
    else if (is_name)
        buf_addf(&x->out, "$(%.*s)", (int)n, text);
    else
        buf_add(&x->out, text, n);
}

char *env_expand(const char *text, const struct strlist *env)
{
    struct expansion x = {.env = env};
    expand(text, expand_piece, &x);
    strlist_release(&x.missing);
    return buf_steal(&x.out, NULL);
}

int env_expand_strict(const char *text, const struct strlist *env, char **out, struct err *e)
{
    struct expansion x = {.env = env};
    expand(text, expand_piece, &x);
    _auto_strlist_ struct strlist missing = x.missing;
    if (missing.len == 0) {
        *out = buf_steal(&x.out, NULL);
        return 0;
    }
    buf_release(&x.out);
    strlist_sort(&missing);
    _auto_free_ char *names = strlist_join(&missing, ", ");
    return err_set(e, ERR_INVALID, "missing value for %s", names);
}

/* -- services -- */

/* "my-svc" -> "MY_SVC". Returns new. */
static char *env_name(const char *name)
{
    char *out = xstrdup(name);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return out;
}

static void add_service_port(struct strlist *env, const char *prefix, const char *ip, const json_t *port)
{
    const char *protocol = jstr_or(port, "protocol", "TCP");
    int number = (int)jint(port, "port", 0);
    _auto_free_ char *proto = xstrdup(protocol);
    for (char *c = proto; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    _auto_free_ char *base = xasprintf("%s_PORT_%d_%s", prefix, number, protocol);
    _auto_free_ char *base_proto = xasprintf("%s_PROTO", base);
    _auto_free_ char *base_port = xasprintf("%s_PORT", base);
    _auto_free_ char *base_addr = xasprintf("%s_ADDR", base);
    env_set(env, base, "%s://%s:%d", proto, ip, number);
    env_set(env, base_proto, "%s", proto);
    env_set(env, base_port, "%d", number);
    env_set(env, base_addr, "%s", ip);
    if (str_empty(jstr(port, "name")))
        return;
    _auto_free_ char *name = env_name(jstr(port, "name"));
    _auto_free_ char *key = xasprintf("%s_SERVICE_PORT_%s", prefix, name);
    env_set(env, key, "%d", number);
}

static void add_service(struct strlist *env, const json_t *svc, const char *name)
{
    const char *ip = jstr(svc, "spec.clusterIP");
    const json_t *ports = jat(svc, "spec.ports"), *first = json_array_get(ports, 0), *port;
    if (str_empty(ip) || str_eq(ip, "None") || !first)
        return;
    _auto_free_ char *prefix = env_name(name);
    _auto_free_ char *host_key = xasprintf("%s_SERVICE_HOST", prefix);
    _auto_free_ char *port_key = xasprintf("%s_SERVICE_PORT", prefix);
    _auto_free_ char *link_key = xasprintf("%s_PORT", prefix);
    bool udp = str_eq(jstr(first, "protocol"), "UDP");
    env_set(env, host_key, "%s", ip);
    env_set(env, port_key, "%d", (int)jint(first, "port", 0));
    env_set(env, link_key, "%s://%s:%d", udp ? "udp" : "tcp", ip, (int)jint(first, "port", 0));
    size_t i;
    json_array_foreach(ports, i, port)
    {
        add_service_port(env, prefix, ip, port);
    }
}

static int visit_service(struct sobj *obj, void *arg)
{
    add_service(arg, obj->tree, obj->name);
    return 0;
}

static void add_services(struct pod_run *p, struct strlist *env)
{
    struct registry *r = p->k->conf.registry;
    if (jbool(pod_tree(p), "spec.enableServiceLinks", true)) {
        struct snapshot *snap = reg_snapshot(r);
        snapshot_scan(snap, RES.services->bucket, p->ns, NULL, NULL, visit_service, env);
        snapshot_unref(snap);
    }
    _auto_sobj_ struct sobj *api = reg_read(r, RES.services, "default", "kubernetes");
    if (api && !env_get(env, "KUBERNETES_SERVICE_HOST", strlen("KUBERNETES_SERVICE_HOST")))
        add_service(env, api->tree, "kubernetes");
}

/* -- envFrom and env -- */

static int data_of(struct pod_run *p, bool secret, const json_t *ref, struct sobj **out, struct err *e)
{
    const char *name = jstr_or(ref, "name", "");
    *out = reg_read(p->k->conf.registry, secret ? RES.secrets : RES.configmaps, p->ns, name);
    if (!*out && !jbool(ref, "optional", false))
        return err_set(e, ERR_NOT_FOUND, "%s \"%s\" not found", secret ? "secret" : "configmap", name);
    return 0;
}

/* Returns new text; of a secret what its base64 stands for. */
static char *plain_value(bool secret, const json_t *value)
{
    const char *text = json_string_value(value) ? json_string_value(value) : "";
    if (!secret)
        return xstrdup(text);
    struct buf out = BUF_INIT;
    size_t at;
    base64_decode(text, strlen(text), &out, &at);
    return buf_steal(&out, NULL);
}

static int add_from(struct pod_run *p, const json_t *from, struct strlist *env, struct err *e)
{
    bool secret = json_object_get(from, "secretRef") != NULL;
    const json_t *ref = json_object_get(from, secret ? "secretRef" : "configMapRef");
    _auto_sobj_ struct sobj *obj = NULL;
    if (data_of(p, secret, ref, &obj, e) < 0)
        return -1;
    const char *key;
    json_t *value;
    json_object_foreach(obj ? json_object_get(obj->tree, "data") : NULL, key, value)
    {
        _auto_free_ char *name = xasprintf("%s%s", jstr_or(from, "prefix", ""), key);
        _auto_free_ char *text = plain_value(secret, value);
        env_set(env, name, "%s", text);
    }
    return 0;
}

static int add_key_ref(struct pod_run *p, const char *name, const json_t *ref, bool secret, struct strlist *env,
                       struct err *e)
{
    _auto_sobj_ struct sobj *obj = NULL;
    const char *key = jstr_or(ref, "key", "");
    if (data_of(p, secret, ref, &obj, e) < 0)
        return -1;
    const json_t *value = obj ? json_object_get(json_object_get(obj->tree, "data"), key) : NULL;
    if (!value && jbool(ref, "optional", false))
        return 0;
    if (!value)
        return err_set(e, ERR_NOT_FOUND, "couldn't find key %s in %s %s/%s", key, secret ? "Secret" : "ConfigMap",
                       p->ns, jstr_or(ref, "name", ""));
    _auto_free_ char *text = plain_value(secret, value);
    env_set(env, name, "%s", text);
    return 0;
}

static int add_variable(struct pod_run *p, const json_t *container, const json_t *var, struct strlist *env,
                        struct err *e)
{
    const char *name = jstr_or(var, "name", "");
    const json_t *from = json_object_get(var, "valueFrom");
    if (!from) {
        _auto_free_ char *text = env_expand(jstr_or(var, "value", ""), env);
        env_set(env, name, "%s", text);
        return 0;
    }
    if (json_object_get(from, "configMapKeyRef"))
        return add_key_ref(p, name, json_object_get(from, "configMapKeyRef"), false, env, e);
    if (json_object_get(from, "secretKeyRef"))
        return add_key_ref(p, name, json_object_get(from, "secretKeyRef"), true, env, e);
    const char *field = jstr(from, "fieldRef.fieldPath");
    const json_t *res = json_object_get(from, "resourceFieldRef");
    const char *self = jstr_or(container, "name", "");
    _auto_free_ char *text =
        field ? field_value(p, field) : resource_value(p, res, jstr_or(res, "containerName", self));
    if (text)
        env_set(env, name, "%s", text);
    return 0;
}

static int build_own(struct pod_run *p, const json_t *container, struct strlist *env, struct err *e)
{
    size_t i;
    const json_t *item;
    add_services(p, env);
    json_array_foreach(json_object_get(container, "envFrom"), i, item)
    {
        if (add_from(p, item, env, e) < 0)
            return -1;
    }
    json_array_foreach(json_object_get(container, "env"), i, item)
    {
        if (add_variable(p, container, item, env, e) < 0)
            return -1;
    }
    return 0;
}

int env_build(struct pod_run *p, const json_t *container, const struct image *image, struct env *out, struct err *e)
{
    _auto_free_ char *hostname = pod_kernel_hostname(p);
    if (build_own(p, container, &out->own, e) < 0)
        return -1;
    strlist_add(&out->whole, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    for (const char *const *v = image->env; v && *v; v++)
        env_put(&out->whole, xstrdup(*v));
    env_set(&out->whole, "HOSTNAME", "%s", hostname);
    if (jbool(container, "tty", false))
        env_set(&out->whole, "TERM", "xterm");
    for (size_t i = 0; i < out->own.len; i++)
        env_put(&out->whole, xstrdup(out->own.items[i]));
    return 0;
}

/* env.c - a container's environment: image, services, envFrom, env; $(VAR) expansion; the downward API.
 *
 * DESIGN: the list keeps one entry a name, later ones replace earlier ones, as makeEnvironmentVariables does.
 * Source: pkg/kubelet/kubelet_pods.go, envvars/envvars.go, pkg/fieldpath. */
#include "kubeletsim/kubelet_int.h"

#include "api/base64.h"
#include "api/quantity.h"
#include "base/buf.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the list -- */

static void env_set(struct strlist *env, const char *name, const char *value)
{
    size_t n = strlen(name);
    char *entry = xasprintf("%s=%s", name, value);
    for (size_t i = 0; i < env->len; i++) {
        if (strncmp(env->items[i], name, n) == 0 && env->items[i][n] == '=') {
            free(env->items[i]);
            env->items[i] = entry;
            return;
        }
    }
    strlist_take(env, entry);
}

static const char *env_get(const struct strlist *env, const char *name, size_t n)
{
    for (size_t i = 0; i < env->len; i++)
        if (strncmp(env->items[i], name, n) == 0 && env->items[i][n] == '=')
            return env->items[i] + n + 1;
    return NULL;
}

char *env_expand(const char *text, const struct strlist *env)
{
    struct buf out = BUF_INIT;
    while (*text) {
        if (text[0] == '$' && text[1] == '$') {
            buf_addc(&out, '$');
            text += 2;
            continue;
        }
        const char *end = text[0] == '$' && text[1] == '(' ? strchr(text, ')') : NULL;
        if (!end) {
            buf_addc(&out, *text++);
            continue;
        }
        const char *value = env_get(env, text + 2, (size_t)(end - text - 2));
        if (value)
            buf_adds(&out, value);
        else
            buf_add(&out, text, (size_t)(end - text + 1));
        text = end + 1;
    }
    return buf_steal(&out, NULL);
}

/* -- services -- */

static void add_service(struct strlist *env, const json_t *svc, const char *name)
{
    const char *ip = jstr(svc, "spec.clusterIP");
    if (str_empty(ip) || str_eq(ip, "None"))
        return;
    char prefix[128];
    snprintf(prefix, sizeof prefix, "%s", name);
    for (char *c = prefix; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    size_t i;
    const json_t *port;
    json_array_foreach(jat(svc, "spec.ports"), i, port)
    {
        char key[256], value[256], proto[16];
        int number = (int)jint(port, "port", 0);
        const char *protocol = jstr_or(port, "protocol", "TCP");
        snprintf(proto, sizeof proto, "%s", protocol);
        for (char *c = proto; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (i == 0) {
            snprintf(key, sizeof key, "%s_SERVICE_HOST", prefix);
            env_set(env, key, ip);
            snprintf(key, sizeof key, "%s_SERVICE_PORT", prefix);
            snprintf(value, sizeof value, "%d", number);
            env_set(env, key, value);
            snprintf(key, sizeof key, "%s_PORT", prefix);
            snprintf(value, sizeof value, "%s://%s:%d", proto, ip, number);
            env_set(env, key, value);
        }
        const struct {
            const char *suffix;
            const char *text;
        } rows[] = {{"", NULL}, {"_PROTO", proto}, {"_PORT", NULL}, {"_ADDR", ip}};
        for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
            snprintf(key, sizeof key, "%s_PORT_%d_%s%s", prefix, number, protocol, rows[r].suffix);
            if (r == 0)
                snprintf(value, sizeof value, "%s://%s:%d", proto, ip, number);
            else if (rows[r].text)
                snprintf(value, sizeof value, "%s", rows[r].text);
            else
                snprintf(value, sizeof value, "%d", number);
            env_set(env, key, value);
        }
        if (jstr(port, "name")) {
            snprintf(key, sizeof key, "%s_SERVICE_PORT_%s", prefix, jstr(port, "name"));
            for (char *c = key; *c; c++)
                *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
            snprintf(value, sizeof value, "%d", number);
            env_set(env, key, value);
        }
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
    _auto_sobj_ struct sobj *api = reg_read(r, RES.services, "default", "kubernetes");
    if (api)
        add_service(env, api->tree, "kubernetes");
    if (!jbool(pod_tree(p), "spec.enableServiceLinks", true))
        return;
    struct snapshot *snap = reg_snapshot(r);
    snapshot_scan(snap, RES.services->bucket, p->ns, NULL, NULL, visit_service, env);
    snapshot_unref(snap);
}

/* -- downward API -- */

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* key="value" lines, sorted, no final newline. */
static char *format_map(const json_t *map)
{
    struct buf out = BUF_INIT;
    size_t n = json_object_size(map), i = 0;
    const char **keys = xcalloc(n, sizeof *keys);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
    {
        keys[i++] = key;
    }
    if (n > 1)
        qsort(keys, n, sizeof *keys, by_key);
    for (i = 0; i < n; i++) {
        const json_t *v = json_object_get(map, keys[i]);
        buf_addf(&out, "%s%s=", i ? "\n" : "", keys[i]);
        buf_add_quoted(&out, json_string_value(v) ? json_string_value(v) : "", json_string_length(v));
    }
    free(keys);
    return buf_steal(&out, NULL);
}

char *field_value(const struct pod_run *p, const char *path)
{
    const json_t *pod = pod_tree(p);
    static const char *const plain[] = {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                                        "spec.serviceAccountName"};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (str_eq(path, plain[i]))
            return xstrdup(jstr_or(pod, path, ""));
    if (str_eq(path, "status.podIP") || str_eq(path, "status.podIPs"))
        return xstrdup(p->ip);
    if (str_eq(path, "status.hostIP") || str_eq(path, "status.hostIPs"))
        return xstrdup(p->k->nodes[p->node].ip);
    static const char *const maps[] = {"metadata.labels", "metadata.annotations"};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        size_t n = strlen(maps[i]);
        if (str_eq(path, maps[i]))
            return format_map(jat(pod, maps[i]));
        if (strncmp(path, maps[i], n) == 0 && strncmp(path + n, "['", 2) == 0 && str_ends(path, "']")) {
            _auto_free_ char *key = xstrndup(path + n + 2, strlen(path) - n - 4);
            const char *v = jmap(pod, maps[i], key);
            return xstrdup(v ? v : "");
        }
    }
    return NULL;
}

char *resource_value(const struct pod_run *p, const json_t *ref, const char *container)
{
    const char *name = jstr_or(ref, "resource", "");
    const char *dot = strchr(name, '.');
    if (!dot)
        return NULL;
    const json_t *spec = NULL, *c;
    size_t i;
    json_array_foreach(jat(pod_tree(p), "spec.containers"), i, c)
    {
        if (str_eq(jstr(c, "name"), container))
            spec = c;
    }
    _auto_free_ char *kind = xstrndup(name, (size_t)(dot - name));
    _auto_free_ char *path = xasprintf("resources.%s", kind);
    const char *text = jmap(spec, path, dot + 1);
    struct quantity q = {0}, divisor = {0};
    if (text)
        quantity_parse(text, &q);
    else if (str_eq(kind, "limits"))
        quantity_from_bytes(str_eq(dot + 1, "cpu") ? p->k->info.cpus : p->k->info.memory_bytes, &q);
    if (quantity_parse(jstr_or(ref, "divisor", "1"), &divisor) < 0 || divisor.nano <= 0)
        quantity_from_bytes(1, &divisor);
    return xasprintf("%lld", (long long)((q.nano + divisor.nano - 1) / divisor.nano));
}

/* -- envFrom and env -- */

static int data_of(struct pod_run *p, bool secret, const char *name, bool optional, struct sobj **out, struct err *e)
{
    *out = reg_read(p->k->conf.registry, secret ? RES.secrets : RES.configmaps, p->ns, name);
    if (!*out && !optional)
        return err_set(e, ERR_NOT_FOUND, "%s \"%s\" not found", secret ? "secret" : "configmap", name);
    return 0;
}

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

static int add_from(struct pod_run *p, const json_t *from, struct strlist *out, struct err *e)
{
    bool secret = json_object_get(from, "secretRef") != NULL;
    const json_t *ref = json_object_get(from, secret ? "secretRef" : "configMapRef");
    _auto_sobj_ struct sobj *obj = NULL;
    if (data_of(p, secret, jstr_or(ref, "name", ""), jbool(ref, "optional", false), &obj, e) < 0)
        return -1;
    const char *key;
    json_t *value;
    json_object_foreach(obj ? json_object_get(obj->tree, "data") : NULL, key, value)
    {
        _auto_free_ char *name = xasprintf("%s%s", jstr_or(from, "prefix", ""), key);
        _auto_free_ char *text = plain_value(secret, value);
        env_set(out, name, text);
    }
    return 0;
}

static int add_key_ref(struct pod_run *p, const char *name, const json_t *ref, bool secret, struct strlist *out,
                       struct err *e)
{
    _auto_sobj_ struct sobj *obj = NULL;
    bool optional = jbool(ref, "optional", false);
    const char *object = jstr_or(ref, "name", ""), *key = jstr_or(ref, "key", "");
    if (data_of(p, secret, object, optional, &obj, e) < 0)
        return -1;
    const json_t *value = obj ? json_object_get(json_object_get(obj->tree, "data"), key) : NULL;
    if (!value)
        return optional ? 0
                        : err_set(e, ERR_NOT_FOUND, "couldn't find key %s in %s %s/%s", key,
                                  secret ? "Secret" : "ConfigMap", p->ns, object);
    _auto_free_ char *text = plain_value(secret, value);
    env_set(out, name, text);
    return 0;
}

static int add_variable(struct pod_run *p, const json_t *container, const json_t *var, struct strlist *out,
                        struct err *e)
{
    const char *name = jstr_or(var, "name", "");
    const json_t *from = json_object_get(var, "valueFrom");
    if (!from) {
        _auto_free_ char *text = env_expand(jstr_or(var, "value", ""), out);
        env_set(out, name, text);
        return 0;
    }
    if (json_object_get(from, "configMapKeyRef"))
        return add_key_ref(p, name, json_object_get(from, "configMapKeyRef"), false, out, e);
    if (json_object_get(from, "secretKeyRef"))
        return add_key_ref(p, name, json_object_get(from, "secretKeyRef"), true, out, e);
    const char *field = jstr(from, "fieldRef.fieldPath");
    const json_t *res = json_object_get(from, "resourceFieldRef");
    _auto_free_ char *text =
        field ? field_value(p, field)
              : resource_value(p, res, jstr_or(res, "containerName", jstr_or(container, "name", "")));
    if (text)
        env_set(out, name, text);
    return 0;
}

int env_build(struct pod_run *p, const json_t *container, const struct image *image, struct strlist *out, struct err *e)
{
    for (const char *const *v = image->env; v && *v; v++)
        strlist_add(out, *v);
    if (!env_get(out, "PATH", 4))
        strlist_add(out, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    char hostname[64];
    pod_hostname(pod_tree(p), hostname);
    env_set(out, "HOSTNAME", hostname);
    if (jbool(container, "tty", false))
        env_set(out, "TERM", "xterm");
    add_services(p, out);
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(container, "envFrom"), i, item)
    {
        if (add_from(p, item, out, e) < 0)
            return -1;
    }
    json_array_foreach(json_object_get(container, "env"), i, item)
    {
        if (add_variable(p, container, item, out, e) < 0)
            return -1;
    }
    return 0;
}

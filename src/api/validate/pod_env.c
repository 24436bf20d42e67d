/* pod_env.c - environment variables and the fields they may be taken from.
 *
 * DESIGN: a field reference is first converted (is this a field of pods at all?), then looked up in the list its use
 * allows; metadata.labels['x'] may name a key. THREADS: pure functions. Source: pkg/apis/core/validation,
 * pkg/apis/core/pods/helpers.go. */
#include "api/validate/pod_int.h"

static const char *const convertible[] = {
    "metadata.annotations", "metadata.labels", "metadata.name",      "metadata.namespace",
    "metadata.uid",         "spec.nodeName",   "spec.restartPolicy", "spec.serviceAccountName",
    "spec.schedulerName",   "status.phase",    "status.hostIP",      "status.hostIPs",
    "status.podIP",         "status.podIPs",   "spec.host",          NULL};
static const char *const env_fields[] = {
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs", NULL};
static const char *const volume_fields[] = {"metadata.annotations", "metadata.labels", "metadata.name",
                                            "metadata.namespace",   "metadata.uid",    NULL};
static const char *const resource_fields[] = {"limits.cpu",
                                              "limits.ephemeral-storage",
                                              "limits.memory",
                                              "requests.cpu",
                                              "requests.ephemeral-storage",
                                              "requests.memory",
                                              NULL};

/* -- fields of the pod -- */

/* "metadata.labels['x']": the length of what stands before the brackets, 0 if there are none. */
static size_t subscript_at(const char *path)
{
    const char *open = strstr(path, "['");
    return open != NULL && str_ends(path, "']") ? (size_t)(open - path) : 0;
}

static void subscripted_field(struct field_errors *errs, const struct vpath *p, const char *path, size_t base_len)
{
    _auto_free_ char *base = xstrndup(path, base_len);
    _auto_free_ char *key = xstrndup(path + base_len + 2, strlen(path) - base_len - 4);
    if (strcmp(base, "metadata.annotations") == 0) {
        v_name(errs, p, key, rule_qualified_nocase);
    } else if (strcmp(base, "metadata.labels") == 0) {
        v_name(errs, p, key, rule_qualified);
    } else {
        _auto_free_ char *detail =
            xasprintf("error converting fieldPath: field label does not support subscript: %s", path);
        v_invalid(errs, FIELD(p, "fieldPath"), path, detail);
    }
}

void v_field_ref(struct field_errors *errs, const struct vpath *p, const json_t *ref, enum field_ref_use use)
{
    const char *api = vstr(ref, "apiVersion"), *path = vstr(ref, "fieldPath");
    const char *const *allowed = use == FIELD_REF_ENV ? env_fields : volume_fields;
    const struct vpath *at = FIELD(p, "fieldPath");
    if (api[0] == '\0' || path[0] == '\0') {
        v_required(errs, api[0] == '\0' ? FIELD(p, "apiVersion") : at, NULL);
        return;
    }
    if (strcmp(api, "v1") != 0) {
        _auto_free_ char *detail = xasprintf("error converting fieldPath: unsupported pod version: %s", api);
        v_invalid(errs, at, path, detail);
    } else if (subscript_at(path) > 0) {
        subscripted_field(errs, p, path, subscript_at(path));
    } else if (!one_of(path, convertible)) {
        _auto_free_ char *detail = xasprintf("error converting fieldPath: field label not supported: %s", path);
        v_invalid(errs, at, path, detail);
    } else {
        const char *now = strcmp(path, "spec.host") == 0 ? "spec.nodeName" : path;
        if (!one_of(now, allowed))
            v_unsupported(errs, at, now, allowed);
    }
}

/* -- a container's resources -- */

static const char *const binary_divisors[] = {"1",   "1k",  "1M",  "1G",  "1T",  "1P",  "1E",
                                              "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", NULL};
static const char *const cpu_divisors[] = {"1m", "1", NULL};
static const struct {
    const char *resource; /* part of names */
    const char *const *divisors;
    const char *detail;
} divisor_rows[] = {
    {".cpu", cpu_divisors, "only divisor's values 1m and 1 are supported with the cpu resource"},
    {".memory", binary_divisors,
     "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory "
     "resource"},
    {".ephemeral-storage", binary_divisors,
     "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the local "
     "ephemeral storage resource"},
    {"hugepages-", binary_divisors,
     "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the hugepages "
     "resource"},
};

static void divisor_check(struct field_errors *errs, const struct vpath *p, const char *resource, const json_t *divisor)
{
    char text[QUANTITY_TEXT_LEN];
    if (divisor == NULL || qty(divisor).nano == 0)
        return;
    qty_text(divisor, text);
    for (size_t i = 0; i < ARRAY_LEN(divisor_rows); i++) {
        if (strstr(resource, divisor_rows[i].resource) != NULL && !one_of(text, divisor_rows[i].divisors))
            v_invalid(errs, FIELD(p, "divisor"), resource, divisor_rows[i].detail);
    }
}

void v_resource_field_ref(struct field_errors *errs, const struct vpath *p, const json_t *ref, bool in_volume)
{
    const char *resource = vstr(ref, "resource");
    if (in_volume && vstr(ref, "containerName")[0] == '\0')
        v_required(errs, FIELD(p, "containerName"), NULL);
    else if (resource[0] == '\0')
        v_required(errs, FIELD(p, "resource"), NULL);
    else if (!one_of(resource, resource_fields) && !str_starts(resource, "limits.hugepages-") &&
             !str_starts(resource, "requests.hugepages-"))
        v_unsupported(errs, FIELD(p, "resource"), resource, resource_fields);
    divisor_check(errs, p, resource, vget(ref, "divisor"));
}

/* -- variables -- */

static void key_ref_check(struct field_errors *errs, const struct vpath *p, const json_t *ref)
{
    v_name(errs, FIELD(p, "name"), vstr(ref, "name"), rule_subdomain);
    if (vstr(ref, "key")[0] == '\0')
        v_required(errs, FIELD(p, "key"), NULL);
    else
        v_name(errs, FIELD(p, "key"), vstr(ref, "key"), rule_config_key);
}

static void value_from_check(struct field_errors *errs, const struct vpath *p, const json_t *from, const char *value)
{
    const json_t *field = vget(from, "fieldRef"), *resource = vget(from, "resourceFieldRef");
    const json_t *map = vget(from, "configMapKeyRef"), *secret = vget(from, "secretKeyRef");
    int sources = (field != NULL) + (resource != NULL) + (map != NULL) + (secret != NULL);
    if (field != NULL)
        v_field_ref(errs, FIELD(p, "fieldRef"), field, FIELD_REF_ENV);
    if (resource != NULL)
        v_resource_field_ref(errs, FIELD(p, "resourceFieldRef"), resource, false);
    if (map != NULL)
        key_ref_check(errs, FIELD(p, "configMapKeyRef"), map);
    if (secret != NULL)
        key_ref_check(errs, FIELD(p, "secretKeyRef"), secret);
    if (sources == 0)
        v_invalid(errs, p, "",
                  "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
    if (value[0] != '\0' && sources != 0)
        v_invalid(errs, p, "", "may not be specified when `value` is not empty");
    else if (sources > 1)
        v_invalid(errs, p, "", "may not have more than one field specified at a time");
}

void v_env(struct field_errors *errs, const struct vpath *p, const json_t *env)
{
    size_t i;
    json_t *var;
    json_array_foreach(env, i, var)
    {
        const struct vpath *at = ITEM(p, i);
        if (vstr(var, "name")[0] == '\0')
            v_required(errs, FIELD(at, "name"), NULL);
        else
            v_name(errs, FIELD(at, "name"), vstr(var, "name"), rule_env_name);
        if (vhas(var, "valueFrom"))
            value_from_check(errs, FIELD(at, "valueFrom"), vget(var, "valueFrom"), vstr(var, "value"));
    }
}

/* A trailing dash passes here: the real server checks these names as prefixes. */
static void source_name_check(struct field_errors *errs, const struct vpath *p, const char *name)
{
    if (name[0] == '\0')
        v_required(errs, p, NULL);
    else
        v_name_prefix(errs, p, name, rule_subdomain);
}

void v_env_from(struct field_errors *errs, const struct vpath *p, const json_t *env_from)
{
    static const char *const refs[] = {"configMapRef", "secretRef"};
    size_t i;
    json_t *from;
    json_array_foreach(env_from, i, from)
    {
        const struct vpath *at = ITEM(p, i);
        int sources = 0;
        v_name(errs, FIELD(at, "prefix"), vstr(from, "prefix"), rule_env_name);
        for (size_t k = 0; k < ARRAY_LEN(refs); k++) {
            if (!vhas(from, refs[k]))
                continue;
            sources++;
            source_name_check(errs, FIELD(FIELD(at, refs[k]), "name"), vstr(vget(from, refs[k]), "name"));
        }
        if (sources == 0)
            v_invalid(errs, p, "", "must specify one of: `configMapRef` or `secretRef`");
        else if (sources > 1)
            v_invalid(errs, p, "", "may not have more than one field specified at a time");
    }
}

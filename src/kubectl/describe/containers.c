/* containers.c - containers of pods and of templates: what they run, their state, probes, environment and mounts.
 *
 * A container of a template has no status and resolves no field references: `pod` and `statuses` are NULL then.
 * THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const json_t *status_of(const json_t *statuses, const char *name)
{
    for (size_t i = 0; i < json_array_size(statuses); i++)
        if (str_eq(jstr(json_array_get(statuses, i), "name"), name))
            return json_array_get(statuses, i);
    return NULL;
}

/* "Port:\t80/TCP" or "Ports:\t80/TCP, 443/TCP" */
static void put_ports(struct page *p, const json_t *ports, const char *label, const char *member)
{
    _auto_buf_ struct buf text = BUF_INIT;
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        buf_addf(&text, "%s%lld/%s", i > 0 ? ", " : "", (long long)jint(port, member, 0),
                 jstr_or(port, "protocol", ""));
    }
    bool many = json_array_size(ports) > 1;
    page_put(p, 2, "%s%s:\t%s\n", label, many ? "s" : "", text.len > 0 ? buf_str(&text) : "<none>");
}

static void put_basics(struct page *p, const json_t *container, const json_t *status, const char *space)
{
    page_put(p, 1, "%s%s:\n", space[0] != '\0' ? " " : "", jstr_or(container, "name", ""));
    if (status != NULL)
        page_put(p, 2, "Container ID:\t%s\n", jstr_or(status, "containerID", ""));
    page_put(p, 2, "Image:\t%s\n", jstr_or(container, "image", ""));
    if (status != NULL)
        page_put(p, 2, "Image ID:\t%s\n", jstr_or(status, "imageID", ""));
    put_ports(p, jat(container, "ports"), "Port", "containerPort");
    put_ports(p, jat(container, "ports"), "Host Port", "hostPort");
    const json_t *seccomp = jat(container, "securityContext.seccompProfile");
    if (!json_is_object(seccomp))
        return;
    page_put(p, 2, "SeccompProfile:\t%s\n", jstr_or(seccomp, "type", ""));
    if (str_eq(jstr(seccomp, "type"), "Localhost"))
        page_put(p, 3, "LocalhostProfile:\t%s\n", jstr_or(seccomp, "localhostProfile", ""));
}

/* Each line of each word on a line of its own. */
static void put_words(struct page *p, const char *title, const json_t *words)
{
    if (json_array_size(words) == 0)
        return;
    page_put(p, 2, "%s\n", title);
    for (size_t i = 0; i < json_array_size(words); i++) {
        _auto_strlist_ struct strlist lines = {0};
        strlist_split(&lines, json_string_value(json_array_get(words, i)), '\n');
        for (size_t j = 0; j < lines.len; j++)
            page_put(p, 3, "%s\n", lines.items[j]);
    }
}

/* -- state -- */

static void put_moment(struct page *p, const char *label, const json_t *state, const char *member)
{
    _auto_buf_ struct buf text = BUF_INIT;
    value_time(&text, jstr(state, member));
    page_put(p, 3, "%s\t%s\n", label, buf_str(&text));
}

static void put_terminated(struct page *p, const json_t *t)
{
    static const struct row rows[] = {
        {"Reason:", ROW_FULL, "reason", NULL, NULL, 3},
        {"Message:", ROW_FULL, "message", NULL, NULL, 3},
        {"Exit Code:", ROW_NUMBER, "exitCode", NULL, NULL, 3},
        ROWS_END,
    };
    page_rows(p, rows, t);
    if (jint(t, "signal", 0) > 0)
        page_put(p, 3, "Signal:\t%lld\n", (long long)jint(t, "signal", 0));
    put_moment(p, "Started:", t, "startedAt");
    put_moment(p, "Finished:", t, "finishedAt");
}

static void put_state(struct page *p, const char *name, const json_t *state)
{
    if (json_is_object(jat(state, "running"))) {
        page_put(p, 2, "%s:\tRunning\n", name);
        put_moment(p, "Started:", jat(state, "running"), "startedAt");
    } else if (json_is_object(jat(state, "terminated"))) {
        page_put(p, 2, "%s:\tTerminated\n", name);
        put_terminated(p, jat(state, "terminated"));
    } else {
        page_put(p, 2, "%s:\tWaiting\n", name);
        if (!str_empty(jstr(state, "waiting.reason")))
            page_put(p, 3, "Reason:\t%s\n", jstr(state, "waiting.reason"));
    }
}

static void put_status(struct page *p, const json_t *status)
{
    put_state(p, "State", jat(status, "state"));
    if (json_is_object(jat(status, "lastState.terminated")))
        put_state(p, "Last State", jat(status, "lastState"));
    page_put(p, 2, "Ready:\t%s\n", jbool(status, "ready", false) ? "True" : "False");
    page_put(p, 2, "Restart Count:\t%lld\n", (long long)jint(status, "restartCount", 0));
}

/* -- probes -- */

/* A path in a URL: what Go's net/url leaves as it is, and the rest as %XX. */
static void add_path(struct buf *out, const char *path)
{
    if (path[0] != '\0' && path[0] != '/')
        buf_addc(out, '/');
    for (; *path != '\0'; path++) {
        if (isalnum((unsigned char)*path) || strchr("-_.~$&+,/:;=@!'()*", *path) != NULL)
            buf_addc(out, *path);
        else
            buf_addf(out, "%%%02X", (unsigned char)*path);
    }
}

static void add_http(struct buf *out, const json_t *get)
{
    _auto_buf_ struct buf port = BUF_INIT;
    value_text(&port, jat(get, "port"));
    const char *host = jstr_or(get, "host", "");
    bool six = strchr(host, ':') != NULL;
    for (const char *s = jstr_or(get, "scheme", ""); *s != '\0'; s++)
        buf_addc(out, (char)tolower((unsigned char)*s));
    buf_addf(out, "://%s%s%s:%s", six ? "[" : "", host, six ? "]" : "", buf_str(&port));
    add_path(out, jstr_or(get, "path", ""));
}

static void put_probe(struct page *p, const char *label, const json_t *probe)
{
    if (!json_is_object(probe))
        return;
    _auto_buf_ struct buf how = BUF_INIT;
    const json_t *tcp = jat(probe, "tcpSocket");
    if (json_is_object(jat(probe, "exec"))) {
        buf_adds(&how, "exec [");
        value_join(&how, jat(probe, "exec.command"), " ");
        buf_addc(&how, ']');
    } else if (json_is_object(jat(probe, "httpGet"))) {
        buf_adds(&how, "http-get ");
        add_http(&how, jat(probe, "httpGet"));
    } else if (json_is_object(tcp)) {
        buf_addf(&how, "tcp-socket %s:", jstr_or(tcp, "host", ""));
        value_text(&how, jat(tcp, "port"));
    } else if (json_is_object(jat(probe, "grpc"))) {
        buf_addf(&how, "grpc <pod>:%lld %s", (long long)jint(probe, "grpc.port", 0),
                 jstr_or(probe, "grpc.service", ""));
    } else {
        buf_adds(&how, "unknown");
    }
    page_put(p, 2, "%s\t%s delay=%llds timeout=%llds period=%llds #success=%lld #failure=%lld\n", label, buf_str(&how),
             (long long)jint(probe, "initialDelaySeconds", 0), (long long)jint(probe, "timeoutSeconds", 0),
             (long long)jint(probe, "periodSeconds", 0), (long long)jint(probe, "successThreshold", 0),
             (long long)jint(probe, "failureThreshold", 0));
}

/* -- environment -- */

static void put_env_from(struct page *p, const json_t *list)
{
    if (json_array_size(list) == 0)
        return;
    page_put(p, 2, "Environment Variables from:\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i), *map = jat(e, "configMapRef");
        const json_t *from = json_is_object(map) ? map : jat(e, "secretRef");
        const char *kind = json_is_object(map) ? "ConfigMap" : json_is_object(from) ? "Secret" : "";
        const char *optional = jbool(from, "optional", false) ? "true" : "false";
        const char *prefix = jstr_or(e, "prefix", "");
        if (prefix[0] == '\0')
            page_put(p, 3, "%s\t%s\tOptional: %s\n", jstr_or(from, "name", ""), kind, optional);
        else
            page_put(p, 3, "%s\t%s with prefix '%s'\tOptional: %s\n", jstr_or(from, "name", ""), kind, prefix,
                     optional);
    }
}

/* The value of limits.cpu and the like in units of the divisor, rounded up; nothing if there is no such resource. */
static void resource_value(struct buf *out, const json_t *container, const json_t *ref)
{
    const char *name = jstr_or(ref, "resource", "");
    const char *dot = strchr(name, '.');
    if (dot == NULL)
        return;
    bool limits = str_starts(name, "limits."), cpu = str_eq(dot, ".cpu");
    const char *text = jmap(container, limits ? "resources.limits" : "resources.requests", dot + 1);
    struct quantity value = {0}, divisor = {0};
    if (text != NULL)
        quantity_parse(text, &value);
    if (quantity_parse(jstr_or(ref, "divisor", "1"), &divisor) < 0 || divisor.nano == 0)
        quantity_parse("1", &divisor);
    int64_t n = cpu ? quantity_milli(&value) : quantity_value(&value);
    int64_t by = cpu ? quantity_milli(&divisor) : quantity_value(&divisor);
    n = (n + by - 1) / by;
    if (n == 0 && limits && (cpu || str_eq(dot, ".memory")))
        buf_adds(out, "node allocatable");
    else
        buf_addf(out, "%lld", (long long)n);
}

/* kubectl resolves only what any object has: its name and namespace. */
static const char *field_value(const json_t *pod, const json_t *ref)
{
    const char *path = jstr_or(ref, "fieldPath", "");
    if (pod == NULL || (!str_eq(path, "metadata.name") && !str_eq(path, "metadata.namespace")))
        return "";
    return jstr_or(pod, path, "");
}

static void put_env_ref(struct page *p, const char *name, const json_t *from, const json_t *container,
                        const json_t *pod)
{
    static const struct {
        const char *key, *where;
    } keys[] = {{"secretKeyRef", "in secret"}, {"configMapKeyRef", "of config map"}};
    const json_t *ref = jat(from, "fieldRef");
    if (json_is_object(ref)) {
        page_put(p, 3, "%s:\t%s (%s:%s)\n", name, field_value(pod, ref), jstr_or(ref, "apiVersion", ""),
                 jstr_or(ref, "fieldPath", ""));
        return;
    }
    ref = jat(from, "resourceFieldRef");
    if (json_is_object(ref)) {
        _auto_buf_ struct buf text = BUF_INIT;
        resource_value(&text, container, ref);
        page_put(p, 3, "%s:\t%s (%s)\n", name, buf_str(&text), jstr_or(ref, "resource", ""));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        ref = jat(from, keys[i].key);
        if (json_is_object(ref))
            page_put(p, 3, "%s:\t<set to the key '%s' %s '%s'>\tOptional: %s\n", name, jstr_or(ref, "key", ""),
                     keys[i].where, jstr_or(ref, "name", ""), jbool(ref, "optional", false) ? "true" : "false");
    }
}

static void put_env(struct page *p, const json_t *container, const json_t *pod)
{
    const json_t *env = jat(container, "env");
    page_put(p, 2, "Environment:%s\n", json_array_size(env) == 0 ? "\t<none>" : "");
    for (size_t i = 0; i < json_array_size(env); i++) {
        const json_t *e = json_array_get(env, i);
        const char *name = jstr_or(e, "name", "");
        if (json_is_object(jat(e, "valueFrom"))) {
            put_env_ref(p, name, jat(e, "valueFrom"), container, pod);
            continue;
        }
        _auto_strlist_ struct strlist lines = {0};
        strlist_split(&lines, jstr_or(e, "value", ""), '\n');
        for (size_t j = 0; j < lines.len; j++)
            page_put(p, 3, "%s%s\t%s\n", j == 0 ? name : "", j == 0 ? ":" : "", lines.items[j]);
    }
}

/* -- mounts and devices -- */

/* Members in the order of one of their texts; equal ones stay as they were. Returns new array of references. */
static json_t *sorted_by(const json_t *list, const char *member)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        size_t at = json_array_size(out);
        while (at > 0 && strcmp(jstr_or(item, member, ""), jstr_or(json_array_get(out, at - 1), member, "")) < 0)
            at--;
        json_array_insert(out, at, item);
    }
    return out;
}

static void put_mounts(struct page *p, const json_t *container)
{
    _auto_json_ json_t *mounts = sorted_by(jat(container, "volumeMounts"), "mountPath");
    const char *none = json_array_size(mounts) == 0 ? "\t<none>" : "";
    page_put(p, 2, "Mounts:%s\n", none);
    for (size_t i = 0; i < json_array_size(mounts); i++) {
        const json_t *m = json_array_get(mounts, i);
        _auto_buf_ struct buf how = BUF_INIT;
        buf_adds(&how, jbool(m, "readOnly", false) ? "ro" : "rw");
        const char *sub = jstr_or(m, "subPath", "");
        if (sub[0] != '\0') {
            buf_adds(&how, ",path=");
            buf_add_quoted(&how, sub, strlen(sub));
        }
        page_put(p, 3, "%s from %s (%s)\n", jstr_or(m, "mountPath", ""), jstr_or(m, "name", ""), buf_str(&how));
    }
    _auto_json_ json_t *devices = sorted_by(jat(container, "volumeDevices"), "devicePath");
    if (json_array_size(devices) > 0)
        page_put(p, 2, "Devices:%s\n", none);
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *d = json_array_get(devices, i);
        page_put(p, 3, "%s from %s\n", jstr_or(d, "devicePath", ""), jstr_or(d, "name", ""));
    }
}

void page_containers(struct page *p, const char *label, const json_t *containers, const json_t *statuses,
                     const json_t *pod, const char *space)
{
    page_put(p, 0, "%s%s:%s\n", space, label, json_array_size(containers) == 0 ? " <none>" : "");
    for (size_t i = 0; i < json_array_size(containers); i++) {
        const json_t *c = json_array_get(containers, i);
        const json_t *status = status_of(statuses, jstr(c, "name"));
        put_basics(p, c, status, space);
        put_words(p, "Command:", jat(c, "command"));
        put_words(p, "Args:", jat(c, "args"));
        if (status != NULL)
            put_status(p, status);
        page_resources(p, 2, "Limits:", jat(c, "resources.limits"));
        page_resources(p, 2, "Requests:", jat(c, "resources.requests"));
        put_probe(p, "Liveness:", jat(c, "livenessProbe"));
        put_probe(p, "Readiness:", jat(c, "readinessProbe"));
        put_probe(p, "Startup:", jat(c, "startupProbe"));
        put_env_from(p, jat(c, "envFrom"));
        put_env(p, c, pod);
        put_mounts(p, c);
    }
}

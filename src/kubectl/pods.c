/* pods.c - see pods.h.
 *
 * DESIGN: pods are compared by a table of criteria, best first; logs prefer who has most to tell (restarts), everything
 * else who will stay. */
#include "kubectl/pods.h"

#include "api/selector.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/targets.h"

#include <stdlib.h>
#include <string.h>

/* ---- objects ---- */

void pod_path(const char *ns, const char *name, const char *sub, struct buf *out)
{
    buf_addf(out, "/api/v1/namespaces/%s/pods", ns);
    if (name) {
        buf_addc(out, '/');
        client_escape(out, name);
    }
    if (sub)
        buf_addf(out, "/%s", sub);
}

int pods_named(struct call *c, const char *plural, const char *word, json_t **out, struct err *e)
{
    const char *slash = strchr(word, '/'), *ns = call_namespace(c);
    _auto_free_ char *type = slash ? xstrndup(word, (size_t)(slash - word)) : xstrdup(plural);
    const char *name = slash ? slash + 1 : word;
    _auto_buf_ struct buf path = BUF_INIT;
    if (!ns)
        return err_set(e, ERR_OK, "%s", "");
    if (slash && (!*name || slash == word || strchr(name, '/')))
        return err_set(e, ERR_USAGE, "%s",
                       strchr(name, '/') ? "arguments in resource/name form may not have more than one slash"
                                         : "arguments in resource/name form must have a single resource and name");
    if (str_eq(type, "pods") || str_eq(type, "pod")) {
        pod_path(ns, name, NULL, &path);
    } else {
        const struct kind *kind = call_kind(c, type);
        if (!kind)
            return err_set(e, ERR_OK, "%s", "");
        kind_path(kind, ns, name, NULL, &path);
    }
    return call_json(c, "GET", buf_str(&path), NULL, NULL, out, e);
}

/* One object, of a file as the cluster has it. */
static int visit_file(struct call *c, const struct target *t, json_t *object, void *arg)
{
    (void)c;
    (void)t;
    json_t **out = arg;
    if (!*out)
        *out = json_incref(object);
    return 0;
}

static int of_files(struct call *c, json_t **out, struct err *e)
{
    _auto_targets_ struct targets targets = {0};
    const struct targets_opts opts = {.skip = c->words.len};
    _auto_json_ json_t *first = NULL;
    if (targets_of(c, &opts, &targets) < 0)
        return err_set(e, ERR_OK, "%s", "");
    if (targets.len > 1)
        return err_set(e, ERR_INVALID, "cannot exec into multiple objects at a time");
    if (targets_visit(c, &targets, visit_file, &first) < 0 || !first)
        return err_set(e, ERR_OK, "%s", "");
    *out = TAKE(first);
    return 0;
}

int pods_target(struct call *c, const char *plural, const char *word, json_t **out, struct err *e)
{
    return word ? pods_named(c, plural, word, out, e) : of_files(c, out, e);
}

/* As Go prints the type: "*v1.ConfigMap". */
static char *go_type(const json_t *object)
{
    const char *version = jstr_or(object, "apiVersion", ""), *slash = strchr(version, '/');
    return xasprintf("*%s.%s", slash ? slash + 1 : version, jstr_or(object, "kind", ""));
}

int pods_selector(const json_t *object, const char *verb, struct buf *out, struct err *e)
{
    static const char *const by_map[] = {"Service", "ReplicationController"};
    static const char *const by_selector[] = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"};
    const char *kind = jstr_or(object, "kind", "");
    json_t *selector = jat(object, "spec.selector");
    _auto_json_ json_t *query = NULL;
    for (size_t i = 0; i < ARRAY_LEN(by_selector); i++)
        if (str_eq(kind, by_selector[i]))
            query = json_incref(selector);
    for (size_t i = 0; i < ARRAY_LEN(by_map); i++)
        if (str_eq(kind, by_map[i])) {
            if (i == 0 && json_object_size(selector) == 0)
                return err_set(e, ERR_INVALID, "%s %s: invalid service '%s': Service is defined without a selector",
                               verb, "*v1.Service", jstr_or(object, "metadata.name", ""));
            query = json_pack("{s:O}", "matchLabels", selector);
        }
    if (!query) {
        _auto_free_ char *type = go_type(object);
        return err_set(e, ERR_INVALID, "%s %s: selector for %s not implemented", verb, type, type);
    }
    struct label_selector *parsed = NULL;
    if (label_selector_from_json(query, &parsed, e) < 0)
        return -1;
    _auto_free_ char *text = label_selector_text(parsed);
    label_selector_free(parsed);
    buf_adds(out, text);
    return 0;
}

/* ---- which pod is best ---- */

static const json_t *ready_condition(const json_t *pod)
{
    size_t i;
    const json_t *condition;
    json_array_foreach(jat(pod, "status.conditions"), i,
                       condition) if (str_eq(jstr(condition, "type"), "Ready")) return str_eq(jstr(condition, "status"),
                                                                                              "True")
        ? condition
        : NULL;
    return NULL;
}

static int64_t assigned(const json_t *pod)
{
    return !str_empty(jstr(pod, "spec.nodeName"));
}

/* A phase that is over counts as running: so it is in kubectl, whose table has only these. */
static int64_t phase(const json_t *pod)
{
    const char *p = jstr_or(pod, "status.phase", "");
    return str_eq(p, "Pending") ? 0 : str_eq(p, "Unknown") ? 1 : 2;
}

static int64_t ready(const json_t *pod)
{
    return ready_condition(pod) != NULL;
}

static int64_t staying(const json_t *pod)
{
    return !jstr(pod, "metadata.deletionTimestamp");
}

static int64_t restarts(const json_t *pod)
{
    int64_t most = 0;
    size_t i;
    const json_t *status;
    json_array_foreach(jat(pod, "status.containerStatuses"), i, status) if (jint(status, "restartCount", 0) > most)
        most = jint(status, "restartCount", 0);
    return most;
}

static int64_t few_restarts(const json_t *pod)
{
    return -restarts(pod);
}

/* Older first; times of one form compare as text. */
static int by_time(const char *a, const char *b)
{
    return !a || !b ? (a ? -1 : b ? 1 : 0) : strcmp(a, b);
}

static int compare(const json_t *a, const json_t *b, int64_t (*const *scores)(const json_t *pod), size_t n,
                   int64_t (*restart_score)(const json_t *pod))
{
    for (size_t i = 0; i < n; i++) {
        const int64_t x = scores[i](a), y = scores[i](b);
        if (x != y)
            return x > y ? -1 : 1;
    }
    int rc = by_time(jstr(ready_condition(a), "lastTransitionTime"), jstr(ready_condition(b), "lastTransitionTime"));
    if (rc == 0) {
        const int64_t x = restart_score(a), y = restart_score(b);
        rc = x == y ? 0 : x > y ? -1 : 1;
    }
    return rc ? rc : by_time(jstr(a, "metadata.creationTimestamp"), jstr(b, "metadata.creationTimestamp"));
}

static int for_logs(const void *a, const void *b)
{
    static int64_t (*const scores[])(const json_t *pod) = {assigned, phase, ready};
    return compare(*(json_t *const *)a, *(json_t *const *)b, scores, ARRAY_LEN(scores), restarts);
}

static int for_streams(const void *a, const void *b)
{
    static int64_t (*const scores[])(const json_t *pod) = {assigned, phase, ready, staying};
    return compare(*(json_t *const *)a, *(json_t *const *)b, scores, ARRAY_LEN(scores), few_restarts);
}

static json_t *sorted(const json_t *items, int (*order)(const void *a, const void *b))
{
    const size_t n = json_array_size(items);
    _auto_free_ const json_t **list = xcalloc(n + 1, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = json_array_get(items, i);
    qsort(list, n, sizeof *list, order);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(out, (json_t *)(uintptr_t)list[i]);
    return out;
}

/* ---- pods of an object ---- */

static int first_seen(void *arg, const char *type, json_t *object, struct err *e)
{
    (void)e;
    if (!str_eq(type, "ADDED") && !str_eq(type, "MODIFIED"))
        return 0;
    json_array_append(arg, object);
    return 1;
}

/* Those that match, or the first one that will. */
static int matching(struct call *c, const char *ns, const char *selector, int64_t timeout_ms, json_t **out,
                    struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    pod_path(ns, NULL, NULL, &path);
    call_query(&path, "labelSelector", selector);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &list, e) < 0)
        return -1;
    json_t *items = json_object_get(list, "items");
    if (json_array_size(items) == 0) {
        call_query(&path, "resourceVersion", jstr_or(list, "metadata.resourceVersion", ""));
        call_query(&path, "watch", "true");
        const int rc = client_watch(call_client(c), buf_str(&path), timeout_ms, first_seen, items, e);
        if (rc < 0 || json_array_size(items) == 0)
            return rc < 0 ? -1 : err_set(e, ERR_TIMEOUT, "timed out waiting for the condition");
    }
    *out = json_incref(items);
    return 0;
}

static int of_object(struct call *c, const json_t *object, const char *verb, int64_t timeout_ms,
                     int (*order)(const void *a, const void *b), json_t **out, struct err *e)
{
    _auto_buf_ struct buf selector = BUF_INIT;
    _auto_json_ json_t *items = NULL;
    if (str_eq(jstr(object, "kind"), "Pod")) {
        *out = json_pack("[O]", object);
        return 0;
    }
    if (pods_selector(object, verb, &selector, e) < 0 ||
        matching(c, jstr_or(object, "metadata.namespace", ""), buf_str(&selector), timeout_ms, &items, e) < 0)
        return -1;
    *out = sorted(items, order);
    return 0;
}

int pods_attachable(struct call *c, const json_t *object, int64_t timeout_ms, json_t **out, struct err *e)
{
    _auto_json_ json_t *pods = NULL;
    if (of_object(c, object, "cannot attach to", timeout_ms, for_streams, &pods, e) < 0)
        return -1;
    *out = json_incref(json_array_get(pods, 0));
    return 0;
}

int pods_for_logs(struct call *c, const json_t *object, int64_t timeout_ms, json_t **out, struct err *e)
{
    return of_object(c, object, "cannot get the logs from", timeout_ms, for_logs, out, e);
}

int pods_timeout(struct call *c, int64_t *out_ms)
{
    const int64_t ms = call_duration(c, "pod-running-timeout");
    if (ms <= 0) {
        call_usage(c, "--pod-running-timeout must be higher than zero");
        return -1;
    }
    *out_ms = ms;
    return 0;
}

/* ---- containers ---- */

static const struct {
    const char *where, *key, *mark;
} groups[] = {{"spec.containers", "containers", ""},
              {"spec.initContainers", "initContainers", " (init)"},
              {"spec.ephemeralContainers", "ephemeralContainers", " (ephem)"}};

const json_t *pod_container(const json_t *pod, const char *name, const char **out_where)
{
    size_t i;
    const json_t *container;
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        json_array_foreach(jat(pod, groups[g].where), i, container)
        {
            if (!str_eq(jstr(container, "name"), name))
                continue;
            if (out_where)
                *out_where = groups[g].where;
            return container;
        }
    return NULL;
}

void pod_container_names(const json_t *pod, struct buf *out)
{
    static const size_t order[] = {0, 2, 1};
    const char *comma = "";
    size_t i;
    const json_t *container;
    for (size_t o = 0; o < ARRAY_LEN(order); o++)
        json_array_foreach(jat(pod, groups[order[o]].where), i, container)
        {
            buf_addf(out, "%s%s%s", comma, jstr_or(container, "name", ""), groups[order[o]].mark);
            comma = ", ";
        }
}

int pod_choose_container(const json_t *pod, const char *name, FILE *warn, const json_t **out, struct err *e)
{
    const json_t *first = json_array_get(jat(pod, "spec.containers"), 0);
    const char *pod_name = jstr_or(pod, "metadata.name", ""),
               *annotated = jmap(pod, "metadata.annotations", DEFAULT_CONTAINER);
    if (!str_empty(name)) {
        *out = pod_container(pod, name, NULL);
        return *out ? 0 : err_set(e, ERR_INVALID, "container %s not found in pod %s", name, pod_name);
    }
    if (!first)
        return err_set(e, ERR_INVALID, "pod %s/%s does not have any containers", jstr_or(pod, "metadata.namespace", ""),
                       pod_name);
    *out = annotated ? pod_container(pod, annotated, NULL) : NULL;
    if (*out)
        return 0;
    *out = first;
    const size_t all = json_array_size(jat(pod, "spec.containers")) + json_array_size(jat(pod, "spec.initContainers")) +
                       json_array_size(jat(pod, "spec.ephemeralContainers"));
    _auto_buf_ struct buf names = BUF_INIT;
    pod_container_names(pod, &names);
    if (warn && all > 1)
        fprintf(warn, "Defaulted container \"%s\" out of: %s\n", jstr_or(first, "name", ""), buf_str(&names));
    return 0;
}

/* ---- waiting for one pod ---- */

struct awaited {
    int (*done)(void *arg, const json_t *pod, struct err *e);
    void *arg;
    json_t *last; /* owned */
};

static int look(struct awaited *a, json_t *pod, struct err *e)
{
    json_decref(a->last);
    a->last = json_incref(pod);
    return a->done(a->arg, pod, e);
}

static int on_event(void *arg, const char *type, json_t *object, struct err *e)
{
    if (str_eq(type, "DELETED"))
        return err_set(e, ERR_NOT_FOUND, "pods \"%s\" not found", jstr_or(object, "metadata.name", ""));
    return str_eq(type, "ADDED") || str_eq(type, "MODIFIED") ? look(arg, object, e) : 0;
}

static int list_and_watch(struct call *c, struct awaited *a, const char *ns, const char *name, int64_t timeout_ms,
                          struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    _auto_free_ char *field = xasprintf("metadata.name=%s", name);
    size_t i;
    json_t *pod;
    pod_path(ns, NULL, NULL, &path);
    call_query(&path, "fieldSelector", field);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &list, e) < 0)
        return -1;
    json_array_foreach(json_object_get(list, "items"), i, pod)
    {
        json_object_set_new(pod, "kind", json_string("Pod"));
        json_object_set_new(pod, "apiVersion", json_string("v1"));
        const int rc = look(a, pod, e);
        if (rc != 0)
            return rc;
    }
    call_query(&path, "resourceVersion", jstr_or(list, "metadata.resourceVersion", ""));
    call_query(&path, "watch", "true");
    return client_watch(call_client(c), buf_str(&path), timeout_ms, on_event, a, e);
}

int pod_await(struct call *c, const char *ns, const char *name, int64_t timeout_ms,
              int (*done)(void *arg, const json_t *pod, struct err *e), void *arg, json_t **out, struct err *e)
{
    struct awaited a = {.done = done, .arg = arg};
    int rc = list_and_watch(c, &a, ns, name, timeout_ms, e);
    if (rc == 0)
        rc = err_set(e, ERR_TIMEOUT, "timed out waiting for the condition");
    if (rc < 0 && !a.last)
        return -1;
    *out = a.last;
    return rc < 0 ? -1 : 0;
}

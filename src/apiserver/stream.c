/* stream.c - what every stream request needs before a protocol takes over: the pod, the container, lists in headers.
 *
 * Source of the words: pkg/registry/core/pod/strategy.go (LogLocation, streamLocation, podHasContainerWithName).
 * THREADS: on the HTTP thread of the request. */
#include "apiserver/stream_int.h"

#include "api/status.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_VALUES = 32 };

void stream_serve(struct request *rq)
{
    for (const struct stream_route *r = stream_routes; r->sub; r++)
        if (strcmp(r->sub, rq->sub->name) == 0) {
            r->open(rq);
            return;
        }
    reply_not_found(rq);
}

void stream_refuse(struct request *rq, enum err_code code, const char *fmt, ...)
{
    struct err e = ERR_INIT;
    char text[sizeof e.msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(&e, code, "%s", text);
    reply_err(rq, &e);
}

struct sobj *stream_pod(struct request *rq)
{
    struct sobj *pod = reg_read(rq->srv->registry, RES.pods, rq->target.ns, rq->target.name);
    if (!pod)
        reply_status(rq, status_not_found(RES.pods, rq->target.name));
    return pod;
}

static bool has_container(const json_t *pod, const char *name)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers", "spec.ephemeralContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        size_t k;
        json_t *c;
        json_array_foreach(jat(pod, lists[i]), k, c) if (str_eq(jstr(c, "name"), name)) return true;
    }
    return false;
}

static const char *names_of(struct arena *a, const json_t *containers)
{
    const char *out = "";
    size_t i;
    json_t *c;
    json_array_foreach((json_t *)(uintptr_t)containers, i, c) out =
        arena_printf(a, "%s%s%s", out, i ? " " : "", jstr_or(c, "name", ""));
    return out;
}

const char *stream_container(struct request *rq, const json_t *pod)
{
    const char *name = query_get(&rq->query, "container");
    const json_t *containers = jat(pod, "spec.containers"), *init = jat(pod, "spec.initContainers");
    if (str_empty(name) && json_array_size(containers) == 1)
        name = jstr_or(json_array_get(containers, 0), "name", "");
    if (str_empty(name)) {
        const char *more = json_array_size(init) ? arena_printf(&rq->arena, " or one of the init containers: [%s]",
                                                                names_of(&rq->arena, init))
                                                 : "";
        stream_refuse(rq, ERR_BAD_REQUEST, "a container name must be specified for pod %s, choose one of: [%s]%s",
                      rq->target.name, names_of(&rq->arena, containers), more);
        return NULL;
    }
    if (has_container(pod, name))
        return arena_strdup(&rq->arena, name);
    stream_refuse(rq, ERR_BAD_REQUEST, "container %s is not valid for pod %s", name, rq->target.name);
    return NULL;
}

/* As what the real one's proxy answers: a failure without a reason. */
static void refuse_unreachable(struct request *rq, const char *asking, const struct err *why)
{
    _auto_free_ char *text = xasprintf("%s: %s", asking, why->msg);
    json_t *status = status_failure(ERR_INTERNAL, text, NULL);
    json_object_del(status, "reason");
    json_object_del(status, "details");
    reply_status(rq, status);
}

bool stream_node(struct request *rq, const json_t *pod, const char *asking)
{
    const char *node = jstr_or(pod, "spec.nodeName", "");
    if (!*node) {
        stream_refuse(rq, ERR_BAD_REQUEST, "pod %s does not have a host assigned", rq->target.name);
        return false;
    }
    _auto_sobj_ struct sobj *o = reg_read(rq->srv->registry, RES.nodes, "", node);
    if (!o) {
        reply_status(rq, status_not_found(RES.pods, node)); /* so the real one: it looks for the pod's location */
        return false;
    }
    void *self = NULL;
    struct err why = ERR_INIT;
    const struct node_ops *ops = registry_node_ops(rq->srv->registry, &self);
    if (!ops || !ops->reach || ops->reach(self, node, &why) == 0)
        return true;
    refuse_unreachable(rq, asking, &why);
    return false;
}

/* -- headers -- */

struct header_list {
    struct request *rq;
    const char *name;
    const char **values;
    size_t len;
};

static void add_values(struct header_list *l, const char *text)
{
    for (const char *p = text; *p && l->len < MAX_VALUES;) {
        p += strspn(p, ", \t");
        size_t n = strcspn(p, ",");
        size_t keep = n;
        while (keep > 0 && isspace((unsigned char)p[keep - 1]))
            keep--;
        if (keep)
            l->values[l->len++] = arena_strndup(&l->rq->arena, p, keep);
        p += n;
    }
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    struct header_list *l = cls;
    if (value && strcasecmp(key, l->name) == 0)
        add_values(l, value);
    return MHD_YES;
}

const char *const *stream_header_list(struct request *rq, const char *name)
{
    struct header_list l = {.rq = rq, .name = name};
    l.values = arena_alloc(&rq->arena, (MAX_VALUES + 1) * sizeof *l.values);
    MHD_get_connection_values(rq->mhd, MHD_HEADER_KIND, take_header, &l);
    l.values[l.len] = NULL;
    return l.values;
}

bool stream_header_has(struct request *rq, const char *name, const char *word)
{
    for (const char *const *v = stream_header_list(rq, name); *v; v++)
        if (strcasecmp(*v, word) == 0)
            return true;
    return false;
}

/* components.c - componentstatuses, deprecated since 1.19 and still in every course: is the store well, do the loops
 * run?
 *
 * DESIGN: nothing is stored; each request asks what the health checks ask (paths.c). The scheduler and the controllers
 * are loops of one thread, so they are well together. One that is not well has the words of a real server that cannot
 * connect. Source: pkg/registry/core/componentstatus. THREADS: the HTTP thread of the request. */
#include "apiserver/components_int.h"
#include "apiserver/query_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/view_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const struct {
    const char *name;
    bool (*well)(struct apiserver *s);
    const char *address;
} components[] = {
    {"etcd-0", health_of_store, "127.0.0.1:2379"},
    {"controller-manager", health_of_loops, "127.0.0.1:10257"},
    {"scheduler", health_of_loops, "127.0.0.1:10259"},
};

/* Returns new. */
static json_t *component(struct request *rq, size_t i)
{
    const bool well = components[i].well(rq->srv);
    json_t *said = well ? json_string("ok")
                        : json_sprintf("Get \"https://%s/%s\": dial tcp %s: connect: connection refused",
                                       components[i].address, i ? "healthz" : "health", components[i].address);
    return json_pack("{s:s, s:s, s:{s:s, s:n}, s:[{s:s, s:s, s:o}]}", "kind", "ComponentStatus", "apiVersion", "v1",
                     "metadata", "name", components[i].name, "creationTimestamp", "conditions", "type", "Healthy",
                     "status", well ? "True" : "False", "message", said);
}

static void serve_one(struct request *rq)
{
    for (size_t i = 0; i < ARRAY_LEN(components); i++)
        if (str_eq(components[i].name, rq->target.name)) {
            reply_tree(rq, 200, component(rq, i));
            return;
        }
    _auto_free_ char *text = xasprintf("Component not found: %s", rq->target.name);
    reply_plain_error(rq, text);
}

static bool write_table(struct buf *out, struct request *rq, const char *version)
{
    struct err e = ERR_INIT;
    struct table_opts o = {.version = version, .now = clock_wall_ns(rq->srv->clock)};
    if (table_include(query_get(&rq->query, "includeObject"), &o.include, &e) < 0) {
        reply_err(rq, &e);
        return false;
    }
    table_open(out, rq->res, &o, "{}", true);
    for (size_t i = 0; i < ARRAY_LEN(components); i++) {
        _auto_json_ json_t *tree = component(rq, i);
        if (i)
            buf_addc(out, ',');
        table_row(out, rq->res, &o, tree);
    }
    buf_adds(out, "]}");
    return true;
}

static void write_list(struct buf *out, struct request *rq)
{
    _auto_json_ json_t *items = json_array();
    for (size_t i = 0; i < ARRAY_LEN(components); i++) {
        json_t *item = component(rq, i);
        json_object_del(item, "kind");
        json_object_del(item, "apiVersion");
        json_array_append_new(items, item);
    }
    _auto_json_ json_t *list = json_pack("{s:s, s:s, s:{}, s:O}", "kind", rq->res->list_kind, "apiVersion",
                                         rq->res->api_version, "metadata", "items", items);
    json_write(out, list);
}

static void serve_list(struct request *rq)
{
    struct wanted w;
    struct buf b = BUF_INIT;
    if (!reply_negotiate(rq, OFFER_TABLE, &w))
        return;
    if (w.form != FORM_TABLE)
        write_list(&b, rq);
    else if (!write_table(&b, rq, w.version))
        return;
    reply_json(rq, 200, &w, &b);
}

bool components_serve(struct request *rq)
{
    if (!str_eq(rq->res->plural, "componentstatuses") || *rq->res->group)
        return false;
    strlist_add(&rq->warnings, "v1 ComponentStatus is deprecated in v1.19+");
    if (!str_eq(rq->method, "GET"))
        reply_no_method(rq);
    else if (rq->target.name[0] && rq->target.parts > 1)
        serve_one(rq);
    else
        serve_list(rq);
    return true;
}

/* authz.c - authorization: the request's target as a question to the roles (registry/rbac.h), and the words of the
 * refusal. Source: responsewriters/errors.go forbiddenMessage. THREADS: the request's. */
#include "apiserver/authz_int.h"

#include "api/status.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/mem.h"

#include <string.h>

static struct who asker(const struct request *rq)
{
    return (struct who){rq->user.name, rq->user.groups};
}

bool authz_allows(struct request *rq, const struct access *a)
{
    const struct who w = asker(rq);
    return rbac_allows(rq->srv->registry, &w, a, NULL);
}

static json_t *refusal_details(const struct access *a)
{
    json_t *d = json_object();
    if (!a->is_resource)
        return d;
    if (a->name[0])
        json_object_set_new(d, "name", json_string(a->name));
    if (a->group[0])
        json_object_set_new(d, "group", json_string(a->group));
    json_object_set_new(d, "kind", json_string(a->resource));
    return d;
}

void authz_refuse(struct request *rq, const struct access *a)
{
    struct arena *m = &rq->arena;
    const char *text;
    if (a->is_resource) {
        const char *qualified = a->group[0] ? arena_printf(m, "%s.%s", a->resource, a->group) : a->resource;
        const char *what = a->name[0] ? arena_printf(m, "%s \"%s\"", qualified, a->name) : qualified;
        const char *sub = a->sub[0] ? arena_printf(m, "%s/%s", a->resource, a->sub) : a->resource;
        const char *where = a->ns[0] ? arena_printf(m, "in the namespace \"%s\"", a->ns) : "at the cluster scope";
        text = arena_printf(m, "%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group \"%s\" %s", what,
                            rq->user.name, a->verb, sub, a->group, where);
    } else {
        text = arena_printf(m, "forbidden: User \"%s\" cannot %s path \"%s\"", rq->user.name, a->verb, a->path);
    }
    const struct who w = asker(rq);
    _auto_buf_ struct buf why = BUF_INIT;
    if (!rbac_allows(rq->srv->registry, &w, a, &why) && why.len > 0)
        text = arena_printf(m, "%s: %s", text, buf_str(&why));
    reply_status(rq, status_failure(ERR_FORBIDDEN, text, refusal_details(a)));
}

bool authz_request(struct request *rq)
{
    const struct target *t = &rq->target;
    struct access a = {.verb = t->verb,
                       .is_resource = t->is_resource,
                       .group = t->group,
                       .resource = t->resource,
                       .sub = t->sub,
                       .ns = t->ns,
                       .name = t->name,
                       .path = t->path};
    if (authz_allows(rq, &a))
        return true;
    authz_refuse(rq, &a);
    return false;
}

/* authz.c - authorization.
 *
 * DESIGN: what every cluster grants before anybody writes a role: masters may all; whoever is authenticated may
 * discover the API and ask about himself; service accounts may read the issuer's documents; and anybody may ask
 * whether the server lives and which version it is. A table of those grants, and the words of the refusal. Roles are
 * not consulted yet.
 * Source: the bootstrap cluster roles system:discovery, system:basic-user, system:public-info-viewer,
 * system:service-account-issuer-discovery; responsewriters/errors.go forbiddenMessage.
 * THREADS: pure. */
#include "apiserver/authz_int.h"

#include "api/status.h"
#include "apiserver/reply_int.h"
#include "base/mem.h"

#include <string.h>

struct grant_path {
    const char *group; /* NULL: everybody */
    const char *path;  /* one that ends in * is a prefix */
};
static const struct grant_path path_grants[] = {
    {NULL, "/healthz"},
    {NULL, "/livez"},
    {NULL, "/readyz"},
    {NULL, "/version"},
    {NULL, "/version/"},
    {"system:authenticated", "/api"},
    {"system:authenticated", "/api/*"},
    {"system:authenticated", "/apis"},
    {"system:authenticated", "/apis/*"},
    {"system:authenticated", "/openapi"},
    {"system:authenticated", "/openapi/*"},
    {"system:serviceaccounts", "/.well-known/openid-configuration"},
    {"system:serviceaccounts", "/.well-known/openid-configuration/"},
    {"system:serviceaccounts", "/openid/v1/jwks"},
    {"system:serviceaccounts", "/openid/v1/jwks/"},
};

static const struct {
    const char *group, *verb, *api_group, *resource;
} resource_grants[] = {
    {"system:authenticated", "create", "authorization.k8s.io", "selfsubjectaccessreviews"},
    {"system:authenticated", "create", "authorization.k8s.io", "selfsubjectrulesreviews"},
    {"system:authenticated", "create", "authentication.k8s.io", "selfsubjectreviews"},
};

static bool in_group(const struct user *u, const char *group)
{
    for (const char *const *g = u->groups; g && *g; g++)
        if (strcmp(*g, group) == 0)
            return true;
    return false;
}

static bool path_matches(const char *pattern, const char *path)
{
    size_t n = strlen(pattern);
    if (pattern[n - 1] == '*')
        return strncmp(pattern, path, n - 1) == 0;
    return strcmp(pattern, path) == 0;
}

static bool path_granted(const struct user *u, const struct access *a)
{
    if (strcmp(a->verb, "get") != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(path_grants); i++)
        if (path_matches(path_grants[i].path, a->path) && (!path_grants[i].group || in_group(u, path_grants[i].group)))
            return true;
    return false;
}

bool authz_allows(const struct user *u, const struct access *a)
{
    if (in_group(u, "system:masters"))
        return true;
    if (!a->is_resource)
        return path_granted(u, a);
    for (size_t i = 0; i < ARRAY_LEN(resource_grants); i++)
        if (in_group(u, resource_grants[i].group) && strcmp(a->verb, resource_grants[i].verb) == 0 &&
            strcmp(a->group, resource_grants[i].api_group) == 0 &&
            strcmp(a->resource, resource_grants[i].resource) == 0)
            return true;
    return false;
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
    if (authz_allows(&rq->user, &a))
        return true;
    authz_refuse(rq, &a);
    return false;
}

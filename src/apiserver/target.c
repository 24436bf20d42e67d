/* target.c - from method and path to a verb on a resource, see target_int.h.
 *
 * DESIGN: two steps, as in the real server. target_parse() knows only the shape of paths and never fails: what it
 * finds is what the authorizer is asked about, so that somebody who may not see a thing does not learn whether it
 * exists. target_route() then asks the resource table, and knows which paths a kind has: a namespaced kind has its
 * items below namespaces/<ns>/ only, while its lists and watches exist for all namespaces too.
 * Source: apiserver endpoints/request/requestinfo.go, endpoints/installer.go.
 * THREADS: pure. */
#include "apiserver/target_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

enum { MAX_PARTS = 12 };

struct parts {
    const char *items[MAX_PARTS];
    size_t len;
};

/* "/a/b//c/" -> a, b, "", c. What is beyond MAX_PARTS stays in the last one. */
static void split_path(struct arena *a, const char *path, struct parts *out)
{
    out->len = 0;
    path += strspn(path, "/");
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] == '/')
        n--;
    char *at = arena_strndup(a, path, n); /* cut up in place */
    const char *end = at + n;
    while (at < end) {
        out->items[out->len++] = at;
        char *slash = out->len < MAX_PARTS ? memchr(at, '/', (size_t)(end - at)) : NULL;
        if (!slash)
            break;
        *slash = '\0';
        at = slash + 1;
    }
}

static const char *method_verb(const char *method)
{
    static const struct {
        const char *method, *verb;
    } verbs[] = {
        {"GET", "get"},    {"HEAD", "get"},    {"POST", "create"},
        {"PUT", "update"}, {"PATCH", "patch"}, {"DELETE", "delete"},
    };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(method, verbs[i].method) == 0)
            return verbs[i].verb;
    return "";
}

/* For paths that are no resource the authorizer is asked about the method itself, in small letters. */
static const char *lower(struct arena *a, const char *s)
{
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return out;
}

/* Up to the next comma no backslash stands before, as the selector itself is read (api/selector_field.c): what only
 * looks like a demand, within another's value, must not be taken for one. */
static size_t term_length(const char *s)
{
    size_t n = 0;
    while (s[n] && s[n] != ',')
        n += s[n] == '\\' && s[n + 1] ? 2 : 1;
    return n;
}

/* metadata.name=x as the only demand on the name makes a list of one; the authorizer may then be asked about that name.
 */
static const char *pinned_name(struct arena *a, const struct query *q)
{
    const char *sel = query_get(q, "fieldSelector");
    static const char key[] = "metadata.name=";
    for (const char *p = sel; p && *p;) {
        size_t n = term_length(p);
        if (strncmp(p, key, sizeof key - 1) == 0 && n > sizeof key - 1) {
            const char *v = p + sizeof key - 1;
            size_t skip = *v == '=';
            const char *name = arena_strndup(a, v + skip, n - (sizeof key - 1) - skip);
            return strpbrk(name, "/%\\=") ? "" : name;
        }
        p += n + (p[n] == ',');
    }
    return "";
}

static void collection_verb(struct arena *a, const struct query *q, struct target *t)
{
    if (t->name[0])
        return;
    if (strcmp(t->verb, "get") == 0) {
        t->verb = query_bool(q, "watch") ? "watch" : "list";
        t->name = pinned_name(a, q);
    } else if (strcmp(t->verb, "delete") == 0) {
        t->verb = "deletecollection";
    }
}

static void take_rest(struct arena *a, const struct parts *p, size_t from, struct target *t)
{
    for (size_t i = from; i < p->len; i++)
        t->rest = arena_printf(a, "%s/%s", t->rest, p->items[i]);
}

void target_parse(struct arena *a, const char *method, const char *path, const struct query *q, struct target *t)
{
    *t = (struct target){
        .path = path, .group = "", .version = "", .ns = "", .resource = "", .name = "", .sub = "", .rest = ""};
    struct parts p;
    split_path(a, path, &p);
    size_t at = 1;
    bool core = p.len >= 3 && path[0] == '/' && path[1] != '/' && strcmp(p.items[0], "api") == 0;
    bool grouped = p.len >= 4 && path[0] == '/' && path[1] != '/' && strcmp(p.items[0], "apis") == 0;
    if (!core && !grouped) {
        t->verb = lower(a, method);
        return;
    }
    t->is_resource = true;
    t->verb = method_verb(method);
    if (grouped)
        t->group = p.items[at++];
    t->version = p.items[at++];
    if (strcmp(p.items[at], "watch") == 0 && at + 1 < p.len) {
        t->via_watch = true;
        t->verb = "watch";
        at++;
    }
    if (strcmp(p.items[at], "namespaces") == 0 && at + 1 < p.len) {
        t->ns = p.items[at + 1];
        bool own =
            at + 2 < p.len && (strcmp(p.items[at + 2], "status") == 0 || strcmp(p.items[at + 2], "finalize") == 0);
        if (at + 2 < p.len && !own) {
            t->in_ns = true;
            at += 2;
        }
    }
    t->parts = p.len - at;
    t->resource = p.items[at];
    if (t->parts > 1)
        t->name = p.items[at + 1];
    if (t->parts > 2 && !t->via_watch)
        t->sub = p.items[at + 2];
    take_rest(a, &p, at + 3, t);
    if (!t->via_watch)
        collection_verb(a, q, t);
}

static enum route check_verb(unsigned have, unsigned want)
{
    return want & have ? ROUTE_OK : ROUTE_NO_METHOD;
}

static unsigned method_bit(const char *method, bool collection)
{
    if (strcmp(method, "GET") == 0)
        return collection ? VERB_LIST | VERB_WATCH : VERB_GET;
    if (strcmp(method, "POST") == 0)
        return collection ? VERB_CREATE : 0;
    if (strcmp(method, "PUT") == 0)
        return collection ? 0 : VERB_UPDATE;
    if (strcmp(method, "PATCH") == 0)
        return collection ? 0 : VERB_PATCH;
    if (strcmp(method, "DELETE") == 0)
        return collection ? VERB_DELETECOLLECTION : VERB_DELETE;
    return 0;
}

static enum route route_sub(const struct target *t, const char *method, const struct resource *r,
                            const struct subresource **out_sub)
{
    const struct subresource *sub = resource_sub(r, t->sub);
    if (!sub || (t->rest[0] && strcmp(t->sub, "proxy") != 0))
        return ROUTE_NOT_FOUND;
    *out_sub = sub;
    unsigned bit = strcmp(method, "POST") == 0 ? VERB_CREATE : method_bit(method, false);
    if (strcmp(sub->name, "proxy") == 0 && (strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0))
        bit = VERB_GET;
    return check_verb(sub->verbs, bit);
}

static enum route route_watch(const struct target *t, const char *method, const struct resource *r)
{
    if (!(r->verbs & VERB_WATCH) || t->parts > 2)
        return ROUTE_NOT_FOUND;
    return strcmp(method, "GET") == 0 ? ROUTE_OK : ROUTE_NO_METHOD;
}

enum route target_route(const struct target *t, const char *method, const struct resource **out_res,
                        const struct subresource **out_sub)
{
    *out_sub = NULL;
    const struct resource *r = resource_by_plural(t->group, t->version, t->resource);
    if (!r && !resource_has_group(t->group))
        return ROUTE_NO_GROUP;
    if (!r || (!r->namespaced && t->in_ns))
        return ROUTE_NOT_FOUND;
    *out_res = r;
    bool item = t->parts > 1;
    bool everywhere = r->namespaced && !t->in_ns; /* all namespaces: only to list and watch */
    if (everywhere && (item || !(r->verbs & VERB_LIST)) && !t->via_watch)
        return ROUTE_NOT_FOUND;
    if (t->via_watch)
        return route_watch(t, method, r);
    if (t->sub[0])
        return route_sub(t, method, r, out_sub);
    if (item && !(r->verbs & (VERB_GET | VERB_UPDATE | VERB_PATCH | VERB_DELETE)))
        return ROUTE_NOT_FOUND;
    unsigned have = everywhere ? r->verbs & (VERB_LIST | VERB_WATCH) : r->verbs;
    return check_verb(have, method_bit(method, !item));
}

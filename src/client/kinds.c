/* kinds.c - see kinds.h.
 *
 * DESIGN: one reader for each of the two shapes of discovery; both end in kind_add(). Only the preferred version of a
 * kind is of interest to somebody who types, but objects name any: all are kept, in the server's order. */
#include "client/kinds.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AGGREGATED                                                                                                     \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                                            \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"

void kinds_release(struct kinds *k)
{
    for (size_t i = 0; i < k->len; i++) {
        struct kind *x = &k->items[i];
        free(x->group);
        free(x->version);
        free(x->kind);
        free(x->plural);
        free(x->singular);
        strlist_release(&x->shorts);
        strlist_release(&x->categories);
        strlist_release(&x->verbs);
    }
    free(k->items);
    *k = (struct kinds){0};
}

static void add_texts(struct strlist *to, const json_t *from)
{
    size_t i;
    const json_t *x;
    json_array_foreach(from, i, x) if (json_is_string(x)) strlist_add(to, json_string_value(x));
}

static struct kind *kind_add(struct kinds *k, const char *group, const char *version, const json_t *r)
{
    if (k->len == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 64;
        k->items = xrealloc(k->items, k->cap * sizeof *k->items);
    }
    struct kind *x = &k->items[k->len++];
    *x = (struct kind){.group = xstrdup(group), .version = xstrdup(version)};
    add_texts(&x->shorts, json_object_get(r, "shortNames"));
    add_texts(&x->categories, json_object_get(r, "categories"));
    add_texts(&x->verbs, json_object_get(r, "verbs"));
    return x;
}

/* ---- aggregated ---- */

static void take_version(struct kinds *k, const char *group, const json_t *version)
{
    size_t i;
    const json_t *r;
    json_array_foreach(json_object_get(version, "resources"), i, r)
    {
        if (!jstr(r, "resource") || !jstr(r, "responseKind.kind"))
            continue;
        struct kind *x = kind_add(k, group, jstr_or(version, "version", ""), r);
        x->kind = xstrdup(jstr(r, "responseKind.kind"));
        x->plural = xstrdup(jstr(r, "resource"));
        x->singular = xstrdup(jstr_or(r, "singularResource", ""));
        x->namespaced = str_eq(jstr(r, "scope"), "Namespaced");
    }
}

static void take_groups(struct kinds *k, const json_t *list)
{
    size_t i, v;
    const json_t *group, *version;
    json_array_foreach(json_object_get(list, "items"), i, group)
        json_array_foreach(json_object_get(group, "versions"), v, version)
            take_version(k, jstr_or(group, "metadata.name", ""), version);
}

/* ---- group by group ---- */

static int take_list(struct client *c, struct kinds *k, const char *path, const char *group, const char *version,
                     struct err *e)
{
    _auto_json_ json_t *list = NULL;
    size_t i;
    const json_t *r;
    if (client_json(c, "GET", path, NULL, NULL, &list, e) < 0)
        return -1;
    json_array_foreach(json_object_get(list, "resources"), i, r)
    {
        const char *plural = jstr_or(r, "name", "");
        if (strchr(plural, '/') || !jstr(r, "kind"))
            continue; /* a subresource */
        struct kind *x = kind_add(k, group, version, r);
        x->kind = xstrdup(jstr(r, "kind"));
        x->plural = xstrdup(plural);
        x->singular = xstrdup(jstr_or(r, "singularName", ""));
        x->namespaced = jbool(r, "namespaced", false);
    }
    return 0;
}

static int take_old(struct client *c, struct kinds *k, const json_t *first, struct err *e)
{
    size_t i;
    const json_t *x;
    json_array_foreach(json_object_get(first, "versions"), i, x)
    {
        _auto_free_ char *path = xasprintf("/api/%s", json_string_value(x));
        if (take_list(c, k, path, "", json_string_value(x), e) < 0)
            return -1;
    }
    json_array_foreach(json_object_get(first, "groups"), i, x)
    {
        const char *version = jstr_or(x, "preferredVersion.groupVersion", "");
        _auto_free_ char *path = xasprintf("/apis/%s", version);
        if (take_list(c, k, path, jstr_or(x, "name", ""), jstr_or(x, "preferredVersion.version", ""), e) < 0)
            return -1;
    }
    return 0;
}

static int load_one(struct client *c, struct kinds *k, const char *path, struct err *e)
{
    _auto_client_answer_ struct client_answer a = {0};
    const struct client_request rq = {.path = path, .accept = AGGREGATED};
    if (client_call(c, &rq, &a, e) < 0)
        return -1;
    if (a.status >= 300)
        return client_failure(&a, e);
    _auto_json_ json_t *tree = json_loadb(buf_str(&a.body), a.body.len, 0, NULL);
    if (!tree)
        return err_set(e, ERR_CORRUPT, "the server's discovery is no JSON");
    if (str_eq(jstr(tree, "kind"), "APIGroupDiscoveryList"))
        take_groups(k, tree);
    else
        return take_old(c, k, tree, e);
    return 0;
}

int kinds_load(struct client *c, struct kinds *out, struct err *e)
{
    _auto_kinds_ struct kinds k = {0};
    if (load_one(c, &k, "/api", e) < 0 || load_one(c, &k, "/apis", e) < 0)
        return -1;
    *out = k;
    k = (struct kinds){0};
    return 0;
}

/* ---- words ---- */

/* Is `rest`, what stands behind the name's first dot, this kind's group or version.group? */
static bool in_group(const struct kind *k, const char *rest)
{
    const size_t n = strlen(k->version);
    if (strcasecmp(rest, k->group) == 0)
        return true;
    return strncasecmp(rest, k->version, n) == 0 && (rest[n] == '.' || !rest[n]) &&
           strcasecmp(rest[n] ? rest + n + 1 : "", k->group) == 0;
}

static bool is_named(const struct kind *k, const char *name, bool shorts)
{
    if (strcasecmp(name, k->plural) == 0 || strcasecmp(name, k->singular) == 0 || strcasecmp(name, k->kind) == 0)
        return true;
    for (size_t i = 0; shorts && i < k->shorts.len; i++)
        if (strcasecmp(name, k->shorts.items[i]) == 0)
            return true;
    return false;
}

const struct kind *kinds_find(const struct kinds *k, const char *word)
{
    const char *dot = strchr(word, '.');
    _auto_free_ char *name = dot ? xstrndup(word, (size_t)(dot - word)) : xstrdup(word);
    for (int shorts = 0; shorts < 2; shorts++)
        for (size_t i = 0; i < k->len; i++)
            if (is_named(&k->items[i], name, shorts) && (!dot || in_group(&k->items[i], dot + 1)))
                return &k->items[i];
    return NULL;
}

const struct kind *kinds_of(const struct kinds *k, const char *api_version, const char *kind)
{
    const char *slash = strchr(api_version, '/');
    _auto_free_ char *group = slash ? xstrndup(api_version, (size_t)(slash - api_version)) : xstrdup("");
    for (size_t i = 0; i < k->len; i++) {
        const struct kind *x = &k->items[i];
        if (str_eq(x->kind, kind) && str_eq(x->group, group) && str_eq(x->version, slash ? slash + 1 : api_version))
            return x;
    }
    return NULL;
}

bool kind_can(const struct kind *k, const char *verb)
{
    return strlist_has(&k->verbs, verb);
}

/* ---- texts ---- */

void kind_api_version(const struct kind *k, struct buf *out)
{
    buf_addf(out, "%s%s%s", k->group, k->group[0] ? "/" : "", k->version);
}

void kind_qualified(const struct kind *k, struct buf *out)
{
    buf_addf(out, "%s%s%s", k->plural, k->group[0] ? "." : "", k->group);
}

void kind_path(const struct kind *k, const char *ns, const char *name, const char *sub, struct buf *out)
{
    buf_adds(out, k->group[0] ? "/apis/" : "/api/");
    kind_api_version(k, out);
    if (k->namespaced && !str_empty(ns)) {
        buf_adds(out, "/namespaces/");
        client_escape(out, ns);
    }
    buf_addf(out, "/%s", k->plural);
    const char *const parts[] = {name, sub};
    for (size_t i = 0; i < ARRAY_LEN(parts) && !str_empty(parts[i]); i++) {
        buf_addc(out, '/');
        client_escape(out, parts[i]);
    }
}

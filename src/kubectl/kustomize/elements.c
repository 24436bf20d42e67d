/* elements.c - the objects of a build, and what each was called on its way. See build_int.h. */
#include "api/resource.h"
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/kustomize/build_int.h"

#include <stdlib.h>
#include <string.h>

static void element_release(struct element *x)
{
    json_decref(x->object);
    strlist_release(&x->past);
    strlist_release(&x->affixes);
}

void elements_release(struct elements *es)
{
    for (size_t i = 0; i < es->len; i++)
        element_release(&es->items[i]);
    free(es->items);
    *es = (struct elements){0};
}

struct element *elements_add(struct elements *es, json_t *take_object)
{
    if (es->len == es->cap) {
        es->cap = es->cap ? es->cap * 2 : 8;
        es->items = xrealloc(es->items, es->cap * sizeof *es->items);
    }
    es->items[es->len] = (struct element){.object = take_object};
    return &es->items[es->len++];
}

void elements_remove(struct elements *es, size_t i)
{
    element_release(&es->items[i]);
    memmove(&es->items[i], &es->items[i + 1], (--es->len - i) * sizeof *es->items);
}

const char *element_kind(const struct element *x)
{
    return jstr_or(x->object, "kind", "");
}

const char *element_name(const struct element *x)
{
    return jstr_or(x->object, "metadata.name", "");
}

const char *element_namespace(const struct element *x)
{
    return jstr_or(x->object, "metadata.namespace", "");
}

char *element_group(const struct element *x)
{
    const char *version = jstr_or(x->object, "apiVersion", ""), *slash = strchr(version, '/');
    return slash ? xstrndup(version, (size_t)(slash - version)) : xstrdup("");
}

/* A kind that is not known is taken for one in namespaces, as most are. */
bool element_is_namespaced(const struct element *x)
{
    const struct resource *r = resource_by_api_version(jstr_or(x->object, "apiVersion", ""), element_kind(x));
    return !r || r->namespaced;
}

void element_rename(struct element *x, const char *ns, const char *name)
{
    strlist_addf(&x->past, "%s/%s", element_namespace(x), element_name(x));
    jset_str(x->object, "metadata.name", name);
    if (*ns)
        jset_str(x->object, "metadata.namespace", ns);
}

static bool same_place(const char *a, const char *b)
{
    return str_eq(*a ? a : "default", *b ? b : "default");
}

bool element_was(const struct element *x, const char *ns, const char *name)
{
    if (str_eq(element_name(x), name) && (!ns || same_place(ns, element_namespace(x))))
        return true;
    for (size_t i = 0; i < x->past.len; i++) {
        const char *slash = strchr(x->past.items[i], '/');
        _auto_free_ char *place = xstrndup(x->past.items[i], (size_t)(slash - x->past.items[i]));
        if (str_eq(slash + 1, name) && (!ns || same_place(ns, place)))
            return true;
    }
    return false;
}

char *object_id(const json_t *object)
{
    const char *version = jstr_or(object, "apiVersion", ""), *slash = strchr(version, '/');
    _auto_free_ char *group = slash ? xstrndup(version, (size_t)(slash - version)) : xstrdup("[noGrp]");
    return xasprintf("%s.%s.%s/%s.%s", jstr_or(object, "kind", ""), slash ? slash + 1 : version, group,
                     jstr_or(object, "metadata.name", ""), jstr_or(object, "metadata.namespace", "[noNs]"));
}

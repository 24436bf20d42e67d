/* discovery.c - what the server serves, told in three dialects: aggregated (v2, v2beta1) and legacy.
 *
 * DESIGN: every document is written from the resource table, in table order. A group version is one pass over the
 * table; subresources follow their resource. Texts end with a newline, like every object the server serialises.
 * THREADS: safe, through the cache. */
#include "api/openapi.h"

#include "api/doc_cache.h"
#include "api/resource.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* -- shared pieces -- */

static json_t *verbs_json(unsigned verbs)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {VERB_CREATE, "create"}, {VERB_DELETE, "delete"}, {VERB_DELETECOLLECTION, "deletecollection"},
        {VERB_GET, "get"},       {VERB_LIST, "list"},     {VERB_PATCH, "patch"},
        {VERB_UPDATE, "update"}, {VERB_WATCH, "watch"},
    };
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (verbs & names[i].bit)
            json_array_append_new(list, json_string(names[i].name));
    return list;
}

static void names_add(json_t *obj, const char *member, const char *const *names)
{
    if (!names)
        return;
    json_t *list = json_array();
    for (; *names; names++)
        json_array_append_new(list, json_string(*names));
    json_object_set_new(obj, member, list);
}

/* Is row i the first of its group (of its group version)? Groups are not spread over the table. */
static bool first_of_group(const struct resource *const *all, size_t i)
{
    return i == 0 || strcmp(all[i - 1]->group, all[i]->group) != 0;
}

static bool text_end(struct buf *out, json_t *take_doc)
{
    json_write(out, take_doc);
    buf_addc(out, '\n');
    json_decref(take_doc);
    return true;
}

/* -- aggregated -- */

static json_t *response_kind(const char *group, const char *version, const char *kind)
{
    return json_pack("{s:s, s:s, s:s}", "group", group, "version", version, "kind", kind);
}

static json_t *aggregated_subs(const struct resource *r)
{
    json_t *list = json_array();
    for (const struct subresource *s = r->subs; s && s->name; s++)
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o}", "subresource", s->name, "responseKind",
                                        response_kind(s->group, s->version, s->kind), "verbs", verbs_json(s->verbs)));
    return list;
}

static json_t *aggregated_resource(const struct resource *r)
{
    json_t *obj = json_pack("{s:s, s:o, s:s, s:s, s:o}", "resource", r->plural, "responseKind",
                            response_kind("", "", r->kind), "scope", r->namespaced ? "Namespaced" : "Cluster",
                            "singularResource", r->singular, "verbs", verbs_json(r->verbs));
    names_add(obj, "shortNames", r->short_names);
    names_add(obj, "categories", r->categories);
    if (r->subs)
        json_object_set_new(obj, "subresources", aggregated_subs(r));
    return obj;
}

/* The versions of a group, best first: as they come in the table. */
static void versions_of(const struct resource *const *all, size_t n, const char *group, struct strlist *out)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i]->group, group) == 0 && !strlist_has(out, all[i]->version))
            strlist_add(out, all[i]->version);
}

static json_t *aggregated_version(const struct resource *const *all, size_t n, const char *group, const char *version)
{
    json_t *resources = json_array();
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i]->group, group) == 0 && strcmp(all[i]->version, version) == 0)
            json_array_append_new(resources, aggregated_resource(all[i]));
    return json_pack("{s:s, s:o, s:s}", "version", version, "resources", resources, "freshness", "Current");
}

static json_t *aggregated_group(const struct resource *const *all, size_t n, const char *group)
{
    _auto_strlist_ struct strlist versions = {0};
    json_t *list = json_array();
    versions_of(all, n, group, &versions);
    for (size_t i = 0; i < versions.len; i++)
        json_array_append_new(list, aggregated_version(all, n, group, versions.items[i]));
    json_t *meta =
        *group ? json_pack("{s:s, s:n}", "name", group, "creationTimestamp") : json_pack("{s:n}", "creationTimestamp");
    return json_pack("{s:o, s:o}", "metadata", meta, "versions", list);
}

/* arg: "core v2", "groups v2beta1", … */
static bool aggregated_build(const char *arg, struct buf *out)
{
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    bool core = arg[0] == 'c';
    json_t *items = json_array();
    for (size_t i = 0; i < n; i++)
        if (first_of_group(all, i) && core == !*all[i]->group)
            json_array_append_new(items, aggregated_group(all, n, all[i]->group));
    _auto_free_ char *version = xasprintf("apidiscovery.k8s.io/%s", strchr(arg, ' ') + 1);
    return text_end(out, json_pack("{s:s, s:s, s:{}, s:o}", "kind", "APIGroupDiscoveryList", "apiVersion", version,
                                   "metadata", "items", items));
}

struct doc discovery_aggregated(bool core, bool v2beta1)
{
    _auto_free_ char *arg = xasprintf("%s %s", core ? "core" : "groups", v2beta1 ? "v2beta1" : "v2");
    return doc_get("aggregated", arg, aggregated_build);
}

/* -- legacy -- */

char *discovery_api_versions(const char *host_port)
{
    struct buf out = BUF_INIT;
    text_end(&out, json_pack("{s:s, s:[s], s:[{s:s, s:s}]}", "kind", "APIVersions", "versions", "v1",
                             "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress", host_port));
    return buf_steal(&out, NULL);
}

/* The members of an APIGroup: of the list, or a document of its own. */
static json_t *group_json(const struct resource *const *all, size_t n, const char *group, bool own_document)
{
    _auto_strlist_ struct strlist versions = {0};
    json_t *list = json_array();
    json_t *obj = own_document ? json_pack("{s:s, s:s}", "kind", "APIGroup", "apiVersion", "v1") : json_object();
    versions_of(all, n, group, &versions);
    for (size_t i = 0; i < versions.len; i++) {
        _auto_free_ char *both = xasprintf("%s/%s", group, versions.items[i]);
        json_array_append_new(list, json_pack("{s:s, s:s}", "groupVersion", both, "version", versions.items[i]));
    }
    json_object_set_new(obj, "name", json_string(group));
    json_object_set_new(obj, "versions", list);
    json_object_set(obj, "preferredVersion", json_array_get(list, 0));
    return obj;
}

static bool group_list_build(const char *arg, struct buf *out)
{
    (void)arg;
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    json_t *groups = json_array();
    for (size_t i = 0; i < n; i++)
        if (first_of_group(all, i) && *all[i]->group)
            json_array_append_new(groups, group_json(all, n, all[i]->group, false));
    return text_end(out, json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups));
}

struct doc discovery_group_list(void)
{
    return doc_get("group-list", "", group_list_build);
}

static bool group_build(const char *group, struct buf *out)
{
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    for (size_t i = 0; i < n; i++)
        if (*group && strcmp(all[i]->group, group) == 0)
            return text_end(out, group_json(all, n, group, true));
    return false;
}

struct doc discovery_group(const char *group)
{
    return doc_get("group", group, group_build);
}

static json_t *legacy_resource(const struct resource *r)
{
    json_t *obj = json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", r->plural, "singularName", r->singular, "namespaced",
                            r->namespaced, "kind", r->kind, "verbs", verbs_json(r->verbs));
    names_add(obj, "shortNames", r->short_names);
    names_add(obj, "categories", r->categories);
    if (r->storage_hash)
        json_object_set_new(obj, "storageVersionHash", json_string(r->storage_hash));
    return obj;
}

static json_t *legacy_sub(const struct resource *r, const struct subresource *s)
{
    _auto_free_ char *name = xasprintf("%s/%s", r->plural, s->name);
    json_t *obj = json_pack("{s:s, s:s, s:b}", "name", name, "singularName", "", "namespaced", r->namespaced);
    if (*s->group) {
        json_object_set_new(obj, "group", json_string(s->group));
        json_object_set_new(obj, "version", json_string(s->version));
    }
    json_object_set_new(obj, "kind", json_string(s->kind));
    json_object_set_new(obj, "verbs", verbs_json(s->verbs));
    return obj;
}

static bool resource_list_build(const char *group_version, struct buf *out)
{
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    json_t *resources = json_array();
    for (size_t i = 0; i < n; i++) {
        if (strcmp(resource_api_version(all[i]), group_version) != 0)
            continue;
        json_array_append_new(resources, legacy_resource(all[i]));
        for (const struct subresource *s = all[i]->subs; s && s->name; s++)
            json_array_append_new(resources, legacy_sub(all[i], s));
    }
    if (json_array_size(resources) == 0) {
        json_decref(resources);
        return false;
    }
    json_t *doc = json_pack("{s:s}", "kind", "APIResourceList");
    if (strchr(group_version, '/')) /* the core list has no apiVersion */
        json_object_set_new(doc, "apiVersion", json_string("v1"));
    json_object_set_new(doc, "groupVersion", json_string(group_version));
    json_object_set_new(doc, "resources", resources);
    return text_end(out, doc);
}

struct doc discovery_resource_list(const char *group, const char *version)
{
    if (!*group)
        return doc_get("resources", version, resource_list_build);
    _auto_free_ char *group_version = xasprintf("%s/%s", group, version);
    return doc_get("resources", group_version, resource_list_build);
}

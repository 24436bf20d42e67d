/* openapi_paths.c - the operations of each resource, from its row in the table.
 *
 * DESIGN: three path forms a resource (the collection, one object, the collection over all namespaces) and one a
 * subresource. Which operations stand at a path follows from the verbs. Query parameters are written inline in each
 * operation, never by reference: kubectl looks for fieldValidation and dryRun in the PATCH operation itself. Every
 * operation carries the kind it takes or gives, with "group": "" for core, as explain and the field-validation check
 * compare it whole. THREADS: pure. When you add a verb or a query parameter: a row in the tables below. */
#include "api/openapi_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* -- parameters -- */

enum param_set { PARAMS_READ, PARAMS_LIST, PARAMS_WRITE, PARAMS_PATCH, PARAMS_DELETE, PARAMS_CONNECT };

static const struct {
    const char *name, *type, *descr;
    unsigned sets;
} params[] = {
#define IN(set) (1U << PARAMS_##set)
    {"allowWatchBookmarks", "boolean", "Also send BOOKMARK events while watching.", IN(LIST) | IN(DELETE)},
    {"continue", "string", "Token of the page to go on with.", IN(LIST)},
    {"fieldSelector", "string", "Only objects whose fields match.", IN(LIST)},
    {"labelSelector", "string", "Only objects whose labels match.", IN(LIST)},
    {"limit", "integer", "Most objects in one answer.", IN(LIST)},
    {"resourceVersion", "string", "The version to read at, or to watch from.", IN(LIST)},
    {"resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan.", IN(LIST)},
    {"sendInitialEvents", "boolean", "Begin a watch with what exists.", IN(LIST)},
    {"timeoutSeconds", "integer", "End a list or watch after this many seconds.", IN(LIST)},
    {"watch", "boolean", "Stream changes instead of listing.", IN(LIST)},
    {"dryRun", "string", "All: do everything but the write.", IN(WRITE) | IN(PATCH) | IN(DELETE)},
    {"fieldManager", "string", "Who makes this change.", IN(WRITE) | IN(PATCH)},
    {"fieldValidation", "string", "Unknown and doubled fields: Ignore, Warn or Strict.", IN(WRITE) | IN(PATCH)},
    {"force", "boolean", "Apply takes fields over from other managers.", IN(PATCH)},
    {"gracePeriodSeconds", "integer", "Seconds before the object ends; 0 at once.", IN(DELETE)},
    {"orphanDependents", "boolean", "Old way to say propagationPolicy Orphan.", IN(DELETE)},
    {"propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground.", IN(DELETE)},
#undef IN
};

static json_t *parameter(const char *name, const char *in, const char *type, const char *descr, enum dialect d)
{
    json_t *p = json_pack("{s:s, s:s, s:s}", "name", name, "in", in, "description", descr);
    if (strcmp(in, "path") == 0)
        json_object_set_new(p, "required", json_true());
    if (d == OPENAPI_V3)
        json_object_set_new(p, "schema", json_pack("{s:s, s:b}", "type", type, "uniqueItems", 1));
    else
        json_object_update_new(p, json_pack("{s:s, s:b}", "type", type, "uniqueItems", 1));
    return p;
}

static json_t *query_parameters(enum param_set set, enum dialect d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(params); i++)
        if (params[i].sets & 1U << set)
            json_array_append_new(list, parameter(params[i].name, "query", params[i].type, params[i].descr, d));
    return list;
}

static json_t *path_parameters(bool name, bool namespaced, const char *kind, enum dialect d)
{
    json_t *list = json_array();
    if (name) {
        _auto_free_ char *descr = xasprintf("name of the %s", kind);
        json_array_append_new(list, parameter("name", "path", "string", descr, d));
    }
    if (namespaced)
        json_array_append_new(list, parameter("namespace", "path", "string", "name of the namespace", d));
    json_array_append_new(list,
                          parameter("pretty", "query", "string", "Write the answer with line breaks and indents.", d));
    return list;
}

/* -- operations -- */

struct place {
    const struct resource *r;
    const struct subresource *sub;      /* NULL: the resource itself */
    const struct schema_type *type;     /* of bodies and answers; NULL: text or a stream */
    const char *group, *version, *kind; /* what the operation says it is about */
    bool all_namespaces;
    bool item;
    enum dialect d;
    json_t *defs;
};

static const struct method {
    const char *http;
    unsigned verb;
    bool item;          /* at one object, else at the collection */
    const char *action; /* x-kubernetes-action */
    const char *words;  /* of the description */
    enum param_set params;
    bool body;
} methods[] = {
    {"get", VERB_LIST, false, "list", "list or watch objects of kind", PARAMS_LIST, false},
    {"post", VERB_CREATE, false, "post", "create a", PARAMS_WRITE, true},
    {"delete", VERB_DELETECOLLECTION, false, "deletecollection", "delete a collection of", PARAMS_DELETE, false},
    {"get", VERB_GET, true, "get", "read the named", PARAMS_READ, false},
    {"put", VERB_UPDATE, true, "put", "replace the named", PARAMS_WRITE, true},
    {"delete", VERB_DELETE, true, "delete", "delete a", PARAMS_DELETE, false},
    {"patch", VERB_PATCH, true, "patch", "partially update the named", PARAMS_PATCH, true},
    {"post", VERB_CREATE, true, "post", "create", PARAMS_WRITE, true}, /* subresources */
};

static json_t *body_ref(const struct place *p, const struct method *m)
{
    if (m->verb == VERB_PATCH) {
        openapi_define_leaf(p->defs, META "Patch", p->d);
        return openapi_ref(META "Patch", p->d);
    }
    openapi_define(p->defs, p->type, p->d);
    return openapi_ref(p->type->openapi_name, p->d);
}

static void body_add(json_t *op, const struct place *p, const struct method *m)
{
    static const char *const patches[] = {"application/json-patch+json", "application/merge-patch+json",
                                          "application/strategic-merge-patch+json", "application/apply-patch+yaml"};
    json_t *ref = body_ref(p, m);
    if (p->d == OPENAPI_V2) {
        json_t *consumes = json_array();
        for (size_t i = 0; i < ARRAY_LEN(patches) && m->verb == VERB_PATCH; i++)
            json_array_append_new(consumes, json_string(patches[i]));
        if (m->verb != VERB_PATCH)
            json_array_append_new(consumes, json_string("*/*"));
        json_object_set_new(op, "consumes", consumes);
        json_array_insert_new(
            json_object_get(op, "parameters"), 0,
            json_pack("{s:s, s:s, s:b, s:o}", "name", "body", "in", "body", "required", 1, "schema", ref));
        return;
    }
    json_t *content = json_object();
    for (size_t i = 0; i < ARRAY_LEN(patches) && m->verb == VERB_PATCH; i++)
        json_object_set_new(content, patches[i], json_pack("{s:O}", "schema", ref));
    if (m->verb != VERB_PATCH)
        json_object_set_new(content, "*/*", json_pack("{s:O}", "schema", ref));
    json_decref(ref);
    json_object_set_new(op, "requestBody", json_pack("{s:o, s:b}", "content", content, "required", 1));
}

/* What a successful answer holds. */
static const struct schema_type *answer_type(const struct place *p, const struct method *m)
{
    if (m->verb == VERB_DELETE || m->verb == VERB_DELETECOLLECTION)
        return schema_type("meta.v1.Status");
    if (m->verb == VERB_LIST)
        return schema_kind(p->r->group, p->r->version, p->r->list_kind);
    return p->type;
}

static json_t *response(const struct place *p, const struct method *m)
{
    const struct schema_type *t = answer_type(p, m);
    json_t *out = json_pack("{s:s}", "description", "OK");
    if (!t)
        return out;
    openapi_define(p->defs, t, p->d);
    json_t *ref = openapi_ref(t->openapi_name, p->d);
    if (p->d == OPENAPI_V2) {
        json_object_set_new(out, "schema", ref);
        return out;
    }
    static const char *const media[] = {"application/json", "application/vnd.kubernetes.protobuf", "application/yaml"};
    json_t *content = json_object();
    for (size_t i = 0; i < ARRAY_LEN(media); i++)
        json_object_set_new(content, media[i], json_pack("{s:O}", "schema", ref));
    json_decref(ref);
    json_object_set_new(out, "content", content);
    return out;
}

static json_t *responses(const struct place *p, const struct method *m)
{
    json_t *all = json_pack("{s:o, s:{s:s}}", "200", response(p, m), "401", "description", "Unauthorized");
    if (m->body)
        json_object_set_new(all, "201", response(p, m));
    return all;
}

/* "patchCoreV1NamespacedPodStatus": group, version, scope, kind and subresource in one word. */
static char *operation_id(const struct place *p, const struct method *m)
{
    static const struct {
        const char *action, *prefix;
    } prefixes[] = {{"list", "list"},   {"post", "create"},    {"deletecollection", "deleteCollection"},
                    {"get", "read"},    {"put", "replace"},    {"delete", "delete"},
                    {"patch", "patch"}, {"connect", "connect"}};
    const char *prefix = "";
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (strcmp(prefixes[i].action, m->action) == 0)
            prefix = prefixes[i].prefix;
    const char *group = *p->r->group ? p->r->group : "core";
    struct buf id = BUF_INIT;
    buf_adds(&id, prefix);
    if (strcmp(prefix, "connect") == 0)
        buf_addf(&id, "%c%s", toupper((unsigned char)m->http[0]), m->http + 1);
    buf_addf(&id, "%c%.*sV%s%s%s", toupper((unsigned char)group[0]), (int)strcspn(group + 1, "."), group + 1,
             p->r->version + 1, p->r->namespaced && !p->all_namespaces ? "Namespaced" : "", p->r->kind);
    if (p->sub)
        buf_addf(&id, "%c%s", toupper((unsigned char)p->sub->name[0]), p->sub->name + 1);
    if (p->all_namespaces)
        buf_adds(&id, "ForAllNamespaces");
    return buf_steal(&id, NULL);
}

static json_t *operation(const struct place *p, const struct method *m)
{
    _auto_free_ char *descr = xasprintf("%s %s", m->words, p->kind);
    _auto_free_ char *id = operation_id(p, m);
    json_t *op = json_pack("{s:s, s:s, s:o}", "description", descr, "operationId", id, "parameters",
                           query_parameters(m->params, p->d));
    if (p->d == OPENAPI_V2)
        json_object_set_new(op, "produces", json_pack("[s]", "application/json"));
    if (m->body && p->type)
        body_add(op, p, m);
    if (m->verb == VERB_DELETE || m->verb == VERB_DELETECOLLECTION)
        openapi_define(p->defs, schema_type("meta.v1.DeleteOptions"), p->d);
    json_object_set_new(op, "responses", responses(p, m));
    json_object_set_new(op, "x-kubernetes-action", json_string(m->action));
    json_object_set_new(op, "x-kubernetes-group-version-kind", openapi_gvk(p->group, p->version, p->kind));
    return op;
}

/* -- paths -- */

static char *path_text(const struct place *p)
{
    const struct resource *r = p->r;
    struct buf out = BUF_INIT;
    buf_addf(&out, "/%s/%s", *r->group ? "apis" : "api", resource_api_version(r));
    if (r->namespaced && !p->all_namespaces)
        buf_adds(&out, "/namespaces/{namespace}");
    buf_addf(&out, "/%s", r->plural);
    if (p->item)
        buf_adds(&out, "/{name}");
    if (p->sub)
        buf_addf(&out, "/%s", p->sub->name);
    return buf_steal(&out, NULL);
}

static void path_put(json_t *paths, const struct place *p, json_t *take_item)
{
    _auto_free_ char *path = path_text(p);
    if (json_object_size(take_item) == 0) {
        json_decref(take_item);
        return;
    }
    json_object_set_new(take_item, "parameters",
                        path_parameters(p->item, p->r->namespaced && !p->all_namespaces, p->kind, p->d));
    json_object_set_new(paths, path, take_item);
}

static void resource_path_add(json_t *paths, const struct place *p)
{
    json_t *item = json_object();
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        const struct method *m = &methods[i];
        bool create_here = m->verb != VERB_CREATE || !m->item;
        if (m->item != p->item || !(p->r->verbs & m->verb) || !create_here)
            continue;
        if (p->all_namespaces && m->verb != VERB_LIST)
            continue;
        json_object_set_new(item, m->http, operation(p, m));
    }
    path_put(paths, p, item);
}

/* A stream or a proxy: no body, no schema. */
static json_t *connect_item(const struct place *p)
{
    static const struct {
        const char *http;
        unsigned verb;
    } verbs[] = {
        {"get", VERB_GET}, {"post", VERB_CREATE}, {"put", VERB_UPDATE}, {"delete", VERB_DELETE}, {"patch", VERB_PATCH}};
    json_t *item = json_object();
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        struct method m = {verbs[i].http, VERB_GET, true, "connect", "connect to", PARAMS_CONNECT, false};
        if (p->sub->verbs & verbs[i].verb)
            json_object_set_new(item, verbs[i].http, operation(p, &m));
    }
    return item;
}

static void subresource_path_add(json_t *paths, struct place p, const struct subresource *sub)
{
    p.sub = sub;
    p.item = true;
    p.group = *sub->version ? sub->group : p.r->group;
    p.version = *sub->version ? sub->version : p.r->version;
    p.kind = sub->kind;
    p.type = schema_kind(p.group, p.version, p.kind);
    if (!p.type) {
        path_put(paths, &p, connect_item(&p));
        return;
    }
    json_t *item = json_object();
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (methods[i].item && methods[i].verb != VERB_DELETE && sub->verbs & methods[i].verb)
            json_object_set_new(item, methods[i].http, operation(&p, &methods[i]));
    path_put(paths, &p, item);
}

void openapi_paths_add(json_t *paths, json_t *defs, const struct resource *r, enum dialect d)
{
    struct place p = {.r = r,
                      .type = schema_type(r->type),
                      .group = r->group,
                      .version = r->version,
                      .kind = r->kind,
                      .d = d,
                      .defs = defs};
    resource_path_add(paths, &p);
    if (r->namespaced && r->verbs & VERB_LIST) {
        p.all_namespaces = true;
        resource_path_add(paths, &p);
        p.all_namespaces = false;
    }
    p.item = true;
    resource_path_add(paths, &p);
    for (const struct subresource *s = r->subs; s && s->name; s++)
        subresource_path_add(paths, p, s);
}

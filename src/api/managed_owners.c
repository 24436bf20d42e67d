/* managed_owners.c - metadata.managedFields as a list in memory: who owns what.
 *
 * An owner is a manager with an operation and a subresource (and, for updates, an API version); its entry is one line
 * of managedFields. INVARIANT: no owner on the wire has an empty set. THREADS: a list belongs to one caller. */
#include "api/managed_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define MAX_UPDATERS 10
static const char OLD_UPDATES[] = "ancient-changes";

static void owner_release(struct owner *o)
{
    free(o->manager);
    free(o->operation);
    free(o->api_version);
    free(o->subresource);
    free(o->time);
    json_decref(o->fields);
    json_decref(o->entry);
}

void owners_release(struct owners *l)
{
    for (size_t i = 0; i < l->len; i++)
        owner_release(&l->items[i]);
    free(l->items);
    *l = (struct owners){0};
}

static struct owner *owners_add(struct owners *l)
{
    if (l->len == l->cap) {
        l->cap = l->cap != 0 ? l->cap * 2 : 4;
        l->items = xrealloc(l->items, l->cap * sizeof *l->items);
    }
    l->items[l->len] = (struct owner){0};
    return &l->items[l->len++];
}

static char *copy_or_null(const char *s)
{
    return str_empty(s) ? NULL : xstrdup(s);
}

/* A FieldsV1 tree consists of objects only. */
static bool is_fields_tree(const json_t *node)
{
    const char *key;
    json_t *child;
    if (!json_is_object(node))
        return false;
    json_object_foreach((json_t *)node, key, child)
    {
        if (!is_fields_tree(child))
            return false;
    }
    return true;
}

static bool is_entry(const json_t *entry)
{
    const char *operation = jstr_or(entry, "operation", "");
    const json_t *fields = json_object_get(entry, "fieldsV1");
    return (str_eq(operation, "Apply") || str_eq(operation, "Update")) &&
           str_eq(jstr_or(entry, "fieldsType", "FieldsV1"), "FieldsV1") && (fields == NULL || is_fields_tree(fields));
}

static void owner_read(struct owner *o, const json_t *entry)
{
    const json_t *fields = json_object_get(entry, "fieldsV1");
    *o = (struct owner){.manager = xstrdup(jstr_or(entry, "manager", "")),
                        .operation = xstrdup(jstr_or(entry, "operation", "")),
                        .api_version = xstrdup(jstr_or(entry, "apiVersion", "")),
                        .subresource = copy_or_null(jstr(entry, "subresource")),
                        .time = copy_or_null(jstr(entry, "time")),
                        .fields = json_object_size(fields) > 0 ? json_incref((json_t *)fields) : NULL,
                        .entry = json_incref((json_t *)entry)};
}

void owners_read(struct owners *l, const json_t *entries)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        if (!is_entry(json_array_get(entries, i))) {
            owners_release(l);
            return;
        }
        owner_read(owners_add(l), json_array_get(entries, i));
    }
}

void owners_read_stored(struct owners *l, const json_t *entries)
{
    for (size_t i = 0; i < json_array_size(entries); i++)
        owner_read(owners_add(l), json_array_get(entries, i));
    l->stored = true;
}

static bool same_owner(const struct owner *o, const struct manage_ctx *ctx, const char *operation, const char *version)
{
    return str_eq(o->manager, ctx->manager) && str_eq(o->operation, operation) &&
           str_eq(o->subresource != NULL ? o->subresource : "", ctx->subresource) &&
           (str_eq(operation, "Apply") || str_eq(o->api_version, version));
}

struct owner *owners_find(struct owners *l, const struct manage_ctx *ctx, const char *operation, bool make)
{
    const char *version = resource_api_version(ctx->res);
    for (size_t i = 0; i < l->len; i++)
        if (same_owner(&l->items[i], ctx, operation, version))
            return &l->items[i];
    if (!make)
        return NULL;
    struct owner *o = owners_add(l);
    o->manager = xstrdup(ctx->manager);
    o->operation = xstrdup(operation);
    o->api_version = xstrdup(version);
    o->subresource = copy_or_null(ctx->subresource);
    return o;
}

void owners_lose(struct owners *l, const struct owner *except, const json_t *set)
{
    for (size_t i = 0; set != NULL && i < l->len; i++) {
        struct owner *o = &l->items[i];
        if (o == except || !fields_meet(o->fields, set))
            continue;
        json_t *left = fields_minus(o->fields, set);
        json_decref(o->fields);
        o->fields = left;
    }
}

void owners_drop_empty(struct owners *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->len; i++) {
        if (l->items[i].fields != NULL)
            l->items[kept++] = l->items[i];
        else
            owner_release(&l->items[i]);
    }
    l->len = kept;
}

/* -- order and cap -- */

/* Times are in the one form the decoder leaves, so their text is in their order. */
static const char *when(const struct owner *o)
{
    return o->time != NULL ? o->time : "";
}

static int owner_cmp(const void *pa, const void *pb)
{
    const struct owner *a = pa, *b = pb;
    int c = strcmp(a->operation, b->operation);
    if (c != 0)
        return c;
    c = strcmp(when(a), when(b));
    if (c != 0)
        return c;
    c = strcmp(a->manager, b->manager);
    if (c == 0)
        c = strcmp(a->api_version, b->api_version);
    return c != 0 ? c
                  : strcmp(a->subresource != NULL ? a->subresource : "", b->subresource != NULL ? b->subresource : "");
}

static void owners_sort(struct owners *l)
{
    if (l->len > 1)
        qsort(l->items, l->len, sizeof *l->items, owner_cmp);
}

/* `from` gives all it has to `to`, and its time, which is the later one. */
static void absorb(struct owner *to, struct owner *from)
{
    json_t *both = fields_union(to->fields, from->fields);
    json_decref(to->fields);
    json_decref(from->fields);
    to->fields = both;
    from->fields = NULL;
    free(to->time);
    to->time = TAKE(from->time);
}

void owners_cap(struct owners *l)
{
    owners_sort(l); /* updates stand last, the oldest first */
    size_t first = 0;
    while (first < l->len && !str_eq(l->items[first].operation, "Update"))
        first++;
    size_t updaters = l->len - first;
    if (updaters <= MAX_UPDATERS)
        return;
    struct owner *bucket = &l->items[first];
    for (size_t i = first; i < l->len; i++)
        if (str_eq(l->items[i].manager, OLD_UPDATES))
            bucket = &l->items[i];
    for (size_t i = first; i < l->len && updaters > MAX_UPDATERS; i++) {
        if (&l->items[i] == bucket)
            continue;
        absorb(bucket, &l->items[i]);
        updaters--;
    }
    free(bucket->manager);
    bucket->manager = xstrdup(OLD_UPDATES);
    free(bucket->subresource);
    bucket->subresource = NULL;
    owners_drop_empty(l);
}

/* -- writing -- */

static bool says(const json_t *entry, const char *key, const char *value)
{
    return str_eq(jstr_or(entry, key, ""), value != NULL ? value : "");
}

static bool entry_holds(const struct owner *o)
{
    return o->entry != NULL && json_object_get(o->entry, "fieldsV1") == o->fields && says(o->entry, "time", o->time) &&
           says(o->entry, "manager", o->manager) && says(o->entry, "apiVersion", o->api_version) &&
           says(o->entry, "subresource", o->subresource) && says(o->entry, "fieldsType", "FieldsV1");
}

static json_t *owner_write(struct owner *o, bool stored)
{
    if (entry_holds(o)) {
        if (!stored)
            fields_sort(o->fields);
        return json_incref(o->entry);
    }
    json_t *entry = json_object();
    json_object_set_new_nocheck(entry, "manager", json_string(o->manager));
    json_object_set_new_nocheck(entry, "operation", json_string_nocheck(o->operation));
    json_object_set_new_nocheck(entry, "apiVersion", json_string_nocheck(o->api_version));
    if (o->time != NULL)
        json_object_set_new_nocheck(entry, "time", json_string_nocheck(o->time));
    json_object_set_new_nocheck(entry, "fieldsType", json_string_nocheck("FieldsV1"));
    fields_sort(o->fields);
    json_object_set_nocheck(entry, "fieldsV1", o->fields);
    if (o->subresource != NULL)
        json_object_set_new_nocheck(entry, "subresource", json_string(o->subresource));
    return entry;
}

json_t *owners_write(struct owners *l)
{
    owners_drop_empty(l);
    if (l->len == 0)
        return NULL;
    owners_sort(l);
    json_t *out = json_array();
    for (size_t i = 0; i < l->len; i++)
        json_array_append_new(out, owner_write(&l->items[i], l->stored));
    return out;
}

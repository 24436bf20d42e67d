/* meta.c - see meta_int.h.
 *
 * Source of the rules: apiserver registry/rest (create.go, update.go, meta.go) and apimachinery ObjectMeta. */
#include "registry/meta_int.h"

#include <string.h>

/* Names a generated name is cut to, so that the suffix fits into a DNS label. */
#define GENERATED_BASE_MAX 58
#define GENERATED_SUFFIX   5

json_t *meta_of(json_t *obj)
{
    json_t *meta = json_object_get(obj, "metadata");
    if (json_is_object(meta))
        return meta;
    json_object_set_new(obj, "metadata", json_object());
    return json_object_get(obj, "metadata");
}

const char *meta_name(const json_t *obj)
{
    return jstr_or(obj, "metadata.name", "");
}

const char *meta_namespace(const json_t *obj)
{
    return jstr_or(obj, "metadata.namespace", "");
}

bool meta_deleting(const json_t *obj)
{
    return json_is_string(jat(obj, "metadata.deletionTimestamp"));
}

bool meta_has_finalizers(const json_t *obj)
{
    return json_array_size(jat(obj, "metadata.finalizers")) > 0;
}

int meta_check_namespace(struct op *op, json_t *obj)
{
    json_t *meta = meta_of(obj);
    const char *own = jstr_or(meta, "namespace", "");
    const char *wanted = op->res->namespaced ? op->t->ns : "";
    if (strcmp(own, wanted) == 0)
        return 0;
    if (!*wanted)
        json_object_del(meta, "namespace");
    else if (!*own)
        json_object_set_new(meta, "namespace", json_string(wanted));
    else
        return op_fail_code(op, ERR_BAD_REQUEST,
                            "the namespace of the provided object does not match the namespace sent on the request");
    return 0;
}

int meta_check_name(struct op *op, const json_t *obj)
{
    const char *name = meta_name(obj);
    if (!*name || strcmp(name, op->t->name) == 0)
        return 0;
    return op_fail_code(op, ERR_BAD_REQUEST, "the name of the object (%s) does not match the name on the URL (%s)",
                        name, op->t->name);
}

void meta_fill_new(struct op *op, json_t *obj)
{
    json_t *meta = meta_of(obj);
    char uid[37];
    random_uuid(uid);
    json_object_set_new(meta, "uid", json_string(uid));
    json_object_set_new(meta, "creationTimestamp", json_string(op->now));
    json_object_del(meta, "deletionTimestamp");
    json_object_del(meta, "deletionGracePeriodSeconds");
    json_object_del(meta, "selfLink");
}

void meta_generate_name(json_t *obj)
{
    json_t *meta = meta_of(obj);
    const char *base = jstr_or(meta, "generateName", "");
    char suffix[GENERATED_SUFFIX + 1];
    random_suffix(suffix, GENERATED_SUFFIX);
    _auto_free_ char *name = xasprintf("%.*s%s", GENERATED_BASE_MAX, base, suffix);
    json_object_set_new(meta, "name", json_string(name));
}

/* Sets `key` from the live object when it has it; an update can never take these away. */
static void keep(json_t *meta, const json_t *live, const char *key)
{
    json_t *v = json_object_get(live, key);
    if (v)
        json_object_set(meta, key, v);
}

void meta_before_update(json_t *obj, const json_t *live)
{
    json_t *meta = meta_of(obj);
    const json_t *old = json_object_get(live, "metadata");
    if (!json_object_get(meta, "uid"))
        keep(meta, old, "uid");
    keep(meta, old, "creationTimestamp");
    keep(meta, old, "deletionTimestamp");
    if (!json_object_get(meta, "deletionGracePeriodSeconds"))
        keep(meta, old, "deletionGracePeriodSeconds");
    json_object_del(meta, "selfLink");
}

void meta_seal(const struct resource *res, json_t *obj)
{
    json_t *meta = meta_of(obj);
    if (!json_object_get(meta, "resourceVersion"))
        json_object_set_new(meta, "resourceVersion", json_string(""));
    schema_order(schema_type(res->type), obj);
}

void meta_finalizer_add(json_t *obj, const char *finalizer)
{
    json_t *meta = meta_of(obj);
    json_t *list = json_object_get(meta, "finalizers");
    list = json_is_array(list) ? json_copy(list) : json_array();
    jarr_add_unique(list, finalizer);
    json_object_set_new(meta, "finalizers", list);
}

void meta_finalizer_remove(json_t *obj, const char *finalizer)
{
    json_t *meta = meta_of(obj);
    json_t *list = json_object_get(meta, "finalizers");
    if (!json_is_array(list))
        return;
    list = json_copy(list);
    jarr_remove(list, finalizer);
    if (json_array_size(list) > 0) {
        json_object_set_new(meta, "finalizers", list);
        return;
    }
    json_decref(list);
    json_object_del(meta, "finalizers");
}

void member_copy(json_t *to, const json_t *from, const char *key)
{
    json_t *v = json_object_get(from, key);
    if (v)
        json_object_set(to, key, v);
    else
        json_object_del(to, key);
}

static bool is_empty(const json_t *v)
{
    return !v || json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0);
}

bool member_equal(const json_t *a, const json_t *b, const char *key)
{
    json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    return (is_empty(x) && is_empty(y)) || json_same(x, y);
}

void seconds_after(int64_t now_ns, int64_t seconds, char out[TIME_TEXT_LEN])
{
    time_format(time_after(now_ns, seconds, 1000000000), out);
}

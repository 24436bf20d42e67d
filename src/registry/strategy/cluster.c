/* cluster.c - namespaces, nodes, service accounts, secrets at the door. */
#include "registry/meta_int.h"
#include "registry/strategy_int.h"

#include "api/base64.h"
#include "base/buf.h"
#include "base/str.h"

#include <string.h>

#define NAME_LABEL "kubernetes.io/metadata.name"

/* -- namespaces -- */

void namespace_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    jarr_add_unique(jmake_arr(obj, "spec.finalizers"), "kubernetes");
    json_object_set_new(obj, "status", json_pack("{ss}", "phase", "Active"));
    jset_map(obj, "metadata.labels", NAME_LABEL, meta_name(obj));
}

/* spec.finalizers change through /finalize only. */
void namespace_prepare_update(struct op *op, json_t *obj, const json_t *old)
{
    if (strcmp(op->t->sub, "finalize") == 0)
        return;
    member_copy(obj, old, "spec");
}

bool namespace_may_go(const json_t *obj)
{
    return json_array_size(jat(obj, "spec.finalizers")) == 0;
}

/* -- nodes: podCIDR is podCIDRs[0] -- */

void node_convert(json_t *obj)
{
    json_t *spec = json_object_get(obj, "spec");
    const char *one = jstr_or(spec, "podCIDR", "");
    const char *first = json_string_value(json_array_get(json_object_get(spec, "podCIDRs"), 0));
    if (*one && (!first || strcmp(one, first) != 0))
        json_object_set_new(spec, "podCIDRs", json_pack("[s]", one));
    else if (!*one && first)
        json_object_set_new(spec, "podCIDR", json_string(first));
}

/* -- service accounts: a reference to a secret is its name -- */

static void clean_secrets(json_t *obj)
{
    json_t *list = json_object_get(obj, "secrets");
    if (json_array_size(list) == 0)
        return;
    json_t *clean = json_array();
    size_t i;
    json_t *s;
    json_array_foreach(list, i, s)
    {
        const char *name = jstr(s, "name");
        json_array_append_new(clean, name ? json_pack("{ss}", "name", name) : json_object());
    }
    json_object_set_new(obj, "secrets", clean);
}

void account_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    clean_secrets(obj);
}

void account_prepare_update(struct op *op, json_t *obj, const json_t *old)
{
    (void)op;
    (void)old;
    clean_secrets(obj);
}

/* -- secrets: stringData is a way to write data -- */

void secret_convert(json_t *obj)
{
    json_t *texts = json_object_get(obj, "stringData");
    if (!texts)
        return;
    bool had = json_is_object(json_object_get(obj, "data"));
    const char *key;
    json_t *v;
    json_object_foreach(texts, key, v)
    {
        _auto_buf_ struct buf coded = BUF_INIT;
        base64_encode(json_string_value(v), json_string_length(v), &coded);
        json_object_set_new(jmake_obj(obj, "data"), key, json_string(buf_str(&coded)));
    }
    json_object_del(obj, "stringData");
    json_t *type = json_object_get(obj, "type");
    if (!had && type) { /* data stands before type */
        json_incref(type);
        json_object_del(obj, "type");
        json_object_set_new(obj, "type", type);
    }
}

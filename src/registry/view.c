/* view.c - two groups, one bucket: events are stored as core/v1 and shown by events.k8s.io in its own words.
 *
 * A view is a renaming of members; decode_tree() then writes what the other type always writes, in its order. Field
 * ownership (metadata) passes as it is: its entries say which version they speak. */
#include "registry/registry_int.h"

#include <string.h>

static const struct {
    const char *core, *v1;
} names[] = {
    {"metadata", "metadata"},
    {"eventTime", "eventTime"},
    {"series", "series"},
    {"reportingComponent", "reportingController"},
    {"reportingInstance", "reportingInstance"},
    {"action", "action"},
    {"reason", "reason"},
    {"involvedObject", "regarding"},
    {"related", "related"},
    {"message", "note"},
    {"type", "type"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
};

/* Returns new: `tree` as an object of `to`. */
static json_t *renamed(const struct resource *to, const json_t *tree)
{
    bool to_core = !*to->group;
    json_t *out = json_object();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_t *v = json_object_get(tree, to_core ? names[i].v1 : names[i].core);
        if (v)
            json_object_set(out, to_core ? names[i].core : names[i].v1, v);
    }
    struct decode_opts opts = {.want = to, .media = MEDIA_JSON, .fields = FIELDS_IGNORE};
    struct err e = ERR_INIT;
    json_t *typed = NULL;
    if (decode_tree(&opts, json_incref(out), &typed, NULL, &e) < 0)
        return out; /* not reached: both forms were checked when they came in */
    json_decref(out);
    return typed;
}

bool reg_view_converts(const struct resource *res)
{
    return strcmp(res->group, "events.k8s.io") == 0;
}

json_t *reg_view(const struct resource *res, const struct sobj *o)
{
    return reg_view_converts(res) ? renamed(res, o->tree) : json_incref(o->tree);
}

json_t *view_to_store(const struct resource *res, json_t *take_tree)
{
    if (!reg_view_converts(res))
        return take_tree;
    json_t *core = renamed(RES.events, take_tree);
    json_decref(take_tree);
    return core;
}

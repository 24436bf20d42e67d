/* view.c - two groups or versions, one bucket: events are stored as core/v1 and shown by events.k8s.io in its own
 * words, autoscalers are stored as v2 and shown by v1.
 *
 * The conversions themselves are api/event_view.h and api/hpa_view.h; here is only when they apply. Field ownership
 * (metadata) passes as it is: its entries say which version they speak. */
#include "registry/registry_int.h"

#include "api/event_view.h"
#include "api/hpa_view.h"

#include <string.h>

static const struct view {
    const char *api_version, *kind;
    json_t *(*show)(const json_t *stored);
    json_t *(*store)(const json_t *shown);
} views[] = {
    {"events.k8s.io/v1", "Event", events_to_v1, events_from_v1},
    {"autoscaling/v1", "HorizontalPodAutoscaler", hpa_to_v1, hpa_from_v1},
};

static const struct view *view_of(const struct resource *res)
{
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (strcmp(res->kind, views[i].kind) == 0 && strcmp(res->api_version, views[i].api_version) == 0)
            return &views[i];
    return NULL;
}

bool reg_view_converts(const struct resource *res)
{
    return view_of(res) != NULL;
}

json_t *reg_view(const struct resource *res, const struct sobj *o)
{
    const struct view *v = view_of(res);
    return v ? v->show(o->tree) : json_incref(o->tree);
}

json_t *view_to_store(const struct resource *res, json_t *take_tree)
{
    const struct view *v = view_of(res);
    if (!v)
        return take_tree;
    json_t *stored = v->store(take_tree);
    json_decref(take_tree);
    return stored;
}

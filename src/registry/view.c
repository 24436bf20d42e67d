/* view.c - two groups, one bucket: events are stored as core/v1 and shown by events.k8s.io in its own words.
 *
 * The conversion itself is api/event_view.h; here is only when it applies. Field ownership (metadata) passes as it is:
 * its entries say which version they speak. */
#include "registry/registry_int.h"

#include "api/event_view.h"

#include <string.h>

bool reg_view_converts(const struct resource *res)
{
    return strcmp(res->group, "events.k8s.io") == 0;
}

json_t *reg_view(const struct resource *res, const struct sobj *o)
{
    return reg_view_converts(res) ? events_to_v1(o->tree) : json_incref(o->tree);
}

json_t *view_to_store(const struct resource *res, json_t *take_tree)
{
    if (!reg_view_converts(res))
        return take_tree;
    json_t *core = events_from_v1(take_tree);
    json_decref(take_tree);
    return core;
}

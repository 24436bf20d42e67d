/* event_view.c - see event_view.h.
 *
 * DESIGN: a table of names; a member has the same value under both. What is left out or always written follows from the
 * schema of the view that is made. THREADS: pure. */
#include "api/event_view.h"

#include "api/decode_int.h"
#include "base/mem.h"

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

static void slot_set(const struct schema_type *t, json_t **slots, const char *name, json_t *take_value)
{
    const struct schema_field *f = schema_field(t, name, strlen(name));
    if (f && !json_is_null(take_value))
        slots[f - t->fields] = take_value;
    else
        json_decref(take_value);
}

static json_t *convert(const json_t *event, bool to_v1)
{
    const struct schema_type *t = schema_type(to_v1 ? "events.v1.Event" : "core.v1.Event");
    json_t *slots[SCHEMA_FIELDS_MAX] = {0};
    slot_set(t, slots, "kind", json_string("Event"));
    slot_set(t, slots, "apiVersion", json_string(to_v1 ? "events.k8s.io/v1" : "v1"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const json_t *v = json_object_get(event, to_v1 ? names[i].core : names[i].v1);
        if (v)
            slot_set(t, slots, to_v1 ? names[i].v1 : names[i].core, json_deep_copy(v));
    }
    return struct_finish(t, slots);
}

json_t *events_to_v1(const json_t *core_event)
{
    return convert(core_event, true);
}

json_t *events_from_v1(const json_t *event)
{
    return convert(event, false);
}

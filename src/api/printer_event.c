/* printer_event.c - columns of Event, which two API groups show the same way.
 *
 * Each value is looked for under its name in v1 and then under that in events.k8s.io/v1, so either form of the object
 * prints. THREADS: pure functions. */
#include "api/printer_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static const char *either(const json_t *obj, const char *path, const char *other)
{
    const char *s = jstr(obj, path);
    return !str_empty(s) ? s : jstr(obj, other);
}

static void first_seen(struct buf *out, const json_t *obj, int64_t now)
{
    const char *first = either(obj, "firstTimestamp", "deprecatedFirstTimestamp");
    cell_since(out, first != NULL ? first : jstr(obj, "eventTime"), now);
}

static void last_seen(struct buf *out, const json_t *obj, int64_t now)
{
    const char *last = either(obj, "lastTimestamp", "deprecatedLastTimestamp");
    if (json_is_object(json_object_get(obj, "series")))
        cell_since(out, jstr(obj, "series.lastObservedTime"), now);
    else if (last != NULL)
        cell_since(out, last, now);
    else
        first_seen(out, obj, now);
}

static void event_type(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "type"));
}

static void event_reason(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "reason"));
}

static void event_object(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const char *kind = either(obj, "involvedObject.kind", "regarding.kind");
    const char *name = either(obj, "involvedObject.name", "regarding.name");
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, kind != NULL ? kind : "");
    for (size_t i = 0; i < b.len; i++)
        b.data[i] = (char)(b.data[i] >= 'A' && b.data[i] <= 'Z' ? b.data[i] + 32 : b.data[i]);
    if (!str_empty(name))
        buf_addf(&b, "/%s", name);
    cell_text(out, buf_str(&b));
}

static void event_subobject(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, either(obj, "involvedObject.fieldPath", "regarding.fieldPath"));
}

/* The first of `paths` that has a text; NULL if none has. */
static const char *first_text(const json_t *obj, const char *const paths[3])
{
    for (size_t i = 0; i < 3; i++)
        if (paths[i] != NULL && !str_empty(jstr(obj, paths[i])))
            return jstr(obj, paths[i]);
    return NULL;
}

static void event_source(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    static const char *const components[] = {"source.component", "deprecatedSource.component", "reportingComponent"};
    static const char *const hosts[] = {"source.host", "deprecatedSource.host", "reportingInstance"};
    const char *component = first_text(obj, components), *host = first_text(obj, hosts);
    if (component == NULL)
        component = jstr_or(obj, "reportingController", "");
    _auto_free_ char *text = host != NULL ? xasprintf("%s, %s", component, host) : xstrdup(component);
    cell_text(out, text);
}

static void event_message(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const char *message = either(obj, "message", "note");
    if (message == NULL)
        message = "";
    message += strspn(message, " \t\r\n");
    size_t len = strlen(message);
    while (len > 0 && strchr(" \t\r\n", message[len - 1]) != NULL)
        len--;
    buf_add_json_string(out, message, len);
}

static void event_count(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *series = json_object_get(obj, "series");
    int64_t count = jint(obj, "count", jint(obj, "deprecatedCount", 0));
    if (json_is_object(series))
        count = jint(series, "count", 0);
    else if (count == 0)
        count = 1;
    cell_int(out, count);
}

static const struct column event_columns[] = {
    {"Last Seen", "string", "", 0, last_seen,
     "The time at which the most recent occurrence of this event was recorded."},
    {"Type", "string", "", 0, event_type,
     "Type of this event (Normal, Warning), new types could be added in the future"},
    {"Reason", "string", "", 0, event_reason,
     "This should be a short, machine understandable string that gives the reason for the transition into "
     "the object's current status."},
    {"Object", "string", "", 0, event_object, "The object that this event is about."},
    {"Subobject", "string", "", 1, event_subobject,
     "If referring to a piece of an object instead of an entire object, this string should contain a valid "
     "JSON/Go field access statement, such as desiredState.manifest.containers[2]. For example, if the "
     "object reference is to a container within a pod, this would take on a value like: "
     "\"spec.containers{name}\" (where \"name\" refers to the name of the container that triggered the "
     "event) or if no container name is specified \"spec.containers[2]\" (container with index 2 in this "
     "pod). This syntax is chosen only to have some well-defined way of referencing a part of an object."},
    {"Source", "string", "", 1, event_source,
     "The component reporting this event. Should be a short machine understandable string."},
    {"Message", "string", "", 0, event_message, "A human-readable description of the status of this operation."},
    {"First Seen", "string", "", 1, first_seen,
     "The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)"},
    {"Count", "string", "", 1, event_count, "The number of times this event has occurred."},
    {"Name", "string", "name", 1, cell_name, COLUMN_NAME_TEXT},
};
const struct printer printer_event = {"", "Event", event_columns, ARRAY_LEN(event_columns), NULL};

const struct printer printer_event_v1 = {"events.k8s.io", "Event", event_columns, ARRAY_LEN(event_columns), NULL};

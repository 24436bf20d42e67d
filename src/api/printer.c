/* printer.c - server-side tables: columns, rows, ages.
 *
 * DESIGN: a kind's table is data: an array of columns, each with the function that prints its cell. Kinds without a row
 * in printers[] show Name and Created At, as the real server does for kinds it has no printer for. Column texts, types
 * (which do not always match the cells' JSON types) and cell rules are those recorded from a 1.32 server.
 *
 * Every cell is always written, also those only `-o wide` shows: hiding is the client's work. THREADS: pure functions.
 */
#include "api/printer.h"

#include "api/printer_int.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static void cell_created(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "metadata.creationTimestamp"), "<unknown>");
}

static const struct column default_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Created At", "date", "", 0, cell_created, COLUMN_CREATED_TEXT},
};
static const struct printer default_printer = {"", "", default_columns, ARRAY_LEN(default_columns), NULL};

static const struct printer *const printers[] = {
    &printer_pod,
    &printer_event,
    &printer_event_v1,
    &printer_component,
    &printer_configmap,
    &printer_pvc,
    &printer_pv,
    &printer_node,
    &printer_namespace,
    &printer_storageclass,
    &printer_secret,
    &printer_service,
    &printer_endpoints,
    &printer_endpointslice,
    &printer_ingress,
    &printer_ingress_class,
    &printer_network_policy,
    &printer_serviceaccount,
    &printer_replication_controller,
    &printer_hpa,
    &printer_priority_class,
    &printer_runtime_class,
    &printer_deployment,
    &printer_replicaset,
    &printer_statefulset,
    &printer_daemonset,
    &printer_job,
    &printer_cronjob,
    &printer_quota,
    &printer_controllerrevision,
    &printer_budget,
    &printer_lease,
    &printer_volumeattachment,
    &printer_csidriver,
    &printer_csinode,
    &printer_snapshot,
    &printer_content,
    &printer_snapshot_class,
    &printer_attributes_class,
    &printer_role_binding,
    &printer_cluster_role_binding,
};

static const struct printer *printer_of(const struct resource *r)
{
    for (size_t i = 0; i < ARRAY_LEN(printers); i++)
        if (strcmp(printers[i]->kind, r->kind) == 0 && strcmp(printers[i]->group, r->group) == 0)
            return printers[i];
    return &default_printer;
}

static void member(struct buf *out, const char *lead, const char *text)
{
    buf_adds(out, lead);
    buf_add_json_string(out, text, strlen(text));
}

void table_columns_write(struct buf *out, const struct resource *r)
{
    const struct printer *p = printer_of(r);
    buf_addc(out, '[');
    for (size_t i = 0; i < p->count; i++) {
        const struct column *c = &p->columns[i];
        member(out, i > 0 ? ",{\"name\":" : "{\"name\":", c->name);
        member(out, ",\"type\":", c->type);
        member(out, ",\"format\":", c->format);
        member(out, ",\"description\":", c->description);
        buf_addf(out, ",\"priority\":%d}", c->priority);
    }
    buf_addc(out, ']');
}

static void object_write(struct buf *out, const json_t *obj, enum include_object include)
{
    switch (include) {
    case INCLUDE_NONE:
        buf_adds(out, "null");
        break;
    case INCLUDE_OBJECT:
        json_write(out, obj);
        break;
    case INCLUDE_METADATA:
        buf_adds(out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
        json_write(out, json_object_get(obj, "metadata"));
        buf_addc(out, '}');
        break;
    }
}

void table_row_write(struct buf *out, const struct resource *r, const json_t *obj, enum include_object include,
                     int64_t now)
{
    const struct printer *p = printer_of(r);
    buf_adds(out, "{\"cells\":[");
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0)
            buf_addc(out, ',');
        p->columns[i].cell(out, obj, now);
    }
    buf_adds(out, "],");
    if (p->conditions != NULL)
        p->conditions(out, obj);
    buf_adds(out, "\"object\":");
    object_write(out, obj, include);
    buf_addc(out, '}');
}

void human_duration(int64_t ns, char out[24])
{
    /* A unit is shown alone, or with the rest in the next smaller unit while the age is below `both`. */
    static const struct {
        int64_t below, unit, rest; /* seconds; rest 0: the unit alone */
        char unit_sign, rest_sign;
    } steps[] = {
        {120, 1, 0, 's', 0},
        {600, 60, 1, 'm', 's'},
        {10800, 60, 0, 'm', 0},
        {28800, 3600, 60, 'h', 'm'},
        {172800, 3600, 0, 'h', 0},
        {691200, 86400, 3600, 'd', 'h'},
        {63072000, 86400, 0, 'd', 0},
        {252288000, 31536000, 86400, 'y', 'd'},
        {INT64_MAX, 31536000, 0, 'y', 0},
    };
    int64_t seconds = ns / 1000000000;
    if (seconds < -1) {
        snprintf(out, 24, "<invalid>");
        return;
    }
    if (seconds < 0)
        seconds = 0;
    size_t i = 0;
    while (seconds >= steps[i].below)
        i++;
    int64_t whole = seconds / steps[i].unit, rest = steps[i].rest != 0 ? seconds % steps[i].unit / steps[i].rest : 0;
    if (rest != 0)
        snprintf(out, 24, "%lld%c%lld%c", (long long)whole, steps[i].unit_sign, (long long)rest, steps[i].rest_sign);
    else
        snprintf(out, 24, "%lld%c", (long long)whole, steps[i].unit_sign);
}

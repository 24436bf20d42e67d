/* printer_int.h - what a kind's table consists of, and the cells many kinds share. Private to api.
 *
 * How to add a kind's columns: a static array of struct column (texts as the real server sends them), a struct printer
 * naming it in the topic's file, a declaration here, a row in printers[] of printer.c. */
#ifndef STOWAGE_API_PRINTER_INT_H
#define STOWAGE_API_PRINTER_INT_H

#include "base/buf.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct column {
    const char *name, *type, *format;
    int priority;                                                  /* 1: only with -o wide */
    void (*cell)(struct buf *out, const json_t *obj, int64_t now); /* appends one JSON value */
    const char *description;
};
struct printer {
    const char *group, *kind;
    const struct column *columns;
    size_t count;
    void (*conditions)(struct buf *out, const json_t *obj); /* appends `"conditions":[…],` or nothing; may be NULL */
};

extern const struct printer printer_component, printer_configmap, printer_secret, printer_serviceaccount,
    printer_namespace, printer_lease;
extern const struct printer printer_node, printer_pod;
extern const struct printer printer_pv, printer_pvc, printer_storageclass, printer_volumeattachment, printer_csidriver,
    printer_csinode;
extern const struct printer printer_snapshot, printer_content, printer_snapshot_class, printer_attributes_class;
extern const struct printer printer_service, printer_endpoints, printer_endpointslice;
extern const struct printer printer_ingress, printer_ingress_class, printer_network_policy;
extern const struct printer printer_hpa, printer_priority_class, printer_runtime_class, printer_replication_controller;
extern const struct printer printer_deployment, printer_replicaset, printer_controllerrevision, printer_budget;
extern const struct printer printer_statefulset, printer_daemonset, printer_job, printer_cronjob, printer_quota;
extern const struct printer printer_role_binding, printer_cluster_role_binding;
extern const struct printer printer_event, printer_event_v1;

/* -- values -- */
void cell_text(struct buf *out, const char *s);                      /* NULL prints "" */
void cell_text_or(struct buf *out, const char *s, const char *dflt); /* dflt when NULL or "" */
void cell_int(struct buf *out, int64_t v);
void cell_bool(struct buf *out, bool v);
void cell_since(struct buf *out, const char *time, int64_t now); /* "<unknown>" when NULL or malformed */

/* -- whole cells -- */
void cell_name(struct buf *out, const json_t *obj, int64_t now);
void cell_age(struct buf *out, const json_t *obj, int64_t now);
void cell_containers(struct buf *out, const json_t *obj, int64_t now); /* of spec.template */
void cell_images(struct buf *out, const json_t *obj, int64_t now);
void cell_selector(struct buf *out, const json_t *obj, int64_t now); /* spec.selector, a LabelSelector */
void cell_selector_at(struct buf *out, const json_t *obj, const char *path);
void cell_label_set(struct buf *out, const json_t *obj, int64_t now); /* spec.selector, a map */

#define COLUMN_NAME_TEXT                                                                                               \
    "Name must be unique within a namespace. Is required when creating resources, although some resources "            \
    "may allow a client to request the generation of an appropriate name automatically. Name is primarily "            \
    "intended for creation idempotence and configuration definition. Cannot be updated. More info: "                   \
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
#define COLUMN_CREATED_TEXT                                                                                            \
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is "               \
    "not guaranteed to be set in happens-before order across separate operations. Clients may not set "                \
    "this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. "             \
    "Null for lists. More info: "                                                                                      \
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"

#endif

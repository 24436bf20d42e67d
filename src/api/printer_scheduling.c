/* printer_scheduling.c - columns of PriorityClass, RuntimeClass and ReplicationController. THREADS: pure functions. */
#include "api/printer_int.h"

#include "base/json.h"
#include "base/mem.h"

#define REPLICATION_TEXT                                                                                               \
    "https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller"

static void value(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_int(out, jint(obj, "value", 0));
}

static void global_default(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_bool(out, jbool(obj, "globalDefault", false));
}

static void preemption_policy(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_text(out, jstr(obj, "preemptionPolicy"));
}

static const struct column priority_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Value", "integer", "", 0, value,
     "value represents the integer value of this priority class. This is the actual priority that pods receive when "
     "they have the name of this class in their pod spec."},
    {"Global-Default", "boolean", "", 0, global_default,
     "globalDefault specifies whether this PriorityClass should be considered as the default priority for pods that do "
     "not have any priority class. Only one PriorityClass can be marked as `globalDefault`. However, if more than one "
     "PriorityClasses exists with their `globalDefault` field set to true, the smallest value of such global default "
     "PriorityClasses will be used as the default priority."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"PreemptionPolicy", "string", "", 0, preemption_policy,
     "preemptionPolicy is the Policy for preempting pods with lower priority. One of Never, PreemptLowerPriority. "
     "Defaults to PreemptLowerPriority if unset."},
};
const struct printer printer_priority_class = {"scheduling.k8s.io", "PriorityClass", priority_columns,
                                               ARRAY_LEN(priority_columns), NULL};

static void handler(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_text(out, jstr(obj, "handler"));
}

static const struct column runtime_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Handler", "string", "", 0, handler, ""},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_runtime_class = {"node.k8s.io", "RuntimeClass", runtime_columns,
                                              ARRAY_LEN(runtime_columns), NULL};

static void desired(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_int(out, jint(obj, "spec.replicas", 0));
}

static void current(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_int(out, jint(obj, "status.replicas", 0));
}

static void ready(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_int(out, jint(obj, "status.readyReplicas", 0));
}

static const struct column controller_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Desired", "integer", "", 0, desired,
     "Replicas is the number of desired replicas. This is a pointer to distinguish between explicit zero and "
     "unspecified. Defaults to 1. More info: " REPLICATION_TEXT},
    {"Current", "integer", "", 0, current,
     "Replicas is the most recently observed number of replicas. More info: " REPLICATION_TEXT},
    {"Ready", "integer", "", 0, ready, "The number of ready replicas for this replication controller."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Containers", "string", "", 1, cell_containers, "Names of each container in the template."},
    {"Images", "string", "", 1, cell_images, "Images referenced by each container in the template."},
    {"Selector", "string", "", 1, cell_label_set,
     "Selector is a label query over pods that should match the Replicas count. If Selector is empty, it is defaulted "
     "to the labels present on the Pod template. Label keys and values that must match in order to be controlled by "
     "this replication controller, if empty defaulted to labels on Pod template. More info: "
     "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"},
};
const struct printer printer_replication_controller = {"", "ReplicationController", controller_columns,
                                                       ARRAY_LEN(controller_columns), NULL};

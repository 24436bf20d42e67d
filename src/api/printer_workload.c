/* printer_workload.c - columns of Deployment, ReplicaSet, ControllerRevision and PodDisruptionBudget. THREADS: pure
 * functions. */
#include "api/printer_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static void deployment_ready(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    _auto_free_ char *text = xasprintf("%lld/%lld", (long long)jint(obj, "status.readyReplicas", 0),
                                       (long long)jint(obj, "spec.replicas", 0));
    cell_text(out, text);
}

static void updated_replicas(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, jint(obj, "status.updatedReplicas", 0));
}

static void available_replicas(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, jint(obj, "status.availableReplicas", 0));
}

static void desired_replicas(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, jint(obj, "spec.replicas", 0));
}

static void current_replicas(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, jint(obj, "status.replicas", 0));
}

static void ready_replicas(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, jint(obj, "status.readyReplicas", 0));
}

/* "statefulset.apps/web": kind and group of a reference, in lower case. Returns new. */
static char *owner_text(const json_t *owner)
{
    const char *api_version = jstr_or(owner, "apiVersion", ""), *slash = strchr(api_version, '/');
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, jstr_or(owner, "kind", ""));
    for (size_t i = 0; i < b.len; i++)
        b.data[i] = (char)(b.data[i] >= 'A' && b.data[i] <= 'Z' ? b.data[i] + 32 : b.data[i]);
    if (slash != NULL) {
        buf_addc(&b, '.');
        buf_add(&b, api_version, (size_t)(slash - api_version));
    }
    buf_addf(&b, "/%s", jstr_or(owner, "name", ""));
    return buf_steal(&b, NULL);
}

static void revision_controller(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *owners = jat(obj, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *owner = json_array_get(owners, i);
        if (jbool(owner, "controller", false)) {
            _auto_free_ char *text = owner_text(owner);
            cell_text(out, text);
            return;
        }
    }
    cell_text(out, "<none>");
}

static void revision_number(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, jint(obj, "revision", 0));
}

static const struct column deployment_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Ready", "string", "", 0, deployment_ready, "Number of the pod with ready state"},
    {"Up-to-date", "string", "", 0, updated_replicas,
     "Total number of non-terminated pods targeted by this deployment that have the desired template spec."},
    {"Available", "string", "", 0, available_replicas,
     "Total number of available pods (ready for at least minReadySeconds) targeted by this deployment."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Containers", "string", "", 1, cell_containers, "Names of each container in the template."},
    {"Images", "string", "", 1, cell_images, "Images referenced by each container in the template."},
    {"Selector", "string", "", 1, cell_selector,
     "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones "
     "affected by this deployment."},
};
const struct printer printer_deployment = {"apps", "Deployment", deployment_columns, ARRAY_LEN(deployment_columns),
                                           NULL};

static const struct column replicaset_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Desired", "integer", "", 0, desired_replicas,
     "Replicas is the number of desired replicas. This is a pointer to distinguish between explicit zero "
     "and unspecified. Defaults to 1. More info: "
     "https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller/"
     "#what-is-a-replicationcontroller"},
    {"Current", "integer", "", 0, current_replicas,
     "Replicas is the most recently observed number of replicas. More info: "
     "https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller/"
     "#what-is-a-replicationcontroller"},
    {"Ready", "integer", "", 0, ready_replicas, "The number of ready replicas for this replica set."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Containers", "string", "", 1, cell_containers, "Names of each container in the template."},
    {"Images", "string", "", 1, cell_images, "Images referenced by each container in the template."},
    {"Selector", "string", "", 1, cell_selector,
     "Selector is a label query over pods that should match the replica count. If the selector is empty, "
     "it is defaulted to the labels present on the pod template. Label keys and values that must match in "
     "order to be controlled by this replica set. More info: "
     "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"},
};
const struct printer printer_replicaset = {"apps", "ReplicaSet", replicaset_columns, ARRAY_LEN(replicaset_columns),
                                           NULL};

static const struct column controllerrevision_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Controller", "string", "", 0, revision_controller, "Controller of the object"},
    {"Revision", "string", "", 0, revision_number, "revision indicates the revision of the state represented by Data."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_controllerrevision = {"apps", "ControllerRevision", controllerrevision_columns,
                                                   ARRAY_LEN(controllerrevision_columns), NULL};

/* A number or a percentage, which stands in a column of texts either way. */
static void number_or_percent(struct buf *out, const json_t *v)
{
    if (json_is_string(v)) {
        cell_text(out, json_string_value(v));
    } else if (json_is_integer(v)) {
        _auto_free_ char *text = xasprintf("%lld", (long long)json_integer_value(v));
        cell_text(out, text);
    } else {
        cell_text(out, "N/A");
    }
}

static void min_available(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    number_or_percent(out, jat(obj, "spec.minAvailable"));
}

static void max_unavailable(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    number_or_percent(out, jat(obj, "spec.maxUnavailable"));
}

static void allowed_disruptions(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, jint(obj, "status.disruptionsAllowed", 0));
}

static const struct column budget_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Min Available", "string", "", 0, min_available, "The minimum number of pods that must be available."},
    {"Max Unavailable", "string", "", 0, max_unavailable, "The maximum number of pods that may be unavailable."},
    {"Allowed Disruptions", "integer", "", 0, allowed_disruptions,
     "Calculated number of pods that may be disrupted at this time."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_budget = {"policy", "PodDisruptionBudget", budget_columns, ARRAY_LEN(budget_columns),
                                       NULL};

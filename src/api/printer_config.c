/* printer_config.c - columns of ConfigMap, Secret, ServiceAccount, Namespace and Lease. THREADS: pure functions. */
#include "api/printer_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static void cm_data(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, (int64_t)(json_object_size(json_object_get(obj, "data")) +
                            json_object_size(json_object_get(obj, "binaryData"))));
}

static void secret_type(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "type"));
}

static void secret_data(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, (int64_t)json_object_size(json_object_get(obj, "data")));
}

static void sa_secrets(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, (int64_t)json_array_size(json_object_get(obj, "secrets")));
}

static void namespace_status(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "status.phase"));
}

static void lease_holder(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.holderIdentity"));
}

/* The Healthy condition, the only one there is. */
static void component_status(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const char *status = jstr_or(json_array_get(json_object_get(obj, "conditions"), 0), "status", "");
    cell_text(out, str_eq(status, "True") ? "Healthy" : str_eq(status, "False") ? "Unhealthy" : "Unknown");
}

static void component_message(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(json_array_get(json_object_get(obj, "conditions"), 0), "message"));
}

static void component_error(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(json_array_get(json_object_get(obj, "conditions"), 0), "error"));
}

static const struct column component_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Status", "string", "", 0, component_status, "Status of the component conditions"},
    {"Message", "string", "", 0, component_message, "Message of the component conditions"},
    {"Error", "string", "", 0, component_error, "Error of the component conditions"},
};
const struct printer printer_component = {"", "ComponentStatus", component_columns, ARRAY_LEN(component_columns), NULL};

static const struct column configmap_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Data", "string", "", 0, cm_data,
     "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or "
     "'.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data "
     "must not overlap with the keys in the BinaryData field, this is enforced during validation process."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_configmap = {"", "ConfigMap", configmap_columns, ARRAY_LEN(configmap_columns), NULL};

static const struct column secret_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Type", "string", "", 0, secret_type,
     "Used to facilitate programmatic handling of secret data. More info: "
     "https://kubernetes.io/docs/concepts/configuration/secret/#secret-types"},
    {"Data", "string", "", 0, secret_data,
     "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. "
     "The serialized form of the secret data is a base64 encoded string, representing the arbitrary "
     "(possibly non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_secret = {"", "Secret", secret_columns, ARRAY_LEN(secret_columns), NULL};

static const struct column serviceaccount_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Secrets", "string", "", 0, sa_secrets,
     "Secrets is a list of the secrets in the same namespace that pods running using this ServiceAccount "
     "are allowed to use. Pods are only limited to this list if this service account has a "
     "\"kubernetes.io/enforce-mountable-secrets\" annotation set to \"true\". The "
     "\"kubernetes.io/enforce-mountable-secrets\" annotation is deprecated since v1.32. Prefer separate "
     "namespaces to isolate access to mounted secrets. This field should not be used to find "
     "auto-generated service account token secrets for use outside of pods. Instead, tokens can be "
     "requested directly using the TokenRequest API, or service account token secrets can be manually "
     "created. More info: https://kubernetes.io/docs/concepts/configuration/secret"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_serviceaccount = {"", "ServiceAccount", serviceaccount_columns,
                                               ARRAY_LEN(serviceaccount_columns), NULL};

static const struct column namespace_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Status", "string", "", 0, namespace_status, "The status of the namespace"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_namespace = {"", "Namespace", namespace_columns, ARRAY_LEN(namespace_columns), NULL};

static const struct column lease_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Holder", "string", "", 0, lease_holder,
     "holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader "
     "Election is used, the holder identity must be equal to the elected LeaseCandidate.metadata.name "
     "field."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_lease = {"coordination.k8s.io", "Lease", lease_columns, ARRAY_LEN(lease_columns), NULL};

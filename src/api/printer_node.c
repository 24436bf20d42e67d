/* printer_node.c - columns of Node: readiness and cordon in one word, roles from labels, addresses by type. THREADS:
 * pure functions. */
#include "api/printer_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static void node_status(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const char *ready = NULL;
    const json_t *conditions = jat(obj, "status.conditions");
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *c = json_array_get(conditions, i);
        if (str_eq(jstr(c, "type"), "Ready"))
            ready = str_eq(jstr(c, "status"), "True") ? "Ready" : "NotReady";
    }
    _auto_free_ char *text = xasprintf("%s%s", ready != NULL ? ready : "Unknown",
                                       jbool(obj, "spec.unschedulable", false) ? ",SchedulingDisabled" : "");
    cell_text(out, text);
}

static void node_roles(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    static const char prefix[] = "node-role.kubernetes.io/";
    _auto_strlist_ struct strlist roles = {0};
    const char *key;
    json_t *value;
    json_object_foreach(jat(obj, "metadata.labels"), key, value)
    {
        const char *role = str_starts(key, prefix)             ? key + strlen(prefix)
                           : str_eq(key, "kubernetes.io/role") ? json_string_value(value)
                                                               : NULL;
        if (!str_empty(role) && !strlist_has(&roles, role))
            strlist_add(&roles, role);
    }
    strlist_sort(&roles);
    _auto_free_ char *text = strlist_join(&roles, ",");
    cell_text_or(out, text, "<none>");
}

static void node_version(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "status.nodeInfo.kubeletVersion"));
}

static void address(struct buf *out, const json_t *obj, const char *type)
{
    const json_t *addresses = jat(obj, "status.addresses");
    for (size_t i = 0; i < json_array_size(addresses); i++) {
        const json_t *a = json_array_get(addresses, i);
        if (str_eq(jstr(a, "type"), type)) {
            cell_text(out, jstr(a, "address"));
            return;
        }
    }
    cell_text(out, "<none>");
}

static void node_internal_ip(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    address(out, obj, "InternalIP");
}

static void node_external_ip(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    address(out, obj, "ExternalIP");
}

static void node_os(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "status.nodeInfo.osImage"), "<unknown>");
}

static void node_kernel(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "status.nodeInfo.kernelVersion"), "<unknown>");
}

static void node_runtime(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "status.nodeInfo.containerRuntimeVersion"), "<unknown>");
}

static const struct column node_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Status", "string", "", 0, node_status, "The status of the node"},
    {"Roles", "string", "", 0, node_roles, "The roles of the node"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Version", "string", "", 0, node_version, "Kubelet Version reported by the node."},
    {"Internal-IP", "string", "", 1, node_internal_ip,
     "List of addresses reachable to the node. Queried from cloud provider, if available. More info: "
     "https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as "
     "mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is "
     "merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an "
     "example. Consumers should assume that addresses can change during the lifetime of a Node. However, "
     "there are some exceptions where this may not be possible, such as Pods that inherit a Node's address "
     "in its own status or consumers of the downward API (status.hostIP)."},
    {"External-IP", "string", "", 1, node_external_ip,
     "List of addresses reachable to the node. Queried from cloud provider, if available. More info: "
     "https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as "
     "mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is "
     "merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an "
     "example. Consumers should assume that addresses can change during the lifetime of a Node. However, "
     "there are some exceptions where this may not be possible, such as Pods that inherit a Node's address "
     "in its own status or consumers of the downward API (status.hostIP)."},
    {"OS-Image", "string", "", 1, node_os,
     "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy))."},
    {"Kernel-Version", "string", "", 1, node_kernel,
     "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64)."},
    {"Container-Runtime", "string", "", 1, node_runtime,
     "ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2)."},
};
const struct printer printer_node = {"", "Node", node_columns, ARRAY_LEN(node_columns), NULL};

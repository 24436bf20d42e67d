/* node.c - nodes: conditions, capacity, lease, and what the pods on it have asked for. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define ROLE_PREFIX "node-role.kubernetes.io/"

static void put_roles(struct page *p, const json_t *node)
{
    _auto_strlist_ struct strlist roles = {0};
    const char *key;
    json_t *value;
    json_object_foreach(jat(node, "metadata.labels"), key, value)
    {
        const char *role = NULL;
        if (str_starts(key, ROLE_PREFIX))
            role = key + strlen(ROLE_PREFIX);
        else if (str_eq(key, "kubernetes.io/role"))
            role = json_string_value(value);
        if (!str_empty(role) && !strlist_has(&roles, role))
            strlist_add(&roles, role);
    }
    strlist_sort(&roles);
    _auto_free_ char *text = strlist_join(&roles, ",");
    page_put(p, 0, "Roles:\t%s\n", roles.len > 0 ? text : "<none>");
}

/* "key=value:Effect", as Taint.ToString(). */
static char *taint_text(const json_t *t)
{
    const char *value = jstr_or(t, "value", ""), *effect = jstr_or(t, "effect", "");
    bool has_value = value[0] != '\0', has_effect = effect[0] != '\0';
    return xasprintf("%s%s%s%s%s", jstr_or(t, "key", ""), has_value ? "=" : "", value,
                     has_effect || has_value ? ":" : "", effect);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by effect and key: those stand in front of each text while it is sorted, behind a character no key has. */
static void put_taints(struct page *p, const json_t *node)
{
    const json_t *taints = jat(node, "spec.taints");
    _auto_strlist_ struct strlist lines = {0};
    for (size_t i = 0; i < json_array_size(taints); i++) {
        const json_t *t = json_array_get(taints, i);
        _auto_free_ char *text = taint_text(t);
        strlist_addf(&lines, "%s,%s\1%s", jstr_or(t, "effect", ""), jstr_or(t, "key", ""), text);
    }
    if (lines.len > 0)
        qsort(lines.items, lines.len, sizeof *lines.items, by_line);
    page_put(p, 0, "Taints:\t");
    if (lines.len == 0)
        page_end(p, "<none>");
    for (size_t i = 0; i < lines.len; i++)
        page_put(p, 0, "%s%s\n", i > 0 ? "\t" : "", strchr(lines.items[i], '\1') + 1);
}

static void put_lease(struct page *p, const json_t *node)
{
    static const char *const moments[][2] = {{"AcquireTime:", "spec.acquireTime"}, {"RenewTime:", "spec.renewTime"}};
    (void)node;
    const json_t *lease = jat(p->related, "lease");
    if (!json_is_object(lease)) {
        page_put(p, 0, "Lease:\tFailed to get lease: %s\n", jstr_or(p->related, "errors.lease", ""));
        return;
    }
    page_put(p, 0, "Lease:\n");
    page_put(p, 1, "HolderIdentity:\t%s\n", jstr_or(lease, "spec.holderIdentity", "<unset>"));
    for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
        _auto_buf_ struct buf text = BUF_INIT;
        if (jstr(lease, moments[i][1]) != NULL)
            value_time(&text, jstr(lease, moments[i][1]));
        else
            buf_adds(&text, "<unset>");
        page_put(p, 1, "%s\t%s\n", moments[i][0], buf_str(&text));
    }
}

static void put_conditions(struct page *p, const json_t *node)
{
    page_conditions_seen(p, jat(node, "status.conditions"), "LastHeartbeatTime", "lastHeartbeatTime");
}

static void put_addresses(struct page *p, const json_t *node)
{
    const json_t *list = jat(node, "status.addresses");
    page_put(p, 0, "Addresses:\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        page_put(p, 1, "%s:\t%s\n", jstr_or(a, "type", ""), jstr_or(a, "address", ""));
    }
    page_resources(p, 0, "Capacity:", jat(node, "status.capacity"));
    page_resources(p, 0, "Allocatable:", jat(node, "status.allocatable"));
}

const struct row rows_node[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_roles, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"CreationTimestamp:", ROW_TIME, "metadata.creationTimestamp", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_taints, 0},
    {"Unschedulable:", ROW_FLAG, "spec.unschedulable", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_lease, 0},
    {NULL, ROW_CALL, NULL, NULL, put_conditions, 0},
    {NULL, ROW_CALL, NULL, NULL, put_addresses, 0},
    {"System Info:", ROW_TITLE, NULL, NULL, NULL, 0},
    {"Machine ID:", ROW_SHOW, "status.nodeInfo.machineID", NULL, NULL, 1},
    {"System UUID:", ROW_SHOW, "status.nodeInfo.systemUUID", NULL, NULL, 1},
    {"Boot ID:", ROW_SHOW, "status.nodeInfo.bootID", NULL, NULL, 1},
    {"Kernel Version:", ROW_SHOW, "status.nodeInfo.kernelVersion", NULL, NULL, 1},
    {"OS Image:", ROW_SHOW, "status.nodeInfo.osImage", NULL, NULL, 1},
    {"Operating System:", ROW_SHOW, "status.nodeInfo.operatingSystem", NULL, NULL, 1},
    {"Architecture:", ROW_SHOW, "status.nodeInfo.architecture", NULL, NULL, 1},
    {"Container Runtime Version:", ROW_SHOW, "status.nodeInfo.containerRuntimeVersion", NULL, NULL, 1},
    {"Kubelet Version:", ROW_SHOW, "status.nodeInfo.kubeletVersion", NULL, NULL, 1},
    {"Kube-Proxy Version:", ROW_SHOW, "status.nodeInfo.kubeProxyVersion", NULL, NULL, 1},
    {"PodCIDR:", ROW_FULL, "spec.podCIDR", NULL, NULL, 0},
    {"PodCIDRs:", ROW_FULL, "spec.podCIDRs", NULL, NULL, 0},
    {"ProviderID:", ROW_FULL, "spec.providerID", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, page_node_resources, 0},
    ROWS_END,
};

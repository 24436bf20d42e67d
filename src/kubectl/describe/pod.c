/* pod.c - pods, and the templates of those who make them. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static void put_node(struct page *p, const json_t *pod)
{
    const char *node = jstr_or(pod, "spec.nodeName", "");
    if (node[0] == '\0')
        page_put(p, 0, "Node:\t<none>\n");
    else
        page_put(p, 0, "Node:\t%s/%s\n", node, jstr_or(pod, "status.hostIP", ""));
}

static void put_phase(struct page *p, const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", ""), *deleted = jstr(pod, "metadata.deletionTimestamp");
    if (deleted == NULL || str_eq(phase, "Failed") || str_eq(phase, "Succeeded")) {
        page_put(p, 0, "Status:\t%s\n", phase);
        return;
    }
    _auto_buf_ struct buf age = BUF_INIT;
    value_age(&age, deleted, p->now);
    page_put(p, 0, "Status:\tTerminating (lasts %s)\n", buf_str(&age));
    page_put(p, 0, "Termination Grace Period:\t%llds\n",
             (long long)jint(pod, "metadata.deletionGracePeriodSeconds", 0));
}

static void put_seccomp(struct page *p, const json_t *pod)
{
    const json_t *profile = jat(pod, "spec.securityContext.seccompProfile");
    if (!json_is_object(profile))
        return;
    page_put(p, 0, "SeccompProfile:\t%s\n", jstr_or(profile, "type", ""));
    if (str_eq(jstr(profile, "type"), "Localhost"))
        page_put(p, 0, "LocalhostProfile:\t%s\n", jstr_or(profile, "localhostProfile", ""));
}

static void put_addresses(struct page *p, const json_t *pod)
{
    const json_t *ips = jat(pod, "status.podIPs");
    page_put(p, 0, "IP:\t%s\n", jstr_or(pod, "status.podIP", ""));
    page_put(p, 0, "IPs:%s\n", json_array_size(ips) == 0 ? "\t<none>" : "");
    for (size_t i = 0; i < json_array_size(ips); i++)
        page_put(p, 1, "IP:\t%s\n", jstr_or(json_array_get(ips, i), "ip", ""));
    _auto_buf_ struct buf by = BUF_INIT;
    value_controller(&by, pod);
    if (by.len > 0)
        page_put(p, 0, "Controlled By:\t%s\n", buf_str(&by));
}

static void put_containers(struct page *p, const json_t *pod)
{
    if (json_is_object(jat(pod, "spec.resources"))) {
        page_put(p, 0, "Resources:\n");
        page_resources(p, 1, "Limits:", jat(pod, "spec.resources.limits"));
        page_resources(p, 1, "Requests:", jat(pod, "spec.resources.requests"));
    }
    const json_t *init = jat(pod, "spec.initContainers"), *ephemeral = jat(pod, "spec.ephemeralContainers");
    if (json_array_size(init) > 0)
        page_containers(p, "Init Containers", init, jat(pod, "status.initContainerStatuses"), pod, "");
    page_containers(p, "Containers", jat(pod, "spec.containers"), jat(pod, "status.containerStatuses"), pod, "");
    if (json_array_size(ephemeral) > 0)
        page_containers(p, "Ephemeral Containers", ephemeral, jat(pod, "status.ephemeralContainerStatuses"), pod, "");
}

static const char *condition_status(const json_t *pod, const char *type)
{
    const json_t *list = jat(pod, "status.conditions");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(jstr(json_array_get(list, i), "type"), type))
            return jstr_or(json_array_get(list, i), "status", "");
    return "<none>";
}

static void put_conditions(struct page *p, const json_t *pod)
{
    static const struct condition_column columns[] = {
        {"Type", "", "type", true, false},
        {"Status", "", "status", true, false},
    };
    const json_t *gates = jat(pod, "spec.readinessGates");
    if (json_array_size(gates) > 0)
        page_put(p, 0, "Readiness Gates:\n  Type\tStatus\n");
    for (size_t i = 0; i < json_array_size(gates); i++) {
        const char *type = jstr_or(json_array_get(gates, i), "conditionType", "");
        page_put(p, 1, "%s \t%s \n", type, condition_status(pod, type));
    }
    page_conditions(p, jat(pod, "status.conditions"), "Conditions:", columns, ARRAY_LEN(columns));
}

static void put_placement(struct page *p, const json_t *pod)
{
    page_volumes(p, jat(pod, "spec.volumes"), "");
    page_put(p, 0, "QoS Class:\t%s\n", jstr_or(pod, "status.qosClass", "BestEffort"));
    page_labels(p, "", "Node-Selectors:", jat(pod, "spec.nodeSelector"));
    page_tolerations(p, "Tolerations:", jat(pod, "spec.tolerations"));
    page_spread(p, jat(pod, "spec.topologySpreadConstraints"), "");
}

const struct row rows_pod[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Priority:", ROW_SOME, "spec.priority", NULL, NULL, 0},
    {"Priority Class Name:", ROW_FULL, "spec.priorityClassName", NULL, NULL, 0},
    {"Runtime Class Name:", ROW_FULL, "spec.runtimeClassName", NULL, NULL, 0},
    {"Service Account:", ROW_FULL, "spec.serviceAccountName", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_node, 0},
    {"Start Time:", ROW_TIME_SOME, "status.startTime", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_phase, 0},
    {"Reason:", ROW_FULL, "status.reason", NULL, NULL, 0},
    {"Message:", ROW_FULL, "status.message", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_seccomp, 0},
    {NULL, ROW_CALL, NULL, NULL, put_addresses, 0},
    {"NominatedNodeName:", ROW_FULL, "status.nominatedNodeName", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_containers, 0},
    {NULL, ROW_CALL, NULL, NULL, put_conditions, 0},
    {NULL, ROW_CALL, NULL, NULL, put_placement, 0},
    ROWS_END,
};

void page_pod_template(struct page *p, const json_t *template_object)
{
    const json_t *spec = jat(template_object, "spec");
    page_put(p, 0, "Pod Template:\n");
    page_labels(p, "", "  Labels:", jat(template_object, "metadata.labels"));
    if (json_object_size(jat(template_object, "metadata.annotations")) > 0)
        page_annotations(p, "  Annotations:", jat(template_object, "metadata.annotations"));
    if (!str_empty(jstr(spec, "serviceAccountName")))
        page_put(p, 1, "Service Account:\t%s\n", jstr(spec, "serviceAccountName"));
    if (json_array_size(jat(spec, "initContainers")) > 0)
        page_containers(p, "Init Containers", jat(spec, "initContainers"), NULL, NULL, "  ");
    page_containers(p, "Containers", jat(spec, "containers"), NULL, NULL, "  ");
    page_volumes(p, jat(spec, "volumes"), "  ");
    page_spread(p, jat(spec, "topologySpreadConstraints"), "  ");
    if (!str_empty(jstr(spec, "priorityClassName")))
        page_put(p, 1, "Priority Class Name:\t%s\n", jstr(spec, "priorityClassName"));
    page_labels(p, "", "  Node-Selectors:", jat(spec, "nodeSelector"));
    page_tolerations(p, "  Tolerations:", jat(spec, "tolerations"));
}

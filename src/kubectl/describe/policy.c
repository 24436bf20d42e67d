/* policy.c - what bounds and scales: namespaces with their quotas and limits, autoscalers, budgets, priorities.
 *
 * THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* -- limits -- */

static void put_limits(struct page *p, const json_t *spec, const char *prefix)
{
    static const char *const columns[] = {"min", "max", "defaultRequest", "default", "maxLimitRequestRatio"};
    const json_t *limits = jat(spec, "limits");
    for (size_t i = 0; i < json_array_size(limits); i++) {
        const json_t *item = json_array_get(limits, i);
        _auto_json_ json_t *all = json_object();
        for (size_t j = 0; j < ARRAY_LEN(columns); j++)
            if (json_is_object(jat(item, columns[j])))
                json_object_update(all, jat(item, columns[j]));
        _auto_json_ json_t *names = keys_sorted(all);
        for (size_t k = 0; k < json_array_size(names); k++) {
            const char *name = json_string_value(json_array_get(names, k));
            page_put(p, 0, "%s%s\t%s", prefix, jstr_or(item, "type", ""), name);
            for (size_t j = 0; j < ARRAY_LEN(columns); j++) {
                const char *value = jmap(item, columns[j], name);
                page_put(p, 0, "\t%s", value != NULL ? value : "-");
            }
            page_put(p, 0, "\n");
        }
    }
}

static void put_limit_range(struct page *p, const json_t *object)
{
    page_put(p, 0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio\n");
    page_put(p, 0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------\n");
    put_limits(p, jat(object, "spec"), "");
}

const struct row rows_limit_range[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_limit_range, 0},
    ROWS_END,
};

/* -- quotas -- */

static const char *scope_help(const char *scope)
{
    static const char *const texts[][2] = {
        {"Terminating", "Matches all pods that have an active deadline. These pods have a limited lifespan on a node "
                        "before being actively terminated by the system."},
        {"NotTerminating", "Matches all pods that do not have an active deadline. These pods usually include long "
                           "running pods whose container command is not expected to terminate."},
        {"BestEffort", "Matches all pods that do not have resource requirements set. These pods have a best effort "
                       "quality of service."},
        {"NotBestEffort", "Matches all pods that have at least one resource requirement set. These pods have a "
                          "burstable or guaranteed quality of service."},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_eq(texts[i][0], scope))
            return texts[i][1];
    return NULL;
}

static void put_scopes(struct page *p, int level, const char *bullet, const json_t *scopes)
{
    _auto_strlist_ struct strlist names = {0};
    for (size_t i = 0; i < json_array_size(scopes); i++)
        strlist_add(&names, json_string_value(json_array_get(scopes, i)));
    if (names.len == 0)
        return;
    strlist_sort(&names);
    _auto_free_ char *text = strlist_join(&names, ", ");
    page_put(p, level, "Scopes:\t%s\n", text);
    for (size_t i = 0; i < names.len; i++)
        if (scope_help(names.items[i]) != NULL)
            page_put(p, level, "%s %s\n", bullet, scope_help(names.items[i]));
}

/* What is used, written as what is allowed is: 1Gi of 5Gi, not 1073741824 of 5Gi. */
static void used_text(const char *used, const char *hard, bool alike, char out[QUANTITY_TEXT_LEN])
{
    struct quantity u, h;
    if (quantity_parse(used, &u) < 0)
        quantity_parse("0", &u);
    if (alike && quantity_parse(hard, &h) == 0 && u.format != h.format)
        u.format = h.format;
    quantity_format(&u, out);
}

static void put_used(struct page *p, int level, const json_t *quota, bool alike)
{
    const json_t *hard = jat(quota, "status.hard");
    _auto_json_ json_t *names = keys_sorted(hard);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const char *most = jmap(quota, "status.hard", name), *used = jmap(quota, "status.used", name);
        char text[QUANTITY_TEXT_LEN];
        used_text(used != NULL ? used : "0", most, alike, text);
        page_put(p, level, "%s\t%s\t%s\n", name, text, most);
    }
}

static void put_quota(struct page *p, const json_t *quota)
{
    put_scopes(p, 0, " *", jat(quota, "spec.scopes"));
    page_put(p, 0, "Resource\tUsed\tHard\n");
    page_put(p, 0, "--------\t----\t----\n");
    put_used(p, 0, quota, true);
}

const struct row rows_quota[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_quota, 0},
    ROWS_END,
};

/* -- namespaces -- */

static void put_bounds(struct page *p, const json_t *ns)
{
    const json_t *quotas = jat(p->related, "quotas"), *limits = jat(p->related, "limits");
    page_conditions_timed(p, jat(ns, "status.conditions"));
    page_put(p, 0, "\n%s\n", json_array_size(quotas) == 0 ? "No resource quota." : "Resource Quotas");
    for (size_t i = 0; i < json_array_size(quotas); i++) {
        const json_t *q = json_array_get(quotas, i);
        page_put(p, 1, "Name:\t%s\n", jstr_or(q, "metadata.name", ""));
        put_scopes(p, 1, "*", jat(q, "spec.scopes"));
        page_put(p, 1, "Resource\tUsed\tHard\n");
        page_put(p, 1, "--------\t---\t---\n");
        put_used(p, 1, q, false);
    }
    page_put(p, 0, "\n");
    if (json_array_size(limits) == 0) {
        page_put(p, 0, "No LimitRange resource.\n");
        return;
    }
    page_put(p, 0,
             "Resource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio\n");
    page_put(p, 0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------\n");
    for (size_t i = 0; i < json_array_size(limits); i++)
        put_limits(p, jat(json_array_get(limits, i), "spec"), " ");
}

const struct row rows_namespace[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"Status:", ROW_SHOW, "status.phase", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_bounds, 0},
    ROWS_END,
};

/* -- autoscalers -- */

/* What stands in front of a metric's figures, where in a metric its target and in its status the value is. */
static void metric_name(struct buf *out, const char *type, const json_t *m)
{
    const char *name = jstr_or(m, "metric.name", "");
    if (str_eq(type, "Resource"))
        buf_addf(out, "resource %s on pods", jstr_or(m, "name", ""));
    else if (str_eq(type, "ContainerResource"))
        buf_addf(out, "resource %s of container \"%s\" on pods", jstr_or(m, "name", ""), jstr_or(m, "container", ""));
    else
        buf_add_quoted(out, name, strlen(name));
    if (str_eq(type, "Pods"))
        buf_adds(out, " on pods");
    if (str_eq(type, "Object"))
        buf_addf(out, " on %s/%s", jstr_or(m, "describedObject.kind", ""), jstr_or(m, "describedObject.name", ""));
}

static void put_resource_metric(struct page *p, const char *name, const json_t *target, const json_t *current)
{
    const char *average = jstr(target, "averageValue");
    if (average != NULL) {
        page_put(p, 1, "%s:\t%s / %s\n", name, jstr_or(current, "averageValue", "<unknown>"), average);
        return;
    }
    _auto_buf_ struct buf now = BUF_INIT, want = BUF_INIT;
    if (json_is_integer(jat(current, "averageUtilization")))
        buf_addf(&now, "%lld%% (%s)", (long long)jint(current, "averageUtilization", 0),
                 jstr_or(current, "averageValue", "0"));
    else
        buf_adds(&now, "<unknown>");
    if (json_is_integer(jat(target, "averageUtilization")))
        buf_addf(&want, "%lld%%", (long long)jint(target, "averageUtilization", 0));
    else
        buf_adds(&want, "<auto>");
    page_put(p, 1, "%s  (as a percentage of request):\t%s / %s\n", name, buf_str(&now), buf_str(&want));
}

static void put_metric(struct page *p, const json_t *metric, const json_t *status)
{
    static const char *const members[][2] = {{"Resource", "resource"},
                                             {"ContainerResource", "containerResource"},
                                             {"Pods", "pods"},
                                             {"Object", "object"},
                                             {"External", "external"}};
    const char *type = jstr_or(metric, "type", ""), *member = NULL;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (str_eq(type, members[i][0]))
            member = members[i][1];
    if (member == NULL) {
        page_put(p, 1, "<unknown metric type \"%s\">\n", type);
        return;
    }
    const json_t *m = jat(metric, member), *target = jat(m, "target"), *current = jat(jat(status, member), "current");
    _auto_buf_ struct buf name = BUF_INIT;
    metric_name(&name, type, m);
    if (str_ends(member, "esource")) {
        put_resource_metric(p, buf_str(&name), target, current);
        return;
    }
    bool average = str_eq(type, "Pods") || jstr(target, "averageValue") != NULL;
    const char *what = str_eq(type, "Pods") ? "" : average ? " (target average value)" : " (target value)";
    const char *which = average ? "averageValue" : "value";
    page_put(p, 1, "%s%s:\t%s / %s\n", buf_str(&name), what, jstr_or(current, which, "<unknown>"),
             jstr_or(target, which, "0"));
}

static void put_metrics(struct page *p, const json_t *hpa)
{
    const json_t *metrics = jat(hpa, "spec.metrics"), *current = jat(hpa, "status.currentMetrics");
    page_put(p, 0, "Reference:\t%s/%s\n", jstr_or(hpa, "spec.scaleTargetRef.kind", ""),
             jstr_or(hpa, "spec.scaleTargetRef.name", ""));
    page_put(p, 0, "Metrics:\t( current / target )\n");
    for (size_t i = 0; i < json_array_size(metrics); i++)
        put_metric(p, json_array_get(metrics, i), json_array_get(current, i));
}

static void put_direction(struct page *p, const char *title, const json_t *rules)
{
    if (!json_is_object(rules))
        return;
    const json_t *window = jat(rules, "stabilizationWindowSeconds"), *policies = jat(rules, "policies");
    page_put(p, 1, "%s:\n", title);
    if (json_is_integer(window))
        page_put(p, 2, "Stabilization Window: %lld seconds\n", (long long)json_integer_value(window));
    if (json_array_size(policies) == 0)
        return;
    page_put(p, 2, "Select Policy: %s\n", jstr_or(rules, "selectPolicy", "Max"));
    page_put(p, 2, "Policies:\n");
    for (size_t i = 0; i < json_array_size(policies); i++) {
        const json_t *policy = json_array_get(policies, i);
        page_put(p, 3, "- Type: %s\tValue: %lld\tPeriod: %lld seconds\n", jstr_or(policy, "type", ""),
                 (long long)jint(policy, "value", 0), (long long)jint(policy, "periodSeconds", 0));
    }
}

static void put_scaling(struct page *p, const json_t *hpa)
{
    static const struct condition_column columns[] = {
        {"Type", "----", "type", false, false},
        {"Status", "------", "status", false, false},
        {"Reason", "------", "reason", false, false},
        {"Message", "-------", "message", false, false},
    };
    const json_t *behavior = jat(hpa, "spec.behavior");
    if (json_is_object(behavior)) {
        page_put(p, 0, "Behavior:\n");
        put_direction(p, "Scale Up", jat(behavior, "scaleUp"));
        put_direction(p, "Scale Down", jat(behavior, "scaleDown"));
    }
    page_put(p, 0, "%s pods:\t%lld current / %lld desired\n", jstr_or(hpa, "spec.scaleTargetRef.kind", ""),
             (long long)jint(hpa, "status.currentReplicas", 0), (long long)jint(hpa, "status.desiredReplicas", 0));
    page_conditions(p, jat(hpa, "status.conditions"), "Conditions:", columns, ARRAY_LEN(columns));
}

const struct row rows_hpa[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"CreationTimestamp:", ROW_TIME, "metadata.creationTimestamp", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_metrics, 0},
    {"Min replicas:", ROW_ELSE, "spec.minReplicas", "<unset>", NULL, 0},
    {"Max replicas:", ROW_NUMBER, "spec.maxReplicas", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_scaling, 0},
    ROWS_END,
};

/* -- budgets and priorities -- */

static void put_budget(struct page *p, const json_t *budget)
{
    const json_t *least = jat(budget, "spec.minAvailable"), *most = jat(budget, "spec.maxUnavailable");
    _auto_buf_ struct buf bound = BUF_INIT, selector = BUF_INIT;
    value_text(&bound, least != NULL ? least : most);
    if (least != NULL || most != NULL)
        page_put(p, 0, "%s:\t%s\n", least != NULL ? "Min available" : "Max unavailable", buf_str(&bound));
    if (json_is_object(jat(budget, "spec.selector")))
        value_selector(&selector, jat(budget, "spec.selector"), "<none>");
    else
        buf_adds(&selector, "<unset>");
    page_put(p, 0, "Selector:\t%s\n", buf_str(&selector));
}

const struct row rows_budget[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_budget, 0},
    {"Status:", ROW_TITLE, NULL, NULL, NULL, 0},
    {"Allowed disruptions:", ROW_NUMBER, "status.disruptionsAllowed", NULL, NULL, 2},
    {"Current:", ROW_NUMBER, "status.currentHealthy", NULL, NULL, 2},
    {"Desired:", ROW_NUMBER, "status.desiredHealthy", NULL, NULL, 2},
    {"Total:", ROW_NUMBER, "status.expectedPods", NULL, NULL, 2},
    ROWS_END,
};

const struct row rows_priority_class[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Value:", ROW_NUMBER, "value", NULL, NULL, 0},
    {"GlobalDefault:", ROW_FLAG, "globalDefault", NULL, NULL, 0},
    {"PreemptionPolicy:", ROW_SHOW, "preemptionPolicy", NULL, NULL, 0},
    {"Description:", ROW_SHOW, "description", NULL, NULL, 0},
    {"Annotations:", ROW_PAIRS, "metadata.annotations", NULL, NULL, 0},
    ROWS_END,
};

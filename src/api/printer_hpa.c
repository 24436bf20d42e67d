/* printer_hpa.c - columns of HorizontalPodAutoscaler, in either version. THREADS: pure functions. */
#include "api/printer_int.h"

#include "api/hpa_view.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define SHOWN 2

static void reference(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    _auto_free_ char *text =
        xasprintf("%s/%s", jstr_or(obj, "spec.scaleTargetRef.kind", ""), jstr_or(obj, "spec.scaleTargetRef.name", ""));
    cell_text(out, text);
}

/* The member that a metric's type names. */
static const char *source_of(const json_t *metric)
{
    static const char *const types[][2] = {{"Resource", "resource"},
                                           {"ContainerResource", "containerResource"},
                                           {"Pods", "pods"},
                                           {"Object", "object"},
                                           {"External", "external"}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(jstr(metric, "type"), types[i][0]))
            return types[i][1];
    return "";
}

/* "cpu: 90%/80%", "<unknown>/10": what is measured, and what it should be. Returns new. */
static char *target_text(const json_t *metric, const json_t *status)
{
    const json_t *source = json_object_get(metric, source_of(metric)), *target = json_object_get(source, "target");
    const json_t *current = jat(json_object_get(status, source_of(metric)), "current");
    const char *name = jstr(source, "name");
    char now[64] = "<unknown>", want[64];
    const char *average = jstr(target, "averageValue"), *value = average ? average : jstr(target, "value");
    const json_t *share = json_object_get(target, "averageUtilization"),
                 *share_now = json_object_get(current, "averageUtilization");
    const char *value_now = jstr(current, average ? "averageValue" : "value");
    if (value)
        snprintf(want, sizeof want, "%s", value);
    else if (share)
        snprintf(want, sizeof want, "%lld%%", (long long)json_integer_value(share));
    else
        snprintf(want, sizeof want, "<auto>");
    if (value && value_now)
        snprintf(now, sizeof now, "%s", value_now);
    else if (!value && share_now)
        snprintf(now, sizeof now, "%lld%%", (long long)json_integer_value(share_now));
    return name ? xasprintf("%s: %s/%s", name, now, want) : xasprintf("%s/%s", now, want);
}

static void targets(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    bool old = str_eq(jstr(obj, "apiVersion"), "autoscaling/v1");
    _auto_json_ json_t *v2 = old ? hpa_from_v1(obj) : json_incref((json_t *)(uintptr_t)obj);
    const json_t *metrics = jat(v2, "spec.metrics"), *current = jat(v2, "status.currentMetrics");
    size_t count = json_array_size(metrics);
    _auto_strlist_ struct strlist parts = {0};
    for (size_t i = 0; i < count && i < SHOWN; i++)
        strlist_take(&parts, target_text(json_array_get(metrics, i), json_array_get(current, i)));
    _auto_free_ char *text = strlist_join(&parts, ", ");
    _auto_free_ char *more = count > SHOWN ? xasprintf("%s + %zu more...", text, count - SHOWN) : NULL;
    cell_text_or(out, more ? more : text, "<none>");
}

static void min_pods(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)jint(obj, "spec.minReplicas", 0));
    cell_text(out, jat(obj, "spec.minReplicas") ? text : "<unset>");
}

static void max_pods(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_int(out, jint(obj, "spec.maxReplicas", 0));
}

static void replicas(struct buf *out, const json_t *obj, int64_t now _unused_)
{
    cell_int(out, jint(obj, "status.currentReplicas", 0));
}

static const struct column hpa_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Reference", "string", "", 0, reference,
     "scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics should be "
     "collected, as well as to actually change the replica count."},
    {"Targets", "string", "", 0, targets,
     "metrics contains the specifications for which to use to calculate the desired replica count (the maximum replica "
     "count across all metrics will be used).  The desired replica count is calculated multiplying the ratio between "
     "the target value and the current value by the current number of pods.  Ergo, metrics used must decrease as the "
     "pod count is increased, and vice-versa.  See the individual metric source types for more information about how "
     "each type of metric must respond."},
    {"MinPods", "string", "", 0, min_pods,
     "minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down.  It defaults "
     "to "
     "1 pod.  minReplicas is allowed to be 0 if the alpha feature gate HPAScaleToZero is enabled and at least one "
     "Object or External metric is configured.  Scaling is active as long as at least one metric value is available."},
    {"MaxPods", "string", "", 0, max_pods,
     "maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up. It cannot be "
     "less "
     "that minReplicas."},
    {"Replicas", "string", "", 0, replicas,
     "currentReplicas is current number of replicas of pods managed by this autoscaler, as last seen by the "
     "autoscaler."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_hpa = {"autoscaling", "HorizontalPodAutoscaler", hpa_columns, ARRAY_LEN(hpa_columns),
                                    NULL};

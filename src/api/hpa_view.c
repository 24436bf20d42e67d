/* hpa_view.c - see hpa_view.h. The cpu target is a field of v1; other metrics, behaviour and conditions are texts in
 * annotations there, so that nothing is lost on the way back. THREADS: pure. Source: pkg/apis/autoscaling/v1
 * conversion.
 */
#include "api/hpa_view.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define PREFIX "autoscaling.alpha.kubernetes.io/"

static bool is_cpu_share(const json_t *metric)
{
    return str_eq(jstr(metric, "type"), "Resource") && str_eq(jstr(metric, "resource.name"), "cpu") &&
           jat(metric, "resource.target.averageUtilization");
}

static void keep(json_t *obj, const char *name, json_t *take_value)
{
    _auto_json_ json_t *value = take_value;
    if (json_array_size(value) || json_object_size(value)) {
        _auto_free_ char *text = json_text(value);
        jset_map(obj, "metadata.annotations", name, text);
    }
}

/* Takes the annotation out; new or NULL. */
static json_t *kept(json_t *obj, const char *name)
{
    const char *text = jmap(obj, "metadata.annotations", name);
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    json_t *all = jat(obj, "metadata.annotations");
    json_object_del(all, name);
    if (all && !json_object_size(all))
        jdel(obj, "metadata.annotations");
    return value;
}

json_t *hpa_to_v1(const json_t *v2)
{
    json_t *out = json_deep_copy(v2), *others = json_array(), *metric;
    size_t i;
    jset_str(out, "apiVersion", "autoscaling/v1");
    json_array_foreach(jat(v2, "spec.metrics"), i, metric)
    {
        if (is_cpu_share(metric))
            jset_int(out, "spec.targetCPUUtilizationPercentage", jint(metric, "resource.target.averageUtilization", 0));
        else
            json_array_append(others, metric);
    }
    json_array_foreach(jat(v2, "status.currentMetrics"), i, metric)
    {
        const json_t *share = jat(metric, "resource.current.averageUtilization");
        if (str_eq(jstr(metric, "resource.name"), "cpu") && share)
            jset_int(out, "status.currentCPUUtilizationPercentage", json_integer_value(share));
    }
    keep(out, PREFIX "metrics", others);
    keep(out, PREFIX "behavior", json_incref(jat(v2, "spec.behavior")));
    keep(out, PREFIX "conditions", json_incref(jat(v2, "status.conditions")));
    keep(out, PREFIX "current-metrics", json_incref(jat(v2, "status.currentMetrics")));
    static const char *const gone[] = {"spec.metrics", "spec.behavior", "status.conditions", "status.currentMetrics"};
    for (size_t k = 0; k < ARRAY_LEN(gone); k++)
        jdel(out, gone[k]);
    if (!jat(out, "status.currentReplicas"))
        jset_int(out, "status.currentReplicas", 0);
    return out;
}

json_t *hpa_from_v1(const json_t *v1)
{
    json_t *out = json_deep_copy(v1), *metrics = json_array(), *v;
    int64_t share = jint(v1, "spec.targetCPUUtilizationPercentage", 0);
    _auto_json_ json_t *others = kept(out, PREFIX "metrics");
    jset_str(out, "apiVersion", "autoscaling/v2");
    if (share || !json_array_size(others))
        json_array_append_new(metrics, json_pack("{s:s, s:{s:s, s:{s:s, s:I}}}", "type", "Resource", "resource", "name",
                                                 "cpu", "target", "type", "Utilization", "averageUtilization",
                                                 (json_int_t)(share ? share : 80)));
    json_array_extend(metrics, others);
    jset(out, "spec.metrics", metrics);
    jdel(out, "spec.targetCPUUtilizationPercentage");
    jdel(out, "status.currentCPUUtilizationPercentage");
    if ((v = kept(out, PREFIX "behavior")))
        jset(out, "spec.behavior", v);
    if ((v = kept(out, PREFIX "conditions")))
        jset(out, "status.conditions", v);
    v = kept(out, PREFIX "current-metrics");
    jset(out, "status.currentMetrics", v ? v : json_null());
    return out;
}

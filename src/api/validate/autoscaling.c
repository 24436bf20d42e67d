/* autoscaling.c - horizontal pod autoscalers, in either version. THREADS: pure functions. Source:
 * pkg/apis/autoscaling/validation. */
#include "api/validate/kinds_int.h"

#define SPEC FIELD(NULL, "spec")

static void reference_check(const struct change *c, const json_t *ref)
{
    const struct vpath *at = FIELD(SPEC, "scaleTargetRef");
    v_required_str(c->errs, at, ref, "kind");
    v_required_str(c->errs, at, ref, "name");
}

static void metric_check(const struct change *c, const struct vpath *p, const json_t *metric)
{
    static const char *const types[] = {"ContainerResource", "External", "Object", "Pods", "Resource", NULL};
    static const char *const members[] = {"containerResource", "external", "object", "pods", "resource", NULL};
    const char *type = vstr(metric, "type");
    v_choice(c->errs, FIELD(p, "type"), type, types);
    for (size_t i = 0; types[i]; i++)
        if (str_eq(types[i], type) && !vhas(metric, members[i]))
            v_required(c->errs, FIELD(p, members[i]), "must populate information for the given metric source");
    const json_t *target = jat(metric, "resource.target");
    const struct vpath *at = FIELD(FIELD(p, "resource"), "target");
    if (target && vhas(target, "averageUtilization") && vint(target, "averageUtilization") < 1)
        v_invalid_int(c->errs, FIELD(at, "averageUtilization"), vint(target, "averageUtilization"),
                      "must be greater than 0");
    if (target && !vhas(target, "averageUtilization") && !vhas(target, "averageValue"))
        v_required(c->errs, FIELD(at, "averageUtilization"),
                   "must set either a target raw value or a target utilization");
}

static void spec_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec"), *metrics = vget(spec, "metrics");
    int64_t least = vint(spec, "minReplicas"), most = vint(spec, "maxReplicas");
    if (vhas(spec, "minReplicas") && least < 1)
        v_invalid_int(c->errs, FIELD(SPEC, "minReplicas"), least, "must be greater than or equal to 1");
    if (most < 1)
        v_invalid_int(c->errs, FIELD(SPEC, "maxReplicas"), most, "must be greater than 0");
    if (vhas(spec, "minReplicas") && most < least)
        v_invalid_int(c->errs, FIELD(SPEC, "maxReplicas"), most, "must be greater than or equal to `minReplicas`");
    reference_check(c, vget(spec, "scaleTargetRef"));
    for (size_t i = 0; i < json_array_size(metrics); i++)
        metric_check(c, ITEM(FIELD(SPEC, "metrics"), i), json_array_get(metrics, i));
}

void autoscaler_create(const struct change *c)
{
    change_meta_create(c);
    spec_check(c);
}

void autoscaler_update(const struct change *c)
{
    change_meta_update(c);
    if (strcmp(c->sub, "status") != 0)
        spec_check(c);
}

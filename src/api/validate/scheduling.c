/* scheduling.c - priority classes, runtime classes and replication controllers.
 *
 * THREADS: pure functions. Source: pkg/apis/{scheduling,node}/validation, pkg/apis/core/validation. */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"
#include "api/validate/workload_int.h"

#include <inttypes.h>

#define HIGHEST_PRIORITY 1000000000
#define SYSTEM_PREFIX    "system-"
#define RESERVED         "priority class names with '" SYSTEM_PREFIX "' prefix are reserved for system use only. error: "

/* -- priority classes -- */

/* Why the system class of that name cannot be. Returns new, NULL if it can. */
static char *system_class_fault(const json_t *obj, const char *name)
{
    static const struct {
        const char *name;
        int64_t value;
    } known[] = {{"system-cluster-critical", 2000000000}, {"system-node-critical", 2000001000}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!str_eq(known[i].name, name))
            continue;
        if (vint(obj, "value") != known[i].value)
            return xasprintf(RESERVED "value of %s PriorityClass must be %" PRId64, name, known[i].value);
        if (vbool(obj, "globalDefault"))
            return xasprintf(RESERVED "globalDefault of %s PriorityClass must be false", name);
        return NULL;
    }
    return xasprintf(RESERVED "%s is not a known system priority class", name);
}

void priority_class_create(const struct change *c)
{
    static const char *const policies[] = {"Never", "PreemptLowerPriority", NULL};
    const char *name = jstr_or(c->obj, "metadata.name", "");
    change_meta_create(c);
    if (str_starts(name, SYSTEM_PREFIX)) {
        _auto_free_ char *fault = system_class_fault(c->obj, name);
        if (fault)
            v_forbidden(c->errs, FIELD(FIELD(NULL, "metadata"), "name"), fault);
    } else if (vint(c->obj, "value") > HIGHEST_PRIORITY) {
        v_forbidden(c->errs, FIELD(NULL, "value"), "maximum allowed value of a user defined priority is 1000000000");
    }
    v_choice_opt(c->errs, NULL, c->obj, "preemptionPolicy", policies);
}

void priority_class_update(const struct change *c)
{
    change_meta_update(c);
    if (vint(c->obj, "value") != vint(c->old, "value"))
        v_forbidden(c->errs, FIELD(NULL, "value"), "may not be changed in an update.");
    v_immutable_str(c->errs, FIELD(NULL, "preemptionPolicy"), vstr(c->obj, "preemptionPolicy"),
                    vstr(c->old, "preemptionPolicy"));
}

/* -- runtime classes -- */

static void runtime_class_check(const struct change *c)
{
    const struct vpath *scheduling = FIELD(NULL, "scheduling");
    const json_t *where = vget(c->obj, "scheduling");
    v_name(c->errs, FIELD(NULL, "handler"), vstr(c->obj, "handler"), rule_label);
    v_labels(c->errs, FIELD(scheduling, "nodeSelector"), vget(where, "nodeSelector"));
    v_tolerations(c->errs, FIELD(scheduling, "tolerations"), vget(where, "tolerations"));
}

void runtime_class_create(const struct change *c)
{
    change_meta_create(c);
    runtime_class_check(c);
}

void runtime_class_update(const struct change *c)
{
    change_meta_update(c);
    runtime_class_check(c);
    v_immutable_str(c->errs, FIELD(NULL, "handler"), vstr(c->obj, "handler"), vstr(c->old, "handler"));
}

/* -- replication controllers -- */

static bool labels_have(const json_t *labels, const json_t *selector)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)selector, key, value)
    {
        if (!str_eq(vstr(labels, key), json_string_value(value)))
            return false;
    }
    return true;
}

static void controller_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec"), *selector = vget(spec, "selector"), *tmpl = vget(spec, "template");
    const struct vpath *at = FIELD(SPEC, "template");
    v_nonnegative_field(c->errs, SPEC, spec, "minReadySeconds");
    if (!json_object_size(selector))
        v_required(c->errs, FIELD(SPEC, "selector"), NULL);
    v_nonnegative_field(c->errs, SPEC, spec, "replicas");
    if (!tmpl) {
        v_required(c->errs, at, NULL);
        return;
    }
    if (!labels_have(jat(tmpl, "metadata.labels"), selector))
        v_invalid_go(c->errs, FIELD(FIELD(at, "metadata"), "labels"), go_map_text(jat(tmpl, "metadata.labels")),
                     "`selector` does not match template `labels`");
    v_pod_template(c->errs, at, tmpl);
    workload_always_restarts(c, spec, "ReplicationController");
}

void controller_create(const struct change *c)
{
    change_meta_create(c);
    controller_check(c);
}

void controller_update(const struct change *c)
{
    change_meta_update(c);
    if (strcmp(c->sub, "status") == 0)
        replica_counts_check(c);
    else
        controller_check(c);
}

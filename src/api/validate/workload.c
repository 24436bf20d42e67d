/* workload.c - deployments, replica sets, controller revisions, leases, and the small requests: Scale, Binding.
 *
 * THREADS: pure functions. Source: pkg/apis/apps/validation, pkg/apis/autoscaling, coordination. */
#include "api/validate/workload_int.h"

#include "api/selector.h"

#include <stdlib.h>

/* -- selector and template -- */

struct label_selector *workload_selector(const struct change *c, const json_t *spec, const char *kind)
{
    const json_t *json = vget(spec, "selector");
    const struct vpath *p = FIELD(SPEC, "selector");
    struct label_selector *selector = NULL;
    struct err e = ERR_INIT;
    if (json == NULL)
        v_required(c->errs, p, NULL);
    v_label_selector(c->errs, p, json);
    if (json != NULL &&
        json_object_size(vget(json, "matchLabels")) + json_array_size(vget(json, "matchExpressions")) == 0) {
        _auto_free_ char *why = xasprintf("empty selector is invalid for %s", kind);
        v_invalid_go(c->errs, p, go_struct_text("meta.v1.LabelSelector", json), why);
    }
    return label_selector_from_json(json, &selector, &e) < 0 ? NULL : selector;
}

void workload_labels_match(const struct change *c, const json_t *spec, const struct label_selector *selector)
{
    const json_t *labels = jat(spec, "template.metadata.labels");
    bool everything = vhas(spec, "selector") && json_array_size(jat(spec, "selector.matchExpressions")) == 0 &&
                      json_object_size(jat(spec, "selector.matchLabels")) == 0;
    if (!everything && !label_selector_match(selector, labels))
        v_invalid_go(c->errs, FIELD(FIELD(FIELD(SPEC, "template"), "metadata"), "labels"), go_map_text(labels),
                     "`selector` does not match template `labels`");
}

void workload_always_restarts(const struct change *c, const json_t *spec, const char *kind)
{
    static const char *const always[] = {"Always", NULL};
    const struct vpath *p = FIELD(FIELD(SPEC, "template"), "spec");
    const char *restart = jstr_or(spec, "template.spec.restartPolicy", "");
    if (strcmp(restart, "Always") != 0)
        v_unsupported(c->errs, FIELD(p, "restartPolicy"), restart, always);
    if (jat(spec, "template.spec.activeDeadlineSeconds") == NULL)
        return;
    _auto_free_ char *why = xasprintf("activeDeadlineSeconds in %s is not Supported", kind);
    v_forbidden(c->errs, FIELD(p, "activeDeadlineSeconds"), why);
}

static void selector_and_template_check(const struct change *c, const json_t *spec)
{
    const json_t *json = vget(spec, "selector");
    struct label_selector *selector = workload_selector(c, spec, "deployment");
    if (selector == NULL) {
        v_invalid_go(c->errs, FIELD(SPEC, "selector"), go_struct_text("meta.v1.LabelSelector", json),
                     "invalid label selector");
        return;
    }
    workload_labels_match(c, spec, selector);
    v_pod_template(c->errs, FIELD(SPEC, "template"), vget(spec, "template"));
    workload_always_restarts(c, spec, "ReplicaSet");
    label_selector_free(selector);
}

void workload_selector_immutable(const struct change *c, const char *spec_type)
{
    const json_t *now = vget(c->obj, "spec"), *before = vget(c->old, "spec");
    if (go_equal_field(spec_type, "selector", now, before))
        return;
    const json_t *selector = vget(now, "selector");
    v_invalid_go(c->errs, FIELD(SPEC, "selector"),
                 selector != NULL ? go_struct_text("meta.v1.LabelSelector", selector) : NULL, "field is immutable");
}

/* -- strategy of a deployment -- */

static bool percent_of(const json_t *v, long *out)
{
    struct msgs m = {0};
    if (!json_is_string(v))
        return false;
    rule_percent(json_string_value(v), &m);
    *out = m.len == 0 ? strtol(json_string_value(v), NULL, 10) : 0;
    return m.len == 0;
}

void v_int_or_percent(struct field_errors *errs, const struct vpath *p, const json_t *v)
{
    struct msgs m = {0};
    if (!json_is_string(v)) {
        v_nonnegative(errs, p, json_integer_value(v));
        return;
    }
    rule_percent(json_string_value(v), &m);
    for (size_t i = 0; i < m.len; i++)
        v_invalid_go(errs, p, go_int_or_string_text(v), m.text[i]);
}

bool int_or_percent_is_zero(const json_t *v)
{
    long percent = 0;
    return percent_of(v, &percent) ? percent == 0 : json_integer_value(v) == 0;
}

void v_percent_max(struct field_errors *errs, const struct vpath *p, const json_t *v)
{
    long percent = 0;
    if (percent_of(v, &percent) && percent > 100)
        v_invalid_go(errs, p, go_int_or_string_text(v), "must not be greater than 100%");
}

static void rolling_check(const struct change *c, const struct vpath *p, const json_t *rolling)
{
    const json_t *unavailable = vget(rolling, "maxUnavailable"), *surge = vget(rolling, "maxSurge");
    const struct vpath *at = FIELD(p, "maxUnavailable");
    v_int_or_percent(c->errs, at, unavailable);
    v_int_or_percent(c->errs, FIELD(p, "maxSurge"), surge);
    if (int_or_percent_is_zero(unavailable) && int_or_percent_is_zero(surge))
        v_invalid_go(c->errs, at, go_int_or_string_text(unavailable), "may not be 0 when `maxSurge` is 0");
    v_percent_max(c->errs, at, unavailable);
}

static void strategy_check(const struct change *c, const json_t *strategy)
{
    const char *type = vstr(strategy, "type");
    const json_t *rolling = vget(strategy, "rollingUpdate");
    const struct vpath *p = FIELD(SPEC, "strategy");
    if (strcmp(type, "Recreate") == 0) {
        if (rolling != NULL)
            v_forbidden(c->errs, FIELD(p, "rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'");
    } else if (strcmp(type, "RollingUpdate") == 0) {
        if (rolling == NULL)
            v_required(c->errs, FIELD(p, "rollingUpdate"), "this should be defaulted and never be nil");
        else
            rolling_check(c, FIELD(p, "rollingUpdate"), rolling);
    } else {
        _auto_free_ char *at = vpath_text(p);
        _auto_free_ char *value = go_struct_text("apps.v1.DeploymentStrategy", strategy);
        fe_add(c->errs, FE_NOT_SUPPORTED, at, value, "supported values: \"Recreate\", \"RollingUpdate\"");
    }
}

/* -- deployments -- */

static void deployment_spec_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec");
    int64_t deadline = vint(spec, "progressDeadlineSeconds");
    v_nonnegative_field(c->errs, SPEC, spec, "replicas");
    selector_and_template_check(c, spec);
    strategy_check(c, vget(spec, "strategy"));
    v_nonnegative_field(c->errs, SPEC, spec, "minReadySeconds");
    v_nonnegative_field(c->errs, SPEC, spec, "revisionHistoryLimit");
    if (!vhas(spec, "progressDeadlineSeconds"))
        return;
    v_nonnegative(c->errs, FIELD(SPEC, "progressDeadlineSeconds"), deadline);
    if (deadline <= vint(spec, "minReadySeconds"))
        v_invalid_int(c->errs, FIELD(SPEC, "progressDeadlineSeconds"), deadline,
                      "must be greater than minReadySeconds");
}

void deployment_create(const struct change *c)
{
    change_meta_create(c);
    deployment_spec_check(c);
}

/* -- status of workloads -- */

void status_nonnegative(const struct change *c, const char *const *counts)
{
    for (size_t i = 0; counts[i] != NULL; i++)
        v_nonnegative_field(c->errs, STATUS, vget(c->obj, "status"), counts[i]);
}

void status_within(const struct change *c, const char *const *within, const char *of, const char *what)
{
    const json_t *status = vget(c->obj, "status");
    _auto_free_ char *why = xasprintf("cannot be greater than %s", what);
    for (size_t i = 0; within[i] != NULL; i++) {
        if (vint(status, within[i]) > vint(status, of))
            v_invalid_int(c->errs, FIELD(STATUS, within[i]), vint(status, within[i]), why);
    }
}

void status_collisions(const struct change *c)
{
    int64_t collisions = jint(c->obj, "status.collisionCount", 0);
    if (collisions < jint(c->old, "status.collisionCount", 0))
        v_invalid_int(c->errs, FIELD(STATUS, "collisionCount"), collisions, "cannot be decremented");
}

/* Counts are not negative, and those of `within` not above the number of pods. */
static void counts_check(const struct change *c, const char *const *counts, const char *const *within)
{
    static const char *const available[] = {"availableReplicas", NULL};
    status_nonnegative(c, counts);
    status_within(c, within, "replicas", "status.replicas");
    status_within(c, available, "readyReplicas", "readyReplicas");
}

static void deployment_status(const struct change *c)
{
    static const char *const counts[] = {"observedGeneration", "replicas",
                                         "updatedReplicas",    "readyReplicas",
                                         "availableReplicas",  "unavailableReplicas",
                                         "collisionCount",     NULL};
    static const char *const within[] = {"updatedReplicas", "readyReplicas", "availableReplicas", NULL};
    change_meta_update(c);
    counts_check(c, counts, within);
    status_collisions(c);
}

void deployment_update(const struct change *c)
{
    if (strcmp(c->sub, "status") == 0) {
        deployment_status(c);
        return;
    }
    change_meta_update(c);
    deployment_spec_check(c);
    workload_selector_immutable(c, "apps.v1.DeploymentSpec");
}

/* -- replica sets -- */

static void replicaset_spec_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec");
    v_nonnegative_field(c->errs, SPEC, spec, "replicas");
    v_nonnegative_field(c->errs, SPEC, spec, "minReadySeconds");
    selector_and_template_check(c, spec);
}

void replicaset_create(const struct change *c)
{
    change_meta_create(c);
    replicaset_spec_check(c);
}

void replica_counts_check(const struct change *c)
{
    static const char *const counts[] = {"replicas",          "fullyLabeledReplicas", "readyReplicas",
                                         "availableReplicas", "observedGeneration",   NULL};
    static const char *const within[] = {"fullyLabeledReplicas", "readyReplicas", "availableReplicas", NULL};
    counts_check(c, counts, within);
}

void replicaset_update(const struct change *c)
{
    change_meta_update(c);
    if (strcmp(c->sub, "status") == 0) {
        replica_counts_check(c);
        return;
    }
    replicaset_spec_check(c);
    workload_selector_immutable(c, "apps.v1.ReplicaSetSpec");
}

/* -- controller revisions -- */

void revision_create(const struct change *c)
{
    change_meta_create(c);
    if (!vhas(c->obj, "data"))
        v_required(c->errs, FIELD(NULL, "data"), "data is mandatory");
    v_nonnegative_field(c->errs, NULL, c->obj, "revision");
}

void revision_update(const struct change *c)
{
    const json_t *now = vget(c->obj, "data"), *before = vget(c->old, "data");
    change_meta_update(c);
    if (!(now == NULL && before == NULL) && (now == NULL || before == NULL || !json_equal(now, before))) {
        _auto_free_ char *text = now != NULL ? json_text(now) : xstrdup("");
        v_invalid(c->errs, FIELD(NULL, "data"), text, "field is immutable");
    }
    v_nonnegative_field(c->errs, NULL, c->obj, "revision");
}

/* -- leases -- */

static void lease_spec_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec");
    if (vhas(spec, "leaseDurationSeconds") && vint(spec, "leaseDurationSeconds") <= 0)
        v_invalid_int(c->errs, FIELD(SPEC, "leaseDurationSeconds"), vint(spec, "leaseDurationSeconds"),
                      "must be greater than 0");
    v_nonnegative_field(c->errs, SPEC, spec, "leaseTransitions");
}

void lease_create(const struct change *c)
{
    change_meta_create(c);
    lease_spec_check(c);
}

void lease_update(const struct change *c)
{
    change_meta_update(c);
    lease_spec_check(c);
}

/* -- requests -- */

void scale_check(const struct change *c)
{
    meta_create(c->obj, true, rule_subdomain, META_CORE, c->errs);
    v_nonnegative_field(c->errs, SPEC, vget(c->obj, "spec"), "replicas");
}

void binding_check(const json_t *binding, struct field_errors *errs)
{
    static const char *const kinds[] = {"Node", "<empty>", NULL};
    const json_t *target = vget(binding, "target");
    const struct vpath *p = FIELD(NULL, "target");
    const char *kind = vstr(target, "kind");
    if (kind[0] != '\0' && strcmp(kind, "Node") != 0)
        v_unsupported(errs, FIELD(p, "kind"), kind, kinds);
    v_required_str(errs, p, target, "name");
}

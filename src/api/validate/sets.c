/* sets.c - the rules of stateful sets and daemon sets.
 *
 * A stateful set's template is checked for little more than its labels: what is wrong with its pods shows when they are
 * made, as on the real server. THREADS: pure functions. Source: pkg/apis/apps/validation. */
#include "api/validate/workload_int.h"

#include "api/selector.h"

/* -- stateful sets -- */

static void management_check(const struct change *c, const json_t *spec)
{
    static const char *const known[] = {"OrderedReady", "Parallel", NULL};
    const struct vpath *p = FIELD(SPEC, "podManagementPolicy");
    const char *policy = vstr(spec, "podManagementPolicy");
    if (*policy == '\0')
        v_required(c->errs, p, NULL);
    else if (!one_of(policy, known))
        v_invalid(c->errs, p, policy, "must be 'OrderedReady' or 'Parallel'");
}

static void update_strategy_check(const struct change *c, const json_t *strategy)
{
    const struct vpath *p = FIELD(SPEC, "updateStrategy"), *at = FIELD(p, "rollingUpdate");
    const char *type = vstr(strategy, "type");
    const json_t *rolling = vget(strategy, "rollingUpdate");
    if (*type == '\0')
        v_required(c->errs, p, NULL);
    else if (strcmp(type, "RollingUpdate") == 0)
        v_nonnegative_field(c->errs, at, rolling, "partition");
    else if (strcmp(type, "OnDelete") != 0)
        v_invalid_go(c->errs, p, go_struct_text("apps.v1.StatefulSetUpdateStrategy", strategy),
                     "must be 'RollingUpdate' or 'OnDelete'");
    else if (rolling != NULL)
        v_invalid_go(c->errs, at, go_struct_text("apps.v1.RollingUpdateStatefulSetStrategy", rolling),
                     "only allowed for updateStrategy 'RollingUpdate'");
}

static void retention_check(const struct change *c, const json_t *policy)
{
    static const char *const members[] = {"whenDeleted", "whenScaled"}, *const known[] = {"Retain", "Delete", NULL};
    for (size_t i = 0; policy != NULL && i < ARRAY_LEN(members); i++) {
        const char *value = vstr(policy, members[i]);
        if (!one_of(value, known))
            v_unsupported(c->errs, FIELD(FIELD(SPEC, "persistentVolumeClaimRetentionPolicy"), members[i]), value,
                          known);
    }
}

static void statefulset_spec_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec"), *meta = jat(spec, "template.metadata");
    const struct vpath *at = FIELD(SPEC, "template");
    management_check(c, spec);
    update_strategy_check(c, vget(spec, "updateStrategy"));
    retention_check(c, vget(spec, "persistentVolumeClaimRetentionPolicy"));
    v_nonnegative_field(c->errs, SPEC, spec, "replicas");
    v_nonnegative_field(c->errs, SPEC, spec, "minReadySeconds");
    if (vhas(spec, "ordinals"))
        v_nonnegative(c->errs, FIELD(SPEC, "ordinals.start"), vint(vget(spec, "ordinals"), "start"));
    struct label_selector *selector = workload_selector(c, spec, "statefulset");
    if (selector == NULL) {
        v_invalid_go(c->errs, FIELD(SPEC, "selector"), go_struct_text("meta.v1.LabelSelector", vget(spec, "selector")),
                     NULL);
    } else {
        workload_labels_match(c, spec, selector);
        v_labels(c->errs, FIELD(at, "labels"), vget(meta, "labels"));
        v_annotations(c->errs, FIELD(at, "annotations"), vget(meta, "annotations"));
    }
    label_selector_free(selector);
    workload_always_restarts(c, spec, "StatefulSet");
}

void statefulset_create(const struct change *c)
{
    change_meta_create(c);
    statefulset_spec_check(c);
}

static void statefulset_status(const struct change *c)
{
    static const char *const counts[] = {"replicas",           "readyReplicas",  "currentReplicas",   "updatedReplicas",
                                         "observedGeneration", "collisionCount", "availableReplicas", NULL};
    static const char *const within[] = {"readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
                                         NULL};
    static const char *const available[] = {"availableReplicas", NULL};
    change_meta_update(c);
    status_nonnegative(c, counts);
    status_within(c, within, "replicas", "status.replicas");
    status_within(c, available, "readyReplicas", "status.readyReplicas");
    status_collisions(c);
}

/* The rest of the spec stays what it was when the set was made. */
static void statefulset_frozen_rest(const struct change *c)
{
    static const char *const free_members[] = {
        "replicas",       "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds"};
    const json_t *before = vget(c->old, "spec");
    _auto_json_ json_t *now = json_copy(vget(c->obj, "spec"));
    for (size_t i = 0; i < ARRAY_LEN(free_members); i++)
        vrestore(now, before, free_members[i]);
    if (!go_equal("apps.v1.StatefulSetSpec", now, before))
        v_forbidden(c->errs, SPEC,
                    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                    "'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
}

void statefulset_update(const struct change *c)
{
    if (strcmp(c->sub, "status") == 0) {
        statefulset_status(c);
        return;
    }
    change_meta_update(c);
    statefulset_spec_check(c);
    statefulset_frozen_rest(c);
}

/* -- daemon sets -- */

static void daemon_rolling_check(const struct change *c, const struct vpath *p, const json_t *rolling)
{
    const json_t *unavailable = vget(rolling, "maxUnavailable"), *surge = vget(rolling, "maxSurge");
    const struct vpath *at = FIELD(p, "maxUnavailable"), *surge_at = FIELD(p, "maxSurge");
    v_int_or_percent(c->errs, at, unavailable);
    v_int_or_percent(c->errs, surge_at, surge);
    v_percent_max(c->errs, at, unavailable);
    v_percent_max(c->errs, surge_at, surge);
    bool none = int_or_percent_is_zero(unavailable), flat = int_or_percent_is_zero(surge);
    if (none && flat)
        v_required(c->errs, at, "cannot be 0 when maxSurge is 0");
    else if (!none && !flat)
        v_invalid_go(c->errs, surge_at, go_int_or_string_text(surge), "may not be set when maxUnavailable is non-zero");
}

static void daemon_strategy_check(const struct change *c, const json_t *strategy)
{
    const struct vpath *p = FIELD(SPEC, "updateStrategy");
    const char *type = vstr(strategy, "type");
    const json_t *rolling = vget(strategy, "rollingUpdate");
    if (strcmp(type, "OnDelete") == 0)
        return;
    if (strcmp(type, "RollingUpdate") != 0) {
        _auto_free_ char *at = vpath_text(p);
        _auto_free_ char *value = go_struct_text("apps.v1.DaemonSetUpdateStrategy", strategy);
        fe_add(c->errs, FE_NOT_SUPPORTED, at, value, "supported values: \"RollingUpdate\", \"OnDelete\"");
    } else if (rolling == NULL) {
        v_required(c->errs, FIELD(p, "rollingUpdate"), NULL);
    } else {
        daemon_rolling_check(c, FIELD(p, "rollingUpdate"), rolling);
    }
}

static void daemonset_spec_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec"), *json = vget(spec, "selector");
    struct label_selector *selector = NULL;
    struct err e = ERR_INIT;
    v_label_selector(c->errs, FIELD(SPEC, "selector"), json);
    if (label_selector_from_json(json, &selector, &e) == 0 &&
        !label_selector_match(selector, jat(spec, "template.metadata.labels")))
        v_invalid_go(c->errs, FIELD(FIELD(FIELD(SPEC, "template"), "metadata"), "labels"),
                     go_map_text(jat(spec, "template.metadata.labels")), "`selector` does not match template `labels`");
    label_selector_free(selector);
    if (json != NULL &&
        json_object_size(vget(json, "matchLabels")) + json_array_size(vget(json, "matchExpressions")) == 0)
        v_invalid_go(c->errs, FIELD(SPEC, "selector"), go_struct_text("meta.v1.LabelSelector", json),
                     "empty selector is invalid for daemonset");
    v_pod_template(c->errs, FIELD(SPEC, "template"), vget(spec, "template"));
    workload_always_restarts(c, spec, "DaemonSet");
    v_nonnegative_field(c->errs, SPEC, spec, "minReadySeconds");
    daemon_strategy_check(c, vget(spec, "updateStrategy"));
    v_nonnegative_field(c->errs, SPEC, spec, "revisionHistoryLimit");
}

void daemonset_create(const struct change *c)
{
    change_meta_create(c);
    daemonset_spec_check(c);
}

void daemonset_update(const struct change *c)
{
    static const char *const counts[] = {"currentNumberScheduled", "numberMisscheduled",
                                         "desiredNumberScheduled", "numberReady",
                                         "observedGeneration",     "updatedNumberScheduled",
                                         "numberAvailable",        "numberUnavailable",
                                         "collisionCount",         NULL};
    change_meta_update(c);
    if (strcmp(c->sub, "status") == 0) {
        status_nonnegative(c, counts);
        status_collisions(c);
        return;
    }
    daemonset_spec_check(c);
    workload_selector_immutable(c, "apps.v1.DaemonSetSpec");
}

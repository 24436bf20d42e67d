/* sets.c - stateful sets, daemon sets, jobs, cron jobs and quotas at the door: what a new one's status is, what the
 * server writes into it, what it never changes.
 * Source: pkg/registry/apps/{statefulset,daemonset}/strategy.go, pkg/registry/batch, pkg/registry/core/resourcequota.
 */
#include "registry/meta_int.h"
#include "registry/strategy_int.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#define ANN_TEMPLATE_GENERATION "deprecated.daemonset.template.generation"

/* -- stateful sets -- */

/* Templates of claims say what they are; updating more than one pod at a time is a feature that is off. */
void statefulset_convert(json_t *obj)
{
    json_t *claims = jat(obj, "spec.volumeClaimTemplates");
    for (size_t i = 0; i < json_array_size(claims); i++) {
        json_t *claim = json_array_get(claims, i);
        if (!*jstr_or(claim, "kind", ""))
            jset_str(claim, "kind", "PersistentVolumeClaim");
        if (!*jstr_or(claim, "apiVersion", ""))
            jset_str(claim, "apiVersion", "v1");
    }
    jdel(obj, "spec.updateStrategy.rollingUpdate.maxUnavailable");
}

void statefulset_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status", json_pack("{si si}", "replicas", 0, "availableReplicas", 0));
}

void statefulset_prepare_update(struct op *op, json_t *obj, const json_t *old)
{
    (void)op;
    (void)old;
    (void)obj;
}

/* -- daemon sets: the generation of the template lives in an annotation, since there is no field for it any more -- */

static void put_template_generation(json_t *obj, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    jset_map(obj, "metadata.annotations", ANN_TEMPLATE_GENERATION, text);
}

void daemonset_prepare_create(struct op *op, json_t *obj)
{
    const char *given = jmap(obj, "metadata.annotations", ANN_TEMPLATE_GENERATION);
    (void)op;
    json_object_set_new(obj, "status",
                        json_pack("{si si si si}", "currentNumberScheduled", 0, "numberMisscheduled", 0,
                                  "desiredNumberScheduled", 0, "numberReady", 0));
    put_template_generation(obj, given && atoll(given) > 1 ? atoll(given) : 1);
}

void daemonset_prepare_update(struct op *op, json_t *obj, const json_t *old)
{
    const char *before = jmap(old, "metadata.annotations", ANN_TEMPLATE_GENERATION);
    int64_t n = before ? atoll(before) : 0;
    (void)op;
    if (!member_equal(json_object_get(obj, "spec"), json_object_get(old, "spec"), "template"))
        n++;
    put_template_generation(obj, n);
}

bool daemonset_bumps(const json_t *obj, const json_t *old)
{
    return !member_equal(obj, old, "spec");
}

/* -- jobs: the server makes the selector, unless told not to -- */

static void generate_selector(json_t *obj)
{
    const char *uid = jstr_or(obj, "metadata.uid", ""), *name = jstr_or(obj, "metadata.name", "");
    const char *const labels[][2] = {{"batch.kubernetes.io/controller-uid", uid},
                                     {"batch.kubernetes.io/job-name", name},
                                     {"controller-uid", uid},
                                     {"job-name", name}};
    json_t *own = json_object_get(json_object_get(obj, "metadata"), "labels");
    bool shared = json_object_size(own) == 0 || json_equal(own, jat(obj, "spec.template.metadata.labels"));
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        jset_map(obj, "spec.template.metadata.labels", labels[i][0], labels[i][1]);
    jset_map(obj, "spec.selector.matchLabels", labels[0][0], uid);
    if (shared) /* a job without labels has its pods' */
        jset(obj, "metadata.labels", json_deep_copy(jat(obj, "spec.template.metadata.labels")));
}

void job_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status", json_object());
    if (!jbool(obj, "spec.manualSelector", false))
        generate_selector(obj);
}

void job_prepare_update(struct op *op, json_t *obj, const json_t *old)
{
    json_t *spec = json_object_get(obj, "spec");
    (void)op;
    if (!spec)
        return;
    /* Where the client left out what the server made, it stays. */
    if (!jat(obj, "spec.selector"))
        member_copy(spec, json_object_get(old, "spec"), "selector");
}

void cronjob_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status", json_object());
}

void quota_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    json_object_set_new(obj, "status", json_object());
}

/* One without a name gets one nobody else has. */
void limitrange_prepare_create(struct op *op, json_t *obj)
{
    (void)op;
    if (!*meta_name(obj))
        json_object_set(meta_of(obj), "name", json_object_get(json_object_get(obj, "metadata"), "uid"));
}

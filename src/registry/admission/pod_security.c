/* pod_security.c - PodSecurity: what a namespace's labels demand of pods (pod-security.kubernetes.io/enforce, warn).
 *
 * A pod that breaks the enforced level is refused; one that breaks the level to warn of, or a workload whose template
 * does, is taken with a warning. There is no audit log. The version in a label is told, and the newest rules apply.
 * Source: k8s.io/pod-security-admission/admission. */
#include "registry/admission/pod_security_int.h"
#include "registry/admission_int.h"
#include "registry/meta_int.h"

#include "base/str.h"

#include <string.h>

#define LABEL "pod-security.kubernetes.io/"

/* The pod's spec within each kind. */
static const struct {
    const char *bucket, *path;
} kinds[] = {
    {"pods", "spec"},
    {"cronjobs.batch", "spec.jobTemplate.spec.template.spec"},
};

static const json_t *pod_spec_of(const struct op *op, const json_t *obj)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].bucket, op->res->bucket) == 0)
            return jat(obj, kinds[i].path);
    return jat(obj, "spec.template.spec");
}

static enum security_level level_of(const json_t *labels, const char *mode)
{
    _auto_free_ char *key = xasprintf(LABEL "%s", mode);
    const char *level = json_string_value(json_object_get(labels, key));
    return str_eq(level, "restricted") ? SECURITY_RESTRICTED
           : str_eq(level, "baseline") ? SECURITY_BASELINE
                                       : SECURITY_PRIVILEGED;
}

/* "violates PodSecurity \"baseline:latest\": …", NULL if it does not. Returns new. */
static char *violation(const json_t *labels, const char *mode, const json_t *spec)
{
    const enum security_level level = level_of(labels, mode);
    _auto_free_ char *faults = level == SECURITY_PRIVILEGED ? NULL : security_faults(level, spec);
    if (!faults)
        return NULL;
    _auto_free_ char *key = xasprintf(LABEL "%s-version", mode);
    const char *version = json_string_value(json_object_get(labels, key));
    return xasprintf("%s PodSecurity \"%s:%s\": %s", strcmp(mode, "enforce") == 0 ? "violates" : "would violate",
                     level == SECURITY_BASELINE ? "baseline" : "restricted", str_empty(version) ? "latest" : version,
                     faults);
}

int admit_pod_security(struct op *op, struct admit *a)
{
    _auto_sobj_ struct sobj *ns = store_get(op->r->store, RES.namespaces->bucket, "", op->t->ns);
    const json_t *labels = ns ? jat(ns->tree, "metadata.labels") : NULL;
    const json_t *spec = pod_spec_of(op, a->obj);
    if (!labels || !spec)
        return 0;
    _auto_free_ char *fault = op->res == RES.pods ? violation(labels, "enforce", spec) : NULL;
    if (fault)
        return op_fail(op, status_forbidden(op->res, meta_name(a->obj), fault));
    _auto_free_ char *warning = op->ctx->warnings ? violation(labels, "warn", spec) : NULL;
    if (warning)
        strlist_add(op->ctx->warnings, warning);
    return 0;
}

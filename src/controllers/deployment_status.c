/* deployment_status.c - what a Deployment says about itself: counts, Available, Progressing, ReplicaFailure.
 *
 * DESIGN: the status is computed whole from the sets and compared with the stored one; equal means no write.
 * Progressing is a small story told by its reason: NewReplicaSetCreated, ReplicaSetUpdated …, NewReplicaSetAvailable at
 * the end, or ProgressDeadlineExceeded when nothing moved for spec.progressDeadlineSeconds (a timer brings that round).
 * Source: pkg/controller/deployment/progress.go. */
#include "controllers/deployment_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

/* -- conditions -- */

json_t *condition_new(const char *type, bool truth, const char *reason, const char *now, const char *fmt, ...)
{
    char message[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "status", truth ? "True" : "False",
                     "lastUpdateTime", now, "lastTransitionTime", now, "reason", reason, "message", message);
}

static void condition_drop(json_t *obj, const char *type)
{
    json_t *conds = jat(obj, "status.conditions");
    for (size_t i = json_array_size(conds); i-- > 0;)
        if (str_eq(jstr(json_array_get(conds, i), "type"), type))
            json_array_remove(conds, i);
}

void condition_put(json_t *obj, json_t *take_cond)
{
    const char *type = jstr(take_cond, "type");
    const json_t *old = condition_get(obj, type);
    bool same_status = old && str_eq(jstr(old, "status"), jstr(take_cond, "status"));
    if (same_status && str_eq(jstr(old, "reason"), jstr(take_cond, "reason"))) {
        json_decref(take_cond);
        return;
    }
    if (same_status)
        jset_str(take_cond, "lastTransitionTime", jstr_or(old, "lastTransitionTime", ""));
    condition_drop(obj, type);
    json_array_append_new(jmake_arr(obj, "status.conditions"), take_cond);
}

int put_deployment_status(struct rollout *r, json_t *take_next, struct err *e)
{
    struct sobj *written = NULL;
    if (reg_write(loop_registry(r->l), WHO, RES.deployments, "status", take_next, &written, e) < 0)
        return -1;
    sobj_unref(r->obj);
    r->obj = written;
    r->d = written->tree;
    return 0;
}

/* -- counts -- */

static int64_t sum(const struct rollout *r, const char *field)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->sets.len; i++)
        n += jint(r->sets.trees[i], field, 0);
    return n;
}

/* A copy of the Deployment with its counts and Available condition brought up to date. */
static json_t *counted(struct rollout *r)
{
    json_t *next = json_deep_copy(r->d);
    json_t *status = jmake_obj(next, "status");
    int64_t available = sum(r, "status.availableReplicas");
    int64_t missing = sets_size(r) - available;
    jset_int(status, "observedGeneration", jint(r->d, "metadata.generation", 0));
    put_count(status, "replicas", sum(r, "status.replicas"));
    put_count(status, "updatedReplicas", jint(new_set(r), "status.replicas", 0));
    put_count(status, "readyReplicas", sum(r, "status.readyReplicas"));
    put_count(status, "availableReplicas", available);
    put_count(status, "unavailableReplicas", missing > 0 ? missing : 0);
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(r->l), now);
    bool enough = available >= r->replicas - r->unavailable;
    condition_put(next, condition_new("Available", enough,
                                      enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable", now, "%s",
                                      enough ? "Deployment has minimum availability."
                                             : "Deployment does not have minimum availability."));
    return next;
}

bool rollout_complete(const struct rollout *r, const json_t *status)
{
    return jint(status, "updatedReplicas", 0) == r->replicas && jint(status, "replicas", 0) == r->replicas &&
           jint(status, "availableReplicas", 0) == r->replicas &&
           jint(status, "observedGeneration", 0) >= jint(r->d, "metadata.generation", 0);
}

static bool progressing(const json_t *before, const json_t *after)
{
    int64_t old_before = jint(before, "replicas", 0) - jint(before, "updatedReplicas", 0);
    int64_t old_after = jint(after, "replicas", 0) - jint(after, "updatedReplicas", 0);
    return jint(after, "updatedReplicas", 0) > jint(before, "updatedReplicas", 0) || old_after < old_before ||
           jint(after, "readyReplicas", 0) > jint(before, "readyReplicas", 0) ||
           jint(after, "availableReplicas", 0) > jint(before, "availableReplicas", 0);
}

/* Nanoseconds until the deadline passes, at most 0 if it has; -1 in *out_none when there is none to wait for. */
static int64_t until_deadline(const struct rollout *r, const json_t *next, bool *out_none)
{
    const json_t *cond = condition_get(next, "Progressing");
    const char *reason = jstr_or(cond, "reason", "");
    int64_t from = 0;
    *out_none = !cond || !jat(r->d, "spec.progressDeadlineSeconds") || str_eq(reason, "NewReplicaSetAvailable") ||
                str_eq(reason, "ProgressDeadlineExceeded") ||
                time_parse(jstr_or(cond, "lastUpdateTime", ""), &from) < 0;
    return from + jint(r->d, "spec.progressDeadlineSeconds", 600) * INT64_C(1000000000) -
           clock_wall_ns(loop_clock(r->l));
}

static void name_set(const struct rollout *r, char *out, size_t size)
{
    if (new_set(r))
        snprintf(out, size, "ReplicaSet \"%s\"", obj_name(new_set(r)));
    else
        snprintf(out, size, "Deployment \"%s\"", obj_name(r->d));
}

static void put_progressing(struct rollout *r, json_t *next)
{
    char now[TIME_TEXT_LEN], what[300];
    now_text(loop_clock(r->l), now);
    name_set(r, what, sizeof what);
    const json_t *status = jat(next, "status");
    bool none;
    if (rollout_complete(r, status)) {
        condition_put(next, condition_new("Progressing", true, "NewReplicaSetAvailable", now,
                                          "%s has successfully progressed.", what));
    } else if (progressing(jat(r->d, "status"), status)) {
        json_t *cond = condition_new("Progressing", true, "ReplicaSetUpdated", now, "%s is progressing.", what);
        const json_t *old = condition_get(next, "Progressing");
        if (str_eq(jstr(old, "status"), "True"))
            jset_str(cond, "lastTransitionTime", jstr_or(old, "lastTransitionTime", now));
        condition_drop(next, "Progressing"); /* so that lastUpdateTime moves with every step */
        condition_put(next, cond);
    } else if (until_deadline(r, next, &none) < 0 && !none) {
        condition_put(next, condition_new("Progressing", false, "ProgressDeadlineExceeded", now,
                                          "%s has timed out progressing.", what));
    }
}

/* A set that cannot make its pods shows through as the Deployment's own condition; the new set's counts first. */
static void put_failure(struct rollout *r, json_t *next)
{
    const json_t *failure = NULL;
    for (size_t i = 0; i < r->sets.len; i++) {
        const json_t *cond = condition_get(r->sets.trees[i], "ReplicaFailure");
        if (cond && (!failure || is_new(r, i)))
            failure = cond;
    }
    if (!failure) {
        condition_drop(next, "ReplicaFailure");
        return;
    }
    json_t *cond = json_deep_copy(failure);
    jset_str(cond, "lastUpdateTime", jstr_or(failure, "lastTransitionTime", ""));
    condition_put(next, cond);
}

static int put_if_changed(struct rollout *r, json_t *take_next, struct err *e)
{
    if (!json_equal(jat(r->d, "status"), jat(take_next, "status")))
        return put_deployment_status(r, take_next, e);
    json_decref(take_next);
    return 0;
}

int sync_rollout_status(struct rollout *r, struct err *e)
{
    json_t *next = counted(r);
    bool deadline = jat(r->d, "spec.progressDeadlineSeconds") != NULL;
    if (!deadline)
        condition_drop(next, "Progressing");
    bool done = jint(next, "status.replicas", 0) == jint(next, "status.updatedReplicas", 0) &&
                str_eq(jstr(condition_get(r->d, "Progressing"), "reason"), "NewReplicaSetAvailable");
    if (deadline && !done)
        put_progressing(r, next);
    put_failure(r, next);
    bool none;
    int64_t wait = until_deadline(r, next, &none);
    if (!none)
        loop_enqueue_after(r->l, obj_ns(r->d), obj_name(r->d), wait < 0 ? 1000 : wait / 1000000 + 1000);
    return put_if_changed(r, next, e);
}

int sync_status(struct rollout *r, struct err *e)
{
    return put_if_changed(r, counted(r), e);
}

int sync_paused_condition(struct rollout *r, struct err *e)
{
    const json_t *cond = condition_get(r->d, "Progressing");
    const char *reason = jstr_or(cond, "reason", "");
    bool paused = jbool(r->d, "spec.paused", false);
    bool said = str_eq(reason, "DeploymentPaused");
    if (!jat(r->d, "spec.progressDeadlineSeconds") || str_eq(reason, "ProgressDeadlineExceeded") || paused == said)
        return 0;
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(r->l), now);
    json_t *next = json_deep_copy(r->d);
    json_t *note = condition_new("Progressing", false, paused ? "DeploymentPaused" : "DeploymentResumed", now, "%s",
                                 paused ? "Deployment is paused" : "Deployment is resumed");
    jset_str(note, "status", "Unknown");
    condition_put(next, note);
    return put_deployment_status(r, next, e);
}

/* job_pods.c - the pods of a Job: how many should run, which index each works on, and how long after a failure the next
 * one waits.
 *
 * Pods that are deleted because they are too many lose their finalizer first: they are not failures. */
#include "controllers/job_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

enum { BACKOFF_S = 10, BACKOFF_MAX_S = 600, BURST = 500 };

int64_t job_pod_index(const json_t *pod)
{
    uint64_t n;
    const char *text = jmap(pod, "metadata.annotations", ANN_INDEX);
    return text && str_to_u64(text, &n) && n < MAX_COMPLETIONS ? (int64_t)n : -1;
}

bool job_pod_tracked(const json_t *pod)
{
    return finalizer_has(pod, JOB_FINALIZER);
}

static int edit_untrack(json_t *pod, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    return finalizer_remove(pod, JOB_FINALIZER) ? 1 : 0;
}

int job_pod_untrack(struct job_round *r, const json_t *pod, struct err *e)
{
    if (reg_modify(loop_registry(r->l), WHO, RES.pods, obj_ns(pod), obj_name(pod), "", edit_untrack, NULL, e) >= 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

/* -- too many -- */

static int remove_pods(struct job_round *r, int64_t surplus, bool counted, struct err *e)
{
    _auto_objlist_ struct objlist running = {0};
    for (size_t i = 0; i < r->pods.len; i++)
        if (pod_active(r->pods.trees[i]))
            objlist_add(&running, r->pods.items[i]);
    pods_rank_for_deletion(&running);
    for (size_t i = 0; i < running.len && surplus > 0; i++, surplus--) {
        const json_t *pod = running.trees[i];
        if ((!counted && job_pod_untrack(r, pod, e) < 0) || pod_remove(r->l, r->job, pod, e) < 0)
            return -1;
        r->active--;
        r->terminating++;
        r->ready -= pod_ready(pod);
    }
    return 0;
}

/* What still ran when the job failed has failed with it. */
int job_pods_stop(struct job_round *r, struct err *e)
{
    bool failed = str_eq(r->end, "FailureTarget");
    size_t room = r->pods.len + 1;
    for (size_t i = 0; failed && i < r->pods.len; i++) {
        const json_t *pod = r->pods.trees[i];
        if (!pod_active(pod) || !job_pod_tracked(pod))
            continue;
        if (!r->bad.pods)
            r->bad.pods = xcalloc(room, sizeof *r->bad.pods);
        r->bad.pods[r->bad.len++] = pod;
        r->failed++;
    }
    return remove_pods(r, r->active, failed, e);
}

/* -- after a failure -- */

/* When a pod came to its end: its last container's, or its deletion. */
static int64_t end_of(const json_t *pod, int64_t dflt)
{
    int64_t latest = 0, at;
    const json_t *statuses = jat(pod, "status.containerStatuses");
    for (size_t i = 0; i < json_array_size(statuses); i++) {
        const char *text = jstr(json_array_get(statuses, i), "state.terminated.finishedAt");
        if (text && time_parse(text, &at) == 0 && at > latest)
            latest = at;
    }
    const char *deleted = jstr(pod, "metadata.deletionTimestamp");
    if (latest == 0 && deleted && time_parse(deleted, &at) == 0)
        latest = at;
    return latest ? latest : dflt;
}

/* Nanoseconds until the next pod (of that index, unless -1) may be made. */
static int64_t wait_left(const struct job_round *r, int64_t index)
{
    int64_t success = 0, last = 0, failures = 0, wait = BACKOFF_S;
    for (size_t i = 0; i < r->pods.len; i++) {
        const json_t *pod = r->pods.trees[i];
        int64_t at = end_of(pod, r->now_ns);
        if (str_eq(jstr(pod, "status.phase"), "Succeeded") && at > success)
            success = at;
    }
    for (size_t i = 0; i < r->pods.len; i++) {
        const json_t *pod = r->pods.trees[i];
        int64_t at = end_of(pod, r->now_ns);
        if (!str_eq(jstr(pod, "status.phase"), "Failed") || (index < 0 && at <= success) ||
            (index >= 0 && job_pod_index(pod) != index))
            continue;
        failures++;
        last = at > last ? at : last;
    }
    if (failures == 0)
        return 0;
    for (int64_t i = 1; i < failures && wait < BACKOFF_MAX_S; i++)
        wait *= 2;
    return last + (wait > BACKOFF_MAX_S ? BACKOFF_MAX_S : wait) * 1000000000 - r->now_ns;
}

/* A failed index waits on its own; the key is woken when it may go on. */
static bool waits(const struct job_round *r, int64_t index)
{
    int64_t wait = wait_left(r, index);
    if (wait > 0)
        loop_enqueue_after(r->l, obj_ns(r->job), obj_name(r->job), (wait + 999999) / 1000000);
    return wait > 0;
}

/* -- too few -- */

static void put_index(json_t *pod, const json_t *job, int64_t index)
{
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)index);
    jset_map(pod, "metadata.annotations", ANN_INDEX, text);
    jset_map(pod, "metadata.labels", ANN_INDEX, text);
    jset(pod, "metadata.generateName", json_sprintf("%s-%s-", obj_name(job), text));
    jset(pod, "spec.hostname", json_sprintf("%s-%s", obj_name(job), text));
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        size_t i;
        json_t *container;
        json_array_foreach(jat(pod, lists[k]), i, container)
        {
            json_array_append_new(jmake_arr(container, "env"),
                                  json_pack("{ss s{s{ss}}}", "name", "JOB_COMPLETION_INDEX", "valueFrom", "fieldRef",
                                            "fieldPath", "metadata.labels['" ANN_INDEX "']"));
        }
    }
}

static int make_pod(struct job_round *r, int64_t index, struct err *e)
{
    json_t *pod = pod_from_template(r->job, jat(r->job, "spec.template"));
    jarr_add_unique(jmake_arr(pod, "metadata.finalizers"), JOB_FINALIZER);
    if (index >= 0)
        put_index(pod, r->job, index);
    if (job_per_index(r->job)) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)job_index_failures(r, index));
        jset_map(pod, "metadata.annotations", ANN_FAILURES, text);
    }
    if (pod_make_from(r->l, r->job, pod, e) < 0)
        return -1;
    r->active++;
    return 0;
}

/* The next index that nobody completed or works on. */
static int64_t next_index(const struct job_round *r, int64_t from)
{
    for (int64_t index = from; index < r->indexes; index++) {
        bool taken = r->done[index] || r->lost[index] || (job_per_index(r->job) && waits(r, index));
        for (size_t i = 0; i < r->pods.len && !taken; i++)
            taken = pod_active(r->pods.trees[i]) && job_pod_index(r->pods.trees[i]) == index;
        if (!taken)
            return index;
    }
    return -1;
}

static int make_pods(struct job_round *r, int64_t missing, struct err *e)
{
    int64_t index = -1;
    missing = missing > BURST ? BURST : missing;
    for (int64_t batch = 1; missing > 0; batch *= 2) { /* a template that is refused costs few refusals */
        for (int64_t i = 0; i < batch && missing > 0; i++, missing--) {
            if (job_indexed(r->job) && (index = next_index(r, index + 1)) < 0)
                return 0;
            if (make_pod(r, index, e) < 0)
                return -1;
        }
    }
    return 0;
}

/* -- as many as should -- */

static int64_t wanted(const struct job_round *r)
{
    int64_t parallel = jint(r->job, "spec.parallelism", 1);
    if (jbool(r->job, "spec.suspend", false))
        return 0;
    if (!jat(r->job, "spec.completions"))
        return r->succeeded > 0 ? (r->active < parallel ? r->active : parallel) : parallel;
    int64_t left = jint(r->job, "spec.completions", 1) - r->succeeded - job_lost_count(r);
    left = left < 0 ? 0 : left;
    return left < parallel ? left : parallel;
}

int job_pods_manage(struct job_round *r, struct err *e)
{
    int64_t want = wanted(r), missing = want - r->active;
    if (missing < 0)
        return remove_pods(r, -missing, false, e);
    if (str_eq(jstr(r->job, "spec.podReplacementPolicy"), "Failed"))
        missing -= r->terminating;
    if (missing <= 0)
        return 0;
    int64_t wait = job_per_index(r->job) ? 0 : wait_left(r, -1);
    if (wait > 0) {
        loop_enqueue_after(r->l, obj_ns(r->job), obj_name(r->job), (wait + 999999) / 1000000);
        return 0;
    }
    return make_pods(r, missing, e);
}

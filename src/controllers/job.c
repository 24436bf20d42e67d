/* job.c - runs pods until enough of them have succeeded.
 *
 * DESIGN: a pod of a job carries a finalizer until it is counted, so that none can vanish uncounted. A round counts
 * what the listed pods came to, decides whether the job is over (enough successes, too many failures, out of time),
 * makes or deletes pods, and writes the status in two steps: first with the new ends listed as uncounted, then, once
 * their finalizers are gone, with the sums. A crash between the two counts nothing twice.
 *
 *     running ──► SuccessCriteriaMet ──► Complete      suspended ◄──► running
 *             └─► FailureTarget ──► (pods end) ──► Failed
 *
 * Pods that failed are replaced after 10 s, 20 s, 40 s, … up to ten minutes. Source:
 * pkg/controller/job/job_controller.go. */
#include "controllers/job_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

bool job_indexed(const json_t *job)
{
    return str_eq(jstr(job, "spec.completionMode"), "Indexed");
}

const char *job_finished(const json_t *job)
{
    return condition_true(job, "Complete") ? "Complete" : condition_true(job, "Failed") ? "Failed" : NULL;
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    if (ev->prev)
        enqueue_controller(l, ev->prev->tree, "Job");
    enqueue_controller(l, ev->obj->tree, "Job");
}

/* -- counting -- */

static bool only_failed_are_replaced(const json_t *job)
{
    return str_eq(jstr(job, "spec.podReplacementPolicy"), "Failed");
}

static bool listed(const json_t *job, const char *list, const char *uid)
{
    return jarr_has(jat(job, "status.uncountedTerminatedPods"), list, uid);
}

static void ended_add(struct ended *e, const json_t *pod, size_t room)
{
    if (!e->pods)
        e->pods = xcalloc(room + 1, sizeof *e->pods);
    e->pods[e->len++] = pod;
}

static void note_success(struct job_round *r, const json_t *pod)
{
    int64_t index = job_pod_index(pod);
    bool fresh = !listed(r->job, "succeeded", obj_uid(pod));
    if (!job_indexed(r->job)) {
        r->succeeded += fresh;
    } else if (index >= 0 && index < r->indexes && !r->done[index]) {
        r->done[index] = true;
        r->succeeded++;
    }
    if (fresh)
        ended_add(&r->good, pod, r->pods.len);
}

static void note_failure(struct job_round *r, const json_t *pod)
{
    if (listed(r->job, "failed", obj_uid(pod)))
        return;
    const char *action = job_failure_action(r, pod);
    if (str_eq(action, "Ignore")) {
        ended_add(&r->ignored, pod, r->pods.len);
        return;
    }
    r->failed++;
    job_index_failed(r, pod, action);
    ended_add(&r->bad, pod, r->pods.len);
}

static void count_pod(struct job_round *r, const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    bool deleted = jstr(pod, "metadata.deletionTimestamp") != NULL;
    bool ended = pod_terminal(pod) || (deleted && !only_failed_are_replaced(r->job));
    if (!pod_terminal(pod)) {
        r->active += !deleted;
        r->terminating += deleted;
        r->ready += !deleted && pod_ready(pod);
    }
    if (!ended || !job_pod_tracked(pod))
        return;
    if (str_eq(phase, "Succeeded"))
        note_success(r, pod);
    else
        note_failure(r, pod);
}

static void count(struct job_round *r)
{
    const json_t *status = jat(r->job, "status");
    r->succeeded = jint(status, "succeeded", 0);
    r->failed = jint(status, "failed", 0) + (int64_t)json_array_size(jat(status, "uncountedTerminatedPods.failed"));
    if (job_indexed(r->job)) {
        r->indexes = jint(r->job, "spec.completions", 0);
        r->indexes = r->indexes > MAX_COMPLETIONS ? MAX_COMPLETIONS : r->indexes;
        r->done = xcalloc((size_t)r->indexes + 1, sizeof *r->done);
        r->lost = xcalloc((size_t)r->indexes + 1, sizeof *r->lost);
        job_indexes_parse(jstr_or(status, "completedIndexes", ""), r->done, r->indexes);
        job_indexes_parse(jstr_or(status, "failedIndexes", ""), r->lost, r->indexes);
        r->succeeded = 0;
        for (int64_t i = 0; i < r->indexes; i++)
            r->succeeded += r->done[i];
    } else {
        r->succeeded += (int64_t)json_array_size(jat(status, "uncountedTerminatedPods.succeeded"));
    }
    for (size_t i = 0; i < r->pods.len; i++)
        count_pod(r, r->pods.trees[i]);
}

/* -- is it over? -- */

static void decide(struct job_round *r, const char *end, const char *reason, const char *message)
{
    r->end = end;
    r->reason = reason;
    snprintf(r->message, sizeof r->message, "%s", message);
}

static bool out_of_time(struct job_round *r)
{
    int64_t start, left;
    const char *text = jstr(r->job, "status.startTime");
    if (!jat(r->job, "spec.activeDeadlineSeconds") || !text || jbool(r->job, "spec.suspend", false) ||
        time_parse(text, &start) < 0)
        return false;
    left = jint(r->job, "spec.activeDeadlineSeconds", 0) - (r->now_ns - start) / 1000000000;
    if (left > 0)
        loop_enqueue_after(r->l, obj_ns(r->job), obj_name(r->job), (left < INT32_MAX ? left : INT32_MAX) * 1000);
    return left <= 0;
}

/* With OnFailure the pods stay and their containers are restarted instead. */
static bool restarted_too_often(const struct job_round *r)
{
    int64_t restarts = 0, limit = jint(r->job, "spec.backoffLimit", 6);
    if (!str_eq(jstr(r->job, "spec.template.spec.restartPolicy"), "OnFailure"))
        return false;
    for (size_t i = 0; i < r->pods.len; i++) {
        static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
        if (pod_terminal(r->pods.trees[i]))
            continue;
        for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
            const json_t *statuses = jat(r->pods.trees[i], lists[k]);
            for (size_t c = 0; c < json_array_size(statuses); c++)
                restarts += jint(json_array_get(statuses, c), "restartCount", 0);
        }
    }
    return limit == 0 ? restarts > 0 : restarts >= limit;
}

static bool enough(const struct job_round *r)
{
    if (jat(r->job, "spec.completions"))
        return r->succeeded >= jint(r->job, "spec.completions", 1);
    return r->succeeded > 0 && r->active == 0;
}

/* With a limit per index the job goes on until every index is done or given up. */
static bool judge_indexes(struct job_round *r)
{
    int64_t lost = job_per_index(r->job) ? job_lost_count(r) : 0;
    const json_t *most = jat(r->job, "spec.maxFailedIndexes");
    if (most && lost > json_integer_value(most))
        decide(r, "FailureTarget", "MaxFailedIndexesExceeded",
               "Job has exceeded the specified maximal number of failed indexes");
    else if (lost > 0 && r->succeeded + lost >= r->indexes)
        decide(r, "FailureTarget", "FailedIndexes", "Job has failed indexes");
    return r->end != NULL;
}

static bool judge_success_policy(struct job_round *r)
{
    char text[64];
    int rule = job_success_rule(r);
    if (rule < 0)
        return false;
    snprintf(text, sizeof text, "Matched rules at index %d", rule);
    decide(r, "SuccessCriteriaMet", "SuccessPolicy", text);
    return true;
}

/* What an earlier round has decided stands. */
static bool judged_before(struct job_round *r)
{
    static const char *const ends[] = {"FailureTarget", "SuccessCriteriaMet"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        const json_t *cond = condition_get(r->job, ends[i]);
        if (!condition_true(r->job, ends[i]))
            continue;
        decide(r, ends[i], jstr_or(cond, "reason", ""), jstr_or(cond, "message", ""));
        return true;
    }
    return false;
}

static void judge(struct job_round *r)
{
    if (judged_before(r))
        return;
    if (*r->fail_job)
        decide(r, "FailureTarget", "PodFailurePolicy", r->fail_job);
    else if (r->failed > jint(r->job, "spec.backoffLimit", 6) || restarted_too_often(r))
        decide(r, "FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    else if (out_of_time(r))
        decide(r, "FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline");
    else if (judge_indexes(r) || judge_success_policy(r))
        return;
    else if (enough(r))
        decide(r, "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods");
}

/* -- one round -- */

static int run(struct job_round *r, struct err *e)
{
    count(r);
    judge(r);
    struct err why = ERR_INIT;
    int rc = 0;
    if (r->end)
        rc = job_pods_stop(r, &why);
    else if (!jstr(r->job, "metadata.deletionTimestamp"))
        rc = job_pods_manage(r, &why);
    if (job_status_write(r, e) < 0)
        return -1;
    if (rc < 0)
        *e = why;
    return rc;
}

/* The job is over, or gone: nobody waits for its pods' counting any more. */
static int release_pods(struct loop *l, const char *ns, const char *name, const json_t *job, struct err *e)
{
    struct job_round r = {.l = l};
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, loop_registry(l), RES.pods->bucket, ns);
    for (size_t i = 0; i < pods.len; i++) {
        const json_t *pod = pods.trees[i], *ref = controller_of(pod);
        if (!ref || !str_eq(jstr(ref, "kind"), "Job") || !str_eq(jstr(ref, "name"), name) || !job_pod_tracked(pod))
            continue;
        bool mine = job && controlled_by(pod, job);
        if (mine && !job_finished(job))
            continue;
        if (job_pod_untrack(&r, pod, e) < 0)
            return -1;
    }
    return 0;
}

static void round_release(struct job_round *r)
{
    objlist_release(&r->pods);
    free(r->good.pods);
    free(r->bad.pods);
    free(r->ignored.pods);
    free(r->done);
    free(r->lost);
    sobj_unref(r->obj);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    struct job_round r = {.l = l, .now_ns = clock_wall_ns(loop_clock(l))};
    r.obj = reg_read(loop_registry(l), RES.jobs, ns, name);
    r.job = r.obj ? r.obj->tree : NULL;
    now_text(loop_clock(l), r.now);
    int rc = release_pods(l, ns, name, r.job, e);
    if (rc == 0 && r.job && !job_finished(r.job) && !jstr(r.job, "spec.managedBy")) {
        objlist_load(&r.pods, loop_registry(l), RES.pods->bucket, ns);
        rc = claim_objects(l, r.job, RES.pods, &r.pods, e);
        if (rc == 0)
            rc = run(&r, e);
    }
    round_release(&r);
    return rc;
}

static const struct loop_watch watches[] = {{"jobs.batch", NULL}, {"pods", map_pod}, {NULL, NULL}};

const struct loop_def job_loop = {
    .name = "job",
    .component = "job-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

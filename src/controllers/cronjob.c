/* cronjob.c - makes a Job each time a schedule says so.
 *
 * DESIGN: a round first looks at the jobs made before (which have ended, which are too old to keep), then for the
 * latest due time that has no job yet. The job's name comes from that time, so a round that is cut off makes no second
 * one. Then the key sleeps until the next due time. Source: pkg/controller/cronjob/cronjob_controllerv2.go. */
#include "controllers/job_int.h"

#include "api/cron.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MANY_MISSED = 100 };
#define SECOND_NS INT64_C(1000000000)
#define ANN_TIME  "batch.kubernetes.io/cronjob-scheduled-timestamp"

struct cron_round {
    struct loop *l;
    const json_t *cj;
    struct objlist jobs; /* its own */
    json_t *next;        /* the cron job with its new status; owned */
    int64_t now;         /* seconds */
};

static void map_job(struct loop *l, const struct watch_event *ev)
{
    enqueue_controller(l, ev->obj->tree, "CronJob");
}

static int64_t seconds_of(const char *text, int64_t dflt)
{
    int64_t ns;
    return text && time_parse(text, &ns) == 0 ? ns / SECOND_NS : dflt;
}

/* -- the jobs made before -- */

/* Where the job stands in status.active, or -1. */
static int active_find(const json_t *list, const char *uid)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(jstr(json_array_get(list, i), "uid"), uid))
            return (int)i;
    return -1;
}

static bool active_remove(json_t *list, const char *uid)
{
    int at = active_find(list, uid);
    return at >= 0 && json_array_remove(list, (size_t)at) == 0;
}

static const json_t *job_of_uid(const struct cron_round *r, const char *uid)
{
    for (size_t i = 0; i < r->jobs.len; i++)
        if (str_eq(obj_uid(r->jobs.trees[i]), uid))
            return r->jobs.trees[i];
    return NULL;
}

static void note_finished(struct cron_round *r)
{
    json_t *list = jat(r->next, "status.active");
    for (size_t i = 0; i < r->jobs.len; i++) {
        const json_t *job = r->jobs.trees[i];
        const char *end = job_finished(job), *done = jstr(job, "status.completionTime");
        if (!end && active_find(list, obj_uid(job)) < 0)
            loop_event(r->l, r->cj, EVENT_WARNING, "UnexpectedJob",
                       "Saw a job that the controller did not create or forgot: %s", obj_name(job));
        if (!end || !active_remove(list, obj_uid(job)))
            continue;
        loop_event(r->l, r->cj, EVENT_NORMAL, "SawCompletedJob", "Saw completed job: %s, condition: %s", obj_name(job),
                   end);
        if (done && str_eq(end, "Complete") &&
            seconds_of(done, 0) > seconds_of(jstr(r->next, "status.lastSuccessfulTime"), 0))
            jset_str(r->next, "status.lastSuccessfulTime", done);
    }
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *ref = json_array_get(list, i);
        if (job_of_uid(r, jstr_or(ref, "uid", "")))
            continue;
        loop_event(r->l, r->cj, EVENT_WARNING, "MissingJob", "Active job went missing: %s", jstr_or(ref, "name", ""));
        json_array_remove(list, i);
    }
    if (list && json_array_size(list) == 0)
        jdel(r->next, "status.active");
}

static int remove_job(struct cron_round *r, const json_t *job, struct err *e)
{
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.propagation = "Background";
    opts.uid = obj_uid(job);
    if (reg_remove(loop_registry(r->l), WHO, RES.jobs, obj_ns(job), obj_name(job), &opts, e) < 0) {
        if (e->code != ERR_NOT_FOUND) {
            loop_event(r->l, r->cj, EVENT_WARNING, "FailedDelete", "Deleted job: %s", e->msg);
            return -1;
        }
        err_clear(e);
    }
    active_remove(jat(r->next, "status.active"), obj_uid(job));
    loop_event(r->l, r->cj, EVENT_NORMAL, "SuccessfulDelete", "Deleted job %s", obj_name(job));
    return 0;
}

/* The oldest finished jobs beyond the limit go. */
static int drop_history(struct cron_round *r, const char *end, const char *limit, struct err *e)
{
    const json_t *keep = json_object_get(jat(r->cj, "spec"), limit);
    int64_t surplus = keep ? -json_integer_value(keep) : INT64_MIN / 2;
    for (size_t i = 0; i < r->jobs.len; i++)
        surplus += str_eq(job_finished(r->jobs.trees[i]), end) && !jstr(r->jobs.trees[i], "metadata.deletionTimestamp");
    for (; surplus > 0; surplus--) {
        const json_t *oldest = NULL;
        for (size_t i = 0; i < r->jobs.len; i++) {
            const json_t *job = r->jobs.trees[i];
            if (!str_eq(job_finished(job), end) || jstr(job, "metadata.deletionTimestamp"))
                continue;
            _auto_sobj_ struct sobj *there = reg_read(loop_registry(r->l), RES.jobs, obj_ns(job), obj_name(job));
            if (there &&
                (!oldest || strcmp(jstr_or(job, "status.startTime", ""), jstr_or(oldest, "status.startTime", "")) < 0))
                oldest = job;
        }
        if (!oldest)
            return 0;
        if (remove_job(r, oldest, e) < 0)
            return -1;
    }
    return 0;
}

/* -- the schedule -- */

/* The latest due time that is not served, or 0; wakes the key for the one after. */
static int64_t due_time(struct cron_round *r, const struct cron *schedule)
{
    const char *zone = jstr_or(r->cj, "spec.timeZone", "");
    int64_t from = seconds_of(jstr(r->cj, "status.lastScheduleTime"),
                              seconds_of(jstr(r->cj, "metadata.creationTimestamp"), r->now));
    const json_t *deadline = jat(r->cj, "spec.startingDeadlineSeconds");
    if (deadline && r->now - json_integer_value(deadline) > from)
        from = r->now - json_integer_value(deadline);
    int64_t latest = 0, missed = 0, at;
    while ((at = cron_next(schedule, zone, from)) >= 0 && at <= r->now) {
        latest = from = at;
        if (++missed > MANY_MISSED * 10) /* long asleep: begin near now */
            from = at > r->now - 86400 ? at : r->now - 86400;
    }
    if (missed > MANY_MISSED)
        loop_event(r->l, r->cj, EVENT_WARNING, "TooManyMissedTimes",
                   "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
    if (at >= 0)
        loop_enqueue_after(r->l, obj_ns(r->cj), obj_name(r->cj), (at - r->now) * 1000);
    return latest;
}

static json_t *build_job(const struct cron_round *r, int64_t at, const char *name)
{
    char text[TIME_TEXT_LEN];
    const json_t *template_ = jat(r->cj, "spec.jobTemplate");
    json_t *job = json_pack("{ss ss s{ss ss s[o]}}", "kind", "Job", "apiVersion", "batch/v1", "metadata", "name", name,
                            "namespace", obj_ns(r->cj), "ownerReferences", controller_ref(r->cj));
    time_format(at * SECOND_NS, text);
    if (jat(template_, "metadata.labels"))
        jset(job, "metadata.labels", json_deep_copy(jat(template_, "metadata.labels")));
    if (jat(template_, "metadata.annotations"))
        jset(job, "metadata.annotations", json_deep_copy(jat(template_, "metadata.annotations")));
    jset_map(job, "metadata.annotations", ANN_TIME, text);
    jset(job, "spec", json_deep_copy(jat(template_, "spec")));
    return job;
}

static int start_job(struct cron_round *r, int64_t at, struct err *e)
{
    char text[TIME_TEXT_LEN];
    _auto_sobj_ struct sobj *made = NULL;
    _auto_free_ char *name = xasprintf("%s-%lld", obj_name(r->cj), (long long)(at / 60));
    if (reg_make(loop_registry(r->l), WHO, RES.jobs, obj_ns(r->cj), build_job(r, at, name), &made, e) < 0) {
        if (e->code != ERR_ALREADY_EXISTS) {
            loop_event(r->l, r->cj, EVENT_WARNING, "FailedCreate", "Error creating job: %s", e->msg);
            return -1;
        }
        err_clear(e);
        made = reg_read(loop_registry(r->l), RES.jobs, obj_ns(r->cj), name);
        if (!made || !controlled_by(made->tree, r->cj))
            return 0;
    } else {
        loop_event(r->l, r->cj, EVENT_NORMAL, "SuccessfulCreate", "Created job %s", name);
    }
    time_format(at * SECOND_NS, text);
    if (!job_finished(made->tree) && !job_of_uid(r, obj_uid(made->tree)))
        json_array_append_new(jmake_arr(r->next, "status.active"), object_reference(made->tree));
    jset_str(r->next, "status.lastScheduleTime", text);
    return 0;
}

static bool is_late(struct cron_round *r, int64_t at)
{
    const json_t *deadline = jat(r->cj, "spec.startingDeadlineSeconds");
    char text[64];
    struct tm t;
    time_t seconds = (time_t)at;
    if (!deadline || json_integer_value(deadline) >= r->now - at)
        return false;
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&seconds, &t));
    loop_event(r->l, r->cj, EVENT_WARNING, "MissSchedule", "Missed scheduled time to start a job: %s", text);
    return true;
}

static int serve(struct cron_round *r, struct err *e)
{
    struct cron schedule;
    struct err bad = ERR_INIT;
    const char *policy = jstr_or(r->cj, "spec.concurrencyPolicy", "Allow");
    if (cron_parse(jstr_or(r->cj, "spec.schedule", ""), &schedule, &bad) < 0) {
        loop_event(r->l, r->cj, EVENT_WARNING, "UnparseableSchedule", "unparseable schedule: %s : %s",
                   jstr_or(r->cj, "spec.schedule", ""), bad.msg);
        return 0;
    }
    int64_t at = due_time(r, &schedule);
    json_t *active = jat(r->next, "status.active");
    if (at == 0 || is_late(r, at))
        return 0;
    if (str_eq(policy, "Forbid") && json_array_size(active) > 0) {
        loop_event(r->l, r->cj, EVENT_NORMAL, "JobAlreadyActive",
                   "Not starting job because prior execution is running and concurrency policy is Forbid");
        return 0;
    }
    for (size_t i = 0; str_eq(policy, "Replace") && i < r->jobs.len; i++)
        if (!job_finished(r->jobs.trees[i]) && !jstr(r->jobs.trees[i], "metadata.deletionTimestamp") &&
            remove_job(r, r->jobs.trees[i], e) < 0)
            return -1;
    return start_job(r, at, e);
}

/* -- one round -- */

static void load_jobs(struct cron_round *r)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(r->l), RES.jobs->bucket, obj_ns(r->cj));
    for (size_t i = 0; i < all.len; i++)
        if (controlled_by(all.trees[i], r->cj))
            objlist_add(&r->jobs, all.items[i]);
}

static int run(struct cron_round *r, struct err *e)
{
    load_jobs(r);
    note_finished(r);
    if (drop_history(r, "Complete", "successfulJobsHistoryLimit", e) < 0 ||
        drop_history(r, "Failed", "failedJobsHistoryLimit", e) < 0)
        return -1;
    if (jstr(r->cj, "metadata.deletionTimestamp") || jbool(r->cj, "spec.suspend", false))
        return 0;
    return serve(r, e);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), RES.cronjobs, ns, name);
    if (!obj)
        return 0;
    struct cron_round r = {
        .l = l, .cj = obj->tree, .next = json_deep_copy(obj->tree), .now = clock_wall_ns(loop_clock(l)) / SECOND_NS};
    struct err why = ERR_INIT;
    int rc = run(&r, &why);
    objlist_release(&r.jobs);
    if (write_status(l, RES.cronjobs, obj->tree, r.next, e) < 0)
        return -1;
    if (rc < 0)
        *e = why;
    return rc;
}

static const struct loop_watch watches[] = {{"cronjobs.batch", NULL}, {"jobs.batch", map_job}, {NULL, NULL}};

const struct loop_def cronjob_loop = {
    .name = "cronjob",
    .component = "cronjob-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

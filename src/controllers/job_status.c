/* job_status.c - what a Job says of itself: counts, indexes, conditions, in two steps (see job.c). */
#include "controllers/job_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* -- indexes -- */

void job_indexes_parse(const char *text, bool *done, int64_t n)
{
    _auto_strlist_ struct strlist parts = {0};
    strlist_split(&parts, text, ',');
    for (size_t i = 0; i < parts.len; i++) {
        char *dash = NULL;
        if (*parts.items[i] == '\0')
            continue;
        int64_t first = strtoll(parts.items[i], &dash, 10), last = *dash == '-' ? strtoll(dash + 1, NULL, 10) : first;
        for (int64_t k = first < 0 ? 0 : first; k <= last && k < n; k++)
            done[k] = true;
    }
}

/* Three and more in a row are told as a range. */
char *job_indexes_text(const bool *done, int64_t n)
{
    _auto_buf_ struct buf b = BUF_INIT;
    for (int64_t i = 0; i < n; i++) {
        int64_t last = i;
        if (!done[i])
            continue;
        while (last + 1 < n && done[last + 1])
            last++;
        buf_addf(&b, "%s%lld", b.len ? "," : "", (long long)i);
        if (last > i)
            buf_addf(&b, "%c%lld", last == i + 1 ? ',' : '-', (long long)last);
        i = last;
    }
    return xstrdup(buf_str(&b));
}

/* -- conditions -- */

static void put_condition(struct job_round *r, json_t *status, const char *type, const char *truth, const char *reason,
                          const char *message)
{
    json_t *list = jmake_arr(status, "conditions");
    json_t *cond = json_pack("{ss ss ss ss ss ss}", "type", type, "status", truth, "lastProbeTime", r->now,
                             "lastTransitionTime", r->now, "reason", reason, "message", message);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *old = json_array_get(list, i);
        if (!str_eq(jstr(old, "type"), type))
            continue;
        if (str_eq(jstr(old, "status"), truth))
            json_decref(cond);
        else
            json_array_set_new(list, i, cond);
        return;
    }
    json_array_append_new(list, cond);
}

/* Suspended or not: says so, with an event, and starts the clock anew. */
static void put_suspension(struct job_round *r, json_t *status)
{
    bool suspend = jbool(r->job, "spec.suspend", false), suspended = condition_true(r->job, "Suspended");
    if (suspend && !suspended) {
        put_condition(r, status, "Suspended", "True", "JobSuspended", "Job suspended");
        loop_event(r->l, r->job, EVENT_NORMAL, "Suspended", "Job suspended");
    } else if (!suspend && suspended) {
        put_condition(r, status, "Suspended", "False", "JobResumed", "Job resumed");
        loop_event(r->l, r->job, EVENT_NORMAL, "Resumed", "Job resumed");
        jset_str(status, "startTime", r->now);
    }
    if (suspend)
        jdel(status, "startTime");
    else if (!jstr(status, "startTime"))
        jset_str(status, "startTime", r->now);
}

/* -- the two steps -- */

static int put(struct job_round *r, json_t *take_next, struct err *e)
{
    if (json_equal(jat(r->job, "status"), jat(take_next, "status"))) {
        json_decref(take_next);
        return 0;
    }
    struct sobj *written = NULL;
    if (reg_write(loop_registry(r->l), WHO, RES.jobs, "status", take_next, &written, e) < 0)
        return -1;
    sobj_unref(r->obj);
    r->obj = written;
    r->job = written->tree;
    return 0;
}

static void list_uids(json_t *status, const char *list, const struct ended *ended)
{
    for (size_t i = 0; i < ended->len; i++)
        jarr_add_unique(jmake_arr(jmake_obj(status, "uncountedTerminatedPods"), list), obj_uid(ended->pods[i]));
}

static json_t *json_take_text(char *take_text)
{
    json_t *text = json_string(take_text);
    free(take_text);
    return text;
}

static int write_uncounted(struct job_round *r, struct err *e)
{
    json_t *next = json_deep_copy(r->job), *status = jmake_obj(next, "status");
    put_suspension(r, status);
    put_count(status, "active", r->active);
    jset_int(status, "ready", r->ready);
    jset_int(status, "terminating", r->terminating);
    jmake_obj(status, "uncountedTerminatedPods");
    list_uids(status, "failed", &r->bad);
    if (job_indexed(r->job)) {
        _auto_free_ char *text = job_indexes_text(r->done, r->indexes);
        put_count(status, "succeeded", r->succeeded);
        if (*text)
            jset_str(status, "completedIndexes", text);
        else
            jdel(status, "completedIndexes");
    } else {
        list_uids(status, "succeeded", &r->good);
    }
    if (job_per_index(r->job))
        jset(status, "failedIndexes", json_take_text(job_indexes_text(r->lost, r->indexes)));
    if (r->end)
        put_condition(r, status, r->end, "True", r->reason, r->message);
    return put(r, next, e);
}

static int untrack(struct job_round *r, struct err *e)
{
    const struct ended *const ends[] = {&r->good, &r->bad, &r->ignored};
    for (size_t k = 0; k < ARRAY_LEN(ends); k++)
        for (size_t i = 0; i < ends[k]->len; i++)
            if (job_pod_untrack(r, ends[k]->pods[i], e) < 0)
                return -1;
    /* Of an earlier round that was cut off. */
    for (size_t i = 0; i < r->pods.len; i++) {
        const json_t *pod = r->pods.trees[i], *lists = jat(r->job, "status.uncountedTerminatedPods");
        bool counted = jarr_has(lists, "succeeded", obj_uid(pod)) || jarr_has(lists, "failed", obj_uid(pod));
        if (counted && job_pod_tracked(pod) && job_pod_untrack(r, pod, e) < 0)
            return -1;
    }
    return 0;
}

static void put_end(struct job_round *r, json_t *status)
{
    bool good = str_eq(r->end, "SuccessCriteriaMet");
    put_condition(r, status, good ? "Complete" : "Failed", "True", r->reason, r->message);
    if (good)
        jset_str(status, "completionTime", r->now);
}

static int write_counted(struct job_round *r, struct err *e)
{
    json_t *next = json_deep_copy(r->job), *status = jmake_obj(next, "status");
    bool over = r->end && r->terminating == 0 && r->active == 0;
    jset(status, "uncountedTerminatedPods", json_object());
    put_count(status, "succeeded", r->succeeded);
    put_count(status, "failed", r->failed);
    if (over)
        put_end(r, status);
    if (put(r, next, e) < 0)
        return -1;
    if (over && str_eq(r->end, "SuccessCriteriaMet"))
        loop_event(r->l, r->job, EVENT_NORMAL, "Completed", "Job completed");
    else if (over)
        loop_event(r->l, r->job, EVENT_WARNING, r->reason, "%s", r->message);
    return 0;
}

int job_status_write(struct job_round *r, struct err *e)
{
    if (write_uncounted(r, e) < 0 || untrack(r, e) < 0)
        return -1;
    return write_counted(r, e);
}

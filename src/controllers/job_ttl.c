/* job_ttl.c - finished jobs that should not stay: deleted, with their pods, ttlSecondsAfterFinished after their end.
 * Source: pkg/controller/ttlafterfinished. */
#include "controllers/job_int.h"

#include "base/json.h"
#include "base/str.h"

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *job = reg_read(loop_registry(l), RES.jobs, ns, name);
    const char *end = job ? job_finished(job->tree) : NULL;
    int64_t at;
    if (!end || !jat(job->tree, "spec.ttlSecondsAfterFinished") || jstr(job->tree, "metadata.deletionTimestamp") ||
        time_parse(jstr_or(condition_get(job->tree, end), "lastTransitionTime", ""), &at) < 0)
        return 0;
    int64_t due = at + jint(job->tree, "spec.ttlSecondsAfterFinished", 0) * 1000000000;
    int64_t left = due - clock_wall_ns(loop_clock(l));
    if (left > 0) {
        loop_enqueue_after(l, ns, name, (left + 999999) / 1000000);
        return 0;
    }
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.propagation = "Foreground";
    opts.uid = obj_uid(job->tree);
    if (reg_remove(loop_registry(l), WHO, RES.jobs, ns, name, &opts, e) == 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

static const struct loop_watch watches[] = {{"jobs.batch", NULL}, {NULL, NULL}};

const struct loop_def job_ttl_loop = {
    .name = "ttl-after-finished",
    .component = "ttl-after-finished-controller",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 30000,
};

/* job_int.h - one round over one Job, shared by the job_*.c files. */
#ifndef STOWAGE_CONTROLLERS_JOB_INT_H
#define STOWAGE_CONTROLLERS_JOB_INT_H

#include "controllers/controllers_int.h"

#define JOB_FINALIZER   "batch.kubernetes.io/job-tracking"
#define ANN_INDEX       "batch.kubernetes.io/job-completion-index"
#define ANN_FAILURES    "batch.kubernetes.io/job-index-failure-count"
#define MAX_COMPLETIONS 100000 /* of an Indexed job */

/* Pods that ended in this round and are not in the status yet. */
struct ended {
    const json_t **pods; /* borrowed from job_round.pods */
    size_t len;
};

struct job_round {
    struct loop *l;
    struct sobj *obj; /* the Job as last read or written; owned */
    const json_t *job;
    struct objlist pods; /* its pods as listed at the start */
    int64_t now_ns;
    char now[TIME_TEXT_LEN];

    int64_t active, ready, terminating; /* as they will be once this round's changes are in */
    int64_t succeeded, failed;          /* all, counted and not */
    struct ended good, bad, ignored;    /* ignored: failures that do not count */
    bool *done, *lost;                  /* Indexed: completed and given up indexes; owned */
    int64_t indexes;

    const char *end, *reason; /* "SuccessCriteriaMet" or "FailureTarget" once decided */
    char message[512];
    char fail_job[512]; /* why a rule of the pod failure policy ends the job; "" */
};

/* -- job.c -- */
bool job_indexed(const json_t *job);
/* "Complete" or "Failed", or NULL. */
const char *job_finished(const json_t *job);

/* -- job_pods.c -- */
int64_t job_pod_index(const json_t *pod); /* -1: none */
bool job_pod_tracked(const json_t *pod);
int job_pod_untrack(struct job_round *r, const json_t *pod, struct err *e);
/* Makes and deletes pods until as many run as should. */
int job_pods_manage(struct job_round *r, struct err *e);
/* Deletes all that run: the job has failed, or has enough. */
int job_pods_stop(struct job_round *r, struct err *e);

/* -- job_policy.c -- */
/* "Count", "Ignore", "FailIndex" or "FailJob". */
const char *job_failure_action(struct job_round *r, const json_t *pod);
bool job_per_index(const json_t *job); /* is there a limit of failures per index? */
int64_t job_index_failures(const struct job_round *r, int64_t index);
/* Gives the pod's index up, if that was its last chance. */
void job_index_failed(struct job_round *r, const json_t *pod, const char *action);
int64_t job_lost_count(const struct job_round *r);
int job_success_rule(const struct job_round *r);

/* -- job_status.c -- */
/* "0,2-4" to flags and back. */
void job_indexes_parse(const char *text, bool *done, int64_t n);
char *job_indexes_text(const bool *done, int64_t n); /* returns new */
/* Writes what is known, takes the finalizers from what ended, counts it, and adds the last condition when nothing runs
 * any more. */
int job_status_write(struct job_round *r, struct err *e);

#endif

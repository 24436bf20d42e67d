/* autoscaler_int.h - one look at one autoscaler, shared by the files autoscaler*.c. */
#ifndef STOWAGE_CONTROLLERS_AUTOSCALER_INT_H
#define STOWAGE_CONTROLLERS_AUTOSCALER_INT_H

#include "controllers/controllers_int.h"

/* -- autoscaler_metrics.c -- */
struct measure {
    int64_t replicas;  /* that the metric asks for */
    json_t *status;    /* owned: an entry of status.currentMetrics; {"type": ""} when it could not be had */
    char name[160];    /* "cpu resource utilization (percentage of request)" */
    char reason[64];   /* when it could not be had: "FailedGetResourceMetric" */
    char message[512]; /* likewise, "failed to get cpu utilization: …" */
    char error[640];   /* as the whole is told: "failed to get cpu resource metric value: failed to …" */
};
void measure_release(struct measure *m);
/* What one entry of spec.metrics asks for, with so many replicas now. 0, or -1 when it could not be had. */
int measure_take(struct loop *l, const json_t *metric, const json_t *target, int64_t replicas, struct measure *out);

/* -- autoscaler_limits.c: how fast -- */
struct pace;
void paces_free(struct pace *all);
/* What is remembered of the autoscaler; made when it is new. */
struct pace *pace_of(struct pace **all, const char *ns, const char *name);
void pace_drop(struct pace **all, const char *ns, const char *name);
struct verdict_text {
    const char *status, *reason, *message; /* static */
};
/* The number that may be had of the `wanted` one. Says what it did about AbleToScale and ScalingLimited. */
int64_t pace_limit(struct pace *p, const json_t *hpa, int64_t now_ms, int64_t current, int64_t wanted,
                   struct verdict_text *able, struct verdict_text *limited);
/* The number was changed. */
void pace_scaled(struct pace *p, int64_t now_ms, int64_t by);

#endif

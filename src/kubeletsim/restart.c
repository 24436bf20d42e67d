/* restart.c - which container of a pod starts next, and when.
 *
 * DESIGN: init containers run one after the other, each to success (sidecars only to "running"); then all others, in
 * the spec's order. A container that ended is started again if the pod's policy says so: the first time at once, then
 * 10 s, 20 s … 5 min after its end; a run of ten minutes forgets the back-off. An image that cannot be pulled backs off
 * by the same figures. Source: kuberuntime_manager.go computePodActions, doBackOff; flowcontrol/backoff.go. */
#include "kubeletsim/kubelet_int.h"

#include <stdlib.h>

#define BACKOFF_FIRST_MS 10000
#define BACKOFF_LAST_MS  300000
#define BACKOFF_FORGET_S 600

static const char *restart_policy(const struct pod_run *p)
{
    return jstr_or(pod_tree(p), "spec.restartPolicy", "Always");
}

bool container_restarts(const struct pod_run *p, const struct container_run *c)
{
    const char *policy = restart_policy(p);
    if (p->stage >= POD_STOP)
        return false;
    if (c->sidecar)
        return true;
    if (str_eq(policy, "Never"))
        return false;
    if (str_eq(policy, "Always") && !c->init)
        return true;
    return c->end.exit_code != 0;
}

bool container_done(const struct pod_run *p, const struct container_run *c)
{
    return c->state == CONTAINER_EXITED && !container_restarts(p, c);
}

static void remember_end(struct container_run *c)
{
    free(c->last.message);
    c->last = c->end;
    c->end = (struct container_end){0};
}

/* An ended container that starts again: its end becomes lastState, its back-off grows. */
static void prepare_restart(struct container_run *c)
{
    int64_t ran = (c->end.finished - c->end.started) / 1000000000;
    if (ran > BACKOFF_FORGET_S)
        c->backoff_ms = 0;
    c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (c->backoff_ms > BACKOFF_LAST_MS)
        c->backoff_ms = BACKOFF_LAST_MS;
    remember_end(c);
    c->state = CONTAINER_WAITING;
    c->restarts++;
}

/* Is it due? Else the wait goes into *wait_ms if it is shorter. */
static bool due(struct pod_run *p, struct container_run *c, int64_t *wait_ms)
{
    if (c->state == CONTAINER_EXITED) {
        int64_t since_end = (kubelet_now(p->k) - c->end.finished) / 1000000;
        c->not_before = kubelet_mono(p->k) + (c->backoff_ms > since_end ? c->backoff_ms - since_end : 0);
    }
    int64_t left = c->not_before - kubelet_mono(p->k);
    if (left <= 0)
        return true;
    if (*wait_ms < 0 || left < *wait_ms)
        *wait_ms = left;
    return false;
}

static bool wants_start(const struct pod_run *p, const struct container_run *c)
{
    return c->state == CONTAINER_WAITING || (c->state == CONTAINER_EXITED && container_restarts(p, c));
}

/* May what follows this init container go on? */
static bool init_passed(const struct container_run *c)
{
    if (c->sidecar)
        return c->state == CONTAINER_RUNNING;
    return c->state == CONTAINER_EXITED && c->end.exit_code == 0;
}

struct container_run *container_next(struct pod_run *p, int64_t *out_wait_ms)
{
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        if (wants_start(p, c) && due(p, c, out_wait_ms)) {
            if (c->state == CONTAINER_EXITED)
                prepare_restart(c);
            return c;
        }
        if (c->init && !init_passed(c))
            return NULL;
    }
    return NULL;
}

/* restart.c - which container of a pod starts next, and when.
 *
 * DESIGN: init containers run one after the other, each to success (sidecars only until they are started); then all
 * others, in the spec's order. Once a regular container has been started, sidecars restart on their own and the other
 * init containers are history. A container that ended is started again if the pod's policy says so: the first time at
 * once, then 10 s, 20 s … 5 min after its end; a run of ten minutes, or another image, forgets the back-off. Ephemeral
 * containers start once, whatever the others do.
 *
 * THREADS: the loop thread. Source: kuberuntime_manager.go computePodActions, doBackOff; flowcontrol/backoff.go. */
#include "kubeletsim/pod_int.h"

#include <stdlib.h>

#define BACKOFF_FIRST_MS  10000
#define BACKOFF_LAST_MS   300000
#define BACKOFF_FORGET_MS (2 * BACKOFF_LAST_MS)

bool container_restarts(const struct pod_run *p, const struct container_run *c)
{
    const char *policy = jstr_or(pod_tree(p), "spec.restartPolicy", "Always");
    if (p->stage >= POD_STOP || c->kind == CONTAINER_EPHEMERAL)
        return false;
    if (c->kind == CONTAINER_SIDECAR)
        return true;
    if (str_eq(policy, "Never"))
        return false;
    if (str_eq(policy, "Always") && c->kind == CONTAINER_REGULAR)
        return true;
    return c->end.exit_code != 0 || c->must_restart;
}

bool container_done(const struct pod_run *p, const struct container_run *c)
{
    return c->state == CONTAINER_EXITED && !container_restarts(p, c);
}

bool pod_initialized(const struct pod_run *p)
{
    bool has_init = false;
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        if (c->kind == CONTAINER_REGULAR && c->id[0])
            return true;
        has_init = has_init || container_is_init(c);
    }
    return !has_init;
}

/* It was given another image since it was last started. */
bool container_has_new_image(const struct container_run *c)
{
    return c->spec_image && !str_eq(c->spec_image, jstr_or(c->spec, "image", ""));
}

static bool backoff_forgotten(const struct container_run *c)
{
    return container_has_new_image(c) || (c->end.finished - c->backoff_at) / 1000000 > BACKOFF_FORGET_MS;
}

void container_prepare_restart(struct pod_run *p, struct container_run *c)
{
    c->backoff_ms = c->backoff_ms && !backoff_forgotten(c) ? c->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (c->backoff_ms > BACKOFF_LAST_MS)
        c->backoff_ms = BACKOFF_LAST_MS;
    c->backoff_at = kubelet_now(p->k);
    free(c->last.message);
    c->last = c->end;
    c->end = (struct container_end){0};
    c->end_unread = false;
    c->state = CONTAINER_WAITING;
    c->not_before = 0;
    c->restarts++;
}

int64_t container_restart_due(const struct pod_run *p, const struct container_run *c)
{
    int64_t since_end_ms = (kubelet_now(p->k) - c->end.finished) / 1000000;
    int64_t wait_ms = backoff_forgotten(c) ? 0 : c->backoff_ms - since_end_ms;
    return kubelet_mono(p->k) + (wait_ms > 0 ? wait_ms : 0);
}

static bool wants_start(const struct pod_run *p, const struct container_run *c)
{
    return c->state == CONTAINER_WAITING || (c->state == CONTAINER_EXITED && container_restarts(p, c));
}

/* Is it time? Else the pod will be woken. */
static bool is_due(struct pod_run *p, const struct container_run *c)
{
    int64_t at = c->state == CONTAINER_EXITED ? container_restart_due(p, c) : c->not_before;
    if (at <= kubelet_mono(p->k) || container_has_new_image(c))
        return true;
    pod_wake_at(p, at);
    return false;
}

/* May what follows this init container go on? */
static bool init_passed(const struct container_run *c)
{
    if (c->kind == CONTAINER_SIDECAR)
        return container_is_started(c);
    return c->state == CONTAINER_EXITED && c->end.exit_code == 0;
}

struct container_run *container_next(struct pod_run *p)
{
    bool held = false;
    struct container_run *next = NULL;
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        bool history = p->init_done && c->kind == CONTAINER_INIT;
        if (c->hook_runs)
            return NULL; /* one after the other: the next start waits for the hook */
        if (history || next || (held && c->kind != CONTAINER_EPHEMERAL))
            continue;
        if (wants_start(p, c) && is_due(p, c))
            next = c;
        else if (!p->init_done && container_is_init(c) && !init_passed(c))
            held = true;
    }
    return next;
}

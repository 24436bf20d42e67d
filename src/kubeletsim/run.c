/* run.c - what happens while a pod's containers run: starts, ends, back-offs that are told, refreshes, the deadline.
 *
 * DESIGN: run_step() is called whenever something may have changed. It starts at most one job; the rest it tells by
 * events and by the status. A status is not written between the start of one container and the next of the same round,
 * as the kubelet's is not: between "everything waits" and "everything runs" watchers see nothing.
 *
 * THREADS: the loop thread. Source: kuberuntime_manager.go SyncPod, images/image_manager.go, active_deadline.go. */
#include "kubeletsim/pod_int.h"
#include "kubeletsim/volumes_int.h"

#include <stdlib.h>

/* How long a container shows how it ended (or why it could not start) before it shows that it backs off. */
#define BACKOFF_SHOWN_MS 1000
/* The kubelet looks again about that often, and tells again each time. */
#define BACKOFF_RETOLD_MS 13000

/* -- the deadline -- */

bool run_deadline_passed(struct pod_run *p)
{
    const json_t *deadline = jat(pod_tree(p), "spec.activeDeadlineSeconds");
    if (!json_is_integer(deadline) || p->fail_reason)
        return p->fail_reason != NULL;
    int64_t left_ns = p->start_time + json_integer_value(deadline) * INT64_C(1000000000) - kubelet_now(p->k);
    if (left_ns > 0) {
        pod_wake_at(p, kubelet_mono(p->k) + left_ns / 1000000 + 1);
        return false;
    }
    p->fail_reason = "DeadlineExceeded";
    p->fail_message = "Pod was active on the node longer than the specified deadline";
    kubelet_event(p->k, p, NULL, EVENT_NORMAL, p->fail_reason, "%s", p->fail_message);
    return true;
}

/* -- back-offs, told -- */

/* Is it time to tell, for the first time or again? Sees to it that it will be. */
static bool time_to_tell(struct pod_run *p, struct container_run *c, int64_t since_ms)
{
    int64_t now = kubelet_mono(p->k);
    int64_t at = c->announced_at ? c->announced_at + BACKOFF_RETOLD_MS : since_ms + BACKOFF_SHOWN_MS;
    if (now < at) {
        pod_wake_at(p, at);
        return false;
    }
    c->announced_at = now;
    pod_wake_at(p, now + BACKOFF_RETOLD_MS);
    return true;
}

static void tell_restart(struct pod_run *p, struct container_run *c)
{
    int64_t now = kubelet_mono(p->k), since_end_ms = (kubelet_now(p->k) - c->end.finished) / 1000000;
    if (!container_restarts(p, c) || container_restart_due(p, c) <= now || !time_to_tell(p, c, now - since_end_ms))
        return;
    c->failed_start = false;
    kubelet_event(p->k, p, c->name, EVENT_WARNING, "BackOff",
                  "Back-off restarting failed container %s in pod %s_%s(%s)", c->name, p->name, p->ns, p->uid);
}

/* The kubelet asks for them before it looks at a pod's containers, whether or not an image is pulled. */
static void tell_missing_secrets(const struct pod_run *p)
{
    _auto_strlist_ struct strlist missing = {0};
    size_t i;
    const json_t *secret;
    json_array_foreach(jat(pod_tree(p), "spec.imagePullSecrets"), i, secret)
    {
        const char *name = jstr(secret, "name");
        _auto_sobj_ struct sobj *there =
            str_empty(name) ? NULL : reg_read(p->k->conf.registry, RES.secrets, p->ns, name);
        if (!str_empty(name) && !there)
            strlist_add(&missing, name);
    }
    _auto_free_ char *names = strlist_join(&missing, ", ");
    if (missing.len > 0)
        kubelet_event(p->k, p, NULL, EVENT_WARNING, "FailedToRetrieveImagePullSecret",
                      "Unable to retrieve some image pull secrets (%s); attempting to pull the image may not succeed.",
                      names);
}

/* An image that could not be had: ErrImagePull for a moment, then ImagePullBackOff with the cause. */
static void tell_pull(struct pod_run *p, struct container_run *c)
{
    bool failed = str_eq(c->reason, "ErrImagePull"), told = str_eq(c->reason, "ImagePullBackOff");
    if ((!failed && !told) || c->not_before <= kubelet_mono(p->k) || !time_to_tell(p, c, c->failed_at))
        return;
    const char *image = jstr_or(c->spec, "image", "");
    if (failed) {
        char *text = xasprintf("Back-off pulling image \"%s\": ErrImagePull: %s", image, c->message ? c->message : "");
        free(c->message);
        c->message = text;
        snprintf(c->reason, sizeof c->reason, "ImagePullBackOff");
    }
    tell_missing_secrets(p);
    kubelet_event(p->k, p, c->name, EVENT_NORMAL, "BackOff", "Back-off pulling image \"%s\"", image);
    kubelet_event(p->k, p, c->name, EVENT_WARNING, "Failed", "Error: ImagePullBackOff");
}

static void tell_backoffs(struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        if (c->state == CONTAINER_EXITED)
            tell_restart(p, c);
        else if (c->state == CONTAINER_WAITING)
            tell_pull(p, c);
    }
}

/* -- starts -- */

static void forget_message(struct container_run *c)
{
    free(c->message);
    c->message = NULL;
}

static void start_failed(struct pod_run *p, struct container_run *c, struct job *j)
{
    struct container_end end = {.set = true, .exit_code = 128, .finished = kubelet_now(p->k)};
    snprintf(c->reason, sizeof c->reason, "%s", j->reason);
    forget_message(c);
    c->message = xstrdup(j->err.msg);
    if (!j->pull)
        kubelet_event(p->k, p, c->name, EVENT_WARNING, "Failed", "Error: %s", j->err.msg);
    if (!j->created) {
        c->failed_at = kubelet_mono(p->k);
        c->pull_backoff_ms = j->pull && c->pull_backoff_ms ? c->pull_backoff_ms * 2 : 10000;
        if (c->pull_backoff_ms > 300000)
            c->pull_backoff_ms = 300000;
        c->not_before = c->failed_at + c->pull_backoff_ms;
        return;
    }
    /* There is a container, but it never ran: terminated with StartError, shown as waiting with the reason. */
    snprintf(end.reason, sizeof end.reason, "StartError");
    end.message = xstrdup(j->err.msg);
    run_ended(p, c, &end);
    c->failed_start = true;
    c->end_unread = false;
}

static void started(struct pod_run *p, struct container_run *c)
{
    const json_t *hook = jat(c->spec, "lifecycle.postStart");
    c->state = CONTAINER_RUNNING;
    c->pull_backoff_ms = 0;
    forget_message(c);
    probes_begin(c);
    if (hook) {
        c->hook_runs = true;
        action_start(p, c, ACTION_POST_START, 0, hook, 0, 0);
    }
}

static void start_ended(struct pod_run *p, struct job *j)
{
    struct container_run *c = j->container;
    if (j->image) {
        free(c->image);
        free(c->image_id);
        c->image = TAKE(j->image);
        c->image_id = TAKE(j->image_id);
        c->stop_signal = j->stop_signal;
    }
    if (j->ok || j->created) {
        snprintf(c->id, sizeof c->id, "%s", j->id);
        c->started = j->started;
    }
    if (j->ok)
        started(p, c);
    else
        start_failed(p, c, j);
}

/* Nothing of this container was shown yet, and nothing went wrong. */
static bool is_first_start(const struct container_run *c)
{
    return c->state == CONTAINER_WAITING && !c->id[0] && !c->message;
}

static void start(struct pod_run *p, struct container_run *c)
{
    tell_missing_secrets(p);
    if (c->state == CONTAINER_EXITED)
        container_prepare_restart(p, c);
    c->failed_start = c->must_restart = c->hook_runs = false;
    c->kill = KILL_NONE;
    c->announced_at = c->lost_at = 0;
    p->init_done = p->init_done || c->kind == CONTAINER_REGULAR;
    if (container_has_new_image(c))
        c->pull_backoff_ms = 0;
    free(c->spec_image);
    c->spec_image = xstrdup(jstr_or(c->spec, "image", ""));
    pod_start_job(p, container_start_job, start_ended, c);
}

void run_ended(struct pod_run *p, struct container_run *c, const struct container_end *end)
{
    c->state = CONTAINER_EXITED;
    c->announced_at = 0;
    c->hook_runs = false;
    free(c->end.message);
    c->end = *end;
    c->end_unread = true;
    snprintf(c->end.id, sizeof c->end.id, "%s", c->id);
    logs_wake(p->k, p->ns, p->name);
}

/* The image of a running container is the one thing of a pod that can be changed. */
static void follow_images(struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        if (c->state != CONTAINER_RUNNING || c->kill != KILL_NONE || c->kind == CONTAINER_EPHEMERAL ||
            str_eq(c->spec_image, jstr_or(c->spec, "image", "")))
            continue;
        c->must_restart = true;
        kubelet_event(p->k, p, c->name, EVENT_NORMAL, "Killing", "Container %s definition changed, will be restarted",
                      c->name);
        container_kill(p, c, jint(pod_tree(p), "spec.terminationGracePeriodSeconds", 30));
    }
}

/* -- what volumes show -- */

static bool refresh_due(struct pod_run *p)
{
    if (p->refresh)
        return true;
    if (p->token_due && kubelet_mono(p->k) >= p->token_due)
        return true;
    if (p->token_due)
        pod_wake_at(p, p->token_due);
    return false;
}

/* What changes from here on wants another one. */
static void refresh(struct pod_run *p)
{
    p->refresh = false;
    pod_start_job(p, volumes_refresh, NULL, NULL);
}

/* -- together -- */

static bool anything_runs(const struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].state == CONTAINER_RUNNING)
            return true;
    return false;
}

static bool ends_now(const struct pod_run *p)
{
    const char *phase = status_phase(p);
    return (str_eq(phase, "Succeeded") || str_eq(phase, "Failed")) && !anything_runs(p);
}

void run_step(struct pod_run *p)
{
    if (run_deadline_passed(p))
        return;
    follow_images(p);
    probes_step(p);
    kills_step(p);
    tell_backoffs(p);
    if (volumes_grow_due(p)) {
        pod_start_job(p, volumes_grow, volumes_grown, NULL);
        return;
    }
    struct container_run *c = container_next(p);
    /* Of a pod that ended the next stage tells, after its sandbox is gone. */
    if (!(c && is_first_start(c)) && !ends_now(p))
        status_write(p);
    if (c)
        start(p, c);
    else if (refresh_due(p))
        refresh(p);
}

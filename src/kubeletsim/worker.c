/* worker.c - the life of a pod on its node, as a state machine.
 *
 *      New -> Volumes -> Sandbox -> Run -> Stop -> Clean -> Done
 *        \________\__________\________\____^
 *
 *   New      first status: hostIP, startTime, everything waiting
 *   Volumes  wait for claims to be bound and attached; mount
 *   Sandbox  the pod's namespaces and address
 *   Run      init containers in order, then the others; restarts with back-off
 *   Stop     deleted, gone, or finished: preStop, SIGTERM, grace, SIGKILL
 *   Clean    containers, sandbox, mounts, directories go; then the API object, if it was deleted
 *
 * DESIGN: each step either moves on, starts one job (`busy`), or leaves a timer. Steps never block. A failed job leaves
 * the stage as it is and a back-off (500 ms doubling to 2m2s, as the kubelet's operation executor), so every cause
 * heals by itself. INVARIANTS: at most one job at a time; nothing is freed while busy; from Stop there is no way back.
 * Source: pkg/kubelet/pod_workers.go, kuberuntime_manager.go. */
#include "kubeletsim/kubelet_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS  122000
#define GONE_GRACE_S   2
#define BACKOFF_SHOWN  1000 /* ms a container shows how it ended before it shows its back-off */

static const struct sm_state stages[] = {
    [POD_NEW] = {"New", SM(POD_VOLUMES) | SM(POD_STOP)},
    [POD_VOLUMES] = {"Volumes", SM(POD_SANDBOX) | SM(POD_STOP)},
    [POD_SANDBOX] = {"Sandbox", SM(POD_RUN) | SM(POD_STOP)},
    [POD_RUN] = {"Run", SM(POD_STOP)},
    [POD_STOP] = {"Stop", SM(POD_CLEAN)},
    [POD_CLEAN] = {"Clean", SM(POD_DONE)},
    [POD_DONE] = {"Done", 0},
};
const struct sm_def pod_sm = {"pod", stages, POD_STAGE_MAX};

static void again(struct pod_run *p, int64_t delay_ms)
{
    if (delay_ms <= 0)
        loop_enqueue(p->k->pods_loop, p->ns, p->name);
    else
        loop_enqueue_after(p->k->pods_loop, p->ns, p->name, delay_ms);
}

static void back_off(struct pod_run *p)
{
    p->retry_ms = p->retry_ms ? p->retry_ms * 2 : RETRY_FIRST_MS;
    if (p->retry_ms > RETRY_LAST_MS)
        p->retry_ms = RETRY_LAST_MS;
    p->not_before = kubelet_mono(p->k) + p->retry_ms;
    again(p, p->retry_ms);
}

static bool must_wait(struct pod_run *p)
{
    int64_t left = p->not_before - kubelet_mono(p->k);
    if (left <= 0)
        return false;
    again(p, left);
    return true;
}

/* -- jobs -- */

struct running_job {
    struct job job;
    void (*work)(struct job *j);
    void (*after)(struct pod_run *p, struct job *j);
};

static void run_job(void *arg)
{
    struct running_job *r = arg;
    r->job.ok = true;
    r->work(&r->job);
}

static void end_job(struct loop *l _unused_, void *arg)
{
    struct running_job *r = arg;
    struct pod_run *p = r->job.pod;
    p->busy = false;
    r->after(p, &r->job);
    again(p, 0);
    free(r);
}

static void start_job(struct pod_run *p, void (*work)(struct job *j), void (*after)(struct pod_run *p, struct job *j),
                      struct container_run *c)
{
    struct running_job *r = xcalloc(1, sizeof *r);
    r->job.pod = p;
    r->job.container = c;
    r->work = work;
    r->after = after;
    p->busy = true;
    loop_offload(p->k->pods_loop, run_job, end_job, r);
}

static void move(struct pod_run *p, int stage)
{
    sm_move(&pod_sm, &p->stage, stage);
    p->retry_ms = 0;
    p->not_before = 0;
}

/* -- New -- */

static void step_new(struct pod_run *p)
{
    if (!p->start_time)
        p->start_time = kubelet_now(p->k);
    status_write(p);
    move(p, POD_VOLUMES);
}

/* -- Volumes -- */

static void volumes_mounted(struct pod_run *p, struct job *j)
{
    if (j->ok) {
        if (p->stage == POD_VOLUMES)
            move(p, POD_SANDBOX);
        return;
    }
    bool device = j->volume->block;
    kubelet_event(p->k, p, NULL, EVENT_WARNING, device ? "FailedMapVolume" : "FailedMount", "%s for volume \"%s\" : %s",
                  j->reason, j->volume->spec_name, j->err.msg);
    back_off(p);
}

static void mark_in_use(struct pod_run *p)
{
    for (size_t i = 0; i < p->volume_count; i++)
        if (p->volumes[i].unique)
            node_volume_in_use(p->k, &p->k->nodes[p->node], p->volumes[i].unique, true);
}

static void step_volumes(struct pod_run *p)
{
    struct err e = ERR_INIT;
    if (must_wait(p))
        return;
    int rc = volumes_plan(p, &e);
    if (rc < 0) {
        kubelet_event(p->k, p, NULL, EVENT_WARNING, "FailedMount", "%s", e.msg);
        back_off(p);
        return;
    }
    if (rc > 0)
        return; /* an attachment is awaited; its change enqueues us */
    mark_in_use(p);
    start_job(p, volumes_mount, volumes_mounted, NULL);
}

/* -- Sandbox -- */

static bool take_ip(struct pod_run *p)
{
    struct node_run *n = &p->k->nodes[p->node];
    if (jbool(pod_tree(p), "spec.hostNetwork", false)) {
        snprintf(p->ip, sizeof p->ip, "%s", n->ip);
        return true;
    }
    for (int i = 1; i < POD_IPS && !p->ip[0]; i++) { /* .1 is the bridge */
        if (n->ips[i])
            continue;
        n->ips[i] = true;
        snprintf(p->ip, sizeof p->ip, "10.244.%d.%d", n->index, i + 1);
    }
    return p->ip[0] != '\0';
}

static void give_ip(struct pod_run *p)
{
    unsigned a, b, c, d;
    if (sscanf(p->ip, "%u.%u.%u.%u", &a, &b, &c, &d) == 4 && a == 10 && d >= 1 && d <= POD_IPS)
        p->k->nodes[p->node].ips[d - 1] = false;
    p->ip[0] = '\0';
}

static void sandbox_started(struct pod_run *p, struct job *j)
{
    if (j->ok) {
        p->sandbox = true;
        if (p->restarted_node)
            kubelet_event(p->k, p, NULL, EVENT_NORMAL, "SandboxChanged",
                          "Pod sandbox changed, it will be killed and re-created.");
        if (p->stage == POD_SANDBOX)
            move(p, POD_RUN);
        return;
    }
    give_ip(p);
    kubelet_event(p->k, p, NULL, EVENT_WARNING, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s",
                  j->err.msg);
    back_off(p);
}

static void step_sandbox(struct pod_run *p)
{
    if (must_wait(p))
        return;
    if (!take_ip(p)) {
        kubelet_event(p->k, p, NULL, EVENT_WARNING, "FailedCreatePodSandBox",
                      "Failed to create pod sandbox: no IP addresses available in range set: 10.244.%d.1-10.244.%d.254",
                      p->node, p->node);
        back_off(p);
        return;
    }
    start_job(p, sandbox_start_job, sandbox_started, NULL);
}

/* -- Run -- */

static void container_started(struct pod_run *p, struct job *j)
{
    struct container_run *c = j->container;
    if (!j->ok) {
        snprintf(c->reason, sizeof c->reason, "%s", j->reason);
        free(c->message);
        c->message = xstrdup(j->err.msg);
    }
    /* A container that ended before we got here is in the exit list and handed over by the next reconcile. */
    status_write(p);
}

static void refreshed(struct pod_run *p _unused_, struct job *j _unused_)
{
}

static bool finished(const struct pod_run *p)
{
    const char *phase = status_phase(p);
    return str_eq(phase, "Succeeded") || str_eq(phase, "Failed");
}

/* A container that ended and waits for its restart: after a moment it says so. */
static void announce_restart(struct pod_run *p, struct container_run *c)
{
    if (c->announced_backoff || !container_restarts(p, c) || c->not_before <= kubelet_mono(p->k))
        return;
    if (kubelet_now(p->k) - c->end.finished < (int64_t)BACKOFF_SHOWN * 1000000) {
        again(p, BACKOFF_SHOWN);
        return;
    }
    c->announced_backoff = true;
    kubelet_event(p->k, p, c->name, EVENT_WARNING, "BackOff",
                  "Back-off restarting failed container %s in pod %s_%s(%s)", c->name, p->name, p->ns, p->uid);
}

/* An image that could not be had: ErrImagePull for a moment, then ImagePullBackOff with the cause. */
static void announce_pull(struct pod_run *p, struct container_run *c)
{
    if (!str_eq(c->reason, "ErrImagePull") || c->not_before <= kubelet_mono(p->k))
        return;
    if (kubelet_mono(p->k) - c->failed_at < BACKOFF_SHOWN) {
        again(p, BACKOFF_SHOWN);
        return;
    }
    const char *image = jstr_or(container_spec_of(p, c), "image", "");
    char *text = xasprintf("Back-off pulling image \"%s\": ErrImagePull: %s", image, c->message ? c->message : "");
    free(c->message);
    c->message = text;
    snprintf(c->reason, sizeof c->reason, "ImagePullBackOff");
    kubelet_event(p->k, p, c->name, EVENT_NORMAL, "BackOff", "Back-off pulling image \"%s\"", image);
    kubelet_event(p->k, p, c->name, EVENT_WARNING, "Failed", "Error: ImagePullBackOff");
}

static void announce_backoffs(struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        if (c->state == CONTAINER_EXITED)
            announce_restart(p, c);
        else if (c->state == CONTAINER_WAITING)
            announce_pull(p, c);
    }
}

static void step_run(struct pod_run *p)
{
    int64_t wait_ms = -1;
    struct container_run *c = container_next(p, &wait_ms);
    announce_backoffs(p);
    status_write(p);
    if (c) {
        start_job(p, container_start_job, container_started, c);
        return;
    }
    if (finished(p)) {
        move(p, POD_STOP);
        return;
    }
    if (p->refresh) {
        p->refresh = false;
        start_job(p, volumes_refresh, refreshed, NULL);
        return;
    }
    if (wait_ms >= 0)
        again(p, wait_ms);
}

void pod_take_exit(struct pod_run *p, const struct exit_info *info)
{
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        if (!str_eq(c->id, info->id))
            continue;
        c->state = CONTAINER_EXITED;
        c->announced_backoff = false;
        free(c->end.message);
        c->end = (struct container_end){true, info->code, info->signal, info->oom_killed, c->started, info->finished_ns,
                                        "",   "",         NULL};
        snprintf(c->end.id, sizeof c->end.id, "%s", c->id);
        snprintf(c->end.reason, sizeof c->end.reason, "%s",
                 info->oom_killed  ? "OOMKilled"
                 : info->code == 0 ? "Completed"
                                   : "Error");
        container_end_read(p, c);
    }
}

/* -- Stop -- */

static bool anything_runs(const struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].state == CONTAINER_RUNNING)
            return true;
    return false;
}

static int64_t grace_seconds(const struct pod_run *p)
{
    if (p->gone)
        return GONE_GRACE_S;
    int64_t grace = jint(pod_tree(p), "spec.terminationGracePeriodSeconds", 30);
    if (jat(pod_tree(p), "metadata.deletionTimestamp"))
        grace = jint(pod_tree(p), "metadata.deletionGracePeriodSeconds", grace);
    return grace < 1 ? 1 : grace;
}

static void job_ended(struct pod_run *p _unused_, struct job *j _unused_)
{
}

static void step_stop(struct pod_run *p)
{
    if (!anything_runs(p)) {
        if (!p->gone && p->sandbox)
            status_write(p);
        move(p, POD_CLEAN);
        return;
    }
    int64_t now = kubelet_mono(p->k), kill_at = now + grace_seconds(p) * 1000;
    if (!p->kill_at) {
        p->kill_at = kill_at;
        again(p, kill_at - now);
        start_job(p, pod_stop_job, job_ended, NULL);
        return;
    }
    if (p->gone && kill_at < p->kill_at)
        p->kill_at = kill_at; /* a force delete can only shorten it */
    if (now >= p->kill_at) {
        if (!p->killed) {
            p->killed = true;
            start_job(p, pod_kill_job, job_ended, NULL);
        }
        return;
    }
    again(p, p->kill_at - now);
}

/* -- Clean -- */

static bool used_elsewhere(const struct pod_run *p, const char *unique)
{
    for (const struct pod_run *o = p->k->pods; o; o = o->next)
        for (size_t i = 0; o != p && o->node == p->node && i < o->volume_count; i++)
            if (str_eq(o->volumes[i].unique, unique))
                return true;
    return false;
}

static void cleaned(struct pod_run *p, struct job *j _unused_)
{
    struct kubelet *k = p->k;
    p->sandbox = false;
    for (size_t i = 0; i < p->volume_count; i++)
        if (p->volumes[i].unique && !used_elsewhere(p, p->volumes[i].unique))
            node_volume_in_use(k, &k->nodes[p->node], p->volumes[i].unique, false);
    give_ip(p);
    move(p, POD_DONE);
    if (p->gone)
        return;
    status_write(p);
    if (jat(pod_tree(p), "metadata.deletionTimestamp")) {
        struct err e = ERR_INIT;
        struct reg_delete_opts now = {.grace_seconds = 0, .uid = p->uid};
        reg_remove(k->conf.registry, USER_AGENT, RES.pods, p->ns, p->name, &now, &e);
    }
}

static void step_clean(struct pod_run *p)
{
    start_job(p, pod_clean_job, cleaned, NULL);
}

static void step_done(struct pod_run *p _unused_)
{
}

/* -- the machine -- */

static bool must_stop(const struct pod_run *p)
{
    return p->gone || jat(pod_tree(p), "metadata.deletionTimestamp");
}

void pod_step(struct pod_run *p)
{
    static void (*const step[POD_STAGE_MAX])(struct pod_run * p) = {
        [POD_NEW] = step_new,   [POD_VOLUMES] = step_volumes, [POD_SANDBOX] = step_sandbox, [POD_RUN] = step_run,
        [POD_STOP] = step_stop, [POD_CLEAN] = step_clean,     [POD_DONE] = step_done,
    };
    for (int before = -1; !p->busy && p->stage != before;) {
        if (p->stage < POD_STOP && must_stop(p))
            move(p, POD_STOP);
        before = p->stage;
        step[p->stage](p);
    }
}

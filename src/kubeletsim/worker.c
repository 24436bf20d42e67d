/* worker.c - the life of a pod on its node, as a state machine.
 *
 *      New -> Volumes -> Sandbox -> Run -> Stop -> Clean -> Kept -> Remove -> Leave -> Done
 *        \________\__________\________\____^          (finished)  (deleted)
 *
 *   New      first status: hostIP, startTime, everything waiting
 *   Volumes  wait for claims to be bound and attached; mount
 *   Sandbox  the pod's namespaces and address
 *   Run      containers, probes, restarts (run.c)
 *   Stop     deleted, gone, or finished: preStop, SIGTERM, grace, SIGKILL (kill.c)
 *   Clean    containers, sandbox and mounts go; the last status
 *   Kept     finished, not deleted: its directory and logs stay
 *   Remove   deleted: they go
 *   Leave    the API object is deleted for good; wait until it is gone (finalizers may hold it)
 *
 * DESIGN: each step either moves on, starts one job (`busy`), or says when to look again. Steps never block. A failed
 * job leaves the stage as it is and a back-off (500 ms doubling to 2m2s, as the kubelet's operation executor), so every
 * cause heals by itself.
 *
 * INVARIANTS: at most one job at a time; nothing is freed while busy; from Stop there is no way back; the object is
 * deleted only after everything of the pod left the node.
 *
 * THREADS: the loop thread, but for the job's `work`. Source: pkg/kubelet/pod_workers.go, kubelet.go SyncPod*. */
#include "kubeletsim/eviction_int.h"
#include "kubeletsim/pod_int.h"
#include "kubeletsim/volumes_int.h"

#include "control/objects.h"

#include <stdio.h>
#include <stdlib.h>

#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS  122000

static const struct sm_state stages[] = {
    [POD_NEW] = {"New", SM(POD_VOLUMES) | SM(POD_STOP) | SM(POD_KEPT)},
    [POD_VOLUMES] = {"Volumes", SM(POD_SANDBOX) | SM(POD_STOP)},
    [POD_SANDBOX] = {"Sandbox", SM(POD_RUN) | SM(POD_STOP)},
    [POD_RUN] = {"Run", SM(POD_STOP)},
    [POD_STOP] = {"Stop", SM(POD_CLEAN)},
    [POD_CLEAN] = {"Clean", SM(POD_KEPT)},
    [POD_KEPT] = {"Kept", SM(POD_REMOVE)},
    [POD_REMOVE] = {"Remove", SM(POD_LEAVE)},
    [POD_LEAVE] = {"Leave", SM(POD_DONE)},
    [POD_DONE] = {"Done", 0},
};
const struct sm_def pod_sm = {"pod", stages, POD_STAGE_MAX};

void pod_wake_at(struct pod_run *p, int64_t mono_ms)
{
    if (!p->wake || mono_ms < p->wake)
        p->wake = mono_ms;
}

static void move(struct pod_run *p, int stage)
{
    sm_move(&pod_sm, &p->stage, stage);
    p->retry_ms = 0;
    p->not_before = 0;
}

/* -- jobs -- */

static void job_work(void *arg)
{
    struct job *j = arg;
    j->work(j);
}

static void job_end(struct loop *l, void *arg)
{
    struct job *j = arg;
    struct pod_run *p = j->pod;
    p->busy = false;
    if (j->after)
        j->after(p, j);
    loop_enqueue(l, p->ns, p->name);
    free(j->image);
    free(j->image_id);
    free(j);
}

void pod_start_job(struct pod_run *p, void (*work)(struct job *j), void (*after)(struct pod_run *p, struct job *j),
                   struct container_run *c)
{
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.pod = p, .container = c, .ok = true, .work = work, .after = after};
    p->busy = true;
    loop_offload(p->k->pods_loop, job_work, job_end, j);
}

static void back_off(struct pod_run *p)
{
    p->retry_ms = p->retry_ms ? p->retry_ms * 2 : RETRY_FIRST_MS;
    if (p->retry_ms > RETRY_LAST_MS)
        p->retry_ms = RETRY_LAST_MS;
    p->not_before = kubelet_mono(p->k) + p->retry_ms;
}

static bool must_wait(struct pod_run *p)
{
    if (p->not_before <= kubelet_mono(p->k))
        return false;
    pod_wake_at(p, p->not_before);
    return true;
}

/* -- what other threads noted -- */

static void take_exit(struct pod_run *p, const struct exit_info *info)
{
    struct container_run *c = container_by_id(p, info->id);
    if (!c || c->state != CONTAINER_RUNNING)
        return;
    struct container_end end = {
        .set = true, .exit_code = info->code, .started = c->started, .finished = info->finished_ns};
    snprintf(end.reason, sizeof end.reason, "%s",
             info->oom_killed  ? "OOMKilled"
             : info->code == 0 ? "Completed"
                               : "Error");
    run_ended(p, c, &end);
}

static void take_action(struct pod_run *p, const struct action *a)
{
    struct container_run *c = container_by_id(p, a->id);
    if (!c)
        return;
    switch (a->kind) {
    case ACTION_PROBE:
        probe_take(p, c, a);
        break;
    case ACTION_POST_START:
        if (a->outcome == ACTION_OK)
            c->hook_runs = false;
        else if (c->state == CONTAINER_RUNNING) /* it does not count as running until its end */
            kill_hook_failed(p, c, a);
        break;
    default:
        kill_take(p, c, a);
    }
}

void pod_take_note(struct pod_run *p, struct note *n)
{
    if (n->is_exit)
        take_exit(p, &n->exit);
    else
        take_action(p, n->action);
}

/* -- New -- */

static bool terminal(const struct pod_run *p)
{
    const char *phase = jstr_or(pod_tree(p), "status.phase", "");
    return str_eq(phase, "Succeeded") || str_eq(phase, "Failed");
}

static void step_new(struct pod_run *p)
{
    if (terminal(p)) { /* finished in an earlier life: only its remains are here */
        move(p, POD_KEPT);
        return;
    }
    if (!p->start_time)
        p->start_time = kubelet_now(p->k);
    _auto_free_ char *refusal = NULL;
    const char *reason = p->adopted ? NULL : "Evicted";
    if (reason && eviction_admits(&p->k->nodes[p->node], pod_tree(p), &refusal))
        reason = pod_refusal(p, &refusal);
    if (reason) {
        pod_reject(p, reason, refusal);
        move(p, POD_STOP);
        return;
    }
    /* After a restart of the node a pod that must not be restarted has nothing more to do. */
    bool over = p->adopted && pod_initialized(p) && str_eq(jstr(pod_tree(p), "spec.restartPolicy"), "Never");
    if (!over)
        status_write(p);
    move(p, over ? POD_STOP : POD_VOLUMES);
}

/* -- Volumes -- */

static void volumes_mounted(struct pod_run *p, struct job *j)
{
    volumes_tell_mapped(p);
    if (j->ok) {
        move(p, POD_SANDBOX);
        return;
    }
    volumes_tell_failures(p);
    back_off(p);
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
        must_wait(p);
        return;
    }
    if (rc > 0)
        return; /* an attachment is awaited; its change enqueues us */
    node_volumes_in_use(p->k, &p->k->nodes[p->node]);
    if (p->volume_count == 0)
        move(p, POD_SANDBOX);
    else
        pod_start_job(p, volumes_mount, volumes_mounted, NULL);
}

/* -- Sandbox -- */

static void sandbox_started(struct pod_run *p, struct job *j)
{
    if (j->ok) {
        p->sandbox = true;
        move(p, POD_RUN);
        return;
    }
    pod_give_ip(p);
    kubelet_event(p->k, p, NULL, EVENT_WARNING, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s",
                  j->err.msg);
    back_off(p);
}

static void step_sandbox(struct pod_run *p)
{
    if (must_wait(p))
        return;
    if (p->adopted)
        kubelet_event(p->k, p, NULL, EVENT_NORMAL, "SandboxChanged",
                      "Pod sandbox changed, it will be killed and re-created.");
    if (!pod_take_ip(p)) {
        kubelet_event(p->k, p, NULL, EVENT_WARNING, "FailedCreatePodSandBox",
                      "Failed to create pod sandbox: no IP addresses available in range set: 10.244.%d.1-10.244.%d.254",
                      p->node, p->node);
        back_off(p);
        must_wait(p);
        return;
    }
    pod_start_job(p, sandbox_start_job, sandbox_started, NULL);
}

/* -- Run -- */

static void step_run(struct pod_run *p)
{
    run_step(p);
    const char *phase = status_phase(p);
    if (!p->busy && (p->fail_reason || str_eq(phase, "Succeeded") || str_eq(phase, "Failed")))
        move(p, POD_STOP);
}

/* -- Stop -- */

static void step_stop(struct pod_run *p)
{
    probes_step(p);
    if (stop_step(p))
        move(p, POD_CLEAN);
    else if (!p->gone)
        status_write(p);
}

/* -- Clean -- */

static void cleaned(struct pod_run *p, struct job *j)
{
    struct kubelet *k = p->k;
    if (j->ok)
        p->sandbox = false;
    status_write(p);
    if (!j->ok) {
        kubelet_event(k, p, NULL, EVENT_WARNING, "FailedKillPod", "error killing pod: %s", j->err.msg);
        back_off(p);
        return;
    }
    volumes_release(p);
    node_volumes_in_use(k, &k->nodes[p->node]);
    pod_give_ip(p);
    logs_wake(k, p->ns, p->name);
    move(p, POD_KEPT);
}

static void step_clean(struct pod_run *p)
{
    if (!must_wait(p))
        pod_start_job(p, pod_clean_job, cleaned, NULL);
}

/* -- Kept, Remove, Leave -- */

static void step_kept(struct pod_run *p)
{
    if (pod_being_deleted(p))
        move(p, POD_REMOVE);
}

static void removed(struct pod_run *p, struct job *j)
{
    if (j->ok)
        move(p, POD_LEAVE);
    else
        back_off(p);
}

static void step_remove(struct pod_run *p)
{
    if (!must_wait(p))
        pod_start_job(p, pod_remove_job, removed, NULL);
}

static void step_leave(struct pod_run *p)
{
    struct err e = ERR_INIT;
    struct reg_delete_opts now = {.grace_seconds = 0, .uid = obj_uid(pod_tree(p))};
    if (p->gone) {
        move(p, POD_DONE);
        return;
    }
    if (p->asked_delete || must_wait(p))
        return;
    p->asked_delete =
        reg_remove(p->k->conf.registry, USER_AGENT, RES.pods, p->ns, p->name, &now, &e) == 0 || e.code == ERR_NOT_FOUND;
    if (!p->asked_delete) {
        back_off(p);
        must_wait(p);
    }
}

static void step_done(struct pod_run *p _unused_)
{
}

/* -- the machine -- */

/* Termination messages come before anything is decided on an end. */
static bool read_ends(struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].end_unread) {
            pod_start_job(p, ends_read_job, NULL, NULL);
            return true;
        }
    return false;
}

void pod_step(struct pod_run *p)
{
    static void (*const step[POD_STAGE_MAX])(struct pod_run * p) = {
        [POD_NEW] = step_new,   [POD_VOLUMES] = step_volumes, [POD_SANDBOX] = step_sandbox,
        [POD_RUN] = step_run,   [POD_STOP] = step_stop,       [POD_CLEAN] = step_clean,
        [POD_KEPT] = step_kept, [POD_REMOVE] = step_remove,   [POD_LEAVE] = step_leave,
        [POD_DONE] = step_done,
    };
    if (read_ends(p))
        return;
    for (int before = -1; !p->busy && p->stage != before;) {
        if (p->stage < POD_STOP && (p->evicted || pod_being_deleted(p)) && !(p->stage == POD_NEW && terminal(p)))
            move(p, POD_STOP);
        before = p->stage;
        step[p->stage](p);
    }
}

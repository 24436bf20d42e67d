/* probes.c - when a container is probed, and what the answers mean.
 *
 *     container starts -> startup probe (if any) -> started -> liveness and readiness, each at its own pace
 *
 *     result:   Unknown | Success | Failure     begins: startup Unknown, liveness Success, readiness Failure
 *     changes when successThreshold or failureThreshold answers in a row agree
 *
 * DESIGN: each probe ticks at its period, counted from when the kubelet met the pod, as the kubelet's workers do; the
 * first readiness probe comes a moment after the container is started, so that what is quick to be ready is ready
 * quickly. At most one try of a probe is under way. A liveness or startup probe that failed ends: the container is
 * stopped, and its successor begins anew.
 *
 * INVARIANTS: readiness and liveness rest until the startup probe succeeded; a pod that is being deleted is asked only
 * for its readiness. A probe that could not be made (its command is not in the image) is told but counts for nothing.
 *
 * THREADS: the loop thread. Source: pkg/kubelet/prober/worker.go, prober.go. */
#include "kubeletsim/pod_int.h"

#define SOON_MS 1000 /* the kubelet notices about that much later that a container runs */

static const struct {
    const char *member, *name;
    int begins; /* enum probe_result */
} kinds[PROBE_MAX] = {
    [PROBE_STARTUP] = {"startupProbe", "Startup", PROBE_UNKNOWN},
    [PROBE_LIVENESS] = {"livenessProbe", "Liveness", PROBE_SUCCESS},
    [PROBE_READINESS] = {"readinessProbe", "Readiness", PROBE_FAILURE},
};

void probes_begin(struct container_run *c)
{
    for (int k = 0; k < PROBE_MAX; k++)
        c->probes[k] = (struct probe_run){.result = kinds[k].begins};
}

static const json_t *probe_spec(const struct container_run *c, int kind)
{
    return json_object_get(c->spec, kinds[kind].member);
}

bool container_is_started(const struct container_run *c)
{
    if (c->state != CONTAINER_RUNNING || c->hook_runs)
        return false;
    return !probe_spec(c, PROBE_STARTUP) || c->probes[PROBE_STARTUP].result == PROBE_SUCCESS;
}

bool container_is_ready(const struct container_run *c)
{
    if (c->kind == CONTAINER_INIT)
        return c->state == CONTAINER_EXITED && c->end.exit_code == 0;
    return container_is_started(c) &&
           (!probe_spec(c, PROBE_READINESS) || c->probes[PROBE_READINESS].result == PROBE_SUCCESS);
}

/* -- when -- */

/* mono ms of the first try: on the probe's own ticks, not before its delay is over. */
static int64_t first_try(const struct pod_run *p, const struct container_run *c, int kind, const json_t *spec)
{
    int64_t now = kubelet_mono(p->k), period = jint(spec, "periodSeconds", 10) * 1000;
    int64_t delay = jint(spec, "initialDelaySeconds", 0) * 1000;
    int64_t running = now - (kubelet_now(p->k) - c->started) / 1000000;
    if (kind == PROBE_READINESS && delay == 0)
        return (now > running ? now : running) + SOON_MS;
    int64_t from = running + delay > now ? running + delay : now + 1;
    return p->began + (from - p->began + period - 1) / period * period;
}

static bool rests(const struct pod_run *p, const struct container_run *c, int kind)
{
    if (c->kill != KILL_NONE && kind != PROBE_READINESS)
        return true;
    if (kind == PROBE_STARTUP)
        return c->probes[kind].result == PROBE_SUCCESS || p->stage >= POD_STOP || c->hook_runs;
    return !container_is_started(c) || (kind == PROBE_LIVENESS && p->stage >= POD_STOP);
}

static void probe_step(struct pod_run *p, struct container_run *c, int kind)
{
    const json_t *spec = probe_spec(c, kind);
    struct probe_run *r = &c->probes[kind];
    if (!spec || r->over || r->asked || rests(p, c, kind))
        return;
    int64_t now = kubelet_mono(p->k);
    if (!r->next_at)
        r->next_at = first_try(p, c, kind, spec);
    if (now < r->next_at) {
        pod_wake_at(p, r->next_at);
        return;
    }
    r->asked = true;
    action_start(p, c, ACTION_PROBE, kind, spec, 0, jint(spec, "timeoutSeconds", 1) * 1000);
}

void probes_step(struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        bool probed = c->kind == CONTAINER_REGULAR || c->kind == CONTAINER_SIDECAR;
        for (int k = 0; probed && c->state == CONTAINER_RUNNING && k < PROBE_MAX; k++)
            probe_step(p, c, k);
    }
}

/* -- what the answers mean -- */

static void restart_for(struct pod_run *p, struct container_run *c, int kind, const json_t *spec)
{
    const char *probe = kind == PROBE_LIVENESS ? "liveness" : "startup";
    bool again = !str_eq(jstr(pod_tree(p), "spec.restartPolicy"), "Never");
    int64_t grace = jint(pod_tree(p), "spec.terminationGracePeriodSeconds", 30);
    if (c->kind == CONTAINER_SIDECAR)
        kubelet_event(p->k, p, c->name, EVENT_NORMAL, "Killing", "Init container %s failed %s probe", c->name, probe);
    else
        kubelet_event(p->k, p, c->name, EVENT_NORMAL, "Killing", "Container %s failed %s probe%s", c->name, probe,
                      again ? ", will be restarted" : "");
    c->must_restart = again;
    container_kill(p, c, jint(spec, "terminationGracePeriodSeconds", grace));
}

static void count(struct pod_run *p, struct container_run *c, int kind, const json_t *spec, int answer)
{
    struct probe_run *r = &c->probes[kind];
    r->run = r->last == answer ? r->run + 1 : 1;
    r->last = answer;
    if (r->run <
        jint(spec, answer == PROBE_FAILURE ? "failureThreshold" : "successThreshold", answer == PROBE_FAILURE ? 3 : 1))
        return;
    r->result = answer;
    if (kind == PROBE_READINESS || answer != PROBE_FAILURE)
        return;
    r->over = true;
    if (c->kill == KILL_NONE && p->stage < POD_STOP)
        restart_for(p, c, kind, spec);
}

void probe_take(struct pod_run *p, struct container_run *c, const struct action *a)
{
    const json_t *spec = probe_spec(c, a->probe);
    struct probe_run *r = &c->probes[a->probe];
    int64_t period = jint(spec, "periodSeconds", 10) * 1000, now = kubelet_mono(p->k);
    r->asked = false;
    r->next_at += period;
    if (r->next_at <= now)
        r->next_at = now + period - (now - r->next_at) % period;
    if (c->state != CONTAINER_RUNNING || !spec || rests(p, c, a->probe))
        return;
    if (a->outcome == ACTION_WARNED)
        kubelet_event(p->k, p, c->name, EVENT_WARNING, "ProbeWarning", "%s probe warning: %s", kinds[a->probe].name,
                      a->text ? a->text : "");
    if (a->outcome == ACTION_FAILED)
        kubelet_event(p->k, p, c->name, EVENT_WARNING, "Unhealthy", "%s probe failed: %s", kinds[a->probe].name,
                      a->text ? a->text : "");
    if (a->outcome == ACTION_ERRORED) { /* of the container it says nothing */
        kubelet_event(p->k, p, c->name, EVENT_WARNING, "Unhealthy", "%s probe errored: %s", kinds[a->probe].name,
                      a->text ? a->text : "");
        return;
    }
    count(p, c, a->probe, spec, a->outcome == ACTION_FAILED ? PROBE_FAILURE : PROBE_SUCCESS);
}

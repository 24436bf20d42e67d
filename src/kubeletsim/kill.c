/* kill.c - stopping containers: preStop hook, SIGTERM, grace, SIGKILL; one by one or the whole pod in order.
 *
 *      None --kill--> Hook --answered or out of time--> Term --out of grace--> Kill
 *         \___________________________________________^
 *
 * DESIGN: each container goes its own way, so a slow hook of one does not hold up another. The grace is counted from
 * the beginning; the hook's time is part of it, but after SIGTERM a container always has two seconds. Signals are sent
 * by patient threads; a container that the machine does not know any more counts as ended a moment later, in case its
 * end is still on the way.
 *
 * INVARIANTS: sidecars stop after all regular containers, in reverse order; a deadline only ever comes nearer.
 *
 * THREADS: the loop thread. Source: kuberuntime_container.go killContainer, kuberuntime_termination_order.go. */
#include "kubeletsim/pod_int.h"

#include <signal.h>
#include <stdlib.h>

#define TERM_MIN_MS  2000
#define GONE_GRACE_S 2
#define LOST_MS      2000
#define GRACE_MAX_S  INT64_C(3000000000) /* nobody sees its end */

static void send_signal(struct pod_run *p, struct container_run *c, int sig)
{
    action_start(p, c, ACTION_SIGNAL, 0, NULL, sig, 0);
}

static void term(struct pod_run *p, struct container_run *c)
{
    c->kill = KILL_TERM;
    c->term_at = kubelet_mono(p->k);
    send_signal(p, c, c->stop_signal ? c->stop_signal : SIGTERM);
}

void container_kill(struct pod_run *p, struct container_run *c, int64_t grace_s)
{
    const json_t *hook = jat(c->spec, "lifecycle.preStop");
    int64_t grace_ms = (grace_s < 1 ? 1 : grace_s > GRACE_MAX_S ? GRACE_MAX_S : grace_s) * 1000;
    c->kill_at = kubelet_mono(p->k) + grace_ms;
    if (!hook) {
        term(p, c);
        return;
    }
    c->kill = KILL_HOOK;
    action_start(p, c, ACTION_PRE_STOP, 0, hook, 0, grace_ms);
}

/* The machine does not know the container. */
static void lost(struct pod_run *p, struct container_run *c)
{
    struct container_end end = {.set = true, .exit_code = 137, .started = c->started, .finished = kubelet_now(p->k)};
    snprintf(end.reason, sizeof end.reason, "ContainerStatusUnknown");
    end.message = xstrdup("The container could not be located when the pod was terminated");
    note_forget(p->k, c->id);
    run_ended(p, c, &end);
    c->end_unread = false;
}

static void kill_step(struct pod_run *p, struct container_run *c)
{
    int64_t now = kubelet_mono(p->k);
    if (c->lost_at && now >= c->lost_at + LOST_MS) {
        lost(p, c);
        return;
    }
    if (c->lost_at)
        pod_wake_at(p, c->lost_at + LOST_MS);
    if (c->kill == KILL_HOOK && now >= c->kill_at)
        term(p, c);
    if (c->kill == KILL_HOOK)
        pod_wake_at(p, c->kill_at);
    if (c->kill != KILL_TERM)
        return;
    int64_t at = c->kill_at > c->term_at + TERM_MIN_MS ? c->kill_at : c->term_at + TERM_MIN_MS;
    if (now < at) {
        pod_wake_at(p, at);
        return;
    }
    c->kill = KILL_KILL;
    send_signal(p, c, SIGKILL);
}

void kills_step(struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].state == CONTAINER_RUNNING && p->containers[i].kill != KILL_NONE)
            kill_step(p, &p->containers[i]);
}

void kill_take(struct pod_run *p, struct container_run *c, const struct action *a)
{
    if (c->state != CONTAINER_RUNNING)
        return;
    if (a->kind == ACTION_SIGNAL && a->outcome == ACTION_FAILED && !c->lost_at)
        c->lost_at = kubelet_mono(p->k);
    if (a->kind == ACTION_SIGNAL && a->outcome == ACTION_ERRORED && c->kill == KILL_KILL) { /* not sent: once more */
        c->kill = KILL_TERM;
        c->term_at = kubelet_mono(p->k);
    }
    if (a->kind != ACTION_PRE_STOP)
        return;
    if (a->outcome != ACTION_OK)
        kubelet_event(p->k, p, c->name, EVENT_WARNING, "FailedPreStopHook", "PreStopHook failed");
    if (c->kill == KILL_HOOK)
        term(p, c);
}

/* "Exec lifecycle hook ([sh -c x]) for Container "c" in Pod "p_ns(uid)" failed - error: …, message: "…"". Returns new.
 */
static char *hook_text(const struct pod_run *p, const struct container_run *c, const struct action *a)
{
    const char *kind = json_object_get(a->handler, "exec")      ? "Exec"
                       : json_object_get(a->handler, "httpGet") ? "HTTP"
                                                                : "Sleep";
    _auto_free_ char *words = strlist_join(&a->argv, " ");
    _auto_free_ char *what = a->argv.len ? xasprintf("[%s]", words) : xstrdup(jstr_or(a->handler, "httpGet.path", ""));
    return xasprintf(
        "%s lifecycle hook (%s) for Container \"%s\" in Pod \"%s_%s(%s)\" failed - error: %s, message: \"%s\"", kind,
        what, c->name, p->name, p->ns, p->uid, a->error ? a->error : "", a->text ? a->text : "");
}

void kill_hook_failed(struct pod_run *p, struct container_run *c, const struct action *a)
{
    kubelet_event(p->k, p, c->name, EVENT_WARNING, "FailedPostStartHook", "PostStartHook failed");
    kubelet_event(p->k, p, c->name, EVENT_NORMAL, "Killing", "FailedPostStartHook");
    free(c->message);
    c->message = hook_text(p, c, a);
    snprintf(c->reason, sizeof c->reason, "PostStartHookError");
    c->failed_start = true;
    container_kill(p, c, jint(pod_tree(p), "spec.terminationGracePeriodSeconds", 30));
}

/* -- the whole pod -- */

static int64_t pod_grace(const struct pod_run *p)
{
    if (p->gone)
        return GONE_GRACE_S;
    if (p->evicted)
        return 1;
    int64_t grace = jint(pod_tree(p), "spec.terminationGracePeriodSeconds", 30);
    if (jat(pod_tree(p), "metadata.deletionTimestamp"))
        grace = jint(pod_tree(p), "metadata.deletionGracePeriodSeconds", grace);
    return grace < 1 ? 1 : grace > GRACE_MAX_S ? GRACE_MAX_S : grace;
}

/* Sidecars wait for everything that started after them. */
static bool may_stop(const struct pod_run *p, size_t at)
{
    if (p->containers[at].kind != CONTAINER_SIDECAR)
        return true;
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        bool after = c->kind == CONTAINER_REGULAR || (c->kind == CONTAINER_SIDECAR && i > at);
        if (i != at && after && c->state == CONTAINER_RUNNING)
            return false;
    }
    return true;
}

bool stop_step(struct pod_run *p)
{
    int64_t now = kubelet_mono(p->k), kill_at = now + pod_grace(p) * 1000;
    bool runs = false;
    /* A second delete, or a forced one, can only shorten it. */
    if (!p->kill_at || kill_at < p->kill_at)
        p->kill_at = kill_at;
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        if (c->state != CONTAINER_RUNNING)
            continue;
        runs = true;
        if (c->kill == KILL_NONE && (may_stop(p, i) || now >= p->kill_at)) {
            kubelet_event(p->k, p, c->name, EVENT_NORMAL, "Killing", "Stopping container %s", c->name);
            container_kill(p, c, (p->kill_at - now + 999) / 1000);
        }
        if (c->kill != KILL_NONE && p->kill_at < c->kill_at)
            c->kill_at = p->kill_at;
    }
    kills_step(p);
    if (runs)
        pod_wake_at(p, p->kill_at > now ? p->kill_at : now + 1000);
    return !runs;
}

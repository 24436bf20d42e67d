/* status.c - what is known of a pod, as its status object.
 *
 * DESIGN: the whole status is computed anew from the pod_run and compared with the stored one; it is written only if it
 * differs, so a step may ask for it as often as it likes. A pod does not become Succeeded or Failed while one of its
 * containers still runs. Conditions are in conditions.c.
 *
 * THREADS: the loop thread. Source: pkg/kubelet/kubelet_pods.go generateAPIPodStatus, getPhase,
 * convertToAPIContainerStatuses; status/status_manager.go mergePodStatus, TerminatePod. */
#include "kubeletsim/volumes_int.h"

#include "api/json_scan.h"

#include <stdio.h>
#include <string.h>

static void set_time(json_t *obj, const char *key, int64_t ns)
{
    char text[TIME_TEXT_LEN];
    time_format(ns < 0 ? 0 : ns, text);
    json_object_set_new(obj, key, json_string(text));
}

/* Text that a container or the machine wrote: it need not be UTF-8. */
static void set_text(json_t *obj, const char *key, const char *text)
{
    if (text)
        json_object_set_new(obj, key, json_string_clean(text, strlen(text)));
}

/* -- one container -- */

static json_t *terminated_of(const struct container_end *end)
{
    json_t *t = json_object();
    jset_int(t, "exitCode", end->exit_code);
    jset_str(t, "reason", end->reason);
    set_text(t, "message", end->message);
    set_time(t, "startedAt", end->started);
    set_time(t, "finishedAt", end->finished);
    if (end->id[0]) {
        _auto_free_ char *id = xasprintf(ID_PREFIX "%s", end->id);
        jset_str(t, "containerID", id);
    }
    return json_pack("{s:o}", "terminated", t);
}

static void duration_text(int64_t ms, char out[24])
{
    int64_t s = ms / 1000;
    if (s < 60)
        snprintf(out, 24, "%ds", (int)s);
    else
        snprintf(out, 24, "%dm%ds", (int)(s / 60), (int)(s % 60));
}

static json_t *backing_off(const struct pod_run *p, const struct container_run *c)
{
    char wait[24];
    duration_text(c->backoff_ms, wait);
    _auto_free_ char *text =
        xasprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", wait, c->name, p->name, p->ns, p->uid);
    return json_pack("{s:{s:s, s:s}}", "waiting", "message", text, "reason", "CrashLoopBackOff");
}

static json_t *waiting_of(const struct container_run *c)
{
    json_t *w = json_object();
    set_text(w, "message", c->message);
    jset_str(w, "reason", c->reason);
    return json_pack("{s:o}", "waiting", w);
}

/* An ended container shows how it ended, unless it waits for its next start and says so. */
static bool shows_end(const struct container_run *c)
{
    return c->state == CONTAINER_EXITED && !c->announced_at && !c->failed_start;
}

static json_t *state_of(const struct pod_run *p, const struct container_run *c)
{
    if (c->state == CONTAINER_RUNNING && !c->hook_runs) {
        json_t *r = json_object();
        set_time(r, "startedAt", c->started);
        return json_pack("{s:o}", "running", r);
    }
    if (shows_end(c) || container_done(p, c))
        return terminated_of(&c->end);
    if (c->state == CONTAINER_EXITED && c->announced_at)
        return backing_off(p, c);
    return waiting_of(c);
}

static json_t *last_state_of(const struct pod_run *p, const struct container_run *c)
{
    if (c->state == CONTAINER_EXITED && !shows_end(c) && !container_done(p, c))
        return terminated_of(&c->end);
    return c->last.set ? terminated_of(&c->last) : json_object();
}

static void add_mounts(const struct pod_run *p, json_t *status, const json_t *spec)
{
    size_t i;
    const json_t *m;
    json_t *list = json_array();
    json_array_foreach(json_object_get(spec, "volumeMounts"), i, m)
    {
        const struct volume_run *v = volume_by_name(p, jstr_or(m, "name", ""));
        json_t *entry =
            json_pack("{s:s, s:s}", "mountPath", jstr_or(m, "mountPath", ""), "name", jstr_or(m, "name", ""));
        if (jbool(m, "readOnly", false) || (v && v->read_only)) {
            jset_bool(entry, "readOnly", true);
            jset_str(entry, "recursiveReadOnly", "Disabled");
        }
        json_array_append_new(list, entry);
    }
    if (json_array_size(list) > 0)
        jset(status, "volumeMounts", list);
    else
        json_decref(list);
}

/* A container that never came to be although its pod did: as the kubelet says when the pod is over. */
static json_t *unknown_end(void)
{
    return json_pack("{s:{s:i, s:n, s:s, s:s, s:n}}", "terminated", "exitCode", 137, "finishedAt", "message",
                     "The container could not be located when the pod was terminated", "reason",
                     "ContainerStatusUnknown", "startedAt");
}

static json_t *container_status(const struct pod_run *p, const struct container_run *c)
{
    json_t *s = json_object();
    if (c->id[0]) {
        _auto_free_ char *id = xasprintf(ID_PREFIX "%s", c->id);
        jset_str(s, "containerID", id);
    }
    bool over = p->stage >= POD_CLEAN && c->state == CONTAINER_WAITING && c->kind == CONTAINER_REGULAR;
    jset_str(s, "image", c->id[0] && c->image ? c->image : jstr_or(c->spec, "image", ""));
    jset_str(s, "imageID", c->id[0] && c->image_id ? c->image_id : "");
    jset(s, "lastState", last_state_of(p, c));
    jset_str(s, "name", c->name);
    jset_bool(s, "ready", container_is_ready(c));
    /* One whose image cannot be had has not been started again. */
    jset_int(s, "restartCount", c->restarts - (c->state == CONTAINER_WAITING && c->last.set));
    if (c->kind != CONTAINER_EPHEMERAL)
        jset_bool(s, "started", container_is_started(c));
    jset(s, "state", over && pod_initialized(p) ? unknown_end() : state_of(p, c));
    add_mounts(p, s, c->spec);
    return s;
}

static bool in_list(const struct container_run *c, int list)
{
    return container_is_init(c) ? list == CONTAINER_INIT : c->kind == list;
}

/* Init containers in the spec's order, the others by name. */
static void add_statuses(const struct pod_run *p, json_t *status, const char *key, int kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        if (!in_list(c, kind))
            continue;
        size_t at = json_array_size(list);
        while (kind != CONTAINER_INIT && at > 0 &&
               strcmp(jstr_or(json_array_get(list, at - 1), "name", ""), c->name) > 0)
            at--;
        json_array_insert_new(list, at, container_status(p, c));
    }
    if (json_array_size(list) > 0)
        jset(status, key, list);
    else
        json_decref(list);
}

/* -- the pod's phase -- */

struct tally {
    size_t pending_init, failed_init, waiting, running, stopped, failed;
};

static struct tally tally_of(const struct pod_run *p)
{
    struct tally t = {0};
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        bool ended = c->state == CONTAINER_EXITED;
        if (c->kind == CONTAINER_INIT) {
            t.failed_init += ended && c->end.exit_code != 0;
            t.pending_init += !ended || c->end.exit_code != 0;
        } else if (c->kind == CONTAINER_SIDECAR) {
            t.pending_init += !container_is_started(c) && !ended;
        } else if (c->kind == CONTAINER_REGULAR && c->state == CONTAINER_RUNNING) {
            t.running++;
        } else if (c->kind == CONTAINER_REGULAR && (ended || c->last.set)) {
            t.stopped++;
            t.failed += ended && c->end.exit_code != 0;
        } else if (c->kind == CONTAINER_REGULAR) {
            t.waiting++;
        }
    }
    return t;
}

/* Has everything that ended, ended for good? */
static bool all_done(const struct pod_run *p)
{
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        if (c->kind == CONTAINER_REGULAR && (c->state != CONTAINER_EXITED || container_restarts(p, c)))
            return false;
    }
    return true;
}

const char *status_phase(const struct pod_run *p)
{
    const char *stored = jstr_or(pod_tree(p), "status.phase", "Pending");
    const char *policy = jstr_or(pod_tree(p), "spec.restartPolicy", "Always");
    struct tally t = tally_of(p);
    if (str_eq(stored, "Succeeded"))
        return "Succeeded";
    if (str_eq(stored, "Failed") || p->fail_reason)
        return "Failed";
    if (t.failed_init > 0 && (str_eq(policy, "Never") || p->stage >= POD_STOP) && !pod_initialized(p))
        return "Failed";
    if ((t.pending_init > 0 && !pod_initialized(p)) || t.waiting > 0)
        return p->stage >= POD_CLEAN ? "Failed" : "Pending"; /* it will never run */
    if (t.running > 0 || !all_done(p))
        return "Running";
    return t.failed > 0 ? "Failed" : "Succeeded";
}

/* What is written: a pod is not over before its last container is. */
static const char *shown_phase(const struct pod_run *p, const json_t *pod)
{
    const char *phase = status_phase(p);
    if (!str_eq(phase, "Succeeded") && !str_eq(phase, "Failed"))
        return phase;
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].state == CONTAINER_RUNNING)
            return str_eq(jstr(pod, "status.phase"), "Running") ? "Running" : "Pending";
    return phase;
}

/* -- writing -- */

static void fill(const struct pod_run *p, const json_t *pod, json_t *s)
{
    const struct node_run *n = &p->k->nodes[p->node];
    const char *phase = shown_phase(p, pod);
    if (p->rejected) { /* nothing but that */
        json_object_del(s, "conditions");
        jset_str(s, "phase", "Failed");
        jset_str(s, "reason", p->fail_reason);
        jset_str(s, "message", p->fail_message);
        set_time(s, "startTime", p->start_time);
        return;
    }
    jset(s, "conditions", conditions_of(p, pod, phase));
    add_statuses(p, s, "containerStatuses", CONTAINER_REGULAR);
    add_statuses(p, s, "initContainerStatuses", CONTAINER_INIT);
    add_statuses(p, s, "ephemeralContainerStatuses", CONTAINER_EPHEMERAL);
    jset_str(s, "hostIP", n->ip);
    jset(s, "hostIPs", json_pack("[{s:s}]", "ip", n->ip));
    jset_str(s, "phase", phase);
    if (p->fail_reason && str_eq(phase, "Failed")) {
        jset_str(s, "reason", p->fail_reason);
        jset_str(s, "message", p->fail_message);
    }
    if (p->ip[0] && p->sandbox) {
        jset_str(s, "podIP", p->ip);
        jset(s, "podIPs", json_pack("[{s:s}]", "ip", p->ip));
    }
    if (!jstr(s, "startTime"))
        set_time(s, "startTime", p->start_time);
}

static int edit_status(json_t *obj, void *arg, struct err *e _unused_)
{
    const struct pod_run *p = arg;
    if (!str_eq(pod_uid(obj), p->uid))
        return 0;
    _auto_json_ json_t *before = json_deep_copy(json_object_get(obj, "status"));
    fill(p, obj, jmake_obj(obj, "status"));
    return json_equal(before, json_object_get(obj, "status")) ? 0 : 1;
}

void status_write(struct pod_run *p)
{
    struct err e = ERR_INIT;
    if (p->gone)
        return;
    reg_modify(p->k->conf.registry, USER_AGENT, RES.pods, p->ns, p->name, "status", edit_status, p, &e);
    logs_wake(p->k, p->ns, p->name);
}

/* status.c - what is known of a pod, as its status object.
 *
 * DESIGN: the whole status is computed anew from the pod_run and compared with the stored one; it is written only if it
 * differs, so a step may ask for it as often as it likes. Conditions that others own (PodScheduled, readiness gates)
 * are kept. Source: pkg/kubelet/kubelet_pods.go generateAPIPodStatus, getPhase, convertToAPIContainerStatuses;
 * status/generate.go. */
#include "kubeletsim/kubelet_int.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

static void set_time(json_t *obj, const char *key, int64_t ns)
{
    char text[TIME_TEXT_LEN];
    time_format(ns < 0 ? 0 : ns, text);
    json_object_set_new(obj, key, json_string(text));
}

/* -- one container -- */

static json_t *terminated_of(const struct container_end *end)
{
    json_t *t = json_object();
    jset_int(t, "exitCode", end->exit_code);
    jset_str(t, "reason", end->reason);
    if (end->message)
        jset_str(t, "message", end->message);
    set_time(t, "startedAt", end->started);
    set_time(t, "finishedAt", end->finished);
    if (end->id[0]) {
        _auto_free_ char *id = xasprintf("containerd://%s", end->id);
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

static json_t *waiting_of(const struct pod_run *p, const struct container_run *c)
{
    json_t *w = json_object();
    if (c->state == CONTAINER_EXITED) {
        char wait[24];
        duration_text(c->backoff_ms, wait);
        _auto_free_ char *text = xasprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", wait, c->name,
                                           p->name, p->ns, p->uid);
        jset_str(w, "message", text);
        jset_str(w, "reason", "CrashLoopBackOff");
    } else {
        if (c->message)
            jset_str(w, "message", c->message);
        jset_str(w, "reason", c->reason);
    }
    return json_pack("{s:o}", "waiting", w);
}

static json_t *state_of(const struct pod_run *p, const struct container_run *c)
{
    if (c->state == CONTAINER_RUNNING) {
        json_t *r = json_object();
        set_time(r, "startedAt", c->started);
        return json_pack("{s:o}", "running", r);
    }
    if (c->state == CONTAINER_EXITED && !c->announced_backoff)
        return terminated_of(&c->end);
    return waiting_of(p, c);
}

static json_t *last_state_of(const struct container_run *c)
{
    if (c->state == CONTAINER_EXITED && c->announced_backoff)
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

static bool is_started(const struct container_run *c)
{
    return c->state == CONTAINER_RUNNING;
}

static bool is_ready(const struct container_run *c)
{
    if (c->init && !c->sidecar)
        return c->state == CONTAINER_EXITED && c->end.exit_code == 0;
    return c->state == CONTAINER_RUNNING;
}

static json_t *container_status(const struct pod_run *p, const struct container_run *c)
{
    const json_t *spec = container_spec_of(p, c);
    json_t *s = json_object();
    if (c->id[0]) {
        _auto_free_ char *id = xasprintf("containerd://%s", c->id);
        jset_str(s, "containerID", id);
    }
    jset_str(s, "image", c->id[0] && c->image ? c->image : jstr_or(spec, "image", ""));
    jset_str(s, "imageID", c->id[0] && c->image_id ? c->image_id : "");
    jset(s, "lastState", last_state_of(c));
    jset_str(s, "name", c->name);
    jset_bool(s, "ready", is_ready(c));
    jset_int(s, "restartCount", c->restarts);
    jset_bool(s, "started", is_started(c));
    jset(s, "state", state_of(p, c));
    add_mounts(p, s, spec);
    return s;
}

static json_t *container_statuses(const struct pod_run *p, bool init)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        if (c->init != init)
            continue;
        json_t *s = container_status(p, c);
        size_t at = json_array_size(list);
        while (!init && at > 0 && strcmp(jstr_or(json_array_get(list, at - 1), "name", ""), c->name) > 0)
            at--;
        json_array_insert_new(list, at, s);
    }
    return list;
}

/* -- the pod's phase -- */

const char *status_phase(const struct pod_run *p)
{
    static const char *const kept[] = {"Succeeded", "Failed"};
    const char *stored = jstr_or(pod_tree(p), "status.phase", "Pending");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (str_eq(stored, kept[i]))
            return kept[i];
    bool stopping = p->stage >= POD_STOP;
    size_t waiting = 0, running = 0, failed = 0, done = 0;
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        bool ended = container_done(p, c) || (stopping && c->state == CONTAINER_EXITED);
        if (c->init && !c->sidecar) {
            if (ended && c->end.exit_code != 0)
                return "Failed";
            if (!ended)
                return "Pending";
            continue;
        }
        if (c->init)
            continue;
        if (ended) {
            done++;
            failed += c->end.exit_code != 0;
        } else if (c->state == CONTAINER_RUNNING || c->state == CONTAINER_EXITED || c->last.set) {
            running++;
        } else {
            waiting++;
        }
    }
    if (waiting > 0)
        return "Pending";
    if (running > 0)
        return "Running";
    return done == 0 ? "Pending" : failed ? "Failed" : "Succeeded";
}

/* -- conditions -- */

static const json_t *condition_find(const json_t *pod, const char *type)
{
    size_t i;
    const json_t *c;
    json_array_foreach(jat(pod, "status.conditions"), i, c)
    {
        if (str_eq(jstr(c, "type"), type))
            return c;
    }
    return NULL;
}

struct condition {
    const char *type;
    bool value;
    const char *reason;  /* or NULL */
    const char *message; /* or NULL */
};

static void add_condition(const struct pod_run *p, json_t *list, const json_t *pod, const struct condition *c)
{
    const json_t *old = condition_find(pod, c->type);
    const char *status = c->value ? "True" : "False";
    const char *since = old && str_eq(jstr(old, "status"), status) ? jstr(old, "lastTransitionTime") : NULL;
    json_t *out = json_object();
    jset(out, "lastProbeTime", json_null());
    if (since)
        jset_str(out, "lastTransitionTime", since);
    else
        set_time(out, "lastTransitionTime", kubelet_now(p->k));
    if (c->message)
        jset_str(out, "message", c->message);
    if (c->reason)
        jset_str(out, "reason", c->reason);
    jset_str(out, "status", status);
    jset_str(out, "type", c->type);
    json_array_append_new(list, out);
}

/* "containers with unready status: [a b]"; false if all are fine. */
static bool name_lacking(const struct pod_run *p, bool init, const char *what, struct buf *out)
{
    bool any = false;
    buf_addf(out, "containers with %s status: [", what);
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        bool counts = init ? c->init : !c->init || c->sidecar;
        bool fine = init && c->sidecar ? is_started(c) : is_ready(c);
        if (!counts || fine)
            continue;
        buf_addf(out, "%s%s", any ? " " : "", c->name);
        any = true;
    }
    buf_addc(out, ']');
    return any;
}

static const char *const own_conditions[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
                                             "PodScheduled"};

static bool is_own(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(own_conditions); i++)
        if (str_eq(own_conditions[i], type))
            return true;
    return false;
}

static json_t *conditions_of(const struct pod_run *p, const json_t *pod, const char *phase)
{
    json_t *list = json_array();
    size_t i;
    json_t *old;
    json_array_foreach(jat(pod, "status.conditions"), i, old)
    {
        if (!is_own(jstr(old, "type")))
            json_array_append(list, old);
    }
    _auto_buf_ struct buf init = BUF_INIT;
    _auto_buf_ struct buf unready = BUF_INIT;
    bool succeeded = str_eq(phase, "Succeeded"), failed = str_eq(phase, "Failed");
    bool lacking_init = name_lacking(p, true, "incomplete", &init);
    bool lacking = name_lacking(p, false, "unready", &unready);
    const char *over = succeeded ? "PodCompleted" : failed ? "PodFailed" : NULL;
    struct condition ready = {"Ready", !lacking && !over, over, NULL};
    if (lacking && !over) {
        ready.reason = "ContainersNotReady";
        ready.message = buf_str(&unready);
    }
    struct condition containers = ready;
    containers.type = "ContainersReady";
    struct condition initialized = {"Initialized", succeeded || !lacking_init, succeeded ? "PodCompleted" : NULL, NULL};
    if (!initialized.value) {
        initialized.reason = "ContainersNotInitialized";
        initialized.message = buf_str(&init);
    }
    const struct condition rows[] = {
        {"PodReadyToStartContainers", p->sandbox, NULL, NULL},
        initialized,
        ready,
        containers,
        {"PodScheduled", true, NULL, NULL},
    };
    for (size_t r = 0; r < ARRAY_LEN(rows); r++)
        add_condition(p, list, pod, &rows[r]);
    return list;
}

/* -- writing -- */

static void fill(const struct pod_run *p, const json_t *pod, json_t *s)
{
    const char *phase = status_phase(p);
    jset(s, "conditions", conditions_of(p, pod, phase));
    jset(s, "containerStatuses", container_statuses(p, false));
    jset_str(s, "hostIP", p->k->nodes[p->node].ip);
    jset(s, "hostIPs", json_pack("[{s:s}]", "ip", p->k->nodes[p->node].ip));
    if (p->init_count > 0)
        jset(s, "initContainerStatuses", container_statuses(p, true));
    jset_str(s, "phase", phase);
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
    if (!str_eq(jstr(obj, "metadata.uid"), p->uid))
        return 0;
    _auto_json_ json_t *before = json_deep_copy(json_object_get(obj, "status"));
    fill(p, obj, jmake_obj(obj, "status"));
    return json_equal(before, json_object_get(obj, "status")) ? 0 : 1;
}

void status_write(struct pod_run *p)
{
    struct err e = ERR_INIT;
    if (!p->gone)
        reg_modify(p->k->conf.registry, USER_AGENT, RES.pods, p->ns, p->name, "status", edit_status, p, &e);
}

/* -- adoption -- */

static void restore_container(struct container_run *c, const json_t *s, int64_t now)
{
    const char *id = jstr_or(s, "containerID", "");
    c->restarts = (int)jint(s, "restartCount", 0);
    if (!*id)
        return;
    const json_t *ended = jat(s, "state.terminated");
    if (!ended)
        ended = jat(s, "state.waiting") ? jat(s, "lastState.terminated") : NULL;
    snprintf(c->id, sizeof c->id, "%s", str_starts(id, "containerd://") ? id + strlen("containerd://") : id);
    c->image = xstrdup(jstr_or(s, "image", ""));
    c->image_id = xstrdup(jstr_or(s, "imageID", ""));
    c->state = CONTAINER_EXITED;
    c->end = (struct container_end){.set = true, .exit_code = 255, .started = now, .finished = now};
    snprintf(c->end.id, sizeof c->end.id, "%s", c->id);
    snprintf(c->end.reason, sizeof c->end.reason, "%s", ended ? jstr_or(ended, "reason", "Error") : "Unknown");
    time_parse(jstr(ended ? ended : jat(s, "state.running"), "startedAt"), &c->end.started);
    if (ended) {
        c->end.exit_code = (int)jint(ended, "exitCode", 255);
        time_parse(jstr(ended, "finishedAt"), &c->end.finished);
    }
}

void status_restore(struct pod_run *p)
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
    time_parse(jstr(pod_tree(p), "status.startTime"), &p->start_time);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        const json_t *s;
        json_array_foreach(jat(pod_tree(p), lists[l]), i, s)
        {
            for (size_t c = 0; c < p->container_count; c++)
                if (str_eq(p->containers[c].name, jstr(s, "name")))
                    restore_container(&p->containers[c], s, kubelet_now(p->k));
        }
    }
    for (size_t c = 0; c < p->container_count; c++)
        p->restarted_node = p->restarted_node || p->containers[c].id[0];
}

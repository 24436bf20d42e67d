/* adopt.c - pods of an earlier life of the kubelet.
 *
 * DESIGN: a restart of the cluster process is a reboot of its nodes: no process is left, disks are. What the stored
 * status says becomes the pod's past: containers that ran have ended (255, Unknown, as a runtime says after a reboot),
 * counts go on, ends that were shown stay. The state machine then does what it does for any pod: mounts, a new sandbox,
 * and containers by the restart policy; init containers run again, because everything they prepared may be gone.
 *
 * THREADS: the loop thread, before the pod is in the table. Source: kuberuntime_manager.go computePodActions
 * (createPodSandbox). */
#include "kubeletsim/pod_int.h"

#include <stdio.h>
#include <string.h>

static void read_end(const json_t *t, struct container_end *out)
{
    const char *id = jstr_or(t, "containerID", "");
    *out = (struct container_end){.set = true, .exit_code = (int)jint(t, "exitCode", 255)};
    snprintf(out->reason, sizeof out->reason, "%s", jstr_or(t, "reason", "Error"));
    snprintf(out->id, sizeof out->id, "%s", str_starts(id, ID_PREFIX) ? id + strlen(ID_PREFIX) : "");
    if (jstr(t, "message"))
        out->message = xstrdup(jstr(t, "message"));
    time_parse(jstr_or(t, "startedAt", ""), &out->started);
    time_parse(jstr_or(t, "finishedAt", ""), &out->finished);
}

/* It ran until the node went down. */
static void lost_end(const struct container_run *c, const json_t *running, int64_t now, struct container_end *out)
{
    *out = (struct container_end){.set = true, .exit_code = 255, .started = now, .finished = now, .reason = "Unknown"};
    snprintf(out->id, sizeof out->id, "%s", c->id);
    time_parse(jstr_or(running, "startedAt", ""), &out->started);
}

static void adopt_container(struct pod_run *p, struct container_run *c, const json_t *s)
{
    const char *id = jstr_or(s, "containerID", "");
    const json_t *ended = jat(s, "state.terminated"), *before = jat(s, "lastState.terminated");
    c->restarts = (int)jint(s, "restartCount", 0);
    if (!str_starts(id, ID_PREFIX))
        return;
    p->adopted = true;
    snprintf(c->id, sizeof c->id, "%s", id + strlen(ID_PREFIX));
    c->image = xstrdup(jstr_or(s, "image", ""));
    c->image_id = xstrdup(jstr_or(s, "imageID", ""));
    c->state = CONTAINER_EXITED;
    if (!ended && !jat(s, "state.running") && before) { /* it waits for its restart */
        read_end(before, &c->end);
        return;
    }
    if (ended)
        read_end(ended, &c->end);
    else
        lost_end(c, jat(s, "state.running"), kubelet_now(p->k), &c->end);
    if (before)
        read_end(before, &c->last);
}

/* They run again, unless the pod has nothing to restart. */
static void repeat_init(struct pod_run *p)
{
    if (str_eq(jstr(pod_tree(p), "spec.restartPolicy"), "Never"))
        return;
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].kind == CONTAINER_INIT && p->containers[i].state == CONTAINER_EXITED)
            container_prepare_restart(p, &p->containers[i]);
}

void pod_adopt(struct pod_run *p)
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses",
                                        "status.ephemeralContainerStatuses"};
    const char *phase = jstr_or(pod_tree(p), "status.phase", "");
    time_parse(jstr_or(pod_tree(p), "status.startTime", ""), &p->start_time);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        const json_t *s;
        json_array_foreach(jat(pod_tree(p), lists[l]), i, s)
        {
            struct container_run *c = container_by_name(p, jstr_or(s, "name", ""));
            if (c)
                adopt_container(p, c, s);
        }
    }
    if (p->adopted && !str_eq(phase, "Succeeded") && !str_eq(phase, "Failed"))
        repeat_init(p);
}

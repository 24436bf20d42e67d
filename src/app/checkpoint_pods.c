/* checkpoint_pods.c - pods that ran when a checkpoint was saved, as they are put back.
 *
 * DESIGN: processes are in no checkpoint. A pod that ran is put back as one whose node has just got it: its containers
 * wait, and the kubelet starts them as for the first time. Restarts and earlier ends stay on record; what ended for
 * good (a job's container, init containers of a pod that never restarts) stays ended. Were the stored status left as it
 * was, the kubelet would take it for the past of a rebooted node: containers lost, one restart more, and a pod that
 * never restarts would have failed by being restored. */
#include "app/checkpoint_int.h"

#include "control/objects.h"

static const char *const lists[] = {"initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"};

/* Its end counts: it would not be started again. */
static bool stays_ended(const json_t *pod, const json_t *status)
{
    const char *policy = jstr_or(pod, "spec.restartPolicy", "Always");
    const json_t *end = jat(status, "state.terminated");
    return end && (str_eq(policy, "Never") || (str_eq(policy, "OnFailure") && jint(end, "exitCode", 1) == 0));
}

static json_t *container_unstarted(const json_t *status, bool after_init)
{
    json_t *out = json_deep_copy(status);
    json_object_del(out, "containerID");
    json_object_del(out, "resources");
    json_object_del(out, "volumeMounts");
    jset_str(out, "imageID", "");
    jset_bool(out, "ready", false);
    jset_bool(out, "started", false);
    jset(out, "state",
         json_pack("{s:{s:s}}", "waiting", "reason", after_init ? "PodInitializing" : "ContainerCreating"));
    return out;
}

static void conditions_unready(json_t *pod)
{
    size_t i;
    json_t *condition;
    json_array_foreach(jat(pod, "status.conditions"), i, condition)
    {
        const char *type = jstr_or(condition, "type", "");
        if (!str_eq(type, "Ready") && !str_eq(type, "ContainersReady"))
            continue;
        jset_str(condition, "status", "False");
        jset_str(condition, "reason", "ContainersNotReady");
    }
}

json_t *pod_unstarted(const json_t *pod)
{
    size_t i;
    const json_t *status;
    if (pod_terminal(pod))
        return NULL;
    const bool has_init = json_array_size(jat(pod, "spec.initContainers")) > 0;
    json_t *out = json_deep_copy(pod);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        json_t *fresh = json_array(), *now = json_object_get(json_object_get(pod, "status"), lists[l]);
        json_array_foreach(now, i, status)
        {
            json_array_append_new(fresh, stays_ended(pod, status) ? json_deep_copy(status)
                                                                  : container_unstarted(status, has_init));
        }
        if (now)
            json_object_set(json_object_get(out, "status"), lists[l], fresh);
        json_decref(fresh);
    }
    jset_str(out, "status.phase", "Pending");
    jdel(out, "status.podIP");
    jdel(out, "status.podIPs");
    conditions_unready(out);
    return out;
}

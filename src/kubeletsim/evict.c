/* evict.c - one pod that its node does not keep: evicted while it runs, or not taken in the first place.
 *
 * DESIGN: both end in the same state: phase Failed with a reason and a message, the object stays until somebody deletes
 * it. An evicted pod has one second to end, whatever its own grace says. Its volumes are torn down when its containers
 * are gone (worker.c), which is what makes room.
 *
 * THREADS: the loop thread. Source: pkg/kubelet/eviction/eviction_manager.go evictPod, pod_workers.go,
 * kubelet.go rejectPod. */
#include "kubeletsim/eviction_int.h"

#include <stdlib.h>

static void end_pod(struct pod_run *p, const char *reason, char *take_message)
{
    free(p->fail_text);
    p->fail_text = take_message;
    p->fail_message = p->fail_text;
    p->fail_reason = reason;
}

void pod_evict(struct pod_run *p, const char *message, const json_t *annotations)
{
    const struct event_source source = {.component = "kubelet", .host = pod_node(p), .annotations = annotations};
    p->evicted = true;
    p->starved = annotations != NULL;
    control_event(p->k->control, &source, pod_tree(p), "", EVENT_WARNING, "Evicted", "%s", message);
    end_pod(p, "Evicted", xstrdup(message));
    loop_enqueue(p->k->pods_loop, p->ns, p->name);
}

void pod_reject(struct pod_run *p, const char *reason, const char *message)
{
    p->evicted = p->rejected = true;
    kubelet_event(p->k, p, NULL, EVENT_WARNING, reason, "%s", message);
    end_pod(p, reason, xasprintf("Pod was rejected: %s", message));
}

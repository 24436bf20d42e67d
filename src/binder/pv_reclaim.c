/* pv_reclaim.c - what is done with a volume whose claim is gone: nothing, deletion below /tmp, or the recycler pod.
 *
 * The decision is volume/reclaim.c's; volumes of provisioners are left to provisioner.c. The recycler is an ordinary
 * pod that empties the directory; its end brings the volume back here. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define RETRY_MIN 500
#define RETRY_MAX 122000

/* -- hostPath below /tmp -- */

struct wipe {
    struct machine *machine;
    struct objlist nodes;
    struct sobj *pv; /* owned */
};

static void wipe_work(void *arg)
{
    struct wipe *w = arg;
    for (size_t i = 0; i < w->nodes.len; i++) {
        struct err e = ERR_INIT; /* a node that is down keeps its directory, as a real one would */
        w->machine->ops->remove_all(w->machine, w->nodes.items[i]->name, jstr_or(w->pv->tree, "spec.hostPath.path", ""),
                                    &e);
    }
}

static void wipe_done(struct loop *l, void *arg)
{
    struct wipe *w = arg;
    struct err e = ERR_INIT;
    if (remove_object(l, WHO, RES.persistentvolumes, w->pv->tree, &e) < 0)
        loop_enqueue_after(l, "", w->pv->name, 1000);
    objlist_release(&w->nodes);
    sobj_unref(w->pv);
    free(w);
}

static int delete_path(struct loop *l, const json_t *pv)
{
    if (obj_deleting(pv))
        return 0;
    struct wipe *w = xcalloc(1, sizeof *w);
    const struct binder_env *env = loop_env(l);
    w->machine = env->machine;
    w->pv = read_pv(l, obj_name(pv));
    objlist_load(&w->nodes, loop_registry(l), RES.nodes->bucket, NULL);
    if (!w->pv) {
        objlist_release(&w->nodes);
        free(w);
        return 0;
    }
    loop_offload(l, wipe_work, wipe_done, w);
    return 0;
}

/* -- recycling -- */

static json_t *recycler_pod(const json_t *pv, const char *name)
{
    static const char script[] =
        "test -e /scrub && find /scrub -mindepth 1 -delete && test -z \"$(ls -A /scrub)\" || exit 1";
    const json_t *path = jat(pv, "spec.hostPath");
    const int64_t bytes = pv_capacity(pv), one = INT64_C(1) << 30, gib = bytes / one + (bytes % one > 0);
    const int64_t least = path ? 60 : 300, most = INT32_MAX; /* seconds, half a minute a GiB; no pod may have more */
    const int64_t deadline = 30 * gib < least ? least : 30 * gib > most ? most : 30 * gib;
    json_t *volume = json_pack("{s:s}", "name", "vol");
    json_object_set_new(volume, path ? "hostPath" : "nfs", json_deep_copy(path ? path : jat(pv, "spec.nfs")));
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:I, s:s, s:[o], s:[{s:s, s:s, s:[s], s:[s, s], s:[{s:s, s:s}]}]}}",
                     "kind", "Pod", "apiVersion", "v1", "metadata", "name", name, "namespace", "default", "spec",
                     "activeDeadlineSeconds", (json_int_t)deadline, "restartPolicy", "Never", "volumes", volume,
                     "containers", "name", "pv-recycler", "image",
                     "registry.k8s.io/build-image/debian-base:bookworm-v1.0.6", "command", "/bin/sh", "args", "-c",
                     script, "volumeMounts", "name", "vol", "mountPath", "/scrub");
}

/* "ns/pod" of somebody who still uses the claim, or false. */
static bool find_user(struct loop *l, const json_t *pv, char *out, size_t size)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, loop_registry(l), RES.pods->bucket, jstr_or(pv, "spec.claimRef.namespace", ""));
    for (size_t i = 0; i < pods.len; i++) {
        if (pod_terminal(pods.trees[i]) || !pod_uses_claim(pods.trees[i], jstr_or(pv, "spec.claimRef.name", "")))
            continue;
        snprintf(out, size, "%s/%s", pods.items[i]->ns, pods.items[i]->name);
        return true;
    }
    return false;
}

/* A failed recycling is tried again, each time after a longer wait. */
static void note_end(struct loop *l, const json_t *pv, bool ok)
{
    struct binding *b = loop_state(l);
    (void)flight_begin(l, &b->recycling, obj_name(pv)); /* the pod may be older than this process */
    int64_t wait = flight_end(l, &b->recycling, obj_name(pv), ok, RETRY_MIN, RETRY_MAX);
    if (!ok)
        loop_enqueue_after(l, "", obj_name(pv), wait);
}

static int recycled(struct loop *l, const json_t *pv, const json_t *pod, struct err *e)
{
    bool ok = str_eq(jstr(pod, "status.phase"), "Succeeded");
    if (ok) {
        if (unbind_volume(l, pv, e) < 0)
            return -1;
        loop_event(l, pv, EVENT_NORMAL, "VolumeRecycled", "Volume recycled");
    } else {
        char text[1024];
        snprintf(text, sizeof text, "Recycle failed: failed to recycle volume: %s",
                 jstr_or(pod, "status.message", "pod failed, pod.Status.Message unknown"));
        if (put_pv_phase(l, pv, PV_FAILED, text, "VolumeFailedRecycle", e) < 0)
            return -1;
    }
    if (remove_object(l, WHO, RES.pods, pod, e) < 0)
        return -1;
    note_end(l, pv, ok);
    return 0;
}

static int start_recycling(struct loop *l, const json_t *pv, const char *pod_name, struct err *e)
{
    struct binding *b = loop_state(l);
    char user[512];
    if (find_user(l, pv, user, sizeof user)) {
        loop_event(l, pv, EVENT_NORMAL, "VolumeFailedRecycle", "Volume is used by pods: %s", user);
        return 0;
    }
    if (!flight_begin(l, &b->recycling, obj_name(pv)))
        return 0;
    if (reg_make(loop_registry(l), WHO, RES.pods, "default", recycler_pod(pv, pod_name), NULL, e) == 0)
        return 0;
    flight_end(l, &b->recycling, obj_name(pv), true, 0, 0); /* the loop's own back-off will do */
    return -1;
}

static int recycle(struct loop *l, const json_t *pv, struct err *e)
{
    _auto_free_ char *name = xasprintf("recycler-for-%s", obj_name(pv));
    _auto_sobj_ struct sobj *pod = reg_read(loop_registry(l), RES.pods, "default", name);
    if (!pod)
        return start_recycling(l, pv, name, e);
    if (obj_deleting(pod->tree))
        return 0;
    if (pod_terminal(pod->tree))
        return recycled(l, pv, pod->tree, e);
    if (jstr(pod->tree, "spec.nodeName"))
        loop_event(l, pv, EVENT_NORMAL, "RecyclerPod", "Recycler pod: Successfully assigned default/%s to %s", name,
                   jstr(pod->tree, "spec.nodeName"));
    return 0;
}

int reclaim_volume(struct loop *l, const json_t *pv, struct err *e)
{
    struct reclaim_plan plan = pv_reclaim(pv);
    switch (plan.what) {
    case RECLAIM_KEEP:
    case RECLAIM_EXTERNAL:
        return 0;
    case RECLAIM_DELETE_PATH:
        return delete_path(l, pv);
    case RECLAIM_RECYCLE:
        return recycle(l, pv, e);
    case RECLAIM_FAIL:
        return put_pv_phase(l, pv, PV_FAILED, plan.message, plan.reason, e);
    }
    return 0;
}

/* why.c - see why.h. A table of kinds; each reads what its explanation needs and lets the floor that decides explain.
 *
 * A pod's explanation is put together here, since a pod waits for everybody:
 *
 *     {"kind": "Pod", "namespace", "name", "phase", "node" or null, "verdict", "because", "waitsFor", "actor",
 * "changes", "scheduler": what scheduler/explain.h says (while it has no node), "claims": [what volume/explain.h says],
 *      "attachments": [{"volume", "node", "attached", "error"}], "volumes": [what why_volumes.h says, once it has a
 * node], "containers": [{"name", "reason", "message"}]}
 *
 * THREADS: any; reads only. How to add a kind: a row in `kinds`. */
#include "app/why.h"
#include "app/why_claim.h"
#include "app/why_volumes.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/objects.h"
#include "csi/driver.h"
#include "scheduler/explain.h"
#include "volume/explain.h"

#include <stdlib.h>
#include <string.h>

#define MAX_EVENTS 10

/* -- the cluster, read once -- */

struct scene {
    struct registry *registry;
    struct objlist pvs, claims, classes, pods;
    struct explain_world world;
};

static bool provisions(const char *provisioner)
{
    const struct csi_provisioner *p = csi_provisioner(provisioner);
    return p && p->driver;
}

static void scene_load(struct scene *s, struct registry *r)
{
    *s = (struct scene){.registry = r};
    objlist_load(&s->pvs, r, RES.persistentvolumes->bucket, NULL);
    objlist_load(&s->claims, r, RES.persistentvolumeclaims->bucket, NULL);
    objlist_load(&s->classes, r, RES.storageclasses->bucket, NULL);
    objlist_load(&s->pods, r, RES.pods->bucket, NULL);
    s->world = (struct explain_world){.pvs = {s->pvs.trees, s->pvs.len},
                                      .claims = {s->claims.trees, s->claims.len},
                                      .classes = {s->classes.trees, s->classes.len},
                                      .pods = {s->pods.trees, s->pods.len},
                                      .provisions = provisions};
}

static void scene_release(struct scene *s)
{
    objlist_release(&s->pvs);
    objlist_release(&s->claims);
    objlist_release(&s->classes);
    objlist_release(&s->pods);
}

/* -- events -- */

static const char *event_time(const json_t *event)
{
    const char *last = jstr(event, "lastTimestamp");
    const char *series = jstr(event, "series.lastObservedTime");
    return last ? last : (series ? series : jstr_or(event, "eventTime", ""));
}

static int oldest_first(const void *pa, const void *pb)
{
    const json_t *a = *(const json_t *const *)pa, *b = *(const json_t *const *)pb;
    return strcmp(event_time(a), event_time(b));
}

static json_t *events_of(struct registry *r, const json_t *obj)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, r, RES.events->bucket, *obj_ns(obj) ? obj_ns(obj) : "default");
    size_t n = 0; /* those about it are moved to the front */
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "involvedObject.uid"), obj_uid(obj)))
            all.trees[n++] = all.trees[i];
    if (n)
        qsort(all.trees, n, sizeof *all.trees, oldest_first);
    json_t *out = json_array();
    for (size_t i = n > MAX_EVENTS ? n - MAX_EVENTS : 0; i < n; i++) {
        const json_t *event = all.trees[i];
        int64_t count = jint(event, "series.count", jint(event, "count", 1));
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:I, s:s}", "type", jstr_or(event, "type", ""), "reason",
                                             jstr_or(event, "reason", ""), "message", jstr_or(event, "message", ""),
                                             "count", (json_int_t)(count > 0 ? count : 1), "time", event_time(event)));
    }
    return out;
}

/* -- claims -- */

static json_t *explain_told_claim(const struct scene *s, const json_t *claim)
{
    json_t *out = explain_claim(claim, &s->world);
    _auto_json_ json_t *events = events_of(s->registry, claim);
    _auto_sobj_ struct sobj *pv =
        reg_read(s->registry, RES.persistentvolumes, "", jstr_or(claim, "spec.volumeName", ""));
    why_claim(out, claim, pv ? pv->tree : NULL, events);
    return out;
}

/* -- pods -- */

struct pod_story {
    const json_t *pod;
    const char *node; /* "" if none */
    json_t *scheduler, *claims, *attachments, *volumes, *containers, *events;
    const char *verdict, *actor;
    struct buf because, waits;
    json_t *changes;
};

static json_t *claims_of(const struct scene *s, const json_t *pod)
{
    json_t *out = json_array();
    size_t i;
    json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        char name[512];
        pod_volume_claim(pod, volume, name, sizeof name);
        const struct sobj *claim = *name ? objlist_find(&s->claims, obj_ns(pod), name) : NULL;
        if (claim)
            json_array_append_new(out, explain_told_claim(s, claim->tree));
        else if (*name)
            json_array_append_new(out,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[], s:[]}", "kind",
                                            "PersistentVolumeClaim", "namespace", obj_ns(pod), "name", name, "verdict",
                                            "missing", "because", "There is no claim of that name.", "waitsFor",
                                            "the claim to be created", "actor", "user", "candidates", "changes"));
    }
    return out;
}

static bool is_volume_of(const json_t *claims, const char *pv)
{
    size_t i;
    const json_t *claim;
    json_array_foreach(claims, i, claim)
    {
        if (pv && str_eq(jstr(claim, "volume"), pv))
            return true;
    }
    return false;
}

static json_t *attachments_of(struct registry *r, const json_t *claims)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, r, RES.volumeattachments->bucket, NULL);
    json_t *out = json_array();
    for (size_t i = 0; i < all.len; i++) {
        const char *pv = jstr(all.trees[i], "spec.source.persistentVolumeName");
        if (is_volume_of(claims, pv))
            json_array_append_new(out, json_pack("{s:s, s:s, s:b, s:s}", "volume", pv, "node",
                                                 jstr_or(all.trees[i], "spec.nodeName", ""), "attached",
                                                 jbool(all.trees[i], "status.attached", false), "error",
                                                 jstr_or(all.trees[i], "status.attachError.message", "")));
    }
    return out;
}

/* Those that do not run, and why. */
static json_t *waiting_containers(const json_t *pod)
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
    json_t *out = json_array();
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        size_t i;
        const json_t *c;
        json_array_foreach(jat(pod, lists[k]), i, c)
        {
            const json_t *waiting = jat(c, "state.waiting");
            if (waiting)
                json_array_append_new(out, json_pack("{s:s, s:s, s:s}", "name", jstr_or(c, "name", ""), "reason",
                                                     jstr_or(waiting, "reason", ""), "message",
                                                     jstr_or(waiting, "message", "")));
        }
    }
    return out;
}

/* The first of its claims that is not in order, or NULL. */
static const json_t *claim_in_the_way(const struct pod_story *s)
{
    size_t i;
    const json_t *claim;
    json_array_foreach(s->claims, i, claim)
    {
        if (!str_eq(jstr(claim, "verdict"), "bound"))
            return claim;
    }
    return NULL;
}

static bool is_deleting(const struct pod_story *s)
{
    return obj_deleting(s->pod);
}

static void tell_deleting(struct pod_story *s)
{
    buf_adds(&s->because, "It is being deleted.");
    buf_addf(&s->waits, "%s",
             *s->node ? "the kubelet to end its containers and give back its volumes"
                      : "its finalizers to be taken off");
}

static bool is_over(const struct pod_story *s)
{
    return pod_terminal(s->pod);
}

static void tell_over(struct pod_story *s)
{
    buf_addf(&s->because, "It has run to its end (%s) and is not started again.", jstr_or(s->pod, "status.phase", ""));
}

static bool is_gated(const struct pod_story *s)
{
    return !*s->node && json_array_size(jat(s->pod, "spec.schedulingGates"));
}

static void tell_gated(struct pod_story *s)
{
    buf_adds(&s->because, "It has scheduling gates: the scheduler does not look at it.");
    buf_adds(&s->waits, "whoever put the gates there to take them off");
}

static bool is_unschedulable(const struct pod_story *s)
{
    return !*s->node && jstr(s->scheduler, "message");
}

static void tell_unschedulable(struct pod_story *s)
{
    const json_t *claim = jstr(s->scheduler, "refused") ? claim_in_the_way(s) : NULL;
    buf_addf(&s->because, "The scheduler has no node for it: %s",
             jstr_or(s->scheduler, "refused", jstr_or(s->scheduler, "message", "")));
    if (!claim) {
        buf_adds(&s->waits, "a node that takes it");
        json_array_extend(s->changes, jat(s->scheduler, "changes"));
        return;
    }
    s->actor = jstr_or(claim, "actor", s->actor);
    buf_addf(&s->waits, "claim %s, which waits for %s", jstr_or(claim, "name", ""), jstr_or(claim, "waitsFor", ""));
    json_array_extend(s->changes, jat(claim, "changes"));
}

static bool is_unscheduled(const struct pod_story *s)
{
    return !*s->node;
}

static void tell_unscheduled(struct pod_story *s)
{
    const json_t *claim = claim_in_the_way(s);
    buf_adds(&s->because, "A node takes it.");
    if (claim)
        buf_addf(&s->waits, "claim %s to be bound", jstr_or(claim, "name", ""));
    else
        buf_adds(&s->waits, "the scheduler's next look");
}

/* The first of its volumes that is not in order, or NULL. */
static const json_t *volume_in_the_way(const struct pod_story *s)
{
    size_t i;
    const json_t *v;
    json_array_foreach(s->volumes, i, v)
    {
        if (!str_eq(jstr(v, "state"), "ready"))
            return v;
    }
    return NULL;
}

static bool waits_for_volume(const struct pod_story *s, const char *state)
{
    const json_t *v = str_eq(jstr_or(s->pod, "status.phase", "Pending"), "Pending") ? volume_in_the_way(s) : NULL;
    return v && str_eq(jstr(v, "state"), state);
}

static bool is_unbound(const struct pod_story *s)
{
    return waits_for_volume(s, "claim");
}

static bool is_elsewhere(const struct pod_story *s)
{
    return waits_for_volume(s, "elsewhere");
}

static bool is_unattached(const struct pod_story *s)
{
    return waits_for_volume(s, "attach");
}

static bool is_unmounted(const struct pod_story *s)
{
    return waits_for_volume(s, "mount");
}

static void tell_volume(struct pod_story *s)
{
    const json_t *v = volume_in_the_way(s);
    buf_adds(&s->because, jstr_or(v, "because", ""));
    buf_adds(&s->waits, jstr_or(v, "waitsFor", ""));
    s->actor = jstr_or(v, "actor", s->actor);
    json_array_extend(s->changes, jat(v, "changes"));
}

static bool is_starting(const struct pod_story *s)
{
    return str_eq(jstr_or(s->pod, "status.phase", "Pending"), "Pending") || json_array_size(s->containers);
}

static const char *last_warning(const json_t *events)
{
    for (size_t i = json_array_size(events); i-- > 0;)
        if (str_eq(jstr(json_array_get(events, i), "type"), "Warning"))
            return jstr(json_array_get(events, i), "message");
    return NULL;
}

/* What helps when the kubelet says so of a container's place in a volume. */
static const struct {
    const char *part, *text;
} place_advice[] = {
    {"must not contain '..'", "Let subPath stay in the volume: no .. in it, nor in what subPathExpr becomes."},
    {"must not be an absolute path", "Let subPath, or what subPathExpr becomes, begin without a slash."},
    {"missing value for", "Give the container the variable that subPathExpr names."},
    {"failed to prepare subPath",
     "What subPath names must be a directory or a file of the volume, not a link that leads out of it or nowhere."},
};

static void advise_place(struct pod_story *s, const char *warning)
{
    for (size_t i = 0; i < ARRAY_LEN(place_advice); i++)
        if (strstr(warning, place_advice[i].part)) {
            json_array_append_new(s->changes, json_pack("{s:s, s:s}", "text", place_advice[i].text, "command", ""));
            return;
        }
}

static void tell_starting(struct pod_story *s)
{
    const char *warning = last_warning(s->events);
    const json_t *c = json_array_get(s->containers, 0);
    buf_addf(&s->because, "It is on node %s and not all of its containers run", s->node);
    if (c)
        buf_addf(&s->because, " (%s: %s)", jstr_or(c, "name", ""), jstr_or(c, "reason", ""));
    buf_addf(&s->because, "%s%s", warning ? ". The last warning: " : ".", warning ? warning : "");
    buf_adds(&s->waits, "the kubelet");
    if (!warning)
        return;
    s->actor = "user";
    advise_place(s, warning);
}

static bool is_running(const struct pod_story *s _unused_)
{
    return true;
}

static void tell_running(struct pod_story *s)
{
    buf_addf(&s->because, "It runs on node %s.", s->node);
}

static const struct {
    const char *verdict, *actor;
    bool (*holds)(const struct pod_story *s);
    void (*tell)(struct pod_story *s);
} situations[] = {
    {"terminating", "kubelet", is_deleting, tell_deleting},
    {"ended", "nobody", is_over, tell_over},
    {"gated", "user", is_gated, tell_gated},
    {"no-node", "user", is_unschedulable, tell_unschedulable},
    {"scheduling", "scheduler", is_unscheduled, tell_unscheduled},
    {"waits-for-claim", "user", is_unbound, tell_volume},
    {"volume-elsewhere", "user", is_elsewhere, tell_volume},
    {"waits-for-attach", "attacher", is_unattached, tell_volume},
    {"waits-for-mount", "user", is_unmounted, tell_volume},
    {"starting", "kubelet", is_starting, tell_starting},
    {"running", "nobody", is_running, tell_running},
};

static json_t *explain_pod(const struct scene *scene, const json_t *pod)
{
    struct pod_story s = {.pod = pod, .node = jstr_or(pod, "spec.nodeName", ""), .changes = json_array()};
    s.claims = claims_of(scene, pod);
    s.attachments = attachments_of(scene->registry, s.claims);
    s.containers = waiting_containers(pod);
    s.events = events_of(scene->registry, pod);
    s.volumes = why_volumes(scene->registry, pod, s.claims, s.events);
    s.scheduler = *s.node ? json_null() : scheduler_explain(scene->registry, pod);
    size_t at = 0;
    while (!situations[at].holds(&s))
        at++;
    s.actor = situations[at].actor;
    situations[at].tell(&s);
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", "Pod",
                  "namespace", obj_ns(pod), "name", obj_name(pod), "phase", jstr_or(pod, "status.phase", "Pending"),
                  "node", *s.node ? s.node : NULL, "verdict", situations[at].verdict, "because", buf_str(&s.because),
                  "waitsFor", buf_str(&s.waits), "actor", s.actor, "scheduler", s.scheduler, "claims", s.claims,
                  "attachments", s.attachments, "volumes", s.volumes, "containers", s.containers, "changes", s.changes);
    json_decref(s.events);
    buf_release(&s.because);
    buf_release(&s.waits);
    return out;
}

/* -- kinds -- */

static json_t *why_volume(const struct scene *s, const json_t *obj)
{
    return explain_volume(obj, &s->world);
}

int why_explain(struct registry *r, const char *kind, const char *ns, const char *name, json_t **out, struct err *e)
{
    const struct {
        const char *names[4];
        const struct resource *res;
        json_t *(*explain)(const struct scene *s, const json_t *obj);
    } kinds[] = {
        {{"pvc", "persistentvolumeclaim", "persistentvolumeclaims"}, RES.persistentvolumeclaims, explain_told_claim},
        {{"pv", "persistentvolume", "persistentvolumes"}, RES.persistentvolumes, why_volume},
        {{"pod", "pods", "po"}, RES.pods, explain_pod},
    };
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t n = 0; kinds[k].names[n]; n++) {
            if (!str_eq(kind, kinds[k].names[n]))
                continue;
            _auto_sobj_ struct sobj *obj = reg_read(r, kinds[k].res, kinds[k].res->namespaced ? ns : "", name);
            if (!obj)
                return err_set(e, ERR_NOT_FOUND, "%s \"%s\" not found%s%s", kinds[k].names[2], name,
                               kinds[k].res->namespaced ? " in namespace " : "", kinds[k].res->namespaced ? ns : "");
            struct scene s;
            scene_load(&s, r);
            *out = kinds[k].explain(&s, obj->tree);
            jset(*out, "events", events_of(r, obj->tree));
            scene_release(&s);
            return 0;
        }
    }
    return err_set(e, ERR_USAGE, "\"%s\" is not explained: ask for pvc/NAME, pv/NAME or pod/NAME", kind);
}

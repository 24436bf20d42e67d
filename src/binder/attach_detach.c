/* attach_detach.c - which volume must be attached to which node: VolumeAttachment objects and
 * node.status.volumesAttached.
 *
 * DESIGN: the key is a volume: a PV by its name, or a disk that pods name themselves (attach_subject.c). Wanted: every
 * node with a living pod that uses it. Existing: the VolumeAttachments this controller made for it. The difference is
 * made or deleted; the attacher (attacher.c) does the work and reports in the VolumeAttachment's status; the kubelet
 * waits for node.status.volumesAttached.
 *
 *     pod on node -> VolumeAttachment -> (attacher) attached=true -> volumesAttached -> kubelet mounts
 *     pod gone -> kubelet unmounts, volumesInUse loses it -> volumesAttached loses it, VolumeAttachment deleted ->
 * (attacher) detach
 *
 * INVARIANTS: 1. a volume that cannot be shared is never asked for on a second node while the first attachment
 * exists; 2. nothing is detached while the node says that it is in use, but for two cases: the node has the
 * out-of-service taint, or it has not been Ready and the wait is six minutes old.
 *
 * VolumeAttachments that others made (their names are not ours) are left alone. Source:
 * pkg/controller/volume/attachdetach (reconciler.go, util.go), pkg/volume/csi/csi_attacher.go. */
#include "binder/attach_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define FORCE_MS   360000 /* maxWaitForUnmountDuration */
#define TIMEOUT_MS 120000 /* an attempt to attach ends */
#define RETRY_MIN  500
#define RETRY_MAX  122000

struct state {
    struct edges edges;
    bool inline_used; /* some pod named a disk itself: only then other pods are looked through for them */
};
struct round {
    struct loop *l;
    struct state *state;
    struct subject what;
    const char *ns, *name;      /* the key */
    struct objlist pods;        /* living, with a node, using it */
    struct objlist attachments; /* of it, ours */
};

static const char *node_of_pod(const json_t *pod)
{
    return jstr_or(pod, "spec.nodeName", "");
}

static const char *node_of(const json_t *attachment)
{
    return jstr_or(attachment, "spec.nodeName", "");
}

static bool wanted_on(const struct round *r, const char *node)
{
    for (size_t i = 0; i < r->pods.len; i++)
        if (str_eq(node_of_pod(r->pods.trees[i]), node))
            return true;
    return false;
}

static const json_t *attachment_on(const struct round *r, const char *node)
{
    for (size_t i = 0; i < r->attachments.len; i++)
        if (str_eq(node_of(r->attachments.trees[i]), node))
            return r->attachments.trees[i];
    return NULL;
}

static struct edge *edge(const struct round *r, const char *node)
{
    return edge_of(&r->state->edges, r->what.unique, node);
}

static int64_t now_ms(const struct round *r)
{
    return clock_mono_ms(loop_clock(r->l));
}

static void again_after(const struct round *r, int64_t ms)
{
    loop_enqueue_after(r->l, r->ns, r->name, ms);
}

/* -- node.status.volumesAttached -- */

struct attached_edit {
    const char *unique;
    bool add;
};

static int edit_attached(json_t *node, void *arg, struct err *e)
{
    (void)e;
    const struct attached_edit *a = arg;
    json_t *list = jat(node, "status.volumesAttached");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!str_eq(jstr(json_array_get(list, i), "name"), a->unique))
            continue;
        if (a->add)
            return 0;
        json_array_remove(list, i);
        if (!json_array_size(list))
            jdel(node, "status.volumesAttached");
        return 1;
    }
    if (!a->add)
        return 0;
    json_array_append_new(jmake_arr(node, "status.volumesAttached"),
                          json_pack("{s:s, s:s}", "name", a->unique, "devicePath", ""));
    return 1;
}

static int put_attached(const struct round *r, const char *node, bool add, bool *out_changed, struct err *e)
{
    _auto_sobj_ struct sobj *before = reg_read(loop_registry(r->l), RES.nodes, "", node);
    *out_changed = false;
    if (!before)
        return 0;
    struct attached_edit a = {r->what.unique, add};
    if (modify(r->l, WHO, RES.nodes, before->tree, "status", edit_attached, &a, e) < 0)
        return -1;
    _auto_sobj_ struct sobj *after = reg_read(loop_registry(r->l), RES.nodes, "", node);
    *out_changed = after && after->rv != before->rv;
    return 0;
}

/* -- telling pods -- */

static void tell_pods(const struct round *r, const char *node, enum event_type type, const char *reason,
                      const char *text)
{
    for (size_t i = 0; i < r->pods.len; i++)
        if (str_eq(node_of_pod(r->pods.trees[i]), node))
            loop_event(r->l, r->pods.trees[i], type, reason, "%s", text);
}

/* Names of other namespaces are none of this pod's business: those pods are only counted. */
static void tell_one_shared(const struct round *r, const json_t *pod)
{
    _auto_buf_ struct buf text = BUF_INIT;
    size_t near = 0, far = 0;
    for (size_t i = 0; i < r->pods.len; i++) {
        if (str_eq(node_of_pod(r->pods.trees[i]), node_of_pod(pod)) || !attachment_on(r, node_of_pod(r->pods.trees[i])))
            continue;
        if (str_eq(r->pods.items[i]->ns, obj_ns(pod)))
            buf_addf(&text, "%s%s", near++ ? ", " : "Volume is already used by pod(s) ", r->pods.items[i]->name);
        else
            far++;
    }
    if (near && far)
        buf_addf(&text, " and %zu pod(s) in different namespaces", far);
    else if (far)
        buf_addf(&text, "Volume is already used by %zu pod(s) in different namespaces", far);
    else if (!near)
        buf_adds(&text, "Volume is already exclusively attached to one node and can't be attached to another");
    loop_event(r->l, pod, EVENT_WARNING, "FailedAttachVolume", "Multi-Attach error for volume \"%s\" %s", r->what.name,
               buf_str(&text));
}

static void tell_shared(const struct round *r, const char *node)
{
    struct edge *e = edge(r, node);
    if (e->multi_told)
        return;
    e->multi_told = true;
    for (size_t i = 0; i < r->pods.len; i++)
        if (str_eq(node_of_pod(r->pods.trees[i]), node))
            tell_one_shared(r, r->pods.trees[i]);
}

/* Each attempt that ends badly is told; the next begins after a wait that doubles. */
static void tell_failure(const struct round *r, const char *node, const char *why)
{
    struct edge *e = edge(r, node);
    int64_t now = now_ms(r), wait = RETRY_MIN;
    if (now < e->told) {
        again_after(r, e->told - now);
        return;
    }
    for (unsigned i = 0; i < e->failures && wait < RETRY_MAX; i++)
        wait *= 2;
    wait = wait < RETRY_MAX ? wait : RETRY_MAX;
    e->failures++;
    e->told = now + wait;
    e->asked = 0;
    _auto_free_ char *text = xasprintf("AttachVolume.Attach failed for volume \"%s\" : %s", r->what.name, why);
    tell_pods(r, node, EVENT_WARNING, "FailedAttachVolume", text);
    again_after(r, wait);
}

/* -- attaching -- */

static int ask(struct round *r, const char *node, struct err *e)
{
    if (r->attachments.len && !r->what.shareable) {
        tell_shared(r, node);
        return 0;
    }
    char name[ATTACHMENT_NAME_LEN];
    attachment_name(r->what.handle, r->what.driver, node, name);
    json_t *va = json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:O}, s:{s:b}}", "kind", "VolumeAttachment", "apiVersion",
                           "storage.k8s.io/v1", "metadata", "name", name, "spec", "attacher", r->what.driver,
                           "nodeName", node, "source", r->what.source, "status", "attached", 0);
    struct sobj *made = NULL;
    if (reg_make(loop_registry(r->l), WHO, RES.volumeattachments, "", va, &made, e) < 0) {
        if (e->code != ERR_ALREADY_EXISTS)
            return -1;
        err_clear(e); /* the old one is on its way out; its end brings the volume back */
        return 0;
    }
    objlist_add(&r->attachments, made); /* a second node must see it */
    sobj_unref(made);
    struct edge *fresh = edge(r, node);
    *fresh = (struct edge){.unique = fresh->unique, .node = fresh->node, .mounted = true, .asked = now_ms(r)};
    again_after(r, TIMEOUT_MS);
    return 0;
}

/* It is asked for but not there yet: has the attempt failed, or taken too long? */
static void look_after(const struct round *r, const json_t *va, const char *node)
{
    struct edge *e = edge(r, node);
    const char *message = jstr(va, "status.attachError.message");
    if (message) {
        tell_failure(r, node, message);
        return;
    }
    if (!e->asked) {
        e->asked = now_ms(r);
        again_after(r, TIMEOUT_MS);
    }
    if (now_ms(r) - e->asked < TIMEOUT_MS)
        return;
    _auto_free_ char *why = xasprintf("timed out waiting for external-attacher of %s CSI driver to attach volume %s",
                                      r->what.driver, r->what.handle);
    tell_failure(r, node, why);
}

static int attach_where_wanted(struct round *r, struct err *e)
{
    for (size_t i = 0; i < r->pods.len; i++) {
        const char *node = node_of_pod(r->pods.trees[i]);
        const json_t *va = attachment_on(r, node);
        if (!va) {
            if (ask(r, node, e) < 0)
                return -1;
            continue;
        }
        edge(r, node)->detach_since = 0;
        if (obj_deleting(va))
            continue;
        if (!jbool(va, "status.attached", false)) {
            look_after(r, va, node);
            continue;
        }
        struct edge *done = edge(r, node);
        done->failures = 0;
        done->told = done->asked = 0;
        bool changed = false;
        if (put_attached(r, node, true, &changed, e) < 0)
            return -1;
        _auto_free_ char *text = xasprintf("AttachVolume.Attach succeeded for volume \"%s\" ", r->what.name);
        if (changed)
            tell_pods(r, node, EVENT_NORMAL, "SuccessfulAttachVolume", text);
    }
    return 0;
}

/* -- detaching -- */

static bool out_of_service(const json_t *node)
{
    size_t i;
    json_t *taint;
    json_array_foreach(jat(node, "spec.taints"), i, taint)
    {
        if (str_eq(jstr(taint, "key"), "node.kubernetes.io/out-of-service"))
            return true;
    }
    return false;
}

/* A node that is no more keeps what it said last: nobody knows whether its machine has stopped. */
static bool must_wait(const struct round *r, const char *node_name)
{
    struct edge *e = edge(r, node_name);
    _auto_sobj_ struct sobj *node = reg_read(loop_registry(r->l), RES.nodes, "", node_name);
    if (node)
        e->mounted = jarr_has(node->tree, "status.volumesInUse", r->what.unique);
    int64_t now = now_ms(r);
    if (!e->detach_since)
        e->detach_since = now;
    if (!e->mounted || (node && out_of_service(node->tree)))
        return false;
    int64_t left = e->detach_since + FORCE_MS - now;
    bool healthy = node && condition_true(node->tree, "Ready");
    if (left > 0)
        again_after(r, left);
    return healthy || left > 0;
}

/* An attempt that runs is let come to its end first: nobody knows yet whether there is anything to detach. */
static bool is_attaching(const struct round *r, const json_t *va)
{
    if (jbool(va, "status.attached", false) || jstr(va, "status.attachError.message"))
        return false;
    const struct edge *e = edge(r, node_of(va));
    int64_t left = e->asked ? e->asked + TIMEOUT_MS - now_ms(r) : 0;
    if (left > 0)
        again_after(r, left);
    return left > 0;
}

static int detach_where_not(struct round *r, struct err *e)
{
    for (size_t i = 0; i < r->attachments.len; i++) {
        const json_t *va = r->attachments.trees[i];
        bool changed;
        if (obj_deleting(va) || wanted_on(r, node_of(va)) || is_attaching(r, va) || must_wait(r, node_of(va)))
            continue;
        if (put_attached(r, node_of(va), false, &changed, e) < 0 ||
            remove_object(r->l, WHO, RES.volumeattachments, va, e) < 0)
            return -1;
    }
    return 0;
}

/* -- one volume -- */

static void load_attachments(struct round *r)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(r->l), RES.volumeattachments->bucket, NULL);
    for (size_t i = 0; i < all.len; i++) {
        /* A name costs a digest; where no pod names disks itself, the volume's name says enough to leave most out. */
        const char *pv = jstr(all.trees[i], "spec.source.persistentVolumeName");
        if ((r->state->inline_used || str_eq(pv, r->what.name)) && attachment_is_of(all.trees[i], &r->what))
            objlist_add(&r->attachments, all.items[i]);
    }
}

/* Ended, or being deleted with nothing of it running any more. */
static bool pod_is_over(const json_t *pod)
{
    size_t i;
    const json_t *c;
    if (pod_terminal(pod))
        return true;
    if (!obj_deleting(pod))
        return false;
    json_array_foreach(jat(pod, "status.containerStatuses"), i, c)
    {
        if (jat(c, "state.running") || !(jat(c, "state.terminated") || jat(c, "state.waiting")))
            return false;
    }
    return true;
}

static void add_users(struct round *r, const char *ns, const char *claim)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(r->l), RES.pods->bucket, ns);
    for (size_t i = 0; i < all.len; i++) {
        const json_t *pod = all.trees[i];
        if (*node_of_pod(pod) && !pod_is_over(pod) &&
            (claim ? pod_uses_claim(pod, claim) : pod_uses_subject(pod, &r->what)))
            objlist_add(&r->pods, all.items[i]);
    }
}

static void add_users_of_pv(struct round *r, const json_t *pv)
{
    _auto_sobj_ struct sobj *claim = read_claim_of(r->l, pv);
    if (claim && str_eq(jstr(claim->tree, "spec.volumeName"), obj_name(pv)))
        add_users(r, claim->ns, claim->name);
}

/* One disk may be used through its PV and by its id. */
static void load_users(struct round *r, const json_t *pv)
{
    if (pv)
        add_users_of_pv(r, pv);
    if (!r->state->inline_used)
        return;
    add_users(r, NULL, NULL);
    if (pv)
        return;
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(r->l), RES.persistentvolumes->bucket, NULL);
    char buf[VOLUME_HANDLE_LEN];
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(pv_handle(all.trees[i], buf), r->what.handle) && str_eq(pv_driver(all.trees[i]), r->what.driver))
            add_users_of_pv(r, all.trees[i]);
}

static bool matters(const char *node, void *arg)
{
    const struct round *r = arg;
    return wanted_on(r, node) || attachment_on(r, node);
}

static int sync_round(struct round *r, const json_t *pv, struct err *e)
{
    if (!driver_attaches(r->l, r->what.driver))
        return 0;
    load_users(r, pv);
    load_attachments(r);
    edges_keep(&r->state->edges, r->what.unique, matters, r);
    return detach_where_not(r, e) < 0 ? -1 : attach_where_wanted(r, e);
}

/* The volume object is gone (a finalizer removed by hand): its attachments go too. */
static int drop_attachments(struct loop *l, const char *name, struct err *e)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.volumeattachments->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "spec.source.persistentVolumeName"), name) &&
            strlen(all.items[i]->name) == ATTACHMENT_NAME_LEN - 1 && str_starts(all.items[i]->name, "csi-") &&
            !obj_deleting(all.trees[i]) && remove_object(l, WHO, RES.volumeattachments, all.trees[i], e) < 0)
            return -1;
    return 0;
}

static bool inline_subject(const char *key, struct subject *out)
{
    const char *handle = strchr(key, '^');
    _auto_json_ json_t *volume = json_pack("{s:{s:s}}", "awsElasticBlockStore", "volumeID", handle ? handle + 1 : "");
    return subject_of_pod_volume(volume, out);
}

/* What a pod wrote beside the id (fsType, readOnly) belongs to the attachment too. */
static void take_source(const struct subject *s, void *arg)
{
    struct subject *what = arg;
    if (str_eq(s->unique, what->unique)) {
        json_decref(what->source);
        what->source = json_incref(s->source);
    }
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    struct round r = {.l = l, .state = loop_state(l), .ns = ns, .name = name};
    bool in_pod = str_eq(ns, INLINE_NS);
    _auto_sobj_ struct sobj *pv = in_pod ? NULL : read_pv(l, name);
    if (!in_pod && !pv)
        return drop_attachments(l, name, e);
    int rc = 0;
    if (in_pod ? inline_subject(name, &r.what) : subject_of_pv(pv->tree, &r.what)) {
        if (in_pod) {
            add_users(&r, NULL, NULL);
            for (size_t i = r.pods.len; i-- > 0;)
                each_inline_subject(r.pods.trees[i], take_source, &r.what);
            objlist_release(&r.pods);
            r.pods = (struct objlist){0};
        }
        rc = sync_round(&r, pv ? pv->tree : NULL, e);
    }
    objlist_release(&r.pods);
    objlist_release(&r.attachments);
    subject_release(&r.what);
    return rc;
}

/* -- who brings a volume here -- */

static void enqueue_inline(const struct subject *s, void *arg)
{
    struct loop *l = arg;
    struct state *state = loop_state(l);
    state->inline_used = true;
    _auto_free_ char *key = xasprintf("%s^%s", s->driver, s->handle);
    loop_enqueue(l, INLINE_NS, key);
}

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    bool same = ev->prev && str_eq(jstr(ev->prev->tree, "spec.nodeName"), jstr(ev->obj->tree, "spec.nodeName")) &&
                pod_is_over(ev->prev->tree) == pod_is_over(ev->obj->tree);
    if (ev->type != WATCH_DELETED && same)
        return;
    enqueue_volumes_of_pod(l, ev->obj->tree);
    each_inline_subject(ev->obj->tree, enqueue_inline, l);
}

static void map_claim(struct loop *l, const struct watch_event *ev)
{
    const char *pv = jstr(ev->obj->tree, "spec.volumeName");
    if (!str_empty(pv))
        loop_enqueue(l, "", pv);
}

static void enqueue_attachment(struct loop *l, const json_t *va)
{
    const char *pv = jstr(va, "spec.source.persistentVolumeName");
    const json_t *csi = jat(va, "spec.source.inlineVolumeSpec.csi");
    if (pv)
        loop_enqueue(l, "", pv);
    if (!jstr(csi, "volumeHandle"))
        return;
    _auto_free_ char *key = xasprintf("%s^%s", jstr_or(csi, "driver", ""), jstr(csi, "volumeHandle"));
    loop_enqueue(l, INLINE_NS, key);
}

static void map_attachment(struct loop *l, const struct watch_event *ev)
{
    enqueue_attachment(l, ev->obj->tree);
}

static void map_node(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_MODIFIED && ev->prev && same_member(ev->prev->tree, ev->obj->tree, "status.volumesInUse") &&
        same_member(ev->prev->tree, ev->obj->tree, "spec.taints") &&
        condition_true(ev->prev->tree, "Ready") == condition_true(ev->obj->tree, "Ready"))
        return;
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.volumeattachments->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(node_of(all.trees[i]), ev->obj->name))
            enqueue_attachment(l, all.trees[i]);
}

static void stop(struct loop *l)
{
    struct state *s = loop_state(l);
    edges_release(&s->edges);
}

static const struct loop_watch watches[] = {{"persistentvolumes", NULL},
                                            {"pods", map_pod},
                                            {"persistentvolumeclaims", map_claim},
                                            {"volumeattachments.storage.k8s.io", map_attachment},
                                            {"nodes", map_node},
                                            {NULL, NULL}};

const struct loop_def attach_detach_loop = {
    .name = "attach-detach",
    .component = "attachdetach-controller",
    .watches = watches,
    .state_size = sizeof(struct state),
    .stop = stop,
    .reconcile = reconcile,
    .max_backoff_ms = 10000,
};

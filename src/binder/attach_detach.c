/* attach_detach.c - which volume must be attached to which node: VolumeAttachment objects and
 * node.status.volumesAttached.
 *
 * DESIGN: the key is a volume. Wanted: every node with a living pod that uses the volume's claim. Existing: the
 * VolumeAttachments of this loop, which it knows by the names it gives: others, made by hand or by somebody else's
 * controller, are left alone, as the real one leaves them. The difference is made or deleted; the attacher (attacher.c)
 * does the work and reports in the VolumeAttachment's status; the kubelet waits for node.status.volumesAttached.
 *
 *     pod on node -> VolumeAttachment -> (attacher) attached=true -> volumesAttached -> kubelet mounts
 *     pod gone -> kubelet unmounts, volumesInUse loses it -> volumesAttached loses it, VolumeAttachment deleted ->
 * (attacher) detach
 *
 * INVARIANTS: 1. a volume that cannot be shared is never asked for on a second node while the first attachment
 * exists; 2. nothing is detached while the node says it is in use, unless the node is gone. Source:
 * pkg/controller/volume/attachdetach. */
#include "binder/binder_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

struct round {
    struct loop *l;
    const json_t *pv;
    struct objlist pods;        /* living, with a node, using the claim */
    struct objlist attachments; /* of this volume */
    char unique[512];           /* kubernetes.io/csi/<driver>^<handle> */
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
    if (!before)
        return 0;
    struct attached_edit a = {r->unique, add};
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

static void tell_shared(struct round *r, const char *node)
{
    struct seen *said = loop_state(r->l);
    struct buf names = BUF_INIT;
    const char *ns = jstr_or(r->pv, "spec.claimRef.namespace", "");
    for (size_t i = 0; i < r->pods.len; i++)
        if (!str_eq(node_of_pod(r->pods.trees[i]), node) && str_eq(r->pods.items[i]->ns, ns))
            buf_addf(&names, "%s%s", names.len ? ", " : "", r->pods.items[i]->name);
    for (size_t i = 0; i < r->pods.len; i++) {
        if (!str_eq(node_of_pod(r->pods.trees[i]), node) ||
            !seen_first(said, "%s %s", obj_uid(r->pods.trees[i]), r->unique))
            continue;
        if (names.len)
            loop_event(r->l, r->pods.trees[i], EVENT_WARNING, "FailedAttachVolume",
                       "Multi-Attach error for volume \"%s\" Volume is already used by pod(s) %s", obj_name(r->pv),
                       buf_str(&names));
        else
            loop_event(
                r->l, r->pods.trees[i], EVENT_WARNING, "FailedAttachVolume",
                "Multi-Attach error for volume \"%s\" Volume is already exclusively attached to one node and can't be "
                "attached to another",
                obj_name(r->pv));
    }
    buf_release(&names);
}

static void tell_error(struct round *r, const json_t *attachment)
{
    struct seen *said = loop_state(r->l);
    const char *message = jstr(attachment, "status.attachError.message");
    if (!message || !seen_first(said, "%s %s", obj_uid(attachment), jstr_or(attachment, "status.attachError.time", "")))
        return;
    _auto_free_ char *text = xasprintf("AttachVolume.Attach failed for volume \"%s\" : %s", obj_name(r->pv), message);
    tell_pods(r, node_of(attachment), EVENT_WARNING, "FailedAttachVolume", text);
}

/* -- attaching -- */

static int ask(struct round *r, const char *node, struct err *e)
{
    if (r->attachments.len && !pv_multi_attach(r->pv)) {
        tell_shared(r, node);
        return 0;
    }
    char name[ATTACHMENT_NAME_LEN];
    attachment_name(pv_handle(r->pv), pv_driver(r->pv), node, name);
    json_t *va =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:{s:s}}, s:{s:b}}", "kind", "VolumeAttachment", "apiVersion",
                  "storage.k8s.io/v1", "metadata", "name", name, "spec", "attacher", pv_driver(r->pv), "nodeName", node,
                  "source", "persistentVolumeName", obj_name(r->pv), "status", "attached", 0);
    struct sobj *made = NULL;
    if (reg_make(loop_registry(r->l), WHO, RES.volumeattachments, "", va, &made, e) < 0) {
        if (e->code != ERR_ALREADY_EXISTS)
            return -1;
        err_clear(e); /* the old one is on its way out; its end brings the volume back */
        return 0;
    }
    objlist_add(&r->attachments, made); /* a second node must see it */
    sobj_unref(made);
    return 0;
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
        tell_error(r, va);
        bool changed = false;
        if (!jbool(va, "status.attached", false) || obj_deleting(va))
            continue;
        if (put_attached(r, node, true, &changed, e) < 0)
            return -1;
        _auto_free_ char *text = xasprintf("AttachVolume.Attach succeeded for volume \"%s\" ", obj_name(r->pv));
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

static bool in_use(const struct round *r, const char *node_name)
{
    _auto_sobj_ struct sobj *node = reg_read(loop_registry(r->l), RES.nodes, "", node_name);
    return node && !out_of_service(node->tree) && jarr_has(node->tree, "status.volumesInUse", r->unique);
}

static int detach_where_not(struct round *r, struct err *e)
{
    for (size_t i = 0; i < r->attachments.len; i++) {
        const json_t *va = r->attachments.trees[i];
        bool changed;
        if (obj_deleting(va) || wanted_on(r, node_of(va)) || in_use(r, node_of(va)))
            continue;
        if (put_attached(r, node_of(va), false, &changed, e) < 0 ||
            remove_object(r->l, WHO, RES.volumeattachments, va, e) < 0)
            return -1;
    }
    return 0;
}

/* -- one volume -- */

/* Has it the name this loop would give? Without the volume (its handle) only the form of the name can tell. */
static bool is_ours(const struct sobj *va, const json_t *pv)
{
    static const char prefix[] = "csi-";
    char name[ATTACHMENT_NAME_LEN];
    if (!pv)
        return str_starts(va->name, prefix) && strlen(va->name) == ATTACHMENT_NAME_LEN - 1 &&
               strspn(va->name + sizeof prefix - 1, "0123456789abcdef") == ATTACHMENT_NAME_LEN - sizeof prefix;
    attachment_name(pv_handle(pv), pv_driver(pv), node_of(va->tree), name);
    return strcmp(va->name, name) == 0;
}

/* `pv`: the volume of that name, NULL if it is gone. */
static void load_attachments(struct loop *l, const char *pv_name, const json_t *pv, struct objlist *out)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.volumeattachments->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "spec.source.persistentVolumeName"), pv_name) && is_ours(all.items[i], pv))
            objlist_add(out, all.items[i]);
}

static void load_users(struct loop *l, const json_t *pv, struct objlist *out)
{
    _auto_sobj_ struct sobj *claim = read_claim_of(l, pv);
    if (!claim || !str_eq(jstr(claim->tree, "spec.volumeName"), obj_name(pv)))
        return;
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.pods->bucket, claim->ns);
    for (size_t i = 0; i < all.len; i++)
        if (*node_of_pod(all.trees[i]) && !pod_terminal(all.trees[i]) && pod_uses_claim(all.trees[i], claim->name))
            objlist_add(out, all.items[i]);
}

static int sync_round(struct round *r, struct err *e)
{
    if (!pv_unique_name(r->pv, r->unique, sizeof r->unique) || !driver_attaches(r->l, pv_driver(r->pv)))
        return 0;
    load_users(r->l, r->pv, &r->pods);
    load_attachments(r->l, obj_name(r->pv), r->pv, &r->attachments);
    return detach_where_not(r, e) < 0 ? -1 : attach_where_wanted(r, e);
}

/* The volume object is gone (a finalizer removed by hand): its attachments go too. */
static int drop_attachments(struct loop *l, const char *name, struct err *e)
{
    _auto_objlist_ struct objlist left = {0};
    load_attachments(l, name, NULL, &left);
    for (size_t i = 0; i < left.len; i++)
        if (!obj_deleting(left.trees[i]) && remove_object(l, WHO, RES.volumeattachments, left.trees[i], e) < 0)
            return -1;
    return 0;
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    (void)ns;
    _auto_sobj_ struct sobj *pv = read_pv(l, name);
    if (!pv)
        return drop_attachments(l, name, e);
    struct round r = {.l = l, .pv = pv->tree};
    int rc = sync_round(&r, e);
    objlist_release(&r.pods);
    objlist_release(&r.attachments);
    return rc;
}

/* -- who brings a volume here -- */

static void map_pod(struct loop *l, const struct watch_event *ev)
{
    bool placed = ev->prev && str_eq(jstr(ev->prev->tree, "spec.nodeName"), jstr(ev->obj->tree, "spec.nodeName")) &&
                  pod_terminal(ev->prev->tree) == pod_terminal(ev->obj->tree);
    if (ev->type == WATCH_DELETED || !placed)
        enqueue_volumes_of_pod(l, ev->obj->tree);
}

static void map_claim(struct loop *l, const struct watch_event *ev)
{
    const char *pv = jstr(ev->obj->tree, "spec.volumeName");
    if (!str_empty(pv))
        loop_enqueue(l, "", pv);
}

static void map_attachment(struct loop *l, const struct watch_event *ev)
{
    const char *pv = jstr(ev->obj->tree, "spec.source.persistentVolumeName");
    if (pv)
        loop_enqueue(l, "", pv);
}

static void map_node(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_MODIFIED && ev->prev && same_member(ev->prev->tree, ev->obj->tree, "status.volumesInUse") &&
        same_member(ev->prev->tree, ev->obj->tree, "spec.taints"))
        return;
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, loop_registry(l), RES.volumeattachments->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(node_of(all.trees[i]), ev->obj->name))
            loop_enqueue(l, "", jstr_or(all.trees[i], "spec.source.persistentVolumeName", ""));
}

static int start(struct loop *l, struct err *e)
{
    (void)e;
    loop_set_state(l, xcalloc(1, sizeof(struct seen)));
    return 0;
}

static void stop(struct loop *l)
{
    struct seen *said = loop_state(l);
    if (said)
        seen_release(said);
    free(said);
    loop_set_state(l, NULL);
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
    .start = start,
    .stop = stop,
    .reconcile = reconcile,
    .max_backoff_ms = 10000,
};

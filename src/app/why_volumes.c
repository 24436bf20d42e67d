/* why_volumes.c - see why_volumes.h. A pod that has a node waits for its volumes in this order: claim, attachment,
 * mount. The first two are read from objects, by the same rules as the loops read them; why a mount failed only the
 * kubelet knows, and it told so in an event.
 *
 * How to add advice for a failed mount: a row in `advice`. THREADS: any; reads only. */
#include "app/why_volumes.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/objects.h"
#include "csi/driver.h"
#include "volume/volume.h"

#include <stdio.h>
#include <string.h>

struct view {
    struct registry *registry;
    const json_t *pod, *claims, *events;
    const char *node;
    struct objlist attachments;
};

/* One volume of the pod. */
struct row {
    const json_t *spec;          /* in the pod */
    const json_t *claim;         /* its explanation, or NULL */
    struct sobj *pv;             /* owned, or NULL */
    json_t *csi;                 /* owned: {"csi": …} of a disk the pod names itself, or NULL */
    char name[512];              /* in messages: of the PV, or of the pod's volume */
    const char *driver, *handle; /* NULL: not a driver's */
    char handle_text[VOLUME_HANDLE_LEN];
    const char *state, *actor;
    struct buf because, waits;
    json_t *changes; /* owned */
};

static void propose(struct row *v, const char *text, const char *command)
{
    json_array_append_new(v->changes, json_pack("{s:s, s:s}", "text", text, "command", command));
}

/* -- what it is -- */

static const json_t *explained(const struct view *w, const char *claim)
{
    size_t i;
    json_t *c;
    json_array_foreach(w->claims, i, c)
    {
        if (str_eq(jstr(c, "name"), claim))
            return c;
    }
    return NULL;
}

static void row_open(const struct view *w, const json_t *spec, struct row *v)
{
    char claim[512];
    *v = (struct row){.spec = spec, .state = "ready", .actor = "nobody", .changes = json_array()};
    snprintf(v->name, sizeof v->name, "%s", jstr_or(spec, "name", ""));
    pod_volume_claim(w->pod, spec, claim, sizeof claim);
    v->claim = *claim ? explained(w, claim) : NULL;
    const char *pv = jstr(v->claim, "volume");
    v->pv = pv ? reg_read(w->registry, RES.persistentvolumes, "", pv) : NULL;
    if (v->pv) {
        snprintf(v->name, sizeof v->name, "%s", pv);
        v->driver = pv_driver(v->pv->tree);
        v->handle = pv_handle(v->pv->tree, v->handle_text);
    } else if (!*claim && (v->csi = source_to_csi(spec))) {
        v->driver = jstr(v->csi, "csi.driver");
        v->handle = jstr(v->csi, "csi.volumeHandle");
        snprintf(v->name, sizeof v->name, "%s-%s", v->driver, v->handle);
    }
}

static void row_close(struct row *v)
{
    sobj_unref(v->pv);
    json_decref(v->csi);
    json_decref(v->changes);
    buf_release(&v->because);
    buf_release(&v->waits);
}

/* -- its claim -- */

static bool wants_claim(const struct view *w, struct row *v)
{
    if (!v->claim || str_eq(jstr(v->claim, "verdict"), "bound"))
        return false;
    v->state = "claim";
    v->actor = jstr_or(v->claim, "actor", "user");
    buf_addf(&v->because, "It is on node %s, and its claim %s is not bound: %s", w->node, jstr_or(v->claim, "name", ""),
             jstr_or(v->claim, "because", ""));
    buf_addf(&v->waits, "claim %s, which waits for %s", jstr_or(v->claim, "name", ""),
             jstr_or(v->claim, "waitsFor", "the binder"));
    json_array_extend(v->changes, jat(v->claim, "changes"));
    return true;
}

/* -- its attachment -- */

static bool is_of(const json_t *attachment, const struct row *v)
{
    const json_t *source = jat(attachment, "spec.source");
    if (v->pv)
        return str_eq(jstr(source, "persistentVolumeName"), v->pv->name);
    return str_eq(jstr(source, "inlineVolumeSpec.csi.volumeHandle"), v->handle);
}

/* The attachment to the pod's node, or (elsewhere) to another. */
static const json_t *attachment(const struct view *w, const struct row *v, bool elsewhere)
{
    for (size_t i = 0; i < w->attachments.len; i++) {
        const json_t *a = w->attachments.trees[i];
        if (is_of(a, v) && str_eq(jstr(a, "spec.nodeName"), w->node) != elsewhere)
            return a;
    }
    return NULL;
}

static bool must_be_attached(const struct row *v)
{
    const struct csi_driver *d = v->driver && v->handle ? csi_driver_by_name(v->driver) : NULL;
    return d && d->attach_required;
}

/* "a b": the pods of the same namespace that use the claim on that node. */
static void holders(const struct view *w, const struct row *v, const char *node, struct buf *out)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, RES.pods->bucket, obj_ns(w->pod));
    for (size_t i = 0; i < pods.len; i++)
        if (str_eq(jstr(pods.trees[i], "spec.nodeName"), node) && !pod_terminal(pods.trees[i]) && v->claim &&
            pod_uses_claim(pods.trees[i], jstr_or(v->claim, "name", "")) && pods.trees[i] != w->pod)
            buf_addf(out, "%s%s", out->len ? " " : "", pods.items[i]->name);
}

static void tell_elsewhere(const struct view *w, struct row *v, const char *node)
{
    _auto_buf_ struct buf who = BUF_INIT;
    _auto_sobj_ struct sobj *there = reg_read(w->registry, RES.nodes, "", node);
    bool lost = !there || !condition_true(there->tree, "Ready");
    holders(w, v, node, &who);
    v->state = "elsewhere";
    v->actor = "user";
    buf_addf(&v->because,
             "Volume %s is still attached to node %s, and can be at one node at a time; this pod is on %s.", v->name,
             node, w->node);
    if (who.len)
        buf_addf(&v->because, " It is used there by: %s.", buf_str(&who));
    if (lost) {
        _auto_free_ char *command =
            xasprintf("kubectl taint node %s node.kubernetes.io/out-of-service=nodeshutdown:NoExecute", node);
        buf_addf(&v->because, " Node %s is not Ready: nobody there can say that the volume is given back.", node);
        buf_addf(&v->waits, "node %s to come back, or six minutes to pass, after which it is detached all the same",
                 node);
        propose(v, "If that machine is really off, say so: then it is detached at once.", command);
    } else if (who.len) {
        _auto_free_ char *command = xasprintf("kubectl delete pod -n %s %s", obj_ns(w->pod), buf_str(&who));
        buf_addf(&v->waits, "the pods on %s that use it to end, so that it is detached there", node);
        propose(v, "End the pods that use it there, or let this pod run on their node.", command);
    } else {
        v->actor = "kubelet";
        buf_addf(&v->waits, "the kubelet of %s to unmount it, so that it is detached there", node);
    }
}

/* What helps against what EC2 or a driver said. {disk}, {zone} (the node's) and {size} are filled in. */
static const struct {
    const char *part, *text, *command;
} attach_advice[] = {
    {"InvalidVolume.ZoneMismatch",
     "The disk is in another zone than the node: let the pod run in the disk's zone, or take a disk of zone {zone}.",
     "stowage disk show {disk}"},
    {"is already being used by", "It is attached to another node already, where somebody writes to it.",
     "stowage disk show {disk}"},
    {"is already attached to", "It is attached elsewhere, and not by Kubernetes: detach it there.",
     "stowage disk detach {disk}"},
    {"AttachmentLimitExceeded", "The node has as many disks as it can have: let the pod run on another one.", ""},
    {"No such file or directory", "The disk's file is gone from this machine: bring it back to where it was.",
     "stowage disk show {disk}"},
    {"not found", "Make a disk of that id where the node is, or let the volume name one that is there.",
     "stowage disk create --zone {zone} --size {size} --id {disk}"},
};

/* The text with its words filled in. Returns new. */
static char *attach_words(const struct row *v, const char *text, const char *zone)
{
    const char *size = v->pv ? jmap(v->pv->tree, "spec.capacity", "storage") : NULL;
    const char *const words[][2] = {{"{disk}", v->handle}, {"{zone}", zone}, {"{size}", size ? size : "1Gi"}};
    _auto_buf_ struct buf out = BUF_INIT;
    while (*text) {
        size_t i = 0;
        while (i < ARRAY_LEN(words) && !str_starts(text, words[i][0]))
            i++;
        if (i == ARRAY_LEN(words)) {
            buf_addc(&out, *text++);
            continue;
        }
        buf_adds(&out, words[i][1]);
        text += strlen(words[i][0]);
    }
    return buf_steal(&out, NULL);
}

static void advise_attachment(const struct view *w, struct row *v, const char *error)
{
    _auto_sobj_ struct sobj *node = reg_read(w->registry, RES.nodes, "", w->node);
    const char *zone = node ? jmap(node->tree, "metadata.labels", LABEL_ZONE) : NULL;
    for (size_t i = 0; i < ARRAY_LEN(attach_advice); i++) {
        if (!strstr(error, attach_advice[i].part))
            continue;
        _auto_free_ char *text = attach_words(v, attach_advice[i].text, zone ? zone : "ZONE");
        _auto_free_ char *command = attach_words(v, attach_advice[i].command, zone ? zone : "ZONE");
        propose(v, text, command);
        return;
    }
}

static bool wants_attachment(const struct view *w, struct row *v)
{
    const json_t *here = attachment(w, v, false), *other = attachment(w, v, true);
    if (!must_be_attached(v) || jbool(here, "status.attached", false))
        return false;
    bool shared = v->pv && pv_multi_attach(v->pv->tree);
    if (!here && other && !shared) {
        tell_elsewhere(w, v, jstr_or(other, "spec.nodeName", ""));
        return true;
    }
    const char *error = jstr(here, "status.attachError.message");
    v->state = "attach";
    v->actor = error ? "user" : "attacher";
    if (error)
        buf_addf(&v->because, "Volume %s cannot be attached to node %s: %s", v->name, w->node, error);
    else
        buf_addf(&v->because, "It is on node %s, and volume %s is not attached there yet.", w->node, v->name);
    buf_adds(&v->waits, error ? "the attacher's next try" : (here ? "the attacher" : "the attach-detach controller"));
    if (error)
        advise_attachment(w, v, error);
    return true;
}

/* -- its mount -- */

static const struct {
    const char *part; /* of the kubelet's words */
    const char *text;
    const char *command; /* %s: what the kubelet named in quotes; NULL: none */
} advice[] = {
    {"configmap \"", "Create the ConfigMap.", "kubectl create configmap %s --from-literal=KEY=VALUE"},
    {"secret \"", "Create the Secret.", "kubectl create secret generic %s --from-literal=KEY=VALUE"},
    {"non-existent config key", "Put the key into the ConfigMap, or take it out of the pod's items.", NULL},
    {"non-existent secret key", "Put the key into the Secret, or take it out of the pod's items.", NULL},
    {"hostPath type check failed",
     "The path is not on the node as the pod says: let type be what is there; or, if nothing is, DirectoryOrCreate or "
     "FileOrCreate.",
     NULL},
    {": no such file or directory", "Make the directories above it on the node: FileOrCreate makes only the file.",
     NULL},
    {"is not absolute", "Let the path begin with a slash.", NULL},
    {"is specified in volumeDevices",
     "The claim's volume is a filesystem: give the container volumeMounts with a mountPath instead of volumeDevices.",
     NULL},
    {"is specified in volumeMounts",
     "The claim's volume is a device: give the container volumeDevices with a devicePath instead of volumeMounts.",
     NULL},
    {"could not correct them",
     "The filesystem is broken beyond what is repaired by itself: repair the disk's file with e2fsck while nothing has "
     "it "
     "mounted, or restore a snapshot. `stowage disk show` tells the file.",
     NULL},
    {"format of disk", "The disk cannot hold such a filesystem: see what mkfs said, and what the class asks for.",
     NULL},
    {"helper program",
     "The node has no mount helper for volumes of this kind: take one of a CSI driver, as nfs.csi.k8s.io.", NULL},
    {"ReadWriteOncePod", "One pod at a time may use the claim: delete the one that has it.", NULL},
    {"list of registered CSI drivers", "No driver of that name runs on the node.", "kubectl get csinode"},
    {"wrong fs type, bad option",
     "What is on the disk is not what fsType or mountOptions say: look at the volume and at its class.",
     "kubectl get pv,sc -o yaml"},
    {"mount options are not supported", "Take mountOptions off the volume: what is behind it is not mounted.",
     "kubectl get pv,sc -o yaml"},
    {"bad option", "mountOptions of the volume or its class have a word that the file system does not know.",
     "kubectl get pv,sc -o yaml"},
    {"mount option", "mountOptions of the volume or its class have a word that the file system does not know.",
     "kubectl get pv,sc -o yaml"},
};

/* path "/opt/vol1" does not exist: a directory that somebody has to make on the node. */
static bool advise_directory(const struct view *w, struct row *v, const char *cause)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    const char *at = strstr(cause, "path \""), *path = at ? at + strlen("path \"") : NULL;
    const char *end = path ? strchr(path, '"') : NULL;
    if (!end || !str_starts(end, "\" does not exist"))
        return false;
    const bool typed = strspn(path, plain) == (size_t)(end - path);
    _auto_free_ char *command =
        typed ? xasprintf("stowage shell %s -- mkdir -p %.*s", w->node, (int)(end - path), path) : xstrdup("");
    propose(v, "Make the directory that the volume names, on the node.", command);
    return true;
}

static void advise(const struct view *w, struct row *v, const char *cause)
{
    if (advise_directory(w, v, cause))
        return;
    for (size_t i = 0; i < ARRAY_LEN(advice); i++) {
        const char *at = strstr(cause, advice[i].part), *quote = at ? strchr(at, '"') : NULL;
        const char *end = quote ? strchr(quote + 1, '"') : NULL;
        if (!at)
            continue;
        _auto_free_ char *named = end ? xstrndup(quote + 1, (size_t)(end - quote - 1)) : xstrdup("NAME");
        const char *command = advice[i].command ? advice[i].command : "", *hole = strstr(command, "%s");
        _auto_free_ char *typed =
            hole ? xasprintf("%.*s%s%s", (int)(hole - command), command, named, hole + 2) : xstrdup(command);
        propose(v, advice[i].text, typed);
        return;
    }
}

/* What the kubelet said last about this volume, unless it has got past its volumes since. */
static const char *mount_failure(const struct view *w, const struct row *v)
{
    _auto_free_ char *about = xasprintf("for volume \"%s\" : ", v->name);
    _auto_free_ char *listed = xasprintf("failed to process volumes=[%s]: ", jstr_or(v->spec, "name", ""));
    for (size_t i = json_array_size(w->events); i-- > 0;) {
        const json_t *event = json_array_get(w->events, i);
        const char *reason = jstr_or(event, "reason", ""), *message = jstr_or(event, "message", "");
        const char *at = strstr(message, about);
        if (str_eq(reason, "Pulling") || str_eq(reason, "Pulled") || str_eq(reason, "Created"))
            return NULL;
        if (!str_eq(reason, "FailedMount") && !str_eq(reason, "FailedMapVolume"))
            continue;
        if (at)
            return at + strlen(about);
        if ((at = strstr(message, listed)))
            return at + strlen(listed);
    }
    return NULL;
}

static bool fails_to_mount(const struct view *w, struct row *v)
{
    const char *cause = mount_failure(w, v);
    if (!cause)
        return false;
    v->state = "mount";
    v->actor = "user";
    buf_addf(&v->because, "The kubelet of %s cannot mount volume %s: %s", w->node, v->name, cause);
    buf_adds(&v->waits, "the kubelet's next try; the time between them doubles, up to two minutes");
    advise(w, v, cause);
    return true;
}

/* -- all of them -- */

static json_t *row_told(const struct view *w, const json_t *spec)
{
    struct row v;
    row_open(w, spec, &v);
    (void)(wants_claim(w, &v) || wants_attachment(w, &v) || fails_to_mount(w, &v));
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "name", jstr_or(spec, "name", ""), "volume", v.name,
                            "state", v.state, "because", buf_str(&v.because), "waitsFor", buf_str(&v.waits), "actor",
                            v.actor, "changes", v.changes);
    row_close(&v);
    return out;
}

json_t *why_volumes(struct registry *r, const json_t *pod, const json_t *claims, const json_t *events)
{
    struct view w = {
        .registry = r, .pod = pod, .claims = claims, .events = events, .node = jstr_or(pod, "spec.nodeName", "")};
    json_t *out = json_array();
    if (!*w.node || pod_terminal(pod))
        return out;
    objlist_load(&w.attachments, r, RES.volumeattachments->bucket, NULL);
    size_t i;
    json_t *spec;
    json_array_foreach(jat(pod, "spec.volumes"), i, spec) json_array_append_new(out, row_told(&w, spec));
    objlist_release(&w.attachments);
    return out;
}

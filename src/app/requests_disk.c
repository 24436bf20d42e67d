/* requests_disk.c - the control socket's answers about disks: what `stowage disk` asks. See requests.h.
 *
 * DESIGN: each answer is one call of the cloud (csi/cloud.h); members of the request are named as the verb's flags.
 * Lists come in pages, because an answer is one packet. A disk is told beside the objects that use it: its volume and
 * claim. THREADS: the control socket's. */
#include "app/requests_int.h"

#include "app/glass.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/objects.h"
#include "volume/volume.h"

#define PAGE 32

/* -- disks, and who uses them -- */

static json_t *users_of(const struct objlist *volumes, const char *id)
{
    for (size_t i = 0; i < volumes->len; i++) {
        const json_t *pv = volumes->trees[i];
        if (!pv_is_on_disk(pv, id))
            continue;
        json_t *u = json_pack("{s:s}", "PersistentVolume", obj_name(pv));
        const char *claim = jstr(pv, "spec.claimRef.name");
        if (claim)
            json_object_set_new(u, "PersistentVolumeClaim",
                                json_sprintf("%s/%s", jstr_or(pv, "spec.claimRef.namespace", ""), claim));
        return u;
    }
    return NULL;
}

static json_t *disk_answer(struct cluster *c, const struct objlist *volumes, const struct cloud_disk *d)
{
    json_t *j = cloud_disk_json(d);
    struct disk_info info;
    struct err none = ERR_INIT;
    struct machine *m = cluster_machine(c);
    char backing[CLOUD_ID_LEN + 16];
    cloud_disk_backing(d, backing);
    for (size_t i = 0; i < d->attachment_count; i++)
        jset_str(json_array_get(json_object_get(j, "Attachments"), i), "Node", d->attachments[i].node);
    if (m->ops->disk_info(m, backing, &info, &none) == 0)
        jset_int(j, "UsedBytes", info.used);
    json_t *users = users_of(volumes, d->id);
    if (users)
        json_object_set_new(j, "Kubernetes", users);
    return j;
}

static int op_list(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e _unused_)
{
    struct cloud_disk *list;
    size_t n = cloud_disks(cluster_cloud(c), NULL, NULL, &list), from = (size_t)jint(request, "from", 0);
    _auto_objlist_ struct objlist volumes = {0};
    objlist_load(&volumes, cluster_registry(c), RES.persistentvolumes->bucket, NULL);
    json_t *page = json_array();
    size_t i = from;
    for (; i < n && i < from + PAGE; i++)
        json_array_append_new(page, disk_answer(c, &volumes, &list[i]));
    cloud_disks_free(list, n);
    *out = json_pack("{s:o, s:b, s:I}", "items", page, "more", i < n, "next", (json_int_t)i);
    return 0;
}

static int op_snapshots(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_,
                        struct err *e _unused_)
{
    struct cloud_snapshot *list;
    size_t n = cloud_snapshots(cluster_cloud(c), &list), from = (size_t)jint(request, "from", 0), i = from;
    json_t *page = json_array();
    for (; i < n && i < from + PAGE; i++)
        json_array_append_new(page, cloud_snapshot_json(&list[i]));
    cloud_snapshots_free(list, n);
    *out = json_pack("{s:o, s:b, s:I}", "items", page, "more", i < n, "next", (json_int_t)i);
    return 0;
}

/* -- making and changing -- */

static int op_create(struct cluster *c, const json_t *r, json_t **out, int fds[4] _unused_, struct err *e)
{
    const struct cloud_create req = {
        .provider = CLOUD_EC2,
        .id = jstr(r, "id"),
        .zone = jstr_or(r, "zone", ""),
        .type = jstr_or(r, "type", "gp3"),
        .snapshot = jstr(r, "snapshot"),
        .kms_key = jstr(r, "kms-key"),
        .gib = jint(r, "size", 0),
        .iops = jint(r, "iops", 0),
        .throughput = jint(r, "throughput", 0),
        .encrypted = jbool(r, "encrypted", false),
        .multi_attach = jbool(r, "multi-attach", false),
        .tags = json_object_get(r, "tags"),
    };
    _auto_disk_ struct cloud_disk made = {0};
    if (cloud_disk_create(cluster_cloud(c), &req, &made, e) < 0)
        return -1;
    *out = cloud_disk_json(&made);
    return 0;
}

static int op_attach(struct cluster *c, const json_t *r, json_t **out, int fds[4] _unused_, struct err *e)
{
    struct cloud_attachment a;
    if (cloud_disk_attach(cluster_cloud(c), jstr_or(r, "id", ""), jstr_or(r, "node", ""), jstr(r, "device"), false, &a,
                          e) < 0)
        return -1;
    *out = json_pack("{s:s, s:s, s:s, s:s, s:s}", "VolumeId", jstr_or(r, "id", ""), "InstanceId", a.instance, "Node",
                     a.node, "Device", a.device, "State", cloud_attach_state_name(a.state));
    return 0;
}

static int op_detach(struct cluster *c, const json_t *r, json_t **out, int fds[4] _unused_, struct err *e)
{
    if (cloud_disk_detach(cluster_cloud(c), jstr_or(r, "id", ""), jstr(r, "node"), jstr(r, "device"), false, e) < 0)
        return -1;
    *out = json_object();
    return 0;
}

static int op_modify(struct cluster *c, const json_t *r, json_t **out, int fds[4] _unused_, struct err *e)
{
    const struct cloud_change change = {.gib = jint(r, "size", 0),
                                        .iops = jint(r, "iops", 0),
                                        .throughput = jint(r, "throughput", 0),
                                        .type = jstr(r, "type")};
    _auto_disk_ struct cloud_disk d = {0};
    if (cloud_disk_modify(cluster_cloud(c), jstr_or(r, "id", ""), &change, &d, e) < 0)
        return -1;
    *out = cloud_modification_json(&d);
    return 0;
}

static int op_snapshot(struct cluster *c, const json_t *r, json_t **out, int fds[4] _unused_, struct err *e)
{
    _auto_snapshot_ struct cloud_snapshot s = {0};
    if (cloud_snapshot_create(cluster_cloud(c), jstr_or(r, "id", ""), NULL, jstr_or(r, "description", ""),
                              json_object_get(r, "tags"), &s, e) < 0)
        return -1;
    *out = cloud_snapshot_json(&s);
    return 0;
}

static int op_remove(struct cluster *c, const json_t *r, json_t **out, int fds[4] _unused_, struct err *e)
{
    const char *id = jstr_or(r, "id", "");
    struct cloud *cloud = cluster_cloud(c);
    int rc = str_starts(id, "snap-") ? cloud_snapshot_delete(cloud, id, e) : cloud_disk_delete(cloud, id, e);
    if (rc == 0)
        *out = json_object();
    return rc;
}

static int op_show(struct cluster *c, const json_t *r, json_t **out, int fds[4] _unused_, struct err *e)
{
    return glass_look(c, jstr_or(r, "what", ""), jstr_or(r, "namespace", "default"), out, e);
}

const struct request_op disk_request_ops[] = {
    {"disk-list", op_list},         {"disk-snapshots", op_snapshots},
    {"disk-create", op_create},     {"disk-attach", op_attach},
    {"disk-detach", op_detach},     {"disk-modify", op_modify},
    {"disk-snapshot", op_snapshot}, {"disk-remove", op_remove},
    {"disk-show", op_show},         {NULL, NULL},
};

/* ebs.c - ebs.csi.aws.com: a disk of the cloud per volume, attached to one node under a cloud device name.
 *
 * DESIGN: the volume handle is the disk's id, so a disk made by hand and one made for a claim are used alike. All state
 * is the cloud's (cloud.h): what CSI asks is turned into EC2 calls, and what EC2 refuses is worded as the real driver
 * words it (aws-ebs-csi-driver v1.40), with EC2's code and text inside. CreateVolume has a file of its own.
 *
 * THREADS: every operation is safe on any worker; the cloud orders what concerns one disk. */
#include "csi/ebs_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A stable id, so that a refusal that repeats is one event that is counted, not many. */
static void request_id(const char *seed, char out[37])
{
    uint64_t a = str_hash64(seed, strlen(seed)), b = str_hash64(&a, sizeof a);
    snprintf(out, 37, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
             (unsigned)(a & 0xfff), (unsigned)(b >> 52), (unsigned long long)(b & 0xffffffffffff));
}

int ebs_ec2_error(struct err *e, const char *action, const char *fmt, ...)
{
    char what[400], code[64], id[37];
    const struct err why = *e;
    const char *text = cloud_error(&why, code);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    request_id(why.msg, id);
    return err_set(e, why.code,
                   "rpc error: code = Internal desc = %s: operation error EC2: %s, https response error StatusCode: "
                   "400, RequestID: %s, api error %s: %s",
                   what, action, id, code, text);
}

/* The handle of a PV of ours, whichever of the two forms its source has. */
static const char *handle_of(const json_t *pv)
{
    const char *handle = jstr(pv, "spec.csi.volumeHandle");
    if (!handle)
        handle = jstr_or(pv, "spec.awsElasticBlockStore.volumeID", "");
    const char *slash = strrchr(handle, '/');
    return slash ? slash + 1 : handle;
}

static int remove_disk(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
    const char *handle = handle_of(pv);
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_disk_delete(cloud, handle, e) == 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return ebs_ec2_error(e, "DeleteVolume", "Could not delete volume ID \"%s\": DeleteDisk could not delete volume",
                             handle);
    err_clear(e);
    return 0;
}

static int expand(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, int64_t bytes,
                  struct csi_grown *out, struct err *e)
{
    const char *handle = handle_of(pv);
    struct cloud *cloud = cloud_of(m, e);
    struct cloud_change change = {.gib = csi_gib(bytes)};
    _auto_disk_ struct cloud_disk have = {0};
    if (!cloud)
        return -1;
    if (cloud_disk_get(cloud, handle, &have, e) < 0)
        return ebs_ec2_error(e, "DescribeVolumes", "Could not resize volume \"%s\"", handle);
    if (have.gib < change.gib && cloud_disk_modify(cloud, handle, &change, NULL, e) < 0)
        return ebs_ec2_error(e, "ModifyVolume", "Could not resize volume \"%s\": unable to modify AWS volume \"%s\"",
                             handle, handle);
    *out = csi_grown_disk(have.gib, change.gib);
    return 0;
}

/* -- attaching -- */

static const struct cloud_attachment *attachment_on(const struct cloud_disk *disk, const char *instance)
{
    for (size_t i = 0; i < disk->attachment_count; i++)
        if (str_eq(disk->attachments[i].instance, instance))
            return &disk->attachments[i];
    return NULL;
}

/* A disk of an earlier version's data directory has no record yet. */
static int find_disk(struct cloud *cloud, const char *handle, const char *zone, struct cloud_disk *out, struct err *e)
{
    struct err none = ERR_INIT;
    if (cloud_disk_get(cloud, handle, out, &none) == 0 ||
        (cloud_disk_adopt(cloud, handle, zone, &none) == 0 && cloud_disk_get(cloud, handle, out, &none) == 0))
        return 0;
    return err_set(e, ERR_NOT_FOUND, "rpc error: code = NotFound desc = Volume \"%s\" not found", handle);
}

static int publish(const struct csi_driver *d _unused_, struct machine *m, const char *handle, const char *node,
                   bool read_only _unused_, char *out_device, size_t size, struct err *e)
{
    _auto_disk_ struct cloud_disk disk = {0};
    struct cloud_instance instance;
    struct cloud_attachment made;
    struct err none = ERR_INIT;
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_instance_find(cloud, node, &instance, &none) < 0)
        return err_set(e, ERR_NOT_FOUND, "rpc error: code = NotFound desc = Instance \"%s\" not found", node);
    if (find_disk(cloud, handle, instance.zone, &disk, e) < 0)
        return -1;
    const struct cloud_attachment *have = attachment_on(&disk, instance.id);
    if (!have) {
        if (cloud_disk_attach(cloud, handle, instance.id, NULL, false, &made, e) < 0)
            return ebs_ec2_error(
                e, "AttachVolume",
                "Could not attach volume \"%s\" to node \"%s\": could not attach volume \"%s\" to node "
                "\"%s\"",
                handle, instance.id, handle, instance.id);
        have = &made;
    }
    snprintf(out_device, size, "%s", have->device);
    return 0;
}

static int unpublish(const struct csi_driver *d _unused_, struct machine *m, const char *handle, const char *node,
                     struct err *e)
{
    struct cloud_instance instance;
    struct err none = ERR_INIT;
    _auto_disk_ struct cloud_disk disk = {0};
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_instance_find(cloud, node, &instance, &none) < 0 || cloud_disk_get(cloud, handle, &disk, &none) < 0 ||
        !attachment_on(&disk, instance.id))
        return 0; /* detached is what was asked */
    if (cloud_disk_detach(cloud, handle, instance.id, NULL, false, e) == 0)
        return 0;
    return ebs_ec2_error(e, "DetachVolume",
                         "Could not detach volume \"%s\" from node \"%s\": could not detach volume \"%s\" from node "
                         "\"%s\"",
                         handle, instance.id, handle, instance.id);
}

/* -- on the node -- */

static int locate(const struct csi_driver *d _unused_, struct machine *m, const char *handle, const char *node,
                  char *device, size_t size, struct err *e)
{
    return csi_locate_disk(m, handle, node, device, size, e);
}

/* "/dev/xvdba", or its partition where the source names one. Returns new. */
static char *partition_of(const json_t *pv, const char *device)
{
    const char *given = jmap(pv, "spec.csi.volumeAttributes", "partition");
    int64_t n = jint(pv, "spec.awsElasticBlockStore.partition", 0);
    if (given && !str_eq(given, "0") && !str_empty(given))
        return xasprintf("%s%s", device, given);
    return n > 0 ? xasprintf("%s%lld", device, (long long)n) : xstrdup(device);
}

static bool fstype_ok(const char *fstype)
{
    static const char *const known[] = {"ext2", "ext3", "ext4", "xfs", "ntfs"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcasecmp(known[i], fstype) == 0)
            return true;
    return false;
}

static int stage(const struct csi_driver *d _unused_, struct machine *m, const char *node, const json_t *pv,
                 const char *device, const char *target, struct err *e)
{
    _auto_free_ char *options = csi_mount_options(pv);
    _auto_free_ char *part = partition_of(pv, device);
    const char *fstype = jstr(pv, "spec.csi.fsType");
    if (str_empty(fstype))
        fstype = jstr(pv, "spec.awsElasticBlockStore.fsType");
    if (str_empty(fstype))
        fstype = "ext4";
    if (!fstype_ok(fstype))
        return err_set(e, ERR_INVALID, "rpc error: code = InvalidArgument desc = NodeStageVolume: invalid fstype %s",
                       fstype);
    if (str_eq(fstype, "xfs")) { /* a restored one is a twin of its source, which this node may have too */
        _auto_free_ char *given = options;
        options = xasprintf("%s%snouuid", given, *given ? "," : "");
    }
    _auto_free_ char *mkfs = NULL;
    if (ebs_format_words(pv, fstype, &mkfs, e) < 0)
        return -1;
    bool read_only = jbool(pv, "spec.csi.readOnly", jbool(pv, "spec.awsElasticBlockStore.readOnly", false));
    struct fs_mount spec = {.node = node,
                            .device = part,
                            .target = target,
                            .fstype = fstype,
                            .options = options,
                            .read_only = read_only,
                            .format = true,
                            .mkfs = mkfs};
    return m->ops->fs_mount(m, &spec, e) == 0
               ? 0
               : err_wrap(e, "rpc error: code = Internal desc = could not format \"%s\" and mount it at \"%s\"", part,
                          target);
}

/* -- snapshots -- */

static void show_snapshot(const struct cloud_snapshot *s, struct csi_snapshot *out)
{
    *out = (struct csi_snapshot){.bytes = s->gib * GIB, .ready = s->state == CLOUD_COMPLETED};
    snprintf(out->handle, sizeof out->handle, "%s", s->id);
    if (time_parse(s->started, &out->created_ns) < 0)
        out->created_ns = 0;
}

static int check_snapshot_keys(const json_t *parameters, struct err *e)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)parameters, key, value)
    {
        if (!str_starts(key, "csi.storage.k8s.io/") && !ebs_is_tag_key(key) &&
            !str_eq(key, "fastSnapshotRestoreAvailabilityZones") && !str_eq(key, "outpostArn"))
            return err_set(e, ERR_INVALID,
                           "rpc error: code = InvalidArgument desc = Invalid parameter key %s for CreateSnapshot", key);
    }
    return 0;
}

static int snapshot(const struct csi_driver *d _unused_, struct machine *m, const char *handle, const char *name,
                    const json_t *parameters, struct csi_snapshot *out, struct err *e)
{
    _auto_snapshot_ struct cloud_snapshot made = {0};
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud || check_snapshot_keys(parameters, e) < 0)
        return -1;
    _auto_json_ json_t *tags =
        json_pack("{s:s, s:s}", "CSIVolumeSnapshotName", name, "ebs.csi.aws.com/cluster", "true");
    ebs_tags_of(parameters, tags);
    _auto_free_ char *text = xasprintf("Created by AWS EBS CSI driver for volume %s", handle);
    if (cloud_snapshot_create(cloud, handle, name, text, tags, &made, e) < 0)
        return ebs_ec2_error(e, "CreateSnapshot",
                             "Could not create snapshot \"%s\": error creating snapshot of volume %s", name, handle);
    show_snapshot(&made, out);
    return 0;
}

static int snapshot_get(const struct csi_driver *d _unused_, struct machine *m, const char *handle,
                        struct csi_snapshot *out, struct err *e)
{
    _auto_snapshot_ struct cloud_snapshot s = {0};
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud || cloud_snapshot_get(cloud, handle, &s, e) < 0)
        return -1;
    show_snapshot(&s, out);
    return 0;
}

static int remove_snapshot(const struct csi_driver *d _unused_, struct machine *m, const char *handle, struct err *e)
{
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_snapshot_delete(cloud, handle, e) == 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return ebs_ec2_error(e, "DeleteSnapshot", "Could not delete snapshot ID \"%s\"", handle);
    err_clear(e);
    return 0;
}

/* -- modifying -- */

int ebs_mutable(const json_t *parameters, struct cloud_change *out, struct err *e)
{
    const char *key, *type = csi_parameter(parameters, "type");
    json_t *value;
    json_object_foreach((json_t *)parameters, key, value)
    {
        if (!str_eq(key, "type") && !str_eq(key, "iops") && !str_eq(key, "throughput") && !ebs_is_tag_key(key))
            return err_set(e, ERR_INVALID, "rpc error: code = InvalidArgument desc = Invalid mutable parameter key: %s",
                           key);
    }
    if (type)
        out->type = type;
    return ebs_number(parameters, "iops", &out->iops, e) < 0 ||
                   ebs_number(parameters, "throughput", &out->throughput, e) < 0
               ? -1
               : 0;
}

static int modify(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, const json_t *parameters,
                  struct err *e)
{
    const char *handle = handle_of(pv);
    struct cloud_change change = {0};
    struct cloud *cloud = cloud_of(m, e);
    _auto_disk_ struct cloud_disk have = {0};
    if (!cloud || ebs_mutable(parameters, &change, e) < 0)
        return -1;
    if (cloud_disk_get(cloud, handle, &have, e) < 0)
        return ebs_ec2_error(e, "DescribeVolumes", "Could not modify volume \"%s\"", handle);
    bool same = (!change.type || str_eq(change.type, have.type)) && (!change.iops || change.iops == have.iops) &&
                (!change.throughput || change.throughput == have.throughput);
    if (same || cloud_disk_modify(cloud, handle, &change, NULL, e) == 0)
        return 0;
    return ebs_ec2_error(e, "ModifyVolume", "Could not modify volume \"%s\": unable to modify AWS volume \"%s\"",
                         handle, handle);
}

const struct csi_driver csi_ebs = {
    .name = "ebs.csi.aws.com",
    .attach_required = true,
    .attach_limit = 25,
    .topology_key = EBS_ZONE_KEY,
    .any_node = true,
    .create = ebs_create,
    .remove = remove_disk,
    .expand = expand,
    .publish = publish,
    .unpublish = unpublish,
    .locate = locate,
    .stage = stage,
    .unstage = csi_unstage,
    .clones = true, /* as the driver does since it can copy volumes */
    .snapshot = snapshot,
    .snapshot_get = snapshot_get,
    .remove_snapshot = remove_snapshot,
    .modify = modify,
};

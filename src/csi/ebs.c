/* ebs.c - ebs.csi.aws.com: a disk per volume, attached to one node under a cloud device name.
 *
 * DESIGN: a volume is a machine disk whose id is the volume handle. The handle is a digest of the CreateVolume name, so
 * a repeated create (a retry, or a restart between create and the PV's write) finds the disk it made before: idempotent
 * without a table. Texts are those of aws-ebs-csi-driver v1.40. Sizes are rounded up to whole GiB, as EC2 sells them.
 *
 * When you add a class parameter: its row in `parameters`. THREADS: every operation is safe on any worker; the machine
 * serialises what concerns one disk. */
#include "csi/driver_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GIB           (INT64_C(1) << 30)
#define DEFAULT_BYTES (100 * GIB)
#define DEFAULT_ZONE  "us-east-1a"
#define MAX_GIB       16384
#define ZONE_LABEL    "topology.kubernetes.io/zone"
#define EBS_ZONE      "topology.ebs.csi.aws.com/zone"

static const char *const parameters[] = {
    "type",
    "iops",
    "iopsPerGB",
    "throughput",
    "encrypted",
    "kmsKeyId",
    "blockExpress",
    "fsType",
    "blockSize",
    "inodeSize",
    "bytesPerInode",
    "numberOfInodes",
    "ext4BigAlloc",
    "ext4ClusterSize",
    "allowAutoIOPSPerGBIncrease",
    "allowAutoIOPSIncreaseOnModify",
    "zone",
    "zones",
};
static const char *const types[] = {"gp3", "gp2", "io1", "io2", "st1", "sc1", "standard"};

static bool in_list(const char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(list[i], s) == 0)
            return true;
    return false;
}

static int check_parameters(const struct csi_create *req, struct err *e)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        if (str_starts(key, "csi.storage.k8s.io/") || strncasecmp(key, "tagSpecification_", 17) == 0)
            continue;
        if (!in_list(parameters, ARRAY_LEN(parameters), key))
            return err_set(e, ERR_INVALID,
                           "rpc error: code = InvalidArgument desc = Invalid parameter key %s for CreateVolume", key);
    }
    if (csi_parameter(req->parameters, "iops") && csi_parameter(req->parameters, "iopsPerGB"))
        return err_set(
            e, ERR_INVALID,
            "rpc error: code = InvalidArgument desc = invalid StorageClass parameters; specify either IOPS or "
            "IOPSPerGb, not both");
    const char *type = csi_parameter(req->parameters, "type");
    if (type && !in_list(types, ARRAY_LEN(types), type))
        return err_set(
            e, ERR_INVALID,
            "rpc error: code = Internal desc = Could not create volume \"%s\": invalid AWS VolumeType \"%s\"",
            req->name, type);
    return 0;
}

/* One writer on one node; Block volumes of io2 may be shared. */
static int check_capabilities(const struct csi_create *req, struct err *e)
{
    bool block = str_eq(req->volume_mode, "Block");
    size_t i;
    json_t *mode;
    json_array_foreach(req->access_modes, i, mode)
    {
        const char *m = json_string_value(mode);
        if (str_eq(m, "ReadOnlyMany") || (str_eq(m, "ReadWriteMany") && !block))
            return err_set(e, ERR_INVALID,
                           "rpc error: code = InvalidArgument desc = Volume capabilities not supported");
    }
    return 0;
}

static int round_size(const struct csi_create *req, int64_t *out_bytes, struct err *e)
{
    int64_t bytes = req->bytes > 0 ? req->bytes : DEFAULT_BYTES;
    if (bytes > MAX_GIB * GIB)
        return err_set(
            e, ERR_INVALID,
            "rpc error: code = Internal desc = Could not create volume \"%s\": could not create volume in EC2: "
            "operation error EC2: CreateVolume, api error InvalidParameterValue: Volume of %lldGiB is too "
            "large for volume type; maximum is %dGiB",
            req->name, (long long)((bytes + GIB - 1) / GIB), MAX_GIB);
    *out_bytes = (bytes + GIB - 1) / GIB * GIB;
    return 0;
}

static const char *zone_of(const json_t *node)
{
    const char *zone = jmap(node, "metadata.labels", ZONE_LABEL);
    if (!zone)
        zone = jmap(node, "metadata.labels", EBS_ZONE);
    return zone ? zone : DEFAULT_ZONE;
}

static json_t *source_of(const struct csi_create *req, const char *handle)
{
    json_t *csi = json_pack("{s:s, s:s}", "driver", csi_ebs.name, "volumeHandle", handle);
    if (!str_eq(req->volume_mode, "Block")) {
        const char *fstype = str_empty(req->fstype) ? csi_parameter(req->parameters, "fsType") : req->fstype;
        jset_str(csi, "fsType", str_empty(fstype) ? "ext4" : fstype);
    }
    return json_pack("{s:o}", "csi", csi);
}

static int ebs_create(const struct csi_driver *d, struct machine *m, const struct csi_create *req,
                      struct csi_volume *out, struct err *e)
{
    (void)d;
    int64_t bytes = 0;
    if (check_capabilities(req, e) < 0 || check_parameters(req, e) < 0 || round_size(req, &bytes, e) < 0)
        return -1;
    char handle[32];
    snprintf(handle, sizeof handle, "vol-0%016llx", (unsigned long long)str_hash64(req->name, strlen(req->name)));
    struct disk_info have;
    struct err none = ERR_INIT;
    if (m->ops->disk_info(m, handle, &have, &none) < 0 && m->ops->disk_create(m, handle, bytes, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = Could not create volume \"%s\"", req->name);
    snprintf(out->handle, sizeof out->handle, "%s", handle);
    out->bytes = bytes;
    out->source = source_of(req, handle);
    out->node_affinity = csi_affinity(ZONE_LABEL, zone_of(req->node));
    return 0;
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

static int ebs_remove(const struct csi_driver *d, struct machine *m, const json_t *pv, struct err *e)
{
    (void)d;
    const char *handle = handle_of(pv);
    struct err why = ERR_INIT;
    if (m->ops->disk_delete(m, handle, &why) == 0 || why.code == ERR_NOT_FOUND)
        return 0;
    return err_set(e, why.code, "rpc error: code = Internal desc = Could not delete volume ID \"%s\": %s", handle,
                   why.msg);
}

static int ebs_expand(const struct csi_driver *d, struct machine *m, const json_t *pv, int64_t bytes, struct err *e)
{
    (void)d;
    const char *handle = handle_of(pv);
    if (m->ops->disk_grow(m, handle, (bytes + GIB - 1) / GIB * GIB, e) == 0)
        return 0;
    return err_wrap(e, "rpc error: code = Internal desc = Could not resize volume \"%s\"", handle);
}

/* out_device holds the wished-for name on entry; a disk that is already on this node keeps the one it has. */
static int ebs_publish(const struct csi_driver *d, struct machine *m, const char *handle, const char *node,
                       bool read_only, char *out_device, size_t size, struct err *e)
{
    (void)d;
    struct disk_info have;
    struct err why = ERR_INIT;
    if (m->ops->disk_info(m, handle, &have, &why) < 0)
        return why.code == ERR_NOT_FOUND
                   ? err_set(e, ERR_NOT_FOUND, "rpc error: code = NotFound desc = Volume \"%s\" not found", handle)
                   : err_set(e, why.code, "rpc error: code = Internal desc = %s", why.msg);
    if (str_eq(have.node, node) && have.device[0]) {
        snprintf(out_device, size, "%s", have.device);
        return 0;
    }
    if (m->ops->disk_attach(m, handle, node, out_device, read_only, &why) == 0)
        return 0;
    return err_set(e, why.code, "rpc error: code = Internal desc = Could not attach volume \"%s\" to node \"%s\": %s",
                   handle, node, why.msg);
}

static int ebs_unpublish(const struct csi_driver *d, struct machine *m, const char *handle, const char *node,
                         struct err *e)
{
    (void)d;
    struct err why = ERR_INIT;
    if (m->ops->disk_detach(m, handle, node, &why) == 0 || why.code == ERR_NOT_FOUND)
        return 0;
    return err_set(e, why.code, "rpc error: code = Internal desc = Could not detach volume \"%s\" from node \"%s\": %s",
                   handle, node, why.msg);
}

static int ebs_stage(const struct csi_driver *d, struct machine *m, const char *node, const json_t *pv,
                     const char *device, const char *target, struct err *e)
{
    (void)d;
    _auto_free_ char *options = csi_mount_options(pv);
    const char *fstype = jstr(pv, "spec.csi.fsType");
    if (str_empty(fstype))
        fstype = jstr(pv, "spec.awsElasticBlockStore.fsType");
    struct fs_mount spec = {.node = node,
                            .device = device,
                            .target = target,
                            .fstype = str_empty(fstype) ? "ext4" : fstype,
                            .options = options,
                            .read_only =
                                jbool(pv, "spec.csi.readOnly", jbool(pv, "spec.awsElasticBlockStore.readOnly", false)),
                            .format = true};
    return m->ops->fs_mount(m, &spec, e);
}

static int ebs_unstage(const struct csi_driver *d, struct machine *m, const char *node, const char *target,
                       struct err *e)
{
    (void)d;
    return m->ops->unmount(m, node, target, e);
}

const struct csi_driver csi_ebs = {
    .name = "ebs.csi.aws.com",
    .attach_required = true,
    .attach_limit = 25,
    .topology_key = EBS_ZONE,
    .any_node = true,
    .create = ebs_create,
    .remove = ebs_remove,
    .expand = ebs_expand,
    .publish = ebs_publish,
    .unpublish = ebs_unpublish,
    .stage = ebs_stage,
    .unstage = ebs_unstage,
};

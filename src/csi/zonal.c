/* zonal.c - pd.csi.storage.gke.io and disk.csi.azure.com: disks of one zone, attached to one node, as EBS has them
 * under other names.
 *
 * DESIGN: one driver in two rows. Disks are the cloud's (cloud.h) and carry the volume's name; the handle is the path
 * by which the provider's API knows them, whose last part is that name. When you add a provider of that kind: its types
 * in cloud_provider.c, a row in zonals[], a struct csi_driver below. Source: gcp-compute-persistent-disk-csi-driver
 * pkg/common/constants.go, azuredisk-csi-driver docs/driver-parameters.md. THREADS: any worker. */
#include "csi/cloud.h"
#include "csi/driver_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GIB     (INT64_C(1) << 30)
#define INVALID "rpc error: code = InvalidArgument desc = "
#define AZURE_GROUP                                                                                                    \
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/stowage/providers/Microsoft.Compute/"

struct zonal {
    const struct csi_driver *driver;
    enum cloud_provider_id provider;
    const char *type_keys[3];   /* parameters that name the disk's type, NULL-terminated */
    const char *parameters[26]; /* all others, NULL-terminated */
    const char *type_refused;   /* %s: the type */
    const char *key_refused;    /* %s: the key of a parameter */
    const char *modes_refused; /* %s: an access mode as CSI calls it, of a file system that several nodes would mount */
    bool reads_many;           /* ReadOnlyMany is none: such a disk goes to several */
    void (*handle)(const char *zone, const char *name, char *out, size_t size);
    const char *snapshots; /* what stands before a snapshot's name in its handle */
    bool echo;             /* parameters are shown in the volume's attributes */
};

static void gce_handle(const char *zone, const char *name, char *out, size_t size)
{
    snprintf(out, size, "projects/stowage/zones/%s/disks/%s", zone, name);
}

static void azure_handle(const char *zone, const char *name, char *out, size_t size)
{
    (void)zone;
    snprintf(out, size, AZURE_GROUP "disks/%s", name);
}

static const struct zonal zonals[] = {
    {&csi_gce_pd,
     CLOUD_GCE,
     {"type", NULL},
     {"replication-type", "disk-encryption-kms-key", "labels", "provisioned-iops-on-create",
      "provisioned-throughput-on-create", "enable-confidential-storage", "resource-tags", NULL},
     INVALID "disk type \"%s\" is not one of pd-standard, pd-balanced, pd-ssd, pd-extreme",
     INVALID "failed to extract parameters: parameters contains invalid option \"%s\"",
     INVALID "VolumeCapabilities is invalid: specified multi writer with mount access type",
     true,
     gce_handle,
     "projects/stowage/global/snapshots/",
     false},
    {&csi_azure_disk,
     CLOUD_AZURE,
     {"skuName", "storageAccountType", NULL},
     {"kind",
      "cachingMode",
      "location",
      "resourceGroup",
      "diskIOPSReadWrite",
      "diskMBpsReadWrite",
      "logicalSectorSize",
      "tags",
      "diskEncryptionSetID",
      "diskEncryptionType",
      "writeAcceleratorEnabled",
      "networkAccessPolicy",
      "diskAccessID",
      "enableBursting",
      "useragent",
      "enableAsyncAttach",
      "subscriptionID",
      "maxShares",
      "fsType",
      "zoned",
      "performancePlus",
      "attachDiskInitialDelay",
      NULL},
     INVALID "azureDisk - %s is not supported sku/storageaccounttype. Supported values are [Premium_LRS Premium_ZRS "
             "Standard_LRS StandardSSD_LRS StandardSSD_ZRS UltraSSD_LRS PremiumV2_LRS]",
     INVALID "Failed parsing disk parameters: invalid parameter %s in storage class",
     INVALID "mountVolume is not supported for access mode: %s",
     false,
     azure_handle,
     AZURE_GROUP "snapshots/",
     true},
};

static const struct zonal *row_of(const struct csi_driver *d)
{
    for (size_t i = 0; i < ARRAY_LEN(zonals); i++)
        if (zonals[i].driver == d)
            return &zonals[i];
    BUG("driver %s has no row", d->name);
}

/* The disk's name: the last part of any form of handle. */
static const char *name_of(const char *handle)
{
    const char *slash = strrchr(handle, '/');
    return slash ? slash + 1 : handle;
}

static const char *disk_of(const json_t *pv)
{
    static const char *const forms[] = {"spec.csi.volumeHandle", "spec.gcePersistentDisk.pdName",
                                        "spec.azureDisk.diskURI"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (jstr(pv, forms[i]))
            return name_of(jstr(pv, forms[i]));
    return "";
}

static int reword(struct err *e, const char *what, const char *name)
{
    char code[64];
    const struct err why = *e;
    const char *text = cloud_error(&why, code);
    return err_set(e, why.code, "rpc error: code = Internal desc = failed to %s disk %s: %s", what, name, text);
}

/* ReadOnlyMany, and nothing else. */
static bool is_read_by_many(const json_t *modes)
{
    return json_array_size(modes) == 1 && str_eq(json_string_value(json_array_get(modes, 0)), "ReadOnlyMany");
}

/* -- snapshots: the cloud's, under the names that their tokens are -- */

static int find_snapshot(struct cloud *cloud, const char *handle, struct cloud_snapshot *out, struct err *e)
{
    struct cloud_snapshot *all = NULL;
    const size_t n = cloud_snapshots(cloud, &all);
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) {
        found = str_eq(all[i].token, name_of(handle));
        if (found) {
            *out = all[i];
            all[i] = (struct cloud_snapshot){0};
        }
    }
    cloud_snapshots_free(all, n);
    return found ? 0 : err_set(e, ERR_NOT_FOUND, "rpc error: code = NotFound desc = snapshot %s not found", handle);
}

static void show_snapshot(const struct csi_driver *d, const struct cloud_snapshot *s, struct csi_snapshot *out)
{
    *out = (struct csi_snapshot){.bytes = s->gib * GIB, .ready = s->state == CLOUD_COMPLETED};
    snprintf(out->handle, sizeof out->handle, "%s%s", row_of(d)->snapshots, s->token);
    if (time_parse(s->started, &out->created_ns) < 0)
        out->created_ns = 0;
}

static int snapshot(const struct csi_driver *d, struct machine *m, const char *handle, const char *name,
                    const json_t *parameters _unused_, struct csi_snapshot *out, struct err *e)
{
    _auto_snapshot_ struct cloud_snapshot made = {0};
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_snapshot_create(cloud, name_of(handle), name, "", NULL, &made, e) < 0)
        return reword(e, "take a snapshot of", name_of(handle));
    show_snapshot(d, &made, out);
    return 0;
}

static int snapshot_get(const struct csi_driver *d, struct machine *m, const char *handle, struct csi_snapshot *out,
                        struct err *e)
{
    _auto_snapshot_ struct cloud_snapshot s = {0};
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud || find_snapshot(cloud, handle, &s, e) < 0)
        return -1;
    show_snapshot(d, &s, out);
    return 0;
}

static int remove_snapshot(const struct csi_driver *d _unused_, struct machine *m, const char *handle, struct err *e)
{
    _auto_snapshot_ struct cloud_snapshot s = {0};
    struct cloud *cloud = cloud_of(m, e);
    struct err none = ERR_INIT;
    if (!cloud)
        return -1;
    if (find_snapshot(cloud, handle, &s, &none) < 0 || cloud_snapshot_delete(cloud, s.id, e) == 0)
        return 0;
    return reword(e, "delete the snapshot", name_of(handle));
}

/* -- CreateVolume -- */

static bool in_list(const char *const *list, const char *key)
{
    for (; *list; list++)
        if (strcasecmp(*list, key) == 0)
            return true;
    return false;
}

static int check(const struct zonal *z, const struct csi_create *req, struct err *e)
{
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        if (!str_starts(key, "csi.storage.k8s.io/") && !in_list(z->type_keys, key) && !in_list(z->parameters, key))
            return err_set(e, ERR_INVALID, z->key_refused, key);
    }
    json_array_foreach(req->access_modes, i, value)
    {
        bool reads = str_eq(json_string_value(value), "ReadOnlyMany");
        if (!str_eq(req->volume_mode, "Block") &&
            (str_eq(json_string_value(value), "ReadWriteMany") || (reads && !z->reads_many)))
            return err_set(e, ERR_INVALID, z->modes_refused,
                           reads ? "MULTI_NODE_READER_ONLY" : "MULTI_NODE_MULTI_WRITER");
    }
    return 0;
}

static const char *type_of(const struct zonal *z, const json_t *parameters)
{
    for (const char *const *key = z->type_keys; *key; key++)
        if (csi_parameter(parameters, *key))
            return csi_parameter(parameters, *key);
    return NULL;
}

static json_t *source_of(const struct zonal *z, const struct csi_create *req, const struct csi_volume *v)
{
    json_t *csi = json_pack("{s:s, s:s}", "driver", z->driver->name, "volumeHandle", v->handle);
    if (!str_eq(req->volume_mode, "Block"))
        jset_str(csi, "fsType", csi_fstype(req));
    if (!z->echo)
        return json_pack("{s:o}", "csi", csi);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        if (!str_starts(key, "csi.storage.k8s.io/"))
            jset_map(csi, "volumeAttributes", key, json_string_value(value));
    }
    _auto_free_ char *gib = xasprintf("%lld", (long long)(v->bytes / GIB));
    jset_map(csi, "volumeAttributes", "requestedsizegib", gib);
    jset_map(csi, "volumeAttributes", "csi.storage.k8s.io/pv/name", req->name);
    jset_map(csi, "volumeAttributes", "csi.storage.k8s.io/pvc/name", req->claim_name);
    jset_map(csi, "volumeAttributes", "csi.storage.k8s.io/pvc/namespace", req->claim_ns);
    return json_pack("{s:o}", "csi", csi);
}

static int create(const struct csi_driver *d, struct machine *m, const struct csi_create *req, struct csi_volume *out,
                  struct err *e)
{
    const struct zonal *z = row_of(d);
    const char *zone = jmap(req->node, "metadata.labels", "topology.kubernetes.io/zone");
    _auto_disk_ struct cloud_disk made = {0};
    _auto_snapshot_ struct cloud_snapshot from = {0};
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud || check(z, req, e) < 0 || (req->snapshot && find_snapshot(cloud, req->snapshot, &from, e) < 0))
        return -1;
    _auto_free_ char *first_zone = xasprintf("%sa", cloud_region(cloud));
    _auto_json_ json_t *tags = json_pack("{s:s, s:s, s:s}", "kubernetes.io-created-for-pv-name", req->name,
                                         "kubernetes.io-created-for-pvc-name", req->claim_name,
                                         "kubernetes.io-created-for-pvc-namespace", req->claim_ns);
    const struct cloud_create want = {
        .provider = z->provider,
        .id = req->name,
        .token = req->name,
        .zone = str_empty(zone) ? first_zone : zone,
        .type = type_of(z, req->parameters),
        .snapshot = req->snapshot ? from.id : NULL,
        .source_disk = req->source ? name_of(req->source) : NULL,
        .gib = csi_gib(req->bytes),
        .ext4 = csi_wants_ext4(req) && !is_read_by_many(req->access_modes), /* nobody could make one on that */
        .tags = tags,
    };
    if (cloud_disk_create(cloud, &want, &made, e) < 0) {
        char code[64];
        cloud_error(e, code);
        return str_eq(code, "UnknownVolumeType") ? err_set(e, ERR_INVALID, z->type_refused, want.type)
                                                 : reword(e, "create", req->name);
    }
    z->handle(made.zone, made.id, out->handle, sizeof out->handle);
    out->bytes = made.gib * GIB;
    out->source = source_of(z, req, out);
    out->node_affinity = csi_affinity(d->topology_key, made.zone);
    return 0;
}

/* -- the rest of a volume's life -- */

static int remove_volume(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_disk_delete(cloud, disk_of(pv), e) == 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return reword(e, "delete", disk_of(pv));
    err_clear(e);
    return 0;
}

static int expand(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, int64_t bytes,
                  struct csi_grown *out, struct err *e)
{
    struct cloud *cloud = cloud_of(m, e);
    const struct cloud_change change = {.gib = csi_gib(bytes)};
    _auto_disk_ struct cloud_disk have = {0};
    if (!cloud)
        return -1;
    if (cloud_disk_get(cloud, disk_of(pv), &have, e) < 0 ||
        (have.gib < change.gib && cloud_disk_modify(cloud, disk_of(pv), &change, NULL, e) < 0))
        return reword(e, "resize", disk_of(pv));
    *out = csi_grown_disk(have.gib, change.gib);
    return 0;
}

static int publish(const struct csi_driver *d, struct machine *m, const char *handle, const char *node, bool read_only,
                   char *out_device, size_t size, struct err *e)
{
    const char *name = name_of(handle);
    struct cloud_attachment made;
    _auto_disk_ struct cloud_disk disk = {0};
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_disk_get(cloud, name, &disk, e) < 0)
        return err_set(e, ERR_NOT_FOUND, "rpc error: code = NotFound desc = Could not find disk %s", handle);
    for (size_t i = 0; i < disk.attachment_count; i++)
        if (str_eq(disk.attachments[i].node, node)) {
            snprintf(out_device, size, "%s", disk.attachments[i].device);
            return 0;
        }
    if (cloud_disk_attach(cloud, name, node, NULL, read_only && row_of(d)->reads_many, &made, e) < 0)
        return reword(e, "attach", name);
    snprintf(out_device, size, "%s", made.device);
    return 0;
}

static int unpublish(const struct csi_driver *d _unused_, struct machine *m, const char *handle, const char *node,
                     struct err *e)
{
    const char *name = name_of(handle);
    struct err none = ERR_INIT;
    _auto_disk_ struct cloud_disk disk = {0};
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_disk_get(cloud, name, &disk, &none) < 0)
        return 0;
    for (size_t i = 0; i < disk.attachment_count; i++)
        if (str_eq(disk.attachments[i].node, node) && cloud_disk_detach(cloud, name, node, NULL, false, e) < 0)
            return reword(e, "detach", name);
    return 0;
}

static int locate(const struct csi_driver *d, struct machine *m, const char *handle, const char *node, char *device,
                  size_t size, struct err *e)
{
    char backing[CLOUD_ID_LEN + 16];
    struct cloud_disk disk = {.provider = row_of(d)->provider};
    snprintf(disk.id, sizeof disk.id, "%s", name_of(handle));
    cloud_disk_backing(&disk, backing);
    return csi_locate_disk(m, backing, node, device, size, e);
}

/* Each in its driver's words. Source: pd node.go NodeStageVolume, azuredisk nodeserver.go. */
static int stage_failed(const struct csi_driver *d, const struct fs_mount *s, struct err *e)
{
    if (d == &csi_azure_disk)
        return err_wrap(e,
                        "rpc error: code = Internal desc = could not format %s(lun: %d), and mount it at %s, failed "
                        "with",
                        s->device, s->device[strlen(s->device) - 1] - 'a', s->target);
    _auto_strlist_ struct strlist words = {0};
    if (*s->options)
        strlist_split(&words, s->options, ',');
    _auto_free_ char *list = strlist_join(&words, "\" \"");
    return err_wrap(e,
                    "rpc error: code = Internal desc = Failed to format and mount device from (\"%s\") to (\"%s\") "
                    "with fstype (\"%s\") and options ([%s%s%s])",
                    s->device, s->target, s->fstype, *list ? "\"" : "", list, *list ? "\"" : "");
}

static int stage(const struct csi_driver *d, struct machine *m, const char *node, const json_t *pv, const char *device,
                 const char *target, struct err *e)
{
    _auto_free_ char *options = csi_mount_options(pv);
    const char *fstype = jstr_or(pv, "spec.csi.fsType", "");
    const bool reads_only = row_of(d)->reads_many && is_read_by_many(jat(pv, "spec.accessModes"));
    if (str_eq(fstype, "xfs")) { /* a restored one is a twin of its source, which this node may have too */
        _auto_free_ char *given = options;
        options = xasprintf("%s%snouuid", given, *given ? "," : "");
    }
    const struct fs_mount spec = {.node = node,
                                  .device = device,
                                  .target = target,
                                  .fstype = str_empty(fstype) ? "ext4" : fstype,
                                  .options = options,
                                  .read_only = reads_only || jbool(pv, "spec.csi.readOnly", false),
                                  .format = true};
    return m->ops->fs_mount(m, &spec, e) < 0 ? stage_failed(d, &spec, e) : 0;
}

#define ZONAL_OPS                                                                                                      \
    .attach_required = true, .any_node = true, .create = create, .remove = remove_volume, .expand = expand,            \
    .publish = publish, .unpublish = unpublish, .locate = locate, .stage = stage, .unstage = csi_unstage,              \
    .clones = true, .snapshot = snapshot, .snapshot_get = snapshot_get, .remove_snapshot = remove_snapshot

const struct csi_driver csi_gce_pd = {
    .name = "pd.csi.storage.gke.io",
    .attach_limit = 15,
    .topology_key = "topology.gke.io/zone",
    ZONAL_OPS,
};

const struct csi_driver csi_azure_disk = {
    .name = "disk.csi.azure.com",
    .attach_limit = 8,
    .topology_key = "topology.disk.csi.azure.com/zone",
    ZONAL_OPS,
};

/* fsx.c - fsx.csi.aws.com: an FSx for Lustre file system for each claim, or one that was made before.
 *
 * DESIGN: the volume handle is the file system's id; dnsname and mountname are attributes, which the node asks for as
 * the real one does. Sizes are those Lustre is sold in: 1200 GiB, then steps of 2400. Source: aws-fsx-csi-driver. */
#include "csi/share_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GIB     (INT64_C(1) << 30)
#define INVALID "rpc error: code = InvalidArgument desc = "
#define FIRST   1200
#define STEP    2400
#define REGION  "us-east-1"

static const char *const parameters[] = {
    "subnetId",          "securityGroupIds",
    "deploymentType",    "s3ImportPath",
    "s3ExportPath",      "autoImportPolicy",
    "storageType",       "perUnitStorageThroughput",
    "kmsKeyId",          "dailyAutomaticBackupStartTime",
    "driveCacheType",    "automaticBackupRetentionDays",
    "copyTagsToBackups", "dataCompressionType",
    "extraTags",         "weeklyMaintenanceStartTime",
    "efaEnabled",        "fileSystemTypeVersion",
    "metadataIops",      "metadataConfigurationMode",
    "skipFinalBackup",
};

static int check(const struct csi_create *req, struct err *e)
{
    static const char *const refused[] = {"ReadOnlyMany", NULL};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        bool known = str_starts(key, "csi.storage.k8s.io/");
        for (size_t i = 0; i < ARRAY_LEN(parameters) && !known; i++)
            known = strcasecmp(parameters[i], key) == 0;
        if (!known)
            return err_set(e, ERR_INVALID, INVALID "Invalid parameter key %s for CreateVolume", key);
    }
    return share_check_modes(req, refused, e);
}

static int64_t sold_size(int64_t bytes)
{
    const int64_t gib = csi_gib(bytes);
    return gib <= FIRST ? FIRST : (gib + STEP - 1) / STEP * STEP;
}

static int create(const struct csi_driver *d, struct machine *m, const struct csi_create *req, struct csi_volume *out,
                  struct err *e)
{
    const uint64_t hash = str_hash64(req->name, strlen(req->name));
    struct share s = {.id = out->handle, .type = "lustre", .gib = sold_size(req->bytes)};
    char dns[96], mount[16];
    if (check(req, e) < 0)
        return -1;
    snprintf(out->handle, sizeof out->handle, "fs-0%016llx", (unsigned long long)hash);
    if (share_ensure(m, &s, &s.gib, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = Could not create volume \"%s\"", req->name);
    snprintf(dns, sizeof dns, "%s.fsx." REGION ".amazonaws.com", out->handle);
    snprintf(mount, sizeof mount, "%08x", (unsigned)(hash >> 32));
    out->bytes = s.gib * GIB;
    out->source = json_pack("{s:{s:s, s:s, s:{s:s, s:s}}}", "csi", "driver", d->name, "volumeHandle", out->handle,
                            "volumeAttributes", "dnsname", dns, "mountname", mount);
    return 0;
}

static int remove_volume(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
    const char *id = jstr_or(pv, "spec.csi.volumeHandle", "");
    return share_delete(m, id, e) == 0
               ? 0
               : err_wrap(e, "rpc error: code = Internal desc = Could not delete volume ID \"%s\"", id);
}

static int expand(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, int64_t bytes,
                  struct csi_grown *out, struct err *e)
{
    return share_grow(m, jstr_or(pv, "spec.csi.volumeHandle", ""), sold_size(bytes), out, e);
}

static int stage(const struct csi_driver *d _unused_, struct machine *m, const char *node, const json_t *pv,
                 const char *device _unused_, const char *target, struct err *e)
{
    const char *id = jstr_or(pv, "spec.csi.volumeHandle", "");
    const char *dns = jmap(pv, "spec.csi.volumeAttributes", "dnsname");
    const char *name = jmap(pv, "spec.csi.volumeAttributes", "mountname");
    if (!dns)
        return err_set(e, ERR_INVALID, INVALID "dnsname is not provided");
    if (!str_starts(id, "fs-"))
        return err_set(e, ERR_INVALID, INVALID "volume ID '%s' is not a file system's: it begins with 'fs-'", id);
    _auto_free_ char *source = xasprintf("%s@tcp:/%s", dns, name ? name : "fsx");
    if (share_check_options(pv, "lustre", source, target, e) < 0)
        return -1;
    const struct share s = {.id = id, .type = "lustre", .gib = FIRST};
    return share_mount(m, node, &s, NULL, target, e);
}

const struct csi_driver csi_fsx = {
    .name = "fsx.csi.aws.com",
    .keeps_owners = true,
    .create = create,
    .remove = remove_volume,
    .expand = expand,
    .stage = stage,
    .unstage = csi_unstage,
};

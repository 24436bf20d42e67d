/* ebs_create.c - CreateVolume of ebs.csi.aws.com: from class parameters to what EC2 is asked.
 *
 * DESIGN: as in the real driver the work is split: what the driver refuses itself (keys, modes, numbers), what it bends
 * silently (iops are capped to what the type and the size allow), and what EC2 then refuses, in its own words. Texts
 * are those of aws-ebs-csi-driver v1.40.
 *
 * When you add a class parameter: its name in `parameters`. THREADS: any worker. */
#include "csi/ebs_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_BYTES (100 * GIB)
#define INVALID       "rpc error: code = InvalidArgument desc = "

/* Beside these: what concerns the filesystem (ebs_format.c), and tags. */
static const char *const parameters[] = {
    "type",
    "iops",
    "iopsPerGB",
    "throughput",
    "encrypted",
    "kmsKeyId",
    "blockExpress",
    "allowAutoIOPSPerGBIncrease",
    "allowAutoIOPSIncreaseOnModify",
    "fsType",
};

/* Iops the driver sends: between these, whatever is asked. The others are not asked for iops at all. */
static const struct iops_bounds {
    const char *type;
    int64_t min, max, per_gib;
} iops_bounds[] = {{"io1", 100, 64000, 50}, {"io2", 100, 64000, 500}, {"gp3", 3000, 16000, 500}};
#define IO2_BLOCK_EXPRESS 256000

static const char *const types[] = {"gp3", "gp2", "io1", "io2", "st1", "sc1", "standard"};

struct wish {
    const char *type; /* in lower case, as EC2 knows it */
    int64_t iops, iops_per_gib, throughput;
    bool block_express, auto_increase;
};

bool ebs_is_tag_key(const char *key)
{
    return strncasecmp(key, "tagSpecification_", strlen("tagSpecification_")) == 0;
}

void ebs_tags_of(const json_t *from, json_t *tags)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)from, key, value)
    {
        const char *text = json_string_value(value), *eq = text ? strchr(text, '=') : NULL;
        if (!ebs_is_tag_key(key) || !eq)
            continue;
        _auto_free_ char *name = xstrndup(text, (size_t)(eq - text));
        json_object_set_new(tags, name, json_string(eq + 1));
    }
}

int ebs_number(const json_t *from, const char *key, int64_t *out, struct err *e)
{
    const char *text = csi_parameter(from, key);
    if (!text || str_to_i64(text, out))
        return 0;
    return err_set(e, ERR_INVALID,
                   INVALID "Could not parse invalid %s: strconv.ParseInt: parsing \"%s\": invalid syntax", key, text);
}

static bool is_true(const json_t *from, const char *key)
{
    const char *text = csi_parameter(from, key);
    return text && strcasecmp(text, "true") == 0;
}

/* -- what the driver refuses -- */

static int check_keys(const struct csi_create *req, struct err *e)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        bool known = str_starts(key, "csi.storage.k8s.io/") || ebs_is_tag_key(key) || ebs_is_format_key(key);
        for (size_t i = 0; i < ARRAY_LEN(parameters) && !known; i++)
            known = strcasecmp(parameters[i], key) == 0;
        if (!known)
            return err_set(e, ERR_INVALID, INVALID "Invalid parameter key %s for CreateVolume", key);
    }
    return 0;
}

/* One writer on one node; Block volumes may be shared, which is then multi-attach. */
static int check_modes(const struct csi_create *req, bool *out_shared, struct err *e)
{
    bool block = str_eq(req->volume_mode, "Block");
    size_t i;
    json_t *mode;
    json_array_foreach(req->access_modes, i, mode)
    {
        const char *m = json_string_value(mode);
        if (str_eq(m, "ReadOnlyMany") || (str_eq(m, "ReadWriteMany") && !block))
            return err_set(e, ERR_INVALID, INVALID "Volume capabilities not supported");
        *out_shared = *out_shared || str_eq(m, "ReadWriteMany");
    }
    return 0;
}

static int check_type(const struct csi_create *req, const char *type, struct wish *w, bool shared, struct err *e)
{
    if (str_empty(type))
        type = types[0];
    for (size_t i = 0; i < ARRAY_LEN(types) && !w->type; i++)
        if (strcasecmp(types[i], type) == 0)
            w->type = types[i];
    if (w->block_express && strcasecmp(type, "io2") != 0)
        return err_set(e, ERR_INVALID, INVALID "Block Express is only supported on io2 volumes");
    if (!w->type)
        return err_set(
            e, ERR_INVALID,
            "rpc error: code = Internal desc = Could not create volume \"%s\": invalid AWS VolumeType \"%s\"",
            req->name, type);
    if (shared && !str_eq(w->type, "io2"))
        return err_set(e, ERR_INVALID,
                       "rpc error: code = Internal desc = Could not create volume \"%s\": CreateDisk: multi-attach is "
                       "only supported for io2 volumes",
                       req->name);
    return 0;
}

/* What a VolumeAttributesClass says wins. Returns the type that is asked for in *type. */
static int read_mutable(const struct csi_create *req, struct wish *w, const char **type, struct err *e)
{
    struct cloud_change given = {
        .type = csi_parameter(req->parameters, "type"), .iops = w->iops, .throughput = w->throughput};
    if (ebs_mutable(req->mutable, &given, e) < 0) {
        const struct err why = *e;
        return err_set(e, why.code, INVALID "Invalid mutable parameter: %s", why.msg);
    }
    *type = given.type;
    w->iops = given.iops;
    w->throughput = given.throughput;
    return 0;
}

static int read_wish(const struct csi_create *req, struct wish *w, bool *out_shared, struct err *e)
{
    const json_t *p = req->parameters;
    const char *type = NULL;
    w->block_express = is_true(p, "blockExpress");
    w->auto_increase = is_true(p, "allowAutoIOPSPerGBIncrease");
    if (check_modes(req, out_shared, e) < 0 || check_keys(req, e) < 0 || ebs_number(p, "iops", &w->iops, e) < 0 ||
        ebs_number(p, "iopsPerGB", &w->iops_per_gib, e) < 0 || ebs_number(p, "throughput", &w->throughput, e) < 0 ||
        read_mutable(req, w, &type, e) < 0 || ebs_format_check(req, e) < 0)
        return -1;
    if (csi_parameter(p, "iops") && csi_parameter(p, "iopsPerGB"))
        return err_set(e, ERR_INVALID,
                       INVALID "invalid StorageClass parameters; specify either IOPS or IOPSPerGb, not both");
    return check_type(req, type, w, *out_shared, e);
}

/* -- what it bends -- */

static int64_t capped_iops(const struct wish *w, int64_t gib)
{
    for (size_t i = 0; i < ARRAY_LEN(iops_bounds); i++) {
        const struct iops_bounds *b = &iops_bounds[i];
        if (!str_eq(b->type, w->type))
            continue;
        const int64_t max = w->block_express ? IO2_BLOCK_EXPRESS : b->max, by_size = b->per_gib * gib;
        const int64_t per_gib = w->iops_per_gib > max ? max : w->iops_per_gib < 0 ? -1 : w->iops_per_gib;
        int64_t iops = w->iops ? w->iops : per_gib * gib;
        if (!iops)
            return 0;
        if (iops < b->min && w->auto_increase)
            iops = b->min;
        if (iops > max)
            iops = max;
        return iops > by_size && by_size >= b->min ? by_size : iops;
    }
    return 0; /* other types: silently not sent */
}

/* -- what it makes -- */

static const char *zone_of(const struct csi_create *req)
{
    const char *zone = jmap(req->node, "metadata.labels", "topology.kubernetes.io/zone");
    return zone ? zone : jmap(req->node, "metadata.labels", EBS_ZONE_KEY);
}

static json_t *tags_of(const struct csi_create *req)
{
    json_t *tags =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "CSIVolumeName", req->name, "ebs.csi.aws.com/cluster", "true",
                  "kubernetes.io/created-for/pvc/name", req->claim_name, "kubernetes.io/created-for/pvc/namespace",
                  req->claim_ns, "kubernetes.io/created-for/pv/name", req->name);
    ebs_tags_of(req->parameters, tags);
    return tags;
}

static json_t *source_of(const struct csi_create *req, const char *handle)
{
    json_t *csi = json_pack("{s:s, s:s}", "driver", csi_ebs.name, "volumeHandle", handle);
    if (!str_eq(req->volume_mode, "Block"))
        jset_str(csi, "fsType", csi_fstype(req));
    ebs_format_attributes(req->parameters, csi);
    return json_pack("{s:o}", "csi", csi);
}

/* Does the class say more of the filesystem than its type? */
static bool formatted_specially(const struct csi_create *req)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        if (ebs_is_format_key(key))
            return true;
    }
    return false;
}

int ebs_create(const struct csi_driver *d _unused_, struct machine *m, const struct csi_create *req,
               struct csi_volume *out, struct err *e)
{
    struct wish w = {0};
    bool shared = false;
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud || read_wish(req, &w, &shared, e) < 0)
        return -1;
    _auto_json_ json_t *tags = tags_of(req);
    _auto_free_ char *default_zone = xasprintf("%sa", cloud_region(cloud));
    const char *zone = zone_of(req);
    int64_t gib = csi_gib(req->bytes > 0 ? req->bytes : DEFAULT_BYTES);
    const struct cloud_create want = {
        .provider = CLOUD_EC2,
        .token = req->name,
        .zone = str_empty(zone) ? default_zone : zone,
        .type = w.type,
        .snapshot = req->snapshot,
        .source_disk = req->source,
        .gib = gib,
        .iops = capped_iops(&w, gib),
        .throughput = w.throughput,
        .encrypted = is_true(req->parameters, "encrypted") || csi_parameter(req->parameters, "kmsKeyId"),
        .kms_key = csi_parameter(req->parameters, "kmsKeyId"),
        .multi_attach = shared,
        .ext4 = csi_wants_ext4(req) && !formatted_specially(req),
        .tags = tags,
    };
    _auto_disk_ struct cloud_disk made = {0};
    if (cloud_disk_create(cloud, &want, &made, e) < 0)
        return ebs_ec2_error(e, "CreateVolume", "Could not create volume \"%s\": could not create volume in EC2",
                             req->name);
    snprintf(out->handle, sizeof out->handle, "%s", made.id);
    out->bytes = made.gib * GIB;
    out->source = source_of(req, made.id);
    out->node_affinity = csi_affinity("topology.kubernetes.io/zone", made.zone);
    return 0;
}

/* cloud_provider.c - what each cloud sells, and the words in which it refuses.
 *
 * DESIGN: two tables. types[]: a disk type with its bounds. faults[]: a code and a text for each way an operation can
 * be refused, with the names of what it speaks about in braces; a provider without a row of its own speaks EC2's. The
 * rules themselves are the same for all and stand beside the operations.
 *
 * When you add a type: a row. When you add a fault: its name in cloud_int.h and an EC2 row here (a missing one is a
 * BUG). Bounds are those of the aws-ebs-csi-driver v1.40 and the EC2 API of its time. THREADS: pure. */
#include "csi/cloud_int.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* -- types; the first row of a provider is its default -- */

static const struct cloud_type types[] = {
    {CLOUD_EC2, "gp2", 1, 16384, .base_per_gib = 3, .base_min = 100, .base_max = 16000},
    {CLOUD_EC2, "gp3", 1, 16384, 3000, 16000, 500, 3000, .min_throughput = 125, .max_throughput = 1000},
    {CLOUD_EC2, "io1", 4, 16384, 100, 64000, 50, .multi_attach = true},
    {CLOUD_EC2, "io2", 4, 16384, 100, 256000, 500, .multi_attach = true},
    {CLOUD_EC2, "st1", 125, 16384},
    {CLOUD_EC2, "sc1", 125, 16384},
    {CLOUD_EC2, "standard", 1, 1024},
    {CLOUD_GCE, "pd-standard", 10, 65536},
    {CLOUD_GCE, "pd-balanced", 10, 65536},
    {CLOUD_GCE, "pd-ssd", 10, 65536},
    {CLOUD_GCE, "pd-extreme", 500, 65536, 2500, 120000, 0, 100000},
    {CLOUD_AZURE, "StandardSSD_LRS", 1, 32767},
    {CLOUD_AZURE, "Standard_LRS", 1, 32767},
    {CLOUD_AZURE, "Premium_LRS", 1, 32767},
    {CLOUD_AZURE, "StandardSSD_ZRS", 1, 32767, .multi_attach = true},
    {CLOUD_AZURE, "Premium_ZRS", 1, 32767, .multi_attach = true},
    {CLOUD_AZURE, "PremiumV2_LRS", 1, 65536, 3000, 80000, 500, 3000, .min_throughput = 125, .max_throughput = 1200},
    {CLOUD_AZURE, "UltraSSD_LRS", 4, 65536, 100, 160000, 300, 500, .min_throughput = 25, .max_throughput = 4000,
     .multi_attach = true},
    {CLOUD_FILE, "efs", 1, 65536, .multi_attach = true},
    {CLOUD_FILE, "lustre", 1200, 65536, .multi_attach = true},
    {CLOUD_FILE, "nfs", 1, 65536, .multi_attach = true},
    {CLOUD_FILE, "portworx", 1, 40960, .multi_attach = true},
};

static const char *const id_prefixes[CLOUD_PROVIDERS] = {"vol-", "", "", ""};

const struct cloud_type *cloud_type_of(enum cloud_provider_id p, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].provider == p && (!name || str_eq(types[i].name, name)))
            return &types[i];
    return NULL;
}

const char *cloud_id_prefix(enum cloud_provider_id p)
{
    return id_prefixes[p];
}

/* /dev/xvdba … /dev/xvdbz, /dev/xvdca … /dev/xvdcz. */
bool cloud_device_name(unsigned n, char out[64])
{
    if (n >= 2 * 26)
        return false;
    snprintf(out, 64, "/dev/xvd%c%c", 'b' + (int)(n / 26), 'a' + (int)(n % 26));
    return true;
}

/* -- bounds -- */

static int fault(struct err *e, const struct cloud_type *t, enum cloud_fault_id f, int64_t n, int64_t limit)
{
    return cloud_fault(e, t->provider, f, &(struct cloud_args){.what = t->name, .n = n, .limit = limit});
}

static int check_iops(const struct cloud_type *t, struct cloud_disk *d, struct err *e)
{
    if (!t->max_iops) {
        if (d->iops)
            return fault(e, t, CLOUD_FAULT_IOPS_REFUSED, d->iops, 0);
        int64_t base = d->gib * t->base_per_gib;
        base = base < t->base_min ? t->base_min : base;
        d->iops = base > t->base_max ? t->base_max : base;
        return 0;
    }
    if (!d->iops && !t->default_iops)
        return fault(e, t, CLOUD_FAULT_IOPS_MISSING, 0, 0);
    if (!d->iops)
        d->iops = t->default_iops;
    if (d->iops < t->min_iops)
        return fault(e, t, CLOUD_FAULT_IOPS_LOW, d->iops, t->min_iops);
    if (d->iops > t->max_iops)
        return fault(e, t, CLOUD_FAULT_IOPS_HIGH, d->iops, t->max_iops);
    /* What comes with the type may be more than the ratio. */
    if (t->iops_per_gib && d->iops > d->gib * t->iops_per_gib && d->iops != t->default_iops)
        return fault(e, t, CLOUD_FAULT_IOPS_RATIO, d->iops / d->gib, t->iops_per_gib);
    return 0;
}

static int check_throughput(const struct cloud_type *t, struct cloud_disk *d, struct err *e)
{
    if (!t->max_throughput)
        return d->throughput ? fault(e, t, CLOUD_FAULT_THROUGHPUT_REFUSED, d->throughput, 0) : 0;
    if (!d->throughput)
        d->throughput = t->min_throughput;
    if (d->throughput < t->min_throughput)
        return fault(e, t, CLOUD_FAULT_THROUGHPUT_LOW, d->throughput, t->min_throughput);
    if (d->throughput > t->max_throughput)
        return fault(e, t, CLOUD_FAULT_THROUGHPUT_HIGH, d->throughput, t->max_throughput);
    if (d->throughput * 4 > d->iops) /* 0.25 MiB/s for each */
        return fault(e, t, CLOUD_FAULT_THROUGHPUT_RATIO, d->throughput, d->iops / 4);
    return 0;
}

int cloud_check_performance(const struct cloud_type *t, struct cloud_disk *d, struct err *e)
{
    if (d->gib < t->min_gib)
        return fault(e, t, CLOUD_FAULT_SIZE_SMALL, d->gib, t->min_gib);
    if (d->gib > t->max_gib)
        return fault(e, t, CLOUD_FAULT_SIZE_LARGE, d->gib, t->max_gib);
    return check_iops(t, d, e) < 0 ? -1 : check_throughput(t, d, e);
}

/* -- words -- */

static const struct fault_row {
    enum cloud_provider_id provider;
    enum cloud_fault_id fault;
    enum err_code kind;
    const char *code, *text;
} faults[] = {
    {CLOUD_EC2, CLOUD_FAULT_VOLUME_NOT_FOUND, ERR_NOT_FOUND, "InvalidVolume.NotFound",
     "The volume '{volume}' does not exist."},
    {CLOUD_EC2, CLOUD_FAULT_ID_MALFORMED, ERR_INVALID, "InvalidParameterValue",
     "Value ({volume}) for parameter volumeId is invalid. Expected: 'vol-...'."},
    {CLOUD_EC2, CLOUD_FAULT_ID_TAKEN, ERR_ALREADY_EXISTS, "InvalidParameterValue",
     "Value ({volume}) for parameter volumeId is invalid. The volume already exists."},
    {CLOUD_EC2, CLOUD_FAULT_SIZE_MISSING, ERR_INVALID, "MissingParameter",
     "The request must contain the parameter size/snapshot"},
    {CLOUD_EC2, CLOUD_FAULT_ZONE_NOT_FOUND, ERR_INVALID, "InvalidZone.NotFound", "The zone '{zone}' does not exist."},
    {CLOUD_EC2, CLOUD_FAULT_TYPE_UNKNOWN, ERR_INVALID, "UnknownVolumeType",
     "Unsupported volume type '{what}' for volume creation."},
    {CLOUD_EC2, CLOUD_FAULT_SIZE_SMALL, ERR_INVALID, "InvalidParameterValue",
     "Volume of {n}GiB is too small for volume type {what}; minimum is {limit}GiB."},
    {CLOUD_EC2, CLOUD_FAULT_SIZE_LARGE, ERR_INVALID, "InvalidParameterValue",
     "Volume of {n}GiB is too large for volume type {what}; maximum is {limit}GiB."},
    {CLOUD_EC2, CLOUD_FAULT_IOPS_MISSING, ERR_INVALID, "InvalidParameterDependency",
     "The parameter [VolumeType] requires the parameter Iops to be set."},
    {CLOUD_EC2, CLOUD_FAULT_IOPS_REFUSED, ERR_INVALID, "InvalidParameterCombination",
     "The parameter iops is not supported for {what} volumes."},
    {CLOUD_EC2, CLOUD_FAULT_IOPS_LOW, ERR_INVALID, "InvalidParameterValue",
     "Volume iops of {n} is too low; minimum is {limit}."},
    {CLOUD_EC2, CLOUD_FAULT_IOPS_HIGH, ERR_INVALID, "InvalidParameterValue",
     "Volume iops of {n} is too high; maximum is {limit}."},
    {CLOUD_EC2, CLOUD_FAULT_IOPS_RATIO, ERR_INVALID, "InvalidParameterValue",
     "Iops to volume size ratio of {n}.000000 is too high; maximum is {limit}"},
    {CLOUD_EC2, CLOUD_FAULT_THROUGHPUT_REFUSED, ERR_INVALID, "InvalidParameterCombination",
     "The parameter throughput is not supported for {what} volumes."},
    {CLOUD_EC2, CLOUD_FAULT_THROUGHPUT_LOW, ERR_INVALID, "InvalidParameterValue",
     "Throughput of {n} MiBps is too low; minimum is {limit} MiBps."},
    {CLOUD_EC2, CLOUD_FAULT_THROUGHPUT_HIGH, ERR_INVALID, "InvalidParameterValue",
     "Throughput of {n} MiBps is too high; maximum is {limit} MiBps."},
    {CLOUD_EC2, CLOUD_FAULT_THROUGHPUT_RATIO, ERR_INVALID, "InvalidParameterValue",
     "Throughput (MiBps) to iops ratio of {n} MiBps is too high; maximum is {limit} MiBps for these iops."},
    {CLOUD_EC2, CLOUD_FAULT_KEY_NOT_ENCRYPTED, ERR_INVALID, "InvalidParameterDependency",
     "The parameter [KmsKeyId] requires the parameter Encrypted to be set."},
    {CLOUD_EC2, CLOUD_FAULT_MULTI_ATTACH_TYPE, ERR_INVALID, "InvalidParameterCombination",
     "The parameter MultiAttachEnabled is not supported for {what} volumes."},
    {CLOUD_EC2, CLOUD_FAULT_TOKEN_MISMATCH, ERR_CONFLICT, "IdempotentParameterMismatch",
     "The client token you have provided is associated with a resource of other parameters."},
    {CLOUD_EC2, CLOUD_FAULT_SNAPSHOT_NOT_FOUND, ERR_NOT_FOUND, "InvalidSnapshot.NotFound",
     "The snapshot '{what}' does not exist."},
    {CLOUD_EC2, CLOUD_FAULT_SNAPSHOT_BIGGER, ERR_INVALID, "InvalidParameterValue",
     "Volume of {n}GiB is smaller than snapshot '{what}', expect size >= {limit}GiB"},
    {CLOUD_EC2, CLOUD_FAULT_INSTANCE_NOT_FOUND, ERR_NOT_FOUND, "InvalidInstanceID.NotFound",
     "The instance ID '{instance}' does not exist"},
    {CLOUD_EC2, CLOUD_FAULT_ZONE_MISMATCH, ERR_INVALID, "InvalidVolume.ZoneMismatch",
     "The volume '{volume}' is not in the same availability zone as instance '{instance}'"},
    {CLOUD_EC2, CLOUD_FAULT_ALREADY_ATTACHED, ERR_BUSY, "VolumeInUse", "{volume} is already attached to an instance"},
    {CLOUD_EC2, CLOUD_FAULT_NOT_AVAILABLE, ERR_CONFLICT, "IncorrectState", "The volume '{volume}' is not 'available'."},
    {CLOUD_EC2, CLOUD_FAULT_DEVICE_TAKEN, ERR_CONFLICT, "InvalidParameterValue",
     "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"},
    {CLOUD_EC2, CLOUD_FAULT_DEVICE_BAD, ERR_INVALID, "InvalidParameterValue",
     "Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name."},
    {CLOUD_EC2, CLOUD_FAULT_ATTACH_LIMIT, ERR_CONFLICT, "AttachmentLimitExceeded",
     "Volume attachment limit exceeded for instance {instance}"},
    {CLOUD_EC2, CLOUD_FAULT_NOT_ATTACHED, ERR_CONFLICT, "IncorrectState",
     "Volume '{volume}' is in the 'available' state."},
    {CLOUD_EC2, CLOUD_FAULT_WRONG_INSTANCE, ERR_INVALID, "InvalidAttachment.NotFound",
     "Volume {volume} can not be detached from {instance} because it is not attached"},
    {CLOUD_EC2, CLOUD_FAULT_WRONG_DEVICE, ERR_INVALID, "InvalidAttachment.NotFound",
     "The volume {volume} is not attached to instance {instance} as device {device}"},
    {CLOUD_EC2, CLOUD_FAULT_MOUNTED, ERR_BUSY, "IncorrectState",
     "Volume {volume} is still mounted on instance {instance} as {device}; it is busy."},
    {CLOUD_EC2, CLOUD_FAULT_VOLUME_IN_USE, ERR_BUSY, "VolumeInUse",
     "Volume {volume} is currently attached to {instance}"},
    {CLOUD_EC2, CLOUD_FAULT_NOTHING_TO_MODIFY, ERR_INVALID, "InvalidParameterValue",
     "Invalid input: Must specify at least one of size, type, iops, throughput, multi_attach_enabled"},
    {CLOUD_EC2, CLOUD_FAULT_SHRINK, ERR_INVALID, "InvalidParameterValue",
     "New size cannot be smaller than existing size"},
    {CLOUD_EC2, CLOUD_FAULT_MODIFY_RATE, ERR_TOO_MANY, "VolumeModificationRateExceeded",
     "You've reached the maximum modification rate per volume limit. At most {limit} modifications are allowed in 24 "
     "hours."},
    {CLOUD_EC2, CLOUD_FAULT_TAG_LIMIT, ERR_INVALID, "TagLimitExceeded",
     "The maximum number of Tags for a resource has been reached."},
    {CLOUD_EC2, CLOUD_FAULT_TAG_BAD, ERR_INVALID, "InvalidParameterValue",
     "Tag key exceeds the maximum length of 127 characters, or its value 255"},
    {CLOUD_GCE, CLOUD_FAULT_VOLUME_NOT_FOUND, ERR_NOT_FOUND, "notFound",
     "googleapi: Error 404: The resource '{volume}' was not found, notFound"},
    {CLOUD_GCE, CLOUD_FAULT_ALREADY_ATTACHED, ERR_BUSY, "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
     "The disk resource '{volume}' is already being used by '{instance}'"},
    {CLOUD_GCE, CLOUD_FAULT_VOLUME_IN_USE, ERR_BUSY, "resourceInUseByAnotherResource",
     "googleapi: Error 400: The disk resource '{volume}' is already being used by '{instance}', "
     "resourceInUseByAnotherResource"},
    {CLOUD_AZURE, CLOUD_FAULT_VOLUME_NOT_FOUND, ERR_NOT_FOUND, "ResourceNotFound",
     "The Resource 'Microsoft.Compute/disks/{volume}' under resource group was not found."},
    {CLOUD_AZURE, CLOUD_FAULT_VOLUME_IN_USE, ERR_BUSY, "OperationNotAllowed",
     "Disk {volume} is attached to VM {instance}."},
};

static const struct fault_row *find_fault(enum cloud_provider_id p, enum cloud_fault_id f)
{
    const struct fault_row *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (faults[i].fault == f && (faults[i].provider == p || faults[i].provider == CLOUD_EC2))
            found = &faults[i]; /* a provider's own row stands after EC2's */
    if (!found)
        BUG("no text for fault %d", (int)f);
    return found;
}

static void add_arg(struct buf *out, const char *name, size_t n, const struct cloud_args *a)
{
    const struct {
        const char *name, *text;
    } texts[] = {
        {"volume", a->volume}, {"instance", a->instance}, {"device", a->device}, {"zone", a->zone}, {"what", a->what}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strlen(texts[i].name) == n && strncmp(texts[i].name, name, n) == 0)
            buf_adds(out, texts[i].text ? texts[i].text : "");
    if (n == 1 && *name == 'n')
        buf_addf(out, "%" PRId64, a->n);
    else if (n == 5 && strncmp(name, "limit", n) == 0)
        buf_addf(out, "%" PRId64, a->limit);
}

int cloud_fault(struct err *e, enum cloud_provider_id p, enum cloud_fault_id f, const struct cloud_args *args)
{
    const struct fault_row *row = find_fault(p, f);
    _auto_buf_ struct buf text = BUF_INIT;
    for (const char *s = row->text; *s;) {
        const char *end = *s == '{' ? strchr(s, '}') : NULL;
        if (!end) {
            buf_addc(&text, *s++);
            continue;
        }
        add_arg(&text, s + 1, (size_t)(end - s) - 1, args);
        s = end + 1;
    }
    return err_set(e, row->kind, "%s: %s", row->code, buf_str(&text));
}

const char *cloud_error(const struct err *e, char code[64])
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        size_t n = strlen(faults[i].code);
        if (strncmp(e->msg, faults[i].code, n) != 0 || strncmp(e->msg + n, ": ", 2) != 0)
            continue;
        snprintf(code, 64, "%s", faults[i].code);
        return e->msg + n + 2;
    }
    snprintf(code, 64, "InternalError");
    return e->msg;
}

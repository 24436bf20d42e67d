/* cloud_json.c - disks and snapshots as JSON: the record kept in a file, and what `aws ec2 describe-volumes` prints.
 *
 * DESIGN: one table of fields a struct drives writing, reading and showing. The record has every field; what is shown
 * leaves out the private ones and, as EC2 does, those a disk of that type has not. Tags are a list of Key and Value in
 * both. When you add a field: its row. THREADS: pure. */
#include "csi/cloud_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum field_kind { F_TEXT, F_INT, F_BOOL, F_ENUM };
enum { PRIVATE = 1, IF_SET = 2 }; /* shown never; shown unless empty, 0 or false */

struct field {
    const char *key;
    enum field_kind kind;
    size_t offset, size; /* size: of a text */
    unsigned flags;
    const char *const *names; /* of an enum */
    int count;
};

static const char *const states[] = {"creating", "available", "in-use", "deleting", "error"};
static const char *const attach_states[] = {"attaching", "attached", "detaching"};
static const char *const snapshot_states[] = {"pending", "completed"};
static const char *const providers[] = {"ec2", "gce", "azure", "file"};

#define TEXT(s, key, member, flags)                                                                                    \
    {                                                                                                                  \
        key, F_TEXT, offsetof(struct s, member), sizeof(((struct s *)0)->member), flags, NULL, 0                       \
    }
#define INT(s, key, member, flags)                                                                                     \
    {                                                                                                                  \
        key, F_INT, offsetof(struct s, member), 0, flags, NULL, 0                                                      \
    }
#define BOOL(s, key, member, flags)                                                                                    \
    {                                                                                                                  \
        key, F_BOOL, offsetof(struct s, member), 0, flags, NULL, 0                                                     \
    }
#define ENUM(s, key, member, names, flags)                                                                             \
    {                                                                                                                  \
        key, F_ENUM, offsetof(struct s, member), 0, flags, names, (int)ARRAY_LEN(names)                                \
    }

static const struct field disk_fields[] = {
    ENUM(cloud_disk, "Provider", provider, providers, PRIVATE),
    TEXT(cloud_disk, "AvailabilityZone", zone, 0),
    TEXT(cloud_disk, "CreateTime", created, 0),
    BOOL(cloud_disk, "Encrypted", encrypted, 0),
    TEXT(cloud_disk, "KmsKeyId", kms_key, IF_SET),
    INT(cloud_disk, "Size", gib, 0),
    TEXT(cloud_disk, "SnapshotId", snapshot, 0),
    ENUM(cloud_disk, "State", state, states, 0),
    TEXT(cloud_disk, "VolumeId", id, 0),
    INT(cloud_disk, "Iops", iops, IF_SET),
    TEXT(cloud_disk, "VolumeType", type, 0),
    BOOL(cloud_disk, "MultiAttachEnabled", multi_attach, 0),
    INT(cloud_disk, "Throughput", throughput, IF_SET),
    TEXT(cloud_disk, "ClientToken", token, PRIVATE),
};
static const struct field attachment_fields[] = {
    TEXT(cloud_attachment, "AttachTime", time, 0),     TEXT(cloud_attachment, "Device", device, 0),
    TEXT(cloud_attachment, "InstanceId", instance, 0), ENUM(cloud_attachment, "State", state, attach_states, 0),
    TEXT(cloud_attachment, "Node", node, PRIVATE),     BOOL(cloud_attachment, "ReadOnly", read_only, PRIVATE),
};
static const struct field modification_fields[] = {
    TEXT(cloud_modification, "StartTime", start, 0),
    TEXT(cloud_modification, "EndTime", end, 0),
    TEXT(cloud_modification, "OriginalVolumeType", type_before, 0),
    TEXT(cloud_modification, "TargetVolumeType", type_after, 0),
    INT(cloud_modification, "OriginalSize", gib_before, 0),
    INT(cloud_modification, "TargetSize", gib_after, 0),
    INT(cloud_modification, "OriginalIops", iops_before, IF_SET),
    INT(cloud_modification, "TargetIops", iops_after, IF_SET),
    INT(cloud_modification, "OriginalThroughput", throughput_before, IF_SET),
    INT(cloud_modification, "TargetThroughput", throughput_after, IF_SET),
};
static const struct field snapshot_fields[] = {
    TEXT(cloud_snapshot, "SnapshotId", id, 0),           TEXT(cloud_snapshot, "VolumeId", volume, 0),
    INT(cloud_snapshot, "VolumeSize", gib, 0),           ENUM(cloud_snapshot, "State", state, snapshot_states, 0),
    INT(cloud_snapshot, "Progress", progress, PRIVATE),  TEXT(cloud_snapshot, "StartTime", started, 0),
    TEXT(cloud_snapshot, "Description", description, 0), BOOL(cloud_snapshot, "Encrypted", encrypted, 0),
    TEXT(cloud_snapshot, "ClientToken", token, PRIVATE),
};

const char *cloud_state_name(enum cloud_state s)
{
    return states[s];
}

const char *cloud_attach_state_name(enum cloud_attach_state s)
{
    return attach_states[s];
}

/* -- one table, both ways -- */

static json_t *field_value(const struct field *f, const void *from, bool *out_set)
{
    const char *at = (const char *)from + f->offset;
    switch (f->kind) {
    case F_TEXT:
        *out_set = *at != '\0';
        return json_string(at);
    case F_INT:
        *out_set = *(const int64_t *)(const void *)at != 0;
        return json_integer(*(const int64_t *)(const void *)at);
    case F_BOOL:
        *out_set = *(const bool *)at;
        return json_boolean(*(const bool *)at);
    default:
        *out_set = true;
        return json_string(f->names[*(const int *)(const void *)at]);
    }
}

static json_t *fields_write(const struct field *fields, size_t n, const void *from, bool all)
{
    json_t *out = json_object();
    for (size_t i = 0; i < n; i++) {
        bool set = false;
        json_t *value = field_value(&fields[i], from, &set);
        bool show = all || (!(fields[i].flags & PRIVATE) && (set || !(fields[i].flags & IF_SET)));
        if (show)
            json_object_set_new(out, fields[i].key, value);
        else
            json_decref(value);
    }
    return out;
}

static bool enum_read(const struct field *f, const char *text, int *out)
{
    for (int i = 0; i < f->count; i++)
        if (str_eq(f->names[i], text)) {
            *out = i;
            return true;
        }
    return false;
}

/* A member that is absent keeps its zero: records of earlier versions stay readable. */
static int fields_read(const struct field *fields, size_t n, const json_t *from, void *out, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct field *f = &fields[i];
        const json_t *value = json_object_get(from, f->key);
        char *at = (char *)out + f->offset;
        bool ok = true;
        if (!value)
            continue;
        if (f->kind == F_TEXT) {
            ok = json_is_string(value) && json_string_length(value) < f->size;
            if (ok)
                snprintf(at, f->size, "%s", json_string_value(value));
        } else if (f->kind == F_INT) {
            ok = json_is_integer(value);
            *(int64_t *)(void *)at = json_integer_value(value);
        } else if (f->kind == F_BOOL) {
            ok = json_is_boolean(value);
            *(bool *)at = json_is_true(value);
        } else {
            ok = enum_read(f, json_string_value(value), (int *)(void *)at);
        }
        if (!ok)
            return err_set(e, ERR_CORRUPT, "member \"%s\" is not what it should be", f->key);
    }
    return 0;
}

#define WRITE(table, from, all)   fields_write(table, ARRAY_LEN(table), from, all)
#define READ(table, from, out, e) fields_read(table, ARRAY_LEN(table), from, out, e)

/* -- tags -- */

static json_t *tags_write(const json_t *tags)
{
    json_t *list = json_array();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)tags, key, value)
    {
        json_array_append_new(list, json_pack("{s:s, s:O}", "Key", key, "Value", value));
    }
    return list;
}

static json_t *tags_read(const json_t *list)
{
    json_t *tags = json_object();
    size_t i;
    const json_t *tag;
    json_array_foreach(list, i, tag)
    {
        if (jstr(tag, "Key"))
            json_object_set_new(tags, jstr(tag, "Key"), json_string(jstr_or(tag, "Value", "")));
    }
    return tags;
}

static void put_tags(json_t *out, const json_t *tags, bool all)
{
    if (all || json_object_size(tags))
        json_object_set_new(out, "Tags", tags_write(tags));
}

/* -- disks -- */

static json_t *disk_write(const struct cloud_disk *d, bool all)
{
    json_t *out = WRITE(disk_fields, d, all), *list = json_array();
    for (size_t i = 0; i < d->attachment_count; i++) {
        json_t *a = WRITE(attachment_fields, &d->attachments[i], all);
        jset_str(a, "VolumeId", d->id);
        jset_bool(a, "DeleteOnTermination", false);
        json_array_append_new(list, a);
    }
    json_object_set_new(out, "Attachments", list);
    put_tags(out, d->tags, all);
    if (all && d->modification.start[0])
        json_object_set_new(out, "Modification", WRITE(modification_fields, &d->modification, true));
    return out;
}

json_t *cloud_disk_record(const struct cloud_disk *d)
{
    json_t *out = disk_write(d, true);
    json_t *times = json_array();
    for (size_t i = 0; i < ARRAY_LEN(d->modified) && d->modified[i][0]; i++)
        json_array_append_new(times, json_string(d->modified[i]));
    json_object_set_new(out, "Modified", times);
    return out;
}

json_t *cloud_disk_json(const struct cloud_disk *d)
{
    return disk_write(d, false);
}

json_t *cloud_modification_json(const struct cloud_disk *d)
{
    json_t *out = WRITE(modification_fields, &d->modification, false);
    jset_str(out, "VolumeId", d->id);
    jset_str(out, "ModificationState", d->modification.end[0] ? "completed" : "modifying");
    jset_int(out, "Progress", d->modification.end[0] ? 100 : 0);
    return out;
}

int cloud_disk_parse(const json_t *record, struct cloud_disk *out, struct err *e)
{
    struct cloud_disk d = {0};
    size_t i;
    const json_t *row;
    if (READ(disk_fields, record, &d, e) < 0)
        return -1;
    if (!d.id[0])
        return err_set(e, ERR_CORRUPT, "member \"VolumeId\" is absent");
    json_array_foreach(json_object_get(record, "Attachments"), i, row)
    {
        if (i == CLOUD_ATTACH_MAX)
            return err_set(e, ERR_CORRUPT, "too many attachments");
        if (READ(attachment_fields, row, &d.attachments[i], e) < 0)
            return -1;
        d.attachment_count = i + 1;
    }
    if (READ(modification_fields, json_object_get(record, "Modification"), &d.modification, e) < 0)
        return -1;
    json_array_foreach(json_object_get(record, "Modified"), i, row)
    {
        if (i < ARRAY_LEN(d.modified) && json_is_string(row))
            snprintf(d.modified[i], sizeof d.modified[i], "%s", json_string_value(row));
    }
    d.tags = tags_read(json_object_get(record, "Tags"));
    *out = d;
    return 0;
}

/* -- snapshots -- */

json_t *cloud_snapshot_record(const struct cloud_snapshot *s)
{
    json_t *out = WRITE(snapshot_fields, s, true);
    put_tags(out, s->tags, true);
    return out;
}

json_t *cloud_snapshot_json(const struct cloud_snapshot *s)
{
    json_t *out = WRITE(snapshot_fields, s, false);
    _auto_free_ char *progress = xasprintf("%lld%%", (long long)s->progress);
    jset_str(out, "Progress", progress);
    jset_str(out, "StorageTier", "standard");
    put_tags(out, s->tags, false);
    return out;
}

int cloud_snapshot_parse(const json_t *record, struct cloud_snapshot *out, struct err *e)
{
    struct cloud_snapshot s = {0};
    if (READ(snapshot_fields, record, &s, e) < 0)
        return -1;
    if (!s.id[0])
        return err_set(e, ERR_CORRUPT, "member \"SnapshotId\" is absent");
    s.tags = tags_read(json_object_get(record, "Tags"));
    *out = s;
    return 0;
}

/* cloud_disk.c - disks made, changed, tagged and deleted; see cloud.h and the life cycle in cloud.c.
 *
 * DESIGN: what a request asks is first worked out completely into a struct cloud_disk (plan), which is where all
 * refusals are; then the record, the bytes, the record again. A token makes creation idempotent: the same token finds
 * the disk it made, and its id is a digest of the token, so a transcript looks the same each time.
 *
 * When you add a field that a request may set: plan() here, its row in cloud_json.c. THREADS: see cloud.c. */
#include "csi/cloud_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAGS_MAX            50
#define DAY_NS              (INT64_C(24) * 3600 * 1000000000)
#define DEFAULT_KEY         "arn:aws:kms:%s:123456789012:alias/aws/ebs"
#define FAULT(e, d, f, ...) cloud_fault(e, (d)->provider, CLOUD_FAULT_##f, &(struct cloud_args){__VA_ARGS__})

/* -- creating: what is to be -- */

/* "vol-" and 17 (of old 8) lower hex digits; names at other providers. */
static bool id_ok(enum cloud_provider_id p, const char *id)
{
    const char *prefix = cloud_id_prefix(p), *digits = id + strlen(prefix);
    if (!str_starts(id, prefix) || strlen(id) >= CLOUD_ID_LEN || !*digits)
        return false;
    if (p == CLOUD_EC2)
        return (strlen(digits) == 17 || strlen(digits) == 8) && strspn(digits, "0123456789abcdef") == strlen(digits);
    for (const char *s = digits; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("._-", *s))
            return false;
    return isalnum((unsigned char)*id);
}

static int plan_origin(struct cloud *c, const struct cloud_create *req, struct cloud_disk *d, struct err *e)
{
    _auto_snapshot_ struct cloud_snapshot s = {0};
    _auto_disk_ struct cloud_disk from = {0};
    int64_t least = 0;
    const char *what = NULL;
    if (req->snapshot) {
        if (cloud_snapshot_get(c, req->snapshot, &s, e) < 0)
            return -1;
        snprintf(d->snapshot, sizeof d->snapshot, "%s", s.id);
        least = s.gib;
        what = s.id;
        d->encrypted = d->encrypted || s.encrypted;
    } else if (req->source_disk) {
        if (cloud_disk_get(c, req->source_disk, &from, e) < 0)
            return -1;
        least = from.gib;
        what = from.id;
        d->encrypted = d->encrypted || from.encrypted;
    }
    if (!d->gib)
        d->gib = least;
    if (!d->gib)
        return FAULT(e, d, SIZE_MISSING, 0);
    if (d->gib < least)
        return FAULT(e, d, SNAPSHOT_BIGGER, .n = d->gib, .limit = least, .what = what);
    return 0;
}

static int plan_tags(const struct cloud_create *req, struct cloud_disk *d, struct err *e)
{
    const char *key;
    json_t *value;
    d->tags = json_object();
    if (json_object_size(req->tags) > TAGS_MAX)
        return FAULT(e, d, TAG_LIMIT, 0);
    json_object_foreach((json_t *)req->tags, key, value)
    {
        if (strlen(key) > 127 || json_string_length(value) > 255)
            return FAULT(e, d, TAG_BAD, 0);
        json_object_set(d->tags, key, value);
    }
    return 0;
}

static void plan_id(const struct cloud_create *req, struct cloud_disk *d)
{
    const char *prefix = cloud_id_prefix(req->provider);
    if (req->id)
        snprintf(d->id, sizeof d->id, "%s", req->id);
    else
        cloud_make_id(*prefix ? prefix : "disk-", req->token, d->id, sizeof d->id);
}

static int plan(struct cloud *c, const struct cloud_create *req, struct cloud_disk *d, struct err *e)
{
    const struct cloud_type *type = cloud_type_of(req->provider, req->type);
    d->provider = req->provider;
    d->state = CLOUD_CREATING;
    d->encrypted = req->encrypted;
    d->multi_attach = req->multi_attach;
    d->gib = req->gib;
    d->iops = req->iops;
    d->throughput = req->throughput;
    plan_id(req, d);
    if (!id_ok(d->provider, d->id))
        return FAULT(e, d, ID_MALFORMED, .volume = d->id);
    if (req->provider != CLOUD_FILE && !cloud_zone_known(c, req->zone))
        return FAULT(e, d, ZONE_NOT_FOUND, .zone = req->zone);
    if (!type)
        return FAULT(e, d, TYPE_UNKNOWN, .what = req->type);
    if (req->multi_attach && !type->multi_attach)
        return FAULT(e, d, MULTI_ATTACH_TYPE, .what = type->name);
    if (!str_empty(req->kms_key) && !req->encrypted)
        return FAULT(e, d, KEY_NOT_ENCRYPTED, 0);
    snprintf(d->zone, sizeof d->zone, "%s", req->zone ? req->zone : "");
    snprintf(d->type, sizeof d->type, "%s", type->name);
    snprintf(d->token, sizeof d->token, "%s", req->token ? req->token : "");
    cloud_now(c, d->created);
    if (plan_origin(c, req, d, e) < 0 || cloud_check_performance(type, d, e) < 0 || plan_tags(req, d, e) < 0)
        return -1;
    if (d->encrypted && d->provider == CLOUD_EC2)
        snprintf(d->kms_key, sizeof d->kms_key, str_empty(req->kms_key) ? DEFAULT_KEY : "%s",
                 str_empty(req->kms_key) ? c->region : req->kms_key);
    return 0;
}

/* -- creating: doing it -- */

static int make_bytes(struct cloud *c, const struct cloud_create *req, const struct cloud_disk *d, struct err *e)
{
    const struct machine_ops *ops = c->machine->ops;
    char backing[CLOUD_ID_LEN + 16], source[CLOUD_ID_LEN + 16];
    cloud_disk_backing(d, backing);
    if (d->snapshot[0])
        return ops->disk_copy(c->machine, d->snapshot, backing, d->gib * GIB, e);
    if (!req->source_disk && req->ext4)
        return ops->disk_create_ext4(c->machine, backing, d->gib * GIB, e);
    if (!req->source_disk)
        return ops->disk_create(c->machine, backing, d->gib * GIB, e);
    _auto_disk_ struct cloud_disk from = {0};
    if (cloud_disk_get(c, req->source_disk, &from, e) < 0)
        return -1;
    cloud_disk_backing(&from, source);
    return ops->disk_copy(c->machine, source, backing, d->gib * GIB, e);
}

/* Bytes, then record, then the row. The disk's record stays if the bytes do: the next start tries again. */
static int take_away(struct cloud *c, struct cloud_entry *entry, struct err *e)
{
    char backing[CLOUD_ID_LEN + 16];
    cloud_disk_backing(&entry->disk, backing);
    struct err why = ERR_INIT;
    if (c->machine->ops->disk_delete(c->machine, backing, &why) < 0 && why.code != ERR_NOT_FOUND) {
        *e = why;
        return -1;
    }
    if (record_remove(c, backing, e) < 0)
        return -1;
    cloud_forget(c, entry);
    return 0;
}

static int fill(struct cloud *c, const struct cloud_create *req, struct cloud_entry *entry, struct err *e)
{
    struct cloud_disk next = entry->disk;
    if (cloud_put(c, entry, &next, e) < 0 || make_bytes(c, req, &next, e) < 0)
        return -1;
    next.state = CLOUD_AVAILABLE;
    return cloud_put(c, entry, &next, e);
}

/* What the token made before; waits while it is being made. NULL: nothing (any more). */
static struct cloud_entry *hold_by_token(struct cloud *c, enum cloud_provider_id p, const char *token)
{
    pthread_mutex_lock(&c->mu);
    for (;;) {
        struct cloud_entry *found = NULL;
        for (size_t i = 0; i < c->disk_count && !found; i++)
            if (c->disks[i]->disk.provider == p && str_eq(c->disks[i]->disk.token, token))
                found = c->disks[i];
        if (!found || !found->held) {
            if (found)
                found->held = true;
            pthread_mutex_unlock(&c->mu);
            return found;
        }
        pthread_cond_wait(&c->freed, &c->mu);
    }
}

static bool same_wish(const struct cloud_disk *have, const struct cloud_disk *want)
{
    return have->gib >= want->gib && str_eq(have->zone, want->zone) && str_eq(have->snapshot, want->snapshot);
}

/* 1: the disk is there; 0: there is none; -1. */
static int find_made(struct cloud *c, const struct cloud_disk *want, struct cloud_disk *out, struct err *e)
{
    struct cloud_entry *entry = want->token[0] ? hold_by_token(c, want->provider, want->token) : NULL;
    if (!entry)
        return 0;
    if (entry->disk.state == CLOUD_CREATING || entry->disk.state == CLOUD_DELETING) { /* an attempt that failed twice */
        if (take_away(c, entry, e) == 0)
            return 0;
        cloud_let_go(c, entry);
        return -1;
    }
    int rc = 1;
    if (!same_wish(&entry->disk, want))
        rc = FAULT(e, want, TOKEN_MISMATCH, 0);
    else if (out)
        *out = cloud_disk_copy(&entry->disk);
    cloud_let_go(c, entry);
    return rc;
}

static struct cloud_entry *begin(struct cloud *c, const struct cloud_disk *take_disk, struct err *e)
{
    pthread_mutex_lock(&c->mu);
    struct cloud_entry *entry = NULL;
    if (!cloud_find_locked(c, take_disk->id))
        entry = cloud_add_locked(c, take_disk);
    pthread_mutex_unlock(&c->mu);
    if (!entry)
        FAULT(e, take_disk, ID_TAKEN, .volume = take_disk->id);
    return entry;
}

int cloud_disk_create(struct cloud *c, const struct cloud_create *req, struct cloud_disk *out, struct err *e)
{
    CLOUD_CALL(c);
    _auto_disk_ struct cloud_disk d = {0};
    if (plan(c, req, &d, e) < 0)
        return -1;
    int made = find_made(c, &d, out, e);
    if (made)
        return made < 0 ? -1 : 0;
    struct cloud_entry *entry = begin(c, &d, e);
    if (!entry)
        return -1;
    d = (struct cloud_disk){0}; /* the row has it */
    if (fill(c, req, entry, e) < 0) {
        struct err undo = ERR_INIT;
        if (take_away(c, entry, &undo) < 0)
            cloud_let_go(c, entry);
        return -1;
    }
    if (out)
        *out = cloud_disk_copy(&entry->disk);
    cloud_let_go(c, entry);
    return 0;
}

int cloud_disk_adopt(struct cloud *c, const char *id, const char *zone, struct err *e)
{
    CLOUD_CALL(c);
    struct disk_info have;
    struct cloud_disk d = {.provider = CLOUD_EC2, .state = CLOUD_AVAILABLE, .tags = NULL};
    const struct cloud_type *type = cloud_type_of(CLOUD_EC2, "gp3");
    if (!id_ok(CLOUD_EC2, id) || !cloud_zone_known(c, zone) || c->machine->ops->disk_info(c->machine, id, &have, e) < 0)
        return FAULT(e, &d, VOLUME_NOT_FOUND, .volume = id);
    snprintf(d.id, sizeof d.id, "%s", id);
    snprintf(d.zone, sizeof d.zone, "%s", zone);
    snprintf(d.type, sizeof d.type, "%s", type->name);
    d.gib = (have.bytes + GIB - 1) / GIB;
    d.iops = type->default_iops;
    d.throughput = type->min_throughput;
    d.tags = json_object();
    cloud_now(c, d.created);
    struct cloud_entry *entry = begin(c, &d, e);
    if (!entry) {
        cloud_disk_release(&d);
        return -1;
    }
    int rc = cloud_put(c, entry, &d, e);
    if (rc < 0)
        cloud_forget(c, entry);
    else
        cloud_let_go(c, entry);
    return rc;
}

/* -- deleting -- */

/* A file system that nothing has mounted may still be plugged in here and there. */
static void unplug_everywhere(struct cloud *c, const struct cloud_disk *d)
{
    struct cloud_instance *all;
    size_t n = cloud_instances(c, &all);
    char backing[CLOUD_ID_LEN + 16];
    cloud_disk_backing(d, backing);
    for (size_t i = 0; i < n; i++) {
        struct err busy = ERR_INIT;
        c->machine->ops->disk_detach(c->machine, backing, all[i].node, &busy);
    }
    free(all);
}

int cloud_disk_delete(struct cloud *c, const char *id, struct err *e)
{
    CLOUD_CALL(c);
    struct cloud_entry *entry = cloud_hold(c, id, e);
    if (!entry)
        return -1;
    struct cloud_disk next = entry->disk;
    int rc = 0;
    if (next.attachment_count)
        rc = FAULT(e, &next, VOLUME_IN_USE, .volume = id, .instance = next.attachments[0].instance);
    if (rc == 0 && next.provider == CLOUD_FILE)
        unplug_everywhere(c, &next);
    next.state = CLOUD_DELETING;
    if (rc == 0 && cloud_put(c, entry, &next, e) == 0 && take_away(c, entry, e) == 0)
        return 0;
    cloud_let_go(c, entry);
    return -1;
}

/* -- modifying -- */

static int plan_change(const struct cloud_change *change, struct cloud_disk *next, struct err *e)
{
    const struct cloud_type *type = cloud_type_of(next->provider, change->type ? change->type : next->type);
    if (!change->gib && !change->iops && !change->throughput && !change->type)
        return FAULT(e, next, NOTHING_TO_MODIFY, 0);
    if (!type)
        return FAULT(e, next, TYPE_UNKNOWN, .what = change->type);
    if (change->gib && change->gib < next->gib)
        return FAULT(e, next, SHRINK, 0);
    bool other = !str_eq(type->name, next->type);
    snprintf(next->type, sizeof next->type, "%s", type->name);
    next->gib = change->gib ? change->gib : next->gib;
    /* What the disk has is kept where the type lets it be chosen; what came with the old type is not. */
    next->iops = change->iops ? change->iops : (type->max_iops && !other) ? next->iops : 0;
    next->throughput = change->throughput                 ? change->throughput
                       : (type->max_throughput && !other) ? next->throughput
                                                          : 0;
    return cloud_check_performance(type, next, e);
}

static int note_time(struct cloud *c, struct cloud_disk *next, struct err *e)
{
    char *oldest = next->modified[CLOUD_MODIFY_MAX - 1];
    int64_t then;
    if (*oldest && time_parse(oldest, &then) == 0 && clock_wall_ns(c->clock) - then < DAY_NS)
        return FAULT(e, next, MODIFY_RATE, .volume = next->id, .limit = CLOUD_MODIFY_MAX);
    memmove(next->modified[1], next->modified[0], sizeof next->modified - sizeof next->modified[0]);
    cloud_now(c, next->modified[0]);
    return 0;
}

static int change_held(struct cloud *c, struct cloud_entry *entry, const struct cloud_change *change, struct err *e)
{
    struct cloud_disk before = entry->disk, next = before;
    char backing[CLOUD_ID_LEN + 16];
    if (plan_change(change, &next, e) < 0 || note_time(c, &next, e) < 0)
        return -1;
    struct cloud_modification *m = &next.modification;
    *m = (struct cloud_modification){.gib_before = before.gib,
                                     .gib_after = next.gib,
                                     .iops_before = before.iops,
                                     .iops_after = next.iops,
                                     .throughput_before = before.throughput,
                                     .throughput_after = next.throughput};
    snprintf(m->type_before, sizeof m->type_before, "%s", before.type);
    snprintf(m->type_after, sizeof m->type_after, "%s", next.type);
    cloud_now(c, m->start);
    cloud_disk_backing(&next, backing);
    if (cloud_put(c, entry, &next, e) < 0)
        return -1;
    if (next.gib > before.gib && c->machine->ops->disk_grow(c->machine, backing, next.gib * GIB, e) < 0) {
        struct err undo = ERR_INIT;
        cloud_put(c, entry, &before, &undo);
        return -1;
    }
    cloud_now(c, m->end);
    return cloud_put(c, entry, &next, e);
}

int cloud_disk_modify(struct cloud *c, const char *id, const struct cloud_change *change, struct cloud_disk *out,
                      struct err *e)
{
    CLOUD_CALL(c);
    struct cloud_entry *entry = cloud_hold(c, id, e);
    if (!entry)
        return -1;
    int rc = change_held(c, entry, change, e);
    if (rc == 0 && out)
        *out = cloud_disk_copy(&entry->disk);
    cloud_let_go(c, entry);
    return rc;
}

/* -- tags -- */

static int edit_tags(json_t *tags, const char *key, const char *value, struct err *e)
{
    const struct cloud_args none = {0};
    if (!value) {
        json_object_del(tags, key);
        return 0;
    }
    if (strlen(key) > 127 || strlen(value) > 255)
        return cloud_fault(e, CLOUD_EC2, CLOUD_FAULT_TAG_BAD, &none);
    if (!json_object_get(tags, key) && json_object_size(tags) >= TAGS_MAX)
        return cloud_fault(e, CLOUD_EC2, CLOUD_FAULT_TAG_LIMIT, &none);
    json_object_set_new(tags, key, json_string(value));
    return 0;
}

static int tag_snapshot(struct cloud *c, const char *id, const char *key, const char *value, struct err *e)
{
    pthread_mutex_lock(&c->mu);
    struct cloud_snapshot *s = cloud_find_snapshot_locked(c, id);
    int rc = s ? 0 : cloud_fault(e, CLOUD_EC2, CLOUD_FAULT_SNAPSHOT_NOT_FOUND, &(struct cloud_args){.what = id});
    if (s) {
        struct cloud_snapshot next = cloud_snapshot_copy(s);
        rc = edit_tags(next.tags, key, value, e);
        _auto_json_ json_t *record = cloud_snapshot_record(&next);
        if (rc == 0)
            rc = record_write(c, id, record, RECORD_AGAIN, e); /* small, and rare enough to be done under the lock */
        json_t *gone = rc == 0 ? s->tags : next.tags;
        if (rc == 0)
            s->tags = next.tags;
        json_decref(gone);
    }
    pthread_mutex_unlock(&c->mu);
    return rc;
}

int cloud_tag(struct cloud *c, const char *id, const char *key, const char *value, struct err *e)
{
    CLOUD_CALL(c);
    if (str_starts(id, "snap-"))
        return tag_snapshot(c, id, key, value, e);
    struct cloud_entry *entry = cloud_hold(c, id, e);
    if (!entry)
        return -1;
    struct cloud_disk next = cloud_disk_copy(&entry->disk);
    json_t *old = entry->disk.tags;
    int rc = edit_tags(next.tags, key, value, e);
    if (rc == 0)
        rc = cloud_put(c, entry, &next, e);
    json_decref(rc == 0 ? old : next.tags);
    cloud_let_go(c, entry);
    return rc;
}

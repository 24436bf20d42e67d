/* cloud_repair.c - the inventory read back at a start, and what a kill left half done brought to an end.
 *
 * DESIGN: each operation writes its intent before the machine works, so the records say all:
 *
 *     record says        machine may have             repair
 *     creating           nothing or a disk            disk and record go: nobody was told of them
 *     deleting           a disk or nothing            disk and record go
 *     attaching          unplugged (a start unplugs)  the attachment goes: nobody was told of it
 *     detaching          unplugged                    the attachment goes
 *     modifying          the old or the new size      the disk grows to the new size
 *     pending snapshot   nothing or a part            copy and record go
 *     (empty)            nothing or a disk            disk and record go: a power cut came before anybody was told
 *
 * Attachments that were told stay; cloud_resume() plugs them in when the nodes run. A record whose bytes are gone (the
 * user removed the file) becomes "error". A simulated machine forgets its disks with the process: they are told to it
 * again. THREADS: none yet. */
#include "csi/cloud_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static int drop_bytes(struct cloud *c, const char *backing, struct err *e)
{
    struct err why = ERR_INIT;
    if (c->machine->ops->disk_delete(c->machine, backing, &why) < 0 && why.code != ERR_NOT_FOUND) {
        *e = why;
        return -1;
    }
    return record_remove(c, backing, e);
}

/* The attachments that were told; the others are forgotten. Says whether any was. */
static bool drop_untold(struct cloud_disk *d)
{
    size_t kept = 0, had = d->attachment_count;
    for (size_t i = 0; i < had; i++)
        if (d->attachments[i].state == CLOUD_ATTACHED)
            d->attachments[kept++] = d->attachments[i];
    d->attachment_count = kept;
    d->state = kept ? CLOUD_IN_USE : CLOUD_AVAILABLE;
    return kept != had;
}

/* Do the bytes agree with the record? */
static int check_bytes(struct cloud *c, struct cloud_disk *d, const char *backing, bool *out_changed, struct err *e)
{
    struct machine_info info;
    struct disk_info have;
    struct err why = ERR_INIT;
    const struct machine_ops *ops = c->machine->ops;
    ops->info(c->machine, &info);
    if (info.simulated && ops->disk_create(c->machine, backing, d->gib * GIB, &why) < 0 &&
        why.code != ERR_ALREADY_EXISTS) {
        *e = why;
        return -1;
    }
    if (ops->disk_info(c->machine, backing, &have, &why) < 0) {
        if (why.code != ERR_NOT_FOUND) {
            *e = why;
            return -1;
        }
        *out_changed = *out_changed || d->state != CLOUD_ERROR;
        d->state = CLOUD_ERROR;
        return 0;
    }
    if (have.bytes < d->gib * GIB && ops->disk_grow(c->machine, backing, d->gib * GIB, e) < 0)
        return -1;
    if (d->modification.start[0] && !d->modification.end[0]) {
        cloud_now(c, d->modification.end);
        *out_changed = true;
    }
    return 0;
}

static int load_disk(struct cloud *c, const json_t *record, struct err *e)
{
    _auto_disk_ struct cloud_disk d = {0};
    char backing[CLOUD_ID_LEN + 16];
    if (cloud_disk_parse(record, &d, e) < 0)
        return -1;
    cloud_disk_backing(&d, backing);
    if (d.state == CLOUD_CREATING || d.state == CLOUD_DELETING)
        return drop_bytes(c, backing, e);
    bool changed = drop_untold(&d);
    if (check_bytes(c, &d, backing, &changed, e) < 0)
        return -1;
    if (changed) {
        _auto_json_ json_t *fresh = cloud_disk_record(&d);
        if (record_write(c, backing, fresh, RECORD_AGAIN, e) < 0)
            return -1;
    }
    cloud_add_locked(c, &d)->held = false;
    d = (struct cloud_disk){0}; /* taken */
    return 0;
}

static int load_snapshot(struct cloud *c, const json_t *record, struct err *e)
{
    _auto_snapshot_ struct cloud_snapshot s = {0};
    struct machine_info info;
    struct disk_info have;
    struct err why = ERR_INIT;
    if (cloud_snapshot_parse(record, &s, e) < 0)
        return -1;
    if (s.state == CLOUD_PENDING)
        return drop_bytes(c, s.id, e);
    c->machine->ops->info(c->machine, &info);
    if (info.simulated)
        c->machine->ops->disk_create(c->machine, s.id, s.gib * GIB, &why);
    err_clear(&why);
    if (c->machine->ops->disk_info(c->machine, s.id, &have, &why) < 0)
        return why.code == ERR_NOT_FOUND ? record_remove(c, s.id, e) : (*e = why, -1);
    cloud_add_snapshot_locked(c, &s);
    s = (struct cloud_snapshot){0};
    return 0;
}

static int load(struct cloud *c, const json_t *record, struct err *e)
{
    return json_object_get(record, "VolumeType") ? load_disk(c, record, e) : load_snapshot(c, record, e);
}

static int by_age(const void *a, const void *b)
{
    const struct cloud_entry *const *x = a, *const *y = b;
    int order = strcmp((*x)->disk.created, (*y)->disk.created);
    return order ? order : strcmp((*x)->disk.id, (*y)->disk.id);
}

static int snapshots_by_age(const void *a, const void *b)
{
    const struct cloud_snapshot *const *x = a, *const *y = b;
    int order = strcmp((*x)->started, (*y)->started);
    return order ? order : strcmp((*x)->id, (*y)->id);
}

int cloud_repair(struct cloud *c, struct err *e)
{
    if (record_each(c, load, drop_bytes, e) < 0)
        return -1;
    if (c->disk_count)
        qsort(c->disks, c->disk_count, sizeof(struct cloud_entry *), by_age);
    if (c->snapshot_count)
        qsort(c->snapshots, c->snapshot_count, sizeof(struct cloud_snapshot *), snapshots_by_age);
    return 0;
}

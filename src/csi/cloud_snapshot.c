/* cloud_snapshot.c - snapshots: a copy of a disk's bytes at one moment, shared where the filesystem can (reflink).
 *
 * DESIGN: the copy is a disk file of its own under the snapshot's id, which nothing ever attaches. The source disk is
 * held while it is copied, so it is neither grown nor deleted meanwhile; who writes to it through a mount goes on, as
 * on EC2: the copy is as a disk that lost its power at that moment. THREADS: see cloud.c. */
#include "csi/cloud_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

static int put_snapshot(struct cloud *c, struct cloud_snapshot *s, enum cloud_snapshot_state state, int64_t progress,
                        struct err *e)
{
    const enum record_sync how = s->state == CLOUD_COMPLETED ? RECORD_AGAIN
                                 : state == CLOUD_COMPLETED  ? RECORD_FIRST
                                                             : RECORD_UNTOLD;
    s->state = state;
    s->progress = progress;
    _auto_json_ json_t *record = cloud_snapshot_record(s);
    return record_write(c, s->id, record, how, e);
}

static void undo(struct cloud *c, const char *id)
{
    struct err e = ERR_INIT;
    if (c->machine->ops->disk_delete(c->machine, id, &e) == 0 || e.code == ERR_NOT_FOUND)
        record_remove(c, id, &e);
    pthread_mutex_lock(&c->mu);
    cloud_drop_snapshot_locked(c, id);
    pthread_mutex_unlock(&c->mu);
}

/* The disk is held. */
static int copy_held(struct cloud *c, const struct cloud_disk *from, struct cloud_snapshot *s, struct err *e)
{
    char backing[CLOUD_ID_LEN + 16];
    cloud_disk_backing(from, backing);
    if (from->state != CLOUD_AVAILABLE && from->state != CLOUD_IN_USE)
        return cloud_fault(e, from->provider, CLOUD_FAULT_NOT_AVAILABLE, &(struct cloud_args){.volume = from->id});
    s->gib = from->gib;
    s->encrypted = from->encrypted;
    if (put_snapshot(c, s, CLOUD_PENDING, 0, e) < 0)
        return -1;
    pthread_mutex_lock(&c->mu);
    struct cloud_snapshot shown = cloud_snapshot_copy(s);
    cloud_add_snapshot_locked(c, &shown);
    pthread_mutex_unlock(&c->mu);
    if (c->machine->ops->disk_copy(c->machine, backing, s->id, from->gib * GIB, e) < 0 ||
        put_snapshot(c, s, CLOUD_COMPLETED, 100, e) < 0) {
        undo(c, s->id);
        return -1;
    }
    pthread_mutex_lock(&c->mu);
    struct cloud_snapshot *row = cloud_find_snapshot_locked(c, s->id);
    if (row) {
        row->state = CLOUD_COMPLETED;
        row->progress = 100;
    }
    pthread_mutex_unlock(&c->mu);
    return 0;
}

static bool made_before(struct cloud *c, const char *token, struct cloud_snapshot *out)
{
    bool found = false;
    pthread_mutex_lock(&c->mu);
    for (size_t i = 0; token && i < c->snapshot_count && !found; i++) {
        found = str_eq(c->snapshots[i]->token, token);
        if (found && out)
            *out = cloud_snapshot_copy(c->snapshots[i]);
    }
    pthread_mutex_unlock(&c->mu);
    return found;
}

int cloud_snapshot_create(struct cloud *c, const char *volume, const char *token, const char *description,
                          const json_t *tags, struct cloud_snapshot *out, struct err *e)
{
    CLOUD_CALL(c);
    struct cloud_entry *entry = cloud_hold(c, volume, e);
    if (!entry)
        return -1;
    if (made_before(c, token, out)) {
        cloud_let_go(c, entry);
        return 0;
    }
    _auto_snapshot_ struct cloud_snapshot s = {.tags = tags ? json_deep_copy(tags) : json_object()};
    cloud_make_id("snap-", token, s.id, sizeof s.id);
    snprintf(s.volume, sizeof s.volume, "%s", volume);
    snprintf(s.token, sizeof s.token, "%s", token ? token : "");
    snprintf(s.description, sizeof s.description, "%s", description ? description : "");
    cloud_now(c, s.started);
    int rc = copy_held(c, &entry->disk, &s, e);
    cloud_let_go(c, entry);
    if (rc == 0 && out) {
        *out = s;
        s = (struct cloud_snapshot){0};
    }
    return rc;
}

int cloud_snapshot_delete(struct cloud *c, const char *id, struct err *e)
{
    CLOUD_CALL(c);
    _auto_snapshot_ struct cloud_snapshot s = {0};
    struct err why = ERR_INIT;
    if (cloud_snapshot_get(c, id, &s, e) < 0 || put_snapshot(c, &s, CLOUD_PENDING, 100, e) < 0)
        return -1;
    if (c->machine->ops->disk_delete(c->machine, id, &why) < 0 && why.code != ERR_NOT_FOUND) {
        *e = why;
        put_snapshot(c, &s, CLOUD_COMPLETED, 100, &why);
        return -1;
    }
    if (record_remove(c, id, e) < 0)
        return -1;
    pthread_mutex_lock(&c->mu);
    cloud_drop_snapshot_locked(c, id);
    pthread_mutex_unlock(&c->mu);
    return 0;
}

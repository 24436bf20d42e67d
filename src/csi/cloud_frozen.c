/* cloud_frozen.c - the whole inventory at one moment: taken, and put back.
 *
 * DESIGN: every operation that changes something is a reader of one lock (CLOUD_CALL), who wants the whole cloud to
 * stand still is its writer. Operations are short but for copies of large disks; those under way are waited for, those
 * that come wait. So what is read in between has no disk that is being made, attached or deleted: each record is one
 * that cloud_repair() would leave alone.
 *
 * Putting back is not atomic by itself: files are replaced one by one. Who does it remembers that he does, and does it
 * once more after a kill (app/checkpoint_swap.c). THREADS: cloud_freeze() and cloud_thaw() by the same thread. */
#include "csi/cloud_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- standing still ---- */

void cloud_calls_init(struct cloud *c)
{
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP); /* or it would wait for ever */
    pthread_rwlock_init(&c->calls, &attr);
    pthread_rwlockattr_destroy(&attr);
}

struct cloud *cloud_call(struct cloud *c)
{
    pthread_rwlock_rdlock(&c->calls);
    return c;
}

void cloud_call_end(struct cloud **c)
{
    pthread_rwlock_unlock(&(*c)->calls);
}

void cloud_freeze(struct cloud *c)
{
    pthread_rwlock_wrlock(&c->calls);
}

void cloud_thaw(struct cloud *c)
{
    pthread_rwlock_unlock(&c->calls);
}

/* ---- taken ---- */

json_t *cloud_records(struct cloud *c)
{
    json_t *disks = json_array(), *snapshots = json_array();
    pthread_mutex_lock(&c->mu);
    for (size_t i = 0; i < c->disk_count; i++)
        json_array_append_new(disks, cloud_disk_record(&c->disks[i]->disk));
    for (size_t i = 0; i < c->snapshot_count; i++)
        json_array_append_new(snapshots, cloud_snapshot_record(c->snapshots[i]));
    pthread_mutex_unlock(&c->mu);
    return json_pack("{s:o, s:o}", "disks", disks, "snapshots", snapshots);
}

bool cloud_record_backing(const json_t *record, char out[CLOUD_ID_LEN + 16])
{
    _auto_disk_ struct cloud_disk d = {0};
    struct err none = ERR_INIT;
    if (!json_object_get(record, "VolumeType"))
        snprintf(out, CLOUD_ID_LEN + 16, "%s", jstr_or(record, "SnapshotId", ""));
    else if (cloud_disk_parse(record, &d, &none) == 0)
        cloud_disk_backing(&d, out);
    else
        *out = '\0';
    return *out;
}

/* ---- put back ---- */

static bool says_already(const char *dir, const char *id, const json_t *record)
{
    _auto_free_ char *path = xasprintf("%s/%s.json", dir, id);
    _auto_json_ json_t *now = json_load_file(path, 0, NULL);
    return now && json_equal(now, record);
}

static int write_records(const struct cloud *c, const json_t *list, struct strlist *names, struct err *e)
{
    size_t i;
    const json_t *record;
    char id[CLOUD_ID_LEN + 16];
    json_array_foreach(list, i, record)
    {
        if (!cloud_record_backing(record, id))
            return err_set(e, ERR_CORRUPT, "a record of a disk cannot be read");
        strlist_add(names, id);
        if (!says_already(c->dir, id, record) && record_write(c, id, record, RECORD_FIRST, e) < 0)
            return -1;
    }
    return 0;
}

static void remove_others(const char *dir, const struct strlist *names)
{
    DIR *d = opendir(dir);
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        const size_t n = strlen(entry->d_name);
        if (!str_ends(entry->d_name, ".json"))
            continue;
        _auto_free_ char *id = xstrndup(entry->d_name, n - strlen(".json"));
        if (!strlist_has(names, id))
            unlinkat(dirfd(d), entry->d_name, 0);
    }
    if (d)
        closedir(d);
}

int cloud_replace_files(const char *dir, const json_t *records, struct err *e)
{
    _auto_strlist_ struct strlist names = {0};
    const struct cloud place = {.dir = (char *)(uintptr_t)dir};
    if (!dir)
        return 0;
    if (write_records(&place, json_object_get(records, "disks"), &names, e) < 0 ||
        write_records(&place, json_object_get(records, "snapshots"), &names, e) < 0)
        return -1;
    remove_others(dir, &names);
    return 0;
}

/* Into an inventory that nobody uses yet. */
static int parse_all(struct cloud *into, const json_t *records, struct err *e)
{
    size_t i;
    const json_t *record;
    json_array_foreach(json_object_get(records, "disks"), i, record)
    {
        struct cloud_disk d = {0};
        if (cloud_disk_parse(record, &d, e) < 0)
            return -1;
        cloud_add_locked(into, &d)->held = false;
    }
    json_array_foreach(json_object_get(records, "snapshots"), i, record)
    {
        struct cloud_snapshot s = {0};
        if (cloud_snapshot_parse(record, &s, e) < 0)
            return -1;
        cloud_add_snapshot_locked(into, &s);
    }
    return 0;
}

/* A simulated machine knows of a disk no more than its size. */
static void tell_machine(struct cloud *c)
{
    struct machine_info info;
    char backing[CLOUD_ID_LEN + 16];
    struct err there = ERR_INIT;
    c->machine->ops->info(c->machine, &info);
    for (size_t i = 0; info.simulated && i < c->disk_count; i++) {
        cloud_disk_backing(&c->disks[i]->disk, backing);
        c->machine->ops->disk_create(c->machine, backing, c->disks[i]->disk.gib * GIB, &there);
    }
    for (size_t i = 0; info.simulated && i < c->snapshot_count; i++)
        c->machine->ops->disk_create(c->machine, c->snapshots[i]->id, c->snapshots[i]->gib * GIB, &there);
}

int cloud_replace(struct cloud *c, const json_t *records, struct err *e)
{
    struct cloud fresh = {0};
    int rc = parse_all(&fresh, records, e);
    if (rc == 0)
        rc = cloud_replace_files(c->dir, records, e);
    if (rc == 0) {
        pthread_mutex_lock(&c->mu);
        struct cloud old = {.disks = c->disks, .disk_count = c->disk_count, .snapshots = c->snapshots};
        old.snapshot_count = c->snapshot_count;
        c->disks = fresh.disks;
        c->disk_count = fresh.disk_count;
        c->disk_cap = fresh.disk_cap;
        c->snapshots = fresh.snapshots;
        c->snapshot_count = fresh.snapshot_count;
        c->snapshot_cap = fresh.snapshot_cap;
        pthread_mutex_unlock(&c->mu);
        fresh = old;
        tell_machine(c);
    }
    cloud_clear_locked(&fresh);
    free(fresh.disks);
    free(fresh.snapshots);
    return rc;
}

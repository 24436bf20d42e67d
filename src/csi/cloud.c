/* cloud.c - the inventory: what exists, who may work on it now, where instances are. See cloud.h.
 *
 * DESIGN: disks and snapshots are rows behind one lock, which is never held while the machine or a file works. Who
 * wants to change a disk takes hold of its row first (cloud_hold), so operations on one disk follow each other and a
 * row can be changed in two steps with slow work between; readers see the row as it was last put. A disk's life:
 *
 *     creating --> available <--> in-use          every arrow is: record written (intent), machine works,
 *         |            |                          record written (done), row shown. What a kill leaves between the
 *         v            v                          two records is finished or undone by cloud_repair.c.
 *       (gone)      deleting --> (gone)
 *
 * LOCK ORDER: `calls` (cloud_frozen.c), a hold, then `mu`; nobody waits for a second hold while having one, but for a
 * clone's source (the older disk; it never waits for the younger). THREADS: safe from any thread. */
#include "csi/cloud_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* -- values -- */

void cloud_disk_release(struct cloud_disk *d)
{
    json_decref(d->tags);
    *d = (struct cloud_disk){0};
}

void cloud_snapshot_release(struct cloud_snapshot *s)
{
    json_decref(s->tags);
    *s = (struct cloud_snapshot){0};
}

struct cloud_disk cloud_disk_copy(const struct cloud_disk *d)
{
    struct cloud_disk copy = *d;
    copy.tags = d->tags ? json_deep_copy(d->tags) : json_object();
    return copy;
}

struct cloud_snapshot cloud_snapshot_copy(const struct cloud_snapshot *s)
{
    struct cloud_snapshot copy = *s;
    copy.tags = s->tags ? json_deep_copy(s->tags) : json_object();
    return copy;
}

void cloud_now(const struct cloud *c, char out[TIME_TEXT_LEN])
{
    time_format(clock_wall_ns(c->clock), out);
}

void cloud_make_id(const char *prefix, const char *seed, char *out, size_t size)
{
    uint64_t n;
    if (seed)
        n = str_hash64(seed, strlen(seed));
    else
        random_bytes(&n, sizeof n);
    snprintf(out, size, "%s0%016" PRIx64, prefix, n);
}

void cloud_disk_backing(const struct cloud_disk *d, char out[CLOUD_ID_LEN + 16])
{
    static const char *const prefixes[CLOUD_PROVIDERS] = {"", "gce-", "azure-", ""};
    snprintf(out, CLOUD_ID_LEN + 16, "%s%s", prefixes[d->provider], d->id);
}

/* -- life -- */

int cloud_open(const struct cloud_conf *conf, struct cloud **out, struct err *e)
{
    struct cloud *c = xcalloc(1, sizeof *c);
    c->machine = conf->machine;
    c->clock = conf->clock;
    c->dir = conf->dir ? xstrdup(conf->dir) : NULL;
    c->region = xstrdup(conf->region);
    cloud_calls_init(c);
    pthread_mutex_init(&c->mu, NULL);
    pthread_cond_init(&c->freed, NULL);
    c->machine->cloud = c;
    int rc = 0;
    if (c->dir && mkdir(c->dir, 0700) < 0 && errno != EEXIST)
        rc = err_sys(e, errno, "make %s", c->dir);
    if (rc < 0 || cloud_repair(c, e) < 0) {
        cloud_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

void cloud_clear_locked(struct cloud *c)
{
    for (size_t i = 0; i < c->disk_count; i++) {
        cloud_disk_release(&c->disks[i]->disk);
        free(c->disks[i]);
    }
    for (size_t i = 0; i < c->snapshot_count; i++) {
        cloud_snapshot_release(c->snapshots[i]);
        free(c->snapshots[i]);
    }
    c->disk_count = c->snapshot_count = 0;
}

void cloud_close(struct cloud *c)
{
    if (!c)
        return;
    cloud_clear_locked(c);
    free(c->disks);
    free(c->snapshots);
    free(c->dir);
    free(c->region);
    pthread_rwlock_destroy(&c->calls);
    pthread_mutex_destroy(&c->mu);
    pthread_cond_destroy(&c->freed);
    c->machine->cloud = NULL;
    free(c);
}

struct cloud *cloud_of(struct machine *m, struct err *e)
{
    if (!m->cloud)
        err_set(e, ERR_UNAVAILABLE, "this machine has no cloud");
    return m->cloud;
}

/* -- disks -- */

struct cloud_entry *cloud_find_locked(struct cloud *c, const char *id)
{
    for (size_t i = 0; i < c->disk_count; i++)
        if (str_eq(c->disks[i]->disk.id, id))
            return c->disks[i];
    return NULL;
}

struct cloud_entry *cloud_hold(struct cloud *c, const char *id, struct err *e)
{
    struct cloud_entry *entry;
    pthread_mutex_lock(&c->mu);
    while ((entry = cloud_find_locked(c, id)) && entry->held)
        pthread_cond_wait(&c->freed, &c->mu);
    if (entry)
        entry->held = true;
    pthread_mutex_unlock(&c->mu);
    if (!entry)
        cloud_fault(e, CLOUD_EC2, CLOUD_FAULT_VOLUME_NOT_FOUND, &(struct cloud_args){.volume = id});
    return entry;
}

void cloud_let_go(struct cloud *c, struct cloud_entry *entry)
{
    pthread_mutex_lock(&c->mu);
    entry->held = false;
    pthread_cond_broadcast(&c->freed);
    pthread_mutex_unlock(&c->mu);
}

struct cloud_entry *cloud_add_locked(struct cloud *c, const struct cloud_disk *take_disk)
{
    struct cloud_entry *entry = xcalloc(1, sizeof *entry);
    entry->disk = *take_disk;
    entry->held = true;
    if (c->disk_count == c->disk_cap) {
        c->disk_cap = c->disk_cap ? 2 * c->disk_cap : 32;
        c->disks = xrealloc(c->disks, c->disk_cap * sizeof(struct cloud_entry *));
    }
    return c->disks[c->disk_count++] = entry;
}

int cloud_put(struct cloud *c, struct cloud_entry *entry, const struct cloud_disk *next, struct err *e)
{
    _auto_json_ json_t *record = cloud_disk_record(next);
    char name[CLOUD_ID_LEN + 16];
    cloud_disk_backing(next, name);
    const enum record_sync how = next->state == CLOUD_CREATING         ? RECORD_UNTOLD
                                 : entry->disk.state == CLOUD_CREATING ? RECORD_FIRST
                                                                       : RECORD_AGAIN;
    if (record_write(c, name, record, how, e) < 0)
        return -1;
    pthread_mutex_lock(&c->mu);
    entry->disk = *next;
    pthread_mutex_unlock(&c->mu);
    return 0;
}

void cloud_forget(struct cloud *c, struct cloud_entry *entry)
{
    pthread_mutex_lock(&c->mu);
    for (size_t i = 0; i < c->disk_count; i++) {
        if (c->disks[i] != entry)
            continue;
        memmove(&c->disks[i], &c->disks[i + 1], (--c->disk_count - i) * sizeof(struct cloud_entry *));
        break;
    }
    pthread_cond_broadcast(&c->freed);
    pthread_mutex_unlock(&c->mu);
    cloud_disk_release(&entry->disk);
    free(entry);
}

int cloud_disk_get(struct cloud *c, const char *id, struct cloud_disk *out, struct err *e)
{
    pthread_mutex_lock(&c->mu);
    const struct cloud_entry *entry = cloud_find_locked(c, id);
    if (entry)
        *out = cloud_disk_copy(&entry->disk);
    pthread_mutex_unlock(&c->mu);
    return entry ? 0 : cloud_fault(e, CLOUD_EC2, CLOUD_FAULT_VOLUME_NOT_FOUND, &(struct cloud_args){.volume = id});
}

size_t cloud_disks(struct cloud *c, bool (*keep)(const struct cloud_disk *d, void *arg), void *arg,
                   struct cloud_disk **out)
{
    size_t n = 0;
    pthread_mutex_lock(&c->mu);
    struct cloud_disk *list = xcalloc(c->disk_count + 1, sizeof *list);
    for (size_t i = 0; i < c->disk_count; i++)
        if (!keep || keep(&c->disks[i]->disk, arg))
            list[n++] = cloud_disk_copy(&c->disks[i]->disk);
    pthread_mutex_unlock(&c->mu);
    *out = list;
    return n;
}

void cloud_disks_free(struct cloud_disk *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cloud_disk_release(&list[i]);
    free(list);
}

/* -- snapshots -- */

struct cloud_snapshot *cloud_find_snapshot_locked(struct cloud *c, const char *id)
{
    for (size_t i = 0; i < c->snapshot_count; i++)
        if (str_eq(c->snapshots[i]->id, id))
            return c->snapshots[i];
    return NULL;
}

void cloud_add_snapshot_locked(struct cloud *c, const struct cloud_snapshot *take)
{
    if (c->snapshot_count == c->snapshot_cap) {
        c->snapshot_cap = c->snapshot_cap ? 2 * c->snapshot_cap : 16;
        c->snapshots = xrealloc(c->snapshots, c->snapshot_cap * sizeof(struct cloud_snapshot *));
    }
    c->snapshots[c->snapshot_count++] = xmemdup(take, sizeof *take);
}

void cloud_drop_snapshot_locked(struct cloud *c, const char *id)
{
    for (size_t i = 0; i < c->snapshot_count; i++) {
        struct cloud_snapshot *s = c->snapshots[i];
        if (!str_eq(s->id, id))
            continue;
        memmove(&c->snapshots[i], &c->snapshots[i + 1], (--c->snapshot_count - i) * sizeof(struct cloud_snapshot *));
        cloud_snapshot_release(s);
        free(s);
        return;
    }
}

int cloud_snapshot_get(struct cloud *c, const char *id, struct cloud_snapshot *out, struct err *e)
{
    pthread_mutex_lock(&c->mu);
    const struct cloud_snapshot *s = cloud_find_snapshot_locked(c, id);
    if (s)
        *out = cloud_snapshot_copy(s);
    pthread_mutex_unlock(&c->mu);
    return s ? 0 : cloud_fault(e, CLOUD_EC2, CLOUD_FAULT_SNAPSHOT_NOT_FOUND, &(struct cloud_args){.what = id});
}

size_t cloud_snapshots(struct cloud *c, struct cloud_snapshot **out)
{
    pthread_mutex_lock(&c->mu);
    size_t n = c->snapshot_count;
    struct cloud_snapshot *list = xcalloc(n + 1, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = cloud_snapshot_copy(c->snapshots[i]);
    pthread_mutex_unlock(&c->mu);
    *out = list;
    return n;
}

void cloud_snapshots_free(struct cloud_snapshot *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cloud_snapshot_release(&list[i]);
    free(list);
}

/* -- instances and zones -- */

void cloud_instance_id(const char *node, char out[24])
{
    cloud_make_id("i-", node, out, 24);
}

void cloud_instance_add(struct cloud *c, const struct cloud_instance *i)
{
    pthread_mutex_lock(&c->mu);
    size_t at = 0;
    while (at < c->instance_count && !str_eq(c->instances[at].node, i->node))
        at++;
    if (at == CLOUD_NODES)
        BUG("more than %d instances", CLOUD_NODES);
    c->instances[at] = *i;
    c->instance_count += at == c->instance_count;
    pthread_mutex_unlock(&c->mu);
}

const struct cloud_instance *cloud_instance_locked(const struct cloud *c, const char *id_or_node)
{
    for (size_t i = 0; i < c->instance_count; i++)
        if (str_eq(c->instances[i].id, id_or_node) || str_eq(c->instances[i].node, id_or_node))
            return &c->instances[i];
    return NULL;
}

int cloud_instance_find(struct cloud *c, const char *id_or_node, struct cloud_instance *out, struct err *e)
{
    pthread_mutex_lock(&c->mu);
    const struct cloud_instance *i = cloud_instance_locked(c, id_or_node);
    if (i)
        *out = *i;
    pthread_mutex_unlock(&c->mu);
    return i ? 0
             : cloud_fault(e, CLOUD_EC2, CLOUD_FAULT_INSTANCE_NOT_FOUND, &(struct cloud_args){.instance = id_or_node});
}

size_t cloud_instances(struct cloud *c, struct cloud_instance **out)
{
    pthread_mutex_lock(&c->mu);
    size_t n = c->instance_count;
    *out = xmemdup(c->instances, (n + 1) * sizeof **out);
    pthread_mutex_unlock(&c->mu);
    return n;
}

const char *cloud_region(const struct cloud *c)
{
    return c->region;
}

bool cloud_zone_known(const struct cloud *c, const char *zone)
{
    size_t n = strlen(c->region);
    if (!zone || strncmp(zone, c->region, n) != 0)
        return false;
    return zone[n] >= 'a' && zone[n] <= 'f' && zone[n + 1] == '\0';
}

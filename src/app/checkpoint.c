/* checkpoint.c - checkpoints as they are kept: saving, listing, removing. Restoring is in checkpoint_restore.c.
 *
 * A manifest:
 *
 *     {"name": "before", "serial": "1f…", "created": "2024-…", "objects": 61, "bytes": 17039360,
 *      "disks": [{"id": "vol-0…", "seen": "…"}], "nodes": [{"id": "node01", "on": true, "seen": "…"}],
 *      "cloud": {"disks": […], "snapshots": […]}}
 *
 * DESIGN: the cloud stands still while its records, its disks and the nodes' filesystems are copied, and the objects
 * are taken in the same moment. Controllers go on: they are level-triggered, so a volume whose PersistentVolume has not
 * been written yet, or an attachment that is not shown yet, is what they also find after a crash. What pods write
 * meanwhile is in the copies or not, as after a power cut; each filesystem is whole. The directory gets its name when
 * all is in it, so a kill leaves a checkpoint or none. One that replaces another takes its name by exchanging the two
 * folders: until then the old one is whole, and what is left of it goes when it has none any more.
 *
 * THREADS: see checkpoint.h; it is taken through a save, a removal, and a restore, which gives it back on another
 * thread than the one that took it: so `mu` guards a flag. */
#include "app/checkpoint_int.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- small ones ---- */

void phase_end(struct phases *p, const char *name)
{
    const int64_t now = clock_mono_ns(clock_real());
    json_object_set_new(p->ms, name, json_real((double)((now - p->since) / 10000) / 100.0));
    p->since = now;
}

int checkpoints_take(struct checkpoints *cs, struct err *e)
{
    pthread_mutex_lock(&cs->mu);
    while (cs->taken)
        pthread_cond_wait(&cs->given, &cs->mu);
    const bool ended = cs->ended;
    cs->taken = !ended;
    pthread_mutex_unlock(&cs->mu);
    return ended ? err_set(e, ERR_UNAVAILABLE, "the cluster is going down") : 0;
}

void checkpoints_give(struct checkpoints *cs)
{
    pthread_mutex_lock(&cs->mu);
    cs->taken = false;
    pthread_cond_broadcast(&cs->given);
    pthread_mutex_unlock(&cs->mu);
}

void checkpoints_join(struct checkpoints *cs)
{
    if (cs->has_behind)
        pthread_join(cs->behind, NULL);
    cs->has_behind = false;
}

struct checkpoint *checkpoint_find(struct checkpoints *cs, const char *name, struct err *e)
{
    for (struct checkpoint *cp = cs->all; cp; cp = cp->next)
        if (str_eq(cp->name, name))
            return cp;
    err_set(e, ERR_NOT_FOUND, "no checkpoint \"%s\" (`stowage checkpoint ls` lists them)", name);
    return NULL;
}

json_t *checkpoint_row(const struct checkpoint *cp, const char *list, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(cp->manifest, list), i, row)
    {
        if (str_eq(jstr(row, "id"), id))
            return row;
    }
    return NULL;
}

struct snapshot *checkpoint_objects(struct checkpoints *cs, struct checkpoint *cp, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/%s/objects", cs->dir, cp->name);
    if (!cp->objects && store_read_snapshot(cluster_store(cs->cluster), path, &cp->objects, e) < 0)
        return NULL;
    return cp->objects;
}

static bool name_ok(const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
    return n > 0 && n <= 63 && isalnum((unsigned char)name[0]);
}

static void checkpoint_free(struct checkpoint *cp)
{
    free(cp->name);
    json_decref(cp->manifest);
    snapshot_unref(cp->objects);
    free(cp);
}

static json_t *told_of(const struct checkpoint *cp)
{
    const json_t *m = cp->manifest;
    return json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", cp->name, "created", jstr_or(m, "created", ""), "objects",
                     (json_int_t)jint(m, "objects", 0), "disks",
                     (json_int_t)json_array_size(json_object_get(m, "disks")), "bytes",
                     (json_int_t)jint(m, "bytes", 0));
}

/* ---- files ---- */

static void remove_folder(const char *path)
{
    static const char *const files[] = {"checkpoint.json", "objects"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _auto_free_ char *file = xasprintf("%s/%s", path, files[i]);
        unlink(file);
    }
    rmdir(path);
}

/* The two change places where there is one already; a filesystem that cannot do that has a moment without either. */
static int take_name(const char *part, const char *end)
{
    if (rename(part, end) == 0)
        return 0;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return -1;
    if (renameat2(AT_FDCWD, part, AT_FDCWD, end, RENAME_EXCHANGE) == 0)
        return 0;
    remove_folder(end);
    return rename(part, end);
}

/* Under another name until it is whole. */
static int write_folder(const struct checkpoints *cs, const struct checkpoint *cp, struct err *e)
{
    _auto_free_ char *end = xasprintf("%s/%s", cs->dir, cp->name), *part = xasprintf("%s/.%s.new", cs->dir, cp->name);
    _auto_free_ char *manifest = xasprintf("%s/checkpoint.json", part), *objects = xasprintf("%s/objects", part);
    remove_folder(part);
    if (mkdir(part, 0700) == 0 && snapshot_write(cp->objects, objects, e) == 0 &&
        json_dump_file(cp->manifest, manifest, JSON_INDENT(1)) == 0 && take_name(part, end) == 0) {
        remove_folder(part); /* the one before, if there was one */
        return 0;
    }
    if (e->code == ERR_OK)
        err_sys(e, errno, "write %s", end);
    remove_folder(part);
    return -1;
}

/* ---- saving ---- */

static void add_job(struct disk_job *jobs, size_t *n, const char *serial, const char *id, bool node)
{
    struct disk_job *job = &jobs[(*n)++];
    snprintf(job->from, sizeof job->from, "%s", id);
    snprintf(job->to, sizeof job->to, KEPT_DISK "%s-%s%s", serial, node ? NODE_DISK : "", id);
    job->node = node;
}

static json_t *disk_rows(struct checkpoints *cs, const char *serial, struct disk_job **jobs, size_t *n)
{
    char seen[96];
    json_t *rows = json_array();
    _auto_strlist_ struct strlist ids = {0};
    disks_now(cs, &ids);
    *jobs = xcalloc(ids.len + NODES_MOST, sizeof **jobs);
    for (size_t i = 0; i < ids.len; i++) {
        disk_seen(cs, ids.items[i], seen);
        json_array_append_new(rows, json_pack("{s:s, s:s}", "id", ids.items[i], "seen", seen));
        add_job(*jobs, n, serial, ids.items[i], false);
    }
    return rows;
}

static json_t *node_rows(struct checkpoints *cs, const char *serial, struct disk_job *jobs, size_t *n)
{
    json_t *rows = json_array();
    const int nodes = cluster_nodes(cs->cluster);
    for (int i = 0; i < nodes && i < NODES_MOST; i++) {
        char name[64], seen[96];
        kubelet_node_name(i, name);
        node_seen(cs->m, name, seen);
        const bool on = kubelet_node_is_on(cluster_kubelet(cs->cluster), i);
        json_array_append_new(rows, json_pack("{s:s, s:b, s:s}", "id", name, "on", on, "seen", seen));
        if (!is_simulated(cs->m))
            add_job(jobs, n, serial, name, true);
    }
    return rows;
}

/* What was written while it was copied may be in the copy or not. */
static void nodes_look_again(struct checkpoints *cs, json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        char seen[96];
        node_seen(cs->m, jstr(row, "id"), seen);
        if (!str_eq(seen, jstr(row, "seen")))
            jset_str(row, "seen", "");
    }
}

static int64_t bytes_of(struct checkpoints *cs, const struct disk_job *jobs, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        struct disk_info info;
        struct err none = ERR_INIT;
        if (cs->m->ops->disk_info(cs->m, jobs[i].to, &info, &none) == 0)
            sum += info.used;
    }
    return sum;
}

static void undo_jobs(struct checkpoints *cs, const struct disk_job *jobs, size_t n)
{
    _auto_strlist_ struct strlist made = {0};
    for (size_t i = 0; i < n; i++)
        strlist_add(&made, jobs[i].to);
    disks_remove_all(cs->m, &made);
}

/* Fills manifest and objects. */
static int take(struct checkpoints *cs, struct checkpoint *cp, struct phases *p, struct err *e)
{
    struct cloud *cloud = cluster_cloud(cs->cluster);
    char serial[37], created[TIME_TEXT_LEN];
    _auto_free_ struct disk_job *jobs = NULL;
    size_t n = 0;
    int64_t ahead;
    random_uuid(serial);
    serial[8] = '\0';
    time_format(clock_wall_ns(cluster_clock(cs->cluster, &ahead)), created);
    cloud_freeze(cloud);
    phase_end(p, "freeze");
    cp->objects = store_snapshot(cluster_store(cs->cluster));
    json_t *disks = disk_rows(cs, serial, &jobs, &n), *nodes = node_rows(cs, serial, jobs, &n);
    cp->manifest = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "name", cp->name, "serial", serial, "created", created,
                             "disks", disks, "nodes", nodes, "cloud", cloud_records(cloud));
    const int rc = is_simulated(cs->m) ? 0 : disk_jobs_run(cs->m, jobs, n, e);
    nodes_look_again(cs, nodes);
    cloud_thaw(cloud);
    phase_end(p, "copy");
    jset_int(cp->manifest, "objects", (int64_t)snapshot_objects(cp->objects));
    jset_int(cp->manifest, "bytes", bytes_of(cs, jobs, n));
    if (rc == 0 && write_folder(cs, cp, e) == 0)
        return 0;
    undo_jobs(cs, jobs, n);
    return -1;
}

/* The one of that name, or the end of the list. */
static struct checkpoint **place_of(struct checkpoints *cs, const char *name)
{
    struct checkpoint **at = &cs->all;
    while (*at && !str_eq((*at)->name, name))
        at = &(*at)->next;
    return at;
}

/* Its bytes, and itself; its folder is gone or another's. */
static void drop(struct checkpoints *cs, struct checkpoint **at)
{
    struct checkpoint *cp = *at;
    _auto_free_ char *dir = xasprintf("%s/disks", cluster_data_dir(cs->cluster));
    _auto_free_ char *prefix = xasprintf(KEPT_DISK "%s-", jstr_or(cp->manifest, "serial", ""));
    _auto_strlist_ struct strlist kept = {0};
    disks_in(dir, prefix, &kept);
    disks_remove_all(cs->m, &kept);
    *at = cp->next;
    checkpoint_free(cp);
}

static int save_taken(struct checkpoints *cs, const char *name, bool replace, json_t **out, struct err *e)
{
    struct phases p = {json_object(), clock_mono_ns(clock_real())};
    struct checkpoint **old = place_of(cs, name);
    if (*old && !replace) {
        json_decref(p.ms);
        return err_set(e, ERR_ALREADY_EXISTS, "checkpoint \"%s\" already exists", name);
    }
    struct checkpoint *cp = xcalloc(1, sizeof *cp);
    cp->name = xstrdup(name);
    if (take(cs, cp, &p, e) < 0) {
        checkpoint_free(cp);
        json_decref(p.ms);
        return -1;
    }
    if (*old)
        drop(cs, old);
    struct checkpoint **at = &cs->all;
    while (*at)
        at = &(*at)->next;
    *at = cp;
    phase_end(&p, "write");
    *out = told_of(cp);
    json_object_set_new(*out, "ms", p.ms);
    return 0;
}

int checkpoint_save(struct checkpoints *cs, const char *name, bool replace, json_t **out, struct err *e)
{
    if (!name_ok(name))
        return err_set(e, ERR_USAGE,
                       "\"%s\" is no name for a checkpoint: letters, digits, '-', '_' and '.', at most 63", name);
    if (checkpoints_take(cs, e) < 0)
        return -1;
    const int rc = save_taken(cs, name, replace, out, e);
    checkpoints_give(cs);
    return rc;
}

int checkpoint_remove(struct checkpoints *cs, const char *name, struct err *e)
{
    if (checkpoints_take(cs, e) < 0)
        return -1;
    const bool found = checkpoint_find(cs, name, e);
    if (found) {
        _auto_free_ char *folder = xasprintf("%s/%s", cs->dir, name);
        remove_folder(folder);
        drop(cs, place_of(cs, name));
    }
    checkpoints_give(cs);
    return found ? 0 : -1;
}

json_t *checkpoint_list(struct checkpoints *cs)
{
    json_t *list = json_array();
    if (checkpoints_take(cs, &(struct err){0}) < 0)
        return list;
    for (const struct checkpoint *cp = cs->all; cp; cp = cp->next)
        json_array_append_new(list, told_of(cp));
    checkpoints_give(cs);
    return list;
}

/* ---- opening ---- */

static void load(struct checkpoints *cs, const char *name)
{
    _auto_free_ char *path = xasprintf("%s/%s/checkpoint.json", cs->dir, name);
    json_t *manifest = json_load_file(path, 0, NULL);
    if (!json_is_object(manifest)) {
        json_decref(manifest);
        return;
    }
    struct checkpoint *cp = xcalloc(1, sizeof *cp), **at = &cs->all;
    cp->name = xstrdup(name);
    cp->manifest = manifest;
    while (*at && strcmp(jstr_or((*at)->manifest, "created", ""), jstr_or(manifest, "created", "")) <= 0)
        at = &(*at)->next;
    cp->next = *at;
    *at = cp;
}

static int load_all(struct checkpoints *cs, struct err *e)
{
    struct dirent **entries;
    const int n = scandir(cs->dir, &entries, NULL, alphasort);
    if (n < 0)
        return err_sys(e, errno, "read %s", cs->dir);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        _auto_free_ char *path = xasprintf("%s/%s", cs->dir, name);
        if (name[0] == '.' && str_ends(name, ".new"))
            remove_folder(path);
        else if (name_ok(name))
            load(cs, name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

/* What no checkpoint has: copies that a kill left. */
static void sweep(struct checkpoints *cs)
{
    _auto_free_ char *dir = xasprintf("%s/disks", cluster_data_dir(cs->cluster));
    _auto_strlist_ struct strlist all = {0}, gone = {0};
    disks_in(dir, "", &all);
    for (size_t i = 0; i < all.len; i++) {
        const char *id = all.items[i];
        bool wanted = is_cluster_disk(id);
        for (const struct checkpoint *cp = cs->all; cp && !wanted; cp = cp->next) {
            _auto_free_ char *prefix = xasprintf(KEPT_DISK "%s-", jstr_or(cp->manifest, "serial", "?"));
            wanted = str_starts(id, prefix);
        }
        if (!wanted)
            strlist_add(&gone, id);
    }
    disks_remove_all(cs->m, &gone);
}

int checkpoints_open(struct cluster *c, struct checkpoints **out, struct err *e)
{
    struct checkpoints *cs = xcalloc(1, sizeof *cs);
    cs->cluster = c;
    cs->m = cluster_machine(c);
    cs->dir = xasprintf("%s/checkpoints", cluster_data_dir(c));
    pthread_mutex_init(&cs->mu, NULL);
    pthread_cond_init(&cs->given, NULL);
    int rc = mkdir(cs->dir, 0700) < 0 && errno != EEXIST ? err_sys(e, errno, "make %s", cs->dir) : load_all(cs, e);
    if (rc < 0) {
        checkpoints_close(cs);
        return -1;
    }
    sweep(cs);
    *out = cs;
    return 0;
}

void checkpoints_end(struct checkpoints *cs)
{
    if (!cs || checkpoints_take(cs, &(struct err){0}) < 0)
        return;
    checkpoints_join(cs);
    pthread_mutex_lock(&cs->mu);
    cs->ended = true;
    pthread_mutex_unlock(&cs->mu);
    checkpoints_give(cs);
}

void checkpoints_close(struct checkpoints *cs)
{
    if (!cs)
        return;
    checkpoints_end(cs);
    while (cs->all) {
        struct checkpoint *next = cs->all->next;
        checkpoint_free(cs->all);
        cs->all = next;
    }
    pthread_cond_destroy(&cs->given);
    pthread_mutex_destroy(&cs->mu);
    free(cs->dir);
    free(cs);
}

/* checkpoint_diff.c - what is not as it was in a checkpoint: objects field by field, volumes by their bytes.
 *
 * DESIGN: two immutable snapshots are walked side by side. Members that change by themselves (revisions, field
 * managers, heartbeats) tell nothing and are left out, and so is an object in which nothing else differs. Of disks the
 * files are compared in blocks, extent by extent: what is a hole in both costs nothing; where they differ, what the
 * filesystems in them hold is compared name by name (checkpoint_files.c). A disk that is mounted is looked at as it is:
 * what the kernel has not written out yet does not count. THREADS: any; nobody else has the checkpoints meanwhile. */
#include "app/checkpoint_int.h"

#include "base/buf.h"
#include "cli/spawn.h"
#include "sys/ext4_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELDS_MOST 12
#define VALUE_MOST  60
#define BLOCK       4096
#define CHUNK       (256 * BLOCK)

/* ---- fields ---- */

static const char *const silent[] = {"metadata.resourceVersion", "metadata.managedFields", "metadata.generation"};
static const char *const silent_ends[] = {"lastHeartbeatTime", "lastProbeTime", "renewTime", "observedGeneration"};

static bool is_silent(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(silent); i++)
        if (str_eq(path, silent[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(silent_ends); i++)
        if (str_ends(path, silent_ends[i]))
            return true;
    return false;
}

/* Returns new. */
static char *shown(const json_t *value)
{
    char *text = !value                  ? xstrdup("(none)")
                 : json_is_string(value) ? xstrdup(json_string_value(value))
                                         : json_text(value);
    if (strlen(text) > VALUE_MOST)
        memcpy(text + VALUE_MOST - 3, "...", 4);
    return text;
}

static void diff_value(const char *path, const json_t *a, const json_t *b, json_t *out);

static void diff_objects(const char *path, const json_t *a, const json_t *b, json_t *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        _auto_free_ char *at = xasprintf("%s%s%s", path, *path ? "." : "", key);
        diff_value(at, value, json_object_get(b, key), out);
    }
    json_object_foreach((json_t *)(uintptr_t)b, key, value)
    {
        _auto_free_ char *at = xasprintf("%s%s%s", path, *path ? "." : "", key);
        if (!json_object_get(a, key))
            diff_value(at, NULL, value, out);
    }
}

static void diff_arrays(const char *path, const json_t *a, const json_t *b, json_t *out)
{
    const size_t n = json_array_size(a) > json_array_size(b) ? json_array_size(a) : json_array_size(b);
    for (size_t i = 0; i < n; i++) {
        _auto_free_ char *at = xasprintf("%s[%zu]", path, i);
        diff_value(at, json_array_get(a, i), json_array_get(b, i), out);
    }
}

static void diff_value(const char *path, const json_t *a, const json_t *b, json_t *out)
{
    if (is_silent(path) || (a && b && json_equal(a, b)))
        return;
    if (json_is_object(a) && json_is_object(b)) {
        diff_objects(path, a, b, out);
    } else if (json_is_array(a) && json_is_array(b)) {
        diff_arrays(path, a, b, out);
    } else {
        _auto_free_ char *was = shown(a), *is = shown(b);
        json_array_append_new(out, json_sprintf("%s: %s -> %s", path, was, is));
    }
}

/* ---- objects ---- */

struct walk {
    const struct snapshot *other;
    bool backward; /* the walked one is the present */
    json_t *rows;
};

static void add_row(struct walk *w, const struct sobj *o, const char *how, json_t *take_fields)
{
    json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "kind", o->bucket, "namespace", o->ns, "name", o->name, "how", how);
    if (take_fields)
        json_object_set_new(row, "fields", take_fields);
    json_array_append_new(w->rows, row);
}

static int visit(struct sobj *o, void *arg)
{
    struct walk *w = arg;
    _auto_sobj_ struct sobj *other = snapshot_get(w->other, o->bucket, o->ns, o->name);
    if (!other) {
        add_row(w, o, w->backward ? "added" : "removed", NULL);
    } else if (!w->backward && other->rv != o->rv) {
        json_t *fields = json_array();
        diff_objects("", o->tree, other->tree, fields);
        const size_t n = json_array_size(fields);
        while (json_array_size(fields) > FIELDS_MOST)
            json_array_remove(fields, json_array_size(fields) - 1);
        if (n > FIELDS_MOST)
            json_array_append_new(fields, json_sprintf("... and %zu more", n - FIELDS_MOST));
        if (n)
            add_row(w, o, "changed", json_incref(fields));
        json_decref(fields);
    }
    return 0;
}

struct side {
    const struct snapshot *snap;
    struct walk *walk;
};

static int visit_bucket(const char *bucket, void *arg)
{
    const struct side *s = arg;
    return str_eq(bucket, "leases.coordination.k8s.io")
               ? 0
               : snapshot_scan(s->snap, bucket, NULL, NULL, NULL, visit, s->walk);
}

static json_t *diff_snapshots(const struct snapshot *then, const struct snapshot *now)
{
    json_t *rows = json_array();
    struct walk from_then = {now, false, rows}, from_now = {then, true, rows};
    struct side a = {then, &from_then}, b = {now, &from_now};
    snapshot_buckets(then, visit_bucket, &a);
    snapshot_buckets(now, visit_bucket, &b);
    return rows;
}

/* ---- disks ---- */

/* Where data begins at or after `at` in either file; -1: nowhere. */
static off_t next_data(int a, int b, off_t at)
{
    const off_t x = lseek(a, at, SEEK_DATA), y = lseek(b, at, SEEK_DATA);
    return x < 0 ? y : y < 0 ? x : x < y ? x : y;
}

static ssize_t read_at(int fd, char *out, off_t at)
{
    const ssize_t n = pread(fd, out, CHUNK, at);
    memset(out + (n > 0 ? n : 0), 0, (size_t)(CHUNK - (n > 0 ? n : 0)));
    return n;
}

static int64_t differing_bytes(int a, int b)
{
    _auto_free_ char *x = xmalloc(CHUNK), *y = xmalloc(CHUNK);
    int64_t sum = 0;
    for (off_t at = 0; (at = next_data(a, b, at)) >= 0; at += CHUNK) {
        at -= at % BLOCK;
        if (read_at(a, x, at) <= 0 && read_at(b, y, at) <= 0)
            break;
        read_at(b, y, at);
        for (off_t k = 0; k < CHUNK; k += BLOCK)
            sum += memcmp(x + k, y + k, BLOCK) != 0 ? BLOCK : 0;
    }
    return sum;
}

/* A copy of a disk whose filesystem is in order, to be read. */
struct copy {
    const struct checkpoints *cs;
    const char *id; /* of the copy; NULL: there is none */
    int fd;
    struct ext4 *fs; /* NULL: it is none */
};

static void copy_open(struct copy *c, const struct checkpoints *cs, const char *disk, const char *id)
{
    _auto_free_ char *path = xasprintf("%s/disks/%s.img", cluster_data_dir(cs->cluster), id);
    const char *const check[] = {"e2fsck", "-fy", path, NULL};
    _auto_buf_ struct buf text = BUF_INIT;
    struct err none = ERR_INIT;
    int code;
    *c = (struct copy){.cs = cs, .fd = -1};
    if (cs->m->ops->disk_copy(cs->m, disk, id, 0, &none) < 0)
        return;
    c->id = id;
    spawn_wait(check, &text, &code, &none);
    c->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (c->fd >= 0)
        ext4_open(c->fd, &c->fs, &none);
}

static void copy_close(struct copy *c)
{
    struct err none = ERR_INIT;
    ext4_close(c->fs);
    if (c->fd >= 0)
        close(c->fd);
    if (c->id)
        c->cs->m->ops->disk_delete(c->cs->m, c->id, &none);
}

static void add_use(json_t *row, const struct copy *c, const char *when)
{
    int64_t files, bytes;
    if (!c->fs)
        return;
    ext4_use(c->fs, &files, &bytes);
    json_object_set_new(row, when, json_pack("{s:I, s:I}", "files", (json_int_t)files, "bytes", (json_int_t)bytes));
}

/* What the filesystems hold; then, now: NULL where there was none or is none. */
static void add_contents(const struct checkpoints *cs, json_t *row, const char *then, const char *now)
{
    struct copy a = {.fd = -1}, b = {.fd = -1};
    if (then)
        copy_open(&a, cs, then, TRASH_DISK "then");
    if (now)
        copy_open(&b, cs, now, TRASH_DISK "use");
    add_use(row, &a, "then");
    add_use(row, &b, "now");
    if (a.fs && b.fs)
        diff_files(a.fs, b.fs, row);
    const char *other = a.fd >= 0 && !a.fs ? filesystem_of(a.fd) : b.fd >= 0 && !b.fs ? filesystem_of(b.fd) : NULL;
    if (other)
        jset_str(row, "namesNotRead", other);
    copy_close(&a);
    copy_close(&b);
}

static int open_disk(const struct checkpoints *cs, const char *id)
{
    _auto_free_ char *path = xasprintf("%s/disks/%s.img", cluster_data_dir(cs->cluster), id);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* then, now: disks, NULL where there was none or is none. NULL: it is as it was. */
static json_t *compare(const struct checkpoints *cs, const char *id, const char *then, const char *now)
{
    _auto_close_ int a = then ? open_disk(cs, then) : -1, b = now ? open_disk(cs, now) : -1;
    struct stat was = {0}, is = {0};
    if ((a < 0 && b < 0) || (a >= 0 && fstat(a, &was) < 0) || (b >= 0 && fstat(b, &is) < 0))
        return NULL;
    const int64_t differing = a >= 0 && b >= 0 ? differing_bytes(a, b) : 0;
    if (a >= 0 && b >= 0 && !differing && was.st_size == is.st_size)
        return NULL;
    json_t *row = json_pack("{s:s, s:s, s:I}", "id", id, "how",
                            a < 0   ? "added"
                            : b < 0 ? "removed"
                                    : "changed",
                            "differing", (json_int_t)differing);
    if (a >= 0)
        jset_int(row, "sizeThen", was.st_size);
    if (b >= 0)
        jset_int(row, "sizeNow", is.st_size);
    add_contents(cs, row, a >= 0 ? then : NULL, b >= 0 ? now : NULL);
    return row;
}

static json_t *diff_disk(const struct checkpoints *cs, const struct checkpoint *cp, const char *id, bool is_now)
{
    const char *copy = TRASH_DISK "now";
    _auto_free_ char *then = xasprintf(KEPT_DISK "%s-%s", jstr_or(cp->manifest, "serial", ""), id);
    struct err none = ERR_INIT;
    char node[64];
    const bool attached = is_now && disk_node(cs->m, id, node);
    if (attached && cs->m->ops->disk_copy(cs->m, id, copy, 0, &none) < 0)
        return NULL;
    json_t *row = compare(cs, id, checkpoint_row(cp, "disks", id) ? then : NULL, attached ? copy : is_now ? id : NULL);
    if (attached)
        cs->m->ops->disk_delete(cs->m, copy, &none);
    return row;
}

static json_t *diff_disks(struct checkpoints *cs, const struct checkpoint *cp)
{
    size_t i;
    const json_t *row;
    json_t *rows = json_array();
    _auto_strlist_ struct strlist ids = {0};
    disks_now(cs, &ids);
    const size_t now = ids.len;
    json_array_foreach(json_object_get(cp->manifest, "disks"), i, row)
    {
        if (!strlist_has(&ids, jstr_or(row, "id", "")))
            strlist_add(&ids, jstr_or(row, "id", ""));
    }
    for (size_t k = 0; k < ids.len; k++) {
        json_t *told = diff_disk(cs, cp, ids.items[k], k < now);
        if (told)
            json_array_append_new(rows, told);
    }
    return rows;
}

int checkpoint_diff(struct checkpoints *cs, const char *name, json_t **out, struct err *e)
{
    if (checkpoints_take(cs, e) < 0)
        return -1;
    struct checkpoint *cp = checkpoint_find(cs, name, e);
    struct snapshot *then = cp ? checkpoint_objects(cs, cp, e) : NULL;
    if (then) {
        struct snapshot *now = store_snapshot(cluster_store(cs->cluster));
        *out = json_pack("{s:o, s:o}", "objects", diff_snapshots(then, now), "disks", diff_disks(cs, cp));
        snapshot_unref(now);
    }
    checkpoints_give(cs);
    return then ? 0 : -1;
}

/* grants.c - see grants_int.h: who may write how much while the machine's disk is nearly full.
 *
 * Disks are sparse: together they promise more than the machine has. A filesystem that learns so from a failed write of
 * its block device is hurt: data that the pod believed written is gone, a failed write of its journal makes it
 * read-only until it is mounted anew; and if it is the one of a node, no pod there can end any more. So it never comes
 * to that: every ext4 has a count of blocks that it holds back (reserved_clusters in its sysfs directory), every xfs a
 * pool of them, and this file sets it so that what a filesystem may still take is there. Then a write that finds no
 * room fails as on a full disk, with "No space left on device", before anything was promised; nothing is lost and
 * nothing needs repair.
 *
 * RULE (grants_share): of the room that is left, a part is kept for ourselves; what was given and is not yet written
 * (dirty pages, fallocated blocks, the unwritten part of a journal) is taken off; the rest is shared out. Who writes
 * gets most of it, who does not enough to begin. Since the shares are never more than the room, it does not matter how
 * fast a pod writes between two looks. While there is more than PLENTY, or than all together could want, nobody is
 * limited.
 *
 * What pods delete is given back: a filesystem whose file has much more than it uses is trimmed, once room is scarce.
 *
 * What cannot be limited (btrfs, raw devices) gets ENOSPC or EIO from its device, as on a broken disk; and others
 * may fill the machine too. For them there is the reserve (reserve.c), which is given back then. Who goes on writing
 * may take that too, and then the journal of the API server refuses until there is room again.
 *
 * INVARIANTS: only filesystems on our own images are ever touched. A limit dies with its mount: the kernel keeps it in
 * memory only. THREADS: none; the helper's loop. What a look costs: two system calls while there is much room; later
 * one reading of each node's mounts. The kernel's side is in grants_fs.c. */
#include "sys/grants_int.h"
#include "sys/grants_fs_int.h"
#include "sys/proc_int.h"
#include "sys/reserve_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB          (INT64_C(1) << 20)
#define FAR          (16384 * MIB) /* room above which nothing is looked at */
#define PLENTY       (2048 * MIB)  /* to give; nobody is limited above */
#define SOON         (8192 * MIB)  /* to give; above, once in a while is enough */
#define SCARCE       (1024 * MIB)  /* to give; below, what pods deleted is taken back */
#define LEAST_OWN    (8 * MIB)     /* kept for it when there is nothing to give; less if they are many */
#define LEAST_DISK   (4 * MIB)
#define HUNGRY       (2 * MIB)  /* who may use less than this, and took most of what it was given, got no more */
#define HUNGRY_MS    30000      /* so long that is remembered: whoever asks must come to know */
#define HEALED       (16 * MIB) /* to give, from which on nobody counts as starved */
#define GROWS        (64 * 1024)
#define ACTIVE_LOOKS 20 /* so long someone counts as active who grew */
#define TRIM_WORTH   (16 * MIB)
#define LOG_AHEAD    (8 * MIB) /* of a journal never written yet: what it may take between two looks */

/* ---- the rule ---- */

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Who writes gets most; a disk that does not, enough to begin; what is ours and does not, a little. */
static int64_t weight_of(const struct grant_share *s)
{
    return s->active ? 16 : s->own ? 1 : 2;
}

int64_t grants_share(struct grant_share *s, size_t n, int64_t room)
{
    int64_t left = room - GRANTS_KEPT, wanted = 0, weights = 0;
    for (size_t i = 0; i < n; i++) {
        left -= s[i].owed;
        wanted += s[i].free;
        weights += weight_of(&s[i]);
    }
    for (size_t i = 0; i < n; i++) {
        const int64_t least = least_of(s[i].own ? LEAST_OWN : LEAST_DISK, GRANTS_KEPT / 2 / (int64_t)n);
        const int64_t kept = least_of(most_of(s[i].avail, 0), least); /* of its least, what it still has */
        int64_t grant = s[i].free;
        if (left < PLENTY && left < wanted)
            grant = left > 0 ? most_of(left * weight_of(&s[i]) / weights, kept) : kept;
        s[i].grant = least_of(grant, s[i].free);
    }
    return left;
}

/* ---- what is remembered of each ---- */

struct row { /* a filesystem, or a disk that has none we can limit */
    struct row *next;
    char name[32]; /* the kernel's: "loop7", "loop7p1" */
    char *image;   /* owned */
    ino_t ino;     /* of the image: loop devices are used again for others */
    char *mount;   /* owned; how the helper reaches it; NULL: nothing of ours that we can limit is mounted */
    enum fs_kind kind;
    dev_t dev;
    bool own, seen;       /* own: a node's, or that of image layers */
    int64_t base;         /* blocks it holds back by itself */
    int64_t used, backed; /* bytes, at the last look */
    int64_t freed;        /* bytes that files no longer have, since it was trimmed */
    bool fresh, starved;
    int64_t granted;       /* at the last look */
    int64_t starved_until; /* ms; at least */
    bool grew;             /* its file did, since there was plenty */
    int active;            /* looks left */
    struct fs_room room;   /* at this look */
};
struct grants {
    struct row *rows; /* owned */
    pid_t trimmer;    /* 0: none */
};

struct grants *grants_new(void)
{
    return xcalloc(1, sizeof(struct grants));
}

static void row_free(struct row *r)
{
    free(r->image);
    free(r->mount);
    free(r);
}

void grants_free(struct grants *g)
{
    for (struct row *r = g ? g->rows : NULL, *next; r; r = next) {
        next = r->next;
        row_free(r);
    }
    free(g);
}

static void row_unmounted(struct row *r)
{
    free(r->mount);
    r->mount = NULL;
}

static struct row *row_for(struct grants *g, const char *name, const char *image)
{
    struct stat st;
    if (stat(image, &st) < 0)
        return NULL;
    struct row *r = g->rows;
    while (r && !(str_eq(r->name, name) && r->ino == st.st_ino))
        r = r->next;
    if (!r) {
        r = xcalloc(1, sizeof *r);
        snprintf(r->name, sizeof r->name, "%s", name);
        r->image = xstrdup(image);
        r->ino = st.st_ino;
        r->fresh = true;
        r->next = g->rows;
        g->rows = r;
    }
    const int64_t backed = (int64_t)st.st_blocks * 512;
    r->grew = r->grew || (!r->fresh && backed > r->backed);
    r->backed = backed;
    return r;
}

static void drop_unseen(struct grants *g)
{
    for (struct row **at = &g->rows; *at;) {
        struct row *r = *at;
        if (r->seen) {
            r->seen = false;
            at = &r->next;
            continue;
        }
        *at = r->next;
        row_free(r);
    }
}

/* ---- looking ---- */

struct look {
    struct grants *g;
    const struct grant_view *view;
    const struct grant_node *node;
};

/* Whose image is behind this mount of the node? NULL: nobody's that concerns us. */
static const char *image_of(const struct look *l, const struct fs_seen *m)
{
    if (str_eq(m->target, l->node->target))
        return l->node->image;
    int loop;
    if (sscanf(m->name, "loop%d", &loop) != 1)
        return NULL;
    for (size_t i = 0; i < l->view->disk_count; i++)
        if (l->view->disks[i].loop == loop)
            return l->view->disks[i].image;
    return NULL;
}

static void see_mount(void *arg, const struct fs_seen *m)
{
    struct look *l = arg;
    const char *image = image_of(l, m);
    struct row *r = image ? row_for(l->g, m->name, image) : NULL;
    struct fs_room room;
    if (!r || r->seen)
        return;
    _auto_free_ char *path = xasprintf("/proc/%d/root%s", (int)l->node->pid, m->target);
    if (!fs_room_read(m, path, &room))
        return; /* another mount covers it, or it is just going */
    free(r->mount);
    r->mount = TAKE(path);
    r->kind = m->kind;
    r->dev = m->dev;
    r->own = str_eq(image, l->node->image);
    r->base = r->fresh ? room.reserved : r->base;
    if (!r->fresh && room.used > r->used + GROWS)
        r->active = ACTIVE_LOOKS;
    if (r->fresh)
        r->freed = r->backed - room.used; /* nobody knows: may be */
    else
        r->freed += most_of(r->used - room.used, 0);
    r->used = room.used;
    r->room = room;
    r->fresh = false;
    r->seen = true;
}

static void see_disk(struct grants *g, const struct grant_disk *d)
{
    char name[32], part[40];
    snprintf(name, sizeof name, "loop%d", d->loop);
    snprintf(part, sizeof part, "%sp", name);
    for (const struct row *r = g->rows; r; r = r->next)
        if (r->seen && (str_eq(r->name, name) || str_starts(r->name, part)))
            return;
    struct row *r = row_for(g, name, d->image);
    if (!r)
        return;
    row_unmounted(r);
    r->seen = true;
    r->fresh = false;
}

static int64_t owed_by(const struct row *r)
{
    return most_of(r->room.dirty + r->room.dirty / 64, r->used - r->backed) +
           least_of(fs_log_unwritten(r->image), LOG_AHEAD);
}

/* Did it come to the end of what it was given at the last look? Then its pod has seen "No space left on device". */
static bool is_hungry(const struct row *r)
{
    const int64_t avail = r->room.free - r->room.reserved * r->room.block;
    return r->room.reserved > r->base && avail < HUNGRY && 2 * avail < r->granted && r->granted - avail > GROWS;
}

static bool device_starves(const struct row *r, int64_t room)
{
    struct stat st;
    return room < MIB && r->grew && stat(r->image, &st) == 0 && r->backed < st.st_size;
}

/* Sets each limit. Returns what there was to give. */
static int64_t share_out(struct grants *g, int64_t room)
{
    const int64_t now = clock_mono_ns(clock_real()) / 1000000;
    size_t n = 0, count = 0;
    for (const struct row *r = g->rows; r; r = r->next)
        count++;
    _auto_free_ struct grant_share *s = xcalloc(count + 1, sizeof *s);
    for (const struct row *r = g->rows; r; r = r->next)
        if (r->mount)
            s[n++] = (struct grant_share){
                .own = r->own,
                .free = r->room.free,
                .avail = r->room.free - r->room.reserved * r->room.block,
                .owed = owed_by(r),
                .active = r->active > 0,
            };
    const int64_t left = grants_share(s, n, room);
    n = 0;
    for (struct row *r = g->rows; r; r = r->next) {
        r->active -= r->active > 0;
        if (left > PLENTY)
            r->grew = false;
        if (!r->mount) {
            r->starved = device_starves(r, room);
            continue;
        }
        if (is_hungry(r))
            r->starved_until = now + HUNGRY_MS;
        r->starved = now < r->starved_until || (r->starved && s[n].grant < HEALED && s[n].grant < s[n].free);
        r->granted = s[n].grant;
        const int64_t held = (s[n].free - s[n].grant + r->room.block - 1) / r->room.block;
        struct fs_seen at = {.kind = r->kind, .dev = r->dev};
        snprintf(at.name, sizeof at.name, "%s", r->name);
        fs_reserve(&at, r->mount, &r->room, most_of(held, r->base));
        n++;
    }
    return left;
}

/* ---- giving back what was deleted ---- */

static void trim(struct grants *g, struct row *r)
{
    g->trimmer = fork();
    if (g->trimmer < 0)
        g->trimmer = 0;
    r->freed = 0;
    if (g->trimmer != 0)
        return;
    struct fstrim_range all = {.len = UINT64_MAX, .minlen = 64 * 1024};
    proc_keep_fds(NULL, 0);
    const int fd = open(r->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* A block is free for good when its transaction is written. */
    _exit(fd >= 0 && syncfs(fd) == 0 && ioctl(fd, FITRIM, &all) == 0 ? 0 : 1);
}

static void trim_one(struct grants *g)
{
    for (struct row *r = g->rows; r && !g->trimmer; r = r->next)
        if (r->mount && r->freed > TRIM_WORTH)
            trim(g, r);
}

void grants_child_end(struct grants *g, pid_t pid)
{
    if (pid == g->trimmer)
        g->trimmer = 0;
}

/* ---- a look ---- */

int grants_look(struct grants *g, const struct grant_view *v)
{
    const int64_t room = reserve_look(v->dir);
    if (room < 0 || (room > FAR && !g->rows))
        return 1000;
    for (size_t i = 0; i < v->node_count; i++) {
        struct look l = {g, v, &v->nodes[i]};
        fs_mounts_each(l.node->pid, see_mount, &l);
    }
    for (size_t i = 0; i < v->disk_count; i++)
        see_disk(g, &v->disks[i]);
    for (struct row *r = g->rows; r; r = r->next)
        if (!r->seen)
            row_unmounted(r);
    const int64_t left = share_out(g, room);
    if (left < SCARCE && !g->trimmer)
        trim_one(g);
    if (room > FAR)
        for (struct row *r = g->rows; r; r = r->next)
            r->seen = false; /* all are without limit again */
    drop_unseen(g);
    return left < SOON ? 100 : 500;
}

bool grants_starved(const struct grants *g, int loop)
{
    for (const struct row *r = g->rows; r; r = r->next) {
        int number;
        if (r->starved && !r->own && sscanf(r->name, "loop%d", &number) == 1 && number == loop)
            return true;
    }
    return false;
}

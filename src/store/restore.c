/* restore.c - back to a state that a snapshot holds.
 *
 * DESIGN. An object version is immutable and a snapshot is a root, so the state of an earlier moment is still there,
 * shared with what has not changed since. Going back is a commit like any other, made by the leader between two others
 * (commit.c): the two roots are compared, and each difference becomes a put or a deletion with a revision of its own.
 * So a resourceVersion never goes back, optimistic writers that read before the restore lose, and watchers are told
 * what really happens.
 *
 * The snapshot may also come from a file, as checkpoints do after a restart: a head, and for each object a line
 * (bucket, namespace, name, revision, length) and its bytes. An end line says that nothing is missing.
 *
 * INVARIANTS: an object that says the same is not touched, so its revision stays. What comes back keeps its row in the
 * journal while it is there, else gets a new one. THREADS: restore_apply() by the leader of a group; the rest by
 * anyone. */
#include "store/store_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD     "stowage-objects 1"
#define WORD_MAX 300
#define LEN_MAX  (64u << 20) /* of one object; no request brings as much */

/* ---- the commit ---- */

struct going {
    struct store *s;
    const struct store_restore *r;
    struct edition *ed;
    struct store_restored *told;
    const struct snapshot *now; /* before the edition changes */
};

static bool is_kept(const struct going *g, const struct sobj *o)
{
    return g->r->keep && g->r->keep(o->bucket, o->ns, o->name, g->r->arg);
}

/* Puts what `then` said, or `revised` if that is given, in the place of `now` (NULL: it is not there). */
static void bring_back(struct going *g, struct sobj *then, json_t *take_revised, struct sobj *now)
{
    struct watch_event *op = edition_op(g->ed);
    const uint64_t rv = ++g->s->last_rv;
    const int64_t row = now ? sobj_row(now) : ++g->s->last_row;
    struct sobj *fresh;
    if (take_revised) {
        fresh = sobj_freeze(then->ns, then->name, take_revised);
        sobj_stamp(fresh, then->bucket, rv, row);
    } else {
        fresh = sobj_again(then, rv, row);
    }
    *op = (struct watch_event){now ? WATCH_MODIFIED : WATCH_ADDED, fresh, sobj_ref(now)};
    g->ed->snap = snapshot_put(g->ed->snap, fresh);
    snapshot_set_rv(g->ed->snap, rv);
    *(now ? &g->told->changed : &g->told->added) += 1;
}

static void take_away(struct going *g, struct sobj *now)
{
    struct watch_event *op = edition_op(g->ed);
    const uint64_t rv = ++g->s->last_rv;
    *op = (struct watch_event){WATCH_DELETED, sobj_again(now, rv, sobj_row(now)), sobj_ref(now)};
    g->ed->snap = snapshot_remove(g->ed->snap, now);
    snapshot_set_rv(g->ed->snap, rv);
    g->told->removed++;
}

/* One that was deleted and made again under its name is another, and nothing that is being deleted ever ceases to be.
 */
static bool is_another(const struct going *g, const struct sobj *now, const struct sobj *then)
{
    const char *a = jstr(now->tree, "metadata.uid"), *b = jstr(then->tree, "metadata.uid");
    if ((a && b && !str_eq(a, b)) ||
        (jat(now->tree, "metadata.deletionTimestamp") && !jat(then->tree, "metadata.deletionTimestamp")))
        return true;
    return g->r->anew && g->r->anew(now, then, g->r->arg);
}

static int visit_then(struct sobj *then, void *arg)
{
    struct going *g = arg;
    if (is_kept(g, then))
        return 0;
    struct sobj *now = snapshot_find(g->now, then->bucket, then->ns, then->name);
    json_t *revised = g->r->revise ? g->r->revise(then, g->r->arg) : NULL;
    if (!revised && now && (now->rv == then->rv || sobj_same_state(now, then)))
        return 0;
    if (now && is_another(g, now, then)) {
        const struct store_restored before = *g->told;
        take_away(g, now);
        bring_back(g, then, revised, NULL);
        *g->told = before;
        g->told->changed++;
        return 0;
    }
    bring_back(g, then, revised, now);
    return 0;
}

static int visit_now(struct sobj *now, void *arg)
{
    struct going *g = arg;
    if (is_kept(g, now) || snapshot_find(g->r->to, now->bucket, now->ns, now->name))
        return 0;
    take_away(g, now);
    return 0;
}

static int bucket_then(const char *bucket, void *arg)
{
    struct going *g = arg;
    return snapshot_scan(g->r->to, bucket, NULL, NULL, NULL, visit_then, g);
}

static int bucket_now(const char *bucket, void *arg)
{
    struct going *g = arg;
    return snapshot_scan(g->now, bucket, NULL, NULL, NULL, visit_now, g);
}

void restore_apply(struct store *s, const struct store_restore *r, struct edition *ed, struct store_restored *out)
{
    struct snapshot *now = snapshot_ref(ed->snap);
    struct going g = {s, r, ed, out, now};
    ed->snap = snapshot_edit(ed->snap);
    ed->mark = r->mark;
    snapshot_buckets(now, bucket_now, &g);
    snapshot_buckets(r->to, bucket_then, &g);
    snapshot_unref(now);
}

/* ---- the file ---- */

static int write_object(struct sobj *o, void *arg)
{
    FILE *f = arg;
    fprintf(f, "%s %s %s %" PRIu64 " %zu\n", o->bucket, *o->ns ? o->ns : "-", o->name, o->rv, o->len);
    fwrite(o->bytes, 1, o->len, f);
    return fputc('\n', f) == EOF;
}

struct writing {
    const struct snapshot *snap;
    FILE *f;
};

static int write_bucket(const char *bucket, void *arg)
{
    const struct writing *w = arg;
    return snapshot_scan(w->snap, bucket, NULL, NULL, NULL, write_object, w->f);
}

int snapshot_write(const struct snapshot *snap, const char *path, struct err *e)
{
    _auto_file_ FILE *f = fopen(path, "we");
    const struct writing w = {snap, f};
    if (!f)
        return err_sys(e, errno, "make %s", path);
    fprintf(f, HEAD " %" PRIu64 "\n", snapshot_rv(snap));
    snapshot_buckets(snap, write_bucket, (void *)(uintptr_t)&w);
    fprintf(f, "end %zu\n", snapshot_objects(snap));
    return fflush(f) == EOF || ferror(f) ? err_sys(e, errno, "write %s", path) : 0;
}

static int damaged(const char *path, struct err *e)
{
    return err_set(e, ERR_CORRUPT, "%s is damaged", path);
}

/* One object whose line has been read. */
static int read_object(struct store *s, FILE *f, const char *line, struct snapshot **snap)
{
    char bucket[WORD_MAX], ns[WORD_MAX], name[WORD_MAX];
    uint64_t rv;
    size_t len;
    if (sscanf(line, "%299s %299s %299s %" SCNu64 " %zu", bucket, ns, name, &rv, &len) != 5 || len > LEN_MAX)
        return -1;
    _auto_free_ char *bytes = xmalloc(len + 1);
    if (fread(bytes, 1, len, f) != len || fgetc(f) != '\n')
        return -1;
    json_t *tree = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(tree)) {
        json_decref(tree);
        return -1;
    }
    _auto_sobj_ struct sobj *o = sobj_freeze(str_eq(ns, "-") ? "" : ns, name, tree);
    pthread_mutex_lock(&s->mu);
    const char *interned = bucket_intern_locked(s, bucket)->name;
    pthread_mutex_unlock(&s->mu);
    sobj_stamp(o, interned, rv, 0);
    *snap = snapshot_put(*snap, o);
    return 0;
}

static int read_all(struct store *s, FILE *f, struct snapshot **snap)
{
    char line[4 * WORD_MAX];
    uint64_t rv;
    size_t count;
    if (!fgets(line, sizeof line, f) || sscanf(line, HEAD " %" SCNu64, &rv) != 1)
        return -1;
    snapshot_set_rv(*snap, rv);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "end %zu\n", &count) == 1)
            return count == snapshot_objects(*snap) ? 0 : -1;
        if (read_object(s, f, line, snap) < 0)
            return -1;
    }
    return -1;
}

int store_read_snapshot(struct store *s, const char *path, struct snapshot **out_snap, struct err *e)
{
    _auto_file_ FILE *f = fopen(path, "re");
    if (!f)
        return err_sys(e, errno, "open %s", path);
    struct snapshot *snap = snapshot_new(0);
    if (read_all(s, f, &snap) < 0) {
        snapshot_unref(snap);
        return damaged(path, e);
    }
    *out_snap = snap;
    return 0;
}

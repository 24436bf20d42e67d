/* store.h - versioned objects, snapshots, the watch log, and the journal on disk. Knows no Kubernetes kind.
 *
 * An object version (`struct sobj`) is immutable: a frozen jansson tree beside its JSON bytes, serialised once and
 * shared by every reader, list and watcher; reference counted. The index is a persistent (path-copying) ordered tree
 * keyed by (bucket, namespace, name): a commit makes a new root, readers hold a root and never block writers.
 *
 * One monotonic revision (Kubernetes: resourceVersion). Source: etcd's MVCC contract as kube-apiserver uses it.
 *
 * Ownership words: borrows / takes / returns new. THREADS: every function is safe from any thread. Lock order inside:
 * store.mu, then watch.mu. */
#ifndef STOWAGE_STORE_STORE_H
#define STOWAGE_STORE_STORE_H

#include "base/clock.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct snapshot;
struct watch;

/* One version of one object. Everything in it is frozen: read only. */
struct sobj {
    uint64_t rv;        /* revision of this version (for a deletion event: of the deletion) */
    const char *bucket; /* "pods", "deployments.apps"; interned, lives as long as the store */
    const char *ns;     /* "" for cluster scope */
    const char *name;
    json_t *tree;      /* metadata.resourceVersion is set to rv */
    const char *bytes; /* compact JSON of tree, no newline; NUL-terminated */
    size_t len;
};
struct sobj *sobj_ref(const struct sobj *o); /* NULL passes through */
void sobj_unref(struct sobj *o);             /* NULL passes through */
void sobj_cleanup(struct sobj **o);
#define _auto_sobj_ __attribute__((cleanup(sobj_cleanup)))

struct store_conf {
    const char *path;          /* SQLite file; NULL keeps no disk (--ephemeral) */
    const struct clock *clock; /* borrows; outlives the store */
    unsigned window_events;    /* watch log: 0 = 100,000 */
    unsigned window_seconds;   /*            0 = 300 */
};

/* Opens (and replays) the journal. Errors: BUSY (file in use by another process), CORRUPT, UNSUPPORTED (a newer layout;
 * the message says what to do), SYS, NO_SPACE. */
int store_open(const struct store_conf *conf, struct store **out_store, struct err *e);
/* Its writers have ended by now. Watches die, and may still be closed afterwards. */
void store_close(struct store *s);

uint64_t store_rv(const struct store *s);
/* Did the last write to the journal succeed? True without a disk. */
bool store_writable(const struct store *s);
/* A UUID made with the file, the same for its whole life; "" without a disk. Borrows. */
const char *store_cluster_id(const struct store *s);

/* -- reading -- */
/* Returns a new reference, or NULL. */
struct sobj *store_get(struct store *s, const char *bucket, const char *ns, const char *name);

struct snapshot *store_snapshot(struct store *s); /* returns new; costs a pointer */
struct snapshot *snapshot_ref(struct snapshot *snap);
void snapshot_unref(struct snapshot *snap);
uint64_t snapshot_rv(const struct snapshot *snap);
struct sobj *snapshot_get(const struct snapshot *snap, const char *bucket, const char *ns,
                          const char *name); /* new ref */
/* Visits in (namespace, name) order the objects of `bucket` (of `ns` only, unless NULL), strictly after (after_ns,
 * after_name) unless those are NULL. `visit` borrows the object; returning non-zero stops the walk and is returned. */
int snapshot_scan(const struct snapshot *snap, const char *bucket, const char *ns, const char *after_ns,
                  const char *after_name, int (*visit)(struct sobj *obj, void *arg), void *arg);
size_t snapshot_objects(const struct snapshot *snap);
size_t snapshot_count(const struct snapshot *snap, const char *bucket); /* O(log n) */
/* Every bucket name that has objects now. */
int snapshot_buckets(const struct snapshot *snap, int (*visit)(const char *bucket, void *arg), void *arg);
/* The snapshot as it was at `rv` while it is still in the recent history, for exact lists and continue tokens; NULL if
 * it is no longer kept. The store pins snapshots given out by store_pin() for 5 minutes. */
void store_pin(struct store *s, struct snapshot *snap);
struct snapshot *store_snapshot_at(struct store *s, uint64_t rv); /* returns new */

/* -- writing --
 * A commit is atomic: all its puts and deletes, or none. Each put or delete names the revision it expects. The tree is
 * taken and frozen; the store sets its metadata.resourceVersion. Returns after the change is in the journal (group
 * commit), so a kill at any instant loses nothing acknowledged. Errors: ALREADY_EXISTS (expected absence), CONFLICT
 * (other revision), NOT_FOUND (expected presence), NO_SPACE, SYS. */
#define RV_ABSENT UINT64_C(0) /* must not exist */
#define RV_ANY    UINT64_MAX  /* no matter */

int store_put(struct store *s, const char *bucket, const char *ns, const char *name, uint64_t expect_rv,
              json_t *take_tree, struct sobj **out_new /* may be NULL; new reference */, struct err *e);
/* out_last: the last state carrying the revision of the deletion (what a DELETED event shows). */
int store_delete(struct store *s, const char *bucket, const char *ns, const char *name, uint64_t expect_rv,
                 struct sobj **out_last /* may be NULL; new reference */, struct err *e);

/* Writing without waiting, for a thread that serves many clients: their changes gather, and share one transaction.
 * Nothing is written before a store_flush(), or before somebody who waits is in the same group. */
struct store_write;
/* As store_put(). `bucket` is borrowed until the end. `told` is called once, from any thread and perhaps before this
 * returns, when the outcome is there or all but there; it must not block. */
struct store_write *store_put_begin(struct store *s, const char *bucket, const char *ns, const char *name,
                                    uint64_t expect_rv, json_t *take_tree, void (*told)(void *arg), void *arg);
/* What has gathered is written now: by this thread, or by one that is writing already. */
void store_flush(struct store *s);
/* The outcome, as of store_put(); not yet there, it is waited for (and flushed). */
int store_write_end(struct store_write *take_w, struct sobj **out_new /* may be NULL; new reference */, struct err *e);

/* -- going back --
 * To a state that a snapshot holds: one commit of whatever leads there. Revisions go on upwards: what is not as it was
 * comes back at a new one, what was not there is deleted, and every watch sees just that. */
struct store_restore {
    const struct snapshot *to; /* of this store */
    /* Objects that stay as they are, there or not. NULL: none. */
    bool (*keep)(const char *bucket, const char *ns, const char *name, void *arg);
    /* What an object shall say instead: a new tree; NULL: what it said. Called by the thread that commits; must not use
     * the store. NULL: none is changed. */
    json_t *(*revise)(const struct sobj *obj, void *arg);
    /* Shall it be told as a deletion and a creation, because no update leads from one to the other? One with another
     * uid, and one that was being deleted, always is. NULL: no other. */
    bool (*anew)(const struct sobj *now, const struct sobj *then, void *arg);
    void *arg;
    const char *mark; /* in the journal from the same moment on, see store_mark_read(); NULL: no other than before */
};
struct store_restored {
    size_t added, changed, removed;
};
#define STORE_MARK_LEN 64
/* All of it or, on error, nothing: NO_SPACE, SYS. */
int store_restore(struct store *s, const struct store_restore *r, struct store_restored *out, struct err *e);
/* The last mark in a journal that nobody has open, "" if there is none. Errors as store_open(). */
int store_mark_read(const char *path, char out[STORE_MARK_LEN], struct err *e);
/* A snapshot as a file, which outlives the store; and back, for a store of the same journal. CORRUPT, SYS, NO_SPACE. */
int snapshot_write(const struct snapshot *snap, const char *path, struct err *e);
int store_read_snapshot(struct store *s, const char *path, struct snapshot **out_snap, struct err *e);

/* -- watching -- */
enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED };
struct watch_event {
    enum watch_type type;
    struct sobj *obj;  /* new state; for DELETED the last state with the deletion's revision */
    struct sobj *prev; /* state before (MODIFIED, DELETED), or NULL */
};
void watch_event_release(struct watch_event *ev);

struct watch_conf {
    const char *bucket; /* NULL: every bucket */
    const char *ns;     /* NULL: every namespace */
    uint64_t after_rv;  /* deliver changes with a greater revision */
    unsigned queue_max; /* 0 = 10,000; a watcher that falls behind this is dropped, never waited for */
    /* Called (never with store locks that store functions need) when the queue went from empty to not empty, or the
     * watch died. Must not block. */
    void (*notify)(void *arg);
    void *arg;
};
/* Error EXPIRED: "too old resource version: A (B)". */
int store_watch(struct store *s, const struct watch_conf *conf, struct watch **out_watch, struct err *e);
/* 1: *out_ev filled (release it); 0: nothing now; -1: the watch is dead (dropped as slow or the store closes). */
int watch_next(struct watch *w, struct watch_event *out_ev);
/* No notify() runs after this returns. */
void watch_close(struct watch *w);

/* -- figures -- */
struct store_stats {
    size_t objects, bytes, watchers, log_events, journal_bytes;
    uint64_t commits, groups;
};
void store_stats(struct store *s, struct store_stats *out);

#endif

/* store_int.h - the store's own structure, shared by the files of this folder. */
#ifndef STOWAGE_STORE_STORE_INT_H
#define STOWAGE_STORE_STORE_INT_H

#include "store/journal_int.h"
#include "store/snapshot_int.h"
#include "store/sobj_int.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

/* The recent changes, oldest first: a ring. */
struct history {
    struct past {
        struct watch_event ev; /* owned */
        int64_t mono_ns;
    } * ring; /* owned */
    size_t head, len, cap;
    size_t max_len;
    int64_t max_age_ns;
    uint64_t floor; /* every change with a greater revision is in the ring */
};

struct pin {
    struct snapshot *snap; /* owned */
    int64_t until_ns;
};

/* Watches that want the same bucket (or every bucket). */
struct watch_list {
    struct watch *head;
};
struct bucket {
    struct watch_list watches;
    struct bucket *next; /* of all buckets */
    char name[];
};

struct batch;

/* LOCKS, in this order: mu, then watch.mu; root_mu is taken last and held for two instructions. Never both of the
 * latter. */
struct store {
    atomic_uint refs; /* the opener's and one a watch */
    const struct clock *clock;
    struct journal *journal; /* owned; NULL: no disk. Used by the leader of a group only */
    atomic_bool unwritable;  /* the last write to it failed */

    pthread_mutex_t mu;
    /* under mu */
    struct bucket *buckets; /* owned; grows only */
    struct watch_list all;  /* watches of every bucket */
    size_t watchers;
    struct history history;
    struct pin *pins; /* owned */
    size_t pins_len, pins_cap;
    uint64_t commits, groups;
    bool closing;

    pthread_mutex_t queue_mu;
    /* under queue_mu */
    struct batch *gathering; /* waits for a leader; NULL: none */
    bool leading;            /* somebody writes batches */

    /* the leader's own */
    uint64_t last_rv; /* handed out; >= published_rv */
    int64_t last_row;
    int64_t last_group_ns; /* when the last batch was done */

    pthread_mutex_t root_mu;
    struct snapshot *published; /* owned; the leader writes it under mu and root_mu, others read it under either */
    _Atomic uint64_t published_rv;
};

struct store *store_ref(struct store *s);
void store_unref(struct store *s);

/* -- store.c -- */
struct bucket *bucket_intern_locked(struct store *s, const char *name);

/* -- history.c: all under mu -- */
void history_setup(struct history *h, const struct store_conf *conf, uint64_t floor);
void history_release(struct history *h);
/* Events that left the ring, to be released without mu: freeing trees nobody looked at for long is slow. */
struct trash {
    struct watch_event *items; /* owned */
    size_t len, cap;
};
void trash_empty(struct trash *t);
/* Takes the references of the event. */
void history_append(struct history *h, const struct watch_event *ev, int64_t now_ns, struct trash *out);
void history_trim(struct history *h, int64_t now_ns, struct trash *out);
/* The i-th, oldest first. */
const struct watch_event *history_at(const struct history *h, size_t i);
/* Index of the first change with a greater revision. */
size_t history_after(const struct history *h, uint64_t rv);
void pins_trim_locked(struct store *s, int64_t now_ns);
void pins_release(struct store *s);

/* -- commit.c, restore.c: what the leader makes of the published snapshot -- */
struct edition {
    struct snapshot *snap;   /* owned */
    struct watch_event *ops; /* owned; in the order of their revisions */
    size_t len, cap;
    const char *mark; /* borrowed: to be written with them; NULL: none */
};
/* A fresh one at the end. */
struct watch_event *edition_op(struct edition *ed);
/* By the leader: hands out revisions and rows. */
void restore_apply(struct store *s, const struct store_restore *r, struct edition *ed, struct store_restored *out);

/* -- watch.c -- */
/* Watches to tell, gathered under mu and told without it. */
struct notices {
    struct watch **items; /* owned; each with a reference */
    size_t len, cap;
};
/* Hands the change to every watch that wants it. */
void watches_push_locked(struct store *s, const struct watch_event *ev, struct notices *out);
void watches_close_locked(struct store *s, struct notices *out);
void notices_send(struct notices *n); /* without mu; empties it */

void watch_event_ref(struct watch_event *out, const struct watch_event *ev);

#endif

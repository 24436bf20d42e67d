/* cloud_int.h - private to csi's cloud core: the inventory, its rules and its records. */
#ifndef STOWAGE_CSI_CLOUD_INT_H
#define STOWAGE_CSI_CLOUD_INT_H

#include "csi/cloud.h"

#include <pthread.h>

#define GIB         (INT64_C(1) << 30)
#define CLOUD_NODES 64 /* one more than there can be */

struct cloud_entry { /* a disk in the inventory */
    struct cloud_disk disk;
    bool held; /* an operation on it is under way */
};
struct cloud {
    struct machine *machine; /* borrowed */
    const struct clock *clock;
    char *dir;              /* owned; NULL: nothing is kept */
    char *region;           /* owned */
    pthread_rwlock_t calls; /* read: an operation that changes something is under way; write: frozen */
    pthread_mutex_t mu;     /* guards all below; never held while the machine works */
    pthread_cond_t freed;
    struct cloud_entry **disks; /* owned, oldest first */
    size_t disk_count, disk_cap;
    struct cloud_snapshot **snapshots; /* owned, oldest first */
    size_t snapshot_count, snapshot_cap;
    struct cloud_instance instances[CLOUD_NODES];
    size_t instance_count;
};

/* -- cloud_frozen.c -- */
/* At the top of every public function that changes disks or snapshots: waits while the cloud is frozen, and keeps it
 * from being so until the function returns. None of them may call another. */
#define CLOUD_CALL(c) __attribute__((cleanup(cloud_call_end), unused)) struct cloud *call_of_ = cloud_call(c)
struct cloud *cloud_call(struct cloud *c);
void cloud_call_end(struct cloud **c);
void cloud_calls_init(struct cloud *c);

/* -- cloud.c: the inventory -- */
/* Disks and snapshots, all of them; the caller has `mu`, or is the only one. */
void cloud_clear_locked(struct cloud *c);
/* Waits until nobody else works on the disk and takes it for the caller: only the holder changes `disk`, under the
 * lock. NULL with the provider's "not found". */
struct cloud_entry *cloud_hold(struct cloud *c, const char *id, struct err *e);
void cloud_let_go(struct cloud *c, struct cloud_entry *entry);
/* The caller holds the lock. */
struct cloud_entry *cloud_find_locked(struct cloud *c, const char *id);
struct cloud_entry *cloud_add_locked(struct cloud *c, const struct cloud_disk *take_disk); /* held by the caller */
/* Writes the record, then shows `next` (whose tags are the disk's own). The caller holds the entry. */
int cloud_put(struct cloud *c, struct cloud_entry *entry, const struct cloud_disk *next, struct err *e);
/* Takes a held disk out of the inventory and frees it. */
void cloud_forget(struct cloud *c, struct cloud_entry *entry);
struct cloud_disk cloud_disk_copy(const struct cloud_disk *d);
struct cloud_snapshot cloud_snapshot_copy(const struct cloud_snapshot *s);
struct cloud_snapshot *cloud_find_snapshot_locked(struct cloud *c, const char *id);
void cloud_add_snapshot_locked(struct cloud *c, const struct cloud_snapshot *take);
void cloud_drop_snapshot_locked(struct cloud *c, const char *id);
const struct cloud_instance *cloud_instance_locked(const struct cloud *c, const char *id_or_node);
void cloud_now(const struct cloud *c, char out[TIME_TEXT_LEN]);
/* "vol-0" and 16 digits: from `seed`, or random if it is NULL. */
void cloud_make_id(const char *prefix, const char *seed, char *out, size_t size);

/* -- cloud_repair.c -- */
int cloud_repair(struct cloud *c, struct err *e);

/* -- cloud_provider.c: what is sold, and what is refused in which words -- */
#define CLOUD_FAULTS(X)                                                                                                \
    X(VOLUME_NOT_FOUND)                                                                                                \
    X(ID_MALFORMED)                                                                                                    \
    X(ID_TAKEN)                                                                                                        \
    X(SIZE_MISSING)                                                                                                    \
    X(ZONE_NOT_FOUND)                                                                                                  \
    X(TYPE_UNKNOWN)                                                                                                    \
    X(SIZE_SMALL)                                                                                                      \
    X(SIZE_LARGE)                                                                                                      \
    X(IOPS_MISSING)                                                                                                    \
    X(IOPS_REFUSED)                                                                                                    \
    X(IOPS_LOW)                                                                                                        \
    X(IOPS_HIGH)                                                                                                       \
    X(IOPS_RATIO)                                                                                                      \
    X(THROUGHPUT_REFUSED)                                                                                              \
    X(THROUGHPUT_LOW)                                                                                                  \
    X(THROUGHPUT_HIGH)                                                                                                 \
    X(THROUGHPUT_RATIO)                                                                                                \
    X(KEY_NOT_ENCRYPTED)                                                                                               \
    X(MULTI_ATTACH_TYPE)                                                                                               \
    X(TOKEN_MISMATCH)                                                                                                  \
    X(SNAPSHOT_NOT_FOUND)                                                                                              \
    X(SNAPSHOT_BIGGER)                                                                                                 \
    X(INSTANCE_NOT_FOUND)                                                                                              \
    X(ZONE_MISMATCH)                                                                                                   \
    X(ALREADY_ATTACHED)                                                                                                \
    X(NOT_AVAILABLE)                                                                                                   \
    X(DEVICE_TAKEN)                                                                                                    \
    X(DEVICE_BAD)                                                                                                      \
    X(ATTACH_LIMIT)                                                                                                    \
    X(NOT_ATTACHED)                                                                                                    \
    X(WRONG_INSTANCE)                                                                                                  \
    X(WRONG_DEVICE)                                                                                                    \
    X(MOUNTED)                                                                                                         \
    X(VOLUME_IN_USE)                                                                                                   \
    X(NOTHING_TO_MODIFY)                                                                                               \
    X(SHRINK)                                                                                                          \
    X(MODIFY_RATE)                                                                                                     \
    X(TAG_LIMIT)                                                                                                       \
    X(TAG_BAD)
enum cloud_fault_id {
#define CLOUD_FAULT_X(name) CLOUD_FAULT_##name,
    CLOUD_FAULTS(CLOUD_FAULT_X)
#undef CLOUD_FAULT_X
        CLOUD_FAULT_MAX
};
struct cloud_args { /* what a text may name: {volume} {instance} {device} {zone} {what} {n} {limit} */
    const char *volume, *instance, *device, *zone, *what;
    int64_t n, limit;
};
/* Fills `e` with "<Code>: <text>". Returns -1. */
int cloud_fault(struct err *e, enum cloud_provider_id p, enum cloud_fault_id f, const struct cloud_args *args);

struct cloud_type {
    enum cloud_provider_id provider;
    const char *name;
    int64_t min_gib, max_gib;
    int64_t min_iops, max_iops, iops_per_gib; /* max 0: iops cannot be chosen */
    int64_t default_iops;                     /* 0: must be given (if it can be chosen) */
    int64_t base_per_gib, base_min, base_max; /* iops that come with the size; max 0: none are told */
    int64_t min_throughput, max_throughput;   /* max 0: cannot be chosen; the minimum is the default */
    bool multi_attach;
};
/* NULL: not sold. name NULL: the default. */
const struct cloud_type *cloud_type_of(enum cloud_provider_id p, const char *name);
/* Do size, iops and throughput (0: fill in) go together for the type? `given`: which the user named himself. */
int cloud_check_performance(const struct cloud_type *t, struct cloud_disk *d, struct err *e);
const char *cloud_id_prefix(enum cloud_provider_id p);
/* The n-th device name of an instance; false when they are used up. */
bool cloud_device_name(unsigned n, char out[64]);

/* -- cloud_json.c: fields to JSON and back -- */
json_t *cloud_disk_record(const struct cloud_disk *d); /* everything; returns new */
int cloud_disk_parse(const json_t *record, struct cloud_disk *out, struct err *e);
json_t *cloud_snapshot_record(const struct cloud_snapshot *s);
int cloud_snapshot_parse(const json_t *record, struct cloud_snapshot *out, struct err *e);

/* -- cloud_record.c: one file a disk or snapshot -- */
/* What a power cut may leave of it. UNTOLD: anything; nobody was told, and cloud_repair() takes the disk away. FIRST:
 * once this returns, the record. AGAIN: at any time the one before or this one. */
enum record_sync { RECORD_UNTOLD, RECORD_FIRST, RECORD_AGAIN };
int record_write(const struct cloud *c, const char *id, const json_t *record, enum record_sync how, struct err *e);
int record_remove(const struct cloud *c, const char *id, struct err *e);
/* Calls fn for each record; one that cannot be read is an error that names the file. An empty one is what a power cut
 * left of one that nobody was told of: untold(). */
int record_each(struct cloud *c, int (*fn)(struct cloud *c, const json_t *record, struct err *e),
                int (*untold)(struct cloud *c, const char *id, struct err *e), struct err *e);

#endif

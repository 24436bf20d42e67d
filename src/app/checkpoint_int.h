/* checkpoint_int.h - private to app's checkpoints: what one is on disk, and the steps of saving and restoring.
 *
 *     <data>/checkpoints/<name>/checkpoint.json   manifest, see checkpoint.c
 *     <data>/checkpoints/<name>/objects           snapshot_write()
 *     <data>/checkpoints/restoring.json           while a restore is under way: see checkpoint_swap.c
 *     <data>/disks/checkpoint-<serial>-<disk>.img its bytes; <disk> is "node-<name>" for a node's own filesystem
 */
#ifndef STOWAGE_APP_CHECKPOINT_INT_H
#define STOWAGE_APP_CHECKPOINT_INT_H

#include "app/checkpoint.h"
#include "app/cluster.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kubeletsim/kubelet.h"
#include "store/store.h"

#include <pthread.h>

/* Disks of the machine that are none of the cluster's. */
#define KEPT_DISK   "checkpoint-" /* bytes of a checkpoint */
#define STAGED_DISK "restoring-"  /* a copy of those, about to become a disk */
#define TRASH_DISK  "trash-"      /* was one */
#define NODE_DISK   "node-"       /* after one of the above: a node's own filesystem */
#define NODES_MOST  64

struct checkpoint {
    struct checkpoint *next; /* oldest first */
    char *name;
    json_t *manifest;         /* owned */
    struct snapshot *objects; /* owned; NULL: only in the file so far */
};
struct checkpoints {
    struct cluster *cluster;
    struct machine *m;
    char *dir;              /* owned; "<data>/checkpoints" */
    struct checkpoint *all; /* of who has taken it */
    pthread_mutex_t mu;
    pthread_cond_t given; /* under mu, as below */
    bool taken, ended;
    bool has_behind;  /* of who has taken it */
    pthread_t behind; /* the thread of the last restore */
};

/* -- checkpoint.c -- */
/* One at a time: waits until nobody has it. -1: the cluster goes down. Any thread may give it back. */
int checkpoints_take(struct checkpoints *cs, struct err *e);
void checkpoints_give(struct checkpoints *cs);
/* Who has taken it: the last restore's thread is over, but it may not have ended yet. */
void checkpoints_join(struct checkpoints *cs);
struct checkpoint *checkpoint_find(struct checkpoints *cs, const char *name, struct err *e); /* NOT_FOUND */
/* Borrows; reads the file when it has to. */
struct snapshot *checkpoint_objects(struct checkpoints *cs, struct checkpoint *cp, struct err *e);
/* A member of the manifest's list with that id. */
json_t *checkpoint_row(const struct checkpoint *cp, const char *list, const char *id);
/* How long each phase took, for who wants to know. */
struct phases {
    json_t *ms; /* owned: {phase: milliseconds} */
    int64_t since;
};
void phase_end(struct phases *p, const char *name);

/* -- checkpoint_disks.c -- */
bool is_simulated(struct machine *m);
/* The cluster's disks as the machine calls them. */
void disks_now(struct checkpoints *cs, struct strlist *out);
/* All in that directory, with the given prefix. */
void disks_in(const char *disks_dir, const char *prefix, struct strlist *out);
bool is_cluster_disk(const char *id);
/* Is it attached to a node? */
bool disk_node(struct machine *m, const char *id, char node[64]);
/* What tells whether its bytes are still the same, as far as that can be told of one that is attached nowhere; "" if it
 * cannot. */
void disk_seen(struct checkpoints *cs, const char *id, char out[96]);
void node_seen(struct machine *m, const char *node, char out[96]);
struct disk_job { /* one copy */
    char from[200], to[200];
    bool node; /* `from` is one: its own filesystem */
};
/* All of them, some at once; the first error, after all have ended. */
int disk_jobs_run(struct machine *m, const struct disk_job *jobs, size_t n, struct err *e);
/* Best effort: disks that are nobody's. */
void disks_remove_all(struct machine *m, const struct strlist *ids);

/* -- checkpoint_files.c -- */
struct ext4;
/* Adds to row: "files", what differs, by path: [{"path", "how", "kind", "sizeThen", "sizeNow", "what": [text]}];
 * "filesCut": there are more than are looked at. */
void diff_files(struct ext4 *then, struct ext4 *now, json_t *row);
/* "xfs", "btrfs"; NULL: neither. */
const char *filesystem_of(int fd);

/* -- checkpoint_swap.c -- */
int swap_begin(const char *dir, const json_t *pending, struct err *e);
/* Staged disks take their places, others than pending's go to the trash. May be done again at any time. */
int swap_files(const char *data_dir, const json_t *pending, struct err *e);
void swap_end(const char *dir);

/* -- checkpoint_pods.c -- */
/* As a pod is before its first container started; NULL: nothing of it ran. Returns new. */
json_t *pod_unstarted(const json_t *pod);

#endif

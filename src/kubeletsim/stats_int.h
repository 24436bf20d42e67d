/* stats_int.h - what nodes, pods, containers and volumes use, as last measured. Private to kubeletsim.
 *
 * A measurement is made whole (planned on the loop thread, filled on a worker) and then takes the place of the one
 * before; nothing of it changes after that. Readers on other threads hold k->mu. */
#ifndef STOWAGE_KUBELETSIM_STATS_INT_H
#define STOWAGE_KUBELETSIM_STATS_INT_H

#include "kubeletsim/pod_int.h"

struct container_stats {
    char name[64], id[ID_LEN];
    int64_t started;              /* wall ns */
    struct path_use rootfs, logs; /* of rootfs: its writable layer */
    struct container_use use;
    int64_t nano_cores;              /* since the base, which is an earlier measurement */
    int64_t base_at_ns, base_cpu_ns; /* what the next rate is counted from */
};
struct volume_stats {
    char *name, *claim, *path; /* owned; claim: NULL if it has none */
    bool own_fs;               /* it is a filesystem: `fs` says all of it; else `use`, on the node's */
    bool local;                /* counts as the pod's own on nodefs */
    bool limited;              /* in memory, with a limit to be watched */
    struct fs_stat fs;
    struct path_use use;
};
struct pod_stats {
    char *ns, *name, *uid; /* owned */
    int64_t started;       /* wall ns */
    struct container_stats *containers;
    size_t container_count;
    struct volume_stats *volumes;
    size_t volume_count;
    struct path_use files; /* /etc/hosts, termination messages */
    struct path_use total; /* all that counts as its ephemeral storage */
};
struct node_stats {
    int64_t at;               /* wall ns */
    int64_t mono;             /* mono ms */
    int64_t walked;           /* mono ms: when trees were last walked */
    int64_t walk_ms;          /* how long that took */
    struct fs_stat walked_fs; /* nodefs at that time */
    int64_t slow_at;          /* mono ms: when filesystems of volumes were last asked */
    bool ok;                  /* the node answered */
    struct fs_stat nodefs, imagefs;
    int64_t memory_available;
    struct pod_stats *pods;
    size_t pod_count;
};

/* Loop thread: who is to be measured. Returns new. */
struct node_stats *stats_plan(struct kubelet *k, const struct node_run *n);
/* Worker: fills the plan. Trees are walked only if the node's filesystem changed since `before` (may be NULL). */
void stats_measure(struct kubelet *k, const char *node, struct node_stats *s, const struct node_stats *before);
void stats_free(struct node_stats *s);
const struct pod_stats *stats_of_pod(const struct node_stats *s, const char *uid);
/* What a filesystem's volume uses, as `df` says. */
int64_t fs_used(const struct fs_stat *fs);
int64_t volume_used(const struct volume_stats *v);
/* CPU time of all containers together, and memory that could not be taken back. */
struct container_use pod_use(const struct pod_stats *p, int64_t *out_nano_cores);

/* -- summary.c: what the API server asks of a node (registry/node_ops.h) -- */
int summary_page(void *self, const char *node, const char *path, char **out_text, const char **out_type, struct err *e);
int summary_usage(void *self, const char *node, json_t **out, struct err *e);

#endif

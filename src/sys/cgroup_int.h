/* cgroup_int.h - limits of memory, CPU, processes and devices, best effort, on cgroup v1 and v2. Private to sys.
 *
 * A cluster has one parent group (named after its data directory), a node has one below, a container one below that, in
 * each tree of the machine: cgroup.c. The groups' files are reached through descriptors, which last when a node leaves
 * the machine's root. cgroup_limits.c has what is written into them. */
#ifndef STOWAGE_SYS_CGROUP_INT_H
#define STOWAGE_SYS_CGROUP_INT_H

#include "sys/machine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_TREES_MAX   20
#define CONTAINER_PIDS_MAX 1024 /* what a fork bomb gets */

/* "stowage-<hash>"; returns new. */
char *cgroup_cluster_name(const char *data_dir);
/* Removes a cluster's group ("stowage-…/node01": a node's) and all below; what still has processes stays. */
void cgroup_remove_tree(const char *group);
/* What a group made for the purpose could limit: CAP_CGROUP (memory, CPU, processes), CAP_DEVICES. */
unsigned cgroup_probe(void);
/* Removes what clusters left that ended badly: those without a living helper. Then this one marks its cluster's group
 * as alive by being in it. */
void cgroup_enter_helper(const char *cluster);

struct cgroup_tree {
    int dir; /* owned: our group in it */
    bool v2;
    char name[32];    /* as it is mounted on the machine: "memory", "unified" */
    char options[64]; /* v1: what mounts it again */
};
struct cgroups {
    bool v2;             /* limits are v2's */
    bool keeps_settings; /* cgroups_keep_settings() has worked for this node */
    /* Borrowed from trees: the group in the tree that has the controller; -1 = there is none, or it is not ours. */
    int memory, cpu, pids, account, devices; /* devices: v1's */
    size_t count;
    struct cgroup_tree trees[CGROUP_TREES_MAX];
};
/* The cluster's group. */
void cgroups_open(struct cgroups *c, const char *cluster);
void cgroups_release(struct cgroups *c);
/* The node's: the calling process moves into it, and sees it as the root from here on. */
void cgroups_enter_node(struct cgroups *c, const char *cluster, const char *node);

struct cgroup_limits {
    bool container; /* else it has none */
    int64_t memory_bytes, cpu_milli, cpu_request_milli;
};
struct cgroup_device {
    bool block;
    uint32_t major, minor; /* minor: UINT32_MAX = all */
};
/* Makes the container's group with its limits. */
void cgroups_make(const struct cgroups *c, const char *id, const struct cgroup_limits *limits);
void cgroups_limit(const struct cgroups *c, const char *id, const struct cgroup_limits *limits);
/* These devices and the harmless ones, and no others. False where the machine has no way to say so. */
bool cgroups_limit_devices(const struct cgroups *c, const char *id, const struct cgroup_device *devices, size_t count);
/* What a node's processes and its containers' write to settings of the one kernel has no effect. False as above. */
bool cgroups_keep_settings(const struct cgroups *c);
/* A node: the loop devices beside; and, while it starts, what makes them. */
void cgroups_limit_node(const struct cgroups *c, bool starting);
/* Puts the calling process into it. */
void cgroups_enter(const struct cgroups *c, const char *id);
/* As fork() (with namespaces); the child is in the container's group. */
pid_t cgroups_fork(const struct cgroups *c, const char *id, uint64_t flags);
bool cgroups_oom_killed(const struct cgroups *c, const char *id);
/* What its processes use; -1 where that is not known. */
struct container_use cgroups_use(const struct cgroups *c, const char *id);
/* All that is left in it. */
void cgroups_kill(const struct cgroups *c, const char *id);
void cgroups_remove(const struct cgroups *c, const char *id);

/* cgroup.c, for cgroup_limits.c: writes a file of a group below `dir` ("" = dir itself). */
bool cgroup_put(int dir, const char *group, const char *file, const char *text);

#endif

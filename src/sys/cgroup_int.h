/* cgroup_int.h - memory and CPU limits, best effort, on cgroup v1 and v2. Private to sys.
 *
 * A cluster has one parent group (named after its data directory), a container has one child. Paths are relative to the
 * mounts under /sys/fs/cgroup, which a node reaches through descriptors opened before it leaves the machine's root. */
#ifndef STOWAGE_SYS_CGROUP_INT_H
#define STOWAGE_SYS_CGROUP_INT_H

#include "sys/machine.h"

#include <stdbool.h>
#include <stdint.h>

/* "stowage-<hash>"; returns new. */
char *cgroup_cluster_name(const char *data_dir);
/* Removes the parent group and all below; what still has processes stays. */
void cgroup_remove_tree(const char *cluster);
/* Removes what clusters left that ended badly: those without a living helper. */
void cgroup_remove_stale(void);
/* The helper marks its cluster's group as alive by being in it. */
void cgroup_enter_helper(const char *cluster);

struct cgroups {
    bool v2;
    int memory, cpu, pids, account; /* directories of the cluster's group, -1 = not writable; the same one on v2 */
};
void cgroups_open(struct cgroups *c, const char *cluster);
/* Makes the container's group with its limits. */
void cgroups_make(const struct cgroups *c, const char *id, int64_t memory_bytes, int64_t cpu_milli);
/* Puts the calling process into it. */
void cgroups_enter(const struct cgroups *c, const char *id);
bool cgroups_oom_killed(const struct cgroups *c, const char *id);
/* What its processes use; -1 where that is not known. */
struct container_use cgroups_use(const struct cgroups *c, const char *id);
void cgroups_remove(const struct cgroups *c, const char *id);

#endif

/* jail.h - strangers' scripts, run where they can do no harm.
 *
 * Inside there is the machine's /usr (read-only), a home and a /tmp of a bounded size, the programs that were named,
 * and nothing else of the machine: no file, no process, no network but one port of 127.0.0.1. Memory, processes and
 * disk are bounded, and what all scripts together compute; time is by jail_run(). What a script leaves running ends
 * with it; its files stay for the next.
 *
 * With root the user inside is an id that nobody else has; without, everything is in a user namespace. Where control
 * groups are not to be had memory is bounded for each process only. THREADS: one; start it while the process has one
 * thread. */
#ifndef STOWAGE_SYS_JAIL_H
#define STOWAGE_SYS_JAIL_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define JAIL_HOME     "/home/student"
#define JAIL_PROGRAMS "/opt/bin"

struct jail_conf {
    const char *dir;     /* a directory of the caller's, empty: the jail is built over it, unseen from outside */
    const char *cluster; /* data directory of the cluster in whose control group it shall be; NULL: none */
    int port;            /* 127.0.0.1:port inside is that of this machine; 0: none */
    const char *const *programs; /* paths, NULL-terminated: shown in JAIL_PROGRAMS by their last name */
    int64_t memory_bytes, disk_bytes;
    int64_t cpu_ms; /* of a processor's time, for all that ever runs in it; 0: as much as it takes */
    int pids;
};
struct jail;
int jail_open(const struct jail_conf *conf, struct jail **out, struct err *e);
void jail_close(struct jail *j); /* with all that runs in it; NULL is fine */

/* A file below JAIL_HOME (relative), with the directories on the way. */
int jail_put(struct jail *j, const char *path, const void *data, size_t len, struct err *e);

#define JAIL_OUTPUT_MAX (64 * 1024)                    /* kept of each stream; the rest is read and forgotten */
enum jail_cut { JAIL_IN_TIME, JAIL_LATE, JAIL_SPENT }; /* out of time; of processor time */
struct jail_end {
    int code; /* 128 + signal; 124 when it was cut */
    enum jail_cut cut;
    int64_t ms; /* what it took of timeout_ms */
    struct buf out, err;
};
void jail_end_release(struct jail_end *end);
/* bash runs the script in JAIL_HOME, with this environment (NULL-terminated) and nothing on stdin. Time counts less on
 * a machine that many want to use, while the cluster has anything to do (crowd.h); but JAIL_STRETCH times timeout_ms is
 * the end in any case. UNAVAILABLE: the jail is no more. */
#define JAIL_STRETCH 6
int jail_run(struct jail *j, const char *script, const char *const *env, int64_t timeout_ms, struct jail_end *out,
             struct err *e);

/* Bounds of all that runs in a cluster, its API process too, beside each container's own: best effort, as its control
 * group is. pids: of each node, so that a pod that forks without end takes nothing from what is not in a pod. */
struct jail_cluster {
    const char *data_dir;
    int api; /* process id */
    int64_t memory_bytes;
    int pids;
    const char *const *nodes; /* names, NULL-terminated */
};
void jail_bound_cluster(const struct jail_cluster *cluster);

#endif

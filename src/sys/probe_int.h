/* probe_int.h - small trials of what the kernel allows, and what to do where it does not. Private to sys. */
#ifndef STOWAGE_SYS_PROBE_INT_H
#define STOWAGE_SYS_PROBE_INT_H

#include "sys/machine.h"

#include <stdbool.h>
#include <stdint.h>

/* In a private mount namespace; `dir` is a writable scratch directory (a tmpfs). */
bool probe_overlay(const char *dir);
/* With a /dev of our own. */
bool probe_loop(void);
/* Can fuse2fs serve the filesystems of disks? */
bool probe_served(void);
/* Fills in `differs`, by `caps`. */
void probe_differs(struct machine_info *info);
/* MemAvailable, in bytes; -1 if the kernel does not tell. */
int64_t probe_memory_available(void);
/* Words for the first of the capabilities that is missing in `caps`, "" if none. CAP_CGROUP is not needed to run. */
const char *probe_advice(unsigned caps, unsigned needed);

#endif

/* serve_int.h - the helper's filesystem servers: fuse2fs, for the ext4 in a disk's file where there are no loop
 * devices. Private to sys.
 *
 * A server runs beside the nodes, not in one: it outlives the node whose pods wrote through it, and brings to the file
 * what they wrote. THREADS: none; the helper's loop. */
#ifndef STOWAGE_SYS_SERVE_INT_H
#define STOWAGE_SYS_SERVE_INT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server;
struct servers {
    struct server *first;
    int sock; /* to the API process, borrowed */
};

struct serve_spec {
    const char *image; /* the disk's file */
    const char *node, *device, *target, *options;
    pid_t node_pid;
};
/* Answers the request `id` when it is mounted, or could not be. */
void serve_start(struct servers *s, uint32_t id, const struct serve_spec *spec);
/* A child of the helper has ended. */
void serve_child_end(struct servers *s, pid_t pid, int status);
/* The node is gone, and with it all who wrote: its servers write out what they have, and end. */
void serve_node_end(struct servers *s, const char *node);
/* The server of that disk there; 0: none. */
pid_t serve_pid(const struct servers *s, const char *node, const char *device);

/* Is the file in the hands of a server, maybe of a cluster that was killed and is still writing out? */
bool serve_holds(const char *image);

#endif

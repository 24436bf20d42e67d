/* checkpoint.h - the whole cluster at one moment, kept under a name: objects, disks, what the nodes have on theirs.
 *
 * Objects cost a pointer and a file of a few hundred kilobytes; disks what they hold, or nothing where the machine's
 * filesystem shares blocks (reflink). Not in it: images, keys, the clock, processes (pods start again), an ordinary
 * user's labs (lab/book.h has their progress).
 *
 * THREADS: one save, restore or removal at a time, others wait; all block: call them on workers. A restore returns when
 * objects and bytes are back; a thread of its own then switches nodes on, and what comes next waits for it. */
#ifndef STOWAGE_APP_CHECKPOINT_H
#define STOWAGE_APP_CHECKPOINT_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct cluster;
struct checkpoints;

/* A restore that a kill interrupted is brought to its end, or undone if it had not been committed. Before the machine
 * and the store are opened. */
int checkpoint_recover(const char *data_dir, bool ephemeral, struct err *e);

/* Those that are kept in the data directory; what belongs to none of them goes. The cluster runs by now. */
int checkpoints_open(struct cluster *c, struct checkpoints **out, struct err *e);
/* Waits for what is under way; what is asked from then on is refused. Before the cluster is taken apart. NULL is fine.
 */
void checkpoints_end(struct checkpoints *cs);
void checkpoints_close(struct checkpoints *cs); /* NULL is fine */

/* *out: what `ls` tells of it and "ms", how long each phase took; new. ALREADY_EXISTS unless `replace`. */
int checkpoint_save(struct checkpoints *cs, const char *name, bool replace, json_t **out, struct err *e);
/* *out: {"added", "changed", "removed" (objects), "disks", "nodes": [restarted], "ms": {phase: ms}}; new. Objects and
 * bytes are those of the checkpoint by then; its nodes come on behind (kubelet_node_await), and only then loops go on.
 * When it fails the cluster is as it was, but pods of the nodes concerned have been started again. */
int checkpoint_restore(struct checkpoints *cs, const char *name, json_t **out, struct err *e);
int checkpoint_remove(struct checkpoints *cs, const char *name, struct err *e);
/* Oldest first: [{"name", "created", "objects", "disks", "bytes"}]. Returns new. */
json_t *checkpoint_list(struct checkpoints *cs);
/* From it to now: {"objects": [{"kind", "namespace", "name", "how", "fields": […]}], "disks": […]}; new. */
int checkpoint_diff(struct checkpoints *cs, const char *name, json_t **out, struct err *e);

#endif

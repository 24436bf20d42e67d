/* snapshot_int.h - the whole state at one revision: one tree a bucket. Private to store.
 *
 * A snapshot that is held once may be edited; any other is copied first (snapshot_edit), as with the trees in it. */
#ifndef STOWAGE_STORE_SNAPSHOT_INT_H
#define STOWAGE_STORE_SNAPSHOT_INT_H

#include "store/store.h"

struct snapshot *snapshot_new(uint64_t rv); /* empty */
/* Takes; returns one that only the caller holds. */
struct snapshot *snapshot_edit(struct snapshot *take_snap);
/* On an edited snapshot; returns it (it may have moved). `bucket` interned, the object borrowed. */
struct snapshot *snapshot_put(struct snapshot *take_snap, struct sobj *obj);
struct snapshot *snapshot_remove(struct snapshot *take_snap, const struct sobj *obj /* must be in it */);
void snapshot_set_rv(struct snapshot *snap, uint64_t rv);
/* Borrows, or NULL. */
struct sobj *snapshot_find(const struct snapshot *snap, const char *bucket, const char *ns, const char *name);
size_t snapshot_bytes(const struct snapshot *snap);

#endif

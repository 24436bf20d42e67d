/* sobj_int.h - how a frozen object is made. Private to store. */
#ifndef STOWAGE_STORE_SOBJ_INT_H
#define STOWAGE_STORE_SOBJ_INT_H

#include "store/store.h"

/* Takes the tree and serialises it with room for a revision. Not yet an object version: sobj_stamp() makes it one. */
struct sobj *sobj_freeze(const char *ns, const char *name, json_t *take_tree);
/* Once, before anybody else sees the object. `bucket` is interned; `row` is its row in the journal. Cheap: no
 * serialisation. */
void sobj_stamp(struct sobj *o, const char *bucket, uint64_t rv, int64_t row);
/* The same state once more, at another revision: what a deletion shows, or what comes back. Returns new. */
struct sobj *sobj_again(const struct sobj *o, uint64_t rv, int64_t row);
/* Do they say the same, whatever their revisions? */
bool sobj_same_state(const struct sobj *a, const struct sobj *b);
int64_t sobj_row(const struct sobj *o);

#endif

/* tree_int.h - the persistent ordered tree of one bucket. Private to store.
 *
 * Keys are (namespace, name) of the objects held. A tree is its root; NULL is the empty tree. Roots are reference
 * counted and anything reachable from a root that somebody else also holds never changes. */
#ifndef STOWAGE_STORE_TREE_INT_H
#define STOWAGE_STORE_TREE_INT_H

#include "store/store.h"

#include <stddef.h>

struct tnode;

struct tnode *tree_ref(struct tnode *t);
void tree_unref(struct tnode *t);
size_t tree_size(const struct tnode *t);
/* Borrows out of the tree, or NULL. */
struct sobj *tree_find(const struct tnode *t, const char *ns, const char *name);
/* Takes the root, returns the new one; `obj` is borrowed and referenced. */
struct tnode *tree_put(struct tnode *take_t, struct sobj *obj);
/* The key must be there. */
struct tnode *tree_remove(struct tnode *take_t, const char *ns, const char *name);
/* See snapshot_scan(). */
int tree_scan(const struct tnode *t, const char *ns, const char *after_ns, const char *after_name,
              int (*visit)(struct sobj *obj, void *arg), void *arg);
/* Aborts unless order, sizes and balance hold. For tests. */
void tree_check(const struct tnode *t);
unsigned tree_height(const struct tnode *t);

#endif

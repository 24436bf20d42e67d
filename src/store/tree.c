/* tree.c - the persistent ordered tree of one bucket.
 *
 * DESIGN. A weight-balanced binary tree (Adams 1992; the parameters <3,2> are those proved right by Hirai and Yamamoto
 * 2011). Its only balance information is the subtree size, which counts also want. An update takes the old root and
 * returns the new one. node_own() decides, node by node, whether to copy: a node that only we hold may change in place,
 * any other is copied and its children gain a holder. So the first update after a publication copies the path from the
 * root (13 nodes for 7,000 objects), and further updates of the same batch mostly edit nodes they own already.
 *
 * INVARIANTS
 *  1. left < node < right by (namespace, name).
 *  2. size = 1 + sizes of both sides.
 *  3. weight(heavier side) <= DELTA * weight(lighter side), weight = size + 1.
 *  4. A node with more than one holder, or below such a node, never changes.
 *
 * THREADS. Reference counts are atomic; reading needs a reference to the root and no lock. Updates of one root are the
 * business of one thread (the store's commit section). */
#include "store/tree_int.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { DELTA = 3, GAMMA = 2 };

struct tnode {
    atomic_uint refs;
    unsigned size;
    struct tnode *left, *right; /* owned */
    struct sobj *obj;           /* owned */
};

static int key_cmp(const char *ns_a, const char *name_a, const char *ns_b, const char *name_b)
{
    int c = strcmp(ns_a, ns_b);
    return c ? c : strcmp(name_a, name_b);
}

struct tnode *tree_ref(struct tnode *t)
{
    if (t)
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tree_unref(struct tnode *t)
{
    /* The left side recurses (its depth is bounded by the balance), the right side loops. */
    while (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1) {
        struct tnode *right = t->right;
        tree_unref(t->left);
        sobj_unref(t->obj);
        free(t);
        t = right;
    }
}

size_t tree_size(const struct tnode *t)
{
    return t ? t->size : 0;
}

struct sobj *tree_find(const struct tnode *t, const char *ns, const char *name)
{
    while (t) {
        int c = key_cmp(ns, name, t->obj->ns, t->obj->name);
        if (c == 0)
            return t->obj;
        t = c < 0 ? t->left : t->right;
    }
    return NULL;
}

/* Takes three references. */
static struct tnode *node_new(struct tnode *left, struct sobj *obj, struct tnode *right)
{
    struct tnode *t = xmalloc(sizeof *t);
    atomic_init(&t->refs, 1);
    t->size = (unsigned)(1 + tree_size(left) + tree_size(right));
    t->left = left;
    t->right = right;
    t->obj = obj;
    return t;
}

/* Turns a reference into sole ownership, copying if anybody else holds the node. */
static struct tnode *node_own(struct tnode *t)
{
    if (atomic_load_explicit(&t->refs, memory_order_acquire) == 1)
        return t;
    struct tnode *copy = node_new(tree_ref(t->left), sobj_ref(t->obj), tree_ref(t->right));
    tree_unref(t);
    return copy;
}

static void node_measure(struct tnode *t)
{
    t->size = (unsigned)(1 + tree_size(t->left) + tree_size(t->right));
}

static size_t weight(const struct tnode *t)
{
    return tree_size(t) + 1;
}

/* Rotations take and return a node we own. */
static struct tnode *rotate_left(struct tnode *t)
{
    struct tnode *up = node_own(t->right);
    t->right = up->left;
    up->left = t;
    node_measure(t);
    node_measure(up);
    return up;
}

static struct tnode *rotate_right(struct tnode *t)
{
    struct tnode *up = node_own(t->left);
    t->left = up->right;
    up->right = t;
    node_measure(t);
    node_measure(up);
    return up;
}

/* After one side of an owned node gained or lost one element. */
static struct tnode *rebalance(struct tnode *t)
{
    if (weight(t->right) > DELTA * weight(t->left)) {
        if (weight(t->right->left) >= GAMMA * weight(t->right->right))
            t->right = rotate_right(node_own(t->right));
        return rotate_left(t);
    }
    if (weight(t->left) > DELTA * weight(t->right)) {
        if (weight(t->left->right) >= GAMMA * weight(t->left->left))
            t->left = rotate_left(node_own(t->left));
        return rotate_right(t);
    }
    node_measure(t);
    return t;
}

struct tnode *tree_put(struct tnode *take_t, struct sobj *obj)
{
    if (!take_t)
        return node_new(NULL, sobj_ref(obj), NULL);
    struct tnode *t = node_own(take_t);
    int c = key_cmp(obj->ns, obj->name, t->obj->ns, t->obj->name);
    if (c == 0) {
        sobj_unref(t->obj);
        t->obj = sobj_ref(obj);
        return t;
    }
    if (c < 0)
        t->left = tree_put(t->left, obj);
    else
        t->right = tree_put(t->right, obj);
    return rebalance(t);
}

/* Frees the top of an owned node whose children have been taken. */
static void node_drop(struct tnode *t)
{
    sobj_unref(t->obj);
    free(t);
}

/* Takes the smallest element out; its object comes with a reference. */
static struct tnode *remove_min(struct tnode *take_t, struct sobj **out_obj)
{
    struct tnode *t = node_own(take_t);
    if (t->left) {
        t->left = remove_min(t->left, out_obj);
        return rebalance(t);
    }
    struct tnode *right = t->right;
    *out_obj = sobj_ref(t->obj);
    node_drop(t);
    return right;
}

static struct tnode *remove_top(struct tnode *t)
{
    if (t->left && t->right) {
        struct sobj *next = NULL;
        t->right = remove_min(t->right, &next);
        sobj_unref(t->obj);
        t->obj = next;
        return rebalance(t);
    }
    struct tnode *only = t->left ? t->left : t->right;
    node_drop(t);
    return only;
}

struct tnode *tree_remove(struct tnode *take_t, const char *ns, const char *name)
{
    if (!take_t)
        BUG("tree_remove: %s/%s is not there", ns, name);
    struct tnode *t = node_own(take_t);
    int c = key_cmp(ns, name, t->obj->ns, t->obj->name);
    if (c == 0)
        return remove_top(t);
    if (c < 0)
        t->left = tree_remove(t->left, ns, name);
    else
        t->right = tree_remove(t->right, ns, name);
    return rebalance(t);
}

struct scan {
    const char *ns, *after_ns, *after_name;
    int (*visit)(struct sobj *obj, void *arg);
    void *arg;
};

/* Where the node stands: < 0 before the wanted range, > 0 behind it, 0 inside. */
static int scan_side(const struct scan *s, const struct tnode *t)
{
    if (s->ns) {
        int c = strcmp(t->obj->ns, s->ns);
        if (c)
            return c;
    }
    if (s->after_ns && key_cmp(t->obj->ns, t->obj->name, s->after_ns, s->after_name) <= 0)
        return -1;
    return 0;
}

static int scan_node(const struct scan *s, const struct tnode *t)
{
    while (t) {
        int side = scan_side(s, t);
        if (side >= 0) {
            int rc = scan_node(s, t->left);
            if (rc || side > 0)
                return rc;
            rc = s->visit(t->obj, s->arg);
            if (rc)
                return rc;
        }
        t = t->right;
    }
    return 0;
}

int tree_scan(const struct tnode *t, const char *ns, const char *after_ns, const char *after_name,
              int (*visit)(struct sobj *obj, void *arg), void *arg)
{
    struct scan s = {
        .ns = ns, .after_ns = after_ns, .after_name = after_name ? after_name : "", .visit = visit, .arg = arg};
    return scan_node(&s, t);
}

unsigned tree_height(const struct tnode *t)
{
    if (!t)
        return 0;
    unsigned l = tree_height(t->left), r = tree_height(t->right);
    return 1 + (l > r ? l : r);
}

void tree_check(const struct tnode *t)
{
    if (!t)
        return;
    const struct tnode *l = t->left, *r = t->right;
    if (t->size != 1 + tree_size(l) + tree_size(r))
        BUG("tree: wrong size at %s/%s", t->obj->ns, t->obj->name);
    if (weight(l) > DELTA * weight(r) || weight(r) > DELTA * weight(l))
        BUG("tree: out of balance at %s/%s", t->obj->ns, t->obj->name);
    if ((l && key_cmp(l->obj->ns, l->obj->name, t->obj->ns, t->obj->name) >= 0) ||
        (r && key_cmp(r->obj->ns, r->obj->name, t->obj->ns, t->obj->name) <= 0))
        BUG("tree: out of order at %s/%s", t->obj->ns, t->obj->name);
    tree_check(l);
    tree_check(r);
}

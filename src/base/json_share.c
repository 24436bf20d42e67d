/* json_share.c - see json_share.h.
 *
 * A write changes little of an object, and history keeps its versions for minutes: without this each would be a whole
 * tree. DESIGN: one walk that compares and replaces. INVARIANT: a container is only edited while its one reference is
 * the tree's: what others hold may be read by them now. THREADS: editing is for the tree's owner; jansson's references
 * are counted atomically, so parts may be shared with trees that other threads read. */
#include "base/json_share.h"

#include "base/json.h"

#include <string.h>

/* Makes a slot's value the old one if they are equal. *out_take: the slot shall be set to `old`. */
static bool share_slot(json_t *value, const json_t *old, bool *out_take)
{
    *out_take = false;
    if (value == old || !old)
        return old != NULL;
    bool own = value->refcount == 1 && (json_is_object(value) || json_is_array(value));
    *out_take = own ? json_share(value, old) : json_same(value, old);
    return *out_take;
}

static bool is_same_key(void *a, void *b)
{
    size_t n = json_object_iter_key_len(a);
    return n == json_object_iter_key_len(b) && memcmp(json_object_iter_key(a), json_object_iter_key(b), n) == 0;
}

static bool share_members(json_t *obj, const json_t *old)
{
    bool same = json_object_size(obj) == json_object_size(old), in_step = true, take;
    void *beside = json_object_iter((json_t *)old);
    for (void *it = json_object_iter(obj); it; it = json_object_iter_next(obj, it)) {
        in_step = in_step && beside && is_same_key(it, beside);
        json_t *was = in_step ? json_object_iter_value(beside)
                              : json_object_getn(old, json_object_iter_key(it), json_object_iter_key_len(it));
        same = share_slot(json_object_iter_value(it), was, &take) && same;
        if (take)
            json_object_iter_set(obj, it, was);
        if (in_step)
            beside = json_object_iter_next((json_t *)old, beside);
    }
    return same && in_step; /* the order is part of what is written */
}

static bool share_items(json_t *list, const json_t *old)
{
    bool same = json_array_size(list) == json_array_size(old), take;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *was = json_array_get(old, i);
        same = share_slot(json_array_get(list, i), was, &take) && same;
        if (take)
            json_array_set(list, i, was);
    }
    return same;
}

bool json_share(json_t *tree, const json_t *old)
{
    if (json_is_object(tree) && json_is_object(old))
        return share_members(tree, old);
    if (json_is_array(tree) && json_is_array(old))
        return share_items(tree, old);
    return json_same(tree, old);
}

/* pv_group.c - bindings that are decided one after the other, and written side by side.
 *
 * To choose a volume takes microseconds and an index that belongs to one thread; to write a binding takes four writes
 * of objects that concern nobody else. DESIGN: of the claims that the loop looks at in a row, those that may have a
 * volume are only put into a group with it; at the end of the row the group is written, by this thread and whichever
 * workers have time (loop_each), whose writes then share transactions of the journal.
 *
 * A group that could not be written whole sends its claims back, and for a while each is bound at once, so that an
 * error is again its own claim's, with that claim's back-off.
 *
 * INVARIANTS: 1. a volume in the group is not in the index, so nobody else is given it; 2. nothing that reads what the
 * group writes is decided before it is written. THREADS: the loop thread; write_pair() any. */
#include "binder/binder_int.h"

#include "base/str.h"

#define ALONE_MS 15000

static struct group *group_of(struct loop *l)
{
    struct binding *b = loop_state(l);
    return &b->group;
}

static int write_pair(void *arg, size_t i, struct err *e)
{
    struct loop *l = arg;
    const struct pair *p = &group_of(l)->items[i];
    return bind_volume(l, p->pv, p->claim, e);
}

bool group_write(struct loop *l)
{
    struct group *g = group_of(l);
    struct err e = ERR_INIT;
    if (g->len == 0)
        return false;
    const bool failed = loop_each(l, g->len, write_pair, l, &e) < 0;
    if (failed)
        g->alone_until_ms = clock_mono_ms(loop_clock(l)) + ALONE_MS;
    for (size_t i = 0; i < g->len; i++) {
        const struct pair *p = &g->items[i];
        binding_refresh(l, obj_name(p->pv));
        if (failed)
            loop_enqueue(l, obj_ns(p->claim), obj_name(p->claim));
        json_decref(p->pv);
        json_decref(p->claim);
    }
    g->len = 0;
    return true;
}

int group_bind(struct loop *l, const json_t *pv, const json_t *claim, struct err *e)
{
    struct group *g = group_of(l);
    struct binding *b = loop_state(l);
    if (clock_mono_ms(loop_clock(l)) < g->alone_until_ms) {
        int rc = bind_volume(l, pv, claim, e);
        binding_refresh(l, obj_name(pv));
        return rc;
    }
    if (g->len == GROUP_MAX)
        group_write(l);
    pv_index_drop(b->volumes, obj_name(pv));
    g->items[g->len++] = (struct pair){json_incref((json_t *)pv), json_incref((json_t *)claim)};
    return 0;
}

bool group_has_claim(const struct group *g, const char *ns, const char *name)
{
    for (size_t i = 0; i < g->len; i++)
        if (str_eq(obj_name(g->items[i].claim), name) && str_eq(obj_ns(g->items[i].claim), ns))
            return true;
    return false;
}

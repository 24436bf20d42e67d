/* pv_group.c - what is decided one after the other, and written together.
 *
 * To choose a volume takes microseconds and an index that belongs to one thread; to write a binding takes four writes
 * of objects that concern nobody else. DESIGN: of the claims and volumes that the loop looks at in a row, those that
 * may have each other, and those volumes that are free, are only put into a group; at the end of the row the group is
 * written: volumes become free by one thread, in order, so that the claims which they call come in that order, too;
 * pairs by this thread and whichever workers have time (loop_each), a part each, whose writes share transactions of
 * the journal.
 *
 * A group that could not be written whole sends its claims and volumes back, and for a while each is written at once,
 * so that an error is again its own, with that one's back-off.
 *
 * INVARIANTS: 1. a volume of a pair in the group is not in the index, so nobody else is given it; 2. nothing that reads
 * what the group writes is decided before it is written. THREADS: the loop thread; write_part() any. */
#include "binder/binder_int.h"

#include "base/str.h"

#define ALONE_MS 15000
#define PARTS    4
#define PART_MIN 8 /* fewer pairs are not worth a transaction of their own */

static struct group *group_of(struct loop *l)
{
    struct binding *b = loop_state(l);
    return &b->group;
}

static size_t part_len(const struct group *g)
{
    const size_t len = (g->pair_count + PARTS - 1) / PARTS;
    return len < PART_MIN ? PART_MIN : len;
}

static int write_part(void *arg, size_t i, struct err *e)
{
    struct loop *l = arg;
    const struct group *g = group_of(l);
    const size_t len = part_len(g), from = i * len, left = g->pair_count - from;
    return bind_volumes(l, g->pairs + from, left < len ? left : len, e);
}

/* It was written, or not: what is so is in the store. */
static void volume_out(struct loop *l, json_t *take_pv, bool again)
{
    binding_refresh(l, obj_name(take_pv));
    if (again)
        loop_enqueue(l, "", obj_name(take_pv));
    json_decref(take_pv);
}

static void write_alone(struct loop *l, struct group *g)
{
    g->alone_until_ms = clock_mono_ms(loop_clock(l)) + ALONE_MS;
}

static void write_pairs(struct loop *l, struct group *g)
{
    struct err e = ERR_INIT;
    const size_t len = part_len(g), parts = (g->pair_count + len - 1) / len;
    const bool failed = parts && loop_each(l, parts, write_part, l, &e) < 0;
    for (size_t i = 0; i < g->pair_count; i++) {
        const struct pair *p = &g->pairs[i];
        if (failed)
            loop_enqueue(l, obj_ns(p->claim), obj_name(p->claim));
        volume_out(l, p->pv, false);
        json_decref(p->claim);
    }
    g->pair_count = 0;
    if (failed)
        write_alone(l, g);
}

void group_write_free(struct loop *l)
{
    struct group *g = group_of(l);
    struct err e = ERR_INIT;
    const bool failed = g->free_count && make_available(l, g->free, g->free_count, &e) < 0;
    for (size_t i = 0; i < g->free_count; i++)
        volume_out(l, g->free[i], failed);
    g->free_count = 0;
    if (failed)
        write_alone(l, g);
}

bool group_write(struct loop *l)
{
    struct group *g = group_of(l);
    if (g->pair_count == 0 && g->free_count == 0)
        return false;
    write_pairs(l, g);
    group_write_free(l);
    return true;
}

static bool each_alone(struct loop *l)
{
    return clock_mono_ms(loop_clock(l)) < group_of(l)->alone_until_ms;
}

int group_bind(struct loop *l, const json_t *pv, const json_t *claim, struct err *e)
{
    struct group *g = group_of(l);
    struct binding *b = loop_state(l);
    if (each_alone(l)) {
        int rc = bind_volume(l, pv, claim, e);
        binding_refresh(l, obj_name(pv));
        return rc;
    }
    if (g->pair_count == GROUP_MAX)
        group_write(l);
    pv_index_drop(b->volumes, obj_name(pv));
    g->pairs[g->pair_count++] = (struct pair){json_incref((json_t *)pv), json_incref((json_t *)claim)};
    return 0;
}

int group_free(struct loop *l, const json_t *pv, struct err *e)
{
    struct group *g = group_of(l);
    if (each_alone(l)) {
        int rc = make_available(l, (json_t *const[]){(json_t *)pv}, 1, e);
        binding_refresh(l, obj_name(pv));
        return rc;
    }
    if (g->free_count == GROUP_MAX)
        group_write(l);
    g->free[g->free_count++] = json_incref((json_t *)pv);
    return 0;
}

bool group_has_volume(const struct group *g, const char *name)
{
    for (size_t i = 0; i < g->pair_count; i++)
        if (str_eq(obj_name(g->pairs[i].pv), name))
            return true;
    for (size_t i = 0; i < g->free_count; i++)
        if (str_eq(obj_name(g->free[i]), name))
            return true;
    return false;
}

bool group_has_claim(const struct group *g, const char *ns, const char *name)
{
    for (size_t i = 0; i < g->pair_count; i++)
        if (str_eq(obj_name(g->pairs[i].claim), name) && str_eq(obj_ns(g->pairs[i].claim), ns))
            return true;
    return false;
}

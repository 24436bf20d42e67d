/* filter_resources.c - is there room for the pod? Source: plugins/noderesources/fit.go. */
#include "scheduler/scheduler_int.h"

void filter_resources(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    const struct room *ask = &a->me->ask;
    if ((int64_t)n->pods.len + 1 > n->max_pods)
        refuse(v, false, "Too many pods");
    if (ask->cpu > 0 && ask->cpu > n->room.cpu - n->used.cpu)
        refuse(v, false, "Insufficient cpu");
    if (ask->memory > 0 && ask->memory > n->room.memory - n->used.memory)
        refuse(v, false, "Insufficient memory");
    if (ask->storage > 0 && ask->storage > n->room.storage - n->used.storage)
        refuse(v, false, "Insufficient ephemeral-storage");
    for (size_t i = 0; i < ask->more_len; i++) {
        const struct extended *x = &ask->more[i];
        if (x->amount > 0 && x->amount > room_extended(&n->room, x->name) - room_extended(&n->used, x->name))
            refuse(v, false, "Insufficient %s", x->name);
    }
}

/* sm.c - see sm.h. */
#include "base/sm.h"

#include "base/mem.h"
#include "base/str.h"

static const struct sm_state *state_of(const struct sm_def *def, int state)
{
    if (state < 0 || (unsigned)state >= def->count)
        BUG("%s: no state %d", def->name, state);
    return &def->states[state];
}

bool sm_may(const struct sm_def *def, int from, int to)
{
    state_of(def, to);
    return from == to || (state_of(def, from)->next & SM(to)) != 0;
}

void sm_move(const struct sm_def *def, int *state, int to)
{
    if (!sm_may(def, *state, to))
        BUG("%s: no way from %s to %s", def->name, sm_name(def, *state), sm_name(def, to));
    *state = to;
}

const char *sm_name(const struct sm_def *def, int state)
{
    return state_of(def, state)->name;
}

int sm_find(const struct sm_def *def, const char *name)
{
    for (unsigned i = 0; i < def->count; i++)
        if (str_eq(def->states[i].name, name))
            return (int)i;
    return -1;
}

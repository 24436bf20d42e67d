/* sm.h - the state-machine checker.
 *
 * Every life cycle (claim, volume, pod, disk, container) is a transition table; sm_move() is the only way to change
 * such a state. An edge that is not in the table is a bug and aborts in test builds.
 *
 *     static const struct sm_state claim_states[] = {
 *         [CLAIM_PENDING] = {"Pending", SM(CLAIM_BOUND) | SM(CLAIM_LOST)},
 *         …
 *     };
 *     static const struct sm_def claim_sm = {"claim", claim_states, ARRAY_LEN(claim_states)}; */
#ifndef STOWAGE_BASE_SM_H
#define STOWAGE_BASE_SM_H

#include <stdbool.h>
#include <stdint.h>

#define SM(state) (UINT32_C(1) << (state))

struct sm_state {
    const char *name;
    uint32_t next; /* SM() of each state that may follow; staying put is always allowed */
};
struct sm_def {
    const char *name;
    const struct sm_state *states;
    unsigned count; /* at most 32 */
};

bool sm_may(const struct sm_def *def, int from, int to);
/* Sets *state; BUG if the table has no such edge. */
void sm_move(const struct sm_def *def, int *state, int to);
const char *sm_name(const struct sm_def *def, int state);
/* The state of that name, or -1. */
int sm_find(const struct sm_def *def, const char *name);

#endif

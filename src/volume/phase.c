/* phase.c - the life cycles of volumes and claims.
 *
 *     PersistentVolume                                     PersistentVolumeClaim
 *
 *     Pending ---> Available <---------------+             Pending ---> Bound ---> Lost
 *        |             |   ^                 |                ^           |          |
 *        |             v   | (claimRef       |                +-----------+----------+
 *        +---------> Bound-+  removed)       |                  (the volume came back, or the claim was made anew)
 *        |             |                     |
 *        |             v                     |
 *        +--------> Released ----------------+  recycled, or an admin removed claimRef
 *                      |                     |
 *                      v                     |
 *                   Failed ------------------+  reclaim went wrong; every edge out is an admin's repair
 *
 * INVARIANTS: 1. nothing ever returns to Pending but a claim; 2. a Released volume is never bound to a new claim by the
 * controller: first it must become Available; 3. phases are written by the pv-binder loop only, through sm_move(). */
#include "volume/volume.h"

#include "base/json.h"

static const struct sm_state pv_states[PV_PHASE_MAX] = {
    [PV_PENDING] = {"Pending", SM(PV_AVAILABLE) | SM(PV_BOUND) | SM(PV_RELEASED) | SM(PV_FAILED)},
    [PV_AVAILABLE] = {"Available", SM(PV_BOUND) | SM(PV_RELEASED) | SM(PV_FAILED)},
    [PV_BOUND] = {"Bound", SM(PV_RELEASED) | SM(PV_AVAILABLE) | SM(PV_FAILED)},
    [PV_RELEASED] = {"Released", SM(PV_AVAILABLE) | SM(PV_FAILED) | SM(PV_BOUND)},
    [PV_FAILED] = {"Failed", SM(PV_AVAILABLE) | SM(PV_BOUND) | SM(PV_RELEASED)},
};
const struct sm_def pv_sm = {"persistentvolume", pv_states, PV_PHASE_MAX};

static const struct sm_state claim_states[CLAIM_PHASE_MAX] = {
    [CLAIM_PENDING] = {"Pending", SM(CLAIM_BOUND) | SM(CLAIM_LOST)},
    [CLAIM_BOUND] = {"Bound", SM(CLAIM_LOST) | SM(CLAIM_PENDING)},
    [CLAIM_LOST] = {"Lost", SM(CLAIM_BOUND) | SM(CLAIM_PENDING)},
};
const struct sm_def claim_sm = {"persistentvolumeclaim", claim_states, CLAIM_PHASE_MAX};

enum pv_phase pv_phase(const json_t *pv)
{
    int found = sm_find(&pv_sm, jstr_or(pv, "status.phase", "Pending"));
    return found < 0 ? PV_PENDING : (enum pv_phase)found;
}

enum claim_phase claim_phase(const json_t *claim)
{
    int found = sm_find(&claim_sm, jstr_or(claim, "status.phase", "Pending"));
    return found < 0 ? CLAIM_PENDING : (enum claim_phase)found;
}

const char *pv_phase_name(enum pv_phase p)
{
    return sm_name(&pv_sm, (int)p);
}

const char *claim_phase_name(enum claim_phase p)
{
    return sm_name(&claim_sm, (int)p);
}

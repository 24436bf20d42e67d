/* why_claim.h - what of a claim's story is not in its rules: a driver that refuses, a volume that is to grow. */
#ifndef STOWAGE_APP_WHY_CLAIM_H
#define STOWAGE_APP_WHY_CLAIM_H

#include "base/json.h"

/* Completes what volume/explain.h says of the claim ("verdict", "because", "waitsFor", "actor", "changes") by its
 * status and by what was told of it: events, as why.c lists them, the oldest first. pv: its volume, or NULL. Borrows
 * claim, pv and events. */
void why_claim(json_t *explanation, const json_t *claim, const json_t *pv, const json_t *events);

#endif

/* json_share.h - versions of one tree that have in common what they have in common. */
#ifndef STOWAGE_BASE_JSON_SHARE_H
#define STOWAGE_BASE_JSON_SHARE_H

#include <jansson.h>
#include <stdbool.h>

/* Puts the parts of `old` into `tree` that are equal there: the same content, held once. Returns whether the whole is
 * equal. `tree` is the caller's alone; what somebody else holds too is only compared, and `old` never changed (but it
 * may not be edited any more). Objects whose members stand in another order than in `old` keep their own. */
bool json_share(json_t *tree, const json_t *old);

#endif

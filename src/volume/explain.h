/* explain.h - why a claim or a volume is as it is: the decision's own reasons as data.
 *
 * The rules are those of rules.h, by which the binder and the scheduler choose, so an explanation cannot say other than
 * what is done (a test says so). Pure: borrows the trees, returns new JSON.
 *
 *     {"kind", "namespace", "name", "phase",
 *      "verdict":  one word, see the tables in explain_claim.c and explain_volume.c
 *      "volume":   the volume it has, or would get; or null
 *      "asks":     {"size", "accessModes", "volumeMode", "class", "selector", "volumeName"}       (claims)
 *      "because":  one sentence
 *      "waitsFor": what must happen; "" if nothing
 *      "actor":    who must do it: "nobody", "binder", "user", "admin", "scheduler", "provisioner", "controller"
 *      "candidates": [{"name", "fits", "reserved", "chosen",
 *                      "rules": [{"rule", "ok", "wants", "has"}]}]      nearest first; a rule not asked is left out
 *      "changes":  [{"text", "command"}]                                the smallest that would make it work
 *      "finalizers": [{"name", "text"}]}                                who holds it, if it is being deleted */
#ifndef STOWAGE_VOLUME_EXPLAIN_H
#define STOWAGE_VOLUME_EXPLAIN_H

#include "volume/rules.h"

struct trees {
    const json_t *const *items;
    size_t len;
};
/* The cluster as far as it matters, in name order. */
struct explain_world {
    struct trees pvs, claims, classes;
    struct trees pods; /* those of the claim's namespace at least */
    /* Does a driver for this provisioner run here? NULL: nobody knows. */
    bool (*provisions)(const char *provisioner);
};
json_t *explain_claim(const json_t *claim, const struct explain_world *w);
json_t *explain_volume(const json_t *pv, const struct explain_world *w);

#endif

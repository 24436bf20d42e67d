/* applying.h - private pieces of apply. */
#ifndef STOWAGE_KUBECTL_VERBS_APPLYING_H
#define STOWAGE_KUBECTL_VERBS_APPLYING_H

#include "kubectl/verbs/modify.h"

/* Deletes what was applied before, in these namespaces, and is not among `seen` (uid -> true). */
void apply_prune(struct call *c, struct change *ch, const json_t *seen, const json_t *namespaces);

extern const struct kubectl_verb kubectl_apply_view, kubectl_apply_set;

#endif

/* verbs_int.h - the verbs, each defined in verb_<name>.c. */
#ifndef STOWAGE_KUBECTL_VERBS_INT_H
#define STOWAGE_KUBECTL_VERBS_INT_H

#include "kubectl/kubectl.h"

extern const struct kubectl_verb kubectl_get;
extern const struct kubectl_verb kubectl_describe;

#endif

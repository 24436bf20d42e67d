/* verbs_int.h - the verbs, each defined in verb_<name>.c. */
#ifndef STOWAGE_KUBECTL_VERBS_INT_H
#define STOWAGE_KUBECTL_VERBS_INT_H

#include "kubectl/kubectl.h"

extern const struct kubectl_verb kubectl_apply;
extern const struct kubectl_verb kubectl_create;
extern const struct kubectl_verb kubectl_delete;
extern const struct kubectl_verb kubectl_describe;
extern const struct kubectl_verb kubectl_edit;
extern const struct kubectl_verb kubectl_get;
extern const struct kubectl_verb kubectl_patch;
extern const struct kubectl_verb kubectl_replace;

#endif

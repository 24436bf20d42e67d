/* debug_profile.h - what --profile of kubectl debug does to a pod. */
#ifndef STOWAGE_KUBECTL_VERBS_DEBUG_PROFILE_H
#define STOWAGE_KUBECTL_VERBS_DEBUG_PROFILE_H

#include "kubectl/call.h"

enum debug_style { DEBUG_NODE, DEBUG_COPY, DEBUG_EPHEMERAL };

/* "legacy", "general", "baseline", "restricted", "netadmin", "sysadmin" */
bool debug_profile_known(const char *name);
/* Changes pod and container (which is the pod's). What is kept of a copy say the flags keep-…. */
void debug_profile_apply(struct call *c, const char *name, enum debug_style style, json_t *pod, json_t *container);

#endif

/* deleting.h - objects deleted one by one, and waited for: delete, and replace --force. */
#ifndef STOWAGE_KUBECTL_VERBS_DELETING_H
#define STOWAGE_KUBECTL_VERBS_DELETING_H

#include "kubectl/verbs/modify.h"

struct deleting {
    enum dry_run dry;
    const char *cascade; /* "Background", "Orphan", "Foreground" */
    int64_t grace_s;     /* -1: the object's own */
    bool force, wait, quiet, missing_ok, only_names;
    int64_t timeout_ms; /* of waiting; 0: a week */
    const char *output; /* "name" or "" */
};
/* Deletes all that is meant and waits for it; what goes wrong is told. Returns how many there were. */
size_t delete_targets(struct call *c, const struct targets *all, const struct deleting *how);

#endif

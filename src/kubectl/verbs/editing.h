/* editing.h - an editor on objects: edit, create --edit. */
#ifndef STOWAGE_KUBECTL_VERBS_EDITING_H
#define STOWAGE_KUBECTL_VERBS_EDITING_H

#include "kubectl/verbs/modify.h"

/* create -f --edit. Returns the exit code. */
int edit_new(struct call *c);

#endif

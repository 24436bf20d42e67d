/* related.h - asks the cluster for what a description shows beside the object itself. */
#ifndef STOWAGE_KUBECTL_DESCRIBE_RELATED_H
#define STOWAGE_KUBECTL_DESCRIBE_RELATED_H

#include "kubectl/call.h"

/* The tree describe_object() takes; what may not be seen is left out. -1: something that is needed could not be had;
 * `e` and the call's failure say why. Returns new. */
int related_ask(struct call *c, const struct kind *kind, const json_t *object, bool events, json_t **out,
                struct err *e);

#endif

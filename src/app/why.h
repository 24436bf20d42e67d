/* why.h - why is this object as it is? Puts together what the floors below know: the binder's rules, the scheduler's
 * filters, attachments and events. What `stowage why` prints. */
#ifndef STOWAGE_APP_WHY_H
#define STOWAGE_APP_WHY_H

#include "registry/registry.h"

/* `kind`: any name kubectl knows a claim, a volume or a pod by. Returns new in *out: what explain.h describes (for a
 * pod see why.c), and "events": the last ones about it, newest last. */
int why_explain(struct registry *r, const char *kind, const char *ns, const char *name, json_t **out, struct err *e);

#endif

/* until.h - follow one object until it is as wished. For verbs that wait. */
#ifndef STOWAGE_KUBECTL_VERBS_UNTIL_H
#define STOWAGE_KUBECTL_VERBS_UNTIL_H

#include "kubectl/targets.h"

/* Told of the object as it is, then of each change; NULL: it is not there, `gone`: it was and is no more. 1 ends the
 * following, 0 goes on, -1 fails with `e`. */
typedef int until_fn(void *arg, const json_t *object, bool gone, struct err *e);
/* deadline: of clock_mono_ms(), INT64_MAX: none. What `seen` returned last, or 0 when the time is over; -1 with `e`. */
int until_seen(struct call *c, const struct kind *kind, const char *ns, const char *name, int64_t deadline,
               until_fn *seen, void *arg, struct err *e);

#endif

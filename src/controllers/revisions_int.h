/* revisions_int.h - the kept states of a template: ControllerRevisions of a StatefulSet or DaemonSet. */
#ifndef STOWAGE_CONTROLLERS_REVISIONS_INT_H
#define STOWAGE_CONTROLLERS_REVISIONS_INT_H

#include "controllers/controllers_int.h"

#define LABEL_REVISION "controller-revision-hash"

struct revisions {
    struct objlist list; /* of one owner, by number, the newest last */
    int64_t collisions;  /* status.collisionCount, raised when a name was taken */
};
/* Reads and claims the owner's revisions. */
int revisions_load(struct loop *l, const json_t *owner, struct revisions *out, struct err *e);
void revisions_release(struct revisions *r);
/* The revision of spec.template: found (and made the newest again), or made. `hash_label` is the label that holds its
 * hash. Borrows from r; NULL on failure. */
const json_t *revision_sync(struct loop *l, const json_t *owner, const char *hash_label, struct revisions *r,
                            struct err *e);
const json_t *revision_named(const struct revisions *r, const char *name);
/* The template it keeps. Returns new. */
json_t *revision_template(const json_t *revision);
/* Deletes the oldest beyond spec.revisionHistoryLimit, sparing those that `used` knows. */
int revisions_truncate(struct loop *l, const json_t *owner, const struct revisions *r,
                       bool (*used)(const json_t *revision, void *arg), void *arg, struct err *e);

#endif

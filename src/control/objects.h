/* objects.h - what control loops keep asking of stored objects: lists of a bucket, owners, conditions, pods.
 *
 * Trees are borrowed and frozen unless a function says "edits": those take a private copy. */
#ifndef STOWAGE_CONTROL_OBJECTS_H
#define STOWAGE_CONTROL_OBJECTS_H

#include "registry/registry.h"

/* -- lists: a bucket (of one namespace) at one moment, in name order -- */
struct objlist {
    struct sobj **items;  /* owned references */
    const json_t **trees; /* items[i]->tree, for functions that take arrays of trees */
    size_t len, cap;
};
#define _auto_objlist_ __attribute__((cleanup(objlist_release)))
void objlist_release(struct objlist *l);
/* Appends the objects of `bucket` (of `ns` only, unless NULL). */
void objlist_load(struct objlist *l, struct registry *r, const char *bucket, const char *ns);
void objlist_add(struct objlist *l, struct sobj *o); /* takes a reference of its own */
/* The object of that name (and namespace), or NULL. Borrows. */
struct sobj *objlist_find(const struct objlist *l, const char *ns, const char *name);

/* -- names and references -- */
const char *obj_name(const json_t *o); /* never NULL */
const char *obj_ns(const json_t *o);   /* "" for cluster scope */
const char *obj_uid(const json_t *o);  /* never NULL */
/* An ObjectReference to it, as claimRef and involvedObject hold. Returns new. */
json_t *object_reference(const json_t *o);

/* Is the member at `path` equal in both (or absent in both)? */
bool same_member(const json_t *a, const json_t *b, const char *path);

/* -- owners -- */
/* The ownerReference with controller: true, or NULL. */
const json_t *controller_of(const json_t *o);
bool controlled_by(const json_t *o, const json_t *owner);
bool owned_by_uid(const json_t *o, const char *uid);
/* A controller reference to `owner`. Returns new. */
json_t *controller_ref(const json_t *owner);
/* Edits: drops the references to that uid. False if there were none. */
bool owner_remove(json_t *o, const char *uid);

/* The selector of a workload: a LabelSelector, or of a replication controller a plain map. -1 with why. */
int selector_of(const json_t *owner, struct label_selector **out, struct err *e);

/* -- finalizers; edit, and say whether anything changed -- */
bool finalizer_add(json_t *o, const char *name);
bool finalizer_remove(json_t *o, const char *name);
bool finalizer_has(const json_t *o, const char *name);

/* -- conditions -- */
const json_t *condition_get(const json_t *o, const char *type); /* of status.conditions; or NULL */
bool condition_true(const json_t *o, const char *type);
/* For reg_modify(), arg a struct disruption: the pod says that it is about to be ended from outside (DisruptionTarget),
 * unless it says so already. */
struct disruption {
    const char *now; /* metav1.Time */
    const char *reason, *message;
};
int edit_disrupted(json_t *pod, void *arg, struct err *e);

/* -- pods -- */
bool pod_terminal(const json_t *pod); /* Succeeded or Failed */
bool pod_active(const json_t *pod);   /* neither terminal nor being deleted */
bool pod_ready(const json_t *pod);
bool pod_tolerates(const json_t *pod, const json_t *taint);
/* Ready for at least min_ready seconds at `now` (wall ns). */
bool pod_available(const json_t *pod, int64_t min_ready, int64_t now_ns);
/* The claim behind one entry of spec.volumes ("" if none): its claimName, or "<pod>-<volume>" of a generic ephemeral
 * volume. */
void pod_volume_claim(const json_t *pod, const json_t *volume, char *out, size_t size);
bool pod_uses_claim(const json_t *pod, const char *claim);

/* Now, as metav1.Time. */
void now_text(const struct clock *c, char out[TIME_TEXT_LEN]);

#endif

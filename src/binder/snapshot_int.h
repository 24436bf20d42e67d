/* snapshot_int.h - names and writes that the loops about snapshots share. Private to binder. */
#ifndef STOWAGE_BINDER_SNAPSHOT_INT_H
#define STOWAGE_BINDER_SNAPSHOT_INT_H

#include "binder/binder_int.h"

#define SNAP_GROUP "snapshot.storage.k8s.io"

#define FIN_SNAPSHOT_SOURCE "snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection"
#define FIN_SNAPSHOT_BOUND  "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection"
#define FIN_CONTENT_BOUND   "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
#define FIN_CLAIM_SOURCE    "snapshot.storage.kubernetes.io/pvc-as-source-protection"
#define FIN_CLAIM_CLONING   "provisioner.storage.kubernetes.io/cloning-protection"

#define ANN_DEFAULT_SNAPSHOT_CLASS "snapshot.storage.kubernetes.io/is-default-class"
#define ANN_BEING_CREATED          "snapshot.storage.kubernetes.io/volumesnapshot-being-created"
#define ANN_BEING_DELETED          "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"
#define ANN_MODE_CHANGE            "snapshot.storage.kubernetes.io/allow-volume-mode-change"

struct sobj *read_snapshot(struct loop *l, const char *ns, const char *name); /* new reference or NULL */
struct sobj *read_content(struct loop *l, const char *name);
/* Is there a claim without volume yet that is to be made from this object of its namespace? */
bool is_source_in_use(struct loop *l, const char *kind, const char *ns, const char *name);
/* Writes status.error and tells it, unless it says that already. Returns -1 with `e` set: it is to be tried again. */
int snapshot_trouble(struct loop *l, const char *component, const struct resource *res, const json_t *obj,
                     const char *reason, const char *message, struct err *e);

/* -- snapshot_restore.c: what a new volume is made from -- */
struct volume_origin {
    bool set;
    char snapshot[256], source[256]; /* handles; one of them */
    struct sobj *clone_of;           /* owned: the claim that is cloned, or NULL */
};
void volume_origin_release(struct volume_origin *o);
/* The claim's dataSource, resolved and checked for this driver; -1 with the provisioner's words. */
int volume_origin_find(struct loop *l, const json_t *claim, const struct csi_driver *d, struct volume_origin *out,
                       struct err *e);
/* Keeps the cloned claim while it is copied from, and lets it go when nobody clones it any more. */
int clone_protect(struct loop *l, const json_t *source, struct err *e);
int clone_release(struct loop *l, const json_t *source, struct err *e);

#endif

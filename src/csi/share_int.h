/* share_int.h - private to csi: file systems that every node can mount at once, for the drivers that serve files.
 *
 * Behind each stands one disk of the cloud (CLOUD_FILE) with an ext4; nodes that mount it see one filesystem, as the
 * clients of a file server do. What a network costs is not imitated, nor is the server's protocol. */
#ifndef STOWAGE_CSI_SHARE_INT_H
#define STOWAGE_CSI_SHARE_INT_H

#include "csi/driver_int.h"

struct share {
    const char *id;      /* "fs-0…", also the name of its device; borrowed */
    const char *type;    /* of the cloud: "efs", "lustre", "nfs", "portworx" */
    int64_t gib;         /* when it is made */
    const char *options; /* for mount, or NULL */
    bool read_only;
};

/* Makes it unless it is there. out_gib may be NULL. */
int share_ensure(struct machine *m, const struct share *s, int64_t *out_gib, struct err *e);
/* Disk and filesystem, while nodes use it: nothing is left for them to do. Where the machine grows no filesystem that
 * is mounted: UNSUPPORTED until nobody mounts it. */
int share_grow(struct machine *m, const char *id, int64_t gib, struct csi_grown *out, struct err *e);
/* With all that is in it; that it is not there is fine. BUSY while something has it mounted. */
int share_delete(struct machine *m, const char *id, struct err *e);

/* Mounts all of it, or the directory `dir` of it (links never lead out), at target; makes it first if need be. */
int share_mount(struct machine *m, const char *node, const struct share *s, const char *dir, const char *target,
                struct err *e);
/* Calls fn with the file system mounted at `root` on some node. */
int share_with(struct machine *m, const struct share *s,
               int (*fn)(struct machine *m, const char *node, const char *root, void *arg, struct err *e), void *arg,
               struct err *e);

/* Does the mount helper of that type ("nfs", "efs", "lustre") know the volume's mountOptions? source: as mount(8) would
 * be told. */
int share_check_options(const json_t *pv, const char *type, const char *source, const char *target, struct err *e);

/* -- what drivers of files refuse alike -- */
/* Filesystem mode only, and none of the access modes in `refused` (NULL-terminated). */
int share_check_modes(const struct csi_create *req, const char *const *refused, struct err *e);

#endif

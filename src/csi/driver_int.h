/* driver_int.h - private to csi: the drivers behind the tables, and what they share. */
#ifndef STOWAGE_CSI_DRIVER_INT_H
#define STOWAGE_CSI_DRIVER_INT_H

#include "csi/driver.h"

extern const struct csi_driver csi_ebs, csi_efs, csi_fsx, csi_gce_pd, csi_azure_disk, csi_portworx, csi_hostpath,
    csi_nfs;
extern const struct csi_driver csi_local_path, csi_minikube;

/* NodeAffinity that requires `key` In [value]. Returns new. */
json_t *csi_affinity(const char *key, const char *value);
/* Rounded up; whatever a claim asks for. */
int64_t csi_gib(int64_t bytes);
/* What expand() says of a disk that had `had` GiB and was to have `wanted`. */
struct csi_grown csi_grown_disk(int64_t had, int64_t wanted);
/* The filesystem that the claim's class names, "ext4" if it does not. */
const char *csi_fstype(const struct csi_create *req);
/* Will the first mount make nothing but a plain ext4? Then the disk may have one from the start. */
bool csi_wants_ext4(const struct csi_create *req);
/* csi_driver.unstage of drivers that have nothing but a mount to undo. A file system stays plugged into the node, which
 * hurts nobody: it is pulled out when it is deleted. */
int csi_unstage(const struct csi_driver *d, struct machine *m, const char *node, const char *target, struct err *e);
/* The device of a disk on a node, for csi_driver.locate; `disk`: its name on the machine. A disk that is shared by
 * nodes keeps the device it is said to have. */
int csi_locate_disk(struct machine *m, const char *disk, const char *node, char *device, size_t size, struct err *e);
/* Runs a program on a node and waits for it; what it says to standard error is the error. On a simulated machine it
 * does nothing and says 0. */
int csi_run_on_node(struct machine *m, const char *node, const char *const *argv, struct err *e);

#endif

/* driver_int.h - private to csi: the drivers behind the tables, and what they share. */
#ifndef STOWAGE_CSI_DRIVER_INT_H
#define STOWAGE_CSI_DRIVER_INT_H

#include "csi/driver.h"

extern const struct csi_driver csi_ebs;
extern const struct csi_driver csi_local_path;
extern const struct csi_driver csi_minikube;

/* NodeAffinity that requires `key` In [value]. Returns new. */
json_t *csi_affinity(const char *key, const char *value);
/* The class parameter of that name, in any letter case; NULL if absent. */
const char *csi_parameter(const json_t *parameters, const char *key);
/* Joins spec.mountOptions with commas. Returns new text. */
char *csi_mount_options(const json_t *pv);

#endif

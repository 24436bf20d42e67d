/* volumes_int.h - between volumes.c and volume_pv.c. */
#ifndef STOWAGE_KUBELETSIM_VOLUMES_INT_H
#define STOWAGE_KUBELETSIM_VOLUMES_INT_H

#include "csi/driver.h"
#include "kubeletsim/kubelet_int.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Picks the plugin for a source found in `spec` (a pod's volume or a PV's spec). */
int volume_pick(struct volume_run *v, const json_t *spec, struct err *e);
/* Follow a claim, or an inline EBS volume: 0, 1 (attachment awaited) or -1 with the cause. Loop thread. */
int claim_plan(struct pod_run *p, const char *claim, struct volume_run *v, struct err *e);
int inline_ebs_plan(struct pod_run *p, const json_t *source, struct volume_run *v, struct err *e);
/* Workers. */
int local_mount(struct pod_run *p, struct volume_run *v, struct err *e);
int csi_mount(struct pod_run *p, struct volume_run *v, struct err *e);
void csi_unmount(struct pod_run *p, struct volume_run *v);

#endif

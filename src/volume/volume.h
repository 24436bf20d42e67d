/* volume.h - the rules of storage: does this volume fit this claim, what phase follows, what happens to the disk.
 *
 * Pure functions over PersistentVolume, PersistentVolumeClaim, StorageClass and Node trees: no I/O, no clock, no state,
 * so every rule is a row in a test. Borrow everything; return borrowed text or values. Source: Kubernetes 1.32
 * component-helpers/storage/volume and pkg/controller/volume/persistentvolume. */
#ifndef STOWAGE_VOLUME_VOLUME_H
#define STOWAGE_VOLUME_VOLUME_H

#include "base/sm.h"
#include "volume/keys.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -- reading the two objects -- */
int64_t claim_request(const json_t *claim); /* spec.resources.requests.storage in bytes */
int64_t pv_capacity(const json_t *pv);
/* The class a claim asks for: legacy annotation, else the field; "" for none given. */
const char *claim_class(const json_t *claim);
/* Did anybody say a class at all (even ""), so that no default applies? */
bool claim_has_class(const json_t *claim);
const char *pv_class(const json_t *pv);
const char *claim_mode(const json_t *claim); /* "Filesystem" or "Block" */
const char *pv_mode(const json_t *pv);
bool obj_deleting(const json_t *obj); /* has a deletionTimestamp */
/* Does every mode the claim asks stand in the volume's list? */
bool access_modes_fit(const json_t *claim, const json_t *pv);
/* Is the PV's claimRef this claim (name and namespace, and uid where the PV has one)? */
bool pv_is_for_claim(const json_t *pv, const json_t *claim);
/* Same, with the uid filled in and equal: the volume is this claim's for good. */
bool pv_owned_by_claim(const json_t *pv, const json_t *claim);
bool claim_fully_bound(const json_t *claim); /* volumeName set and bind-completed */
/* Does the PV's node affinity allow this node? */
bool pv_node_fits(const json_t *pv, const json_t *node);
/* Its node affinity for people: "kubernetes.io/hostname in (node01)", "every node". */
void pv_affinity_text(const json_t *pv, char *out, size_t size);

/* -- matching; the rules themselves: rules.h -- */
/* Why a claim cannot have the very volume it names, as the VolumeMismatch event words it; NULL if it can. `scratch`
 * holds texts with names in them. */
const char *pv_mismatch(const json_t *pv, const json_t *claim, char *scratch, size_t size);

struct pv_match_opts {
    const json_t *node;            /* the scheduler asks for one node; NULL for the binder */
    bool delay_binding;            /* class is WaitForFirstConsumer: the binder takes only pre-bound volumes */
    const json_t *const *excluded; /* volumes already promised; borrowed */
    size_t excluded_count;
};
/* The volume to bind, or NULL. `pvs`: all of them, in name order (ties go to the first). */
const json_t *pv_pick(const json_t *claim, const json_t *const *pvs, size_t count, const struct pv_match_opts *opts);

/* -- life cycles; diagrams in phase.c -- */
enum pv_phase { PV_PENDING, PV_AVAILABLE, PV_BOUND, PV_RELEASED, PV_FAILED, PV_PHASE_MAX };
enum claim_phase { CLAIM_PENDING, CLAIM_BOUND, CLAIM_LOST, CLAIM_PHASE_MAX };
extern const struct sm_def pv_sm;
extern const struct sm_def claim_sm;
enum pv_phase pv_phase(const json_t *pv); /* PENDING when absent or unknown */
enum claim_phase claim_phase(const json_t *claim);
const char *pv_phase_name(enum pv_phase p);
const char *claim_phase_name(enum claim_phase p);

/* -- classes -- */
bool class_is_default(const json_t *sc);
/* The class a claim without one gets: the newest default, then the first by name; NULL if there is none. */
const json_t *class_pick_default(const json_t *const *classes, size_t count);
bool class_waits(const json_t *sc); /* WaitForFirstConsumer */
/* Do the class's allowedTopologies (if any) allow this node's labels? */
bool class_allows_node(const json_t *sc, const json_t *node);

/* -- what becomes of a volume whose claim is gone -- */
enum reclaim {
    RECLAIM_KEEP,        /* stays Released */
    RECLAIM_EXTERNAL,    /* a provisioner outside the controller deletes it */
    RECLAIM_DELETE_PATH, /* in-tree hostPath below /tmp */
    RECLAIM_RECYCLE,     /* scrub, then Available */
    RECLAIM_FAIL,        /* phase Failed, Warning event */
};
struct reclaim_plan {
    enum reclaim what;
    const char *reason; /* event reason for FAIL */
    char message[512];  /* event text and status.message for FAIL */
};
struct reclaim_plan pv_reclaim(const json_t *pv);

/* -- who holds the bytes -- */
/* The CSI driver of a volume, also of an in-tree source that is migrated; NULL for hostPath, local, nfs… */
const char *pv_driver(const json_t *pv);
/* Its handle at that driver, or NULL: borrowed from the PV, or in `buf`. */
#define VOLUME_HANDLE_LEN 512
const char *pv_handle(const json_t *pv, char buf[VOLUME_HANDLE_LEN]);
/* Is it this disk of the cloud? Some drivers' handles are paths that end in the disk's name. */
bool pv_is_on_disk(const json_t *pv, const char *disk);
/* The CSI form of a pod's volume, or of a PV, whose in-tree source is migrated: {"csi": {…}}. Returns new; NULL if it
 * has no such source. */
json_t *source_to_csi(const json_t *spec);
json_t *pv_to_csi(const json_t *pv);
/* The other way: spec.csi of a PV for a class with an in-tree provisioner name becomes the in-tree source, with zone
 * and region as labels and in the affinity. Other provisioners: nothing changes. */
void pv_to_intree(json_t *pv, const char *provisioner);
bool pv_is_migrated(const json_t *pv); /* in-tree source with a CSI driver behind it */
/* "kubernetes.io/csi/ebs.csi.aws.com^vol-0…" as node.status.volumesInUse names it. False if it is no CSI volume. */
bool pv_unique_name(const json_t *pv, char *out, size_t size);
/* The CSI driver behind an in-tree provisioner name, else the name itself. */
const char *provisioner_csi_name(const char *provisioner);
/* The in-tree plugin of a volume that is migrated: "kubernetes.io/aws-ebs"; else NULL. */
const char *pv_intree_plugin(const json_t *pv);
/* A name that only an in-tree plugin could serve, and none does. */
bool provisioner_is_unknown_intree(const char *provisioner);
/* May two nodes have this volume attached at once (ReadWriteMany or ReadOnlyMany)? */
bool pv_multi_attach(const json_t *pv);
/* Name of the VolumeAttachment: "csi-" and the SHA-256 of handle, driver and node. */
#define ATTACHMENT_NAME_LEN 69
void attachment_name(const char *handle, const char *driver, const char *node, char out[ATTACHMENT_NAME_LEN]);

/* -- device names on a node -- */
/* The n-th name EBS gives: /dev/xvdba … /dev/xvdbz, /dev/xvdca … /dev/xvdcz; false when they are used up. */
#define DEVICE_NAME_LEN 16
bool device_name(unsigned n, char out[DEVICE_NAME_LEN]);
/* The first name not in `used`. */
bool device_pick(const char *const *used, size_t count, char out[DEVICE_NAME_LEN]);

#endif

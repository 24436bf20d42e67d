/* driver.h - disk drivers behind one ops table; names follow the CSI specification 1.9 (controller half, node half).
 *
 * A driver turns a claim's wish into something on the machine and a volume source for its PV. Provisioner names that
 * courses use map to drivers by a table (provisioners.c). How to add one: a file with its ops, a row there. */
#ifndef STOWAGE_CSI_DRIVER_H
#define STOWAGE_CSI_DRIVER_H

#include "base/err.h"
#include "sys/machine.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct csi_create {
    const char *name;           /* "pvc-<uid>" : idempotency key */
    int64_t bytes;              /* requested */
    const json_t *parameters;   /* of the class; may be NULL */
    const json_t *mutable;      /* parameters of its VolumeAttributesClass, which win; NULL: none */
    const json_t *access_modes; /* of the claim */
    const char *fstype;         /* "" = the driver's default */
    const char *volume_mode;    /* "Filesystem", "Block" */
    const char *claim_ns, *claim_name;
    const json_t *claim_notes, *class_notes; /* their annotations; may be NULL */
    const json_t *node;                      /* selected node object, or NULL (Immediate) */
    const char *class_name;
    const char *snapshot; /* handle of the snapshot to restore, or NULL */
    const char *source;   /* handle of the volume to clone, or NULL */
};
struct csi_snapshot {
    char handle[256];
    int64_t bytes;      /* least size of a volume made from it; 0 = not known */
    int64_t created_ns; /* wall */
    bool ready;
};
struct csi_volume {
    char handle[256];
    int64_t bytes;                /* what was made: rounded as the real driver rounds */
    json_t *source;               /* owned: {"csi":{…}} or {"hostPath":{…}} … goes into PV spec */
    json_t *node_affinity;        /* owned, or NULL */
    json_t *labels, *annotations; /* owned, or NULL */
};
void csi_volume_release(struct csi_volume *v);
struct csi_grown {
    int64_t bytes; /* what the volume has now: rounded as the real driver rounds */
    bool on_node;  /* its filesystem has still to grow, where it is mounted */
};

struct csi_driver {
    const char *name;     /* "ebs.csi.aws.com" */
    bool attach_required; /* VolumeAttachment objects and a device on the node */
    int attach_limit;     /* CSINode allocatable.count, 0 = none */
    bool any_node;        /* Immediate claims: create() is given some node all the same */
    bool plain;           /* a provisioner only, whose volumes are hostPath or local: no CSIDriver, no sidecars */
    bool keeps_owners;    /* CSIDriver.spec.fsGroupPolicy is the default, not File: fsGroup only where fsType is told */
    bool pod_info;        /* CSIDriver.spec.podInfoOnMount */
    bool inlines;         /* also makes volumes that are written into pods: mode Ephemeral */
    const char *topology_key; /* "topology.ebs.csi.aws.com/zone" or NULL */
    /* -- controller half; run on workers -- */
    int (*create)(const struct csi_driver *d, struct machine *m, const struct csi_create *req, struct csi_volume *out,
                  struct err *e);
    int (*remove)(const struct csi_driver *d, struct machine *m, const json_t *pv, struct err *e);
    int (*expand)(const struct csi_driver *d, struct machine *m, const json_t *pv, int64_t bytes, struct csi_grown *out,
                  struct err *e); /* NULL: volumes do not grow */
    /* read_only: the volume is, or its only mode is ReadOnlyMany. */
    /* attach: out_device (size with NUL) carries the wished-for name on entry ("/dev/xvdba") and the real one on
     * return: a disk that is already attached there keeps its own. */
    int (*publish)(const struct csi_driver *d, struct machine *m, const char *handle, const char *node, bool read_only,
                   char *out_device, size_t size, struct err *e);
    int (*unpublish)(const struct csi_driver *d, struct machine *m, const char *handle, const char *node,
                     struct err *e);
    /* Where the volume really is on the node: corrects `device`, which an attachment of an earlier life of the cluster
     * may tell wrongly. CONFLICT while it is not attached. NULL: there is no device. */
    int (*locate)(const struct csi_driver *d, struct machine *m, const char *handle, const char *node, char *device,
                  size_t size, struct err *e);
    /* -- node half -- */
    int (*stage)(const struct csi_driver *d, struct machine *m, const char *node, const json_t *pv, const char *device,
                 const char *target, struct err *e); /* NodeStageVolume: format and mount once per node */
    int (*unstage)(const struct csi_driver *d, struct machine *m, const char *node, const char *target, struct err *e);
    /* -- capabilities; on workers. NULL: the driver has not got it -- */
    bool clones; /* create() takes `source` */
    /* CreateSnapshot; idempotent by name. handle: of the volume. parameters: of the class, may be NULL. */
    int (*snapshot)(const struct csi_driver *d, struct machine *m, const char *handle, const char *name,
                    const json_t *parameters, struct csi_snapshot *out, struct err *e);
    int (*snapshot_get)(const struct csi_driver *d, struct machine *m, const char *handle, struct csi_snapshot *out,
                        struct err *e); /* of a pre-provisioned one; NOT_FOUND */
    int (*remove_snapshot)(const struct csi_driver *d, struct machine *m, const char *handle, struct err *e);
    /* ControllerModifyVolume: parameters of a VolumeAttributesClass. */
    int (*modify)(const struct csi_driver *d, struct machine *m, const json_t *pv, const json_t *parameters,
                  struct err *e);
};

const struct csi_driver *csi_driver_by_name(const char *name); /* "ebs.csi.aws.com" */
char *csi_mount_options(const json_t *pv);                     /* comma list; returns new */
/* What a StorageClass names: in-tree names map to their migrated driver. */
struct csi_provisioner {
    const char *provisioner;         /* "kubernetes.io/aws-ebs", "rancher.io/local-path" */
    const struct csi_driver *driver; /* NULL: known, but provisions nothing (no-provisioner) */
    const char *identity;            /* component of its events: "ebs.csi.aws.com_…" */
    bool external;                   /* claims get ExternalProvisioning events while they wait */
};
const struct csi_provisioner *csi_provisioner(const char *name);
/* A StorageClass as the driver understands it: one of an in-tree provisioner is reworded. Returns a new reference. */
json_t *csi_class(const json_t *class);
/* The class parameter of that name, in any letter case; NULL if absent. */
const char *csi_parameter(const json_t *parameters, const char *key);
const struct csi_driver *const *csi_drivers(size_t *out_count);

/* -- what an installation of a driver writes; return new -- */
json_t *csi_driver_object(const struct csi_driver *d);                        /* the CSIDriver */
json_t *csi_node_driver(const struct csi_driver *d, const json_t *node);      /* its row in the CSINode of that Node */
void csi_node_id(const struct csi_driver *d, const char *node, char out[64]); /* by which it knows the node */
/* Of the node's label d->topology_key. Borrowed from the node. */
const char *csi_topology_value(const struct csi_driver *d, const json_t *node);

#endif

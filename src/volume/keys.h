/* keys.h - the annotation, label and finalizer names of Kubernetes storage, in one place.
 * Source: component-helpers storage/volume/pv_helpers.go and the CSI sidecars. */
#ifndef STOWAGE_VOLUME_KEYS_H
#define STOWAGE_VOLUME_KEYS_H

/* -- annotations of claims and volumes -- */
#define ANN_BIND_COMPLETED      "pv.kubernetes.io/bind-completed"
#define ANN_BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define ANN_PROVISIONED_BY      "pv.kubernetes.io/provisioned-by"
#define ANN_MIGRATED_TO         "pv.kubernetes.io/migrated-to"
#define ANN_PROVISIONER         "volume.kubernetes.io/storage-provisioner"
#define ANN_BETA_PROVISIONER    "volume.beta.kubernetes.io/storage-provisioner"
#define ANN_SELECTED_NODE       "volume.kubernetes.io/selected-node"
#define ANN_RESIZER             "volume.kubernetes.io/storage-resizer"
#define ANN_BETA_CLASS          "volume.beta.kubernetes.io/storage-class"
#define ANN_DELETE_SECRET_NAME  "volume.kubernetes.io/provisioner-deletion-secret-name"
#define ANN_DELETE_SECRET_NS    "volume.kubernetes.io/provisioner-deletion-secret-namespace"
#define ANN_PRE_RESIZE_CAPACITY "volume.alpha.kubernetes.io/pre-resize-capacity"
#define ANN_LOCAL_PATH_NODE     "local.path.provisioner/selected-node"

/* -- annotations of classes -- */
#define ANN_DEFAULT_CLASS      "storageclass.kubernetes.io/is-default-class"
#define ANN_BETA_DEFAULT_CLASS "storageclass.beta.kubernetes.io/is-default-class"

/* -- finalizers -- */
#define FIN_PV_PROTECTION   "kubernetes.io/pv-protection"
#define FIN_PVC_PROTECTION  "kubernetes.io/pvc-protection"
#define FIN_PROVISIONER     "external-provisioner.volume.kubernetes.io/finalizer"
#define FIN_ATTACHER_PREFIX "external-attacher/"

/* -- labels of nodes and volumes -- */
#define LABEL_HOSTNAME    "kubernetes.io/hostname"
#define LABEL_ZONE        "topology.kubernetes.io/zone"
#define LABEL_BETA_ZONE   "failure-domain.beta.kubernetes.io/zone"
#define LABEL_REGION      "topology.kubernetes.io/region"
#define LABEL_BETA_ZONE   "failure-domain.beta.kubernetes.io/zone"
#define LABEL_BETA_REGION "failure-domain.beta.kubernetes.io/region"

#define PROVISIONER_NONE "kubernetes.io/no-provisioner"

#endif

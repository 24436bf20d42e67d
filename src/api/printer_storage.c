/* printer_storage.c - columns of PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttachment, CSIDriver and
 * CSINode.
 *
 * A claim shows what it got, not what it asked for: size and modes come from its status and stay empty until it names a
 * volume. THREADS: pure functions. */
#include "api/printer_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static const char CLASS_ANNOTATION[] = "volume.beta.kubernetes.io/storage-class";

/* "RWO,RWX": each mode once, in a fixed order. */
static void access_modes(struct buf *out, const json_t *obj, const char *path)
{
    static const char *const modes[][2] = {
        {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
    _auto_strlist_ struct strlist short_names = {0};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (jarr_has(obj, path, modes[i][0]))
            strlist_add(&short_names, modes[i][1]);
    _auto_free_ char *text = strlist_join(&short_names, ",");
    cell_text(out, text);
}

static void storage_class(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const char *annotation = jmap(obj, "metadata.annotations", CLASS_ANNOTATION);
    cell_text(out, annotation != NULL ? annotation : jstr(obj, "spec.storageClassName"));
}

static void storage_status(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    bool going = jat(obj, "metadata.deletionTimestamp") != NULL;
    cell_text(out, going ? "Terminating" : jstr(obj, "status.phase"));
}

static void attributes_class(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "spec.volumeAttributesClassName"), "<unset>");
}

static void volume_mode(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "spec.volumeMode"), "<unset>");
}

static void pv_capacity(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "spec.capacity.storage"), "0");
}

static void pv_modes(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    access_modes(out, obj, "spec.accessModes");
}

static void pv_policy(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.persistentVolumeReclaimPolicy"));
}

static void pv_claim(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *claim = jat(obj, "spec.claimRef");
    _auto_free_ char *text =
        claim != NULL ? xasprintf("%s/%s", jstr_or(claim, "namespace", ""), jstr_or(claim, "name", "")) : NULL;
    cell_text(out, text);
}

static void pv_reason(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "status.reason"));
}

static void pvc_volume(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.volumeName"));
}

/* Is the claim's status worth showing? */
static bool names_volume(const json_t *claim)
{
    return !str_empty(jstr(claim, "spec.volumeName"));
}

static void pvc_capacity(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, names_volume(obj) ? jstr_or(obj, "status.capacity.storage", "0") : "");
}

static void pvc_modes(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    access_modes(out, obj, names_volume(obj) ? "status.accessModes" : "status.none");
}

static void sc_name(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    bool is_default =
        str_eq(jmap(obj, "metadata.annotations", "storageclass.kubernetes.io/is-default-class"), "true") ||
        str_eq(jmap(obj, "metadata.annotations", "storageclass.beta.kubernetes.io/is-default-class"), "true");
    _auto_free_ char *text = xasprintf("%s%s", jstr_or(obj, "metadata.name", ""), is_default ? " (default)" : "");
    cell_text(out, text);
}

static void sc_provisioner(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "provisioner"));
}

static void sc_policy(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "reclaimPolicy"), "Delete");
}

static void sc_binding(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "volumeBindingMode"), "Immediate");
}

static void sc_expansion(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_bool(out, jbool(obj, "allowVolumeExpansion", false));
}

static void va_attacher(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.attacher"));
}

static void va_pv(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.source.persistentVolumeName"));
}

static void va_node(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.nodeName"));
}

static void va_attached(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_bool(out, jbool(obj, "status.attached", false));
}

static void driver_attach(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_bool(out, jbool(obj, "spec.attachRequired", true));
}

static void driver_pod_info(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_bool(out, jbool(obj, "spec.podInfoOnMount", false));
}

static void driver_capacity(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_bool(out, jbool(obj, "spec.storageCapacity", false));
}

static void driver_republish(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_bool(out, jbool(obj, "spec.requiresRepublish", false));
}

static void driver_tokens(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *requests = jat(obj, "spec.tokenRequests");
    _auto_strlist_ struct strlist audiences = {0};
    for (size_t i = 0; i < json_array_size(requests); i++)
        strlist_add(&audiences, jstr_or(json_array_get(requests, i), "audience", ""));
    _auto_free_ char *text = strlist_join(&audiences, ",");
    cell_text(out, requests != NULL ? text : "<unset>");
}

static void driver_modes(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    const json_t *modes = jat(obj, "spec.volumeLifecycleModes");
    _auto_strlist_ struct strlist names = {0};
    for (size_t i = 0; i < json_array_size(modes); i++)
        strlist_add(&names, json_string_value(json_array_get(modes, i)));
    _auto_free_ char *text = strlist_join(&names, ",");
    cell_text_or(out, text, "<none>");
}

static void csinode_drivers(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, (int64_t)json_array_size(jat(obj, "spec.drivers")));
}

static const struct column pv_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Capacity", "string", "", 0, pv_capacity,
     "capacity is the description of the persistent volume's resources and capacity. More info: "
     "https://kubernetes.io/docs/concepts/storage/persistent-volumes#capacity"},
    {"Access Modes", "string", "", 0, pv_modes,
     "accessModes contains all ways the volume can be mounted. More info: "
     "https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes"},
    {"Reclaim Policy", "string", "", 0, pv_policy,
     "persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its "
     "claim. Valid options are Retain (default for manually created PersistentVolumes), Delete (default "
     "for dynamically provisioned PersistentVolumes), and Recycle (deprecated). Recycle must be supported "
     "by the volume plugin underlying this PersistentVolume. More info: "
     "https://kubernetes.io/docs/concepts/storage/persistent-volumes#reclaiming"},
    {"Status", "string", "", 0, storage_status,
     "phase indicates if a volume is available, bound to a claim, or released by a claim. More info: "
     "https://kubernetes.io/docs/concepts/storage/persistent-volumes#phase"},
    {"Claim", "string", "", 0, pv_claim,
     "claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim. "
     "Expected to be non-nil when bound. claim.VolumeName is the authoritative bind between PV and PVC. "
     "More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#binding"},
    {"StorageClass", "string", "", 0, storage_class, "StorageClass of the pv"},
    {"VolumeAttributesClass", "string", "", 0, attributes_class, "VolumeAttributesClass of the pv"},
    {"Reason", "string", "", 0, pv_reason,
     "reason is a brief CamelCase string that describes any failure and is meant for machine parsing and "
     "tidy display in the CLI."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"VolumeMode", "string", "", 1, volume_mode,
     "volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in "
     "raw block state. Value of Filesystem is implied when not included in spec."},
};
const struct printer printer_pv = {"", "PersistentVolume", pv_columns, ARRAY_LEN(pv_columns), NULL};

static const struct column pvc_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Status", "string", "", 0, storage_status, "phase represents the current phase of PersistentVolumeClaim."},
    {"Volume", "string", "", 0, pvc_volume,
     "volumeName is the binding reference to the PersistentVolume backing this claim."},
    {"Capacity", "string", "", 0, pvc_capacity, "capacity represents the actual resources of the underlying volume."},
    {"Access Modes", "string", "", 0, pvc_modes,
     "accessModes contains the actual access modes the volume backing the PVC has. More info: "
     "https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes-1"},
    {"StorageClass", "string", "", 0, storage_class, "StorageClass of the pvc"},
    {"VolumeAttributesClass", "string", "", 0, attributes_class, "VolumeAttributesClass of the pvc"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"VolumeMode", "string", "", 1, volume_mode,
     "volumeMode defines what type of volume is required by the claim. Value of Filesystem is implied when "
     "not included in claim spec."},
};
const struct printer printer_pvc = {"", "PersistentVolumeClaim", pvc_columns, ARRAY_LEN(pvc_columns), NULL};

static const struct column storageclass_columns[] = {
    {"Name", "string", "name", 0, sc_name, COLUMN_NAME_TEXT},
    {"Provisioner", "string", "", 0, sc_provisioner, "provisioner indicates the type of the provisioner."},
    {"ReclaimPolicy", "string", "", 0, sc_policy,
     "reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this "
     "storage class. Defaults to Delete."},
    {"VolumeBindingMode", "string", "", 0, sc_binding,
     "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.  When unset, "
     "VolumeBindingImmediate is used. This field is only honored by servers that enable the "
     "VolumeScheduling feature."},
    {"AllowVolumeExpansion", "string", "", 0, sc_expansion,
     "allowVolumeExpansion shows whether the storage class allow volume expand."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_storageclass = {"storage.k8s.io", "StorageClass", storageclass_columns,
                                             ARRAY_LEN(storageclass_columns), NULL};

static const struct column volumeattachment_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Attacher", "string", "name", 0, va_attacher,
     "attacher indicates the name of the volume driver that MUST handle this request. This is the name "
     "returned by GetPluginName()."},
    {"PV", "string", "", 0, va_pv, "persistentVolumeName represents the name of the persistent volume to attach."},
    {"Node", "string", "", 0, va_node, "nodeName represents the node that the volume should be attached to."},
    {"Attached", "boolean", "", 0, va_attached,
     "attached indicates the volume is successfully attached. This field must only be set by the entity "
     "completing the attach operation, i.e. the external-attacher."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_volumeattachment = {"storage.k8s.io", "VolumeAttachment", volumeattachment_columns,
                                                 ARRAY_LEN(volumeattachment_columns), NULL};

static const struct column csidriver_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"AttachRequired", "boolean", "", 0, driver_attach,
     "attachRequired indicates this CSI volume driver requires an attach operation (because it implements "
     "the CSI ControllerPublishVolume() method), and that the Kubernetes attach detach controller should "
     "call the attach volume interface which checks the volumeattachment status and waits until the volume "
     "is attached before proceeding to mounting. The CSI external-attacher coordinates with CSI volume "
     "driver and updates the volumeattachment status when the attach operation is complete. If the "
     "CSIDriverRegistry feature gate is enabled and the value is specified to false, the attach operation "
     "will be skipped. Otherwise the attach operation will be called.\n\nThis field is immutable."},
    {"PodInfoOnMount", "boolean", "", 0, driver_pod_info,
     "podInfoOnMount indicates this CSI volume driver requires additional pod information (like podName, "
     "podUID, etc.) during mount operations, if set to true. If set to false, pod information will not be "
     "passed on mount. Default is false.\n\nThe CSI driver specifies podInfoOnMount as part of driver "
     "deployment. If true, Kubelet will pass pod information as VolumeContext in the CSI "
     "NodePublishVolume() calls. The CSI driver is responsible for parsing and validating the information "
     "passed in as VolumeContext.\n\nThe following VolumeContext will be passed if podInfoOnMount is set "
     "to true. This list might grow, but the prefix will be used. \"csi.storage.k8s.io/pod.name\": "
     "pod.Name \"csi.storage.k8s.io/pod.namespace\": pod.Namespace \"csi.storage.k8s.io/pod.uid\": "
     "string(pod.UID) \"csi.storage.k8s.io/ephemeral\": \"true\" if the volume is an ephemeral inline "
     "volume\n                                defined by a CSIVolumeSource, otherwise "
     "\"false\"\n\n\"csi.storage.k8s.io/ephemeral\" is a new feature in Kubernetes 1.16. It is only "
     "required for drivers which support both the \"Persistent\" and \"Ephemeral\" VolumeLifecycleMode. "
     "Other drivers can leave pod info disabled and/or ignore this field. As Kubernetes 1.15 doesn't "
     "support this field, drivers can only support one mode when deployed on such a cluster and the "
     "deployment determines which mode that is, for example via a command line parameter of the "
     "driver.\n\nThis field was immutable in Kubernetes < 1.29 and now is mutable."},
    {"StorageCapacity", "boolean", "", 0, driver_capacity,
     "storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage "
     "capacity that the driver deployment will report by creating CSIStorageCapacity objects with capacity "
     "information, if set to true.\n\nThe check can be enabled immediately when deploying a driver. In "
     "that case, provisioning new volumes with late binding will pause until the driver deployment has "
     "published some suitable CSIStorageCapacity object.\n\nAlternatively, the driver can be deployed with "
     "the field unset or false and it can be flipped later when storage capacity information has been "
     "published.\n\nThis field was immutable in Kubernetes <= 1.22 and now is mutable."},
    {"TokenRequests", "string", "", 0, driver_tokens,
     "tokenRequests indicates the CSI driver needs pods' service account tokens it is mounting volume for "
     "to do necessary authentication. Kubelet will pass the tokens in VolumeContext in the CSI "
     "NodePublishVolume calls. The CSI driver should parse and validate the following VolumeContext: "
     "\"csi.storage.k8s.io/serviceAccount.tokens\": {\n  \"<audience>\": {\n    \"token\": <token>,\n    "
     "\"expirationTimestamp\": <expiration timestamp in RFC3339>,\n  },\n  ...\n}\n\nNote: Audience in "
     "each TokenRequest should be different and at most one token is empty string. To receive a new token "
     "after expiry, RequiresRepublish can be used to trigger NodePublishVolume periodically."},
    {"RequiresRepublish", "boolean", "", 0, driver_republish,
     "requiresRepublish indicates the CSI driver wants `NodePublishVolume` being periodically called to "
     "reflect any possible change in the mounted volume. This field defaults to false.\n\nNote: After a "
     "successful initial NodePublishVolume call, subsequent calls to NodePublishVolume should only update "
     "the contents of the volume. New mount points will not be seen by a running container."},
    {"Modes", "string", "", 0, driver_modes,
     "volumeLifecycleModes defines what kind of volumes this CSI volume driver supports. The default if "
     "the list is empty is \"Persistent\", which is the usage defined by the CSI specification and "
     "implemented in Kubernetes via the usual PV/PVC mechanism.\n\nThe other mode is \"Ephemeral\". In "
     "this mode, volumes are defined inline inside the pod spec with CSIVolumeSource and their lifecycle "
     "is tied to the lifecycle of that pod. A driver has to be aware of this because it is only going to "
     "get a NodePublishVolume call for such a volume.\n\nFor more information about implementing this "
     "mode, see https://kubernetes-csi.github.io/docs/ephemeral-local-volumes.html A driver can support "
     "one or more of these modes and more modes may be added in the future.\n\nThis field is beta. This "
     "field is immutable."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_csidriver = {"storage.k8s.io", "CSIDriver", csidriver_columns,
                                          ARRAY_LEN(csidriver_columns), NULL};

static void attributes_driver(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "driverName"));
}

static const struct column attributes_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"DriverName", "string", "", 0, attributes_driver, "Name of the CSI driver"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_attributes_class = {"storage.k8s.io", "VolumeAttributesClass", attributes_columns,
                                                 ARRAY_LEN(attributes_columns), NULL};

static const struct column csinode_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Drivers", "integer", "", 0, csinode_drivers,
     "Drivers indicates the number of CSI drivers registered on the node"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_csinode = {"storage.k8s.io", "CSINode", csinode_columns, ARRAY_LEN(csinode_columns), NULL};

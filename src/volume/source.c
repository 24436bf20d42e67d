/* source.c - who holds the bytes of a volume: CSI drivers, and the in-tree types that hand over to one.
 *
 * DESIGN: since Kubernetes 1.2x the in-tree cloud types are only names; each is served by its CSI driver ("migration").
 * One table says which. When you add an in-tree type: a row here; if a driver of ours serves it, a row in
 * csi/provisioners.c. Source: csi-translation-lib. THREADS: pure. */
#include "volume/volume.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const struct intree {
    const char *provisioner; /* class.provisioner */
    const char *driver;      /* the CSI driver behind it */
    const char *source;      /* path of the source in a PV */
    const char *handle;      /* field of the source that names the volume */
} intree[] = {
    {"kubernetes.io/aws-ebs", "ebs.csi.aws.com", "spec.awsElasticBlockStore", "volumeID"},
    {"kubernetes.io/gce-pd", "pd.csi.storage.gke.io", "spec.gcePersistentDisk", "pdName"},
    {"kubernetes.io/azure-disk", "disk.csi.azure.com", "spec.azureDisk", "diskURI"},
    {"kubernetes.io/azure-file", "file.csi.azure.com", "spec.azureFile", "shareName"},
    {"kubernetes.io/cinder", "cinder.csi.openstack.org", "spec.cinder", "volumeID"},
    {"kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com", "spec.vsphereVolume", "volumePath"},
    {"kubernetes.io/portworx-volume", "pxd.portworx.com", "spec.portworxVolume", "volumeID"},
};

static const struct intree *intree_source(const json_t *pv)
{
    for (size_t i = 0; i < ARRAY_LEN(intree); i++)
        if (jat(pv, intree[i].source))
            return &intree[i];
    return NULL;
}

const char *pv_driver(const json_t *pv)
{
    const char *csi = jstr(pv, "spec.csi.driver");
    if (csi)
        return csi;
    const struct intree *row = intree_source(pv);
    return row ? row->driver : NULL;
}

const char *pv_handle(const json_t *pv)
{
    const char *csi = jstr(pv, "spec.csi.volumeHandle");
    const struct intree *row = csi ? NULL : intree_source(pv);
    if (!row)
        return csi;
    const char *id = jstr(jat(pv, row->source), row->handle);
    /* Static EBS volumes may be written aws://us-east-1a/vol-0123. */
    const char *slash = id && str_starts(id, "aws://") ? strrchr(id, '/') : NULL;
    return slash ? slash + 1 : id;
}

bool pv_is_migrated(const json_t *pv)
{
    return !jat(pv, "spec.csi") && intree_source(pv);
}

bool pv_unique_name(const json_t *pv, char *out, size_t size)
{
    const char *driver = pv_driver(pv);
    const char *handle = pv_handle(pv);
    if (!driver || !handle)
        return false;
    snprintf(out, size, "kubernetes.io/csi/%s^%s", driver, handle);
    return true;
}

const char *provisioner_csi_name(const char *provisioner)
{
    for (size_t i = 0; i < ARRAY_LEN(intree); i++)
        if (str_eq(intree[i].provisioner, provisioner))
            return intree[i].driver;
    return provisioner;
}

bool provisioner_is_unknown_intree(const char *provisioner)
{
    return str_starts(provisioner, "kubernetes.io/") && str_eq(provisioner_csi_name(provisioner), provisioner) &&
           !str_eq(provisioner, "kubernetes.io/host-path");
}

void attachment_name(const char *handle, const char *driver, const char *node, char out[ATTACHMENT_NAME_LEN])
{
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, handle, strlen(handle));
    sha256_add(&s, driver, strlen(driver));
    sha256_add(&s, node, strlen(node));
    memcpy(out, "csi-", 4);
    sha256_hex(&s, out + 4);
}

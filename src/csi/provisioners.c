/* provisioners.c - the table from the provisioner names that StorageClasses use to the drivers of this house.
 *
 * DESIGN: what Kubernetes calls a provisioner (class.provisioner) is not always the driver's name: in-tree names hand
 * over to a CSI driver. A name that is not in the table is served by nobody here: its claims wait, with the event the
 * real controller gives. `identity` is the source component of the provisioner's events: <name>_<pod of the
 * controller>_<uuid>; the pod and the uuid are fixed, so that a transcript looks the same each time.
 *
 * How to add a provisioner: a driver file, its name in `drivers`, a row here. THREADS: constant tables. */
#include "csi/driver_int.h"

#include "base/mem.h"
#include "base/str.h"

#define EBS_IDENTITY "ebs.csi.aws.com_ebs-csi-controller-6d8f5c7b9-x2k4p_3b7f4f0e-52c1-4f0c-9c1e-7a1b6d2f8e90"
#define PATH_IDENTITY                                                                                                  \
    "rancher.io/local-path_local-path-provisioner-5cf85fd84d-7qxwz_0d9b5a3c-6f1e-4a27-8b64-2c9e7f3d1a58"
#define EFS_IDENTITY  "efs.csi.aws.com_efs-csi-controller-7f9b5c6d84-hx2vn_5a1c9e70-83b4-4d61-9f0e-2b7d4c6a1e85"
#define FSX_IDENTITY  "fsx.csi.aws.com_fsx-csi-controller-5d8b7c9f64-tq8zl_c47e2b19-6a03-4f58-8d2c-91e5b0f3a7d6"
#define GCE_IDENTITY  "pd.csi.storage.gke.io_gke-pd-controller-6b9d7f8c45-m4wks_e2d81f5a-0c97-4b36-a1f8-5d3e7c9b2046"
#define AZ_IDENTITY   "disk.csi.azure.com_csi-azuredisk-controller-84c6d5f7b9-j6rxp_19f3a7c5-4e82-4d0b-b6a9-7c2f8e1d5b30"
#define PXD_IDENTITY  "pxd.portworx.com_px-csi-ext-59d8c7b6f4-vk9dw_7b4e1d92-5f06-4a83-9c1d-3e8a6f0b2c57"
#define HOST_IDENTITY "hostpath.csi.k8s.io_csi-hostpathplugin-0_4d6b8f21-9a3c-4e75-8b0d-6f1c2e7a9d58"
#define NFS_IDENTITY  "nfs.csi.k8s.io_csi-nfs-controller-6c8f9d7b54-z2ghm_a85c3e17-2d94-4f60-b7e1-0c9d5b8f4a26"
#define MINI_IDENTITY "k8s.io/minikube-hostpath_minikube_8c2e4d6a-1f3b-4c5d-9e7f-0a1b2c3d4e5f"

static const struct csi_driver *const drivers[] = {
    &csi_ebs,      &csi_efs,      &csi_fsx, &csi_gce_pd,     &csi_azure_disk,
    &csi_portworx, &csi_hostpath, &csi_nfs, &csi_local_path, &csi_minikube,
};

static const struct csi_provisioner provisioners[] = {
    {"ebs.csi.aws.com", &csi_ebs, EBS_IDENTITY, true},
    {"kubernetes.io/aws-ebs", &csi_ebs, EBS_IDENTITY, true},
    {"efs.csi.aws.com", &csi_efs, EFS_IDENTITY, true},
    {"fsx.csi.aws.com", &csi_fsx, FSX_IDENTITY, true},
    {"pd.csi.storage.gke.io", &csi_gce_pd, GCE_IDENTITY, true},
    {"kubernetes.io/gce-pd", &csi_gce_pd, GCE_IDENTITY, true},
    {"disk.csi.azure.com", &csi_azure_disk, AZ_IDENTITY, true},
    {"kubernetes.io/azure-disk", &csi_azure_disk, AZ_IDENTITY, true},
    {"pxd.portworx.com", &csi_portworx, PXD_IDENTITY, true},
    {"kubernetes.io/portworx-volume", &csi_portworx, PXD_IDENTITY, true},
    {"hostpath.csi.k8s.io", &csi_hostpath, HOST_IDENTITY, true},
    {"nfs.csi.k8s.io", &csi_nfs, NFS_IDENTITY, true},
    {"rancher.io/local-path", &csi_local_path, PATH_IDENTITY, true},
    {"k8s.io/minikube-hostpath", &csi_minikube, MINI_IDENTITY, true},
    {"kubernetes.io/no-provisioner", NULL, "", false},
};

const struct csi_driver *csi_driver_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_eq(drivers[i]->name, name))
            return drivers[i];
    return NULL;
}

const struct csi_provisioner *csi_provisioner(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(provisioners); i++)
        if (str_eq(provisioners[i].provisioner, name))
            return &provisioners[i];
    return NULL;
}

const struct csi_driver *const *csi_drivers(size_t *out_count)
{
    *out_count = ARRAY_LEN(drivers);
    return drivers;
}

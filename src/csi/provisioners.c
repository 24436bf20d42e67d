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
#define MINI_IDENTITY "k8s.io/minikube-hostpath_minikube_8c2e4d6a-1f3b-4c5d-9e7f-0a1b2c3d4e5f"

static const struct csi_driver *const drivers[] = {&csi_ebs, &csi_local_path, &csi_minikube};

static const struct csi_provisioner provisioners[] = {
    {"ebs.csi.aws.com", &csi_ebs, EBS_IDENTITY, true},
    {"kubernetes.io/aws-ebs", &csi_ebs, EBS_IDENTITY, true},
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

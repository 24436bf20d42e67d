/* minikube.c - k8s.io/minikube-hostpath: a directory below /tmp/hostpath-provisioner, any node, any access mode.
 *
 * The directory is made by whoever mounts it first (hostPath with an empty type). On delete it is removed where the
 * claim's node is known; a minikube has one node. THREADS: any worker. */
#include "csi/driver_int.h"

#include "base/json.h"
#include "base/mem.h"

#define BASE_DIR     "/tmp/hostpath-provisioner"
#define IDENTITY_ANN "hostPathProvisionerIdentity"
/* The real one draws it at each start and then ignores volumes of earlier lives; a fixed one never leaves a directory
 * behind. */
#define IDENTITY "6f1d2a52-8d0b-4b3c-9a77-0d4c5f0e7a11"

static int minikube_create(const struct csi_driver *d, struct machine *m, const struct csi_create *req,
                           struct csi_volume *out, struct err *e)
{
    (void)d;
    _auto_free_ char *path = xasprintf("%s/%s/%s", BASE_DIR, req->claim_ns, req->claim_name);
    const char *node = jstr(req->node, "metadata.name");
    if (node && (m->ops->remove_all(m, node, path, e) < 0 || m->ops->mkdir_p(m, node, path, 0777, e) < 0))
        return -1;
    out->bytes = req->bytes;
    out->source = json_pack("{s:{s:s, s:s}}", "hostPath", "path", path, "type", "");
    out->annotations = json_pack("{s:s}", IDENTITY_ANN, IDENTITY);
    return 0;
}

static int minikube_remove(const struct csi_driver *d, struct machine *m, const json_t *pv, struct err *e)
{
    (void)d;
    (void)m;
    (void)pv;
    (void)e;
    return 0;
}

const struct csi_driver csi_minikube = {
    .name = "k8s.io/minikube-hostpath",
    .plain = true,
    .any_node = true,
    .create = minikube_create,
    .remove = minikube_remove,
};

/* minikube.c - k8s.io/minikube-hostpath: a directory below /tmp/hostpath-provisioner, any node, any access mode.
 *
 * DESIGN: the directory has the names of the claim, so what an earlier one of that name left there (policy Retain) is
 * seen again, as in reality. A minikube has one node; where there are more, each has the directory, and each loses it
 * when the volume is deleted. A node that is down is passed over: it makes the directory at the mount, and keeps it.
 * Source: minikube pkg/storage/storage_provisioner.go. THREADS: any worker. */
#include "csi/cloud.h"
#include "csi/driver_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

#define BASE_DIR     "/tmp/hostpath-provisioner"
#define IDENTITY_ANN "hostPathProvisionerIdentity"
/* The real one draws it at each start and then ignores volumes of earlier lives; a fixed one never leaves a directory
 * behind. */
#define IDENTITY "6f1d2a52-8d0b-4b3c-9a77-0d4c5f0e7a11"

static void make_dir(struct machine *m, const char *node, const char *path)
{
    struct err down = ERR_INIT;
    m->ops->mkdir_p(m, node, path, 0777, &down);
}

static void remove_dir(struct machine *m, const char *node, const char *path)
{
    struct err down = ERR_INIT;
    m->ops->remove_all(m, node, path, &down);
}

static int on_each_node(struct machine *m, const char *path,
                        void (*act)(struct machine *m, const char *node, const char *path), struct err *e)
{
    struct cloud_instance *nodes = NULL;
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    size_t n = cloud_instances(cloud, &nodes);
    for (size_t i = 0; i < n; i++)
        act(m, nodes[i].node, path);
    free(nodes);
    return 0;
}

static int minikube_create(const struct csi_driver *d _unused_, struct machine *m, const struct csi_create *req,
                           struct csi_volume *out, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/%s/%s", BASE_DIR, req->claim_ns, req->claim_name);
    if (on_each_node(m, path, make_dir, e) < 0)
        return -1;
    out->bytes = req->bytes;
    out->source = json_pack("{s:{s:s, s:s}}", "hostPath", "path", path, "type", "");
    out->annotations = json_pack("{s:s}", IDENTITY_ANN, IDENTITY);
    return 0;
}

static int minikube_remove(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
    const char *path = jstr(pv, "spec.hostPath.path");
    bool ours = path && str_eq(jmap(pv, "metadata.annotations", IDENTITY_ANN), IDENTITY);
    return ours ? on_each_node(m, path, remove_dir, e) : 0;
}

const struct csi_driver csi_minikube = {
    .name = "k8s.io/minikube-hostpath",
    .plain = true,
    .create = minikube_create,
    .remove = minikube_remove,
};

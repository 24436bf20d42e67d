/* local_path.c - rancher.io/local-path: a directory on the node the pod was placed on.
 *
 * DESIGN: the PV is a hostPath pinned to the node by affinity; the asked-for size is written down but never enforced
 * (`df` shows the node's disk), exactly as the real one. Texts are those of local-path-provisioner v0.0.31. THREADS:
 * any worker. */
#include "csi/driver_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define BASE_DIR     "/opt/local-path-provisioner"
#define NODE_ANN     "local.path.provisioner/selected-node"
#define HOSTNAME_KEY "kubernetes.io/hostname"

static int check(const struct csi_create *req, struct err *e)
{
    size_t i;
    json_t *mode;
    json_array_foreach(req->access_modes, i, mode)
    {
        if (!str_starts(json_string_value(mode), "ReadWriteOnce")) /* also ReadWriteOncePod */
            return err_set(e, ERR_INVALID,
                           "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes");
    }
    if (!req->node)
        return err_set(e, ERR_INVALID, "configuration error, no node was specified");
    return 0;
}

static int local_create(const struct csi_driver *d, struct machine *m, const struct csi_create *req,
                        struct csi_volume *out, struct err *e)
{
    (void)d;
    if (check(req, e) < 0)
        return -1;
    const char *node = jstr_or(req->node, "metadata.name", "");
    _auto_free_ char *path = xasprintf("%s/%s_%s_%s", BASE_DIR, req->name, req->claim_ns, req->claim_name);
    if (m->ops->mkdir_p(m, node, path, 0777, e) < 0)
        return err_wrap(e, "failed to create volume %s", req->name);
    const char *hostname = jmap(req->node, "metadata.labels", HOSTNAME_KEY);
    out->bytes = req->bytes;
    out->source = json_pack("{s:{s:s, s:s}}", "hostPath", "path", path, "type", "DirectoryOrCreate");
    out->node_affinity = csi_affinity(HOSTNAME_KEY, hostname ? hostname : node);
    out->annotations = json_pack("{s:s}", NODE_ANN, node);
    return 0;
}

static int local_remove(const struct csi_driver *d, struct machine *m, const json_t *pv, struct err *e)
{
    (void)d;
    const char *node = jmap(pv, "metadata.annotations", NODE_ANN);
    const char *path = jstr(pv, "spec.hostPath.path");
    if (!path)
        path = jstr(pv, "spec.local.path");
    if (!node || !path)
        return 0;
    if (m->ops->remove_all(m, node, path, e) == 0 || e->code == ERR_NOT_FOUND)
        return 0;
    return err_wrap(e, "failed to delete volume %s", jstr_or(pv, "metadata.name", ""));
}

const struct csi_driver csi_local_path = {
    .name = "rancher.io/local-path",
    .plain = true,
    .create = local_create,
    .remove = local_remove,
};

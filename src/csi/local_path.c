/* local_path.c - rancher.io/local-path: a directory on the node the pod was placed on.
 *
 * DESIGN: the PV is pinned to the node by affinity; the asked-for size is written down but never enforced (`df` shows
 * the node's disk), exactly as the real one. It is a hostPath, or a local volume where an annotation of the claim or of
 * the class says so, as k3s' class does. Texts are those of local-path-provisioner v0.0.31. THREADS: any worker. */
#include "csi/driver_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

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
    const char *base = csi_parameter(req->parameters, "nodePath");
    if (!str_empty(base) && !str_eq(base, BASE_DIR))
        return err_set(e, ERR_INVALID, "config doesn't contain path %s on node %s", base,
                       jstr_or(req->node, "metadata.name", ""));
    return 0;
}

/* -- where -- */

/* What stands between {{ and }}. NULL: nothing of that name. Borrowed. */
static const char *field(const struct csi_create *req, const char *name)
{
    static const char note[] = ".PVC.Annotations.";
    const char *const fields[][2] = {
        {".PVName", req->name}, {".PVC.Namespace", req->claim_ns}, {".PVC.Name", req->claim_name}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (str_eq(name, fields[i][0]))
            return fields[i][1];
    return str_starts(name, note) ? json_string_value(json_object_get(req->claim_notes, name + strlen(note))) : NULL;
}

/* "{{ .PVC.Namespace }}/{{ .PVC.Name }}", filled in. Returns new, or NULL with the error. */
static char *fill_in(const struct csi_create *req, const char *pattern, struct err *e)
{
    _auto_buf_ struct buf out = BUF_INIT;
    for (const char *c = pattern; *c;) {
        const char *end = str_starts(c, "{{") ? strstr(c, "}}") : NULL;
        if (!end) {
            buf_addc(&out, *c++);
            continue;
        }
        c += 2 + strspn(c + 2, " ");
        const char *last = end;
        while (last > c && last[-1] == ' ')
            last--;
        _auto_free_ char *name = xstrndup(c, last > c ? (size_t)(last - c) : 0);
        if (!field(req, name)) {
            err_set(e, ERR_INVALID, "failed to create path from pattern %s: there is no %s", pattern, name);
            return NULL;
        }
        buf_adds(&out, field(req, name));
        c = end + 2;
    }
    return buf_steal(&out, NULL);
}

/* Returns new, or NULL with the error. */
static char *path_of(const struct csi_create *req, struct err *e)
{
    const char *pattern = csi_parameter(req->parameters, "pathPattern");
    _auto_free_ char *last = str_empty(pattern) ? xasprintf("%s_%s_%s", req->name, req->claim_ns, req->claim_name)
                                                : fill_in(req, pattern, e);
    if (!last)
        return NULL;
    if (!*last || path_climbs(last)) {
        err_set(e, ERR_INVALID, "failed to create path from pattern %s: \"%s\" is not below " BASE_DIR, pattern, last);
        return NULL;
    }
    return xasprintf("%s/%s", BASE_DIR, last);
}

/* -- as what -- */

static json_t *source_of(const struct csi_create *req, const char *path, struct err *e)
{
    const char *type = json_string_value(json_object_get(req->claim_notes, "volumeType"));
    if (str_empty(type))
        type = json_string_value(json_object_get(req->class_notes, "defaultVolumeType"));
    if (str_empty(type) || strcasecmp(type, "hostPath") == 0)
        return json_pack("{s:{s:s, s:s}}", "hostPath", "path", path, "type", "DirectoryOrCreate");
    if (strcasecmp(type, "local") == 0)
        return json_pack("{s:{s:s}}", "local", "path", path);
    err_set(e, ERR_INVALID, "failed to create persistent volume source: \"%s\" is not a recognised volume type", type);
    return NULL;
}

static int local_create(const struct csi_driver *d _unused_, struct machine *m, const struct csi_create *req,
                        struct csi_volume *out, struct err *e)
{
    _auto_free_ char *path = check(req, e) < 0 ? NULL : path_of(req, e);
    _auto_json_ json_t *source = path ? source_of(req, path, e) : NULL;
    const char *node = jstr_or(req->node, "metadata.name", "");
    if (!source)
        return -1;
    if (m->ops->mkdir_p(m, node, path, 0777, e) < 0)
        return err_wrap(e, "failed to create volume %s", req->name);
    const char *hostname = jmap(req->node, "metadata.labels", HOSTNAME_KEY);
    out->bytes = req->bytes;
    out->source = TAKE(source);
    out->node_affinity = csi_affinity(HOSTNAME_KEY, hostname ? hostname : node);
    out->annotations = json_pack("{s:s}", NODE_ANN, node);
    return 0;
}

static int local_remove(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
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

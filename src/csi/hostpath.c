/* hostpath.c - hostpath.csi.k8s.io, the driver that CSI is taught with: a directory on one node, with snapshots and
 * clones.
 *
 * DESIGN: a volume is /var/lib/csi-hostpath-data/<id> on the node it was made on, which its affinity names; sizes are
 * not enforced. A snapshot is a copy of the directory beside it. What the real one packs and unpacks with tar is copied
 * with cp here. Attaching is asked for (VolumeAttachments appear) and has nothing to do for a directory.
 *
 * A Block volume is a file behind a loop device there; here a disk of the machine under the volume's id, beside the
 * directory, which stays empty; its snapshot is another, under the snapshot's. Source: csi-driver-host-path v1.16.1,
 * hostpath.go. THREADS: any worker. */
#include "csi/driver_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "csi/cloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STATE_DIR "/var/lib/csi-hostpath-data"
#define NODE_KEY  "topology.hostpath.csi/node"
#define MAX_BYTES (INT64_C(1) << 40)
#define ID_LEN    37

/* A UUID that is the same for the same name. */
static void make_id(const char *name, char out[ID_LEN])
{
    const uint64_t a = str_hash64(name, strlen(name)), b = str_hash64(&a, sizeof a);
    snprintf(out, ID_LEN, "%08x-%04x-11f0-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a & 0xffff),
             (unsigned)(b >> 52) | 0x8000u, (unsigned long long)(b & 0xffffffffffff));
}

/* Handles are written by users, too: what cannot be the name of an entry names one that is never there. */
static char *path_of(const char *id, const char *suffix)
{
    const bool is_name = *id && *id != '.' && !strchr(id, '/');
    return xasprintf("%s/%s%s", STATE_DIR, is_name ? id : ".no-volume", suffix);
}

static char *dir_of(const char *id)
{
    return path_of(id, "");
}

static char *snapshot_dir(const char *id)
{
    return path_of(id, ".snap");
}

static char *snapshot_disk(const char *id)
{
    return xasprintf("%s.snap", id);
}

static bool has_disk(struct machine *m, const char *id)
{
    struct disk_info info;
    struct err none = ERR_INIT;
    return m->ops->disk_info(m, id, &info, &none) == 0;
}

/* The node that has the path; false if none has. */
static bool find_node(struct machine *m, const char *path, char out[64])
{
    struct err none = ERR_INIT;
    struct cloud_instance *nodes = NULL;
    struct cloud *cloud = cloud_of(m, &none);
    struct stat st;
    bool found = false;
    size_t n = cloud ? cloud_instances(cloud, &nodes) : 0;
    for (size_t i = 0; i < n && !found; i++) {
        found = m->ops->stat(m, nodes[i].node, path, &st, &none) == 0;
        if (found)
            snprintf(out, 64, "%s", nodes[i].node);
        err_clear(&none);
    }
    free(nodes);
    return found;
}

/* A copy that is there whole or not at all. */
static int copy_dir(struct machine *m, const char *node, const char *from, const char *to, struct err *e)
{
    _auto_free_ char *part = xasprintf("%s.part", to);
    struct stat st;
    struct err none = ERR_INIT;
    if (m->ops->stat(m, node, to, &st, &none) == 0)
        return 0;
    const char *const copy[] = {"cp", "-aT", from, part, NULL}, *const rename[] = {"mv", "-T", part, to, NULL};
    err_clear(&none);
    if (m->ops->remove_all(m, node, part, &none) < 0 && none.code != ERR_NOT_FOUND) {
        *e = none;
        return -1;
    }
    return csi_run_on_node(m, node, copy, e) < 0 || csi_run_on_node(m, node, rename, e) < 0 ? -1 : 0;
}

/* -- controller -- */

static int check(const struct csi_create *req, struct err *e)
{
    if (req->bytes > MAX_BYTES)
        return err_set(e, ERR_INVALID,
                       "rpc error: code = OutOfRange desc = Requested capacity %lld exceeds maximum allowed %lld",
                       (long long)req->bytes, (long long)MAX_BYTES);
    if (!req->node)
        return err_set(e, ERR_NOT_FOUND, "rpc error: code = Unavailable desc = the driver runs on no node");
    return 0;
}

/* What the volume begins with: nothing, a snapshot, or another volume. */
static int fill(struct machine *m, const char *node, const struct csi_create *req, const char *dir, struct err *e)
{
    if (!req->snapshot && !req->source)
        return m->ops->mkdir_p(m, node, dir, 0777, e);
    _auto_free_ char *from = req->snapshot ? snapshot_dir(req->snapshot) : dir_of(req->source);
    return copy_dir(m, node, from, dir, e);
}

/* The same for the disk of a Block volume. */
static int fill_disk(struct machine *m, const struct csi_create *req, const char *id, struct err *e)
{
    const char *origin = req->snapshot ? req->snapshot : req->source;
    _auto_free_ char *from = req->snapshot ? snapshot_disk(req->snapshot) : origin ? xstrdup(origin) : NULL;
    if (from && has_disk(m, from) != str_eq(req->volume_mode, "Block"))
        return err_set(e, ERR_INVALID,
                       "rpc error: code = InvalidArgument desc = %s %s mode is not compatible with requested mode",
                       req->snapshot ? "snapshot" : "volume", origin);
    if (!str_eq(req->volume_mode, "Block"))
        return 0;
    const int rc = from ? m->ops->disk_copy(m, from, id, req->bytes, e) : m->ops->disk_create(m, id, req->bytes, e);
    if (rc < 0 && e->code != ERR_ALREADY_EXISTS)
        return err_wrap(e, "rpc error: code = Internal desc = failed to create volume %s", id);
    err_clear(e);
    return 0;
}

static int create(const struct csi_driver *d, struct machine *m, const struct csi_create *req, struct csi_volume *out,
                  struct err *e)
{
    char id[ID_LEN], node[64];
    if (check(req, e) < 0)
        return -1;
    make_id(req->name, id);
    _auto_free_ char *dir = dir_of(id);
    _auto_free_ char *origin = req->snapshot ? snapshot_dir(req->snapshot) : req->source ? dir_of(req->source) : NULL;
    snprintf(node, sizeof node, "%s", jstr_or(req->node, "metadata.name", ""));
    if (origin && !find_node(m, origin, node))
        return err_set(e, ERR_NOT_FOUND, "rpc error: code = NotFound desc = cannot find %s %s",
                       req->snapshot ? "snapshot" : "volume", req->snapshot ? req->snapshot : req->source);
    if (fill_disk(m, req, id, e) < 0)
        return -1;
    if (fill(m, node, req, dir, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = failed to create volume %s", id);
    snprintf(out->handle, sizeof out->handle, "%s", id);
    out->bytes = req->bytes;
    json_t *attributes = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        if (!str_starts(key, "csi.storage.k8s.io/"))
            json_object_set(attributes, key, value);
    }
    out->source =
        json_pack("{s:{s:s, s:s, s:o}}", "csi", "driver", d->name, "volumeHandle", id, "volumeAttributes", attributes);
    if (!str_empty(req->fstype) && !str_eq(req->volume_mode, "Block"))
        jset_str(jat(out->source, "csi"), "fsType", req->fstype);
    out->node_affinity = csi_affinity(NODE_KEY, node);
    return 0;
}

static int remove_path(struct machine *m, const char *path, struct err *e)
{
    char node[64];
    if (!find_node(m, path, node) || m->ops->remove_all(m, node, path, e) == 0 || e->code == ERR_NOT_FOUND) {
        err_clear(e);
        return 0;
    }
    return err_wrap(e, "rpc error: code = Internal desc = failed to delete");
}

static int remove_disk(struct machine *m, const char *id, struct err *e)
{
    if (m->ops->disk_delete(m, id, e) < 0 && e->code != ERR_NOT_FOUND)
        return err_wrap(e, "rpc error: code = Internal desc = failed to delete");
    err_clear(e);
    return 0;
}

static int remove_volume(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
    const char *id = jstr_or(pv, "spec.csi.volumeHandle", "");
    _auto_free_ char *dir = dir_of(id);
    if (has_disk(m, id) && remove_disk(m, id, e) < 0)
        return -1;
    return remove_path(m, dir, e);
}

static int expand(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, int64_t bytes,
                  struct csi_grown *out, struct err *e)
{
    const char *id = jstr_or(pv, "spec.csi.volumeHandle", "");
    if (bytes > MAX_BYTES)
        return err_set(e, ERR_INVALID,
                       "rpc error: code = OutOfRange desc = Requested capacity %lld exceeds maximum allowed %lld",
                       (long long)bytes, (long long)MAX_BYTES);
    if (has_disk(m, id) && m->ops->disk_grow(m, id, bytes, e) < 0)
        return -1;
    *out = (struct csi_grown){.bytes = bytes, .on_node = true};
    return 0;
}

/* The disk is on the node that has the directory, under a name that no cloud gives. Also after a restart: there is
 * nobody else who would attach it again. */
static int locate(const struct csi_driver *d _unused_, struct machine *m, const char *handle, const char *node,
                  char *device, size_t size, struct err *e)
{
    if (!has_disk(m, handle))
        return 0;
    snprintf(device, size, "/dev/hostpath-%.8s", handle);
    return m->ops->disk_attach(m, handle, node, device, 0, e);
}

static int publish(const struct csi_driver *d, struct machine *m, const char *handle, const char *node,
                   bool read_only _unused_, char *out_device, size_t size, struct err *e)
{
    struct stat st;
    struct err none = ERR_INIT;
    _auto_free_ char *dir = dir_of(handle);
    *out_device = '\0';
    if (m->ops->stat(m, node, dir, &st, &none) == 0)
        return locate(d, m, handle, node, out_device, size, e);
    return err_set(e, ERR_NOT_FOUND,
                   "rpc error: code = NotFound desc = volume id %s does not exist in the volumes list", handle);
}

static int unpublish(const struct csi_driver *d _unused_, struct machine *m, const char *handle, const char *node,
                     struct err *e)
{
    return has_disk(m, handle) ? m->ops->disk_detach(m, handle, node, e) : 0;
}

/* -- node -- */

static int stage(const struct csi_driver *d _unused_, struct machine *m, const char *node, const json_t *pv,
                 const char *device _unused_, const char *target, struct err *e)
{
    const char *id = jstr_or(pv, "spec.csi.volumeHandle", "");
    struct stat st;
    struct err none = ERR_INIT;
    _auto_free_ char *dir = dir_of(id);
    if (m->ops->stat(m, node, dir, &st, &none) < 0)
        return err_set(e, ERR_NOT_FOUND,
                       "rpc error: code = NotFound desc = volume id %s does not exist in the volumes list", id);
    return m->ops->bind(m, node, dir, target, jbool(pv, "spec.csi.readOnly", false), e);
}

/* -- snapshots -- */

static void show_snapshot(const char *id, const struct stat *st, struct csi_snapshot *out)
{
    *out = (struct csi_snapshot){.ready = true, .created_ns = (int64_t)st->st_ctime * 1000000000};
    snprintf(out->handle, sizeof out->handle, "%s", id);
}

static int snapshot_get(const struct csi_driver *d _unused_, struct machine *m, const char *handle,
                        struct csi_snapshot *out, struct err *e)
{
    char node[64];
    struct stat st;
    _auto_free_ char *dir = snapshot_dir(handle);
    if (!find_node(m, dir, node) || m->ops->stat(m, node, dir, &st, e) < 0)
        return err_set(e, ERR_NOT_FOUND, "rpc error: code = NotFound desc = snapshot id %s does not exist", handle);
    show_snapshot(handle, &st, out);
    return 0;
}

static int snapshot(const struct csi_driver *d, struct machine *m, const char *handle, const char *name,
                    const json_t *parameters _unused_, struct csi_snapshot *out, struct err *e)
{
    char id[ID_LEN], node[64];
    _auto_free_ char *from = dir_of(handle);
    if (!find_node(m, from, node))
        return err_set(e, ERR_NOT_FOUND, "rpc error: code = NotFound desc = volume id %s does not exist", handle);
    make_id(name, id);
    _auto_free_ char *to = snapshot_dir(id);
    _auto_free_ char *disk = snapshot_disk(id);
    if (has_disk(m, handle) && !has_disk(m, disk) && m->ops->disk_copy(m, handle, disk, 0, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = failed create snapshot");
    if (copy_dir(m, node, from, to, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = failed create snapshot");
    return snapshot_get(d, m, id, out, e);
}

static int remove_snapshot(const struct csi_driver *d _unused_, struct machine *m, const char *handle, struct err *e)
{
    _auto_free_ char *dir = snapshot_dir(handle), *disk = snapshot_disk(handle);
    if (has_disk(m, disk) && remove_disk(m, disk, e) < 0)
        return -1;
    return remove_path(m, dir, e);
}

const struct csi_driver csi_hostpath = {
    .name = "hostpath.csi.k8s.io",
    .attach_required = true,
    .pod_info = true,
    .inlines = true,
    .topology_key = NODE_KEY,
    .any_node = true,
    .create = create,
    .remove = remove_volume,
    .expand = expand,
    .publish = publish,
    .unpublish = unpublish,
    .locate = locate,
    .stage = stage,
    .unstage = csi_unstage,
    .clones = true,
    .snapshot = snapshot,
    .snapshot_get = snapshot_get,
    .remove_snapshot = remove_snapshot,
};

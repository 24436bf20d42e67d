/* volume_local.c - local volumes: a directory of the node as it is, or a disk there that gets a filesystem.
 *
 *     directory  --bind--> pod
 *     disk       --format, mount, by its first pod--> plugins/kubernetes.io/local-volume/mounts/<pv> --bind--> pod
 *     disk, Block mode: the device itself
 *
 * INVARIANT: only the first pod on the node gives the volume its fsGroup; who comes with another one while that runs is
 * told and gets what is there. THREADS: workers. Source: pkg/volume/local/local.go. */
#include "kubeletsim/volumes_int.h"

#include <stdio.h>
#include <string.h>

#define MOUNTS_DIR "/var/lib/kubelet/plugins/kubernetes.io/local-volume/mounts"

static const char *path_of(const struct volume_run *v)
{
    return jstr_or(v->source, "path", "");
}

static int look(struct pod_run *p, struct volume_run *v, struct stat *out, struct err *e)
{
    struct machine *m = p->k->m;
    struct err absent = ERR_INIT;
    v->failed_at = "MountVolume.NewMounter initialization failed";
    if (m->ops->stat(m, pod_node(p), path_of(v), out, &absent) < 0)
        return err_set(e, ERR_NOT_FOUND, "path \"%s\" does not exist", path_of(v));
    if (!S_ISDIR(out->st_mode) && !S_ISBLK(out->st_mode))
        return err_set(e, ERR_INVALID, "only directory and block device are supported");
    v->failed_at = NULL;
    return 0;
}

/* Where the volume's files are on the node. */
static void files_of(const struct volume_run *v, const struct stat *st, char out[PATH_LEN])
{
    if (S_ISBLK(st->st_mode))
        snprintf(out, PATH_LEN, MOUNTS_DIR "/%s", v->spec_name);
    else
        snprintf(out, PATH_LEN, "%s", path_of(v));
}

/* -- the first and the last pod -- */

static int mount_device(struct pod_run *p, struct volume_run *v, struct err *e)
{
    char target[PATH_LEN];
    struct stat st;
    struct machine *m = p->k->m;
    if (look(p, v, &st, e) < 0)
        return -1;
    files_of(v, &st, target);
    if (v->block || S_ISDIR(st.st_mode) || m->ops->is_mounted(m, pod_node(p), target))
        return 0;
    _auto_free_ char *options = csi_mount_options(v->pv);
    const struct fs_mount spec = {
        .node = pod_node(p),
        .device = path_of(v),
        .target = target,
        .fstype = jstr_or(v->source, "fsType", "ext4"),
        .options = options,
        .read_only = v->read_only,
        .format = true,
    };
    v->failed_at = "MountVolume.MountDevice failed";
    if (m->ops->fs_mount(m, &spec, e) < 0)
        return -1;
    v->failed_at = NULL;
    return 0;
}

static int unmount_device(struct pod_run *p, struct volume_run *v, struct err *e)
{
    char target[PATH_LEN];
    struct machine *m = p->k->m;
    struct err lost = ERR_INIT;
    snprintf(target, sizeof target, MOUNTS_DIR "/%s", v->spec_name);
    if (v->block || !m->ops->is_mounted(m, pod_node(p), target))
        return 0;
    if (m->ops->unmount(m, pod_node(p), target, e) < 0)
        return -1;
    m->ops->remove_all(m, pod_node(p), target, &lost);
    return 0;
}

/* -- any pod -- */

/* Of a volume that others use too the owner stays. */
static void tell_shared(struct pod_run *p, const struct volume_run *v, const char *files)
{
    struct stat st;
    struct err lost = ERR_INIT;
    struct machine *m = p->k->m;
    const int64_t wanted = fs_group_of(p);
    if (wanted < 0 || m->ops->stat(m, pod_node(p), files, &st, &lost) < 0 || st.st_gid == (gid_t)wanted)
        return;
    kubelet_event(p->k, p, NULL, EVENT_WARNING, "AlreadyMountedVolume",
                  "The requested fsGroup is %lld, but the volume %s has GID %u. The volume may not be shareable.",
                  (long long)wanted, v->spec_name, (unsigned)st.st_gid);
}

int local_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    char files[PATH_LEN];
    struct stat st;
    if (look(p, v, &st, e) < 0 || (!v->staged && volume_stage(p, v, mount_device, e) < 0))
        return -1;
    if (v->block) {
        snprintf(v->path, sizeof v->path, "%s", path_of(v));
        return 0;
    }
    files_of(v, &st, files);
    const bool shared = volume_users(p, v) > 1;
    if (shared)
        tell_shared(p, v, files);
    if (bind_once(p, v, files, e) < 0)
        return -1;
    return shared ? 0 : apply_fs_group(p, v, e);
}

int local_unmount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    if (!v->block && unmount_path(p, v, e) < 0)
        return -1;
    return v->staged ? volume_unstage(p, v, unmount_device, e) : 0;
}

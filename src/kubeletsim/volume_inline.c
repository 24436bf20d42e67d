/* volume_inline.c - csi volumes written into a pod: they live and die with it.
 *
 * DESIGN: a driver must say that it makes such volumes (CSIDriver.spec.volumeLifecycleModes); most disks do not, and
 * the kubelet refuses before it asks them. Of ours csi-hostpath does: a fresh directory of the node, bound into the pod
 * and removed with it. The handle is the kubelet's, so the same pod finds the same directory again.
 *
 * THREADS: workers. Source: pkg/volume/csi/csi_plugin.go supportsVolumeLifecycleMode, csi_mounter.go. */
#include "kubeletsim/volumes_int.h"

#include "base/buf.h"
#include "base/sha256.h"

#include <stdio.h>
#include <string.h>

#define EPHEMERAL_DIR "/var/lib/csi-hostpath-data"

/* csi-<sha256 of the pod's uid and the volume's name> */
static void inline_path(const struct pod_run *p, const struct volume_run *v, char out[PATH_LEN])
{
    struct sha256 s;
    char hex[SHA256_TEXT_LEN];
    sha256_init(&s);
    sha256_add(&s, p->uid, strlen(p->uid));
    sha256_add(&s, v->name, strlen(v->name));
    sha256_hex(&s, hex);
    snprintf(out, PATH_LEN, EPHEMERAL_DIR "/csi-%s", hex);
}

/* Does the driver's object list the mode? */
static int check_mode(struct pod_run *p, const char *driver, struct err *e)
{
    _auto_sobj_ struct sobj *object = reg_read(p->k->conf.registry, RES.csidrivers, "", driver);
    if (!object)
        return err_set(e, ERR_UNSUPPORTED, "volume mode \"Ephemeral\" not supported by driver %s (no CSIDriver object)",
                       driver);
    if (jarr_has(object->tree, "spec.volumeLifecycleModes", "Ephemeral"))
        return 0;
    _auto_buf_ struct buf modes = BUF_INIT;
    size_t i;
    const json_t *mode;
    json_array_foreach(jat(object->tree, "spec.volumeLifecycleModes"), i, mode)
    {
        buf_addf(&modes, "%s\"%s\"", i ? " " : "", json_string_value(mode));
    }
    return err_set(e, ERR_UNSUPPORTED, "volume mode \"Ephemeral\" not supported by driver %s (only supports [%s])",
                   driver, buf_str(&modes));
}

int inline_csi_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    char dir[PATH_LEN];
    struct machine *m = p->k->m;
    const char *driver = jstr_or(v->source, "driver", "");
    if (check_mode(p, driver, e) < 0) {
        v->failed_at = "MountVolume.NewMounter initialization failed";
        return -1;
    }
    if (!csi_driver_by_name(driver))
        return err_set(e, ERR_UNSUPPORTED,
                       "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name %s not found in the "
                       "list of registered CSI drivers",
                       driver);
    inline_path(p, v, dir);
    if (m->ops->is_mounted(m, pod_node(p), v->path))
        return 0;
    if (m->ops->mkdir_p(m, pod_node(p), dir, 0777, e) < 0 ||
        m->ops->bind(m, pod_node(p), dir, v->path, v->read_only, e) < 0)
        return -1;
    return apply_fs_group(p, v, e);
}

int inline_csi_unmount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    char dir[PATH_LEN];
    struct machine *m = p->k->m;
    inline_path(p, v, dir);
    return unmount_path(p, v, e) < 0 ? -1 : m->ops->remove_all(m, pod_node(p), dir, e);
}

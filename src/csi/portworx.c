/* portworx.c - pxd.portworx.com, which also serves classes of kubernetes.io/portworx-volume: a volume of a pool that
 * spans all nodes.
 *
 * DESIGN: a share for each claim, of just its size: any node mounts it, one after the other or (sharedv4) together. How
 * many replicas it has and how fast it is asked to be is written down and not imitated. THREADS: any worker. */
#include "csi/share_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define GIB (INT64_C(1) << 30)

static const char *handle_of(const json_t *pv)
{
    const char *handle = jstr(pv, "spec.csi.volumeHandle");
    return handle ? handle : jstr_or(pv, "spec.portworxVolume.volumeID", "");
}

/* Volume ids are decimal numbers; a device name must not begin with a digit alone. */
static struct share share_of(const char *handle, char id[96], int64_t gib)
{
    snprintf(id, 96, "pxd%s", handle);
    return (struct share){.id = id, .type = "portworx", .gib = gib};
}

static int check(const struct csi_create *req, struct err *e)
{
    const char *repl = csi_parameter(req->parameters, "repl");
    int64_t n = 1;
    if (repl && (!str_to_i64(repl, &n) || n < 1 || n > 3))
        return err_set(e, ERR_INVALID,
                       "rpc error: code = InvalidArgument desc = invalid repl value: %s. Valid values are 1, 2 and 3",
                       repl);
    static const char *const none[] = {NULL};
    return share_check_modes(req, none, e);
}

static int create(const struct csi_driver *d, struct machine *m, const struct csi_create *req, struct csi_volume *out,
                  struct err *e)
{
    char id[96];
    if (check(req, e) < 0)
        return -1;
    snprintf(out->handle, sizeof out->handle, "%llu",
             (unsigned long long)(str_hash64(req->name, strlen(req->name)) >> 4));
    struct share s = share_of(out->handle, id, csi_gib(req->bytes));
    if (share_ensure(m, &s, &s.gib, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = Failed to create volume");
    out->bytes = s.gib * GIB;
    out->source =
        json_pack("{s:{s:s, s:s, s:{}}}", "csi", "driver", d->name, "volumeHandle", out->handle, "volumeAttributes");
    const char *fstype = csi_parameter(req->parameters, "fs");
    if (!str_empty(req->fstype) || fstype)
        jset_str(jat(out->source, "csi"), "fsType", str_empty(req->fstype) ? fstype : req->fstype);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        if (!str_starts(key, "csi.storage.k8s.io/"))
            json_object_set(jat(out->source, "csi.volumeAttributes"), key, value);
    }
    return 0;
}

static int remove_volume(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
    char id[96];
    const struct share s = share_of(handle_of(pv), id, 1);
    return share_delete(m, s.id, e) == 0 ? 0 : err_wrap(e, "rpc error: code = Internal desc = Unable to delete volume");
}

static int expand(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, int64_t bytes,
                  struct csi_grown *out, struct err *e)
{
    char id[96];
    const struct share s = share_of(handle_of(pv), id, 1);
    return share_grow(m, s.id, csi_gib(bytes), out, e);
}

static int stage(const struct csi_driver *d _unused_, struct machine *m, const char *node, const json_t *pv,
                 const char *device _unused_, const char *target, struct err *e)
{
    char id[96];
    const struct share s = share_of(handle_of(pv), id, 1);
    return share_mount(m, node, &s, NULL, target, e);
}

const struct csi_driver csi_portworx = {
    .name = "pxd.portworx.com",
    .create = create,
    .remove = remove_volume,
    .expand = expand,
    .stage = stage,
    .unstage = csi_unstage,
};

/* share.c - see share_int.h.
 *
 * DESIGN: the disk is plugged into a node under its own name (/dev/fs-0…) when the node first mounts it. A directory of
 * the file system is reached through a mount that exists only for that moment: mounted, bound, unmounted; the bind
 * keeps the file system alive. So nothing of the server is to be seen on a node but what was asked for.
 *
 * LOCK: one at a time mounts or looks inside, so that two nodes never format one blank disk. THREADS: any worker. */
#include "csi/share_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "csi/cloud.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER_DIR "/run/stowage/shares"

static pthread_mutex_t share_mu = PTHREAD_MUTEX_INITIALIZER;

/* -- the disk -- */

int share_ensure(struct machine *m, const struct share *s, int64_t *out_gib, struct err *e)
{
    struct cloud *cloud = cloud_of(m, e);
    struct err none = ERR_INIT;
    _auto_disk_ struct cloud_disk have = {0};
    if (!cloud)
        return -1;
    const struct cloud_create want = {
        .provider = CLOUD_FILE, .id = s->id, .type = s->type, .gib = s->gib, .multi_attach = true};
    if (cloud_disk_get(cloud, s->id, &have, &none) < 0 && cloud_disk_create(cloud, &want, &have, e) < 0 &&
        (e->code != ERR_ALREADY_EXISTS || cloud_disk_get(cloud, s->id, &have, e) < 0))
        return -1;
    if (out_gib)
        *out_gib = have.gib;
    return 0;
}

int share_delete(struct machine *m, const char *id, struct err *e)
{
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    if (cloud_disk_delete(cloud, id, e) == 0)
        return 0;
    if (e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

/* -- on a node -- */

static int plug(struct machine *m, const char *node, const struct share *s, const char *device, struct err *e)
{
    return share_ensure(m, s, NULL, e) < 0 ? -1 : m->ops->disk_attach(m, s->id, node, device, DISK_SHARED, e);
}

static int mount_all(struct machine *m, const char *node, const struct share *s, const char *target, struct err *e)
{
    _auto_free_ char *device = xasprintf("/dev/%s", s->id);
    const struct fs_mount spec = {.node = node,
                                  .device = device,
                                  .target = target,
                                  .fstype = "ext4",
                                  .options = s->options ? s->options : "",
                                  .read_only = s->read_only,
                                  .format = true};
    return plug(m, node, s, device, e) < 0 ? -1 : m->ops->fs_mount(m, &spec, e);
}

/* The file system at `root` for the time of a call. */
static int visit(struct machine *m, const char *node, const struct share *s,
                 int (*fn)(struct machine *m, const char *node, const char *root, void *arg, struct err *e), void *arg,
                 struct err *e)
{
    _auto_free_ char *root = xasprintf("%s/%s", SERVER_DIR, s->id);
    struct err late = ERR_INIT;
    if (mount_all(m, node, s, root, e) < 0)
        return -1;
    int rc = fn(m, node, root, arg, e);
    if (m->ops->unmount(m, node, root, &late) < 0 && rc == 0) {
        *e = late;
        rc = -1;
    }
    return rc;
}

struct bind_to {
    const char *dir, *target;
    bool read_only;
};

static int bind_dir(struct machine *m, const char *node, const char *root, void *arg, struct err *e)
{
    const struct bind_to *b = arg;
    return m->ops->bind_beneath(m, node, root, b->dir, b->target, e);
}

int share_mount(struct machine *m, const char *node, const struct share *s, const char *dir, const char *target,
                struct err *e)
{
    struct bind_to to = {.dir = dir, .target = target};
    pthread_mutex_lock(&share_mu);
    int rc = str_empty(dir) ? mount_all(m, node, s, target, e) : visit(m, node, s, bind_dir, &to, e);
    pthread_mutex_unlock(&share_mu);
    return rc;
}

int share_with(struct machine *m, const struct share *s,
               int (*fn)(struct machine *m, const char *node, const char *root, void *arg, struct err *e), void *arg,
               struct err *e)
{
    struct cloud_instance *nodes = NULL;
    struct cloud *cloud = cloud_of(m, e);
    if (!cloud)
        return -1;
    size_t n = cloud_instances(cloud, &nodes);
    int rc = n ? -1 : err_set(e, ERR_NOT_FOUND, "no node runs that could mount file system %s", s->id);
    pthread_mutex_lock(&share_mu);
    for (size_t i = 0; i < n && rc < 0; i++) {
        err_clear(e);
        rc = visit(m, nodes[i].node, s, fn, arg, e);
    }
    pthread_mutex_unlock(&share_mu);
    free(nodes);
    return rc;
}

/* -- growing -- */

static int grow_here(struct machine *m, const char *node, const char *root, void *device, struct err *e)
{
    return m->ops->fs_grow(m, node, device, root, e);
}

int share_grow(struct machine *m, const char *id, int64_t gib, struct csi_grown *out, struct err *e)
{
    struct cloud *cloud = cloud_of(m, e);
    const struct cloud_change change = {.gib = gib};
    const struct share s = {.id = id, .gib = gib};
    _auto_disk_ struct cloud_disk have = {0};
    _auto_free_ char *device = xasprintf("/dev/%s", id);
    if (!cloud || cloud_disk_get(cloud, id, &have, e) < 0 ||
        (have.gib < gib && cloud_disk_modify(cloud, id, &change, NULL, e) < 0) ||
        share_with(m, &s, grow_here, device, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = Could not resize volume \"%s\"", id);
    *out = (struct csi_grown){.bytes = (have.gib > gib ? have.gib : gib) << 30};
    return 0;
}

/* -- refusals -- */

int share_check_modes(const struct csi_create *req, const char *const *refused, struct err *e)
{
    size_t i;
    json_t *mode;
    bool bad = str_eq(req->volume_mode, "Block");
    json_array_foreach(req->access_modes, i, mode)
    {
        for (const char *const *r = refused; *r; r++)
            bad = bad || str_eq(json_string_value(mode), *r);
    }
    return bad ? err_set(e, ERR_INVALID, "rpc error: code = InvalidArgument desc = Volume capabilities not supported")
               : 0;
}

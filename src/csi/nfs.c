/* nfs.c - nfs.csi.k8s.io: a directory of an NFS export for each claim.
 *
 * DESIGN: an export (server and share together) is a share; whatever server a class names is there. The handle says all
 * (server#share#directory#uuid#onDelete), as with the real driver. onDelete: delete (default) removes the directory,
 * retain leaves it, archive renames it. Source: csi-driver-nfs v4.11.0, controllerserver.go. */
#include "csi/share_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INVALID   "rpc error: code = InvalidArgument desc = "
#define SHARE_GIB 64

static const char *const parameters[] = {"server", "share", "subDir", "onDelete", "mountPermissions"};

struct export
{
    char id[32]; /* the share's */
    const char *dir;
    mode_t mode; /* 0: as made */
    bool archive;
};

static void export_id(const char *server, const char *share, char out[32])
{
    _auto_free_ char *both = xasprintf("%s:%s", server, share + strspn(share, "/"));
    snprintf(out, 32, "nfs-%016llx", (unsigned long long)str_hash64(both, strlen(both)));
}

static struct share share_of(const struct export *x)
{
    return (struct share){.id = x->id, .type = "nfs", .gib = SHARE_GIB};
}

static int check(const struct csi_create *req, struct err *e)
{
    static const char *const none[] = {NULL}, *const needed[] = {"server", "share"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)req->parameters, key, value)
    {
        bool known = str_starts(key, "csi.storage.k8s.io/");
        for (size_t i = 0; i < ARRAY_LEN(parameters) && !known; i++)
            known = strcasecmp(parameters[i], key) == 0;
        if (!known)
            return err_set(e, ERR_INVALID, INVALID "invalid parameter \"%s\" in storage class", key);
    }
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (str_empty(csi_parameter(req->parameters, needed[i])))
            return err_set(e, ERR_INVALID, INVALID "%s is a required parameter", needed[i]);
    const char *end = csi_parameter(req->parameters, "onDelete"), *sub = csi_parameter(req->parameters, "subDir");
    if (sub && path_climbs(sub))
        return err_set(e, ERR_INVALID, INVALID "subDir %s leads out of the share", sub);
    if (end && strcasecmp(end, "delete") != 0 && strcasecmp(end, "retain") != 0 && strcasecmp(end, "archive") != 0)
        return err_set(e, ERR_INVALID,
                       INVALID "invalid value %s for OnDelete, supported values are [ delete retain archive]", end);
    return share_check_modes(req, none, e);
}

static int make_dir(struct machine *m, const char *node, const char *root, void *arg, struct err *e)
{
    const struct export *x = arg;
    _auto_free_ char *dir = xasprintf("%s/%s", root, x->dir);
    return m->ops->mkdir_p(m, node, dir, x->mode ? x->mode : 0777, e);
}

static json_t *source_of(const struct csi_create *req, const char *handle, const char *dir)
{
    json_t *csi = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "driver", csi_nfs.name, "volumeHandle",
                            handle, "volumeAttributes", "csi.storage.k8s.io/pv/name", req->name,
                            "csi.storage.k8s.io/pvc/name", req->claim_name, "csi.storage.k8s.io/pvc/namespace",
                            req->claim_ns, "server", csi_parameter(req->parameters, "server"), "share",
                            csi_parameter(req->parameters, "share"), "subdir", dir);
    return json_pack("{s:o}", "csi", csi);
}

static int create(const struct csi_driver *d _unused_, struct machine *m, const struct csi_create *req,
                  struct csi_volume *out, struct err *e)
{
    const json_t *p = req->parameters;
    const char *sub = csi_parameter(p, "subDir"), *end = csi_parameter(p, "onDelete");
    const char *perms = csi_parameter(p, "mountPermissions");
    if (check(req, e) < 0)
        return -1;
    const char *server = csi_parameter(p, "server"), *share = csi_parameter(p, "share");
    share += strspn(share, "/");
    struct export x = {.dir = sub ? sub : req->name, .mode = perms ? (mode_t)strtoul(perms, NULL, 8) & 07777 : 0};
    export_id(server, share, x.id);
    const struct share s = share_of(&x);
    /* It says which directory goes with the volume: one that is cut would say another. */
    _auto_free_ char *handle = xasprintf("%s#%s#%s#%s#%s", server, share, x.dir, sub ? req->name : "", end ? end : "");
    if (strlen(handle) >= sizeof out->handle)
        return err_set(e, ERR_INVALID, INVALID "the volume id %s is longer than %zu characters", handle,
                       sizeof out->handle - 1);
    if (share_with(m, &s, make_dir, &x, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = failed to make subdirectory");
    snprintf(out->handle, sizeof out->handle, "%s", handle);
    out->bytes = req->bytes;
    out->source = source_of(req, out->handle, x.dir);
    return 0;
}

/* -- deleting -- */

static int remove_dir(struct machine *m, const char *node, const char *root, void *arg, struct err *e)
{
    const struct export *x = arg;
    _auto_free_ char *dir = xasprintf("%s/%s", root, x->dir), *kept = xasprintf("%s/archived-%s", root, x->dir);
    if (!x->archive)
        return m->ops->remove_all(m, node, dir, e);
    const char *const argv[] = {"mv", "-T", dir, kept, NULL};
    return csi_run_on_node(m, node, argv, e);
}

static int remove_volume(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
    _auto_strlist_ struct strlist parts = {0};
    struct export x = {.id = ""};
    strlist_split(&parts, jstr_or(pv, "spec.csi.volumeHandle", ""), '#');
    if (parts.len < 3 || str_empty(parts.items[2]) || (parts.len > 4 && strcasecmp(parts.items[4], "retain") == 0))
        return 0; /* a volume made by hand, or one to be left */
    x.dir = parts.items[2];
    if (path_climbs(x.dir))
        return err_set(e, ERR_INVALID, INVALID "subDir %s leads out of the share", x.dir);
    x.archive = parts.len > 4 && strcasecmp(parts.items[4], "archive") == 0;
    export_id(parts.items[0], parts.items[1], x.id);
    const struct share s = share_of(&x);
    if (share_with(m, &s, remove_dir, &x, e) < 0 && e->code != ERR_NOT_FOUND)
        return err_wrap(e, "rpc error: code = Internal desc = delete subdirectory(%s) failed", x.dir);
    err_clear(e);
    return 0;
}

/* Sizes are not enforced: that the claim has grown is all there is. */
static int expand(const struct csi_driver *d _unused_, struct machine *m _unused_, const json_t *pv _unused_,
                  int64_t bytes, struct csi_grown *out, struct err *e _unused_)
{
    *out = (struct csi_grown){.bytes = bytes};
    return 0;
}

/* -- node -- */

static int stage(const struct csi_driver *d _unused_, struct machine *m, const char *node, const json_t *pv,
                 const char *device _unused_, const char *target, struct err *e)
{
    const char *server = jmap(pv, "spec.csi.volumeAttributes", "server");
    const char *share = jmap(pv, "spec.csi.volumeAttributes", "share");
    const char *sub = jmap(pv, "spec.csi.volumeAttributes", "subdir");
    struct export x = {.id = ""};
    if (!server || !share)
        return err_set(e, ERR_INVALID, INVALID "%s is a required parameter", server ? "share" : "server");
    _auto_free_ char *source = xasprintf("%s:%s%s%s", server, share, sub ? "/" : "", sub ? sub : "");
    if (share_check_options(pv, "nfs", source, target, e) < 0)
        return -1;
    export_id(server, share, x.id);
    const struct share s = share_of(&x);
    return share_mount(m, node, &s, sub, target, e);
}

const struct csi_driver csi_nfs = {
    .name = "nfs.csi.k8s.io",
    .create = create,
    .remove = remove_volume,
    .expand = expand,
    .stage = stage,
    .unstage = csi_unstage,
};

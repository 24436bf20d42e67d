/* efs.c - efs.csi.aws.com: an access point of an EFS file system for each claim.
 *
 * DESIGN: the file system (class parameter fileSystemId) is a share; any well-formed id names one that "was made in the
 * console before". An access point is a file .access-points/<fsap-…> in it that holds the path of its root directory,
 * so a repeated CreateVolume finds what it made. As with the real driver, deleting a volume takes the access point away
 * and leaves the directory. Source: aws-efs-csi-driver v2.1.9, controller.go, node.go (parseVolumeId). */
#include "csi/share_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INVALID   "rpc error: code = InvalidArgument desc = "
#define POINTS    ".access-points"
#define SHARE_GIB 64 /* EFS says 8 EiB; nothing of it is used before it is written */

/* -- volume handles: fs-…[:path[:fsap-…]] -- */

struct handle {
    char fs[64];
    char path[512]; /* "" = the root */
    char point[64]; /* "" = none */
};

static bool hex_id(const char *text, const char *prefix)
{
    const char *digits = text + strlen(prefix);
    return str_starts(text, prefix) && *digits && strlen(text) < 48 &&
           strspn(digits, "0123456789abcdef") == strlen(digits);
}

static int parse_handle(const char *text, struct handle *out, struct err *e)
{
    _auto_strlist_ struct strlist parts = {0};
    strlist_split(&parts, text, ':');
    memset(out, 0, sizeof *out);
    if (parts.len > 3)
        return err_set(e, ERR_INVALID,
                       INVALID "volume ID '%s' is invalid: Expected at most three fields separated by ':'", text);
    if (parts.len == 0 || !hex_id(parts.items[0], "fs-"))
        return err_set(e, ERR_INVALID,
                       INVALID "volume ID '%s' is invalid: Expected a file system ID of the form 'fs-...'", text);
    snprintf(out->fs, sizeof out->fs, "%s", parts.items[0]);
    if (parts.len > 1)
        snprintf(out->path, sizeof out->path, "%s", parts.items[1] + (parts.items[1][0] == '/'));
    if (parts.len > 2 && !hex_id(parts.items[2], "fsap-"))
        return err_set(e, ERR_INVALID,
                       INVALID "volume ID '%s' has an invalid access point ID '%s': Expected it to be of the form "
                               "'fsap-...'",
                       text, parts.items[2]);
    if (parts.len > 2)
        snprintf(out->point, sizeof out->point, "%s", parts.items[2]);
    return 0;
}

static struct share share_of(const char *fs)
{
    return (struct share){.id = fs, .type = "efs", .gib = SHARE_GIB};
}

/* -- access points -- */

struct point {
    char id[64];
    char path[512]; /* of its root directory, without the leading slash */
    mode_t mode;
};

/* The path an access point was made with. */
static int point_read(struct machine *m, const char *node, const char *root, struct point *p, struct err *e)
{
    int fd = -1;
    _auto_free_ char *file = xasprintf("%s/" POINTS "/%s", root, p->id);
    struct stat st;
    if (m->ops->open(m, node, file, O_RDONLY, 0, &fd, e) < 0)
        return -1;
    /* Whoever mounts all of the file system may have put a pipe there. */
    ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, p->path, sizeof p->path - 1) : 0;
    close(fd);
    if (n <= 0)
        return err_set(e, ERR_NOT_FOUND, "access point %s is empty", p->id);
    p->path[n] = '\0';
    return 0;
}

static int point_write(struct machine *m, const char *node, const char *root, void *arg, struct err *e)
{
    const struct point *p = arg;
    int fd = -1;
    _auto_free_ char *dir = xasprintf("%s/%s", root, p->path), *points = xasprintf("%s/" POINTS, root);
    _auto_free_ char *file = xasprintf("%s/%s", points, p->id);
    if (m->ops->mkdir_p(m, node, dir, p->mode, e) < 0 || m->ops->mkdir_p(m, node, points, 0700, e) < 0 ||
        m->ops->open(m, node, file, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, e) < 0)
        return -1;
    ssize_t n = write(fd, p->path, strlen(p->path));
    int rc = fsync(fd) < 0 || n != (ssize_t)strlen(p->path) ? err_set(e, ERR_NO_SPACE, "cannot write %s", file) : 0;
    close(fd);
    return rc;
}

static int point_remove(struct machine *m, const char *node, const char *root, void *arg, struct err *e)
{
    const struct point *p = arg;
    _auto_free_ char *file = xasprintf("%s/" POINTS "/%s", root, p->id);
    if (m->ops->remove_all(m, node, file, e) < 0 && e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

/* -- controller -- */

/* ${.PVC.namespace}, ${.PVC.name} and ${.PV.name} of subPathPattern. Returns new. */
static char *expand_pattern(const char *pattern, const struct csi_create *req)
{
    const char *const words[][2] = {
        {"${.PVC.namespace}", req->claim_ns}, {"${.PVC.name}", req->claim_name}, {"${.PV.name}", req->name}};
    struct buf out = BUF_INIT;
    while (*pattern) {
        size_t i = 0;
        while (i < ARRAY_LEN(words) && !str_starts(pattern, words[i][0]))
            i++;
        if (i < ARRAY_LEN(words)) {
            buf_adds(&out, words[i][1]);
            pattern += strlen(words[i][0]);
        } else {
            buf_addc(&out, *pattern++);
        }
    }
    return buf_steal(&out, NULL);
}

static void root_dir(const struct csi_create *req, char *out, size_t size)
{
    const char *base = csi_parameter(req->parameters, "basePath");
    const char *pattern = csi_parameter(req->parameters, "subPathPattern");
    const char *unique = csi_parameter(req->parameters, "ensureUniqueDirectory");
    _auto_free_ char *sub = pattern ? expand_pattern(pattern, req) : xstrdup(req->name);
    base = base ? base + strspn(base, "/") : "";
    size_t n = strlen(base);
    while (n && base[n - 1] == '/')
        n--;
    bool tail = pattern && !str_eq(unique, "false");
    snprintf(out, size, "%.*s%s%s%s%s", (int)n, base, n ? "/" : "", sub + strspn(sub, "/"), tail ? "-" : "",
             tail ? req->name + (str_starts(req->name, "pvc-") ? 4 : 0) : "");
}

static int check(const struct csi_create *req, struct err *e)
{
    static const char *const refused[] = {"ReadOnlyMany", NULL};
    const char *mode = csi_parameter(req->parameters, "provisioningMode");
    const char *fs = csi_parameter(req->parameters, "fileSystemId");
    if (share_check_modes(req, refused, e) < 0)
        return -1;
    if (!mode)
        return err_set(e, ERR_INVALID, INVALID "Missing provisioningMode parameter");
    if (!str_eq(mode, "efs-ap"))
        return err_set(e, ERR_INVALID,
                       INVALID "Provisioning mode %s is not supported. Only Access point provisioning: 'efs-ap' is "
                               "supported",
                       mode);
    if (!fs)
        return err_set(e, ERR_INVALID, INVALID "Missing fileSystemId parameter");
    if (!hex_id(fs, "fs-"))
        return err_set(e, ERR_INVALID,
                       INVALID "File System does not exist: FileSystemNotFound: File system '%s' does not exist.", fs);
    return 0;
}

/* Whoever comes through an access point comes as its user, who owns the directory: so what the owner may, all may. */
static mode_t point_mode(const char *perms)
{
    const mode_t mode = perms ? (mode_t)strtoul(perms, NULL, 8) : 0777;
    return (mode >> 6 & 7) * 0111;
}

static int create(const struct csi_driver *d, struct machine *m, const struct csi_create *req, struct csi_volume *out,
                  struct err *e)
{
    struct point p = {.mode = point_mode(csi_parameter(req->parameters, "directoryPerms"))};
    if (check(req, e) < 0)
        return -1;
    const char *fs = csi_parameter(req->parameters, "fileSystemId");
    const struct share s = share_of(fs);
    snprintf(p.id, sizeof p.id, "fsap-0%016llx", (unsigned long long)str_hash64(req->name, strlen(req->name)));
    root_dir(req, p.path, sizeof p.path);
    if (path_climbs(p.path))
        return err_set(e, ERR_INVALID, INVALID "the root directory /%s leads out of the file system", p.path);
    if (share_with(m, &s, point_write, &p, e) < 0)
        return err_wrap(e, "rpc error: code = Internal desc = Failed to create Access point in File System %s", fs);
    snprintf(out->handle, sizeof out->handle, "%s::%s", fs, p.id);
    out->bytes = req->bytes;
    out->source = json_pack("{s:{s:s, s:s}}", "csi", "driver", d->name, "volumeHandle", out->handle);
    return 0;
}

static int remove_volume(const struct csi_driver *d _unused_, struct machine *m, const json_t *pv, struct err *e)
{
    struct handle h;
    struct point p = {.id = ""};
    if (parse_handle(jstr_or(pv, "spec.csi.volumeHandle", ""), &h, e) < 0)
        return -1;
    const struct share s = share_of(h.fs);
    snprintf(p.id, sizeof p.id, "%s", h.point);
    return p.id[0] ? share_with(m, &s, point_remove, &p, e) : 0;
}

/* -- node -- */

static int point_find(struct machine *m, const char *node, const char *root, void *arg, struct err *e)
{
    return point_read(m, node, root, arg, e);
}

static int stage(const struct csi_driver *d _unused_, struct machine *m, const char *node, const json_t *pv,
                 const char *device _unused_, const char *target, struct err *e)
{
    struct handle h;
    struct point p = {.id = ""};
    if (parse_handle(jstr_or(pv, "spec.csi.volumeHandle", ""), &h, e) < 0)
        return -1;
    struct share s = share_of(h.fs);
    _auto_free_ char *source = xasprintf("%s:/%s", h.fs, h.path);
    if (share_check_options(pv, "efs", source, target, e) < 0)
        return -1;
    snprintf(p.id, sizeof p.id, "%s", h.point);
    if (p.id[0] && share_with(m, &s, point_find, &p, e) < 0) {
        if (e->code != ERR_NOT_FOUND)
            return -1;
        return err_set(e, ERR_NOT_FOUND,
                       "rpc error: code = Internal desc = Could not mount \"%s:/\" at \"%s\": mount failed: exit "
                       "status 32\nMounting command: mount\nMounting arguments: -t efs -o accesspoint=%s,tls %s:/ "
                       "%s\nOutput: mount.nfs4: access denied by server while mounting 127.0.0.1:/",
                       h.fs, target, h.point, h.fs, target);
    }
    _auto_free_ char *dir = xasprintf("%s%s%s", p.path, p.path[0] && h.path[0] ? "/" : "", h.path);
    return share_mount(m, node, &s, dir, target, e);
}

const struct csi_driver csi_efs = {
    .name = "efs.csi.aws.com",
    .keeps_owners = true,
    .create = create,
    .remove = remove_volume,
    .stage = stage,
    .unstage = csi_unstage,
};

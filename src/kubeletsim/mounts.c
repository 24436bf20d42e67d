/* mounts.c - what is bound into a container: volumes, parts of volumes (subPath), devices, the kubelet's own files.
 *
 * DESIGN: a subPath is bound below <pod>/volume-subpaths first, by the node, which resolves it inside the volume: links
 * that the pod left there never lead out (sys/node_subpath.c). A container that starts again gets it anew.
 *
 * THREADS: workers. Source: kubelet_pods.go makeMounts, makeBlockVolumes. */
#include "kubeletsim/start_int.h"
#include "kubeletsim/volumes_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add_mount(struct start *s, const char *source, const char *target, bool read_only, bool device)
{
    if (s->out.mount_count < CONTAINER_MOUNTS_MAX)
        s->mounts[s->out.mount_count++] =
            (struct mount_spec){.source = source, .target = target, .read_only = read_only, .device = device};
}

static enum mount_propagation propagation_of(const json_t *mount)
{
    const char *mode = jstr_or(mount, "mountPropagation", "None");
    return str_eq(mode, "Bidirectional")     ? PROPAGATION_SHARED
           : str_eq(mode, "HostToContainer") ? PROPAGATION_SLAVE
                                             : PROPAGATION_NONE;
}

static bool mounts_itself(const struct start *s, const char *target)
{
    for (size_t i = 0; i < s->out.mount_count; i++)
        if (str_eq(s->mounts[i].target, target))
            return true;
    return false;
}

/* -- subPath -- */

/* The path below the volume that a mount names ("" if none). Returns new, or NULL with the error. */
static char *sub_path(struct start *s, const json_t *mount, struct err *e)
{
    const char *expr = jstr(mount, "subPathExpr");
    char *path = NULL;
    if (str_empty(expr))
        return xstrdup(jstr_or(mount, "subPath", ""));
    if (env_expand_strict(expr, &s->env.own, &path, e) < 0)
        return NULL;
    if (path[0] == '/')
        err_set(e, ERR_INVALID, "error SubPath `%s` must not be an absolute path", path);
    else if (path_climbs(path))
        err_set(e, ERR_INVALID, "unable to provision SubPath `%s`: must not contain '..'", path);
    else
        return path;
    free_cleanup(&path);
    return NULL;
}

static const char *bind_sub_path(struct start *s, const struct volume_run *v, const char *path, size_t index,
                                 struct err *e)
{
    struct machine *m = s->p->k->m;
    struct err why = ERR_INIT;
    char dir[PATH_LEN];
    pod_dir(s->p, dir);
    const char *target = start_keep(s, xasprintf("%s/volume-subpaths/%s/%s/%zu", dir, v->name, s->c->name, index));
    if (m->ops->unmount(m, pod_node(s->p), target, &why) == 0 &&
        m->ops->bind_beneath(m, pod_node(s->p), v->path, path, target, &why) == 0)
        return target;
    err_set(e, ERR_INVALID, "failed to prepare subPath for volumeMount \"%s\" of container \"%s\"", v->name,
            s->c->name);
    return NULL;
}

/* -- volumes -- */

static int add_volume(struct start *s, const json_t *mount, size_t index, struct err *e)
{
    const char *name = jstr_or(mount, "name", "");
    const struct volume_run *v = volume_by_name(s->p, name);
    if (!v)
        return err_set(e, ERR_INVALID, "cannot find volume \"%s\" to mount into container \"%s\"", name, s->c->name);
    _auto_free_ char *path = sub_path(s, mount, e);
    if (!path)
        return -1;
    const char *source = *path ? bind_sub_path(s, v, path, index, e) : v->path;
    if (!source)
        return -1;
    add_mount(s, source, jstr_or(mount, "mountPath", ""), jbool(mount, "readOnly", false) || v->read_only, false);
    if (s->out.mount_count > 0)
        s->mounts[s->out.mount_count - 1].propagation = propagation_of(mount);
    return 0;
}

static int add_device(struct start *s, const json_t *device, struct err *e)
{
    const char *name = jstr_or(device, "name", "");
    const struct volume_run *v = volume_by_name(s->p, name);
    if (!v)
        return err_set(e, ERR_INVALID, "cannot find volume \"%s\" to pass into container \"%s\"", name, s->c->name);
    add_mount(s, v->path, jstr_or(device, "devicePath", ""), v->read_only, true);
    return 0;
}

static int add_volumes(struct start *s, struct err *e)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(s->spec, "volumeMounts"), i, item)
    {
        if (add_volume(s, item, i, e) < 0)
            return -1;
    }
    json_array_foreach(json_object_get(s->spec, "volumeDevices"), i, item)
    {
        if (add_device(s, item, e) < 0)
            return -1;
    }
    return 0;
}

/* -- the kubelet's own files -- */

static int add_termination_file(struct start *s, struct err *e)
{
    struct machine *m = s->p->k->m;
    char path[PATH_LEN];
    _auto_close_ int fd = -1;
    termination_path(s->p, s->c, path);
    _auto_free_ char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    if (m->ops->mkdir_p(m, pod_node(s->p), parent, 0750, e) < 0 ||
        m->ops->open(m, pod_node(s->p), path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666, &fd, e) < 0)
        return -1;
    fchmod(fd, 0666);
    add_mount(s, start_keep(s, xstrdup(path)), jstr_or(s->spec, "terminationMessagePath", "/dev/termination-log"),
              false, false);
    return 0;
}

static int add_files(struct start *s, struct err *e)
{
    static const char *const files[][2] = {
        {"etc-hosts", "/etc/hosts"}, {"hostname", "/etc/hostname"}, {"resolv.conf", "/etc/resolv.conf"}};
    char dir[PATH_LEN];
    pod_dir(s->p, dir);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (!mounts_itself(s, files[i][1]))
            add_mount(s, start_keep(s, xasprintf("%s/%s", dir, files[i][0])), files[i][1], false, false);
    return add_termination_file(s, e);
}

int start_mounts(struct start *s, struct err *e)
{
    if (add_volumes(s, e) < 0 || add_files(s, e) < 0)
        return start_refuse(s, "CreateContainerConfigError");
    return 0;
}

/* volume_plugins.c - the kinds of volumes a node can mount, one row each.
 *
 * DESIGN: a plugin's mount may be called again after it failed half-way, and after it succeeded in an earlier life of
 * the kubelet: it looks before it mounts. Volumes behind a claim have their functions in volume_pv.c, the content of
 * those that the kubelet writes comes from projection.c.
 *
 * THREADS: workers. Source: the plugins below pkg/volume.
 *
 * How to add a volume type: a mount function (and unmount, if it mounts anything) and a row in plugins[]. */
#include "kubeletsim/volumes_int.h"

#include "api/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct machine *machine_of(const struct pod_run *p)
{
    return p->k->m;
}

int unmount_path(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = machine_of(p);
    return m->ops->unmount(m, pod_node(p), v->path, e);
}

/* What lies in it is the pod's alone: it goes too, so that a pod that ended gives back its room. */
static int tear_down(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = machine_of(p);
    return unmount_path(p, v, e) < 0 ? -1 : m->ops->remove_all(m, pod_node(p), v->path, e);
}

/* -- fsGroup -- */

int64_t fs_group_of(const struct pod_run *p)
{
    return jint(pod_tree(p), "spec.securityContext.fsGroup", -1);
}

/* With OnRootMismatch a volume whose root is right is left alone. */
static bool root_matches(struct pod_run *p, const struct volume_run *v, int64_t gid)
{
    struct stat st;
    struct err e = ERR_INIT;
    struct machine *m = machine_of(p);
    if (!str_eq(jstr(pod_tree(p), "spec.securityContext.fsGroupChangePolicy"), "OnRootMismatch") ||
        m->ops->stat(m, pod_node(p), v->path, &st, &e) < 0)
        return false;
    return st.st_gid == (gid_t)gid && (st.st_mode & (S_ISGID | 0770)) == (S_ISGID | 0770);
}

int apply_fs_group(struct pod_run *p, struct volume_run *v, struct err *e)
{
    int64_t gid = fs_group_of(p);
    struct machine *m = machine_of(p);
    if (gid < 0 || v->read_only || v->block || root_matches(p, v, gid))
        return 0;
    return m->ops->chown_tree(m, pod_node(p), v->path, (uint32_t)gid, false, e);
}

/* -- memory -- */

/* What a volume in memory may hold: what the pod's containers may, if each has a limit, else what the node has. */
static int64_t memory_limit(const struct pod_run *p)
{
    int64_t sum = 0, node = node_allocatable(p->k, "memory");
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        int64_t limit = quantity_bytes(jstr(c->spec, "resources.limits.memory"), 0);
        if (c->kind != CONTAINER_REGULAR)
            continue;
        if (limit <= 0)
            return node;
        sum += limit;
    }
    return sum > 0 && sum < node ? sum : node;
}

static int mount_memory(struct pod_run *p, struct volume_run *v, int64_t bytes, struct err *e)
{
    struct machine *m = machine_of(p);
    if (m->ops->is_mounted(m, pod_node(p), v->path))
        return 0;
    return m->ops->tmpfs(m, pod_node(p), v->path, bytes, 01777, e);
}

/* -- emptyDir -- */

static int empty_dir_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = machine_of(p);
    int64_t limit = quantity_bytes(jstr(v->source, "sizeLimit"), 0), memory = memory_limit(p);
    int rc;
    if (str_eq(jstr_or(v->source, "medium", ""), "Memory"))
        rc = mount_memory(p, v, limit > 0 && limit < memory ? limit : memory, e);
    else
        rc = m->ops->mkdir_p(m, pod_node(p), v->path, 0777, e);
    return rc < 0 ? -1 : apply_fs_group(p, v, e);
}

/* -- hostPath -- */

static const struct host_type {
    const char *name;
    mode_t format;      /* S_IFDIR … */
    const char *not_it; /* "is not a directory" */
    bool make;
} host_types[] = {
    {"DirectoryOrCreate", S_IFDIR, "is not a directory", true},
    {"Directory", S_IFDIR, "is not a directory", false},
    {"FileOrCreate", S_IFREG, "is not a file", true},
    {"File", S_IFREG, "is not a file", false},
    {"Socket", S_IFSOCK, "is not a socket file", false},
    {"CharDevice", S_IFCHR, "is not a character device", false},
    {"BlockDevice", S_IFBLK, "is not a block device", false},
};

/* As Go says it: "open /a/b: no such file or directory". */
static int host_path_error(const char *what, const char *path, struct err *e)
{
    _auto_free_ char *why = xstrdup(e->sys_errno ? strerror(e->sys_errno) : e->msg);
    if (e->sys_errno)
        why[0] = (char)tolower((unsigned char)why[0]);
    return err_set(e, e->code, "%s %s: %s", what, path, why);
}

static int make_host_path(struct pod_run *p, const char *path, mode_t format, struct err *e)
{
    struct machine *m = machine_of(p);
    _auto_close_ int fd = -1;
    const bool dir = format == S_IFDIR;
    const int rc = dir ? m->ops->mkdir_p(m, pod_node(p), path, 0755, e)
                       : m->ops->open(m, pod_node(p), path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644, &fd, e);
    return rc < 0 ? host_path_error(dir ? "mkdir" : "open", path, e) : 0;
}

static int host_path_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    const char *type = jstr_or(v->source, "type", "");
    struct stat st;
    struct err absent = ERR_INIT;
    struct machine *m = machine_of(p);
    bool there = m->ops->stat(m, pod_node(p), v->path, &st, &absent) == 0;
    if (!*type) /* no check; the runtime makes a missing source a directory */
        return there ? 0 : make_host_path(p, v->path, S_IFDIR, e);
    for (size_t i = 0; i < ARRAY_LEN(host_types); i++) {
        const struct host_type *t = &host_types[i];
        if (!str_eq(t->name, type))
            continue;
        if (!there && t->make)
            return make_host_path(p, v->path, t->format, e);
        if (!there || (st.st_mode & S_IFMT) != t->format)
            return err_set(e, ERR_INVALID, "hostPath type check failed: %s %s", v->path, t->not_it);
        return 0;
    }
    return err_set(e, ERR_INVALID, "%s is an invalid volume type", type);
}

/* -- configMap, secret, downwardAPI, projected -- */

int write_projected(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct files files = {0};
    struct machine *m = machine_of(p);
    int rc = project_volume(p, v->plugin->key, v->source, &files, e);
    if (rc == 0)
        rc = m->ops->write_volume(m, pod_node(p), v->path, files.items, files.len, fs_group_of(p), NULL, e);
    files_release(&files);
    return rc;
}

static int disk_files_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = machine_of(p);
    return m->ops->mkdir_p(m, pod_node(p), v->path, 0777, e) < 0 ? -1 : write_projected(p, v, e);
}

static int memory_files_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    return mount_memory(p, v, memory_limit(p), e) < 0 ? -1 : write_projected(p, v, e);
}

static const struct volume_plugin plugins[] = {
    {"emptyDir", "kubernetes.io~empty-dir", false, false, empty_dir_mount, tear_down},
    {"hostPath", "kubernetes.io~host-path", false, false, host_path_mount, NULL},
    {"configMap", "kubernetes.io~configmap", true, true, disk_files_mount, tear_down},
    {"secret", "kubernetes.io~secret", true, true, memory_files_mount, tear_down},
    {"downwardAPI", "kubernetes.io~downward-api", true, true, memory_files_mount, tear_down},
    {"projected", "kubernetes.io~projected", true, true, memory_files_mount, tear_down},
    {"nfs", "kubernetes.io~nfs", false, false, nfs_mount, NULL},
    {"local", "kubernetes.io~local-volume", false, false, local_mount, local_unmount},
    {"csi", "kubernetes.io~csi", false, false, csi_mount, csi_unmount},
    {"iscsi", "kubernetes.io~iscsi", false, false, iscsi_mount, NULL},
    {"fc", "kubernetes.io~fc", false, false, fc_mount, NULL},
    {"gitRepo", "kubernetes.io~git-repo", false, false, git_mount, NULL},
};

int volume_pick(struct volume_run *v, const json_t *spec, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
        const json_t *source = json_object_get(spec, plugins[i].key);
        if (!source)
            continue;
        v->plugin = &plugins[i];
        v->source = json_deep_copy(source);
        v->read_only = v->read_only || plugins[i].read_only || jbool(source, "readOnly", false);
        return 0;
    }
    return err_set(e, ERR_UNSUPPORTED,
                   "failed to get Plugin from volumeSpec for volume \"%s\" err=no volume plugin matched", v->spec_name);
}

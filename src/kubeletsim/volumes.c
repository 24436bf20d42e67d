/* volumes.c - a pod's volumes: from its spec to directories on the node, and back to nothing.
 *
 * DESIGN: volumes_plan() (loop thread, no blocking) resolves each volume that a container uses into a struct
 * volume_run: which plugin, which source, which path; claims are followed to their volume and, if the driver needs it,
 * to its attachment. The mount, refresh and unmount jobs (workers) then run the plugin of each. A plugin is a row in
 * plugins[]; volume types that are files written by the kubelet share projection.c, volumes behind a claim live in
 * volume_pv.c.
 *
 * INVARIANTS: a volume is mounted once per pod; a disk is staged once per node, however many pods use it (k->staged
 * counts). Unmounting runs the list backwards and never removes anything through a mount.
 *
 * How to add a volume type: a mount function (and unmount, if it mounts anything) and a row in plugins[]. */
#include "kubeletsim/volumes_int.h"

#include "api/quantity.h"
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct machine *machine_of(const struct pod_run *p)
{
    return p->k->m;
}

/* -- emptyDir -- */

static int64_t memory_limit(const struct pod_run *p, const struct volume_run *v)
{
    int64_t limit = quantity_bytes(jstr(v->source, "sizeLimit"), 0), node = p->k->info.memory_bytes;
    return limit > 0 && limit < node ? limit : node;
}

static int empty_dir_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = machine_of(p);
    if (str_eq(jstr_or(v->source, "medium", ""), "Memory"))
        return m->ops->tmpfs(m, pod_node(p), v->path, memory_limit(p, v), 01777, e);
    return m->ops->mkdir_p(m, pod_node(p), v->path, 0777, e);
}

static void unmount_path(struct pod_run *p, struct volume_run *v)
{
    struct err e = ERR_INIT;
    struct machine *m = machine_of(p);
    m->ops->unmount(m, pod_node(p), v->path, &e);
}

/* -- hostPath -- */

struct host_type {
    const char *name;
    mode_t format;      /* S_IFDIR … */
    const char *not_it; /* "is not a directory" */
    bool make;
};
static const struct host_type host_types[] = {
    {"DirectoryOrCreate", S_IFDIR, "is not a directory", true},
    {"Directory", S_IFDIR, "is not a directory", false},
    {"FileOrCreate", S_IFREG, "is not a file", true},
    {"File", S_IFREG, "is not a file", false},
    {"Socket", S_IFSOCK, "is not a socket file", false},
    {"CharDevice", S_IFCHR, "is not a character device", false},
    {"BlockDevice", S_IFBLK, "is not a block device", false},
};

static int make_host_path(struct pod_run *p, const char *path, mode_t format, struct err *e)
{
    struct machine *m = machine_of(p);
    if (format == S_IFDIR)
        return m->ops->mkdir_p(m, pod_node(p), path, 0755, e);
    _auto_close_ int fd = -1;
    return m->ops->open(m, pod_node(p), path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644, &fd, e);
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

static int64_t fs_group(const struct pod_run *p)
{
    return jint(pod_tree(p), "spec.securityContext.fsGroup", -1);
}

static int write_files(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct files files = {0};
    struct machine *m = machine_of(p);
    int rc = project_volume(p, v->plugin->key, v->source, &files, e);
    if (rc == 0)
        rc = m->ops->write_volume(m, pod_node(p), v->path, files.items, files.len, fs_group(p), NULL, e);
    files_release(&files);
    return rc;
}

static int config_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = machine_of(p);
    if (m->ops->mkdir_p(m, pod_node(p), v->path, 0777, e) < 0)
        return -1;
    return write_files(p, v, e);
}

static int memory_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    struct machine *m = machine_of(p);
    if (!m->ops->is_mounted(m, pod_node(p), v->path) &&
        m->ops->tmpfs(m, pod_node(p), v->path, p->k->info.memory_bytes, 01777, e) < 0)
        return -1;
    return write_files(p, v, e);
}

/* -- what this node cannot mount -- */

static int no_plugin(struct pod_run *p, struct volume_run *v, struct err *e)
{
    (void)p;
    return err_set(e, ERR_UNSUPPORTED, "no volume plugin matched: %s", v->plugin->key);
}

static int nfs_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    (void)p;
    const char *server = jstr_or(v->source, "server", ""), *path = jstr_or(v->source, "path", "");
    return err_set(
        e, ERR_UNSUPPORTED,
        "mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs %s:%s %s\nOutput: "
        "mount: %s: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> "
        "helper program.\n",
        server, path, v->path, v->path);
}

static const struct volume_plugin plugins[] = {
    {"emptyDir", "kubernetes.io~empty-dir", false, false, empty_dir_mount, unmount_path},
    {"hostPath", "kubernetes.io~host-path", false, false, host_path_mount, NULL},
    {"configMap", "kubernetes.io~configmap", true, true, config_mount, NULL},
    {"secret", "kubernetes.io~secret", true, true, memory_mount, unmount_path},
    {"downwardAPI", "kubernetes.io~downward-api", true, true, memory_mount, unmount_path},
    {"projected", "kubernetes.io~projected", true, true, memory_mount, unmount_path},
    {"nfs", "kubernetes.io~nfs", false, false, nfs_mount, NULL},
    {"local", "kubernetes.io~local-volume", false, false, local_mount, unmount_path},
    {"csi", "kubernetes.io~csi", false, false, csi_mount, csi_unmount},
    {"iscsi", "kubernetes.io~iscsi", false, false, no_plugin, NULL},
    {"fc", "kubernetes.io~fc", false, false, no_plugin, NULL},
    {"glusterfs", "kubernetes.io~glusterfs", false, false, no_plugin, NULL},
    {"cephfs", "kubernetes.io~cephfs", false, false, no_plugin, NULL},
    {"rbd", "kubernetes.io~rbd", false, false, no_plugin, NULL},
    {"gitRepo", "kubernetes.io~git-repo", false, false, no_plugin, NULL},
    {"portworxVolume", "kubernetes.io~portworx-volume", false, false, no_plugin, NULL},
};

/* Picks the plugin whose key is a member of `spec` and takes a copy of that member. */
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
    return err_set(e, ERR_UNSUPPORTED, "no volume plugin matched");
}

/* -- planning -- */

static bool used_in(const json_t *containers, const char *name, bool *out_device)
{
    size_t i, j;
    const json_t *c, *m;
    bool used = false;
    json_array_foreach(containers, i, c)
    {
        json_array_foreach(json_object_get(c, "volumeMounts"), j, m)
        {
            used = used || str_eq(jstr(m, "name"), name);
        }
        json_array_foreach(json_object_get(c, "volumeDevices"), j, m)
        {
            if (str_eq(jstr(m, "name"), name))
                used = *out_device = true;
        }
    }
    return used;
}

static void volume_path(const struct pod_run *p, struct volume_run *v)
{
    char dir[PATH_LEN];
    if (str_eq(v->plugin->key, "hostPath")) {
        snprintf(v->path, sizeof v->path, "%s", jstr_or(v->source, "path", "/"));
        return;
    }
    pod_dir(p, dir);
    const char *tail = str_eq(v->plugin->key, "csi") ? "/mount" : "";
    if (v->block)
        snprintf(v->path, sizeof v->path, "%.600s/volumeDevices/%s/%.200s", dir, v->plugin->dir, v->spec_name);
    else
        snprintf(v->path, sizeof v->path, "%.600s/volumes/%s/%.200s%s", dir, v->plugin->dir, v->spec_name, tail);
}

static void volume_clear(struct volume_run *v)
{
    free(v->name);
    free(v->spec_name);
    free(v->unique);
    json_decref(v->source);
    json_decref(v->pv);
    *v = (struct volume_run){0};
}

void volumes_release(struct pod_run *p)
{
    for (size_t i = 0; i < p->volume_count; i++)
        volume_clear(&p->volumes[i]);
    free(p->volumes);
    p->volumes = NULL;
    p->volume_count = 0;
}

const struct volume_run *volume_by_name(const struct pod_run *p, const char *name)
{
    for (size_t i = 0; i < p->volume_count; i++)
        if (str_eq(p->volumes[i].name, name))
            return &p->volumes[i];
    return NULL;
}

/* 0: resolved; 1: an attachment is awaited; -1: cannot be (cause in e). */
static int plan_one(struct pod_run *p, const json_t *spec, struct volume_run *v, struct err *e)
{
    const json_t *claim = json_object_get(spec, "persistentVolumeClaim");
    int rc = 0;
    if (claim) {
        v->read_only = jbool(claim, "readOnly", false);
        rc = claim_plan(p, jstr_or(claim, "claimName", ""), v, e);
    } else if (json_object_get(spec, "ephemeral")) {
        _auto_free_ char *name = xasprintf("%s-%s", p->name, v->name);
        rc = claim_plan(p, name, v, e);
    } else if (json_object_get(spec, "awsElasticBlockStore")) {
        rc = inline_ebs_plan(p, json_object_get(spec, "awsElasticBlockStore"), v, e);
    } else {
        v->spec_name = xstrdup(v->name);
        rc = volume_pick(v, spec, e);
    }
    if (rc >= 0)
        volume_path(p, v);
    return rc;
}

struct plan {
    struct buf unmounted, unattached, failed, causes;
    bool waiting;
};

static void plan_release(struct plan *plan)
{
    buf_release(&plan->unmounted);
    buf_release(&plan->unattached);
    buf_release(&plan->failed);
    buf_release(&plan->causes);
}

static void add_word(struct buf *b, const char *sep, const char *word)
{
    buf_addf(b, "%s%s", b->len ? sep : "", word);
}

static void plan_volume(struct pod_run *p, const json_t *spec, struct volume_run *v, struct plan *plan)
{
    struct err cause = ERR_INIT;
    int rc = plan_one(p, spec, v, &cause);
    if (!v->spec_name)
        v->spec_name = xstrdup(v->name);
    add_word(&plan->unmounted, " ", v->name);
    if (rc < 0) {
        add_word(&plan->failed, " ", v->name);
        add_word(&plan->causes, "; ", cause.msg);
    } else if (rc > 0) {
        plan->waiting = true;
    }
    if (v->unique && !v->device[0])
        add_word(&plan->unattached, " ", v->name);
}

int volumes_plan(struct pod_run *p, struct err *e)
{
    const json_t *list = jat(pod_tree(p), "spec.volumes"), *spec;
    size_t i;
    volumes_release(p);
    p->volumes = xcalloc(json_array_size(list), sizeof *p->volumes);
    __attribute__((cleanup(plan_release))) struct plan plan = {0};
    json_array_foreach(list, i, spec)
    {
        const char *name = jstr_or(spec, "name", "");
        bool device = false;
        bool used = used_in(jat(pod_tree(p), "spec.initContainers"), name, &device);
        if (!used_in(jat(pod_tree(p), "spec.containers"), name, &device) && !used)
            continue;
        struct volume_run *v = &p->volumes[p->volume_count++];
        v->name = xstrdup(name);
        v->block = device;
        plan_volume(p, spec, v, &plan);
    }
    if (plan.causes.len > 0)
        return err_set(e, ERR_NOT_FOUND,
                       "Unable to attach or mount volumes: unmounted volumes=[%s], unattached volumes=[%s], failed to "
                       "process volumes=[%s]: %s",
                       buf_str(&plan.unmounted), buf_str(&plan.unattached), buf_str(&plan.failed),
                       buf_str(&plan.causes));
    return plan.waiting ? 1 : 0;
}

/* -- jobs -- */

void volumes_mount(struct job *j)
{
    struct pod_run *p = j->pod;
    for (size_t i = 0; i < p->volume_count; i++) {
        struct volume_run *v = &p->volumes[i];
        if (v->mounted)
            continue;
        snprintf(j->reason, sizeof j->reason, "%s",
                 v->block ? "MapVolume.SetUpDevice failed" : "MountVolume.SetUp failed");
        if (v->plugin->mount(p, v, &j->err) < 0) {
            if (v->driver && !v->staged && !v->block)
                snprintf(j->reason, sizeof j->reason, "MountVolume.MountDevice failed");
            j->ok = false;
            j->volume = v;
            return;
        }
        v->mounted = true;
    }
}

void volumes_refresh(struct job *j)
{
    struct pod_run *p = j->pod;
    for (size_t i = 0; i < p->volume_count; i++) {
        struct err e = ERR_INIT;
        if (p->volumes[i].mounted && p->volumes[i].plugin->projected)
            write_files(p, &p->volumes[i], &e); /* a vanished object leaves the last content, as in reality */
    }
}

void volumes_unmount(struct job *j)
{
    struct pod_run *p = j->pod;
    for (size_t i = p->volume_count; i-- > 0;) {
        struct volume_run *v = &p->volumes[i];
        if (v->plugin && v->plugin->unmount && (v->mounted || v->staged))
            v->plugin->unmount(p, v);
        v->mounted = false;
    }
}

/* glass.c - see glass.h.
 *
 * DESIGN: objects say what should be; every number comes from the kernel. The pod's directory is found in the mount
 * table of its node (/proc/1/mountinfo there), which names the device by its numbers; /sys/dev/block/<numbers> names
 * the loop device, its size and the file behind it; statfs on the node gives the filesystem's use, stat of the file its
 * length and its real blocks. One way for every kind of volume that lies on a block device; what has none (tmpfs, nfs)
 * ends at the filesystem. A simulated machine has no mount table: then only what it remembers is shown.
 *
 * THREADS: the control socket's; the objects are frozen, the machine may be asked from any thread. */
#include "app/glass.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/objects.h"
#include "volume/volume.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct look {
    struct cluster *c;
    struct machine *m;
    struct registry *r;
    struct sobj *claim, *pv; /* owned; may be NULL */
    char disk[CLOUD_ID_LEN]; /* "" if it is no disk of the cloud */
    json_t *out;
};

/* -- what is meant -- */

static void pv_by_handle(struct look *l)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, l->r, RES.persistentvolumes->bucket, NULL);
    for (size_t i = 0; i < all.len && !l->pv; i++)
        if (pv_is_on_disk(all.trees[i], l->disk))
            l->pv = sobj_ref(all.items[i]);
}

static void claim_of_pv(struct look *l)
{
    const char *name = l->pv ? jstr(l->pv->tree, "spec.claimRef.name") : NULL;
    if (name && !l->claim)
        l->claim =
            reg_read(l->r, RES.persistentvolumeclaims, jstr_or(l->pv->tree, "spec.claimRef.namespace", ""), name);
    if (l->claim && l->pv && !pv_is_for_claim(l->pv->tree, l->claim->tree)) {
        sobj_unref(l->claim);
        l->claim = NULL;
    }
}

static int find_what(struct look *l, const char *what, const char *ns, struct err *e)
{
    const char *slash = strchr(what, '/'), *name = slash ? slash + 1 : what;
    if (str_starts(what, "pvc/") || str_starts(what, "persistentvolumeclaim/")) {
        l->claim = reg_read(l->r, RES.persistentvolumeclaims, ns, name);
        if (!l->claim)
            return err_set(e, ERR_NOT_FOUND, "persistentvolumeclaims \"%s\" not found in namespace %s", name, ns);
        const char *pv = jstr(l->claim->tree, "spec.volumeName");
        l->pv = str_empty(pv) ? NULL : reg_read(l->r, RES.persistentvolumes, "", pv);
    } else if (str_starts(what, "pv/") || str_starts(what, "persistentvolume/")) {
        l->pv = reg_read(l->r, RES.persistentvolumes, "", name);
        if (!l->pv)
            return err_set(e, ERR_NOT_FOUND, "persistentvolumes \"%s\" not found", name);
        claim_of_pv(l);
    } else {
        snprintf(l->disk, sizeof l->disk, "%s", what);
        pv_by_handle(l);
        claim_of_pv(l);
        return 0;
    }
    char buf[VOLUME_HANDLE_LEN];
    const char *handle = l->pv ? pv_handle(l->pv->tree, buf) : NULL;
    snprintf(l->disk, sizeof l->disk, "%s", handle ? handle : "");
    return 0;
}

/* -- the kernel's words -- */

static bool read_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(out, (int)size, f);
    if (f)
        fclose(f);
    if (ok)
        out[strcspn(out, "\n")] = '\0';
    return ok;
}

static char *node_text(struct look *l, const char *node, const char *path)
{
    struct err none = ERR_INIT;
    _auto_close_ int fd = -1;
    if (l->m->ops->open(l->m, node, path, O_RDONLY | O_CLOEXEC, 0, &fd, &none) < 0)
        return NULL;
    struct buf text = BUF_INIT;
    for (ssize_t n; (n = read(fd, buf_reserve(&text, 65536), 65536)) > 0;)
        text.len += (size_t)n;
    buf_addc(&text, '\0');
    return buf_steal(&text, NULL);
}

/* mountinfo writes a blank as \040. In place. */
static void unescape(char *s)
{
    char *to = s;
    for (; *s; s++) {
        unsigned c;
        if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
            *to++ = (char)c;
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

/* One line of mountinfo: "36 35 98:0 /root /target rw,noatime shared:1 - ext4 /dev/root rw,errors=continue". */
struct mount_line {
    char numbers[24], root[1024], target[1024], options[256], fstype[64], source[1024];
};

static bool parse_mount(const char *line, struct mount_line *out)
{
    const char *tail = strstr(line, " - ");
    if (!tail ||
        sscanf(line, "%*s %*s %23s %1023s %1023s %255s", out->numbers, out->root, out->target, out->options) != 4 ||
        sscanf(tail + 3, "%63s %1023s", out->fstype, out->source) != 2)
        return false;
    unescape(out->target);
    unescape(out->root);
    unescape(out->source);
    return true;
}

/* The mount that holds `path`: the longest target above it, the last of equals. */
static bool mount_holding(char *table, const char *path, struct mount_line *out)
{
    size_t best = 0;
    bool found = false;
    char *save = NULL;
    for (char *line = strtok_r(table, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct mount_line m;
        if (!parse_mount(line, &m))
            continue;
        size_t n = strlen(m.target);
        bool above = str_eq(m.target, "/") || (strncmp(path, m.target, n) == 0 && (!path[n] || path[n] == '/'));
        if (above && n >= best) {
            best = n;
            *out = m;
            found = true;
        }
    }
    return found;
}

static json_t *file_layer(const char *path)
{
    struct stat st;
    struct statvfs host;
    if (stat(path, &st) < 0)
        return NULL;
    json_t *f = json_pack("{s:s, s:I, s:I, s:I}", "path", path, "bytes", (json_int_t)st.st_size, "used",
                          (json_int_t)st.st_blocks * 512, "inode", (json_int_t)st.st_ino);
    if (statvfs(path, &host) == 0) {
        jset_int(f, "host.bytes", (int64_t)host.f_blocks * (int64_t)host.f_frsize);
        jset_int(f, "host.available", (int64_t)host.f_bavail * (int64_t)host.f_frsize);
    }
    return f;
}

/* "7:12" -> the loop device and the file behind it; NULL if it is no block device. */
static json_t *device_layer(const char *numbers)
{
    char path[128], link[256], text[4096];
    snprintf(path, sizeof path, "/sys/dev/block/%s", numbers);
    ssize_t n = readlink(path, link, sizeof link - 1);
    if (n < 0)
        return NULL;
    link[n] = '\0';
    const char *slash = strrchr(link, '/');
    json_t *d = json_pack("{s:o, s:s}", "loop", json_sprintf("/dev/%s", slash ? slash + 1 : link), "numbers", numbers);
    int64_t value;
    snprintf(path, sizeof path, "/sys/dev/block/%s/size", numbers);
    if (read_line(path, text, sizeof text) && str_to_i64(text, &value))
        jset_int(d, "bytes", value * 512);
    snprintf(path, sizeof path, "/sys/dev/block/%s/ro", numbers);
    if (read_line(path, text, sizeof text))
        jset_bool(d, "readOnly", str_eq(text, "1"));
    snprintf(path, sizeof path, "/sys/dev/block/%s/loop/backing_file", numbers);
    if (read_line(path, text, sizeof text))
        jset_str(d, "backingFile", text);
    return d;
}

static void put_filesystem(struct look *l, json_t *pod, const char *node, const char *path)
{
    struct fs_stat st;
    struct err none = ERR_INIT;
    if (l->m->ops->fs_stat(l->m, node, path, &st, &none) < 0)
        return;
    jset(pod, "filesystem",
         json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "type", st.fstype, "bytes", (json_int_t)st.bytes, "used",
                   (json_int_t)(st.bytes - st.bytes_free), "available", (json_int_t)st.bytes_avail, "inodes",
                   (json_int_t)st.inodes, "inodesUsed", (json_int_t)(st.inodes - st.inodes_free)));
}

/* `own`: the path is a mount of its own once it is there, else it is a directory of some filesystem. */
static void put_mount(struct look *l, json_t *pod, const char *node, const char *path, bool own)
{
    struct mount_line m;
    _auto_free_ char *table = node_text(l, node, "/proc/1/mountinfo");
    if (!table || !mount_holding(table, path, &m) || (own && !str_eq(m.target, path)))
        return;
    jset(pod, "mount",
         json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "path", path, "mountedAt", m.target, "root", m.root, "source",
                   m.source, "fstype", m.fstype, "options", m.options));
    put_filesystem(l, pod, node, path);
    json_t *device = device_layer(m.numbers);
    if (!device)
        return;
    jset_str(device, "name", m.source);
    jset(pod, "device", device);
    const char *backing = jstr(device, "backingFile");
    json_t *file = backing && !json_object_get(l->out, "file") ? file_layer(backing) : NULL;
    if (file)
        json_object_set_new(l->out, "file", file);
}

/* -- pods -- */

static const json_t *volume_of_pod(const json_t *pod, const char *claim, const char *disk)
{
    size_t i;
    const json_t *v;
    json_array_foreach(jat(pod, "spec.volumes"), i, v)
    {
        char name[512];
        pod_volume_claim(pod, v, name, sizeof name);
        const char *id = jstr(v, "awsElasticBlockStore.volumeID");
        const char *slash = id ? strrchr(id, '/') : NULL;
        if ((claim && str_eq(name, claim)) || (id && *disk && str_eq(slash ? slash + 1 : id, disk)))
            return v;
    }
    return NULL;
}

static json_t *containers_with(const json_t *pod, const char *volume)
{
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    json_t *out = json_array();
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        size_t i, n;
        const json_t *c, *m;
        json_array_foreach(jat(pod, lists[k]), i, c)
        {
            json_array_foreach(json_object_get(c, "volumeMounts"), n, m)
            {
                if (str_eq(jstr(m, "name"), volume))
                    json_array_append_new(out,
                                          json_pack("{s:s, s:s, s:s, s:b}", "name", jstr_or(c, "name", ""), "path",
                                                    jstr_or(m, "mountPath", ""), "subPath", jstr_or(m, "subPath", ""),
                                                    "readOnly", jbool(m, "readOnly", false)));
            }
            json_array_foreach(json_object_get(c, "volumeDevices"), n, m)
            {
                if (str_eq(jstr(m, "name"), volume))
                    json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "name", jstr_or(c, "name", ""), "path",
                                                         jstr_or(m, "devicePath", ""), "device", 1));
            }
        }
    }
    return out;
}

/* Where the kubelet puts it; "" if there is no such directory. */
static void directory_of(const struct look *l, const struct sobj *pod, const json_t *volume, char *out, size_t size)
{
    static const struct {
        const char *member, *plugin;
    } plugins[] = {{"local", "kubernetes.io~local-volume"}, {"nfs", "kubernetes.io~nfs"}};
    const json_t *spec = l->pv ? jat(l->pv->tree, "spec") : NULL;
    const char *uid = obj_uid(pod->tree), *path = jstr(spec, "hostPath.path");
    out[0] = '\0';
    if (path) {
        snprintf(out, size, "%s", path);
    } else if (*l->disk) {
        char inline_name[300];
        snprintf(inline_name, sizeof inline_name, "ebs.csi.aws.com-%s", l->disk);
        const char *name = json_object_get(volume, "awsElasticBlockStore") ? inline_name : l->pv ? l->pv->name : "";
        snprintf(out, size, "/var/lib/kubelet/pods/%s/volumes/kubernetes.io~csi/%s/mount", uid, name);
    }
    for (size_t i = 0; i < ARRAY_LEN(plugins) && !*out; i++)
        if (json_object_get(spec, plugins[i].member))
            snprintf(out, size, "/var/lib/kubelet/pods/%s/volumes/%s/%s", uid, plugins[i].plugin, l->pv->name);
}

static void add_pod(struct look *l, json_t *pods, const struct sobj *pod, const json_t *volume)
{
    const char *node = jstr_or(pod->tree, "spec.nodeName", "");
    char dir[1024];
    json_t *p = json_pack("{s:s, s:s, s:s, s:s, s:o}", "namespace", pod->ns, "name", pod->name, "node", node, "phase",
                          jstr_or(pod->tree, "status.phase", ""), "containers",
                          containers_with(pod->tree, jstr_or(volume, "name", "")));
    json_array_append_new(pods, p);
    directory_of(l, pod, volume, dir, sizeof dir);
    if (*node && *dir)
        put_mount(l, p, node, dir, str_starts(dir, "/var/lib/kubelet/"));
}

static void put_pods(struct look *l)
{
    _auto_objlist_ struct objlist all = {0};
    json_t *pods = json_array();
    objlist_load(&all, l->r, RES.pods->bucket, NULL);
    for (size_t i = 0; i < all.len; i++) {
        bool same_ns = l->claim && str_eq(all.items[i]->ns, l->claim->ns);
        const json_t *volume = volume_of_pod(all.trees[i], same_ns ? l->claim->name : NULL, l->disk);
        if (volume && !pod_terminal(all.trees[i]))
            add_pod(l, pods, all.items[i], volume);
    }
    json_object_set_new(l->out, "pods", pods);
}

/* -- the rest -- */

static void put_objects(struct look *l)
{
    if (l->claim)
        jset(l->out, "claim",
             json_pack("{s:s, s:s, s:s, s:s, s:s}", "namespace", l->claim->ns, "name", l->claim->name, "phase",
                       jstr_or(l->claim->tree, "status.phase", ""), "asked",
                       jstr_or(l->claim->tree, "spec.resources.requests.storage", ""), "capacity",
                       jstr_or(l->claim->tree, "status.capacity.storage", "")));
    if (!l->pv)
        return;
    char buf[VOLUME_HANDLE_LEN];
    const json_t *pv = l->pv->tree;
    const char *handle = pv_handle(pv, buf);
    jset(l->out, "volume",
         json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", l->pv->name, "phase", jstr_or(pv, "status.phase", ""),
                   "capacity", jstr_or(pv, "spec.capacity.storage", ""), "driver", pv_driver(pv) ? pv_driver(pv) : "",
                   "handle", handle ? handle : ""));
    if (jstr(pv, "spec.hostPath.path"))
        jset_str(l->out, "volume.path", jstr(pv, "spec.hostPath.path"));
    if (jstr(pv, "spec.local.path"))
        jset_str(l->out, "volume.path", jstr(pv, "spec.local.path"));
}

/* A disk that nobody has mounted is still plugged in, or at least a file. */
static void put_disk(struct look *l)
{
    struct err none = ERR_INIT;
    struct disk_info info;
    char backing[CLOUD_ID_LEN + 16];
    _auto_disk_ struct cloud_disk d = {0};
    if (!*l->disk || cloud_disk_get(cluster_cloud(l->c), l->disk, &d, &none) < 0)
        return;
    jset(l->out, "disk", cloud_disk_json(&d));
    cloud_disk_backing(&d, backing);
    if (l->m->ops->disk_info(l->m, backing, &info, &none) < 0)
        return;
    if (info.node[0])
        jset(l->out, "attached",
             json_pack("{s:s, s:s, s:s}", "node", info.node, "device", info.device, "loop", info.loop));
    if (!json_object_get(l->out, "file"))
        jset(l->out, "file",
             json_pack("{s:s, s:I, s:I}", "path", "", "bytes", (json_int_t)info.bytes, "used", (json_int_t)info.used));
    _auto_free_ char *path = xasprintf("%s/disks/%s.img", cluster_data_dir(l->c), backing);
    json_t *file = str_empty(jstr(l->out, "file.path")) ? file_layer(path) : NULL;
    if (file)
        json_object_set_new(l->out, "file", file);
}

int glass_look(struct cluster *c, const char *what, const char *ns, json_t **out, struct err *e)
{
    struct look l = {.c = c, .m = cluster_machine(c), .r = cluster_registry(c), .out = json_object()};
    int rc = find_what(&l, what, ns, e);
    if (rc == 0) {
        put_objects(&l);
        put_pods(&l);
        put_disk(&l);
        if (!l.pv && !l.claim && !json_object_get(l.out, "disk"))
            rc = err_set(e, ERR_NOT_FOUND,
                         "no disk \"%s\" (`stowage disk ls` lists them; say pvc/NAME or pv/NAME for objects)", what);
    }
    if (rc == 0)
        *out = json_incref(l.out);
    json_decref(l.out);
    sobj_unref(l.claim);
    sobj_unref(l.pv);
    return rc;
}

/* driver.c - what the drivers share: results, node affinity, class parameters. THREADS: pure. */
#include "csi/driver_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "csi/cloud.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void csi_volume_release(struct csi_volume *v)
{
    json_decref(v->source);
    json_decref(v->node_affinity);
    json_decref(v->labels);
    json_decref(v->annotations);
    *v = (struct csi_volume){0};
}

json_t *csi_affinity(const char *key, const char *value)
{
    return json_pack("{s:{s:[{s:[{s:s, s:s, s:[s]}]}]}}", "required", "nodeSelectorTerms", "matchExpressions", "key",
                     key, "operator", "In", "values", value);
}

const char *csi_parameter(const json_t *parameters, const char *key)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)parameters, name, value)
    {
        if (strcasecmp(name, key) == 0)
            return json_string_value(value);
    }
    return NULL;
}

int64_t csi_gib(int64_t bytes)
{
    return (bytes >> 30) + (bytes % (INT64_C(1) << 30) > 0);
}

struct csi_grown csi_grown_disk(int64_t had, int64_t wanted)
{
    return (struct csi_grown){.bytes = (had > wanted ? had : wanted) << 30, .on_node = true};
}

const char *csi_fstype(const struct csi_create *req)
{
    const char *fstype = str_empty(req->fstype) ? csi_parameter(req->parameters, "fsType") : req->fstype;
    return str_empty(fstype) ? "ext4" : fstype;
}

bool csi_wants_ext4(const struct csi_create *req)
{
    return !str_eq(req->volume_mode, "Block") && str_eq(csi_fstype(req), "ext4");
}

char *csi_mount_options(const json_t *pv)
{
    struct buf text = BUF_INIT;
    size_t i;
    json_t *option;
    json_array_foreach(jat(pv, "spec.mountOptions"), i, option)
    {
        if (i)
            buf_addc(&text, ',');
        buf_adds(&text, json_string_value(option));
    }
    return buf_steal(&text, NULL);
}

/* What comes from `fd` until its end; text keeps the beginning. */
static size_t drain(int fd, char *text, size_t size)
{
    size_t len = 0;
    char rest[256];
    for (;;) {
        bool room = len < size;
        ssize_t n = room ? read(fd, text + len, size - len) : read(fd, rest, sizeof rest);
        if (n <= 0)
            return len;
        if (room)
            len += (size_t)n;
    }
}

int csi_run_on_node(struct machine *m, const char *node, const char *const *argv, struct err *e)
{
    struct stream_fds fds = {-1, -1, -1, -1};
    static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    const struct exec_spec spec = {.node = node, .id = "", .argv = argv, .env = env, .cwd = "/"};
    char said[400], end[256];
    if (m->ops->exec(m, &spec, &fds, e) < 0) {
        if (e->code != ERR_UNSUPPORTED)
            return -1;
        err_clear(e);
        return 0;
    }
    size_t words = drain(fds.err, said, sizeof said - 1), len = drain(fds.exit_fd, end, sizeof end);
    const int all[] = {fds.in, fds.out, fds.err, fds.exit_fd};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] >= 0)
            close(all[i]);
    int32_t code = -1;
    if (len >= sizeof code)
        memcpy(&code, end, sizeof code);
    while (words && said[words - 1] == '\n')
        words--;
    return code == 0 ? 0 : err_set(e, ERR_SYS, "%s: exit status %d: %.*s", argv[0], (int)code, (int)words, said);
}

int csi_unstage(const struct csi_driver *d _unused_, struct machine *m, const char *node, const char *target,
                struct err *e)
{
    return m->ops->unmount(m, node, target, e);
}

int csi_locate_disk(struct machine *m, const char *disk, const char *node, char *device, size_t size, struct err *e)
{
    struct disk_info info;
    if (m->ops->disk_info(m, disk, &info, e) < 0)
        return -1;
    if (!info.node[0])
        return err_set(e, ERR_CONFLICT, "disk %s is not attached to node \"%s\" yet", disk, node);
    if (str_eq(info.node, node))
        snprintf(device, size, "%s", info.device);
    return 0;
}

/* -- installation -- */

json_t *csi_driver_object(const struct csi_driver *d)
{
    json_t *object =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:b, s:b, s:s}}", "apiVersion", "storage.k8s.io/v1", "kind", "CSIDriver",
                  "metadata", "name", d->name, "spec", "attachRequired", d->attach_required, "podInfoOnMount",
                  d->pod_info, "fsGroupPolicy", d->keeps_owners ? "ReadWriteOnceWithFSType" : "File");
    if (d->inlines)
        jset(object, "spec.volumeLifecycleModes", json_pack("[ss]", "Persistent", "Ephemeral"));
    return object;
}

/* Amazon's know instances, the others names. */
void csi_node_id(const struct csi_driver *d, const char *node, char out[64])
{
    char instance[24];
    cloud_instance_id(node, instance);
    snprintf(out, 64, "%s", str_ends(d->name, ".csi.aws.com") ? instance : node);
}

const char *csi_topology_value(const struct csi_driver *d, const json_t *node)
{
    const char *zone = jmap(node, "metadata.labels", "topology.kubernetes.io/zone");
    return str_ends(d->topology_key, "/zone") && zone ? zone : jstr_or(node, "metadata.name", "");
}

json_t *csi_node_driver(const struct csi_driver *d, const json_t *node)
{
    char id[64];
    csi_node_id(d, jstr_or(node, "metadata.name", ""), id);
    json_t *row = json_pack("{s:s, s:s}", "name", d->name, "nodeID", id);
    if (str_eq(d->name, csi_ebs.name)) /* the one that also tells what others wrote on the node */
        jset(row, "topologyKeys",
             json_pack("[s, s, s]", "kubernetes.io/os", d->topology_key, "topology.kubernetes.io/zone"));
    else
        jset(row, "topologyKeys", d->topology_key ? json_pack("[s]", d->topology_key) : json_null());
    if (d->attach_limit > 0)
        jset_int(row, "allocatable.count", d->attach_limit);
    return row;
}

/* client_ops.c - the machine's operations as requests to the helper or to a node. Each is: pack, call, unpack.
 * THREADS: safe from any thread. The other side of each is in helper*.c or in the node_*.c that ops_int.h's row names.
 */
#include "sys/client_int.h"
#include "sys/probe_int.h"
#include "sys/spec_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUSY_WAIT_MS 5000

static void op_info(struct machine *m, struct machine_info *out)
{
    *out = real_of(m)->info;
}

/* ---- nodes ---- */

/* Asks the helper for a node; *out_fd is its channel. A node that just died may not be reaped yet. */
static int node_spawn(struct machine *m, const struct node_spec *spec, int *out_fd, struct err *e)
{
    for (int waited = 0;; waited += 5) {
        _auto_call_ struct call c = CALL_INIT;
        wire_str(&c.body, spec->name);
        wire_u32(&c.body, (uint32_t)spec->index);
        wire_i64(&c.body, spec->nodefs_bytes);
        if (call_do(m, "", OP_NODE_START, &c, e) == 0) {
            *out_fd = msg_take_fd(&c.reply, 0);
            return *out_fd >= 0 ? 0 : err_set(e, ERR_INTERNAL, "node \"%s\" has no channel", spec->name);
        }
        if (e->code != ERR_ALREADY_EXISTS || link_find(real_of(m), spec->name) || waited >= BUSY_WAIT_MS)
            return -1;
        nanosleep(&(struct timespec){0, 5 * 1000 * 1000}, NULL);
        err_clear(e);
    }
}

static int op_node_start(struct machine *m, const struct node_spec *spec, struct err *e)
{
    _auto_msg_ struct msg hello = MSG_INIT;
    _auto_call_ struct call ready = CALL_INIT;
    struct err answer = ERR_INIT;
    int fd = -1;
    if (node_spawn(m, spec, &fd, e) < 0)
        return -1;
    /* The hello is read here, before the reader thread knows the channel. */
    if (chan_recv(fd, &hello) == 1) {
        struct wire_in in = wire_reader(hello.body.data, hello.body.len);
        wire_get_err(&in, &answer);
    } else {
        err_set(&answer, ERR_UNAVAILABLE, "it ended while it started");
    }
    if (answer.code != ERR_OK) {
        close(fd);
        *e = answer;
        return err_wrap(e, "start node \"%s\"", spec->name);
    }
    link_add(real_of(m), spec->name, fd);
    wire_str(&ready.body, spec->name);
    return call_do(m, "", OP_NODE_READY, &ready, e);
}

static int node_end(struct machine *m, const char *node, bool abandon, struct err *e)
{
    struct real *r = real_of(m);
    _auto_call_ struct call c = CALL_INIT;
    pthread_mutex_lock(&r->mu);
    for (struct link *l = r->links; l; l = l->next)
        if (str_eq(l->node, node))
            l->expected_end = true;
    pthread_mutex_unlock(&r->mu);
    wire_str(&c.body, node);
    wire_u32(&c.body, abandon);
    return call_do(m, "", OP_NODE_STOP, &c, e);
}

static int op_node_stop(struct machine *m, const char *node, struct err *e)
{
    return node_end(m, node, false, e);
}

static int op_node_abandon(struct machine *m, const char *node, struct err *e)
{
    return node_end(m, node, true, e);
}

static int op_images_mount(struct machine *m, int64_t bytes, int *out_fd, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_i64(&c.body, bytes);
    if (call_do(m, "", OP_IMAGES_MOUNT, &c, e) < 0)
        return -1;
    const int fd = msg_take_fd(&c.reply, 0);
    if (fd < 0)
        return err_set(e, ERR_INTERNAL, "malformed reply");
    *out_fd = fd;
    return 0;
}

/* ---- disks ---- */

static int disk_bytes(struct machine *m, enum op op, const char *id, int64_t bytes, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, id);
    wire_i64(&c.body, bytes);
    return call_do(m, "", op, &c, e);
}

static int op_disk_create(struct machine *m, const char *id, int64_t bytes, struct err *e)
{
    return disk_bytes(m, OP_DISK_CREATE, id, bytes, e);
}

static int op_disk_create_ext4(struct machine *m, const char *id, int64_t bytes, struct err *e)
{
    return disk_bytes(m, OP_DISK_CREATE_EXT4, id, bytes, e);
}

static int op_disk_grow(struct machine *m, const char *id, int64_t bytes, struct err *e)
{
    return disk_bytes(m, OP_DISK_GROW, id, bytes, e);
}

static int op_disk_delete(struct machine *m, const char *id, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, id);
    return call_do(m, "", OP_DISK_DELETE, &c, e);
}

static int op_disk_copy(struct machine *m, const char *from, const char *to, int64_t bytes, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, from);
    wire_str(&c.body, to);
    wire_i64(&c.body, bytes);
    return call_do(m, "", OP_DISK_COPY, &c, e);
}

static int op_node_copy(struct machine *m, const char *node, const char *to, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, node);
    wire_str(&c.body, to);
    return call_do(m, "", OP_NODE_COPY, &c, e);
}

static int op_disk_info(struct machine *m, const char *id, struct disk_info *out, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    size_t len = 0;
    wire_str(&c.body, id);
    if (call_do(m, "", OP_DISK_INFO, &c, e) < 0)
        return -1;
    const void *info = wire_get_blob(&c.in, &len);
    if (len != sizeof *out)
        return err_set(e, ERR_INTERNAL, "malformed reply");
    memcpy(out, info, sizeof *out);
    return 0;
}

/* The kernel may need a moment to let a device go (another mount namespace that is just being set up or torn down may
 * still have it): ask again for a while before it counts as busy. */
static int retry_busy(struct machine *m, enum op op, const struct buf *body, struct err *e)
{
    for (int waited = 0, pause = 1;; waited += pause, pause = waited < 20 ? 1 : 10) {
        _auto_call_ struct call c = CALL_INIT;
        buf_add(&c.body, body->data, body->len);
        if (call_do(m, "", op, &c, e) == 0)
            return 0;
        if (e->code != ERR_BUSY || waited >= BUSY_WAIT_MS)
            return -1;
        nanosleep(&(struct timespec){0, pause * 1000L * 1000L}, NULL);
        err_clear(e);
    }
}

static int op_disk_attach(struct machine *m, const char *id, const char *node, const char *device, unsigned how,
                          struct err *e)
{
    _auto_buf_ struct buf body = BUF_INIT;
    struct disk_info info;
    /* Attached elsewhere is an answer, not a moment. */
    if (op_disk_info(m, id, &info, e) < 0)
        return -1;
    if (info.node[0] && !(how & DISK_SHARED) && !(str_eq(info.node, node) && str_eq(info.device, device)))
        return err_set(e, ERR_BUSY, "disk \"%s\" is attached to node \"%s\" as %s", id, info.node, info.device);
    wire_str(&body, id);
    wire_str(&body, node);
    wire_str(&body, device);
    wire_u32(&body, how);
    return retry_busy(m, OP_DISK_ATTACH, &body, e);
}

static int op_disk_detach(struct machine *m, const char *id, const char *node, struct err *e)
{
    _auto_buf_ struct buf body = BUF_INIT;
    wire_str(&body, id);
    wire_str(&body, node);
    return retry_busy(m, OP_DISK_DETACH, &body, e);
}

/* ---- mounts ---- */

/* Asks the helper, who has the disk's file, whether there is nothing on it; and tells it when a filesystem is. */
static int format_step(struct machine *m, enum op op, const struct fs_mount *s, uint32_t *out_blank, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, s->node);
    wire_str(&c.body, s->device);
    if (call_do(m, "", op, &c, e) < 0)
        return -1;
    *out_blank = wire_get_u32(&c.in); /* enum format */
    return 0;
}

/* The node made a file's filesystem ready: the helper has it served. */
static int serve(struct machine *m, const struct fs_mount *s, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    _auto_free_ char *options =
        xasprintf("%s%s%s", s->options, *s->options && s->read_only ? "," : "", s->read_only ? "ro" : "");
    wire_str(&c.body, s->node);
    wire_str(&c.body, s->device);
    wire_str(&c.body, s->target);
    wire_str(&c.body, options);
    return call_do(m, "", OP_FS_SERVE, &c, e);
}

static int op_fs_mount(struct machine *m, const struct fs_mount *s, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    uint32_t blank = 0;
    if (s->format && format_step(m, OP_FORMAT_BEGIN, s, &blank, e) < 0)
        return -1;
    wire_str(&c.body, s->device);
    wire_str(&c.body, s->target);
    wire_str(&c.body, s->fstype);
    wire_str(&c.body, s->options);
    wire_u32(&c.body, s->read_only);
    wire_u32(&c.body, s->format);
    wire_u32(&c.body, blank);
    wire_str(&c.body, s->mkfs ? s->mkfs : "");
    if (call_do(m, s->node, OP_FS_MOUNT, &c, e) < 0 || (wire_get_u32(&c.in) && serve(m, s, e) < 0))
        return -1;
    if (!blank || format_step(m, OP_FORMAT_END, s, &blank, e) == 0)
        return 0;
    struct err lost = ERR_INIT;
    m->ops->unmount(m, s->node, s->target, &lost); /* nobody may write to what counts as half a filesystem */
    return -1;
}

static int op_fs_grow(struct machine *m, const char *node, const char *device, const char *target, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, device);
    wire_str(&c.body, target);
    return call_do(m, node, OP_FS_GROW, &c, e);
}

static int op_bind(struct machine *m, const char *node, const char *source, const char *target, bool read_only,
                   struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, source);
    wire_str(&c.body, target);
    wire_u32(&c.body, read_only);
    return call_do(m, node, OP_BIND, &c, e);
}

static int op_bind_beneath(struct machine *m, const char *node, const char *root, const char *path, const char *target,
                           struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, root);
    wire_str(&c.body, path);
    wire_str(&c.body, target);
    return call_do(m, node, OP_BIND_BENEATH, &c, e);
}

static int op_tmpfs(struct machine *m, const char *node, const char *target, int64_t bytes, mode_t mode, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, target);
    wire_i64(&c.body, bytes);
    wire_u32(&c.body, mode);
    return call_do(m, node, OP_TMPFS, &c, e);
}

/* A request that is only a path. */
static int with_path(struct machine *m, const char *node, enum op op, const char *path, struct call *c, struct err *e)
{
    wire_str(&c->body, path);
    return call_do(m, node, op, c, e);
}

static int op_unmount(struct machine *m, const char *node, const char *target, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    return with_path(m, node, OP_UNMOUNT, target, &c, e);
}

static bool op_is_mounted(struct machine *m, const char *node, const char *target)
{
    _auto_call_ struct call c = CALL_INIT;
    struct err e = ERR_INIT;
    return with_path(m, node, OP_IS_MOUNTED, target, &c, &e) == 0 && wire_get_bool(&c.in);
}

/* Copies a struct that came as it is. */
static int get_struct(struct call *c, void *out, size_t size, struct err *e)
{
    size_t len = 0;
    const void *data = wire_get_blob(&c->in, &len);
    if (len != size)
        return err_set(e, ERR_INTERNAL, "malformed reply");
    memcpy(out, data, size);
    return 0;
}

static int op_fs_stat(struct machine *m, const char *node, const char *path, struct fs_stat *out, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    return with_path(m, node, OP_FS_STAT, path, &c, e) < 0 ? -1 : get_struct(&c, out, sizeof *out, e);
}

/* ---- files ---- */

static int op_mkdir_p(struct machine *m, const char *node, const char *path, mode_t mode, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, path);
    wire_u32(&c.body, mode);
    return call_do(m, node, OP_MKDIR_P, &c, e);
}

static int op_remove_all(struct machine *m, const char *node, const char *path, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    return with_path(m, node, OP_REMOVE_ALL, path, &c, e);
}

static int op_stat(struct machine *m, const char *node, const char *path, struct stat *out, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    return with_path(m, node, OP_STAT, path, &c, e) < 0 ? -1 : get_struct(&c, out, sizeof *out, e);
}

static int op_open(struct machine *m, const char *node, const char *path, int flags, mode_t mode, int *out_fd,
                   struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, path);
    wire_u32(&c.body, (uint32_t)flags);
    wire_u32(&c.body, mode);
    if (call_do(m, node, OP_OPEN, &c, e) < 0)
        return -1;
    const int fd = msg_take_fd(&c.reply, 0);
    if (fd < 0)
        return err_set(e, ERR_INTERNAL, "malformed reply");
    *out_fd = fd;
    return 0;
}

static int op_chown_tree(struct machine *m, const char *node, const char *path, uint32_t gid, bool read_only,
                         struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, path);
    wire_u32(&c.body, gid);
    wire_u32(&c.body, read_only);
    return call_do(m, node, OP_CHOWN_TREE, &c, e);
}

static int op_write_volume(struct machine *m, const char *node, const char *dir, const struct file_spec *files,
                           size_t count, int64_t gid, bool *out_changed, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, dir);
    wire_i64(&c.body, gid);
    wire_u32(&c.body, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        wire_str(&c.body, files[i].path);
        wire_blob(&c.body, files[i].data, files[i].len);
        wire_u32(&c.body, files[i].mode);
    }
    if (call_do(m, node, OP_WRITE_VOLUME, &c, e) < 0)
        return -1;
    const bool changed = wire_get_bool(&c.in);
    if (out_changed)
        *out_changed = changed;
    return 0;
}

static int op_disk_usage(struct machine *m, const char *node, const char *const *paths, size_t count,
                         struct path_use *out, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_u32(&c.body, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        wire_str(&c.body, paths[i]);
    if (call_do(m, node, OP_DISK_USAGE, &c, e) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        out[i].bytes = wire_get_i64(&c.in);
        out[i].inodes = wire_get_i64(&c.in);
    }
    return 0;
}

/* ---- pods ---- */

static int op_sandbox_start(struct machine *m, const struct sandbox_spec *s, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, s->id);
    wire_str(&c.body, s->hostname);
    wire_str(&c.body, s->ip);
    wire_u32(&c.body, s->host_network);
    wire_u32(&c.body, s->host_pid);
    wire_u32(&c.body, s->host_ipc);
    wire_u32(&c.body, s->share_pid);
    wire_strv(&c.body, s->sysctls);
    wire_blob(&c.body, s->ports, s->port_count * sizeof *s->ports);
    return call_do(m, s->node, OP_SANDBOX_START, &c, e);
}

static int op_sandbox_stop(struct machine *m, const char *node, const char *id, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    return with_path(m, node, OP_SANDBOX_STOP, id, &c, e);
}

static int op_container_start(struct machine *m, const struct container_spec *spec, pid_t *out_pid, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    spec_write(&c.body, spec);
    if (call_do(m, spec->node, OP_CONTAINER_START, &c, e) < 0)
        return -1;
    const pid_t pid = (pid_t)wire_get_u32(&c.in);
    if (out_pid)
        *out_pid = pid;
    return 0;
}

static int op_container_signal(struct machine *m, const char *node, const char *id, int sig, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, id);
    wire_u32(&c.body, (uint32_t)sig);
    return call_do(m, node, OP_CONTAINER_SIGNAL, &c, e);
}

static int op_container_remove(struct machine *m, const char *node, const char *id, bool purge, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, id);
    wire_u32(&c.body, purge);
    return call_do(m, node, OP_CONTAINER_REMOVE, &c, e);
}

/* Which descriptors came: in, out, err, exit. */
static void take_streams(struct call *c, struct stream_fds *out)
{
    int *const to[] = {&out->in, &out->out, &out->err, &out->exit_fd};
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        *to[i] = wire_get_bool(&c->in) ? msg_take_fd(&c->reply, n++) : -1;
}

static int op_exec(struct machine *m, const struct exec_spec *s, struct stream_fds *out, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, s->id ? s->id : "");
    wire_strv(&c.body, s->argv);
    wire_strv(&c.body, s->env);
    wire_str(&c.body, s->cwd);
    wire_u32(&c.body, s->uid);
    wire_u32(&c.body, s->gid);
    wire_u32(&c.body, s->tty);
    wire_u32(&c.body, s->want_stdin);
    wire_i64(&c.body, s->timeout_ms);
    if (call_do(m, s->node, OP_EXEC, &c, e) < 0)
        return -1;
    take_streams(&c, out);
    return 0;
}

static int op_container_usage(struct machine *m, const char *node, const char *const *ids, size_t count,
                              struct container_use *out, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    size_t len = 0;
    wire_u32(&c.body, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        wire_str(&c.body, ids[i]);
    if (call_do(m, node, OP_CONTAINER_USAGE, &c, e) < 0)
        return -1;
    const void *uses = wire_get_blob(&c.in, &len);
    if (len != count * sizeof *out)
        return err_set(e, ERR_INTERNAL, "malformed reply");
    if (len)
        memcpy(out, uses, len);
    return 0;
}

static int64_t op_memory_available(struct machine *m)
{
    (void)m;
    return probe_memory_available();
}

static int op_attach(struct machine *m, const char *node, const char *id, struct stream_fds *out, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    if (with_path(m, node, OP_ATTACH, id, &c, e) < 0)
        return -1;
    take_streams(&c, out);
    return 0;
}

/* A call that is answered with a socket. */
static int call_socket(struct machine *m, const char *node, enum op op, struct call *c, int *out_fd, struct err *e)
{
    if (call_do(m, node, op, c, e) < 0)
        return -1;
    const int fd = msg_take_fd(&c->reply, 0);
    if (fd < 0)
        return err_set(e, ERR_INTERNAL, "malformed reply");
    *out_fd = fd;
    return 0;
}

static int op_dial(struct machine *m, const char *node, const char *sandbox, uint16_t port, int *out_fd, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, sandbox);
    wire_u32(&c.body, port);
    return call_socket(m, node, OP_DIAL, &c, out_fd, e);
}

static int op_dial_from(struct machine *m, const char *node, const char *ip, uint16_t port, int64_t timeout_ms,
                        int *out_fd, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, ip);
    wire_u32(&c.body, port);
    wire_i64(&c.body, timeout_ms);
    return call_socket(m, node, OP_DIAL_FROM, &c, out_fd, e);
}

static int at_address(struct machine *m, enum op op, const char *ip, uint16_t port, int *out_fd, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, ip);
    wire_u32(&c.body, port);
    return call_socket(m, "", op, &c, out_fd, e);
}

static int op_listen(struct machine *m, const char *ip, uint16_t port, int *out_fd, struct err *e)
{
    return at_address(m, OP_LISTEN, ip, port, out_fd, e);
}

static int op_dial_ip(struct machine *m, const char *ip, uint16_t port, int *out_fd, struct err *e)
{
    return at_address(m, OP_DIAL_IP, ip, port, out_fd, e);
}

static int op_set_services(struct machine *m, const char *rules_json, char **out_json, struct err *e)
{
    _auto_call_ struct call c = CALL_INIT;
    wire_str(&c.body, rules_json);
    if (call_do(m, "", OP_SET_SERVICES, &c, e) < 0)
        return -1;
    *out_json = xstrdup(wire_need_str(&c.in));
    return 0;
}

const struct machine_ops client_ops = {
    .info = op_info,
    .node_start = op_node_start,
    .node_stop = op_node_stop,
    .node_abandon = op_node_abandon,
    .images_mount = op_images_mount,
    .disk_create = op_disk_create,
    .disk_create_ext4 = op_disk_create_ext4,
    .disk_grow = op_disk_grow,
    .disk_delete = op_disk_delete,
    .disk_copy = op_disk_copy,
    .node_copy = op_node_copy,
    .disk_info = op_disk_info,
    .disk_attach = op_disk_attach,
    .disk_detach = op_disk_detach,
    .layer_unpack = client_layer_unpack,
    .layer_remove = client_layer_remove,
    .fs_mount = op_fs_mount,
    .fs_grow = op_fs_grow,
    .bind = op_bind,
    .bind_beneath = op_bind_beneath,
    .tmpfs = op_tmpfs,
    .unmount = op_unmount,
    .is_mounted = op_is_mounted,
    .fs_stat = op_fs_stat,
    .mkdir_p = op_mkdir_p,
    .remove_all = op_remove_all,
    .stat = op_stat,
    .open = op_open,
    .chown_tree = op_chown_tree,
    .write_volume = op_write_volume,
    .disk_usage = op_disk_usage,
    .sandbox_start = op_sandbox_start,
    .sandbox_stop = op_sandbox_stop,
    .container_start = op_container_start,
    .container_signal = op_container_signal,
    .container_remove = op_container_remove,
    .container_usage = op_container_usage,
    .memory_available = op_memory_available,
    .exec = op_exec,
    .attach = op_attach,
    .dial = op_dial,
    .dial_from = op_dial_from,
    .listen = op_listen,
    .dial_ip = op_dial_ip,
    .on_exit = client_on_exit,
    .on_death = client_on_death,
    .set_services = op_set_services,
    .close = client_close,
};

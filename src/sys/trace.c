/* trace.c - a machine that prints each call, its result and how long it took, and passes it on. For `--trace-machine`
 * and for tests that want to see the order of things.
 *
 * Every wrapper has the same shape, so it is one macro: parameters, what is passed on, what is printed. When
 * machine_ops gets a new operation, add its row. THREADS: as the inner machine; a line is one write. */
#include "sys/machine.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct trace {
    struct machine machine; /* first */
    struct machine *inner;  /* owned */
    int fd;
};

static struct machine *inner_of(struct machine *m)
{
    return ((struct trace *)m)->inner;
}

__attribute__((format(printf, 6, 7))) static void note(struct machine *m, const char *op, int64_t start_ns, int rc,
                                                       const struct err *e, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    const double ms = (double)(clock_mono_ns(clock_real()) - start_ns) / 1e6;
    size_t n = (size_t)snprintf(line, sizeof line, "machine: %s(", op);
    va_start(ap, fmt);
    n += (size_t)vsnprintf(line + n, sizeof line - n, fmt, ap);
    va_end(ap);
    if (n < sizeof line)
        n += (size_t)snprintf(line + n, sizeof line - n, ") %.1f ms: %s\n", ms, rc < 0 ? e->msg : "ok");
    if (n >= sizeof line) {
        n = sizeof line - 1;
        line[n - 1] = '\n';
    }
    if (write(((struct trace *)m)->fd, line, n) < 0)
        return;
}

#define WRAP(op, params, args, ...)                                                                                    \
    static int trace_##op params                                                                                       \
    {                                                                                                                  \
        const int64_t start = clock_mono_ns(clock_real());                                                             \
        struct machine *inner = inner_of(m);                                                                           \
        const int rc = inner->ops->op args;                                                                            \
        note(m, #op, start, rc, e, __VA_ARGS__);                                                                       \
        return rc;                                                                                                     \
    }

#define M struct machine *m
#define E struct err *e
#define N const char *node

// clang-format off
WRAP(node_start, (M, const struct node_spec *s, E), (inner, s, e), "%s", s->name)
WRAP(node_stop, (M, N, E), (inner, node, e), "%s", node)
WRAP(node_abandon, (M, N, E), (inner, node, e), "%s", node)
WRAP(images_mount, (M, int64_t bytes, int *out_fd, E), (inner, bytes, out_fd, e), "%lld", (long long)bytes)
WRAP(layer_unpack, (M, const struct layer_spec *s, struct layer_result *out, E), (inner, s, out, e), "%s, %s", s->blob, s->dir)
WRAP(layer_remove, (M, const char *dir, E), (inner, dir, e), "%s", dir)
WRAP(disk_create, (M, const char *id, int64_t bytes, E), (inner, id, bytes, e), "%s, %lld", id, (long long)bytes)
WRAP(disk_create_ext4, (M, const char *id, int64_t bytes, E), (inner, id, bytes, e), "%s, %lld", id, (long long)bytes)
WRAP(disk_grow, (M, const char *id, int64_t bytes, E), (inner, id, bytes, e), "%s, %lld", id, (long long)bytes)
WRAP(disk_delete, (M, const char *id, E), (inner, id, e), "%s", id)
WRAP(disk_copy, (M, const char *from, const char *to, int64_t bytes, E), (inner, from, to, bytes, e), "%s -> %s, %lld", from, to,
     (long long)bytes)
WRAP(node_copy, (M, N, const char *to, E), (inner, node, to, e), "%s -> %s", node, to)
WRAP(disk_info, (M, const char *id, struct disk_info *out, E), (inner, id, out, e), "%s", id)
WRAP(disk_attach, (M, const char *id, N, const char *device, unsigned how, E), (inner, id, node, device, how, e),
     "%s, %s, %s%s%s", id, node, device, how & DISK_READ_ONLY ? ", ro" : "", how & DISK_SHARED ? ", shared" : "")
WRAP(disk_detach, (M, const char *id, N, E), (inner, id, node, e), "%s, %s", id, node)
WRAP(fs_mount, (M, const struct fs_mount *s, E), (inner, s, e), "%s, %s -> %s, %s%s%s", s->node, s->device, s->target, s->fstype,
     s->read_only ? ", ro" : "", s->format ? ", format" : "")
WRAP(fs_grow, (M, N, const char *device, const char *target, E), (inner, node, device, target, e), "%s, %s, %s", node, device, target)
WRAP(bind, (M, N, const char *source, const char *target, bool read_only, E), (inner, node, source, target, read_only, e),
     "%s, %s -> %s%s", node, source, target, read_only ? ", ro" : "")
WRAP(bind_beneath, (M, N, const char *root, const char *path, const char *target, E), (inner, node, root, path, target, e),
     "%s, %s // %s -> %s", node, root, path, target)
WRAP(tmpfs, (M, N, const char *target, int64_t bytes, mode_t mode, E), (inner, node, target, bytes, mode, e), "%s, %s, %lld, %o", node,
     target, (long long)bytes, (unsigned)mode)
WRAP(unmount, (M, N, const char *target, E), (inner, node, target, e), "%s, %s", node, target)
WRAP(fs_stat, (M, N, const char *path, struct fs_stat *out, E), (inner, node, path, out, e), "%s, %s", node, path)
WRAP(mkdir_p, (M, N, const char *path, mode_t mode, E), (inner, node, path, mode, e), "%s, %s, %o", node, path, (unsigned)mode)
WRAP(remove_all, (M, N, const char *path, E), (inner, node, path, e), "%s, %s", node, path)
WRAP(stat, (M, N, const char *path, struct stat *out, E), (inner, node, path, out, e), "%s, %s", node, path)
WRAP(open, (M, N, const char *path, int flags, mode_t mode, int *out_fd, E), (inner, node, path, flags, mode, out_fd, e), "%s, %s, %#x",
     node, path, (unsigned)flags)
WRAP(chown_tree, (M, N, const char *path, uint32_t gid, bool read_only, E), (inner, node, path, gid, read_only, e), "%s, %s, %u", node,
     path, gid)
WRAP(write_volume, (M, N, const char *dir, const struct file_spec *files, size_t count, int64_t gid, bool *out_changed, E),
     (inner, node, dir, files, count, gid, out_changed, e), "%s, %s, %zu files", node, dir, count)
WRAP(disk_usage, (M, N, const char *const *paths, size_t count, struct path_use *out, E), (inner, node, paths, count, out, e),
     "%s, %zu paths", node, count)
WRAP(container_usage, (M, N, const char *const *ids, size_t count, struct container_use *out, E), (inner, node, ids, count, out, e),
     "%s, %zu containers", node, count)
WRAP(sandbox_start, (M, const struct sandbox_spec *s, E), (inner, s, e), "%s, %s, %s", s->node, s->id, s->ip ? s->ip : "")
WRAP(sandbox_stop, (M, N, const char *id, E), (inner, node, id, e), "%s, %s", node, id)
WRAP(container_start, (M, const struct container_spec *s, pid_t *out_pid, E), (inner, s, out_pid, e), "%s, %.12s, %s", s->node, s->id,
     s->argv[0])
WRAP(container_signal, (M, N, const char *id, int sig, E), (inner, node, id, sig, e), "%s, %.12s, %d", node, id, sig)
WRAP(container_remove, (M, N, const char *id, bool purge, E), (inner, node, id, purge, e), "%s, %.12s%s", node, id, purge ? ", purge" : "")
WRAP(exec, (M, const struct exec_spec *s, struct stream_fds *out, E), (inner, s, out, e), "%s, %.12s, %s", s->node, s->id ? s->id : "",
     s->argv[0])
WRAP(attach, (M, N, const char *id, struct stream_fds *out, E), (inner, node, id, out, e), "%s, %.12s", node, id)
WRAP(dial, (M, N, const char *sandbox, uint16_t port, int *out_fd, E), (inner, node, sandbox, port, out_fd, e), "%s, %s, %u", node,
     sandbox, port)
WRAP(dial_from, (M, N, const char *ip, uint16_t port, int64_t ms, int *out_fd, E), (inner, node, ip, port, ms, out_fd, e), "%s, %s, %u", node,
     ip, port)
WRAP(listen, (M, const char *ip, uint16_t port, int *out_fd, E), (inner, ip, port, out_fd, e), "%s, %u", ip, port)
WRAP(dial_ip, (M, const char *ip, uint16_t port, int *out_fd, E), (inner, ip, port, out_fd, e), "%s, %u", ip, port)
WRAP(set_services, (M, const char *rules_json, char **out_json, E), (inner, rules_json, out_json, e), "%zu bytes", rules_json ? strlen(rules_json) : 0)
// clang-format on

static void trace_info(struct machine *m, struct machine_info *out)
{
    inner_of(m)->ops->info(inner_of(m), out);
}

static bool trace_is_mounted(struct machine *m, const char *node, const char *target)
{
    return inner_of(m)->ops->is_mounted(inner_of(m), node, target);
}

static int64_t trace_memory_available(struct machine *m)
{
    return inner_of(m)->ops->memory_available(inner_of(m));
}

static void trace_on_exit(struct machine *m, void (*fn)(void *arg, const struct exit_info *info), void *arg)
{
    inner_of(m)->ops->on_exit(inner_of(m), fn, arg);
}

static void trace_on_death(struct machine *m, void (*fn)(void *arg, const char *node), void *arg)
{
    inner_of(m)->ops->on_death(inner_of(m), fn, arg);
}

static void trace_close(struct machine *m)
{
    inner_of(m)->ops->close(inner_of(m));
    free(m);
}

static const struct machine_ops ops = {
    .info = trace_info,
    .node_start = trace_node_start,
    .node_stop = trace_node_stop,
    .node_abandon = trace_node_abandon,
    .images_mount = trace_images_mount,
    .disk_create = trace_disk_create,
    .layer_unpack = trace_layer_unpack,
    .layer_remove = trace_layer_remove,
    .disk_create_ext4 = trace_disk_create_ext4,
    .disk_grow = trace_disk_grow,
    .disk_delete = trace_disk_delete,
    .disk_copy = trace_disk_copy,
    .node_copy = trace_node_copy,
    .disk_info = trace_disk_info,
    .disk_attach = trace_disk_attach,
    .disk_detach = trace_disk_detach,
    .fs_mount = trace_fs_mount,
    .fs_grow = trace_fs_grow,
    .bind = trace_bind,
    .bind_beneath = trace_bind_beneath,
    .tmpfs = trace_tmpfs,
    .unmount = trace_unmount,
    .is_mounted = trace_is_mounted,
    .fs_stat = trace_fs_stat,
    .mkdir_p = trace_mkdir_p,
    .remove_all = trace_remove_all,
    .stat = trace_stat,
    .open = trace_open,
    .chown_tree = trace_chown_tree,
    .write_volume = trace_write_volume,
    .disk_usage = trace_disk_usage,
    .sandbox_start = trace_sandbox_start,
    .sandbox_stop = trace_sandbox_stop,
    .container_start = trace_container_start,
    .container_signal = trace_container_signal,
    .container_remove = trace_container_remove,
    .container_usage = trace_container_usage,
    .memory_available = trace_memory_available,
    .exec = trace_exec,
    .attach = trace_attach,
    .dial = trace_dial,
    .dial_from = trace_dial_from,
    .listen = trace_listen,
    .dial_ip = trace_dial_ip,
    .on_exit = trace_on_exit,
    .on_death = trace_on_death,
    .set_services = trace_set_services,
    .close = trace_close,
};

struct machine *machine_trace(struct machine *inner, int fd)
{
    struct trace *t = xcalloc(1, sizeof *t);
    t->machine.ops = &ops;
    t->inner = inner;
    t->fd = fd;
    return &t->machine;
}

/* helper.c - the node helper: first process of the cluster's PID namespace.
 *
 * WHAT: started by machine_open_real() as `stowage __helper DATA_DIR` in new PID, mount, network, IPC and UTS
 * namespaces. It owns the disks, starts nodes (each in namespaces of its own, below these), wires their network, and
 * hands the API process a channel to each node. It never touches what is inside a node.
 *
 *      API process ==channel==> helper (PID 1 of the cluster) --clone--> node "a" (PID 1 of its own) --clone-->
 * container
 *           \====================channel==========================>        |
 *
 * INVARIANTS: (1) whoever dies, everything below dies: the helper gets SIGKILL with the API process (PDEATHSIG), or,
 * where it has filesystem servers, lets these write out first; it ends on EOF of its channel; the end of a PID
 * namespace's first process kills all in it. (2) Mounts are in private mount namespaces and loop devices are autoclear,
 * so nothing needs cleaning up. (3) Only cgroup directories outlive a crash; they are removed at the next start.
 *
 * While the machine's disk is nearly full the loop shares out what is left, several times a second: grants.c.
 *
 * THREADS: one. The loop never blocks on a node: node_start answers at once with the channel, on which the node says
 * hello. */
#include "sys/cgroup_int.h"
#include "sys/chan.h"
#include "sys/devices_int.h"
#include "sys/disks_int.h"
#include "sys/grants_int.h"
#include "sys/hidden_int.h"
#include "sys/layer_jobs_int.h"
#include "sys/netlink.h"
#include "sys/ops_int.h"
#include "sys/probe_int.h"
#include "sys/serve_int.h"
#include "sys/own_fs_int.h"
#include "sys/proc_int.h"
#include "sys/svc_int.h"
#include "sys/userns_int.h"
#include "sys/wire.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IMAGES_DEVICE "/dev/xvdb" /* as mount tables on the nodes show it */

#define NODES_MAX  201
#define LOOK_NEVER (24 * 3600 * 1000)

struct helper_node {
    struct helper_node *next;
    char *name;   /* owned */
    char *nodefs; /* owned; the image of its filesystem */
    int index;
    pid_t pid;
    uint32_t stop_id; /* request waiting for its end, 0 = none */
    bool dead;        /* reaped; remembered until it is started again or stopped */
};
struct helper_copy { /* a child that copies a disk and answers for itself */
    struct helper_copy *next;
    pid_t pid;
    uint32_t id; /* of the request */
    struct disk_copy copy;
};
struct helper_wait { /* a request for a disk whose filesystem is being made */
    struct helper_wait *next;
    uint32_t id;
    char *disk; /* owned */
    int64_t bytes;
};
struct helper {
    int sock;
    const char *data_dir;
    char *images;               /* owned */
    char *imagefs, *imagefs_at; /* owned; the image of the filesystem that holds layers, where it is; NULL: none */
    char *cgroup;               /* owned */
    enum disk_kind kind;
    struct disks *disks;
    struct grants *grants;
    struct helper_node *nodes;
    struct helper_copy *copies;
    struct layer_jobs layers;
    struct servers servers;
    struct helper_wait *waits; /* the newest first */
    char **argv;
    bool network;   /* bridge made */
    int services;   /* to the service process, -1 = none */
    uint32_t asked; /* request that it has not answered yet, 0 = none */
};

void helper_answer(int sock, uint32_t id, const struct err *e, const struct buf *payload, int fd)
{
    _auto_buf_ struct buf body = BUF_INIT;
    struct err lost = ERR_INIT;
    wire_err(&body, e);
    if (payload && payload->len)
        buf_add(&body, payload->data, payload->len);
    chan_send(sock, id, MSG_REPLY, &body, &fd, fd >= 0 ? 1 : 0, &lost);
}

static void reply(struct helper *h, uint32_t id, const struct err *e, const struct buf *payload, int fd)
{
    helper_answer(h->sock, id, e, payload, fd);
}

static struct helper_node *node_find(struct helper *h, const char *name)
{
    for (struct helper_node *n = h->nodes; n; n = n->next)
        if (str_eq(n->name, name))
            return n;
    return NULL;
}

static struct helper_node *node_need(struct helper *h, const char *name, struct err *e)
{
    struct helper_node *n = node_find(h, name);
    if (!n || n->dead)
        err_set(e, ERR_NOT_FOUND, "node \"%s\" is not running", name);
    return n && !n->dead ? n : NULL;
}

static void node_forget(struct helper *h, struct helper_node *n)
{
    for (struct helper_node **at = &h->nodes; *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            break;
        }
    free(n->name);
    free(n->nodefs);
    free(n);
}

/* ---- the cluster's network ---- */

static int network_make(struct helper *h, struct err *e)
{
    if (h->network)
        return 0;
    net_relax();
    _auto_close_ int nl = nl_open(e);
    if (nl < 0 || nl_link_up(nl, "lo", NULL, e) < 0 || nl_bridge_add(nl, NET_BRIDGE, htonl(NET_GATEWAY), e) < 0 ||
        nl_link_up(nl, NET_BRIDGE, NULL, e) < 0)
        return -1;
    proc_write("/proc/sys/net/ipv4/ip_forward", "1");
    h->network = true;
    return 0;
}

/* The node's cable: "node<i>" on the bridge, "eth0" in the node; and the way to its pods. */
static int network_add_node(const struct helper_node *n, struct err *e)
{
    char name[16];
    snprintf(name, sizeof name, "node%d", n->index);
    _auto_close_ int nl = nl_open(e);
    /* The cable of a node that just died may still be there: the kernel takes namespaces down in its own time. */
    if (nl < 0 || nl_link_del(nl, name, e) < 0 || nl_veth_add(nl, name, "eth0", n->pid, -1, e) < 0 ||
        nl_link_up(nl, name, NET_BRIDGE, e) < 0)
        return -1;
    return nl_route_add(nl, htonl(NET_PODS(n->index)), NET_PODS_PREFIX, htonl(NET_NODE(n->index)), e);
}

/* ---- nodes ---- */

static bool node_name_ok(const char *name)
{
    const size_t n = strlen(name);
    return n && n < 64 && name[0] != '.' && !strchr(name, '/');
}

/* In the child: keep only what the node needs, then become it. */
static _Noreturn void node_child(struct helper *h, const char *name, int index, int64_t bytes, int channel,
                                 int net_ready)
{
    const int keep[] = {channel, net_ready};
    proc_keep_fds(keep, ARRAY_LEN(keep));
    _auto_free_ char *dir = xasprintf("%s/nodes/%s", h->data_dir, name);
    const struct node_boot boot = {
        .name = name,
        .index = index,
        .dir = dir,
        .images = h->images,
        .nodefs_bytes = bytes,
        .channel = channel,
        .net_ready = net_ready,
        .cgroup = h->cgroup,
        .argv = h->argv,
    };
    node_main(&boot);
}

static int node_spawn(struct helper *h, struct helper_node *n, int64_t bytes, int *out_channel, struct err *e)
{
    int channel[2], ready[2];
    if (chan_pair(channel, e) < 0)
        return -1;
    if (pipe2(ready, O_CLOEXEC) < 0) {
        close(channel[0]);
        close(channel[1]);
        return err_sys(e, errno, "pipe");
    }
    n->pid = proc_clone(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
    if (n->pid == 0) {
        close(channel[0]);
        close(ready[1]);
        node_child(h, n->name, n->index, bytes, channel[1], ready[0]);
    }
    const int code = errno;
    close(channel[1]);
    close(ready[0]);
    if (n->pid < 0) {
        close(channel[0]);
        close(ready[1]);
        return err_sys(e, code, "start node %s", n->name);
    }
    /* The node makes its filesystem meanwhile and waits for this byte before it touches eth0. */
    if (network_make(h, e) == 0 && network_add_node(n, e) == 0 && write(ready[1], "", 1) == 1) {
        close(ready[1]);
        *out_channel = channel[0];
        return 0;
    }
    kill(n->pid, SIGKILL);
    close(ready[1]);
    close(channel[0]);
    return -1;
}

static void on_node_start(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    const char *name = wire_need_str(in);
    const int index = (int)wire_get_u32(in);
    const int64_t bytes = wire_get_i64(in);
    struct helper_node *old = node_find(h, name);
    int channel = -1;
    if (in->bad || !node_name_ok(name) || index < 0 || index >= NODES_MAX) {
        err_set(&e, ERR_BAD_REQUEST, "invalid node \"%s\"", name);
    } else if (old && !old->dead) {
        err_set(&e, ERR_ALREADY_EXISTS, "node \"%s\" is already running", name);
    } else {
        if (old)
            node_forget(h, old);
        struct helper_node *n = xcalloc(1, sizeof *n);
        n->name = xstrdup(name);
        n->nodefs = xasprintf("%s/nodes/%s/nodefs.img", h->data_dir, name);
        n->index = index;
        n->next = h->nodes;
        h->nodes = n;
        if (node_spawn(h, n, bytes, &channel, &e) < 0) {
            n->dead = true; /* reaped by the loop like any child */
        }
    }
    reply(h, id, &e, NULL, channel);
    if (channel >= 0)
        close(channel);
}

/* The API process has the node's hello: its /dev is there. */
static void on_node_ready(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    const struct helper_node *n = node_need(h, wire_need_str(in), &e);
    if (n)
        disks_node_ready(h->disks, n->name, n->pid);
    reply(h, id, &e, NULL, -1);
}

static void on_node_stop(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct helper_node *n = node_find(h, wire_need_str(in));
    if (n && !n->dead) {
        n->stop_id = id; /* answered when it is reaped */
        kill(n->pid, SIGKILL);
        return;
    }
    if (n)
        node_forget(h, n);
    reply(h, id, &e, NULL, -1);
}

static pid_t node_pid(struct helper *h, const char *name)
{
    const struct helper_node *n = node_find(h, name);
    return n && !n->dead ? n->pid : 0;
}

/* A child that was killed has not answered. */
static void on_copy_end(struct helper *h, pid_t pid, int status)
{
    for (struct helper_copy **at = &h->copies; *at; at = &(*at)->next) {
        struct helper_copy *c = *at;
        if (c->pid != pid)
            continue;
        if (!WIFEXITED(status)) {
            struct err e = ERR_INIT;
            disk_copy_undo(&c->copy, node_pid(h, c->copy.node));
            err_set(&e, ERR_INTERNAL, "the copying process ended with status %d", status);
            reply(h, c->id, &e, NULL, -1);
        }
        *at = c->next;
        disk_copy_release(&c->copy);
        free(c);
        return;
    }
}

static void create_ext4(struct helper *h, uint32_t id, const char *disk, int64_t bytes)
{
    struct err e = ERR_INIT;
    if (disks_create_ext4(h->disks, disk, bytes, &e) <= 0) {
        reply(h, id, &e, NULL, -1);
        return;
    }
    struct helper_wait *w = xcalloc(1, sizeof *w);
    *w = (struct helper_wait){h->waits, id, xstrdup(disk), bytes};
    h->waits = w;
}

static void on_mould_end(struct helper *h)
{
    struct helper_wait *waits = h->waits;
    h->waits = NULL;
    while (waits) {
        struct helper_wait *w = waits;
        waits = w->next;
        create_ext4(h, w->id, w->disk, w->bytes); /* waits again if its size is another */
        free(w->disk);
        free(w);
    }
}

static void on_child_end(struct helper *h, pid_t pid, int status)
{
    if (disks_child_ended(h->disks, pid, status))
        on_mould_end(h);
    on_copy_end(h, pid, status);
    grants_child_end(h->grants, pid);
    layer_jobs_ended(&h->layers, h->sock, pid, status);
    serve_child_end(&h->servers, pid, status);
    for (struct helper_node *n = h->nodes, *next; n; n = next) {
        next = n->next;
        if (n->pid != pid || n->dead)
            continue;
        struct err ok = ERR_INIT;
        n->dead = true;
        serve_node_end(&h->servers, n->name);
        if (n->stop_id) {
            reply(h, n->stop_id, &ok, NULL, -1);
            node_forget(h, n);
        }
    }
}

/* ---- images ---- */

/* Nodes that start from here on have the mount in their copy of our mounts. */
static int images_mount(struct helper *h, int64_t bytes, struct err *e)
{
    _auto_free_ char *file = xasprintf("%s/imagefs.img", h->data_dir);
    _auto_free_ char *mounted = xasprintf("%s/imagefs", h->data_dir), *inside = xasprintf("%s/images", mounted);
    if (proc_mkdir_p(mounted, 0755, e) < 0 || own_fs_mount(file, bytes, "imagefs", IMAGES_DEVICE, mounted, e) < 0 ||
        proc_mkdir_p(inside, 0755, e) < 0)
        return -1;
    const int fd = open(mounted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "open %s", mounted);
    free(h->images);
    h->images = TAKE(inside);
    h->imagefs = TAKE(file);
    h->imagefs_at = TAKE(mounted);
    return fd;
}

static void on_images_mount(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    const int64_t bytes = wire_get_i64(in);
    _auto_close_ int fd = images_mount(h, bytes, &e);
    reply(h, id, &e, NULL, fd < 0 ? -1 : fd);
}

/* ---- disks ---- */

static _Noreturn void copy_child(struct helper *h, struct helper_copy *c, const char *from)
{
    const int keep[] = {h->sock, c->copy.from, c->copy.to, c->copy.loop};
    struct err e = ERR_INIT;
    proc_keep_fds(keep, ARRAY_LEN(keep));
    if (disk_copy_run(&c->copy, node_pid(h, c->copy.node), &e) < 0)
        err_wrap(&e, "copy disk %s", from);
    reply(h, c->id, &e, NULL, -1);
    _exit(0);
}

/* Begins a copy whose files are open, and takes it. */
static void copy_start(struct helper *h, uint32_t id, const char *from, const struct disk_copy *take_copy)
{
    struct err e = ERR_INIT;
    struct helper_copy *c = xcalloc(1, sizeof *c);
    *c = (struct helper_copy){.next = h->copies, .id = id, .copy = *take_copy};
    h->copies = c;
    c->pid = fork();
    if (c->pid == 0)
        copy_child(h, c, from);
    if (c->pid < 0) {
        err_sys(&e, errno, "fork");
        reply(h, id, &e, NULL, -1);
        unlink(c->copy.part);
        h->copies = c->next;
        disk_copy_release(&c->copy);
        free(c);
    }
}

static void on_disk_copy(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct disk_copy copy = DISK_COPY_INIT;
    const char *from = wire_need_str(in), *to = wire_need_str(in);
    const int64_t bytes = wire_get_i64(in);
    if (in->bad)
        err_set(&e, ERR_BAD_REQUEST, "malformed request");
    if (in->bad || disks_copy_open(h->disks, from, to, bytes, &copy, &e) < 0) {
        reply(h, id, &e, NULL, -1);
        return;
    }
    copy.server = serve_pid(&h->servers, copy.node, copy.device);
    copy_start(h, id, from, &copy);
}

static void on_node_copy(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct disk_copy copy = DISK_COPY_INIT;
    const char *node = wire_need_str(in), *to = wire_need_str(in);
    if (in->bad || !node_name_ok(node))
        err_set(&e, ERR_BAD_REQUEST, "malformed request");
    if (e.code == ERR_OK && disks_copy_node(h->disks, h->data_dir, node, node_pid(h, node), to, &copy, &e) == 0)
        copy_start(h, id, node, &copy);
    else
        reply(h, id, &e, NULL, -1);
}

/* The node has made its file's filesystem ready; now somebody has to serve it. */
static void on_fs_serve(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct serve_spec spec = {.node = wire_need_str(in), .device = wire_need_str(in)};
    spec.target = wire_need_str(in);
    spec.options = wire_need_str(in);
    spec.node_pid = node_pid(h, spec.node);
    spec.image = disks_image(h->disks, spec.node, spec.device);
    if (in->bad || !spec.node_pid || !spec.image)
        err_set(&e, ERR_NOT_FOUND, "there is no disk at %s of node \"%s\"", spec.device, spec.node);
    if (e.code == ERR_OK)
        serve_start(&h->servers, id, &spec);
    else
        reply(h, id, &e, NULL, -1);
}

static void on_create_ext4(struct helper *h, uint32_t id, struct wire_in *in)
{
    const char *disk = wire_need_str(in);
    const int64_t bytes = wire_get_i64(in);
    struct err e = ERR_INIT;
    if (!in->bad) {
        create_ext4(h, id, disk, bytes);
        return;
    }
    err_set(&e, ERR_BAD_REQUEST, "malformed request");
    reply(h, id, &e, NULL, -1);
}

static bool is_starved(const struct helper *h, const struct disk_info *info)
{
    int loop;
    return sscanf(info->loop, "/dev/loop%d", &loop) == 1 && grants_starved(h->grants, loop);
}

/* Looks how much room there is, and who may have what of it. Returns when to look again (ms). */
static int look_at_room(struct helper *h)
{
    struct grant_node nodes[NODES_MAX + 1];
    if (userns_inside())
        return LOOK_NEVER; /* nothing here is a filesystem of ours that the kernel would hold back */
    _auto_free_ struct grant_disk *disks = NULL;
    struct grant_view v = {.dir = disks_dir(h->disks), .nodes = nodes};
    v.disk_count = disks_attached(h->disks, &disks);
    v.disks = disks;
    for (const struct helper_node *n = h->nodes; n && v.node_count < NODES_MAX; n = n->next)
        if (!n->dead)
            nodes[v.node_count++] = (struct grant_node){n->pid, n->nodefs, "/"};
    if (h->imagefs)
        nodes[v.node_count++] = (struct grant_node){getpid(), h->imagefs, h->imagefs_at};
    return grants_look(h->grants, &v);
}

static void on_disk(struct helper *h, uint32_t id, uint32_t op, struct wire_in *in)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf out = BUF_INIT;
    struct disk_info info;
    const char *disk = wire_need_str(in);
    switch (op) {
    case OP_DISK_CREATE:
        disks_create(h->disks, disk, wire_get_i64(in), &e);
        break;
    case OP_DISK_GROW:
        disks_grow(h->disks, disk, wire_get_i64(in), &e);
        break;
    case OP_DISK_DELETE:
        disks_remove(h->disks, disk, &e);
        break;
    case OP_DISK_INFO:
        if (disks_info(h->disks, disk, &info, &e) == 0) {
            info.starved = is_starved(h, &info);
            wire_blob(&out, &info, sizeof info);
        }
        break;
    case OP_DISK_ATTACH: {
        const char *node = wire_need_str(in), *device = wire_need_str(in);
        const unsigned how = wire_get_u32(in);
        const struct helper_node *n = node_need(h, node, &e);
        if (n)
            disks_attach(h->disks, disk, node, n->pid, device, how, &e);
        break;
    }
    case OP_FORMAT_BEGIN: /* `disk` is a node here, as in the next */
        wire_u32(&out, disks_format_begin(h->disks, disk, node_pid(h, disk), wire_need_str(in)));
        break;
    case OP_FORMAT_END:
        disks_format_end(h->disks, disk, wire_need_str(in), &e);
        break;
    default: {
        const char *node = wire_need_str(in);
        disks_detach(h->disks, disk, node, node_pid(h, node), &e);
    }
    }
    if (in->bad)
        err_set(&e, ERR_BAD_REQUEST, "malformed request");
    reply(h, id, &e, &out, -1);
}

/* ---- addresses of the cluster ---- */

/* The address becomes one of the helper's: nodes and pods send what is not theirs here. */
static int listen_at(struct helper *h, const char *ip, uint16_t port, struct err *e)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int on = 1;
    if (inet_pton(AF_INET, ip, &at.sin_addr) != 1)
        return err_set(e, ERR_BAD_REQUEST, "invalid address \"%s\"", ip);
    _auto_close_ int nl = nl_open(e);
    if (nl < 0 || network_make(h, e) < 0 || nl_addr_add(nl, NET_BRIDGE, at.sin_addr.s_addr, 32, e) < 0)
        return -1;
    _auto_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, errno, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, SOMAXCONN) < 0)
        return err_sys(e, errno, "listen on %s:%u", ip, port);
    return TAKE_FD(fd);
}

static void on_listen(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    const char *ip = wire_need_str(in);
    _auto_close_ int fd = listen_at(h, ip, (uint16_t)wire_get_u32(in), &e);
    reply(h, id, &e, NULL, fd);
}

/* Whoever asked waits for the connection, not we. */
static void on_dial_ip(struct helper *h, uint32_t id, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct sockaddr_in at = {.sin_family = AF_INET};
    const char *ip = wire_need_str(in);
    at.sin_port = htons((uint16_t)wire_get_u32(in));
    _auto_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (in->bad || inet_pton(AF_INET, ip, &at.sin_addr) != 1)
        err_set(&e, ERR_BAD_REQUEST, "invalid address \"%s\"", ip);
    else if (fd < 0 || (connect(fd, (struct sockaddr *)&at, sizeof at) < 0 && errno != EINPROGRESS))
        err_sys(&e, errno, "connect to %s", ip);
    reply(h, id, &e, NULL, e.code == ERR_OK ? fd : -1);
}

static void services_lost(struct helper *h)
{
    struct err e = ERR_INIT;
    close(h->services);
    h->services = -1;
    err_set(&e, ERR_UNAVAILABLE, "the service process ended");
    if (h->asked)
        reply(h, h->asked, &e, NULL, -1);
    h->asked = 0;
}

/* The service process is started with the first table, and again if it died. It answers when it is done. */
static void on_set_services(struct helper *h, struct msg *m)
{
    struct err e = ERR_INIT;
    for (int i = 0; i < 2; i++) {
        err_clear(&e);
        if (h->services < 0 && (network_make(h, &e) < 0 || svc_start(HELPER_DOOR, &h->services, &e) < 0))
            break;
        if (chan_send(h->services, m->id, OP_SET_SERVICES, &m->body, NULL, 0, &e) == 0) {
            h->asked = m->id;
            return;
        }
        services_lost(h);
    }
    reply(h, m->id, &e, NULL, -1);
}

static void on_services_answer(struct helper *h)
{
    struct err ok = ERR_INIT;
    _auto_msg_ struct msg m = MSG_INIT;
    if (chan_recv(h->services, &m) != 1) {
        services_lost(h);
        return;
    }
    reply(h, m.id, &ok, &m.body, -1);
    h->asked = 0;
}

static void on_request(struct helper *h, struct msg *m)
{
    struct wire_in in = wire_reader(m->body.data, m->body.len);
    if (m->kind == OP_NODE_START)
        on_node_start(h, m->id, &in);
    else if (m->kind == OP_NODE_READY)
        on_node_ready(h, m->id, &in);
    else if (m->kind == OP_SET_SERVICES)
        on_set_services(h, m);
    else if (m->kind == OP_LISTEN)
        on_listen(h, m->id, &in);
    else if (m->kind == OP_DIAL_IP)
        on_dial_ip(h, m->id, &in);
    else if (m->kind == OP_NODE_STOP)
        on_node_stop(h, m->id, &in);
    else if (m->kind == OP_IMAGES_MOUNT)
        on_images_mount(h, m->id, &in);
    else if (m->kind == OP_DISK_CREATE_EXT4)
        on_create_ext4(h, m->id, &in);
    else if (m->kind == OP_LAYER_UNPACK || m->kind == OP_LAYER_REMOVE)
        layer_jobs_start(&h->layers, h->images, h->sock, m->id, m->kind, &in);
    else if (m->kind == OP_DISK_COPY)
        on_disk_copy(h, m->id, &in);
    else if (m->kind == OP_NODE_COPY)
        on_node_copy(h, m->id, &in);
    else if (m->kind == OP_FS_SERVE)
        on_fs_serve(h, m->id, &in);
    else
        on_disk(h, m->id, m->kind, &in);
}

/* ---- start ---- */

/* A /dev of our own: loop device nodes come and go here, never on the user's machine. */
static int private_dev(struct err *e)
{
    _auto_devices_ struct devices held;
    devices_hold(&held);
    if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=0755,size=4m") < 0)
        return err_sys(e, errno, "mount a private /dev");
    if (!userns_inside() && mknod("/dev/loop-control", S_IFCHR | 0666, makedev(10, 237)) < 0)
        return err_sys(e, errno, "make /dev/loop-control");
    devices_show(&held, "/dev", "fuse");
    return devices_make(&held, "/dev", e);
}

/* What nodes will need; found out now, while the caller can still choose the simulation. */
static int check_kernel(struct err *e)
{
    const unsigned needed = CAP_OVERLAY | (userns_inside() ? 0 : CAP_LOOP | CAP_MKFS_EXT4);
    unsigned caps = 0;
    mkdir("/dev/probe", 0755);
    caps |= probe_loop() ? CAP_LOOP : 0;
    caps |= probe_overlay("/dev/probe") ? CAP_OVERLAY : 0;
    caps |= proc_has("mkfs.ext4") ? CAP_MKFS_EXT4 : 0;
    if ((caps & needed) == needed)
        return 0;
    return err_set(e, ERR_UNSUPPORTED, "%s", probe_advice(caps, needed));
}

static int helper_init(struct helper *h, struct err *e)
{
    if (own_root(e) < 0)
        return -1;
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return err_sys(e, errno, "mount /proc");
    if (private_dev(e) < 0 || check_kernel(e) < 0)
        return -1;
    h->kind = !userns_inside() ? DISK_KIND_LOOP : probe_served() ? DISK_KIND_SERVED : DISK_KIND_DIRECTORY;
    if (h->kind == DISK_KIND_SERVED)
        prctl(PR_SET_PDEATHSIG, 0); /* who is left may have something to write out; then we end too: end_servers() */
    h->images = xasprintf("%s/images", h->data_dir);
    if (proc_mkdir_p(h->images, 0755, e) < 0)
        return -1;
    h->cgroup = cgroup_cluster_name(h->data_dir);
    cgroup_enter_helper(h->cgroup);
    _auto_free_ char *disks = xasprintf("%s/disks", h->data_dir);
    h->disks = disks_new(disks, h->kind, e);
    h->grants = grants_new();
    return h->disks ? 0 : -1;
}

static int reaper_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void serve(struct helper *h)
{
    struct pollfd polled[3] = {{h->sock, POLLIN, 0}, {reaper_fd(), POLLIN, 0}, {-1, POLLIN, 0}};
    int64_t due = 0;
    for (;;) {
        struct signalfd_siginfo info;
        int status;
        const int64_t now = clock_mono_ns(clock_real()) / 1000000;
        if (due <= now)
            due = now + look_at_room(h);
        polled[2].fd = h->services;
        if (poll(polled, ARRAY_LEN(polled), (int)(due - now)) < 0) {
            if (errno != EINTR)
                return;
            continue;
        }
        if (polled[1].revents && read(polled[1].fd, &info, sizeof info) > 0)
            for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
                on_child_end(h, pid, status);
        if (polled[2].revents)
            on_services_answer(h);
        if (!polled[0].revents)
            continue;
        _auto_msg_ struct msg m = MSG_INIT;
        if (chan_recv(h->sock, &m) != 1)
            return;
        on_request(h, &m);
    }
}

/* Nodes first: then nobody writes any more, and servers have only to write out what they have. Whatever still runs
 * after that ends with us. */
static void end_servers(struct helper *h)
{
    const int64_t until = clock_mono_ms(clock_real()) + SERVERS_MS;
    for (const struct helper_node *n = h->nodes; n; n = n->next)
        if (!n->dead)
            kill(n->pid, SIGKILL);
    for (const struct helper_node *n = h->nodes; n; n = n->next)
        serve_node_end(&h->servers, n->name);
    while (h->servers.first && clock_mono_ms(clock_real()) < until) {
        int status;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
            serve_child_end(&h->servers, pid, status);
        nanosleep(&(struct timespec){0, 2 * 1000 * 1000}, NULL);
    }
}

int helper_main(int argc, char **argv)
{
    struct helper h = {.sock = HELPER_FD, .data_dir = argc > 2 ? argv[2] : "/", .argv = argv, .services = -1};
    struct err e = ERR_INIT;
    h.servers.sock = h.sock;
    char *data_dir = xstrdup(h.data_dir); /* argv is overwritten by the title */
    h.data_dir = data_dir;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(h.sock, F_SETFD, FD_CLOEXEC);
    fcntl(HELPER_DOOR, F_SETFD, FD_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C is for the API process, which ends us in its own order */
    setsid();
    if (helper_init(&h, &e) < 0 && (e.sys_errno == EPERM || e.sys_errno == EACCES || e.sys_errno == ENODEV)) {
        e.code = ERR_UNSUPPORTED; /* a rule of this machine, not an accident */
        err_wrap(&e, "%s", probe_advice(CAP_NETNS, CAP_MOUNT));
    }
    _auto_buf_ struct buf body = BUF_INIT;
    wire_err(&body, &e);
    if (chan_send(h.sock, 0, MSG_HELLO, &body, NULL, 0, &(struct err){0}) < 0 || e.code != ERR_OK)
        return 1;
    serve(&h);
    end_servers(&h);
    return 0;
}

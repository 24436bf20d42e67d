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
 * A node that is abandoned (its disks get other files) leaves its mount namespace to a process that does nothing but
 * end: what is mounted there is written out and taken down then, and nobody waits for it.
 *
 * Here: nodes, images, start and the loop, with the table of what is asked. What is asked about disks: helper_disks.c;
 * about addresses and services: helper_net.c. When you add an op also change ops_int.h. While the machine's disk is
 * nearly full the loop shares out what is left, several times a second: grants.c.
 *
 * THREADS: one. The loop never blocks on a node: node_start answers at once with the channel, on which the node says
 * hello. */
#include "sys/cgroup_int.h"
#include "sys/chan.h"
#include "sys/devices_int.h"
#include "sys/helper_int.h"
#include "sys/hidden_int.h"
#include "sys/ops_int.h"
#include "sys/probe_int.h"
#include "sys/own_fs_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/resident.h"
#include "base/str.h"

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

void helper_answer(int sock, uint32_t id, const struct err *e, const struct buf *payload, int fd)
{
    _auto_buf_ struct buf body = BUF_INIT;
    struct err lost = ERR_INIT;
    wire_err(&body, e);
    if (payload && payload->len)
        buf_add(&body, payload->data, payload->len);
    chan_send(sock, id, MSG_REPLY, &body, &fd, fd >= 0 ? 1 : 0, &lost);
}

void helper_reply(struct helper *h, uint32_t id, const struct err *e, const struct buf *payload, int fd)
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

struct helper_node *helper_node_need(struct helper *h, const char *name, struct err *e)
{
    struct helper_node *n = node_find(h, name);
    if (!n || n->dead)
        err_set(e, ERR_NOT_FOUND, "node \"%s\" is not running", name);
    return n && !n->dead ? n : NULL;
}

/* The last to have a mount namespace takes its mounts down: a child, once we have closed ours. */
static void let_go_aside(int take_namespace)
{
    int ours_closed[2];
    _auto_close_ int namespace = take_namespace;
    if (namespace < 0 || pipe2(ours_closed, O_CLOEXEC) < 0)
        return;
    const pid_t pid = fork();
    if (pid == 0) {
        const int keep[] = {namespace, ours_closed[0]};
        char nothing;
        proc_keep_fds(keep, ARRAY_LEN(keep));
        while (read(ours_closed[0], &nothing, 1) < 0 && errno == EINTR)
            ;
        _exit(0);
    }
    close(TAKE_FD(namespace));
    close(ours_closed[0]);
    close(ours_closed[1]);
}

static void node_forget(struct helper *h, struct helper_node *n)
{
    for (struct helper_node **at = &h->nodes; *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            break;
        }
    let_go_aside(n->mounts);
    free(n->name);
    free(n->nodefs);
    free(n);
}

/* ---- nodes ---- */

bool helper_node_name_ok(const char *name)
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
    if (helper_network_make(h, e) == 0 && helper_network_add_node(n, e) == 0 && write(ready[1], "", 1) == 1) {
        close(ready[1]);
        *out_channel = channel[0];
        return 0;
    }
    kill(n->pid, SIGKILL);
    close(ready[1]);
    close(channel[0]);
    return -1;
}

static void on_node_start(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    const char *name = wire_need_str(in);
    const int index = (int)wire_get_u32(in);
    const int64_t bytes = wire_get_i64(in);
    struct helper_node *old = node_find(h, name);
    int channel = -1;
    if (in->bad || !helper_node_name_ok(name) || index < 0 || index >= NODES_MAX) {
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
        n->mounts = -1;
        n->next = h->nodes;
        h->nodes = n;
        if (node_spawn(h, n, bytes, &channel, &e) < 0) {
            n->dead = true; /* reaped by the loop like any child */
        }
    }
    helper_reply(h, m->id, &e, NULL, channel);
    if (channel >= 0)
        close(channel);
}

/* The API process has the node's hello: its /dev is there. */
static void on_node_ready(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    const struct helper_node *n = helper_node_need(h, wire_need_str(in), &e);
    if (n)
        disks_node_ready(h->disks, n->name, n->pid);
    helper_reply(h, m->id, &e, NULL, -1);
}

/* Its mount namespace; -1 if it cannot be had: then its processes' end takes longer. */
static int mounts_of(const struct helper_node *n)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)n->pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void on_node_stop(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct helper_node *n = node_find(h, wire_need_str(in));
    const bool abandon = wire_get_u32(in) && h->kind == DISK_KIND_LOOP; /* else a server may have to write out */
    if (n && !n->dead) {
        n->stop_id = m->id; /* answered when it is reaped */
        n->mounts = abandon ? mounts_of(n) : -1;
        kill(n->pid, SIGKILL);
        return;
    }
    if (n && abandon)
        disks_abandon(h->disks, n->name);
    if (n)
        node_forget(h, n);
    helper_reply(h, m->id, &e, NULL, -1);
}

pid_t helper_node_pid(struct helper *h, const char *name)
{
    const struct helper_node *n = node_find(h, name);
    return n && !n->dead ? n->pid : 0;
}

static void on_child_end(struct helper *h, pid_t pid, int status)
{
    helper_disk_child_ended(h, pid, status);
    layer_jobs_ended(&h->layers, h->sock, pid, status);
    for (struct helper_node *n = h->nodes, *next; n; n = next) {
        next = n->next;
        if (n->pid != pid || n->dead)
            continue;
        struct err ok = ERR_INIT;
        n->dead = true;
        serve_node_end(&h->servers, n->name);
        if (n->mounts >= 0)
            disks_abandon(h->disks, n->name);
        if (n->stop_id) {
            helper_reply(h, n->stop_id, &ok, NULL, -1);
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

static void on_images_mount(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    const int64_t bytes = wire_get_i64(in);
    _auto_close_ int fd = images_mount(h, bytes, &e);
    helper_reply(h, m->id, &e, NULL, fd < 0 ? -1 : fd);
}

static void on_layer(struct helper *h, const struct msg *m, struct wire_in *in)
{
    layer_jobs_start(&h->layers, h->images, h->sock, m->id, m->kind, in);
}

static void on_request(struct helper *h, const struct msg *m)
{
    static const struct {
        uint32_t op;
        void (*handle)(struct helper *h, const struct msg *m, struct wire_in *in);
    } handlers[] = {
        {OP_NODE_START, on_node_start},
        {OP_NODE_READY, on_node_ready},
        {OP_NODE_STOP, on_node_stop},
        {OP_IMAGES_MOUNT, on_images_mount},
        {OP_LAYER_UNPACK, on_layer},
        {OP_LAYER_REMOVE, on_layer},
        {OP_SET_SERVICES, helper_on_set_services},
        {OP_LISTEN, helper_on_listen},
        {OP_DIAL_IP, helper_on_dial_ip},
        {OP_DISK_CREATE_EXT4, helper_on_create_ext4},
        {OP_DISK_COPY, helper_on_disk_copy},
        {OP_NODE_COPY, helper_on_node_copy},
        {OP_FS_SERVE, helper_on_fs_serve},
    };
    struct wire_in in = wire_reader(m->body.data, m->body.len);
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (handlers[i].op == m->kind) {
            handlers[i].handle(h, m, &in);
            return;
        }
    helper_on_disk(h, m, &in);
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

static void serve(struct helper *h)
{
    struct pollfd polled[3] = {{h->sock, POLLIN, 0}, {proc_child_signal_fd(SIG_BLOCK), POLLIN, 0}, {-1, POLLIN, 0}};
    int64_t due = 0;
    bool worked = true; /* and has not rested since */
    for (;;) {
        struct signalfd_siginfo info;
        int status;
        const int64_t now = clock_mono_ns(clock_real()) / 1000000;
        if (due <= now)
            due = now + helper_look_at_room(h);
        polled[2].fd = h->services;
        const int64_t wait = worked && due - now > RESIDENT_REST_MS ? RESIDENT_REST_MS : due - now;
        const int ready = poll(polled, ARRAY_LEN(polled), (int)wait);
        if (ready < 0 && errno != EINTR)
            return;
        if (ready == 0 && worked)
            resident_drop_program();
        worked = ready != 0;
        if (ready <= 0)
            continue;
        if (polled[1].revents && read(polled[1].fd, &info, sizeof info) > 0)
            for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
                on_child_end(h, pid, status);
        if (polled[2].revents)
            helper_on_services_answer(h);
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

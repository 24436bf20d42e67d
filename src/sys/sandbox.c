/* sandbox.c - a pod's sandbox: network, IPC and UTS namespaces that its containers share, and its cable to the node's
 * bridge.
 *
 * DESIGN: namespaces live as long as someone holds a descriptor of them, so no pause process is needed: a short-lived
 * child makes them, the node keeps the descriptors. Only a pod with a shared process namespace has a process that holds
 * it (a PID namespace cannot outlive its first process); it sleeps and reaps.
 *
 * The pod's cable is "veth<hash>" on the node's bridge; the kernel removes it with the namespace.
 *
 * THREADS: none. The child works for about a millisecond; the loop waits for it. */
#include "sys/sandbox_int.h"
#include "sys/netlink.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIAL_TIMEOUT_MS 5000

struct sandbox *sandbox_find(struct node *n, const char *id)
{
    for (struct sandbox *s = n->sandboxes; s; s = s->next)
        if (str_eq(s->id, id))
            return s;
    return NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void sandbox_free(struct sandbox *s)
{
    close_fd(&s->net);
    close_fd(&s->ipc);
    close_fd(&s->uts);
    close_fd(&s->pid);
    if (s->holder)
        kill(s->holder, SIGKILL);
    if (s->shm) {
        umount2(s->shm, MNT_DETACH);
        rmdir(s->shm);
    }
    free(s->id);
    free(s->hostname);
    free(s->shm);
    free(s->ports);
    free(s);
}

int sandbox_join(const struct sandbox *s, struct err *e)
{
    const struct {
        int fd, kind;
        const char *name;
    } spaces[] = {{s->net, CLONE_NEWNET, "network"}, {s->ipc, CLONE_NEWIPC, "ipc"}, {s->uts, CLONE_NEWUTS, "uts"}};
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
        if (spaces[i].fd >= 0 && setns(spaces[i].fd, spaces[i].kind) < 0)
            return err_sys(e, errno, "join the pod's %s namespace", spaces[i].name);
    return 0;
}

/* ---- making one ---- */

#define PAUSE_USER 65535 /* of the pause image */

/* First process of a shared PID namespace, seen there as the pause container is: reaps what is left to it. */
static _Noreturn void hold(char **argv)
{
    proc_title(argv, "/pause");
    prctl(PR_SET_NAME, "pause");
    const bool can = userns_ids() > PAUSE_USER;
    if (can && (setresgid(PAUSE_USER, PAUSE_USER, PAUSE_USER) < 0 || setresuid(PAUSE_USER, PAUSE_USER, PAUSE_USER) < 0))
        _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user forgot it */
    signal(SIGCHLD, SIG_DFL);
    for (;;)
        if (waitpid(-1, NULL, 0) < 0)
            pause();
}

/* "net.core.somaxconn=1024". Only what belongs to the pod's own namespaces gets here: the kubelet saw to that. */
static bool set_sysctl(const char *setting)
{
    const char *eq = strchr(setting, '=');
    char path[256];
    if (!eq || strstr(setting, "..") || eq - setting > 200)
        return false;
    snprintf(path, sizeof path, "/proc/sys/%.*s", (int)(eq - setting), setting);
    for (char *c = path + strlen("/proc/sys/"); *c; c++)
        *c = *c == '.' ? '/' : *c;
    return proc_write(path, eq + 1) == 0;
}

/* The child: is in the new namespaces; sets them up as far as it can alone, says so, and stays until it is let go. */
static _Noreturn void sandbox_child(const struct node *n, const struct sandbox *s, const char *const *sysctls, int sync,
                                    bool stay)
{
    struct err e = ERR_INIT;
    char byte;
    proc_reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (s->uts != -1 && sethostname(s->hostname, strlen(s->hostname)) < 0)
        _exit(1);
    if (s->net != -1) {
        _auto_close_ int nl = nl_open(&e);
        if (nl < 0 || nl_link_up(nl, "lo", NULL, &e) < 0)
            _exit(1);
        mount("proc", "/proc", "proc", 0, NULL); /* so that /proc/sys/net is ours, in a mount namespace of our own */
        proc_write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
        proc_write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    }
    for (; sysctls && *sysctls; sysctls++)
        if (!set_sysctl(*sysctls))
            _exit(1);
    if (write(sync, "", 1) != 1 || read(sync, &byte, 1) != 1)
        _exit(1);
    close(sync);
    if (stay)
        hold(n->argv);
    _exit(0);
}

static int open_ns(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* eth0 of the pod: its address and nothing else is on it; the node's bridge is the way out, to its neighbours too. */
static int connect_pod(const struct node *n, const struct sandbox *s, struct err *e)
{
    char name[16];
    snprintf(name, sizeof name, "veth%08x", str_hash32(s->id, strlen(s->id)));
    _auto_close_ int nl = nl_open(e);
    if (nl < 0 || nl_link_del(nl, name, e) < 0 || nl_veth_add(nl, name, "eth0", 0, s->net, e) < 0 ||
        nl_link_up(nl, name, NET_NODE_BRIDGE, e) < 0)
        return -1;
    if (setns(s->net, CLONE_NEWNET) < 0)
        return err_sys(e, errno, "enter the pod's network");
    _auto_close_ int inner = nl_open(e);
    const uint32_t gateway = htonl(NET_PODS(n->index) + 1);
    const bool ok = inner >= 0 && nl_addr_add(inner, "eth0", s->ip, 32, e) == 0 &&
                    nl_link_up(inner, "eth0", NULL, e) == 0 && nl_route_link(inner, gateway, "eth0", e) == 0 &&
                    nl_route_add(inner, 0, 0, gateway, e) == 0;
    if (setns(n->self_netns, CLONE_NEWNET) < 0)
        BUG("cannot come back to the node's network: %s", strerror(errno));
    return ok ? 0 : -1;
}

/* The descriptors were set to -2 ("to be made") where the pod has its own; fills them in. */
static int make_spaces(const struct node *n, struct sandbox *s, bool share_pid, const char *const *sysctls,
                       struct err *e)
{
    int sync[2];
    uint64_t flags = CLONE_NEWNS;
    flags |= s->net != -1 ? CLONE_NEWNET : 0;
    flags |= s->ipc != -1 ? CLONE_NEWIPC : 0;
    flags |= s->uts != -1 ? CLONE_NEWUTS : 0;
    flags |= share_pid ? CLONE_NEWPID : 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sync) < 0)
        return err_sys(e, errno, "socketpair");
    const pid_t pid = proc_clone(flags);
    if (pid == 0) {
        close(sync[0]);
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
        sandbox_child(n, s, sysctls, sync[1], share_pid);
    }
    close(sync[1]);
    char byte;
    const bool ready = pid > 0 && read(sync[0], &byte, 1) == 1;
    if (ready) {
        s->net = s->net != -1 ? open_ns(pid, "net") : -1;
        s->ipc = s->ipc != -1 ? open_ns(pid, "ipc") : -1;
        s->uts = s->uts != -1 ? open_ns(pid, "uts") : -1;
        s->pid = share_pid ? open_ns(pid, "pid") : -1;
        s->holder = share_pid ? pid : 0;
    } else {
        s->net = s->ipc = s->uts = s->pid = -1;
    }
    const bool let_go = ready && write(sync[0], "", 1) == 1;
    close(sync[0]);
    return let_go ? 0 : err_set(e, ERR_SYS, "failed to create the pod's namespaces");
}

static int make_shm(struct sandbox *s, struct err *e)
{
    s->shm = xasprintf("/run/containerd/io.containerd.grpc.v1.cri/sandboxes/%s/shm", s->id);
    if (proc_mkdir_p(s->shm, 0755, e) < 0)
        return -1;
    if (mount("shm", s->shm, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=67108864,mode=1777") < 0)
        return err_sys(e, errno, "mount the pod's /dev/shm");
    return 0;
}

int req_sandbox_start(struct req *r, struct err *e)
{
    struct node *n = r->node;
    const char *id = wire_need_str(&r->in), *hostname = wire_need_str(&r->in), *ip = wire_need_str(&r->in);
    const bool host_network = wire_get_bool(&r->in), host_pid = wire_get_bool(&r->in), host_ipc = wire_get_bool(&r->in);
    const bool share_pid = wire_get_bool(&r->in);
    _auto_free_ const char **sysctls = wire_get_strv(&r->in);
    size_t ports_len = 0;
    const void *ports = wire_get_blob(&r->in, &ports_len);
    struct in_addr addr = {0};
    if (sandbox_find(n, id))
        return 0;
    if (r->in.bad || !*id || strchr(id, '/') || (!host_network && inet_pton(AF_INET, ip, &addr) != 1))
        return err_set(e, ERR_BAD_REQUEST, "invalid sandbox \"%s\" with address \"%s\"", id, ip);
    struct sandbox *s = xcalloc(1, sizeof *s);
    *s = (struct sandbox){
        .id = xstrdup(id),
        .hostname = xstrdup(hostname),
        .ip = host_network ? 0 : addr.s_addr,
        .net = host_network ? -1 : -2,
        .ipc = host_ipc ? -1 : -2,
        .uts = host_network ? -1 : -2, /* a pod on the node's network has its name too */
        .pid = -1,
        .host_pid = host_pid,
        .ports = xmemdup(ports ? ports : "", ports_len),
        .port_count = host_network ? 0 : ports_len / sizeof *s->ports,
    };
    if (make_spaces(n, s, share_pid && !host_pid, (const char *const *)sysctls, e) < 0 || make_shm(s, e) < 0 ||
        (!host_network && connect_pod(n, s, e) < 0)) {
        sandbox_free(s);
        return -1;
    }
    s->next = n->sandboxes;
    n->sandboxes = s;
    if (s->port_count)
        node_rules_apply(n, &(struct err){0}); /* without nf_tables a pod is reached at its own address alone */
    return 0;
}

int req_sandbox_stop(struct req *r, struct err *e)
{
    (void)e;
    const char *id = wire_need_str(&r->in);
    for (struct sandbox **at = &r->node->sandboxes; *at; at = &(*at)->next) {
        struct sandbox *s = *at;
        if (!str_eq(s->id, id))
            continue;
        *at = s->next;
        const bool had_ports = s->port_count;
        sandbox_free(s);
        if (had_ports)
            node_rules_apply(r->node, &(struct err){0});
        break;
    }
    containers_end(r->node, id);
    return 0;
}

/* ---- port-forward, probes ---- */

/* A connected socket, or -errno. */
static int connect_to(uint32_t ip, uint16_t port, int timeout_ms)
{
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int code = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        struct pollfd p = {fd, POLLOUT, 0};
        socklen_t len = sizeof code;
        if (poll(&p, 1, timeout_ms) <= 0)
            code = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
            code = errno;
    }
    if (code == 0) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        return fd;
    }
    close(fd);
    return -code;
}

int req_dial(struct req *r, struct err *e)
{
    const char *id = wire_need_str(&r->in);
    const uint16_t port = (uint16_t)wire_get_u32(&r->in);
    const struct sandbox *s = sandbox_find(r->node, id);
    if (!s)
        return err_set(e, ERR_NOT_FOUND, "sandbox \"%s\" not found", id);
    if (s->net >= 0 && setns(s->net, CLONE_NEWNET) < 0)
        return err_sys(e, errno, "enter the pod's network");
    int fd = connect_to(htonl(INADDR_LOOPBACK), port, DIAL_TIMEOUT_MS);
    if (fd < 0 && s->ip)
        fd = connect_to(s->ip, port, DIAL_TIMEOUT_MS);
    if (fd < 0) {
        err_set(e, ERR_UNAVAILABLE,
                "failed to connect to localhost:%u inside namespace \"%s\", IPv4: dial tcp4 127.0.0.1:%u: "
                "connect: %s IPv6 dial "
                "tcp6: address localhost: no suitable address found",
                port, id, port,
                fd == -ECONNREFUSED ? "connection refused"
                : fd == -ETIMEDOUT  ? "i/o timeout"
                                    : strerror(-fd));
        e->sys_errno = -fd;
        return -1;
    }
    r->fds[r->fd_count++] = fd;
    return 0;
}

int req_dial_from(struct req *r, struct err *e)
{
    const char *text = wire_need_str(&r->in);
    const uint16_t port = (uint16_t)wire_get_u32(&r->in);
    const int64_t timeout = wire_get_i64(&r->in);
    struct in_addr ip;
    if (inet_pton(AF_INET, text, &ip) != 1)
        return err_set(e, ERR_BAD_REQUEST, "invalid address \"%s\"", text);
    const int fd =
        connect_to(ip.s_addr, port, timeout > 0 && timeout < DIAL_TIMEOUT_MS ? (int)timeout : DIAL_TIMEOUT_MS);
    if (fd == -ETIMEDOUT)
        return err_set(e, ERR_UNAVAILABLE, "i/o timeout");
    if (fd < 0)
        return err_sys(e, -fd, "connect");
    r->fds[r->fd_count++] = fd;
    return 0;
}

/* machine.h - the machine: nodes, disks, mounts, pod sandboxes, containers. The only door to kernel calls with effect.
 *
 * One ops table, three implementations: the real one (a privileged node helper, see helper.c), a fake (tests, and hosts
 * where mounts are not allowed: everything is remembered, nothing is done), and a tracing wrapper. Everything here is
 * synchronous and safe from any thread; callers run it on workers. Node paths are absolute paths *on the node*
 * ("/var/lib/kubelet/pods/…"), never on the user's machine.
 *
 * Life cycle and safety: the node helper is started before any thread exists and is the parent (through PID namespaces)
 * of every node, pod and container process; mounts live in the nodes' mount namespaces; loop devices are autoclear. If
 * the API process or the helper dies in any way, the kernel takes all of it. */
#ifndef STOWAGE_SYS_MACHINE_H
#define STOWAGE_SYS_MACHINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct machine;

/* Where a node has the image layers: the mount point of imagefs. */
#define NODE_IMAGEFS "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots"

enum machine_cap {
    CAP_MOUNT = 1,
    CAP_LOOP = 2,
    CAP_OVERLAY = 4,
    CAP_NETNS = 8,
    CAP_CGROUP = 16,
    CAP_MKFS_EXT4 = 32,
    CAP_DEVICES = 64,
    CAP_FILTER = 128,
    CAP_SERVED = 256, /* filesystems of disks by fuse2fs, where there are no loop devices */
    CAP_IDS = 512,    /* more than one user id */
};
struct machine_info {
    unsigned caps;
    bool simulated; /* the fake: pods and disks are remembered, not made */
    bool rootless;  /* all of it in a user namespace; `differs` says what is not as with root, "" if nothing */
    char differs[640];
    char why[256]; /* what is missing and what to do, "" if nothing */
    char kernel[128], os_image[128], arch[32], machine_id[40], boot_id[40];
    int cpus;
    int64_t memory_bytes;
};

struct node_spec {
    const char *name;
    int index;            /* 0, 1, …: its addresses are 172.30.0.(10+index), its pods 10.244.<index>.0/24 */
    int64_t nodefs_bytes; /* size of its filesystem (sparse) */
};

enum disk_how {
    DISK_READ_ONLY = 1,
    DISK_SHARED = 2, /* on several nodes at once, if each of them says so: they see one filesystem, as of one kernel */
};

struct disk_info {
    int64_t bytes;   /* logical size */
    int64_t used;    /* blocks really used on the user's disk */
    int64_t room;    /* bytes the filesystem that holds the disks has left */
    char node[64];   /* where attached (of several: one of them), or "" */
    char device[64]; /* "/dev/xvdba" there, or "" */
    char loop[32];   /* "/dev/loop7" of the host, or "" */
    bool starved;    /* what is written to it fails, because there is no room for it */
};

struct fs_mount {
    const char *node;
    const char *device;  /* "/dev/xvdba" on the node */
    const char *target;  /* made if missing */
    const char *fstype;  /* "ext4", "xfs", … */
    const char *options; /* comma list for mount(8)/mount(2), or "" */
    bool read_only;
    bool format;      /* make the filesystem if the disk is blank, and only then; fsck -a otherwise */
    const char *mkfs; /* further words for mkfs, with blanks between; may be NULL */
};

struct fs_stat {
    int64_t bytes, bytes_free, bytes_avail, inodes, inodes_free;
    char fstype[16];
    bool shared; /* holds other things beside: how full it is tells nothing of ours */
};

struct path_use { /* of a file or a tree, as du -x counts */
    int64_t bytes, inodes;
};

struct container_use { /* since it started, or now; what the machine cannot measure is -1 */
    int64_t cpu_ns, memory, working_set, rss, pids;
    int64_t at_ns; /* when, by the clock of the machine, which a cluster's may leave behind */
};

struct file_spec {    /* one file of an atomically written volume (ConfigMap, Secret, projected) */
    const char *path; /* relative, may contain '/' */
    const void *data;
    size_t len;
    mode_t mode;
};

struct port_map { /* a port of the node that leads to a pod */
    uint16_t host, container;
    bool udp;
};

struct sandbox_spec {      /* a pod's namespaces: network, IPC, UTS */
    const char *node, *id; /* id: the pod uid */
    const char *hostname;
    const char *ip; /* "10.244.1.7"; ignored with host_network */
    bool host_network, host_pid, host_ipc;
    bool share_pid;
    const char *const *sysctls; /* NULL-terminated "net.core.somaxconn=1024", or NULL */
    const struct port_map *ports;
    size_t port_count;
};

/* What is mounted below a bind later, who sees it? */
enum mount_propagation {
    PROPAGATION_NONE,  /* each side only its own */
    PROPAGATION_SLAVE, /* the container what the node mounts */
    PROPAGATION_SHARED /* both what either mounts */
};

struct mount_spec {     /* a bind from the node into a container */
    const char *source; /* path on the node */
    const char *target; /* path in the container; missing parts are made */
    bool read_only;
    bool device; /* block-mode volume: source is a device node */
    enum mount_propagation propagation;
};

struct container_spec {
    const char *node, *sandbox, *id;      /* id: 64 hex characters */
    const char *const *layers;            /* NULL-terminated: absolute host paths, lowest first */
    const char *rootfs_dir;               /* node path for upper and work directories */
    const char *const *argv, *const *env; /* NULL-terminated */
    const char *cwd;
    const char *const *volumes; /* NULL-terminated, or NULL: places in the image that shall be volumes of their own */
    const struct mount_spec *mounts;
    size_t mount_count;
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t group_count;
    bool tty, stdin_open, read_only_root, privileged;
    bool stdin_once; /* the first attached session that closes its input ends the container's */
    bool no_new_privs;
    bool default_profile; /* the runtime's filter of system calls */
    bool unmasked_proc;   /* procMount */
    const void *filter;   /* of system calls, see seccomp.h; NULL = none */
    size_t filter_len;    /* bytes */
    int oom_score_adj;
    const char *pid_of;              /* the container whose process namespace it joins, or NULL */
    uint64_t add_caps, drop_caps;    /* capability bits */
    int64_t memory_bytes, cpu_milli; /* 0 = no limit */
    int64_t cpu_request_milli;
    const char *log_path; /* node path of the CRI log file */
};

struct exit_info {
    char node[64], id[72]; /* container id */
    int code;              /* exit code or 128+signal */
    int signal;
    bool oom_killed;
    int64_t finished_ns; /* wall */
};

/* As struct exec_session in registry/node_ops.h; the caller closes them; -1 = absent. With a tty: exec gives only `in`,
 * the pty master (read, write, TIOCSWINSZ); attach gives the master as `in` (write, TIOCSWINSZ) and a pipe with the
 * output as `out`, because the output also goes to the log and to other sessions. */
struct stream_fds {
    int in, out, err, exit_fd; /* exit_fd gives int32 code + 252 bytes of text, then EOF */
};

struct exec_spec {
    const char *node;
    const char *id;                       /* container, or "" for the node itself (node shell) */
    const char *const *argv, *const *env; /* env NULL = the container's */
    const char *cwd;                      /* NULL = the container's */
    uint32_t uid, gid;                    /* on the node; in a container it is always the container's own user */
    bool tty, want_stdin;
    int64_t timeout_ms; /* killed after that, with the text "timed out"; 0 = never */
};

struct layer_spec {            /* paths below the directory of images */
    const char *blob;          /* the archive, maybe compressed */
    const char *dir;           /* made; must not be there */
    const char *const *lowers; /* NULL-terminated, or NULL: the layers below, the uppermost first */
    int64_t max_bytes;         /* the archive decompressed is refused if it has more; 0 = any */
};
struct layer_result;

struct machine_ops {
    void (*info)(struct machine *m, struct machine_info *out);

    int (*node_start)(struct machine *m, const struct node_spec *spec, struct err *e);
    int (*node_stop)(struct machine *m, const char *node, struct err *e);
    /* As node_stop(), of a node whose filesystem and disks are about to be replaced by other files: its processes are
     * dead when it returns, its disks are attached nowhere, but the kernel may still be taking down what was mounted.
     * Who wants one of the old files again has to wait for that (ERR_BUSY). */
    int (*node_abandon)(struct machine *m, const char *node, struct err *e);

    /* The filesystem that holds image layers, of that size (sparse; it never shrinks): every node sees it read-only at
     * NODE_IMAGEFS. *out_fd is its top directory, for whoever unpacks layers; what is below "images" there is what
     * containers' layers name. Before the first node_start(), at most once. Without it layers are a directory of the
     * data directory. */
    int (*images_mount)(struct machine *m, int64_t bytes, int *out_fd, struct err *e);

    /* -- image layers (layer.h): what only root may do with them -- */
    /* After a failure what is at spec->dir is for the caller to remove. */
    int (*layer_unpack)(struct machine *m, const struct layer_spec *spec, struct layer_result *out, struct err *e);
    int (*layer_remove)(struct machine *m, const char *dir, struct err *e);

    /* -- disks: sparse files in the data directory, one owner each -- */
    int (*disk_create)(struct machine *m, const char *id, int64_t bytes, struct err *e);
    /* As disk_create; and if it can be had at once, the disk holds a fresh ext4 filesystem. Else its first mount makes
     * it, as on any blank disk. */
    int (*disk_create_ext4)(struct machine *m, const char *id, int64_t bytes, struct err *e);
    int (*disk_grow)(struct machine *m, const char *id, int64_t bytes, struct err *e); /* attached loop follows */
    int (*disk_delete)(struct machine *m, const char *id, struct err *e);              /* BUSY while attached */
    /* A new disk `to` with what `from` holds at one moment; `from` may be attached, mounted and written meanwhile.
     * Shared blocks where the machine's filesystem can (reflink), else a sparse copy. bytes: size of the new disk, 0 =
     * that of `from`; BAD_REQUEST if smaller, ALREADY_EXISTS. Nothing is left when it fails. May take long. */
    int (*disk_copy)(struct machine *m, const char *from, const char *to, int64_t bytes, struct err *e);
    /* A new disk `to` with what the node's own filesystem holds, as disk_copy(); the node may run, or not. */
    int (*node_copy)(struct machine *m, const char *node, const char *to, struct err *e);
    int (*disk_info)(struct machine *m, const char *id, struct disk_info *out, struct err *e); /* NOT_FOUND */
    int (*disk_attach)(struct machine *m, const char *id, const char *node, const char *device, unsigned how,
                       struct err *e); /* how: enum disk_how */
    int (*disk_detach)(struct machine *m, const char *id, const char *node, struct err *e);

    /* -- mounts on a node; error messages as mount(8)'s "mount failed: exit status 32\nMounting command: …" -- */
    int (*fs_mount)(struct machine *m, const struct fs_mount *spec, struct err *e);
    int (*fs_grow)(struct machine *m, const char *node, const char *device, const char *target, struct err *e);
    int (*bind)(struct machine *m, const char *node, const char *source, const char *target, bool read_only,
                struct err *e);
    /* As bind, of `path` below `root`: links in it never lead out of root; missing directories are made. */
    int (*bind_beneath)(struct machine *m, const char *node, const char *root, const char *path, const char *target,
                        struct err *e);
    int (*tmpfs)(struct machine *m, const char *node, const char *target, int64_t bytes, mode_t mode, struct err *e);
    int (*unmount)(struct machine *m, const char *node, const char *target, struct err *e); /* not mounted is fine */
    bool (*is_mounted)(struct machine *m, const char *node, const char *target);
    int (*fs_stat)(struct machine *m, const char *node, const char *path, struct fs_stat *out, struct err *e);

    /* -- files on a node -- */
    int (*mkdir_p)(struct machine *m, const char *node, const char *path, mode_t mode, struct err *e);
    int (*remove_all)(struct machine *m, const char *node, const char *path, struct err *e); /* never crosses a mount */
    int (*stat)(struct machine *m, const char *node, const char *path, struct stat *out, struct err *e);
    int (*open)(struct machine *m, const char *node, const char *path, int flags, mode_t mode, int *out_fd,
                struct err *e);
    int (*chown_tree)(struct machine *m, const char *node, const char *path, uint32_t gid, bool read_only,
                      struct err *e); /* fsGroup */
    /* The kubelet's AtomicWriter: timestamped directory, ..data link, stale files removed. *out_changed may be NULL. */
    int (*write_volume)(struct machine *m, const char *node, const char *dir, const struct file_spec *files,
                        size_t count, int64_t gid /* -1 none */, bool *out_changed, struct err *e);
    /* Of `count` paths at once; a missing one uses nothing. Walks the trees: not to be asked for often. */
    int (*disk_usage)(struct machine *m, const char *node, const char *const *paths, size_t count, struct path_use *out,
                      struct err *e);

    /* -- pods -- */
    int (*sandbox_start)(struct machine *m, const struct sandbox_spec *spec, struct err *e);
    /* What still runs in it is killed, and forgotten with it. */
    int (*sandbox_stop)(struct machine *m, const char *node, const char *id, struct err *e);
    int (*container_start)(struct machine *m, const struct container_spec *spec, pid_t *out_pid, struct err *e);
    int (*container_signal)(struct machine *m, const char *node, const char *id, int sig, struct err *e);
    /* Unmounts its root; with `purge` removes the writable layer too. */
    int (*container_remove)(struct machine *m, const char *node, const char *id, bool purge, struct err *e);
    /* Of `count` containers at once; cheap. */
    int (*container_usage)(struct machine *m, const char *node, const char *const *ids, size_t count,
                           struct container_use *out, struct err *e);
    /* Bytes of memory that programs could still get, on this machine: all nodes share it. */
    int64_t (*memory_available)(struct machine *m);
    int (*exec)(struct machine *m, const struct exec_spec *spec, struct stream_fds *out, struct err *e);
    int (*attach)(struct machine *m, const char *node, const char *id, struct stream_fds *out, struct err *e);
    /* A port of a pod, as seen inside it. */
    int (*dial)(struct machine *m, const char *node, const char *sandbox, uint16_t port, int *out_fd, struct err *e);
    /* An IPv4 address, as the node sees it: its own, its loopback's, a pod's. timeout_ms: 0 = the machine's own. */
    int (*dial_from)(struct machine *m, const char *node, const char *ip, uint16_t port, int64_t timeout_ms,
                     int *out_fd, struct err *e);

    /* A listening TCP socket *inside* the cluster network, at an address that every node and pod reaches ("10.96.0.1",
     * 443: how kubectl on a node and clients in pods find the API server). The caller accepts on it and closes it. */
    int (*listen)(struct machine *m, const char *ip, uint16_t port, int *out_fd, struct err *e);

    /* A socket of the cluster's network that is connecting to an address there; not blocking. */
    int (*dial_ip)(struct machine *m, const char *ip, uint16_t port, int *out_fd, struct err *e);

    /* Called from a machine thread for each container that ends. Set before the first container; when it is taken away
     * (NULL) it does not run any more once this returns. */
    void (*on_exit)(struct machine *m, void (*fn)(void *arg, const struct exit_info *info), void *arg);
    /* Called once from a machine thread if the helper or a node dies without being asked ("" = the helper itself). */
    void (*on_death)(struct machine *m, void (*fn)(void *arg, const char *node), void *arg);
    /* Services inside the cluster network, policies and names; replaces the whole table. What the parts look like is
     * told where they are used: sys/svc_ports.c, sys/svc_rules.c, sys/dns.c.
     * {"dns": "10.96.0.10",
     *  "services": [{"ip": "10.96.3.4", "port": 80, "protocol": "TCP", "targets": ["10.244.0.5:8080"]},
     *               {"ip": "127.0.0.1", "port": 30080, "host": true, "targets": […]},   (on the user's loopback)
     *               {"ip": "10.96.3.5", …, "sticky": 10800}],   (a client keeps its pod for so many seconds)
     *  "policies": […], "names": {…}, "PTR": {…}}
     * or {"aged": 5000}: the table stays, clients have had their pods for so many ms more. Answered with {} if there is
     * no table that could stay.
     * *out_json (new): {"filter": true, "why": "", "refused": [{"ip", "port", "protocol", "why"}]}: does the kernel
     * filter packets, why not, and which of the user's ports were not to be had. */
    int (*set_services)(struct machine *m, const char *rules_json, char **out_json, struct err *e);
    void (*close)(struct machine *m); /* stops everything; frees m */
};
struct cloud;
struct machine {
    const struct machine_ops *ops;
    struct cloud
        *cloud; /* borrowed: the inventory a higher floor keeps of its disks (csi/cloud.h); sys only carries it */
};

/* An ordinary user's way to a real machine: this process, and so all that it starts, becomes root of a user namespace.
 * Nothing happens to root. Before machine_open_real(), while the process has one thread. ERR_UNSUPPORTED, and what to
 * do, where that is not allowed. */
int machine_enter_userns(struct err *e);
/* Starts the node helper. MUST be called while the process has one thread. `self_exe`: path of our binary (the helper
 * re-executes it with a hidden verb). data_dir: absolute; disks and nodes live below it. Errors say what is missing and
 * what to do. */
int machine_open_real(const char *self_exe, const char *data_dir, struct machine **out, struct err *e);
/* The same in two steps, for those who have something to do meanwhile: begin returns while the helper starts. Until end
 * returns, the process keeps its one thread and asks nothing of the machine. `m` is gone if end fails. */
int machine_begin_real(const char *self_exe, const char *data_dir, struct machine **out, struct err *e);
int machine_end_real(struct machine *m, struct err *e);
/* fake.h has its test controls. Nothing is made; what was asked is remembered, so the rest of the house works. */
struct machine *machine_open_fake(const char *why);
/* Prints each call and result to `fd`; owns `inner`. */
struct machine *machine_trace(struct machine *inner, int fd);
/* What this machine can do: tries it in a throw-away child (`stowage doctor`). */
void machine_probe(struct machine_info *out);
/* What this machine is; nothing is tried. */
void machine_describe(struct machine_info *out);

/* Entry of the hidden verbs (`stowage __helper`, `__node`, `__init` …); returns the exit code, or -1 if argv[1] is not
 * one of them. */
int sys_hidden_main(int argc, char **argv);

#endif

/* node_int.h - inside a node process: its loop, requests and records. Private to sys.
 *
 * A node is one single-threaded process with an event loop (node.c). Quick requests are answered in the loop; those
 * that may take time run in a forked child, which replies for itself on the shared channel. */
#ifndef STOWAGE_SYS_NODE_INT_H
#define STOWAGE_SYS_NODE_INT_H

#include "sys/cgroup_int.h"
#include "sys/chan.h"
#include "sys/hidden_int.h"
#include "sys/machine.h"
#include "sys/wire.h"

#define ROOT_DEVICE "/dev/xvda1" /* of a node's own filesystem */

struct node;
struct container;
struct sandbox;

/* Something the loop waits for. */
struct watch {
    int fd; /* owned by whoever owns the watch; -1 = not watched */
    void (*ready)(struct node *n, struct watch *w);
    void *owner;
};
int node_watch(struct node *n, struct watch *w, struct err *e);
void node_unwatch(struct node *n, struct watch *w); /* closes the descriptor */

struct job { /* a forked child that will reply for itself */
    struct job *next;
    pid_t pid;
    uint32_t id;
};

struct node {
    const char *name;
    int index;
    int64_t nodefs_bytes;
    int channel;
    int epoll;
    struct cgroups cgroups;
    struct sandbox *sandboxes;
    struct container *containers;
    struct job *jobs;
    pid_t furnisher;                        /* still brings the rest of the node's root; 0 = done */
    char **argv;                            /* what of it the machine shows as its name */
    int self_netns, self_pidns, self_mntns; /* of the node, to come back to */
    int proc;                               /* its /proc, also if somebody unmounts it */
};

struct req {
    struct node *node;
    uint32_t id, op;
    struct msg *msg; /* a handler may take its body */
    struct wire_in in;
    struct buf out; /* payload of the reply */
    int fds[CHAN_FDS_MAX];
    unsigned fd_count; /* closed after the reply is sent */
};
#define REQ_LATER 1 /* the handler (or a child of it) replies */
typedef int (*req_fn)(struct req *r, struct err *e);
void req_reply(struct req *r, const struct err *e);
/* Runs `fn` in a child, which replies for itself. */
void req_run_forked(struct req *r, req_fn fn);
void node_reply(struct node *n, uint32_t id, const struct err *e, const struct buf *payload, const int *fds,
                unsigned fd_count);

/* node_root.c: builds the node's root filesystem and moves into it. */
/* `keeps_settings`: what its processes write to settings of the machine has no effect. */
int node_root_enter(const struct node_boot *boot, bool keeps_settings, struct err *e);
/* What only people on the node miss comes after it runs: opened on the machine, then brought by a child, which is
 * returned; 0 = there is none. */
int node_furnish_from(void);
pid_t node_furnish(int take_from);
/* node_net.c */
int node_net_setup(const struct node_boot *boot, struct err *e);

/* Handlers. node_mount.c: */
int req_fs_mount(struct req *r, struct err *e);
int req_fs_grow(struct req *r, struct err *e);
int req_bind(struct req *r, struct err *e);
int req_tmpfs(struct req *r, struct err *e);
int req_unmount(struct req *r, struct err *e);
int req_is_mounted(struct req *r, struct err *e);
int req_fs_stat(struct req *r, struct err *e);
/* node_subpath.c: */
int req_bind_beneath(struct req *r, struct err *e);
/* node_files.c: */
int req_mkdir_p(struct req *r, struct err *e);
int req_remove_all(struct req *r, struct err *e);
int req_stat(struct req *r, struct err *e);
int req_open(struct req *r, struct err *e);
int req_chown_tree(struct req *r, struct err *e);
int req_disk_usage(struct req *r, struct err *e);
/* node_volume.c: */
int req_write_volume(struct req *r, struct err *e);
/* sandbox.c: */
int req_sandbox_start(struct req *r, struct err *e);
int req_sandbox_stop(struct req *r, struct err *e);
int req_dial(struct req *r, struct err *e);
int req_dial_from(struct req *r, struct err *e);
/* container.c: */
int req_container_start(struct req *r, struct err *e);
int req_container_signal(struct req *r, struct err *e);
int req_container_remove(struct req *r, struct err *e);
int req_attach(struct req *r, struct err *e);
/* cgroup_usage.c: */
int req_container_usage(struct req *r, struct err *e);
/* The sandbox ends: its containers that still run are killed, and all are forgotten. */
void containers_end(struct node *n, const char *sandbox);
bool containers_reap(struct node *n, pid_t pid, int status);
/* In a forked child: the ends of the containers' streams are the loop's alone (else no reader would see their end). */
void containers_close_fds(struct node *n);
/* exec.c: */
int req_exec(struct req *r, struct err *e);

/* -- shared pieces -- */
/* Removes a tree without crossing a mount. A missing tree is fine. */
int files_remove_tree(const char *path, struct err *e);
/* Makes the filesystem on a device if it is blank (node_mount.c). */
const char *fs_probe(const char *device); /* "ext4", "xfs", "partitions", "" = blank; NULL = cannot be read */

#endif

/* helper_int.h - the helper's state, and the parts of its loop: helper.c (nodes, start), helper_disks.c, helper_net.c.
 * Private to sys.
 *
 * helper_on_*: a request of the API process; each answers it, at once or when it is done. THREADS: none; the loop only.
 */
#ifndef STOWAGE_SYS_HELPER_INT_H
#define STOWAGE_SYS_HELPER_INT_H

#include "base/buf.h"
#include "base/err.h"
#include "sys/chan.h"
#include "sys/disks_int.h"
#include "sys/grants_int.h"
#include "sys/layer_jobs_int.h"
#include "sys/serve_int.h"
#include "sys/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NODES_MAX 201

struct helper_node {
    struct helper_node *next;
    char *name;   /* owned */
    char *nodefs; /* owned; the image of its filesystem */
    int index;
    pid_t pid;
    uint32_t stop_id; /* request waiting for its end, 0 = none */
    int mounts;       /* owned; its mount namespace, when it is abandoned; -1: it is not */
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
    int sock; /* to the API process */
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

/* The reply to the request of that id; fd: goes with it, or -1. */
void helper_reply(struct helper *h, uint32_t id, const struct err *e, const struct buf *payload, int fd);
bool helper_node_name_ok(const char *name);
/* NULL with `e` set: it does not run. */
struct helper_node *helper_node_need(struct helper *h, const char *name, struct err *e);
pid_t helper_node_pid(struct helper *h, const char *name); /* 0: it does not run */

/* ---- helper_disks.c ---- */
void helper_on_disk(struct helper *h, const struct msg *m, struct wire_in *in);
void helper_on_create_ext4(struct helper *h, const struct msg *m, struct wire_in *in);
void helper_on_disk_copy(struct helper *h, const struct msg *m, struct wire_in *in);
void helper_on_node_copy(struct helper *h, const struct msg *m, struct wire_in *in);
void helper_on_fs_serve(struct helper *h, const struct msg *m, struct wire_in *in);
void helper_disk_child_ended(struct helper *h, pid_t pid, int status); /* of any child: it knows its own */
/* Looks how much room there is, and who may have what of it. Returns when to look again (ms). */
int helper_look_at_room(struct helper *h);

/* ---- helper_net.c ---- */
int helper_network_make(struct helper *h, struct err *e); /* if it is not there yet */
int helper_network_add_node(const struct helper_node *n, struct err *e);
void helper_on_listen(struct helper *h, const struct msg *m, struct wire_in *in);
void helper_on_dial_ip(struct helper *h, const struct msg *m, struct wire_in *in);
void helper_on_set_services(struct helper *h, const struct msg *m, struct wire_in *in);
void helper_on_services_answer(struct helper *h); /* its channel can be read */

#endif

/* hidden_int.h - entries of the processes that are not the API process. Private to sys. */
#ifndef STOWAGE_SYS_HIDDEN_INT_H
#define STOWAGE_SYS_HIDDEN_INT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

#define HELPER_VERB "__helper"
#define HELPER_FD   3     /* the helper's end of the channel */
#define SERVERS_MS  30000 /* that filesystem servers have to write out what they hold, at the end */
#define HELPER_DOOR 4     /* to the network of whoever started it (door_int.h) */

int helper_main(int argc, char **argv);
/* The reply to the API process; by the helper, or a child that has the channel. fd: goes with it, or -1. */
void helper_answer(int sock, uint32_t id, const struct err *e, const struct buf *payload, int fd);

struct node_boot {
    const char *name;
    int index;
    const char *dir;    /* host directory of the node: nodefs.img, root */
    const char *images; /* host directory of image layers */
    int64_t nodefs_bytes;
    int channel;        /* to the API process */
    int net_ready;      /* gives a byte once eth0 is there */
    const char *cgroup; /* name of the cluster's cgroup, "" = none */
    char **argv;        /* for the process title */
};
/* Runs in the child of proc_clone(); never returns. */
_Noreturn void node_main(const struct node_boot *boot);

#endif

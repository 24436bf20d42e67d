/* hidden_int.h - entries of the processes that are not the API process. Private to sys. */
#ifndef STOWAGE_SYS_HIDDEN_INT_H
#define STOWAGE_SYS_HIDDEN_INT_H

#include <stdint.h>
#include <sys/types.h>

#define HELPER_VERB "__helper"
#define HELPER_FD   3 /* the helper's end of the channel */
#define HELPER_DOOR 4 /* to the network of whoever started it (door_int.h) */

int helper_main(int argc, char **argv);

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

/* hollow.h - simulated nodes beside the real ones, for scale: their pods are Running without a process.
 *
 * They carry the label and the taint stowage.io/simulated, so that only pods of the RuntimeClass "simulated" come there
 * (or pods that say so themselves). */
#ifndef STOWAGE_KUBELETSIM_HOLLOW_H
#define STOWAGE_KUBELETSIM_HOLLOW_H

#include "control/control.h"

#define HOLLOW_NODES_MAX 5000

struct hollow;
struct hollow_conf {
    struct registry *registry; /* borrows, as all below */
    const struct clock *clock;
    int nodes;
    const char *region;
    const char *kubelet_version;
};

/* Writes the nodes' objects and the RuntimeClass; removes nodes of an earlier life that are no more wanted. */
int hollow_open(const struct hollow_conf *conf, struct hollow **out, struct err *e);
void hollow_add_loops(struct hollow *h, struct control *c);
void hollow_close(struct hollow *h); /* after control_stop(); NULL is fine */
/* "sim-0001" … */
void hollow_node_name(int index, char out[64]);

#endif

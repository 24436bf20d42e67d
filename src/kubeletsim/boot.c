/* boot.c - the nodes' machines start, all at once: each costs a filesystem and a few processes.
 *
 * DESIGN: a thread a node, so that whoever starts a cluster can do the rest meanwhile and ask for the nodes when it
 * needs them (kubelet_open). THREADS: boot_wait() for one node is called by one thread. */
#include "kubeletsim/pod_int.h"

#include <stdlib.h>
#include <string.h>

struct boot_job {
    struct kubelet_boot *boot;
    char node[64];
    int index;
    pthread_t thread;
    bool joined;
    int rc;
    int64_t started; /* wall ns */
    struct err err;
};

struct kubelet_boot {
    struct machine *machine;
    const struct clock *clock;
    int64_t nodefs_bytes;
    int count;
    struct boot_job jobs[];
};

static void *boot_main(void *arg)
{
    struct boot_job *j = arg;
    const struct node_spec spec = {j->node, j->index, j->boot->nodefs_bytes};
    j->rc = j->boot->machine->ops->node_start(j->boot->machine, &spec, &j->err);
    j->started = clock_wall_ns(j->boot->clock);
    return NULL;
}

struct kubelet_boot *kubelet_boot_begin(struct machine *m, const struct clock *clock, int nodes, int64_t nodefs_bytes)
{
    struct kubelet_boot *b = xcalloc(1, sizeof *b + (size_t)nodes * sizeof b->jobs[0]);
    *b = (struct kubelet_boot){m, clock, nodefs_bytes, nodes};
    for (int i = 0; i < nodes; i++) {
        struct boot_job *j = &b->jobs[i];
        j->boot = b;
        j->index = i;
        kubelet_node_name(i, j->node);
        int rc = pthread_create(&j->thread, NULL, boot_main, j);
        if (rc != 0)
            BUG("no thread for node %d: %s", i, strerror(rc));
    }
    return b;
}

int boot_wait(struct kubelet_boot *b, int index, int64_t *out_started, struct err *e)
{
    struct boot_job *j = &b->jobs[index];
    if (!j->joined)
        pthread_join(j->thread, NULL);
    j->joined = true;
    if (j->rc < 0) {
        *e = j->err;
        return -1;
    }
    *out_started = j->started;
    return 0;
}

void kubelet_boot_free(struct kubelet_boot *b)
{
    for (int i = 0; b && i < b->count; i++)
        if (!b->jobs[i].joined)
            pthread_join(b->jobs[i].thread, NULL);
    free(b);
}

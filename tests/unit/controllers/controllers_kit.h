/* controllers_kit.h - a cluster without threads whose only loops are those of this folder; see unit/loop_world.h. */
#ifndef STOWAGE_TESTS_CONTROLLERS_KIT_H
#define STOWAGE_TESTS_CONTROLLERS_KIT_H

#include "unit/loop_world.h"

#include "controllers/controllers.h"

static inline int setup(void **state)
{
    static struct controllers_env env = {.ca_pem = "CERT"};
    struct loop_world *w = xcalloc(1, sizeof *w);
    size_t n;
    world_open(w);
    const struct loop_def *const *loops = controllers_loops(&n);
    world_start(w, loops, n, &env);
    make_node(w, "n1", NODE("n1", "", "")); /* pods are bound to it */
    settle(w);
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* Says that the pod runs and is ready, as a kubelet would. */
static inline int edit_ready(json_t *pod, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    jset_str(pod, "status.phase", "Running");
    jset(pod, "status.conditions",
         json_pack("[{s:s, s:s, s:s}]", "type", "Ready", "status", "True", "lastTransitionTime",
                   "2026-01-01T00:00:00Z"));
    return 1;
}

#endif

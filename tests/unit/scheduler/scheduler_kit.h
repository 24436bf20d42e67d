/* scheduler_kit.h - clusters for tests of the scheduler, as tables of a few words. */
#ifndef STOWAGE_TESTS_UNIT_SCHEDULER_KIT_H
#define STOWAGE_TESTS_UNIT_SCHEDULER_KIT_H

#include "unit/loop_world.h"

#include "scheduler/scheduler.h"

static inline int kit_setup(void **state)
{
    struct loop_world *w = xcalloc(1, sizeof *w);
    size_t n;
    world_open(w);
    world_account(w);
    const struct loop_def *const *loops = scheduler_loops(&n);
    world_start(w, loops, n, NULL);
    *state = w;
    return 0;
}

static inline int kit_teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* A node of four cpus and 8Gi; `labels` begin with a comma, `spec` is what stands in its braces. */
static inline void kit_node(struct loop_world *w, const char *name, const char *labels, const char *spec)
{
    char text[2048];
    snprintf(text, sizeof text,
             "{'apiVersion':'v1','kind':'Node','metadata':{'name':'%s','labels':{'kubernetes.io/hostname':'%s'%s}},"
             "'spec':{%s},'status':{'allocatable':{'cpu':'4','memory':'8Gi','pods':'10','ephemeral-storage':'50Gi',"
             "'x.io/gpu':'2'}}}",
             name, name, labels, spec);
    make_node(w, name, text);
}

/* `labels` is what stands in the braces of metadata.labels; `spec` begins with a comma. */
static inline void kit_pod(struct loop_world *w, const char *name, const char *labels, const char *spec)
{
    make(w,
         "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'default','labels':{%s}},'spec':{"
         "'containers':[{'name':'c','image':'i'}]%s}}",
         name, labels, spec);
}

/* A pod that asks for so much cpu. */
static inline void kit_pod_cpu(struct loop_world *w, const char *name, const char *cpu, const char *spec)
{
    make(w,
         "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'default','labels':{'app':'%s'}},'spec':{"
         "'containers':[{'name':'c','image':'i','resources':{'requests':{'cpu':'%s'}}}]%s}}",
         name, name, cpu, spec);
}

static inline void kit_class(struct loop_world *w, const char *name, int value, const char *extra)
{
    make(w, "{'apiVersion':'scheduling.k8s.io/v1','kind':'PriorityClass','metadata':{'name':'%s'},'value':%d%s}", name,
         value, extra);
}

static inline const char *kit_node_of(struct loop_world *w, const char *pod)
{
    return text_at(w, RES.pods, pod, "spec.nodeName");
}

/* What the pod's condition PodScheduled says. */
static inline const char *kit_message(struct loop_world *w, const char *pod)
{
    static char out[1200];
    _auto_sobj_ struct sobj *o = get(w, RES.pods, pod);
    snprintf(out, sizeof out, "%s", jstr_or(o ? condition_get(o->tree, "PodScheduled") : NULL, "message", ""));
    return out;
}

#endif

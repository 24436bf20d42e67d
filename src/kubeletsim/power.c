/* power.c - a node whose machine is switched off, and on again.
 *
 * DESIGN: off is what losing a machine is: its processes and mounts end at once, and nothing speaks for the node any
 * more: no lease, no status, no pod worker. What the API says of it is left as it was, for the controllers to find out.
 * A pod_run of an earlier life of its node is dropped when its key comes up next, and met again from its object
 * (adopt.c) once the node is on, as after a reboot.
 *
 * In a restart (off, and on again at once with other bytes: a checkpoint is restored) who asks something of a node's
 * machine for a user waits for its end. Pods' jobs do not: what belongs to the node's earlier life must fail.
 *
 * THREADS: kubelet_node_power() runs on the caller's; the flags are atomic. Jobs that were under way on the node fail
 * by themselves, because the machine says that it does not run. */
#include "kubeletsim/pod_int.h"

#include "control/objects.h"

bool node_is_off(const struct node_run *n)
{
    return __atomic_load_n(&n->off, __ATOMIC_ACQUIRE);
}

unsigned node_lives(const struct node_run *n)
{
    return __atomic_load_n(&n->lives, __ATOMIC_ACQUIRE);
}

bool node_came_back(struct node_run *n)
{
    return __atomic_exchange_n(&n->back, false, __ATOMIC_ACQ_REL);
}

/* Whoever is on that node looks again. */
static void wake_node(struct kubelet *k, const struct node_run *n)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, k->conf.registry, RES.pods->bucket, NULL);
    pthread_mutex_lock(&k->mu);
    for (size_t i = 0; k->pods_loop && i < pods.len; i++)
        if (str_eq(jstr(pods.trees[i], "spec.nodeName"), n->name))
            loop_enqueue(k->pods_loop, pods.items[i]->ns, pods.items[i]->name);
    if (k->pods_loop)
        loop_enqueue(k->nodes_loop, "", n->name);
    pthread_mutex_unlock(&k->mu);
}

static int switch_off(struct kubelet *k, struct node_run *n, bool abandon, struct err *e)
{
    const struct machine_ops *ops = k->m->ops;
    __atomic_add_fetch(&n->lives, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&n->off, true, __ATOMIC_RELEASE);
    const int rc = abandon ? ops->node_abandon(k->m, n->name, e) : ops->node_stop(k->m, n->name, e);
    if (rc < 0)
        __atomic_store_n(&n->off, false, __ATOMIC_RELEASE);
    return rc;
}

/* Its machine runs, and nobody speaks for it yet. */
static int machine_on(struct kubelet *k, struct node_run *n, struct err *e)
{
    const struct node_spec spec = {n->name, n->index, k->conf.nodefs_bytes};
    const int rc = k->m->ops->node_start(k->m, &spec, e);
    pthread_mutex_lock(&k->mu);
    k->troubles[n->index] = rc < 0 ? *e : ERR_INIT;
    pthread_mutex_unlock(&k->mu);
    if (rc < 0)
        return -1;
    n->started = kubelet_now(k);
    random_uuid(n->boot_id);
    node_clear_leftovers(k, n);
    return 0;
}

static void switched_on(struct kubelet *k, struct node_run *n)
{
    __atomic_store_n(&n->back, true, __ATOMIC_RELEASE);
    __atomic_store_n(&n->off, false, __ATOMIC_RELEASE);
    wake_node(k, n);
}

/* ---- several at once: each takes its time ---- */

enum way { OFF, ABANDONED, ON };

struct switching {
    struct kubelet *k;
    struct node_run *n;
    enum way way;
    bool begun;
    pthread_t thread;
    int rc;
    struct err err;
};

static void *switch_main(void *arg)
{
    struct switching *s = arg;
    s->rc = s->way == ON ? machine_on(s->k, s->n, &s->err) : switch_off(s->k, s->n, s->way == ABANDONED, &s->err);
    if (s->rc == 0 && s->way != ON)
        wake_node(s->k, s->n);
    return NULL;
}

static int switch_machines(struct kubelet *k, const bool which[], enum way way, bool done[], struct err *e)
{
    struct switching all[NODES_MAX] = {0};
    int rc = 0;
    for (int i = 0; i < k->conf.nodes; i++) {
        all[i] = (struct switching){.k = k, .n = &k->nodes[i], .way = way};
        all[i].begun = which[i] && node_is_off(&k->nodes[i]) == (way == ON) &&
                       pthread_create(&all[i].thread, NULL, switch_main, &all[i]) == 0;
    }
    for (int i = 0; i < k->conf.nodes; i++) {
        if (!all[i].begun)
            continue;
        pthread_join(all[i].thread, NULL);
        done[i] = all[i].rc == 0;
        if (all[i].rc < 0) {
            *e = all[i].err;
            rc = err_wrap(e, "node %s", k->nodes[i].name);
        }
    }
    return rc;
}

static int nodes_on(struct kubelet *k, const bool which[], int (*ready)(void *arg, struct err *e), void *arg,
                    struct err *e)
{
    bool done[NODES_MAX] = {false};
    int rc = switch_machines(k, which, ON, done, e);
    if (ready && ready(arg, e) < 0)
        rc = -1;
    for (int i = 0; i < k->conf.nodes; i++)
        if (done[i])
            switched_on(k, &k->nodes[i]);
    return rc;
}

int kubelet_node_power(struct kubelet *k, const char *node, bool on, int (*ready)(void *arg, struct err *e), void *arg,
                       struct err *e)
{
    const int index = kubelet_node_index(k, node);
    bool which[NODES_MAX] = {false}, done[NODES_MAX] = {false};
    if (index < 0)
        return err_set(e, ERR_NOT_FOUND, "no node \"%s\" (`kubectl get nodes` lists them)", node);
    which[index] = true;
    kubelet_node_await(k, NULL, e);
    return on ? nodes_on(k, which, ready, arg, e) : switch_machines(k, which, OFF, done, e);
}

bool kubelet_node_is_on(const struct kubelet *k, int index)
{
    return !node_is_off(&k->nodes[index]);
}

/* ---- restarts ---- */

static void set_restarting(struct kubelet *k, bool restarting)
{
    pthread_mutex_lock(&k->mu);
    k->restarting = restarting;
    pthread_cond_broadcast(&k->restarted);
    pthread_mutex_unlock(&k->mu);
}

int kubelet_restart_begin(struct kubelet *k, const bool which[], struct err *e)
{
    bool done[NODES_MAX] = {false};
    set_restarting(k, true);
    return switch_machines(k, which, ABANDONED, done, e);
}

int kubelet_restart_end(struct kubelet *k, const bool which[], int (*ready)(void *arg, struct err *e), void *arg,
                        struct err *e)
{
    const int rc = nodes_on(k, which, ready, arg, e);
    set_restarting(k, false);
    return rc;
}

int kubelet_node_await(struct kubelet *k, const char *node, struct err *e)
{
    const int index = node ? kubelet_node_index(k, node) : -1;
    struct err why = ERR_INIT;
    pthread_mutex_lock(&k->mu);
    while (k->restarting)
        pthread_cond_wait(&k->restarted, &k->mu);
    if (index >= 0 && node_is_off(&k->nodes[index]))
        why = k->troubles[index];
    pthread_mutex_unlock(&k->mu);
    if (why.code == ERR_OK)
        return 0;
    *e = why;
    return err_wrap(e, "node %s is off", node);
}

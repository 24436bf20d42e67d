/* kubelet.c - set-up, the loop that feeds the pod workers, who must look again when something changes.
 *
 * DESIGN: the loop's key is "namespace/pod". A reconcile refreshes what is known of the pod, hands over what other
 * threads noted about it, and lets its state machine (worker.c) take as many steps as it can without blocking. While a
 * job of the pod runs, notes are only collected: nothing of the pod changes under the job's feet.
 *
 * INVARIANTS: a pod_run exists from the first sight of a bound pod until its object is gone and nothing of it is left
 * on the node; a pod that was deleted and made anew under the same name waits until its predecessor is gone.
 *
 * THREADS: the loop thread; kubelet_event() is for all. kubelet_close() comes after the loops stopped: then log
 * readers, hooks and probes are told to end through k->closing and waited for.
 *
 * When you add a watched kind here, also give it a map function that enqueues just the pods it concerns. */
#include "kubeletsim/eviction_int.h"
#include "kubeletsim/pod_int.h"
#include "kubeletsim/volumes_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Hooks and probes may each wait as long as their time-out says. */
#define PATIENT_THREADS 64

int64_t kubelet_now(const struct kubelet *k)
{
    return clock_wall_ns(k->conf.clock);
}

int64_t kubelet_mono(const struct kubelet *k)
{
    return clock_mono_ms(k->conf.clock);
}

void kubelet_node_name(int index, char out[64])
{
    if (index == 0)
        snprintf(out, 64, "controlplane");
    else
        snprintf(out, 64, "node%02d", index);
}

int kubelet_node_index(const struct kubelet *k, const char *name)
{
    for (int i = 0; name && i < k->conf.nodes; i++)
        if (str_eq(k->nodes[i].name, name))
            return i;
    return -1;
}

/* -- events -- */

static const char *container_list(const struct pod_run *p, const char *container)
{
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        if (str_eq(c->name, container))
            return container_is_init(c)             ? "initContainers"
                   : c->kind == CONTAINER_EPHEMERAL ? "ephemeralContainers"
                                                    : "containers";
    }
    return "containers";
}

void kubelet_event(struct kubelet *k, const struct pod_run *p, const char *container, enum event_type type,
                   const char *reason, const char *fmt, ...)
{
    _auto_free_ char *path =
        container ? xasprintf("spec.%s{%s}", container_list(p, container), container) : xstrdup("");
    struct event_source source = {.component = "kubelet", .host = pod_node(p)};
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    control_event(k->control, &source, pod_tree(p), path, type, reason, "%s", text);
}

/* -- the loop -- */

static void inbox_add(struct pod_run *p, struct note *take_notes)
{
    struct note **end = &p->inbox;
    while (*end)
        end = &(*end)->next;
    *end = take_notes;
}

static void inbox_hand_over(struct pod_run *p)
{
    while (p->inbox) {
        struct note *n = p->inbox;
        p->inbox = n->next;
        n->next = NULL; /* note_free() frees a list */
        if (str_eq(n->uid, p->uid))
            pod_take_note(p, n);
        note_free(n);
    }
}

static struct pod_run *pod_meet(struct kubelet *k, struct sobj *obj)
{
    int node = obj ? kubelet_node_index(k, jstr(obj->tree, "spec.nodeName")) : -1;
    if (node < 0 || node_is_off(&k->nodes[node]) || static_pod_is_copy(k, obj->tree))
        return NULL;
    return pod_run_new(k, obj, node);
}

/* Its node was switched off since: nothing of it is left there. What the object says is where it goes on. */
static void pod_lost(struct pod_run *p)
{
    pod_give_ip(p);
    volumes_lost(p);
    pod_run_free(p);
}

static int pods_reconcile(struct loop *l, const char *ns, const char *name, struct err *e _unused_)
{
    struct kubelet *k = loop_env(l);
    struct note *notes = notes_take(k, ns, name);
    struct pod_run *p = pod_run_find(k, ns, name);
    if (p && p->busy) {
        inbox_add(p, notes);
        return 0; /* the job's end enqueues this key again */
    }
    _auto_sobj_ struct sobj *obj = reg_read(k->conf.registry, RES.pods, ns, name);
    if (p && p->life != node_lives(&k->nodes[p->node])) {
        pod_lost(p);
        p = NULL;
    }
    if (!p)
        p = pod_meet(k, obj);
    if (!p) {
        note_free(notes);
        return 0;
    }
    inbox_add(p, notes);
    if (obj && str_eq(pod_uid(obj->tree), p->uid))
        pod_see_version(p, obj);
    p->gone = !obj || !str_eq(pod_uid(obj->tree), p->uid);
    static_pod_keep(p);
    p->wake = 0;
    inbox_hand_over(p);
    pod_step(p);
    if (p->stage == POD_DONE) {
        pod_run_free(p);
        if (obj)
            loop_enqueue(l, ns, name);
    } else if (p->wake) {
        int64_t left = p->wake - kubelet_mono(k);
        loop_enqueue_after(l, ns, name, left > 0 ? left : 1);
    }
    return 0;
}

/* -- who must look again -- */

/* A pod that has a node never has another; of those of other nodes, and of none, there is nothing to do. */
static void pod_changed(struct loop *l, const struct watch_event *ev)
{
    if (kubelet_node_index(loop_env(l), jstr(ev->obj->tree, "spec.nodeName")) >= 0)
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

static bool uses_object(const json_t *pod, const char *kind, const char *name)
{
    const char *member = str_eq(kind, "configMap") ? "name" : "secretName";
    size_t i, j;
    const json_t *v, *s;
    json_array_foreach(jat(pod, "spec.volumes"), i, v)
    {
        const json_t *direct = json_object_get(v, kind);
        if (direct && str_eq(jstr(direct, member), name))
            return true;
        json_array_foreach(jat(v, "projected.sources"), j, s)
        {
            if (str_eq(jstr(json_object_get(s, kind), "name"), name))
                return true;
        }
    }
    return false;
}

static void wake_waiting(struct loop *l, struct pod_run *p)
{
    if (p->stage == POD_VOLUMES)
        p->not_before = 0;
    loop_enqueue(l, p->ns, p->name);
}

static void wake_users(struct loop *l, const struct watch_event *ev, const char *kind)
{
    struct kubelet *k = loop_env(l);
    for (struct pod_run *p = k->pods; p; p = p->next) {
        if (!str_eq(p->ns, ev->obj->ns) || !uses_object(pod_tree(p), kind, ev->obj->name))
            continue;
        p->refresh = true;
        wake_waiting(l, p);
    }
}

static void configmap_changed(struct loop *l, const struct watch_event *ev)
{
    wake_users(l, ev, "configMap");
}

static void secret_changed(struct loop *l, const struct watch_event *ev)
{
    wake_users(l, ev, "secret");
}

static bool uses_claim(const struct pod_run *p, const char *claim)
{
    size_t i;
    const json_t *v;
    json_array_foreach(jat(pod_tree(p), "spec.volumes"), i, v)
    {
        _auto_free_ char *made =
            json_object_get(v, "ephemeral") ? xasprintf("%s-%s", p->name, jstr_or(v, "name", "")) : NULL;
        if (str_eq(jstr(v, "persistentVolumeClaim.claimName"), claim) || str_eq(made, claim))
            return true;
    }
    return false;
}

static void claim_changed(struct loop *l, const struct watch_event *ev)
{
    struct kubelet *k = loop_env(l);
    for (struct pod_run *p = k->pods; p; p = p->next) /* mounting waits for it, or its filesystem must grow */
        if ((p->stage == POD_VOLUMES || p->stage == POD_RUN) && str_eq(p->ns, ev->obj->ns) &&
            uses_claim(p, ev->obj->name))
            wake_waiting(l, p);
}

/* Attached or detached: whoever waits for volumes on that node looks again. */
static void attachment_changed(struct loop *l, const struct watch_event *ev)
{
    struct kubelet *k = loop_env(l);
    int node = kubelet_node_index(k, jstr(ev->obj->tree, "spec.nodeName"));
    for (struct pod_run *p = k->pods; p; p = p->next)
        if (p->stage == POD_VOLUMES && p->node == node)
            wake_waiting(l, p);
}

static const struct loop_watch pods_watches[] = {
    {"pods", pod_changed},
    {"configmaps", configmap_changed},
    {"secrets", secret_changed},
    {"volumeattachments.storage.k8s.io", attachment_changed},
    {"persistentvolumeclaims", claim_changed},
    {NULL, NULL},
};

/* From here on there is no loop to enqueue to: what other threads still note stays where it is. */
static void pods_stop(struct loop *l)
{
    struct kubelet *k = loop_env(l);
    pthread_mutex_lock(&k->mu);
    k->pods_loop = NULL;
    pthread_mutex_unlock(&k->mu);
}

static const struct loop_def pods_loop_def = {
    .name = "kubelet",
    .component = "kubelet",
    .watches = pods_watches,
    .reconcile = pods_reconcile,
    .stop = pods_stop,
    .max_backoff_ms = 10000,
};

void kubelet_add_loops(struct kubelet *k, struct control *c)
{
    k->control = c;
    k->pods_loop = control_add(c, &pods_loop_def, k);
    k->nodes_loop = control_add(c, &nodes_loop_def, k);
    control_add(c, &eviction_loop_def, k);
    control_add(c, &static_pods_loop_def, k);
    control_add(c, &service_proxy_loop_def, k);
    control_add(c, &ingress_loop_def, k);
}

const struct node_ops *kubelet_node_ops(void)
{
    return &kubelet_ops;
}

/* -- set-up -- */

struct node_job {
    struct kubelet *k;
    struct kubelet_boot *boot;
    struct node_run *n;
    pthread_t thread;
    int rc;
    struct err err;
};

static void *take_node(void *arg)
{
    struct node_job *j = arg;
    j->rc = boot_wait(j->boot, j->n->index, &j->n->started, &j->err);
    if (j->rc == 0)
        node_clear_leftovers(j->k, j->n);
    return NULL;
}

static int take_nodes(struct kubelet *k, struct kubelet_boot *boot, struct err *e)
{
    struct node_job jobs[NODES_MAX] = {0};
    for (int i = 0; i < k->conf.nodes; i++) {
        jobs[i] = (struct node_job){.k = k, .boot = boot, .n = &k->nodes[i]};
        int rc = pthread_create(&jobs[i].thread, NULL, take_node, &jobs[i]);
        if (rc != 0)
            BUG("no thread for node %d: %s", i, strerror(rc));
    }
    int rc = 0;
    for (int i = 0; i < k->conf.nodes; i++) {
        pthread_join(jobs[i].thread, NULL);
        if (jobs[i].rc < 0 && rc == 0) {
            *e = jobs[i].err;
            rc = err_wrap(e, "node %s", k->nodes[i].name);
        }
    }
    return rc;
}

static int start_nodes(struct kubelet *k, struct err *e)
{
    const struct kubelet_conf *c = &k->conf;
    if (c->boot)
        return take_nodes(k, c->boot, e);
    struct kubelet_boot *boot = kubelet_boot_begin(c->machine, c->clock, c->nodes, c->nodefs_bytes);
    int rc = take_nodes(k, boot, e);
    kubelet_boot_free(boot);
    return rc;
}

/* All nodes have disks of one size. */
static void learn_capacity(struct kubelet *k)
{
    struct err e = ERR_INIT;
    struct fs_stat fs;
    k->nodefs_bytes = k->conf.nodefs_bytes;
    if (k->m->ops->fs_stat(k->m, k->nodes[0].name, "/", &fs, &e) == 0 && fs.bytes > 0)
        k->nodefs_bytes = fs.bytes;
}

static void name_node(struct kubelet *k, int i)
{
    struct node_run *n = &k->nodes[i];
    kubelet_node_name(i, n->name);
    n->index = i;
    n->in_use = json_array();
    kubelet_node_place(k->conf.region, k->conf.zones, i, n->zone, n->ip);
}

static struct kubelet *kubelet_new(const struct kubelet_conf *conf)
{
    struct kubelet *k = xcalloc(1, sizeof *k);
    k->conf = *conf;
    k->m = conf->machine;
    k->notes_tail = &k->notes;
    pthread_mutex_init(&k->mu, NULL);
    pthread_mutex_init(&k->stage_mu, NULL);
    pthread_mutex_init(&k->images_mu, NULL);
    pthread_cond_init(&k->stage_free, NULL);
    pthread_cond_init(&k->readers_gone, NULL);
    pthread_cond_init(&k->restarted, NULL);
    k->closing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (k->closing < 0)
        BUG("eventfd: %s", strerror(errno));
    k->patient = pool_new("stowage-wait", conf->step_mode ? 0 : PATIENT_THREADS);
    k->m->ops->info(k->m, &k->info);
    for (int i = 0; i < conf->nodes; i++)
        name_node(k, i);
    return k;
}

int kubelet_open(const struct kubelet_conf *conf, struct kubelet **out, struct err *e)
{
    if (conf->nodes < 1 || conf->nodes > NODES_MAX)
        return err_set(e, ERR_USAGE, "a cluster has 1 to %d nodes", NODES_MAX);
    struct kubelet *k = kubelet_new(conf);
    k->m->ops->on_exit(k->m, notes_exit, k);
    int rc = start_nodes(k, e);
    learn_capacity(k);
    for (int i = 0; rc == 0 && i < conf->nodes; i++)
        rc = node_register(k, &k->nodes[i], e);
    if (rc < 0) {
        kubelet_close(k);
        return -1;
    }
    *out = k;
    return 0;
}

static void staged_release(struct kubelet *k)
{
    while (k->staged) {
        struct staged *next = k->staged->next;
        free(k->staged->unique);
        free(k->staged);
        k->staged = next;
    }
}

void kubelet_close(struct kubelet *k)
{
    if (!k)
        return;
    ingress_close(k->ingress);
    k->m->ops->on_exit(k->m, NULL, NULL);
    eventfd_write(k->closing, 1);
    logs_close(k);
    pool_free(k->patient);
    while (k->pods)
        pod_run_free(k->pods);
    notes_release(k);
    staged_release(k);
    for (int i = 0; i < k->conf.nodes; i++) {
        json_decref(k->nodes[i].in_use);
        eviction_free(k->nodes[i].eviction);
    }
    close(k->closing);
    pthread_cond_destroy(&k->readers_gone);
    pthread_cond_destroy(&k->restarted);
    pthread_cond_destroy(&k->stage_free);
    pthread_mutex_destroy(&k->mu);
    pthread_mutex_destroy(&k->stage_mu);
    pthread_mutex_destroy(&k->images_mu);
    free(k);
}

/* kubelet.c - set-up, the table of pods, the loop that feeds the pod workers.
 *
 * DESIGN: the loop's key is "namespace/pod". A reconcile refreshes what is known of the pod, hands pending container
 * exits to it, and lets its state machine (worker.c) take as many steps as it can without blocking. Pods of other names
 * that must look again (a ConfigMap changed, a volume was attached) are enqueued by the maps below.
 *
 * INVARIANTS: a pod_run exists from the first sight of a bound pod until nothing of it is left on the node; a pod that
 * was deleted and made anew under the same name waits until its predecessor is gone.
 *
 * When you add a watched kind here, also give it a map function that enqueues just the pods it concerns. */
#include "kubeletsim/kubelet_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct pod_run *kubelet_find(struct kubelet *k, const char *ns, const char *name, const char *uid)
{
    for (struct pod_run *p = k->pods; p; p = p->next)
        if (str_eq(p->ns, ns) && str_eq(p->name, name) && (!uid || str_eq(p->uid, uid)))
            return p;
    return NULL;
}

void kubelet_event(struct kubelet *k, const struct pod_run *p, const char *container, enum event_type type,
                   const char *reason, const char *fmt, ...)
{
    char text[1024], path[160] = "";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (container) {
        const char *list = "containers";
        for (size_t i = 0; i < p->container_count; i++)
            if (p->containers[i].init && str_eq(p->containers[i].name, container))
                list = "initContainers";
        snprintf(path, sizeof path, "spec.%s{%s}", list, container);
    }
    struct event_source source = {"kubelet", pod_node(p)};
    control_event(k->control, &source, pod_tree(p), path, type, reason, "%s", text);
}

/* -- exits -- */

static void on_exit_note(void *arg, const struct exit_info *info)
{
    struct kubelet *k = arg;
    struct exit_note *note = xcalloc(1, sizeof *note);
    note->info = *info;
    _auto_free_ char *ns = NULL;
    _auto_free_ char *pod = NULL;
    pthread_mutex_lock(&k->mu);
    note->next = k->exits;
    k->exits = note;
    for (struct running **r = &k->running; *r; r = &(*r)->next) {
        if (!str_eq((*r)->id, info->id))
            continue;
        struct running *dead = *r;
        ns = dead->ns;
        pod = dead->pod;
        *r = dead->next;
        free(dead);
        break;
    }
    pthread_mutex_unlock(&k->mu);
    if (ns && k->pods_loop)
        loop_enqueue(k->pods_loop, ns, pod);
}

void kubelet_note_running(struct kubelet *k, const struct pod_run *p, const char *id)
{
    struct running *r = xcalloc(1, sizeof *r);
    snprintf(r->id, sizeof r->id, "%s", id);
    r->ns = xstrdup(p->ns);
    r->pod = xstrdup(p->name);
    pthread_mutex_lock(&k->mu);
    r->next = k->running;
    k->running = r;
    pthread_mutex_unlock(&k->mu);
}

/* Takes the exits of this pod's containers out of the list and hands them over. */
static void deliver_exits(struct pod_run *p)
{
    struct kubelet *k = p->k;
    struct exit_note *mine = NULL;
    pthread_mutex_lock(&k->mu);
    for (struct exit_note **at = &k->exits; *at;) {
        bool ours = false;
        for (size_t i = 0; i < p->container_count; i++)
            ours = ours || (p->containers[i].id[0] && str_eq(p->containers[i].id, (*at)->info.id));
        if (!ours) {
            at = &(*at)->next;
            continue;
        }
        struct exit_note *note = *at;
        *at = note->next;
        note->next = mine;
        mine = note;
    }
    pthread_mutex_unlock(&k->mu);
    while (mine) {
        struct exit_note *note = mine;
        mine = note->next;
        pod_take_exit(p, &note->info);
        free(note);
    }
}

/* -- the table of pods -- */

static void add_containers(struct pod_run *p, const json_t *list, bool init)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *spec = json_array_get(list, i);
        struct container_run *c = &p->containers[p->container_count++];
        c->name = jstr_or(spec, "name", "");
        c->init = init;
        c->sidecar = init && str_eq(jstr(spec, "restartPolicy"), "Always");
        snprintf(c->reason, sizeof c->reason, "%s",
                 p->init_count > 0 && !(init && i == 0) ? "PodInitializing" : "ContainerCreating");
        if (init)
            snprintf(c->reason, sizeof c->reason, "PodInitializing");
    }
}

static struct pod_run *pod_run_new(struct kubelet *k, struct sobj *obj, int node)
{
    struct pod_run *p = xcalloc(1, sizeof *p);
    const json_t *init = jat(obj->tree, "spec.initContainers"), *main = jat(obj->tree, "spec.containers");
    p->k = k;
    p->obj = sobj_ref(obj);
    p->ns = xstrdup(obj->ns);
    p->name = xstrdup(obj->name);
    p->uid = xstrdup(jstr_or(obj->tree, "metadata.uid", ""));
    p->node = node;
    p->init_count = json_array_size(init);
    p->containers = xcalloc(p->init_count + json_array_size(main), sizeof *p->containers);
    add_containers(p, init, true);
    add_containers(p, main, false);
    p->next = k->pods;
    k->pods = p;
    status_restore(p);
    return p;
}

void pod_run_free(struct pod_run *p)
{
    struct kubelet *k = p->k;
    for (struct pod_run **at = &k->pods; *at; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            break;
        }
    }
    volumes_release(p);
    for (size_t i = 0; i < p->container_count; i++) {
        struct container_run *c = &p->containers[i];
        free(c->message);
        free(c->image);
        free(c->image_id);
        free(c->end.message);
        free(c->last.message);
    }
    free(p->containers);
    free(p->ns);
    free(p->name);
    free(p->uid);
    sobj_unref(p->obj);
    free(p);
}

/* The container names borrow from the spec they were made from; names never change, so pointing them at the new version
 * keeps them alive. */
static void see_version(struct pod_run *p, struct sobj *obj)
{
    if (p->busy || obj == p->obj)
        return;
    const json_t *lists[] = {jat(obj->tree, "spec.initContainers"), jat(obj->tree, "spec.containers")};
    size_t at = 0;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        for (size_t i = 0; i < json_array_size(lists[l]) && at < p->container_count; i++)
            p->containers[at++].name = jstr_or(json_array_get(lists[l], i), "name", "");
    struct sobj *old = p->obj;
    p->obj = sobj_ref(obj);
    sobj_unref(old);
}

static bool is_terminal(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return str_eq(phase, "Succeeded") || str_eq(phase, "Failed");
}

static int pods_reconcile(struct loop *l, const char *ns, const char *name, struct err *e _unused_)
{
    struct kubelet *k = loop_env(l);
    _auto_sobj_ struct sobj *obj = reg_read(k->conf.registry, RES.pods, ns, name);
    const char *uid = obj ? jstr(obj->tree, "metadata.uid") : NULL;
    struct pod_run *p = kubelet_find(k, ns, name, NULL);
    if (!p && obj) {
        int node = kubelet_node_index(k, jstr(obj->tree, "spec.nodeName"));
        if (node < 0 || (is_terminal(obj->tree) && !jat(obj->tree, "metadata.deletionTimestamp")))
            return 0;
        p = pod_run_new(k, obj, node);
    }
    if (!p)
        return 0;
    if (obj && str_eq(uid, p->uid))
        see_version(p, obj);
    else
        p->gone = true;
    deliver_exits(p);
    if (p->busy)
        return 0; /* the job's end enqueues this key again */
    pod_step(p);
    if (p->stage != POD_DONE)
        return 0;
    bool replaced = p->gone && obj;
    pod_run_free(p);
    if (replaced)
        loop_enqueue(l, ns, name);
    return 0;
}

/* -- who must look again -- */

static bool uses_object(const json_t *pod, const char *kind, const char *name)
{
    static const char *const member[][2] = {{"configMap", "name"}, {"secret", "secretName"}};
    size_t i, j;
    const json_t *v, *s;
    bool config = str_eq(kind, "configMap");
    json_array_foreach(jat(pod, "spec.volumes"), i, v)
    {
        const json_t *direct = json_object_get(v, member[config ? 0 : 1][0]);
        if (direct && str_eq(jstr(direct, member[config ? 0 : 1][1]), name))
            return true;
        json_array_foreach(jat(v, "projected.sources"), j, s)
        {
            if (str_eq(jstr(json_object_get(s, kind), "name"), name))
                return true;
        }
    }
    return false;
}

static void wake_users(struct loop *l, const struct watch_event *ev, const char *kind)
{
    struct kubelet *k = loop_env(l);
    for (struct pod_run *p = k->pods; p; p = p->next) {
        if (!str_eq(p->ns, ev->obj->ns) || !uses_object(pod_tree(p), kind, ev->obj->name))
            continue;
        p->refresh = true;
        loop_enqueue(l, p->ns, p->name);
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

/* Claims, volumes and attachments: whoever waits for volumes looks again. */
static void storage_changed(struct loop *l, const struct watch_event *ev _unused_)
{
    struct kubelet *k = loop_env(l);
    for (struct pod_run *p = k->pods; p; p = p->next) {
        if (p->stage != POD_VOLUMES)
            continue;
        p->not_before = 0;
        loop_enqueue(l, p->ns, p->name);
    }
}

static const struct loop_watch pods_watches[] = {
    {"pods", NULL},
    {"configmaps", configmap_changed},
    {"secrets", secret_changed},
    {"volumeattachments.storage.k8s.io", storage_changed},
    {"persistentvolumeclaims", storage_changed},
    {NULL, NULL},
};

static const struct loop_def pods_loop_def = {
    .name = "kubelet",
    .component = "kubelet",
    .watches = pods_watches,
    .reconcile = pods_reconcile,
    .max_backoff_ms = 10000,
};

void kubelet_add_loops(struct kubelet *k, struct control *c)
{
    k->control = c;
    k->pods_loop = control_add(c, &pods_loop_def, k);
    k->nodes_loop = control_add(c, &nodes_loop_def, k);
}

const struct node_ops *kubelet_node_ops(void)
{
    return &kubelet_ops;
}

/* -- set-up -- */

struct node_job {
    struct kubelet *k;
    struct node_run *n;
    pthread_t thread;
    int rc;
    struct err err;
};

static void *start_node(void *arg)
{
    struct node_job *j = arg;
    struct node_spec spec = {j->n->name, j->n->index, j->k->conf.nodefs_bytes};
    j->rc = j->k->m->ops->node_start(j->k->m, &spec, &j->err);
    if (j->rc == 0)
        node_clear_leftovers(j->k, j->n);
    return NULL;
}

/* All nodes at once: a node costs a filesystem and a few processes. */
static int start_nodes(struct kubelet *k, struct err *e)
{
    struct node_job jobs[NODES_MAX] = {0};
    for (int i = 0; i < k->conf.nodes; i++) {
        jobs[i] = (struct node_job){.k = k, .n = &k->nodes[i]};
        if (pthread_create(&jobs[i].thread, NULL, start_node, &jobs[i]) != 0)
            BUG("no thread for node %d", i);
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

static void name_node(struct kubelet *k, int i)
{
    struct node_run *n = &k->nodes[i];
    kubelet_node_name(i, n->name);
    n->index = i;
    n->in_use = json_array();
    snprintf(n->ip, sizeof n->ip, "172.30.0.%d", 10 + i);
    /* The control plane and the first worker share zone a, as a one-node-group cluster has it; further nodes spread. */
    snprintf(n->zone, sizeof n->zone, "%s%c", k->conf.region, 'a' + (i < 2 ? 0 : (i - 1) % 3));
}

int kubelet_open(const struct kubelet_conf *conf, struct kubelet **out, struct err *e)
{
    struct kubelet *k = xcalloc(1, sizeof *k);
    k->conf = *conf;
    k->m = conf->machine;
    pthread_mutex_init(&k->mu, NULL);
    pthread_mutex_init(&k->stage_mu, NULL);
    k->m->ops->info(k->m, &k->info);
    k->m->ops->on_exit(k->m, on_exit_note, k);
    for (int i = 0; i < conf->nodes; i++)
        name_node(k, i);
    int rc = start_nodes(k, e);
    for (int i = 0; rc == 0 && i < conf->nodes; i++)
        rc = node_register(k, &k->nodes[i], e);
    if (rc < 0) {
        kubelet_close(k);
        return -1;
    }
    *out = k;
    return 0;
}

void kubelet_close(struct kubelet *k)
{
    if (!k)
        return;
    k->m->ops->on_exit(k->m, NULL, NULL);
    while (k->pods)
        pod_run_free(k->pods);
    while (k->exits) {
        struct exit_note *next = k->exits->next;
        free(k->exits);
        k->exits = next;
    }
    while (k->running) {
        struct running *next = k->running->next;
        free(k->running->ns);
        free(k->running->pod);
        free(k->running);
        k->running = next;
    }
    for (int i = 0; i < k->conf.nodes; i++)
        json_decref(k->nodes[i].in_use);
    pthread_mutex_destroy(&k->mu);
    pthread_mutex_destroy(&k->stage_mu);
    free(k);
}

/* pods.c - the table of pods: a struct pod_run for each pod that is bound to one of our nodes.
 *
 * DESIGN: containers are one array in the order in which they start: init containers, regular ones, ephemeral ones.
 * Names and specs borrow from the pod's current version, so taking over a new version means pointing them anew; only
 * ephemeral containers can be added to a pod.
 *
 * THREADS: the loop thread, and never while the pod's job runs. */
#include "kubeletsim/pod_int.h"
#include "kubeletsim/volumes_int.h"

#include "control/objects.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *path;
    int kind;
} lists[] = {
    {"spec.initContainers", CONTAINER_INIT},
    {"spec.containers", CONTAINER_REGULAR},
    {"spec.ephemeralContainers", CONTAINER_EPHEMERAL},
};

struct pod_run *pod_run_find(struct kubelet *k, const char *ns, const char *name)
{
    for (struct pod_run *p = k->pods; p; p = p->next)
        if (str_eq(p->name, name) && str_eq(p->ns, ns))
            return p;
    return NULL;
}

struct container_run *container_by_id(struct pod_run *p, const char *id)
{
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].id[0] && str_eq(p->containers[i].id, id))
            return &p->containers[i];
    return NULL;
}

struct container_run *container_by_name(struct pod_run *p, const char *name)
{
    for (size_t i = 0; i < p->container_count; i++)
        if (str_eq(p->containers[i].name, name))
            return &p->containers[i];
    return NULL;
}

/* A pod of a file lives as long as the file, whatever becomes of its mirror. */
bool pod_being_deleted(const struct pod_run *p)
{
    if (p->from_file && !p->file_gone)
        return false;
    return p->gone || jat(pod_tree(p), "metadata.deletionTimestamp");
}

static void container_init(struct container_run *c, const json_t *spec, int kind, bool pod_has_init)
{
    c->kind = kind;
    if (kind == CONTAINER_INIT && str_eq(jstr(spec, "restartPolicy"), "Always"))
        c->kind = CONTAINER_SIDECAR;
    bool initializing = pod_has_init && kind != CONTAINER_EPHEMERAL;
    snprintf(c->reason, sizeof c->reason, "%s", initializing ? "PodInitializing" : "ContainerCreating");
    probes_begin(c);
}

/* Points the containers at the version the pod has now; makes those that are new. */
static void containers_follow(struct pod_run *p)
{
    const json_t *pod = pod_tree(p), *spec;
    bool has_init = json_array_size(jat(pod, lists[0].path)) > 0;
    size_t total = 0, at = 0;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        total += json_array_size(jat(pod, lists[l].path));
    if (total > p->container_count) {
        p->containers = xrealloc(p->containers, total * sizeof *p->containers);
        memset(p->containers + p->container_count, 0, (total - p->container_count) * sizeof *p->containers);
    }
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        json_array_foreach(jat(pod, lists[l].path), i, spec)
        {
            struct container_run *c = &p->containers[at];
            c->spec = spec;
            c->name = jstr_or(spec, "name", "");
            if (at++ >= p->container_count)
                container_init(c, spec, lists[l].kind, has_init);
        }
    }
    p->container_count = total > p->container_count ? total : p->container_count;
}

struct pod_run *pod_run_new(struct kubelet *k, struct sobj *obj, int node)
{
    struct pod_run *p = xcalloc(1, sizeof *p);
    p->k = k;
    p->obj = sobj_ref(obj);
    p->ns = xstrdup(obj->ns);
    p->name = xstrdup(obj->name);
    p->uid = xstrdup(pod_uid(obj->tree));
    p->from_file = pod_is_static(obj->tree);
    p->node = node;
    p->life = node_lives(&k->nodes[node]);
    p->began = kubelet_mono(k);
    containers_follow(p);
    pod_adopt(p);
    p->next = k->pods;
    k->pods = p;
    return p;
}

static void container_release(struct container_run *c)
{
    free(c->message);
    free(c->image);
    free(c->image_id);
    free(c->spec_image);
    free(c->end.message);
    free(c->last.message);
}

void pod_run_free(struct pod_run *p)
{
    for (struct pod_run **at = &p->k->pods; *at; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            break;
        }
    }
    volumes_release(p);
    note_free(p->inbox);
    for (size_t i = 0; i < p->container_count; i++)
        container_release(&p->containers[i]);
    free(p->containers);
    free(p->ns);
    free(p->name);
    free(p->uid);
    free(p->fail_text);
    sobj_unref(p->obj);
    free(p);
}

void pod_see_version(struct pod_run *p, struct sobj *obj)
{
    if (obj == p->obj)
        return;
    struct sobj *old = p->obj;
    p->obj = sobj_ref(obj);
    containers_follow(p);
    /* A downward API volume shows labels and annotations. */
    if (!same_member(old->tree, obj->tree, "metadata.labels") ||
        !same_member(old->tree, obj->tree, "metadata.annotations"))
        p->refresh = true;
    sobj_unref(old);
}

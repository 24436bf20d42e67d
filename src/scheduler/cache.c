/* cache.c - see cache_int.h.
 *
 * DESIGN. Nodes stand in name order in one array. A node that is gone keeps its place while pods are still said to run
 * on it (`o` is NULL then); pods may be heard of before their node. A pod is found through its node: a pod that is on
 * one never changes it. Lists that only some pods need (claims, volumes …) are taken as a whole when such a pod comes.
 *
 * THREADS: none. The scheduler's cache lives on the loop thread; who explains makes one of its own. */
#include "scheduler/cache_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

void cache_init(struct cache *c, struct registry *r)
{
    *c = (struct cache){
        .registry = r, .storage_stale = true, .attachments_stale = true, .namespaces_stale = true, .shape = 1};
}

static void world_release(struct world *w)
{
    struct objlist *lists[] = {&w->claims,      &w->volumes,    &w->classes,     &w->csi_nodes,
                               &w->csi_drivers, &w->capacities, &w->attachments, &w->namespaces};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        objlist_release(lists[i]);
}

void cache_release(struct cache *c)
{
    for (size_t i = 0; i < c->len; i++)
        node_info_free(c->nodes[i]);
    free(c->nodes);
    for (size_t i = 0; i < c->nominees_len; i++) {
        pod_info_unref(c->nominees[i].pod);
        free(c->nominees[i].node);
    }
    free(c->nominees);
    for (struct taint_set *t = c->taint_sets, *next; t; t = next) {
        next = t->next;
        json_decref(t->taints);
        free(t->text);
        free(t);
    }
    matches_free(c->memos);
    suits_free(c->suits);
    strlist_release(&c->zones);
    world_release(&c->world);
}

/* -- nodes -- */

/* Where the node is, or belongs. */
static size_t node_place(const struct cache *c, const char *name, bool *out_there)
{
    size_t low = 0, high = c->len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(c->nodes[middle]->name, name);
        if (order == 0) {
            *out_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_there = false;
    return low;
}

struct node_info *cache_find(const struct cache *c, const char *name)
{
    bool there;
    size_t at = node_place(c, name, &there);
    return there ? c->nodes[at] : NULL;
}

static void renumber(struct cache *c, size_t from)
{
    for (size_t i = from; i < c->len; i++)
        c->nodes[i]->at = i;
}

static struct node_info *node_make(struct cache *c, const char *name)
{
    bool there;
    size_t at = node_place(c, name, &there);
    if (there)
        return c->nodes[at];
    if (c->len == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->nodes = xrealloc(c->nodes, c->cap * sizeof(struct node_info *));
    }
    memmove(c->nodes + at + 1, c->nodes + at, (c->len - at) * sizeof(struct node_info *));
    struct node_info *n = xcalloc(1, sizeof *n);
    n->name = xstrdup(name);
    c->nodes[at] = n;
    c->len++;
    renumber(c, at);
    c->shape++;
    return n;
}

/* Forgets a node that neither is nor has pods. */
static void node_drop_if_empty(struct cache *c, const char *name)
{
    bool there;
    size_t at = node_place(c, name, &there);
    if (!there || c->nodes[at]->o || c->nodes[at]->pods.len)
        return;
    node_info_free(c->nodes[at]);
    memmove(c->nodes + at, c->nodes + at + 1, (--c->len - at) * sizeof(struct node_info *));
    renumber(c, at);
    c->shape++;
}

static struct taint_set *taints_intern(struct cache *c, const json_t *taints)
{
    if (!json_array_size(taints))
        return NULL;
    _auto_free_ char *text = json_text(taints);
    for (struct taint_set *t = c->taint_sets; t; t = t->next)
        if (str_eq(t->text, text))
            return t;
    struct taint_set *t = xcalloc(1, sizeof *t);
    t->text = TAKE(text);
    t->taints = json_deep_copy(taints);
    t->next = c->taint_sets;
    c->taint_sets = t;
    return t;
}

static void read_room(struct node_info *n, const json_t *allocatable)
{
    const char *name;
    json_t *v;
    room_release(&n->room);
    n->max_pods = 110;
    json_object_foreach((json_t *)(uintptr_t)allocatable, name, v)
    {
        int64_t amount = resource_amount(name, json_string_value(v));
        if (str_eq(name, "cpu"))
            n->room.cpu = amount;
        else if (str_eq(name, "memory"))
            n->room.memory = amount;
        else if (str_eq(name, "ephemeral-storage"))
            n->room.storage = amount;
        else if (str_eq(name, "pods"))
            n->max_pods = amount;
        else {
            n->room.more = xrealloc(n->room.more, (n->room.more_len + 1) * sizeof *n->room.more);
            n->room.more[n->room.more_len++] = (struct extended){name, amount};
        }
    }
}

/* Extended resources are summed under the node's names for them. */
static void resum_extended(struct node_info *n)
{
    free(n->used.more);
    n->used.more_len = n->room.more_len;
    n->used.more = room_more_copy(&n->room);
    for (size_t i = 0; i < n->used.more_len; i++) {
        n->used.more[i].amount = 0;
        for (size_t p = 0; p < n->pods.len; p++)
            n->used.more[i].amount += room_extended(&n->pods.items[p]->ask, n->used.more[i].name);
    }
}

static void read_images(struct node_info *n, const json_t *images)
{
    size_t i, k;
    json_t *image, *name;
    n->images_len = 0;
    json_array_foreach(images, i, image)
    {
        json_array_foreach(json_object_get(image, "names"), k, name)
        {
            n->images = xrealloc(n->images, (n->images_len + 1) * sizeof *n->images);
            n->images[n->images_len++] = (struct node_image){
                str_hash64(json_string_value(name), json_string_length(name)), jint(image, "sizeBytes", 0)};
        }
    }
}

static const char *zone_intern(struct cache *c, const char *zone)
{
    for (size_t i = 0; zone && i < c->zones.len; i++)
        if (str_eq(c->zones.items[i], zone))
            return c->zones.items[i];
    if (zone)
        strlist_add(&c->zones, zone);
    return zone ? c->zones.items[c->zones.len - 1] : NULL;
}

static void node_set(struct cache *c, struct node_info *n, struct sobj *o)
{
    struct sobj *old = n->o;
    c->present += old ? 0 : 1;
    c->shape += old ? 0 : 1;
    n->o = sobj_ref(o);
    n->node = o->tree;
    n->labels = jat(o->tree, "metadata.labels");
    n->host = json_string_value(json_object_get(n->labels, HOST_KEY));
    n->zone = zone_intern(c, json_string_value(json_object_get(n->labels, ZONE_KEY)));
    n->cordoned = jbool(o->tree, "spec.unschedulable", false);
    n->taints = taints_intern(c, jat(o->tree, "spec.taints"));
    read_room(n, jat(o->tree, "status.allocatable"));
    resum_extended(n);
    read_images(n, jat(o->tree, "status.images"));
    n->generation = n->labelled = ++c->generation;
    sobj_unref(old);
}

static void node_unset(struct cache *c, struct node_info *n)
{
    c->present--;
    c->shape++;
    room_release(&n->room);
    resum_extended(n);
    sobj_unref(TAKE(n->o));
    n->node = n->labels = NULL;
    n->host = n->zone = NULL;
}

void cache_node(struct cache *c, struct sobj *node, bool gone)
{
    if (!gone) {
        node_set(c, node_make(c, node->name), node);
        return;
    }
    struct node_info *n = cache_find(c, node->name);
    if (n && n->o)
        node_unset(c, n);
    node_drop_if_empty(c, node->name);
}

/* -- pods -- */

static void count_terms(struct cache *c, const struct node_info *n, int by)
{
    c->with_terms = (size_t)((int64_t)c->with_terms + by * (int64_t)n->with_terms);
    c->with_apart = (size_t)((int64_t)c->with_apart + by * (int64_t)n->with_apart);
}

/* Would a selector's count be the same with the one for the other? */
static bool selectors_see_same(const struct pod_info *a, const struct pod_info *b)
{
    return a && json_equal(a->labels, b->labels) &&
           !jstr(a->pod, "metadata.deletionTimestamp") == !jstr(b->pod, "metadata.deletionTimestamp");
}

void cache_assume(struct cache *c, struct pod_info *p, const char *node)
{
    struct node_info *n = node_make(c, node);
    bool news = !selectors_see_same(node_info_pod(n, p->ns, p->name), p);
    count_terms(c, n, -1);
    node_info_remove(n, p->ns, p->name);
    node_info_add(n, p);
    count_terms(c, n, 1);
    n->generation = ++c->generation;
    if (news)
        n->peopled = n->generation;
}

void cache_forget(struct cache *c, const char *ns, const char *name, const char *node)
{
    struct node_info *n = cache_find(c, node);
    if (!n)
        return;
    count_terms(c, n, -1);
    if (node_info_remove(n, ns, name))
        n->generation = n->peopled = ++c->generation;
    count_terms(c, n, 1);
    node_drop_if_empty(c, node);
}

void cache_nominate(struct cache *c, struct pod_info *p, const char *node)
{
    for (size_t i = 0; i < c->nominees_len; i++) {
        struct nominee *was = &c->nominees[i];
        if (!str_eq(was->pod->name, p->name) || !str_eq(was->pod->ns, p->ns))
            continue;
        pod_info_unref(was->pod);
        free(was->node);
        *was = c->nominees[--c->nominees_len];
        break;
    }
    if (str_empty(node))
        return;
    c->nominees = xrealloc(c->nominees, (c->nominees_len + 1) * sizeof *c->nominees);
    c->nominees[c->nominees_len++] = (struct nominee){pod_info_ref(p), xstrdup(node)};
}

void cache_pod(struct cache *c, struct sobj *pod, bool gone)
{
    const char *node = jstr_or(pod->tree, "spec.nodeName", "");
    const char *promised = jstr_or(pod->tree, "status.nominatedNodeName", "");
    bool ended = gone || pod_terminal(pod->tree);
    if (ended && *node) {
        cache_forget(c, pod->ns, pod->name, node);
        return;
    }
    if (!*node && !*promised && !c->nominees_len)
        return;
    struct pod_info *p = pod_info_new(pod);
    cache_nominate(c, p, *node || ended ? NULL : promised);
    if (*node)
        cache_assume(c, p, node);
    pod_info_unref(p);
}

/* -- lists -- */

const json_t *world_find(const struct objlist *l, const char *ns, const char *name)
{
    size_t low = 0, high = l->len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(l->items[middle]->ns, ns);
        order = order ? order : strcmp(l->items[middle]->name, name);
        if (order == 0)
            return l->trees[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void read_list(struct cache *c, struct objlist *l, const char *bucket)
{
    objlist_release(l);
    objlist_load(l, c->registry, bucket, NULL);
}

void cache_read_storage(struct cache *c)
{
    struct world *w = &c->world;
    if (c->attachments_stale)
        read_list(c, &w->attachments, "volumeattachments.storage.k8s.io");
    c->attachments_stale = false;
    if (!c->storage_stale)
        return;
    read_list(c, &w->claims, "persistentvolumeclaims");
    read_list(c, &w->volumes, "persistentvolumes");
    read_list(c, &w->classes, "storageclasses.storage.k8s.io");
    read_list(c, &w->csi_nodes, "csinodes.storage.k8s.io");
    read_list(c, &w->csi_drivers, "csidrivers.storage.k8s.io");
    read_list(c, &w->capacities, "csistoragecapacities.storage.k8s.io");
    c->storage_stale = false;
}

void cache_read_namespaces(struct cache *c)
{
    if (c->namespaces_stale)
        read_list(c, &c->world.namespaces, "namespaces");
    c->namespaces_stale = false;
}

static int load_node(struct sobj *o, void *arg)
{
    cache_node(arg, o, false);
    return 0;
}

static int load_pod(struct sobj *o, void *arg)
{
    cache_pod(arg, o, false);
    return 0;
}

void cache_load(struct cache *c)
{
    struct snapshot *snap = reg_snapshot(c->registry);
    snapshot_scan(snap, "nodes", NULL, NULL, NULL, load_node, c);
    snapshot_scan(snap, "pods", NULL, NULL, NULL, load_pod, c);
    snapshot_unref(snap);
}

const json_t *cache_claim_user(const struct cache *c, const json_t *claim, const struct node_info *as)
{
    for (size_t i = 0; i < c->len; i++) {
        const struct node_pods *pods = str_eq(c->nodes[i]->name, as->name) ? &as->pods : &c->nodes[i]->pods;
        for (size_t p = 0; p < pods->len; p++)
            if (str_eq(pods->items[p]->ns, obj_ns(claim)) && pod_uses_claim(pods->trees[p], obj_name(claim)))
                return pods->trees[p];
    }
    return NULL;
}

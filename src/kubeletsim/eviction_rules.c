/* eviction_rules.c - when a node is low on something, who goes first, and what is said to them: pure functions.
 *
 * DESIGN: the thresholds are a table, those a kubelet has without configuration. Pods are ranked as the kubelet does:
 * those that use more than they requested, then by priority, then by how much more; pods of the same rank go by name,
 * so that the answer is always the same one. Container layers lie on nodefs, so they count there.
 *
 * THREADS: pure. Source: pkg/kubelet/eviction/helpers.go, defaults_linux.go. */
#include "kubeletsim/eviction_int.h"

#include "api/quantity.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#define SYSTEM_CRITICAL INT64_C(2000000000)

const struct signal_def signals[SIGNAL_KINDS] = {
    [SIGNAL_MEMORY] = {"memory.available", "memory", PRESSURE_MEMORY, .bytes = RESERVED_MEMORY},
    [SIGNAL_NODEFS] = {"nodefs.available", "ephemeral-storage", PRESSURE_DISK, .percent = NODEFS_THRESHOLD},
    [SIGNAL_NODEFS_INODES] = {"nodefs.inodesFree", "inodes", PRESSURE_DISK, .percent = 5},
    [SIGNAL_IMAGEFS] = {"imagefs.available", "ephemeral-storage", PRESSURE_DISK, .percent = 15},
    [SIGNAL_IMAGEFS_INODES] = {"imagefs.inodesFree", "inodes", PRESSURE_DISK, .percent = 5},
};

void signals_observe(const struct node_stats *s, int64_t memory_capacity, struct observation out[SIGNAL_KINDS])
{
    out[SIGNAL_MEMORY] = (struct observation){s->memory_available, s->memory_available < 0 ? 0 : memory_capacity};
    out[SIGNAL_NODEFS] = (struct observation){s->nodefs.bytes_avail, s->nodefs.bytes};
    out[SIGNAL_NODEFS_INODES] = (struct observation){s->nodefs.inodes_free, s->nodefs.inodes};
    out[SIGNAL_IMAGEFS] = (struct observation){s->imagefs.bytes_avail, s->imagefs.bytes};
    out[SIGNAL_IMAGEFS_INODES] = (struct observation){s->imagefs.inodes_free, s->imagefs.inodes};
}

int64_t signal_threshold(enum signal_kind kind, const struct observation *o)
{
    const struct signal_def *d = &signals[kind];
    return d->percent ? (int64_t)((double)o->capacity * ((double)d->percent / 100)) : d->bytes;
}

bool signal_met(enum signal_kind kind, const struct observation *o)
{
    return o->capacity > 0 && o->available < signal_threshold(kind, o);
}

/* -- what a pod asked for -- */

static int64_t amount(const json_t *container, const char *list, const char *resource)
{
    const char *text = jmap(container, list, resource);
    return text ? quantity_bytes(text, 0) : 0;
}

/* Of all regular containers; of limits, -1 if none is set. */
static int64_t pod_amount(const json_t *spec, const char *list, const char *resource)
{
    int64_t sum = 0;
    bool any = false;
    size_t i;
    const json_t *c;
    json_array_foreach(jat(spec, "spec.containers"), i, c)
    {
        any = any || jmap(c, list, resource);
        sum += amount(c, list, resource);
    }
    return any || str_eq(list, "resources.requests") ? sum : -1;
}

bool pod_is_critical(const json_t *pod)
{
    return jint(pod, "spec.priority", 0) >= SYSTEM_CRITICAL ||
           jmap(pod, "metadata.annotations", "kubernetes.io/config.mirror");
}

/* -- the order -- */

struct candidate {
    size_t index;
    const char *name;
    int64_t usage, request, priority;
};

static int64_t usage_of(const struct pod_stats *p, enum signal_kind kind)
{
    int64_t cores;
    if (kind == SIGNAL_MEMORY)
        return pod_use(p, &cores).working_set;
    return str_eq(signals[kind].resource, "inodes") ? p->total.inodes : p->total.bytes;
}

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_rank(const void *va, const void *vb)
{
    const struct candidate *a = va, *b = vb;
    int c = (b->usage > b->request) - (a->usage > a->request);
    if (c == 0)
        c = compare(a->priority, b->priority);
    if (c == 0)
        c = compare(b->usage - b->request, a->usage - a->request);
    return c ? c : strcmp(a->name, b->name);
}

size_t *eviction_rank(const struct node_stats *s, const json_t *const *specs, enum signal_kind kind)
{
    struct candidate *all = xcalloc(s->pod_count + 1, sizeof *all);
    size_t *order = xcalloc(s->pod_count + 1, sizeof *order);
    for (size_t i = 0; i < s->pod_count; i++)
        all[i] = (struct candidate){
            .index = i,
            .name = s->pods[i].name,
            .usage = usage_of(&s->pods[i], kind),
            .request = pod_amount(specs[i], "resources.requests", signals[kind].resource),
            .priority = jint(specs[i], "spec.priority", 0),
        };
    qsort(all, s->pod_count, sizeof *all, by_rank);
    for (size_t i = 0; i < s->pod_count; i++)
        order[i] = all[i].index;
    free(all);
    return order;
}

/* -- the words -- */

static void bytes_text(int64_t bytes, char out[QUANTITY_TEXT_LEN])
{
    struct quantity q = {0};
    quantity_from_bytes(bytes, &q);
    quantity_format(&q, out);
}

static void add_bytes(struct buf *out, int64_t bytes)
{
    char text[QUANTITY_TEXT_LEN];
    bytes_text(bytes, text);
    buf_adds(out, text);
}

struct offenders {
    struct strlist names, usages;
};

static void add_offender(struct buf *out, struct offenders *all, const struct container_stats *c, const json_t *spec,
                         enum signal_kind kind)
{
    const char *resource = signals[kind].resource;
    const int64_t usage = kind == SIGNAL_MEMORY ? c->use.working_set : c->rootfs.bytes + c->logs.bytes;
    const char *request = jmap(spec, "resources.requests", resource);
    if (usage <= (request ? quantity_bytes(request, 0) : 0) || str_eq(resource, "inodes"))
        return;
    char text[QUANTITY_TEXT_LEN];
    bytes_text(usage, text);
    strlist_add(&all->names, c->name);
    strlist_add(&all->usages, text);
    buf_addf(out, "Container %s was using %s, request is %s, has larger consumption of %s. ", c->name, text,
             request ? request : "0", resource);
}

static const json_t *container_spec_of(const json_t *pod, const char *name)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        const json_t *c;
        json_array_foreach(jat(pod, lists[l]), i, c)
        {
            if (str_eq(jstr(c, "name"), name))
                return c;
        }
    }
    return NULL;
}

/* Releases the lists. */
static void annotate(struct offenders *all, enum signal_kind kind, json_t *annotations)
{
    _auto_free_ char *names = strlist_join(&all->names, ","), *usages = strlist_join(&all->usages, ",");
    if (all->names.len > 0) {
        json_object_set_new(annotations, "offending_containers", json_string(names));
        json_object_set_new(annotations, "offending_containers_usage", json_string(usages));
    }
    json_object_set_new(annotations, "starved_resource", json_string(signals[kind].resource));
    strlist_release(&all->names);
    strlist_release(&all->usages);
}

char *eviction_message(const struct pod_stats *p, const json_t *spec, enum signal_kind kind,
                       const struct observation *o, json_t *annotations)
{
    struct buf out = BUF_INIT;
    struct offenders all = {0};
    buf_addf(&out, "The node was low on resource: %s. Threshold quantity: ", signals[kind].resource);
    add_bytes(&out, signal_threshold(kind, o));
    buf_adds(&out, ", available: ");
    add_bytes(&out, o->available);
    buf_adds(&out, ". ");
    for (size_t i = 0; p && i < p->container_count; i++)
        add_offender(&out, &all, &p->containers[i], container_spec_of(spec, p->containers[i].name), kind);
    annotate(&all, kind, annotations);
    return buf_steal(&out, NULL);
}

/* -- limits of its own -- */

static const struct volume_stats *volume_named(const struct pod_stats *p, const char *name)
{
    for (size_t i = 0; i < p->volume_count; i++)
        if (str_eq(p->volumes[i].name, name))
            return &p->volumes[i];
    return NULL;
}

static char *empty_dir_message(const struct pod_stats *p, const json_t *spec)
{
    size_t i;
    const json_t *v;
    json_array_foreach(jat(spec, "spec.volumes"), i, v)
    {
        const char *limit = jstr(v, "emptyDir.sizeLimit"), *name = jstr_or(v, "name", "");
        const struct volume_stats *s = limit ? volume_named(p, name) : NULL;
        const int64_t bytes = limit ? quantity_bytes(limit, 0) : 0;
        if (s && bytes > 0 && volume_used(s) > bytes)
            return xasprintf("Usage of EmptyDir volume \"%s\" exceeds the limit \"%s\". ", name, limit);
    }
    return NULL;
}

static char *pod_limit_message(const struct pod_stats *p, const json_t *spec)
{
    const int64_t limit = pod_amount(spec, "resources.limits", "ephemeral-storage");
    if (limit < 0 || p->total.bytes <= limit)
        return NULL;
    struct buf out = BUF_INIT;
    buf_adds(&out, "Pod ephemeral local storage usage exceeds the total limit of containers ");
    add_bytes(&out, limit);
    buf_adds(&out, ". ");
    return buf_steal(&out, NULL);
}

static char *container_limit_message(const struct pod_stats *p, const json_t *spec)
{
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_stats *c = &p->containers[i];
        const json_t *own = container_spec_of(spec, c->name);
        const char *limit = jmap(own, "resources.limits", "ephemeral-storage");
        const int64_t bytes = limit ? quantity_bytes(limit, 0) : 0;
        if (bytes > 0 && c->rootfs.bytes + c->logs.bytes > bytes)
            return xasprintf("Container %s exceeded its local ephemeral storage limit \"%s\". ", c->name, limit);
    }
    return NULL;
}

char *eviction_limit_message(const struct pod_stats *p, const json_t *spec)
{
    char *message = empty_dir_message(p, spec);
    if (!message)
        message = pod_limit_message(p, spec);
    return message ? message : container_limit_message(p, spec);
}

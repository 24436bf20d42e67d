/* podinfo.c - what a pod asks of a node, read from its object once and kept beside it.
 *
 * Amounts follow resource.PodRequests: containers run together, init containers one after the other, a restartable init
 * container stays. Terms are compiled with the keys of matchLabelKeys and mismatchLabelKeys added to their selectors.
 * THREADS: none; a pod_info belongs to one cache. When you add a resource with a field of its own: struct room. */
#include "scheduler/cache_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

/* What a container that asks for nothing is counted as when nodes are compared. */
#define DEFAULT_CPU_MILLI 100
#define DEFAULT_MEMORY    (INT64_C(200) << 20)

#define REQUIRED  "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

/* -- amounts -- */

int64_t resource_amount(const char *resource, const char *quantity)
{
    struct quantity q;
    if (!quantity || quantity_parse(quantity, &q) < 0)
        return 0;
    return str_eq(resource, "cpu") ? quantity_milli(&q) : quantity_value(&q);
}

void room_release(struct room *a)
{
    free(a->more);
    *a = (struct room){0};
}

static int64_t *amount_at(struct room *a, const char *name)
{
    if (str_eq(name, "cpu"))
        return &a->cpu;
    if (str_eq(name, "memory"))
        return &a->memory;
    if (str_eq(name, "ephemeral-storage"))
        return &a->storage;
    for (size_t i = 0; i < a->more_len; i++)
        if (str_eq(a->more[i].name, name))
            return &a->more[i].amount;
    a->more = xrealloc(a->more, (a->more_len + 1) * sizeof *a->more);
    a->more[a->more_len] = (struct extended){name, 0};
    return &a->more[a->more_len++].amount;
}

int64_t room_extended(const struct room *a, const char *name)
{
    for (size_t i = 0; i < a->more_len; i++)
        if (str_eq(a->more[i].name, name))
            return a->more[i].amount;
    return 0;
}

/* More than any node has; the sum over the pods of a node still fits. */
#define MOST (INT64_C(1) << 52)

static void sum(int64_t *a, int64_t b)
{
    *a = b < MOST - *a ? *a + b : MOST;
}

static void amounts_add(struct room *a, const json_t *list)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)list, name, v)
        sum(amount_at(a, name), resource_amount(name, json_string_value(v)));
}

static void raise_to(int64_t *a, int64_t b)
{
    *a = *a > b ? *a : b;
}

static void amounts_merge(struct room *a, const struct room *b, void (*merge)(int64_t *, int64_t))
{
    merge(&a->cpu, b->cpu);
    merge(&a->memory, b->memory);
    merge(&a->storage, b->storage);
    for (size_t i = 0; i < b->more_len; i++)
        merge(amount_at(a, b->more[i].name), b->more[i].amount);
}

static void container_amounts(struct room *a, const json_t *container, bool assume)
{
    const json_t *asks = jat(container, "resources.requests");
    amounts_add(a, asks);
    if (assume && !json_object_get(asks, "cpu"))
        sum(&a->cpu, DEFAULT_CPU_MILLI);
    if (assume && !json_object_get(asks, "memory"))
        sum(&a->memory, DEFAULT_MEMORY);
}

static struct room pod_amounts(const json_t *spec, bool assume)
{
    struct room all = {0}, sidecars = {0}, peak = {0};
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(spec, "containers"), i, c) container_amounts(&all, c, assume);
    json_array_foreach(json_object_get(spec, "initContainers"), i, c)
    {
        struct room now = {0};
        container_amounts(&now, c, assume);
        amounts_merge(&now, &sidecars, sum);
        amounts_merge(&peak, &now, raise_to);
        if (str_eq(jstr(c, "restartPolicy"), "Always"))
            amounts_merge(&sidecars, &now, raise_to);
        room_release(&now);
    }
    amounts_merge(&all, &sidecars, sum);
    amounts_merge(&all, &peak, raise_to);
    amounts_add(&all, json_object_get(spec, "overhead"));
    room_release(&sidecars);
    room_release(&peak);
    return all;
}

/* -- terms -- */

/* Adds "key in (the pod's own value)" for the labels named. */
static void add_keys(json_t *selector, const json_t *keys, const json_t *labels, const char *op)
{
    size_t i;
    json_t *key;
    json_array_foreach(keys, i, key)
    {
        const json_t *value = json_object_get(labels, json_string_value(key));
        if (value)
            json_array_append_new(jmake_arr(selector, "matchExpressions"),
                                  json_pack("{s:s, s:s, s:[s]}", "key", json_string_value(key), "operator", op,
                                            "values", json_string_value(value)));
    }
}

json_t *selector_with_keys(const json_t *term, const json_t *labels)
{
    const json_t *own = json_object_get(term, "labelSelector");
    json_t *s = own ? json_deep_copy(own) : NULL;
    if (s) {
        add_keys(s, json_object_get(term, "matchLabelKeys"), labels, "In");
        add_keys(s, json_object_get(term, "mismatchLabelKeys"), labels, "NotIn");
    }
    return s;
}

/* NULL if it is none: validation refuses such. */
static struct label_selector *compile(const json_t *selector)
{
    struct label_selector *s = NULL;
    struct err e = ERR_INIT;
    return label_selector_from_json(selector, &s, &e) < 0 ? NULL : s;
}

static void add_term(struct pod_terms *t, const json_t *term, const json_t *labels, int64_t weight)
{
    const json_t *names = json_object_get(term, "namespaces"), *spaces = json_object_get(term, "namespaceSelector");
    _auto_json_ json_t *selector = selector_with_keys(term, labels);
    t->items = xrealloc(t->items, (t->len + 1) * sizeof *t->items);
    t->items[t->len++] = (struct pod_term){
        .selector = compile(selector),
        .spaces = spaces ? compile(spaces) : NULL,
        .names = json_array_size(names) ? names : NULL,
        .key = jstr_or(term, "topologyKey", ""),
        .weight = weight,
    };
}

static void read_terms(struct pod_info *p, const json_t *affinity)
{
    static const struct {
        const char *kind;
        size_t required;
        int sign;
    } kinds[] = {{"podAffinity", offsetof(struct pod_info, near), 1},
                 {"podAntiAffinity", offsetof(struct pod_info, apart), -1}};
    size_t i;
    json_t *term;
    for (size_t k = 0; affinity && k < ARRAY_LEN(kinds); k++) {
        const json_t *terms = json_object_get(affinity, kinds[k].kind);
        struct pod_terms *required = (struct pod_terms *)((char *)p + kinds[k].required);
        json_array_foreach(json_object_get(terms, REQUIRED), i, term) add_term(required, term, p->labels, 1);
        json_array_foreach(json_object_get(terms, PREFERRED), i, term) add_term(
            &p->prefer, json_object_get(term, "podAffinityTerm"), p->labels, kinds[k].sign * jint(term, "weight", 0));
    }
}

static void terms_release(struct pod_terms *t)
{
    for (size_t i = 0; i < t->len; i++) {
        label_selector_free(t->items[i].selector);
        label_selector_free(t->items[i].spaces);
    }
    free(t->items);
}

/* -- ports -- */

static void read_ports(struct pod_info *p, const json_t *containers)
{
    size_t c, i;
    json_t *container, *port;
    json_array_foreach(containers, c, container)
    {
        json_array_foreach(json_object_get(container, "ports"), i, port)
        {
            int64_t number = jint(port, "hostPort", 0);
            if (!number)
                continue;
            const char *ip = jstr_or(port, "hostIP", "");
            p->ports = xrealloc(p->ports, (p->ports_len + 1) * sizeof *p->ports);
            p->ports[p->ports_len++] =
                (struct host_port){*ip ? ip : "0.0.0.0", jstr_or(port, "protocol", "TCP"), number};
        }
    }
}

/* -- the whole -- */

struct pod_info *pod_info_new(struct sobj *pod)
{
    struct pod_info *p = xcalloc(1, sizeof *p);
    const json_t *spec = json_object_get(pod->tree, "spec");
    p->refs = 1;
    p->o = sobj_ref(pod);
    p->pod = pod->tree;
    p->ns = pod->ns;
    p->name = pod->name;
    p->labels = jat(pod->tree, "metadata.labels");
    p->priority = jint(spec, "priority", 0);
    p->picky = json_object_size(json_object_get(spec, "nodeSelector")) > 0 ||
               jat(spec, "affinity.nodeAffinity." REQUIRED) != NULL;
    p->ask = pod_amounts(spec, false);
    struct room some = pod_amounts(spec, true);
    p->some_cpu = some.cpu;
    p->some_memory = some.memory;
    room_release(&some);
    read_ports(p, json_object_get(spec, "containers"));
    read_ports(p, json_object_get(spec, "initContainers"));
    read_terms(p, json_object_get(spec, "affinity"));
    return p;
}

struct pod_info *pod_info_ref(struct pod_info *p)
{
    p->refs++;
    return p;
}

void pod_info_unref(struct pod_info *p)
{
    if (!p || --p->refs > 0)
        return;
    room_release(&p->ask);
    terms_release(&p->near);
    terms_release(&p->apart);
    terms_release(&p->prefer);
    free(p->ports);
    sobj_unref(p->o);
    free(p);
}

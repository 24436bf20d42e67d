/* node_resources.c - what the pods of a node ask for, pod by pod and summed, beside what it has.
 *
 * A pod asks for the most of: all its containers together, and each init container with the sidecars started before it.
 * Lists of resources are small arrays here: name and quantity. Source: kubectl's own sums, which differ from the
 * scheduler's in nothing that a 1.32 server stores. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define RESOURCES_MAX 32 /* names a node's pods use, together; more are not summed */

struct amount {
    const char *name; /* borrowed */
    struct quantity q;
};
struct amounts {
    struct amount items[RESOURCES_MAX];
    size_t len;
};

static struct amount *amount_of(struct amounts *a, const char *name, bool make)
{
    for (size_t i = 0; i < a->len; i++)
        if (strcmp(a->items[i].name, name) == 0)
            return &a->items[i];
    if (!make || a->len == RESOURCES_MAX)
        return NULL;
    a->items[a->len] = (struct amount){.name = name, .q = {.format = QF_DECIMAL_SI}};
    return &a->items[a->len++];
}

static void add_one(struct amounts *a, const char *name, const struct quantity *q, bool greatest)
{
    bool fresh = amount_of(a, name, false) == NULL;
    struct amount *to = amount_of(a, name, true);
    if (to == NULL)
        return;
    if (fresh || (greatest && quantity_cmp(q, &to->q) > 0))
        to->q = *q;
    else if (!greatest)
        quantity_add(&to->q, q);
}

static void add_amounts(struct amounts *a, const struct amounts *b, bool greatest)
{
    for (size_t i = 0; i < b->len; i++)
        add_one(a, b->items[i].name, &b->items[i].q, greatest);
}

static struct amounts amounts_read(const json_t *list)
{
    struct amounts out = {.len = 0};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)list, name, value)
    {
        struct quantity q;
        if (json_is_string(value) && quantity_parse(json_string_value(value), &q) == 0)
            add_one(&out, name, &q, false);
    }
    return out;
}

/* What a running container got counts, too, when it is more: a resize that is under way. */
static struct amounts container_amounts(const json_t *pod, const json_t *container, const char *member)
{
    struct amounts out = amounts_read(jat(container, member));
    const json_t *statuses = jat(pod, "status.containerStatuses");
    for (size_t i = 0; strstr(member, "requests") != NULL && i < json_array_size(statuses); i++) {
        const json_t *s = json_array_get(statuses, i);
        if (!str_eq(jstr(s, "name"), jstr(container, "name")) || !json_is_object(jat(s, "resources")))
            continue;
        struct amounts has = amounts_read(jat(s, member));
        if (str_eq(jstr(pod, "status.resize"), "Infeasible"))
            return has;
        add_amounts(&out, &has, true);
    }
    return out;
}

static struct amounts pod_amounts(const json_t *pod, const char *member)
{
    struct amounts sum = {.len = 0}, sidecars = {.len = 0}, most = {.len = 0};
    const json_t *containers = jat(pod, "spec.containers"), *init = jat(pod, "spec.initContainers");
    for (size_t i = 0; i < json_array_size(containers); i++) {
        struct amounts one = container_amounts(pod, json_array_get(containers, i), member);
        add_amounts(&sum, &one, false);
    }
    for (size_t i = 0; i < json_array_size(init); i++) {
        struct amounts one = amounts_read(jat(json_array_get(init, i), member));
        if (str_eq(jstr(json_array_get(init, i), "restartPolicy"), "Always")) {
            add_amounts(&sum, &one, false);
            add_amounts(&sidecars, &one, false);
            one = sidecars;
        } else {
            add_amounts(&one, &sidecars, false);
        }
        add_amounts(&most, &one, true);
    }
    add_amounts(&sum, &most, true);
    struct amounts overhead = amounts_read(jat(pod, "spec.overhead"));
    bool limits = strstr(member, "limits") != NULL;
    for (size_t i = 0; i < overhead.len; i++) {
        const struct amount *has = amount_of(&sum, overhead.items[i].name, false);
        if (!limits || (has != NULL && has->q.nano != 0))
            add_one(&sum, overhead.items[i].name, &overhead.items[i].q, false);
    }
    return sum;
}

/* "100m (5%)" of what the node has. */
static void add_share(struct buf *out, struct amounts *a, struct amounts *node, const char *name)
{
    struct quantity none = {.format = QF_DECIMAL_SI};
    const struct amount *part = amount_of(a, name, false), *whole = amount_of(node, name, false);
    const struct quantity *q = part != NULL ? &part->q : &none, *of = whole != NULL ? &whole->q : &none;
    bool cpu = str_eq(name, "cpu");
    double have = (double)(cpu ? quantity_milli(of) : quantity_value(of));
    double want = (double)(cpu ? quantity_milli(q) : quantity_value(q));
    char text[QUANTITY_TEXT_LEN];
    quantity_format(q, text);
    buf_addf(out, "%s (%lld%%)", text, have != 0 ? (long long)(want / have * 100) : 0);
}

static void put_shares(struct page *p, const char *name, struct amounts *requests, struct amounts *limits,
                       struct amounts *node)
{
    _auto_buf_ struct buf line = BUF_INIT;
    add_share(&line, requests, node, name);
    buf_addc(&line, '\t');
    add_share(&line, limits, node, name);
    page_put(p, 1, "%s\t%s\n", name, buf_str(&line));
}

static void put_pod(struct page *p, const json_t *pod, struct amounts *requests, struct amounts *limits,
                    struct amounts *node)
{
    _auto_buf_ struct buf line = BUF_INIT;
    const char *const names[] = {"cpu", "memory"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        add_share(&line, requests, node, names[i]);
        buf_addc(&line, '\t');
        add_share(&line, limits, node, names[i]);
        buf_addc(&line, '\t');
    }
    value_age(&line, jstr(pod, "metadata.creationTimestamp"), p->now);
    page_put(p, 1, "%s\t%s\t\t%s\n", jstr_or(pod, "metadata.namespace", ""), jstr_or(pod, "metadata.name", ""),
             buf_str(&line));
}

/* What neither cpu, memory, ephemeral-storage, huge pages nor the number of pods is: without a share. */
static void put_extended(struct page *p, const char *name, struct amounts *requests, struct amounts *limits)
{
    struct amounts *const both[] = {requests, limits};
    _auto_buf_ struct buf line = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        const struct amount *a = amount_of(both[i], name, false);
        char text[QUANTITY_TEXT_LEN] = "0";
        if (a != NULL)
            quantity_format(&a->q, text);
        buf_addf(&line, "\t%s", text);
    }
    page_put(p, 1, "%s%s\n", name, buf_str(&line));
}

static void put_sums(struct page *p, const json_t *allocatable, struct amounts *requests, struct amounts *limits,
                     struct amounts *node)
{
    static const char *const standard[] = {"cpu", "memory", "ephemeral-storage"};
    page_put(p, 0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)\n");
    page_put(p, 1, "Resource\tRequests\tLimits\n");
    page_put(p, 1, "--------\t--------\t------\n");
    for (size_t i = 0; i < ARRAY_LEN(standard); i++)
        put_shares(p, standard[i], requests, limits, node);
    _auto_json_ json_t *names = keys_sorted(allocatable);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (str_starts(name, "hugepages-"))
            put_shares(p, name, requests, limits, node);
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        bool known = str_starts(name, "hugepages-") || str_eq(name, "pods");
        for (size_t j = 0; j < ARRAY_LEN(standard); j++)
            known |= str_eq(name, standard[j]);
        if (!known)
            put_extended(p, name, requests, limits);
    }
}

void page_node_resources(struct page *p, const json_t *node)
{
    const json_t *pods = jat(p->related, "pods"), *allocatable = jat(node, "status.allocatable");
    if (!json_is_array(pods)) {
        page_put(p, 0, "Pods:\tnot authorized\n");
        return;
    }
    if (json_object_size(allocatable) == 0)
        allocatable = jat(node, "status.capacity");
    struct amounts has = amounts_read(allocatable), requests = {.len = 0}, limits = {.len = 0};
    page_put(p, 0, "Non-terminated Pods:\t(%zu in total)\n", json_array_size(pods));
    page_put(p, 1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge\n");
    page_put(p, 1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---\n");
    for (size_t i = 0; i < json_array_size(pods); i++) {
        const json_t *pod = json_array_get(pods, i);
        struct amounts req = pod_amounts(pod, "resources.requests"), lim = pod_amounts(pod, "resources.limits");
        put_pod(p, pod, &req, &lim, &has);
        add_amounts(&requests, &req, false);
        add_amounts(&limits, &lim, false);
    }
    put_sums(p, allocatable, &requests, &limits, &has);
}

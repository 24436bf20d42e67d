/* top.c - `kubectl top node|pod`: what metrics.k8s.io tells of cpu and memory. */
#include "api/quantity.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>

#define METRICS "/apis/metrics.k8s.io/v1beta1"
#define MEBI    (1024 * 1024)

/* One line of the table. */
struct used {
    const json_t *object; /* of the metrics; borrowed */
    const json_t *of;     /* the container, or the object */
    struct quantity cpu, memory;
};
struct useds {
    struct used *items; /* owned */
    size_t len;
};

static struct quantity amount_of(const json_t *list, const char *name)
{
    struct quantity q = {.format = QF_DECIMAL_SI};
    const char *text = jstr(list, name);
    if (text != NULL)
        quantity_parse(text, &q);
    return q;
}

static void add_usage(struct used *u, const json_t *usage)
{
    const struct quantity cpu = amount_of(usage, "cpu"), memory = amount_of(usage, "memory");
    quantity_add(&u->cpu, &cpu);
    quantity_add(&u->memory, &memory);
}

/* ---- order ---- */

enum order { BY_NAME, BY_CPU, BY_MEMORY };

static int by_name(const struct used *a, const struct used *b)
{
    int rc = strcmp(jstr_or(a->object, "metadata.namespace", ""), jstr_or(b->object, "metadata.namespace", ""));
    rc = rc != 0 ? rc : strcmp(jstr_or(a->object, "metadata.name", ""), jstr_or(b->object, "metadata.name", ""));
    return rc != 0 ? rc : strcmp(jstr_or(a->of, "name", ""), jstr_or(b->of, "name", ""));
}

static int compare(const void *x, const void *y, void *order)
{
    const struct used *a = x, *b = y;
    enum order by = *(enum order *)order;
    int more = by == BY_CPU      ? quantity_cmp(&b->cpu, &a->cpu)
               : by == BY_MEMORY ? quantity_cmp(&b->memory, &a->memory)
                                 : 0;
    return more != 0 ? more : by_name(a, b);
}

static void sort_used(struct call *c, struct useds *u)
{
    const char *by = call_text(c, "sort-by");
    enum order order = str_eq(by, "cpu") ? BY_CPU : str_eq(by, "memory") ? BY_MEMORY : BY_NAME;
    if (u->len > 0)
        qsort_r(u->items, u->len, sizeof *u->items, compare, &order);
}

/* ---- asking ---- */

static bool has_metrics(struct call *c)
{
    struct err e = ERR_INIT;
    const struct kinds *all = call_kinds(c, &e);
    for (size_t i = 0; all != NULL && i < all->len; i++)
        if (str_eq(all->items[i].group, "metrics.k8s.io"))
            return true;
    return false;
}

/* The one that is named, or all that the selectors let through, as a list. -1: told. */
static int ask(struct call *c, const char *base, json_t **out)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *got = NULL;
    struct err e = ERR_INIT;
    buf_adds(&path, base);
    if (c->words.len > 0) {
        buf_addc(&path, '/');
        client_escape(&path, c->words.items[0]);
    }
    if (*call_text(c, "selector"))
        call_query(&path, "labelSelector", call_text(c, "selector"));
    if (call_knows(c, "field-selector") && *call_text(c, "field-selector"))
        call_query(&path, "fieldSelector", call_text(c, "field-selector"));
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &got, &e) < 0)
        return call_error(c, &e), -1;
    *out = c->words.len > 0 ? json_pack("[O]", got) : json_incref(json_object_get(got, "items"));
    return 0;
}

static int check(struct call *c, const char *selector)
{
    const char *by = call_text(c, "sort-by");
    if (*by && !str_eq(by, "cpu") && !str_eq(by, "memory"))
        return call_fail(c, "--sort-by accepts only cpu or memory");
    if (c->words.len > 0 && *call_text(c, "selector"))
        return call_fail(c, "only one of NAME or %s can be provided", selector);
    return has_metrics(c) ? 0 : call_fail(c, "Metrics API not available");
}

static void put_usage(struct table *t, const struct used *u)
{
    table_addf(t, "%lldm\t%lldMi\t", (long long)quantity_milli(&u->cpu),
               (long long)(quantity_value(&u->memory) / MEBI));
}

/* ---- nodes ---- */

static const json_t *named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(jstr(json_array_get(list, i), "metadata.name"), name))
            return json_array_get(list, i);
    return NULL;
}

static void put_share(struct table *t, const struct quantity *part, const json_t *has, const char *name)
{
    if (has == NULL)
        return;
    const struct quantity of = amount_of(has, name);
    const double whole = (double)quantity_milli(&of);
    table_addf(t, "%lld%%\t", whole != 0 ? (long long)((double)quantity_milli(part) / whole * 100) : 0);
}

static void put_node(struct call *c, struct table *t, const struct used *u, const json_t *nodes)
{
    const json_t *node = named(nodes, jstr(u->object, "metadata.name"));
    const json_t *has = jat(node, call_bool(c, "show-capacity") ? "status.capacity" : "status.allocatable");
    table_addf(t, "%s\t%lldm\t", jstr_or(u->object, "metadata.name", ""), (long long)quantity_milli(&u->cpu));
    put_share(t, &u->cpu, has, "cpu");
    table_addf(t, "%lldMi\t", (long long)(quantity_value(&u->memory) / MEBI));
    put_share(t, &u->memory, has, "memory");
    table_addf(t, "\n");
}

static int top_node_run(struct call *c)
{
    _auto_json_ json_t *metrics = NULL, *nodes = NULL;
    _auto_table_ struct table t = {0};
    struct useds u = {0};
    if (check(c, "--selector") != 0 || ask(c, METRICS "/nodes", &metrics) < 0)
        return c->code;
    if (json_array_size(metrics) == 0)
        return call_fail(c, "metrics not available yet");
    if (ask(c, "/api/v1/nodes", &nodes) < 0)
        return c->code;
    u.items = xcalloc(json_array_size(metrics), sizeof *u.items);
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *m = json_array_get(metrics, i);
        u.items[u.len] = (struct used){.object = m, .of = m};
        add_usage(&u.items[u.len++], jat(m, "usage"));
    }
    sort_used(c, &u);
    if (!call_bool(c, "no-headers"))
        table_addf(&t, "NAME\tCPU(cores)\tCPU(%%)\tMEMORY(bytes)\tMEMORY(%%)\t\n");
    for (size_t i = 0; i < u.len; i++)
        put_node(c, &t, &u.items[i], nodes);
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const char *name = jstr_or(json_array_get(nodes, i), "metadata.name", "");
        if (named(metrics, name) == NULL)
            table_addf(&t, "%s\t<unknown>\t<unknown>\t<unknown>\t<unknown>\t\n", name);
    }
    table_flush(&t, c->k->out);
    free(u.items);
    return 0;
}

/* ---- pods ---- */

static void add_pod(struct useds *u, const json_t *pod, bool each)
{
    const json_t *containers = jat(pod, "containers");
    u->items = xrealloc(u->items, (u->len + json_array_size(containers) + 1) * sizeof *u->items);
    if (!each)
        u->items[u->len++] = (struct used){.object = pod, .of = pod};
    for (size_t i = 0; i < json_array_size(containers); i++) {
        const json_t *one = json_array_get(containers, i);
        if (each)
            u->items[u->len++] = (struct used){.object = pod, .of = one};
        add_usage(&u->items[u->len - 1], jat(one, "usage"));
    }
}

static void put_sum(struct table *t, const struct useds *u, size_t columns)
{
    struct used sum = {0};
    for (size_t i = 0; i < u->len; i++) {
        quantity_add(&sum.cpu, &u->items[i].cpu);
        quantity_add(&sum.memory, &u->items[i].memory);
    }
    for (size_t i = 0; i + 2 < columns; i++)
        table_addf(t, "\t");
    table_addf(t, "________\t________\t\n");
    for (size_t i = 0; i + 2 < columns; i++)
        table_addf(t, "\t");
    put_usage(t, &sum);
    table_addf(t, "\n");
}

static void put_pods(struct call *c, struct table *t, const struct useds *u)
{
    bool everywhere = call_bool(c, "all-namespaces"), each = call_bool(c, "containers");
    if (!call_bool(c, "no-headers"))
        table_addf(t, "%s%sNAME\tCPU(cores)\tMEMORY(bytes)\t\n", everywhere ? "NAMESPACE\t" : "", each ? "POD\t" : "");
    for (size_t i = 0; i < u->len; i++) {
        const struct used *one = &u->items[i];
        if (everywhere)
            table_addf(t, "%s\t", jstr_or(one->object, "metadata.namespace", ""));
        table_addf(t, "%s\t", jstr_or(one->object, "metadata.name", ""));
        if (each)
            table_addf(t, "%s\t", jstr_or(one->of, "name", ""));
        put_usage(t, one);
        table_addf(t, "\n");
    }
    if (call_bool(c, "sum"))
        put_sum(t, u, 3 + everywhere + each);
}

/* Nothing was measured: because there are no pods, or not yet. */
static int no_pods(struct call *c, const char *ns)
{
    _auto_json_ json_t *pods = NULL;
    _auto_free_ char *path = *ns ? xasprintf("/api/v1/namespaces/%s/pods", ns) : xstrdup("/api/v1/pods");
    if (ask(c, path, &pods) < 0)
        return c->code;
    if (json_array_size(pods) > 0)
        return call_fail(c, "metrics not available yet");
    if (*ns)
        fprintf(c->k->err, "No resources found in %s namespace.\n", ns);
    else
        fputs("No resources found\n", c->k->err);
    return 0;
}

static int top_pod_run(struct call *c)
{
    _auto_json_ json_t *metrics = NULL;
    _auto_table_ struct table t = {0};
    struct useds u = {0};
    const char *ns = call_namespace(c);
    if (ns == NULL || check(c, "selector") != 0)
        return c->code;
    ns = call_bool(c, "all-namespaces") ? "" : ns;
    _auto_free_ char *path = *ns ? xasprintf(METRICS "/namespaces/%s/pods", ns) : xstrdup(METRICS "/pods");
    if (ask(c, path, &metrics) < 0)
        return c->code;
    if (json_array_size(metrics) == 0)
        return no_pods(c, ns);
    for (size_t i = 0; i < json_array_size(metrics); i++)
        add_pod(&u, json_array_get(metrics, i), call_bool(c, "containers"));
    sort_used(c, &u);
    put_pods(c, &t, &u);
    table_flush(&t, c->k->out);
    free(u.items);
    return 0;
}

/* ---- the verb ---- */

#define SORT_FLAGS                                                                                                     \
    {"sort-by", 0, FLAG_TEXT, NULL, "cpu or memory"},                                                                  \
        {"no-headers", 0, FLAG_BOOL, NULL, "No first line with headers"},                                              \
    {                                                                                                                  \
        "use-protocol-buffers", 0, FLAG_BOOL, "true", "Understood; JSON is spoken"                                     \
    }
static const struct kubectl_flag node_flags[] = {
    FLAGS_SELECTOR,
    SORT_FLAGS,
    {"show-capacity", 0, FLAG_BOOL, NULL, "Shares of what a node has, not of what pods may use"},
    {0},
};
static const struct kubectl_flag pod_flags[] = {
    FLAGS_SELECTOR,
    FLAGS_FIELDS,
    FLAGS_ALL_NAMESPACES,
    SORT_FLAGS,
    {"containers", 0, FLAG_BOOL, NULL, "Each container on a line of its own"},
    {"sum", 0, FLAG_BOOL, NULL, "A last line with the sum"},
    {0},
};
static const struct kubectl_verb top_node = {
    .name = "node",
    .aliases = "nodes no",
    .summary = "Display resource (CPU/memory) usage of nodes",
    .usage = "[NAME | -l label] [options]",
    .flags = node_flags,
    .takes = TAKES_NODES,
    .run = top_node_run,
};
static const struct kubectl_verb top_pod = {
    .name = "pod",
    .aliases = "pods po",
    .summary = "Display resource (CPU/memory) usage of pods",
    .usage = "[NAME | -l label] [options]",
    .flags = pod_flags,
    .takes = TAKES_PODS,
    .run = top_pod_run,
};
static const struct kubectl_verb *const subs[] = {&top_node, &top_pod, NULL};

const struct kubectl_verb kubectl_top = {
    .name = "top",
    .summary = "Display resource (CPU/memory) usage",
    .usage = "[flags] [options]",
    .help = "  kubectl top node\n  kubectl top pod -A --sort-by=memory\n",
    .takes = TAKES_NONE,
    .subs = subs,
};

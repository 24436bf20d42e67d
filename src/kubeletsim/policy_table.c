/* policy_table.c - network policies, from selectors to addresses.
 *
 * DESIGN: for each pod that at least one policy isolates, what it may receive and send: ranges of addresses and ports.
 * Policies only add; a pod that several select may do what any of them allows. Named ports are those of the pod that
 * receives. Pods on their node's network are not isolated, as they have no address of their own.
 *
 * The DNS server is no pod here but is found as one: by namespace kube-system and label k8s-app=kube-dns. So is whoever
 * comes by ingress: namespace ingress-nginx, label app.kubernetes.io/name=ingress-nginx.
 *
 * Source: the API of networking.k8s.io/v1. THREADS: the loop thread. */
#include "kubeletsim/proxy_int.h"

#include "api/selector.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct range {
    uint32_t low, high;
};
struct ranges {
    struct range *items;
    size_t len, cap;
};

static void ranges_add(struct ranges *r, uint32_t low, uint32_t high)
{
    if (low > high)
        return;
    if (r->len == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 16;
        r->items = xrealloc(r->items, r->cap * sizeof *r->items);
    }
    r->items[r->len++] = (struct range){low, high};
}

static int by_low(const void *pa, const void *pb)
{
    const struct range *a = pa, *b = pb;
    return (a->low > b->low) - (a->low < b->low);
}

/* Sorted, and touching ones made one. Returns new. */
static json_t *ranges_json(struct ranges *r)
{
    json_t *out = json_array();
    if (r->len)
        qsort(r->items, r->len, sizeof *r->items, by_low);
    for (size_t i = 0; i < r->len;) {
        struct range whole = r->items[i++];
        while (i < r->len && (whole.high == UINT32_MAX || r->items[i].low <= whole.high + 1)) {
            whole.high = r->items[i].high > whole.high ? r->items[i].high : whole.high;
            i++;
        }
        json_array_append_new(out, json_pack("[II]", (json_int_t)whole.low, (json_int_t)whole.high));
    }
    return out;
}

/* -- peers -- */

static bool cidr_parse(const char *cidr, struct range *out)
{
    struct in_addr a;
    char ip[INET_ADDRSTRLEN];
    const char *slash = strchr(cidr, '/');
    uint64_t bits;
    if (!slash || (size_t)(slash - cidr) >= sizeof ip || !str_to_u64(slash + 1, &bits) || bits > 32)
        return false;
    memcpy(ip, cidr, (size_t)(slash - cidr));
    ip[slash - cidr] = '\0';
    if (inet_pton(AF_INET, ip, &a) != 1)
        return false;
    const uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
    *out = (struct range){ntohl(a.s_addr) & mask, ntohl(a.s_addr) | ~mask};
    return true;
}

/* What remains of a range after its exceptions: they are taken out one by one from pieces. */
static void add_block(struct ranges *out, const json_t *block)
{
    struct range whole, hole;
    const json_t *except = json_object_get(block, "except");
    if (!cidr_parse(jstr_or(block, "cidr", ""), &whole))
        return;
    struct ranges holes = {0};
    for (size_t i = 0; i < json_array_size(except); i++)
        if (cidr_parse(json_string_value(json_array_get(except, i)), &hole))
            ranges_add(&holes, hole.low, hole.high);
    if (holes.len)
        qsort(holes.items, holes.len, sizeof *holes.items, by_low);
    uint64_t at = whole.low;
    for (size_t i = 0; i < holes.len; i++) {
        if (holes.items[i].low > at)
            ranges_add(out, (uint32_t)at, holes.items[i].low - 1);
        if ((uint64_t)holes.items[i].high + 1 > at)
            at = (uint64_t)holes.items[i].high + 1;
    }
    if (at <= whole.high)
        ranges_add(out, (uint32_t)at, whole.high);
    free(holes.items);
}

static bool selected(const json_t *selector, const json_t *labels)
{
    struct err e = ERR_INIT;
    struct label_selector *s = NULL;
    if (!selector || label_selector_from_json(selector, &s, &e) < 0)
        return false;
    const bool fits = label_selector_match(s, labels);
    label_selector_free(s);
    return fits;
}

static const json_t *namespace_labels(const struct proxy_view *v, const char *ns)
{
    const struct sobj *o = objlist_find(&v->namespaces, "", ns);
    return o ? jat(o->tree, "metadata.labels") : NULL;
}

/* Does the peer mean a pod of that namespace with these labels? `home`: the policy's namespace. */
static bool peer_means(const json_t *peer, const char *home, const char *ns, const json_t *ns_labels,
                       const json_t *labels)
{
    const json_t *spaces = json_object_get(peer, "namespaceSelector"), *pods = json_object_get(peer, "podSelector");
    return (spaces ? selected(spaces, ns_labels) : str_eq(home, ns)) && (!pods || selected(pods, labels));
}

static bool pod_address(const json_t *pod, uint32_t *out)
{
    struct in_addr a;
    if (pod_terminal(pod) || jbool(pod, "spec.hostNetwork", false) ||
        inet_pton(AF_INET, jstr_or(pod, "status.podIP", ""), &a) != 1)
        return false;
    *out = ntohl(a.s_addr);
    return true;
}

/* Those that are no pods here. */
static const struct stand_in {
    const char *ns, *key, *value;
    const char *ip; /* NULL: the DNS server's */
} stand_ins[] = {
    {DNS_SERVICE_NS, DNS_LABEL_KEY, DNS_LABEL_VALUE, NULL},
    {"ingress-nginx", "app.kubernetes.io/name", "ingress-nginx", "172.30.0.1"},
};

static void add_stand_ins(const struct proxy_view *v, struct ranges *out, const json_t *peer, const char *home)
{
    for (size_t i = 0; i < ARRAY_LEN(stand_ins); i++) {
        const struct stand_in *s = &stand_ins[i];
        struct in_addr a;
        _auto_json_ json_t *labels = json_pack("{s:s}", s->key, s->value);
        _auto_json_ json_t *ns_labels = json_pack("{s:s}", "kubernetes.io/metadata.name", s->ns);
        const json_t *real = namespace_labels(v, s->ns);
        if (peer_means(peer, home, s->ns, real ? real : ns_labels, labels) &&
            inet_pton(AF_INET, s->ip ? s->ip : v->cluster_dns, &a) == 1)
            ranges_add(out, ntohl(a.s_addr), ntohl(a.s_addr));
    }
}

/* The pods a peer means; each with its address. */
static void add_peer(const struct proxy_view *v, struct ranges *out, const json_t *peer, const char *home)
{
    const json_t *block = json_object_get(peer, "ipBlock");
    if (block) {
        add_block(out, block);
        return;
    }
    for (size_t i = 0; i < v->pods.len; i++) {
        const json_t *pod = v->pods.trees[i];
        uint32_t ip;
        if (pod_address(pod, &ip) && peer_means(peer, home, v->pods.items[i]->ns,
                                                namespace_labels(v, v->pods.items[i]->ns), jat(pod, "metadata.labels")))
            ranges_add(out, ip, ip);
    }
    add_stand_ins(v, out, peer, home);
}

/* NULL: everybody. Returns new. */
static json_t *peers_json(const struct proxy_view *v, const json_t *peers, const char *home)
{
    struct ranges all = {0};
    size_t i;
    const json_t *peer;
    if (!json_array_size(peers))
        return NULL;
    json_array_foreach(peers, i, peer) add_peer(v, &all, peer, home);
    json_t *out = ranges_json(&all);
    free(all.items);
    return out;
}

/* -- ports -- */

static int64_t container_port(const json_t *pod, const char *name, const char *protocol)
{
    size_t i, j;
    const json_t *container, *port;
    json_array_foreach(jat(pod, "spec.containers"), i, container)
    {
        json_array_foreach(json_object_get(container, "ports"), j, port)
        {
            if (str_eq(jstr(port, "name"), name) && str_eq(jstr_or(port, "protocol", "TCP"), protocol))
                return jint(port, "containerPort", 0);
        }
    }
    return 0;
}

/* A named port: that of the receiver; of many possible receivers, all there are by that name. */
static void add_named_port(const struct proxy_view *v, json_t *out, const json_t *receiver, const char *name,
                           const char *protocol)
{
    _auto_json_ json_t *seen = json_object();
    for (size_t i = 0; i < (receiver ? 1 : v->pods.len); i++) {
        const int64_t port = container_port(receiver ? receiver : v->pods.trees[i], name, protocol);
        char key[16];
        snprintf(key, sizeof key, "%d", (int)port);
        if (port && !json_object_get(seen, key))
            json_array_append_new(out, json_pack("{s:s, s:I}", "protocol", protocol, "from", (json_int_t)port));
        json_object_set_new(seen, key, json_true());
    }
}

/* NULL: all. `receiver`: the pod, or NULL when the rule is about sending. Returns new. */
static json_t *ports_json(const struct proxy_view *v, const json_t *ports, const json_t *receiver)
{
    size_t i;
    const json_t *entry;
    if (!json_array_size(ports))
        return NULL;
    json_t *out = json_array();
    json_array_foreach(ports, i, entry)
    {
        const json_t *port = json_object_get(entry, "port");
        const char *protocol = jstr_or(entry, "protocol", "TCP");
        const json_int_t from = json_integer_value(port);
        if (json_is_string(port))
            add_named_port(v, out, receiver, json_string_value(port), protocol);
        else if (port)
            json_array_append_new(out, json_pack("{s:s, s:I, s:I}", "protocol", protocol, "from", from, "to",
                                                 (json_int_t)jint(entry, "endPort", from)));
        else
            json_array_append_new(out, json_pack("{s:s}", "protocol", protocol));
    }
    return out;
}

/* -- pods -- */

static void add_rules(const struct proxy_view *v, json_t *out, const struct sobj *policy, bool ingress,
                      const json_t *pod)
{
    size_t i;
    const json_t *rule;
    json_array_foreach(jat(policy->tree, ingress ? "spec.ingress" : "spec.egress"), i, rule)
    {
        json_t *made = json_object();
        json_t *peers = peers_json(v, json_object_get(rule, ingress ? "from" : "to"), policy->ns);
        json_t *ports = ports_json(v, json_object_get(rule, "ports"), ingress ? pod : NULL);
        if (peers)
            json_object_set_new(made, "peers", peers);
        if (ports)
            json_object_set_new(made, "ports", ports);
        json_array_append_new(out, made);
    }
}

static void add_policy(const struct proxy_view *v, json_t *isolated, const struct sobj *policy, const json_t *pod)
{
    static const char *const types[] = {"Ingress", "Egress"}, *const members[] = {"ingress", "egress"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!jarr_has(policy->tree, "spec.policyTypes", types[i]))
            continue;
        json_t *rules = json_object_get(isolated, members[i]);
        if (!rules)
            json_object_set_new(isolated, members[i], rules = json_array());
        add_rules(v, rules, policy, i == 0, pod);
    }
}

json_t *proxy_policies(const struct proxy_view *v)
{
    json_t *out = json_array();
    for (size_t i = 0; v->policies.len && i < v->pods.len; i++) {
        const json_t *pod = v->pods.trees[i];
        uint32_t ip;
        if (!pod_address(pod, &ip))
            continue;
        _auto_json_ json_t *isolated = json_pack("{s:s}", "ip", jstr_or(pod, "status.podIP", ""));
        for (size_t p = 0; p < v->policies.len; p++)
            if (str_eq(v->policies.items[p]->ns, v->pods.items[i]->ns) &&
                selected(jat(v->policies.trees[p], "spec.podSelector"), jat(pod, "metadata.labels")))
                add_policy(v, isolated, v->policies.items[p], pod);
        if (json_object_size(isolated) > 1)
            json_array_append(out, isolated);
    }
    return out;
}

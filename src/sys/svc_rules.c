/* svc_rules.c - services and policies as rules of the packet filter in the cluster's own network namespace.
 *
 *      from a pod or node ─► early: no pods behind it? refuse ─► to-pods: choose a pod ─► nobody: a service address
 *      that led nowhere is dropped ─► forward / input: may he send, may it come? ─► leave: whose address it gets
 *
 * DESIGN: the whole table is made anew and replaced in one batch, so no packet ever sees half of it; connections that
 * exist go on as they began. A service port is a key (address, protocol, port) of one map that leads to a chain of its
 * own, which picks a pod: by chance, or the one that the client had before where the service asks for affinity
 * (svc_sessions.c); of all, or of the caller's node's ("local"). What reaches a pod has its sender's address, unless
 * that is no pod's, or is the very pod itself, or the pod is on its node's network.
 *
 * A pod that a policy isolates has a chain a direction: a rule for what is allowed, and at its end all else is dropped.
 *     "policies": [{"ip": "10.244.0.5", "ingress": [{"peers": [[167772160, 184549375]],
 *                                                    "ports": [{"protocol": "TCP", "from": 80, "to": 80}]}]}]
 * No "ingress" or "egress": not isolated that way. No "peers" or no "ports": all of them.
 *
 * THREADS: none. Source of the behaviour: kube-proxy (pkg/proxy/nftables, pkg/proxy/iptables), NetworkPolicy's API. */
#include "sys/nft.h"
#include "sys/ops_int.h"
#include "sys/svc_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICES "services" /* with pods */
#define REFUSED  "refused"  /* without */
#define HAIRPINS "hairpins"

/* The bits of a connection's state as rules see them. */
#define CT_KNOWN (1U << 1 | 1U << 2) /* established, related */

struct names {
    char chain[24], map[24];
};

static struct names names_of(size_t i)
{
    struct names n;
    snprintf(n.chain, sizeof n.chain, "service-%zu", i);
    snprintf(n.map, sizeof n.map, "pods-%zu", i);
    return n;
}

/* ---- services ---- */

static void add_map(struct nft *n, const char *map, const struct svc_target *targets, size_t count)
{
    nft_set(n, map, 1, sizeof *targets / 4, false);
    nft_elems_begin(n, map);
    for (uint32_t i = 0; i < count; i++)
        nft_elem(n, &i, sizeof i, &targets[i], sizeof targets[i]);
    nft_elems_end(n);
}

/* Leads to one of the pods, by chance; seconds: and the client's next connections, too. */
static void add_choice(struct nft *n, const struct names *names, const struct svc_target *targets, size_t count,
                       int64_t seconds)
{
    nft_rule_begin(n, names->chain);
    if (count > 1) {
        nx_random(n, 0, (uint32_t)count);
        nx_lookup_value(n, 0, names->map, SESSION_TARGET);
    } else {
        nx_value(n, SESSION_TARGET, &targets->ip, sizeof targets->ip);
        nx_value(n, SESSION_TARGET + 1, &targets->port, sizeof targets->port);
    }
    if (seconds)
        session_begin(n, seconds);
    nx_dnat(n, SESSION_TARGET, SESSION_TARGET + 1);
    nft_rule_end(n);
}

/* A chain that leads to one of these pods. */
static void add_pods(struct nft *n, const struct names *names, const json_t *list, int64_t sticky)
{
    _auto_free_ struct svc_target *targets = NULL;
    const size_t count = svc_targets_read(list, &targets);
    nft_chain(n, names->chain, NULL);
    if (count > 1)
        add_map(n, names->map, targets, count);
    if (count && sticky) {
        session_known(n, names->chain, sticky);
        add_choice(n, names, targets, count, sticky); /* ends early if no more sessions can be kept */
    }
    if (count)
        add_choice(n, names, targets, count, 0);
}

static void from_range(struct nft *n, const char *chain, uint32_t low, int bits, const char *to)
{
    nft_rule_begin(n, chain);
    nx_saddr(n, 0);
    nx_mask(n, 0, htonl(UINT32_MAX << (32 - bits)));
    nx_cmp_u32(n, 0, NFT_CMP_EQ, htonl(low));
    nx_verdict(n, NFT_GOTO, to);
    nft_rule_end(n);
}

/* A node's pods for who calls from that node, or by it; nothing for the others: they hear nothing, not a refusal. */
static void add_local(struct nft *n, const struct names *names, const json_t *local, int64_t sticky)
{
    size_t i;
    const json_t *pair;
    json_array_foreach(local, i, pair)
    {
        struct names own;
        snprintf(own.chain, sizeof own.chain, "%.15s-%zu", names->chain, i);
        snprintf(own.map, sizeof own.map, "%.15s-%zu", names->map, i);
        add_pods(n, &own, json_array_get(pair, 1), sticky);
    }
    nft_chain(n, names->chain, NULL);
    json_array_foreach(local, i, pair)
    {
        const int node = (int)json_integer_value(json_array_get(pair, 0));
        char to[24];
        snprintf(to, sizeof to, "%.15s-%zu", names->chain, i);
        from_range(n, names->chain, NET_PODS(node), NET_PODS_PREFIX, to);
        from_range(n, names->chain, NET_NODE(node), 32, to);
    }
    nft_rule_begin(n, names->chain);
    nx_verdict(n, NF_DROP, NULL);
    nft_rule_end(n);
}

static void add_service(struct nft *n, const json_t *rule, size_t index)
{
    const struct names names = names_of(index);
    const int64_t sticky = jint(rule, "sticky", 0);
    if (!json_array_size(jat(rule, "targets")))
        return;
    if (jat(rule, "local"))
        add_local(n, &names, jat(rule, "local"), sticky);
    else
        add_pods(n, &names, jat(rule, "targets"), sticky);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct svc_key));
}

/* A pod that calls a service and gets itself: its answer must come back this way. */
static void add_hairpins(struct nft *n, const json_t *services)
{
    _auto_strlist_ struct strlist seen = {0};
    size_t i, j;
    const json_t *rule, *item;
    json_array_foreach(services, i, rule)
    {
        json_array_foreach(jat(rule, "targets"), j, item)
        {
            _auto_free_ char *ip = xstrdup(json_string_value(item) ? json_string_value(item) : "");
            ip[strcspn(ip, ":")] = '\0';
            strlist_add(&seen, ip);
        }
    }
    strlist_sort(&seen);
    nft_elems_begin(n, HAIRPINS);
    for (i = 0; i < seen.len; i++) {
        uint32_t pair[2];
        if ((i && str_eq(seen.items[i], seen.items[i - 1])) || inet_pton(AF_INET, seen.items[i], pair) != 1)
            continue;
        pair[1] = pair[0];
        nft_elem(n, pair, sizeof pair, NULL, 0);
    }
    nft_elems_end(n);
}

/* The two maps of service ports. Of two that claim one key the first has it. */
static void add_keys(struct nft *n, const json_t *services)
{
    struct entry {
        struct svc_key key;
        size_t index;
        bool pods;
    };
    const size_t max = json_array_size(services);
    _auto_free_ struct entry *all = xcalloc(max + 1, sizeof *all);
    size_t count = 0;
    for (size_t i = 0; i < max; i++) {
        const json_t *rule = json_array_get(services, i);
        _auto_free_ struct svc_target *targets = NULL;
        if (!svc_key_read(rule, &all[count].key))
            continue;
        all[count].index = i;
        all[count++].pods = svc_targets_read(jat(rule, "targets"), &targets) > 0;
    }
    qsort(all, count, sizeof *all, by_bytes);
    for (int pods = 0; pods < 2; pods++) {
        nft_elems_begin(n, pods ? SERVICES : REFUSED);
        for (size_t i = 0; i < count; i++) {
            const struct names names = names_of(all[i].index);
            if (all[i].pods != pods || (i && by_bytes(&all[i], &all[i - 1]) == 0))
                continue;
            if (pods)
                nft_elem_goto(n, &all[i].key, sizeof all[i].key, NFT_GOTO, names.chain);
            else
                nft_elem(n, &all[i].key, sizeof all[i].key, NULL, 0);
        }
        nft_elems_end(n);
    }
}

static void load_key(struct nft *n)
{
    nx_daddr(n, 0);
    nx_l4proto(n, 1);
    nx_dport(n, 2);
}

static void add_incoming(struct nft *n)
{
    static const struct nft_hook early = {"filter", NF_INET_PRE_ROUTING, -150};
    static const struct nft_hook to_pods = {"nat", NF_INET_PRE_ROUTING, -100};
    static const struct nft_hook nobody = {"filter", NF_INET_PRE_ROUTING, -50};
    nft_chain(n, "early", &early);
    nft_rule_begin(n, "early");
    load_key(n);
    nx_lookup(n, 0, REFUSED, false);
    nx_reject(n);
    nft_rule_end(n);
    nft_chain(n, "to-pods", &to_pods);
    nft_rule_begin(n, "to-pods");
    load_key(n);
    nx_lookup_verdict(n, 0, SERVICES);
    nft_rule_end(n);
    nft_chain(n, "nobody", &nobody);
    nft_rule_begin(n, "nobody");
    nx_daddr(n, 0);
    nx_mask(n, 0, htonl(NET_SERVICES_MASK));
    nx_cmp_u32(n, 0, NFT_CMP_EQ, htonl(NET_SERVICES));
    nx_daddr_type(n, 1);
    nx_cmp_u32(n, 1, NFT_CMP_NEQ, RTN_LOCAL);
    nx_verdict(n, NF_DROP, NULL);
    nft_rule_end(n);
}

static void add_leaving(struct nft *n)
{
    static const struct nft_hook leave = {"nat", NF_INET_POST_ROUTING, 100};
    nft_chain(n, "leave", &leave);
    nft_rule_begin(n, "leave");
    nx_led(n);
    nx_saddr(n, 1);
    nx_mask(n, 1, htonl(UINT32_MAX << (32 - NET_ALL_PODS_PREFIX)));
    nx_cmp_u32(n, 1, NFT_CMP_NEQ, htonl(NET_ALL_PODS));
    nx_masquerade(n);
    nft_rule_end(n);
    /* A node answers its own pods without us. */
    nft_rule_begin(n, "leave");
    nx_led(n);
    nx_daddr(n, 1);
    nx_mask(n, 1, htonl(UINT32_MAX << (32 - NET_NODE_PREFIX)));
    nx_cmp_u32(n, 1, NFT_CMP_EQ, htonl(NET_GATEWAY & UINT32_MAX << (32 - NET_NODE_PREFIX)));
    nx_masquerade(n);
    nft_rule_end(n);
    nft_rule_begin(n, "leave");
    nx_led(n);
    nx_saddr(n, 1);
    nx_daddr(n, 2);
    nx_lookup(n, 1, HAIRPINS, false);
    nx_masquerade(n);
    nft_rule_end(n);
}

/* ---- policies ---- */

static const struct direction {
    const char *member, *map;
    char letter;
} directions[] = {{"egress", "senders", 'e'}, {"ingress", "receivers", 'i'}};

static void add_ranges(struct nft *n, const char *set, const json_t *peers)
{
    size_t i;
    const json_t *range;
    nft_set(n, set, 1, 0, true);
    nft_elems_begin(n, set);
    json_array_foreach(peers, i, range)
    {
        const uint64_t low = (uint64_t)json_integer_value(json_array_get(range, 0));
        const uint64_t high = (uint64_t)json_integer_value(json_array_get(range, 1));
        const uint32_t first = htonl((uint32_t)low), after = htonl((uint32_t)(high + 1));
        nft_elem(n, &first, sizeof first, NULL, 0);
        if (high < UINT32_MAX)
            nft_elem_end(n, &after, sizeof after);
    }
    nft_elems_end(n);
}

static void add_allowance(struct nft *n, const char *chain, bool ingress, const char *set, const json_t *port)
{
    nft_rule_begin(n, chain);
    if (set) {
        (ingress ? nx_saddr : nx_daddr)(n, 0);
        nx_lookup(n, 0, set, false);
    }
    if (port) {
        nx_l4proto(n, 0);
        nx_cmp_u8(n, 0, NFT_CMP_EQ, (uint8_t)svc_protocol(port));
    }
    const int64_t from = jint(port, "from", 0), to = jint(port, "to", from);
    if (from) {
        nx_dport(n, 0);
        nx_cmp_u16(n, 0, NFT_CMP_GTE, (uint16_t)from);
        nx_cmp_u16(n, 0, NFT_CMP_LTE, (uint16_t)to);
    }
    nx_verdict(n, NFT_RETURN, NULL);
    nft_rule_end(n);
}

static void add_isolation(struct nft *n, const char *chain, const struct direction *d, const json_t *rules)
{
    const bool ingress = d->letter == 'i';
    size_t i, j;
    const json_t *rule, *port;
    nft_chain(n, chain, NULL);
    json_array_foreach(rules, i, rule)
    {
        char set[48];
        const json_t *peers = jat(rule, "peers"), *ports = jat(rule, "ports");
        if (json_is_array(peers) && !json_array_size(peers))
            continue; /* nobody is meant now */
        snprintf(set, sizeof set, "%s-%zu", chain, i);
        if (peers)
            add_ranges(n, set, peers);
        if (!ports)
            add_allowance(n, chain, ingress, peers ? set : NULL, NULL);
        json_array_foreach(ports, j, port) add_allowance(n, chain, ingress, peers ? set : NULL, port);
    }
    nft_rule_begin(n, chain);
    nx_verdict(n, NF_DROP, NULL);
    nft_rule_end(n);
}

static void add_direction(struct nft *n, const json_t *policies, const struct direction *d)
{
    size_t i;
    const json_t *pod;
    char chain[24];
    json_array_foreach(policies, i, pod)
    {
        snprintf(chain, sizeof chain, "%c%zu", d->letter, i);
        if (jat(pod, d->member))
            add_isolation(n, chain, d, jat(pod, d->member));
    }
    nft_set(n, d->map, 1, NFT_VERDICTS, false);
    nft_elems_begin(n, d->map);
    json_array_foreach(policies, i, pod)
    {
        struct in_addr ip;
        snprintf(chain, sizeof chain, "%c%zu", d->letter, i);
        if (jat(pod, d->member) && inet_pton(AF_INET, jstr_or(pod, "ip", ""), &ip) == 1)
            nft_elem_goto(n, &ip, sizeof ip, NFT_JUMP, chain);
    }
    nft_elems_end(n);
}

static void add_guard(struct nft *n, const char *name, uint32_t hook, bool senders, bool receivers)
{
    const struct nft_hook at = {"filter", hook, 0};
    nft_chain(n, name, &at);
    nft_rule_begin(n, name);
    nx_ct(n, NFT_CT_STATE, 0);
    nx_mask(n, 0, CT_KNOWN);
    nx_cmp_u32(n, 0, NFT_CMP_NEQ, 0);
    nx_verdict(n, NF_ACCEPT, NULL);
    nft_rule_end(n);
    for (int i = 0; i < 2; i++) {
        if (!(i ? receivers : senders))
            continue;
        nft_rule_begin(n, name);
        (i ? nx_daddr : nx_saddr)(n, 0);
        nx_lookup_verdict(n, 0, directions[i].map);
        nft_rule_end(n);
    }
}

static void add_policies(struct nft *n, const json_t *policies)
{
    if (!json_array_size(policies))
        return;
    for (size_t i = 0; i < ARRAY_LEN(directions); i++)
        add_direction(n, policies, &directions[i]);
    add_guard(n, "forward", NF_INET_FORWARD, true, true);
    add_guard(n, "input", NF_INET_LOCAL_IN, true, false);   /* to the DNS and the API server */
    add_guard(n, "output", NF_INET_LOCAL_OUT, false, true); /* from outside the cluster, through us */
}

int rules_apply(const json_t *table, uint64_t aged, struct err *e)
{
    const json_t *services = jat(table, "services"), *rule;
    struct nft n;
    size_t i;
    nft_begin(&n);
    sessions_add(&n, services, aged);
    json_array_foreach(services, i, rule)
    {
        if (!jbool(rule, "host", false))
            add_service(&n, rule, i);
    }
    nft_set(&n, SERVICES, sizeof(struct svc_key) / 4, NFT_VERDICTS, false);
    nft_set(&n, REFUSED, sizeof(struct svc_key) / 4, 0, false);
    nft_set(&n, HAIRPINS, 2, 0, false);
    add_keys(&n, services);
    add_hairpins(&n, services);
    add_incoming(&n);
    add_leaving(&n);
    add_policies(&n, jat(table, "policies"));
    const int result = nft_commit(&n, e);
    nft_release(&n);
    return result;
}

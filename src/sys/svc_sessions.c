/* svc_sessions.c - which pod a client was given, where a service asks for affinity ("sticky": seconds).
 *
 *      new connection ─► has he a pod? then that one ─► else one by chance, and it is his from now on
 *
 * DESIGN: one memory of the packet filter, client and service port -> pod, whose elements the kernel adds and forgets:
 * each new connection gives an element its whole time again. The table is replaced as a whole (svc_rules.c), so the
 * memory is read before and goes into the new one with the time that is left, unless its service, its affinity or its
 * pod is gone; a connection that is made between the two has no affinity. The memory is bounded: a client who finds it
 * full gets a pod by chance.
 *
 * The cluster's clock may be moved, the kernel's is not: "aged" is taken off what is left.
 *
 * THREADS: none. Source: kube-proxy (pkg/proxy/nftables: affinity sets); its sets are one a pod, which has the same
 * effect. */
#include "sys/nft.h"
#include "sys/ops_int.h"
#include "sys/svc_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS     "sessions"
#define SESSIONS_MAX 65536
#define MS           1000

struct session_key {
    uint32_t client;
    struct svc_key service;
};

/* ---- reading rules ---- */

bool svc_key_read(const json_t *rule, struct svc_key *out)
{
    struct in_addr ip;
    const int64_t port = jint(rule, "port", 0);
    if (jbool(rule, "host", false) || inet_pton(AF_INET, jstr_or(rule, "ip", ""), &ip) != 1 || port < 1 || port > 65535)
        return false;
    *out = (struct svc_key){.ip = ip.s_addr, .protocol = (uint8_t)svc_protocol(rule), .port = htons((uint16_t)port)};
    return true;
}

size_t svc_targets_read(const json_t *list, struct svc_target **out)
{
    const json_t *item;
    struct sockaddr_in at;
    size_t n = 0, i;
    *out = xcalloc(json_array_size(list) + 1, sizeof **out);
    json_array_foreach(list, i, item)
    {
        if (svc_target_parse(json_string_value(item), &at))
            (*out)[n++] = (struct svc_target){.ip = at.sin_addr.s_addr, .port = at.sin_port};
    }
    return n;
}

/* ---- what still holds ---- */

struct sticky {
    struct svc_key key;
    const json_t *rule; /* borrowed */
};
struct keeper {
    struct nft *n;
    struct sticky *all; /* sorted by key */
    size_t count;
    uint64_t aged;
};

static int by_key(const void *a, const void *b)
{
    return memcmp(&((const struct sticky *)a)->key, &((const struct sticky *)b)->key, sizeof(struct svc_key));
}

/* The pods that this client may be led to. Borrows. */
static const json_t *pods_for(const json_t *rule, uint32_t client)
{
    const json_t *local = jat(rule, "local"), *pair;
    size_t i;
    if (!local)
        return jat(rule, "targets");
    json_array_foreach(local, i, pair)
    {
        const int node = (int)json_integer_value(json_array_get(pair, 0));
        if ((client & UINT32_MAX << (32 - NET_PODS_PREFIX)) == NET_PODS(node) || client == NET_NODE(node))
            return json_array_get(pair, 1);
    }
    return NULL;
}

static bool leads_to(const json_t *list, const struct svc_target *target)
{
    _auto_free_ struct svc_target *targets = NULL;
    const size_t count = svc_targets_read(list, &targets);
    for (size_t i = 0; i < count; i++)
        if (memcmp(&targets[i], target, sizeof *target) == 0)
            return true;
    return false;
}

static void keep(void *arg, const void *key, size_t len, const void *value, size_t value_len, uint64_t left)
{
    const struct keeper *k = arg;
    struct session_key session;
    struct svc_target target;
    if (len != sizeof session || value_len != sizeof target || left <= k->aged)
        return;
    memcpy(&session, key, sizeof session);
    memcpy(&target, value, sizeof target);
    const struct sticky wanted = {.key = session.service};
    const struct sticky *found = bsearch(&wanted, k->all, k->count, sizeof *k->all, by_key);
    if (!found || !leads_to(pods_for(found->rule, ntohl(session.client)), &target))
        return;
    const uint64_t whole = (uint64_t)jint(found->rule, "sticky", 0) * MS, rest = left - k->aged;
    nft_elem_timed(k->n, &session, sizeof session, &target, sizeof target, whole, rest < whole ? rest : whole);
}

void sessions_add(struct nft *n, const json_t *services, uint64_t aged)
{
    struct err lost = ERR_INIT; /* then everybody is a new client */
    _auto_free_ struct sticky *all = xcalloc(json_array_size(services) + 1, sizeof *all);
    struct keeper k = {.n = n, .all = all, .aged = aged};
    size_t i;
    const json_t *rule;
    json_array_foreach(services, i, rule)
    {
        all[k.count].rule = rule;
        k.count += jint(rule, "sticky", 0) > 0 && svc_key_read(rule, &all[k.count].key);
    }
    if (!k.count)
        return;
    qsort(all, k.count, sizeof *all, by_key);
    nft_memory(n, SESSIONS, sizeof(struct session_key) / 4, sizeof(struct svc_target) / 4, SESSIONS_MAX);
    nft_elems_begin(n, SESSIONS);
    nft_recall(SESSIONS, keep, &k, &lost);
    nft_elems_end(n);
}

/* ---- rules ---- */

static void load_session(struct nft *n)
{
    nx_saddr(n, 0);
    nx_daddr(n, 1);
    nx_l4proto(n, 2);
    nx_dport(n, 3);
}

void session_begin(struct nft *n, int64_t seconds)
{
    load_session(n);
    nx_update(n, 0, SESSION_TARGET, SESSIONS, (uint64_t)seconds * MS);
}

void session_known(struct nft *n, const char *chain, int64_t seconds)
{
    nft_rule_begin(n, chain);
    load_session(n);
    nx_lookup_value(n, 0, SESSIONS, SESSION_TARGET);
    nx_update(n, 0, SESSION_TARGET, SESSIONS, (uint64_t)seconds * MS);
    nx_dnat(n, SESSION_TARGET, SESSION_TARGET + 1);
    nft_rule_end(n);
}

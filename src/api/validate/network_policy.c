/* network_policy.c - who may talk to whom: selectors, ports and ranges of addresses of a NetworkPolicy.
 *
 * THREADS: pure functions. Source: pkg/apis/networking/validation. */
#include "api/validate/kinds_int.h"

#include <arpa/inet.h>

#define SPEC FIELD(NULL, "spec")

static void port_check(const struct change *c, const struct vpath *p, const json_t *entry)
{
    const json_t *port = vget(entry, "port");
    const struct vpath *port_at = FIELD(p, "port"), *end_at = FIELD(p, "endPort");
    const int64_t end = vint(entry, "endPort");
    const bool ranged = vhas(entry, "endPort");
    if (vhas(entry, "protocol"))
        v_protocol(c->errs, FIELD(p, "protocol"), vstr(entry, "protocol"));
    if (port != NULL)
        v_port_or_name(c->errs, port_at, port);
    if (!ranged)
        return;
    if (port == NULL)
        v_invalid_int(c->errs, end_at, end, "may not be specified when `port` is not specified");
    else if (json_is_string(port))
        v_invalid_int(c->errs, end_at, end, "may not be specified when `port` is non-numeric");
    else if (end < json_integer_value(port))
        v_invalid_int(c->errs, end_at, end, "must be greater than or equal to `port`");
    else
        v_port(c->errs, end_at, end);
}

/* -- ranges of addresses -- */

struct range {
    uint32_t base;
    uint64_t bits;
};

/* IPv4 only: what a cluster of one family enforces. */
static bool range_parse(const char *cidr, struct range *out)
{
    const char *slash = strchr(cidr, '/');
    struct in_addr a;
    char ip[INET_ADDRSTRLEN];
    if (slash == NULL || (size_t)(slash - cidr) >= sizeof ip || !str_to_u64(slash + 1, &out->bits) || out->bits > 32)
        return false;
    memcpy(ip, cidr, (size_t)(slash - cidr));
    ip[slash - cidr] = '\0';
    if (inet_pton(AF_INET, ip, &a) != 1)
        return false;
    out->base = ntohl(a.s_addr);
    return true;
}

static bool strictly_inside(const char *part, const char *whole)
{
    struct range a, b;
    if (!range_parse(part, &a) || !range_parse(whole, &b))
        return true; /* of the other family, or malformed, which is told elsewhere */
    const uint32_t mask = b.bits == 0 ? 0 : UINT32_MAX << (32 - b.bits);
    return a.bits > b.bits && (a.base & mask) == (b.base & mask);
}

static void block_check(const struct change *c, const struct vpath *p, const json_t *block)
{
    const char *cidr = vstr(block, "cidr");
    const json_t *except = vget(block, "except");
    const struct vpath *except_at = FIELD(p, "except");
    const size_t faults = c->errs->len;
    if (cidr[0] == '\0') {
        v_required(c->errs, FIELD(p, "cidr"), NULL);
        return;
    }
    v_cidr(c->errs, FIELD(p, "cidr"), cidr);
    for (size_t i = 0; i < json_array_size(except); i++) {
        v_cidr(c->errs, ITEM(except_at, i), vitem(except, i));
        if (c->errs->len == faults && !strictly_inside(vitem(except, i), cidr))
            v_invalid(c->errs, ITEM(except_at, i), vitem(except, i), "must be a strict subset of `cidr`");
    }
}

/* -- rules -- */

static void peer_check(const struct change *c, const struct vpath *p, const json_t *peer)
{
    static const char *const selectors[] = {"podSelector", "namespaceSelector"};
    const json_t *block = vget(peer, "ipBlock");
    size_t kinds = block != NULL;
    for (size_t i = 0; i < ARRAY_LEN(selectors); i++) {
        kinds += vhas(peer, selectors[i]);
        v_label_selector(c->errs, FIELD(p, selectors[i]), vget(peer, selectors[i]));
    }
    if (block != NULL)
        block_check(c, FIELD(p, "ipBlock"), block);
    if (kinds == 0)
        v_required(c->errs, p, "must specify a peer");
    else if (kinds > 1 && block != NULL)
        v_forbidden(c->errs, p, "may not specify both ipBlock and another peer");
}

static void rules_check(const struct change *c, const char *direction, const char *peers)
{
    const struct vpath *rules_at = FIELD(SPEC, direction);
    size_t i, j;
    json_t *rule, *item;
    json_array_foreach(vget(vget(c->obj, "spec"), direction), i, rule)
    {
        const struct vpath *ports_at = FIELD(ITEM(rules_at, i), "ports"), *peers_at = FIELD(ITEM(rules_at, i), peers);
        json_array_foreach(vget(rule, "ports"), j, item) port_check(c, ITEM(ports_at, j), item);
        json_array_foreach(vget(rule, peers), j, item) peer_check(c, ITEM(peers_at, j), item);
    }
}

static void spec_check(const struct change *c)
{
    static const char *const directions[] = {"Ingress", "Egress", NULL};
    const json_t *spec = vget(c->obj, "spec"), *types = vget(spec, "policyTypes");
    const struct vpath *types_at = FIELD(SPEC, "policyTypes");
    v_label_selector(c->errs, FIELD(SPEC, "podSelector"), vget(spec, "podSelector"));
    rules_check(c, "ingress", "from");
    rules_check(c, "egress", "to");
    if (json_array_size(types) > 2) {
        v_invalid_go(c->errs, types_at, go_list_text("networking.PolicyType", types),
                     "may not specify more than two policyTypes");
        return;
    }
    for (size_t i = 0; i < json_array_size(types); i++)
        if (!one_of(vitem(types, i), directions))
            v_unsupported(c->errs, ITEM(types_at, i), vitem(types, i), directions);
}

void network_policy_create(const struct change *c)
{
    change_meta_create(c);
    spec_check(c);
}

void network_policy_update(const struct change *c)
{
    change_meta_update(c);
    spec_check(c);
}

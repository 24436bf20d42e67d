/* nft.c - see nft.h. Netlink messages are built in one buffer: a length is patched when what it counts is complete.
 *
 * The kernel takes a batch as a whole: it answers with an error for each message it refuses, and with nothing if it
 * took them all. THREADS: none shared. Source: the kernel's nf_tables.h. */
#include "sys/nft.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- messages and attributes ---- */

static void pad(struct nft *n)
{
    static const char zeros[4] = {0};
    buf_add(&n->b, zeros, (4 - n->b.len % 4) % 4);
}

static size_t message_begin(struct nft *n, uint16_t type, uint16_t flags, uint16_t resource)
{
    const size_t at = n->b.len;
    const struct nlmsghdr head = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = ++n->seq};
    const struct nfgenmsg family = {.nfgen_family = NFPROTO_IPV4, .res_id = htons(resource)};
    buf_add(&n->b, &head, sizeof head);
    buf_add(&n->b, &family, sizeof family);
    return at;
}

static void message_end(struct nft *n, size_t at)
{
    const uint32_t len = (uint32_t)(n->b.len - at);
    memcpy(n->b.data + at, &len, sizeof len);
}

static size_t request_begin(struct nft *n, uint16_t type, uint16_t flags)
{
    return message_begin(n, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, 0);
}

static void attr(struct nft *n, uint16_t type, const void *data, size_t len)
{
    const struct nlattr head = {.nla_len = (uint16_t)(sizeof head + len), .nla_type = type};
    buf_add(&n->b, &head, sizeof head);
    buf_add(&n->b, data, len);
    pad(n);
}

static void attr_text(struct nft *n, uint16_t type, const char *s)
{
    attr(n, type, s, strlen(s) + 1);
}

static void attr_u32(struct nft *n, uint16_t type, uint32_t v)
{
    const uint32_t big = htonl(v);
    attr(n, type, &big, sizeof big);
}

static void attr_u64(struct nft *n, uint16_t type, uint64_t v)
{
    const uint64_t big = htobe64(v);
    attr(n, type, &big, sizeof big);
}

static size_t nest_begin(struct nft *n, uint16_t type)
{
    const size_t at = n->b.len;
    const struct nlattr head = {.nla_type = (uint16_t)(type | NLA_F_NESTED)};
    buf_add(&n->b, &head, sizeof head);
    return at;
}

static void nest_end(struct nft *n, size_t at)
{
    const uint16_t len = (uint16_t)(n->b.len - at);
    memcpy(n->b.data + at, &len, sizeof len);
}

static void attr_value(struct nft *n, uint16_t type, const void *data, size_t len)
{
    const size_t at = nest_begin(n, type);
    attr(n, NFTA_DATA_VALUE, data, len);
    nest_end(n, at);
}

static void attr_verdict(struct nft *n, uint16_t type, int32_t code, const char *chain)
{
    const size_t at = nest_begin(n, type), inner = nest_begin(n, NFTA_DATA_VERDICT);
    attr_u32(n, NFTA_VERDICT_CODE, (uint32_t)code);
    if (chain)
        attr_text(n, NFTA_VERDICT_CHAIN, chain);
    nest_end(n, inner);
    nest_end(n, at);
}

/* ---- the batch ---- */

static void table_request(struct nft *n, uint16_t type, uint16_t flags)
{
    const size_t at = request_begin(n, type, flags);
    attr_text(n, NFTA_TABLE_NAME, NFT_TABLE);
    message_end(n, at);
}

void nft_begin_delete(struct nft *n)
{
    *n = (struct nft){.b = BUF_INIT};
    message_end(n, message_begin(n, NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES));
    table_request(n, NFT_MSG_NEWTABLE, NLM_F_CREATE); /* so that there is one to delete */
    table_request(n, NFT_MSG_DELTABLE, 0);
}

void nft_begin(struct nft *n)
{
    nft_begin_delete(n);
    table_request(n, NFT_MSG_NEWTABLE, NLM_F_CREATE);
}

void nft_release(struct nft *n)
{
    buf_release(&n->b);
}

/* The first refusal the kernel told, as a negative errno, or 0. */
static int read_answers(int fd)
{
    union {
        struct nlmsghdr head;
        char space[8192];
    } in;
    for (;;) {
        const ssize_t got = recv(fd, &in, sizeof in, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0; /* nothing more to tell */
        for (size_t at = 0; at + sizeof(struct nlmsghdr) <= (size_t)got;) {
            const struct nlmsghdr *m = (const struct nlmsghdr *)(const void *)(in.space + at);
            const struct nlmsgerr *answer = NLMSG_DATA(m);
            if (m->nlmsg_type == NLMSG_ERROR && answer->error)
                return answer->error;
            at += NLMSG_ALIGN(m->nlmsg_len < sizeof *m ? (uint32_t)sizeof *m : m->nlmsg_len);
        }
    }
}

int nft_commit(struct nft *n, struct err *e)
{
    message_end(n, message_begin(n, NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES));
    _auto_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    const int room = (int)(n->b.len * 2 + 65536);
    if (fd < 0)
        return err_set(e, ERR_UNSUPPORTED, "this kernel has no netfilter");
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    const int code = send(fd, n->b.data, n->b.len, 0) < 0 ? -errno : read_answers(fd);
    if (code == 0)
        return 0;
    err_sys(e, -code, "nf_tables");
    e->code = ERR_UNSUPPORTED;
    return -1;
}

void nft_recall_request(struct nft *n, const char *name)
{
    *n = (struct nft){.b = BUF_INIT};
    const size_t at = request_begin(n, NFT_MSG_GETSETELEM, NLM_F_DUMP);
    attr_text(n, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
    attr_text(n, NFTA_SET_ELEM_LIST_SET, name);
    message_end(n, at);
}

void nft_chain(struct nft *n, const char *name, const struct nft_hook *hook)
{
    const size_t at = request_begin(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    attr_text(n, NFTA_CHAIN_TABLE, NFT_TABLE);
    attr_text(n, NFTA_CHAIN_NAME, name);
    if (hook) {
        const size_t inner = nest_begin(n, NFTA_CHAIN_HOOK);
        attr_u32(n, NFTA_HOOK_HOOKNUM, hook->hook);
        attr_u32(n, NFTA_HOOK_PRIORITY, (uint32_t)hook->priority);
        nest_end(n, inner);
        attr_text(n, NFTA_CHAIN_TYPE, hook->type);
    }
    message_end(n, at);
}

void nft_rule_begin(struct nft *n, const char *chain)
{
    n->rule = request_begin(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    attr_text(n, NFTA_RULE_TABLE, NFT_TABLE);
    attr_text(n, NFTA_RULE_CHAIN, chain);
    n->expressions = nest_begin(n, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nft *n)
{
    nest_end(n, n->expressions);
    message_end(n, n->rule);
}

/* ---- sets ---- */

static size_t set_begin(struct nft *n, const char *name, uint32_t flags, int words, int data_words)
{
    const size_t at = request_begin(n, NFT_MSG_NEWSET, NLM_F_CREATE);
    attr_text(n, NFTA_SET_TABLE, NFT_TABLE);
    attr_text(n, NFTA_SET_NAME, name);
    attr_u32(n, NFTA_SET_FLAGS, flags | (data_words ? NFT_SET_MAP : 0U));
    attr_u32(n, NFTA_SET_KEY_TYPE, 0);
    attr_u32(n, NFTA_SET_KEY_LEN, (uint32_t)words * 4);
    if (data_words == NFT_VERDICTS) {
        attr_u32(n, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
    } else if (data_words) {
        attr_u32(n, NFTA_SET_DATA_TYPE, 0);
        attr_u32(n, NFTA_SET_DATA_LEN, (uint32_t)data_words * 4);
    }
    attr_u32(n, NFTA_SET_ID, ++n->sets);
    return at;
}

void nft_set(struct nft *n, const char *name, int words, int data_words, bool ranges)
{
    message_end(n, set_begin(n, name, ranges ? NFT_SET_INTERVAL : 0U, words, data_words));
}

void nft_memory(struct nft *n, const char *name, int words, int data_words, uint32_t max)
{
    const size_t at = set_begin(n, name, NFT_SET_TIMEOUT | NFT_SET_EVAL, words, data_words);
    const size_t inner = nest_begin(n, NFTA_SET_DESC);
    attr_u32(n, NFTA_SET_DESC_SIZE, max);
    nest_end(n, inner);
    message_end(n, at);
}

/* A list of elements has a length of 16 bits, so a long one is cut into several messages. */
#define ELEMENTS_MAX 40000

static void elems_open(struct nft *n, const char *set)
{
    n->elem_msg = request_begin(n, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
    attr_text(n, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
    attr_text(n, NFTA_SET_ELEM_LIST_SET, set);
    n->elements = nest_begin(n, NFTA_SET_ELEM_LIST_ELEMENTS);
}

void nft_elems_begin(struct nft *n, const char *set)
{
    elems_open(n, set);
}

static size_t elem_begin(struct nft *n, const void *key, size_t len)
{
    if (n->b.len - n->elements > ELEMENTS_MAX) {
        const struct nlattr *name =
            (const struct nlattr *)(const void *)(n->b.data + n->elem_msg + NLMSG_HDRLEN + sizeof(struct nfgenmsg) +
                                                  NLA_ALIGN(NLA_HDRLEN + sizeof NFT_TABLE));
        _auto_free_ char *set = xstrdup((const char *)name + NLA_HDRLEN);
        nft_elems_end(n);
        elems_open(n, set);
    }
    const size_t at = nest_begin(n, NFTA_LIST_ELEM);
    attr_value(n, NFTA_SET_ELEM_KEY, key, len);
    return at;
}

void nft_elem(struct nft *n, const void *key, size_t len, const void *value, size_t value_len)
{
    const size_t at = elem_begin(n, key, len);
    if (value)
        attr_value(n, NFTA_SET_ELEM_DATA, value, value_len);
    nest_end(n, at);
}

void nft_elem_timed(struct nft *n, const void *key, size_t len, const void *value, size_t value_len, uint64_t timeout,
                    uint64_t left)
{
    const size_t at = elem_begin(n, key, len);
    attr_value(n, NFTA_SET_ELEM_DATA, value, value_len);
    attr_u64(n, NFTA_SET_ELEM_TIMEOUT, timeout);
    attr_u64(n, NFTA_SET_ELEM_EXPIRATION, left);
    nest_end(n, at);
}

void nft_elem_goto(struct nft *n, const void *key, size_t len, int32_t verdict, const char *chain)
{
    const size_t at = elem_begin(n, key, len);
    attr_verdict(n, NFTA_SET_ELEM_DATA, verdict, chain);
    nest_end(n, at);
}

void nft_elem_end(struct nft *n, const void *key, size_t len)
{
    const size_t at = elem_begin(n, key, len);
    attr_u32(n, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    nest_end(n, at);
}

void nft_elems_end(struct nft *n)
{
    nest_end(n, n->elements);
    message_end(n, n->elem_msg);
}

/* ---- expressions ---- */

struct expression {
    size_t elem, data;
};

static struct expression expression_begin(struct nft *n, const char *name)
{
    struct expression x = {.elem = nest_begin(n, NFTA_LIST_ELEM)};
    attr_text(n, NFTA_EXPR_NAME, name);
    x.data = nest_begin(n, NFTA_EXPR_DATA);
    return x;
}

static void expression_end(struct nft *n, struct expression x)
{
    nest_end(n, x.data);
    nest_end(n, x.elem);
}

static void attr_register(struct nft *n, uint16_t type, unsigned reg)
{
    attr_u32(n, type, NFT_REG32_00 + reg);
}

/* An expression that is numbers only. */
struct word {
    uint16_t type;
    uint32_t value;
};
#define REG(reg) (NFT_REG32_00 + (reg))
#define WORDS(n, name, ...)                                                                                            \
    expression_words(n, name, (const struct word[]){__VA_ARGS__},                                                      \
                     sizeof((const struct word[]){__VA_ARGS__}) / sizeof(struct word))

static void expression_words(struct nft *n, const char *name, const struct word *words, size_t count)
{
    const struct expression x = expression_begin(n, name);
    for (size_t i = 0; i < count; i++)
        attr_u32(n, words[i].type, words[i].value);
    expression_end(n, x);
}

static void payload(struct nft *n, uint32_t base, uint32_t offset, uint32_t len, unsigned reg)
{
    WORDS(n, "payload", {NFTA_PAYLOAD_DREG, REG(reg)}, {NFTA_PAYLOAD_BASE, base}, {NFTA_PAYLOAD_OFFSET, offset},
          {NFTA_PAYLOAD_LEN, len});
}

void nx_saddr(struct nft *n, unsigned reg)
{
    payload(n, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, reg);
}

void nx_daddr(struct nft *n, unsigned reg)
{
    payload(n, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, reg);
}

void nx_dport(struct nft *n, unsigned reg)
{
    payload(n, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg);
}

void nx_l4proto(struct nft *n, unsigned reg)
{
    WORDS(n, "meta", {NFTA_META_KEY, NFT_META_L4PROTO}, {NFTA_META_DREG, REG(reg)});
}

void nx_ct(struct nft *n, uint32_t key, unsigned reg)
{
    const struct expression x = expression_begin(n, "ct");
    attr_u32(n, NFTA_CT_KEY, key);
    attr_register(n, NFTA_CT_DREG, reg);
    expression_end(n, x);
}

void nx_led(struct nft *n)
{
    nx_ct(n, NFT_CT_STATUS, 0);
    nx_mask(n, 0, IPS_DST_NAT);
    nx_cmp_u32(n, 0, NFT_CMP_NEQ, 0);
}

void nx_daddr_type(struct nft *n, unsigned reg)
{
    WORDS(n, "fib", {NFTA_FIB_DREG, REG(reg)}, {NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE},
          {NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR});
}

void nx_mask(struct nft *n, unsigned reg, uint32_t mask)
{
    const uint32_t zero = 0;
    const struct expression x = expression_begin(n, "bitwise");
    attr_register(n, NFTA_BITWISE_SREG, reg);
    attr_register(n, NFTA_BITWISE_DREG, reg);
    attr_u32(n, NFTA_BITWISE_LEN, sizeof mask);
    attr_value(n, NFTA_BITWISE_MASK, &mask, sizeof mask);
    attr_value(n, NFTA_BITWISE_XOR, &zero, sizeof zero);
    expression_end(n, x);
}

void nx_cmp(struct nft *n, unsigned reg, uint32_t op, const void *data, size_t len)
{
    const struct expression x = expression_begin(n, "cmp");
    attr_register(n, NFTA_CMP_SREG, reg);
    attr_u32(n, NFTA_CMP_OP, op);
    attr_value(n, NFTA_CMP_DATA, data, len);
    expression_end(n, x);
}

void nx_cmp_u32(struct nft *n, unsigned reg, uint32_t op, uint32_t value)
{
    nx_cmp(n, reg, op, &value, sizeof value);
}

void nx_cmp_u8(struct nft *n, unsigned reg, uint32_t op, uint8_t value)
{
    nx_cmp(n, reg, op, &value, sizeof value);
}

void nx_cmp_u16(struct nft *n, unsigned reg, uint32_t op, uint16_t value)
{
    const uint16_t big = htons(value);
    nx_cmp(n, reg, op, &big, sizeof big);
}

void nx_random(struct nft *n, unsigned reg, uint32_t modulus)
{
    WORDS(n, "numgen", {NFTA_NG_DREG, REG(reg)}, {NFTA_NG_MODULUS, modulus}, {NFTA_NG_TYPE, NFT_NG_RANDOM});
}

/* to: NFTA_LOOKUP_DREG's register number as the kernel counts, or UINT32_MAX for none. */
static void lookup(struct nft *n, unsigned reg, const char *set, uint32_t to, bool inverse)
{
    const struct expression x = expression_begin(n, "lookup");
    attr_text(n, NFTA_LOOKUP_SET, set);
    attr_register(n, NFTA_LOOKUP_SREG, reg);
    if (to != UINT32_MAX)
        attr_u32(n, NFTA_LOOKUP_DREG, to);
    if (inverse)
        attr_u32(n, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    expression_end(n, x);
}

void nx_lookup(struct nft *n, unsigned reg, const char *set, bool inverse)
{
    lookup(n, reg, set, UINT32_MAX, inverse);
}

void nx_lookup_value(struct nft *n, unsigned reg, const char *map, unsigned to)
{
    lookup(n, reg, map, NFT_REG32_00 + to, false);
}

void nx_lookup_verdict(struct nft *n, unsigned reg, const char *map)
{
    lookup(n, reg, map, NFT_REG_VERDICT, false);
}

void nx_update(struct nft *n, unsigned reg, unsigned value, const char *memory, uint64_t timeout_ms)
{
    const struct expression x = expression_begin(n, "dynset");
    attr_text(n, NFTA_DYNSET_SET_NAME, memory);
    attr_u32(n, NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
    attr_register(n, NFTA_DYNSET_SREG_KEY, reg);
    attr_register(n, NFTA_DYNSET_SREG_DATA, value);
    attr_u64(n, NFTA_DYNSET_TIMEOUT, timeout_ms);
    expression_end(n, x);
}

void nx_value(struct nft *n, unsigned reg, const void *data, size_t len)
{
    const struct expression x = expression_begin(n, "immediate");
    attr_register(n, NFTA_IMMEDIATE_DREG, reg);
    attr_value(n, NFTA_IMMEDIATE_DATA, data, len);
    expression_end(n, x);
}

void nx_verdict(struct nft *n, int32_t verdict, const char *chain)
{
    const struct expression x = expression_begin(n, "immediate");
    attr_u32(n, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    attr_verdict(n, NFTA_IMMEDIATE_DATA, verdict, chain);
    expression_end(n, x);
}

void nx_dnat(struct nft *n, unsigned addr, int port)
{
    const struct expression x = expression_begin(n, "nat");
    attr_u32(n, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    attr_u32(n, NFTA_NAT_FAMILY, NFPROTO_IPV4);
    attr_register(n, NFTA_NAT_REG_ADDR_MIN, addr);
    if (port >= 0)
        attr_register(n, NFTA_NAT_REG_PROTO_MIN, (unsigned)port);
    expression_end(n, x);
}

void nx_mark(struct nft *n, uint32_t mark)
{
    nx_value(n, 0, &mark, sizeof mark);
    const struct expression x = expression_begin(n, "meta");
    attr_u32(n, NFTA_META_KEY, NFT_META_MARK);
    attr_register(n, NFTA_META_SREG, 0);
    expression_end(n, x);
}

void nx_masquerade(struct nft *n)
{
    expression_end(n, expression_begin(n, "masq"));
}

void nx_reject(struct nft *n)
{
    enum { PORT_UNREACHABLE = 3 };
    const uint8_t code = PORT_UNREACHABLE;
    const struct expression x = expression_begin(n, "reject");
    attr_u32(n, NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
    attr(n, NFTA_REJECT_ICMP_CODE, &code, sizeof code);
    expression_end(n, x);
}

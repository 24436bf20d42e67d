/* nft_recall.c - what the packet filter has put into a memory of ours (nft.h). One dump, read as it comes.
 *
 * Elements come in several messages of several datagrams; the last message says that it is the last. What is malformed
 * is left out: the kernel wrote it. THREADS: none shared. Source: the kernel's nf_tables.h. */
#include "sys/nft.h"

#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A piece of a message: attributes, or what one of them holds. */
struct span {
    const char *data;
    size_t len;
};

/* The next attribute of `s`, which moves past it; false: there is none. */
static bool next_attr(struct span *s, uint16_t *out_type, struct span *out)
{
    struct nlattr head;
    if (s->len < NLA_HDRLEN)
        return false;
    memcpy(&head, s->data, sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > s->len)
        return false;
    *out_type = head.nla_type & NLA_TYPE_MASK;
    *out = (struct span){s->data + NLA_HDRLEN, head.nla_len - (size_t)NLA_HDRLEN};
    const size_t whole = NLA_ALIGN((size_t)head.nla_len), step = whole < s->len ? whole : s->len;
    *s = (struct span){s->data + step, s->len - step};
    return true;
}

/* The attribute of that type; empty: it has none. */
static struct span find_attr(struct span s, uint16_t type)
{
    uint16_t found;
    struct span value;
    while (next_attr(&s, &found, &value))
        if (found == type)
            return value;
    return (struct span){NULL, 0};
}

static struct span value_of(struct span elem, uint16_t type)
{
    return find_attr(find_attr(elem, type), NFTA_DATA_VALUE);
}

static void read_elements(struct span message, nft_each *each, void *arg)
{
    struct span list = find_attr(message, NFTA_SET_ELEM_LIST_ELEMENTS), elem;
    uint16_t type;
    while (next_attr(&list, &type, &elem)) {
        const struct span key = value_of(elem, NFTA_SET_ELEM_KEY), value = value_of(elem, NFTA_SET_ELEM_DATA);
        const struct span left = find_attr(elem, NFTA_SET_ELEM_EXPIRATION);
        uint64_t ms = 0;
        if (left.len == sizeof ms)
            memcpy(&ms, left.data, sizeof ms);
        if (key.len && value.len && ms)
            each(arg, key.data, key.len, value.data, value.len, be64toh(ms));
    }
}

/* 1: more is to come; 0: that was all; or a negative errno. */
static int read_message(const struct nlmsghdr *m, nft_each *each, void *arg)
{
    const size_t skip = NLMSG_HDRLEN + sizeof(struct nfgenmsg);
    int code = 0;
    if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
        if (m->nlmsg_len >= NLMSG_HDRLEN + sizeof code)
            memcpy(&code, (const char *)m + NLMSG_HDRLEN, sizeof code);
        return code < 0 ? code : 0;
    }
    if (m->nlmsg_len > skip)
        read_elements((struct span){(const char *)m + skip, m->nlmsg_len - skip}, each, arg);
    return 1;
}

static int read_dump(int fd, nft_each *each, void *arg)
{
    union {
        struct nlmsghdr head;
        char space[32768];
    } in;
    for (;;) {
        const ssize_t got = recv(fd, &in, sizeof in, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EPIPE;
        for (size_t at = 0; at + sizeof(struct nlmsghdr) <= (size_t)got;) {
            const struct nlmsghdr *m = (const struct nlmsghdr *)(const void *)(in.space + at);
            if (m->nlmsg_len < sizeof *m || m->nlmsg_len > (size_t)got - at)
                return -EBADMSG;
            const int code = read_message(m, each, arg);
            if (code <= 0)
                return code;
            at += NLMSG_ALIGN(m->nlmsg_len);
        }
    }
}

int nft_recall(const char *name, nft_each *each, void *arg, struct err *e)
{
    _auto_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    struct nft n;
    if (fd < 0)
        return err_set(e, ERR_UNSUPPORTED, "this kernel has no netfilter");
    nft_recall_request(&n, name);
    const int code = send(fd, n.b.data, n.b.len, 0) < 0 ? -errno : read_dump(fd, each, arg);
    nft_release(&n);
    return code == 0 || code == -ENOENT ? 0 : err_sys(e, -code, "nf_tables");
}

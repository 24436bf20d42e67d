/* nft.h - the requests of nf_tables that our tables consist of: written one after the other, applied together or not at
 * all. IPv4, one table a network namespace, named "stowage".
 *
 * A rule is begun, gets its expressions (nx_…) and ends with nft_rule_end(). Expressions work on 32-bit registers, 0 to
 * 15; an address, a protocol or a port takes one each. Nothing fails before nft_commit(). */
#ifndef STOWAGE_SYS_NFT_H
#define STOWAGE_SYS_NFT_H

#include "base/buf.h"
#include "base/err.h"

#include <netinet/in.h> /* before the kernel's own, which then leave out what it has */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

#define NFT_TABLE "stowage"

struct nft {
    struct buf b;
    uint32_t seq, sets;        /* sets: the id of the last one */
    size_t rule, expressions;  /* where the open rule and its list begin */
    size_t elements, elem_msg; /* of the open list of elements */
};
void nft_begin(struct nft *n);        /* the table, empty: what it had is gone with the commit */
void nft_begin_delete(struct nft *n); /* the table goes */
void nft_release(struct nft *n);
/* Applies all of it in the current network namespace. ERR_UNSUPPORTED: this kernel has no nf_tables, or not all of it
 * that is needed. */
int nft_commit(struct nft *n, struct err *e);

struct nft_hook {
    const char *type; /* "filter", "nat" */
    uint32_t hook;    /* NF_INET_… */
    int32_t priority;
};
void nft_chain(struct nft *n, const char *name, const struct nft_hook *hook /* NULL: one to jump to */);
void nft_rule_begin(struct nft *n, const char *chain);
void nft_rule_end(struct nft *n);

/* -- sets and maps: `words` 32-bit words a key; data: words of a value, NFT_VERDICTS or 0 -- */
enum { NFT_VERDICTS = -1 };
void nft_set(struct nft *n, const char *name, int words, int data_words, bool ranges);
/* Between begin and end: elements of that set. Keys and values in network order. */
void nft_elems_begin(struct nft *n, const char *set);
void nft_elem(struct nft *n, const void *key, size_t len, const void *value, size_t value_len);
void nft_elem_goto(struct nft *n, const void *key, size_t len, int32_t verdict /* NFT_GOTO, NFT_JUMP */,
                   const char *chain);
/* The first address after a range. */
void nft_elem_end(struct nft *n, const void *key, size_t len);
void nft_elems_end(struct nft *n);

/* A map whose elements rules add, and which forget themselves (nx_update). */
void nft_memory(struct nft *n, const char *name, int words, int data_words, uint32_t max);
/* An element of a memory that is forgotten after `left` ms, or `timeout` ms after it is used again. */
void nft_elem_timed(struct nft *n, const void *key, size_t len, const void *value, size_t value_len, uint64_t timeout,
                    uint64_t left);
/* What a memory of the current network namespace holds: calls `each`; `left` in ms. No such memory: holds nothing. */
typedef void nft_each(void *arg, const void *key, size_t len, const void *value, size_t value_len, uint64_t left);
int nft_recall(const char *name, nft_each *each, void *arg, struct err *e);
void nft_recall_request(struct nft *n, const char *name); /* its one message */

/* -- expressions -- */
void nx_saddr(struct nft *n, unsigned reg);
void nx_daddr(struct nft *n, unsigned reg);
void nx_l4proto(struct nft *n, unsigned reg);
void nx_dport(struct nft *n, unsigned reg); /* in network order, two bytes */
void nx_ct(struct nft *n, uint32_t key /* NFT_CT_STATE, NFT_CT_STATUS */, unsigned reg);
void nx_led(struct nft *n);                      /* only what was led to another address; uses register 0 */
void nx_daddr_type(struct nft *n, unsigned reg); /* RTN_LOCAL, … */
void nx_mask(struct nft *n, unsigned reg, uint32_t mask);
void nx_cmp(struct nft *n, unsigned reg, uint32_t op /* NFT_CMP_… */, const void *data, size_t len);
void nx_cmp_u32(struct nft *n, unsigned reg, uint32_t op, uint32_t value);
void nx_cmp_u8(struct nft *n, unsigned reg, uint32_t op, uint8_t value);
void nx_cmp_u16(struct nft *n, unsigned reg, uint32_t op, uint16_t value);
void nx_random(struct nft *n, unsigned reg, uint32_t modulus);
void nx_lookup(struct nft *n, unsigned reg, const char *set, bool inverse);
void nx_lookup_value(struct nft *n, unsigned reg, const char *map, unsigned to);
void nx_lookup_verdict(struct nft *n, unsigned reg, const char *map);
/* What the registers from `reg` and `value` on hold goes into a memory; is it there, its time begins anew, its value
 * stays. The rule ends here if the memory is full. */
void nx_update(struct nft *n, unsigned reg, unsigned value, const char *memory, uint64_t timeout_ms);
void nx_value(struct nft *n, unsigned reg, const void *data, size_t len);
void nx_verdict(struct nft *n, int32_t verdict, const char *chain /* or NULL */);
void nx_dnat(struct nft *n, unsigned addr, int port /* register, -1: the port stays */);
void nx_mark(struct nft *n, uint32_t mark);
void nx_masquerade(struct nft *n);
void nx_reject(struct nft *n);

#endif

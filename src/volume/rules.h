/* rules.h - the rules that decide whether a volume fits a claim: one table, used to choose (match.c, index.c), to name
 * what is wrong with a volume a claim asks for (pv_mismatch), and to explain (explain.h). So they cannot disagree. */
#ifndef STOWAGE_VOLUME_RULES_H
#define STOWAGE_VOLUME_RULES_H

#include "api/selector.h"
#include "volume/volume.h"

/* A set of access modes as bits. */
enum { MODE_RWO = 1, MODE_ROX = 2, MODE_RWX = 4, MODE_RWOP = 8, MODE_SETS = 16 };
unsigned access_mode_set(const json_t *modes /* an array, or NULL */);
/* "RWO,RWX": as kubectl prints them. */
#define MODE_SET_TEXT_LEN 20
void access_mode_text(unsigned set, char out[MODE_SET_TEXT_LEN]);
/* The order in which sets are tried: fewest modes first. */
int access_mode_order(unsigned a, unsigned b);

/* A claim's wish, read once. Borrows the trees. */
struct pv_query {
    const json_t *claim;
    const json_t *node; /* the scheduler asks for one node; NULL for the binder */
    bool delay_binding; /* class is WaitForFirstConsumer */
    int64_t request;
    const char *cls, *mode;
    unsigned modes;
    bool impossible;                 /* its selector is none: an object from before validation */
    struct label_selector *selector; /* owned; NULL when the claim has none */
};
void pv_query_init(struct pv_query *q, const json_t *claim, const json_t *node, bool delay_binding);
void pv_query_release(struct pv_query *q);
#define _auto_query_ __attribute__((cleanup(pv_query_release)))

/* In the order in which pv_mismatch() names them. */
enum pv_rule {
    RULE_DELETING,
    RULE_SIZE,
    RULE_CLASS,
    RULE_ATTRIBUTES,
    RULE_VOLUME_MODE,
    RULE_ACCESS_MODES,
    RULE_CLAIM_REF,
    RULE_PHASE,
    RULE_SELECTOR,
    RULE_CONSUMER,
    RULE_NODE,
    RULE_MAX,
};
const char *pv_rule_name(enum pv_rule rule);
/* Is it asked at all? A volume that names the claim is not asked for class, phase and selector. */
bool pv_rule_applies(enum pv_rule rule, const struct pv_query *q, const json_t *pv);
bool pv_rule_holds(enum pv_rule rule, const struct pv_query *q, const json_t *pv);
/* The two values it compares, for people. */
#define RULE_TEXT_LEN 512
void pv_rule_texts(enum pv_rule rule, const struct pv_query *q, const json_t *pv, char wants[RULE_TEXT_LEN],
                   char has[RULE_TEXT_LEN]);

enum pv_verdict {
    PV_NO,
    PV_FITS,
    PV_RESERVED,           /* it names the claim */
    PV_RESERVED_ELSEWHERE, /* it does, but the node cannot reach it */
};
enum pv_verdict pv_judge(const struct pv_query *q, const json_t *pv);
/* Is `a` the better of two volumes the binder may take? By group of access modes, then reserved, then size, then name.
 */
struct pv_rank {
    unsigned modes;
    bool reserved;
    int64_t capacity;
    const char *name;
};
int pv_rank_order(const struct pv_rank *a, const struct pv_rank *b);
struct pv_rank pv_rank_of(const json_t *pv, bool reserved);

#endif

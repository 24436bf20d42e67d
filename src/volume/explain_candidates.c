/* explain_candidates.c - each volume under each rule.
 *
 * DESIGN: a candidate that fits stands before one that does not; those that fit in the order in which the binder would
 * take them, the others by how little is wrong with them. The first that fits is the choice, unless the class waits
 * for a pod and the volume does not name the claim: then the scheduler chooses. THREADS: pure. */
#include "volume/explain_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

json_t *candidate_explain(const struct pv_query *q, const json_t *pv)
{
    json_t *rules = json_array();
    for (int r = 0; r < RULE_MAX; r++) {
        enum pv_rule rule = (enum pv_rule)r;
        if (rule == RULE_CONSUMER || !pv_rule_applies(rule, q, pv))
            continue;
        if (rule == RULE_NODE && !q->node && !jat(pv, "spec.nodeAffinity"))
            continue;
        if (rule == RULE_SELECTOR && !q->selector && !q->impossible)
            continue;
        char wants[RULE_TEXT_LEN], has[RULE_TEXT_LEN];
        pv_rule_texts(rule, q, pv, wants, has);
        json_array_append_new(rules, json_pack("{s:s, s:b, s:s, s:s}", "rule", pv_rule_name(rule), "ok",
                                               pv_rule_holds(rule, q, pv), "wants", wants, "has", has));
    }
    enum pv_verdict v = pv_judge(q, pv);
    return json_pack("{s:s, s:b, s:b, s:b, s:o}", "name", jstr_or(pv, "metadata.name", ""), "fits",
                     v == PV_FITS || v == PV_RESERVED, "reserved", pv_is_for_claim(pv, q->claim), "chosen", 0, "rules",
                     rules);
}

/* -- nearest first -- */

struct candidate {
    json_t *told; /* owned until it is in the list */
    const json_t *pv;
    struct pv_rank rank;
    unsigned wrong; /* rules that do not hold; a volume that is another's counts as far away */
};

static unsigned distance(const json_t *told)
{
    size_t i;
    const json_t *rule;
    unsigned n = 0;
    bool anothers = false, bound = false;
    json_array_foreach(jat(told, "rules"), i, rule)
    {
        if (jbool(rule, "ok", false))
            continue;
        n++;
        anothers |= str_eq(jstr(rule, "rule"), pv_rule_name(RULE_CLAIM_REF));
        bound |= str_eq(jstr(rule, "has"), pv_phase_name(PV_BOUND));
    }
    return n + (anothers && bound ? RULE_MAX : 0);
}

static int nearest_first(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    bool fits_a = jbool(a->told, "fits", false), fits_b = jbool(b->told, "fits", false);
    if (fits_a != fits_b)
        return fits_a ? -1 : 1;
    if (a->wrong != b->wrong)
        return a->wrong < b->wrong ? -1 : 1;
    return pv_rank_order(&a->rank, &b->rank);
}

json_t *candidates_explain(const json_t *claim, const struct explain_world *w, bool delay_binding)
{
    _auto_query_ struct pv_query q;
    pv_query_init(&q, claim, NULL, false); /* would it fit, whoever chooses */
    struct candidate *all = xcalloc(w->pvs.len + 1, sizeof *all);
    for (size_t i = 0; i < w->pvs.len; i++) {
        json_t *told = candidate_explain(&q, w->pvs.items[i]);
        all[i] = (struct candidate){.told = told,
                                    .pv = w->pvs.items[i],
                                    .rank = pv_rank_of(w->pvs.items[i], jbool(told, "reserved", false)),
                                    .wrong = distance(told)};
    }
    if (w->pvs.len)
        qsort(all, w->pvs.len, sizeof *all, nearest_first);
    json_t *list = json_array();
    q.delay_binding = delay_binding;
    bool chosen = false;
    for (size_t i = 0; i < w->pvs.len; i++) {
        if (!chosen && pv_judge(&q, all[i].pv) != PV_NO) {
            chosen = true;
            jset_bool(all[i].told, "chosen", true);
        }
        json_array_append_new(list, all[i].told);
    }
    free(all);
    return list;
}

const char *candidates_choice(const json_t *candidates)
{
    size_t i;
    const json_t *c;
    json_array_foreach(candidates, i, c)
    {
        if (jbool(c, "chosen", false))
            return jstr(c, "name");
    }
    return NULL;
}

/* match.c - which volume a claim gets, from a list.
 *
 * DESIGN: as the real controller's index: volumes are taken in groups of equal access-mode sets, from the set with the
 * fewest modes upward; the first group with any match wins, even if a later group holds a smaller volume. Inside a
 * group a volume that names the claim wins at once, then the smallest that fits. The real listing is unordered; here
 * ties go to the first by name, so that a lab behaves the same each time. The scheduler asks per node and over all
 * groups at once.
 *
 * The rules are rules.c's; index.c finds the same volume without looking at all of them. THREADS: pure. */
#include "volume/rules.h"

#include "base/json.h"
#include "base/str.h"

static bool is_excluded(const struct pv_match_opts *opts, const json_t *pv)
{
    for (size_t i = 0; i < opts->excluded_count; i++)
        if (str_eq(jstr(opts->excluded[i], "metadata.name"), jstr(pv, "metadata.name")))
            return true;
    return false;
}

/* One node, no groups: a reserved volume settles it, else the smallest. */
static const json_t *pick_for_node(const struct pv_query *q, const json_t *const *pvs, size_t count,
                                   const struct pv_match_opts *opts)
{
    const json_t *best = NULL;
    for (size_t i = 0; i < count; i++) {
        enum pv_verdict v = is_excluded(opts, pvs[i]) ? PV_NO : pv_judge(q, pvs[i]);
        if (v == PV_RESERVED || v == PV_RESERVED_ELSEWHERE)
            return v == PV_RESERVED ? pvs[i] : NULL;
        if (v == PV_FITS && (!best || pv_capacity(pvs[i]) < pv_capacity(best)))
            best = pvs[i];
    }
    return best;
}

static const json_t *pick_by_rank(const struct pv_query *q, const json_t *const *pvs, size_t count,
                                  const struct pv_match_opts *opts)
{
    const json_t *best = NULL;
    struct pv_rank best_rank = {0};
    for (size_t i = 0; i < count; i++) {
        enum pv_verdict v = is_excluded(opts, pvs[i]) ? PV_NO : pv_judge(q, pvs[i]);
        if (v == PV_NO)
            continue;
        struct pv_rank rank = pv_rank_of(pvs[i], v == PV_RESERVED);
        if (!best || pv_rank_order(&rank, &best_rank) < 0) {
            best = pvs[i];
            best_rank = rank;
        }
    }
    return best;
}

const json_t *pv_pick(const json_t *claim, const json_t *const *pvs, size_t count, const struct pv_match_opts *opts)
{
    _auto_query_ struct pv_query q;
    pv_query_init(&q, claim, opts->node, opts->delay_binding);
    return opts->node ? pick_for_node(&q, pvs, count, opts) : pick_by_rank(&q, pvs, count, opts);
}

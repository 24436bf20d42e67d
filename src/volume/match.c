/* match.c - which volume a claim gets.
 *
 * DESIGN: as the real controller's index: volumes are taken in groups of equal access-mode sets, from the set with the
 * fewest modes upward; the first group with any match wins, even if a later group holds a smaller volume. Inside a
 * group a volume that names the claim wins at once, then the smallest that fits. The real listing is unordered; here
 * ties go to the first by name, so that a lab behaves the same each time. The scheduler asks per node and over all
 * groups at once.
 *
 * When a rule is added: pv_fits() for choosing, pv_mismatch() for a claim that names its volume; both have a table in
 * the tests. THREADS: pure. */
#include "volume/volume.h"

#include "api/quantity.h"
#include "api/selector.h"
#include "base/json.h"
#include "base/str.h"

#include <stdio.h>

const char *pv_mismatch(const json_t *pv, const json_t *claim, char *scratch, size_t size)
{
    if (obj_deleting(pv)) {
        snprintf(scratch, size, "the volume is marked for deletion \"%s\"", jstr_or(pv, "metadata.name", ""));
        return scratch;
    }
    if (pv_capacity(pv) < claim_request(claim))
        return "requested PV is too small";
    if (!str_eq(pv_class(pv), claim_class(claim)))
        return "storageClassName does not match";
    if (!str_eq(pv_mode(pv), claim_mode(claim)))
        return "incompatible volumeMode";
    if (!access_modes_fit(claim, pv))
        return "incompatible accessMode";
    return NULL;
}

/* What a search carries from volume to volume. */
struct search {
    const json_t *claim;
    const struct pv_match_opts *opts;
    struct label_selector *selector; /* owned; NULL when the claim has none */
    int64_t request;
};

enum verdict { NO, YES, PREBOUND, PREBOUND_ELSEWHERE };

static bool is_excluded(const struct pv_match_opts *opts, const json_t *pv)
{
    for (size_t i = 0; i < opts->excluded_count; i++)
        if (str_eq(jstr(opts->excluded[i], "metadata.name"), jstr(pv, "metadata.name")))
            return true;
    return false;
}

static enum verdict pv_fits(const struct search *s, const json_t *pv)
{
    const json_t *node = s->opts->node;
    bool for_claim = pv_is_for_claim(pv, s->claim);
    if (is_excluded(s->opts, pv) || (jat(pv, "spec.claimRef") && !for_claim) || pv_capacity(pv) < s->request ||
        !str_eq(pv_mode(pv), claim_mode(s->claim)) || obj_deleting(pv))
        return NO;
    bool node_ok = !node || pv_node_fits(pv, node);
    if (for_claim)
        return node_ok ? PREBOUND : PREBOUND_ELSEWHERE;
    if (!node && s->opts->delay_binding)
        return NO;
    if (pv_phase(pv) != PV_AVAILABLE || !node_ok || !str_eq(pv_class(pv), claim_class(s->claim)))
        return NO;
    if (s->selector && !label_selector_match(s->selector, jat(pv, "metadata.labels")))
        return NO;
    return !node || access_modes_fit(s->claim, pv) ? YES : NO;
}

/* Are the two lists the same set? Validation forbids duplicates. */
static bool same_modes(const json_t *a, const json_t *b)
{
    if (json_array_size(a) != json_array_size(b))
        return false;
    size_t i;
    json_t *mode;
    json_array_foreach(a, i, mode)
    {
        size_t j = 0;
        while (j < json_array_size(b) && !json_equal(mode, json_array_get(b, j)))
            j++;
        if (j == json_array_size(b))
            return false;
    }
    return true;
}

/* The best of the volumes whose access modes are `modes` (NULL: any). *done is set when nothing else need be looked at.
 */
static const json_t *pick_among(const struct search *s, const json_t *const *pvs, size_t count, const json_t *modes,
                                bool *done)
{
    const json_t *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (modes && !same_modes(modes, jat(pvs[i], "spec.accessModes")))
            continue;
        switch (pv_fits(s, pvs[i])) {
        case PREBOUND:
            *done = true;
            return pvs[i];
        case PREBOUND_ELSEWHERE:
            *done = true;
            return NULL;
        case YES:
            if (!best || pv_capacity(pvs[i]) < pv_capacity(best))
                best = pvs[i];
            break;
        case NO:
            break;
        }
    }
    *done = best != NULL;
    return best;
}

/* Walks the groups of `n` modes that hold all the claim asks. */
static const json_t *pick_by_group_size(const struct search *s, const json_t *const *pvs, size_t count, size_t n,
                                        bool *done)
{
    for (size_t i = 0; i < count && !*done; i++) {
        const json_t *modes = jat(pvs[i], "spec.accessModes");
        if (json_array_size(modes) != n || !access_modes_fit(s->claim, pvs[i]))
            continue;
        const json_t *pv = pick_among(s, pvs, count, modes, done);
        if (*done)
            return pv;
    }
    return NULL;
}

const json_t *pv_pick(const json_t *claim, const json_t *const *pvs, size_t count, const struct pv_match_opts *opts)
{
    struct search s = {.claim = claim, .opts = opts, .request = claim_request(claim)};
    const json_t *selector = jat(claim, "spec.selector");
    struct err e = ERR_INIT;
    if (selector && !json_is_null(selector) && label_selector_from_json(selector, &s.selector, &e) < 0)
        return NULL; /* validation refuses such claims; an old one simply never matches */
    const json_t *found = NULL;
    bool done = false;
    if (opts->node)
        found = pick_among(&s, pvs, count, NULL, &done);
    else /* four access modes exist */
        for (size_t n = 1; n <= 4 && !done; n++)
            found = pick_by_group_size(&s, pvs, count, n, &done);
    label_selector_free(s.selector);
    return found;
}

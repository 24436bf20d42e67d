/* rules.c - one row a rule: when it is asked, whether it holds, which two values it compares, and how an event words
 * its failure.
 *
 * DESIGN: a volume whose claimRef names the claim is reserved: it is asked for less (not for class, phase, selector)
 * and wins its group. For the binder volumes stand in groups of equal access-mode sets, so the modes are asked of
 * reserved ones too; the scheduler looks at one node without groups and does not. Source: component-helpers
 * storage/volume/pv_helpers.go FindMatchingVolume, pv_controller.go checkVolumeSatisfyClaim.
 *
 * When you add a rule: a row here, a member of enum pv_rule, a piece of advice in explain_advice.c. THREADS: pure. */
#include "volume/rules.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* -- access modes as sets -- */

static const struct {
    const char *name, *letters;
} modes[] = {{"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};

unsigned access_mode_set(const json_t *list)
{
    unsigned set = 0;
    size_t i;
    const json_t *mode;
    json_array_foreach(list, i, mode)
    {
        for (size_t m = 0; m < ARRAY_LEN(modes); m++)
            if (str_eq(json_string_value(mode), modes[m].name))
                set |= 1U << m;
    }
    return set;
}

void access_mode_text(unsigned set, char out[MODE_SET_TEXT_LEN])
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t m = 0; m < ARRAY_LEN(modes); m++)
        if (set & (1U << m))
            n += (size_t)snprintf(out + n, MODE_SET_TEXT_LEN - n, "%s%s", n ? "," : "", modes[m].letters);
}

int access_mode_order(unsigned a, unsigned b)
{
    int x = __builtin_popcount(a), y = __builtin_popcount(b);
    return x != y ? x - y : (a > b) - (a < b);
}

/* -- the wish -- */

void pv_query_init(struct pv_query *q, const json_t *claim, const json_t *node, bool delay_binding)
{
    *q = (struct pv_query){
        .claim = claim,
        .node = node,
        .delay_binding = delay_binding,
        .request = claim_request(claim),
        .cls = claim_class(claim),
        .mode = claim_mode(claim),
        .modes = access_mode_set(jat(claim, "spec.accessModes")),
    };
    const json_t *selector = jat(claim, "spec.selector");
    struct err e = ERR_INIT;
    if (selector && !json_is_null(selector))
        q->impossible = label_selector_from_json(selector, &q->selector, &e) < 0;
}

void pv_query_release(struct pv_query *q)
{
    label_selector_free(q->selector);
    q->selector = NULL;
}

/* -- the rules -- */

static void size_text(const char *quantity, char out[RULE_TEXT_LEN])
{
    snprintf(out, RULE_TEXT_LEN, "%s", quantity ? quantity : "0");
}

static bool not_deleting(const struct pv_query *q _unused_, const json_t *pv)
{
    return !obj_deleting(pv);
}

static void texts_deleting(const struct pv_query *q _unused_, const json_t *pv, char *wants, char *has)
{
    snprintf(wants, RULE_TEXT_LEN, "a volume that stays");
    snprintf(has, RULE_TEXT_LEN, "%s", obj_deleting(pv) ? "is being deleted" : "stays");
}

static bool large_enough(const struct pv_query *q, const json_t *pv)
{
    return pv_capacity(pv) >= q->request;
}

static void texts_size(const struct pv_query *q, const json_t *pv, char *wants, char *has)
{
    size_text(jmap(q->claim, "spec.resources.requests", "storage"), wants);
    size_text(jmap(pv, "spec.capacity", "storage"), has);
}

static bool same_class(const struct pv_query *q, const json_t *pv)
{
    return str_eq(pv_class(pv), q->cls);
}

static void texts_class(const struct pv_query *q, const json_t *pv, char *wants, char *has)
{
    snprintf(wants, RULE_TEXT_LEN, "%s", *q->cls ? q->cls : "no class");
    snprintf(has, RULE_TEXT_LEN, "%s", *pv_class(pv) ? pv_class(pv) : "no class");
}

static const char *attributes_class(const json_t *obj)
{
    return jstr_or(obj, "spec.volumeAttributesClassName", "");
}

static bool same_attributes(const struct pv_query *q, const json_t *pv)
{
    return str_eq(attributes_class(pv), attributes_class(q->claim));
}

static void texts_attributes(const struct pv_query *q, const json_t *pv, char *wants, char *has)
{
    snprintf(wants, RULE_TEXT_LEN, "%s", *attributes_class(q->claim) ? attributes_class(q->claim) : "no class");
    snprintf(has, RULE_TEXT_LEN, "%s", *attributes_class(pv) ? attributes_class(pv) : "no class");
}

static bool same_mode(const struct pv_query *q, const json_t *pv)
{
    return str_eq(pv_mode(pv), q->mode);
}

static void texts_mode(const struct pv_query *q, const json_t *pv, char *wants, char *has)
{
    snprintf(wants, RULE_TEXT_LEN, "%s", q->mode);
    snprintf(has, RULE_TEXT_LEN, "%s", pv_mode(pv));
}

static bool modes_offered(const struct pv_query *q, const json_t *pv)
{
    return (q->modes & ~access_mode_set(jat(pv, "spec.accessModes"))) == 0;
}

static void texts_modes(const struct pv_query *q, const json_t *pv, char *wants, char *has)
{
    access_mode_text(q->modes, wants);
    access_mode_text(access_mode_set(jat(pv, "spec.accessModes")), has);
}

static bool not_anothers(const struct pv_query *q, const json_t *pv)
{
    return !jat(pv, "spec.claimRef") || pv_is_for_claim(pv, q->claim);
}

static void texts_claim_ref(const struct pv_query *q, const json_t *pv, char *wants, char *has)
{
    const json_t *ref = jat(pv, "spec.claimRef");
    const char *ns = jstr_or(q->claim, "metadata.namespace", ""), *name = jstr_or(q->claim, "metadata.name", "");
    snprintf(wants, RULE_TEXT_LEN, "claimRef absent or %s/%s", ns, name);
    bool same_name = str_eq(jstr(ref, "name"), name) && str_eq(jstr(ref, "namespace"), ns);
    if (!ref)
        snprintf(has, RULE_TEXT_LEN, "no claimRef");
    else
        snprintf(has, RULE_TEXT_LEN, "%s/%s%s", jstr_or(ref, "namespace", ""), jstr_or(ref, "name", ""),
                 same_name && !pv_is_for_claim(pv, q->claim) ? ", an earlier claim of that name" : "");
}

static bool available(const struct pv_query *q _unused_, const json_t *pv)
{
    return pv_phase(pv) == PV_AVAILABLE;
}

static void texts_phase(const struct pv_query *q _unused_, const json_t *pv, char *wants, char *has)
{
    snprintf(wants, RULE_TEXT_LEN, "%s", pv_phase_name(PV_AVAILABLE));
    snprintf(has, RULE_TEXT_LEN, "%s", pv_phase_name(pv_phase(pv)));
}

static bool selected(const struct pv_query *q, const json_t *pv)
{
    return !q->impossible && (!q->selector || label_selector_match(q->selector, jat(pv, "metadata.labels")));
}

static void texts_selector(const struct pv_query *q, const json_t *pv, char *wants, char *has)
{
    _auto_free_ char *text = q->selector ? label_selector_text(q->selector) : NULL;
    snprintf(wants, RULE_TEXT_LEN, "%s", text ? text : "any labels");
    size_t n = 0;
    const char *key;
    json_t *value;
    snprintf(has, RULE_TEXT_LEN, "no labels");
    json_object_foreach(jat(pv, "metadata.labels"), key, value)
    {
        if (n < RULE_TEXT_LEN)
            n += (size_t)snprintf(has + n, RULE_TEXT_LEN - n, "%s%s=%s", n ? "," : "", key,
                                  json_string_value(value) ? json_string_value(value) : "");
    }
}

static bool not_delayed(const struct pv_query *q, const json_t *pv _unused_)
{
    return !q->delay_binding || q->node;
}

static void texts_consumer(const struct pv_query *q, const json_t *pv _unused_, char *wants, char *has)
{
    snprintf(wants, RULE_TEXT_LEN, q->delay_binding ? "the scheduler's choice" : "the binder's choice");
    snprintf(has, RULE_TEXT_LEN, q->node ? "asked for node %s" : "no node chosen",
             jstr_or(q->node, "metadata.name", ""));
}

static bool reachable(const struct pv_query *q, const json_t *pv)
{
    return !q->node || pv_node_fits(pv, q->node);
}

static void texts_node(const struct pv_query *q, const json_t *pv, char *wants, char *has)
{
    snprintf(wants, RULE_TEXT_LEN, "%s", q->node ? jstr_or(q->node, "metadata.name", "") : "any node");
    pv_affinity_text(pv, has, RULE_TEXT_LEN);
}

static const struct rule {
    const char *name;
    bool (*holds)(const struct pv_query *q, const json_t *pv);
    void (*texts)(const struct pv_query *q, const json_t *pv, char *wants, char *has);
    bool reserved_too; /* asked of a volume that names the claim as well */
    const char *event; /* for a volume the claim names; NULL: not asked there */
} rules[RULE_MAX] = {
    [RULE_DELETING] = {"deleting", not_deleting, texts_deleting, true, "the volume is marked for deletion \"%s\""},
    [RULE_SIZE] = {"size", large_enough, texts_size, true, "requested PV is too small"},
    [RULE_CLASS] = {"class", same_class, texts_class, false, "storageClassName does not match"},
    [RULE_ATTRIBUTES] = {"attributesClass", same_attributes, texts_attributes, false,
                         "volumeAttributesClassName does not match"},
    [RULE_VOLUME_MODE] = {"volumeMode", same_mode, texts_mode, true, "incompatible volumeMode"},
    [RULE_ACCESS_MODES] = {"accessModes", modes_offered, texts_modes, true, "incompatible accessMode"},
    [RULE_CLAIM_REF] = {"claimRef", not_anothers, texts_claim_ref, true, NULL},
    [RULE_PHASE] = {"phase", available, texts_phase, false, NULL},
    [RULE_SELECTOR] = {"selector", selected, texts_selector, false, NULL},
    [RULE_CONSUMER] = {"consumer", not_delayed, texts_consumer, false, NULL},
    [RULE_NODE] = {"nodeAffinity", reachable, texts_node, true, NULL},
};

const char *pv_rule_name(enum pv_rule rule)
{
    return rules[rule].name;
}

bool pv_rule_applies(enum pv_rule rule, const struct pv_query *q, const json_t *pv)
{
    bool reserved = pv_is_for_claim(pv, q->claim);
    if (rule == RULE_ACCESS_MODES && reserved && q->node)
        return false;
    return !reserved || rules[rule].reserved_too;
}

bool pv_rule_holds(enum pv_rule rule, const struct pv_query *q, const json_t *pv)
{
    return rules[rule].holds(q, pv);
}

void pv_rule_texts(enum pv_rule rule, const struct pv_query *q, const json_t *pv, char wants[RULE_TEXT_LEN],
                   char has[RULE_TEXT_LEN])
{
    rules[rule].texts(q, pv, wants, has);
}

enum pv_verdict pv_judge(const struct pv_query *q, const json_t *pv)
{
    if (q->impossible)
        return PV_NO;
    for (int r = 0; r < RULE_NODE; r++)
        if (pv_rule_applies((enum pv_rule)r, q, pv) && !rules[r].holds(q, pv))
            return PV_NO;
    bool here = rules[RULE_NODE].holds(q, pv);
    if (pv_is_for_claim(pv, q->claim))
        return here ? PV_RESERVED : PV_RESERVED_ELSEWHERE;
    return here ? PV_FITS : PV_NO;
}

const char *pv_mismatch(const json_t *pv, const json_t *claim, char *scratch, size_t size)
{
    struct pv_query q;
    pv_query_init(&q, claim, NULL, false);
    const char *why = NULL;
    for (int r = 0; r < RULE_MAX && !why; r++)
        if (rules[r].event && !rules[r].holds(&q, pv))
            why = rules[r].event;
    pv_query_release(&q);
    if (!why || !strchr(why, '%'))
        return why;
    size_t before = (size_t)(strchr(why, '%') - why);
    snprintf(scratch, size, "%.*s%s%s", (int)before, why, jstr_or(pv, "metadata.name", ""), why + before + 2);
    return scratch;
}

/* -- order -- */

struct pv_rank pv_rank_of(const json_t *pv, bool reserved)
{
    return (struct pv_rank){
        .modes = access_mode_set(jat(pv, "spec.accessModes")),
        .reserved = reserved,
        .capacity = pv_capacity(pv),
        .name = jstr_or(pv, "metadata.name", ""),
    };
}

int pv_rank_order(const struct pv_rank *a, const struct pv_rank *b)
{
    int group = access_mode_order(a->modes, b->modes);
    if (group)
        return group;
    if (a->reserved != b->reserved)
        return a->reserved ? -1 : 1;
    if (!a->reserved && a->capacity != b->capacity)
        return a->capacity < b->capacity ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* explain_advice.c - the smallest change that would make it work, in words and as a command.
 *
 * DESIGN: one row a rule. A volume may be edited where a claim may not, so most changes are the volume's; what neither
 * may change (a volumeMode, what a disk really holds) is told as what to make anew. THREADS: pure. */
#include "volume/explain_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>

void advise(json_t *changes, const char *command, const char *fmt, ...)
{
    _auto_buf_ struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    json_array_append_new(changes, json_pack("{s:s, s:s}", "text", buf_str(&text), "command", command ? command : ""));
}

struct matter {
    const json_t *claim, *pv;
    const char *pv_name, *claim_name, *claim_ns;
};

static void advise_size(json_t *changes, const struct matter *m)
{
    const char *asked = jmap(m->claim, "spec.resources.requests", "storage");
    const char *has = jmap(m->pv, "spec.capacity", "storage");
    _auto_free_ char *command = xasprintf("kubectl patch pv %s -p '{\"spec\":{\"capacity\":{\"storage\":\"%s\"}}}'",
                                          m->pv_name, asked ? asked : "");
    advise(
        changes, command,
        "Make the claim anew with a request of %s or less; or, if the disk behind %s really is that large, raise its "
        "capacity to %s.",
        has ? has : "0", m->pv_name, asked ? asked : "0");
}

static void advise_class(json_t *changes, const struct matter *m)
{
    const char *wants = claim_class(m->claim), *has = pv_class(m->pv);
    _auto_free_ char *command =
        xasprintf("kubectl patch pv %s -p '{\"spec\":{\"storageClassName\":\"%s\"}}'", m->pv_name, wants);
    if (*wants)
        advise(changes, command, "Give %s the claim's class, %s%s.", m->pv_name, wants,
               *has ? "" : " (it has none; a claim's class cannot be edited)");
    else
        advise(changes, command,
               "Take the class off %s, since the claim asks for none; or make the claim anew with "
               "storageClassName: %s.",
               m->pv_name, has);
}

static void advise_attributes(json_t *changes, const struct matter *m)
{
    const char *has = jstr(m->pv, "spec.volumeAttributesClassName");
    advise(changes, NULL, "Make the claim anew with %s%s: that is what %s has.",
           has ? "volumeAttributesClassName: " : "no volumeAttributesClassName", has ? has : "", m->pv_name);
}

static void advise_volume_mode(json_t *changes, const struct matter *m)
{
    advise(changes, NULL,
           "Make the claim anew with volumeMode: %s, or make another volume: neither can change its volumeMode.",
           pv_mode(m->pv));
}

static void advise_modes(json_t *changes, const struct matter *m)
{
    static const char *const names[] = {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"};
    unsigned has = access_mode_set(jat(m->pv, "spec.accessModes"));
    unsigned both = has | access_mode_set(jat(m->claim, "spec.accessModes"));
    char has_text[MODE_SET_TEXT_LEN], missing[MODE_SET_TEXT_LEN];
    access_mode_text(has, has_text);
    access_mode_text(both & ~has, missing);
    _auto_buf_ struct buf list = BUF_INIT;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (both & (1U << i))
            buf_addf(&list, "%s\"%s\"", list.len ? "," : "", names[i]);
    _auto_free_ char *command =
        xasprintf("kubectl patch pv %s -p '{\"spec\":{\"accessModes\":[%s]}}'", m->pv_name, buf_str(&list));
    advise(changes, command, "Add %s to the access modes of %s, if its disk can do that; or ask for %s only.", missing,
           m->pv_name, has_text);
}

static void advise_claim_ref(json_t *changes, const struct matter *m)
{
    const char *ns = jstr_or(m->pv, "spec.claimRef.namespace", ""), *name = jstr_or(m->pv, "spec.claimRef.name", "");
    if (pv_phase(m->pv) == PV_BOUND) {
        advise(changes, NULL, "%s is bound to claim %s/%s: make another volume, or delete that claim first.",
               m->pv_name, ns, name);
        return;
    }
    _auto_free_ char *command = xasprintf("kubectl patch pv %s -p '{\"spec\":{\"claimRef\":null}}'", m->pv_name);
    advise(changes, command, "Remove the claimRef to %s/%s from %s once its data may be used by another claim.", ns,
           name, m->pv_name);
}

static void advise_phase(json_t *changes, const struct matter *m)
{
    if (jat(m->pv, "spec.claimRef") && !pv_is_for_claim(m->pv, m->claim))
        return; /* the claimRef is the matter */
    if (pv_phase(m->pv) == PV_FAILED)
        advise(changes, NULL, "%s failed to be reclaimed: see `stowage why pv/%s`.", m->pv_name, m->pv_name);
    else
        advise(changes, NULL, "Wait: %s was only just made.", m->pv_name);
}

static void advise_selector(json_t *changes, const struct matter *m)
{
    _auto_buf_ struct buf labels = BUF_INIT;
    const char *key;
    json_t *value;
    json_object_foreach(jat(m->claim, "spec.selector.matchLabels"), key, value)
    {
        const char *have = jmap(m->pv, "metadata.labels", key);
        if (!str_eq(have, json_string_value(value)))
            buf_addf(&labels, " %s=%s", key, json_string_value(value) ? json_string_value(value) : "");
    }
    _auto_free_ char *command =
        labels.len ? xasprintf("kubectl label --overwrite pv %s%s", m->pv_name, buf_str(&labels)) : NULL;
    advise(changes, command, "Give %s the labels the claim selects.", m->pv_name);
}

static void advise_deleting(json_t *changes, const struct matter *m)
{
    advise(changes, NULL, "%s is being deleted and cannot be had: make another volume.", m->pv_name);
}

static void (*const advisers[RULE_MAX])(json_t *changes, const struct matter *m) = {
    [RULE_DELETING] = advise_deleting,
    [RULE_SIZE] = advise_size,
    [RULE_CLASS] = advise_class,
    [RULE_ATTRIBUTES] = advise_attributes,
    [RULE_VOLUME_MODE] = advise_volume_mode,
    [RULE_ACCESS_MODES] = advise_modes,
    [RULE_CLAIM_REF] = advise_claim_ref,
    [RULE_PHASE] = advise_phase,
    [RULE_SELECTOR] = advise_selector,
};

static bool fails(const json_t *candidate, enum pv_rule rule)
{
    size_t i;
    const json_t *told;
    json_array_foreach(jat(candidate, "rules"), i, told)
    {
        if (str_eq(jstr(told, "rule"), pv_rule_name(rule)))
            return !jbool(told, "ok", true);
    }
    return false;
}

bool advise_for(json_t *changes, const json_t *claim, const json_t *pv, const json_t *candidate)
{
    const struct matter m = {.claim = claim,
                             .pv = pv,
                             .pv_name = jstr_or(pv, "metadata.name", ""),
                             .claim_name = jstr_or(claim, "metadata.name", ""),
                             .claim_ns = jstr_or(claim, "metadata.namespace", "")};
    size_t before = json_array_size(changes);
    for (int r = 0; r < RULE_MAX; r++)
        if (advisers[r] && fails(candidate, (enum pv_rule)r))
            advisers[r](changes, &m);
    return json_array_size(changes) > before;
}

void advise_new_volume(json_t *changes, const json_t *claim)
{
    char modes[MODE_SET_TEXT_LEN];
    const char *size = jmap(claim, "spec.resources.requests", "storage");
    access_mode_text(access_mode_set(jat(claim, "spec.accessModes")), modes);
    advise(changes, NULL, "Create a PersistentVolume of %s or more with accessModes %s, volumeMode %s and %s%s.",
           size ? size : "any size", modes, claim_mode(claim), *claim_class(claim) ? "storageClassName " : "no class",
           claim_class(claim));
}

/* cluster.c - namespaces and nodes.
 *
 * DESIGN: the pod security labels of a namespace are checked here as the admission plugin would: only when nothing else
 * is wrong. Paths of a node's taints begin at metadata, a slip of the real server that clients see.
 * THREADS: pure functions. Source: pkg/apis/core/validation; pod-security-admission/api. */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

/* -- namespaces -- */

static bool is_number(const char *s)
{
    size_t n = strspn(s, "0123456789");
    return n > 0 && s[n] == '\0' && (n == 1 || s[0] != '0');
}

/* "latest" or "v1.31" */
static bool is_policy_version(const char *s)
{
    if (strcmp(s, "latest") == 0)
        return true;
    return str_starts(s, "v1.") && is_number(s + 3);
}

static void pod_security_check(const struct change *c)
{
    static const char *const modes[] = {"enforce", "audit", "warn"};
    static const char *const levels[] = {"privileged", "baseline", "restricted", NULL};
    const struct vpath *p = FIELD(FIELD(NULL, "metadata"), "labels");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        _auto_free_ char *level_key = xasprintf("pod-security.kubernetes.io/%s", modes[i]);
        _auto_free_ char *version_key = xasprintf("pod-security.kubernetes.io/%s-version", modes[i]);
        const char *level = jmap(c->obj, "metadata.labels", level_key);
        const char *version = jmap(c->obj, "metadata.labels", version_key);
        if (level != NULL && !one_of(level, levels))
            v_invalid(c->errs, KEY(p, level_key), level, "must be one of privileged, baseline, restricted");
        if (version != NULL && !is_policy_version(version))
            v_invalid(c->errs, KEY(p, version_key), version, "must be \"latest\" or \"v1.x\"");
    }
}

static void finalizers_check(const struct change *c)
{
    const json_t *list = jat(c->obj, "spec.finalizers");
    const struct vpath *p = FIELD(FIELD(NULL, "spec"), "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        v_finalizer(c->errs, p, vitem(list, i));
}

void namespace_create(const struct change *c)
{
    change_meta_create(c);
    finalizers_check(c);
    if (c->errs->len == 0)
        pod_security_check(c);
}

static void phase_check(const struct change *c)
{
    const struct vpath *p = FIELD(FIELD(NULL, "status"), "phase");
    const char *phase = jstr_or(c->obj, "status.phase", "");
    bool deleted = jat(c->obj, "metadata.deletionTimestamp") != NULL;
    if (!deleted && strcmp(phase, "Active") != 0)
        v_invalid(c->errs, p, phase, "may only be 'Active' if `deletionTimestamp` is empty");
    if (deleted && strcmp(phase, "Terminating") != 0)
        v_invalid(c->errs, p, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
}

void namespace_update(const struct change *c)
{
    change_meta_update(c);
    if (strcmp(c->sub, "status") == 0)
        phase_check(c);
    else if (strcmp(c->sub, "finalize") == 0)
        finalizers_check(c);
    else if (c->errs->len == 0)
        pod_security_check(c);
}

/* -- nodes -- */

static void taint_unique(const struct change *c, const struct vpath *p, const json_t *taints, size_t i)
{
    const json_t *taint = json_array_get(taints, i);
    for (size_t j = 0; j < i; j++) {
        const json_t *other = json_array_get(taints, j);
        if (strcmp(vstr(taint, "key"), vstr(other, "key")) != 0 ||
            strcmp(vstr(taint, "effect"), vstr(other, "effect")) != 0)
            continue;
        _auto_free_ char *at = vpath_text(p);
        _auto_free_ char *value = go_struct_text("core.v1.Taint", taint);
        fe_add(c->errs, FE_DUPLICATE, at, value, "taints must be unique by key and effect pair");
        return;
    }
}

static void taints_check(const struct change *c)
{
    const json_t *taints = jat(c->obj, "spec.taints");
    const struct vpath *p = FIELD(FIELD(NULL, "metadata"), "taints");
    size_t i;
    json_t *taint;
    json_array_foreach(taints, i, taint)
    {
        const struct vpath *at = ITEM(p, i);
        _auto_free_ char *value_fault = name_complaints(vstr(taint, "value"), rule_label_value);
        v_name(c->errs, FIELD(at, "key"), vstr(taint, "key"), rule_qualified);
        if (value_fault != NULL)
            v_invalid(c->errs, FIELD(at, "value"), vstr(taint, "value"), value_fault);
        v_taint_effect(c->errs, FIELD(at, "effect"), vstr(taint, "effect"), false);
        taint_unique(c, at, taints, i);
    }
}

static void resources_check(const struct change *c)
{
    static const char *const maps[] = {"capacity", "allocatable"};
    for (size_t m = 0; m < ARRAY_LEN(maps); m++) {
        _auto_strlist_ struct strlist names = {0};
        const json_t *map = vget(vget(c->obj, "status"), maps[m]);
        const struct vpath *p = FIELD(FIELD(NULL, "status"), maps[m]);
        sorted_keys(map, &names);
        for (size_t i = 0; i < names.len; i++)
            v_qty_resource(c->errs, FIELD(p, names.items[i]), names.items[i], vget(map, names.items[i]));
    }
}

static bool is_ipv6(const char *cidr)
{
    return strchr(cidr, ':') != NULL;
}

static void pod_cidrs_check(const struct change *c)
{
    const json_t *cidrs = jat(c->obj, "spec.podCIDRs");
    const struct vpath *p = FIELD(FIELD(NULL, "spec"), "podCIDRs");
    size_t n = json_array_size(cidrs);
    for (size_t i = 0; i < n; i++)
        v_cidr(c->errs, ITEM(p, i), vitem(cidrs, i));
    if (n > 2 || (n == 2 && is_ipv6(vitem(cidrs, 0)) == is_ipv6(vitem(cidrs, 1))))
        v_invalid_go(c->errs, p, go_list_text("string", cidrs), "may specify no more than one CIDR for each IP family");
    for (size_t i = 1; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(vitem(cidrs, i), vitem(cidrs, j)) != 0)
                continue;
            v_duplicate(c->errs, ITEM(p, i), vitem(cidrs, i));
            break;
        }
    }
}

void node_create(const struct change *c)
{
    change_meta_create(c);
    taints_check(c);
    resources_check(c);
    pod_cidrs_check(c);
}

static void addresses_check(const struct change *c)
{
    const json_t *addresses = jat(c->obj, "status.addresses");
    const struct vpath *p = FIELD(FIELD(NULL, "status"), "addresses");
    for (size_t i = 0; i < json_array_size(addresses); i++) {
        for (size_t j = 0; j < i; j++) {
            if (!json_equal(json_array_get(addresses, i), json_array_get(addresses, j)))
                continue;
            _auto_free_ char *at = vpath_text(ITEM(p, i));
            _auto_free_ char *value = go_struct_text("core.v1.NodeAddress", json_array_get(addresses, i));
            fe_add(c->errs, FE_DUPLICATE, at, value, NULL);
            break;
        }
    }
}

static void once_set_check(const struct change *c)
{
    const json_t *before = jat(c->old, "spec.podCIDRs"), *now = jat(c->obj, "spec.podCIDRs");
    const char *provider = jstr_or(c->old, "spec.providerID", "");
    const struct vpath *p = FIELD(NULL, "spec");
    if (json_array_size(before) > 0 && (now == NULL || !json_equal(before, now)))
        v_forbidden(c->errs, FIELD(p, "podCIDRs"), "node updates may not change podCIDR except from \"\" to valid");
    if (provider[0] != '\0' && strcmp(provider, jstr_or(c->obj, "spec.providerID", "")) != 0)
        v_forbidden(c->errs, FIELD(p, "providerID"),
                    "node updates may not change providerID except from \"\" to valid");
}

/* The real server checks a changed node as a new one first, so faults of both kinds of check come twice. */
void node_update(const struct change *c)
{
    if (strcmp(c->sub, "status") != 0)
        node_create(c);
    change_meta_update(c);
    resources_check(c);
    addresses_check(c);
    once_set_check(c);
    taints_check(c);
    if (strcmp(jstr_or(c->obj, "spec.externalID", ""), jstr_or(c->old, "spec.externalID", "")) != 0)
        v_forbidden(c->errs, FIELD(FIELD(NULL, "spec"), "externalID"), "may not be updated");
}

/* quota.c - the rules of resource quotas and limit ranges.
 *
 * DESIGN: both are maps of amounts by resource; a limit range has five, and rules between each two of them, which are a
 * table of pairs. THREADS: pure functions. Source: pkg/apis/core/validation. */
#include "api/validate/kinds_int.h"

#define SPEC FIELD(NULL, "spec")

/* -- quotas: amounts -- */

static void amounts_check(const struct change *c, const struct vpath *p, const json_t *map)
{
    _auto_strlist_ struct strlist names = {0};
    sorted_keys(map, &names);
    for (size_t i = 0; i < names.len; i++) {
        const char *name = names.items[i];
        v_quota_resource_name(c->errs, KEY(p, name), name);
        v_qty_resource(c->errs, KEY(p, name), name, vget(map, name));
    }
}

/* -- quotas: scopes -- */

static const char *const scopes_known[] = {
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity", NULL};

/* Scopes are about pods: all but one count anything a pod uses. */
static bool scope_takes(const char *scope, const char *resource)
{
    static const char *const of_pods[] = {"cpu",
                                          "memory",
                                          "limits.cpu",
                                          "limits.memory",
                                          "requests.cpu",
                                          "requests.memory",
                                          "pods",
                                          "ephemeral-storage",
                                          "requests.ephemeral-storage",
                                          "limits.ephemeral-storage",
                                          NULL};
    if (strcmp(scope, "BestEffort") == 0)
        return strcmp(resource, "pods") == 0;
    return !one_of(scope, scopes_known) || one_of(resource, of_pods);
}

static void scope_resources_check(const struct change *c, const struct vpath *p, const char *scope,
                                  char *(*text)(const json_t *), const json_t *shown)
{
    _auto_strlist_ struct strlist names = {0};
    sorted_keys(jat(c->obj, "spec.hard"), &names);
    for (size_t i = 0; i < names.len; i++) {
        if (is_quota_resource(names.items[i]) && !scope_takes(scope, names.items[i]))
            v_invalid_go(c->errs, p, text(shown), "unsupported scope applied to resource");
    }
}

static char *scopes_text(const json_t *list)
{
    return go_list_text("core.ResourceQuotaScope", list);
}

static char *selector_text(const json_t *selector)
{
    return go_struct_text("core.v1.ScopeSelector", selector);
}

static void conflicts_check(const struct change *c, const struct vpath *p, const json_t *spec, const json_t *list)
{
    static const char *const pairs[][2] = {{"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        if (jarr_has(spec, "scopes", pairs[i][0]) && jarr_has(spec, "scopes", pairs[i][1]))
            v_invalid_go(c->errs, p, scopes_text(list), "conflicting scopes");
    }
}

static void scopes_check(const struct change *c, const json_t *spec)
{
    const json_t *list = vget(spec, "scopes");
    const struct vpath *p = FIELD(SPEC, "scopes");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!one_of(vitem(list, i), scopes_known))
            v_invalid_go(c->errs, p, scopes_text(list), "unsupported scope");
        scope_resources_check(c, p, vitem(list, i), scopes_text, list);
    }
    conflicts_check(c, p, spec, list);
}

static void requirement_check(const struct change *c, const struct vpath *p, const json_t *requirement,
                              const json_t *selector)
{
    static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};
    const char *scope = vstr(requirement, "scopeName"), *op = vstr(requirement, "operator");
    size_t values = json_array_size(vget(requirement, "values"));
    if (!one_of(scope, scopes_known))
        v_invalid(c->errs, FIELD(p, "scopeName"), scope, "unsupported scope");
    scope_resources_check(c, p, scope, selector_text, selector);
    if (strcmp(scope, "PriorityClass") != 0 && one_of(scope, scopes_known) && strcmp(op, "Exists") != 0)
        v_invalid(
            c->errs, FIELD(p, "operator"), op,
            "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
            "ResourceQuotaScopeCrossNamespacePodAffinity");
    if (!one_of(op, operators))
        v_invalid(c->errs, FIELD(p, "operator"), op, "not a valid selector operator");
    else if ((strcmp(op, "In") == 0 || strcmp(op, "NotIn") == 0) && values == 0)
        v_required(c->errs, FIELD(p, "values"),
                   "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    else if ((strcmp(op, "Exists") == 0 || strcmp(op, "DoesNotExist") == 0) && values != 0)
        v_invalid_go(c->errs, FIELD(p, "values"), go_list_text("string", vget(requirement, "values")),
                     "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector");
}

static void scope_selector_check(const struct change *c, const json_t *selector)
{
    const struct vpath *at = FIELD(FIELD(SPEC, "scopeSelector"), "matchExpressions");
    const json_t *list = vget(selector, "matchExpressions");
    for (size_t i = 0; i < json_array_size(list); i++)
        requirement_check(c, at, json_array_get(list, i), selector);
}

static void quota_spec_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec");
    amounts_check(c, FIELD(SPEC, "hard"), vget(spec, "hard"));
    scopes_check(c, spec);
    scope_selector_check(c, vget(spec, "scopeSelector"));
}

void quota_create(const struct change *c)
{
    change_meta_create(c);
    quota_spec_check(c);
}

/* What is counted cannot change: all that was used was counted so. */
static void quota_scopes_immutable(const struct change *c)
{
    const json_t *now = vget(c->obj, "spec"), *before = vget(c->old, "spec");
    if (!json_equal(vget(now, "scopes"), vget(before, "scopes")) &&
        json_array_size(vget(now, "scopes")) + json_array_size(vget(before, "scopes")) > 0)
        v_invalid_go(c->errs, FIELD(NULL, "scopes"), scopes_text(vget(now, "scopes")), "field is immutable");
}

void quota_update(const struct change *c)
{
    const struct vpath *status = FIELD(NULL, "status");
    change_meta_update(c);
    if (strcmp(c->sub, "status") == 0) {
        amounts_check(c, FIELD(status, "hard"), jat(c->obj, "status.hard"));
        amounts_check(c, FIELD(status, "used"), jat(c->obj, "status.used"));
        return;
    }
    quota_spec_check(c);
    quota_scopes_immutable(c);
}

/* -- limit ranges -- */

/* Of two amounts, the smaller one's place and the message when it is the larger. */
static const struct order {
    const char *low, *high;
    const char *blamed, *shown; /* where it is reported, and whose value */
    const char *low_name, *high_name;
} orders[] = {
    {"min", "max", "min", "min", "min value", "max value"},
    {"min", "defaultRequest", "defaultRequest", "defaultRequest", "min value", "default request value"},
    {"defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value", "max value"},
    {"defaultRequest", "default", "defaultRequest", "defaultRequest", "default request value", "default limit value"},
    {"min", "default", "default", "min", "min value", "default value"},
    {"default", "max", "default", "max", "default value", "max value"},
};

static void order_check(const struct change *c, const struct vpath *p, const json_t *item, const char *name,
                        const struct order *o)
{
    const json_t *low = vget(vget(item, o->low), name), *high = vget(vget(item, o->high), name);
    struct quantity a = qty(low), b = qty(high);
    char low_text[QUANTITY_TEXT_LEN], high_text[QUANTITY_TEXT_LEN];
    if (low == NULL || high == NULL || quantity_cmp(&a, &b) <= 0)
        return;
    qty_text(low, low_text);
    qty_text(high, high_text);
    _auto_free_ char *why = xasprintf("%s %s is greater than %s %s", o->low_name, low_text, o->high_name, high_text);
    v_invalid_go(c->errs, KEY(FIELD(p, o->blamed), name), go_quantity_text(vget(vget(item, o->shown), name)), why);
}

static void ratio_check(const struct change *c, const struct vpath *p, const json_t *item, const char *name)
{
    const json_t *ratio = vget(vget(item, "maxLimitRequestRatio"), name);
    const json_t *min = vget(vget(item, "min"), name), *max = vget(vget(item, "max"), name);
    const struct vpath *at = KEY(FIELD(p, "maxLimitRequestRatio"), name);
    struct quantity r = qty(ratio), low = qty(min), high = qty(max);
    char text[QUANTITY_TEXT_LEN];
    if (ratio == NULL)
        return;
    qty_text(ratio, text);
    if (r.nano < 1000000000) {
        _auto_free_ char *why = xasprintf("ratio %s is less than 1", text);
        v_invalid_go(c->errs, at, go_quantity_text(ratio), why);
    }
    if (min == NULL || max == NULL || low.nano == 0)
        return;
    double most = (double)high.nano / (double)low.nano;
    if ((double)r.nano / 1e9 > most) {
        _auto_free_ char *why = xasprintf("ratio %s is greater than max/min = %f", text, most);
        v_invalid_go(c->errs, at, go_quantity_text(ratio), why);
    }
}

/* Names of the amounts in one map of the item; adds them to `all`. */
static void limit_names_check(const struct change *c, const struct vpath *p, const json_t *item, const char *member,
                              struct strlist *all)
{
    const char *type = vstr(item, "type");
    bool of_pods = strcmp(type, "Pod") == 0 || strcmp(type, "Container") == 0;
    _auto_strlist_ struct strlist names = {0};
    sorted_keys(vget(item, member), &names);
    for (size_t i = 0; i < names.len; i++) {
        const struct vpath *at = KEY(FIELD(p, member), names.items[i]);
        if (of_pods)
            v_container_resource_name(c->errs, at, names.items[i]);
        else
            v_resource_name(c->errs, at, names.items[i]);
        if (!strlist_has(all, names.items[i]))
            strlist_add(all, names.items[i]);
    }
}

static void limit_maps_check(const struct change *c, const struct vpath *p, const json_t *item, struct strlist *all)
{
    static const char *const filled[] = {"default", "defaultRequest"};
    bool pod = strcmp(vstr(item, "type"), "Pod") == 0;
    limit_names_check(c, p, item, "max", all);
    limit_names_check(c, p, item, "min", all);
    for (size_t i = 0; i < ARRAY_LEN(filled); i++) {
        if (!pod)
            limit_names_check(c, p, item, filled[i], all);
        else if (json_object_size(vget(item, filled[i])) > 0)
            v_forbidden(c->errs, FIELD(p, filled[i]), "may not be specified when `type` is 'Pod'");
    }
    if (strcmp(vstr(item, "type"), "PersistentVolumeClaim") == 0 && !vhas(vget(item, "min"), "storage") &&
        !vhas(vget(item, "max"), "storage"))
        v_required(c->errs, FIELD(p, "limits"),
                   "either minimum or maximum storage value is required, but neither was provided");
    limit_names_check(c, p, item, "maxLimitRequestRatio", all);
}

static void limit_type_check(const struct change *c, const struct vpath *p, const char *type)
{
    static const char *const standard[] = {"Pod", "Container", "PersistentVolumeClaim", NULL};
    struct msgs m = {0};
    rule_qualified(type, &m);
    for (size_t i = 0; i < m.len; i++)
        v_invalid(c->errs, p, type, m.text[i]);
    if (m.len == 0 && strchr(type, '/') == NULL && !one_of(type, standard))
        v_invalid(c->errs, p, type, "must be a standard limit type or fully qualified");
}

static void limit_check(const struct change *c, const struct vpath *p, const json_t *item, struct strlist *types)
{
    _auto_strlist_ struct strlist names = {0};
    const char *type = vstr(item, "type");
    limit_type_check(c, FIELD(p, "type"), type);
    if (strlist_has(types, type))
        v_duplicate(c->errs, FIELD(p, "type"), type);
    strlist_add(types, type);
    limit_maps_check(c, p, item, &names);
    strlist_sort(&names);
    for (size_t i = 0; i < names.len; i++) {
        for (size_t o = 0; o < ARRAY_LEN(orders); o++)
            order_check(c, p, item, names.items[i], &orders[o]);
        ratio_check(c, p, item, names.items[i]);
    }
}

void limitrange_create(const struct change *c)
{
    _auto_strlist_ struct strlist types = {0};
    const json_t *limits = jat(c->obj, "spec.limits");
    if (c->old != NULL)
        change_meta_update(c);
    else
        change_meta_create(c);
    for (size_t i = 0; i < json_array_size(limits); i++)
        limit_check(c, ITEM(FIELD(SPEC, "limits"), i), json_array_get(limits, i), &types);
}

void limitrange_update(const struct change *c)
{
    limitrange_create(c);
}

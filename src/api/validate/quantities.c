/* quantities.c - amounts: above zero, whole where they count things, and requests within limits.
 *
 * DESIGN: names of resources fall into few classes (standard for containers, huge pages, extended "vendor/thing");
 * tables say which. THREADS: pure functions. Source: pkg/apis/core/validation, pkg/apis/core/helper. */
#include "api/validate/validate_int.h"

static const char *const standard_resources[] = {"cpu",
                                                 "memory",
                                                 "ephemeral-storage",
                                                 "requests.cpu",
                                                 "requests.memory",
                                                 "requests.ephemeral-storage",
                                                 "limits.cpu",
                                                 "limits.memory",
                                                 "limits.ephemeral-storage",
                                                 "pods",
                                                 "resourcequotas",
                                                 "services",
                                                 "replicationcontrollers",
                                                 "secrets",
                                                 "configmaps",
                                                 "persistentvolumeclaims",
                                                 "storage",
                                                 "requests.storage",
                                                 "services.nodeports",
                                                 "services.loadbalancers",
                                                 NULL};
static const char *const container_resources[] = {"cpu", "memory", "ephemeral-storage", NULL};
static const char *const counted_resources[] = {
    "pods",       "resourcequotas",         "services",           "replicationcontrollers", "secrets",
    "configmaps", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers", NULL};

/* -- reading -- */

struct quantity qty(const json_t *value)
{
    struct quantity q = {0};
    if (json_is_string(value) && quantity_parse(json_string_value(value), &q) < 0)
        q = (struct quantity){0};
    if (json_is_integer(value)) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        (void)quantity_parse(text, &q);
    }
    return q;
}

void qty_text(const json_t *value, char out[QUANTITY_TEXT_LEN])
{
    struct quantity q = qty(value);
    if (!json_is_string(value) || quantity_text(json_string_value(value), false, out) < 0)
        quantity_format(&q, out);
}

bool qty_fractional(const json_t *value)
{
    enum { PER_UNIT = 1000000000, PER_MILLI = 1000000 };
    quantity_nano rest = qty(value).nano % PER_UNIT;
    return rest != 0 && rest <= PER_UNIT - PER_MILLI; /* less is rounded up to a whole unit */
}

/* -- amounts -- */

void v_qty_positive(struct field_errors *errs, const struct vpath *p, const json_t *value)
{
    char text[QUANTITY_TEXT_LEN];
    if (qty(value).nano > 0)
        return;
    qty_text(value, text);
    v_invalid(errs, p, text, "must be greater than zero");
}

void v_qty_nonnegative(struct field_errors *errs, const struct vpath *p, const json_t *value)
{
    char text[QUANTITY_TEXT_LEN];
    if (qty(value).nano >= 0)
        return;
    qty_text(value, text);
    v_invalid(errs, p, text, "must be greater than or equal to 0");
}

void v_qty_basic(struct field_errors *errs, const struct vpath *p, const json_t *value)
{
    struct quantity q = qty(value);
    int64_t units = quantity_value(&q);
    if (units < 0)
        v_invalid_int(errs, p, units, "must be a valid resource quantity");
}

/* -- names -- */

static bool is_huge_page(const char *name)
{
    return str_starts(name, "hugepages-");
}

static bool is_native(const char *name)
{
    return strchr(name, '/') == NULL || strstr(name, "kubernetes.io/") != NULL;
}

static bool is_extended(const char *name)
{
    if (is_native(name) || str_starts(name, "requests."))
        return false;
    _auto_free_ char *for_quota = xasprintf("requests.%s", name);
    return name_ok(for_quota, rule_qualified);
}

static bool may_overcommit(const char *name)
{
    return is_native(name) && !is_huge_page(name);
}

void v_qty_resource(struct field_errors *errs, const struct vpath *p, const char *resource, const json_t *value)
{
    v_qty_nonnegative(errs, p, value);
    if ((one_of(resource, counted_resources) || is_extended(resource)) && qty_fractional(value))
        v_invalid_go(errs, p, go_quantity_text(value), "must be an integer");
}

/* A resource name prints bare: its Go type has a String method. */
static void bad_name(struct field_errors *errs, const struct vpath *p, const char *name, const char *detail)
{
    v_invalid_go(errs, p, xstrdup(name), detail);
}

void v_resource_name(struct field_errors *errs, const struct vpath *p, const char *name)
{
    struct msgs m = {0};
    rule_qualified(name, &m);
    for (size_t i = 0; i < m.len; i++)
        bad_name(errs, p, name, m.text[i]);
    if (m.len == 0 && strchr(name, '/') == NULL && !one_of(name, standard_resources) && !is_huge_page(name) &&
        !str_starts(name, "requests.hugepages-"))
        bad_name(errs, p, name, "must be a standard resource type or fully qualified");
}

bool is_quota_resource(const char *name)
{
    return (one_of(name, standard_resources) && strcmp(name, "storage") != 0) || is_huge_page(name) ||
           str_starts(name, "requests.hugepages-");
}

void v_quota_resource_name(struct field_errors *errs, const struct vpath *p, const char *name)
{
    v_resource_name(errs, p, name);
    if (strchr(name, '/') == NULL && !is_quota_resource(name))
        bad_name(errs, p, name, "must be a standard resource for quota");
}

void v_container_resource_name(struct field_errors *errs, const struct vpath *p, const char *name)
{
    bool plain = strchr(name, '/') == NULL;
    v_resource_name(errs, p, name);
    if (plain && !one_of(name, container_resources) && !is_huge_page(name))
        bad_name(errs, p, name, "must be a standard resource for containers");
    if (!plain && !is_native(name) && !is_extended(name))
        bad_name(errs, p, name, "doesn't follow extended resource name standard");
}

/* -- requests and limits -- */

static void request_within_limit(struct field_errors *errs, const struct vpath *p, const char *name,
                                 const json_t *request, const json_t *limit)
{
    char request_text[QUANTITY_TEXT_LEN], limit_text[QUANTITY_TEXT_LEN];
    struct quantity a = qty(request), b = qty(limit);
    if (limit == NULL) {
        if (!may_overcommit(name))
            v_required(errs, FIELD(p, "limits"), "Limit must be set for non overcommitable resources");
        return;
    }
    int order = quantity_cmp(&a, &b);
    bool must_equal = !may_overcommit(name);
    if (order == 0 || (order < 0 && !must_equal))
        return;
    qty_text(request, request_text);
    qty_text(limit, limit_text);
    _auto_free_ char *detail =
        xasprintf(must_equal ? "must be equal to %s limit of %s" : "must be less than or equal to %s limit of %s", name,
                  limit_text);
    v_invalid(errs, FIELD(p, "requests"), request_text, detail);
}

struct resource_kinds {
    bool huge, cpu_or_memory;
};

static void note_kind(struct resource_kinds *kinds, const char *name)
{
    kinds->huge = kinds->huge || is_huge_page(name);
    kinds->cpu_or_memory = kinds->cpu_or_memory || strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0;
}

static void claims_check(struct field_errors *errs, const struct vpath *p, const json_t *claims,
                         const json_t *pod_claims)
{
    size_t i, j;
    json_t *claim, *known;
    json_array_foreach(claims, i, claim)
    {
        const char *name = vstr(claim, "name");
        bool found = false;
        json_array_foreach(pod_claims, j, known) found = found || strcmp(vstr(known, "name"), name) == 0;
        if (name[0] == '\0')
            v_required(errs, FIELD(ITEM(p, i), "name"), NULL);
        else if (!found)
            v_not_found(errs, ITEM(p, i), name);
    }
}

void v_container_resources(struct field_errors *errs, const struct vpath *p, const json_t *resources,
                           const json_t *pod_claims)
{
    static const char *const maps[] = {"limits", "requests"};
    struct resource_kinds kinds = {0};
    const json_t *limits = vget(resources, "limits");
    for (size_t m = 0; m < ARRAY_LEN(maps); m++) {
        _auto_strlist_ struct strlist names = {0};
        const json_t *map = vget(resources, maps[m]);
        const struct vpath *at = FIELD(p, maps[m]);
        sorted_keys(map, &names);
        for (size_t i = 0; i < names.len; i++) {
            const char *name = names.items[i];
            v_container_resource_name(errs, KEY(at, name), name);
            v_qty_resource(errs, KEY(at, name), name, vget(map, name));
            if (m == 1)
                request_within_limit(errs, p, name, vget(map, name), vget(limits, name));
            note_kind(&kinds, name);
        }
    }
    if (kinds.huge && !kinds.cpu_or_memory)
        v_forbidden(errs, p, "HugePages require cpu or memory");
    claims_check(errs, FIELD(p, "claims"), vget(resources, "claims"), pod_claims);
}

/* service.c - services: ports, types and their demands, addresses that stay once given.
 *
 * DESIGN: what only the allocators know (is this address in range, is that node port free) is not checked here.
 * THREADS: pure functions. Source: pkg/apis/core/validation. */
#include "api/validate/kinds_int.h"

#define SPEC FIELD(NULL, "spec")

static const char *const service_types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort", NULL};
static const char *const traffic_policies[] = {"Cluster", "Local", NULL};

static bool is_headless(const json_t *spec)
{
    const json_t *ips = vget(spec, "clusterIPs");
    return json_array_size(ips) == 1 && strcmp(vitem(ips, 0), "None") == 0;
}

static bool is_type(const json_t *spec, const char *type)
{
    return strcmp(vstr(spec, "type"), type) == 0;
}

/* -- ports -- */

static void port_check(const struct change *c, const struct vpath *p, const json_t *port, bool need_name,
                       struct strlist *names)
{
    const char *name = vstr(port, "name");
    if (need_name && name[0] == '\0') {
        v_required(c->errs, FIELD(p, "name"), NULL);
    } else if (name[0] != '\0') {
        v_name(c->errs, FIELD(p, "name"), name, rule_label);
        if (strlist_has(names, name))
            v_duplicate(c->errs, FIELD(p, "name"), name);
        strlist_add(names, name);
    }
    v_port(c->errs, FIELD(p, "port"), vint(port, "port"));
    v_protocol(c->errs, FIELD(p, "protocol"), vstr(port, "protocol"));
    v_port_or_name(c->errs, FIELD(p, "targetPort"), vget(port, "targetPort"));
    if (vhas(port, "appProtocol"))
        v_name(c->errs, FIELD(p, "appProtocol"), vstr(port, "appProtocol"), rule_qualified);
}

static void ports_check(const struct change *c, const json_t *spec, const struct vpath *p)
{
    _auto_strlist_ struct strlist names = {0};
    const json_t *ports = vget(spec, "ports");
    size_t i;
    json_t *port;
    json_array_foreach(ports, i, port) port_check(c, ITEM(p, i), port, json_array_size(ports) > 1, &names);
}

/* Has an earlier port the same protocol and the same `number`? */
static bool repeats(const json_t *ports, size_t i, const char *number)
{
    const json_t *port = json_array_get(ports, i);
    for (size_t j = 0; j < i; j++) {
        const json_t *other = json_array_get(ports, j);
        if (vint(port, number) == vint(other, number) && strcmp(vstr(port, "protocol"), vstr(other, "protocol")) == 0)
            return true;
    }
    return false;
}

static void port_conflicts_check(const struct change *c, const json_t *spec, const struct vpath *p)
{
    const json_t *ports = vget(spec, "ports");
    size_t i;
    json_t *port;
    json_array_foreach(ports, i, port)
    {
        if (is_type(spec, "ClusterIP") && vint(port, "nodePort") != 0)
            v_forbidden(c->errs, FIELD(ITEM(p, i), "nodePort"), "may not be used when `type` is 'ClusterIP'");
    }
    json_array_foreach(ports, i, port)
    {
        if (vint(port, "nodePort") == 0 || !repeats(ports, i, "nodePort"))
            continue;
        _auto_free_ char *at = vpath_text(FIELD(ITEM(p, i), "nodePort"));
        _auto_free_ char *value = xasprintf("%lld", (long long)vint(port, "nodePort"));
        fe_add(c->errs, FE_DUPLICATE, at, value, NULL);
    }
    json_array_foreach(ports, i, port)
    {
        if (!repeats(ports, i, "port"))
            continue;
        _auto_json_ json_t *pair =
            json_pack("{s:s, s:I}", "protocol", vstr(port, "protocol"), "port", (json_int_t)vint(port, "port"));
        _auto_free_ char *at = vpath_text(ITEM(p, i));
        _auto_free_ char *value = go_struct_text("core.v1.ServicePort", pair);
        fe_add(c->errs, FE_DUPLICATE, at, value, NULL);
    }
}

/* -- types -- */

static void exposed_check(const struct change *c, const json_t *spec, const char *kind)
{
    if (!is_headless(spec))
        return;
    _auto_free_ char *detail = xasprintf("may not be set to 'None' for %s services", kind);
    v_invalid(c->errs, ITEM(FIELD(SPEC, "clusterIPs"), 0), "None", detail);
}

static void external_name_check(const struct change *c, const json_t *spec)
{
    static const char *const unset[] = {"clusterIPs", "ipFamilies", "ipFamilyPolicy"};
    static const char detail[] = "may not be set for ExternalName services";
    const char *name = vstr(spec, "externalName");
    _auto_free_ char *bare = xstrndup(name, strlen(name) - (str_ends(name, ".") ? 1 : 0));
    for (size_t i = 0; i < ARRAY_LEN(unset); i++) {
        const json_t *v = vget(spec, unset[i]);
        if (v != NULL && (!json_is_array(v) || json_array_size(v) > 0))
            v_forbidden(c->errs, FIELD(SPEC, unset[i]), detail);
    }
    if (bare[0] == '\0')
        v_required(c->errs, FIELD(SPEC, "externalName"), NULL);
    else
        v_name(c->errs, FIELD(SPEC, "externalName"), bare, rule_subdomain);
}

static void type_check(const struct change *c, const json_t *spec)
{
    if (json_array_size(vget(spec, "ports")) == 0 && !is_headless(spec) && !is_type(spec, "ExternalName"))
        v_required(c->errs, FIELD(SPEC, "ports"), NULL);
    if (is_type(spec, "LoadBalancer") || is_type(spec, "NodePort"))
        exposed_check(c, spec, vstr(spec, "type"));
    else if (is_type(spec, "ExternalName"))
        external_name_check(c, spec);
}

/* -- addresses -- */

static void families_check(const struct change *c, const json_t *spec)
{
    static const char *const families[] = {"IPv4", "IPv6", NULL};
    static const char *const policies[] = {"PreferDualStack", "RequireDualStack", "SingleStack", NULL};
    _auto_strlist_ struct strlist seen = {0};
    const json_t *list = vget(spec, "ipFamilies");
    const struct vpath *p = FIELD(SPEC, "ipFamilies");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!one_of(vitem(list, i), families))
            v_unsupported(c->errs, ITEM(p, i), vitem(list, i), families);
        if (strlist_has(&seen, vitem(list, i)))
            v_duplicate(c->errs, ITEM(p, i), vitem(list, i));
        strlist_add(&seen, vitem(list, i));
    }
    v_choice_opt(c->errs, SPEC, spec, "ipFamilyPolicy", policies);
}

static void cluster_ips_check(const struct change *c, const json_t *spec)
{
    const json_t *ips = vget(spec, "clusterIPs");
    const struct vpath *p = FIELD(SPEC, "clusterIPs");
    const char *ip = vstr(spec, "clusterIP");
    size_t n = json_array_size(ips);
    if (is_type(spec, "ExternalName"))
        return;
    if (ip[0] != '\0' && n == 0)
        v_required(c->errs, p, NULL);
    else if (ip[0] != '\0' && strcmp(vitem(ips, 0), ip) != 0)
        v_invalid_go(c->errs, p, go_list_text("string", ips), "first value must match `clusterIP`");
    else if (ip[0] == '\0' && n != 0)
        v_invalid_go(c->errs, p, go_list_text("string", ips), "must be empty when `clusterIP` is not specified");
    families_check(c, spec);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 && strcmp(vitem(ips, i), "None") == 0) {
            if (n > 1)
                v_invalid_go(c->errs, p, go_list_text("string", ips), "'None' must be the first and only value");
            continue;
        }
        v_ip(c->errs, ITEM(p, i), vitem(ips, i));
    }
    if (n > 2)
        v_invalid_go(c->errs, p, go_list_text("string", ips), "may only hold up to 2 values");
}

static void external_ips_check(const struct change *c, const json_t *spec)
{
    const json_t *ips = vget(spec, "externalIPs");
    const struct vpath *p = FIELD(SPEC, "externalIPs");
    for (size_t i = 0; i < json_array_size(ips); i++) {
        if (v_ip(c->errs, ITEM(p, i), vitem(ips, i)))
            v_ip_not_special(c->errs, ITEM(p, i), vitem(ips, i));
    }
}

/* -- sessions and traffic -- */

static void affinity_check(const struct change *c, const json_t *spec)
{
    enum { DAY = 86400 };
    static const char *const kinds[] = {"ClientIP", "None", NULL};
    const char *kind = vstr(spec, "sessionAffinity");
    const json_t *config = vget(spec, "sessionAffinityConfig"), *client = vget(config, "clientIP");
    const struct vpath *p = FIELD(SPEC, "sessionAffinityConfig");
    v_choice(c->errs, FIELD(SPEC, "sessionAffinity"), kind, kinds);
    if (strcmp(kind, "None") == 0 && config != NULL)
        v_forbidden(c->errs, p, "must not be set when session affinity is None");
    if (strcmp(kind, "ClientIP") != 0)
        return;
    const struct vpath *client_at = FIELD(p, "clientIP");
    int64_t seconds = vint(client, "timeoutSeconds");
    if (config == NULL || client == NULL || !vhas(client, "timeoutSeconds")) {
        _auto_free_ char *detail = xasprintf("when session affinity type is %s", kind);
        v_required(c->errs,
                   config == NULL   ? p
                   : client == NULL ? client_at
                                    : FIELD(client_at, "timeoutSeconds"),
                   detail);
    } else if (seconds <= 0 || seconds > DAY) {
        v_invalid_int(c->errs, FIELD(client_at, "timeoutSeconds"), seconds,
                      "must be greater than 0 and less than 86400");
    }
}

static bool is_external(const json_t *spec)
{
    return is_type(spec, "LoadBalancer") || is_type(spec, "NodePort") ||
           (is_type(spec, "ClusterIP") && json_array_size(vget(spec, "externalIPs")) > 0);
}

static bool needs_health_check(const json_t *spec)
{
    return is_type(spec, "LoadBalancer") && strcmp(vstr(spec, "externalTrafficPolicy"), "Local") == 0;
}

static void traffic_check(const struct change *c, const json_t *spec)
{
    static const char *const distributions[] = {"PreferClose", NULL};
    const char *policy = vstr(spec, "externalTrafficPolicy");
    const struct vpath *p = FIELD(SPEC, "externalTrafficPolicy"), *health_at = FIELD(SPEC, "healthCheckNodePort");
    int64_t health = vint(spec, "healthCheckNodePort");
    if (!is_external(spec) && policy[0] != '\0')
        v_invalid(c->errs, p, policy, "may only be set for externally-accessible services");
    else if (is_external(spec))
        v_choice(c->errs, p, policy, traffic_policies);
    if (health != 0 && needs_health_check(spec))
        v_port(c->errs, health_at, health);
    else if (health != 0)
        v_invalid_int(c->errs, health_at, health,
                      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    v_choice_opt(c->errs, SPEC, spec, "internalTrafficPolicy", traffic_policies);
    v_choice_opt(c->errs, SPEC, spec, "trafficDistribution", distributions);
}

/* -- load balancers -- */

#define BALANCER_ONLY "may only be used when `type` is 'LoadBalancer'"

static char *trimmed(const char *s)
{
    s += strspn(s, " \t");
    size_t n = strlen(s);
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
        n--;
    return xstrndup(s, n);
}

/* The ranges once stood in an annotation; both forms may be padded. */
static void source_ranges_check(const struct change *c, const json_t *spec)
{
    static const char annotation[] = "service.beta.kubernetes.io/load-balancer-source-ranges";
    const json_t *ranges = vget(spec, "loadBalancerSourceRanges");
    const char *text = jmap(c->obj, "metadata.annotations", annotation);
    const struct vpath *p = FIELD(SPEC, "LoadBalancerSourceRanges");
    const struct vpath *annotation_at = KEY(FIELD(FIELD(NULL, "metadata"), "annotations"), annotation);
    _auto_strlist_ struct strlist parts = {0};
    bool listed = json_array_size(ranges) > 0;
    for (size_t i = 0; i < json_array_size(ranges); i++)
        strlist_add(&parts, vitem(ranges, i));
    if (!listed && text != NULL && text[strspn(text, " \t")] != '\0')
        strlist_split(&parts, text, ',');
    if ((listed || text != NULL) && !is_type(spec, "LoadBalancer"))
        v_forbidden(c->errs, listed ? p : annotation_at, BALANCER_ONLY);
    for (size_t i = 0; i < parts.len; i++) {
        _auto_free_ char *range = trimmed(parts.items[i]);
        v_cidr(c->errs, listed ? ITEM(p, i) : annotation_at, range);
    }
}

static void balancer_check(const struct change *c, const json_t *spec)
{
    bool balancer = is_type(spec, "LoadBalancer");
    const struct vpath *class_at = FIELD(SPEC, "loadBalancerClass");
    source_ranges_check(c, spec);
    if (!balancer && vhas(spec, "allocateLoadBalancerNodePorts"))
        v_forbidden(c->errs, FIELD(SPEC, "allocateLoadBalancerNodePorts"), BALANCER_ONLY);
    if (!balancer && vhas(spec, "loadBalancerClass"))
        v_forbidden(c->errs, class_at, BALANCER_ONLY);
    else if (vhas(spec, "loadBalancerClass"))
        v_name(c->errs, class_at, vstr(spec, "loadBalancerClass"), rule_qualified);
}

/* Two annotations say the same thing. */
static void topology_check(const struct change *c)
{
    static const char hints[] = "service.kubernetes.io/topology-aware-hints";
    static const char mode[] = "service.kubernetes.io/topology-mode";
    const char *a = jmap(c->obj, "metadata.annotations", hints), *b = jmap(c->obj, "metadata.annotations", mode);
    if (a == NULL || b == NULL || strcmp(a, b) == 0)
        return;
    _auto_free_ char *detail = xasprintf("must match annotations[%s] when both are specified", hints);
    v_invalid(c->errs, KEY(FIELD(FIELD(NULL, "metadata"), "annotations"), mode), b, detail);
}

void service_create(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec");
    change_meta_create(c);
    topology_check(c);
    type_check(c, spec);
    ports_check(c, spec, FIELD(SPEC, "ports"));
    v_labels(c->errs, FIELD(SPEC, "selector"), vget(spec, "selector"));
    affinity_check(c, spec);
    cluster_ips_check(c, spec);
    external_ips_check(c, spec);
    v_choice(c->errs, FIELD(SPEC, "type"), vstr(spec, "type"), service_types);
    port_conflicts_check(c, spec, FIELD(SPEC, "ports"));
    balancer_check(c, spec);
    if (one_of(vstr(spec, "type"), service_types))
        traffic_check(c, spec);
}

/* -- update -- */

/* The list may grow or shrink at its end; what it begins with stays. */
static void kept_check(const struct change *c, const char *member)
{
    const json_t *now = vget(vget(c->obj, "spec"), member), *before = vget(vget(c->old, "spec"), member);
    const struct vpath *p = FIELD(SPEC, member);
    size_t n = json_array_size(now), old_n = json_array_size(before);
    if (old_n > 0 && n == 0) {
        v_invalid_go(c->errs, ITEM(p, 0), go_list_text("string", now),
                     strcmp(member, "clusterIPs") == 0 ? "primary clusterIP can not be unset"
                                                       : "primary ipFamily can not be unset");
        return;
    }
    for (size_t i = 0; i < n && i < old_n && (i == 0 || n == old_n); i++) {
        if (strcmp(vitem(now, i), vitem(before, i)) != 0)
            v_invalid_go(c->errs, ITEM(p, i), go_list_text("string", now), "may not change once set");
    }
}

static void balancer_update_check(const struct change *c, const json_t *now, const json_t *before)
{
    const char *class = vstr(now, "loadBalancerClass");
    if (is_type(now, "LoadBalancer") && is_type(before, "LoadBalancer") &&
        strcmp(class, vstr(before, "loadBalancerClass")) != 0) {
        _auto_buf_ struct buf quoted = BUF_INIT;
        buf_add_quoted(&quoted, class, strlen(class));
        v_invalid_go(c->errs, FIELD(SPEC, "loadBalancerClass"),
                     vhas(now, "loadBalancerClass") ? buf_steal(&quoted, NULL) : NULL, "may not change once set");
    }
    if (needs_health_check(now) && needs_health_check(before) &&
        vint(now, "healthCheckNodePort") != vint(before, "healthCheckNodePort"))
        v_forbidden(c->errs, FIELD(SPEC, "healthCheckNodePort"), "field is immutable");
}

void service_update(const struct change *c)
{
    const json_t *now = vget(c->obj, "spec"), *before = vget(c->old, "spec");
    change_meta_update(c);
    if (strcmp(c->sub, "status") == 0)
        return;
    bool named = is_type(now, "ExternalName") || is_type(before, "ExternalName");
    if (!named && !(is_headless(now) && is_headless(before))) {
        kept_check(c, "clusterIPs");
        kept_check(c, "ipFamilies");
    }
    balancer_update_check(c, now, before);
    service_create(c);
}

/* pod.c - the pod as a whole: its spec in the real server's order, creation, and templates of it.
 *
 * DESIGN: a struct pod_rules carries what the parts need of each other (which volumes exist). Workloads check their
 * template through the same functions, without the pod's metadata. Updates are pod_update.c.
 * THREADS: pure functions. */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

static void dns_servers_check(struct pod_rules *r, const struct vpath *p, const json_t *servers)
{
    enum { MAX_SERVERS = 3 };
    if (json_array_size(servers) > MAX_SERVERS)
        v_invalid_go(r->errs, p, go_list_text("string", servers), "must not have more than 3 nameservers");
    for (size_t i = 0; i < json_array_size(servers); i++)
        v_ip(r->errs, ITEM(p, i), vitem(servers, i));
}

static void dns_searches_check(struct pod_rules *r, const struct vpath *p, const json_t *searches)
{
    enum { MAX_SEARCHES = 32, MAX_TEXT = 2048 };
    size_t text = 0;
    for (size_t i = 0; i < json_array_size(searches); i++)
        text += strlen(vitem(searches, i)) + (i > 0);
    if (json_array_size(searches) > MAX_SEARCHES)
        v_invalid_go(r->errs, p, go_list_text("string", searches), "must not have more than 32 search paths");
    if (text > MAX_TEXT)
        v_invalid_go(r->errs, p, go_list_text("string", searches),
                     "must not have more than 2048 characters (including spaces) in the search list");
    for (size_t i = 0; i < json_array_size(searches); i++) {
        const char *search = vitem(searches, i);
        _auto_free_ char *bare = xstrndup(search, strlen(search) - (str_ends(search, ".") ? 1 : 0));
        v_name(r->errs, ITEM(p, i), bare, rule_subdomain);
    }
}

static void dns_config_check(struct pod_rules *r, const struct vpath *p)
{
    const json_t *config = vget(r->spec, "dnsConfig"), *servers = vget(config, "nameservers");
    const struct vpath *options_at = FIELD(p, "options");
    size_t i;
    json_t *option;
    if (strcmp(vstr(r->spec, "dnsPolicy"), "None") == 0 && json_array_size(servers) == 0) {
        if (config == NULL)
            v_required(r->errs, p, "must provide `dnsConfig` when `dnsPolicy` is None");
        else
            v_required(r->errs, FIELD(p, "nameservers"),
                       "must provide at least one DNS nameserver when `dnsPolicy` is None");
        return;
    }
    dns_servers_check(r, FIELD(p, "nameservers"), servers);
    dns_searches_check(r, FIELD(p, "searches"), vget(config, "searches"));
    json_array_foreach(vget(config, "options"), i, option)
    {
        if (vstr(option, "name")[0] == '\0')
            v_required(r->errs, ITEM(options_at, i), "must not be empty");
    }
}

static void gates_check(struct pod_rules *r, const struct vpath *p)
{
    _auto_strlist_ struct strlist seen = {0};
    const struct vpath *ready_at = FIELD(p, "readinessGates"), *sched_at = FIELD(p, "schedulingGates");
    size_t i;
    json_t *gate;
    json_array_foreach(vget(r->spec, "readinessGates"), i, gate)
        v_name(r->errs, FIELD(ITEM(ready_at, i), "conditionType"), vstr(gate, "conditionType"), rule_qualified);
    json_array_foreach(vget(r->spec, "schedulingGates"), i, gate)
    {
        v_name(r->errs, ITEM(sched_at, i), vstr(gate, "name"), rule_qualified);
        if (strlist_has(&seen, vstr(gate, "name")))
            v_duplicate(r->errs, ITEM(sched_at, i), vstr(gate, "name"));
        strlist_add(&seen, vstr(gate, "name"));
    }
}

static void host_aliases_check(struct pod_rules *r, const struct vpath *p)
{
    size_t i;
    json_t *alias;
    json_array_foreach(vget(r->spec, "hostAliases"), i, alias)
    {
        const struct vpath *at = ITEM(p, i), *names_at = FIELD(at, "hostnames");
        const json_t *names = vget(alias, "hostnames");
        v_ip(r->errs, FIELD(at, "ip"), vstr(alias, "ip"));
        for (size_t k = 0; k < json_array_size(names); k++)
            v_name(r->errs, ITEM(names_at, k), vitem(names, k), rule_subdomain);
    }
}

/* Single names and numbers of the spec; an empty one is not set. */
static void names_check(struct pod_rules *r, const struct vpath *p)
{
    static const struct {
        const char *member;
        name_rule *rule;
    } rows[] = {
        {"serviceAccountName", rule_subdomain},
        {"nodeName", rule_subdomain},
        {"activeDeadlineSeconds", NULL},
        {"hostname", rule_label},
        {"subdomain", rule_label},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct vpath *at = FIELD(p, rows[i].member);
        if (rows[i].rule == NULL && vhas(r->spec, rows[i].member))
            v_range(r->errs, at, vint(r->spec, rows[i].member), 1, INT32_MAX);
        else if (rows[i].rule != NULL && vstr(r->spec, rows[i].member)[0] != '\0')
            v_name(r->errs, at, vstr(r->spec, rows[i].member), rows[i].rule);
    }
}

static void late_names_check(struct pod_rules *r, const struct vpath *p)
{
    static const char *const preemption[] = {"PreemptLowerPriority", "Never", NULL};
    static const char *const systems[] = {"linux", "windows", NULL};
    const json_t *overhead = vget(r->spec, "overhead");
    if (vstr(r->spec, "priorityClassName")[0] != '\0')
        v_name(r->errs, FIELD(p, "priorityClassName"), vstr(r->spec, "priorityClassName"), rule_subdomain);
    if (vhas(r->spec, "runtimeClassName"))
        v_name(r->errs, FIELD(p, "runtimeClassName"), vstr(r->spec, "runtimeClassName"), rule_subdomain);
    if (vhas(r->spec, "preemptionPolicy"))
        v_choice(r->errs, FIELD(p, "preemptionPolicy"), vstr(r->spec, "preemptionPolicy"), preemption);
    if (overhead != NULL) {
        _auto_json_ json_t *limits = json_pack("{s:O}", "limits", overhead);
        v_container_resources(r->errs, FIELD(p, "overhead"), limits, NULL);
    }
    if (vhas(r->spec, "os"))
        v_choice(r->errs, FIELD(FIELD(p, "os"), "name"), vstr(vget(r->spec, "os"), "name"), systems);
}

void pod_spec_check(struct pod_rules *r, const struct vpath *p)
{
    static const char *const restart_policies[] = {"Always", "OnFailure", "Never", NULL};
    static const char *const dns_policies[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None", NULL};
    pod_volumes_check(r, FIELD(p, "volumes"));
    pod_containers_check(r, p);
    v_host_network(r, p);
    v_choice(r->errs, FIELD(p, "restartPolicy"), vstr(r->spec, "restartPolicy"), restart_policies);
    v_choice(r->errs, FIELD(p, "dnsPolicy"), vstr(r->spec, "dnsPolicy"), dns_policies);
    v_labels(r->errs, FIELD(p, "nodeSelector"), vget(r->spec, "nodeSelector"));
    v_pod_security(r, p);
    v_affinity(r->errs, FIELD(p, "affinity"), vget(r->spec, "affinity"));
    dns_config_check(r, FIELD(p, "dnsConfig"));
    gates_check(r, p);
    v_topology_spread(r->errs, FIELD(p, "topologySpreadConstraints"), vget(r->spec, "topologySpreadConstraints"));
    v_host_users(r, p);
    names_check(r, p);
    v_tolerations(r->errs, FIELD(p, "tolerations"), vget(r->spec, "tolerations"));
    host_aliases_check(r, FIELD(p, "hostAliases"));
    late_names_check(r, p);
}

/* -- templates -- */

void v_pod_template(struct field_errors *errs, const struct vpath *p, const json_t *template_)
{
    const json_t *meta = vget(template_, "metadata");
    const struct vpath *spec_at = FIELD(p, "spec");
    _cleanup_(pod_rules_release) struct pod_rules r = {.spec = vget(template_, "spec"), .errs = errs};
    v_labels(errs, FIELD(p, "labels"), vget(meta, "labels"));
    v_annotations(errs, FIELD(p, "annotations"), vget(meta, "annotations"));
    pod_spec_check(&r, spec_at);
    if (json_array_size(vget(r.spec, "ephemeralContainers")) > 0)
        v_forbidden(errs, FIELD(spec_at, "ephemeralContainers"), "ephemeral containers not allowed in pod template");
}

/* -- pods -- */

/* Tokens need an account. */
static void tokens_check(struct pod_rules *r, const struct vpath *p)
{
    const struct vpath *volumes = FIELD(p, "volumes");
    size_t i, j;
    json_t *volume, *source;
    if (vstr(r->spec, "serviceAccountName")[0] != '\0')
        return;
    json_array_foreach(vget(r->spec, "volumes"), i, volume)
    {
        const struct vpath *sources = FIELD(FIELD(ITEM(volumes, i), "projected"), "sources");
        json_array_foreach(vget(vget(volume, "projected"), "sources"), j, source)
        {
            if (vhas(source, "serviceAccountToken"))
                v_forbidden(r->errs, FIELD(ITEM(sources, j), "serviceAccountToken"),
                            "must not be specified when serviceAccountName is not set");
        }
    }
}

/* Metadata and spec, of a new pod and of a changed one. */
void pod_check(const struct change *c)
{
    const struct vpath *p = FIELD(NULL, "spec");
    _cleanup_(pod_rules_release) struct pod_rules r = {
        .meta = vget(c->obj, "metadata"), .spec = vget(c->obj, "spec"), .errs = c->errs};
    change_meta_create(c);
    pod_spec_check(&r, p);
    tokens_check(&r, p);
    pod_images_check(&r, p);
}

void pod_create(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec");
    const struct vpath *p = FIELD(NULL, "spec");
    pod_check(c);
    if (json_array_size(vget(spec, "ephemeralContainers")) > 0)
        v_forbidden(c->errs, FIELD(p, "ephemeralContainers"), "cannot be set on create");
    if (vstr(spec, "nodeName")[0] != '\0' && json_array_size(vget(spec, "schedulingGates")) > 0)
        v_forbidden(c->errs, FIELD(p, "nodeName"), "cannot be set until all schedulingGates have been cleared");
}

/* rbac.c - `create role`, `clusterrole`, `rolebinding`, `clusterrolebinding`. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/create/creating.h"

#include <string.h>

#define RBAC "rbac.authorization.k8s.io"

static void warn_verbs(struct call *c)
{
    static const char *const standard[] = {
        "get", "delete", "list",     "create",      "update",  "patch", "watch",  "proxy", "deletecollection",
        "use", "bind",   "escalate", "impersonate", "approve", "sign",  "attest", "*"};
    const struct strlist *verbs = call_list(c, "verb");
    for (size_t i = 0; i < verbs->len; i++) {
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(standard); k++)
            known |= str_eq(standard[k], verbs->items[i]);
        if (!known)
            fprintf(c->k->err, "Warning: '%s' is not a standard resource verb\n", verbs->items[i]);
    }
}

static json_t *verbs_of(struct call *c)
{
    if (strlist_has(call_list(c, "verb"), "*"))
        return json_pack("[s]", "*");
    json_t *verbs = json_array();
    for (size_t i = 0; i < call_list(c, "verb")->len; i++)
        jarr_add_unique(verbs, call_list(c, "verb")->items[i]);
    return verbs;
}

/* The rule of a group; made when there is none yet. */
static json_t *rule_of(struct call *c, json_t *rules, const char *group)
{
    size_t i;
    json_t *rule;
    json_array_foreach(rules, i, rule) if (jarr_has(rule, "apiGroups", group)) return rule;
    rule = json_pack("{s:[s],s:[],s:o}", "apiGroups", group, "resources", "verbs", verbs_of(c));
    if (call_list(c, "resource-name")->len)
        json_object_set_new(rule, "resourceNames", creating_list(call_list(c, "resource-name")));
    json_array_append_new(rules, rule);
    return rule;
}

/* "pods", "deployments.apps", "pods/log". -1: told. */
static int add_resource(struct call *c, json_t *rules, const char *text)
{
    const char *slash = strchr(text, '/');
    _auto_free_ char *word = slash ? xstrndup(text, (size_t)(slash - text)) : xstrdup(text);
    struct err e = ERR_INIT;
    if (str_eq(word, "*")) {
        jarr_add_unique(jat(rule_of(c, rules, ""), "resources"), "*");
        return 0;
    }
    const struct kinds *all = call_kinds(c, &e);
    const struct kind *k = all ? kinds_find(all, word) : NULL;
    if (!all)
        return call_error(c, &e), -1;
    if (!k) {
        fprintf(c->k->err, "the server doesn't have a resource type \"%s\"\n", word);
        c->code = 1;
        return -1;
    }
    _auto_free_ char *name = xasprintf("%s%s", k->plural, slash ? slash : "");
    jarr_add_unique(jat(rule_of(c, rules, k->group), "resources"), name);
    return 0;
}

static int put_rules(struct call *c, json_t *o)
{
    json_t *rules = jmake_arr(o, "rules");
    const struct strlist *resources = call_list(c, "resource");
    for (size_t i = 0; i < resources->len; i++)
        if (add_resource(c, rules, resources->items[i]) < 0)
            return -1;
    return 0;
}

static int check_rules(struct call *c, bool other)
{
    if (call_list(c, "verb")->len == 0)
        return call_fail(c, "at least one verb must be specified");
    if (call_list(c, "resource")->len == 0 && !other)
        return call_fail(c, "at least one resource must be specified");
    warn_verbs(c);
    return 0;
}

static int role_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name || check_rules(c, false) != 0)
        return c->code;
    json_t *o = creating_object(c, RBAC "/v1", "Role", name);
    if (put_rules(c, o) < 0) {
        json_decref(o);
        return c->code;
    }
    return creating_send(c, o, "roles", true, "failed to create role: ");
}

#define FLAGS_RULES                                                                                                    \
    {"verb", 0, FLAG_LIST, NULL, "What may be done"}, {"resource", 0, FLAG_LIST, NULL, "With what"},                   \
    {                                                                                                                  \
        "resource-name", 0, FLAG_ARRAY, NULL, "With these only"                                                        \
    }

static const struct kubectl_flag role_flags[] = {FLAGS_CREATE, FLAGS_RULES, {0}};

const struct kubectl_verb kubectl_create_role = {
    .name = "role",
    .summary = "Create a role with single rule",
    .usage = "NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] "
             "[--dry-run=server|client|none] [options]",
    .flags = role_flags,
    .takes = TAKES_NAME,
    .run = role_run,
};

static void put_aggregation(struct call *c, json_t *o)
{
    const struct strlist *labels = call_list(c, "aggregation-rule");
    json_t *selector = json_object();
    for (size_t i = 0; i < labels->len; i++) {
        const char *equal = strchr(labels->items[i], '=');
        _auto_free_ char *key = xstrndup(labels->items[i], strcspn(labels->items[i], "="));
        jset_map(selector, "matchLabels", key, equal ? equal + 1 : "");
    }
    jset(o, "aggregationRule.clusterRoleSelectors", json_pack("[o]", selector));
    jset(o, "rules", json_null());
}

static int clusterrole_run(struct call *c)
{
    const char *name = creating_name(c);
    const struct strlist *urls = call_list(c, "non-resource-url");
    const bool aggregated = call_list(c, "aggregation-rule")->len;
    if (!name || (!aggregated && check_rules(c, urls->len) != 0))
        return c->code;
    json_t *o = creating_object(c, RBAC "/v1", "ClusterRole", name);
    if (aggregated) {
        put_aggregation(c, o);
    } else if (put_rules(c, o) < 0) {
        json_decref(o);
        return c->code;
    }
    if (urls->len)
        json_array_append_new(jmake_arr(o, "rules"),
                              json_pack("{s:o,s:o}", "nonResourceURLs", creating_list(urls), "verbs", verbs_of(c)));
    return creating_send(c, o, "clusterroles", false, "failed to create clusterrole: ");
}

static const struct kubectl_flag clusterrole_flags[] = {
    FLAGS_CREATE,
    FLAGS_RULES,
    {"non-resource-url", 0, FLAG_LIST, NULL, "Paths of the API that are no resources"},
    {"aggregation-rule", 0, FLAG_LIST, NULL, "Labels of the cluster roles it is made of"},
    {0},
};

const struct kubectl_verb kubectl_create_clusterrole = {
    .name = "clusterrole",
    .summary = "Create a cluster role",
    .usage = "NAME --verb=verb --resource=resource.group [--resource-name=resourcename] "
             "[--dry-run=server|client|none] [options]",
    .flags = clusterrole_flags,
    .takes = TAKES_NAME,
    .run = clusterrole_run,
};

/* ---- bindings ---- */

/* "ns:name" of a service account. -1: told. */
static int add_account(struct call *c, json_t *subjects, const char *text)
{
    const char *colon = strchr(text, ':');
    if (!colon || colon == text || !colon[1])
        return call_fail(c, "serviceaccount must be <namespace>:<name>"), -1;
    _auto_free_ char *ns = xstrndup(text, (size_t)(colon - text));
    json_array_append_new(subjects,
                          json_pack("{s:s,s:s,s:s}", "kind", "ServiceAccount", "name", colon + 1, "namespace", ns));
    return 0;
}

static int put_subjects(struct call *c, json_t *o)
{
    static const char *const others[][2] = {{"user", "User"}, {"group", "Group"}};
    json_t *subjects = json_array();
    jset(o, "subjects", subjects);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        for (size_t k = 0; k < call_list(c, others[i][0])->len; k++)
            json_array_append_new(subjects, json_pack("{s:s,s:s,s:s}", "apiGroup", RBAC, "kind", others[i][1], "name",
                                                      call_list(c, others[i][0])->items[k]));
    for (size_t i = 0; i < call_list(c, "serviceaccount")->len; i++)
        if (add_account(c, subjects, call_list(c, "serviceaccount")->items[i]) < 0)
            return -1;
    return 0;
}

static int bind(struct call *c, const char *name, const char *kind, const char *plural, bool namespaced,
                const char *failed)
{
    const char *cluster_role = call_text(c, "clusterrole");
    const char *role = namespaced ? call_text(c, "role") : "";
    json_t *o = creating_object(c, RBAC "/v1", kind, name);
    jset(o, "roleRef",
         json_pack("{s:s,s:s,s:s}", "apiGroup", RBAC, "kind", *role ? "Role" : "ClusterRole", "name",
                   *role ? role : cluster_role));
    if (put_subjects(c, o) == 0)
        return creating_send(c, o, plural, namespaced, failed);
    json_decref(o);
    return c->code;
}

static int rolebinding_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name)
        return c->code;
    if (!*call_text(c, "clusterrole") == !*call_text(c, "role"))
        return call_fail(c, "exactly one of clusterrole or role must be specified");
    return bind(c, name, "RoleBinding", "rolebindings", true, "failed to create rolebinding: ");
}

static int clusterrolebinding_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name || !creating_has(c, "clusterrole"))
        return c->code;
    return bind(c, name, "ClusterRoleBinding", "clusterrolebindings", false, "failed to create clusterrolebinding: ");
}

#define FLAGS_SUBJECTS                                                                                                 \
    {"user", 0, FLAG_ARRAY, NULL, "Users that get the role"}, {"group", 0, FLAG_ARRAY, NULL, "Groups that get it"},    \
        {"serviceaccount", 0, FLAG_ARRAY, NULL, "Service accounts, namespace:name"},                                   \
    {                                                                                                                  \
        "clusterrole", 0, FLAG_TEXT, NULL, "A role of the cluster"                                                     \
    }

static const struct kubectl_flag rolebinding_flags[] = {
    FLAGS_CREATE, FLAGS_SUBJECTS, {"role", 0, FLAG_TEXT, NULL, "A role of the namespace"}, {0}};
static const struct kubectl_flag clusterrolebinding_flags[] = {FLAGS_CREATE, FLAGS_SUBJECTS, {0}};

const struct kubectl_verb kubectl_create_rolebinding = {
    .name = "rolebinding",
    .summary = "Create a role binding for a particular role or cluster role",
    .usage = "NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] "
             "[--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none] [options]",
    .flags = rolebinding_flags,
    .takes = TAKES_NAME,
    .run = rolebinding_run,
};

const struct kubectl_verb kubectl_create_clusterrolebinding = {
    .name = "clusterrolebinding",
    .summary = "Create a cluster role binding for a particular cluster role",
    .usage = "NAME --clusterrole=NAME [--user=username] [--group=groupname] "
             "[--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none] [options]",
    .flags = clusterrolebinding_flags,
    .takes = TAKES_NAME,
    .run = clusterrolebinding_run,
};

/* rules.c - see rbac.h: bindings to rules, and a rule against a request.
 *
 * DESIGN: nothing is remembered. Bindings are few, and administrators, who make nearly all requests, are known by their
 * group before any is read; so a walk over one snapshot is cheap, and always right. */
#include "registry/rbac_int.h"

#include "api/selector.h"
#include "base/str.h"

#include <string.h>

#define MASTERS "system:masters"

static bool in_group(const struct who *w, const char *group)
{
    for (const char *const *g = w->groups; g && *g; g++)
        if (strcmp(*g, group) == 0)
            return true;
    return false;
}

bool rbac_is_master(const struct who *w)
{
    return in_group(w, MASTERS);
}

/* -- one rule -- */

bool list_has(const json_t *list, const char *s)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (str_eq(json_string_value(item), s))
            return true;
    }
    return false;
}

static bool has_or_all(const json_t *list, const char *s)
{
    return list_has(list, "*") || list_has(list, s);
}

/* "pods", "pods/log", or by "*", or by a slash and the subresource after a star. */
bool resource_matches(const json_t *resources, const char *resource, const char *sub)
{
    if (!*sub)
        return has_or_all(resources, resource);
    _auto_free_ char *whole = xasprintf("%s/%s", resource, sub);
    _auto_free_ char *of_any = xasprintf("*/%s", sub);
    return has_or_all(resources, whole) || list_has(resources, of_any);
}

bool path_matches(const char *pattern, const char *path)
{
    size_t n = strlen(pattern);
    if (n > 0 && pattern[n - 1] == '*')
        return strncmp(pattern, path, n - 1) == 0;
    return strcmp(pattern, path) == 0;
}

static bool paths_match(const json_t *patterns, const char *path)
{
    size_t i;
    json_t *item;
    json_array_foreach(patterns, i, item)
    {
        if (path_matches(json_string_value(item), path))
            return true;
    }
    return false;
}

static bool rule_allows(const json_t *rule, const struct access *a)
{
    const json_t *names = json_object_get(rule, "resourceNames");
    if (!has_or_all(json_object_get(rule, "verbs"), a->verb))
        return false;
    if (!a->is_resource)
        return paths_match(json_object_get(rule, "nonResourceURLs"), a->path);
    return has_or_all(json_object_get(rule, "apiGroups"), a->group) &&
           resource_matches(json_object_get(rule, "resources"), a->resource, a->sub) &&
           (json_array_size(names) == 0 || list_has(names, a->name));
}

/* -- whose rules -- */

/* A service account's subject may leave out the binding's own namespace. */
static bool subject_is(const json_t *subject, const struct who *w, const char *ns)
{
    const char *kind = jstr_or(subject, "kind", ""), *name = jstr_or(subject, "name", "");
    if (str_eq(kind, "User"))
        return str_eq(name, w->name);
    if (str_eq(kind, "Group"))
        return in_group(w, name);
    const char *home = jstr_or(subject, "namespace", "");
    home = *home ? home : ns;
    if (!str_eq(kind, "ServiceAccount") || !*home)
        return false;
    _auto_free_ char *user = xasprintf("system:serviceaccount:%s:%s", home, name);
    return str_eq(user, w->name);
}

static const json_t *subject_find(const json_t *binding, const struct who *w, const char *ns)
{
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(binding, "subjects"), i, s)
    {
        if (subject_is(s, w, ns))
            return s;
    }
    return NULL;
}

struct walk {
    struct snapshot *snap;
    const struct who *who;
    int (*visit)(const struct rbac_grant *g, void *arg);
    void *arg;
    struct strlist *missing;
};

struct sobj *role_of(struct snapshot *snap, const json_t *ref, const char *ns)
{
    bool of_cluster = str_eq(jstr_or(ref, "kind", ""), "ClusterRole");
    return snapshot_get(snap, (of_cluster ? RES.clusterroles : RES.roles)->bucket, of_cluster ? "" : ns,
                        jstr_or(ref, "name", ""));
}

static int visit_binding(struct sobj *binding, void *arg)
{
    struct walk *w = arg;
    const json_t *ref = json_object_get(binding->tree, "roleRef");
    struct rbac_grant g = {binding->tree, subject_find(binding->tree, w->who, binding->ns), NULL};
    if (!g.subject)
        return 0;
    _auto_sobj_ struct sobj *role = role_of(w->snap, ref, binding->ns);
    if (!role && w->missing) {
        bool of_cluster = str_eq(jstr_or(ref, "kind", ""), "ClusterRole");
        _auto_free_ char *text = xasprintf("%s %s", of_cluster ? "clusterrole" : "role", jstr_or(ref, "name", ""));
        strlist_add(w->missing, text);
    }
    size_t i;
    json_t *rule;
    json_array_foreach(role ? json_object_get(role->tree, "rules") : NULL, i, rule)
    {
        g.rule = rule;
        int rc = w->visit(&g, w->arg);
        if (rc)
            return rc;
    }
    return 0;
}

int rbac_each_rule(struct registry *r, const struct who *who, const char *ns,
                   int (*visit)(const struct rbac_grant *g, void *arg), void *arg, struct strlist *missing)
{
    struct walk w = {store_snapshot(r->store), who, visit, arg, missing};
    int rc = snapshot_scan(w.snap, RES.clusterrolebindings->bucket, NULL, NULL, NULL, visit_binding, &w);
    if (!rc && *ns)
        rc = snapshot_scan(w.snap, RES.rolebindings->bucket, ns, NULL, NULL, visit_binding, &w);
    snapshot_unref(w.snap);
    return rc;
}

/* -- the answer -- */

struct question {
    const struct access *access;
    struct buf *why; /* or NULL */
};

static void say_binding(struct buf *out, const struct rbac_grant *g)
{
    const char *ns = jstr_or(g->binding, "metadata.namespace", ""), *kind = jstr_or(g->subject, "kind", "");
    const char *home = jstr_or(g->subject, "namespace", ns);
    buf_addf(out, "RBAC: allowed by %s \"%s%s%s\" of %s \"%s\" to %s \"%s", jstr_or(g->binding, "kind", ""),
             jstr_or(g->binding, "metadata.name", ""), *ns ? "/" : "", ns, jstr_or(g->binding, "roleRef.kind", ""),
             jstr_or(g->binding, "roleRef.name", ""), kind, jstr_or(g->subject, "name", ""));
    if (str_eq(kind, "ServiceAccount"))
        buf_addf(out, "/%s", home);
    buf_addc(out, '"');
}

static int ask(const struct rbac_grant *g, void *arg)
{
    struct question *q = arg;
    if (!rule_allows(g->rule, q->access))
        return 0;
    if (q->why)
        say_binding(q->why, g);
    return 1;
}

void rbac_missing_text(struct buf *out, const struct strlist *missing)
{
    buf_adds(out, missing->len > 1 ? "[" : "");
    for (size_t i = 0; i < missing->len; i++) {
        const char *name = strchr(missing->items[i], ' ');
        buf_addf(out, "%s%.*s.rbac.authorization.k8s.io \"%s\" not found", i > 0 ? ", " : "",
                 (int)(name - missing->items[i]), missing->items[i], name + 1);
    }
    buf_adds(out, missing->len > 1 ? "]" : "");
}

bool rbac_allows(struct registry *r, const struct who *w, const struct access *a, struct buf *out_why)
{
    _auto_strlist_ struct strlist missing = {0};
    struct question q = {a, out_why};
    if (rbac_is_master(w) || rbac_each_rule(r, w, a->is_resource ? a->ns : "", ask, &q, &missing))
        return true;
    if (out_why && missing.len > 0) {
        buf_adds(out_why, "RBAC: ");
        rbac_missing_text(out_why, &missing);
    }
    return false;
}

/* -- roles made of roles -- */

struct gathering {
    const char *self;
    const json_t *selectors;
    json_t *rules;
};

static bool selected(const json_t *selectors, const json_t *role)
{
    size_t i;
    json_t *s;
    json_array_foreach(selectors, i, s)
    {
        struct err e = ERR_INIT;
        struct label_selector *selector = NULL;
        if (label_selector_from_json(s, &selector, &e) < 0)
            continue;
        bool hit = label_selector_match(selector, jat(role, "metadata.labels"));
        label_selector_free(selector);
        if (hit)
            return true;
    }
    return false;
}

static int gather_from(struct sobj *role, void *arg)
{
    struct gathering *g = arg;
    if (str_eq(role->name, g->self) || !selected(g->selectors, role->tree))
        return 0;
    size_t i, k;
    json_t *rule, *have;
    json_array_foreach(json_object_get(role->tree, "rules"), i, rule)
    {
        bool known = false;
        json_array_foreach(g->rules, k, have) known = known || json_same(have, rule);
        if (!known)
            json_array_append_new(g->rules, json_clone(rule));
    }
    return 0;
}

json_t *rbac_gather(struct registry *r, const json_t *cluster_role)
{
    struct gathering g = {jstr_or(cluster_role, "metadata.name", ""),
                          jat(cluster_role, "aggregationRule.clusterRoleSelectors"), json_array()};
    struct snapshot *snap = store_snapshot(r->store);
    snapshot_scan(snap, RES.clusterroles->bucket, NULL, NULL, NULL, gather_from, &g);
    snapshot_unref(snap);
    return g.rules;
}

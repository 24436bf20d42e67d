/* rbac.c - roles and their bindings: what a rule must name, who can be a subject, that a binding keeps its role.
 *
 * THREADS: pure functions. Source: pkg/apis/rbac/validation. */
#include "api/validate/kinds_int.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

static const char *const the_group[] = {RBAC_GROUP, NULL};
static const char *const no_group[] = {"", NULL};

/* []string{"/a", "/b"}: a list as Go prints it. Returns new. */
static char *list_text(const json_t *list)
{
    struct buf b = BUF_INIT;
    buf_adds(&b, "[]string{");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = vitem(list, i);
        buf_adds(&b, i > 0 ? ", " : "");
        buf_add_quoted(&b, item, strlen(item));
    }
    buf_addc(&b, '}');
    return buf_steal(&b, NULL);
}

static bool names_any(const json_t *rule, const char *key)
{
    return json_array_size(vget(rule, key)) > 0;
}

static void paths_check(const json_t *rule, bool namespaced, const struct vpath *p, struct field_errors *errs)
{
    const struct vpath *at = FIELD(p, "nonResourceURLs");
    const json_t *paths = vget(rule, "nonResourceURLs");
    if (namespaced)
        v_invalid_go(errs, at, list_text(paths), "namespaced rules cannot apply to non-resource URLs");
    if (names_any(rule, "apiGroups") || names_any(rule, "resources") || names_any(rule, "resourceNames"))
        v_invalid_go(errs, at, list_text(paths), "rules cannot apply to both regular resources and non-resource URLs");
}

static void rule_check(const json_t *rule, bool namespaced, const struct vpath *p, struct field_errors *errs)
{
    if (!names_any(rule, "verbs"))
        v_required(errs, FIELD(p, "verbs"), "verbs must contain at least one value");
    if (names_any(rule, "nonResourceURLs")) {
        paths_check(rule, namespaced, p, errs);
        return;
    }
    if (!names_any(rule, "apiGroups"))
        v_required(errs, FIELD(p, "apiGroups"), "resource rules must supply at least one api group");
    if (!names_any(rule, "resources"))
        v_required(errs, FIELD(p, "resources"), "resource rules must supply at least one resource");
}

static void aggregation_check(const json_t *obj, struct field_errors *errs)
{
    const json_t *aggregation = vget(obj, "aggregationRule");
    const struct vpath *at = FIELD(FIELD(NULL, "aggregationRule"), "clusterRoleSelectors");
    const json_t *selectors = vget(aggregation, "clusterRoleSelectors");
    if (aggregation != NULL && json_array_size(selectors) == 0)
        v_required(errs, at, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    for (size_t i = 0; i < json_array_size(selectors); i++)
        v_label_selector(errs, ITEM(at, i), json_array_get(selectors, i));
}

static void role_check(const struct change *c)
{
    const json_t *rules = vget(c->obj, "rules");
    for (size_t i = 0; i < json_array_size(rules); i++)
        rule_check(json_array_get(rules, i), c->res->namespaced, ITEM(FIELD(NULL, "rules"), i), c->errs);
    aggregation_check(c->obj, c->errs);
}

void role_create(const struct change *c)
{
    change_meta_create(c);
    role_check(c);
}

void role_update(const struct change *c)
{
    role_check(c);
    change_meta_update(c);
}

/* -- bindings -- */

static void subject_check(const json_t *subject, bool namespaced, const struct vpath *p, struct field_errors *errs)
{
    static const char *const kinds[] = {"ServiceAccount", "User", "Group", NULL};
    const char *kind = vstr(subject, "kind"), *name = vstr(subject, "name"), *group = vstr(subject, "apiGroup");
    bool account = str_eq(kind, "ServiceAccount");
    const char *const *wanted = account ? no_group : the_group;
    if (name[0] == '\0')
        v_required(errs, FIELD(p, "name"), NULL);
    if (!one_of(kind, kinds)) {
        v_unsupported(errs, FIELD(p, "kind"), kind, kinds);
        return;
    }
    if (account && name[0] != '\0')
        v_name(errs, FIELD(p, "name"), name, rule_subdomain);
    if (!str_eq(group, wanted[0]))
        v_unsupported(errs, FIELD(p, "apiGroup"), group, wanted);
    if (account && !namespaced && vstr(subject, "namespace")[0] == '\0')
        v_required(errs, FIELD(p, "namespace"), NULL);
}

static void binding_rules(const struct change *c)
{
    static const char *const kinds[] = {"Role", "ClusterRole", NULL};
    const char *const *valid = c->res->namespaced ? kinds : kinds + 1;
    const json_t *ref = vget(c->obj, "roleRef"), *subjects = vget(c->obj, "subjects");
    const struct vpath *at = FIELD(NULL, "roleRef");
    if (!str_eq(vstr(ref, "apiGroup"), RBAC_GROUP))
        v_unsupported(c->errs, FIELD(at, "apiGroup"), vstr(ref, "apiGroup"), the_group);
    if (!one_of(vstr(ref, "kind"), valid))
        v_unsupported(c->errs, FIELD(at, "kind"), vstr(ref, "kind"), valid);
    if (vstr(ref, "name")[0] == '\0')
        v_required(c->errs, FIELD(at, "name"), NULL);
    else
        v_name(c->errs, FIELD(at, "name"), vstr(ref, "name"), rule_path_segment);
    for (size_t i = 0; i < json_array_size(subjects); i++)
        subject_check(json_array_get(subjects, i), c->res->namespaced, ITEM(FIELD(NULL, "subjects"), i), c->errs);
}

void role_binding_create(const struct change *c)
{
    change_meta_create(c);
    binding_rules(c);
}

void role_binding_update(const struct change *c)
{
    const json_t *ref = vget(c->obj, "roleRef");
    binding_rules(c);
    change_meta_update(c);
    if (!json_same(ref, vget(c->old, "roleRef")))
        v_invalid_go(c->errs, FIELD(NULL, "roleRef"),
                     xasprintf("rbac.RoleRef{APIGroup:\"%s\", Kind:\"%s\", Name:\"%s\"}", vstr(ref, "apiGroup"),
                               vstr(ref, "kind"), vstr(ref, "name")),
                     "cannot change roleRef");
}

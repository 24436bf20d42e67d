/* rbac.c - nobody gives away more than he has: roles and bindings may only hold rules that their writer holds himself,
 * unless he may escalate, or bind that role.
 *
 * DESIGN: a rule is taken apart into the smallest ones (a verb, a group, a resource, a name), each of which one rule of
 * the writer must cover; what is left over is put together again by resource for the message.
 * Source: pkg/registry/rbac/validation (Covers, ConfirmNoEscalation), pkg/registry/rbac/{role,rolebinding}/policybased.
 * THREADS: pure but for reading the store. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"
#include "registry/rbac_int.h"

#include "base/str.h"

#include <string.h>

static struct who writer_of(const struct op *op)
{
    return (struct who){op->ctx->user ? op->ctx->user : "", op->ctx->groups};
}

static bool has_each(const json_t *have, const json_t *wanted)
{
    size_t i;
    json_t *w;
    json_array_foreach(wanted, i, w)
    {
        if (!list_has(have, json_string_value(w)))
            return false;
    }
    return true;
}

/* Is every one of `wanted` in `have`, or "*" there? */
static bool has_all(const json_t *have, const json_t *wanted)
{
    return list_has(have, "*") || has_each(have, wanted);
}

static bool covers_resources(const json_t *have, const json_t *wanted)
{
    size_t i;
    json_t *w;
    json_array_foreach(wanted, i, w)
    {
        const char *text = json_string_value(w), *slash = strchr(text, '/');
        _auto_free_ char *resource = xstrndup(text, slash ? (size_t)(slash - text) : strlen(text));
        if (!resource_matches(have, resource, slash ? slash + 1 : ""))
            return false;
    }
    return true;
}

static bool covers_paths(const json_t *have, const json_t *wanted)
{
    size_t i, k;
    json_t *w, *h;
    json_array_foreach(wanted, i, w)
    {
        bool hit = false;
        json_array_foreach(have, k, h) hit = hit || path_matches(json_string_value(h), json_string_value(w));
        if (!hit)
            return false;
    }
    return true;
}

/* A star among names is no more than a name. */
static bool covers(const json_t *have, const json_t *wanted)
{
    const json_t *own = json_object_get(have, "resourceNames"), *names = json_object_get(wanted, "resourceNames");
    bool named = json_array_size(own) == 0 || (json_array_size(names) > 0 && has_each(own, names));
    return has_all(json_object_get(have, "verbs"), json_object_get(wanted, "verbs")) &&
           has_all(json_object_get(have, "apiGroups"), json_object_get(wanted, "apiGroups")) &&
           covers_resources(json_object_get(have, "resources"), json_object_get(wanted, "resources")) &&
           covers_paths(json_object_get(have, "nonResourceURLs"), json_object_get(wanted, "nonResourceURLs")) && named;
}

/* -- taking rules apart -- */

struct check {
    struct op *op;
    json_t *own;  /* the writer's rules */
    json_t *left; /* what he does not hold, verbs of one resource together */
};

/* Puts one small rule to what is left over. */
static void leave(struct check *c, const json_t *small)
{
    size_t i;
    json_t *rule;
    json_array_foreach(c->left, i, rule)
    {
        _auto_json_ json_t *same = json_copy(rule);
        json_object_set(same, "verbs", json_object_get(small, "verbs"));
        if (json_same(same, small)) {
            jarr_add_unique(json_object_get(rule, "verbs"),
                            json_string_value(json_array_get(json_object_get(small, "verbs"), 0)));
            return;
        }
    }
    json_array_append_new(c->left, json_clone(small));
}

static void check_small(struct check *c, const json_t *small)
{
    size_t i;
    json_t *rule;
    json_array_foreach(c->own, i, rule)
    {
        if (covers(rule, small))
            return;
    }
    leave(c, small);
}

/* One value of each of these lists after the other; `small` is filled on the way down. */
static void each_part(struct check *c, const json_t *rule, const char *const *keys, json_t *small)
{
    const json_t *list = *keys ? json_object_get(rule, *keys) : NULL;
    if (!*keys) {
        check_small(c, small);
        return;
    }
    if (json_array_size(list) == 0)
        each_part(c, rule, keys + 1, small);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_object_set_new(small, *keys, json_pack("[O]", json_array_get(list, i)));
        each_part(c, rule, keys + 1, small);
    }
    json_object_del(small, *keys);
}

static void check_rule(struct check *c, const json_t *rule)
{
    static const char *const of_resources[] = {"apiGroups", "resources", "resourceNames", "verbs", NULL};
    static const char *const of_paths[] = {"nonResourceURLs", "verbs", NULL};
    _auto_json_ json_t *small = json_object();
    if (json_array_size(json_object_get(rule, "resources")) > 0)
        each_part(c, rule, of_resources, small);
    if (json_array_size(json_object_get(rule, "nonResourceURLs")) > 0)
        each_part(c, rule, of_paths, small);
}

/* -- saying it -- */

static void quoted_list(struct buf *out, const json_t *list)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        buf_adds(out, i > 0 ? " " : "");
        buf_add_quoted(out, json_string_value(item), json_string_length(item));
    }
    buf_addc(out, ']');
}

/* {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]} */
static char *rule_text(const json_t *rule)
{
    static const char *const parts[][2] = {{"APIGroups", "apiGroups"},
                                           {"Resources", "resources"},
                                           {"NonResourceURLs", "nonResourceURLs"},
                                           {"ResourceNames", "resourceNames"},
                                           {"Verbs", "verbs"}};
    struct buf b = BUF_INIT;
    const char *lead = "{";
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const json_t *list = json_object_get(rule, parts[i][1]);
        if (json_array_size(list) == 0)
            continue;
        buf_addf(&b, "%s%s:", lead, parts[i][0]);
        quoted_list(&b, list);
        lead = ", ";
    }
    buf_addc(&b, '}');
    return buf_steal(&b, NULL);
}

static int refuse(struct check *c, const json_t *obj, const struct strlist *missing)
{
    const struct who w = writer_of(c->op);
    _auto_strlist_ struct strlist texts = {0};
    _auto_buf_ struct buf b = BUF_INIT;
    _auto_json_ json_t *groups = json_array();
    for (size_t i = 0; w.groups && w.groups[i]; i++)
        json_array_append_new(groups, json_string(w.groups[i]));
    for (size_t i = 0; i < json_array_size(c->left); i++)
        strlist_take(&texts, rule_text(json_array_get(c->left, i)));
    strlist_sort(&texts);
    _auto_free_ char *all = strlist_join(&texts, "\n");
    buf_addf(&b, "user \"%s\" (groups=", w.name);
    quoted_list(&b, groups);
    buf_addf(&b, ") is attempting to grant RBAC permissions not currently held:\n%s", all);
    for (size_t i = 0; i < missing->len; i++)
        buf_addf(&b, "%s%s.%s \"%s\" not found%s", i == 0 ? "; resolution errors: [" : " ", c->op->res->plural,
                 c->op->res->group, strchr(missing->items[i], ' ') + 1, i + 1 == missing->len ? "]" : "");
    return op_fail(c->op, status_forbidden(c->op->res, meta_name(obj), buf_str(&b)));
}

/* -- the plug-ins -- */

static int keep_rule(const struct rbac_grant *g, void *arg)
{
    json_array_append((json_t *)arg, (json_t *)(uintptr_t)g->rule);
    return 0;
}

static int check_rules(struct op *op, const json_t *obj, const json_t *rules)
{
    const struct who w = writer_of(op);
    _auto_strlist_ struct strlist missing = {0};
    _auto_json_ json_t *own = json_array(), *left = json_array();
    struct check c = {op, own, left};
    rbac_each_rule(op->r, &w, op->res->namespaced ? op->t->ns : "", keep_rule, own, &missing);
    for (size_t i = 0; i < json_array_size(rules); i++)
        check_rule(&c, json_array_get(rules, i));
    return json_array_size(left) > 0 ? refuse(&c, obj, &missing) : 0;
}

static bool may(struct op *op, const char *verb, const char *resource, const char *ns, const char *name)
{
    const struct who w = writer_of(op);
    const struct access a = {.verb = verb,
                             .is_resource = true,
                             .group = op->res->group,
                             .resource = resource,
                             .sub = "",
                             .ns = ns,
                             .name = name,
                             .path = ""};
    return rbac_allows(op->r, &w, &a, NULL);
}

static bool is_trusted(const struct op *op)
{
    const struct who w = writer_of(op);
    return op->ctx->loop || rbac_is_master(&w);
}

int admit_role(struct op *op, struct admit *a)
{
    const json_t *rules = json_object_get(a->obj, "rules");
    if (is_trusted(op) ||
        (a->old && member_equal(a->obj, a->old, "rules") && member_equal(a->obj, a->old, "aggregationRule")))
        return 0;
    if (may(op, "escalate", op->res->plural, op->res->namespaced ? op->t->ns : "", meta_name(a->obj)))
        return 0;
    _auto_json_ json_t *everything = json_pack("[{s[s] s[s] s[s]} {s[s] s[s]}]", "verbs", "*", "apiGroups", "*",
                                               "resources", "*", "verbs", "*", "nonResourceURLs", "*");
    bool gathers = json_object_get(a->obj, "aggregationRule") != NULL; /* whatever others put there later */
    return check_rules(op, a->obj, gathers ? everything : rules);
}

int admit_role_binding(struct op *op, struct admit *a)
{
    const json_t *ref = json_object_get(a->obj, "roleRef");
    const char *ns = op->res->namespaced ? op->t->ns : "", *kind = jstr_or(ref, "kind", "");
    if (is_trusted(op) ||
        (a->old && member_equal(a->obj, a->old, "roleRef") && member_equal(a->obj, a->old, "subjects")) ||
        may(op, "bind", str_eq(kind, "Role") ? "roles" : "clusterroles", ns, jstr_or(ref, "name", "")))
        return 0;
    struct snapshot *snap = store_snapshot(op->r->store);
    _auto_sobj_ struct sobj *role = role_of(snap, ref, ns);
    snapshot_unref(snap);
    if (role)
        return check_rules(op, a->obj, json_object_get(role->tree, "rules"));
    _auto_free_ char *text = xasprintf("%s.%s \"%s\" not found", str_eq(kind, "Role") ? "roles" : "clusterroles",
                                       op->res->group, jstr_or(ref, "name", ""));
    return op_fail_code(op, ERR_NOT_FOUND, "%s", text);
}

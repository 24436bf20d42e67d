/* review.c - kinds that are questions: access reviews, who am I, is this token good. Answered, never stored.
 *
 * What somebody may do, roles and bindings say (registry/rbac.h).
 *
 * Source: pkg/registry/authorization, pkg/registry/authentication. */
#include "registry/meta_int.h"
#include "registry/rbac_int.h"
#include "registry/registry_int.h"
#include "registry/sub_int.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* Who is asked about: the caller, or whom the review names. */
struct asked {
    struct who who;
    const char **groups; /* owned; of `who`, when the review names them */
};

static void asked_release(struct asked *a)
{
    free(a->groups);
}

static struct asked asked_self(const struct reg_ctx *ctx)
{
    return (struct asked){.who = {ctx->user ? ctx->user : "", ctx->groups}};
}

static struct asked asked_other(const json_t *spec)
{
    const json_t *groups = json_object_get(spec, "groups");
    size_t n = json_array_size(groups);
    struct asked a = {.who = {.name = jstr_or(spec, "user", "")}, .groups = xcalloc(n + 1, sizeof *a.groups)};
    for (size_t i = 0; i < n; i++)
        a.groups[i] = json_string_value(json_array_get(groups, i));
    a.who.groups = a.groups;
    return a;
}

/* -- access reviews -- */

static int invalid(struct op *op, struct field_errors *errs)
{
    return op_fail(op, status_invalid(op->res->group, "", "", errs));
}

static void check_attributes(const json_t *spec, struct field_errors *errs)
{
    const json_t *resource = json_object_get(spec, "resourceAttributes");
    const json_t *path = json_object_get(spec, "nonResourceAttributes");
    if (resource && path) {
        _auto_free_ char *value = xasprintf("authorization.NonResourceAttributes{Path:\"%s\", Verb:\"%s\"}",
                                            jstr_or(path, "path", ""), jstr_or(path, "verb", ""));
        fe_add(errs, FE_INVALID, "spec.nonResourceAttributes", value,
               "cannot be specified in combination with resourceAttributes");
    }
    if (!resource && !path)
        fe_invalid_str(errs, "spec.resourceAttributes", "null",
                       "exactly one of nonResourceAttributes or resourceAttributes must be specified");
}

static int answer_access(struct op *op, json_t *review, const struct who *w)
{
    const json_t *spec = json_object_get(review, "spec");
    const json_t *on = json_object_get(spec, "resourceAttributes"),
                 *path = json_object_get(spec, "nonResourceAttributes");
    const struct access a = {.verb = jstr_or(on ? on : path, "verb", ""),
                             .is_resource = on != NULL,
                             .group = jstr_or(on, "group", ""),
                             .resource = jstr_or(on, "resource", ""),
                             .sub = jstr_or(on, "subresource", ""),
                             .ns = jstr_or(on, "namespace", ""),
                             .name = jstr_or(on, "name", ""),
                             .path = jstr_or(path, "path", "")};
    _auto_buf_ struct buf why = BUF_INIT;
    json_t *status = json_pack("{sb}", "allowed", rbac_allows(op->r, w, &a, &why));
    if (why.len > 0)
        json_object_set_new(status, "reason", json_string(buf_str(&why)));
    json_object_set_new(review, "status", status);
    return op_answer_tree(op, 201, json_incref(review));
}

static int self_access(struct op *op, json_t *review)
{
    _auto_field_errors_ struct field_errors errs = {0};
    check_attributes(json_object_get(review, "spec"), &errs);
    if (errs.len > 0)
        return invalid(op, &errs);
    const struct asked a = asked_self(op->ctx);
    return answer_access(op, review, &a.who);
}

static int subject_access(struct op *op, json_t *review)
{
    const json_t *spec = json_object_get(review, "spec");
    _auto_field_errors_ struct field_errors errs = {0};
    check_attributes(spec, &errs);
    if (!*jstr_or(spec, "user", "") && json_array_size(json_object_get(spec, "groups")) == 0)
        fe_invalid_str(&errs, "spec.user", "", "at least one of user or group must be specified");
    const char *ns = jstr_or(spec, "resourceAttributes.namespace", "");
    if (op->res->namespaced && strcmp(ns, op->t->ns) != 0)
        fe_invalid_str(&errs, "spec.resourceAttributes.namespace", ns, "must match metadata.namespace");
    if (errs.len > 0)
        return invalid(op, &errs);
    _cleanup_(asked_release) struct asked a = asked_other(spec);
    return answer_access(op, review, &a.who);
}

/* -- rules: what somebody may do in a namespace -- */

struct rules {
    json_t *resources, *paths;
};

/* A rule without what it does not say. */
static json_t *rule_part(const json_t *rule, const char *const *keys)
{
    json_t *out = json_object();
    for (; *keys; keys++)
        if (json_array_size(json_object_get(rule, *keys)) > 0)
            json_object_set(out, *keys, json_object_get(rule, *keys));
    return out;
}

static int add_rule(const struct rbac_grant *g, void *arg)
{
    static const char *const of_resources[] = {"verbs", "apiGroups", "resources", "resourceNames", NULL};
    static const char *const of_paths[] = {"verbs", "nonResourceURLs", NULL};
    struct rules *r = arg;
    if (json_array_size(json_object_get(g->rule, "resources")) > 0)
        json_array_append_new(r->resources, rule_part(g->rule, of_resources));
    if (json_array_size(json_object_get(g->rule, "nonResourceURLs")) > 0)
        json_array_append_new(r->paths, rule_part(g->rule, of_paths));
    return 0;
}

static int self_rules(struct op *op, json_t *review)
{
    const char *ns = jstr_or(review, "spec.namespace", "");
    const struct asked a = asked_self(op->ctx);
    struct rules r = {json_array(), json_array()};
    _auto_strlist_ struct strlist missing = {0};
    _auto_buf_ struct buf fault = BUF_INIT;
    if (!*ns) {
        json_decref(r.resources);
        json_decref(r.paths);
        return op_fail_code(op, ERR_BAD_REQUEST, "no namespace on request");
    }
    rbac_each_rule(op->r, &a.who, ns, add_rule, &r, &missing);
    json_t *status =
        json_pack("{so so sb}", "resourceRules", r.resources, "nonResourceRules", r.paths, "incomplete", 0);
    if (missing.len > 0) {
        rbac_missing_text(&fault, &missing);
        json_object_set_new(status, "evaluationError", json_string(buf_str(&fault)));
    }
    json_object_set_new(review, "spec", json_object());
    json_object_set_new(review, "status", status);
    return op_answer_tree(op, 201, json_incref(review));
}

/* -- who am I, who is this -- */

static int self_subject(struct op *op, json_t *review)
{
    json_t *info = json_pack("{ss}", "username", op->ctx->user ? op->ctx->user : "");
    for (size_t i = 0; op->ctx->groups && op->ctx->groups[i]; i++)
        json_array_append_new(jmake_arr(info, "groups"), json_string(op->ctx->groups[i]));
    json_object_set_new(meta_of(review), "creationTimestamp", json_string(op->now));
    json_object_set_new(review, "status", json_pack("{so}", "userInfo", info));
    return op_answer_tree(op, 201, json_incref(review));
}

static int token_review(struct op *op, json_t *review)
{
    const struct token_ops *ops = op->r->token_ops;
    json_t *user = NULL;
    struct err e = ERR_INIT;
    json_t *status;
    if (ops && ops->check && ops->check(op->r->token_self, jstr_or(review, "spec.token", ""), &user, &e) == 0)
        status = json_pack("{sb so s[s]}", "authenticated", 1, "user", user, "audiences",
                           "https://kubernetes.default.svc.cluster.local");
    else
        status = json_pack("{s{} ss}", "user", "error", "invalid bearer token");
    json_object_set_new(review, "status", status);
    return op_answer_tree(op, 201, json_incref(review));
}

static const struct {
    const char *plural;
    int (*answer)(struct op *op, json_t *review);
} reviews[] = {
    {"selfsubjectaccessreviews", self_access},     {"subjectaccessreviews", subject_access},
    {"localsubjectaccessreviews", subject_access}, {"selfsubjectrulesreviews", self_rules},
    {"selfsubjectreviews", self_subject},          {"tokenreviews", token_review},
};

int review_create(struct op *op, struct reg_body *body)
{
    _auto_json_ json_t *review = NULL;
    if (op_decode(op, body, &review) < 0 || meta_check_namespace(op, review) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(reviews); i++)
        if (strcmp(reviews[i].plural, op->res->plural) == 0)
            return reviews[i].answer(op, review);
    return op_fail_code(op, ERR_NOT_FOUND, "the server could not find the requested resource");
}

/* review.c - kinds that are questions: access reviews, who am I, is this token good. Answered, never stored.
 *
 * Authorization of this cluster is simple so far: members of system:masters may do everything and so may the cluster's
 * own components; nobody else is asked about. One function, may(), decides; when real rules come they go there.
 *
 * Source: pkg/registry/authorization, pkg/registry/authentication. */
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/sub_int.h"

#include "base/str.h"

#include <string.h>

#define ADMIN_GROUP "system:masters"

struct who {
    const char *user;
    bool admin;
};

static bool may(const struct who *w)
{
    return w->admin || str_starts(w->user, "system:node:") || str_starts(w->user, "system:kube-");
}

static struct who who_asks(const struct reg_ctx *ctx)
{
    struct who w = {.user = ctx->user ? ctx->user : ""};
    for (size_t i = 0; ctx->groups && ctx->groups[i]; i++)
        w.admin = w.admin || strcmp(ctx->groups[i], ADMIN_GROUP) == 0;
    return w;
}

static struct who who_is_meant(const json_t *spec)
{
    return (struct who){.user = jstr_or(spec, "user", ""), .admin = jarr_has(spec, "groups", ADMIN_GROUP)};
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
    json_object_set_new(review, "status", json_pack("{sb}", "allowed", may(w)));
    return op_answer_tree(op, 201, json_incref(review));
}

static int self_access(struct op *op, json_t *review)
{
    _auto_field_errors_ struct field_errors errs = {0};
    check_attributes(json_object_get(review, "spec"), &errs);
    if (errs.len > 0)
        return invalid(op, &errs);
    struct who w = who_asks(op->ctx);
    return answer_access(op, review, &w);
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
    struct who w = who_is_meant(spec);
    return answer_access(op, review, &w);
}

/* -- rules: what everybody may, then what an administrator may -- */

static json_t *rule(const char *verb, const char *what, json_t *take_list)
{
    return json_pack("{s[s] so}", "verbs", verb, what, take_list);
}

static json_t *resource_rule(const char *verb, const char *group, json_t *take_resources)
{
    return json_pack("{s[s] s[s] so}", "verbs", verb, "apiGroups", group, "resources", take_resources);
}

static int self_rules(struct op *op, json_t *review)
{
    if (!*jstr_or(review, "spec.namespace", ""))
        return op_fail_code(op, ERR_BAD_REQUEST, "no namespace on request");
    struct who w = who_asks(op->ctx);
    json_t *resources = json_array(), *paths = json_array();
    json_array_append_new(resources,
                          resource_rule("create", "authorization.k8s.io",
                                        json_pack("[ss]", "selfsubjectaccessreviews", "selfsubjectrulesreviews")));
    json_array_append_new(resources,
                          resource_rule("create", "authentication.k8s.io", json_pack("[s]", "selfsubjectreviews")));
    json_array_append_new(paths,
                          rule("get", "nonResourceURLs",
                               json_pack("[sssssssssss]", "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez",
                                         "/openapi", "/openapi/*", "/readyz", "/version", "/version/")));
    if (may(&w)) {
        json_array_append_new(resources, resource_rule("*", "*", json_pack("[s]", "*")));
        json_array_append_new(paths, rule("*", "nonResourceURLs", json_pack("[s]", "*")));
    }
    json_array_append_new(paths, rule("get", "nonResourceURLs",
                                      json_pack("[sssss]", "/healthz", "/livez", "/readyz", "/version", "/version/")));
    json_object_set_new(review, "spec", json_object());
    json_object_set_new(
        review, "status",
        json_pack("{so so sb}", "resourceRules", resources, "nonResourceRules", paths, "incomplete", 0));
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

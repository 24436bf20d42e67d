/* sub_token.c - POST serviceaccounts/NAME/token: a token on request, issued by whoever checks them (token_ops).
 * Source: pkg/registry/core/serviceaccount/storage/token.go, pkg/apis/authentication/validation. */
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/sub_int.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>

#define DEFAULT_AUDIENCE "https://kubernetes.default.svc.cluster.local"
#define DEFAULT_SECONDS  3600
#define MIN_SECONDS      600
#define MAX_SECONDS      (INT64_C(1) << 32)

static int check_seconds(struct op *op, int64_t seconds)
{
    const char *why = seconds < MIN_SECONDS   ? "may not specify a duration less than 10 minutes"
                      : seconds > MAX_SECONDS ? "may not specify a duration larger than 2^32 seconds"
                                              : NULL;
    if (!why)
        return 0;
    _auto_field_errors_ struct field_errors errs = {0};
    fe_invalid_int(&errs, "spec.expirationSeconds", seconds, why);
    return op_fail(op, status_invalid("authentication.k8s.io", "TokenRequest", "", &errs));
}

/* Kinds a token's life may be tied to. */
static int check_bound(struct op *op, const json_t *ref)
{
    static const struct {
        const char *kind;
        const struct resource **res;
    } kinds[] = {{"Pod", &RES.pods}, {"Secret", &RES.secrets}, {"Node", &RES.nodes}};
    if (!json_is_object(ref))
        return 0;
    const char *kind = jstr_or(ref, "kind", ""), *name = jstr_or(ref, "name", ""), *uid = jstr_or(ref, "uid", "");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) != 0 || !str_eq(jstr_or(ref, "apiVersion", ""), "v1"))
            continue;
        const struct resource *res = *kinds[i].res;
        _auto_sobj_ struct sobj *o = store_get(op->r->store, res->bucket, res->namespaced ? op->t->ns : "", name);
        if (!o)
            return op_fail(op, status_not_found(res, name));
        if (res == RES.pods && !str_eq(jstr(o->tree, "spec.serviceAccountName"), op->t->name))
            return op_fail_code(
                op, ERR_BAD_REQUEST,
                "cannot bind token for serviceaccount \"%s\" to pod running with different serviceaccount "
                "name.",
                op->t->name);
        const char *have = jstr_or(o->tree, "metadata.uid", "");
        if (*uid && strcmp(uid, have) != 0) {
            _auto_free_ char *why = xasprintf(
                "the UID in the bound object reference (%s) does not match the UID in record. The object might have "
                "been deleted and then recreated",
                uid);
            return op_fail(op, status_conflict(res, name, why));
        }
        return 0;
    }
    return op_fail_code(op, ERR_BAD_REQUEST, "cannot bind token to object of type /%s, Kind=%s",
                        jstr_or(ref, "apiVersion", ""), kind);
}

/* `request` becomes the answer. */
static int issue(struct op *op, json_t *request, const struct sobj *account)
{
    if (!op->r->token_ops)
        return op_fail_code(op, ERR_NOT_FOUND, "the server could not find the requested resource");
    int64_t seconds = jint(request, "spec.expirationSeconds", DEFAULT_SECONDS);
    const char *audience = json_string_value(json_array_get(jat(request, "spec.audiences"), 0));
    _auto_free_ char *token = NULL;
    if (op->r->token_ops->issue(op->r->token_self, op->t->ns, op->t->name, jstr_or(account->tree, "metadata.uid", ""),
                                audience, seconds, &token, op->e) < 0)
        return op_fail_err(op);
    char end[TIME_TEXT_LEN];
    time_after(op->now_ns, seconds, end);
    json_object_set_new(request, "status", json_pack("{ssss}", "token", token, "expirationTimestamp", end));
    return op_answer_tree(op, 201, json_incref(request));
}

int token_create(struct op *op, struct reg_body *body)
{
    _auto_json_ json_t *request = NULL;
    if (sub_decode(op, "authentication.v1.TokenRequest", body, &request) < 0)
        return -1;
    _auto_sobj_ struct sobj *account = store_get(op->r->store, op->res->bucket, op->t->ns, op->t->name);
    if (!account)
        return op_not_found(op);
    json_t *spec = jmake_obj(request, "spec");
    if (!json_is_integer(json_object_get(spec, "expirationSeconds")))
        json_object_set_new(spec, "expirationSeconds", json_integer(DEFAULT_SECONDS));
    if (check_seconds(op, jint(spec, "expirationSeconds", 0)) < 0 ||
        check_bound(op, json_object_get(spec, "boundObjectRef")) < 0)
        return -1;
    if (json_array_size(json_object_get(spec, "audiences")) == 0)
        json_object_set_new(spec, "audiences", json_pack("[s]", DEFAULT_AUDIENCE));
    if (!json_object_get(spec, "boundObjectRef"))
        json_object_set_new(spec, "boundObjectRef", json_null());
    json_t *meta = meta_of(request);
    json_object_set_new(meta, "name", json_string(op->t->name));
    json_object_set_new(meta, "namespace", json_string(op->t->ns));
    json_object_set_new(meta, "creationTimestamp", json_string(op->now));
    return issue(op, request, account);
}

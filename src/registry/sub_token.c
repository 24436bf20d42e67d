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

/* -- what a token's life may be tied to -- */

static json_t *bound_object(const struct sobj *o)
{
    return json_pack("{ss ss}", "name", o->name, "uid", jstr_or(o->tree, "metadata.uid", ""));
}

/* A pod's token also says where the pod runs; a node that is not there (any more) goes by name alone. */
static int check_pod(struct op *op, const struct sobj *pod, json_t *bound)
{
    if (!str_eq(jstr(pod->tree, "spec.serviceAccountName"), op->t->name))
        return op_fail_code(op, ERR_BAD_REQUEST,
                            "cannot bind token for serviceaccount \"%s\" to pod running with different serviceaccount "
                            "name.",
                            op->t->name);
    const char *node = jstr_or(pod->tree, "spec.nodeName", "");
    if (!*node)
        return 0;
    _auto_sobj_ struct sobj *o = store_get(op->r->store, RES.nodes->bucket, "", node);
    json_object_set_new(bound, "node", o ? bound_object(o) : json_pack("{ss}", "name", node));
    return 0;
}

static int check_uid(struct op *op, const struct sobj *o, const char *kind, const char *uid)
{
    if (!*uid || strcmp(uid, jstr_or(o->tree, "metadata.uid", "")) == 0)
        return 0;
    _auto_free_ char *message =
        xasprintf("Operation cannot be fulfilled on %s \"%s\": the UID in the bound object reference (%s) does not "
                  "match the UID in record. The object might have been deleted and then recreated",
                  kind, o->name, uid);
    return op_fail(op, status_failure(ERR_CONFLICT, message, json_pack("{ss ss}", "name", o->name, "kind", kind)));
}

/* Fills `bound` for the token. */
static int check_bound(struct op *op, const json_t *ref, json_t *bound)
{
    static const struct {
        const char *kind, *claim;
        const struct resource **res;
    } kinds[] = {{"Pod", "pod", &RES.pods}, {"Secret", "secret", &RES.secrets}, {"Node", "node", &RES.nodes}};
    const char *kind = jstr_or(ref, "kind", ""), *name = jstr_or(ref, "name", "");
    const char *api_version = jstr_or(ref, "apiVersion", "");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) != 0 || strchr(api_version, '/'))
            continue;
        const struct resource *res = *kinds[i].res;
        _auto_sobj_ struct sobj *o = store_get(op->r->store, res->bucket, res->namespaced ? op->t->ns : "", name);
        if (!o)
            return op_fail(op, status_not_found(res, name));
        if ((res == RES.pods && check_pod(op, o, bound) < 0) || check_uid(op, o, kind, jstr_or(ref, "uid", "")) < 0)
            return -1;
        json_object_set_new(bound, kinds[i].claim, bound_object(o));
        return 0;
    }
    const char *slash = strchr(api_version, '/');
    return op_fail_code(op, ERR_BAD_REQUEST, "cannot bind token to object of type %.*s/%s, Kind=%s",
                        slash ? (int)(slash - api_version) : 0, api_version, slash ? slash + 1 : api_version, kind);
}

/* -- the request -- */

static int check_names(struct op *op, const json_t *request)
{
    static const struct {
        const char *member, *why;
    } rows[] = {
        {"name", "must match the service account name if specified"},
        {"namespace", "must match the service account namespace if specified"},
    };
    const char *wanted[] = {op->t->name, op->t->ns};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *said = jstr_or(json_object_get(request, "metadata"), rows[i].member, "");
        if (!*said || strcmp(said, wanted[i]) == 0)
            continue;
        _auto_field_errors_ struct field_errors errs = {0};
        _auto_free_ char *field = xasprintf("metadata.%s", rows[i].member);
        fe_invalid_str(&errs, field, said, rows[i].why);
        return op_fail(op, status_invalid("authentication.k8s.io", "TokenRequest", op->t->name, &errs));
    }
    return 0;
}

/* What the request leaves out. */
static json_t *fill(struct op *op, json_t *request)
{
    json_t *spec = jmake_obj(request, "spec"), *meta = meta_of(request);
    if (!json_is_integer(json_object_get(spec, "expirationSeconds")))
        json_object_set_new(spec, "expirationSeconds", json_integer(DEFAULT_SECONDS));
    if (json_array_size(json_object_get(spec, "audiences")) == 0)
        json_object_set_new(spec, "audiences", json_pack("[s]", DEFAULT_AUDIENCE));
    if (!json_object_get(spec, "boundObjectRef"))
        json_object_set_new(spec, "boundObjectRef", json_null());
    json_object_set_new(meta, "name", json_string(op->t->name));
    json_object_set_new(meta, "namespace", json_string(op->t->ns));
    json_object_set_new(meta, "creationTimestamp", json_string(op->now));
    return spec;
}

/* `request` becomes the answer. */
static int issue(struct op *op, json_t *request, const struct sobj *account, const json_t *bound)
{
    if (!op->r->token_ops)
        return op_fail_code(op, ERR_NOT_FOUND, "the server could not find the requested resource");
    struct token_req req = {
        .ns = op->t->ns,
        .account = op->t->name,
        .uid = jstr_or(account->tree, "metadata.uid", ""),
        .audiences = jat(request, "spec.audiences"),
        .bound = json_object_size(bound) ? bound : NULL,
        .seconds = jint(request, "spec.expirationSeconds", DEFAULT_SECONDS),
    };
    _auto_free_ char *token = NULL;
    if (op->r->token_ops->issue(op->r->token_self, &req, &token, op->e) < 0)
        return op_fail_err(op);
    char end[TIME_TEXT_LEN];
    seconds_after(op->now_ns, req.seconds, end);
    json_object_set_new(request, "status", json_pack("{ssss}", "token", token, "expirationTimestamp", end));
    return op_answer_tree(op, 201, json_incref(request));
}

int token_create(struct op *op, struct reg_body *body)
{
    _auto_json_ json_t *request = NULL;
    if (sub_decode(op, "authentication.v1.TokenRequest", body, &request) < 0 || check_names(op, request) < 0)
        return -1;
    _auto_sobj_ struct sobj *account = store_get(op->r->store, op->res->bucket, op->t->ns, op->t->name);
    if (!account)
        return op_not_found(op);
    const json_t *spec = fill(op, request), *ref = json_object_get(spec, "boundObjectRef");
    _auto_json_ json_t *bound = json_object();
    if (check_seconds(op, jint(spec, "expirationSeconds", 0)) < 0 ||
        (json_is_object(ref) && check_bound(op, ref, bound) < 0))
        return -1;
    return issue(op, request, account, bound);
}

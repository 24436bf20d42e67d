/* authn.c - authentication, see authn_int.h.
 *
 * DESIGN: three sources of identity: the administrator's token (compared in constant time), tokens of service accounts
 * (signed by us, not run out, and the account, and what the token is bound to, must still exist with the same uid), and
 * nothing at all, which is anonymous. Over plain HTTP clients send no credentials, so there everybody is the
 * administrator; the server refuses to do that beyond loopback.
 *
 * A signature costs some 100 microseconds to check, so the last few good tokens are remembered by their text;
 * everything that can change later (time, the account) is still checked each time.
 *
 * Tokens are never logged nor part of an error.
 * Source: apiserver authentication/request/bearertoken, serviceaccount/claims.go; endpoints/filters/impersonation.go.
 * THREADS: `mu` guards the cache only. */
#include "apiserver/authn_int.h"

#include "apiserver/authz_int.h"
#include "apiserver/console/console_int.h"
#include "apiserver/jwt_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/json.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LEEWAY_NS (INT64_C(60) * 1000000000)

enum { CACHE = 64 };
static const char extra_space[] =
    "the provided Authorization header contains extra space before the bearer token, and is ignored";

struct cached {
    char *token;    /* owned; NULL = empty */
    json_t *claims; /* owned */
};

struct authn {
    struct registry *registry; /* borrowed */
    const struct clock *clock; /* borrowed */
    char *admin_token;         /* owned */
    struct jwt_key *key;       /* owned */
    pthread_mutex_t mu;
    struct cached cache[CACHE]; /* slot = hash of the token */
};

static const char *const admin_groups[] = {"system:masters", "system:authenticated", NULL};
static const char *const viewer_groups[] = {VIEWER_GROUP, "system:authenticated", NULL};
static const char *const anonymous_groups[] = {"system:unauthenticated", NULL};
static const struct user admin = {.name = ADMIN_NAME, .uid = "", .groups = admin_groups};
static const struct user judge = {.name = "stowage:judge", .uid = "", .groups = admin_groups, .judge = true};
static const struct user viewer = {.name = VIEWER_NAME, .uid = "", .groups = viewer_groups};
static const struct user anonymous = {.name = "system:anonymous", .uid = "", .groups = anonymous_groups};

int authn_new(const struct pki *pki, struct registry *registry, const struct clock *clock, struct authn **out,
              struct err *e)
{
    struct jwt_key *key = NULL;
    if (jwt_key_load(pki->sa_key_pem, &key, e) < 0)
        return -1;
    struct authn *a = xcalloc(1, sizeof *a);
    a->registry = registry;
    a->clock = clock;
    a->admin_token = xstrdup(pki->admin_token);
    a->key = key;
    pthread_mutex_init(&a->mu, NULL);
    *out = a;
    return 0;
}

void authn_free(struct authn *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < CACHE; i++) {
        free(a->cache[i].token);
        json_decref(a->cache[i].claims);
    }
    jwt_key_free(a->key);
    pthread_mutex_destroy(&a->mu);
    free(a->admin_token);
    free(a);
}

json_t *authn_key_set(const struct authn *a)
{
    return jwt_key_set(a->key);
}

/* -- issuing -- */

/* The claim "kubernetes.io": the account, and what the token's life is tied to. Returns new. */
static json_t *kubernetes_claim(const struct token_req *req)
{
    static const char *const bound[] = {"node", "pod", "secret"};
    json_t *k = json_pack("{s:s}", "namespace", req->ns);
    for (size_t i = 0; i < ARRAY_LEN(bound); i++) {
        json_t *object = json_object_get(req->bound, bound[i]);
        if (object)
            json_object_set(k, bound[i], object);
    }
    json_object_set_new(k, "serviceaccount", json_pack("{s:s,s:s}", "name", req->account, "uid", req->uid));
    return k;
}

static int issue(void *self, const struct token_req *req, char **out_token, struct err *e)
{
    struct authn *a = self;
    int64_t now = clock_wall_ns(a->clock) / 1000000000;
    char id[37];
    random_uuid(id);
    _auto_free_ char *sub = xasprintf("system:serviceaccount:%s:%s", req->ns, req->account);
    json_t *audiences =
        json_array_size(req->audiences) ? json_deep_copy(req->audiences) : json_pack("[s]", TOKEN_ISSUER);
    _auto_json_ json_t *claims =
        json_pack("{s:o,s:I,s:I,s:s,s:s,s:o,s:I,s:s}", "aud", audiences, "exp", (json_int_t)(now + req->seconds), "iat",
                  (json_int_t)now, "iss", TOKEN_ISSUER, "jti", id, "kubernetes.io", kubernetes_claim(req), "nbf",
                  (json_int_t)now, "sub", sub);
    if (!claims)
        return err_set(e, ERR_INTERNAL, "cannot write a token for %s/%s", req->ns, req->account);
    return jwt_sign(a->key, claims, out_token, e);
}

/* -- recognising -- */

/* As long for a wrong token as for the right one. */
static bool same_secret(const char *token, const char *secret)
{
    size_t n = strlen(token), at = 0;
    bool same_length = n == strlen(secret);
    const char *with = same_length ? secret : token;
    uint64_t diff = 0, x, y;
    for (; at + sizeof x <= n; at += sizeof x) {
        memcpy(&x, token + at, sizeof x);
        memcpy(&y, with + at, sizeof y);
        diff |= x ^ y;
    }
    for (; at < n; at++)
        diff |= (unsigned char)(token[at] ^ with[at]);
    return same_length && diff == 0;
}

/* Returns a new reference or NULL. */
static json_t *cache_find(struct authn *a, const char *token)
{
    struct cached *c = &a->cache[str_hash32(token, strlen(token)) % CACHE];
    pthread_mutex_lock(&a->mu);
    json_t *claims = c->token && strcmp(c->token, token) == 0 ? json_incref(c->claims) : NULL;
    pthread_mutex_unlock(&a->mu);
    return claims;
}

static void cache_keep(struct authn *a, const char *token, json_t *claims)
{
    struct cached *c = &a->cache[str_hash32(token, strlen(token)) % CACHE];
    pthread_mutex_lock(&a->mu);
    free(c->token);
    json_decref(c->claims);
    c->token = xstrdup(token);
    c->claims = json_incref(claims);
    pthread_mutex_unlock(&a->mu);
}

/* Returns new or NULL. */
static json_t *token_claims(struct authn *a, const char *token)
{
    json_t *claims = cache_find(a, token);
    if (!claims && (claims = jwt_verify(a->key, token)))
        cache_keep(a, token, claims);
    return claims;
}

static bool account_exists(struct authn *a, const char *ns, const char *name, const char *uid)
{
    _auto_sobj_ struct sobj *sa = reg_read(a->registry, RES.serviceaccounts, ns, name);
    return sa && str_eq(jstr(sa->tree, "metadata.uid"), uid);
}

/* Is what the token's life is tied to still there? What was deleted is honoured for another minute. */
static bool bound_object_exists(struct authn *a, const json_t *k, const char *ns)
{
    const struct {
        const char *claim;
        const struct resource *res;
    } kinds[] = {{"pod", RES.pods}, {"secret", RES.secrets}, {"node", RES.nodes}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *ref = json_object_get(k, kinds[i].claim);
        if (!ref)
            continue;
        int64_t deleted = 0;
        _auto_sobj_ struct sobj *o = reg_read(a->registry, kinds[i].res, ns, jstr_or(ref, "name", ""));
        if (!o || !str_eq(jstr(o->tree, "metadata.uid"), jstr(ref, "uid")))
            return false;
        const char *since = jstr(o->tree, "metadata.deletionTimestamp");
        return !since || time_parse(since, &deleted) < 0 || deleted + LEEWAY_NS > clock_wall_ns(a->clock);
    }
    return true;
}

/* The claims of a token that is good now, or NULL. Returns new. */
static json_t *good_claims(struct authn *a, const char *token)
{
    json_t *claims = token_claims(a, token);
    const json_t *k = json_object_get(claims, "kubernetes.io");
    const char *ns = jstr(k, "namespace"), *name = jstr(k, "serviceaccount.name"), *uid = jstr(k, "serviceaccount.uid");
    int64_t now = clock_wall_ns(a->clock) / 1000000000;
    if (ns && name && uid && jint(claims, "exp", 0) > now && jint(claims, "nbf", 0) <= now + 60 &&
        jarr_has(claims, "aud", TOKEN_ISSUER) && account_exists(a, ns, name, uid) && bound_object_exists(a, k, ns))
        return claims;
    json_decref(claims);
    return NULL;
}

static bool service_account(struct authn *a, const char *token, struct request *rq)
{
    _auto_json_ json_t *claims = good_claims(a, token);
    if (!claims)
        return false;
    const json_t *k = json_object_get(claims, "kubernetes.io");
    const char *ns = jstr(k, "namespace"), *name = jstr(k, "serviceaccount.name"), *uid = jstr(k, "serviceaccount.uid");
    struct arena *m = &rq->arena;
    const char **groups = arena_alloc(m, 4 * sizeof *groups);
    groups[0] = "system:serviceaccounts";
    groups[1] = arena_printf(m, "system:serviceaccounts:%s", ns);
    groups[2] = "system:authenticated";
    groups[3] = NULL;
    rq->user = (struct user){.name = arena_printf(m, "system:serviceaccount:%s:%s", ns, name),
                             .uid = arena_strdup(m, uid),
                             .groups = groups};
    return true;
}

/* What a token says beyond the account. Returns new. */
static json_t *extra_of(const json_t *claims)
{
    static const struct {
        const char *key, *path;
    } rows[] = {
        {"authentication.kubernetes.io/node-name", "node.name"},
        {"authentication.kubernetes.io/node-uid", "node.uid"},
        {"authentication.kubernetes.io/pod-name", "pod.name"},
        {"authentication.kubernetes.io/pod-uid", "pod.uid"},
    };
    const json_t *k = json_object_get(claims, "kubernetes.io");
    _auto_free_ char *id = xasprintf("JTI=%s", jstr_or(claims, "jti", ""));
    json_t *extra = json_pack("{s:[s]}", "authentication.kubernetes.io/credential-id", id);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *value = jstr(k, rows[i].path);
        if (value)
            json_object_set_new(extra, rows[i].key, json_pack("[s]", value));
    }
    return extra;
}

static int check(void *self, const char *token, json_t **out_user, struct err *e)
{
    _auto_json_ json_t *claims = good_claims(self, token);
    if (!claims)
        return err_set(e, ERR_UNAUTHORIZED, "invalid bearer token");
    const json_t *k = json_object_get(claims, "kubernetes.io");
    const char *ns = jstr(k, "namespace");
    _auto_free_ char *name = xasprintf("system:serviceaccount:%s:%s", ns, jstr(k, "serviceaccount.name"));
    _auto_free_ char *group = xasprintf("system:serviceaccounts:%s", ns);
    *out_user = json_pack("{s:s,s:s,s:[s,s,s],s:o}", "username", name, "uid", jstr(k, "serviceaccount.uid"), "groups",
                          "system:serviceaccounts", group, "system:authenticated", "extra", extra_of(claims));
    return 0;
}

const struct token_ops authn_token_ops = {.issue = issue, .check = check};

/* The token of the Authorization header, or NULL. The scheme is known in any case; what follows the token is ignored.
 */
static const char *bearer_token(struct request *rq)
{
    const char *h = request_header(rq, "Authorization");
    if (!h)
        return NULL;
    h += strspn(h, " ");
    if (strncasecmp(h, "bearer ", 7) != 0)
        return NULL;
    h += 7;
    if (*h == ' ') {
        if (h[strspn(h, " ")])
            strlist_add(&rq->warnings, extra_space);
        return NULL;
    }
    size_t n = strcspn(h, " ");
    return n ? arena_strndup(&rq->arena, h, n) : NULL;
}

bool authn_token(struct authn *a, const char *token, struct request *rq)
{
    const bool is_judge = same_secret(token, apiserver_seal_pass(rq->srv));
    if (!is_judge && !same_secret(token, a->admin_token))
        return service_account(a, token, rq);
    rq->user = is_judge ? judge : admin;
    return true;
}

void authn_admin(struct request *rq)
{
    rq->user = admin;
}

void authn_viewer(struct request *rq)
{
    rq->user = viewer;
}

/* Without a token: by the console's cookie, else nobody. */
static bool without_token(struct request *rq)
{
    if (!console_user(rq))
        rq->user = anonymous;
    return true;
}

bool authn_user(struct authn *a, struct request *rq)
{
    if (console_at_door(rq))
        return without_token(rq);
    if (rq->srv->plain_http) {
        rq->user = admin;
        return true;
    }
    const char *token = bearer_token(rq);
    return token ? authn_token(a, token, rq) : without_token(rq);
}

/* -- impersonation -- */

struct impersonated {
    struct arena *arena;
    const char **groups;
    size_t count;
};

static enum MHD_Result take_group(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    struct impersonated *p = cls;
    if (value && strcasecmp(key, "Impersonate-Group") == 0 && p->count < 32)
        p->groups[p->count++] = arena_strdup(p->arena, value);
    return MHD_YES;
}

static bool may_impersonate(struct request *rq, const char *api_group, const char *resource, const char *name)
{
    struct access a = {.verb = "impersonate",
                       .is_resource = true,
                       .group = api_group,
                       .resource = resource,
                       .sub = "",
                       .ns = "",
                       .name = name,
                       .path = ""};
    static const char prefix[] = "system:serviceaccount:";
    if (strcmp(resource, "users") == 0 && str_starts(name, prefix) && strchr(name + sizeof prefix - 1, ':')) {
        const char *ns = name + sizeof prefix - 1;
        a.resource = "serviceaccounts";
        a.ns = arena_strndup(&rq->arena, ns, strcspn(ns, ":"));
        a.name = strchr(ns, ':') + 1;
    }
    if (authz_allows(rq, &a))
        return true;
    authz_refuse(rq, &a);
    return false;
}

/* The groups a name brings along when none are asked for. */
static void own_groups(struct request *rq, const char *name, struct impersonated *p)
{
    static const char prefix[] = "system:serviceaccount:";
    const char *ns = str_starts(name, prefix) ? name + sizeof prefix - 1 : NULL;
    if (!ns || !strchr(ns, ':'))
        return;
    p->groups[p->count++] = "system:serviceaccounts";
    p->groups[p->count++] = arena_printf(&rq->arena, "system:serviceaccounts:%.*s", (int)strcspn(ns, ":"), ns);
}

static void reply_no_user(struct request *rq, const char *group)
{
    reply_text(rq, 500,
               arena_printf(&rq->arena,
                            "Internal Server Error: \"%s\": requested [{Group  %s    }] without impersonating a user\n",
                            rq->target.path, group));
}

bool authn_impersonate(struct request *rq)
{
    const char *name = request_header(rq, "Impersonate-User");
    const char *group = request_header(rq, "Impersonate-Group");
    if (!name && group)
        return reply_no_user(rq, group), false;
    if (!name)
        return true;
    if (!may_impersonate(rq, "", "users", name))
        return false;
    struct impersonated p = {.arena = &rq->arena, .groups = arena_alloc(&rq->arena, 40 * sizeof(char *))};
    MHD_get_connection_values(rq->mhd, MHD_HEADER_KIND, take_group, &p);
    for (size_t i = 0; i < p.count; i++)
        if (!may_impersonate(rq, "", "groups", p.groups[i]))
            return false;
    const char *uid = request_header(rq, "Impersonate-Uid");
    if (uid && *uid && !may_impersonate(rq, "authentication.k8s.io", "uids", uid))
        return false;
    if (p.count == 0)
        own_groups(rq, name, &p);
    p.groups[p.count++] = strcmp(name, anonymous.name) == 0 ? "system:unauthenticated" : "system:authenticated";
    p.groups[p.count] = NULL;
    rq->user = (struct user){
        .name = arena_strdup(&rq->arena, name), .uid = arena_strdup(&rq->arena, uid ? uid : ""), .groups = p.groups};
    return true;
}

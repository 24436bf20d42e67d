/* paths.c - the paths outside the API: version, health, metrics, the index, OpenID documents.
 *
 * DESIGN: a table of exact paths. Health has three doors (healthz, livez, readyz) over one table of checks; the names
 * are those a real control plane lists, since scripts grep for them. Each asks what does that work here: the store and
 * its journal, the thread of the control loops, the objects a cluster starts with, the documents, the node helper.
 * Source: apiserver server/healthz/healthz.go, server/routes.
 * THREADS: on the HTTP thread of the request.
 * When you add a path: a row in `paths` (or a check in `checks`), and it shows in the index. */
#include "api/openapi.h"
#include "apiserver/components_int.h"
#include "apiserver/authn_int.h"
#include "apiserver/openapi_int.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/control.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define NODES_CHECK   "node-helper"
#define LOOPS_WAIT_MS 5000

/* -- version -- */

static const char version_text[] = "{\n"
                                   "  \"major\": \"1\",\n"
                                   "  \"minor\": \"32\",\n"
                                   "  \"gitVersion\": \"v1.32.13\",\n"
                                   "  \"gitCommit\": \"unknown\",\n"
                                   "  \"gitTreeState\": \"clean\",\n"
                                   "  \"buildDate\": \"2026-01-01T00:00:00Z\",\n"
                                   "  \"goVersion\": \"go1.23.5\",\n"
                                   "  \"compiler\": \"gc\",\n"
                                   "  \"platform\": \"linux/amd64\"\n"
                                   "}";

static void serve_version(struct request *rq)
{
    static const char *const json[] = {"application/json", NULL};
    if (strcmp(rq->method, "GET") != 0)
        reply_no_method(rq);
    else if (!accept_names(request_header(rq, "Accept"), json))
        reply_not_acceptable(rq, json);
    else
        reply_static(rq, &(struct reply){.http = 200, .type = TYPE_JSON}, version_text, sizeof version_text - 1);
}

/* -- health -- */

enum door { HEALTHZ = 1, LIVEZ = 2, READYZ = 4, ALL_DOORS = 7 };

/* What a check asks. A request asks each but once. */
enum question { OF_SERVER, OF_LOG, OF_STORE, OF_LOOPS, OF_NAMESPACES, OF_SERVICE, OF_DOCUMENTS, OF_NODES, QUESTIONS };

bool health_of_store(struct apiserver *s)
{
    const struct store *store = registry_store(s->registry);
    return store_rv(store) > 0 && store_writable(store);
}

bool health_of_loops(struct apiserver *s)
{
    return !s->control || control_alive(s->control, LOOPS_WAIT_MS);
}

static bool has_object(struct apiserver *s, const struct resource *res, const char *ns, const char *name)
{
    _auto_sobj_ struct sobj *o = reg_read(s->registry, res, ns, name);
    return o != NULL;
}

/* To the first question: that somebody answers is the answer. */
static bool ask(struct apiserver *s, enum question q)
{
    switch (q) {
    case OF_LOG:
        return fcntl(STDERR_FILENO, F_GETFD) >= 0;
    case OF_STORE:
        return health_of_store(s);
    case OF_LOOPS:
        return health_of_loops(s);
    case OF_NAMESPACES:
        return has_object(s, RES.namespaces, "", "default") && has_object(s, RES.namespaces, "", "kube-system");
    case OF_SERVICE:
        return has_object(s, RES.services, "default", "kubernetes");
    case OF_DOCUMENTS:
        return discovery_group_list().data != NULL;
    case OF_NODES:
        return !s->nodes_alive || s->nodes_alive(s->nodes_arg);
    default:
        return true;
    }
}

#define HOOK(name, question)                                                                                           \
    {                                                                                                                  \
        "poststarthook/" name, ALL_DOORS, question                                                                     \
    }
static const struct {
    const char *name;
    unsigned doors;
    enum question question;
} checks[] = {
    {"ping", ALL_DOORS, OF_SERVER},
    {"log", ALL_DOORS, OF_LOG},
    {"etcd", ALL_DOORS, OF_STORE},
    {"etcd-readiness", READYZ, OF_STORE},
    {"informer-sync", READYZ, OF_LOOPS},
    HOOK("start-apiserver-admission-initializer", OF_SERVER),
    HOOK("generic-apiserver-start-informers", OF_LOOPS),
    HOOK("priority-and-fairness-config-consumer", OF_SERVER),
    HOOK("priority-and-fairness-filter", OF_SERVER),
    HOOK("storage-object-count-tracker-hook", OF_STORE),
    HOOK("start-apiextensions-informers", OF_LOOPS),
    HOOK("start-apiextensions-controllers", OF_LOOPS),
    HOOK("crd-informer-synced", OF_LOOPS),
    HOOK("start-system-namespaces-controller", OF_NAMESPACES),
    HOOK("start-cluster-authentication-info-controller", OF_SERVER),
    HOOK("start-kube-apiserver-identity-lease-controller", OF_LOOPS),
    HOOK("start-kube-apiserver-identity-lease-garbage-collector", OF_LOOPS),
    HOOK("start-legacy-token-tracking-controller", OF_LOOPS),
    HOOK("start-service-ip-repair-controllers", OF_SERVICE),
    HOOK("rbac/bootstrap-roles", OF_SERVER),
    HOOK("scheduling/bootstrap-system-priority-classes", OF_SERVER),
    HOOK("priority-and-fairness-config-producer", OF_SERVER),
    HOOK("bootstrap-controller", OF_SERVICE),
    HOOK("start-kube-aggregator-informers", OF_LOOPS),
    HOOK("apiservice-status-local-available-controller", OF_DOCUMENTS),
    HOOK("apiservice-status-remote-available-controller", OF_DOCUMENTS),
    HOOK("apiservice-registration-controller", OF_DOCUMENTS),
    HOOK("apiservice-wait-for-first-sync", OF_DOCUMENTS),
    HOOK("apiservice-discovery-controller", OF_DOCUMENTS),
    HOOK("kube-apiserver-autoregistration", OF_DOCUMENTS),
    {"autoregister-completion", ALL_DOORS, OF_DOCUMENTS},
    HOOK("apiservice-openapi-controller", OF_DOCUMENTS),
    HOOK("apiservice-openapiv3-controller", OF_DOCUMENTS),
    {"shutdown", READYZ, OF_SERVER},
    {NODES_CHECK, ALL_DOORS, OF_NODES},
};

static const struct {
    const char *path;
    enum door door;
} doors[] = {{"healthz", HEALTHZ}, {"livez", LIVEZ}, {"readyz", READYZ}};

static bool excluded(const struct request *rq, const char *name)
{
    const char *v;
    for (size_t i = 0; (v = query_nth(&rq->query, "exclude", i)); i++)
        if (strcmp(v, name) == 0)
            return true;
    return false;
}

static void reply_health(struct request *rq, unsigned http, const char *text)
{
    struct buf b = BUF_INIT;
    buf_adds(&b, text);
    reply_buf(rq, &(struct reply){.http = http, .type = TYPE_TEXT, .nosniff = true}, &b);
}

/* What this request has asked already: 0 not, 1 fine, -1 not fine. */
struct answers {
    signed char of[QUESTIONS];
};

static bool check_ok(struct request *rq, struct answers *known, size_t i)
{
    const enum question q = checks[i].question;
    if (known->of[q] == 0)
        known->of[q] = ask(rq->srv, q) ? 1 : -1;
    return known->of[q] > 0;
}

/* A real control plane knows no nodes here, so theirs shows only when something is wrong. */
static bool unmentioned(size_t i, bool ok)
{
    return ok && strcmp(checks[i].name, NODES_CHECK) == 0;
}

static void serve_door(struct request *rq, size_t d)
{
    _auto_buf_ struct buf text = BUF_INIT;
    struct answers known = {{0}};
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (!(checks[i].doors & doors[d].door))
            continue;
        if (excluded(rq, checks[i].name)) {
            buf_addf(&text, "[+]%s excluded: ok\n", checks[i].name);
            continue;
        }
        bool ok = check_ok(rq, &known, i);
        all &= ok;
        if (!unmentioned(i, ok))
            buf_addf(&text, ok ? "[+]%s ok\n" : "[-]%s failed: reason withheld\n", checks[i].name);
    }
    buf_addf(&text, "%s check %s\n", doors[d].path, all ? "passed" : "failed");
    if (!all)
        reply_health(rq, 500, buf_str(&text));
    else
        reply_health(rq, 200, query_get(&rq->query, "verbose") ? buf_str(&text) : "ok");
}

static void serve_check(struct request *rq, size_t d, const char *name)
{
    struct answers known = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if ((checks[i].doors & doors[d].door) && strcmp(checks[i].name, name) == 0) {
            if (check_ok(rq, &known, i))
                reply_health(rq, 200, "ok");
            else
                reply_health(rq, 500, "internal server error: reason withheld\n");
            return;
        }
    reply_no_page(rq);
}

static bool serve_health(struct request *rq)
{
    const char *path = rq->target.path + 1;
    for (size_t d = 0; d < ARRAY_LEN(doors); d++) {
        size_t n = strlen(doors[d].path);
        if (strncmp(path, doors[d].path, n) != 0 || (path[n] && path[n] != '/'))
            continue;
        if (path[n])
            serve_check(rq, d, path + n + 1);
        else
            serve_door(rq, d);
        return true;
    }
    return false;
}

/* -- metrics -- */

static void add_metric(struct buf *b, const char *name, const char *type, const char *help, unsigned long long v)
{
    buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name, v);
}

static void serve_metrics(struct request *rq)
{
    struct apiserver *s = rq->srv;
    struct store_stats st;
    store_stats(registry_store(s->registry), &st);
    struct buf b = BUF_INIT;
    add_metric(&b, "apiserver_requests", "counter", "Requests answered.", atomic_load(&s->requests));
    add_metric(&b, "apiserver_errors", "counter", "Answers with status 500 and above.", atomic_load(&s->errors));
    add_metric(&b, "apiserver_longrunning_requests", "gauge", "Open watches.", atomic_load(&s->watches));
    add_metric(&b, "apiserver_storage_objects", "gauge", "Objects in the store.", st.objects);
    add_metric(&b, "apiserver_storage_bytes", "gauge", "Bytes of all objects.", st.bytes);
    add_metric(&b, "apiserver_storage_watchers", "gauge", "Watches of the store, ours and the controllers'.",
               st.watchers);
    add_metric(&b, "apiserver_storage_commits", "counter", "Changes committed.", st.commits);
    add_metric(&b, "apiserver_storage_commit_groups", "counter", "Transactions they were written in.", st.groups);
    add_metric(&b, "apiserver_storage_journal_bytes", "gauge", "Size of the journal on disk.", st.journal_bytes);
    reply_buf(rq, &(struct reply){.http = 200, .type = "text/plain; version=0.0.4; charset=utf-8; escaping=values"},
              &b);
}

/* -- OpenID -- */

static void serve_openid(struct request *rq)
{
    _auto_json_ json_t *doc =
        json_pack("{s:s,s:s,s:[s],s:[s],s:[s]}", "issuer", TOKEN_ISSUER, "jwks_uri",
                  arena_printf(&rq->arena, "https://%s/openid/v1/jwks", rq->srv->host_port), "response_types_supported",
                  "id_token", "subject_types_supported", "public", "id_token_signing_alg_values_supported", "ES256");
    struct buf b = BUF_INIT;
    json_write(&b, doc);
    reply_buf(rq, &(struct reply){.http = 200, .type = TYPE_JSON, .cache = "public, max-age=3600"}, &b);
}

static void serve_jwks(struct request *rq)
{
    static const char *const type[] = {"application/jwk-set+json", NULL};
    if (!accept_names(request_header(rq, "Accept"), type)) {
        reply_not_acceptable(rq, type);
        return;
    }
    _auto_json_ json_t *keys = authn_key_set(rq->srv->authn);
    struct buf b = BUF_INIT;
    json_write(&b, keys);
    reply_buf(rq, &(struct reply){.http = 200, .type = type[0], .cache = "public, max-age=3600"}, &b);
}

/* -- the index -- */

static void add_groups(struct strlist *l)
{
    size_t n;
    const struct resource *const *all = resource_all(&n);
    for (size_t i = 0; i < n; i++) {
        if (!all[i]->group[0])
            continue;
        _auto_free_ char *group = xasprintf("/apis/%s", all[i]->group);
        _auto_free_ char *version = xasprintf("%s/%s", group, all[i]->version);
        if (!strlist_has(l, group))
            strlist_add(l, group);
        if (!strlist_has(l, version))
            strlist_add(l, version);
    }
}

static void serve_index(struct request *rq);

static const struct {
    const char *path;
    void (*serve)(struct request *rq);
    bool listed;
} paths[] = {
    {"/", serve_index, false},
    {"/index.html", serve_index, false},
    {"/version", serve_version, true},
    {"/version/", serve_version, false},
    {"/metrics", serve_metrics, true},
    {"/metrics/slis", serve_metrics, true},
    {"/.well-known/openid-configuration", serve_openid, true},
    {"/.well-known/openid-configuration/", serve_openid, false},
    {"/openid/v1/jwks", serve_jwks, true},
    {"/openid/v1/jwks/", serve_jwks, false},
    {"/openapi/v2", openapi_v2_serve, true},
    {"/openapi/v3", openapi_v3_serve, true},
};

static void serve_index(struct request *rq)
{
    _auto_strlist_ struct strlist l = {0};
    static const char *const fixed[] = {"/api", "/api/v1", "/apis", "/apis/", "/openapi/v3/"};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        strlist_add(&l, fixed[i]);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (paths[i].listed)
            strlist_add(&l, paths[i].path);
    add_groups(&l);
    for (size_t d = 0; d < ARRAY_LEN(doors); d++) {
        strlist_addf(&l, "/%s", doors[d].path);
        for (size_t i = 0; i < ARRAY_LEN(checks); i++)
            if (checks[i].doors & doors[d].door)
                strlist_addf(&l, "/%s/%s", doors[d].path, checks[i].name);
    }
    strlist_sort(&l);
    struct buf b = BUF_INIT;
    buf_adds(&b, "{\n  \"paths\": [\n");
    for (size_t i = 0; i < l.len; i++)
        buf_addf(&b, "    \"%s\"%s\n", l.items[i], i + 1 < l.len ? "," : "");
    buf_adds(&b, "  ]\n}");
    reply_buf(rq, &(struct reply){.http = 200, .type = TYPE_JSON}, &b);
}

bool paths_serve(struct request *rq)
{
    const char *path = rq->target.path;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (strcmp(path, paths[i].path) == 0) {
            paths[i].serve(rq);
            return true;
        }
    if (str_starts(path, "/openapi/v3/")) {
        openapi_v3_serve(rq);
        return true;
    }
    return serve_health(rq);
}

/* auth.c - `kubectl auth can-i` and `auth whoami`. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/describe/describe.h"
#include "kubectl/output/print.h"
#include "kubectl/verbs/verbs_int.h"

#include <string.h>
#include <strings.h>

#define REVIEWS "/apis/authorization.k8s.io/v1/"

/* ---- can-i ---- */

static bool is_word(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (str_eq(*words, word))
            return true;
    return false;
}

static void warn(struct call *c, const char *text)
{
    fprintf(c->k->err, "Warning: %s\n\n", text);
}

/* What is asked about, as the review has it; warnings are told on the way. Returns new. */
static json_t *attributes_of(struct call *c, const char *verb, const char *what, const char *ns)
{
    static const char *const known[] = {
        "get",         "list", "watch",   "create", "update",   "patch",  "delete", "deletecollection", "use", "bind",
        "impersonate", "*",    "approve", "sign",   "escalate", "attest", NULL};
    const char *slash = strchr(what, '/');
    _auto_free_ char *word = xstrndup(what, slash != NULL ? (size_t)(slash - what) : strlen(what));
    struct err e = ERR_INIT;
    const struct kinds *all = call_kinds(c, &e);
    const struct kind *k = all != NULL && !str_eq(word, "*") ? kinds_find(all, word) : NULL;
    _auto_free_ char *text = NULL;
    if (k == NULL && !str_eq(word, "*") && !str_eq(word, "users") && !str_eq(word, "groups")) {
        text = xasprintf("the server doesn't have a resource type '%s'", word);
        warn(c, text);
    } else if (k != NULL && !k->namespaced && *ns) {
        text = k->group[0] != '\0'
                   ? xasprintf("resource '%s' is not namespace scoped in group '%s'", k->plural, k->group)
                   : xasprintf("resource '%s' is not namespace scoped", k->plural);
        warn(c, text);
    }
    if (!is_word(verb, known) && k != NULL && *ns) {
        _auto_free_ char *unknown = xasprintf("verb '%s' is not a known verb", verb);
        warn(c, unknown);
    }
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "namespace", ns, "verb", verb, "group", k != NULL ? k->group : "",
                     "resource", k != NULL ? k->plural : word, "subresource", call_text(c, "subresource"), "name",
                     slash != NULL ? slash + 1 : "");
}

static int can_i_check(struct call *c, const char *ns)
{
    static const char *const url_verbs[] = {"get", "put", "post", "head", "options", "delete", "patch", "*", NULL};
    const char *verb = c->words.items[0], *what = c->words.items[1];
    _auto_json_ json_t *review = json_pack("{s:s,s:s,s:{}}", "apiVersion", "authorization.k8s.io/v1", "kind",
                                           "SelfSubjectAccessReview", "spec"),
                       *answer = NULL;
    struct err e = ERR_INIT;
    if (what[0] == '/') {
        if (!is_word(verb, url_verbs)) {
            _auto_free_ char *unknown = xasprintf("verb '%s' is not a known verb", verb);
            warn(c, unknown);
        }
        jset(review, "spec.nonResourceAttributes", json_pack("{s:s,s:s}", "verb", verb, "path", what));
    } else {
        jset(review, "spec.resourceAttributes", attributes_of(c, verb, what, ns));
    }
    if (call_json(c, "POST", REVIEWS "selfsubjectaccessreviews", review, NULL, &answer, &e) < 0)
        return call_error(c, &e);
    bool allowed = jbool(answer, "status.allowed", false);
    const char *reason = jstr_or(answer, "status.reason", ""), *failed = jstr_or(answer, "status.evaluationError", "");
    if (!call_bool(c, "quiet"))
        fprintf(c->k->out, "%s%s%s%s%s\n", allowed ? "yes" : "no", !allowed && *reason ? " - " : "",
                allowed ? "" : reason, !allowed && *failed ? " - " : "", allowed ? "" : failed);
    return c->code = allowed ? 0 : 1;
}

/* A review's rules as a role has them. Returns new. */
static json_t *rules_of(const json_t *status)
{
    json_t *out = json_array();
    json_array_extend(out, jat(status, "resourceRules"));
    json_array_extend(out, jat(status, "nonResourceRules"));
    return out;
}

static int can_i_list(struct call *c, const char *ns)
{
    _auto_json_ json_t *review = json_pack("{s:s,s:s,s:{s:s}}", "apiVersion", "authorization.k8s.io/v1", "kind",
                                           "SelfSubjectRulesReview", "spec", "namespace", ns),
                       *answer = NULL;
    _auto_table_ struct table t = {0};
    struct err e = ERR_INIT;
    if (call_json(c, "POST", REVIEWS "selfsubjectrulesreviews", review, NULL, &answer, &e) < 0)
        return call_error(c, &e);
    if (jbool(answer, "status.incomplete", false))
        fprintf(c->k->err, "Warning: the list may be incomplete: %s\n", jstr_or(answer, "status.evaluationError", ""));
    if (!call_bool(c, "no-headers"))
        table_addf(&t, "Resources\tNon-Resource URLs\tResource Names\tVerbs\n");
    _auto_json_ json_t *rules = rules_of(jat(answer, "status"));
    describe_rules(&t.text, rules);
    table_flush(&t, c->k->out);
    return 0;
}

static int can_i_run(struct call *c)
{
    const char *ns = call_namespace(c);
    if (ns == NULL)
        return c->code;
    ns = call_bool(c, "all-namespaces") ? "" : ns;
    if (call_bool(c, "list") && c->words.len > 0)
        return call_fail(c, "list option must be specified with no arguments");
    if (call_bool(c, "list"))
        return can_i_list(c, ns);
    if (c->words.len != 2)
        return call_fail(c,
                         "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl "
                         "auth can-i -h' for help and examples.");
    if (call_bool(c, "no-headers"))
        return call_fail(c, "--no-headers cannot be set without --list specified");
    return can_i_check(c, ns);
}

/* ---- whoami ---- */

static void put_extra(struct table *t, const json_t *extra)
{
    _auto_strlist_ struct strlist keys = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)extra, key, value)
    {
        strlist_add(&keys, key);
    }
    strlist_sort(&keys);
    for (size_t i = 0; i < keys.len; i++) {
        _auto_buf_ struct buf text = BUF_INIT;
        describe_value(&text, json_object_get(extra, keys.items[i]));
        table_addf(t, "Extra: %s\t%s\n", keys.items[i], buf_str(&text));
    }
}

static int whoami_run(struct call *c)
{
    _auto_json_ json_t *review = json_pack("{s:s,s:s}", "apiVersion", "authentication.k8s.io/v1", "kind",
                                           "SelfSubjectReview"),
                       *answer = NULL;
    struct printer p = {0};
    _auto_table_ struct table t = {0};
    struct err e = ERR_INIT;
    if (printer_init(c, &p, false) < 0)
        return c->code;
    if (call_json(c, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, NULL, &answer, &e) < 0)
        call_error(c, &e);
    else if (p.form != PRINT_TABLE && printer_object(c, &p, NULL, answer, NULL, &e) < 0)
        call_error(c, &e);
    if (answer != NULL && p.form == PRINT_TABLE) {
        const json_t *who = jat(answer, "status.userInfo");
        _auto_buf_ struct buf groups = BUF_INIT;
        describe_value(&groups, jat(who, "groups"));
        table_addf(&t, "ATTRIBUTE\tVALUE\n");
        if (!str_empty(jstr(who, "username")))
            table_addf(&t, "Username\t%s\n", jstr(who, "username"));
        if (!str_empty(jstr(who, "uid")))
            table_addf(&t, "UID\t%s\n", jstr(who, "uid"));
        if (json_array_size(jat(who, "groups")) > 0)
            table_addf(&t, "Groups\t%s\n", buf_str(&groups));
        put_extra(&t, jat(who, "extra"));
        table_flush(&t, c->k->out);
    }
    printer_end(c, &p);
    printer_release(&p);
    return c->code;
}

/* ---- the verb ---- */

static const struct kubectl_flag can_i_flags[] = {
    FLAGS_ALL_NAMESPACES,
    {"quiet", 'q', FLAG_BOOL, NULL, "Only the exit code tells"},
    {"subresource", 0, FLAG_TEXT, NULL, "Of the resource: log, scale"},
    {"list", 0, FLAG_BOOL, NULL, "All that is allowed"},
    {"no-headers", 0, FLAG_BOOL, NULL, "No first line with headers"},
    {0},
};
static const struct kubectl_flag whoami_flags[] = {FLAGS_OUTPUT, {0}};

static const struct kubectl_verb auth_can_i = {
    .name = "can-i",
    .summary = "Check whether an action is allowed",
    .usage = "VERB [TYPE | TYPE/NAME | NONRESOURCEURL] [options]",
    .help = "  kubectl auth can-i create pods\n  kubectl auth can-i get pods --subresource=log\n"
            "  kubectl auth can-i --list\n",
    .flags = can_i_flags,
    .takes = TAKES_NONE,
    .run = can_i_run,
};
static const struct kubectl_verb auth_whoami = {
    .name = "whoami",
    .summary = "Experimental: Check self subject attributes",
    .usage = "[options]",
    .flags = whoami_flags,
    .takes = TAKES_NONE,
    .run = whoami_run,
};
static const struct kubectl_verb *const subs[] = {&auth_can_i, &auth_whoami, NULL};

const struct kubectl_verb kubectl_auth = {
    .name = "auth",
    .summary = "Inspect authorization",
    .usage = "[flags] [options]",
    .help = "  kubectl auth can-i delete pvc\n  kubectl auth whoami\n",
    .takes = TAKES_NONE,
    .subs = subs,
};

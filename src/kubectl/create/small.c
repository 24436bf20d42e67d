/* small.c - kinds that are a name and little more: namespace, serviceaccount, quota, poddisruptionbudget,
 * priorityclass; and `create token`, which makes no object. */
#include "api/quantity.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/create/creating.h"

#include <string.h>

static int namespace_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name)
        return c->code;
    json_t *o = creating_object(c, "v1", "Namespace", name);
    jset(o, "spec", json_object());
    jset(o, "status", json_object());
    return creating_send(c, o, "namespaces", false, NULL);
}

static const struct kubectl_flag plain_flags[] = {FLAGS_CREATE, {0}};

const struct kubectl_verb kubectl_create_namespace = {
    .name = "namespace",
    .aliases = "ns",
    .summary = "Create a namespace with the specified name",
    .usage = "NAME [--dry-run=server|client|none] [options]",
    .flags = plain_flags,
    .takes = TAKES_NAME,
    .run = namespace_run,
};

static int serviceaccount_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name)
        return c->code;
    return creating_send(c, creating_object(c, "v1", "ServiceAccount", name), "serviceaccounts", true,
                         "failed to create serviceaccount: ");
}

const struct kubectl_verb kubectl_create_serviceaccount = {
    .name = "serviceaccount",
    .aliases = "sa",
    .summary = "Create a service account with the specified name",
    .usage = "NAME [--dry-run=server|client|none] [options]",
    .flags = plain_flags,
    .takes = TAKES_NAME,
    .run = serviceaccount_run,
};

/* ---- quota ---- */

/* "pods=3,requests.storage=1Gi". -1: told. */
static int put_hard(struct call *c, json_t *o)
{
    const struct strlist *hard = call_list(c, "hard");
    for (size_t i = 0; i < hard->len; i++) {
        char text[QUANTITY_TEXT_LEN];
        const char *equal = strchr(hard->items[i], '=');
        if (!equal || strchr(equal + 1, '='))
            return call_fail(c, "Invalid argument syntax %s, expected <resource>=<value>", hard->items[i]), -1;
        _auto_free_ char *name = xstrndup(hard->items[i], (size_t)(equal - hard->items[i]));
        if (quantity_text(equal + 1, false, text) < 0)
            return call_fail(c, "%s", quantity_refusal(equal + 1)), -1;
        jset_map(o, "spec.hard", name, text);
    }
    return 0;
}

static int quota_run(struct call *c)
{
    const char *name = creating_name(c);
    const struct strlist *scopes = call_list(c, "scopes");
    if (!name)
        return c->code;
    json_t *o = creating_object(c, "v1", "ResourceQuota", name);
    jset(o, "spec", json_object());
    if (put_hard(c, o) < 0) {
        json_decref(o);
        return c->code;
    }
    if (scopes->len)
        jset(o, "spec.scopes", creating_list(scopes));
    jset(o, "status", json_object());
    return creating_send(c, o, "resourcequotas", true, "failed to create quota: ");
}

static const struct kubectl_flag quota_flags[] = {
    FLAGS_CREATE,
    {"hard", 0, FLAG_LIST, NULL, "resource=value, with commas"},
    {"scopes", 0, FLAG_LIST, NULL, "Which pods it counts"},
    {0},
};

const struct kubectl_verb kubectl_create_quota = {
    .name = "quota",
    .aliases = "resourcequota",
    .summary = "Create a quota with the specified name",
    .usage = "NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [--dry-run=server|client|none] [options]",
    .flags = quota_flags,
    .takes = TAKES_NAME,
    .run = quota_run,
};

/* ---- pod disruption budget ---- */

static json_t *number_or_text(const char *text)
{
    int64_t n;
    return str_to_i64(text, &n) ? json_integer(n) : json_string(text);
}

static int pdb_run(struct call *c)
{
    const char *name = creating_name(c);
    const char *least = call_text(c, "min-available"), *most = call_text(c, "max-unavailable");
    if (!name || !creating_has(c, "selector"))
        return c->code;
    if (!*least == !*most)
        return call_fail(c, "%s",
                         *least ? "min-available and max-unavailable cannot be both specified"
                                : "one of min-available or max-unavailable must be specified");
    json_t *o = creating_object(c, "policy/v1", "PodDisruptionBudget", name);
    jset(o, *least ? "spec.minAvailable" : "spec.maxUnavailable", number_or_text(*least ? least : most));
    _auto_strlist_ struct strlist pairs = {0};
    strlist_split(&pairs, call_text(c, "selector"), ',');
    for (size_t i = 0; i < pairs.len; i++) {
        const char *equal = strchr(pairs.items[i], '=');
        _auto_free_ char *key = xstrndup(pairs.items[i], strcspn(pairs.items[i], "="));
        jset_map(o, "spec.selector.matchLabels", key, equal ? equal + 1 + (equal[1] == '=') : "");
    }
    static const char *const counts[] = {"currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        json_object_set_new(jmake_obj(o, "status"), counts[i], json_integer(0));
    return creating_send(c, o, "poddisruptionbudgets", true, "failed to create poddisruptionbudgets: ");
}

static const struct kubectl_flag pdb_flags[] = {
    FLAGS_CREATE,
    {"selector", 0, FLAG_TEXT, NULL, "Labels of the pods"},
    {"min-available", 0, FLAG_TEXT, NULL, "How many, or what share, must stay"},
    {"max-unavailable", 0, FLAG_TEXT, NULL, "How many, or what share, may go"},
    {0},
};

const struct kubectl_verb kubectl_create_pdb = {
    .name = "poddisruptionbudget",
    .aliases = "pdb",
    .summary = "Create a pod disruption budget with the specified name",
    .usage = "NAME --selector=SELECTOR --min-available=N [--dry-run=server|client|none] [options]",
    .flags = pdb_flags,
    .takes = TAKES_NAME,
    .run = pdb_run,
};

/* ---- priority class ---- */

static int priorityclass_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name || !creating_has(c, "value"))
        return c->code;
    json_t *o = creating_object(c, "scheduling.k8s.io/v1", "PriorityClass", name);
    jset_int(o, "value", call_int(c, "value"));
    if (call_bool(c, "global-default"))
        jset_bool(o, "globalDefault", true);
    if (*call_text(c, "description"))
        jset_str(o, "description", call_text(c, "description"));
    jset_str(o, "preemptionPolicy", call_text(c, "preemption-policy"));
    return creating_send(c, o, "priorityclasses", false, "failed to create priorityclass: ");
}

static const struct kubectl_flag priorityclass_flags[] = {
    FLAGS_CREATE,
    {"value", 0, FLAG_INT, "0", "The priority"},
    {"global-default", 0, FLAG_BOOL, NULL, "For pods that name none"},
    {"description", 0, FLAG_TEXT, NULL, "When to use it"},
    {"preemption-policy", 0, FLAG_TEXT, "PreemptLowerPriority", "PreemptLowerPriority or Never"},
    {0},
};

const struct kubectl_verb kubectl_create_priorityclass = {
    .name = "priorityclass",
    .aliases = "pc",
    .summary = "Create a priority class with the specified name",
    .usage = "NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none] [options]",
    .flags = priorityclass_flags,
    .takes = TAKES_NAME,
    .run = priorityclass_run,
};

/* ---- token ---- */

static int token_run(struct call *c)
{
    const char *name = creating_name(c), *ns = name ? call_namespace(c) : NULL;
    _auto_json_ json_t *answer = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    struct printer p;
    if (!ns || printer_init(c, &p, false) < 0)
        return c->code;
    _auto_json_ json_t *o = json_pack("{s:s,s:s,s:{s:n},s:{}}", "apiVersion", "authentication.k8s.io/v1", "kind",
                                      "TokenRequest", "metadata", "creationTimestamp", "spec");
    jset(o, "spec.audiences", call_list(c, "audience")->len ? creating_list(call_list(c, "audience")) : json_null());
    jset(o, "spec.expirationSeconds",
         call_given(c, "duration") ? json_integer(call_duration(c, "duration") / 1000) : json_null());
    if (*call_text(c, "bound-object-kind"))
        jset(o, "spec.boundObjectRef",
             json_pack("{s:s,s:s,s:s}", "kind", call_text(c, "bound-object-kind"), "apiVersion", "v1", "name",
                       call_text(c, "bound-object-name")));
    const struct kind accounts = {
        .group = (char[]){""}, .version = (char[]){"v1"}, .plural = (char[]){"serviceaccounts"}, .namespaced = true};
    kind_path(&accounts, ns, name, "token", &path);
    if (call_json(c, "POST", buf_str(&path), o, NULL, &answer, &e) < 0) {
        const char *why = jstr(c->failure, "message");
        call_fail(c, "failed to create token: %s", why ? why : e.msg);
        call_forget(c);
    } else if (p.form == PRINT_TABLE) {
        fprintf(c->k->out, "%s\n", jstr_or(answer, "status.token", ""));
    } else if (printer_object(c, &p, NULL, answer, NULL, &e) < 0) {
        call_error(c, &e);
    }
    printer_release(&p);
    return c->code;
}

static const struct kubectl_flag token_flags[] = {
    FLAGS_OUTPUT,
    {"audience", 0, FLAG_ARRAY, NULL, "For whom it is"},
    {"duration", 0, FLAG_DURATION, "0s", "How long it is good"},
    {"bound-object-kind", 0, FLAG_TEXT, NULL, "Only while this object is there: Pod, Secret, Node"},
    {"bound-object-name", 0, FLAG_TEXT, NULL, "Its name"},
    {"bound-object-uid", 0, FLAG_TEXT, NULL, "Its uid"},
    {0},
};

const struct kubectl_verb kubectl_create_token = {
    .name = "token",
    .summary = "Request a service account token",
    .usage = "SERVICE_ACCOUNT_NAME [options]",
    .flags = token_flags,
    .takes = TAKES_NAME,
    .run = token_run,
};

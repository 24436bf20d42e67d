/* others.c - kubectl set serviceaccount, selector, subject: one field each. */
#include "kubectl/set/set_int.h"

#include "api/selector.h"
#include "base/json.h"
#include "base/str.h"

#include <string.h>

static const struct kubectl_flag flags[] = {SET_FLAGS, {NULL}};
static const struct kubectl_flag selector_flags[] = {
    SET_FLAGS, {"resource-version", 0, FLAG_TEXT, NULL, "Only if the object is still this version", NULL}, {NULL}};
static const struct kubectl_flag subject_flags[] = {
    SET_FLAGS,
    {"group", 0, FLAG_ARRAY, NULL, "Groups to bind to the role", NULL},
    {"serviceaccount", 0, FLAG_ARRAY, NULL, "Service accounts to bind to the role: namespace:name", NULL},
    {"user", 0, FLAG_ARRAY, NULL, "Users to bind to the role", NULL},
    {NULL},
};

/* ---- serviceaccount ---- */

static int patch_account(struct call *c, const struct kind *kind, const json_t *object, void *arg, json_t **out,
                         struct err *e)
{
    (void)c;
    (void)kind;
    if (!set_pod_spec(object, e))
        return -1;
    *out = set_wrap(object, json_pack("{s:s}", "serviceAccountName", (const char *)arg));
    return 0;
}

static int run_account(struct call *c)
{
    const struct set_change s = {.done = "serviceaccount updated",
                                 .failed = "failed to patch ServiceAccountName ",
                                 .leave = 1,
                                 .patch = patch_account,
                                 .arg = c->words.len ? c->words.items[c->words.len - 1] : NULL};
    if (!set_flags_fit(c))
        return c->code;
    if (c->words.len == 0)
        return call_fail(c, "serviceaccount is required");
    return set_all(c, &s);
}

const struct kubectl_verb set_serviceaccount = {
    .name = "serviceaccount",
    .summary = "Update the service account of a resource",
    .usage = "(-f FILENAME | TYPE NAME) SERVICE_ACCOUNT",
    .aliases = "sa",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = run_account,
};

/* ---- selector ---- */

/* Only "a=b": what else a selector can say a service cannot have. NULL: told. */
static json_t *parse_selector(struct call *c, const char *text)
{
    _auto_json_ json_t *out = json_object();
    _auto_strlist_ struct strlist parts = {0};
    struct label_selector *parsed = NULL;
    struct err e = ERR_INIT;
    if (label_selector_parse(text, &parsed, &e) < 0) {
        call_error(c, &e);
        return NULL;
    }
    label_selector_free(parsed);
    strlist_split(&parts, text, ',');
    for (size_t i = 0; i < parts.len; i++) {
        char *equals = strchr(parts.items[i], '=');
        if (!equals || equals == parts.items[i] || equals[-1] == '!' || strchr(parts.items[i], ' ')) {
            set_fail(c, "match expression %s not supported on this object", text);
            return NULL;
        }
        *equals = '\0';
        json_object_set_new(out, parts.items[i], json_string(equals + 1 + (equals[1] == '=')));
    }
    return TAKE(out);
}

static int patch_selector(struct call *c, const struct kind *kind, const json_t *object, void *arg, json_t **out,
                          struct err *e)
{
    _auto_json_ json_t *wished = NULL;
    const json_t *value;
    const char *key;
    (void)kind;
    if (!str_eq(jstr(object, "kind"), "Service")) {
        set_fail(c, "setting a selector is only supported for Services");
        return 0;
    }
    (void)e;
    if (!(wished = parse_selector(c, arg)))
        return 0;
    json_t *selector = json_deep_copy(wished);
    json_object_foreach(jat(object, "spec.selector"), key, value) if (!json_object_get(selector, key))
        json_object_set_new(selector, key, json_null());
    *out = json_pack("{s:{s:o}}", "spec", "selector", selector);
    if (*call_text(c, "resource-version"))
        jset_str(*out, "metadata.resourceVersion", call_text(c, "resource-version"));
    return 0;
}

static int run_selector(struct call *c)
{
    if (!set_flags_fit(c))
        return c->code;
    if (c->words.len == 0)
        return call_fail(c, "one selector is required");
    const struct set_change s = {.done = "selector updated",
                                 .failed = "",
                                 .leave = 1,
                                 .patch = patch_selector,
                                 .arg = c->words.items[c->words.len - 1]};
    return set_all(c, &s);
}

const struct kubectl_verb set_selector = {
    .name = "selector",
    .summary = "Set the selector on a resource",
    .usage = "(-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]",
    .flags = selector_flags,
    .takes = TAKES_KINDS,
    .run = run_selector,
};

/* ---- subject ---- */

static void add_subject(json_t *subjects, json_t *subject)
{
    size_t i;
    const json_t *there;
    json_array_foreach(subjects, i, there) if (json_equal(there, subject))
    {
        json_decref(subject);
        return;
    }
    json_array_append_new(subjects, subject);
}

static void add_named(struct call *c, const char *flag, const char *kind, json_t *subjects)
{
    const struct strlist *given = call_list(c, flag);
    _auto_strlist_ struct strlist names = {0};
    for (size_t i = 0; i < given->len; i++)
        strlist_add(&names, given->items[i]);
    strlist_sort(&names);
    for (size_t i = 0; i < names.len; i++) {
        char *colon = strchr(names.items[i], ':');
        if (str_eq(kind, "ServiceAccount")) {
            *colon = '\0';
            const char *ns = *names.items[i] ? names.items[i] : call_namespace(c);
            add_subject(subjects, json_pack("{s:s, s:s, s:s}", "kind", kind, "name", colon + 1, "namespace", ns));
        } else {
            add_subject(subjects, json_pack("{s:s, s:s, s:s}", "kind", kind, "apiGroup", "rbac.authorization.k8s.io",
                                            "name", names.items[i]));
        }
    }
}

static int patch_subjects(struct call *c, const struct kind *kind, const json_t *object, void *arg, json_t **out,
                          struct err *e)
{
    const char *k = jstr_or(object, "kind", "");
    (void)kind;
    (void)arg;
    if (!str_eq(k, "RoleBinding") && !str_eq(k, "ClusterRoleBinding"))
        return err_set(e, ERR_INVALID, "setting subjects is only supported for RoleBinding/ClusterRoleBinding");
    json_t *subjects = json_deep_copy(json_object_get(object, "subjects"));
    if (!subjects)
        subjects = json_array();
    const size_t before = json_array_size(subjects);
    add_named(c, "user", "User", subjects);
    add_named(c, "group", "Group", subjects);
    add_named(c, "serviceaccount", "ServiceAccount", subjects);
    if (json_array_size(subjects) > before)
        *out = json_pack("{s:O}", "subjects", subjects);
    json_decref(subjects);
    return 0;
}

static int run_subject(struct call *c)
{
    const struct strlist *accounts = call_list(c, "serviceaccount");
    const struct set_change s = {
        .done = "subjects updated", .failed = "failed to patch subjects to rolebinding: ", .patch = patch_subjects};
    if (!set_flags_fit(c))
        return c->code;
    const bool named = c->words.len || call_has_files(c);
    if (named && !call_list(c, "user")->len && !call_list(c, "group")->len && !accounts->len)
        return call_fail(c, "you must specify at least one value of user, group or serviceaccount");
    for (size_t i = 0; i < accounts->len; i++) {
        const char *colon = strchr(accounts->items[i], ':');
        if (!colon || !colon[1] || strchr(colon + 1, ':'))
            return call_fail(c, "serviceaccount must be <namespace>:<name>");
    }
    return set_all(c, &s);
}

const struct kubectl_verb set_subject = {
    .name = "subject",
    .summary = "Update the user, group, or service account in a role binding or cluster role binding",
    .usage = "(-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] "
             "[--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
    .flags = subject_flags,
    .takes = TAKES_KINDS,
    .run = run_subject,
};

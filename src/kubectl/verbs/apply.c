/* apply.c - `kubectl apply`: by the client, which remembers in an annotation what it applied, or by the server.
 *
 * DESIGN: each object of the files is asked for; what is not there is created, what is there gets the three-way patch.
 * A conflict means that somebody was faster: asked for again, a few times. */
#include "api/schema.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/applying.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/verbs/three_way.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 5

struct applying {
    struct call *c;
    struct change change;
    json_t *list;   /* -o: what is to be printed at the end; NULL else */
    json_t *seen;   /* uid of each -> true, for --prune */
    json_t *spaces; /* namespaces they are in */
};

/* With an output format all objects are printed at the end, together. */
static int tell(struct applying *a, const struct kind *kind, json_t *object, const char *done)
{
    const char *uid = jstr(object, "metadata.uid"), *ns = jstr(object, "metadata.namespace");
    if (uid)
        json_object_set_new(a->seen, uid, json_true());
    if (ns)
        json_object_set_new(a->spaces, ns, json_true());
    if (a->change.printer.form == PRINT_TABLE || a->change.printer.form == PRINT_NAME)
        return change_tell(a->c, &a->change, kind, object, done);
    json_array_append(a->list, object);
    return 0;
}

/* The patch that leads from what is there to the manifest. Returns new; *out_type what it is. */
static json_t *patch_of(const struct target *t, const json_t *modified, const json_t *current, const char **out_type)
{
    const struct schema_type *type = builtin_type(t->kind->group, t->kind->version, t->kind->kind);
    const char *text = jmap(current, "metadata.annotations", LAST_APPLIED);
    _auto_json_ json_t *original = text ? json_loads(text, 0, NULL) : NULL;
    *out_type = type ? "application/strategic-merge-patch+json" : "application/merge-patch+json";
    return three_way(original, modified, current, type);
}

static char *patch_context(const struct target *t, const json_t *patch)
{
    _auto_free_ char *text = json_text(patch);
    const char *group = t->kind->group;
    return xasprintf(
        "error when applying patch:\n%s\nto:\nResource: \"%s/%s, Resource=%s\", GroupVersionKind: \"%s/%s, "
        "Kind=%s\"\nName: \"%s\", Namespace: \"%s\"\nfor: \"%s\": error when patching \"%s\": ",
        text, group, t->kind->version, t->kind->plural, group, t->kind->version, t->kind->kind, t->name, t->ns,
        t->source, t->source);
}

static void warn_unremembered(struct call *c, const struct target *t, const json_t *current)
{
    if (jmap(current, "metadata.annotations", LAST_APPLIED))
        return;
    fprintf(c->k->err,
            "Warning: resource %s/%s is missing the " LAST_APPLIED
            " annotation which is required by %s. %s should only "
            "be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The "
            "missing annotation will be patched automatically.\n",
            t->kind->plural, t->name, c->path, c->path);
}

/* --force: what cannot be patched is deleted and made anew. */
static int replace_forced(struct applying *a, const struct target *t, json_t *modified, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT, all = BUF_INIT;
    _auto_json_ json_t *made = NULL;
    kind_path(t->kind, t->ns, t->name, NULL, &path);
    kind_path(t->kind, t->ns, NULL, NULL, &all);
    call_forget(a->c);
    _auto_json_ json_t *now = json_pack("{s:i}", "gracePeriodSeconds", 0);
    if (call_json(a->c, "DELETE", buf_str(&path), now, NULL, NULL, e) < 0 ||
        change_send(a->c, &a->change, "POST", buf_str(&all), modified, NULL, &made, e) < 0)
        return -1;
    return tell(a, t->kind, made, "configured");
}

static int patch_live(struct applying *a, const struct target *t, json_t *modified, const json_t *current,
                      bool *out_again, struct err *e)
{
    struct call *c = a->c;
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *answer = NULL;
    const char *type;
    _auto_json_ json_t *patch = patch_of(t, modified, current, &type);
    if (json_object_size(patch) == 0)
        return tell(a, t->kind, (json_t *)(uintptr_t)current, "unchanged");
    if (a->change.dry == DRY_CLIENT)
        return tell(a, t->kind, (json_t *)(uintptr_t)current, "configured");
    kind_path(t->kind, t->ns, t->name, NULL, &path);
    if (change_send(c, &a->change, "PATCH", buf_str(&path), patch, type, &answer, e) == 0)
        return tell(a, t->kind, answer, "configured");
    *out_again = str_eq(jstr(c->failure, "reason"), "Conflict");
    if (*out_again)
        return -1;
    if (call_bool(c, "force") && str_eq(jstr(c->failure, "reason"), "Invalid"))
        return replace_forced(a, t, modified, e);
    _auto_free_ char *context = patch_context(t, patch);
    return call_error_at(c, context, e);
}

static int create_one(struct applying *a, const struct target *t, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *made = NULL;
    if (a->change.dry == DRY_CLIENT)
        return tell(a, t->kind, t->object, "created");
    kind_path(t->kind, t->ns, NULL, NULL, &path);
    if (change_send(a->c, &a->change, "POST", buf_str(&path), t->object, NULL, &made, e) == 0)
        return tell(a, t->kind, made, "created");
    _auto_free_ char *before = xasprintf("error when creating \"%s\": ", t->source);
    return call_error_at(a->c, before, e);
}

static int tell_not_read(struct call *c, const struct target *t, const struct err *e)
{
    const struct kind *k = t->kind;
    _auto_free_ char *before =
        xasprintf("error when retrieving current configuration of:\nResource: \"%s/%s, Resource=%s\", "
                  "GroupVersionKind: \"%s/%s, Kind=%s\"\nName: \"%s\", Namespace: \"%s\"\nfrom server for: \"%s\": ",
                  k->group, k->version, k->plural, k->group, k->version, k->kind, t->name, t->ns, t->source);
    return call_error_at(c, before, e);
}

/* Returns 1 when told, -1 with *out_again and `e` when somebody else was faster. */
static int apply_once(struct applying *a, const struct target *t, bool first, bool *out_again, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *current = NULL;
    kind_path(t->kind, t->ns, t->name, NULL, &path);
    if (call_json(a->c, "GET", buf_str(&path), NULL, NULL, &current, e) == 0) {
        if (first && a->change.dry != DRY_CLIENT)
            warn_unremembered(a->c, t, current);
        return patch_live(a, t, t->object, current, out_again, e);
    }
    if (!call_not_found(a->c))
        return tell_not_read(a->c, t, e);
    call_forget(a->c);
    return create_one(a, t, e);
}

static int apply_one(struct applying *a, const struct target *t)
{
    struct err e = ERR_INIT;
    bool again = false;
    last_applied_set(t->object);
    for (int i = 0; i < TRIES; i++) {
        const int rc = apply_once(a, t, i == 0, &again, &e);
        if (!again)
            return rc;
        again = false;
    }
    return call_error(a->c, &e);
}

/* ---- by the server ---- */

static void tell_conflict(struct call *c)
{
    fprintf(c->k->err, "error: %s\n%s", jstr_or(c->failure, "message", ""),
            "Please review the fields above--they currently have other managers. Here\n"
            "are the ways you can resolve this warning:\n"
            "* If you intend to manage all of these fields, please re-run the apply\n"
            "  command with the `--force-conflicts` flag.\n"
            "* If you do not intend to manage all of the fields, please edit your\n"
            "  manifest to remove references to the fields that should keep their\n"
            "  current managers.\n"
            "* You may co-own fields by updating your manifest to match the existing\n"
            "  value; in this case, you'll become the manager if the other manager(s)\n"
            "  stop managing the field (remove it from their configuration).\n"
            "See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts\n");
    call_forget(c);
    c->code = 1;
}

static int apply_by_server(struct applying *a, const struct target *t)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *answer = NULL;
    struct err e = ERR_INIT;
    kind_path(t->kind, t->ns, t->name, NULL, &path);
    call_query(&path, "force", call_bool(a->c, "force-conflicts") ? "true" : "false");
    if (change_send(a->c, &a->change, "PATCH", buf_str(&path), t->object, "application/apply-patch+yaml", &answer,
                    &e) == 0)
        return tell(a, t->kind, answer, "serverside-applied");
    if (str_eq(jstr(a->c->failure, "reason"), "Conflict"))
        tell_conflict(a->c);
    else
        call_error(a->c, &e);
    return 1;
}

/* ---- the verb ---- */

static int tell_list(struct applying *a)
{
    struct err e = ERR_INIT;
    const size_t n = json_array_size(a->list);
    if (n == 0)
        return 0;
    _auto_json_ json_t *list =
        json_pack("{s:s,s:O,s:s,s:{}}", "apiVersion", "v1", "items", a->list, "kind", "List", "metadata");
    return printer_object(a->c, &a->change.printer, NULL, n == 1 ? json_array_get(a->list, 0) : list, NULL, &e) < 0
               ? call_error(a->c, &e)
               : 0;
}

static int check_flags(struct call *c)
{
    const bool files = call_has_files(c);
    if (call_unexpected(c))
        return c->code;
    if (!files)
        return call_fail(c, "must specify one of -f and -k");
    if (call_bool(c, "force-conflicts") && !call_bool(c, "server-side"))
        return call_fail(c, "--force-conflicts only works with --server-side");
    if (call_bool(c, "server-side") && str_eq(call_text(c, "dry-run"), "client"))
        return call_fail(c,
                         "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)");
    if (call_bool(c, "prune") && !call_bool(c, "all") && !*call_text(c, "selector"))
        return call_fail(c,
                         "all resources selected for prune without explicitly passing --all. To prune all resources, "
                         "pass the --all flag. If you did not mean to prune all resources, specify a label selector");
    return 0;
}

static int apply_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct applying a = {.c = c};
    if (check_flags(c) != 0 || change_begin(c, &a.change) < 0)
        return c->code;
    const bool by_server = call_bool(c, "server-side");
    if (!*a.change.manager)
        a.change.manager = by_server ? "kubectl" : "kubectl-client-side-apply";
    if (targets_of(c, &(struct targets_opts){.checked = true}, &t) < 0)
        return c->code;
    if (t.len == 0 && c->code == 0)
        call_fail(c, "no objects passed to apply");
    a.list = json_array();
    a.seen = json_object();
    a.spaces = json_object();
    for (size_t i = 0; i < t.len; i++)
        (by_server ? apply_by_server : apply_one)(&a, &t.items[i]);
    tell_list(&a);
    if (call_bool(c, "prune") && c->code == 0)
        apply_prune(c, &a.change, a.seen, a.spaces);
    change_end(c, &a.change);
    json_decref(a.list);
    json_decref(a.seen);
    json_decref(a.spaces);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files with what shall be"),
    FLAGS_SELECTOR,
    FLAGS_DRY_RUN,
    FLAGS_VALIDATE,
    FLAGS_MANAGER(NULL),
    {"server-side", 0, FLAG_BOOL, NULL, "Let the server merge, by owners of fields"},
    {"force-conflicts", 0, FLAG_BOOL, NULL, "With --server-side: take fields that others own"},
    {"force", 0, FLAG_BOOL, NULL, "What cannot be changed is deleted and made anew"},
    {"prune", 0, FLAG_BOOL, NULL, "Delete what was applied before and is in the files no longer"},
    {"all", 0, FLAG_BOOL, NULL, "With --prune: without a selector"},
    {"prune-allowlist", 0, FLAG_ARRAY, NULL, "With --prune: only these kinds, group/version/kind"},
    {"overwrite", 0, FLAG_BOOL, "true", "Take the files' values where the cluster has others"},
    {"openapi-patch", 0, FLAG_BOOL, "true", "Merge lists by the keys the server tells"},
    {"wait", 0, FLAG_BOOL, NULL, "Wait until what is pruned is gone"},
    {0},
};

static const struct kubectl_verb *const subs[] = {&kubectl_apply_view, &kubectl_apply_set, NULL};

const struct kubectl_verb kubectl_apply = {
    .name = "apply",
    .summary = "Apply a configuration to a resource by file name or stdin",
    .usage = "(-f FILENAME | -k DIRECTORY) [options]",
    .help = "  kubectl apply -f claim.yaml\n  cat pod.yaml | kubectl apply -f -\n  kubectl apply -f manifests/ -R\n"
            "  kubectl apply -f web.yaml --server-side\n",
    .flags = flags,
    .takes = TAKES_FILES,
    .subs = subs,
    .run = apply_run,
};

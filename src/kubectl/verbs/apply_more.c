/* apply_more.c - beside apply: --prune, and `apply view-last-applied`, `apply set-last-applied`. */
#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/applying.h"

#include <stdlib.h>
#include <string.h>

/* ---- --prune ---- */

/* What is looked through when no --prune-allowlist is given, in kubectl's order. */
static const struct {
    const char *version, *kind;
} pruned_kinds[] = {
    {"v1", "ConfigMap"},
    {"v1", "Endpoints"},
    {"v1", "Namespace"},
    {"v1", "PersistentVolumeClaim"},
    {"v1", "PersistentVolume"},
    {"v1", "Pod"},
    {"v1", "ReplicationController"},
    {"v1", "Secret"},
    {"v1", "Service"},
    {"batch/v1", "Job"},
    {"batch/v1", "CronJob"},
    {"networking.k8s.io/v1", "Ingress"},
    {"apps/v1", "DaemonSet"},
    {"apps/v1", "Deployment"},
    {"apps/v1", "ReplicaSet"},
    {"apps/v1", "StatefulSet"},
};

struct pruning {
    struct change *change;
    const json_t *seen;
};

static int prune_one(struct call *c, const struct target *t, json_t *object, void *arg)
{
    const struct pruning *p = arg;
    _auto_buf_ struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    const char *name = jstr_or(object, "metadata.name", "");
    if (!jmap(object, "metadata.annotations", LAST_APPLIED) ||
        json_object_get(p->seen, jstr_or(object, "metadata.uid", "")))
        return 0;
    kind_path(t->kind, jstr(object, "metadata.namespace"), name, NULL, &path);
    _auto_json_ json_t *options = json_pack("{s:s}", "propagationPolicy", "Background");
    if (p->change->dry == DRY_SERVER)
        call_query(&path, "dryRun", "All");
    if (p->change->dry != DRY_CLIENT && call_json(c, "DELETE", buf_str(&path), options, NULL, NULL, &e) < 0)
        return call_error(c, &e), 0;
    change_tell(c, p->change, t->kind, object, "pruned");
    return 0;
}

static bool is_allowed(const struct call *c, const char *version, const char *kind)
{
    const struct strlist *only = call_list(c, "prune-allowlist");
    _auto_free_ char *word = xasprintf("%s%s/%s", strchr(version, '/') ? "" : "core/", version, kind);
    return only->len == 0 || strlist_has(only, word);
}

void apply_prune(struct call *c, struct change *ch, const json_t *seen, const json_t *namespaces)
{
    struct pruning p = {ch, seen};
    for (size_t i = 0; i < ARRAY_LEN(pruned_kinds); i++) {
        _auto_targets_ struct targets t = {.labels = xstrdup(call_text(c, "selector")), .fields = xstrdup("")};
        struct err e = ERR_INIT;
        if (!is_allowed(c, pruned_kinds[i].version, pruned_kinds[i].kind))
            continue;
        const struct kind *k = call_kind_of(c, pruned_kinds[i].version, pruned_kinds[i].kind, &e);
        if (!k)
            continue; /* this server has none of them */
        const char *ns;
        json_t *one;
        json_object_foreach((json_t *)(uintptr_t)namespaces, ns, one) if (k->namespaced) targets_add(&t, k, ns, NULL);
        if (!k->namespaced)
            targets_add(&t, k, NULL, NULL);
        targets_visit(c, &t, prune_one, &p);
    }
}

/* ---- what was applied last ---- */

static int view_one(struct call *c, const struct target *t, json_t *object, void *arg _unused_)
{
    const char *text = jmap(object, "metadata.annotations", LAST_APPLIED);
    if (!text) {
        call_fail(c, "no last-applied-configuration annotation found on resource: %s", t->name ? t->name : "");
        return -1;
    }
    _auto_json_ json_t *tree = json_loads(text, 0, NULL);
    const char *form = call_text(c, "output");
    if (str_eq(form, "json")) {
        _auto_buf_ struct buf pretty = BUF_INIT;
        json_pretty_by(&pretty, tree, 2);
        fprintf(c->k->out, "%s\n", buf_str(&pretty));
    } else {
        _auto_free_ char *yaml = yaml_text(tree);
        fputs(yaml, c->k->out);
    }
    return 0;
}

static int view_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    const char *form = call_text(c, "output");
    if (!str_eq(form, "yaml") && !str_eq(form, "json"))
        return call_usage(c, "Unexpected -o output mode: %s, the flag 'output' must be one of yaml|json", form);
    if (targets_of(c, &(struct targets_opts){.all = call_bool(c, "all")}, &t) == 0)
        targets_visit(c, &t, view_one, NULL);
    return c->code;
}

static const struct kubectl_flag view_flags[] = {
    {"output", 'o', FLAG_TEXT, "yaml", "yaml or json"},
    FLAGS_FILES("Files that name the objects"),
    FLAGS_SELECTOR,
    FLAGS_ALL,
    {0},
};

const struct kubectl_verb kubectl_apply_view = {
    .name = "view-last-applied",
    .summary = "View the latest last-applied-configuration annotations of a resource/object",
    .usage = "(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME) [options]",
    .flags = view_flags,
    .takes = TAKES_KINDS,
    .run = view_run,
};

static int set_one(struct call *c, struct change *ch, const struct target *t)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *current = NULL, *answer = NULL;
    struct err e = ERR_INIT;
    kind_path(t->kind, t->ns, t->name, NULL, &path);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &current, &e) < 0)
        return call_error(c, &e);
    if (!jmap(current, "metadata.annotations", LAST_APPLIED) && !call_bool(c, "create-annotation"))
        return call_fail(c,
                         "no last-applied-configuration annotation found on resource: %s, to create the annotation, "
                         "run the command with --create-annotation",
                         t->name);
    _auto_free_ char *text = last_applied_text(t->object);
    _auto_json_ json_t *patch = json_pack("{s:{s:{s:s}}}", "metadata", "annotations", LAST_APPLIED, text);
    if (ch->dry != DRY_CLIENT &&
        change_send(c, ch, "PATCH", buf_str(&path), patch, "application/merge-patch+json", &answer, &e) < 0)
        return call_error(c, &e);
    return change_tell(c, ch, t->kind, answer ? answer : current, "configured");
}

static int set_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct change ch;
    if (change_begin(c, &ch) < 0 || targets_of(c, &(struct targets_opts){.checked = true}, &t) < 0)
        return c->code;
    for (size_t i = 0; i < t.len; i++)
        set_one(c, &ch, &t.items[i]);
    change_end(c, &ch);
    return c->code;
}

static const struct kubectl_flag set_flags[] = {
    FLAGS_OUTPUT,  FLAGS_FILES("Files with what was applied"),
    FLAGS_DRY_RUN, {"create-annotation", 0, FLAG_BOOL, NULL, "Also where there is none yet"},
    {0},
};

const struct kubectl_verb kubectl_apply_set = {
    .name = "set-last-applied",
    .summary = "Set the last-applied-configuration annotation on a live object to match the contents of a file",
    .usage = "-f FILENAME [options]",
    .flags = set_flags,
    .takes = TAKES_FILES,
    .run = set_run,
};

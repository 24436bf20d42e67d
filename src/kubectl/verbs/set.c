/* set.c - kubectl set: its subs, and what they share. See set_int.h.
 *
 * DESIGN: patches are strategic, as kubectl's; with --local or a client's dry run the same patch is laid over the
 * object here, by the schema, and that is printed. Source: kubectl cmd/set. */
#include "kubectl/set/set_int.h"
#include "kubectl/verbs/verbs_int.h"

#include "api/patch.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/three_way.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>

static const struct kubectl_verb *const subs[] = {
    &set_env, &set_image, &set_resources, &set_selector, &set_serviceaccount, &set_subject, NULL};

const struct kubectl_verb kubectl_set = {
    .name = "set",
    .summary = "Set specific features on objects",
    .usage = "SUBCOMMAND [options]",
    .subs = subs,
};

void set_fail(struct call *c, const char *fmt, ...)
{
    _auto_buf_ struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    fprintf(c->k->err, "error: %s\n", buf_str(&text));
    c->code = 1;
}

bool set_flags_fit(struct call *c)
{
    if (call_bool(c, "local") && str_eq(call_text(c, "dry-run"), "server"))
        set_fail(c, "cannot specify --local and --dry-run=server - did you mean --dry-run=client?");
    else if (call_bool(c, "all") && call_given(c, "selector"))
        set_fail(c, "cannot set --all and --selector at the same time");
    else
        return true;
    return false;
}

/* ---- where pods are in an object ---- */

static const struct {
    const char *kind, *path;
} places[] = {{"Pod", "spec"},
              {"PodTemplate", "template.spec"},
              {"CronJob", "spec.jobTemplate.spec.template.spec"},
              {"Deployment", "spec.template.spec"},
              {"ReplicaSet", "spec.template.spec"},
              {"ReplicationController", "spec.template.spec"},
              {"StatefulSet", "spec.template.spec"},
              {"DaemonSet", "spec.template.spec"},
              {"Job", "spec.template.spec"}};

static const char *place_of(const json_t *object)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (str_eq(jstr(object, "kind"), places[i].kind))
            return places[i].path;
    return NULL;
}

const json_t *set_pod_spec(const json_t *object, struct err *e)
{
    const char *place = place_of(object), *version = jstr_or(object, "apiVersion", ""), *slash = strchr(version, '/');
    const json_t *spec = place ? jat(object, place) : NULL;
    if (!spec)
        err_set(e, ERR_INVALID, "the object is not a pod or does not have a pod template: *%s.%s",
                slash ? slash + 1 : version, jstr_or(object, "kind", ""));
    return spec;
}

json_t *set_wrap(const json_t *object, json_t *piece)
{
    json_t *patch = json_object();
    jset(patch, place_of(object), piece);
    return patch;
}

void set_container(json_t *piece, const char *list, const char *name, const char *key, json_t *value)
{
    json_array_append_new(jmake_arr(piece, list), json_pack("{s:s, s:o}", "name", name, key, value));
}

bool set_selects(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, FNM_NOESCAPE) == 0;
}

/* ---- one object ---- */

struct setting {
    const struct set_change *s;
    struct printer printer;
    enum dry_run dry;
};

/* As it would be. */
static int lay_over(json_t **object, const json_t *patch, struct err *e)
{
    const char *version = jstr_or(*object, "apiVersion", ""), *slash = strchr(version, '/');
    _auto_free_ char *group = xstrndup(version, slash ? (size_t)(slash - version) : 0);
    const struct schema_type *type = builtin_type(group, slash ? slash + 1 : version, jstr_or(*object, "kind", ""));
    json_t *out = NULL;
    if ((type ? patch_strategic(type, *object, patch, &out, e) : patch_merge(*object, patch, &out, e)) < 0)
        return -1;
    json_decref(*object);
    *object = out;
    return 0;
}

static int send_patch(struct call *c, const struct target *t, const json_t *patch, enum dry_run dry, json_t **object,
                      struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    json_t *answer = NULL;
    kind_path(t->kind, jstr_or(*object, "metadata.namespace", ""), jstr_or(*object, "metadata.name", ""), NULL, &path);
    call_query(&path, "fieldManager", call_text(c, "field-manager"));
    if (dry == DRY_SERVER)
        call_query(&path, "dryRun", "All");
    if (call_json(c, "PATCH", buf_str(&path), patch, "application/strategic-merge-patch+json", &answer, e) < 0)
        return -1;
    json_decref(*object);
    *object = answer;
    return 0;
}

static int change(struct call *c, const struct target *t, json_t **object, struct setting *set, struct err *e)
{
    _auto_json_ json_t *patch = NULL;
    const bool here = call_bool(c, "local") || set->dry == DRY_CLIENT;
    if (set->s->patch(c, t->kind, *object, set->s->arg, &patch, e) < 0) {
        set_fail(c, "%s/%s %s", t->kind->plural, jstr_or(*object, "metadata.name", ""), e->msg);
        return 0;
    }
    if (!patch)
        return 0;
    if (here && lay_over(object, patch, e) < 0)
        return -1;
    if (!here && send_patch(c, t, patch, set->dry, object, e) < 0) {
        const struct err why = *e;
        return err_set(e, ERR_INVALID, "%s%s", set->s->failed, why.msg);
    }
    _auto_free_ char *done = xasprintf("%s%s", set->s->done, dry_run_note(set->dry));
    return printer_object(c, &set->printer, t->kind, *object, done, e);
}

static int visit(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *own = json_deep_copy(object);
    if (change(c, t, &own, arg, &e) < 0) {
        json_decref(TAKE(c->failure));
        call_error(c, &e);
    }
    return 0;
}

/* ---- all of them ---- */

static int visit_files(struct call *c, const struct targets *targets, struct setting *set)
{
    for (size_t i = 0; i < targets->len; i++)
        visit(c, &targets->items[i], targets->items[i].object, set);
    return 0;
}

int set_all(struct call *c, const struct set_change *s)
{
    struct setting set = {.s = s};
    _auto_targets_ struct targets targets = {0};
    const struct targets_opts opts = {.leave = s->leave};
    if (call_dry_run(c, &set.dry) < 0 || printer_init(c, &set.printer, false) < 0)
        return c->code ? c->code : 1;
    if (targets_of(c, &opts, &targets) == 0) {
        if (call_bool(c, "local"))
            visit_files(c, &targets, &set);
        else
            targets_visit(c, &targets, visit, &set);
        printer_end(c, &set.printer);
    }
    printer_release(&set.printer);
    return c->code;
}

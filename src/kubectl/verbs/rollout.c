/* rollout.c - `kubectl rollout status|history|undo|pause|resume|restart`.
 *
 * DESIGN: what a rollout's state is called and what its past was is told by rollout_state.c; this asks and patches.
 * Pausing, resuming and restarting are one loop over objects with a row each of what is patched. */
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/describe/describe.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/verbs/rollout_state.h"
#include "kubectl/verbs/until.h"
#include "kubectl/verbs/verbs_int.h"

#include <string.h>
#include <time.h>

#define NEEDS_WORDS "required resource not specified"
#define STRATEGIC   "application/strategic-merge-patch+json"

static bool has_words(const struct call *c)
{
    return c->words.len > 0 || call_has_files(c);
}

/* "ReplicaSet.apps", "Pod": as Go prints a group and a kind. Returns new. */
static char *group_kind(const struct kind *k)
{
    return xasprintf("%s%s%s", k->kind, k->group[0] != '\0' ? "." : "", k->group);
}

static bool is_one_of(const struct kind *k, const char *const *kinds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(k->group, "apps") && str_eq(k->kind, kinds[i]))
            return true;
    return false;
}
static const char *const rolled[] = {"Deployment", "DaemonSet", "StatefulSet"};

/* Why a kind has no past: kubectl knows those that make pods, and of the others not even that. what: "history". */
static void refuse_kind(const struct kind *k, const char *what, const char *none, struct err *e)
{
    static const char *const known[] = {
        "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet", "CronJob"};
    _auto_free_ char *kind = group_kind(k);
    bool has_pods = false;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        has_pods |= str_eq(k->kind, known[i]);
    if (has_pods)
        err_set(e, ERR_BAD_REQUEST, "no %s has been implemented for \"%s\"", none, kind);
    else
        err_set(e, ERR_BAD_REQUEST, "error retrieving %s for \"%s\", no visitor method exists for {%s %s}", what, kind,
                k->group, k->kind);
}

static int none_found(struct call *c)
{
    fprintf(c->k->err, "No resources found in %s namespace.\n", call_namespace(c));
    return 0;
}

/* ---- status ---- */

struct status_view {
    struct call *c;
    int64_t revision;
    bool watch, found;
};

static int status_seen(void *arg, const json_t *object, bool gone, struct err *e)
{
    struct status_view *v = arg;
    _auto_buf_ struct buf line = BUF_INIT;
    if (object == NULL)
        return 0;
    if (gone)
        return err_set(e, ERR_NOT_FOUND, "object has been deleted");
    int rc = rollout_state(object, v->revision, &line, e);
    fputs(buf_str(&line), v->c->k->out);
    fflush(v->c->k->out);
    return rc < 0 ? -1 : rc > 0 || !v->watch;
}

static int status_of(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct status_view *v = arg;
    struct err e = ERR_INIT;
    int64_t timeout = call_duration(c, "timeout");
    v->found = true;
    if (!is_one_of(t->kind, rolled, ARRAY_LEN(rolled))) {
        _auto_free_ char *kind = group_kind(t->kind);
        call_fail(c, "no status viewer has been implemented for %s", kind);
        return -1;
    }
    int64_t deadline = timeout > 0 ? clock_mono_ms(clock_real()) + timeout : INT64_MAX;
    int rc = until_seen(c, t->kind, jstr_or(object, "metadata.namespace", ""), jstr_or(object, "metadata.name", ""),
                        deadline, status_seen, v, &e);
    if (rc < 0)
        call_error(c, &e);
    else if (rc == 0)
        call_fail(c, "timed out waiting for the condition");
    return 0;
}

static int status_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct status_view v = {.c = c, .revision = call_int(c, "revision"), .watch = call_bool(c, "watch")};
    if (!has_words(c))
        return call_fail(c, NEEDS_WORDS);
    if (v.revision < 0)
        return call_fail(c, "revision must be a positive integer: %lld", (long long)v.revision);
    if (targets_of(c, &(struct targets_opts){.all = true}, &t) < 0)
        return c->code;
    targets_visit(c, &t, status_of, &v);
    return v.found || c->code != 0 ? c->code : none_found(c);
}

/* ---- history and undo ---- */

/* What the object was: replica sets or controller revisions, all of the namespace that have its labels. */
static int ask_past(struct call *c, const struct target *t, const json_t *object, json_t **out, struct err *e)
{
    bool sets = str_eq(t->kind->kind, "Deployment");
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    buf_addf(&path, "/apis/apps/v1/namespaces/%s/%s", jstr_or(object, "metadata.namespace", ""),
             sets ? "replicasets" : "controllerrevisions");
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &list, e) < 0)
        return -1;
    *out = json_incref(json_object_get(list, "items"));
    return 0;
}

/* The template as a manifest's reader wants it: the mark of a patch and the reason it came taken out and put in. */
static json_t *template_shown(const struct revision *r)
{
    json_t *copy = json_clone(r->template);
    const char *cause = jmap(r->object, "metadata.annotations", "kubernetes.io/change-cause");
    json_object_del(copy, "$patch");
    if (!str_empty(cause) && str_eq(jstr(r->object, "kind"), "ReplicaSet"))
        jset_map(copy, "metadata.annotations", "kubernetes.io/change-cause", cause);
    return copy;
}

static void add_template(struct buf *out, const struct revision *r)
{
    _auto_json_ json_t *shown = template_shown(r);
    describe_pod_template(out, shown);
}

/* Lists' items have no kind; who reads them asks. */
static void say_kinds(json_t *list, const char *kind)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        jset_str(json_array_get(list, i), "apiVersion", "apps/v1");
        jset_str(json_array_get(list, i), "kind", kind);
    }
}

static int past_of(struct call *c, const struct target *t, const json_t *object, json_t **out_list,
                   struct rollout_past *out, struct err *e)
{
    if (!is_one_of(t->kind, rolled, ARRAY_LEN(rolled)))
        return err_set(e, ERR_BAD_REQUEST, "%s", "");
    if (ask_past(c, t, object, out_list, e) < 0)
        return -1;
    say_kinds(*out_list, str_eq(t->kind->kind, "Deployment") ? "ReplicaSet" : "ControllerRevision");
    rollout_past_of(object, *out_list, out);
    return 0;
}

static int history_objects(struct call *c, struct change *ch, const struct rollout_past *past, int64_t number)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < past->len; i++)
        if ((number == 0 || past->items[i].number == number) &&
            printer_object(c, &ch->printer, NULL, past->items[i].object, NULL, &e) < 0)
            return call_error(c, &e);
    return 0;
}

static int history_of(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct change *ch = arg;
    struct err e = ERR_INIT;
    _auto_json_ json_t *list = NULL;
    _auto_rollout_past_ struct rollout_past past = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    int64_t number = call_int(c, "revision");
    if (past_of(c, t, object, &list, &past, &e) < 0) {
        if (e.msg[0] == '\0')
            refuse_kind(t->kind, "history", "history viewer", &e);
        call_error(c, &e);
        return 0;
    }
    if (ch->printer.form != PRINT_TABLE) {
        history_objects(c, ch, &past, number);
        return 0;
    }
    const struct revision *one = number > 0 ? rollout_past_find(&past, number) : NULL;
    if (number > 0 && one == NULL && past.len > 0)
        return call_fail(c, "unable to find the specified revision"), 0;
    if (number > 0)
        buf_addf(&text, "with revision #%lld", (long long)number);
    buf_addc(&text, '\n');
    if (past.len == 0)
        buf_adds(&text, "No rollout history found.");
    else if (one != NULL)
        add_template(&text, one);
    else
        rollout_past_print(&past, &text);
    if (printer_object(c, &ch->printer, t->kind, object, buf_str(&text), &e) < 0)
        call_error(c, &e);
    return 0;
}

/* Patches the template back; what was done is appended. */
static int undo_patch(struct call *c, struct change *ch, const struct target *t, const json_t *object,
                      const struct revision *to, struct err *e)
{
    static const char *const kept[] = {"kubectl.kubernetes.io/last-applied-configuration",
                                       "deployment.kubernetes.io/revision",
                                       "deployment.kubernetes.io/revision-history",
                                       "deployment.kubernetes.io/desired-replicas",
                                       "deployment.kubernetes.io/max-replicas",
                                       "deprecated.deployment.rollback.to"};
    _auto_buf_ struct buf path = BUF_INIT;
    kind_path(t->kind, jstr(object, "metadata.namespace"), jstr_or(object, "metadata.name", ""), NULL, &path);
    if (!str_eq(t->kind->kind, "Deployment"))
        return change_send(c, ch, "PATCH", buf_str(&path), jat(to->object, "data"), STRATEGIC, NULL, e);
    _auto_json_ json_t *notes = json_clone(jat(to->object, "metadata.annotations")),
                       *template = json_clone(to->template);
    notes = notes != NULL ? notes : json_object();
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const char *mine = jmap(object, "metadata.annotations", kept[i]);
        json_object_del(notes, kept[i]);
        if (mine != NULL)
            json_object_set_new(notes, kept[i], json_string(mine));
    }
    json_object_del(jat(template, "metadata.labels"), "pod-template-hash");
    _auto_json_ json_t *patch =
        json_pack("[{s:s,s:s,s:O},{s:s,s:s,s:O}]", "op", "replace", "path", "/spec/template", "value", template, "op",
                  "replace", "path", "/metadata/annotations", "value", notes);
    return change_send(c, ch, "PATCH", buf_str(&path), patch, "application/json-patch+json", NULL, e);
}

static int undo_refused(const struct target *t, const json_t *object, const struct rollout_past *past,
                        const struct revision *to, int64_t number, struct err *e)
{
    bool deployment = str_eq(t->kind->kind, "Deployment");
    if (to == NULL && number == 0 && deployment)
        return err_set(e, ERR_NOT_FOUND, "no rollout history found for deployment \"%s\"",
                       jstr_or(object, "metadata.name", ""));
    if (to == NULL && number == 0 && past->len <= 1)
        return err_set(e, ERR_NOT_FOUND, "no last revision to roll back to");
    if (to == NULL)
        return err_set(e, ERR_NOT_FOUND, "unable to find specified revision %lld in history", (long long)number);
    if (deployment && jbool(object, "spec.paused", false))
        return err_set(e, ERR_CONFLICT,
                       "you cannot rollback a paused deployment; resume it first with 'kubectl rollout "
                       "resume' and try again");
    return 0;
}

static int undo_one(struct call *c, const struct target *t, json_t *object, struct change *ch, struct err *e)
{
    _auto_json_ json_t *list = NULL;
    _auto_rollout_past_ struct rollout_past past = {0};
    _auto_buf_ struct buf done = BUF_INIT;
    int64_t number = call_int(c, "to-revision");
    if (past_of(c, t, object, &list, &past, e) < 0) {
        if (e->msg[0] == '\0')
            refuse_kind(t->kind, "rollbacker", "rollbacker", e);
        return -1;
    }
    const struct revision *to = number >= 0 ? rollout_past_find(&past, number) : NULL;
    if (undo_refused(t, object, &past, to, number, e) < 0)
        return -1;
    if (ch->dry == DRY_CLIENT) {
        buf_adds(&done, str_eq(t->kind->kind, "Deployment") ? "" : "will roll back to ");
        add_template(&done, to);
    } else if (template_equal(to->template, jat(object, "spec.template"))) {
        buf_addf(&done, "skipped rollback (current template already matches revision %lld)", (long long)number);
    } else {
        if (undo_patch(c, ch, t, object, to, e) < 0)
            return -1;
        buf_adds(&done, "rolled back");
    }
    return change_tell(c, ch, t->kind, object, buf_str(&done));
}

static int undo_of(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct err e = ERR_INIT;
    if (undo_one(c, t, object, arg, &e) < 0)
        call_error(c, &e);
    return 0;
}

/* ---- pause, resume, restart ---- */

struct step {
    const char *done;
    bool needs_deployment;
    int (*check)(const json_t *object, struct err *e);
    json_t *(*patch)(void);
    const char *unsupported;
};

static int check_pause(const json_t *object, struct err *e)
{
    return jbool(object, "spec.paused", false) ? err_set(e, ERR_CONFLICT, "is already paused") : 0;
}

static int check_resume(const json_t *object, struct err *e)
{
    return jbool(object, "spec.paused", false) ? 0 : err_set(e, ERR_CONFLICT, "is not paused");
}

static int check_restart(const json_t *object, struct err *e)
{
    if (jbool(object, "spec.paused", false))
        return err_set(e, ERR_CONFLICT, "can't restart paused deployment (run rollout resume first)");
    return 0;
}

static json_t *patch_pause(void)
{
    return json_pack("{s:{s:b}}", "spec", "paused", 1);
}

static json_t *patch_resume(void)
{
    return json_pack("{s:{s:n}}", "spec", "paused");
}

static json_t *patch_restart(void)
{
    time_t now = (time_t)(clock_wall_ns(clock_real()) / 1000000000);
    struct tm tm;
    char text[40], zone[8];
    localtime_r(&now, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z", &tm);
    bool utc = tm.tm_gmtoff == 0;
    _auto_free_ char *at = xasprintf("%s%.3s%s%s", text, utc ? "Z" : zone, utc ? "" : ":", utc ? "" : zone + 3);
    return json_pack("{s:{s:{s:{s:{s:s}}}}}", "spec", "template", "metadata", "annotations",
                     "kubectl.kubernetes.io/restartedAt", at);
}

static const struct step step_pause = {"paused", true, check_pause, patch_pause, "pausing is not supported"};
static const struct step step_resume = {"resumed", true, check_resume, patch_resume, "resuming is not supported"};
static const struct step step_restart = {"restarted", false, check_restart, patch_restart,
                                         "restarting is not supported"};

struct stepping {
    const struct step *step;
    struct change change;
    size_t found;
};

static int step_of(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct stepping *s = arg;
    struct err e = ERR_INIT;
    _auto_buf_ struct buf path = BUF_INIT, kind = BUF_INIT;
    _auto_json_ json_t *after = NULL;
    const char *name = jstr_or(object, "metadata.name", "");
    s->found++;
    if (!is_one_of(t->kind, rolled, s->step->needs_deployment ? 1 : ARRAY_LEN(rolled)))
        err_set(&e, ERR_BAD_REQUEST, "%s", s->step->unsupported);
    if (e.code != ERR_OK || s->step->check(object, &e) < 0) {
        kind_qualified(t->kind, &kind);
        call_fail(c, "%s \"%s\" %s", buf_str(&kind), name, e.msg);
        return 0;
    }
    _auto_json_ json_t *patch = s->step->patch();
    kind_path(t->kind, jstr(object, "metadata.namespace"), name, NULL, &path);
    if (change_send(c, &s->change, "PATCH", buf_str(&path), patch, STRATEGIC, &after, &e) < 0) {
        const char *why = c->failure != NULL ? jstr_or(c->failure, "message", e.msg) : e.msg;
        call_fail(c, "failed to patch: %s", why);
        return 0;
    }
    change_tell(c, &s->change, t->kind, after, s->step->done);
    return 0;
}

static int step_run(struct call *c, const struct step *step)
{
    _auto_targets_ struct targets t = {0};
    struct stepping s = {.step = step};
    if (!has_words(c))
        return call_fail(c, NEEDS_WORDS);
    if (change_begin(c, &s.change) < 0 || targets_of(c, &(struct targets_opts){.all = true}, &t) < 0)
        return c->code;
    targets_visit(c, &t, step_of, &s);
    change_end(c, &s.change);
    return s.found > 0 || c->code != 0 ? c->code : none_found(c);
}

static int pause_run(struct call *c)
{
    return step_run(c, &step_pause);
}

static int resume_run(struct call *c)
{
    return step_run(c, &step_resume);
}

static int restart_run(struct call *c)
{
    return step_run(c, &step_restart);
}

static int past_run(struct call *c, int (*visit)(struct call *c, const struct target *t, json_t *object, void *arg))
{
    _auto_targets_ struct targets t = {0};
    struct change ch = {0};
    if (!has_words(c))
        return call_fail(c, NEEDS_WORDS);
    if (call_knows(c, "revision") && call_int(c, "revision") < 0)
        return call_fail(c, "revision must be a positive integer: %lld", (long long)call_int(c, "revision"));
    if (change_begin(c, &ch) < 0 || targets_of(c, &(struct targets_opts){.all = true}, &t) < 0)
        return c->code;
    targets_visit(c, &t, visit, &ch);
    change_end(c, &ch);
    return c->code;
}

static int history_run(struct call *c)
{
    return past_run(c, history_of);
}

static int undo_run(struct call *c)
{
    return past_run(c, undo_of);
}

/* ---- the verb ---- */

static const struct kubectl_flag status_flags[] = {
    FLAGS_FILES("Files whose objects are meant"),
    FLAGS_SELECTOR,
    {"watch", 'w', FLAG_BOOL, "true", "Wait until the rollout is done"},
    {"revision", 0, FLAG_INT, "0", "Only of this revision; 0: the latest"},
    {"timeout", 0, FLAG_DURATION, "0s", "How long to wait; 0: for ever"},
    {0},
};
static const struct kubectl_flag history_flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files whose objects are meant"),
    FLAGS_SELECTOR,
    {"revision", 0, FLAG_INT, "0", "The template of this revision"},
    {0},
};
static const struct kubectl_flag undo_flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files whose objects are meant"),
    FLAGS_SELECTOR,
    FLAGS_DRY_RUN,
    {"to-revision", 0, FLAG_INT, "0", "Back to this one; 0: the last but one"},
    {0},
};
static const struct kubectl_flag step_flags[] = {
    FLAGS_OUTPUT, FLAGS_FILES("Files whose objects are meant"), FLAGS_SELECTOR, FLAGS_MANAGER("kubectl-rollout"), {0},
};

#define SUB(word, text, table, function)                                                                               \
    static const struct kubectl_verb rollout_##word = {                                                                \
        .name = #word,                                                                                                 \
        .summary = text,                                                                                               \
        .usage = "(TYPE NAME | TYPE/NAME) [flags] [options]",                                                          \
        .flags = table,                                                                                                \
        .takes = TAKES_KINDS,                                                                                          \
        .run = function,                                                                                               \
    }
SUB(history, "View rollout history", history_flags, history_run);
SUB(pause, "Mark the provided resource as paused", step_flags, pause_run);
SUB(restart, "Restart a resource", step_flags, restart_run);
SUB(resume, "Resume a paused resource", step_flags, resume_run);
SUB(status, "Show the status of the rollout", status_flags, status_run);
SUB(undo, "Undo a previous rollout", undo_flags, undo_run);

static const struct kubectl_verb *const subs[] = {
    &rollout_history, &rollout_pause, &rollout_restart, &rollout_resume, &rollout_status, &rollout_undo, NULL};

const struct kubectl_verb kubectl_rollout = {
    .name = "rollout",
    .summary = "Manage the rollout of a resource",
    .usage = "SUBCOMMAND",
    .help = "  kubectl rollout status deployment/web\n  kubectl rollout history deployment/web --revision=2\n"
            "  kubectl rollout undo deployment/web\n  kubectl rollout restart deployment/web\n",
    .takes = TAKES_KINDS,
    .subs = subs,
};

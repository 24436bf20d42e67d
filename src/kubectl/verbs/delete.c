/* delete.c - `kubectl delete`. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/deleting.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>

/* --cascade, with the words of before 1.20. NULL: told. */
static const char *cascade_of(struct call *c)
{
    static const char *const words[][2] = {{"background", "Background"},
                                           {"orphan", "Orphan"},
                                           {"foreground", "Foreground"},
                                           {"true", "Background"},
                                           {"false", "Orphan"}};
    const char *text = call_text(c, "cascade");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(words[i][0], text))
            return words[i][1];
    call_fail(c, "invalid cascade value (%s). Must be \"background\", \"foreground\", or \"orphan\"", text);
    return NULL;
}

static int check_flags(struct call *c, struct deleting *how)
{
    const int64_t grace = call_int(c, "grace-period");
    if (*how->output && !str_eq(how->output, "name"))
        return call_fail(c, "unexpected -o output mode: %s. We only support '-o name'", how->output);
    if (call_bool(c, "now") && grace >= 0)
        return call_fail(c, "--now and --grace-period cannot be specified together");
    if (call_bool(c, "all") && (*call_text(c, "selector") || *call_text(c, "field-selector")))
        return call_fail(c, "setting 'all' parameter but found a non empty selector. ");
    if (how->force && grace > 0)
        return call_fail(c, "--force and --grace-period greater than 0 cannot be specified together");
    if (call_bool(c, "now"))
        how->grace_s = 1;
    if (grace == 0 && !how->force)
        how->grace_s = 1; /* at once, but not before it has ended */
    if (how->force && grace < 0)
        how->grace_s = 0;
    if (how->force && how->grace_s == 0)
        fputs("Warning: Immediate deletion does not wait for confirmation that the running resource has been "
              "terminated. The resource may continue to run on the cluster indefinitely.\n",
              c->k->err);
    return 0;
}

static int delete_raw(struct call *c)
{
    struct err e = ERR_INIT;
    _auto_client_answer_ struct client_answer a = {0};
    const struct client_request rq = {.method = "DELETE", .path = call_text(c, "raw")};
    if (call_request(c, &rq, &a, &e) < 0)
        return call_error(c, &e);
    fwrite(buf_str(&a.body), 1, a.body.len, c->k->out);
    return 0;
}

static bool sure(struct call *c, const struct targets *t)
{
    char answer[8] = "";
    fputs("You are about to delete the following resources:\n", c->k->out);
    for (size_t i = 0; i < t->len; i++) {
        _auto_free_ char *label = target_label(t->items[i].kind, t->items[i].name ? t->items[i].name : "");
        fprintf(c->k->out, "%s\n", label);
    }
    fputs("Do you want to continue? (y/n): ", c->k->out);
    fflush(c->k->out);
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    fputs("deletion is cancelled\n", c->k->out);
    return false;
}

static int delete_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct deleting how = {.cascade = cascade_of(c),
                           .grace_s = call_int(c, "grace-period"),
                           .force = call_bool(c, "force"),
                           .wait = call_bool(c, "wait"),
                           .missing_ok = call_bool(c, "ignore-not-found"),
                           .timeout_ms = call_duration(c, "timeout"),
                           .output = call_text(c, "output")};
    if (*call_text(c, "raw"))
        return delete_raw(c);
    if (!how.cascade || call_dry_run(c, &how.dry) < 0 || check_flags(c, &how) != 0)
        return c->code;
    const bool files = call_has_files(c);
    if (targets_of(c, &(struct targets_opts){0}, &t) < 0)
        return c->code;
    if (call_bool(c, "all") || files)
        how.missing_ok |= call_bool(c, "all");
    if (call_bool(c, "interactive") && !sure(c, &t))
        return 0;
    if (delete_targets(c, &t, &how) == 0 && c->code == 0)
        fputs("No resources found\n", c->k->out);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    {"output", 'o', FLAG_TEXT, NULL, "name: only kind and name"},
    FLAGS_FILES("Files whose objects are deleted"),
    FLAGS_SELECTOR,
    FLAGS_FIELDS,
    FLAGS_ALL,
    FLAGS_ALL_NAMESPACES,
    FLAGS_DRY_RUN,
    {"cascade", 0, FLAG_TEXT, "background", "What they own: background, foreground (first), orphan (stays)",
     "background"},
    {"force", 0, FLAG_BOOL, NULL, "Do not wait for a pod's end: its node may be lost"},
    {"grace-period", 0, FLAG_INT, "-1", "Seconds a pod has to end; -1: its own"},
    {"now", 0, FLAG_BOOL, NULL, "A grace period of one second"},
    {"ignore-not-found", 0, FLAG_BOOL, NULL, "What is not there is no error"},
    {"wait", 0, FLAG_BOOL, "true", "Until it is gone"},
    {"timeout", 0, FLAG_DURATION, "0s", "How long to wait; 0: a week"},
    {"interactive", 'i', FLAG_BOOL, NULL, "Ask first"},
    {"raw", 0, FLAG_TEXT, NULL, "A path of the API"},
    {0},
};

const struct kubectl_verb kubectl_delete = {
    .name = "delete",
    .summary = "Delete resources by file names, stdin, resources and names, or by resources and label selector",
    .usage = "([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)]) [options]",
    .help = "  kubectl delete pod web\n  kubectl delete -f claim.yaml\n  kubectl delete pods --all\n"
            "  kubectl delete pod web --force\n  kubectl delete pvc -l app=web --wait=false\n",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = delete_run,
};

/* exec.c - kubectl exec: a command in a container of a pod, or of the best pod of a deployment, service…. */
#include "kubectl/session.h"
#include "kubectl/verbs/verbs_int.h"

#include "base/json.h"
#include "base/str.h"

static const struct kubectl_flag flags[] = {
    {"container", 'c', FLAG_TEXT, NULL, "The container; else the one that the pod's annotation names, or its first",
     NULL},
    {"filename", 'f', FLAG_LIST, NULL, "The file with the object whose pod is meant", NULL},
    FLAG_POD_TIMEOUT("1m0s"),
    {"quiet", 'q', FLAG_BOOL, NULL, "Print what the command writes and nothing else", NULL},
    {"stdin", 'i', FLAG_BOOL, NULL, "Pass stdin to the command", NULL},
    {"tty", 't', FLAG_BOOL, NULL, "Stdin is a terminal", NULL},
    {NULL},
};

/* Words before and after "--". False: told. */
static bool split(struct call *c, const char **out_target, const char *const **out_command)
{
    const size_t files = call_list(c, "filename")->len;
    *out_target = c->words.len > 0 && c->dash != 0 ? c->words.items[0] : NULL;
    if (c->dash < 0 && (c->words.len > 1 || (c->words.len > 0 && files > 0))) {
        call_usage(c, "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead");
        return false;
    }
    if (!*out_target && !files) {
        call_fail(c, "pod, type/name or --filename must be specified");
        return false;
    }
    if (c->dash < 0 || (size_t)c->dash == c->words.len) {
        call_fail(c, "you must specify at least one command for the container");
        return false;
    }
    strlist_take(&c->words, NULL); /* ends the command */
    c->words.len--;
    *out_command = (const char *const *)c->words.items + c->dash;
    return true;
}

static int join(struct call *c, const char *target, const char *const *command, int64_t patience, struct err *e)
{
    _auto_json_ json_t *object = NULL, *pod = NULL;
    const json_t *container;
    const bool quiet = call_bool(c, "quiet");
    const char *wanted = call_text(c, "container");
    int code;
    if (pods_target(c, "pods", target, &object, e) < 0 || pods_attachable(c, object, patience, &pod, e) < 0)
        return -1;
    const char *phase = jstr_or(pod, "status.phase", "");
    if (str_eq(phase, "Succeeded") || str_eq(phase, "Failed"))
        return err_set(e, ERR_INVALID, "cannot exec into a container in a completed pod; current phase is %s", phase);
    if (str_empty(wanted)) {
        if (pod_choose_container(pod, NULL, quiet ? NULL : c->k->err, &container, e) < 0)
            return -1;
        wanted = jstr_or(container, "name", "");
    }
    const struct pod_session s = {.ns = jstr_or(pod, "metadata.namespace", ""),
                                  .pod = jstr_or(pod, "metadata.name", ""),
                                  .container = wanted,
                                  .sub = "exec",
                                  .command = command,
                                  .in = call_bool(c, "stdin"),
                                  .tty = call_bool(c, "tty"),
                                  .quiet = quiet};
    if (pod_session_run(c, &s, &code, NULL, e) < 0)
        return -1;
    pod_session_ended(c, code);
    return 0;
}

static int run(struct call *c)
{
    struct err e = ERR_INIT;
    const char *target;
    const char *const *command;
    int64_t patience;
    if (pods_timeout(c, &patience) < 0 || !split(c, &target, &command))
        return c->code;
    return join(c, target, command, patience, &e) < 0 ? call_error(c, &e) : c->code;
}

const struct kubectl_verb kubectl_exec = {
    .name = "exec",
    .summary = "Execute a command in a container",
    .usage = "(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
    .flags = flags,
    .takes = TAKES_PODS,
    .run = run,
};

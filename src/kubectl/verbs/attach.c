/* attach.c - kubectl attach: to the process that a container runs. */
#include "kubectl/session.h"
#include "kubectl/verbs/verbs_int.h"

#include "base/json.h"
#include "base/str.h"

static const struct kubectl_flag flags[] = {
    {"container", 'c', FLAG_TEXT, NULL, "The container; else the one that the pod's annotation names, or its first",
     NULL},
    FLAG_POD_TIMEOUT("1m0s"),
    {"quiet", 'q', FLAG_BOOL, NULL, "Print what the process writes and nothing else", NULL},
    {"stdin", 'i', FLAG_BOOL, NULL, "Pass stdin to the process", NULL},
    {"tty", 't', FLAG_BOOL, NULL, "Stdin is a terminal", NULL},
    {NULL},
};

static int attach(struct call *c, int64_t patience, struct err *e)
{
    _auto_json_ json_t *object = NULL, *pod = NULL;
    const char *const *words = (const char *const *)c->words.items;
    _auto_free_ char *word = c->words.len == 2 ? xasprintf("%s/%s", words[0], words[1]) : xstrdup(words[0]);
    if (pods_target(c, "pods", word, &object, e) < 0 || pods_attachable(c, object, patience, &pod, e) < 0)
        return -1;
    const char *phase = jstr_or(pod, "status.phase", "");
    if (str_eq(phase, "Succeeded") || str_eq(phase, "Failed"))
        return err_set(e, ERR_INVALID, "cannot attach a container in a completed pod; current phase is %s", phase);
    const struct attachment a = {.container = call_text(c, "container"),
                                 .command = c->path,
                                 .in = call_bool(c, "stdin"),
                                 .tty = call_bool(c, "tty"),
                                 .quiet = call_bool(c, "quiet")};
    return pod_attach(c, pod, &a, e);
}

static int run(struct call *c)
{
    struct err e = ERR_INIT;
    int64_t patience;
    if (pods_timeout(c, &patience) < 0)
        return c->code;
    if (c->words.len == 0)
        return call_fail(c, "at least 1 argument is required for attach");
    if (c->words.len > 2) {
        _auto_free_ char *saw = strlist_join(&c->words, " ");
        return call_fail(c, "expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw %zu: [%s]", c->words.len,
                         saw);
    }
    return attach(c, patience, &e) < 0 ? call_error(c, &e) : c->code;
}

const struct kubectl_verb kubectl_attach = {
    .name = "attach",
    .summary = "Attach to a running container",
    .usage = "(POD | TYPE/NAME) -c CONTAINER",
    .flags = flags,
    .takes = TAKES_PODS,
    .run = run,
};

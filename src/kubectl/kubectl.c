/* kubectl.c - the table of verbs, what all of them understand, and the dispatch. See kubectl.h.
 *
 * DESIGN: the verb is the first word that is no flag nor a flag's value, its sub the next; everything else is the
 * verb's. Flags that choose another cluster or user make a struct kubectl of their own for that one command, so a kept
 * one stays what it is. */
#include "kubectl/kubectl.h"

#include "base/str.h"
#include "kubectl/call_int.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct kubectl_verb *const verbs[] = {
    &kubectl_annotate,      //
    &kubectl_api_resources, //
    &kubectl_api_versions,  //
    &kubectl_apply,         //
    &kubectl_attach,        //
    &kubectl_auth,          //
    &kubectl_autoscale,     //
    &kubectl_cluster_info,  //
    &kubectl_completion,    //
    &kubectl_config,        //
    &kubectl_cordon,        //
    &kubectl_cp,            //
    &kubectl_create,        //
    &kubectl_debug,         //
    &kubectl_delete,        //
    &kubectl_describe,      //
    &kubectl_diff,          //
    &kubectl_drain,         //
    &kubectl_edit,          //
    &kubectl_events,        //
    &kubectl_exec,          //
    &kubectl_explain,       //
    &kubectl_expose,        //
    &kubectl_get,           //
    &kubectl_kustomize,     //
    &kubectl_label,         //
    &kubectl_logs,          //
    &kubectl_patch,         //
    &kubectl_port_forward,  //
    &kubectl_proxy,         //
    &kubectl_replace,       //
    &kubectl_rollout,       //
    &kubectl_run,           //
    &kubectl_scale,         //
    &kubectl_set,           //
    &kubectl_taint,         //
    &kubectl_top,           //
    &kubectl_uncordon,      //
    &kubectl_version,       //
    &kubectl_wait,          //
    NULL,
};

static const struct kubectl_flag globals[] = {
    {"namespace", 'n', FLAG_TEXT, NULL, "The namespace to work in"},
    {"context", 0, FLAG_TEXT, NULL, "The context of the kubeconfig"},
    {"cluster", 0, FLAG_TEXT, NULL, "The cluster of the kubeconfig, instead of the context's"},
    {"user", 0, FLAG_TEXT, NULL, "The user of the kubeconfig, instead of the context's"},
    {"kubeconfig", 0, FLAG_TEXT, NULL, "The kubeconfig's path"},
    {"server", 's', FLAG_TEXT, NULL, "Address and port of the API server"},
    {"token", 0, FLAG_TEXT, NULL, "Bearer token to sign in with"},
    {"as", 0, FLAG_TEXT, NULL, "The user to act as"},
    {"as-group", 0, FLAG_ARRAY, NULL, "A group to act in; again for more"},
    {"certificate-authority", 0, FLAG_TEXT, NULL, "Path of the certificate that the server's is judged by"},
    {"client-certificate", 0, FLAG_TEXT, NULL, "Path of a certificate to sign in with"},
    {"client-key", 0, FLAG_TEXT, NULL, "Path of its key"},
    {"tls-server-name", 0, FLAG_TEXT, NULL, "The name the server's certificate must have"},
    {"insecure-skip-tls-verify", 0, FLAG_BOOL, NULL, "Take any certificate of the server"},
    {"request-timeout", 0, FLAG_TEXT, "0", "How long one request may take: 30s, 2m; 0: as long as usual"},
    {"v", 'v', FLAG_INT, "0", "From 6 on: tell each request"},
    {"warnings-as-errors", 0, FLAG_BOOL, NULL, "A warning of the server makes the exit code 1"},
    {"help", 'h', FLAG_BOOL, NULL, "What the verb does, and its flags"},
    {0},
};

const struct kubectl_verb *const *kubectl_verbs(void)
{
    return verbs;
}

const struct kubectl_flag *kubectl_global_flags(void)
{
    return globals;
}

static bool is_called(const struct kubectl_verb *v, const char *name)
{
    _auto_strlist_ struct strlist aliases = {0};
    if (str_eq(v->name, name))
        return true;
    if (v->aliases)
        strlist_split(&aliases, v->aliases, ' ');
    return strlist_has(&aliases, name);
}

static const struct kubectl_verb *find(const struct kubectl_verb *const *list, const char *name)
{
    for (; list && *list; list++)
        if (is_called(*list, name))
            return *list;
    return NULL;
}

const struct kubectl_verb *kubectl_verb(const char *name)
{
    return find(verbs, name);
}

/* ---- open, close ---- */

int kubectl_open(struct kubectl *k, const char *kubeconfig, const char *context, struct err *e _unused_)
{
    *k = (struct kubectl){
        .kubeconfig = str_empty(kubeconfig) ? NULL : xstrdup(kubeconfig),
        .context = str_empty(context) ? NULL : xstrdup(context),
        .out = stdout,
        .err = stderr,
        .in = STDIN_FILENO,
        .terminal = isatty(STDOUT_FILENO),
        .cancel = -1,
    };
    k->colour = k->terminal && str_empty(getenv("NO_COLOR"));
    return 0;
}

void kubectl_close(struct kubectl *k)
{
    client_free(k->client);
    access_release(&k->access);
    kinds_release(&k->kinds);
    free(k->ns);
    free(k->kubeconfig);
    free(k->context);
    *k = (struct kubectl){0};
}

/* ---- which verb ---- */

/* The next word of argv that is no flag; its index, or argc. */
static int next_word(const struct kubectl_verb *v, int argc, char **argv, int from)
{
    const struct kubectl_flag *const tables[] = {globals, v ? v->flags : NULL, NULL};
    for (int i = from; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] != '-')
            return i;
        i += flags_skips(tables, argv[i]);
    }
    return argc;
}

/* Takes argv[i] out. */
static void drop(int *argc, char **argv, int i)
{
    memmove(argv + i, argv + i + 1, (size_t)(*argc - i - 1) * sizeof *argv);
    --*argc;
}

static int unknown(struct kubectl *k, const char *name, const char *path, const struct kubectl_verb *const *list)
{
    fprintf(k->err, "error: unknown command \"%s\" for \"%s\"\n", name, path);
    bool told = false;
    for (; list && *list; list++) {
        if (str_slips((*list)->name, name) > 2 && !str_starts((*list)->name, name))
            continue;
        fprintf(k->err, "%s\t%s\n", told ? "" : "\nDid you mean this?\n", (*list)->name);
        told = true;
    }
    return 1;
}

/* Finds verb and subs, takes their words out of argv and notes the path. NULL: *out_code is the exit code. */
static const struct kubectl_verb *resolve(struct kubectl *k, int *argc, char **argv, char **path, int *out_code)
{
    const struct kubectl_verb *v = NULL;
    const struct kubectl_verb *const *list = verbs;
    while (list) {
        const int i = next_word(v, *argc, argv, 0);
        const struct kubectl_verb *sub = i < *argc ? find(list, argv[i]) : NULL;
        if (!sub && i < *argc && !v) {
            *out_code = unknown(k, argv[i], *path, list);
            return NULL;
        }
        if (!sub)
            break;
        char *longer = xasprintf("%s %s", *path, sub->name);
        free(*path);
        *path = longer;
        v = sub;
        list = v->subs;
        drop(argc, argv, i);
    }
    if (!v) {
        help_print_all(k->out);
        *out_code = 0;
    }
    return v;
}

/* ---- one call ---- */

static bool elsewhere(const struct call *c)
{
    static const char *const flags[] = {"kubeconfig",
                                        "context",
                                        "cluster",
                                        "user",
                                        "server",
                                        "token",
                                        "as",
                                        "as-group",
                                        "insecure-skip-tls-verify",
                                        "certificate-authority",
                                        "client-certificate",
                                        "client-key",
                                        "tls-server-name"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (!call_own_flag(c, flags[i]) && call_given(c, flags[i]))
            return true;
    return false;
}

static int run(struct call *c)
{
    struct kubectl *const kept = c->k;
    if (!elsewhere(c))
        return c->verb->run(c);
    struct err e = ERR_INIT;
    struct kubectl other;
    kubectl_open(&other, call_given(c, "kubeconfig") ? call_text(c, "kubeconfig") : kept->kubeconfig,
                 call_given(c, "context") ? call_text(c, "context") : kept->context, &e);
    other.out = kept->out;
    other.err = kept->err;
    other.in = kept->in;
    other.colour = kept->colour;
    other.terminal = kept->terminal;
    other.cancel = kept->cancel;
    c->k = &other;
    const int code = c->verb->run(c);
    kubectl_close(&other);
    c->k = kept;
    return code;
}

static int start(struct call *c, int argc, char **argv)
{
    struct err e = ERR_INIT;
    if (flags_parse(c, argc, argv, &e) < 0) {
        fprintf(c->k->err, "error: %s\nSee '%s --help' for usage.\n", e.msg, c->path);
        return 1;
    }
    if (call_bool(c, "help")) {
        help_print(c, c->k->out);
        return 0;
    }
    if (!c->verb->run) {
        if (c->words.len)
            return unknown(c->k, c->words.items[0], c->path, c->verb->subs);
        help_print(c, c->k->err);
        return 1;
    }
    const int code = run(c);
    if (code == 0 && c->warned.len && call_bool(c, "warnings-as-errors")) {
        fprintf(c->k->err, "error: %zu warning%s received\n", c->warned.len, c->warned.len == 1 ? "" : "s");
        return 1;
    }
    return code;
}

/* `kubectl help get` is `kubectl get --help`. */
static void turn_help(int *argc, char **argv)
{
    if (*argc > 1 && str_eq(argv[0], "help")) {
        static char flag[] = "--help";
        memmove(argv, argv + 1, (size_t)(*argc - 1) * sizeof *argv);
        argv[*argc - 1] = flag;
    } else if (*argc == 1 && str_eq(argv[0], "help")) {
        *argc = 0;
    }
}

int kubectl_main(struct kubectl *k, int argc, char **argv)
{
    int left = argc - 1, code = 0;
    if (argc > 1 && str_eq(argv[1], "__complete"))
        return kubectl_complete(k, argc - 2, argv + 2);
    _auto_free_ char **rest = xcalloc((size_t)argc + 1, sizeof *rest);
    memcpy(rest, argv + 1, (size_t)left * sizeof *rest);
    turn_help(&left, rest);
    struct call c = {.k = k, .path = xstrdup("kubectl")};
    c.verb = resolve(k, &left, rest, &c.path, &code);
    if (c.verb)
        code = start(&c, left, rest);
    call_end(&c);
    fflush(k->out);
    fflush(k->err);
    return code;
}

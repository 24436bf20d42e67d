/* config.c - `kubectl config`: kubeconfig files shown and changed. One row a sub-command, at the end. */
#include "api/base64.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/config_files.h"
#include "kubectl/files.h"
#include "kubectl/output/print.h"
#include "kubectl/verbs/verbs_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Every sub-command: the files are read, `body` does its work, what it changed is written. */
static int with_files(struct call *c, int (*body)(struct call *c, struct config_files *f))
{
    _auto_config_files_ struct config_files f = {0};
    struct err e = ERR_INIT;
    if (config_files_load(c, &f, &e) < 0)
        return call_error(c, &e);
    const int code = body(c, &f);
    if (code == 0 && config_files_save(&f, &e) < 0)
        return call_error(c, &e);
    return code;
}

/* As many words as are wanted; else the help and an error. */
static bool has_words(struct call *c, size_t wanted)
{
    if (c->words.len == wanted)
        return true;
    _auto_free_ char *words = strlist_join(&c->words, " ");
    fprintf(c->k->out, "%s\n\nUsage:\n  %s %s\n", c->verb->summary, c->path, c->verb->usage);
    call_fail(c, "Unexpected args: [%s]", words);
    return false;
}

/* ---- view ---- */

static void redact(json_t *config)
{
    static const char *const bytes[] = {"certificate-authority-data", "client-certificate-data", "client-key-data"};
    static const char *const texts[] = {"token", "password"};
    static const char *const lists[][2] = {{"clusters", "cluster"}, {"users", "user"}};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        json_t *row;
        json_array_foreach(json_object_get(config, lists[l][0]), i, row)
        {
            json_t *inner = json_object_get(row, lists[l][1]);
            for (size_t k = 0; k < ARRAY_LEN(bytes); k++)
                if (json_object_get(inner, bytes[k]))
                    json_object_set_new(inner, bytes[k], json_string("DATA+OMITTED"));
            for (size_t k = 0; k < ARRAY_LEN(texts); k++)
                if (!str_empty(jstr(inner, texts[k])))
                    json_object_set_new(inner, texts[k], json_string("REDACTED"));
        }
    }
}

static void keep_only(json_t *config, const char *list, const char *name)
{
    size_t i = 0;
    json_t *rows = json_object_get(config, list);
    while (i < json_array_size(rows)) {
        if (str_eq(jstr(json_array_get(rows, i), "name"), name))
            i++;
        else
            json_array_remove(rows, i);
    }
}

/* Only what the current context (or --context) needs. */
static int minify(struct call *c, json_t *config)
{
    const char *name = call_given(c, "context") ? call_text(c, "context") : jstr_or(config, "current-context", "");
    size_t i;
    const json_t *row, *context = NULL;
    json_array_foreach(json_object_get(config, "contexts"), i, row) if (str_eq(jstr(row, "name"), name)) context =
        json_object_get(row, "context");
    if (!*name)
        return call_fail(c, "current-context must exist in order to minify");
    if (!context)
        return call_fail(c, "cannot locate context %s", name);
    keep_only(config, "clusters", jstr_or(context, "cluster", ""));
    keep_only(config, "users", jstr_or(context, "user", ""));
    _auto_free_ char *kept = xstrdup(name);
    keep_only(config, "contexts", kept);
    jset_str(config, "current-context", kept);
    return 0;
}

/* The members of `from` in the order of `names` (NULL-terminated), then what else it has. Returns new. */
static json_t *in_order(const json_t *from, const char *const *names)
{
    json_t *to = json_object();
    for (; *names; names++)
        if (json_object_get(from, *names))
            json_object_set(to, *names, json_object_get(from, *names));
    json_object_update_missing(to, (json_t *)(uintptr_t)from);
    return to;
}

/* JSON of a config has the order of its type, unlike that of objects. */
static void print_ordered(struct call *c, const json_t *config)
{
    static const char *const top[] = {"kind",  "apiVersion", "preferences",     "clusters",
                                      "users", "contexts",   "current-context", NULL};
    static const char *const row_order[] = {"name", NULL};
    static const char *const inner_order[] = {"server",
                                              "tls-server-name",
                                              "insecure-skip-tls-verify",
                                              "cluster",
                                              "user",
                                              "namespace",
                                              "client-certificate",
                                              "client-certificate-data",
                                              "client-key",
                                              "client-key-data",
                                              "token",
                                              NULL};
    static const char *const lists[][2] = {{"clusters", "cluster"}, {"users", "user"}, {"contexts", "context"}};
    _auto_json_ json_t *tree = in_order(config, top);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        json_t *rows = json_array();
        size_t i;
        const json_t *row;
        json_array_foreach(json_object_get(config, lists[l][0]), i, row)
        {
            json_t *one = in_order(row, row_order);
            json_object_set_new(one, lists[l][1], in_order(json_object_get(row, lists[l][1]), inner_order));
            json_array_append_new(rows, one);
        }
        json_object_set_new(tree, lists[l][0], json_array_size(rows) ? rows : (json_decref(rows), json_null()));
    }
    char *text = json_dumps(tree, JSON_INDENT(4));
    fprintf(c->k->out, "%s\n", text);
    free(text);
}

static int view(struct call *c, struct config_files *f)
{
    _auto_json_ json_t *config = config_merged(f);
    _auto_printer_ struct printer p = {0};
    struct err e = ERR_INIT;
    if (call_bool(c, "minify") && minify(c, config) != 0)
        return c->code;
    if (!call_bool(c, "raw") && !call_bool(c, "flatten"))
        redact(config);
    if (printer_init(c, &p, false) < 0)
        return c->code;
    if (p.form == PRINT_JSON) {
        print_ordered(c, config);
        return 0;
    }
    if (printer_object(c, &p, NULL, config, NULL, &e) < 0)
        return call_error(c, &e);
    return 0;
}

static int view_run(struct call *c)
{
    return with_files(c, view);
}

/* ---- lists ---- */

static bool is_asked(const struct call *c, const char *name)
{
    return c->words.len == 0 || strlist_has(&c->words, name);
}

static int get_contexts(struct call *c, struct config_files *f)
{
    _auto_json_ json_t *config = config_merged(f);
    _auto_table_ struct table t = {0};
    const char *form = call_text(c, "output"), *current = jstr_or(config, "current-context", "");
    const json_t *row;
    size_t i;
    if (*form && !str_eq(form, "name"))
        return call_fail(c, "output must be one of '' or 'name': %s", form);
    if (!*form && !call_bool(c, "no-headers"))
        table_addf(&t, "CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n");
    json_array_foreach(json_object_get(config, "contexts"), i, row)
    {
        const char *name = jstr_or(row, "name", "");
        if (!is_asked(c, name))
            continue;
        if (*form)
            table_addf(&t, "%s\n", name);
        else
            table_addf(&t, "%s\t%s\t%s\t%s\t%s\n", str_eq(name, current) ? "*" : "", name,
                       jstr_or(row, "context.cluster", ""), jstr_or(row, "context.user", ""),
                       jstr_or(row, "context.namespace", ""));
    }
    table_flush(&t, c->k->out);
    for (i = 0; i < c->words.len; i++)
        if (!config_find(f, "contexts", c->words.items[i], NULL))
            call_fail(c, "context %s not found", c->words.items[i]);
    return c->code;
}

static int get_contexts_run(struct call *c)
{
    return with_files(c, get_contexts);
}

static int print_names(struct call *c, struct config_files *f, const char *list)
{
    _auto_json_ json_t *config = config_merged(f);
    const json_t *row;
    size_t i;
    fputs("NAME\n", c->k->out);
    json_array_foreach(json_object_get(config, list), i, row) fprintf(c->k->out, "%s\n", jstr_or(row, "name", ""));
    return 0;
}

static int get_clusters(struct call *c, struct config_files *f)
{
    return print_names(c, f, "clusters");
}

static int get_clusters_run(struct call *c)
{
    return with_files(c, get_clusters);
}

static int get_users(struct call *c, struct config_files *f)
{
    return print_names(c, f, "users");
}

static int get_users_run(struct call *c)
{
    return with_files(c, get_users);
}

/* ---- the current context ---- */

static int current_context(struct call *c, struct config_files *f)
{
    const char *name = config_current(f);
    if (!*name)
        return call_fail(c, "current-context is not set");
    fprintf(c->k->out, "%s\n", name);
    return 0;
}

static int current_context_run(struct call *c)
{
    return with_files(c, current_context);
}

static void set_current(struct config_files *f, const char *name)
{
    struct config_file *file = config_of_current(f);
    json_object_set_new(file->tree, "current-context", json_string(name));
    file->changed = true;
}

static int use_context(struct call *c, struct config_files *f)
{
    const char *name = c->words.items[0];
    if (!config_find(f, "contexts", name, NULL))
        return call_fail(c, "no context exists with the name: \"%s\"", name);
    set_current(f, name);
    fprintf(c->k->out, "Switched to context \"%s\".\n", name);
    return 0;
}

static int use_context_run(struct call *c)
{
    return has_words(c, 1) ? with_files(c, use_context) : 1;
}

/* ---- entries: made, changed, taken away ---- */

/* Sets a member from a flag that was given; "" takes it away. */
static void take_flag(struct call *c, json_t *inner, const char *flag, const char *member)
{
    if (!call_given(c, flag))
        return;
    if (*call_text(c, flag))
        json_object_set_new(inner, member, json_string(call_text(c, flag)));
    else
        json_object_del(inner, member);
}

static int set_context(struct call *c, struct config_files *f)
{
    const bool current = call_bool(c, "current");
    bool fresh;
    if (current && c->words.len)
        return call_fail(c, "you cannot specify both a context name and --current");
    if (!current && c->words.len == 0)
        return call_fail(c, "you must specify a non-empty context name or --current");
    _auto_free_ char *name = xstrdup(current ? config_current(f) : c->words.items[0]);
    if (!*name)
        return call_fail(c, "no current context is set");
    json_t *inner = config_make(f, "contexts", "context", name, &fresh);
    take_flag(c, inner, "cluster", "cluster");
    take_flag(c, inner, "user", "user");
    take_flag(c, inner, "namespace", "namespace");
    fprintf(c->k->out, "Context \"%s\" %s.\n", name, fresh ? "created" : "modified");
    return 0;
}

static int set_context_run(struct call *c)
{
    return with_files(c, set_context);
}

/* A file's path, or with --embed-certs what is in it. */
static int take_pem(struct call *c, json_t *inner, const char *member)
{
    const char *path = call_text(c, member);
    _auto_free_ char *data = xasprintf("%s-data", member);
    _auto_buf_ struct buf pem = BUF_INIT, text = BUF_INIT;
    if (!call_given(c, member))
        return 0;
    json_object_del(inner, data);
    if (!call_bool(c, "embed-certs")) {
        _auto_free_ char *whole = realpath(path, NULL);
        json_object_set_new(inner, member, json_string(whole ? whole : path));
        return 0;
    }
    if (file_text(path, &pem) < 0)
        return call_fail(c, "could not read %s data from %s: open %s: %s", member, path, path, file_why(errno));
    base64_encode(buf_str(&pem), pem.len, &text);
    json_object_del(inner, member);
    json_object_set_new(inner, data, json_string(buf_str(&text)));
    return 0;
}

static int set_cluster(struct call *c, struct config_files *f)
{
    bool fresh;
    json_t *inner = config_make(f, "clusters", "cluster", c->words.items[0], &fresh);
    take_flag(c, inner, "server", "server");
    take_flag(c, inner, "tls-server-name", "tls-server-name");
    take_flag(c, inner, "proxy-url", "proxy-url");
    if (call_given(c, "insecure-skip-tls-verify")) {
        json_object_del(inner, "insecure-skip-tls-verify");
        if (call_bool(c, "insecure-skip-tls-verify"))
            json_object_set_new(inner, "insecure-skip-tls-verify", json_true());
    }
    if (take_pem(c, inner, "certificate-authority") != 0)
        return c->code;
    fprintf(c->k->out, "Cluster \"%s\" set.\n", c->words.items[0]);
    return 0;
}

static int set_cluster_run(struct call *c)
{
    return has_words(c, 1) ? with_files(c, set_cluster) : 1;
}

static int set_credentials(struct call *c, struct config_files *f)
{
    bool fresh;
    json_t *inner = config_make(f, "users", "user", c->words.items[0], &fresh);
    /* one way to sign in takes the place of another */
    if (*call_text(c, "username"))
        json_object_del(inner, "token");
    if (*call_text(c, "token")) {
        json_object_del(inner, "username");
        json_object_del(inner, "password");
    }
    take_flag(c, inner, "token", "token");
    take_flag(c, inner, "username", "username");
    take_flag(c, inner, "password", "password");
    if (take_pem(c, inner, "client-certificate") != 0 || take_pem(c, inner, "client-key") != 0)
        return c->code;
    fprintf(c->k->out, "User \"%s\" set.\n", c->words.items[0]);
    return 0;
}

static int set_credentials_run(struct call *c)
{
    return has_words(c, 1) ? with_files(c, set_credentials) : 1;
}

/* list: "contexts"; what: "context". */
static int delete_entry(struct call *c, struct config_files *f, const char *list, const char *what)
{
    const char *name = c->words.items[0];
    json_t *row = NULL;
    struct config_file *file = config_find(f, list, name, &row);
    if (!file)
        return call_fail(c, "cannot delete %s %s, not in %s", what, name, config_default(f)->path);
    if (str_eq(what, "context") && str_eq(name, config_current(f)))
        fputs(
            "warning: this removed your active context, use \"kubectl config use-context\" to select a different one\n",
            c->k->err);
    json_t *rows = json_object_get(file->tree, list);
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (json_array_get(rows, i) == row)
            json_array_remove(rows, i);
    file->changed = true;
    fprintf(c->k->out, "deleted %s %s from %s\n", what, name, file->path);
    return 0;
}

static int delete_context(struct call *c, struct config_files *f)
{
    return delete_entry(c, f, "contexts", "context");
}

static int delete_context_run(struct call *c)
{
    return has_words(c, 1) ? with_files(c, delete_context) : 1;
}

static int delete_cluster(struct call *c, struct config_files *f)
{
    return delete_entry(c, f, "clusters", "cluster");
}

static int delete_cluster_run(struct call *c)
{
    return has_words(c, 1) ? with_files(c, delete_cluster) : 1;
}

static int delete_user(struct call *c, struct config_files *f)
{
    return delete_entry(c, f, "users", "user");
}

static int delete_user_run(struct call *c)
{
    return has_words(c, 1) ? with_files(c, delete_user) : 1;
}

static int rename_context(struct call *c, struct config_files *f)
{
    const char *from = c->words.items[0], *to = c->words.items[1];
    json_t *row = NULL;
    struct config_file *file = config_find(f, "contexts", from, &row);
    if (!file)
        return call_fail(c, "cannot rename the context \"%s\", it's not in %s", from, config_default(f)->path);
    if (config_find(f, "contexts", to, NULL))
        return call_fail(c, "cannot rename the context \"%s\", the context \"%s\" already exists in %s", from, to,
                         file->path);
    const bool current = str_eq(from, config_current(f));
    json_object_set_new(row, "name", json_string(to));
    file->changed = true;
    if (current)
        set_current(f, to);
    fprintf(c->k->out, "Context \"%s\" renamed to \"%s\".\n", from, to);
    return 0;
}

static int rename_context_run(struct call *c)
{
    return has_words(c, 2) ? with_files(c, rename_context) : 1;
}

/* ---- set, unset: any property by its path ---- */

/* "contexts.NAME.namespace": the object that has the last member. NULL: told. *member: its name, within `path`. */
static json_t *property_of(struct call *c, struct config_files *f, const char *path, bool make, const char **member)
{
    static const char *const lists[][2] = {{"clusters", "cluster"}, {"contexts", "context"}, {"users", "user"}};
    const char *first = strchr(path, '.'), *last = strrchr(path, '.');
    bool fresh;
    if (!first && str_eq(path, "current-context")) {
        *member = path;
        config_of_current(f)->changed = true;
        return config_of_current(f)->tree;
    }
    for (size_t i = 0; first && last > first && i < ARRAY_LEN(lists); i++) {
        const size_t n = strlen(lists[i][0]);
        if ((size_t)(first - path) != n || strncmp(path, lists[i][0], n) != 0)
            continue;
        _auto_free_ char *name = xstrndup(first + 1, (size_t)(last - first) - 1);
        *member = last + 1;
        if (make || config_find(f, lists[i][0], name, NULL))
            return config_make(f, lists[i][0], lists[i][1], name, &fresh);
        call_fail(c, "current map key `%s` is invalid", name);
        return NULL;
    }
    _auto_free_ char *head = xstrndup(path, strcspn(path, "."));
    call_fail(c, "unable to parse %s after [] at api.Config", head);
    return NULL;
}

static int set_property(struct call *c, struct config_files *f)
{
    const char *member, *path = c->words.items[0], *value = c->words.items[1];
    json_t *inner = property_of(c, f, path, true, &member);
    if (!inner)
        return c->code;
    const bool truth = str_eq(member, "insecure-skip-tls-verify");
    json_object_set_new(inner, member, truth ? json_boolean(str_eq(value, "true")) : json_string(value));
    fprintf(c->k->out, "Property \"%s\" set.\n", path);
    return 0;
}

static int set_run(struct call *c)
{
    return has_words(c, 2) ? with_files(c, set_property) : 1;
}

static int unset_property(struct call *c, struct config_files *f)
{
    const char *member, *path = c->words.items[0];
    json_t *inner = property_of(c, f, path, false, &member);
    if (!inner)
        return c->code;
    if (str_eq(member, "current-context"))
        json_object_set_new(inner, member, json_string(""));
    else
        json_object_del(inner, member);
    fprintf(c->k->out, "Property \"%s\" unset.\n", path);
    return 0;
}

static int unset_run(struct call *c)
{
    return has_words(c, 1) ? with_files(c, unset_property) : 1;
}

/* ---- the table ---- */

static const struct kubectl_flag view_flags[] = {
    {"output", 'o', FLAG_TEXT, "yaml", "How to print it: yaml, json, jsonpath, go-template"},
    {"template", 0, FLAG_TEXT, NULL, "The template, or its file"},
    {"raw", 0, FLAG_BOOL, NULL, "With keys and tokens"},
    {"flatten", 0, FLAG_BOOL, NULL, "In one piece, with keys and tokens"},
    {"minify", 0, FLAG_BOOL, NULL, "Only what the current context needs"},
    {"merge", 0, FLAG_BOOL, "true", "All files together"},
    {0},
};
static const struct kubectl_flag get_contexts_flags[] = {
    {"output", 'o', FLAG_TEXT, NULL, "name"},
    {"no-headers", 0, FLAG_BOOL, NULL, "No first line with headers"},
    {0},
};
static const struct kubectl_flag set_context_flags[] = {
    {"current", 0, FLAG_BOOL, NULL, "The current context"},
    {0},
};
static const struct kubectl_flag set_cluster_flags[] = {
    {"embed-certs", 0, FLAG_BOOL, NULL, "What is in the files, not their paths"},
    {"proxy-url", 0, FLAG_TEXT, NULL, "A proxy on the way"},
    {0},
};
static const struct kubectl_flag set_credentials_flags[] = {
    {"embed-certs", 0, FLAG_BOOL, NULL, "What is in the files, not their paths"},
    {"username", 0, FLAG_TEXT, NULL, "Name for basic authentication"},
    {"password", 0, FLAG_TEXT, NULL, "Password for it"},
    {0},
};

#define SUB(name_, summary_, usage_, flags_, takes_, run_)                                                             \
    {                                                                                                                  \
        .name = name_, .summary = summary_, .usage = usage_, .flags = flags_, .takes = takes_, .run = run_             \
    }
static const struct kubectl_verb rows[] = {
    SUB("current-context", "Display the current-context", "[options]", NULL, TAKES_NONE, current_context_run),
    SUB("delete-cluster", "Delete the specified cluster from the kubeconfig", "NAME [options]", NULL, TAKES_NAME,
        delete_cluster_run),
    SUB("delete-context", "Delete the specified context from the kubeconfig", "NAME [options]", NULL, TAKES_CONTEXTS,
        delete_context_run),
    SUB("delete-user", "Delete the specified user from the kubeconfig", "NAME [options]", NULL, TAKES_NAME,
        delete_user_run),
    SUB("get-clusters", "Display clusters defined in the kubeconfig", "[options]", NULL, TAKES_NONE, get_clusters_run),
    SUB("get-contexts", "Describe one or many contexts", "[(-o|--output=)name)] [options]", get_contexts_flags,
        TAKES_CONTEXTS, get_contexts_run),
    SUB("get-users", "Display users defined in the kubeconfig", "[options]", NULL, TAKES_NONE, get_users_run),
    SUB("rename-context", "Rename a context from the kubeconfig file", "CONTEXT_NAME NEW_NAME [options]", NULL,
        TAKES_CONTEXTS, rename_context_run),
    SUB("set", "Set an individual value in a kubeconfig file", "PROPERTY_NAME PROPERTY_VALUE [options]", NULL,
        TAKES_NAME, set_run),
    SUB("set-cluster", "Set a cluster entry in kubeconfig", "NAME [--server=server] [options]", set_cluster_flags,
        TAKES_NAME, set_cluster_run),
    SUB("set-context", "Set a context entry in kubeconfig", "[NAME | --current] [--namespace=namespace] [options]",
        set_context_flags, TAKES_CONTEXTS, set_context_run),
    SUB("set-credentials", "Set a user entry in kubeconfig", "NAME [--token=bearer_token] [options]",
        set_credentials_flags, TAKES_NAME, set_credentials_run),
    SUB("unset", "Unset an individual value in a kubeconfig file", "PROPERTY_NAME [options]", NULL, TAKES_NAME,
        unset_run),
    {.name = "use-context",
     .aliases = "use",
     .summary = "Set the current-context in a kubeconfig file",
     .usage = "CONTEXT_NAME [options]",
     .takes = TAKES_CONTEXTS,
     .run = use_context_run},
    SUB("view", "Display merged kubeconfig settings or a specified kubeconfig file", "[flags] [options]", view_flags,
        TAKES_NONE, view_run),
};
static const struct kubectl_verb *const subs[] = {
    &rows[0], &rows[1], &rows[2],  &rows[3],  &rows[4],  &rows[5],  &rows[6],  &rows[7],
    &rows[8], &rows[9], &rows[10], &rows[11], &rows[12], &rows[13], &rows[14], NULL,
};

const struct kubectl_verb kubectl_config = {
    .name = "config",
    .summary = "Modify kubeconfig files",
    .usage = "SUBCOMMAND [options]",
    .help = "  kubectl config get-contexts\n  kubectl config set-context --current --namespace=web\n",
    .subs = subs,
};

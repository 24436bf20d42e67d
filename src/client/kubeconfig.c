/* kubeconfig.c - see kubeconfig.h.
 *
 * DESIGN: the files are read in order and their named lists joined, first name wins; then the context leads to a
 * cluster and a user. Data members hold base64, file members paths beside the kubeconfig; one table for both. A user's
 * exec plug-in is run without a shell. */
#include "client/kubeconfig.h"

#include "api/base64.h"
#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define FILE_MAX (4 * 1024 * 1024)

void access_release(struct access *a)
{
    char *const texts[] = {a->url, a->ca_pem, a->cert_pem, a->key_pem, a->token, a->server_name, a->ns, a->context};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    *a = (struct access){0};
}

/* ---- files ---- */

static int read_all(FILE *f, const char *what, struct buf *out, struct err *e)
{
    char piece[8192];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) {
        buf_add(out, piece, n);
        if (out->len > FILE_MAX)
            return err_set(e, ERR_TOO_LARGE, "%s is too long", what);
    }
    return ferror(f) ? err_sys(e, errno, "%s", what) : 0;
}

static int read_file(const char *path, struct buf *out, struct err *e)
{
    _auto_file_ FILE *f = fopen(path, "re");
    if (!f)
        return err_sys(e, errno, "%s", path);
    return read_all(f, path, out, e);
}

static const char *const lists[] = {"clusters", "users", "contexts"};

static const json_t *by_name(const json_t *list, const char *name)
{
    size_t i;
    const json_t *row;
    json_array_foreach(list, i, row) if (str_eq(jstr(row, "name"), name)) return row;
    return NULL;
}

/* Paths beside the file are told from its folder: remembered in each row. */
static void join(json_t *all, const json_t *doc, const char *path)
{
    const char *slash = strrchr(path, '/');
    _auto_free_ char *dir = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        json_t *row, *to = jmake_arr(all, lists[l]);
        json_array_foreach(jat(doc, lists[l]), i, row) if (jstr(row, "name") && !by_name(to, jstr(row, "name")))
        {
            json_t *copy = json_deep_copy(row);
            jset_str(copy, "dir", dir);
            json_array_append_new(to, copy);
        }
    }
    if (!jstr(all, "current") && !str_empty(jstr(doc, "current-context")))
        jset_str(all, "current", jstr(doc, "current-context"));
}

static int join_file(json_t *all, const char *path, bool must, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *doc = NULL;
    if (!must && access(path, F_OK) < 0)
        return 0;
    if (read_file(path, &text, e) < 0)
        return -1;
    if (yaml_parse(buf_str(&text), text.len, &doc, NULL, e) < 0)
        return err_wrap(e, "error loading config file \"%s\"", path);
    join(all, doc, path);
    return 0;
}

static int join_all(json_t *all, const char *path, struct err *e)
{
    const char *env = getenv("KUBECONFIG"), *home = getenv("HOME");
    if (path)
        return join_file(all, path, true, e);
    if (str_empty(env)) {
        _auto_free_ char *usual = xasprintf("%s/.kube/config", home ? home : "");
        return join_file(all, usual, false, e);
    }
    _auto_strlist_ struct strlist paths = {0};
    strlist_split(&paths, env, ':');
    for (size_t i = 0; i < paths.len; i++)
        if (paths.items[i][0] && join_file(all, paths.items[i], false, e) < 0)
            return -1;
    return 0;
}

/* ---- members ---- */

/* The text of `<name>-data` (base64) or of the file that `<name>` names; NULL if there is neither. Returns new. */
static int secret_text(const json_t *row, const char *body, const char *name, char **out, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_free_ char *data_key = xasprintf("%s-data", name);
    const json_t *members = json_object_get(row, body);
    const char *data = json_string_value(json_object_get(members, data_key));
    const char *file = json_string_value(json_object_get(members, name));
    size_t at;
    if (str_empty(data) && str_empty(file))
        return 0;
    if (!str_empty(data)) {
        if (base64_decode(data, strlen(data), &text, &at) < 0)
            return err_set(e, ERR_BAD_REQUEST, "%s: illegal base64 data at input byte %zu", data_key, at);
    } else {
        _auto_free_ char *path = file[0] == '/' ? xstrdup(file) : xasprintf("%s/%s", jstr_or(row, "dir", "."), file);
        if (read_file(path, &text, e) < 0)
            return err_wrap(e, "unable to read %s", name);
    }
    free(*out);
    *out = buf_steal(&text, NULL);
    return 0;
}

/* ---- exec plug-ins ---- */

/* In the place of a variable of that name, where there is one. */
static void set_variable(struct strlist *env, const char *name, const char *value)
{
    const size_t n = strlen(name);
    size_t i = 0;
    while (i < env->len && (strncmp(env->items[i], name, n) != 0 || env->items[i][n] != '='))
        i++;
    if (i == env->len)
        strlist_add(env, "");
    free(env->items[i]);
    env->items[i] = xasprintf("%s=%s", name, value);
}

static int run_plugin(const json_t *exec, struct buf *out, struct err *e)
{
    _auto_strlist_ struct strlist argv = {0}, env = {0};
    size_t i;
    const json_t *x;
    int pipes[2], status;
    pid_t pid;
    strlist_add(&argv, jstr_or(exec, "command", ""));
    json_array_foreach(jat(exec, "args"), i, x) strlist_add(&argv, json_is_string(x) ? json_string_value(x) : "");
    for (char **v = environ; *v; v++)
        strlist_add(&env, *v);
    json_array_foreach(jat(exec, "env"), i, x) set_variable(&env, jstr_or(x, "name", ""), jstr_or(x, "value", ""));
    _auto_free_ char *info =
        xasprintf("{\"kind\":\"ExecCredential\",\"apiVersion\":\"%s\",\"spec\":{\"interactive\":false}}",
                  jstr_or(exec, "apiVersion", "client.authentication.k8s.io/v1"));
    set_variable(&env, "KUBERNETES_EXEC_INFO", info);
    strlist_take(&argv, NULL);
    strlist_take(&env, NULL);
    if (pipe(pipes) < 0)
        return err_sys(e, errno, "pipe");
    posix_spawn_file_actions_t acts;
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_adddup2(&acts, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&acts, pipes[0]);
    posix_spawn_file_actions_addclose(&acts, pipes[1]);
    const int rc = posix_spawnp(&pid, argv.items[0], &acts, NULL, argv.items, env.items);
    posix_spawn_file_actions_destroy(&acts);
    close(pipes[1]);
    _auto_file_ FILE *f = fdopen(pipes[0], "r");
    if (rc != 0)
        return err_set(e, ERR_UNAUTHORIZED, "getting credentials: exec: executable %s failed: %s", argv.items[0],
                       strerror(rc));
    const int got = read_all(f, argv.items[0], out, e);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (got == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        return err_set(e, ERR_UNAUTHORIZED, "getting credentials: exec: executable %s failed with exit code %d",
                       argv.items[0], WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return got;
}

static void take_text(const json_t *from, const char *path, char **to)
{
    const char *text = jstr(from, path);
    if (str_empty(text))
        return;
    free(*to);
    *to = xstrdup(text);
}

static int ask_plugin(const json_t *exec, struct access *a, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *cred = NULL;
    if (run_plugin(exec, &text, e) < 0)
        return -1;
    if (json_parse(buf_str(&text), text.len, &cred, e) < 0)
        return err_wrap(e, "getting credentials: decoding stdout");
    take_text(cred, "status.token", &a->token);
    take_text(cred, "status.clientCertificateData", &a->cert_pem);
    take_text(cred, "status.clientKeyData", &a->key_pem);
    return a->token || a->cert_pem ? 0
                                   : err_set(e, ERR_UNAUTHORIZED,
                                             "getting credentials: exec plugin didn't return a token or cert/key pair");
}

/* ---- the whole ---- */

static int take_user(const json_t *user, struct access *a, struct err *e)
{
    if (secret_text(user, "user", "client-certificate", &a->cert_pem, e) < 0 ||
        secret_text(user, "user", "client-key", &a->key_pem, e) < 0)
        return -1;
    take_text(user, "user.token", &a->token);
    const char *file = jstr(user, "user.tokenFile");
    if (!a->token && !str_empty(file)) {
        _auto_buf_ struct buf text = BUF_INIT;
        if (read_file(file, &text, e) < 0)
            return -1;
        while (text.len && strchr(" \r\n\t", text.data[text.len - 1]))
            text.data[--text.len] = '\0';
        a->token = buf_steal(&text, NULL);
    }
    const json_t *exec = jat(user, "user.exec");
    return json_is_object(exec) ? ask_plugin(exec, a, e) : 0;
}

/* The row that is meant: the one named in place of the context's, else the context's own, which may be missing. */
static int pick(const json_t *all, const char *list, const char *instead, const char *own, const char *refusal,
                const json_t **out, struct err *e)
{
    *out = by_name(jat(all, list), str_empty(instead) ? own : instead);
    return *out || str_empty(instead) ? 0 : err_set(e, ERR_NOT_FOUND, refusal, instead);
}

static int fill(const json_t *all, const struct access_from *from, struct access *a, struct err *e)
{
    const char *name = from->context ? from->context : jstr_or(all, "current", "");
    const json_t *ctx = by_name(jat(all, "contexts"), name), *cluster, *user;
    if (!ctx && (from->context || *name))
        return err_set(e, ERR_NOT_FOUND, "context \"%s\" does not exist", name);
    if (pick(all, "clusters", from->cluster, jstr_or(ctx, "context.cluster", ""), "no server found for cluster \"%s\"",
             &cluster, e) < 0 ||
        pick(all, "users", from->user, jstr_or(ctx, "context.user", ""), "auth info \"%s\" does not exist", &user, e) <
            0)
        return -1;
    if (!cluster || str_empty(jstr(cluster, "cluster.server")))
        return err_set(e, ERR_NOT_FOUND,
                       "no cluster is configured: start one with `stowage up`, or set KUBECONFIG to its file");
    a->context = xstrdup(name);
    a->ns = xstrdup(jstr_or(ctx, "context.namespace", "default"));
    a->insecure = jbool(cluster, "cluster.insecure-skip-tls-verify", false);
    take_text(cluster, "cluster.server", &a->url);
    take_text(cluster, "cluster.tls-server-name", &a->server_name);
    if (secret_text(cluster, "cluster", "certificate-authority", &a->ca_pem, e) < 0)
        return -1;
    return user ? take_user(user, a, e) : 0;
}

int access_load_from(const struct access_from *from, struct access *out, struct err *e)
{
    _auto_json_ json_t *all = json_object();
    _auto_access_ struct access a = {0};
    if (join_all(all, from->path, e) < 0 || fill(all, from, &a, e) < 0)
        return -1;
    *out = a;
    a = (struct access){0};
    return 0;
}

int access_load(const char *path, const char *context, struct access *out, struct err *e)
{
    return access_load_from(&(struct access_from){.path = path, .context = context}, out, e);
}

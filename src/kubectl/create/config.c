/* config.c - `create configmap`, `create secret generic|docker-registry|tls`: files and literals as data. */
#include "api/base64.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/create/creating.h"
#include "kubectl/files.h"
#include "kubectl/literal.h"
#include "kubectl/name_hash.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Texts and bytes under their keys. A secret has only bytes. */
struct data {
    struct call *c;
    json_t *texts, *bytes;
    bool secret;
};

static bool is_utf8(const char *s, size_t n)
{
    json_t *j = json_stringn(s, n);
    const bool ok = j != NULL;
    json_decref(j);
    return ok;
}

static int key_check(struct call *c, const char *key)
{
    const size_t n = strlen(key);
    bool good = n > 0;
    for (size_t i = 0; i < n; i++)
        good &= isalnum((unsigned char)key[i]) || strchr("-_.", key[i]);
    if (!good || str_eq(key, ".") || str_starts(key, ".."))
        return call_fail(c,
                         "\"%s\" is not a valid key name for a ConfigMap: a valid config key must consist of "
                         "alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
                         "regex used for validation is '[-._a-zA-Z0-9]+')",
                         key);
    return 0;
}

static int add(struct data *d, const char *key, const char *value, size_t n)
{
    if (key_check(d->c, key) != 0)
        return -1;
    if (json_object_get(d->texts, key) || json_object_get(d->bytes, key)) {
        call_fail(d->c, "cannot add key \"%s\", another key by that name already exists in Data for %s \"%s\"", key,
                  d->secret ? "Secret" : "ConfigMap", d->c->words.items[0]);
        return -1;
    }
    if (!d->secret && is_utf8(value, n)) {
        json_object_set_new(d->texts, key, json_stringn(value, n));
        return 0;
    }
    _auto_buf_ struct buf text = BUF_INIT;
    base64_encode(value, n, &text);
    json_object_set_new(d->secret ? d->texts : d->bytes, key, json_string(buf_str(&text)));
    return 0;
}

/* ---- files ---- */

static int add_file(struct data *d, const char *key, const char *path)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (file_text(path, &text) < 0)
        return call_fail(d->c, "error reading %s: %s", path, file_why(errno)), -1;
    return add(d, key, buf_str(&text), text.len);
}

static int add_folder(struct data *d, const char *path)
{
    _auto_strlist_ struct strlist names = {0};
    DIR *dir = opendir(path);
    if (!dir)
        return call_fail(d->c, "error listing files in %s: %s", path, file_why(errno)), -1;
    for (const struct dirent *x; (x = readdir(dir));)
        strlist_add(&names, x->d_name);
    closedir(dir);
    strlist_sort(&names);
    for (size_t i = 0; i < names.len; i++) {
        _auto_free_ char *full = xasprintf("%s/%s", path, names.items[i]);
        struct stat st;
        if (stat(full, &st) == 0 && S_ISREG(st.st_mode) && add_file(d, names.items[i], full) < 0)
            return -1;
    }
    return 0;
}

/* "path", "key=path", a folder. */
static int add_from_file(struct data *d, const char *source)
{
    const char *equal = strchr(source, '=');
    const char *path = equal ? equal + 1 : source, *slash = strrchr(path, '/');
    _auto_free_ char *key = equal ? xstrndup(source, (size_t)(equal - source)) : xstrdup(slash ? slash + 1 : path);
    struct stat st;
    if (equal && strchr(path, '='))
        return call_fail(d->c, "key names or file paths cannot contain '='"), -1;
    if (equal && !*key)
        return call_fail(d->c, "key name for file path %s missing", path), -1;
    if (equal && !*path)
        return call_fail(d->c, "file path for key name %s missing", key), -1;
    if (stat(path, &st) < 0)
        return call_fail(d->c, "error reading %s: %s", path, file_why(errno)), -1;
    if (S_ISDIR(st.st_mode)) {
        if (equal)
            return call_fail(d->c, "cannot give a key name for a directory path"), -1;
        return add_folder(d, path);
    }
    return add_file(d, key, path);
}

static int add_literal(struct data *d, const char *source)
{
    const char *value;
    size_t n;
    _auto_free_ char *key = literal_split(source, &value, &n);
    if (!key)
        return call_fail(d->c, "invalid literal source %s, expected key=value", source), -1;
    return add(d, key, value, n);
}

/* Lines KEY=value; '#' begins a comment; KEY alone takes the environment's. */
static int add_env_file(struct data *d, const char *path)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_strlist_ struct strlist lines = {0};
    if (file_text(path, &text) < 0)
        return call_fail(d->c, "error reading %s: %s", path, file_why(errno)), -1;
    strlist_split(&lines, buf_str(&text), '\n');
    for (size_t i = 0; i < lines.len; i++) {
        char *line = lines.items[i] + strspn(lines.items[i], " \t");
        char *equal = strchr(line, '=');
        line[strcspn(line, "\r")] = '\0';
        if (!*line || *line == '#')
            continue;
        const char *value = equal ? equal + 1 : getenv(line);
        if (equal)
            *equal = '\0';
        if (value && add(d, line, value, strlen(value)) < 0)
            return -1;
    }
    return 0;
}

static int gather(struct data *d)
{
    struct call *c = d->c;
    const struct strlist *files = call_list(c, "from-file"), *literals = call_list(c, "from-literal");
    const struct strlist *envs = call_list(c, "from-env-file");
    if (envs->len && (files->len || literals->len))
        return call_fail(c, "from-env-file cannot be combined with from-file or from-literal"), -1;
    for (size_t i = 0; i < files->len; i++)
        if (add_from_file(d, files->items[i]) < 0)
            return -1;
    for (size_t i = 0; i < literals->len; i++)
        if (add_literal(d, literals->items[i]) < 0)
            return -1;
    for (size_t i = 0; i < envs->len; i++)
        if (add_env_file(d, envs->items[i]) < 0)
            return -1;
    return 0;
}

/* ---- --append-hash ---- */

static void append_hash(json_t *object)
{
    _auto_free_ char *name = name_with_hash(object, true);
    jset_str(object, "metadata.name", name);
}

/* ---- the kinds ---- */

static void put_data(json_t *object, struct data *d)
{
    if (json_object_size(d->texts))
        json_object_set(object, "data", d->texts);
    if (json_object_size(d->bytes))
        json_object_set(object, "binaryData", d->bytes);
    json_decref(d->texts);
    json_decref(d->bytes);
}

static int configmap_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name)
        return c->code;
    struct data d = {.c = c, .texts = json_object(), .bytes = json_object()};
    json_t *o = creating_object(c, "v1", "ConfigMap", name);
    const int rc = gather(&d);
    put_data(o, &d);
    if (rc < 0) {
        json_decref(o);
        return c->code;
    }
    if (call_bool(c, "append-hash"))
        append_hash(o);
    return creating_send(c, o, "configmaps", true, "failed to create configmap: ");
}

#define FLAGS_DATA                                                                                                     \
    {"from-file", 0, FLAG_LIST, NULL, "A file, key=file, or a folder of files"},                                       \
        {"from-literal", 0, FLAG_ARRAY, NULL, "key=value"},                                                            \
        {"from-env-file", 0, FLAG_LIST, NULL, "A file with lines KEY=value"},                                          \
    {                                                                                                                  \
        "append-hash", 0, FLAG_BOOL, NULL, "A hash of what is in it at the end of its name"                            \
    }

static const struct kubectl_flag configmap_flags[] = {FLAGS_CREATE, FLAGS_DATA, {0}};

const struct kubectl_verb kubectl_create_configmap = {
    .name = "configmap",
    .aliases = "cm",
    .summary = "Create a config map from a local file, directory or literal value",
    .usage = "NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none] [options]",
    .flags = configmap_flags,
    .takes = TAKES_NAME,
    .run = configmap_run,
};

static int send_secret(struct call *c, struct data *d, const char *name, const char *type)
{
    json_t *o = creating_object(c, "v1", "Secret", name);
    put_data(o, d);
    if (*type)
        jset_str(o, "type", type);
    if (call_bool(c, "append-hash"))
        append_hash(o);
    return creating_send(c, o, "secrets", true, "failed to create secret ");
}

static void drop_data(struct data *d)
{
    json_decref(d->texts);
    json_decref(d->bytes);
}

static int generic_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name)
        return c->code;
    struct data d = {.c = c, .texts = json_object(), .bytes = json_object(), .secret = true};
    if (gather(&d) == 0)
        return send_secret(c, &d, name, call_text(c, "type"));
    drop_data(&d);
    return c->code;
}

static const struct kubectl_flag generic_flags[] = {
    FLAGS_CREATE, FLAGS_DATA, {"type", 0, FLAG_TEXT, NULL, "The secret's type"}, {0}};

static const struct kubectl_verb secret_generic = {
    .name = "generic",
    .summary = "Create a secret from a local file, directory, or literal value",
    .usage = "NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] "
             "[--dry-run=server|client|none] [options]",
    .flags = generic_flags,
    .takes = TAKES_NAME,
    .run = generic_run,
};

static int add_pem(struct data *d, const char *key, const char *flag)
{
    _auto_buf_ struct buf text = BUF_INIT;
    const char *path = call_text(d->c, flag);
    if (file_text(path, &text) < 0)
        return call_fail(d->c, "Cannot read file %s, open %s: %s", path, path, file_why(errno)), -1;
    return add(d, key, buf_str(&text), text.len);
}

static int tls_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name)
        return c->code;
    if (!*call_text(c, "key") || !*call_text(c, "cert"))
        return call_fail(c, "key and cert must be specified");
    struct data d = {.c = c, .texts = json_object(), .bytes = json_object(), .secret = true};
    if (add_pem(&d, "tls.crt", "cert") == 0 && add_pem(&d, "tls.key", "key") == 0)
        return send_secret(c, &d, name, "kubernetes.io/tls");
    drop_data(&d);
    return c->code;
}

static const struct kubectl_flag tls_flags[] = {
    FLAGS_CREATE,
    {"cert", 0, FLAG_TEXT, NULL, "Path of the certificate, PEM"},
    {"key", 0, FLAG_TEXT, NULL, "Path of its key"},
    {"append-hash", 0, FLAG_BOOL, NULL, "A hash of what is in it at the end of its name"},
    {0},
};

static const struct kubectl_verb secret_tls = {
    .name = "tls",
    .summary = "Create a TLS secret",
    .usage = "NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none] [options]",
    .flags = tls_flags,
    .takes = TAKES_NAME,
    .run = tls_run,
};

/* {"auths":{"server":{"username":…,"password":…,"email":…,"auth":…}}}, in this order. */
static void docker_config(struct call *c, struct buf *out)
{
    static const char *const members[][2] = {
        {"username", "docker-username"}, {"password", "docker-password"}, {"email", "docker-email"}};
    _auto_free_ char *pair = xasprintf("%s:%s", call_text(c, "docker-username"), call_text(c, "docker-password"));
    const char *server = call_text(c, "docker-server");
    buf_adds(out, "{\"auths\":{");
    buf_add_json_string(out, server, strlen(server));
    buf_adds(out, ":{");
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *value = call_text(c, members[i][1]);
        if (!*value)
            continue;
        buf_addf(out, "\"%s\":", members[i][0]);
        buf_add_json_string(out, value, strlen(value));
        buf_addc(out, ',');
    }
    buf_adds(out, "\"auth\":\"");
    base64_encode(pair, strlen(pair), out);
    buf_adds(out, "\"}}}");
}

static int registry_run(struct call *c)
{
    const char *name = creating_name(c);
    const struct strlist *files = call_list(c, "from-file");
    _auto_buf_ struct buf text = BUF_INIT;
    if (!name)
        return c->code;
    if (!files->len && (!*call_text(c, "docker-username") || !*call_text(c, "docker-password")))
        return call_fail(c, "either --from-file or the combination of --docker-username, --docker-password and "
                            "--docker-server is required");
    struct data d = {.c = c, .texts = json_object(), .bytes = json_object(), .secret = true};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < files->len; i++)
        rc = add_from_file(&d, files->items[i]);
    if (!files->len) {
        docker_config(c, &text);
        rc = add(&d, ".dockerconfigjson", buf_str(&text), text.len);
    }
    if (rc == 0)
        return send_secret(c, &d, name, "kubernetes.io/dockerconfigjson");
    drop_data(&d);
    return c->code;
}

static const struct kubectl_flag registry_flags[] = {
    FLAGS_CREATE,
    {"docker-server", 0, FLAG_TEXT, "https://index.docker.io/v1/", "Address of the registry"},
    {"docker-username", 0, FLAG_TEXT, NULL, "Who signs in"},
    {"docker-password", 0, FLAG_TEXT, NULL, "With which password"},
    {"docker-email", 0, FLAG_TEXT, NULL, "And which address"},
    {"from-file", 0, FLAG_LIST, NULL, "A .dockerconfigjson instead"},
    {"append-hash", 0, FLAG_BOOL, NULL, "A hash of what is in it at the end of its name"},
    {0},
};

static const struct kubectl_verb secret_registry = {
    .name = "docker-registry",
    .summary = "Create a secret for use with a Docker registry",
    .usage = "NAME --docker-username=user --docker-password=password --docker-email=email [--docker-server=string] "
             "[--from-file=[key=]source] [--dry-run=server|client|none] [options]",
    .flags = registry_flags,
    .takes = TAKES_NAME,
    .run = registry_run,
};

static const struct kubectl_verb *const secret_subs[] = {&secret_registry, &secret_generic, &secret_tls, NULL};

const struct kubectl_verb kubectl_create_secret = {
    .name = "secret",
    .summary = "Create a secret using a specified subcommand",
    .usage = "(docker-registry | generic | tls) [options]",
    .subs = secret_subs,
};

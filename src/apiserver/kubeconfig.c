/* kubeconfig.c - the file that tells kubectl where the cluster is and who asks, see pki.h.
 *
 * DESIGN: one writer for both uses. A file of our own is the merge into an empty one. Merging works on the parsed
 * tree: the three lists (clusters, contexts, users) get one named entry each, replaced in place if it is there, so
 * their order and everybody else's entries stay as they were. A file that cannot be parsed is left alone, with an
 * error.
 * Source of the layout: client-go tools/clientcmd/api/v1/types.go.
 * THREADS: none of its own. Two programs that merge at the same time: the later one wins, as with kubectl config. */
#include "apiserver/pki.h"

#include "api/base64.h"
#include "api/decode.h"
#include "apiserver/file_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const lists[] = {"clusters", "contexts", "users"};

static size_t find_named(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)list, i, item) if (str_eq(jstr(item, "name"), name)) return i;
    return json_array_size(list);
}

/* The list of that name; made if it is absent or null. Borrows. */
static json_t *list_of(json_t *config, const char *key)
{
    json_t *list = json_object_get(config, key);
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(config, key, list);
    }
    return list;
}

static void put_named(json_t *config, const char *list_key, const char *name, const char *key, json_t *take_value)
{
    json_t *list = list_of(config, list_key);
    json_t *entry = json_pack("{s:o,s:s}", key, take_value, "name", name);
    size_t at = find_named(list, name);
    if (at < json_array_size(list))
        json_array_set_new(list, at, entry);
    else
        json_array_append_new(list, entry);
}

static json_t *cluster_entry(const struct kubeconfig *k)
{
    json_t *c = json_object();
    if (k->ca_pem) {
        _auto_buf_ struct buf b64 = BUF_INIT;
        base64_encode(k->ca_pem, strlen(k->ca_pem), &b64);
        json_object_set_new(c, "certificate-authority-data", json_string(buf_str(&b64)));
    }
    json_object_set_new(c, "server", json_string(k->server));
    return c;
}

static void put_cluster(json_t *config, const struct kubeconfig *k)
{
    if (!json_object_get(config, "apiVersion"))
        json_object_set_new(config, "apiVersion", json_string("v1"));
    if (!json_object_get(config, "kind"))
        json_object_set_new(config, "kind", json_string("Config"));
    if (!json_object_get(config, "preferences"))
        json_object_set_new(config, "preferences", json_object());
    put_named(config, "clusters", k->name, "cluster", cluster_entry(k));
    put_named(config, "contexts", k->name, "context", json_pack("{s:s,s:s}", "cluster", k->name, "user", k->name));
    put_named(config, "users", k->name, "user", k->token ? json_pack("{s:s}", "token", k->token) : json_object());
    json_object_set_new(config, "current-context", json_string(k->name));
}

static int write_config(const char *path, const json_t *config, enum file_care care, struct err *e)
{
    _auto_free_ char *text = yaml_text(config);
    return file_write(path, text, strlen(text), care, e);
}

int kubeconfig_write(const char *path, const struct kubeconfig *k, struct err *e)
{
    _auto_json_ json_t *config = json_object();
    put_cluster(config, k);
    return write_config(path, config, FILE_QUICK, e);
}

void kubeconfig_text(const struct kubeconfig *k, struct buf *out)
{
    _auto_json_ json_t *config = json_object();
    put_cluster(config, k);
    _auto_free_ char *text = yaml_text(config);
    buf_adds(out, text);
}

/* Returns new; an absent or empty file is an empty object. */
static int read_config(const char *path, json_t **out, struct err *e)
{
    _auto_free_ char *text = NULL;
    if (file_read(path, &text, e) < 0)
        return -1;
    _auto_json_ json_t *docs = NULL;
    if (text && text[strspn(text, " \t\r\n")]) {
        if (yaml_parse_all(text, strlen(text), &docs, e) < 0)
            return err_wrap(e, "%s is left as it is", path);
    }
    json_t *first = json_array_get(docs, 0);
    if (!first || json_is_null(first))
        *out = json_object();
    else if (json_is_object(first) && json_array_size(docs) == 1)
        *out = json_deep_copy(first);
    else
        return err_set(e, ERR_UNSUPPORTED, "%s is left as it is: not a kubeconfig", path);
    return 0;
}

/* Where a link leads, so that the link itself survives. Returns new. */
static char *real_path(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : xstrdup(path);
}

static int make_parent(const char *path, struct err *e)
{
    _auto_free_ char *copy = xstrdup(path);
    const char *dir = dirname(copy);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, errno, "cannot make %s", dir);
    return 0;
}

int kubeconfig_merge(const char *path, const struct kubeconfig *k, struct err *e)
{
    _auto_free_ char *real = real_path(path);
    _auto_json_ json_t *config = NULL;
    if (make_parent(real, e) < 0 || read_config(real, &config, e) < 0)
        return -1;
    put_cluster(config, k);
    return write_config(real, config, FILE_SYNCED, e);
}

int kubeconfig_remove(const char *path, const char *name, struct err *e)
{
    _auto_free_ char *real = real_path(path);
    _auto_json_ json_t *config = NULL;
    if (read_config(real, &config, e) < 0)
        return -1;
    bool changed = false;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_t *list = json_object_get(config, lists[i]);
        size_t at = find_named(list, name);
        if (at < json_array_size(list))
            changed |= json_array_remove(list, at) == 0;
    }
    if (str_eq(jstr(config, "current-context"), name)) {
        json_object_set_new(config, "current-context", json_string(""));
        changed = true;
    }
    return changed ? write_config(real, config, FILE_SYNCED, e) : 0;
}

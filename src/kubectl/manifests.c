/* manifests.c - see manifests.h.
 *
 * DESIGN: what is named is turned into texts, a text into documents, a document that is a list into its items. A folder
 * gives its *.json, *.yaml and *.yml in order of their names; a file that is named itself may be called anything. */
#include "kubectl/manifests.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/files.h"
#include "kubectl/kustomize/kustomize.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void manifests_release(struct manifests *m)
{
    for (size_t i = 0; i < m->len; i++) {
        json_decref(m->items[i].object);
        free(m->items[i].source);
    }
    free(m->items);
    *m = (struct manifests){0};
}

static void add(struct manifests *m, json_t *object, const char *source)
{
    if (m->len == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 8;
        m->items = xrealloc(m->items, m->cap * sizeof *m->items);
    }
    m->items[m->len++] = (struct manifest){json_incref(object), xstrdup(source)};
}

/* A kind that ends with "List" and has items is what it lists. */
static void add_document(struct manifests *m, json_t *doc, const char *source)
{
    const json_t *items = json_object_get(doc, "items");
    size_t i;
    json_t *item;
    if (!str_ends(jstr_or(doc, "kind", ""), "List") || !json_is_array(items)) {
        add(m, doc, source);
        return;
    }
    json_array_foreach(items, i, item) add_document(m, item, source);
}

int manifests_parse(const char *text, size_t len, const char *source, struct manifests *out, struct err *e)
{
    _auto_json_ json_t *docs = NULL;
    size_t i;
    json_t *doc;
    if (yaml_parse_all(text, len, &docs, e) < 0) {
        const bool ours = str_starts(e->msg, "yaml: ");
        return err_wrap(e, "error parsing %s%s", source, ours ? ": error converting YAML to JSON" : "");
    }
    json_array_foreach(docs, i, doc)
    {
        if (json_is_null(doc) || (json_is_object(doc) && json_object_size(doc) == 0))
            continue;
        if (!json_is_object(doc))
            return err_set(e, ERR_BAD_REQUEST,
                           "error parsing %s: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                           "%s into Go value of type map[string]interface {}",
                           source,
                           json_is_string(doc)  ? "string"
                           : json_is_array(doc) ? "array"
                                                : "number");
        add_document(out, doc, source);
    }
    return 0;
}

/* ---- texts ---- */

static int parse(const struct buf *text, const char *source, struct manifests *out, struct err *e)
{
    return manifests_parse(buf_str(text), text->len, source, out, e);
}

static int read_file(const char *path, struct manifests *out, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (file_text(path, &text) < 0)
        return err_set(e, ERR_NOT_FOUND, "open %s: %s", path, file_why(errno));
    return parse(&text, path, out, e);
}

static bool is_manifest(const char *name)
{
    return str_ends(name, ".json") || str_ends(name, ".yaml") || str_ends(name, ".yml");
}

/* *count: of files that were read. */
static int read_folder(const char *path, bool recursive, struct manifests *out, size_t *count, struct err *e)
{
    _auto_strlist_ struct strlist names = {0};
    DIR *d = opendir(path);
    if (!d)
        return err_sys(e, errno, "%s", path);
    for (const struct dirent *x; (x = readdir(d));)
        if (!str_eq(x->d_name, ".") && !str_eq(x->d_name, ".."))
            strlist_add(&names, x->d_name);
    closedir(d);
    strlist_sort(&names);
    for (size_t i = 0; i < names.len; i++) {
        _auto_free_ char *full = xasprintf("%s%s%s", path, str_ends(path, "/") ? "" : "/", names.items[i]);
        struct stat st;
        int rc = 0;
        if (stat(full, &st) < 0)
            continue; /* a link to nowhere */
        if (S_ISDIR(st.st_mode))
            rc = recursive ? read_folder(full, recursive, out, count, e) : 0;
        else if (is_manifest(full))
            rc = read_file(full, out, e);
        if (rc < 0)
            return -1;
        *count += S_ISREG(st.st_mode) && is_manifest(full);
    }
    return 0;
}

static int read_folders(const char *path, bool recursive, struct manifests *out, struct err *e)
{
    size_t count = 0;
    if (read_folder(path, recursive, out, &count, e) < 0)
        return -1;
    return count ? 0
                 : err_set(e, ERR_NOT_FOUND, "error reading [%s]: recognized file extensions are [.json .yaml .yml]",
                           path);
}

/* http://host:port/path, by the client's own HTTP. */
static int read_url(const char *url, struct manifests *out, struct err *e)
{
    const char *host = strstr(url, "://") + 3, *path = strchr(host, '/');
    struct access where = {.url = xstrndup(url, path ? (size_t)(path - url) : strlen(url)), .ns = xstrdup("default")};
    _auto_client_ struct client *client = NULL;
    _auto_client_answer_ struct client_answer a = {0};
    const struct client_request rq = {.path = path ? path : "/", .accept = "*/*"};
    int rc = client_open(&where, &client, e);
    access_release(&where);
    if (rc < 0 || client_call(client, &rq, &a, e) < 0)
        return -1;
    if (a.status != 200)
        return err_set(e, ERR_NOT_FOUND, "unable to read URL \"%s\", server reported %d, status code=%d", url, a.status,
                       a.status);
    return manifests_parse(buf_str(&a.body), a.body.len, url, out, e);
}

static int read_one(struct call *c, const char *path, struct manifests *out, struct err *e)
{
    struct stat st;
    _auto_buf_ struct buf text = BUF_INIT;
    if (str_eq(path, "-"))
        return fd_text(c->k->in, &text) < 0 ? err_sys(e, errno, "STDIN") : parse(&text, "STDIN", out, e);
    if (str_starts(path, "http://") || str_starts(path, "https://"))
        return read_url(path, out, e);
    if (stat(path, &st) < 0)
        return err_set(e, ERR_NOT_FOUND, "the path \"%s\" does not exist", path);
    if (S_ISDIR(st.st_mode))
        return read_folders(path, call_bool(c, "recursive"), out, e);
    return read_file(path, out, e);
}

static int read_kustomization(struct call *c, const char *folder, struct manifests *out)
{
    _auto_json_ json_t *objects = NULL;
    _auto_strlist_ struct strlist warnings = {0};
    struct err e = ERR_INIT;
    size_t i;
    json_t *object;
    const int rc = kustomize_build(folder, &objects, &warnings, &e);
    for (i = 0; i < warnings.len; i++)
        fprintf(c->k->err, "%s\n", warnings.items[i]);
    if (rc < 0)
        return call_fail(c, "%s", e.msg), -1;
    json_array_foreach(objects, i, object) add(out, object, folder);
    return 0;
}

int manifests_read(struct call *c, struct manifests *out)
{
    const struct strlist *paths = call_list(c, "filename");
    struct err e = ERR_INIT;
    if (*call_text(c, "kustomize"))
        return read_kustomization(c, call_text(c, "kustomize"), out);
    for (size_t i = 0; i < paths->len; i++) {
        if (read_one(c, paths->items[i], out, &e) < 0) {
            call_error(c, &e);
            return -1;
        }
    }
    return 0;
}

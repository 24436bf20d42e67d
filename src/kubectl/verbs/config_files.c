/* config_files.c - see config_files.h. */
#include "kubectl/verbs/config_files.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const lists[] = {"clusters", "contexts", "users"};

void config_files_release(struct config_files *f)
{
    for (size_t i = 0; i < f->len; i++) {
        free(f->items[i].path);
        json_decref(f->items[i].tree);
    }
    free(f->items);
    *f = (struct config_files){0};
}

/* ---- reading ---- */

static void paths_of(const struct call *c, struct strlist *out)
{
    const char *env = getenv("KUBECONFIG"), *home = getenv("HOME");
    if (c->k->kubeconfig)
        strlist_add(out, c->k->kubeconfig);
    else if (!str_empty(env))
        strlist_split(out, env, ':');
    if (out->len == 0)
        strlist_addf(out, "%s/.kube/config", home ? home : "");
}

static json_t *empty_config(void)
{
    return json_pack("{s:s,s:s,s:{},s:s}", "apiVersion", "v1", "kind", "Config", "preferences", "current-context", "");
}

static int read_file(struct config_file *f, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    f->tree = empty_config();
    if (file_text(f->path, &text) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "error loading config file \"%s\"", f->path);
    f->exists = true;
    json_t *tree = NULL;
    if (yaml_parse(buf_str(&text), text.len, &tree, NULL, e) < 0)
        return err_wrap(e, "error loading config file \"%s\"", f->path);
    if (json_is_object(tree))
        json_object_update(f->tree, tree);
    json_decref(tree);
    return 0;
}

int config_files_load(struct call *c, struct config_files *out, struct err *e)
{
    _auto_strlist_ struct strlist paths = {0};
    _auto_config_files_ struct config_files f = {0};
    paths_of(c, &paths);
    f.items = xcalloc(paths.len, sizeof *f.items);
    for (size_t i = 0; i < paths.len; i++) {
        if (!paths.items[i][0] && (f.len > 0 || i + 1 < paths.len)) /* there is always a default, if without a name */
            continue;
        struct config_file *file = &f.items[f.len++];
        file->path = xstrdup(paths.items[i]);
        if (read_file(file, e) < 0)
            return -1;
    }
    *out = f;
    f = (struct config_files){0};
    return 0;
}

/* ---- finding ---- */

static json_t *row_of(const json_t *tree, const char *list, const char *name)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(tree, list), i, row) if (str_eq(jstr(row, "name"), name)) return row;
    return NULL;
}

struct config_file *config_find(const struct config_files *f, const char *list, const char *name, json_t **out_row)
{
    for (size_t i = 0; i < f->len; i++) {
        json_t *row = row_of(f->items[i].tree, list, name);
        if (row && out_row)
            *out_row = row;
        if (row)
            return &f->items[i];
    }
    return NULL;
}

struct config_file *config_default(const struct config_files *f)
{
    for (size_t i = 0; i < f->len; i++)
        if (f->items[i].exists)
            return &f->items[i];
    return &f->items[f->len - 1];
}

struct config_file *config_of_current(const struct config_files *f)
{
    for (size_t i = 0; i < f->len; i++)
        if (*jstr_or(f->items[i].tree, "current-context", ""))
            return &f->items[i];
    return config_default(f);
}

const char *config_current(const struct config_files *f)
{
    return jstr_or(config_of_current(f)->tree, "current-context", "");
}

json_t *config_make(struct config_files *f, const char *list, const char *inside, const char *name, bool *out_new)
{
    json_t *row = NULL;
    struct config_file *file = config_find(f, list, name, &row);
    *out_new = !file;
    if (!file) {
        file = config_default(f);
        row = json_pack("{s:s,s:{}}", "name", name, inside);
        if (!json_is_array(json_object_get(file->tree, list)))
            json_object_set_new(file->tree, list, json_array());
        json_array_append_new(json_object_get(file->tree, list), row);
    }
    file->changed = true;
    return jmake_obj(row, inside);
}

/* ---- all together ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(jstr_or(*(json_t *const *)a, "name", ""), jstr_or(*(json_t *const *)b, "name", ""));
}

/* Lists are told in order of their names; an empty one is null. */
static void sort_list(json_t *tree, const char *list)
{
    json_t *rows = json_object_get(tree, list);
    const size_t n = json_array_size(rows);
    if (n == 0) {
        json_object_set_new(tree, list, json_null());
        return;
    }
    _auto_free_ json_t **sorted = xcalloc(n, sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_incref(json_array_get(rows, i));
    qsort(sorted, n, sizeof *sorted, by_name);
    json_array_clear(rows);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(rows, sorted[i]);
}

json_t *config_merged(const struct config_files *f)
{
    json_t *all = empty_config();
    for (size_t i = 0; i < f->len; i++)
        for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
            size_t k;
            json_t *row;
            json_array_foreach(json_object_get(f->items[i].tree, lists[l]), k,
                               row) if (!row_of(all, lists[l], jstr_or(row, "name", "")))
                json_array_append_new(jmake_arr(all, lists[l]), json_deep_copy(row));
        }
    json_object_set_new(all, "current-context", json_string(config_current(f)));
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        sort_list(all, lists[l]);
    return all;
}

/* ---- writing ---- */

/* Makes the folders above a file. */
static void make_folders(const char *path)
{
    _auto_free_ char *copy = xstrdup(path);
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        mkdir(copy, 0755);
        *p = '/';
    }
}

static int write_file(struct config_file *f, struct err *e)
{
    if (!f->path[0])
        return err_set(e, ERR_INVALID, "KUBECONFIG names no file: unset it, or name one");
    _auto_free_ char *behind = realpath(f->path, NULL); /* a link stays one */
    const char *path = behind ? behind : f->path;
    _auto_free_ char *fresh = xasprintf("%s.XXXXXX", path);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        sort_list(f->tree, lists[l]);
    _auto_free_ char *text = yaml_text(f->tree);
    make_folders(f->path);
    _auto_close_ int fd = mkstemp(fresh); /* for its owner alone: there are keys in it */
    if (fd < 0)
        return err_sys(e, errno, "%s", f->path);
    const size_t n = strlen(text);
    if (write(fd, text, n) != (ssize_t)n || rename(fresh, path) < 0) {
        err_sys(e, errno, "%s", f->path);
        unlink(fresh);
        return -1;
    }
    return 0;
}

int config_files_save(struct config_files *f, struct err *e)
{
    for (size_t i = 0; i < f->len; i++)
        if (f->items[i].changed && write_file(&f->items[i], e) < 0)
            return -1;
    return 0;
}

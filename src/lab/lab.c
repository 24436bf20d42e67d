/* lab.c - see lab.h.
 *
 * DESIGN: variables are filled in when the tree is there, text by text, so that no value can change the file's
 * structure. What a lab must keep beyond its shapes is in rules.c. */
#include "lab/lab.h"

#include "api/decode.h"
#include "base/confine.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "lab/format.h"
#include "lab/import.h"
#include "lab/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)

void lab_release(struct lab *l)
{
    free(l->name);
    free(l->dir);
    json_decref(l->tree);
    json_decref(l->vars);
    *l = (struct lab){0};
}

/* ---- variables ---- */

void lab_fill(const json_t *vars, const char *text, struct buf *out)
{
    while (*text) {
        const char *open = strstr(text, "${"), *end = open ? strchr(open, '}') : NULL;
        if (!end) {
            buf_adds(out, text);
            return;
        }
        _auto_free_ char *name = xstrndup(open + 2, (size_t)(end - open - 2));
        const char *value = json_string_value(json_object_get(vars, name));
        buf_add(out, text, (size_t)(open - text));
        if (value)
            buf_adds(out, value);
        else
            buf_add(out, open, (size_t)(end + 1 - open));
        text = end + 1;
    }
}

static json_t *filled(const json_t *vars, const json_t *v)
{
    const char *key;
    size_t i;
    json_t *x, *out;
    if (json_is_string(v)) {
        _auto_buf_ struct buf text = BUF_INIT;
        lab_fill(vars, json_string_value(v), &text);
        return json_string(buf_str(&text));
    }
    if (json_is_object(v)) {
        out = json_object();
        json_object_foreach((json_t *)(uintptr_t)v, key, x)
        {
            _auto_buf_ struct buf name = BUF_INIT;
            lab_fill(vars, key, &name);
            json_object_set_new(out, buf_str(&name), filled(vars, x));
        }
        return out;
    }
    if (!json_is_array(v))
        return json_incref((json_t *)(uintptr_t)v);
    out = json_array();
    json_array_foreach(v, i, x) json_array_append_new(out, filled(vars, x));
    return out;
}

/* One value of each, by the seed: the same for the same seed, on every machine. Returns new. */
static json_t *choose(const json_t *variants, const char *seed)
{
    json_t *vars = json_object(), *values;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)variants, name, values)
    {
        _auto_free_ char *key = xasprintf("%s\n%s", seed ? seed : "", name);
        const size_t at = str_empty(seed) ? 0 : str_hash64(key, strlen(key)) % json_array_size(values);
        const json_t *value = json_array_get(values, at);
        _auto_free_ char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : json_text(value);
        json_object_set_new(vars, name, json_string(text));
    }
    return vars;
}

/* ---- files ---- */

static int read_fd(int fd, const char *path, struct buf *out, struct err *e)
{
    ssize_t n;
    while ((n = read(fd, buf_reserve(out, 8192), 8192)) > 0) {
        out->len += (size_t)n;
        if (out->len > FILE_MAX)
            return err_set(e, ERR_TOO_LARGE, "%s is longer than a file of a lab may be (1 MiB)", path);
    }
    if (out->data)
        out->data[out->len] = '\0';
    return n < 0 ? err_sys(e, errno, "%s", path) : 0;
}

int lab_bytes(const struct lab *l, const char *path, struct buf *out, struct err *e)
{
    _auto_close_ int dir = open(l->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(e, errno, "%s", l->dir);
    _auto_close_ int fd = confine_open(dir, path, O_RDONLY, 0);
    if (fd < 0)
        return err_sys(e, errno, "%s/%s", l->name, path);
    return read_fd(fd, path, out, e);
}

int lab_file(const struct lab *l, const char *path, struct buf *out, struct err *e)
{
    _auto_buf_ struct buf raw = BUF_INIT;
    if (lab_bytes(l, path, &raw, e) < 0)
        return -1;
    lab_fill(l->vars, buf_str(&raw), out);
    return 0;
}

/* ---- loading ---- */

/* Of `line 5: key "name" already set in map`. */
static void tell_twice(const char *text, const char *note, struct strlist *faults)
{
    const long line = strtol(note + strlen("line "), NULL, 10);
    const char *open = strchr(note, '"'), *begin = text;
    for (long i = 1; i < line && begin; i++)
        begin = strchr(begin, '\n') ? strchr(begin, '\n') + 1 : NULL;
    _auto_free_ char *key = open ? xstrndup(open + 1, strcspn(open + 1, "\"")) : xstrdup("");
    _auto_free_ char *row = begin ? xstrndup(begin, strcspn(begin, "\n")) : xstrdup("");
    const char *at = NULL;
    for (const char *next = strstr(row, key); *key && next; next = strstr(next + 1, key))
        at = next; /* the last, if both are in one line */
    strlist_addf(faults, "lab.yaml:%ld:%d: the field \"%s\" is given twice", line, at ? (int)(at - row) + 1 : 1, key);
}

static int parse(struct lab *l, const struct buf *text, const char *seed, struct strlist *faults, struct err *e)
{
    _auto_json_ json_t *tree = NULL;
    _auto_strlist_ struct strlist twice = {0};
    if (yaml_parse(buf_str(text), text->len, &tree, &twice, e) < 0) {
        if (!marks_refuse(buf_str(text), text->len, "lab.yaml", faults))
            strlist_addf(faults, "lab.yaml:1:1: %s", e->msg);
        return err_set(e, ERR_BAD_REQUEST, "%s", faults->items[0]);
    }
    for (size_t i = 0; i < twice.len; i++)
        tell_twice(buf_str(text), twice.items[i], faults);
    struct marks *marks = marks_read(buf_str(text), text->len);
    fields_check(&lab_shape, tree, "lab.yaml", marks, faults);
    if (!faults->len) {
        l->vars = choose(json_object_get(tree, "variants"), seed);
        l->tree = filled(l->vars, tree);
        lab_rules(l, marks, faults);
    }
    marks_free(marks);
    return faults->len ? err_set(e, ERR_BAD_REQUEST, "%s", faults->items[0]) : 0;
}

int lab_load(const char *dir, const char *seed, struct lab *out, struct strlist *faults, struct err *e)
{
    _auto_lab_ struct lab l = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    char real[PATH_MAX];
    if (!realpath(dir, real))
        return err_sys(e, errno, "%s", dir);
    l.dir = xstrdup(real);
    l.name = xstrdup(strrchr(real, '/') + 1);
    if (lab_file(&l, "lab.yaml", &text, e) == 0) {
        if (parse(&l, &text, seed, faults, e) < 0)
            return -1;
    } else {
        if (e->sys_errno != ENOENT)
            return -1;
        err_clear(e);
        l.vars = json_object();
        if (import_folder(&l, faults, e) < 0)
            return -1;
    }
    *out = l;
    l = (struct lab){0};
    return 0;
}

/* ---- points ---- */

int check_points(const json_t *check)
{
    return (int)jint(check, "points", 1);
}

int lab_step_points(const json_t *step)
{
    int total = 0;
    size_t i;
    const json_t *check;
    json_array_foreach(json_object_get(step, "checks"), i, check) total += check_points(check);
    return total;
}

int lab_points(const struct lab *l)
{
    int total = 0;
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(l->tree, "steps"), i, step) total += lab_step_points(step);
    return total;
}

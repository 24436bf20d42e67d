/* import.c - see import.h: which form a folder has, and what the readers share. THREADS: pure but for reading files. */
#include "lab/import_int.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "lab/fields.h"
#include "lab/format.h"

#include <ctype.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *files; /* a pattern: one such file makes it a folder of that form */
    import_fn *read;
    const char *what;
} forms[] = {
    {"index.json", import_killercoda, "index.json"},
    {"chainsaw-test.y*ml", import_chainsaw, "chainsaw-test.yaml"},
    {"[0-9]*-*.y*ml", import_kuttl, "the steps of a kuttl test"},
    {"kuttl-test.y*ml", import_kuttl, "kuttl-test.yaml"},
};

static bool has_file(const char *dir, const char *pattern)
{
    _auto_free_ char *path = xasprintf("%s/%s", dir, pattern);
    glob_t found = {0};
    const bool has = glob(path, GLOB_NOSORT, NULL, &found) == 0 && found.gl_pathc > 0;
    globfree(&found);
    return has;
}

int import_folder(struct lab *l, struct strlist *faults, struct err *e)
{
    struct import im = {.lab = l, .faults = faults};
    size_t f = 0;
    while (f < ARRAY_LEN(forms) && !has_file(l->dir, forms[f].files))
        f++;
    if (f == ARRAY_LEN(forms))
        return err_set(e, ERR_NOT_FOUND,
                       "%s has no lab.yaml: it is no lab (nor index.json of Killercoda, steps of kuttl, "
                       "chainsaw-test.yaml)",
                       l->name);
    im.tree = json_pack("{s:s, s:{}, s:[]}", "title", l->name, "cluster", "steps");
    const int rc = forms[f].read(&im, e);
    free(im.ns);
    if (rc == 0 && !faults->len)
        fields_check(&lab_shape, im.tree, forms[f].what, NULL, faults);
    if (rc < 0 || faults->len) {
        json_decref(im.tree);
        return rc < 0 ? -1 : err_set(e, ERR_BAD_REQUEST, "%s", faults->items[0]);
    }
    l->tree = im.tree;
    return 0;
}

/* ---- telling ---- */

void import_fault(struct import *im, const char *file, int line, const char *fmt, ...)
{
    _auto_buf_ struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    strlist_addf(im->faults, "%s:%d: %s", file, line, buf_str(&text));
}

int import_line(const char *text, const char *part)
{
    const char *at = part ? strstr(text, part) : NULL;
    int line = 1;
    for (const char *p = text; at && p < at; p++)
        line += *p == '\n';
    return line;
}

/* ---- building ---- */

void import_add(json_t *owner, const char *field, json_t *take_value)
{
    json_t *list = json_object_get(owner, field);
    if (!list) {
        list = json_array();
        json_object_set_new(owner, field, list);
    }
    json_array_append_new(list, take_value);
}

json_t *import_step(struct import *im, const char *name, const char *title)
{
    json_t *step = json_pack("{s:s, s:s}", "name", name, "title", title ? title : name);
    import_add(im->tree, "steps", step);
    return step;
}

json_t *import_docs(struct import *im, const char *file, struct buf *text)
{
    struct err e = ERR_INIT;
    json_t *docs = NULL;
    if (lab_file(im->lab, file, text, &e) == 0 && yaml_parse_all(buf_str(text), text->len, &docs, &e) == 0)
        return docs;
    import_fault(im, file, 1, "%s", e.msg);
    return NULL;
}

void import_namespace(struct import *im, const char *name)
{
    _auto_buf_ struct buf ns = BUF_INIT;
    for (const char *p = name; *p && ns.len < 60; p++)
        buf_addc(&ns, isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '-');
    while (ns.len && ns.data[ns.len - 1] == '-')
        ns.data[--ns.len] = '\0';
    json_object_set_new(im->tree, "namespace", json_string(buf_str(&ns)));
    im->ns = buf_steal(&ns, NULL);
}

json_t *import_script(const char *text)
{
    _auto_free_ char *run = xasprintf("cd \"$LAB\" || exit 1\n%s", text);
    return json_pack("{s:s}", "run", run);
}

const char *import_duration(const char *text, const char *dflt)
{
    int64_t ms;
    return text && duration_parse(text, &ms) ? text : dflt;
}

/* ---- checks ---- */

static size_t checks_so_far(const struct import *im)
{
    size_t i, n = 0;
    const json_t *step;
    json_array_foreach(json_object_get(im->tree, "steps"), i, step) n +=
        json_array_size(json_object_get(step, "checks"));
    return n;
}

static void add_check(struct import *im, json_t *step, const char *what, const char *within, const char *kind,
                      json_t *take_value)
{
    _auto_free_ char *name = xasprintf("%zu. %s", checks_so_far(im) + 1, what);
    import_add(step, "checks", json_pack("{s:s, s:s, s:o}", "name", name, "within", within, kind, take_value));
}

void import_object_check(struct import *im, json_t *step, const char *kind, const char *within, json_t *take_object)
{
    const char *name = jstr(take_object, "metadata.name");
    _auto_free_ char *what = xasprintf("%s%s%s%s", str_eq(kind, "error") ? "no " : "", jstr_or(take_object, "kind", ""),
                                       name ? " " : "", name ? name : "");
    add_check(im, step, what, within, kind, take_object);
}

void import_script_check(struct import *im, json_t *step, const char *name, const char *within, const char *script,
                         int code)
{
    json_t *check = import_script(script);
    if (code)
        json_object_set_new(check, "code", json_integer(code));
    _auto_free_ char *what = xasprintf("%.*s", (int)strcspn(name, "\n"), name);
    add_check(im, step, what, within, "shell", check);
}

/* ---- kubectl's words ---- */

char *import_kind_word(const char *api_version, const char *kind)
{
    const char *slash = api_version ? strchr(api_version, '/') : NULL;
    char *word =
        slash ? xasprintf("%s.%s.%.*s", kind, slash + 1, (int)(slash - api_version), api_version) : xstrdup(kind);
    for (char *p = word; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return word;
}

json_t *import_delete(const json_t *ref)
{
    _auto_buf_ struct buf run = BUF_INIT;
    _auto_free_ char *word = import_kind_word(jstr(ref, "apiVersion"), jstr_or(ref, "kind", ""));
    const char *name = jstr(ref, "name"), *ns = jstr(ref, "namespace"), *key;
    const char *labels = "";
    json_t *value;
    buf_addf(&run, "kubectl delete --ignore-not-found -n \"%s\" %s", ns ? ns : "${NAMESPACE:-default}", word);
    if (name) {
        buf_addc(&run, ' ');
        buf_add_shell_word(&run, name);
    }
    json_object_foreach(jat(ref, "labels"), key, value)
    {
        buf_addf(&run, "%s%s=%s", *labels ? labels : " -l ", key, json_string_value(value));
        labels = ",";
    }
    if (!name && !*labels)
        buf_adds(&run, " --all");
    return json_pack("{s:s}", "run", buf_str(&run));
}

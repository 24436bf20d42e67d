/* print.c - see print.h.
 *
 * DESIGN: a form is a row of forms[]; what it prints for one object a function of its row. JSON is written here, since
 * kubectl's has four blanks a level and sorted keys; YAML is api's, as the server writes it. */
#include "kubectl/output/print.h"

#include "api/decode.h"
#include "api/jsonpath.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/output/columns.h"
#include "kubectl/files.h"
#include "kubectl/output/gotemplate.h"
#include "kubectl/targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void pretty(struct buf *out, const json_t *v, int blanks, int depth)
{
    const bool object = json_is_object(v);
    const size_t n = object ? json_object_size(v) : json_is_array(v) ? json_array_size(v) : 0;
    if (n == 0) {
        if (object || json_is_array(v))
            buf_adds(out, object ? "{}" : "[]");
        else
            json_write(out, v);
        return;
    }
    _auto_free_ const char **keys = xcalloc(n, sizeof *keys);
    const char *key;
    json_t *value;
    size_t i = 0;
    if (object)
        json_object_foreach((json_t *)(uintptr_t)v, key, value) keys[i++] = key;
    if (object)
        qsort(keys, n, sizeof *keys, by_text);
    buf_adds(out, object ? "{\n" : "[\n");
    for (i = 0; i < n; i++) {
        buf_addf(out, "%*s", blanks * (depth + 1), "");
        if (object) {
            buf_add_json_string(out, keys[i], strlen(keys[i]));
            buf_adds(out, ": ");
        }
        pretty(out, object ? json_object_get(v, keys[i]) : json_array_get(v, i), blanks, depth + 1);
        buf_adds(out, i + 1 < n ? ",\n" : "\n");
    }
    buf_addf(out, "%*s%c", blanks * depth, "", object ? '}' : ']');
}

void json_pretty(struct buf *out, const json_t *tree)
{
    pretty(out, tree, 4, 0);
}

void json_pretty_by(struct buf *out, const json_t *tree, int blanks)
{
    pretty(out, tree, blanks, 0);
}

void json_compact(struct buf *out, const json_t *v)
{
    _auto_strlist_ struct strlist keys = {0};
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_array(v)) {
        json_array_foreach(v, i, value)
        {
            buf_addc(out, i ? ',' : '[');
            json_compact(out, value);
        }
        buf_adds(out, json_array_size(v) ? "]" : "[]");
        return;
    }
    if (!json_is_object(v)) {
        json_write(out, v);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, value) strlist_add(&keys, key);
    strlist_sort(&keys);
    buf_addc(out, '{');
    for (i = 0; i < keys.len; i++) {
        buf_adds(out, i ? "," : "");
        buf_add_json_string(out, keys.items[i], strlen(keys.items[i]));
        buf_addc(out, ':');
        json_compact(out, json_object_get(v, keys.items[i]));
    }
    buf_addc(out, '}');
}

/* ---- forms ---- */

typedef int print_fn(struct printer *p, const struct kind *kind, const json_t *object, struct buf *out, struct err *e);

static int print_json(struct printer *p _unused_, const struct kind *k _unused_, const json_t *object, struct buf *out,
                      struct err *e _unused_)
{
    json_pretty(out, object);
    buf_addc(out, '\n');
    return 0;
}

static int print_yaml(struct printer *p, const struct kind *k _unused_, const json_t *object, struct buf *out,
                      struct err *e _unused_)
{
    _auto_free_ char *text = yaml_text(object);
    buf_addf(out, "%s", p->printed ? "---\n" : "");
    buf_adds(out, text);
    return 0;
}

static void add_name(const char *api_version, const char *kind, const char *name, struct buf *out)
{
    const char *slash = strchr(api_version, '/');
    for (const char *p = kind; *p; p++)
        buf_addc(out, (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p));
    if (slash)
        buf_addf(out, ".%.*s", (int)(slash - api_version), api_version);
    buf_addf(out, "/%s", name);
}

static int print_name(struct printer *p _unused_, const struct kind *k _unused_, const json_t *object, struct buf *out,
                      struct err *e _unused_)
{
    const json_t *items = json_object_get(object, "items"), *item;
    size_t i;
    if (!json_is_array(items)) {
        add_name(jstr_or(object, "apiVersion", ""), jstr_or(object, "kind", ""), jstr_or(object, "metadata.name", ""),
                 out);
        buf_addc(out, '\n');
        return 0;
    }
    json_array_foreach(items, i, item)
    {
        add_name(jstr_or(item, "apiVersion", ""), jstr_or(item, "kind", ""), jstr_or(item, "metadata.name", ""), out);
        buf_addc(out, '\n');
    }
    return 0;
}

static int print_jsonpath(struct printer *p, const struct kind *k _unused_, const json_t *object, struct buf *out,
                          struct err *e)
{
    return jsonpath_print(p->text, object, p->missing_ok, out, e);
}

static int print_found(struct printer *p, const struct kind *k _unused_, const json_t *object, struct buf *out,
                       struct err *e)
{
    _auto_json_ json_t *found = NULL;
    if (jsonpath_find(p->text, object, p->missing_ok, &found, e) < 0)
        return -1;
    json_pretty(out, found);
    buf_addc(out, '\n');
    return 0;
}

static int print_template(struct printer *p, const struct kind *k _unused_, const json_t *object, struct buf *out,
                          struct err *e)
{
    if (gotemplate_print(p->text, object, p->missing_ok, out, e) == 0)
        return 0;
    return err_wrap(e, "error executing template \"%s\"", p->text);
}

static int print_columns(struct printer *p, const struct kind *k _unused_, const json_t *object,
                         struct buf *out _unused_, struct err *e)
{
    return columns_print(p->text, object, p->no_headers || p->printed > 0, &p->table, e);
}

static const struct {
    const char *name;
    enum print_form form;
    bool takes_text, from_file;
    const char *need; /* what is missing without a text */
} forms[] = {
    {"custom-columns", PRINT_COLUMNS, true, false, "custom-columns format specified but no custom columns given"},
    {"custom-columns-file", PRINT_COLUMNS, true, true, "custom-columns format specified but no custom columns given"},
    {"go-template", PRINT_TEMPLATE, true, false, "template format specified but no template given"},
    {"go-template-file", PRINT_TEMPLATE, true, true, "template format specified but no template given"},
    {"json", PRINT_JSON, false, false, NULL},
    {"jsonpath", PRINT_JSONPATH, true, false, "template format specified but no template given"},
    {"jsonpath-as-json", PRINT_JSONPATH_JSON, true, false, "template format specified but no template given"},
    {"jsonpath-file", PRINT_JSONPATH, true, true, "template format specified but no template given"},
    {"name", PRINT_NAME, false, false, NULL},
    {"template", PRINT_TEMPLATE, true, false, "template format specified but no template given"},
    {"templatefile", PRINT_TEMPLATE, true, true, "template format specified but no template given"},
    {"wide", PRINT_TABLE, false, false, NULL},
    {"yaml", PRINT_YAML, false, false, NULL},
};

static bool for_humans(size_t form)
{
    return forms[form].form == PRINT_TABLE || forms[form].form == PRINT_COLUMNS;
}

static print_fn *const printers[] = {
    [PRINT_JSON] = print_json,         [PRINT_YAML] = print_yaml,           [PRINT_NAME] = print_name,
    [PRINT_JSONPATH] = print_jsonpath, [PRINT_JSONPATH_JSON] = print_found, [PRINT_COLUMNS] = print_columns,
    [PRINT_TEMPLATE] = print_template,
};

/* ---- from flags ---- */

static int unknown_form(struct call *c, const char *output, bool human)
{
    _auto_buf_ struct buf names = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (human || !for_humans(i))
            buf_addf(&names, "%s%s", names.len ? "," : "", forms[i].name);
    call_fail(c, "unable to match a printer suitable for the output format \"%s\", allowed formats are: %s", output,
              buf_str(&names));
    return -1;
}

static char *read_text(struct call *c, const char *what, const char *path)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (file_text(path, &text) == 0)
        return buf_steal(&text, NULL);
    call_fail(c, "error reading %s %s, open %s: %s", what, path, path, file_why(errno));
    return NULL;
}

static int take_form(struct call *c, struct printer *p, size_t form, const char *value)
{
    const char *text = value ? value : call_knows(c, "template") ? call_text(c, "template") : "";
    p->form = forms[form].form;
    p->wide = str_eq(forms[form].name, "wide");
    if (!forms[form].takes_text)
        return 0;
    if (!*text)
        return call_fail(c, "%s", forms[form].need), -1;
    p->text = forms[form].from_file ? read_text(c, p->form == PRINT_COLUMNS ? "template" : "--template", text)
                                    : xstrdup(text);
    if (!p->text)
        return -1;
    struct err e = ERR_INIT;
    if (p->form == PRINT_COLUMNS && columns_check(p->text, forms[form].from_file, &p->text, &e) < 0)
        return call_error(c, &e), -1;
    return 0;
}

int printer_init(struct call *c, struct printer *p, bool human)
{
    *p = (struct printer){.missing_ok = true};
    if (call_knows(c, "show-managed-fields"))
        p->managed = call_bool(c, "show-managed-fields");
    if (call_knows(c, "allow-missing-template-keys"))
        p->missing_ok = call_bool(c, "allow-missing-template-keys");
    if (call_knows(c, "no-headers"))
        p->no_headers = call_bool(c, "no-headers");
    const char *output = call_text(c, "output"), *equal = strchr(output, '=');
    size_t n = equal ? (size_t)(equal - output) : strlen(output);
    const bool template = call_knows(c, "template") && *call_text(c, "template");
    if (n == 0 && !template)
        return 0;
    if (n == 0)
        n = strlen(output = "go-template");
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const bool same = strlen(forms[i].name) == n && strncasecmp(forms[i].name, output, n) == 0;
        if (same && (human || !for_humans(i)) && (!equal || forms[i].takes_text))
            return take_form(c, p, i, equal ? equal + 1 : NULL);
    }
    return unknown_form(c, output, human);
}

void printer_release(struct printer *p)
{
    free(p->text);
    table_release(&p->table);
    *p = (struct printer){0};
}

const char *dry_run_note(enum dry_run dry)
{
    static const char *const notes[] = {"", " (dry run)", " (server dry run)"};
    return notes[dry];
}

/* ---- one object ---- */

static void without_managed(json_t *object)
{
    size_t i;
    json_t *item;
    json_object_del(json_object_get(object, "metadata"), "managedFields");
    json_array_foreach(json_object_get(object, "items"), i, item)
        json_object_del(json_object_get(item, "metadata"), "managedFields");
}

int printer_object(struct call *c, struct printer *p, const struct kind *kind, const json_t *object, const char *done,
                   struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (p->form == PRINT_TABLE) {
        _auto_free_ char *label = kind ? target_label(kind, jstr_or(object, "metadata.name", "")) : NULL;
        if (done && label)
            fprintf(c->k->out, "%s %s\n", label, done);
        return 0;
    }
    _auto_json_ json_t *copy = p->managed ? NULL : json_clone(object);
    if (copy)
        without_managed(copy);
    if (printers[p->form](p, kind, copy ? copy : object, &text, e) < 0)
        return -1;
    p->printed++;
    fwrite(buf_str(&text), 1, text.len, c->k->out);
    return 0;
}

void printer_end(struct call *c, struct printer *p)
{
    table_flush(&p->table, c->k->out);
}

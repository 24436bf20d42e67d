/* patches.c - patches, patchesStrategicMerge, patchesJson6902, and what a target means. See build_int.h. */
#include "api/decode.h"
#include "api/patch.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/selector.h"
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/kustomize/build_int.h"

#include <regex.h>
#include <string.h>

/* ---- targets ---- */

/* Must `pattern` match the whole text? An empty one matches all. */
static bool matches(const char *pattern, const char *text)
{
    regex_t re;
    if (str_empty(pattern))
        return true;
    _auto_free_ char *whole = xasprintf("^(%s)$", pattern);
    if (regcomp(&re, whole, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    const bool yes = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return yes;
}

static bool selects(const char *text, const json_t *labels)
{
    struct label_selector *s = NULL;
    struct err ignored = ERR_INIT;
    if (str_empty(text))
        return true;
    if (label_selector_parse(text, &s, &ignored) < 0)
        return false;
    const bool yes = label_selector_match(s, labels);
    label_selector_free(s);
    return yes;
}

/* By what it is called now, or ever was. */
static bool matches_name(const struct element *x, const char *ns, const char *name)
{
    if (matches(name, element_name(x)) && matches(ns, element_namespace(x)))
        return true;
    for (size_t i = 0; i < x->past.len; i++) {
        const char *slash = strchr(x->past.items[i], '/');
        _auto_free_ char *place = xstrndup(x->past.items[i], (size_t)(slash - x->past.items[i]));
        if (matches(name, slash + 1) && matches(ns, place))
            return true;
    }
    return false;
}

bool target_means(const json_t *target, const struct element *x)
{
    _auto_free_ char *group = element_group(x);
    const char *version = jstr_or(x->object, "apiVersion", ""), *slash = strchr(version, '/');
    return matches(jstr(target, "group"), group) && matches(jstr(target, "version"), slash ? slash + 1 : version) &&
           matches(jstr(target, "kind"), element_kind(x)) &&
           matches_name(x, jstr(target, "namespace"), jstr(target, "name")) &&
           selects(jstr(target, "labelSelector"), jat(x->object, "metadata.labels")) &&
           selects(jstr(target, "annotationSelector"), jat(x->object, "metadata.annotations"));
}

/* ---- one patch on one object ---- */

/* The name and kind stay the object's: a patch for many has to be called something. */
static void keep_identity(const json_t *old, json_t *next, const json_t *options)
{
    static const char *const names[] = {"metadata.name", "metadata.namespace"};
    for (size_t i = 0; i < ARRAY_LEN(names) && !jbool(options, "allowNameChange", false); i++) {
        if (jstr(old, names[i]))
            jset_str(next, names[i], jstr(old, names[i]));
        else
            jdel(next, names[i]);
    }
    if (!jbool(options, "allowKindChange", false)) {
        jset_str(next, "kind", jstr_or(old, "kind", ""));
        jset_str(next, "apiVersion", jstr_or(old, "apiVersion", ""));
    }
}

/* *gone: the patch takes the whole object away. */
static int apply_patch(struct element *x, const json_t *patch, const json_t *options, bool *gone, struct err *e)
{
    json_t *next = NULL;
    const struct resource *r = resource_by_api_version(jstr_or(x->object, "apiVersion", ""), element_kind(x));
    const struct schema_type *t = r ? schema_type(r->type) : NULL;
    *gone = str_eq(jstr_or(patch, "$patch", ""), "delete");
    if (*gone)
        return 0;
    const int rc = json_is_array(patch) ? patch_json(x->object, patch, &next, e)
                   : t                  ? patch_strategic(t, x->object, patch, &next, e)
                                        : patch_merge(x->object, patch, &next, e);
    if (rc < 0)
        return -1;
    if (json_is_object(patch))
        keep_identity(x->object, next, options);
    _auto_free_ char *name = xstrdup(jstr_or(next, "metadata.name", ""));
    if (!str_eq(name, element_name(x)))
        strlist_addf(&x->past, "%s/%s", element_namespace(x), element_name(x));
    json_decref(x->object);
    x->object = next;
    return 0;
}

/* ---- a patch finds its objects ---- */

static bool is_meant(const struct element *x, const json_t *target, const json_t *patch)
{
    if (target)
        return target_means(target, x);
    return str_eq(element_kind(x), jstr_or(patch, "kind", "")) &&
           str_eq(jstr_or(x->object, "apiVersion", ""), jstr_or(patch, "apiVersion", "")) &&
           element_was(x, jstr(patch, "metadata.namespace"), jstr_or(patch, "metadata.name", ""));
}

static int run_one(struct layer *l, const json_t *target, const json_t *patch, const json_t *options, struct err *e)
{
    bool found = false;
    for (size_t i = 0; i < l->all->len;) {
        bool gone = false;
        struct element *x = &l->all->items[i];
        if (is_meant(x, target, patch)) {
            found = true;
            if (apply_patch(x, patch, options, &gone, e) < 0)
                return -1;
        }
        if (gone)
            elements_remove(l->all, i);
        else
            i++;
    }
    if (found || target)
        return 0;
    _auto_free_ char *id = object_id(patch);
    return err_set(
        e, ERR_NOT_FOUND,
        "no resource matches strategic merge patch \"%s\": no matches for Id %s; failed to find unique target "
        "for patch %s",
        id, id, id);
}

/* Each document of a text: an object, or a list of operations, which needs a target. */
static int run_text(struct layer *l, const struct buf *text, const char *said, const json_t *target,
                    const json_t *options, struct err *e)
{
    _auto_json_ json_t *docs = NULL;
    size_t i;
    json_t *doc;
    if (yaml_parse_all(buf_str(text), text->len, &docs, e) < 0)
        return err_set(e, ERR_BAD_REQUEST, "unable to parse SM or JSON patch from [%s]", said);
    json_array_foreach(docs, i, doc)
    {
        if (json_is_null(doc))
            continue;
        if (json_is_array(doc) ? !target : !json_is_object(doc))
            return err_set(e, ERR_BAD_REQUEST,
                           json_is_array(doc) ? "must specify a target for JSON patch [%s]"
                                              : "unable to parse SM or JSON patch from [%s]",
                           said);
        if (run_one(l, target, doc, options, e) < 0)
            return -1;
    }
    return 0;
}

/* {path:} or {patch:}, with {target:}. */
static int run_entry(struct layer *l, const json_t *entry, struct err *e)
{
    const char *path = jstr(entry, "path"), *inline_text = jstr(entry, "patch");
    _auto_buf_ struct buf text = BUF_INIT;
    if (str_empty(path) && str_empty(inline_text))
        return err_set(e, ERR_BAD_REQUEST, "must specify one of patch and path in a patch of %s", l->folder);
    if (!str_empty(path) && !str_empty(inline_text))
        return err_set(e, ERR_BAD_REQUEST, "patch and path can't be set at the same time in a patch of %s", l->folder);
    if (str_empty(path))
        buf_adds(&text, inline_text);
    else if (layer_text(l, path, &text, e) < 0)
        return -1;
    _auto_free_ char *said = str_empty(path) ? xasprintf("patch: %s", inline_text) : xasprintf("path: %s", path);
    return run_text(l, &text, said, json_object_get(entry, "target"), json_object_get(entry, "options"), e);
}

/* A file's name or the patch itself, as text. */
static int run_old_strategic(struct layer *l, const char *entry, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (strchr(entry, '\n'))
        buf_adds(&text, entry);
    else if (layer_text(l, entry, &text, e) < 0)
        return -1;
    return run_text(l, &text, entry, NULL, NULL, e);
}

int patches_run(struct layer *l, struct err *e)
{
    static const char *const lists[] = {"patches", "patchesJson6902"};
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(l->spec, "patchesStrategicMerge"), i, entry)
    {
        if (run_old_strategic(l, json_is_string(entry) ? json_string_value(entry) : "", e) < 0)
            return -1;
    }
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        json_array_foreach(json_object_get(l->spec, lists[k]), i, entry)
        {
            if (run_entry(l, entry, e) < 0)
                return -1;
        }
    }
    return 0;
}

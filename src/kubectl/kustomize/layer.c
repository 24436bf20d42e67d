/* layer.c - see kustomize.h: one kustomization after the other, from the bases up.
 *
 * DESIGN: a layer reads what it names (files, folders that are layers of their own), adds what it generates, lets its
 * components work on that, and then transforms all of it; the result is one of the resources of the layer above. Names
 * that mention other objects, hashes and the order are the whole's, once, at the end. A folder that is its own base is
 * refused. Files may lie in the layer's folder or below, folders anywhere. */
#include "api/decode.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/files.h"
#include "kubectl/kustomize/build_int.h"
#include "kubectl/kustomize/kustomize.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int layer_build(const char *folder, const struct strlist *above, bool component, struct elements *all,
                       struct strlist *warnings, json_t **out_spec, struct err *e);

/* ---- the kustomization itself ---- */

enum shape { LIST, MAP, TEXT };

static const struct field {
    const char *name;
    enum shape shape;
    const char *instead; /* deprecated: what to write */
    bool refused;        /* needs what this build has not */
} fields[] = {
    {"apiVersion", TEXT, NULL, false},
    {"kind", TEXT, NULL, false},
    {"metadata", MAP, NULL, false},
    {"resources", LIST, NULL, false},
    {"bases", LIST, "resources", false},
    {"components", LIST, NULL, false},
    {"namespace", TEXT, NULL, false},
    {"namePrefix", TEXT, NULL, false},
    {"nameSuffix", TEXT, NULL, false},
    {"labels", LIST, NULL, false},
    {"commonLabels", MAP, "labels", false},
    {"commonAnnotations", MAP, NULL, false},
    {"images", LIST, NULL, false},
    {"replicas", LIST, NULL, false},
    {"configMapGenerator", LIST, NULL, false},
    {"secretGenerator", LIST, NULL, false},
    {"generatorOptions", MAP, NULL, false},
    {"patches", LIST, NULL, false},
    {"patchesJson6902", LIST, "patches", false},
    {"patchesStrategicMerge", LIST, "patches", false},
    {"replacements", LIST, NULL, false},
    {"sortOptions", MAP, NULL, false},
    {"buildMetadata", LIST, NULL, true},
    {"configurations", LIST, NULL, true},
    {"crds", LIST, NULL, true},
    {"generators", LIST, NULL, true},
    {"helmCharts", LIST, NULL, true},
    {"helmGlobals", MAP, NULL, true},
    {"openapi", MAP, NULL, true},
    {"transformers", LIST, NULL, true},
    {"validators", LIST, NULL, true},
    {"vars", LIST, "replacements", true},
};

static const struct field *field_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (str_eq(fields[i].name, name))
            return &fields[i];
    return NULL;
}

static int check_field(const char *name, const json_t *value, struct err *e)
{
    static const char *const go_types[] = {"[]", "map[string]", "string"};
    const struct field *f = field_of(name);
    if (!f)
        return err_set(e, ERR_BAD_REQUEST, "invalid Kustomization: json: unknown field \"%s\"", name);
    const bool good = f->shape == LIST  ? json_is_array(value)
                      : f->shape == MAP ? json_is_object(value)
                                        : json_is_string(value);
    if (!good && !json_is_null(value))
        return err_set(e, ERR_BAD_REQUEST,
                       "invalid Kustomization: json: cannot unmarshal into Go struct field Kustomization.%s of type %s",
                       name, go_types[f->shape]);
    if (f->refused)
        return err_set(e, ERR_UNSUPPORTED, "'%s' of a kustomization is not built here: use kubectl's own, or kustomize",
                       name);
    return 0;
}

static void warn_of_fields(const json_t *spec, struct strlist *warnings)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (fields[i].instead && json_object_get(spec, fields[i].name))
            strlist_addf(warnings,
                         "# Warning: '%s' is deprecated. Please use '%s' instead. Run 'kustomize edit fix' to update "
                         "your Kustomization automatically.",
                         fields[i].name, fields[i].instead);
}

static int check_kind(const json_t *spec, const char *folder, bool component, struct err *e)
{
    const char *kind = jstr_or(spec, "kind", component ? "Component" : "Kustomization");
    if (!str_eq(kind, "Kustomization") && !str_eq(kind, "Component"))
        return err_set(e, ERR_BAD_REQUEST,
                       "Failed to read kustomization file under %s:\nkind should be Kustomization or Component\n",
                       folder);
    if (component && !str_eq(kind, "Component"))
        return err_set(e, ERR_BAD_REQUEST,
                       "accumulating components: expected kind 'Component' for path '%s' but got '%s'", folder, kind);
    return 0;
}

static int read_spec(const char *folder, bool component, struct strlist *warnings, json_t **out, struct err *e)
{
    static const char *const names[] = {"kustomization.yaml", "kustomization.yml", "Kustomization"};
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *spec = NULL;
    const char *key, *found = NULL;
    json_t *value;
    for (size_t i = 0; i < ARRAY_LEN(names) && !found; i++) {
        _auto_free_ char *path = xasprintf("%s/%s", folder, names[i]);
        if (file_text(path, &text) == 0)
            found = names[i];
    }
    if (!found)
        return err_set(
            e, ERR_NOT_FOUND,
            "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory "
            "'%s'",
            folder);
    if (yaml_parse(buf_str(&text), text.len, &spec, NULL, e) < 0)
        return err_wrap(e, "invalid Kustomization");
    if (!json_is_object(spec))
        return err_set(e, ERR_BAD_REQUEST, "%s is empty", found);
    json_object_foreach(spec, key, value)
    {
        if (check_field(key, value, e) < 0)
            return -1;
    }
    if (check_kind(spec, folder, component, e) < 0)
        return -1;
    warn_of_fields(spec, warnings);
    *out = TAKE(spec);
    return 0;
}

/* ---- files ---- */

/* The real path of `path` as the layer names it. Returns new, NULL with the error. */
static char *resolve(const char *folder, const char *path, struct err *e)
{
    _auto_free_ char *full = *path == '/' ? xstrdup(path) : xasprintf("%s/%s", folder, path);
    char *real = realpath(full, NULL);
    if (!real)
        err_set(e, ERR_NOT_FOUND, "evalsymlink failure on '%s' : lstat %s: %s", full, full, file_why(errno));
    return real;
}

int layer_text(const struct layer *l, const char *path, struct buf *out, struct err *e)
{
    _auto_free_ char *real = resolve(l->folder, path, e), *inside = xasprintf("%s/", l->folder);
    if (!real)
        return -1;
    if (!str_starts(real, inside))
        return err_set(e, ERR_FORBIDDEN, "security; file '%s' is not in or below '%s'", real, l->folder);
    if (file_text(real, out) < 0)
        return err_set(e, ERR_NOT_FOUND, "open %s: %s", real, file_why(errno));
    return 0;
}

static int add_object(json_t *list, json_t *object, struct err *e)
{
    json_t *items = json_object_get(object, "items"), *item;
    size_t i;
    if (json_is_null(object))
        return 0;
    if (!json_is_object(object) || str_empty(jstr(object, "kind")) || str_empty(jstr(object, "apiVersion")))
        return err_set(e, ERR_BAD_REQUEST, "missing Resource metadata");
    if (str_ends(jstr(object, "kind"), "List") && json_is_array(items)) {
        json_array_foreach(items, i, item) if (add_object(list, item, e) < 0) return -1;
        return 0;
    }
    if (str_empty(jstr(object, "metadata.name")))
        return err_set(e, ERR_BAD_REQUEST, "missing metadata.name in object {{%s %s} {{ } map[] map[]}}",
                       jstr(object, "apiVersion"), jstr(object, "kind"));
    json_array_append(list, object);
    return 0;
}

int layer_objects(const struct layer *l, const char *path, json_t **out, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *docs = NULL, *list = json_array();
    size_t i;
    json_t *doc;
    if (layer_text(l, path, &text, e) < 0)
        return -1;
    if (yaml_parse_all(buf_str(&text), text.len, &docs, e) < 0) {
        _auto_free_ char *why = xstrdup(e->msg);
        return err_set(e, ERR_BAD_REQUEST, "MalformedYAMLError: %s in File: %s", why, path);
    }
    json_array_foreach(docs, i, doc) if (add_object(list, doc, e) < 0) return -1;
    *out = TAKE(list);
    return 0;
}

/* ---- resources ---- */

static bool is_there(const struct elements *all, const json_t *object)
{
    for (size_t i = 0; i < all->len; i++) {
        const struct element *x = &all->items[i];
        if (str_eq(element_kind(x), jstr_or(object, "kind", "")) &&
            str_eq(element_name(x), jstr_or(object, "metadata.name", "")) &&
            str_eq(jstr_or(x->object, "apiVersion", ""), jstr_or(object, "apiVersion", "")) &&
            str_eq(element_namespace(x), jstr_or(object, "metadata.namespace", "")))
            return true;
    }
    return false;
}

static int check_new(const struct elements *all, const json_t *object, struct err *e)
{
    if (!is_there(all, object))
        return 0;
    _auto_free_ char *id = object_id(object);
    return err_set(e, ERR_ALREADY_EXISTS, "may not add resource with an already registered id: %s", id);
}

static int add_file(struct layer *l, const char *path, struct err *e)
{
    _auto_json_ json_t *objects = NULL;
    size_t i;
    json_t *object;
    if (layer_objects(l, path, &objects, e) < 0)
        return -1;
    json_array_foreach(objects, i, object)
    {
        if (check_new(l->all, object, e) < 0)
            return -1;
        elements_add(l->all, json_deep_copy(object));
    }
    return 0;
}

/* What a layer below made becomes part of this one. */
static int add_layer(struct layer *l, const char *folder, const struct strlist *above, struct err *e)
{
    __attribute__((cleanup(elements_release))) struct elements below = {0};
    _auto_json_ json_t *spec = NULL;
    if (layer_build(folder, above, false, &below, l->warnings, &spec, e) < 0)
        return -1;
    for (size_t i = 0; i < below.len; i++) {
        if (check_new(l->all, below.items[i].object, e) < 0)
            return -1;
        struct element *x = elements_add(l->all, NULL);
        *x = below.items[i];
        below.items[i] = (struct element){0};
    }
    return 0;
}

static int add_resource(struct layer *l, const char *path, const struct strlist *above, struct err *e)
{
    struct stat st;
    if (strstr(path, "://") || str_starts(path, "github.com/"))
        return err_set(e, ERR_UNSUPPORTED, "accumulating resources: '%s' is remote: fetch it, and name the folder",
                       path);
    _auto_free_ char *real = resolve(l->folder, path, e);
    if (!real)
        return err_wrap(e, "accumulating resources: accumulation err='accumulating resources from '%s'", path);
    const bool folder = stat(real, &st) == 0 && S_ISDIR(st.st_mode);
    if ((folder ? add_layer(l, real, above, e) : add_file(l, path, e)) < 0)
        return err_wrap(e, "accumulating resources: accumulation err='accumulating resources from '%s'", path);
    return 0;
}

static int add_resources(struct layer *l, const char *field, const struct strlist *above, struct err *e)
{
    size_t i;
    json_t *path;
    json_array_foreach(json_object_get(l->spec, field), i, path)
    {
        if (add_resource(l, json_is_string(path) ? json_string_value(path) : "", above, e) < 0)
            return -1;
    }
    return 0;
}

/* A component works on what is there already. */
static int run_components(struct layer *l, const struct strlist *above, struct err *e)
{
    size_t i;
    json_t *path;
    json_array_foreach(json_object_get(l->spec, "components"), i, path)
    {
        _auto_json_ json_t *spec = NULL;
        _auto_free_ char *real = resolve(l->folder, json_is_string(path) ? json_string_value(path) : "", e);
        if (!real || layer_build(real, above, true, l->all, l->warnings, &spec, e) < 0)
            return err_wrap(e, "accumulating components");
    }
    return 0;
}

static int transform(struct layer *l, struct err *e)
{
    if (patches_run(l, e) < 0)
        return -1;
    namespace_run(l);
    names_run(l);
    labels_run(l);
    if (replicas_run(l, e) < 0)
        return -1;
    images_run(l);
    return replacements_run(l, e);
}

static int layer_build(const char *folder, const struct strlist *above, bool component, struct elements *all,
                       struct strlist *warnings, json_t **out_spec, struct err *e)
{
    _auto_strlist_ struct strlist path = {0};
    _auto_json_ json_t *spec = NULL;
    for (size_t i = 0; above && i < above->len; i++)
        strlist_add(&path, above->items[i]);
    if (strlist_has(&path, folder))
        return err_set(e, ERR_BAD_REQUEST, "cycle detected: candidate root '%s' contains visited root '%s'", folder,
                       folder);
    strlist_add(&path, folder);
    if (read_spec(folder, component, warnings, &spec, e) < 0)
        return -1;
    struct layer l = {folder, spec, all, warnings};
    if (add_resources(&l, "resources", &path, e) < 0 || add_resources(&l, "bases", &path, e) < 0 ||
        generators_run(&l, e) < 0 || run_components(&l, &path, e) < 0 || transform(&l, e) < 0)
        return -1;
    *out_spec = TAKE(spec);
    return 0;
}

/* ---- the whole ---- */

static json_t *sorted(const json_t *j)
{
    size_t i;
    json_t *item;
    if (json_is_array(j)) {
        json_t *list = json_array();
        json_array_foreach(j, i, item) json_array_append_new(list, sorted(item));
        return list;
    }
    if (!json_is_object(j))
        return json_deep_copy(j);
    _auto_strlist_ struct strlist keys = {0};
    json_t *out = json_object();
    const char *key;
    json_object_foreach((json_t *)j, key, item) strlist_add(&keys, key);
    strlist_sort(&keys);
    for (i = 0; i < keys.len; i++)
        json_object_set_new(out, keys.items[i], sorted(json_object_get(j, keys.items[i])));
    return out;
}

int kustomize_build(const char *folder, json_t **out, struct strlist *warnings, struct err *e)
{
    __attribute__((cleanup(elements_release))) struct elements all = {0};
    _auto_json_ json_t *spec = NULL;
    struct stat st;
    schema_init();
    resource_init();
    _auto_free_ char *here = getcwd(NULL, 0);
    _auto_free_ char *full = *folder == '/' ? xstrdup(folder) : xasprintf("%s/%s", here ? here : "", folder);
    _auto_free_ char *real = realpath(full, NULL);
    if (!real || stat(real, &st) < 0)
        return err_set(e, ERR_NOT_FOUND,
                       "must build at directory: not a valid directory: evalsymlink failure on '%s' : lstat %s: %s",
                       folder, full, file_why(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_BAD_REQUEST, "must build at directory: '%s': file is not directory", real);
    if (layer_build(real, NULL, false, &all, warnings, &spec, e) < 0)
        return -1;
    hashes_run(&all);
    references_run(&all);
    elements_sort(&all, spec);
    *out = json_array();
    for (size_t i = 0; i < all.len; i++)
        json_array_append_new(*out, sorted(all.items[i].object));
    return 0;
}

/* generators.c - configMapGenerator and secretGenerator: literals, files and env files as objects; and the hash at the
 * end of their names. See build_int.h. */
#include "api/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/kustomize/build_int.h"
#include "kubectl/literal.h"
#include "kubectl/name_hash.h"

#include <stdlib.h>
#include <string.h>

struct generated {
    const struct layer *l;
    bool secret;
    json_t *object; /* what is made */
};

/* ---- data ---- */

/* Long base64 in lines of 70. Returns new. */
static char *wrapped(const char *text)
{
    const size_t width = 70, n = strlen(text);
    _auto_buf_ struct buf lines = BUF_INIT;
    if (n <= width)
        return xstrdup(text);
    for (size_t i = 0; i < n; i += width)
        buf_addf(&lines, "%.*s\n", (int)width, text + i);
    return buf_steal(&lines, NULL);
}

static void put(struct generated *g, const char *key, const char *value, size_t n)
{
    _auto_buf_ struct buf text = BUF_INIT;
    json_t *plain = g->secret ? NULL : json_stringn(value, n);
    if (plain) {
        json_object_set_new(jmake_obj(g->object, "data"), key, plain);
        return;
    }
    base64_encode(value, n, &text);
    _auto_free_ char *lines = wrapped(buf_str(&text));
    json_object_set_new(jmake_obj(g->object, g->secret ? "data" : "binaryData"), key, json_string(lines));
}

static bool has_key(const struct generated *g, const char *key)
{
    return json_object_get(json_object_get(g->object, "data"), key) ||
           json_object_get(json_object_get(g->object, "binaryData"), key);
}

static int put_new(struct generated *g, const char *key, const char *value, size_t n, struct err *e)
{
    if (has_key(g, key))
        return err_set(e, ERR_BAD_REQUEST, "cannot add key %s, another key by that name already exists", key);
    put(g, key, value, n);
    return 0;
}

static int add_literal(struct generated *g, const char *source, struct err *e)
{
    const char *value;
    size_t n;
    _auto_free_ char *key = literal_split(source, &value, &n);
    if (!key)
        return err_set(e, ERR_BAD_REQUEST,
                       "loading KV pairs: literal sources [%s]: invalid literal source %s, expected key=value", source,
                       source);
    return put_new(g, key, value, n, e);
}

/* "path" or "key=path". */
static int add_file(struct generated *g, const char *source, struct err *e)
{
    const char *equal = strchr(source, '='), *path = equal ? equal + 1 : source, *slash = strrchr(path, '/');
    _auto_free_ char *key = equal ? xstrndup(source, (size_t)(equal - source)) : xstrdup(slash ? slash + 1 : path);
    _auto_buf_ struct buf text = BUF_INIT;
    if (layer_text(g->l, path, &text, e) < 0)
        return err_wrap(e, "loading KV pairs: file sources: [%s]", source);
    return put_new(g, key, buf_str(&text), text.len, e);
}

/* Lines KEY=value; '#' begins a comment; KEY alone takes the environment's. */
static int add_env(struct generated *g, const char *path, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_strlist_ struct strlist lines = {0};
    if (layer_text(g->l, path, &text, e) < 0)
        return err_wrap(e, "loading KV pairs: env source files: [%s]", path);
    strlist_split(&lines, buf_str(&text), '\n');
    for (size_t i = 0; i < lines.len; i++) {
        char *line = lines.items[i] + strspn(lines.items[i], " \t");
        line[strcspn(line, "\r")] = '\0';
        if (!*line || *line == '#')
            continue;
        char *equal = strchr(line, '=');
        if (equal)
            *equal = '\0';
        const char *value = equal ? equal + 1 : getenv(line);
        if (value && put_new(g, line, value, strlen(value), e) < 0)
            return -1;
    }
    return 0;
}

static int add_all(struct generated *g, const json_t *sources,
                   int (*add)(struct generated *, const char *, struct err *), struct err *e)
{
    size_t i;
    json_t *source;
    json_array_foreach(sources, i, source)
    {
        const char *text = json_string_value(source);
        if (!text)
            return err_set(e, ERR_BAD_REQUEST, "invalid Kustomization: sources of a generator are strings");
        if (add(g, text, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- options ---- */

static void add_options(struct generated *g, const json_t *options)
{
    static const char *const maps[] = {"labels", "annotations"};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        json_t *map = json_object_get(options, maps[i]);
        if (json_object_size(map))
            json_object_update(jmake_obj(jmake_obj(g->object, "metadata"), maps[i]), map);
    }
    if (jbool(options, "immutable", false))
        jset_bool(g->object, "immutable", true);
}

static int generate(struct layer *l, const json_t *rule, bool secret, json_t **out, struct err *e)
{
    struct generated g = {l, secret, json_object()};
    _auto_json_ json_t *object = g.object;
    const char *ns = jstr_or(rule, "namespace", "");
    jset_str(object, "apiVersion", "v1");
    jset_str(object, "kind", secret ? "Secret" : "ConfigMap");
    jset_str(object, "metadata.name", jstr_or(rule, "name", ""));
    if (*ns)
        jset_str(object, "metadata.namespace", ns);
    if (secret)
        jset_str(object, "type", jstr_or(rule, "type", "Opaque"));
    if (add_all(&g, json_object_get(rule, "envs"), add_env, e) < 0 ||
        (jstr(rule, "env") && add_env(&g, jstr(rule, "env"), e) < 0) ||
        add_all(&g, json_object_get(rule, "literals"), add_literal, e) < 0 ||
        add_all(&g, json_object_get(rule, "files"), add_file, e) < 0)
        return -1;
    add_options(&g, json_object_get(l->spec, "generatorOptions"));
    add_options(&g, json_object_get(rule, "options"));
    *out = TAKE(object);
    return 0;
}

/* ---- behavior: create, merge, replace ---- */

static struct element *existing(const struct elements *all, const json_t *object)
{
    for (size_t i = 0; i < all->len; i++)
        if (str_eq(element_kind(&all->items[i]), jstr_or(object, "kind", "")) &&
            element_was(&all->items[i], jstr_or(object, "metadata.namespace", ""),
                        jstr_or(object, "metadata.name", "")))
            return &all->items[i];
    return NULL;
}

static int refuse(const json_t *object, const char *why, struct err *e)
{
    return err_set(e, ERR_BAD_REQUEST,
                   "merging from generator: id resid.ResId{Gvk:resid.Gvk{Group:\"\", Version:\"v1\", Kind:\"%s\", "
                   "isClusterScoped:false}, Name:\"%s\", Namespace:\"%s\"} %s",
                   jstr_or(object, "kind", ""), jstr_or(object, "metadata.name", ""),
                   jstr_or(object, "metadata.namespace", ""), why);
}

static void put_into(struct element *x, const json_t *object, bool merge)
{
    static const char *const members[] = {"data", "binaryData"};
    static const char *const maps[] = {"metadata.labels", "metadata.annotations"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json_t *from = json_object_get(object, members[i]);
        if (!merge)
            json_object_del(x->object, members[i]);
        if (from)
            json_object_update(jmake_obj(x->object, members[i]), from);
    }
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        if (jat(object, maps[i]))
            json_object_update(jmake_obj(x->object, maps[i]), jat(object, maps[i]));
}

static int place(struct layer *l, const json_t *rule, json_t *object, struct err *e)
{
    const char *behavior = jstr_or(rule, "behavior", "create");
    struct element *x = existing(l->all, object);
    const bool merge = str_eq(behavior, "merge"), replace = str_eq(behavior, "replace");
    if (x && !merge && !replace)
        return refuse(object, "exists; behavior must be merge or replace", e);
    if (!x && (merge || replace))
        return refuse(object, "does not exist; cannot merge or replace", e);
    if (x) {
        put_into(x, object, merge);
        return 0;
    }
    x = elements_add(l->all, json_incref(object));
    x->hashed =
        !jbool(rule, "options.disableNameSuffixHash", jbool(l->spec, "generatorOptions.disableNameSuffixHash", false));
    return 0;
}

int generators_run(struct layer *l, struct err *e)
{
    static const char *const fields[] = {"configMapGenerator", "secretGenerator"};
    size_t k;
    json_t *rule;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        json_array_foreach(json_object_get(l->spec, fields[i]), k, rule)
        {
            _auto_json_ json_t *object = NULL;
            if (generate(l, rule, i == 1, &object, e) < 0 || place(l, rule, object, e) < 0)
                return -1;
        }
    }
    return 0;
}

void hashes_run(struct elements *all)
{
    for (size_t i = 0; i < all->len; i++) {
        struct element *x = &all->items[i];
        if (!x->hashed)
            continue;
        _auto_free_ char *name = name_with_hash(x->object, false);
        element_rename(x, "", name);
    }
}

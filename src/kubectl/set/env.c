/* env.c - kubectl set env: variables of containers, set, removed, listed, or taken from a config map or a secret.
 */
#include "kubectl/set/set_int.h"

#include "base/json.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

static const struct kubectl_flag flags[] = {
    SET_FLAGS,
    {"containers", 'c', FLAG_TEXT, "*", "Which containers: a name, with '*' for any characters", NULL},
    {"env", 'e', FLAG_ARRAY, NULL, "NAME=value, or '-' for lines of stdin", NULL},
    {"from", 0, FLAG_TEXT, NULL, "A config map or secret whose keys become variables: configmap/name", NULL},
    {"keys", 0, FLAG_LIST, NULL, "Only these keys of --from", NULL},
    {"list", 0, FLAG_BOOL, NULL, "Print what there is and change nothing", NULL},
    {"overwrite", 0, FLAG_BOOL, "true", "Variables that are there may get another value", NULL},
    {"prefix", 0, FLAG_TEXT, NULL, "Before the names of what is set", NULL},
    {"resolve", 0, FLAG_BOOL, NULL, "List values in the place of references", NULL},
    {NULL},
};

struct wishes {
    json_t *set; /* [{"name":…, "value":… or "valueFrom":…}] */
    struct strlist remove;
    size_t words; /* of the call that say so */
};

/* ---- what is wished ---- */

static bool is_env(const char *word)
{
    const char *equals = strchr(word, '=');
    return (equals && equals != word) || str_ends(word, "-");
}

static void wish(struct wishes *w, const char *name, size_t len, json_t *value, const char *key)
{
    json_t *row = json_pack("{s:s%}", "name", name, len);
    json_object_set_new(row, key, value);
    json_array_append_new(w->set, row);
}

static void from_stdin(struct call *c, struct wishes *w)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_strlist_ struct strlist lines = {0};
    ssize_t n;
    while ((n = read(c->k->in, buf_reserve(&text, 4096), 4096)) > 0)
        text.len += (size_t)n;
    text.data[text.len] = '\0';
    strlist_split(&lines, buf_str(&text), '\n');
    for (size_t i = 0; i < lines.len; i++) {
        char *line = lines.items[i], *equals;
        line[strcspn(line, "#")] = '\0';
        if ((equals = strchr(line, '=')))
            wish(w, line, (size_t)(equals - line), json_string(equals + 1), "value");
    }
}

static bool name_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
            return false;
    return len > 0;
}

/* False: told. */
static bool parse_one(struct call *c, const char *text, struct wishes *w)
{
    const char *equals = strchr(text, '=');
    if (str_eq(text, "-"))
        from_stdin(c, w);
    else if (equals && !name_valid(text, (size_t)(equals - text)))
        set_fail(c,
                 "\"%.*s\" is not a valid key name: a valid environment variable name must consist only of printable "
                 "ASCII characters other than '='",
                 (int)(equals - text), text);
    else if (equals)
        wish(w, text, (size_t)(equals - text), json_string(equals + 1), "value");
    else if (str_ends(text, "-"))
        strlist_take(&w->remove, xstrndup(text, strlen(text) - 1));
    else
        set_fail(c, "unknown environment variable: %s", text);
    return c->code == 0;
}

static bool parse(struct call *c, struct wishes *w)
{
    const struct strlist *given = call_list(c, "env");
    size_t i = 0;
    for (size_t k = 0; k < given->len; k++)
        if (!parse_one(c, given->items[k], w))
            return false;
    while (i < c->words.len && !is_env(c->words.items[i]))
        i++;
    w->words = c->words.len - i;
    for (size_t k = i; k < c->words.len; k++)
        if (!is_env(c->words.items[k])) {
            _auto_free_ char *all = strlist_join(&c->words, " ");
            set_fail(c, "all resources must be specified before environment changes: %s", all);
            return false;
        }
    for (; i < c->words.len; i++)
        if (!parse_one(c, c->words.items[i], w))
            return false;
    for (i = 0; i < json_array_size(w->set); i++)
        if (strlist_has(&w->remove, jstr_or(json_array_get(w->set, i), "name", ""))) {
            set_fail(c, "can not both modify and remove the same environment variable in the same command");
            return false;
        }
    return true;
}

/* ---- --from ---- */

/* "a.b" is no name that a shell would know: "A_B". */
static char *env_name(struct call *c, const char *key)
{
    char *name = xstrdup(key);
    for (char *p = name; *p; p++)
        *p = isalnum((unsigned char)*p) || *p == '_' ? (char)toupper((unsigned char)*p) : '_';
    if (!str_eq(name, key))
        fprintf(c->k->err, "Warning: key %s transferred to %s\n", key, name);
    return name;
}

static int from_object(struct call *c, const json_t *object, struct wishes *w, struct err *e)
{
    const char *kind = jstr_or(object, "kind", ""), *name = jstr_or(object, "metadata.name", ""), *key;
    const bool map = str_eq(kind, "ConfigMap");
    const struct strlist *keys = call_list(c, "keys");
    const json_t *value;
    if (!map && !str_eq(kind, "Secret"))
        return err_set(e, ERR_INVALID, "unsupported resource specified in --from");
    json_object_foreach(json_object_get(object, "data"), key, value)
    {
        if (keys->len && !strlist_has(keys, key))
            continue;
        _auto_free_ char *variable = env_name(c, key);
        wish(w, variable, strlen(variable),
             json_pack("{s:{s:s, s:s}}", map ? "configMapKeyRef" : "secretKeyRef", "name", name, "key", key),
             "valueFrom");
    }
    return 0;
}

static int from_named(struct call *c, struct wishes *w, struct err *e)
{
    const char *from = call_text(c, "from"), *slash = strchr(from, '/');
    _auto_free_ char *type = xstrndup(from, slash ? (size_t)(slash - from) : strlen(from));
    _auto_json_ json_t *object = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    if (!*from)
        return 0;
    const struct kind *kind = call_kind(c, type);
    const char *ns = kind ? call_namespace(c) : NULL;
    if (!ns)
        return err_set(e, ERR_OK, "%s", "");
    if (!slash)
        return err_set(e, ERR_INVALID, "resource(s) were provided, but no name was specified");
    kind_path(kind, ns, slash + 1, NULL, &path);
    return call_json(c, "GET", buf_str(&path), NULL, NULL, &object, e) < 0 ? -1 : from_object(c, object, w, e);
}

static void add_prefix(struct call *c, struct wishes *w)
{
    size_t i;
    json_t *row;
    json_array_foreach(w->set, i, row)
    {
        _auto_free_ char *name = xasprintf("%s%s", call_text(c, "prefix"), jstr_or(row, "name", ""));
        json_object_set_new(row, "name", json_string(name));
    }
}

/* ---- one container ---- */

static const json_t *find(const json_t *list, const char *name)
{
    size_t i;
    const json_t *row;
    json_array_foreach(list, i, row) if (str_eq(jstr(row, "name"), name)) return row;
    return NULL;
}

static void say_reference(FILE *out, const char *name, const json_t *from)
{
    const json_t *map = json_object_get(from, "configMapKeyRef"), *secret = json_object_get(from, "secretKeyRef");
    const json_t *resource = json_object_get(from, "resourceFieldRef");
    fprintf(out, "# %s from ", name);
    if (map || secret)
        fprintf(out, "%s %s, key %s\n", map ? "configmap" : "secret", jstr_or(map ? map : secret, "name", ""),
                jstr_or(map ? map : secret, "key", ""));
    else if (jstr(from, "fieldRef.fieldPath"))
        fprintf(out, "field path %s\n", jstr(from, "fieldRef.fieldPath"));
    else
        fprintf(out, "resource field %s%s%s\n", jstr_or(resource, "containerName", ""),
                jstr(resource, "containerName") ? "/" : "", jstr_or(resource, "resource", ""));
}

/* As it is after the change. */
static void list_one(struct call *c, const json_t *object, const json_t *container, const json_t *env)
{
    FILE *out = c->k->out;
    size_t i;
    const json_t *row;
    fprintf(out, "# %s %s, container %s\n", jstr_or(object, "kind", ""), jstr_or(object, "metadata.name", ""),
            jstr_or(container, "name", ""));
    json_array_foreach(env, i, row)
    {
        const char *name = jstr_or(row, "name", "");
        if (json_object_get(row, "valueFrom"))
            say_reference(out, name, json_object_get(row, "valueFrom"));
        else
            fprintf(out, "%s=%s\n", name, jstr_or(row, "value", ""));
    }
}

/* What the list becomes, and the rows of a patch that make it so: all of them, so that their order stays. */
static bool change_list(const json_t *old, const struct wishes *w, json_t *now, json_t *rows)
{
    bool changed = false;
    size_t i;
    json_t *row;
    json_array_foreach(old, i, row)
    {
        const char *name = jstr_or(row, "name", "");
        const json_t *newer = find(w->set, name);
        if (strlist_has(&w->remove, name)) {
            json_array_append_new(rows, json_pack("{s:s, s:s}", "$patch", "delete", "name", name));
            changed = true;
            continue;
        }
        json_array_append(now, newer ? (json_t *)(uintptr_t)newer : row);
        if (!newer || json_equal(newer, row) || (!*jstr_or(newer, "value", "x") && json_object_size(row) == 1)) {
            json_array_append(rows, row);
            continue;
        }
        changed = true;
        json_t *change = json_deep_copy(newer);
        if (json_object_get(row, "valueFrom") && !json_object_get(newer, "valueFrom"))
            json_object_set_new(change, "valueFrom", json_null());
        if (json_object_get(row, "value") && !json_object_get(newer, "value"))
            json_object_set_new(change, "value", json_null());
        json_array_append_new(rows, change);
    }
    json_array_foreach(w->set, i, row) if (!find(old, jstr_or(row, "name", "")) && !find(now, jstr_or(row, "name", "")))
    {
        json_array_append(now, row);
        json_array_append(rows, row);
        changed = true;
    }
    return changed;
}

static int may_overwrite(struct call *c, const json_t *old, const struct wishes *w, struct err *e)
{
    size_t i;
    const json_t *row;
    if (call_bool(c, "overwrite"))
        return 0;
    json_array_foreach(w->set, i, row)
    {
        const json_t *there = find(old, jstr_or(row, "name", ""));
        if (there && !str_eq(jstr_or(there, "value", ""), jstr_or(row, "value", "")))
            return err_set(e, ERR_INVALID, "'%s' already has a value (%s), and --overwrite is false",
                           jstr_or(row, "name", ""), jstr_or(there, "value", ""));
    }
    return 0;
}

/* How many containers are meant, -1 with `e`. */
static int change_containers(struct call *c, const json_t *object, const json_t *spec, const char *list,
                             const struct wishes *w, json_t *piece, struct err *e)
{
    size_t i;
    int found = 0;
    const json_t *container;
    json_array_foreach(json_object_get(spec, list), i, container)
    {
        const json_t *old = json_object_get(container, "env");
        if (!set_selects(call_text(c, "containers"), jstr_or(container, "name", "")))
            continue;
        found++;
        if (may_overwrite(c, old, w, e) < 0)
            return -1;
        _auto_json_ json_t *now = json_array(), *rows = json_array();
        const bool changed = change_list(old, w, now, rows);
        if (call_bool(c, "list"))
            list_one(c, object, container, now);
        if (changed)
            set_container(piece, list, jstr_or(container, "name", ""), "env", json_incref(rows));
    }
    return found;
}

static int patch(struct call *c, const struct kind *kind, const json_t *object, void *arg, json_t **out, struct err *e)
{
    const json_t *spec = set_pod_spec(object, e);
    _auto_json_ json_t *piece = json_object();
    (void)kind;
    const int normal = spec ? change_containers(c, object, spec, "containers", arg, piece, e) : -1;
    const int init = normal < 0 ? -1 : change_containers(c, object, spec, "initContainers", arg, piece, e);
    if (init < 0)
        return -1;
    if (normal + init == 0)
        fprintf(c->k->err, "Warning: %s/%s does not have any containers matching \"%s\"\n", jstr_or(object, "kind", ""),
                jstr_or(object, "metadata.name", ""), call_text(c, "containers"));
    if (json_object_size(piece) && !call_bool(c, "list"))
        *out = set_wrap(object, TAKE(piece));
    return 0;
}

/* ---- the sub ---- */

static int run_with(struct call *c, struct wishes *w)
{
    struct err e = ERR_INIT;
    const struct set_change s = {
        .done = "env updated", .failed = "failed to patch env update to pod template: ", .patch = patch, .arg = w};
    struct set_change with = s;
    if (!set_flags_fit(c) || !parse(c, w))
        return c->code;
    if (!call_has_files(c) && c->words.len == w->words)
        return call_fail(c, "one or more resources must be specified as <resource> <name> or <resource>/<name>");
    if (call_bool(c, "list") && *call_text(c, "output"))
        return call_fail(c, "--list and --output may not be specified together");
    if (call_list(c, "keys")->len && !*call_text(c, "from"))
        return call_fail(c, "when specifying --keys, a configmap or secret must be provided with --from");
    if (from_named(c, w, &e) < 0)
        return call_error(c, &e);
    add_prefix(c, w);
    with.leave = w->words;
    return set_all(c, &with);
}

static int run(struct call *c)
{
    struct wishes w = {.set = json_array()};
    const int code = run_with(c, &w);
    json_decref(w.set);
    strlist_release(&w.remove);
    return code;
}

const struct kubectl_verb set_env = {
    .name = "env",
    .summary = "Update environment variables on a pod template",
    .usage = "RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = run,
};

/* taint.c - `kubectl taint nodes`: what keeps pods away. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/verbs/verbs_int.h"

#include <ctype.h>
#include <string.h>

#define STRATEGIC "application/strategic-merge-patch+json"

struct taint {
    char *key, *value, *effect; /* owned; effect "" where it was left out */
    bool remove;
};
struct tainting {
    struct taint *items; /* owned */
    size_t len;
    struct change change;
};

static void tainting_release(struct tainting *t)
{
    for (size_t i = 0; i < t->len; i++) {
        free_cleanup(&t->items[i].key);
        free_cleanup(&t->items[i].value);
        free_cleanup(&t->items[i].effect);
    }
    free_cleanup(&t->items);
}

/* ---- words ---- */

static bool is_taint(const char *word)
{
    return strpbrk(word, "=:") != NULL || str_ends(word, "-");
}

/* A key's name, behind what names whose it is. */
static bool is_name(const char *key)
{
    const char *name = strchr(key, '/') != NULL ? strchr(key, '/') + 1 : key;
    size_t n = strlen(name);
    bool fine = n > 0 && n <= 63 && isalnum((unsigned char)name[0]) && isalnum((unsigned char)name[n - 1]);
    for (size_t i = 0; i < n; i++)
        fine &= isalnum((unsigned char)name[i]) || strchr("-_.", name[i]) != NULL;
    return fine;
}

/* "key=value:Effect", "key:Effect", "key", and each with '-' behind it. */
static int parse(const char *word, struct taint *t, struct err *e)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    size_t n = strlen(word);
    t->remove = n > 0 && word[n - 1] == '-';
    _auto_free_ char *spec = xstrndup(word, n - t->remove);
    char *colon = strchr(spec, ':'), *equal;
    if (colon != NULL && strchr(colon + 1, ':') != NULL)
        return err_set(e, ERR_BAD_REQUEST, "invalid taint spec: %s", word);
    t->effect = xstrdup(colon != NULL ? colon + 1 : "");
    bool known = colon == NULL;
    for (size_t i = 0; i < ARRAY_LEN(effects); i++)
        known |= str_eq(t->effect, effects[i]);
    if (!known)
        return err_set(e, ERR_BAD_REQUEST, "invalid taint effect: %s, unsupported taint effect", t->effect);
    if (colon != NULL)
        *colon = '\0';
    equal = colon != NULL ? strchr(spec, '=') : NULL;
    t->value = xstrdup(equal != NULL ? equal + 1 : "");
    if (equal != NULL)
        *equal = '\0';
    t->key = xstrdup(spec);
    if (!is_name(t->key))
        return err_set(
            e, ERR_BAD_REQUEST,
            "invalid taint spec: %s, name part must consist of alphanumeric characters, '-', '_' or '.', and "
            "must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
            "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
            word);
    if (!t->remove && t->effect[0] == '\0')
        return err_set(e, ERR_BAD_REQUEST, "invalid taint spec: %s", word);
    return 0;
}

static bool same(const struct taint *t, const json_t *has)
{
    return str_eq(t->key, jstr(has, "key")) && (t->effect[0] == '\0' || str_eq(t->effect, jstr(has, "effect")));
}

/* Where the taints begin, or -1: told. */
static int read_words(struct call *c, struct tainting *t)
{
    size_t first = 0;
    struct err e = ERR_INIT;
    while (first < c->words.len && !is_taint(c->words.items[first]))
        first++;
    for (size_t i = first; i < c->words.len; i++)
        if (!is_taint(c->words.items[i]))
            return call_fail(c, "all resources must be specified before taint changes: %s", c->words.items[i]), -1;
    if (first < 1)
        return call_fail(c, "one or more resources must be specified as <resource> <name>"), -1;
    if (first == c->words.len)
        return call_fail(c, "at least one taint update is required"), -1;
    t->items = xcalloc(c->words.len - first, sizeof *t->items);
    for (size_t i = first; i < c->words.len; i++)
        if (parse(c->words.items[i], &t->items[t->len++], &e) < 0)
            return call_usage(c, "%s", e.msg), -1;
    return (int)first;
}

static int check(struct call *c, const struct tainting *t, size_t words)
{
    const struct kind *kind = call_kind(c, c->words.items[0]);
    if (kind == NULL)
        return 1;
    if (!str_eq(kind->kind, "Node"))
        return call_fail(c, "invalid resource type %s, only node types are supported", c->words.items[0]);
    for (size_t i = 0; i < t->len; i++)
        for (size_t j = 0; j < t->len; j++)
            if (!t->items[i].remove && t->items[j].remove && str_eq(t->items[i].key, t->items[j].key) &&
                (t->items[j].effect[0] == '\0' || str_eq(t->items[i].effect, t->items[j].effect)))
                return call_fail(c, "can not both modify and remove the following taint(s) in the same command: %s=%s",
                                 t->items[j].key, t->items[j].effect);
    if (call_bool(c, "all") && *call_text(c, "selector"))
        return call_fail(c, "setting 'all' parameter with a non empty selector is prohibited");
    if (!call_bool(c, "all") && !*call_text(c, "selector") && words < 2)
        return call_fail(c, "at least one resource name must be specified since 'all' parameter is not set");
    return 0;
}

/* ---- one node ---- */

static json_t *taint_object(const struct taint *t)
{
    json_t *out = json_pack("{s:s,s:s}", "key", t->key, "effect", t->effect);
    if (t->value[0] != '\0')
        jset_str(out, "value", t->value);
    return out;
}

/* Those that are there already, by key; kubectl names them with commas. */
static int refuse_existing(const struct tainting *t, const json_t *node, struct err *e)
{
    _auto_buf_ struct buf names = BUF_INIT;
    const json_t *has = jat(node, "spec.taints");
    for (size_t i = 0; i < t->len; i++)
        for (size_t j = 0; !t->items[i].remove && j < json_array_size(has); j++)
            if (same(&t->items[i], json_array_get(has, j)))
                buf_addf(&names, "%s%s", names.len > 0 ? "," : "", t->items[i].key);
    if (names.len == 0)
        return 0;
    return err_set(e, ERR_CONFLICT, "node %s already has %s taint(s) with same effect(s) and --overwrite is false",
                   jstr_or(node, "metadata.name", ""), buf_str(&names));
}

/* The new ones, then those that were there and are neither replaced nor removed. Returns new; *out_added, *out_removed:
 * what happened; -1 in *out_rc with `e`: one to remove is not there. */
static json_t *taints_after(const struct tainting *t, const json_t *node, bool *out_added, bool *out_removed,
                            struct err *e)
{
    const json_t *has = jat(node, "spec.taints");
    _auto_json_ json_t *all = json_array();
    for (size_t i = 0; i < t->len; i++)
        if (!t->items[i].remove)
            json_array_append_new(all, taint_object(&t->items[i]));
    for (size_t j = 0; j < json_array_size(has); j++) {
        bool replaced = false;
        for (size_t i = 0; i < t->len; i++)
            replaced |= !t->items[i].remove && same(&t->items[i], json_array_get(has, j));
        if (!replaced)
            json_array_append(all, json_array_get(has, j));
    }
    *out_added = json_array_size(all) != json_array_size(has);
    *out_removed = false;
    for (size_t i = 0; i < t->len; i++) {
        if (!t->items[i].remove)
            continue;
        size_t before = json_array_size(all);
        for (size_t j = before; j-- > 0;)
            if (same(&t->items[i], json_array_get(all, j)))
                json_array_remove(all, j);
        *out_removed = json_array_size(all) < before;
        if (!*out_removed) {
            err_set(e, ERR_NOT_FOUND, "taint \"%s%s%s\" not found", t->items[i].key,
                    t->items[i].effect[0] != '\0' ? ":" : "", t->items[i].effect);
            return NULL;
        }
    }
    return TAKE(all);
}

static int taint_one(struct call *c, const struct target *target, json_t *node, void *arg)
{
    struct tainting *t = arg;
    struct err e = ERR_INIT;
    bool added, removed, overwrite = call_bool(c, "overwrite");
    _auto_json_ json_t *after = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    if (!overwrite && refuse_existing(t, node, &e) < 0)
        return call_error(c, &e), 0;
    _auto_json_ json_t *taints = taints_after(t, node, &added, &removed, &e);
    if (taints == NULL)
        return call_error(c, &e), 0;
    const char *done = (added && removed) || overwrite ? "modified" : added ? "tainted" : "untainted";
    _auto_json_ json_t *patch =
        json_pack("{s:{s:O}}", "spec", "taints", json_array_size(taints) > 0 ? taints : json_null());
    kind_path(target->kind, NULL, jstr_or(node, "metadata.name", ""), NULL, &path);
    if (t->change.dry == DRY_CLIENT)
        jset(node, "spec.taints", json_incref(taints));
    else if (change_send(c, &t->change, "PATCH", buf_str(&path), patch, STRATEGIC, &after, &e) < 0)
        return call_error(c, &e), 0;
    const enum dry_run dry = t->change.dry;
    t->change.dry = DRY_NONE; /* which is not told, other than by every other verb */
    change_tell(c, &t->change, target->kind, after != NULL ? after : node, done);
    t->change.dry = dry;
    return 0;
}

static int taint_run(struct call *c)
{
    _auto_targets_ struct targets all = {0};
    struct tainting t = {0};
    int words = change_begin(c, &t.change) < 0 ? -1 : read_words(c, &t);
    struct targets_opts opts = {
        .no_files = true, .kind = "nodes", .skip = 1, .leave = words < 0 ? 0 : c->words.len - (size_t)words};
    if (words > 0 && check(c, &t, (size_t)words) == 0 && targets_of(c, &opts, &all) == 0)
        targets_visit(c, &all, taint_one, &t);
    change_end(c, &t.change);
    tainting_release(&t);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_OUTPUT,
    FLAGS_SELECTOR,
    FLAGS_ALL,
    FLAGS_DRY_RUN,
    FLAGS_MANAGER("kubectl-taint"),
    FLAGS_VALIDATE,
    {"overwrite", 0, FLAG_BOOL, NULL, "What is there may be replaced"},
    {0},
};

const struct kubectl_verb kubectl_taint = {
    .name = "taint",
    .summary = "Update the taints on one or more nodes",
    .usage = "NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N [options]",
    .help = "  kubectl taint nodes node01 dedicated=db:NoSchedule\n  kubectl taint nodes node01 dedicated-\n",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = taint_run,
};

/* targets.c - see targets.h.
 *
 * DESIGN: words become rows of kind and name, files rows with an object; visiting turns each row into a request.
 * Refusals of single objects are told and do not stop the others, as kubectl goes on. */
#include "kubectl/targets.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/manifests.h"

#include <stdlib.h>
#include <string.h>

void targets_release(struct targets *t)
{
    for (size_t i = 0; i < t->len; i++) {
        free(t->items[i].ns);
        free(t->items[i].name);
        free(t->items[i].source);
        json_decref(t->items[i].object);
    }
    free(t->items);
    free(t->labels);
    free(t->fields);
    *t = (struct targets){0};
}

void targets_add(struct targets *all, const struct kind *kind, const char *ns, const char *name)
{
    if (all->len == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 8;
        all->items = xrealloc(all->items, all->cap * sizeof *all->items);
    }
    all->several_kinds |= all->len > 0 && all->items[0].kind != kind;
    all->items[all->len++] = (struct target){
        .kind = kind, .ns = xstrdup(kind->namespaced && ns ? ns : ""), .name = name ? xstrdup(name) : NULL};
}

char *target_label(const struct kind *kind, const char *name)
{
    _auto_buf_ struct buf text = BUF_INIT;
    call_label(kind, &text);
    buf_addf(&text, "/%s", name);
    return buf_steal(&text, NULL);
}

/* ---- from words ---- */

struct reading {
    struct call *c;
    const struct targets_opts *o;
    struct targets *out;
    const char *ns;
    char **words;
    size_t len;
};

/* All names of one kind, or all of it. */
static void add_names(struct reading *r, const struct kind *k, char **names, size_t len)
{
    const char *ns = r->out->everywhere ? "" : r->ns;
    for (size_t i = 0; i < len; i++)
        targets_add(r->out, k, ns, names[i]);
    if (len == 0)
        targets_add(r->out, k, ns, NULL);
}

/* "pods,svc": each kind, with the names behind it; "all" is a category. -1: told. */
static int kinds_of_word(struct reading *r, const char *word, char **names, size_t len)
{
    _auto_strlist_ struct strlist parts = {0};
    struct err e = ERR_INIT;
    strlist_split(&parts, word, ',');
    const struct kinds *all = call_kinds(r->c, &e);
    if (!all)
        return call_error(r->c, &e), -1;
    for (size_t i = 0; i < parts.len; i++) {
        bool category = false;
        for (size_t k = 0; k < all->len; k++)
            if (strlist_has(&all->items[k].categories, parts.items[i])) {
                add_names(r, &all->items[k], names, len);
                category = true;
            }
        const struct kind *kind = category ? NULL : call_kind(r->c, parts.items[i]);
        if (!category && !kind)
            return -1;
        if (kind)
            add_names(r, kind, names, len);
    }
    return 0;
}

/* "pod/a": -1 told. */
static int one_of_word(struct reading *r, const char *word)
{
    const char *slash = strchr(word, '/');
    if (strchr(slash + 1, '/'))
        return call_fail(r->c, "arguments in resource/name form may not have more than one slash"), -1;
    if (slash == word || !slash[1])
        return call_fail(r->c, "arguments in resource/name form must have a single resource and name"), -1;
    _auto_free_ char *kind = xstrndup(word, (size_t)(slash - word));
    const struct kind *k = call_kind(r->c, kind);
    if (!k)
        return -1;
    targets_add(r->out, k, r->ns, slash + 1);
    return 0;
}

static int words_with_slashes(struct reading *r)
{
    for (size_t i = 0; i < r->len; i++)
        if (!strchr(r->words[i], '/'))
            return call_fail(r->c,
                             "there is no need to specify a resource type as a separate argument when passing "
                             "arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of "
                             "'kubectl get resource resource/<resource_name>'"),
                   -1;
    for (size_t i = 0; i < r->len; i++)
        if (one_of_word(r, r->words[i]) < 0)
            return -1;
    return 0;
}

static bool selects(const struct reading *r)
{
    return *r->out->labels || *r->out->fields || (call_knows(r->c, "all") && call_bool(r->c, "all"));
}

static int words_of_kind(struct reading *r)
{
    if (r->o->kind && r->len == 0 && !selects(r))
        return 0;
    if (r->o->kind)
        return kinds_of_word(r, r->o->kind, r->words, r->len);
    if (r->len == 1 && !r->o->all && !selects(r))
        return call_fail(r->c, "resource(s) were provided, but no name was specified"), -1;
    if (r->len > 1 && selects(r))
        return call_fail(r->c, *r->out->labels || *r->out->fields
                                   ? "name cannot be provided when a selector is specified"
                                   : "setting 'all' parameter but found a non empty selector. "),
               -1;
    return kinds_of_word(r, r->words[0], r->words + 1, r->len - 1);
}

static int from_words(struct reading *r)
{
    bool slashes = false;
    for (size_t i = 0; i < r->len; i++)
        slashes |= strchr(r->words[i], '/') != NULL;
    if (r->out->everywhere && (slashes || r->len > 1))
        return call_fail(r->c, "a resource cannot be retrieved by name across all namespaces"), -1;
    if (slashes && !r->o->kind) {
        if (selects(r))
            return call_fail(r->c, "name cannot be provided when a selector is specified"), -1;
        return words_with_slashes(r);
    }
    return words_of_kind(r);
}

/* ---- from files ---- */

/* What an object must say before it can be sent. */
static int check_manifest(const struct manifest *m, struct err *e)
{
    const bool version = *jstr_or(m->object, "apiVersion", ""), kind = *jstr_or(m->object, "kind", "");
    if (version && kind)
        return 0;
    return err_set(e, ERR_BAD_REQUEST,
                   "error validating \"%s\": error validating data: %s; if you choose to ignore these errors, turn "
                   "validation off with --validate=false",
                   m->source,
                   !version && !kind ? "[apiVersion not set, kind not set]"
                   : version         ? "kind not set"
                                     : "apiVersion not set");
}

static int add_manifest(struct reading *r, const struct manifest *m, struct err *e)
{
    const char *version = jstr_or(m->object, "apiVersion", ""), *kind = jstr_or(m->object, "kind", "");
    const char *name = jstr_or(m->object, "metadata.name", ""), *ns = jstr_or(m->object, "metadata.namespace", "");
    if (r->o->checked && check_manifest(m, e) < 0)
        return -1;
    if (!*kind) {
        _auto_free_ char *text = json_text(m->object);
        return err_set(e, ERR_BAD_REQUEST, "unable to decode \"%s\": Object 'Kind' is missing in '%s'", m->source,
                       text);
    }
    const struct kind *k = call_kind_of(r->c, version, kind, e);
    if (!k)
        return e->code == ERR_INVALID
                   ? err_wrap(e, "resource mapping not found for name: \"%s\" namespace: \"%s\" from \"%s\"", name, ns,
                              m->source)
                   : -1;
    if (k->namespaced && r->c->ns_given && *ns && !str_eq(ns, r->ns))
        return err_set(e, ERR_BAD_REQUEST,
                       "the namespace from the provided object \"%s\" does not match the namespace \"%s\". You must "
                       "pass '--namespace=%s' to perform this operation.",
                       ns, r->ns, ns);
    targets_add(r->out, k, *ns ? ns : r->ns, *name ? name : NULL);
    struct target *t = &r->out->items[r->out->len - 1];
    t->object = json_incref(m->object);
    t->source = xstrdup(m->source);
    if (r->o->checked && k->namespaced && !*ns)
        jset_str(t->object, "metadata.namespace", r->ns);
    return 0;
}

static int from_files(struct reading *r)
{
    _auto_manifests_ struct manifests m = {0};
    if (r->len)
        return call_fail(r->c,
                         "when paths, URLs, or stdin is provided as input, you may not specify resource arguments "
                         "as well"),
               -1;
    if (manifests_read(r->c, &m) < 0)
        return -1;
    for (size_t i = 0; i < m.len; i++) {
        struct err e = ERR_INIT;
        if (add_manifest(r, &m.items[i], &e) < 0)
            call_error(r->c, &e);
    }
    return 0;
}

/* ---- both ---- */

static bool flag_on(const struct call *c, const char *name)
{
    return call_knows(c, name) && call_bool(c, name);
}

static const char *flag_text(const struct call *c, const char *name)
{
    return call_knows(c, name) ? call_text(c, name) : "";
}

int targets_of(struct call *c, const struct targets_opts *o, struct targets *out)
{
    _auto_targets_ struct targets t = {.labels = xstrdup(o->own_selector ? "" : flag_text(c, "selector")),
                                       .fields = xstrdup(flag_text(c, "field-selector")),
                                       .everywhere = flag_on(c, "all-namespaces")};
    const size_t skip = o->skip < c->words.len ? o->skip : c->words.len;
    const size_t left = c->words.len - skip, len = left > o->leave ? left - o->leave : 0;
    struct reading r = {c, o, &t, call_namespace(c), c->words.items + skip, len};
    if (!r.ns)
        return -1;
    const bool files = !o->no_files && call_has_files(c);
    if (!files && len == 0 && !o->kind) {
        call_fail(c, "You must provide one or more resources by argument or filename.\nExample resource specifications "
                     "include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   "
                     "'<resource>'");
        return -1;
    }
    if ((files ? from_files(&r) : from_words(&r)) < 0)
        return -1;
    t.single = t.len == 1 && t.items[0].name && c->code == 0;
    *out = t;
    t = (struct targets){0};
    return 0;
}

/* ---- asking ---- */

void target_path(const struct targets *all, const struct target *t, struct buf *out)
{
    kind_path(t->kind, t->ns, t->name, NULL, out);
    if (!t->name && *all->labels)
        call_query(out, "labelSelector", all->labels);
    if (!t->name && *all->fields)
        call_query(out, "fieldSelector", all->fields);
}

typedef int visit_fn(struct call *c, const struct target *t, json_t *object, void *arg);

/* Lists have no kind in their items. */
static void say_kind(const struct kind *k, json_t *object)
{
    _auto_buf_ struct buf version = BUF_INIT;
    kind_api_version(k, &version);
    if (!jstr(object, "apiVersion"))
        jset_str(object, "apiVersion", buf_str(&version));
    if (!jstr(object, "kind"))
        jset_str(object, "kind", k->kind);
}

void targets_tell(struct call *c, const struct targets *all, const struct target *t, const struct err *e)
{
    const char *reason = jstr_or(c->failure, "reason", "");
    if (t->name || (!str_eq(reason, "BadRequest") && !str_eq(reason, "NotFound"))) {
        call_error(c, e);
        return;
    }
    _auto_free_ char *what = xasprintf("\"%s/%s, Resource=%s\"", t->kind->group, t->kind->version, t->kind->plural);
    _auto_free_ char *before =
        *all->labels || *all->fields
            ? xasprintf("Unable to find %s that match label selector \"%s\", field selector \"%s\": ", what,
                        all->labels, all->fields)
            : xasprintf("Unable to list %s: ", what);
    call_error_at(c, before, e);
}

static int visit_list(struct call *c, const struct targets *all, const struct target *t, visit_fn *visit, void *arg)
{
    _auto_free_ char *more = xstrdup("");
    const int64_t chunk = call_knows(c, "chunk-size") ? call_int(c, "chunk-size") : 500;
    do {
        _auto_buf_ struct buf path = BUF_INIT;
        _auto_json_ json_t *list = NULL;
        struct err e = ERR_INIT;
        size_t i;
        json_t *item;
        target_path(all, t, &path);
        if (chunk > 0)
            buf_addf(&path, "%climit=%lld", strchr(buf_str(&path), '?') ? '&' : '?', (long long)chunk);
        if (*more)
            call_query(&path, "continue", more);
        if (call_json(c, "GET", buf_str(&path), NULL, NULL, &list, &e) < 0) {
            targets_tell(c, all, t, &e);
            return 0;
        }
        json_array_foreach(json_object_get(list, "items"), i, item)
        {
            say_kind(t->kind, item);
            if (visit(c, t, item, arg) < 0)
                return -1;
        }
        free(more);
        more = xstrdup(jstr_or(list, "metadata.continue", ""));
    } while (*more);
    return 0;
}

static int visit_one(struct call *c, const struct targets *all, const struct target *t, visit_fn *visit, void *arg)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *object = NULL;
    struct err e = ERR_INIT;
    target_path(all, t, &path);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &object, &e) < 0) {
        call_error(c, &e);
        return 0;
    }
    return visit(c, t, object, arg);
}

int targets_visit(struct call *c, const struct targets *all, visit_fn *visit, void *arg)
{
    for (size_t i = 0; i < all->len; i++) {
        const struct target *t = &all->items[i];
        if ((t->name ? visit_one : visit_list)(c, all, t, visit, arg) < 0)
            return -1;
    }
    return 0;
}

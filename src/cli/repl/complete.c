/* complete.c - what may stand where the cursor is: verbs, kinds, names, flags and their values, files.
 *
 *     line ──► the command the cursor is in: its words, and the one that is begun
 *          ──► who the command is: kubectl's verb, a word of stowage's, one of the prompt
 *          ──► what comes next there: tables of flags, `takes` of the verb; names live from the cluster (names.c)
 *
 * DESIGN: nothing is cached: a name that was made a moment ago is offered. A cluster that does not answer soon offers
 * nothing. When you add a flag whose values can be known: a row in values[]. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/lab_place.h"
#include "cli/repl/complete_int.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void offer(const struct completing *c, const char *word)
{
    if (str_starts(word, c->begun) && !strlist_has(&c->out->words, word))
        strlist_add(&c->out->words, word);
}

static void offer_list(const struct completing *c, const char *blank_separated)
{
    _auto_strlist_ struct strlist words = {0};
    strlist_split(&words, blank_separated, ' ');
    for (size_t i = 0; i < words.len; i++)
        offer(c, words.items[i]);
}

static void offer_all(const struct completing *c, const struct strlist *words, const char *before, const char *behind)
{
    for (size_t i = 0; i < words->len; i++) {
        _auto_free_ char *word = xasprintf("%s%s%s", before, words->items[i], behind);
        offer(c, word);
    }
}

/* The begun word starts `n` characters later: behind "kind/", a comma, "--flag=". */
static struct completing later(const struct completing *c, size_t n)
{
    struct completing inner = *c;
    inner.begun += n;
    inner.out->from += n;
    return inner;
}

/* ---- files ---- */

static void offer_files(const struct completing *c)
{
    const char *slash = strrchr(c->begun, '/');
    _auto_free_ char *shown = slash ? xstrndup(c->begun, (size_t)(slash + 1 - c->begun)) : xstrdup("");
    const char *home = getenv("HOME");
    _auto_free_ char *dir =
        str_starts(shown, "~/") && home ? xasprintf("%s/%s", home, shown + 2) : xstrdup(*shown ? shown : ".");
    DIR *d = opendir(dir);
    const char *part = slash ? slash + 1 : c->begun;
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        _auto_free_ char *path = xasprintf("%s/%s", dir, entry->d_name);
        struct stat st;
        if ((entry->d_name[0] == '.' && part[0] != '.') || strpbrk(entry->d_name, " \t'\"\\") ||
            str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        const bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        _auto_free_ char *word = xasprintf("%s%s%s", shown, entry->d_name, folder ? "/" : "");
        offer(c, word);
    }
    if (d)
        closedir(d);
}

/* ---- names ---- */

static void offer_names(const struct completing *c, const char *kind, const char *before, const char *behind)
{
    _auto_strlist_ struct strlist names = {0};
    names_of(c->s, kind, c->ns, &names);
    offer_all(c, &names, before, behind);
}

static void offer_namespaces(const struct completing *c)
{
    offer_names(c, "namespaces", "", "");
}

static void offer_containers(const struct completing *c)
{
    _auto_strlist_ struct strlist names = {0};
    if (!c->positional.len)
        return;
    const char *pod = c->positional.items[0];
    names_of_containers(c->s, str_starts(pod, "pod/") ? pod + 4 : pod, c->ns, &names);
    offer_all(c, &names, "", "");
}

/* "pods", "pod/web", "deploy,sv": kinds, or names behind a slash. */
static void offer_kinds(const struct completing *c)
{
    struct err none = ERR_INIT;
    const char *slash = strchr(c->begun, '/'), *comma = strrchr(c->begun, ',');
    if (slash) {
        _auto_free_ char *kind = xstrndup(c->begun, (size_t)(slash - c->begun));
        _auto_free_ char *before = xstrndup(c->begun, (size_t)(slash + 1 - c->begun));
        offer_names(c, kind, before, "");
        return;
    }
    const struct completing at = comma ? later(c, (size_t)(comma + 1 - c->begun)) : *c;
    const struct kinds *all = session_kinds(c->s, &none);
    for (size_t i = 0; all && i < all->len; i++) {
        const struct kind *k = &all->items[i];
        if (!kind_can(k, "list"))
            continue;
        offer(&at, k->plural);
        if (!str_starts(k->plural, at.begun))
            offer_all(&at, &k->shorts, "", "");
    }
}

/* ---- flags ---- */

static const struct kubectl_flag *in_table(const struct kubectl_flag *table, const char *name, size_t n)
{
    for (; table && table->name; table++)
        if (strlen(table->name) == n && memcmp(table->name, name, n) == 0)
            return table;
    return NULL;
}

static const struct kubectl_flag *by_letter(const struct kubectl_flag *table, char letter)
{
    for (; letter && table && table->name; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

/* The flag of "--name", "--name=…" or "-x"; NULL: none of this verb. */
static const struct kubectl_flag *flag_of(const struct completing *c, const char *word)
{
    const struct kubectl_flag *own = c->verb ? c->verb->flags : NULL, *global = kubectl_global_flags();
    if (str_starts(word, "--")) {
        const size_t n = strcspn(word + 2, "=");
        const struct kubectl_flag *f = in_table(own, word + 2, n);
        return f ? f : in_table(global, word + 2, n);
    }
    if (word[0] != '-' || !word[1])
        return NULL;
    const struct kubectl_flag *f = by_letter(own, word[strlen(word) - 1]); /* "-it": the last has the value */
    return f ? f : by_letter(global, word[strlen(word) - 1]);
}

static bool wants_value(const struct kubectl_flag *f)
{
    return f && f->type != FLAG_BOOL && !f->bare;
}

static void offer_flags(const struct completing *c)
{
    const struct kubectl_flag *const tables[] = {c->verb ? c->verb->flags : NULL, kubectl_global_flags()};
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct kubectl_flag *f = tables[t]; f && f->name; f++) {
            _auto_free_ char *word = xasprintf("--%s%s", f->name, wants_value(f) ? "=" : "");
            offer(c, word);
        }
}

static const struct {
    const char *flag, *words;
    void (*offer)(const struct completing *c);
} values[] = {
    {"namespace", NULL, offer_namespaces},
    {"filename", NULL, offer_files},
    {"kustomize", NULL, offer_files},
    {"kubeconfig", NULL, offer_files},
    {"from-file", NULL, offer_files},
    {"from-env-file", NULL, offer_files},
    {"template", NULL, offer_files},
    {"patch-file", NULL, offer_files},
    {"container", NULL, offer_containers},
    {"output", "json yaml name wide jsonpath= jsonpath-file= custom-columns= go-template=", NULL},
    {"dry-run", "none client server", NULL},
    {"cascade", "background orphan foreground", NULL},
    {"validate", "strict warn ignore", NULL},
    {"restart", "Always OnFailure Never", NULL},
    {"image-pull-policy", "Always IfNotPresent Never", NULL},
    {"for", "condition= delete create jsonpath=", NULL},
    {"type", "strategic merge json ClusterIP NodePort LoadBalancer", NULL},
    {"sort-by", ".metadata.name .metadata.creationTimestamp", NULL},
    {"subresource", "status scale", NULL},
};

static void offer_values(const struct completing *c, const struct kubectl_flag *f)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (!str_eq(values[i].flag, f->name))
            continue;
        if (values[i].offer)
            values[i].offer(c);
        else
            offer_list(c, values[i].words);
    }
}

/* ---- kubectl's verbs ---- */

/* Follows subs, sorts flags from what is no flag; the namespace that is named counts. */
static void sort_words(struct completing *c, const struct strlist *words)
{
    const struct kubectl_verb *const *list = c->verb->subs;
    c->before = NULL;
    for (size_t i = 1; i < words->len; i++) {
        const char *w = words->items[i];
        const struct kubectl_flag *f = flag_of(c, w);
        const bool value = wants_value(f) && !strchr(w, '=');
        const char *text = strchr(w, '=') ? strchr(w, '=') + 1 : i + 1 < words->len ? words->items[i + 1] : NULL;
        if (f && str_eq(f->name, "namespace") && text)
            c->ns = text;
        if (value && i + 1 == words->len)
            c->before = f;
        i += value;
        if (str_eq(w, "--")) {
            c->behind_dashes = true;
            return;
        }
        if (w[0] == '-')
            continue;
        while (list && *list && !str_eq((*list)->name, w))
            list++;
        if (list && *list) {
            c->verb = *list;
            list = c->verb->subs;
        } else {
            strlist_add(&c->positional, w);
            list = NULL;
        }
    }
}

static void offer_objects(const struct completing *c)
{
    const size_t n = c->positional.len;
    const char *first = n ? c->positional.items[0] : "";
    if (!n || strchr(first, '/'))
        offer_kinds(c);
    else
        offer_names(c, first, "", "");
}

static void offer_pods(const struct completing *c)
{
    if (c->positional.len)
        offer_containers(c);
    else if (strchr(c->begun, '/'))
        offer_kinds(c);
    else
        offer_names(c, "pods", "", "");
}

static void offer_taken(const struct completing *c)
{
    switch (c->verb->takes) {
    case TAKES_KINDS:
        offer_objects(c);
        break;
    case TAKES_PODS:
        offer_pods(c);
        break;
    case TAKES_NODES:
        offer_names(c, "nodes", "", "");
        break;
    case TAKES_FILES:
        offer_files(c);
        offer_names(c, "pods", "", ":");
        break;
    case TAKES_NONE:
    case TAKES_NAME:
    case TAKES_CONTEXTS:
        break;
    }
}

static void complete_kubectl(struct completing *c, const struct strlist *words)
{
    sort_words(c, words);
    const struct kubectl_flag *f = flag_of(c, c->begun);
    const char *equals = strchr(c->begun, '=');
    if (c->behind_dashes)
        return;
    if (c->before) {
        offer_values(c, c->before);
    } else if (str_starts(c->begun, "--") && equals && f) {
        const struct completing at = later(c, (size_t)(equals + 1 - c->begun));
        offer_values(&at, f);
    } else if (c->begun[0] == '-') {
        offer_flags(c);
    } else if (c->verb->subs && !c->positional.len) {
        for (const struct kubectl_verb *const *v = c->verb->subs; *v; v++)
            offer(c, (*v)->name);
    } else {
        offer_taken(c);
    }
}

/* ---- other words ---- */

static void offer_verbs(const struct completing *c)
{
    for (const struct kubectl_verb *const *v = kubectl_verbs(); *v; v++)
        offer(c, (*v)->name);
    if (c->kubectl)
        return;
    for (const struct cluster_word *w = cluster_words(); w->name; w++)
        if (cluster_word(w->name))
            offer(c, w->name);
    for (const struct prompt_word *b = prompt_words(); b->name; b++)
        offer(c, b->name);
}

static void offer_labs(const struct completing *c)
{
    _auto_free_ char *labs = labs_dir(c->s->cli);
    DIR *d = labs ? opendir(labs) : NULL;
    for (const struct dirent *entry; d && (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            offer(c, entry->d_name);
    if (d)
        closedir(d);
}

/* The flags that a verb of stowage's tells of in its help. */
static void offer_told_flags(const struct completing *c, const char *verb)
{
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++)
        for (const char *p = str_eq((*v)->name, verb) ? (*v)->help : NULL; p && (p = strstr(p, "--"));) {
            const size_t n = 2 + strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-");
            _auto_free_ char *word = xstrndup(p, n);
            if (n > 2)
                offer(c, word);
            p += n;
        }
}

static void complete_cluster_word(const struct completing *c, const struct cluster_word *w, const struct strlist *words)
{
    const char *second = words->len > 1 ? words->items[1] : "";
    const bool names_object = str_eq(w->name, "why") || (str_eq(w->name, "disk") && str_eq(second, "show"));
    if (c->begun[0] == '-')
        offer_told_flags(c, w->first);
    else if (names_object && strchr(c->begun, '/'))
        offer_kinds(c);
    else if (names_object)
        offer_list(c, "pvc/ pv/ pod/");
    else if (cluster_word_subs(w) && words->len == 1)
        offer_list(c, cluster_word_subs(w));
    else if (str_eq(w->name, "shell") || (str_eq(w->name, "node") && words->len == 2))
        offer_names(c, "nodes", "", "");
    else if (str_eq(w->name, "lab") && str_eq(second, "start"))
        offer_labs(c);
    else if (str_eq(w->name, "image") && str_eq(second, "import"))
        offer_files(c);
}

static void complete_prompt_word(struct completing *c, const struct prompt_word *b, struct strlist *words)
{
    if (str_eq(b->name, "use") || str_eq(b->name, "ns"))
        offer_namespaces(c);
    else if (str_eq(b->name, "help"))
        offer_verbs(c);
    else if (str_eq(b->name, "cd"))
        offer_files(c);
    else if (str_eq(b->name, "watch") && !(words->len > 1 && str_eq(words->items[words->len - 1], "-n")))
        complete_words(c, words, words->len > 2 && str_eq(words->items[1], "-n") ? 3 : 1);
}

void complete_words(struct completing *c, struct strlist *words, size_t drop)
{
    struct strlist rest = {0};
    for (size_t i = drop; i < words->len; i++)
        strlist_add(&rest, words->items[i]);
    const char *first = rest.len ? rest.items[0] : NULL;
    const struct prompt_word *b = first && !c->kubectl ? prompt_word(first) : NULL;
    const struct cluster_word *w = first && !c->kubectl ? cluster_word(first) : NULL;
    if (first && !c->kubectl && (str_eq(first, "kubectl") || str_eq(first, "k"))) {
        c->kubectl = true;
        complete_words(c, &rest, 1);
    } else if (!first) {
        offer_verbs(c);
    } else if (b) {
        complete_prompt_word(c, b, &rest);
    } else if (w) {
        complete_cluster_word(c, w, &rest);
    } else if ((c->verb = kubectl_verb(first))) {
        complete_kubectl(c, &rest);
    } else {
        offer_files(c);
    }
    strlist_release(&rest);
}

/* ---- where the cursor is ---- */

/* The words of the command at the end of `text`; returns where the one begins that is not finished. */
static const char *take_apart(const char *text, struct strlist *words, bool *out_file)
{
    const char *p = text;
    bool file = false;
    for (;;) {
        p += strspn(p, " \t");
        if (*p && strchr(";|&\n", *p)) {
            strlist_release(words);
            file = false;
            p++;
        } else if (*p == '<' || *p == '>') {
            file = true;
            p++;
        } else {
            bool open;
            const size_t n = word_length(p, &open);
            *out_file = file;
            if (!p[n])
                return p;
            if (!file)
                strlist_take(words, xstrndup(p, n));
            file = false;
            p += n;
        }
    }
}

static const char *inner_command(const char *word)
{
    const char *found = NULL;
    for (const char *p = word; (p = strstr(p, "$(")); p += 2)
        found = p + 2;
    return found && !strchr(found, ')') ? found : NULL;
}

void session_complete(void *session, const char *line, size_t cursor, struct completion *out)
{
    struct session *s = session;
    _auto_free_ char *text = xstrndup(line, cursor);
    _auto_strlist_ struct strlist words = {0};
    bool file;
    const char *begun = take_apart(text, &words, &file), *inner = inner_command(begun);
    if (inner) {
        strlist_release(&words);
        begun = take_apart(inner, &words, &file);
    }
    struct completing c = {.s = s, .begun = begun, .ns = s->k.ns, .out = out};
    out->from = (size_t)(begun - text);
    if (file)
        offer_files(&c);
    else
        complete_words(&c, &words, 0);
    strlist_release(&c.positional);
    strlist_sort(&out->words);
}

/* complete.c - `kubectl __complete WORDS… PART`: what PART may become, for the shells' scripts.
 *
 *      CANDIDATE\tDESCRIPTION        one a line
 *      :DIRECTIVE                    2: no blank after it; 4: no names of files
 *
 * DESIGN: the words before PART say whose word it is: a verb's, a flag's, a flag's value, an object's. What has to be
 * asked of the cluster is; a cluster that does not answer has no candidates. Source: cobra's protocol of completion. */
#include "kubectl/call_int.h"
#include "kubectl/pods.h"

#include "base/json.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { NO_BLANK = 2, NO_FILES = 4 };

struct completing {
    struct call call;
    const char *part;
    FILE *out;
    int directive;
};

static void offer(struct completing *c, const char *before, const char *word, const char *after, const char *about)
{
    _auto_free_ char *whole = xasprintf("%s%s%s", before, word, after);
    if (str_starts(whole, c->part))
        fprintf(c->out, "%s%s%s\n", whole, about ? "\t" : "", about ? about : "");
}

/* ---- what the cluster has ---- */

static void offer_names(struct completing *c, const char *word, const char *before)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    const struct kind *kind = call_kind(&c->call, word);
    const char *ns = kind ? call_namespace(&c->call) : NULL;
    size_t i;
    const json_t *item;
    c->directive |= NO_FILES;
    if (!ns)
        return;
    kind_path(kind, ns, NULL, NULL, &path);
    if (call_json(&c->call, "GET", buf_str(&path), NULL, NULL, &list, &e) < 0)
        return;
    json_array_foreach(json_object_get(list, "items"), i, item)
        offer(c, before, jstr_or(item, "metadata.name", ""), "", NULL);
}

static void offer_kinds(struct completing *c, const char *after)
{
    struct err e = ERR_INIT;
    const struct kinds *all = call_kinds(&c->call, &e);
    c->directive |= NO_FILES | (*after ? NO_BLANK : 0);
    for (size_t i = 0; all && i < all->len; i++)
        if (kind_can(&all->items[i], "get"))
            offer(c, "", all->items[i].plural, after, NULL);
}

/* "deploy/web": names behind the slash. */
static bool offer_behind_slash(struct completing *c)
{
    const char *slash = strchr(c->part, '/');
    if (!slash)
        return false;
    _auto_free_ char *kind = xstrndup(c->part, (size_t)(slash - c->part)), *before = xasprintf("%s/", kind);
    offer_names(c, kind, before);
    return true;
}

static void offer_containers(struct completing *c)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *pod = NULL;
    static const char *const groups[] = {"spec.containers", "spec.initContainers", "spec.ephemeralContainers"};
    size_t i;
    const json_t *container;
    c->directive |= NO_FILES;
    if (c->call.words.len == 0 || pods_named(&c->call, "pods", c->call.words.items[0], &pod, &e) < 0)
        return;
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        json_array_foreach(jat(pod, groups[g]), i, container) offer(c, "", jstr_or(container, "name", ""), "", NULL);
}

/* ---- flags ---- */

static void offer_flags(struct completing *c, const struct kubectl_flag *table)
{
    c->directive |= NO_FILES;
    for (const struct kubectl_flag *f = table; f && f->name; f++)
        offer(c, "--", f->name, f->type == FLAG_BOOL || f->bare ? "" : "=", f->help);
}

static void offer_value(struct completing *c, const char *flag)
{
    static const char *const forms[] = {"json", "yaml", "name", "wide", "jsonpath=", "go-template=", "custom-columns="};
    if (str_eq(flag, "namespace"))
        offer_names(c, "namespaces", "");
    else if (str_eq(flag, "container"))
        offer_containers(c);
    else if (str_eq(flag, "output"))
        for (size_t i = 0; i < ARRAY_LEN(forms); i++)
            offer(c, "", forms[i], "", NULL);
}

/* The flag whose value a word is; NULL: it is no flag, or one that has its value. */
static const char *flag_waiting(const struct kubectl_flag *const *tables, const char *word)
{
    const size_t n = strlen(word);
    if (n < 2 || word[0] != '-' || !flags_skips(tables, word))
        return NULL;
    for (; *tables; tables++)
        for (const struct kubectl_flag *f = *tables; f->name; f++)
            if (word[1] == '-' ? str_eq(word + 2, f->name) : f->letter == word[n - 1])
                return f->name;
    return NULL;
}

/* ---- words ---- */

static const struct kubectl_verb *verb_in(const struct kubectl_verb *const *list, const char *name)
{
    for (; list && *list; list++)
        if (str_eq((*list)->name, name))
            return *list;
    return NULL;
}

static void offer_verbs(struct completing *c, const struct kubectl_verb *const *list)
{
    c->directive |= NO_FILES;
    for (; *list; list++)
        offer(c, "", (*list)->name, "", (*list)->summary);
}

static void offer_words(struct completing *c)
{
    const struct strlist *words = &c->call.words;
    switch (c->call.verb->takes) {
    case TAKES_PODS:
        if (words->len == 0 && !offer_behind_slash(c))
            offer_names(c, "pods", "");
        break;
    case TAKES_KINDS:
        if (offer_behind_slash(c))
            break;
        if (words->len == 0)
            offer_kinds(c, "");
        else
            offer_names(c, words->items[0], "");
        break;
    case TAKES_NODES:
        offer_names(c, "nodes", "");
        break;
    case TAKES_NONE:
    case TAKES_NAME:
        c->directive |= NO_FILES;
        break;
    case TAKES_FILES:
    case TAKES_CONTEXTS:
        break;
    }
}

/* Takes verbs out of the words; the rest stays, in order. */
static int take_verbs(struct completing *c, int n, char **words, char **rest)
{
    const struct kubectl_verb *const *list = kubectl_verbs();
    int left = 0;
    for (int i = 0; i < n; i++) {
        const struct kubectl_flag *const tables[] = {kubectl_global_flags(), c->call.verb ? c->call.verb->flags : NULL,
                                                     NULL};
        const struct kubectl_verb *v = words[i][0] != '-' ? verb_in(list, words[i]) : NULL;
        if (v) {
            c->call.verb = v;
            list = v->subs;
            continue;
        }
        rest[left++] = words[i];
        if (words[i][0] == '-' && flags_skips(tables, words[i]) && i + 1 < n)
            rest[left++] = words[++i];
        else if (words[i][0] != '-')
            list = NULL;
    }
    return left;
}

static void complete(struct completing *c, int n, char **words)
{
    _auto_free_ char **rest = xcalloc((size_t)n + 1, sizeof *rest);
    struct err e = ERR_INIT;
    const int left = take_verbs(c, n, words, rest);
    const struct kubectl_verb *v = c->call.verb;
    const struct kubectl_flag *const tables[] = {kubectl_global_flags(), v ? v->flags : NULL, NULL};
    const char *flag = left ? flag_waiting(tables, rest[left - 1]) : NULL;
    static const struct kubectl_verb none = {.name = ""};
    if (!v)
        c->call.verb = &none;
    flags_parse(&c->call, flag ? left - 1 : left, rest, &e);
    if (flag)
        offer_value(c, flag);
    else if (c->part[0] == '-') {
        offer_flags(c, v ? v->flags : NULL);
        offer_flags(c, kubectl_global_flags());
    } else if (!v || (v->subs && c->call.words.len == 0))
        offer_verbs(c, v ? v->subs : kubectl_verbs());
    else
        offer_words(c);
}

int kubectl_complete(struct kubectl *k, int argc, char **argv)
{
    static char none[] = "";
    FILE *const told = k->err;
    struct completing c = {
        .call = {.k = k, .path = xstrdup("kubectl"), .dash = -1}, .part = argc ? argv[argc - 1] : none, .out = k->out};
    _auto_file_ FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere)
        k->err = nowhere; /* a failure here is no candidates */
    complete(&c, argc ? argc - 1 : 0, argv);
    fprintf(k->out, ":%d\n", c.directive);
    fflush(k->out);
    k->err = told;
    call_end(&c.call);
    return 0;
}

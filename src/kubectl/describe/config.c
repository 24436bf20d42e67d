/* config.c - config maps, secrets, service accounts, roles and who has them. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kubectl/describe/describe.h"

#include <stdlib.h>
#include <string.h>

static void put_data(struct page *p, const json_t *map)
{
    const json_t *data = jat(map, "data"), *binary = jat(map, "binaryData");
    _auto_json_ json_t *keys = keys_sorted(data), *binary_keys = keys_sorted(binary);
    page_put(p, 0, "\nData\n====\n");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        const char *value = json_string_value(json_object_get(data, key));
        page_put(p, 0, "%s:\n----\n%s\n\n", key, value != NULL ? value : "");
    }
    page_put(p, 0, "\nBinaryData\n====\n");
    for (size_t i = 0; i < json_array_size(binary_keys); i++) {
        const char *key = json_string_value(json_array_get(binary_keys, i));
        page_put(p, 0, "%s: %zu bytes\n", key, base64_size(json_string_value(json_object_get(binary, key))));
    }
    page_put(p, 0, "\n");
}

const struct row rows_config_map[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_data, 0},
    ROWS_END,
};

/* Sizes, never values: but a service account's token, which is there to be shown. */
static void put_secret(struct page *p, const json_t *secret)
{
    const json_t *data = jat(secret, "data");
    _auto_json_ json_t *keys = keys_sorted(data);
    page_put(p, 0, "\nType:\t%s\n", jstr_or(secret, "type", ""));
    page_put(p, 0, "\nData\n====\n");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        size_t n;
        _auto_free_ char *bytes = base64_of(json_string_value(json_object_get(data, key)), &n);
        if (str_eq(key, "token") && str_eq(jstr(secret, "type"), "kubernetes.io/service-account-token"))
            page_put(p, 0, "%s:\t%s\n", key, bytes);
        else
            page_put(p, 0, "%s:\t%zu bytes\n", key, n);
    }
}

const struct row rows_secret[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_secret, 0},
    ROWS_END,
};

/* -- service accounts -- */

static bool is_there(const json_t *secrets, const char *name)
{
    for (size_t i = 0; i < json_array_size(secrets); i++)
        if (str_eq(jstr(json_array_get(secrets, i), "metadata.name"), name))
            return true;
    return !json_is_array(secrets); /* nobody may look: then nothing is missing */
}

static void put_names(struct page *p, const char *title, const struct strlist *names, const json_t *secrets)
{
    if (names->len == 0)
        page_put(p, 0, "%s\t<none>\n", title);
    for (size_t i = 0; i < names->len; i++)
        page_put(p, 0, "%s\t%s%s\n", i == 0 ? title : "                   ", names->items[i],
                 is_there(secrets, names->items[i]) ? "" : " (not found)");
}

static void put_account(struct page *p, const json_t *account)
{
    static const struct {
        const char *title, *member;
    } lists[] = {{"Image pull secrets:", "imagePullSecrets"}, {"Mountable secrets: ", "secrets"}};
    const json_t *secrets = jat(p->related, "secrets");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const json_t *refs = jat(account, lists[i].member);
        _auto_strlist_ struct strlist names = {0};
        for (size_t j = 0; j < json_array_size(refs); j++)
            strlist_add(&names, jstr_or(json_array_get(refs, j), "name", ""));
        put_names(p, lists[i].title, &names, secrets);
    }
    _auto_strlist_ struct strlist tokens = {0};
    for (size_t i = 0; i < json_array_size(secrets); i++) {
        const json_t *s = json_array_get(secrets, i);
        if (str_eq(jstr(s, "type"), "kubernetes.io/service-account-token") &&
            str_eq(jmap(s, "metadata.annotations", "kubernetes.io/service-account.name"),
                   jstr(account, "metadata.name")) &&
            str_eq(jmap(s, "metadata.annotations", "kubernetes.io/service-account.uid"), jstr(account, "metadata.uid")))
            strlist_add(&tokens, jstr_or(s, "metadata.name", ""));
    }
    put_names(p, "Tokens:            ", &tokens, secrets);
}

const struct row rows_service_account[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_account, 0},
    ROWS_END,
};

/* -- roles: each rule is broken into single (group, resource, name), and the verbs of equal ones are gathered -- */

struct grant {
    char *what, *urls, *names, *order; /* owned; `order` is what they are sorted by */
    struct strlist verbs;
};
struct grants {
    struct grant *items; /* owned */
    size_t len, cap;
};

static void grants_release(struct grants *g)
{
    for (size_t i = 0; i < g->len; i++) {
        free(g->items[i].what);
        free(g->items[i].urls);
        free(g->items[i].names);
        free(g->items[i].order);
        strlist_release(&g->items[i].verbs);
    }
    free(g->items);
}

/* "deployments.apps/scale" */
static char *qualified(const char *resource, const char *group)
{
    size_t n = strcspn(resource, "/");
    return xasprintf("%.*s%s%s%s", (int)n, resource, group[0] != '\0' ? "." : "", group, resource + n);
}

/* One verb on one thing. Equal things share a line, but for addresses, which have one each. */
static void grants_add(struct grants *g, const char *resource, const char *group, const char *name, const char *url,
                       const char *verb)
{
    _auto_free_ char *what = resource != NULL ? qualified(resource, group) : xstrdup("");
    _auto_free_ char *names = name != NULL ? xasprintf("[%s]", name) : xstrdup("[]");
    for (size_t i = 0; url == NULL && i < g->len; i++) {
        struct grant *had = &g->items[i];
        if (strcmp(had->what, what) != 0 || strcmp(had->names, names) != 0 || strcmp(had->urls, "[]") != 0)
            continue;
        if (!strlist_has(&had->verbs, verb))
            strlist_add(&had->verbs, verb);
        return;
    }
    if (g->len == g->cap) {
        g->cap = g->cap > 0 ? g->cap * 2 : 16;
        g->items = xrealloc(g->items, g->cap * sizeof *g->items);
    }
    struct grant *new = &g->items[g->len++];
    *new = (struct grant){TAKE(what), url != NULL ? xasprintf("[%s]", url) : xstrdup("[]"), TAKE(names), NULL, {0}};
    strlist_add(&new->verbs, verb);
    new->order = xasprintf("APIGroups:[%s],Resources:[%s],ResourceNames:[%s],NonResourceURLs:[%s],", group,
                           resource != NULL ? resource : "", name != NULL ? name : "", url != NULL ? url : "");
}

/* The member of a rule, or one empty place. */
static size_t places(const json_t *rule, const char *member, bool needed)
{
    size_t n = json_array_size(jat(rule, member));
    return n > 0 || needed ? n : 1;
}

static const char *place(const json_t *rule, const char *member, size_t i)
{
    return json_string_value(json_array_get(jat(rule, member), i));
}

static void add_rule(struct grants *g, const json_t *rule)
{
    for (size_t a = 0; a < places(rule, "apiGroups", true); a++)
        for (size_t r = 0; r < places(rule, "resources", true); r++)
            for (size_t v = 0; v < places(rule, "verbs", true); v++)
                for (size_t n = 0; n < places(rule, "resourceNames", false); n++)
                    grants_add(g, place(rule, "resources", r), place(rule, "apiGroups", a),
                               place(rule, "resourceNames", n), NULL, place(rule, "verbs", v));
    for (size_t u = 0; u < places(rule, "nonResourceURLs", true); u++)
        for (size_t v = 0; v < places(rule, "verbs", true); v++)
            grants_add(g, NULL, "", NULL, place(rule, "nonResourceURLs", u), place(rule, "verbs", v));
}

/* As Go writes a rule, which is what kubectl sorts by: verbs first. */
static char *order_text(const struct grant *g)
{
    char *verbs = strlist_join(&g->verbs, " ");
    char *text = xasprintf("Verbs:[%s],%s", verbs, g->order);
    free(verbs);
    return text;
}

static int by_order(const void *a, const void *b)
{
    return strcmp(((const struct grant *)a)->order, ((const struct grant *)b)->order);
}

void describe_rules(struct buf *out, const json_t *rules)
{
    struct grants g = {0};
    for (size_t i = 0; i < json_array_size(rules); i++)
        add_rule(&g, json_array_get(rules, i));
    for (size_t i = 0; i < g.len; i++) {
        char *order = order_text(&g.items[i]);
        free(g.items[i].order);
        g.items[i].order = order;
    }
    if (g.len > 0)
        qsort(g.items, g.len, sizeof *g.items, by_order);
    for (size_t i = 0; i < g.len; i++) {
        _auto_free_ char *verbs = strlist_join(&g.items[i].verbs, " ");
        buf_addf(out, "%s\t%s\t%s\t[%s]\n", g.items[i].what, g.items[i].urls, g.items[i].names, verbs);
    }
    grants_release(&g);
}

static void put_rules(struct page *p, const json_t *rules)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_strlist_ struct strlist lines = {0};
    describe_rules(&text, rules);
    strlist_split(&lines, buf_str(&text), '\n');
    page_put(p, 0, "PolicyRule:\n");
    page_put(p, 1, "Resources\tNon-Resource URLs\tResource Names\tVerbs\n");
    page_put(p, 1, "---------\t-----------------\t--------------\t-----\n");
    for (size_t i = 0; i + 1 < lines.len; i++)
        page_put(p, 1, "%s\n", lines.items[i]);
}

const struct row rows_role[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, "rules", NULL, put_rules, 0},
    ROWS_END,
};

static void put_subjects(struct page *p, const json_t *subjects)
{
    page_put(p, 0, "Subjects:\n");
    page_put(p, 1, "Kind\tName\tNamespace\n");
    page_put(p, 1, "----\t----\t---------\n");
    for (size_t i = 0; i < json_array_size(subjects); i++) {
        const json_t *s = json_array_get(subjects, i);
        page_put(p, 1, "%s\t%s\t%s\n", jstr_or(s, "kind", ""), jstr_or(s, "name", ""), jstr_or(s, "namespace", ""));
    }
}

const struct row rows_role_binding[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"Role:", ROW_TITLE, NULL, NULL, NULL, 0},
    {"Kind:", ROW_SHOW, "roleRef.kind", NULL, NULL, 1},
    {"Name:", ROW_SHOW, "roleRef.name", NULL, NULL, 1},
    {NULL, ROW_CALL, "subjects", NULL, put_subjects, 0},
    ROWS_END,
};

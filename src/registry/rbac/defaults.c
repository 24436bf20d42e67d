/* defaults.c - the roles and bindings every cluster begins with, read from defaults.txt.
 *
 * NOTATION, a line each, words between blanks, lists between commas, "" is the empty word, - no namespace:
 *
 *     role NAMESPACE NAME [label=KEY]...      a Role, or without a namespace a ClusterRole
 *       may VERBS GROUPS RESOURCES [NAMES]    a rule for resources
 *       urls VERBS PATHS                      a rule for paths
 *       gather KEY                            its rules are those of the roles that have this label
 *     binding NAMESPACE NAME KIND ROLE SUBJECT...   user:NAME, group:NAME, serviceaccount:NAMESPACE/NAME
 *
 * What is there is left as it is. The text is part of the binary (cmake/Embed.cmake). THREADS: any. */
#include "registry/rbac_int.h"

#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

__asm__(".section .rodata\n"
        ".global rbac_defaults_text\n"
        "rbac_defaults_text:\n"
        ".incbin \"" EMBED_FILE "\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char rbac_defaults_text[];

#define WHO        "kube-apiserver"
#define RBAC_GROUP "rbac.authorization.k8s.io"
enum { MAX_WORDS = 16 };

static json_t *list_of(char *text)
{
    json_t *out = json_array();
    char *save = NULL;
    for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save))
        json_array_append_new(out, json_string(strcmp(w, "\"\"") == 0 ? "" : w));
    return out;
}

static json_t *object_new(const char *ns, const char *name)
{
    json_t *obj = json_pack("{s{ss s{ss} s{ss}}}", "metadata", "name", name, "labels", "kubernetes.io/bootstrapping",
                            "rbac-defaults", "annotations", "rbac.authorization.kubernetes.io/autoupdate", "true");
    if (strcmp(ns, "-") != 0)
        jset_str(obj, "metadata.namespace", ns);
    return obj;
}

static json_t *subject_of(char *word)
{
    char *name = strchr(word, ':');
    *name++ = '\0';
    char *slash = strchr(name, '/');
    if (strcmp(word, "serviceaccount") == 0 && slash) {
        *slash = '\0';
        return json_pack("{ss ss ss}", "kind", "ServiceAccount", "name", slash + 1, "namespace", name);
    }
    return json_pack("{ss ss ss}", "kind", strcmp(word, "user") == 0 ? "User" : "Group", "apiGroup", RBAC_GROUP, "name",
                     name);
}

static json_t *role_new(char **words, size_t n)
{
    json_t *obj = object_new(words[1], words[2]);
    for (size_t i = 3; i < n; i++)
        if (str_starts(words[i], "label="))
            jset_map(obj, "metadata.labels", words[i] + 6, "true");
    return obj;
}

static json_t *binding_new(char **words, size_t n)
{
    json_t *obj = object_new(words[1], words[2]);
    json_object_set_new(obj, "roleRef",
                        json_pack("{ss ss ss}", "apiGroup", RBAC_GROUP, "kind", words[3], "name", words[4]));
    for (size_t i = 5; i < n; i++)
        json_array_append_new(jmake_arr(obj, "subjects"), subject_of(words[i]));
    return obj;
}

static void rule_add(json_t *role, char **words, size_t n)
{
    json_t *rule = json_object();
    json_object_set_new(rule, "verbs", list_of(words[1]));
    if (strcmp(words[0], "urls") == 0) {
        json_object_set_new(rule, "nonResourceURLs", list_of(words[2]));
    } else {
        json_object_set_new(rule, "apiGroups", list_of(words[2]));
        json_object_set_new(rule, "resources", list_of(words[3]));
        if (n > 4)
            json_object_set_new(rule, "resourceNames", list_of(words[4]));
    }
    json_array_append_new(jmake_arr(role, "rules"), rule);
}

/* The object that the lines so far describe. */
struct draft {
    json_t *obj; /* owned */
    const struct resource *res;
};

static int draft_make(struct registry *r, struct draft *d, struct err *e)
{
    _auto_free_ char *ns = xstrdup(jstr_or(d->obj, "metadata.namespace", ""));
    _auto_free_ char *name = xstrdup(jstr_or(d->obj, "metadata.name", ""));
    _auto_sobj_ struct sobj *there = d->obj ? reg_read(r, d->res, ns, name) : NULL;
    json_t *obj = TAKE(d->obj);
    if (!obj || there) {
        json_decref(obj);
        return 0;
    }
    if (reg_make(r, WHO, d->res, ns, obj, NULL, e) < 0 && e->code != ERR_ALREADY_EXISTS)
        return err_wrap(e, "%s %s", d->res->kind, name);
    err_clear(e);
    return 0;
}

static int line_take(struct registry *r, struct draft *d, char *line, struct err *e)
{
    char *words[MAX_WORDS] = {0}, *save = NULL;
    size_t n = 0;
    for (char *w = strtok_r(line, " ", &save); w && n < MAX_WORDS; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    if (n < 2 || words[0][0] == '#')
        return 0;
    bool binding = strcmp(words[0], "binding") == 0, of_cluster = n > 1 && strcmp(words[1], "-") == 0;
    if (binding || strcmp(words[0], "role") == 0) {
        if (draft_make(r, d, e) < 0)
            return -1;
        d->obj = binding ? binding_new(words, n) : role_new(words, n);
        d->res = binding ? (of_cluster ? RES.clusterrolebindings : RES.rolebindings)
                         : (of_cluster ? RES.clusterroles : RES.roles);
    } else if (strcmp(words[0], "gather") == 0) {
        json_object_set_new(d->obj, "aggregationRule",
                            json_pack("{s[{s{ss}}]}", "clusterRoleSelectors", "matchLabels", words[1], "true"));
    } else {
        rule_add(d->obj, words, n);
    }
    return 0;
}

int rbac_bootstrap(struct registry *r, struct err *e)
{
    _auto_free_ char *text = xstrdup(rbac_defaults_text);
    struct draft d = {0};
    char *save = NULL;
    int rc = 0;
    for (char *line = strtok_r(text, "\n", &save); line && rc == 0; line = strtok_r(NULL, "\n", &save))
        rc = line_take(r, &d, line, e);
    if (rc == 0)
        rc = draft_make(r, &d, e);
    json_decref(d.obj);
    return rc;
}

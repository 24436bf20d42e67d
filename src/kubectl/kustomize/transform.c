/* transform.c - the transformers that set one thing in many objects: namespace, name, labels and annotations, replicas,
 * images. See build_int.h.
 *
 * DESIGN: where a value goes is a row of a table: kinds and a path. Paths below "POD" begin where a kind describes its
 * pods, paths below "TEMPLATE" where it describes their metadata. When a kind gets a place for labels, add a row. */
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/kustomize/build_int.h"

#include <string.h>

/* ---- namespace ---- */

static void subjects_move(json_t *binding, const char *ns)
{
    size_t i;
    json_t *subject;
    json_array_foreach(json_object_get(binding, "subjects"), i, subject)
    {
        if (str_eq(jstr_or(subject, "kind", ""), "ServiceAccount") && str_eq(jstr_or(subject, "name", ""), "default"))
            jset_str(subject, "namespace", ns);
    }
}

void namespace_run(struct layer *l)
{
    const char *ns = jstr_or(l->spec, "namespace", "");
    for (size_t i = 0; *ns && i < l->all->len; i++) {
        struct element *x = &l->all->items[i];
        if (str_eq(element_kind(x), "Namespace"))
            element_rename(x, "", ns);
        else if (element_is_namespaced(x))
            element_rename(x, ns, element_name(x));
        if (str_ends(element_kind(x), "RoleBinding"))
            subjects_move(x->object, ns);
    }
}

/* ---- namePrefix, nameSuffix ---- */

void names_run(struct layer *l)
{
    static const char *const fixed[] = {"Namespace", "CustomResourceDefinition", "APIService"};
    const char *prefix = jstr_or(l->spec, "namePrefix", ""), *suffix = jstr_or(l->spec, "nameSuffix", "");
    for (size_t i = 0; (*prefix || *suffix) && i < l->all->len; i++) {
        struct element *x = &l->all->items[i];
        bool stays = false;
        for (size_t f = 0; f < ARRAY_LEN(fixed); f++)
            stays |= str_eq(element_kind(x), fixed[f]);
        if (stays)
            continue;
        _auto_free_ char *name = xasprintf("%s%s%s", prefix, element_name(x), suffix);
        element_rename(x, "", name);
        strlist_addf(&x->affixes, "%s*%s", prefix, suffix);
    }
}

/* ---- labels, annotations ---- */

enum where { ANY, SELECTORS, TEMPLATES };

struct place {
    enum where where;
    const char *kinds; /* with spaces around each; "": all */
    const char *path;
    bool create;
};

#define WORKLOADS " Deployment ReplicaSet DaemonSet StatefulSet "

static const struct place label_places[] = {
    {ANY, "", "metadata/labels", true},
    {SELECTORS, " Service ReplicationController ", "spec/selector", true},
    {SELECTORS, WORKLOADS, "spec/selector/matchLabels", true},
    {SELECTORS, " Job ", "spec/selector/matchLabels", false},
    {SELECTORS, " CronJob ", "spec/jobTemplate/spec/selector/matchLabels", false},
    {SELECTORS, " PodDisruptionBudget ", "spec/selector/matchLabels", false},
    {SELECTORS, " NetworkPolicy ", "spec/podSelector/matchLabels", false},
    {SELECTORS, " NetworkPolicy ", "spec/ingress/from/podSelector/matchLabels", false},
    {SELECTORS, " NetworkPolicy ", "spec/egress/to/podSelector/matchLabels", false},
    {SELECTORS, " Deployment StatefulSet ",
     "spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/"
     "labelSelector/matchLabels",
     false},
    {SELECTORS, " Deployment StatefulSet ",
     "spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
     false},
    {SELECTORS, " Deployment StatefulSet ",
     "spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/"
     "labelSelector/matchLabels",
     false},
    {SELECTORS, " Deployment StatefulSet ",
     "spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/"
     "matchLabels",
     false},
    {SELECTORS, " Deployment StatefulSet ", "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels",
     false},
    {TEMPLATES, WORKLOADS "ReplicationController Job ", "spec/template/metadata/labels", true},
    {TEMPLATES, " CronJob ", "spec/jobTemplate/metadata/labels", true},
    {TEMPLATES, " CronJob ", "spec/jobTemplate/spec/template/metadata/labels", true},
    {TEMPLATES, " StatefulSet ", "spec/volumeClaimTemplates[]/metadata/labels", true},
};

static const struct place annotation_places[] = {
    {ANY, "", "metadata/annotations", true},
    {TEMPLATES, WORKLOADS "ReplicationController Job ", "spec/template/metadata/annotations", true},
    {TEMPLATES, " CronJob ", "spec/jobTemplate/metadata/annotations", true},
    {TEMPLATES, " CronJob ", "spec/jobTemplate/spec/template/metadata/annotations", true},
};

static json_t *with_pairs(void *arg, const json_t *value)
{
    json_t *map = json_is_object(value) ? json_clone(value) : json_object();
    json_object_update(map, arg);
    return map;
}

static bool place_is_of(const struct place *p, const char *kind)
{
    _auto_free_ char *word = xasprintf(" %s ", kind);
    return !*p->kinds || strstr(p->kinds, word);
}

static void set_pairs(struct layer *l, json_t *pairs, const struct place *places, size_t count, bool selectors,
                      bool templates)
{
    for (size_t i = 0; json_object_size(pairs) && i < l->all->len; i++) {
        struct element *x = &l->all->items[i];
        for (size_t p = 0; p < count; p++) {
            const bool asked = places[p].where == ANY || (places[p].where == SELECTORS ? selectors : templates);
            if (asked && place_is_of(&places[p], element_kind(x)))
                fields_visit(x->object, places[p].path, places[p].create, with_pairs, pairs);
        }
    }
}

/* `fields` of one entry: places of the user's own. */
static void set_own_fields(struct layer *l, json_t *pairs, const json_t *fields)
{
    size_t i;
    json_t *field;
    json_array_foreach(fields, i, field)
    {
        for (size_t k = 0; k < l->all->len; k++)
            if (target_means(field, &l->all->items[k]))
                fields_visit(l->all->items[k].object, jstr_or(field, "path", ""), jbool(field, "create", false),
                             with_pairs, pairs);
    }
}

void labels_run(struct layer *l)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(l->spec, "labels"), i, entry)
    {
        const bool selectors = jbool(entry, "includeSelectors", false);
        json_t *pairs = json_object_get(entry, "pairs");
        set_pairs(l, pairs, label_places, ARRAY_LEN(label_places), selectors,
                  selectors || jbool(entry, "includeTemplates", false));
        set_own_fields(l, pairs, json_object_get(entry, "fields"));
    }
    set_pairs(l, json_object_get(l->spec, "commonLabels"), label_places, ARRAY_LEN(label_places), true, true);
    set_pairs(l, json_object_get(l->spec, "commonAnnotations"), annotation_places, ARRAY_LEN(annotation_places), true,
              true);
}

/* ---- replicas ---- */

int replicas_run(struct layer *l, struct err *e)
{
    static const char kinds[] = " Deployment ReplicaSet ReplicationController StatefulSet ";
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(l->spec, "replicas"), i, entry)
    {
        const char *name = jstr_or(entry, "name", "");
        bool found = false;
        for (size_t k = 0; k < l->all->len; k++) {
            struct element *x = &l->all->items[k];
            _auto_free_ char *word = xasprintf(" %s ", element_kind(x));
            if (!strstr(kinds, word) || !element_was(x, NULL, name))
                continue;
            jset_int(x->object, "spec.replicas", jint(entry, "count", 0));
            found = true;
        }
        if (!found)
            return err_set(e, ERR_NOT_FOUND,
                           "resource with name %s does not match a config with the following GVK [Deployment.[noVer]."
                           "[noGrp] ReplicationController.[noVer].[noGrp] ReplicaSet.[noVer].[noGrp] StatefulSet."
                           "[noVer].[noGrp]]",
                           name);
    }
    return 0;
}

/* ---- images ---- */

/* "name", "name:tag", "name@digest", "name:tag@digest": is it this name, and what follows? */
static bool image_is(const char *image, const char *name, const char **rest)
{
    const size_t n = strlen(name);
    *rest = image + n;
    return *name && str_starts(image, name) && strchr(":@", image[n]);
}

static char *image_with(const json_t *rule, const char *rest)
{
    const char *name = jstr_or(rule, "newName", jstr_or(rule, "name", ""));
    const char *tag = jstr_or(rule, "newTag", ""), *digest = jstr_or(rule, "digest", "");
    const char *suffix = jstr_or(rule, "tagSuffix", ""), *at = strchr(rest, '@');
    if (*tag && *digest)
        return xasprintf("%s:%s@%s", name, tag, digest);
    if (*digest)
        return xasprintf("%s@%s", name, digest);
    if (*tag)
        return xasprintf("%s:%s%s", name, tag, suffix);
    if (*suffix && at)
        return xasprintf("%s%.*s%s%s", name, (int)(at - rest), rest, suffix, at);
    return xasprintf("%s%s%s", name, rest, suffix);
}

static void set_image(json_t *container, const json_t *rules)
{
    size_t i;
    json_t *rule;
    json_array_foreach(rules, i, rule)
    {
        const char *image = jstr_or(container, "image", ""), *rest;
        if (!image_is(image, jstr_or(rule, "name", ""), &rest))
            continue;
        _auto_free_ char *next = image_with(rule, rest);
        jset_str(container, "image", next);
    }
}

/* Containers are looked for anywhere: kinds of others have pods, too. */
static void set_images(json_t *at, const json_t *rules)
{
    const char *key;
    json_t *value, *item;
    size_t i;
    json_object_foreach(at, key, value)
    {
        const bool containers = str_eq(key, "containers") || str_eq(key, "initContainers");
        json_array_foreach(containers ? value : NULL, i, item) set_image(item, rules);
        set_images(value, rules);
    }
    json_array_foreach(at, i, item) set_images(item, rules);
}

void images_run(struct layer *l)
{
    const json_t *rules = json_object_get(l->spec, "images");
    for (size_t i = 0; json_array_size(rules) && i < l->all->len; i++)
        set_images(l->all->items[i].object, rules);
}

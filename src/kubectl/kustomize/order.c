/* order.c - the order of the output: what others need first, then by kind and name; or as it was read ("fifo"). See
 * build_int.h. */
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/kustomize/build_int.h"

#include <stdlib.h>
#include <string.h>

static const char *const first[] = {
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
};
static const char *const last[] = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"};

struct ranked {
    struct element x;
    int rank;
    char *text; /* what like ranks are ordered by; owned */
};

static int rank_in(const char *const *kinds, size_t count, const char *kind, int otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(kinds[i], kind))
            return (int)i + 1;
    return otherwise;
}

static int rank_in_list(const json_t *kinds, const char *kind)
{
    size_t i;
    json_t *item;
    json_array_foreach(kinds, i, item) if (str_eq(json_string_value(item), kind)) return (int)i + 1;
    return 0;
}

/* Those that come first have negative ranks, those in the middle 0. */
static int rank_of(const char *kind, const json_t *options)
{
    int at;
    if (options) {
        const json_t *before = json_object_get(options, "orderFirst");
        at = rank_in_list(before, kind);
        return at ? at - (int)json_array_size(before) - 1 : rank_in_list(json_object_get(options, "orderLast"), kind);
    }
    at = rank_in(first, ARRAY_LEN(first), kind, 0);
    return at ? at - (int)ARRAY_LEN(first) - 1 : rank_in(last, ARRAY_LEN(last), kind, 0);
}

static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) : strcmp(x->text, y->text);
}

/* "~" after all letters: what has no group, namespace or name comes last. */
static char *sort_text(const struct element *x)
{
    _auto_free_ char *group = element_group(x);
    const char *version = jstr_or(x->object, "apiVersion", ""), *slash = strchr(version, '/');
    const char *ns = element_namespace(x);
    return xasprintf("%s_%s_%s|%s|%s", *group ? group : "~G", slash ? slash + 1 : version, element_kind(x),
                     *ns ? ns : "~X", element_name(x));
}

void elements_sort(struct elements *all, const json_t *spec)
{
    if (str_eq(jstr_or(spec, "sortOptions.order", "legacy"), "fifo") || all->len == 0)
        return;
    const json_t *options = jat(spec, "sortOptions.legacySortOptions");
    struct ranked *list = xcalloc(all->len, sizeof *list);
    for (size_t i = 0; i < all->len; i++) {
        struct element *x = &all->items[i];
        list[i] = (struct ranked){*x, rank_of(element_kind(x), options), sort_text(x)};
    }
    qsort(list, all->len, sizeof *list, compare);
    for (size_t i = 0; i < all->len; i++) {
        all->items[i] = list[i].x;
        free(list[i].text);
    }
    free(list);
}

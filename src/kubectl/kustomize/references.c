/* references.c - names that objects mention follow the objects they mean. See build_int.h.
 *
 * DESIGN: a table says which field of which kind names which kind; fields of pods are written once, for every kind that
 * describes pods. An object is meant by any name it ever had, in the namespace of the one that mentions it; where
 * several were called so (variants of one base), the one that got the same prefixes and suffixes is meant. When a kind
 * gets a field that names another object, add a row. */
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/kustomize/build_int.h"

#include <string.h>

struct reference {
    const char *to;   /* the kind that is named */
    const char *from; /* the kind that names it; "POD": all that describe pods, the path begins there */
    const char *path;
};

#define OF_CONTAINERS(to, name)                                                                                        \
    {to, "POD", "containers/" name}, {to, "POD", "initContainers/" name},                                              \
    {                                                                                                                  \
        to, "POD", "ephemeralContainers/" name                                                                         \
    }

static const struct reference references[] = {
    {"ConfigMap", "POD", "volumes/configMap/name"},
    {"ConfigMap", "POD", "volumes/projected/sources/configMap/name"},
    OF_CONTAINERS("ConfigMap", "env/valueFrom/configMapKeyRef/name"),
    OF_CONTAINERS("ConfigMap", "envFrom/configMapRef/name"),
    {"Secret", "POD", "volumes/secret/secretName"},
    {"Secret", "POD", "volumes/projected/sources/secret/name"},
    {"Secret", "POD", "volumes/csi/nodePublishSecretRef/name"},
    {"Secret", "POD", "imagePullSecrets/name"},
    OF_CONTAINERS("Secret", "env/valueFrom/secretKeyRef/name"),
    OF_CONTAINERS("Secret", "envFrom/secretRef/name"),
    {"Secret", "ServiceAccount", "imagePullSecrets/name"},
    {"Secret", "Ingress", "spec/tls/secretName"},
    {"Secret", "PersistentVolume", "spec/csi/nodePublishSecretRef/name"},
    {"Secret", "PersistentVolume", "spec/csi/nodeStageSecretRef/name"},
    {"Secret", "PersistentVolume", "spec/csi/controllerPublishSecretRef/name"},
    {"Secret", "PersistentVolume", "spec/azureFile/secretName"},
    {"Secret", "PersistentVolume", "spec/iscsi/secretRef/name"},
    {"Secret", "StorageClass", "parameters/secretName"},
    {"PersistentVolumeClaim", "POD", "volumes/persistentVolumeClaim/claimName"},
    {"PersistentVolume", "PersistentVolumeClaim", "spec/volumeName"},
    {"StorageClass", "PersistentVolume", "spec/storageClassName"},
    {"StorageClass", "PersistentVolumeClaim", "spec/storageClassName"},
    {"StorageClass", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"},
    {"ServiceAccount", "POD", "serviceAccountName"},
    {"PriorityClass", "POD", "priorityClassName"},
    {"IngressClass", "Ingress", "spec/ingressClassName"},
    {"Service", "StatefulSet", "spec/serviceName"},
    {"Service", "Ingress", "spec/rules/http/paths/backend/service/name"},
    {"Service", "Ingress", "spec/defaultBackend/service/name"},
    {"Role", "RoleBinding", "roleRef/name"},
    {"ClusterRole", "RoleBinding", "roleRef/name"},
    {"ClusterRole", "ClusterRoleBinding", "roleRef/name"},
    {"ConfigMap", "Role", "rules/resourceNames"},
    {"Secret", "Role", "rules/resourceNames"},
    {"Secret", "ClusterRole", "rules/resourceNames"},
    {"PersistentVolume", "ClusterRole", "rules/resourceNames"},
    {"Deployment", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"},
    {"ReplicaSet", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"},
    {"StatefulSet", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"},
    {"ReplicationController", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"},
};

struct search {
    const struct elements *all;
    const struct element *from;
    const char *to;
};

static bool same_affixes(const struct element *a, const struct element *b)
{
    if (a->affixes.len != b->affixes.len)
        return false;
    for (size_t i = 0; i < a->affixes.len; i++)
        if (!str_eq(a->affixes.items[i], b->affixes.items[i]))
            return false;
    return true;
}

/* The object that is called so where `ns` looks; NULL: none of ours. */
static const struct element *meant(const struct search *s, const char *ns, const char *name)
{
    const struct element *found = NULL;
    for (size_t i = 0; i < s->all->len; i++) {
        const struct element *x = &s->all->items[i];
        const bool reachable = !element_is_namespaced(x) || element_was(x, ns, name);
        if (!str_eq(element_kind(x), s->to) || !reachable || !element_was(x, NULL, name))
            continue;
        if (!found || (same_affixes(x, s->from) && !same_affixes(found, s->from)))
            found = x;
    }
    return found;
}

static json_t *follow(void *arg, const json_t *value)
{
    const struct search *s = arg;
    const char *name = json_string_value(value);
    const struct element *x = name ? meant(s, element_namespace(s->from), name) : NULL;
    return x ? json_string(element_name(x)) : NULL;
}

/* A binding and an autoscaler say which kind they mean. */
static bool means_another_kind(const struct reference *r, const json_t *object)
{
    const char *kind = str_starts(r->path, "roleRef/") ? jstr_or(object, "roleRef.kind", r->to)
                       : str_starts(r->path, "spec/scaleTargetRef/")
                           ? jstr_or(object, "spec.scaleTargetRef.kind", r->to)
                           : r->to;
    return !str_eq(kind, r->to);
}

/* A subject has a namespace of its own; both follow. */
static void follow_subjects(const struct search *s)
{
    size_t i;
    json_t *subject;
    json_array_foreach(json_object_get(s->from->object, "subjects"), i, subject)
    {
        const char *name = jstr_or(subject, "name", ""), *ns = jstr_or(subject, "namespace", "");
        const struct element *x = str_eq(jstr_or(subject, "kind", ""), "ServiceAccount") ? meant(s, ns, name) : NULL;
        if (!x)
            continue;
        jset_str(subject, "name", element_name(x));
        if (*element_namespace(x))
            jset_str(subject, "namespace", element_namespace(x));
    }
}

static void references_of(const struct elements *all, struct element *x)
{
    const char *kind = element_kind(x), *pods = pod_spec_path(kind);
    for (size_t i = 0; i < ARRAY_LEN(references); i++) {
        const struct reference *r = &references[i];
        const bool of_pods = str_eq(r->from, "POD");
        struct search s = {all, x, r->to};
        if (of_pods ? !pods : !str_eq(r->from, kind) || means_another_kind(r, x->object))
            continue;
        _auto_free_ char *path = of_pods ? xasprintf("%s/%s", pods, r->path) : xstrdup(r->path);
        fields_visit(x->object, path, false, follow, &s);
    }
    if (str_ends(kind, "RoleBinding"))
        follow_subjects(&(struct search){all, x, "ServiceAccount"});
}

void references_run(struct elements *all)
{
    for (size_t i = 0; i < all->len; i++)
        references_of(all, &all->items[i]);
}

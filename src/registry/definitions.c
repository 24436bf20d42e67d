/* definitions.c - the CustomResourceDefinitions of what is built in here but is a custom resource elsewhere: kubectl
 * and courses look for them. They are shown, not interpreted; others are refused (admit_definition), since their
 * objects could not be served.
 *
 * DESIGN: names, scope and subresources come from the resource table; here are only the groups whose rows are shown as
 * definitions, and their columns. When you add such a kind: its group here, its columns below. */
#include "registry/admission_int.h"
#include "registry/registry_int.h"

#include "api/resource.h"
#include "base/str.h"

#include <string.h>

#define WHO "kube-apiserver"

static const struct column {
    const char *plural, *name, *type, *path;
} columns[] = {
    {"volumesnapshots", "ReadyToUse", "boolean", ".status.readyToUse"},
    {"volumesnapshots", "SourcePVC", "string", ".spec.source.persistentVolumeClaimName"},
    {"volumesnapshots", "SourceSnapshotContent", "string", ".spec.source.volumeSnapshotContentName"},
    {"volumesnapshots", "RestoreSize", "string", ".status.restoreSize"},
    {"volumesnapshots", "SnapshotClass", "string", ".spec.volumeSnapshotClassName"},
    {"volumesnapshots", "SnapshotContent", "string", ".status.boundVolumeSnapshotContentName"},
    {"volumesnapshots", "CreationTime", "date", ".status.creationTime"},
    {"volumesnapshots", "Age", "date", ".metadata.creationTimestamp"},
    {"volumesnapshotcontents", "ReadyToUse", "boolean", ".status.readyToUse"},
    {"volumesnapshotcontents", "RestoreSize", "integer", ".status.restoreSize"},
    {"volumesnapshotcontents", "DeletionPolicy", "string", ".spec.deletionPolicy"},
    {"volumesnapshotcontents", "Driver", "string", ".spec.driver"},
    {"volumesnapshotcontents", "VolumeSnapshotClass", "string", ".spec.volumeSnapshotClassName"},
    {"volumesnapshotcontents", "VolumeSnapshot", "string", ".spec.volumeSnapshotRef.name"},
    {"volumesnapshotcontents", "VolumeSnapshotNamespace", "string", ".spec.volumeSnapshotRef.namespace"},
    {"volumesnapshotcontents", "Age", "date", ".metadata.creationTimestamp"},
    {"volumesnapshotclasses", "Driver", "string", ".driver"},
    {"volumesnapshotclasses", "DeletionPolicy", "string", ".deletionPolicy"},
    {"volumesnapshotclasses", "Age", "date", ".metadata.creationTimestamp"},
};

static bool is_shown(const struct resource *r)
{
    return str_eq(r->group, "snapshot.storage.k8s.io");
}

static json_t *names_of(const struct resource *r)
{
    json_t *names = json_pack("{ss ss ss ss}", "kind", r->kind, "listKind", r->list_kind, "plural", r->plural,
                              "singular", r->singular);
    json_t *list = json_array();
    for (const char *const *s = r->short_names; s && *s; s++)
        json_array_append_new(list, json_string(*s));
    json_object_set_new(names, "shortNames", list);
    return names;
}

static json_t *version_of(const struct resource *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (str_eq(columns[i].plural, r->plural))
            json_array_append_new(list, json_pack("{ss ss ss}", "jsonPath", columns[i].path, "name", columns[i].name,
                                                  "type", columns[i].type));
    json_t *version = json_pack("{sb ss s{s{ss sb}} sb sb so}", "deprecated", 0, "name", r->version, "schema",
                                "openAPIV3Schema", "type", "object", "x-kubernetes-preserve-unknown-fields", 1,
                                "served", 1, "storage", 1, "additionalPrinterColumns", list);
    json_object_del(version, "deprecated");
    json_object_set_new(version, "subresources", r->subs ? json_pack("{s{}}", "status") : json_object());
    return version;
}

static json_t *condition(const char *type, const char *reason, const char *message, const char *now)
{
    return json_pack("{ss ss ss ss ss}", "type", type, "status", "True", "lastTransitionTime", now, "reason", reason,
                     "message", message);
}

static json_t *definition_of(const struct resource *r)
{
    json_t *spec = json_pack("{ss s{ss} so ss s[o]}", "group", r->group, "conversion", "strategy", "None", "names",
                             names_of(r), "scope", r->namespaced ? "Namespaced" : "Cluster", "versions", version_of(r));
    return json_pack("{ss ss s{so s{ss}} so}", "apiVersion", "apiextensions.k8s.io/v1", "kind",
                     "CustomResourceDefinition", "metadata", "name", json_string(r->qualified), "annotations",
                     "api-approved.kubernetes.io", "https://github.com/kubernetes-csi/external-snapshotter/pull/814",
                     "spec", spec);
}

static int edit_served(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    const struct resource *r = arg;
    const char *now = jstr_or(obj, "metadata.creationTimestamp", "");
    json_object_set_new(
        obj, "status",
        json_pack("{so s[oo] s[s]}", "acceptedNames", names_of(r), "conditions",
                  condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
                  condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
                  "storedVersions", r->version));
    return 1;
}

int definitions_make(struct registry *reg, struct err *e)
{
    size_t n;
    const struct resource *const *all = resource_all(&n);
    for (size_t i = 0; i < n; i++) {
        if (!is_shown(all[i]))
            continue;
        if (reg_make(reg, WHO, RES.definitions, "", definition_of(all[i]), NULL, e) == 0) {
            if (reg_modify(reg, WHO, RES.definitions, "", all[i]->qualified, "status", edit_served, (void *)all[i], e) <
                0)
                return -1;
        } else if (e->code != ERR_ALREADY_EXISTS) {
            return err_wrap(e, "definition %s", all[i]->qualified);
        }
        err_clear(e);
    }
    return 0;
}

int admit_definition(struct op *op, struct admit *a)
{
    const json_t *obj = a->obj ? a->obj : a->old;
    const struct resource *r =
        resource_by_plural(jstr_or(obj, "spec.group", ""), "v1", jstr_or(obj, "spec.names.plural", ""));
    if (a->verb == ADMIT_CREATE && r && is_shown(r))
        return 0;
    if (a->verb == ADMIT_CREATE)
        return op_forbid(op, obj,
                         "this cluster serves the custom resources it has built in and no others: objects of this one "
                         "could be neither validated nor stored");
    return op_forbid(op, obj, "this custom resource is built into the cluster");
}

/* storage.c - volumes, claims, classes and what a node's drivers offer. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* The class by the beta annotation, else by the field. */
static const char *class_of(const json_t *object)
{
    const char *class = jmap(object, "metadata.annotations", "volume.beta.kubernetes.io/storage-class");
    return class != NULL ? class : jstr_or(object, "spec.storageClassName", "");
}

static void put_class(struct page *p, const json_t *object)
{
    page_put(p, 0, "StorageClass:\t%s\n", class_of(object));
}

static void put_phase(struct page *p, const json_t *object)
{
    const char *deleted = jstr(object, "metadata.deletionTimestamp");
    _auto_buf_ struct buf age = BUF_INIT;
    value_age(&age, deleted, p->now);
    if (deleted != NULL)
        page_put(p, 0, "Status:\tTerminating (lasts %s)\n", buf_str(&age));
    else
        page_put(p, 0, "Status:\t%s\n", jstr_or(object, "status.phase", ""));
}

/* "Term 0:\tzone in [a, b]", a line each requirement; the operator in small letters. */
static void put_term(struct page *p, int level, size_t n, const json_t *requirements, const char *op)
{
    page_put(p, level, "Term %zu:\t", n);
    if (json_array_size(requirements) == 0)
        page_end(p, "<none>");
    for (size_t i = 0; i < json_array_size(requirements); i++) {
        const json_t *r = json_array_get(requirements, i);
        _auto_buf_ struct buf line = BUF_INIT;
        buf_addf(&line, "%s ", jstr_or(r, "key", ""));
        for (const char *s = op != NULL ? op : jstr_or(r, "operator", ""); *s != '\0'; s++)
            buf_addc(&line, *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s);
        if (json_array_size(jat(r, "values")) > 0) {
            buf_adds(&line, " [");
            value_join(&line, jat(r, "values"), ", ");
            buf_addc(&line, ']');
        }
        if (i > 0)
            page_put(p, level, "\t");
        page_put(p, 0, "%s\n", buf_str(&line));
    }
}

/* -- volumes -- */

static void put_claim_of(struct page *p, const json_t *pv)
{
    const json_t *claim = jat(pv, "spec.claimRef");
    bool has = json_is_object(claim);
    page_put(p, 0, "Claim:\t%s%s%s\n", jstr_or(claim, "namespace", ""), has ? "/" : "", jstr_or(claim, "name", ""));
}

static void put_modes(struct page *p, const json_t *modes)
{
    _auto_buf_ struct buf text = BUF_INIT;
    value_modes(&text, modes);
    page_put(p, 0, "Access Modes:\t%s\n", buf_str(&text));
}

static void put_affinity(struct page *p, const json_t *pv)
{
    const json_t *required = jat(pv, "spec.nodeAffinity.required"), *terms = jat(required, "nodeSelectorTerms");
    page_put(p, 0, "Node Affinity:\t");
    page_end(p, json_is_object(required) ? "" : "<none>");
    if (!json_is_object(required))
        return;
    page_put(p, 1, "Required Terms:\t");
    page_end(p, json_array_size(terms) > 0 ? "" : "<none>");
    for (size_t i = 0; i < json_array_size(terms); i++)
        put_term(p, 2, i, jat(json_array_get(terms, i), "matchExpressions"), NULL);
}

const struct row rows_pv[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"Finalizers:", ROW_LIST, "metadata.finalizers", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_class, 0},
    {NULL, ROW_CALL, NULL, NULL, put_phase, 0},
    {NULL, ROW_CALL, NULL, NULL, put_claim_of, 0},
    {"Reclaim Policy:", ROW_SHOW, "spec.persistentVolumeReclaimPolicy", NULL, NULL, 0},
    {NULL, ROW_CALL, "spec.accessModes", NULL, put_modes, 0},
    {"VolumeMode:", ROW_SOME, "spec.volumeMode", NULL, NULL, 0},
    {"Capacity:", ROW_ELSE, "spec.capacity.storage", "0", NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_affinity, 0},
    {"Message:", ROW_SHOW, "status.message", NULL, NULL, 0},
    {"Source:", ROW_TITLE, NULL, NULL, NULL, 0},
    {NULL, ROW_CALL, "spec", NULL, page_volume_source, 0},
    ROWS_END,
};

/* -- claims -- */

static void put_capacity(struct page *p, const json_t *claim)
{
    bool bound = !str_empty(jstr(claim, "spec.volumeName"));
    page_put(p, 0, "Capacity:\t%s\n", bound ? jstr_or(claim, "status.capacity.storage", "0") : "");
    put_modes(p, bound ? jat(claim, "status.accessModes") : NULL);
}

void page_claim(struct page *p, const json_t *claim, bool whole)
{
    static const struct row named[] = {
        {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
        {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
        ROWS_END,
    };
    static const struct row described[] = {
        {"Volume:", ROW_SHOW, "spec.volumeName", NULL, NULL, 0},
        {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
        {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
        ROWS_END,
    };
    static const struct row finalizers[] = {{"Finalizers:", ROW_LIST, "metadata.finalizers", NULL, NULL, 0}, ROWS_END};
    static const struct row sized[] = {
        {NULL, ROW_CALL, NULL, NULL, put_capacity, 0},
        {"VolumeMode:", ROW_SOME, "spec.volumeMode", NULL, NULL, 0},
        ROWS_END,
    };
    static const struct row source[] = {
        {"DataSource:", ROW_TITLE, NULL, NULL, NULL, 0},
        {"APIGroup:", ROW_SOME, "apiGroup", NULL, NULL, 1},
        {"Kind:", ROW_SHOW, "kind", NULL, NULL, 1},
        {"Name:", ROW_SHOW, "name", NULL, NULL, 1},
        ROWS_END,
    };
    if (whole)
        page_rows(p, named, claim);
    put_class(p, claim);
    if (whole)
        put_phase(p, claim);
    page_rows(p, described, claim);
    if (whole)
        page_rows(p, finalizers, claim);
    page_rows(p, sized, claim);
    if (json_is_object(jat(claim, "spec.dataSource")))
        page_rows(p, source, jat(claim, "spec.dataSource"));
}

static bool uses(const json_t *pod, const json_t *claim)
{
    const json_t *volumes = jat(pod, "spec.volumes"), *owners = jat(claim, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(volumes); i++)
        if (str_eq(jstr(json_array_get(volumes, i), "persistentVolumeClaim.claimName"), jstr(claim, "metadata.name")))
            return true;
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *o = json_array_get(owners, i);
        if (str_eq(jstr(o, "kind"), "Pod") && str_eq(jstr(o, "uid"), jstr(pod, "metadata.uid")))
            return true;
    }
    return false;
}

static void put_users(struct page *p, const json_t *claim)
{
    const json_t *pods = jat(p->related, "pods");
    _auto_strlist_ struct strlist names = {0};
    for (size_t i = 0; i < json_array_size(pods); i++)
        if (uses(json_array_get(pods, i), claim))
            strlist_add(&names, jstr_or(json_array_get(pods, i), "metadata.name", ""));
    strlist_sort(&names);
    page_put(p, 0, "Used By:\t");
    if (names.len == 0)
        page_end(p, "<none>");
    for (size_t i = 0; i < names.len; i++)
        page_put(p, 0, "%s%s\n", i > 0 ? "\t" : "", names.items[i]);
}

static void put_pvc(struct page *p, const json_t *claim)
{
    page_claim(p, claim, true);
    put_users(p, claim);
    page_conditions_seen(p, jat(claim, "status.conditions"), "LastProbeTime", "lastProbeTime");
}

const struct row rows_pvc[] = {{NULL, ROW_CALL, NULL, NULL, put_pvc, 0}, ROWS_END};

/* -- classes -- */

static void put_default(struct page *p, const json_t *class)
{
    static const char *const keys[] = {"storageclass.kubernetes.io/is-default-class",
                                       "storageclass.beta.kubernetes.io/is-default-class"};
    bool is = false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        is |= str_eq(jmap(class, "metadata.annotations", keys[i]), "true");
    page_put(p, 0, "IsDefaultClass:\t%s\n", is ? "Yes" : "No");
}

static void put_options(struct page *p, const json_t *class)
{
    const json_t *grow = jat(class, "allowVolumeExpansion"), *options = jat(class, "mountOptions");
    page_put(p, 0, "AllowVolumeExpansion:\t%s\n",
             json_is_boolean(grow) ? (json_is_true(grow) ? "True" : "False") : "<unset>");
    page_put(p, 0, "MountOptions:%s\n", json_array_size(options) == 0 ? "\t<none>" : "");
    for (size_t i = 0; i < json_array_size(options); i++)
        page_put(p, 1, "%s\n", json_string_value(json_array_get(options, i)));
}

static void put_topologies(struct page *p, const json_t *terms)
{
    if (!json_is_array(terms))
        return;
    page_put(p, 0, "AllowedTopologies:\t");
    page_end(p, json_array_size(terms) == 0 ? "<none>" : "");
    for (size_t i = 0; i < json_array_size(terms); i++)
        put_term(p, 1, i, jat(json_array_get(terms, i), "matchLabelExpressions"), "in");
}

const struct row rows_storage_class[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_default, 0},
    {"Annotations:", ROW_PAIRS, "metadata.annotations", NULL, NULL, 0},
    {"Provisioner:", ROW_SHOW, "provisioner", NULL, NULL, 0},
    {"Parameters:", ROW_PAIRS, "parameters", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_options, 0},
    {"ReclaimPolicy:", ROW_SOME, "reclaimPolicy", NULL, NULL, 0},
    {"VolumeBindingMode:", ROW_SOME, "volumeBindingMode", NULL, NULL, 0},
    {NULL, ROW_CALL, "allowedTopologies", NULL, put_topologies, 0},
    ROWS_END,
};

const struct row rows_attributes_class[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Annotations:", ROW_PAIRS, "metadata.annotations", NULL, NULL, 0},
    {"DriverName:", ROW_SHOW, "driverName", NULL, NULL, 0},
    {"Parameters:", ROW_PAIRS, "parameters", NULL, NULL, 0},
    ROWS_END,
};

static void put_drivers(struct page *p, const json_t *drivers)
{
    if (!json_is_array(drivers))
        return;
    page_put(p, 1, "Drivers:\n");
    for (size_t i = 0; i < json_array_size(drivers); i++) {
        const json_t *d = json_array_get(drivers, i);
        page_put(p, 2, "%s:\n", jstr_or(d, "name", ""));
        page_put(p, 3, "Node ID:\t%s\n", jstr_or(d, "nodeID", ""));
        if (json_is_integer(jat(d, "allocatable.count"))) {
            page_put(p, 3, "Allocatables:\n");
            page_put(p, 4, "Count:\t%lld\n", (long long)jint(d, "allocatable.count", 0));
        }
        if (!json_is_array(jat(d, "topologyKeys")))
            continue;
        _auto_buf_ struct buf keys = BUF_INIT;
        value_text(&keys, jat(d, "topologyKeys"));
        page_put(p, 3, "Topology Keys:\t%s\n", buf_str(&keys));
    }
}

const struct row rows_csi_node[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"CreationTimestamp:", ROW_TIME, "metadata.creationTimestamp", NULL, NULL, 0},
    {"Spec:", ROW_TITLE, NULL, NULL, NULL, 0},
    {NULL, ROW_CALL, "spec.drivers", NULL, put_drivers, 0},
    ROWS_END,
};

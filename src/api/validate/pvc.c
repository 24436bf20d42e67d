/* pvc.c - persistent volume claims: the spec, claim templates, and how little an update may change.
 *
 * DESIGN: a claim's spec is fixed but for the requested size and the attributes class of a bound claim, the volume's
 * name once, and a class that was never set. An update undoes these in a copy and compares the rest.
 * THREADS: pure functions. Source: pkg/apis/core/validation. */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

#define PVC_SPEC         "core.v1.PersistentVolumeClaimSpec"
#define CLASS_ANNOTATION "volume.beta.kubernetes.io/storage-class"

/* -- spec -- */

static void data_source_check(const json_t *source, const struct vpath *p, struct field_errors *errs)
{
    const char *group = vstr(source, "apiGroup"), *kind = vstr(source, "kind");
    v_required_str(errs, p, source, "name");
    v_required_str(errs, p, source, "kind");
    if (group[0] == '\0' && strcmp(kind, "PersistentVolumeClaim") != 0)
        v_invalid(errs, p, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    if (group[0] != '\0')
        v_name(errs, FIELD(p, "apiGroup"), group, rule_subdomain);
    if (vstr(source, "namespace")[0] != '\0')
        v_name(errs, FIELD(p, "namespace"), vstr(source, "namespace"), rule_label);
}

static void data_sources_check(const json_t *spec, const struct vpath *p, struct field_errors *errs)
{
    static const char *const members[] = {"apiGroup", "kind", "name"};
    const json_t *source = vget(spec, "dataSource"), *ref = vget(spec, "dataSourceRef");
    if (source != NULL)
        data_source_check(source, FIELD(p, "dataSource"), errs);
    if (ref != NULL)
        data_source_check(ref, FIELD(p, "dataSourceRef"), errs);
    if (source == NULL || ref == NULL)
        return;
    bool same = true;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        same = same && strcmp(vstr(source, members[i]), vstr(ref, members[i])) == 0;
    /* the real server prints a path here where a value was meant */
    if (!same)
        v_invalid_go(errs, p,
                     xstrdup("field.Path{name:\"dataSource\", index:\"\", parent:(*field.Path)(0xc000000000)}"),
                     "must match dataSourceRef");
}

static void storage_request_check(const json_t *spec, const struct vpath *p, struct field_errors *errs)
{
    const json_t *storage = jat(spec, "resources.requests.storage");
    size_t faults = errs->len;
    if (storage == NULL) {
        v_required(errs, p, NULL);
        return;
    }
    v_qty_positive(errs, p, storage);
    if (errs->len == faults)
        v_qty_resource(errs, p, "storage", storage);
}

void pvc_spec_check(const json_t *spec, const struct vpath *p, struct field_errors *errs)
{
    const json_t *modes = vget(spec, "accessModes");
    if (json_array_size(modes) == 0)
        v_required(errs, FIELD(p, "accessModes"), "at least 1 access mode is required");
    v_label_selector(errs, FIELD(p, "selector"), vget(spec, "selector"));
    v_access_modes(errs, FIELD(p, "accessModes"), modes);
    storage_request_check(spec, KEY(FIELD(p, "resources"), "storage"), errs);
    if (vstr(spec, "storageClassName")[0] != '\0')
        v_name(errs, FIELD(p, "storageClassName"), vstr(spec, "storageClassName"), rule_subdomain);
    v_choice_opt(errs, p, spec, "volumeMode", volume_modes);
    data_sources_check(spec, p, errs);
}

/* Of the metadata only labels and annotations mean anything in a template. */
void pvc_template_check(const json_t *template_, const struct vpath *p, struct field_errors *errs)
{
    const json_t *meta = vget(template_, "metadata");
    const struct vpath *meta_at = FIELD(p, "metadata");
    const char *member;
    json_t *value;
    v_annotations(errs, FIELD(meta_at, "annotations"), vget(meta, "annotations"));
    v_labels(errs, FIELD(meta_at, "labels"), vget(meta, "labels"));
    json_object_foreach((json_t *)meta, member, value)
    {
        if (!json_is_null(value) && strcmp(member, "annotations") != 0 && strcmp(member, "labels") != 0)
            v_forbidden(errs, FIELD(meta_at, member), "cannot be set");
    }
    pvc_spec_check(vget(template_, "spec"), FIELD(p, "spec"), errs);
}

void pvc_create(const struct change *c)
{
    change_meta_create(c);
    pvc_spec_check(vget(c->obj, "spec"), FIELD(NULL, "spec"), c->errs);
}

/* -- update -- */

static const char *class_annotation(const json_t *pvc)
{
    return jmap(pvc, "metadata.annotations", CLASS_ANNOTATION);
}

/* The class moved from the annotation to its member. */
static bool class_upgraded(const struct change *c)
{
    const char *before = class_annotation(c->old), *now = class_annotation(c->obj);
    const char *class = jstr(c->obj, "spec.storageClassName");
    return before != NULL && jstr(c->old, "spec.storageClassName") == NULL && str_eq(class, before) &&
           (now == NULL || str_eq(now, before));
}

/* A claim without class got one, as the controller does for the default class. */
static bool class_given(const struct change *c)
{
    const char *annotation = class_annotation(c->old);
    const char *class = jstr(c->obj, "spec.storageClassName");
    return jstr(c->old, "spec.storageClassName") == NULL && class != NULL &&
           (annotation == NULL || str_eq(annotation, class));
}

/* The size of a bound claim is checked apart. */
static void restore_requested_size(json_t *spec, const json_t *before)
{
    json_t *size = jat(before, "resources.requests.storage");
    if (!json_is_object(jat(spec, "resources.requests")))
        return;
    json_object_set_new(spec, "resources", json_deep_copy(vget(spec, "resources")));
    if (size != NULL)
        json_object_set(jat(spec, "resources.requests"), "storage", size);
}

static void annotation_check(const struct change *c)
{
    const char *before = class_annotation(c->old), *now = class_annotation(c->obj);
    if (!str_eq(before != NULL ? before : "", now != NULL ? now : ""))
        v_invalid(c->errs, FIELD(FIELD(FIELD(NULL, "metadata"), "annotations"), CLASS_ANNOTATION), now ? now : "",
                  "field is immutable");
}

static void spec_update_check(const struct change *c)
{
    _auto_json_ json_t *now = json_copy(vget(c->obj, "spec"));
    _auto_json_ json_t *before = json_copy(vget(c->old, "spec"));
    if (vstr(before, "volumeName")[0] == '\0')
        vrestore(before, now, "volumeName");
    if (class_upgraded(c)) {
        json_object_del(now, "storageClassName");
    } else {
        annotation_check(c);
        if (class_given(c))
            vrestore(now, before, "storageClassName");
    }
    if (strcmp(jstr_or(c->obj, "status.phase", ""), "Bound") == 0) {
        restore_requested_size(now, before);
        vrestore(now, before, "volumeAttributesClassName");
    }
    if (go_equal(PVC_SPEC, now, before))
        return;
    _auto_free_ char *diff = go_diff(PVC_SPEC, before, now);
    _auto_free_ char *detail = xasprintf("spec is immutable after creation except resources.requests and "
                                         "volumeAttributesClassName for bound claims\n%s",
                                         diff);
    v_forbidden(c->errs, FIELD(NULL, "spec"), detail);
}

static void size_update_check(const struct change *c)
{
    struct quantity now = qty(jat(c->obj, "spec.resources.requests.storage"));
    struct quantity before = qty(jat(c->old, "spec.resources.requests.storage"));
    struct quantity real = qty(jat(c->old, "status.capacity.storage"));
    const struct vpath *requests = FIELD(FIELD(FIELD(NULL, "spec"), "resources"), "requests");
    if (quantity_cmp(&now, &before) < 0 && quantity_cmp(&now, &real) <= 0)
        v_forbidden(c->errs, FIELD(requests, "storage"), "field can not be less than status.capacity");
}

static void status_update(const struct change *c)
{
    _auto_strlist_ struct strlist names = {0};
    const json_t *capacity = jat(c->obj, "status.capacity");
    const struct vpath *p = FIELD(FIELD(NULL, "status"), "capacity");
    change_meta_update(c);
    sorted_keys(capacity, &names);
    for (size_t i = 0; i < names.len; i++)
        v_qty_basic(c->errs, KEY(p, names.items[i]), vget(capacity, names.items[i]));
}

void pvc_update(const struct change *c)
{
    if (strcmp(c->sub, "status") == 0) {
        status_update(c);
        return;
    }
    pvc_create(c);
    change_meta_update(c);
    pvc_create(c); /* the real server asks twice, so complaints come twice */
    spec_update_check(c);
    size_update_check(c);
    v_immutable_str(c->errs, FIELD(NULL, "volumeMode"), jstr_or(c->obj, "spec.volumeMode", ""),
                    jstr_or(c->old, "spec.volumeMode", ""));
}

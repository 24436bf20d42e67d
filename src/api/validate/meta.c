/* meta.c - the rules of metadata: names, labels, annotations, owners, finalizers; what an update may not touch.
 *
 * DESIGN: two layers, as in the real server. The generic one (apimachinery api/validation) runs for every write; most
 * kinds run it again through core's own, which knows the standard finalizers. That is why one mistake can stand twice
 * in details.causes of an update while the message names it once.
 * THREADS: pure functions. */
#include "api/validate/validate_int.h"

enum { ANNOTATIONS_MAX = 256 * 1024 };

#define IMMUTABLE "field is immutable"

static const char *const standard_finalizers[] = {"kubernetes", "orphan", "foregroundDeletion", NULL};

void v_labels(struct field_errors *errs, const struct vpath *p, const json_t *labels)
{
    _auto_strlist_ struct strlist keys = {0};
    sorted_keys(labels, &keys);
    for (size_t i = 0; i < keys.len; i++) {
        v_name(errs, p, keys.items[i], rule_qualified);
        v_name(errs, p, vstr(labels, keys.items[i]), rule_label_value);
    }
}

void v_annotations(struct field_errors *errs, const struct vpath *p, const json_t *annotations)
{
    _auto_strlist_ struct strlist keys = {0};
    sorted_keys(annotations, &keys);
    size_t total = 0;
    for (size_t i = 0; i < keys.len; i++) {
        v_name(errs, p, keys.items[i], rule_qualified_nocase);
        total += strlen(keys.items[i]) + json_string_length(json_object_get(annotations, keys.items[i]));
    }
    if (total > ANNOTATIONS_MAX)
        v_too_long(errs, p, ANNOTATIONS_MAX);
}

/* -- owners -- */

static void owner_check(struct field_errors *errs, const struct vpath *p, const json_t *ref)
{
    static const char *const parts[] = {"kind", "name", "uid"};
    const char *api = vstr(ref, "apiVersion");
    const char *slash = strchr(api, '/');
    if (*(slash != NULL ? slash + 1 : api) == '\0')
        v_invalid(errs, FIELD(p, "apiVersion"), api, "version must not be empty");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (vstr(ref, parts[i])[0] != '\0')
            continue;
        _auto_free_ char *detail = xasprintf("%s must not be empty", parts[i]);
        v_invalid(errs, FIELD(p, parts[i]), "", detail);
    }
    if (strcmp(api, "v1") == 0 && strcmp(vstr(ref, "kind"), "Event") == 0)
        v_invalid_go(errs, p, go_struct_text("meta.v1.OwnerReference", ref),
                     "/v1, Kind=Event is disallowed from being an owner");
}

static void owners_check(struct field_errors *errs, const struct vpath *p, const json_t *owners)
{
    const json_t *first = NULL;
    size_t i;
    json_t *ref;
    json_array_foreach(owners, i, ref)
    {
        owner_check(errs, p, ref);
        if (!vbool(ref, "controller"))
            continue;
        if (first != NULL) {
            _auto_free_ char *detail = xasprintf(
                "Only one reference can have Controller set to true. Found \"true\" in references for %s/%s and %s/%s",
                vstr(first, "kind"), vstr(first, "name"), vstr(ref, "kind"), vstr(ref, "name"));
            v_invalid_go(errs, p, go_list_text("meta.v1.OwnerReference", owners), detail);
        } else {
            first = ref;
        }
    }
}

/* -- finalizers -- */

static void finalizer_known(struct field_errors *errs, const struct vpath *p, const char *name)
{
    if (strchr(name, '/') == NULL && !one_of(name, standard_finalizers))
        v_invalid(errs, p, name, "name is neither a standard finalizer name nor is it fully qualified");
}

void v_finalizer(struct field_errors *errs, const struct vpath *p, const char *name)
{
    v_name(errs, p, name, rule_qualified);
    finalizer_known(errs, p, name);
}

static void finalizers_check(struct field_errors *errs, const struct vpath *p, const json_t *meta)
{
    const json_t *list = vget(meta, "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        v_name(errs, p, vitem(list, i), rule_qualified);
    if (jarr_has(meta, "finalizers", "orphan") && jarr_has(meta, "finalizers", "foregroundDeletion"))
        v_invalid_go(errs, p, go_list_text("string", list),
                     "finalizer orphan and foregroundDeletion cannot be both set");
}

static void finalizers_known(struct field_errors *errs, const struct vpath *p, const json_t *meta)
{
    const json_t *list = vget(meta, "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        finalizer_known(errs, ITEM(p, i), vitem(list, i));
}

static void no_new_finalizers(struct field_errors *errs, const struct vpath *p, const json_t *meta, const json_t *old)
{
    _auto_json_ json_t *extra = json_array();
    const json_t *list = vget(meta, "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!jarr_has(old, "finalizers", vitem(list, i)))
            jarr_add_unique(extra, vitem(list, i));
    }
    if (json_array_size(extra) == 0)
        return;
    _auto_free_ char *names = go_list_text("string", extra);
    _auto_free_ char *detail =
        xasprintf("no new finalizers can be added if the object is being deleted, found new finalizers %s", names);
    v_forbidden(errs, p, detail);
}

/* -- create -- */

static void common_check(struct field_errors *errs, const struct vpath *p, const json_t *meta)
{
    v_labels(errs, FIELD(p, "labels"), vget(meta, "labels"));
    v_annotations(errs, FIELD(p, "annotations"), vget(meta, "annotations"));
    owners_check(errs, FIELD(p, "ownerReferences"), vget(meta, "ownerReferences"));
}

void meta_create(const json_t *obj, bool namespaced, name_rule *name, enum meta_layer layer, struct field_errors *errs)
{
    const struct vpath *p = FIELD(NULL, "metadata");
    const json_t *meta = vget(obj, "metadata");
    const char *ns = vstr(meta, "namespace");
    if (vstr(meta, "generateName")[0] != '\0')
        v_name_prefix(errs, FIELD(p, "generateName"), vstr(meta, "generateName"), name);
    if (vstr(meta, "name")[0] == '\0')
        v_required(errs, FIELD(p, "name"), "name or generateName is required");
    else
        v_name(errs, FIELD(p, "name"), vstr(meta, "name"), name);
    if (!namespaced && ns[0] != '\0')
        v_forbidden(errs, FIELD(p, "namespace"), "not allowed on this type");
    if (namespaced && ns[0] == '\0')
        v_required(errs, FIELD(p, "namespace"), NULL);
    else if (namespaced)
        v_name(errs, FIELD(p, "namespace"), ns, rule_label);
    v_nonnegative_field(errs, p, meta, "generation");
    common_check(errs, p, meta);
    finalizers_check(errs, FIELD(p, "finalizers"), meta);
    if (layer == META_CORE)
        finalizers_known(errs, FIELD(p, "finalizers"), meta);
}

/* -- update -- */

/* "2024-01-02T03:04:05Z" as Go prints a time. Returns new text, NULL for none. */
static char *go_time_text(const char *rfc3339)
{
    size_t n = strlen(rfc3339);
    if (n == 0)
        return NULL;
    char *text = xasprintf("%.*s +0000 UTC", (int)(str_ends(rfc3339, "Z") ? n - 1 : n), rfc3339);
    char *t = strchr(text, 'T');
    if (t != NULL && t < text + n)
        *t = ' ';
    return text;
}

/* Members that stay what they were; the registry fills those a client left out before it asks. */
static void immutable_check(struct field_errors *errs, const struct vpath *p, const json_t *meta, const json_t *old)
{
    static const char *const members[] = {"name", "namespace", "uid"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *now = vstr(meta, members[i]);
        if (now[0] != '\0' && strcmp(now, vstr(old, members[i])) != 0)
            v_invalid(errs, FIELD(p, members[i]), now, IMMUTABLE);
    }
    if (!vhas(old, "deletionTimestamp") && vhas(meta, "deletionTimestamp"))
        v_invalid_go(errs, FIELD(p, "deletionTimestamp"), go_time_text(vstr(meta, "deletionTimestamp")), IMMUTABLE);
    if (vhas(meta, "deletionGracePeriodSeconds") &&
        !json_equal(vget(meta, "deletionGracePeriodSeconds"), vget(old, "deletionGracePeriodSeconds")))
        v_invalid_int(errs, FIELD(p, "deletionGracePeriodSeconds"), vint(meta, "deletionGracePeriodSeconds"),
                      IMMUTABLE);
}

void meta_update(const json_t *obj, const json_t *old, enum meta_layer layer, struct field_errors *errs)
{
    const struct vpath *p = FIELD(NULL, "metadata");
    const json_t *meta = vget(obj, "metadata"), *old_meta = vget(old, "metadata");
    if (vhas(old_meta, "deletionTimestamp"))
        no_new_finalizers(errs, FIELD(p, "finalizers"), meta, old_meta);
    immutable_check(errs, p, meta, old_meta);
    common_check(errs, p, meta);
    if (layer == META_CORE)
        finalizers_known(errs, FIELD(p, "finalizers"), meta);
}

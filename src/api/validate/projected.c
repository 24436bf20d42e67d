/* projected.c - volumes made of other objects' parts: projected sources, the downward API, keys to paths.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation. */
#include "api/validate/pod_int.h"

void v_key_to_path(struct field_errors *errs, const struct vpath *p, const json_t *items)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        const struct vpath *at = ITEM(p, i);
        v_required_str(errs, at, item, "key");
        v_required_str(errs, at, item, "path");
        v_unreserved_path(errs, FIELD(at, "path"), vstr(item, "path"));
        v_file_mode(errs, at, item, "mode");
    }
}

/* The real server's paths here name the volume's source, not the item. */
static void downward_file_check(struct field_errors *errs, const struct vpath *p, const json_t *file)
{
    const json_t *field = vget(file, "fieldRef"), *resource = vget(file, "resourceFieldRef");
    v_required_str(errs, p, file, "path");
    v_unreserved_path(errs, FIELD(p, "path"), vstr(file, "path"));
    if (field != NULL) {
        v_field_ref(errs, FIELD(p, "fieldRef"), field, FIELD_REF_VOLUME);
        if (resource != NULL)
            v_invalid(errs, p, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
    } else if (resource != NULL) {
        v_resource_field_ref(errs, FIELD(p, "resourceFieldRef"), resource, true);
    } else {
        v_required(errs, p, "one of fieldRef and resourceFieldRef is required");
    }
    v_file_mode(errs, p, file, "mode");
}

static void downward_items_check(struct field_errors *errs, const struct vpath *p, const json_t *source)
{
    size_t i;
    json_t *file;
    json_array_foreach(vget(source, "items"), i, file) downward_file_check(errs, p, file);
}

void v_downward_api(struct field_errors *errs, const struct vpath *p, const json_t *source)
{
    v_file_mode(errs, p, source, "defaultMode");
    downward_items_check(errs, p, source);
}

/* -- projected -- */

struct projection {
    struct field_errors *errs;
    const struct vpath *volume; /* "…projected" */
    struct strlist paths;       /* where the sources so far put files */
};

/* `told_as`: what the complaint quotes; NULL for the path. */
static void place_items(struct projection *pr, const json_t *items, const char *told_as)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        const char *path = vstr(item, "path");
        if (path[0] != '\0' && strlist_has(&pr->paths, path))
            v_invalid(pr->errs, pr->volume, told_as != NULL ? told_as : path, "conflicting duplicate paths");
        else if (path[0] != '\0')
            strlist_add(&pr->paths, path);
    }
}

/* A secret or config map: name, keys, paths. */
static void projected_object(struct projection *pr, const struct vpath *p, const json_t *source)
{
    v_required_str(pr->errs, p, source, "name");
    v_key_to_path(pr->errs, FIELD(p, "items"), vget(source, "items"));
    place_items(pr, vget(source, "items"), vstr(source, "name"));
}

static void projected_downward(struct projection *pr, const struct vpath *p, const json_t *source)
{
    downward_items_check(pr->errs, p, source);
    place_items(pr, vget(source, "items"), NULL);
}

static void projected_token(struct projection *pr, const struct vpath *p, const json_t *source)
{
    if (vhas(source, "expirationSeconds"))
        v_token_lifetime(pr->errs, FIELD(p, "expirationSeconds"), vint(source, "expirationSeconds"));
    if (vstr(source, "path")[0] == '\0')
        v_required(pr->errs, FIELD(pr->volume, "path"), NULL);
    else
        v_unreserved_path(pr->errs, FIELD(pr->volume, "path"), vstr(source, "path"));
}

static const struct {
    const char *name;
    void (*rules)(struct projection *pr, const struct vpath *p, const json_t *source);
} projections[] = {
    {"secret", projected_object},
    {"configMap", projected_object},
    {"downwardAPI", projected_downward},
    {"serviceAccountToken", projected_token},
};

void v_projected(struct field_errors *errs, const struct vpath *p, const json_t *projected)
{
    struct projection pr = {.errs = errs, .volume = p};
    const struct vpath *list = FIELD(p, "sources");
    size_t i;
    json_t *entry;
    v_file_mode(errs, p, projected, "defaultMode");
    json_array_foreach(vget(projected, "sources"), i, entry)
    {
        const struct vpath *at = ITEM(list, i);
        size_t found = 0;
        for (size_t k = 0; k < ARRAY_LEN(projections); k++) {
            const json_t *source = vget(entry, projections[k].name);
            if (source != NULL)
                projections[k].rules(&pr, FIELD(at, projections[k].name), source);
            found += source != NULL;
        }
        if (found > 1)
            v_forbidden(errs, at, "may not specify more than 1 volume type per source");
    }
    strlist_release(&pr.paths);
}

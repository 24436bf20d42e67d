/* build_int.h - what the parts of one build share. Private to this folder. */
#ifndef STOWAGE_KUBECTL_KUSTOMIZE_BUILD_INT_H
#define STOWAGE_KUBECTL_KUSTOMIZE_BUILD_INT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

/* One object on its way through the layers. */
struct element {
    json_t *object;         /* owned */
    struct strlist past;    /* "namespace/name": all that it was called, as written first */
    struct strlist affixes; /* prefixes and suffixes in the order they came: which variant it belongs to */
    bool hashed;            /* its name ends with a hash of what is in it, when all is done */
};
struct elements {
    struct element *items;
    size_t len, cap;
};
/* One kustomization that is worked on. */
struct layer {
    const char *folder;   /* absolute, links resolved */
    const json_t *spec;   /* the kustomization */
    struct elements *all; /* of this layer and those below */
    struct strlist *warnings;
};

/* ---- elements.c ---- */
void elements_release(struct elements *es);
struct element *elements_add(struct elements *es, json_t *take_object);
void elements_remove(struct elements *es, size_t i);
const char *element_kind(const struct element *x);
const char *element_name(const struct element *x);
const char *element_namespace(const struct element *x);
/* "apps" of apps/v1. Returns new. */
char *element_group(const struct element *x);
bool element_is_namespaced(const struct element *x);
/* Sets both and remembers what it was. */
void element_rename(struct element *x, const char *ns, const char *name);
/* Is it, or was it ever, called so? ns NULL: anywhere. */
bool element_was(const struct element *x, const char *ns, const char *name);
/* "Pod.v1.[noGrp]/name.[noNs]" as messages name an object. Returns new. */
char *object_id(const json_t *object);

/* ---- files of a layer (layer.c) ---- */
/* The text of a file in or below the folder. */
int layer_text(const struct layer *l, const char *path, struct buf *out, struct err *e);
/* Its objects, lists opened. *out: new array. */
int layer_objects(const struct layer *l, const char *path, json_t **out, struct err *e);

/* ---- fields.c ---- */
/* Calls `fn` with each value at "spec/template/spec/containers/image"; lists on the way are walked through. `create`:
 * what is missing is made, the last as null. What fn returns replaces the value (taken); NULL leaves it. */
typedef json_t *(*field_fn)(void *arg, const json_t *value);
void fields_visit(json_t *object, const char *path, bool create, field_fn fn, void *arg);
/* Where pods are described in a kind: "spec", "spec/template/spec", "spec/jobTemplate/spec/template/spec"; NULL:
 * nowhere. */
const char *pod_spec_path(const char *kind);

/* ---- the steps, in their order ---- */
int generators_run(struct layer *l, struct err *e);
int patches_run(struct layer *l, struct err *e);
void namespace_run(struct layer *l);
void names_run(struct layer *l);
void labels_run(struct layer *l);
int replicas_run(struct layer *l, struct err *e);
void images_run(struct layer *l);
int replacements_run(struct layer *l, struct err *e);
/* ---- once, at the end ---- */
void hashes_run(struct elements *all);
void references_run(struct elements *all);
void elements_sort(struct elements *all, const json_t *spec);

/* Objects that a `target` or `select` means: group, version, kind, name, namespace, labelSelector, annotationSelector.
 * Names and kinds are regular expressions that must match whole. */
bool target_means(const json_t *target, const struct element *x);

#endif

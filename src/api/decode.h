/* decode.h - bytes to a typed object: JSON, YAML, protobuf; strictness; canonical order; defaults.
 *
 * Messages are those of Kubernetes 1.32 (Go's json, sigs.k8s.io/json and yaml): wrong types, unknown and duplicate
 * fields, malformed text. */
#ifndef STOWAGE_API_DECODE_H
#define STOWAGE_API_DECODE_H

#include "api/resource.h"
#include "api/schema.h"
#include "base/err.h"
#include "base/str.h"

enum media { MEDIA_JSON, MEDIA_YAML, MEDIA_PROTOBUF, MEDIA_CBOR_UNSUPPORTED };
enum field_validation { FIELDS_WARN, FIELDS_STRICT, FIELDS_IGNORE };

struct decode_opts {
    const struct resource *want; /* the resource of the URL: kind and apiVersion are filled from it and must agree */
    const struct schema_type
        *type; /* set instead of `want` for subresource bodies (Scale, DeleteOptions, Binding, …) */
    enum media media;
    enum field_validation fields;
};

/* Decodes one object. The result has its fields in schema order, kind and apiVersion first, only known fields, no
 * defaults yet. `warnings` gets one text per unknown/duplicate field under FIELDS_WARN. Errors: BAD_REQUEST with the
 * real server's text, UNSUPPORTED_MEDIA. Returns new in *out_tree. */
int decode_object(const struct decode_opts *opts, const void *bytes, size_t len, json_t **out_tree,
                  struct strlist *warnings, struct err *e);

/* The same checks on a tree already parsed (results of patches). Errors are INVALID with the bare text ("strict
 * decoding error: unknown field \"foo\""), which the caller puts into its " \"\" is invalid: patch: Invalid value: …".
 */
int decode_tree(const struct decode_opts *opts, json_t *take_tree, json_t **out_tree, struct strlist *warnings,
                struct err *e);

/* The same for a tree that began as a copy of `live`, an object decoded before: only what differs from it, among the
 * members of the object and of its metadata, is read again; the rest is taken over. Whatever was read again gets its
 * defaults, as by defaults_apply(). The order of members is left to schema_order(). */
int decode_edited(const struct decode_opts *opts, const json_t *live, json_t *take_tree, json_t **out_tree,
                  struct err *e);

/* Plain text -> jansson without a schema: for `lab.yaml`, manifests, kubectl verbs of our own. Multi-document YAML:
 * json array of documents. Errors are worded as Go's yaml ("yaml: line 4: …") and carry the line. */
int yaml_parse_all(const char *text, size_t len, json_t **out_array, struct err *e);
/* The first document only, as the API server reads a body. `dups` (may be NULL) gets "line 5: key \"name\" already set
 * in map". */
int yaml_parse(const char *text, size_t len, json_t **out, struct strlist *dups, struct err *e);
/* Errors are worded as Go's encoding/json. */
int json_parse(const char *text, size_t len, json_t **out, struct err *e);
/* As json_parse(); `dups` gets "duplicate field \"data.a\"" (bodies of patches). */
int json_parse_strict(const char *text, size_t len, json_t **out, struct strlist *dups, struct err *e);
/* Returns new text. */
char *yaml_text(const json_t *tree);

/* Fills in defaults in place: schema defaults plus the conditional ones (Pod, Service, Deployment, PVC, PV, …) of
 * Kubernetes pkg/apis/<group>/v1/defaults.go. */
void defaults_apply(const struct resource *r, json_t *tree);
/* Only of the object itself and of those members whose names are in `members` (an object); orders nothing. */
void defaults_apply_members(const struct resource *r, const json_t *members, json_t *tree);
/* Puts members in schema order, in place (after defaults and edits); cheap when they are. */
void schema_order(const struct schema_type *t, json_t *tree);
/* The same into a copy. Returns new. */
json_t *schema_reorder(const struct schema_type *t, const json_t *tree);

#endif

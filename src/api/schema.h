/* schema.h - the single source of types: fields, defaults, list and patch keys, descriptions.
 *
 * The text files in src/api/schema/ (our compact notation, described at the top of schema.c) are embedded in the binary
 * and parsed once at start. From them come: unknown and duplicate field checks, type errors, defaults, strategic-merge
 * keys, apply list maps, OpenAPI v2 and v3, explain, and the canonical order of fields. Source of the facts:
 * Kubernetes 1.32 API types. THREADS: read only after schema_init(). */
#ifndef STOWAGE_API_SCHEMA_H
#define STOWAGE_API_SCHEMA_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_base {
    SB_STRING,
    SB_BOOL,
    SB_INT32,
    SB_INT64,
    SB_DOUBLE,
    SB_BYTES, /* base64 text */
    SB_TIME,  /* metav1.Time */
    SB_MICROTIME,
    SB_QUANTITY,
    SB_INT_OR_STRING,
    SB_ANY,    /* raw JSON: FieldsV1, RawExtension */
    SB_OBJECT, /* a struct: `type` */
    SB_BASE_MAX
};
enum schema_shape { SHAPE_ONE, SHAPE_LIST, SHAPE_MAP, SHAPE_MAP_OF_LIST };
enum schema_list { LIST_ATOMIC, LIST_SET, LIST_MAP };

struct schema_type;

struct schema_field {
    const char *name;    /* JSON name */
    const char *go_name; /* Go field name where it is not just the capitalised JSON name (messages) */
    enum schema_base base;
    enum schema_shape shape;
    const struct schema_type *type; /* for SB_OBJECT */
    const char *go_type;   /* Go's type of one value as messages print it: "string", "v1.Protocol", "v1.Container" */
    const char *go_whole;  /* of the field: "[]v1.Container", "v1.ResourceList"; same as go_type for SHAPE_ONE */
    bool required;         /* in OpenAPI's sense */
    bool always;           /* written even when empty (Go: no omitempty, or a struct held by value) */
    bool inlined;          /* came from an inlined struct (VolumeSource in Volume); JSON does not show the difference */
    bool nullable_pointer; /* Go pointer: absent stays absent */
    json_t *dflt;          /* static default that the server fills in, or NULL */
    bool dflt_silent;      /* OpenAPI does not tell it */
    bool patch_merge, patch_replace, patch_retain_keys;
    const char *merge_key; /* patchMergeKey */
    enum schema_list list;
    bool list_undeclared;         /* a list without x-kubernetes-list-type in OpenAPI; treated as atomic */
    const char *const *list_keys; /* NULL-terminated; LIST_MAP */
    bool map_atomic;              /* struct or map replaced whole by apply */
    bool map_granular;            /* not so here, although the type says atomic (claimRef of a volume) */
    const char *descr;            /* our own words */
    const char *const *enums;     /* NULL-terminated; the values OpenAPI tells, or NULL */
    unsigned proto;               /* protobuf field number, 0 unknown */
    unsigned proto_inlined;       /* number of the inlined struct's message that holds it, 0: the type's own message */
};
struct schema_type {
    const char *name;                   /* "core.v1.PersistentVolumeClaimSpec" */
    const char *go_name;                /* "v1.PersistentVolumeClaimSpec" as Go prints it */
    const char *openapi_name;           /* "io.k8s.api.core.v1.PersistentVolumeClaimSpec" */
    const char *group, *version, *kind; /* set for kinds; NULL else */
    const char *descr;
    const struct schema_field *fields;
    size_t field_count;
    bool map_atomic;
    bool embedded;        /* exists only inlined in other types: no definition of its own in OpenAPI */
    bool is_list;         /* a generated list kind: "core.v1.PodList" */
    const uint8_t *index; /* private: open hash of field names, see schema_field() */
    unsigned index_mask;
};

/* BUG on a broken embedded text (a test parses it too). */
void schema_init(void);
const struct schema_type *schema_type(const char *name); /* NULL if unknown */
const struct schema_type *schema_type_at(size_t i);      /* all of them, in file order; NULL past the end */
/* The type of a kind, or NULL: ("apps", "v1", "Deployment"). */
const struct schema_type *schema_kind(const char *group, const char *version, const char *kind);
const struct schema_field *schema_field(const struct schema_type *t, const char *json_name, size_t len);

#endif

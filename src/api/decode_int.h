/* decode_int.h - private to api: the schema-driven decoder and its parts.
 *
 * decode.c (which kind is it, messages) -> decode_typed.c (structs, lists, maps) -> decode_scalar.c (leaves);
 * decode_zero.c writes finished structs; yaml_read.c and proto_decode.c come in from the side. */
#ifndef STOWAGE_API_DECODE_INT_H
#define STOWAGE_API_DECODE_INT_H

#include "api/decode.h"
#include "api/json_scan.h"

/* The most fields any struct may have (schema_parse.c checks). */
#define SCHEMA_FIELDS_MAX 64
/* Values without a schema nest at most this deep. */
#define ANY_DEPTH_MAX 1000

/* Where the decoder is; frames live on the C stack. */
struct frame {
    const struct frame *up;
    const char *key; /* NULL: a list index */
    size_t key_len;
    size_t index;
    const struct schema_type *owner; /* set when key is a field of this struct */
};

struct decoder {
    struct json_cursor c;
    struct strlist *strict; /* unknown and duplicate fields go here; NULL: not wanted */
    bool any_strict;        /* look for duplicates in values without a schema, too */
    struct err *e;
    bool failed;     /* *e is set, decoding stops */
    bool type_error; /* a first wrong type was met; decoding goes on, as Go does */
    char type_text[512];
    struct strlist keys; /* keys that had escapes, kept as long as frames may point at them */
    struct buf scratch;
};
void decoder_release(struct decoder *d);

/* The struct at the cursor (an object or null). kind and api_version, when given, become its first two members. Returns
 * new; NULL when d->failed. */
json_t *decode_struct_root(struct decoder *d, const struct schema_type *t, const char *kind, const char *api_version);
/* Any JSON at the cursor. Returns new; NULL when d->failed. */
json_t *decode_any(struct decoder *d, const struct frame *at, unsigned depth);
/* One value that is no object or list in the schema's eyes. NULL: null, or not of the type (noted). */
json_t *decode_scalar(struct decoder *d, const struct schema_field *f, const struct frame *at);
/* Notes "json: cannot unmarshal <what> into Go struct field … of type <go_type>"; the first one counts. */
void decode_type_error(struct decoder *d, const struct frame *at, const char *what, const char *go_type);
/* The same, but decoding stops: what an Unmarshaler returns. */
void decode_type_error_final(struct decoder *d, const struct frame *at, const char *what, const char *go_type);

/* -- finished structs -- */

/* What Go writes for a field that was not set and is always written. Returns new. */
json_t *zero_field(const struct schema_field *f);
/* One element of a list or map that was null. Returns new. */
json_t *zero_element(const struct schema_field *f);
/* Builds the object from its members (owned by the callee from now on; NULL: absent), in schema order, dropping empty
 * ones that Go would omit and adding those it always writes. Returns new. */
json_t *struct_finish(const struct schema_type *t, json_t *take_slots[SCHEMA_FIELDS_MAX]);

/* Puts the members of a map in Go's order, by key; cheap when they are. */
void map_sort(json_t *map);

/* -- from the side -- */

/* A protobuf body (envelope and all). *out_type is the kind found in it, which may differ from what was wanted. */
int proto_decode_object(const void *bytes, size_t len, const struct schema_type *t, const char *kind,
                        const char *api_version, json_t **out, struct err *e);
/* The type names in the envelope; "" when they are not given. */
int proto_envelope(const void *bytes, size_t len, char api_version[256], char kind[256], struct err *e);
/* The first document of a YAML text as JSON text with sorted keys, as sigs.k8s.io/yaml makes it. Duplicate keys go to
 * `dups`
 * ("line 5: key \"name\" already set in map"). */
int yaml_to_json_text(const char *text, size_t len, struct buf *out, struct strlist *dups, struct err *e);

#endif

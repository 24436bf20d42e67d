/* fields.h - what may stand in a lab's file: tables of fields, from which come the check of a file with lines and
 * columns, and the JSON Schema that is published.
 *
 * How to add a field: a row in a table of format.c (or of the kind of check it belongs to). */
#ifndef STOWAGE_LAB_FIELDS_H
#define STOWAGE_LAB_FIELDS_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum field_type {
    FIELD_TEXT,
    FIELD_SCALAR, /* text, number or truth value */
    FIELD_INT,
    FIELD_BOOL,
    FIELD_DURATION, /* "30s", "2m" */
    FIELD_SIZE,     /* a quantity: "10Gi" */
    FIELD_FILE,     /* a path below the lab's folder */
    FIELD_TEXTS,    /* a list of texts, or one */
    FIELD_SCALARS,
    FIELD_OBJECT, /* of a shape */
    FIELD_LIST,   /* of objects of a shape */
    FIELD_MAP,    /* any name to a list of scalars */
    FIELD_TREE,   /* a piece of a Kubernetes object, as it is */
    FIELD_TREES,  /* a list of those */
};

struct shape;
struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    const char *about;         /* a sentence for the schema */
    const struct shape *of;    /* FIELD_OBJECT, FIELD_LIST */
    const char *const *values; /* of FIELD_TEXT: the only ones, NULL-terminated; or NULL */
    bool required;
    bool pick; /* of all fields so marked in a shape, an object has exactly one */
};
struct shape {
    const char *name; /* "a step" */
    const struct field *fields;
};

/* Where things stand in a YAML text. */
struct marks;
struct marks *marks_read(const char *text, size_t len); /* NULL: it is no YAML */
void marks_free(struct marks *m);                       /* NULL is fine */
/* Of "steps[0].checks", or of the nearest thing around it. Lines and columns begin at 1. */
void marks_find(const struct marks *m, const char *path, int *out_line, int *out_column);

/* Why it is no YAML: "lab.yaml:2:8: mapping values are not allowed in this context". false: it is. */
bool marks_refuse(const char *text, size_t len, const char *file, struct strlist *faults);

/* Checks `tree` against the shape: one text a fault in `faults`, "lab.yaml:12:5: steps[0].chekcs: …". */
void fields_check(const struct shape *shape, const json_t *tree, const char *file, const struct marks *marks,
                  struct strlist *faults);
/* Visits each field of a tree that has passed fields_check(), those of shapes within it too. */
typedef void fields_visit_fn(void *arg, const struct shape *shape, const struct field *field, const json_t *owner,
                             const json_t *value, const char *path);
void fields_walk(const struct shape *shape, const json_t *tree, fields_visit_fn *visit, void *arg);
/* The published schema (draft 2020-12). Returns new. */
json_t *fields_schema(const struct shape *shape, const char *title);

/* "90s", "1h30m", "1.5s" to milliseconds. */
bool duration_parse(const char *text, int64_t *out_ms);
/* Of the names (NULL-terminated), the one that `word` is a slip from; NULL if none is near. */
const char *nearest_name(const char *word, const char *const *names);

#endif

/* schema_int.h - private to api: the embedded text, its parser, and what the decoders share. */
#ifndef STOWAGE_API_SCHEMA_INT_H
#define STOWAGE_API_SCHEMA_INT_H

#include "api/schema.h"

/* The embedded text; not NUL-terminated by contract. */
const char *schema_text(size_t *out_len);

struct schema_set {
    struct schema_type **types; /* in file order; list kinds follow their kind */
    size_t count;
};
/* Parses a whole text. *out belongs to the process for good. Errors name the line. */
int schema_parse(const char *text, size_t len, struct schema_set *out, struct err *e);

#endif

/* json_scan.h - private to api: is this JSON, in Go's words; and a cursor over text that is. */
#ifndef STOWAGE_API_JSON_SCAN_H
#define STOWAGE_API_JSON_SCAN_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* 0 if the text is one JSON value. Else BAD_REQUEST with the words of Go's encoding/json: "invalid character …". */
int json_scan(const char *s, size_t n, struct err *e);

/* A position in text that json_scan() has passed: the functions below need no error path. */
struct json_cursor {
    const char *p;
    const char *end;
};
/* The first character of the next value. */
char json_cursor_peek(struct json_cursor *c);
/* Takes `want` if it is next. */
bool json_cursor_take(struct json_cursor *c, char want);
/* Passes over the next value. */
void json_cursor_skip(struct json_cursor *c);
/* Reads the string that is next. Gives text inside the source when it needs no change, else in `scratch` (emptied
 * first). Escapes are resolved and broken UTF-8 replaced, as Go does. */
const char *json_cursor_string(struct json_cursor *c, struct buf *scratch, size_t *out_len);
/* The kind of a token by its first character, in Go's words: "string", "number", "bool", "object", "array", "null". */
const char *json_token_kind(char first);
/* Text from outside as a string, broken UTF-8 replaced. Returns new. */
json_t *json_string_clean(const char *s, size_t n);
/* The same as text of a member's name, in which a NUL is replaced, too: names are C strings everywhere else. Returns
 * new. */
char *json_key_clean(const char *s, size_t n, size_t *out_len);
/* A number token as integer if it is one that fits, else as real. Returns new. */
json_t *json_number(const char *s, size_t n);

#endif

/* query_int.h - the query of a URL, and values read from it the way Kubernetes reads them. */
#ifndef STOWAGE_APISERVER_QUERY_INT_H
#define STOWAGE_APISERVER_QUERY_INT_H

#include "apiserver/arena_int.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct query_arg {
    const char *key, *value;
};
struct query {
    struct query_arg *args; /* in the arena, in the order of the URL; keys may repeat */
    size_t len;
};

/* Splits and decodes "a=1&b=2" (NULL is empty). Pairs that cannot be decoded are left out, as Go's URL.Query() does. */
void query_parse(struct arena *a, const char *text, struct query *out);
/* The first value, or NULL. */
const char *query_get(const struct query *q, const char *key);
/* The i-th value of that key, or NULL. */
const char *query_nth(const struct query *q, const char *key, size_t i);

/* Decodes %XX (and + as a blank when `form`). NULL if an escape is broken or it would hold a NUL. */
char *url_decode(struct arena *a, const char *s, size_t len, bool form);

/* Absent: false. "0" or any case of "false": false. Anything else, even empty: true. */
bool query_bool(const struct query *q, const char *key);
/* 1 found, 0 absent, -1 with Go's words: strconv.ParseInt: parsing "x": invalid syntax. */
int query_int(const struct query *q, const char *key, int64_t *out, struct err *e);
/* Is this what Go's time.ParseDuration accepts ("1h15m", "30s", "1.5h", "0")? */
bool duration_ok(const char *s);

#endif

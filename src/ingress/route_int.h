/* route_int.h - which rule a request falls under. Private to ingress. */
#ifndef STOWAGE_INGRESS_ROUTE_INT_H
#define STOWAGE_INGRESS_ROUTE_INT_H

#include <gnutls/gnutls.h>
#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

struct route {
    const char *host, *path, *type, *rewrite; /* borrow from the table */
    bool fallback, is_regex;
    regex_t regex;         /* if is_regex */
    const json_t *targets; /* borrows */
};
struct certificate {
    const json_t *hosts; /* borrows */
    bool redirect;
    gnutls_certificate_credentials_t credentials; /* owned; NULL: its key or certificate is not usable */
};
struct table { /* shared by those who use it; never changes */
    json_t *json;
    struct route *routes;
    size_t route_count;
    struct certificate *certificates;
    size_t certificate_count;
    unsigned users; /* under the lock of struct ingress */
};
struct table *table_new(json_t *take_json);
void table_free(struct table *t);
/* The rule for a path (without its query) of a host (without its port), or NULL. */
const struct route *table_route(const struct table *t, const char *host, const char *path);
/* The entry whose hosts have this one, or NULL. */
const struct certificate *table_certificate(const struct table *t, const char *host);
/* What the pod is asked for instead of `path`; returns new, or NULL: the same. */
char *route_rewrite(const struct route *r, const char *path);

/* tls.c: from PEM, or (both NULL) the one that ingress-nginx makes up. NULL if they are not usable. Returns new. */
gnutls_certificate_credentials_t credentials_new(const char *cert, const char *key);

#endif

/* http_int.h - a small HTTP/1.1 client for a registry on this machine. Private to src/images. */
#ifndef STOWAGE_IMAGES_HTTP_INT_H
#define STOWAGE_IMAGES_HTTP_INT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct http_get {
    const char *host; /* "localhost:5000" */
    const char *path; /* "/v2/app/manifests/1" */
    const char *accept;
    /* Takes the body of a 200, piece by piece. */
    int (*body)(void *arg, const void *data, size_t n, struct err *e);
    void *arg;
};
/* Returns the status, or -1. Only addresses of the loopback are spoken to: FORBIDDEN otherwise; SYS (errno kept) when
 * nobody answers. */
int http_get(const struct http_get *get, struct err *e);

#endif

/* proxy_files.h - the files of a folder over HTTP, as kubectl proxy --www serves them. THREADS: any; nothing is shared.
 */
#ifndef STOWAGE_KUBECTL_PROXY_FILES_H
#define STOWAGE_KUBECTL_PROXY_FILES_H

#include <stddef.h>

struct files_request {
    const char *method;
    const char *path;    /* as it was asked for, with the query */
    const char *plain;   /* the same without the query, escapes resolved */
    const char *headers; /* a line each, "\r\n" behind it */
    int fd;              /* where the answer goes */
};
/* The answer to a request that begins with `prefix` ("/static/"); its connection is closed behind it. */
void proxy_files_serve(const char *folder, const char *prefix, const struct files_request *rq);

#endif

/* manifests.h - objects from -f: a file, a folder, stdin ("-") or a URL; YAML or JSON, many documents, lists opened.
 * THREADS: any. */
#ifndef STOWAGE_KUBECTL_MANIFESTS_H
#define STOWAGE_KUBECTL_MANIFESTS_H

#include "kubectl/call.h"

struct manifest {
    json_t *object; /* owned */
    char *source;   /* the path as given, "STDIN"; owned */
};
struct manifests {
    struct manifest *items; /* owned */
    size_t len, cap;
};
void manifests_release(struct manifests *m);
#define _auto_manifests_ __attribute__((cleanup(manifests_release)))

/* Of --filename, --recursive and --kustomize, in order. -1: told. */
int manifests_read(struct call *c, struct manifests *out);
/* Of one text. */
int manifests_parse(const char *text, size_t len, const char *source, struct manifests *out, struct err *e);

#endif

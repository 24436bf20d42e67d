/* literal.h - "key=value" as --from-literal and a kustomization's generators take it. THREADS: any. */
#ifndef STOWAGE_KUBECTL_LITERAL_H
#define STOWAGE_KUBECTL_LITERAL_H

#include <stddef.h>

/* The key, new, and its value within `source`, without the quotes that a shell would have taken off. NULL: it has no
 * key or no '='. */
char *literal_split(const char *source, const char **out_value, size_t *out_len);

#endif

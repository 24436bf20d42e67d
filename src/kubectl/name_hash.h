/* name_hash.h - the name of a ConfigMap or Secret with a hash of what is in it, as kustomize and `create --append-hash`
 * make it: another content has another name, and pods are made anew. Source: kustomize api/hasher. THREADS: any. */
#ifndef STOWAGE_KUBECTL_NAME_HASH_H
#define STOWAGE_KUBECTL_NAME_HASH_H

#include <jansson.h>
#include <stdbool.h>

/* "name-7h775t7h96". kubectl lets the name count, kustomize does not. Returns new. */
char *name_with_hash(const json_t *object, bool name_counts);

#endif

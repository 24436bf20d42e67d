/* yaml_int.h - private to api: how plain scalars resolve, shared by the reader and the writer. */
#ifndef STOWAGE_API_YAML_INT_H
#define STOWAGE_API_YAML_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A plain scalar as YAML 1.1 and Go's yaml.v2 resolve it: null, bool, integer, real, or string. Returns new. */
json_t *yaml_resolve(const char *s, size_t n);
/* ".nan" and ".inf", which JSON cannot say. */
bool yaml_is_not_finite(const char *s, size_t n);

#endif

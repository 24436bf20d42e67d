/* sorting.h - --sort-by: objects, or rows of a table, in order of what a JSONPath gives.
 *
 * Numbers by value, quantities ("1Gi") by value, other texts with their digits by value, as kubectl does it; what has
 * no such field comes first. THREADS: pure. */
#ifndef STOWAGE_KUBECTL_OUTPUT_SORTING_H
#define STOWAGE_KUBECTL_OUTPUT_SORTING_H

#include "base/err.h"

#include <jansson.h>

/* Sorts an array in place, stable. inside: the member of each entry that the path is about, or NULL: itself. */
int sort_by(json_t *array, const char *path, const char *inside, struct err *e);

#endif

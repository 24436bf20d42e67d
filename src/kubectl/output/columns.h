/* columns.h - -o custom-columns: NAME:.metadata.name,NODE:.spec.nodeName. THREADS: pure. */
#ifndef STOWAGE_KUBECTL_OUTPUT_COLUMNS_H
#define STOWAGE_KUBECTL_OUTPUT_COLUMNS_H

#include "base/err.h"
#include "kubectl/output/table.h"

#include <jansson.h>
#include <stdbool.h>

/* Is it HEADER:PATH with commas? of_file: headers in the first line, paths in the second. *text (freed) becomes one
 * HEADER:PATH a line, as columns_print() takes it; `spec` may be *text. */
int columns_check(const char *spec, bool of_file, char **text, struct err *e);
/* A row, or one for each item of a list. */
int columns_print(const char *spec, const json_t *object, bool no_headers, struct table *out, struct err *e);

#endif

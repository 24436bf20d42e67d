/* printer.h - server-side tables (meta.k8s.io/v1 Table): columns and cells per kind, as pkg/printers/internalversion.
 */
#ifndef STOWAGE_API_PRINTER_H
#define STOWAGE_API_PRINTER_H

#include "api/resource.h"
#include "base/buf.h"

#include <jansson.h>
#include <stdint.h>

enum include_object { INCLUDE_METADATA, INCLUDE_OBJECT, INCLUDE_NONE };

/* The columnDefinitions array as JSON text, appended. */
void table_columns_write(struct buf *out, const struct resource *r);
/* One row {"cells":[…],"object":…}, appended. now: wall ns, for ages. */
void table_row_write(struct buf *out, const struct resource *r, const json_t *obj, enum include_object include,
                     int64_t now);

/* "5m", "3d2h", as duration.HumanDuration. */
void human_duration(int64_t ns, char out[24]);

#endif

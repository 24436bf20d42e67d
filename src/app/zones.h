/* zones.h - the zones of the nodes: nodes and disks stay where they are, so the first start of a data directory
 * decides.
 */
#ifndef STOWAGE_APP_ZONES_H
#define STOWAGE_APP_ZONES_H

#include "base/err.h"

/* given: of --zones, or NULL. What holds is new in *out, or NULL: as chosen by default. CONFLICT: others were kept. */
int zones_find(const char *data_dir, const char *given, char **out, struct err *e);
/* zones: as above, and there are such. Kept unless some are. */
int zones_keep(const char *data_dir, const char *zones, struct err *e);

#endif

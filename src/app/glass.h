/* glass.h - the glass disk: a volume seen through all its layers, from the claim down to the blocks of a file. */
#ifndef STOWAGE_APP_GLASS_H
#define STOWAGE_APP_GLASS_H

#include "app/cluster.h"

/* `what`: "pvc/NAME" (of `ns`), "pv/NAME", or a disk's id. What is not there (a disk nobody uses has no mount) is left
 * out. Returns new in *out:
 * {"claim": {…}, "volume": {…}, "disk": {as describe-volumes}, "file": {path, bytes, used, …},
 *  "pods": [{namespace, name, node, containers: [{name, path, …}], "mount": {path, source, fstype, options, …},
 *            "filesystem": {bytes, used, available, inodes, inodesUsed}, "device": {name, loop, bytes, backingFile}}]}
 */
int glass_look(struct cluster *c, const char *what, const char *ns, json_t **out, struct err *e);

#endif

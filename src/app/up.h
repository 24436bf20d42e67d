/* up.h - `stowage up` behind its flags. */
#ifndef STOWAGE_APP_UP_H
#define STOWAGE_APP_UP_H

#include "cli/cli.h"

/* Runs a cluster until it is told to stop (or, with detach, until it is ready). Returns the exit code, or -1 with `e`.
 */
int app_up(const struct up_conf *conf, struct err *e);

#endif

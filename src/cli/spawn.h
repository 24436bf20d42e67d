/* spawn.h - a program run to its end, for verbs that are made of other verbs. */
#ifndef STOWAGE_CLI_SPAWN_H
#define STOWAGE_CLI_SPAWN_H

#include "base/buf.h"
#include "base/err.h"

/* argv is NULL-terminated; found by PATH. What it writes to stdout and stderr is appended to `told`. *out_code: its
 * exit code, 128 + signal. */
int spawn_wait(const char *const *argv, struct buf *told, int *out_code, struct err *e);

#endif

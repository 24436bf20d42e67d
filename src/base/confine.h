/* confine.h - opening a path that must not lead out of a directory. */
#ifndef STOWAGE_BASE_CONFINE_H
#define STOWAGE_BASE_CONFINE_H

#include <stdint.h>

/* openat2() beneath (in) `dir`: `flags` as open(2)'s, close-on-exec besides, `resolve` the RESOLVE_* bits of
 * <linux/openat2.h>. -1 with errno. Source: openat2(2). */
int confine_open(int dir, const char *path, uint64_t flags, uint64_t resolve);

#endif

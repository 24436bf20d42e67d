/* tools.h - a folder that goes in front of a script's PATH: `kubectl` where this machine has none or ours is wanted,
 * `k` always. Both are links to this program, which is kubectl when it is called so. */
#ifndef STOWAGE_LAB_TOOLS_H
#define STOWAGE_LAB_TOOLS_H

#include "base/err.h"

#include <stdbool.h>

/* Makes the folder, or what is missing in it. own: kubectl is this program, whatever else the machine has. */
int tools_make(const char *dir, bool own, struct err *e);

#endif

/* tools.h - a folder that goes in front of a script's PATH: `kubectl` where this machine has none, `k` always. Both are
 * links to this program, which is kubectl when it is called so. */
#ifndef STOWAGE_LAB_TOOLS_H
#define STOWAGE_LAB_TOOLS_H

#include "base/err.h"

/* Makes the folder, or what is missing in it. */
int tools_make(const char *dir, struct err *e);
/* The kubectl that a script would find without it. Returns new; NULL: none. */
char *tools_kubectl(void);

#endif

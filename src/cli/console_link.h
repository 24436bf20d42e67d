/* console_link.h - a link that signs in to a cluster's console: verb_console.c, and whoever hands them out. */
#ifndef STOWAGE_CLI_CONSOLE_LINK_H
#define STOWAGE_CLI_CONSOLE_LINK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct link_wish {
    const char *view; /* the page it leads to; "": the first */
    bool viewer;      /* for who looks and changes nothing */
    int64_t seconds;  /* it is good for */
};
/* Of the cluster in that data directory; good once. Returns new, or NULL. */
char *console_link(const char *data, const struct link_wish *wish, struct err *e);

#endif

/* assets.h - the console's files inside the binary, as web/ makes them: compressed, with their types and names.
 *
 * The build may have left them out (no Node at hand): then there are none. THREADS: any. */
#ifndef STOWAGE_APISERVER_CONSOLE_ASSETS_H
#define STOWAGE_APISERVER_CONSOLE_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct asset {
    const char *name; /* "index.html", "app-1a2b3c.js"; not terminated */
    const char *type; /* "text/html; charset=utf-8"; not terminated */
    size_t name_len, type_len;
    const char *data; /* gzip */
    size_t len;
};

bool assets_exist(void);
/* false: no such file. */
bool asset_find(const char *name, struct asset *out);

#endif

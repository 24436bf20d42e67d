/* devices_int.h - the standard files of a /dev. Private to sys. THREADS: none. */
#ifndef STOWAGE_SYS_DEVICES_INT_H
#define STOWAGE_SYS_DEVICES_INT_H

#include "base/err.h"

/* The devices of the /dev that is there now, taken hold of before another is mounted over it: root of a user namespace
 * makes no device nodes, but may show the machine's own elsewhere. */
#define DEVICES_HELD 8
struct devices {
    int trees[DEVICES_HELD];
};
#define DEVICES_NONE                                                                                                   \
    (struct devices)                                                                                                   \
    {                                                                                                                  \
        .trees = { -1, -1, -1, -1, -1, -1, -1, -1 }                                                                    \
    }
void devices_hold(struct devices *out);
void devices_release(struct devices *d);
#define _auto_devices_ __attribute__((cleanup(devices_release)))

/* Makes null, zero, full, random, urandom and tty in `dir`. */
int devices_make(struct devices *d, const char *dir, struct err *e);
/* And the links, terminals and message queues of a whole /dev. */
int devices_populate(struct devices *d, const char *dir, struct err *e);
/* Shows a file of ours as "<dir>/<name>", if it is there: "fuse", where the machine has it. */
void devices_show(struct devices *d, const char *dir, const char *name);

#endif

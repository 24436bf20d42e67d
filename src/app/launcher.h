/* launcher.h - a process that starts others of this program for a server that may no longer do so.
 *
 * DESIGN: a server gives up its privileges once its helper runs (privileges.h), for good and for its children. A lab's
 * cluster needs them, and one is begun from the console: so a small process is put aside before, as whoever started the
 * server is. It knows two words, `lab` and `console`, and takes nothing else to start. It ends with the server; what it
 * started goes on. THREADS: open it while there is one; then one at a time. */
#ifndef STOWAGE_APP_LAUNCHER_H
#define STOWAGE_APP_LAUNCHER_H

#include "base/err.h"

#include <sys/types.h>

struct launcher {
    pid_t pid; /* 0: none; zeroed is fine */
    int sock;
};
int launcher_open(struct launcher *l, const char *self_exe, struct err *e);
void launcher_close(struct launcher *l);

/* argv: NULL-terminated, without the program; data: its STOWAGE_DATA. out, err: where it writes (borrowed). *out_fd:
 * new, not blocking; two int32_t come: the process's id, and, when it has ended, its exit code or 128 + signal. */
int launcher_start(const struct launcher *l, const char *data, const char *const *argv, int out, int err, int *out_fd,
                   struct err *e);

#endif

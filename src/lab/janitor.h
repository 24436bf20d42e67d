/* janitor.h - a process that tidies up after this one, however this one ends: also by a signal, also by kill -9.
 *
 * It holds the other end of a pipe; when that closes, it kills the script that runs and does what it was given to do.
 * It knows only what it is told, in the order it is told. THREADS: start it while the process has one thread. */
#ifndef STOWAGE_LAB_JANITOR_H
#define STOWAGE_LAB_JANITOR_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct janitor {
    pid_t pid; /* 0: none; a zeroed struct is fine everywhere */
    int fd;
};
enum janitor_state { JANITOR_NOTHING, JANITOR_STARTING, JANITOR_UP };

/* tidy (may be NULL) is called in the other process, with what janitor_tell() said last; `arg` as it is now. */
int janitor_start(struct janitor *j, void (*tidy)(void *arg, enum janitor_state state), void *arg, struct err *e);
/* The process group that runs for us now; 0: none. */
void janitor_group(const struct janitor *j, pid_t group);
/* How far what is to be tidied up has come. */
void janitor_tell(const struct janitor *j, enum janitor_state state);
/* There is nothing to tidy up any more: it ends. */
void janitor_dismiss(struct janitor *j);

#endif

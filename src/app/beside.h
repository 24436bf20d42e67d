/* beside.h - a part of the start that mostly waits (for a disk, for the kernel) and is made beside the others. */
#ifndef STOWAGE_APP_BESIDE_H
#define STOWAGE_APP_BESIDE_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>

struct beside { /* zeros: never begun */
    pthread_t thread;
    bool running;
    int (*fn)(void *arg, struct err *e);
    void *arg;
    int rc;
    struct err e;
};
/* Calls fn on a thread of its own; here, where there is no thread to be had. */
void beside_begin(struct beside *b, int (*fn)(void *arg, struct err *e), void *arg);
/* Waits; what fn returned and said, each time it is asked. 0 if it never began. */
int beside_end(struct beside *b, struct err *e);

#endif

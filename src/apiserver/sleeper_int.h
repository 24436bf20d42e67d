/* sleeper_int.h - a connection that waits without costing anything, and is woken from any thread.
 *
 *        reader: nothing to send                 store, waker, stop
 *   AWAKE ------- sleeper_park() -------> PARKED ---- sleeper_wake() ----> AWAKE (the HTTP library calls the reader
 * again) |  ^
 *     +--+ sleeper_wake() while awake is remembered: the next sleeper_park() refuses, and no wake-up is lost. */
#ifndef STOWAGE_APISERVER_SLEEPER_INT_H
#define STOWAGE_APISERVER_SLEEPER_INT_H

#include <pthread.h>
#include <stdbool.h>

struct MHD_Connection;

enum { WOKE_DATA = 1, WOKE_TIMER = 2, WOKE_HANGUP = 4, WOKE_STOP = 8 };

struct sleeper {
    struct sleeper_list *list;   /* borrowed */
    struct MHD_Connection *conn; /* borrowed */
    pthread_mutex_t mu; /* guards parked and why; taken after sleeper_list.mu and waker.mu, before MHD's own locks */
    bool parked;
    unsigned why;
    struct sleeper *prev, *next; /* guarded by sleeper_list.mu */
};

/* All sleepers of a server, so that it can stop. */
struct sleeper_list {
    pthread_mutex_t mu;
    struct sleeper *head;
    bool stopping;
};

void sleeper_list_init(struct sleeper_list *l);
void sleeper_list_release(struct sleeper_list *l);
/* Wakes all with WOKE_STOP, and from now on every new one at birth. */
void sleeper_list_stop(struct sleeper_list *l);

void sleeper_init(struct sleeper *s, struct sleeper_list *l, struct MHD_Connection *conn);
/* Nobody may wake it any more. */
void sleeper_release(struct sleeper *s);
/* Why it was woken since the last look; forgets it (except WOKE_STOP and WOKE_HANGUP, which stay true). */
unsigned sleeper_reasons(struct sleeper *s);
/* Suspends the connection, true; false if there is a reason to look again. Only on the connection's own thread. */
bool sleeper_park(struct sleeper *s);
/* From any thread. */
void sleeper_wake(struct sleeper *s, unsigned why);

#endif

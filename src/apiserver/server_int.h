/* server_int.h - what the parts of a running server share. */
#ifndef STOWAGE_APISERVER_SERVER_INT_H
#define STOWAGE_APISERVER_SERVER_INT_H

#include "apiserver/apiserver.h"
#include "apiserver/last_answer_int.h"
#include "apiserver/request_int.h"
#include "apiserver/seal_int.h"

#include <pthread.h>
#include <stdatomic.h>

struct authn;
struct console;
struct listener;
struct upgrades;

enum { MAX_THREADS = 16 };

/* One client connection. Made when it is accepted, freed when it is closed. */
struct conn {
    struct apiserver *srv;
    struct request rq;
    struct last_answer last;
    int fd;
    bool at_door;  /* of the console: see console/console_int.h */
    bool upgraded; /* a session has it, or had it (upgrade.c) */
    /* Since when (mono ms) we wait for the client to send us a whole request; 0 while we work for it. Read by the
     * sweeper. */
    atomic_llong waiting_since;
    atomic_int patience_ms;
    struct tls_io *tls;         /* owned; NULL in plain HTTP */
    struct sleeper tls_sleeper; /* while TLS waits for the client; only if tls */
    struct wake tls_wake;
    struct conn *prev, *next; /* guarded by apiserver.conns_mu */
};

struct apiserver {
    struct registry *registry;
    struct control *control;
    const struct clock *clock;
    bool (*nodes_alive)(void *arg);
    void *nodes_arg;
    bool plain_http;
    struct MHD_Daemon *daemons[MAX_THREADS]; /* one a thread */
    unsigned threads;
    int64_t idle_ms;          /* that a client may keep us waiting */
    atomic_uint dealt;        /* connections, to the daemons in turn */
    int listen_fd;            /* owned until `outside` has it */
    struct listener *outside; /* owned */
    uint16_t port;
    char *url;       /* owned */
    char *host_port; /* owned; as discovery names it */
    struct waker *waker;
    struct authn *authn;
    struct console *console; /* owned, or NULL */
    struct upgrades *upgrades;
    struct seal seal;
    struct listener *inside; /* owned; NULL without a socket in the cluster's network */
    struct sleeper_list sleepers;
    int64_t started_ns; /* wall */

    pthread_mutex_t conns_mu; /* before waker.mu */
    struct conn *conns;
    struct wake sweep;
    atomic_bool sweeping; /* the sweep is armed */

    atomic_ullong requests, watches, errors; /* for /metrics */
};

/* One more thread for plain HTTP, with this listening socket (taken when it starts). NULL: it does not. */
struct MHD_Daemon *server_start_plain_daemon(struct apiserver *s, int listen_fd);

#endif

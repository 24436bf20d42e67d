/* request_int.h - one request on its way through the house, and the connection it came on.
 *
 *     server.c: MHD's callbacks, body           -> router.c: who (authn), may he (authz), what (target)
 *     -> a handler (discovery, get, list, watch, write, review, log, stream) -> reply.c: bytes and headers
 *
 * A handler ends by calling exactly one reply_*() (reply_int.h), or suspends the request (request_sleep()).
 * A request lives inside its connection and is used again for the next one: no allocation for an ordinary request.
 *
 * THREADS: a request belongs to the HTTP thread of its connection. */
#ifndef STOWAGE_APISERVER_REQUEST_INT_H
#define STOWAGE_APISERVER_REQUEST_INT_H

#include "api/decode.h"
#include "apiserver/accept_int.h"
#include "apiserver/arena_int.h"
#include "apiserver/query_int.h"
#include "apiserver/sleeper_int.h"
#include "apiserver/target_int.h"
#include "apiserver/waker_int.h"
#include "base/buf.h"
#include "base/str.h"
#include "registry/registry.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct apiserver;
struct conn;
struct session;

#define BODY_LIMIT   ((size_t)3 * 1024 * 1024)
#define AUDIT_ID_LEN 64

struct user {
    const char *name;
    const char *uid;           /* "" if unknown */
    const char *const *groups; /* NULL-terminated */
    json_t *extra;             /* borrowed from nobody: owned, or NULL; for SelfSubjectReview */
    bool judge;                /* of an exam: see seal.c */
};

struct header {
    const char *name, *value;
    size_t len; /* of the name */
};

struct request {
    struct apiserver *srv;
    struct conn *conn;
    struct MHD_Connection *mhd;
    const char *method;        /* MHD's, valid until the reply is sent */
    const char *raw;           /* the request target as it came, without the query */
    const char *raw_query;     /* as it came, without the question mark; NULL: none */
    struct header headers[16]; /* MHD's; noted once, since some ten are asked for and MHD walks a list for each */
    size_t header_count;       /* more than there is room for: ask MHD */
    struct arena arena;
    struct query query;
    struct target target;
    const struct resource *res;    /* set once routed to a resource */
    const struct subresource *sub; /* NULL for the main resource */
    struct user user;
    bool by_cookie;          /* a browser asks, signed in to the console */
    bool by_link;            /* by the administrator's link, which only the owner of the cluster's files can give */
    struct strlist warnings; /* one Warning header each */
    struct buf body;
    bool body_too_large;
    size_t discarded; /* of a body that is too large */
    bool begun;       /* the headers are in */
    bool keeps;       /* the connection outlives the request, if nothing goes wrong */
    bool replied;
    enum MHD_Result result; /* what MHD is told */
    char audit_id[AUDIT_ID_LEN];
    /* A request that waits: when woken, `resume` is called instead of the router. */
    bool asleep;
    bool has_sleeper; /* from the first sleep to the end of the request */
    struct sleeper sleeper;
    struct wake wake;
    void (*resume)(struct request *rq);
    void *resume_arg;
    /* Called instead, when the connection ends before (a server that stops does not always resume): whoever works for
     * the request on another thread must wake it no more. Answers nothing. NULL: nobody does. */
    void (*dropped)(struct request *rq);
    struct creation *creation; /* begun, not yet in the journal (create.c) */
    struct session *upgrade;   /* accepted, not yet handed over (upgrade.c) */
};

void request_init(struct request *rq);
void request_release(struct request *rq);
/* A new request on the connection; `uri` is copied. */
void request_begin(struct request *rq, struct MHD_Connection *mhd, const char *uri);
void request_end(struct request *rq);
/* The client may have chosen the id itself. */
void request_take_audit_id(struct request *rq);

/* Once the headers are in. */
void request_note_headers(struct request *rq);
/* A request header, or NULL; the first, if it comes several times. */
const char *request_header_n(const struct request *rq, const char *name, size_t len);
static inline const char *request_header(const struct request *rq, const char *name)
{
    return request_header_n(rq, name, strlen(name)); /* of a literal: known when this is compiled */
}
/* Calls `resume` once the deadline has passed or request_wake() was called by any thread. */
void request_sleep(struct request *rq, int64_t deadline_ms, void (*resume)(struct request *rq), void *arg);
void request_wake(struct request *rq);
/* For work that ends on another thread: from request_doze() on, request_wake() is remembered; request_park() then calls
 * `resume` once it came, perhaps at once. A wake-up of another reason (the server stops) also ends it. */
void request_doze(struct request *rq);
void request_park(struct request *rq, void (*resume)(struct request *rq), void *arg);
bool request_woken(struct request *rq); /* why `resume` was called: request_wake(), or the end */
/* Parked, it is resumed when its thread has served everything that is ready now. */
void request_yield(struct request *rq);
/* The HTTP library calls again after a sleep. */
enum MHD_Result request_awake(struct request *rq);

/* Who asks and how, for the registry. Query parameters fieldManager, dryRun and fieldValidation must have been checked.
 */
struct reg_ctx request_ctx(struct request *rq);
struct reg_target request_target(const struct request *rq);

/* -- the handlers -- */
void route_request(struct request *rq);
void discovery_serve(struct request *rq); /* /api, /apis and below, as documents */
bool paths_serve(struct request *rq);     /* exact paths: /version, /healthz…; false if there is none */
void get_serve(struct request *rq);
void list_serve(struct request *rq);
void watch_serve(struct request *rq);
void create_serve(struct request *rq);
void create_abandon(struct request *rq); /* the request ends before its answer */
void update_serve(struct request *rq);
void patch_serve(struct request *rq);
void delete_serve(struct request *rq);
void delete_collection_serve(struct request *rq);
void log_serve(struct request *rq);
/* exec, attach, port-forward, proxy: see stream_int.h. */
void stream_serve(struct request *rq);

#endif

/* console_int.h - the web console's half in the server: its pages, who is signed in, and what Kubernetes has no word
 * for.
 *
 *     GET  /console/…            the pages (assets.h); every other path below is a view of the one page, so links are
 * deep GET  /console/login?code=  a one-time link: `stowage console` prints it POST /console/login        {"token": …}:
 * whoever has a token of the cluster POST /console/logout POST /console/api/OP       the control socket's answers
 * (app/requests_int.h), as JSON there and back GET  /console/shell        a WebSocket as of exec: a shell on a node,
 * ?node=NAME
 *
 * DESIGN: everything else the console does is the Kubernetes API, signed in by a cookie. The cookie is good only where
 * the request comes from the console's own pages (guard.c), and grants what the one who signed in may: each request is
 * authorized as any other, /console/api by its path (nonResourceURLs). The console has a door of its own, plain HTTP on
 * the loopback, which is made when it is first asked for: a browser knows nothing of our certificate. There only the
 * cookie counts. Under TLS the same pages are at the API's own address.
 * THREADS: any HTTP thread; sessions have a lock. Calls run on a worker, one after the other. */
#ifndef STOWAGE_APISERVER_CONSOLE_INT_H
#define STOWAGE_APISERVER_CONSOLE_INT_H

#include "apiserver/apiserver.h"
#include "apiserver/request_int.h"

/* Cookies of this and any other console of this machine are called so, with a port behind. */
#define CONSOLE_COOKIE "stowage-"

struct console;
struct sessions;

struct console {
    struct apiserver *srv;
    struct console_conf conf;
    struct sessions *sessions; /* owned */
    struct pool *worker;       /* owned; one thread, while there is work */
    pthread_mutex_t mu;        /* guards the door, and who waits for a call (calls.c) */
    struct MHD_Daemon *door;   /* NULL: closed */
    uint16_t port;             /* of the door; 0: closed */
};

/* conf->answer NULL: there is no console, and NULL is returned. */
struct console *console_new(struct apiserver *s, const struct console_conf *conf);
void console_resume(struct console *c); /* opens the door if it was open before a restart; NULL is fine */
void console_quiet(struct console *c);  /* nobody comes by the door any more; NULL is fine */
void console_stop(struct console *c);   /* the door is gone, once nobody sleeps there; NULL is fine */
void console_free(struct console *c);   /* NULL is fine */

/* door.c: opens it, if it is closed. port 0: any. */
int console_open_door(struct console *c, uint16_t port, struct err *e);
/* Did the request come by it? */
bool console_at_door(const struct request *rq);

/* guard.c: does the request come from our own pages, as far as a browser tells? */
bool console_same_site(const struct request *rq);
/* Was the door called by one of its own names? A page elsewhere may have had its name lead here. */
bool console_host_ours(const struct request *rq);
/* "http://127.0.0.1:4711": as the request names this server. In the arena. */
const char *console_origin(const struct request *rq);

/* Fills rq->user by the session's cookie. false: there is none that counts. */
bool console_user(struct request *rq);
/* Answers what is for everybody: pages, signing in and out. false: it is none of these. */
bool console_serve_page(struct request *rq);
/* Answers /console/api and /console/shell, for whom the authorizer let pass. false: it is neither. */
bool console_serve(struct request *rq);

/* calls.c, shell.c */
void console_call(struct request *rq, const char *op);
void console_shell(struct request *rq);

#endif

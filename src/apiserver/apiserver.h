/* apiserver.h - the Kubernetes API over HTTP/1.1, on libmicrohttpd.
 *
 * Speaks for one registry: routes from the resource table, discovery, OpenAPI, negotiation, watches, pod logs, and the
 * upgrade to streams (exec, attach, port-forward). Decisions about objects are the registry's; this folder only turns
 * requests into calls and answers into bytes.
 *
 * THREADS: apiserver_start() makes its own threads; the rest of this header is for the thread that started it. */
#ifndef STOWAGE_APISERVER_APISERVER_H
#define STOWAGE_APISERVER_APISERVER_H

#include "base/clock.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct apiserver;
struct control;
struct registry;
struct pki;

/* What the web console shows beyond the API's objects; see console/console_int.h. */
struct console_conf {
    /* As the control socket answers: new in *out, descriptors in fds (the caller closes them). Called on any thread.
     * NULL: no console. */
    int (*answer)(void *arg, const json_t *request, json_t **out, int fds[4], struct err *e);
    void *arg;
    const char *state_path; /* a file that keeps its port and who is signed in; NULL: none. Copied */
};

struct apiserver_conf {
    struct registry *registry;      /* borrows; node_ops are asked from it at each use */
    struct control *control;        /* borrows; may be NULL (then readyz does not wait for it) */
    const struct clock *clock;      /* borrows */
    bool (*nodes_alive)(void *arg); /* asked by health checks, on any thread; may be NULL */
    void *nodes_arg;
    const char *addr;      /* "127.0.0.1", "0.0.0.0", "::1", "" = 127.0.0.1 */
    uint16_t port;         /* 0 = the kernel picks one: see apiserver_port() */
    const struct pki *pki; /* borrows during start: certificate, admin token, token-signing key. See pki.h */
    /* Plain HTTP: kubectl never sends credentials over it, so whoever reaches the port is the administrator. Refused on
     * any address that is not a loopback one. */
    bool plain_http;
    struct console_conf console;
    unsigned threads;         /* 0 = as many as processors, 2 to 4 */
    unsigned max_connections; /* 0 = 4096, less if the process may not open so many descriptors */
    unsigned idle_seconds; /* after which a client that neither asks nor takes what it asked for is dropped; 0 = 120 */
};

/* Listens and answers from now on. Becomes the registry's issuer of service account tokens. */
int apiserver_start(const struct apiserver_conf *conf, struct apiserver **out_server, struct err *e);
/* Also answers on this listening socket (taken), which lives in the cluster's own network: the kubernetes Service's
 * address, for kubectl on a node and clients in pods. Once a server. UNSUPPORTED under plain HTTP. */
int apiserver_listen_inside(struct apiserver *s, int take_fd, struct err *e);
/* Ends watches and streams, waits for requests under way, and frees everything. NULL is fine. */
void apiserver_stop(struct apiserver *s);

/* From that moment on (seconds since 1970 by the machine's clock; 0: never) the cluster's users only read: every
 * change, and every stream into a pod or node, is refused with SEALED_TEXT, whoever asks but the judge. Streams that
 * are open then end. It is not kept over a restart. Any thread. */
void apiserver_seal(struct apiserver *s, int64_t at);
int64_t apiserver_seal_at(const struct apiserver *s);
bool apiserver_sealed(const struct apiserver *s); /* has it come? */
/* Called when it has, from a thread of the server's; before apiserver_seal(). */
void apiserver_on_seal(struct apiserver *s, void (*sealed)(void *arg), void *arg);
/* The judge's bearer token: who has it is an administrator, also then. Of this process; borrowed. */
const char *apiserver_seal_pass(const struct apiserver *s);
#define SEALED_TEXT "the exam is over: nothing of its clusters changes any more"

/* Who is only to look at the console is this user, of this group; what they may is said by roles, as for anybody. */
#define VIEWER_NAME  "stowage:viewer"
#define VIEWER_GROUP "stowage:viewers"

/* Opens the console, if it is not open. *out_url: a link, new, that signs in once. UNSUPPORTED without a console. Any
 * thread. */
struct console_link {
    const char *view; /* it leads to: "labs"; "": the first */
    bool viewer;      /* else the administrator */
    int64_t seconds;  /* it is good for; 0: five minutes */
};
int apiserver_console_link(struct apiserver *s, const struct console_link *link, char **out_url, struct err *e);
/* Does anybody look, or may with a link? */
bool apiserver_console_viewed(struct apiserver *s);

uint16_t apiserver_port(const struct apiserver *s);
/* "https://127.0.0.1:6443", as a client on this machine should use it. Borrowed. */
const char *apiserver_url(const struct apiserver *s);

#endif

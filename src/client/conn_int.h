/* conn_int.h - one connection to an API server: TCP, TLS on top where the URL says so, reads buffered. Private to
 * client. */
#ifndef STOWAGE_CLIENT_CONN_INT_H
#define STOWAGE_CLIENT_CONN_INT_H

#include "base/err.h"
#include "client/kubeconfig.h"

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONN_BUFFER (64 * 1024)

/* Where it goes; made once a client. */
struct remote {
    char *host, *port, *authority; /* authority: what Host tells */
    char *prefix;                  /* path of the URL, no slash at its end: "" mostly */
    char *server_name;             /* whose certificate it must be */
    bool tls, insecure;
    gnutls_certificate_credentials_t creds; /* NULL without TLS */
};
int remote_init(struct remote *r, const struct access *a, struct err *e);
void remote_release(struct remote *r);

struct conn {
    int fd, cancel;
    gnutls_session_t tls; /* NULL: plain */
    char *in;             /* CONN_BUFFER bytes */
    size_t at, have;
    bool held; /* TLS has a record that the socket did not take yet */
};
/* deadline: of the monotonic clock, in ms; -1: none. cancel: see client.h. */
int conn_open(const struct remote *r, int cancel, int64_t deadline, struct conn **out, struct err *e);
void conn_close(struct conn *c); /* NULL is fine */
int conn_send(struct conn *c, const void *data, size_t n, int64_t deadline, struct err *e);
/* What can be sent without waiting: how many bytes, 0 when none can. Those that were not taken must be the first of the
 * next call. */
ssize_t conn_try_send(struct conn *c, const void *data, size_t n, struct err *e);
/* Makes bytes available at in + at: how many, 0 at the end. */
ssize_t conn_fill(struct conn *c, int64_t deadline, struct err *e);
/* The same, but 0 with *out_again when nothing is there now. */
ssize_t conn_poll(struct conn *c, bool *out_again, struct err *e);
bool conn_stale(struct conn *c); /* has the server closed it, or said something unasked? */

int64_t conn_now_ms(void);

#endif

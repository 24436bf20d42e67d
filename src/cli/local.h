/* local.h - the local control socket: <data>/run/control.sock, mode 0600.
 *
 * What is no Kubernetes call: is it up, stop it, a shell on a node. A request is one JSON object in one packet; the
 * answer is one JSON object, with file descriptors beside it where the request asks for a terminal. Errors travel as
 * {"error": text, "code": err_code}. The server half is used by the floor above, the client half by verbs. */
#ifndef STOWAGE_CLI_LOCAL_H
#define STOWAGE_CLI_LOCAL_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define LOCAL_MAX_FDS 4
/* The variable of the environment that has the judge's pass of a sealed cluster: each request is sent with it. */
#define LOCAL_PASS "STOWAGE_PASS"

/* -- client -- */
/* Connects, sends `request` (borrowed), and reads the answer: new in *out. fds[] gets what came (-1 else); may be NULL.
 * UNAVAILABLE when no cluster runs there. */
int local_call(const char *data_dir, const json_t *request, json_t **out, int fds[LOCAL_MAX_FDS], struct err *e);

/* Does a cluster run there? Nothing is asked, so one that is busy does not keep us waiting. */
bool local_listens(const char *data_dir);

/* As local_call(), of what takes long: the result comes through fds[0], which is closed here. Returns new, or NULL. */
json_t *local_call_long(const char *data_dir, const json_t *request, int fds[LOCAL_MAX_FDS], struct err *e);

/* The cluster stops; returns when its process is gone. *out: {"pid", "ephemeral"}, new. */
int local_down(const char *data_dir, json_t **out, struct err *e);

/* -- server -- */
struct local_server;
/* Answers one request: new in *out, descriptors (closed by the caller of this function after sending) in fds. */
typedef int (*local_handler)(void *arg, const json_t *request, json_t **out, int fds[LOCAL_MAX_FDS], struct err *e);
/* {"error", "code"}: bytes that are no text, as names in archives may have, are shown as such. Returns new. */
json_t *local_refusal(const struct err *e);
int local_serve(const char *data_dir, local_handler handler, void *arg, struct local_server **out, struct err *e);
void local_stop(struct local_server *s); /* removes the socket; NULL is fine */

#endif

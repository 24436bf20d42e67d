/* sessions.h - who is signed in to the console: one-time codes, and the sessions they become.
 *
 * DESIGN: a session's cookie is 256 random bits; only its digest is kept, so neither memory nor file gives a cookie
 * away. The administrator's sessions outlive a restart of the cluster, in a file of mode 0600; those of a pasted token
 * do not, since the token would have to be kept. THREADS: any. */
#ifndef STOWAGE_APISERVER_CONSOLE_SESSIONS_H
#define STOWAGE_APISERVER_CONSOLE_SESSIONS_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>

#define SESSION_COOKIE_LEN 65 /* hex and NUL */
#define SESSION_SECONDS    (12 * 60 * 60)
#define CODE_SECONDS       (5 * 60)

struct sessions;

/* path: where they are kept, with the door's port; NULL: nowhere. */
struct sessions *sessions_new(const struct clock *clock, const char *path);
void sessions_free(struct sessions *s);

/* A code that signs the administrator in, once, for five minutes. At most a few are good at a time. */
void sessions_code(struct sessions *s, char out[SESSION_COOKIE_LEN]);
bool sessions_redeem(struct sessions *s, const char *code);

/* token NULL: the administrator's. The oldest makes room. */
void sessions_begin(struct sessions *s, const char *token, char out_cookie[SESSION_COOKIE_LEN]);
void sessions_end(struct sessions *s, const char *cookie);
/* false: nobody's. *out_token: new, NULL for the administrator. */
bool sessions_find(struct sessions *s, const char *cookie, char **out_token);

/* The port the door had; 0: none is known. */
uint16_t sessions_port(struct sessions *s);
void sessions_keep_port(struct sessions *s, uint16_t port);

#endif

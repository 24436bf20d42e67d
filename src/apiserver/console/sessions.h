/* sessions.h - who is signed in to the console: one-time codes, and the sessions they become.
 *
 * DESIGN: a session's cookie is 256 random bits; only its digest is kept, so neither memory nor file gives a cookie
 * away. The administrator's and viewers' sessions outlive a restart of the cluster, in a file of mode 0600; those of a
 * pasted token do not, since the token would have to be kept. THREADS: any. */
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

/* Whose a session is: the administrator's; that of somebody who may look and change nothing; a token's. */
enum session_who { SESSION_ADMIN, SESSION_VIEWER, SESSION_TOKEN };

/* A code that signs in, once, for so many seconds (CODE_SECONDS mostly). At most a few are good at a time. */
void sessions_code(struct sessions *s, enum session_who who, int64_t seconds, char out[SESSION_COOKIE_LEN]);
bool sessions_redeem(struct sessions *s, const char *code, enum session_who *out_who);

/* token: of SESSION_TOKEN; else NULL. The oldest makes room. */
void sessions_begin(struct sessions *s, enum session_who who, const char *token, char out_cookie[SESSION_COOKIE_LEN]);
void sessions_end(struct sessions *s, const char *cookie);
/* false: nobody's. *out_token: new; NULL but for SESSION_TOKEN. */
bool sessions_find(struct sessions *s, const char *cookie, enum session_who *out_who, char **out_token);
/* Is anybody signed in, or to be, who only looks? */
bool sessions_have_viewer(struct sessions *s);

/* The port the door had; 0: none is known. */
uint16_t sessions_port(struct sessions *s);
void sessions_keep_port(struct sessions *s, uint16_t port);

#endif

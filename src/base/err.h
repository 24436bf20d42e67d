/* err.h - the one error type of the house.
 *
 * A `struct err` lives on the caller's stack and is never allocated, so a forgotten error cannot leak. Functions
 * that can fail take it last, return a negative int (or NULL), and leave their `out_` results untouched. On the way
 * up each floor adds context with err_wrap(). Passing NULL is a bug.
 *
 * One X-macro maps a code to its HTTP status, Kubernetes reason and process exit code, so the API server, the work
 * queues and the command line never disagree. Source of the HTTP/reason pairs: Kubernetes apimachinery api/errors.
 *
 * How to add a code: add a row to ERR_CODES; nothing else. */
#ifndef STOWAGE_BASE_ERR_H
#define STOWAGE_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/*        name               HTTP  reason                   exit  retry */
#define ERR_CODES(X)                                                                                                   \
    X(OK, 200, "", 0, false)                                                                                           \
    X(BAD_REQUEST, 400, "BadRequest", 1, false)                                                                        \
    X(UNAUTHORIZED, 401, "Unauthorized", 1, false)                                                                     \
    X(FORBIDDEN, 403, "Forbidden", 1, false)                                                                           \
    X(NOT_FOUND, 404, "NotFound", 1, false)                                                                            \
    X(METHOD_NOT_ALLOWED, 405, "MethodNotAllowed", 1, false)                                                           \
    X(NOT_ACCEPTABLE, 406, "NotAcceptable", 1, false)                                                                  \
    X(ALREADY_EXISTS, 409, "AlreadyExists", 1, false)                                                                  \
    X(CONFLICT, 409, "Conflict", 1, true)                                                                              \
    X(GONE, 410, "Gone", 1, false)                                                                                     \
    X(EXPIRED, 410, "Expired", 1, true)                                                                                \
    X(TOO_LARGE, 413, "RequestEntityTooLarge", 1, false)                                                               \
    X(UNSUPPORTED_MEDIA, 415, "UnsupportedMediaType", 1, false)                                                        \
    X(INVALID, 422, "Invalid", 1, false)                                                                               \
    X(TOO_MANY, 429, "TooManyRequests", 1, true)                                                                       \
    X(INTERNAL, 500, "InternalError", 1, true)                                                                         \
    X(UNAVAILABLE, 503, "ServiceUnavailable", 1, true)                                                                 \
    X(TIMEOUT, 504, "Timeout", 1, true)                                                                                \
    /* not HTTP: the machine, the disk, the command line */                                                            \
    X(SYS, 500, "InternalError", 1, true)                                                                              \
    X(NO_SPACE, 507, "InternalError", 1, true)                                                                         \
    X(UNSUPPORTED, 501, "InternalError", 1, false)                                                                     \
    X(BUSY, 409, "Conflict", 1, true)                                                                                  \
    X(CORRUPT, 500, "InternalError", 1, false)                                                                         \
    X(USAGE, 400, "BadRequest", 2, false)

enum err_code {
#define ERR_X(name, http, reason, exit, retry) ERR_##name,
    ERR_CODES(ERR_X)
#undef ERR_X
        ERR_MAX
};

struct err {
    enum err_code code;
    int sys_errno;  /* 0 when no system call failed */
    char msg[1024]; /* long enough for Kubernetes' own longest validation texts; longer ones are cut */
};

#define ERR_INIT                                                                                                       \
    (struct err)                                                                                                       \
    {                                                                                                                  \
        .code = ERR_OK                                                                                                 \
    }

/* Fills `e` and returns -1, so that `return err_set(e, …);` is one line. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set() with errno's text appended ("…: No space left on device"); picks NO_SPACE for ENOSPC/EDQUOT. */
int err_sys(struct err *e, int sys_errno, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Prepends "context: " to the message. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void err_clear(struct err *e);

int err_http_status(enum err_code code);
const char *err_reason(enum err_code code);
int err_exit_code(enum err_code code);
bool err_retryable(enum err_code code);
const char *err_code_name(enum err_code code);

#endif

/* err.c - see err.h.
 *
 * DESIGN: nothing here allocates; every text is cut to the buffer. The table is the only place where a code's
 * HTTP status and Kubernetes reason are written.
 * THREADS: an err belongs to one thread. */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int http;
    const char *reason;
    int exit_code;
    bool retry;
} table[ERR_MAX] = {
#define ERR_X(name, http, reason, exit, retry) [ERR_##name] = {#name, http, reason, exit, retry},
    ERR_CODES(ERR_X)
#undef ERR_X
};

/* Where a text was cut, no half of a character stays behind. */
static void end_whole(struct err *e)
{
    size_t n = sizeof e->msg - 1, at = n;
    if (strlen(e->msg) < n)
        return;
    while (at > 0 && n - at < 3 && ((unsigned char)e->msg[at - 1] & 0xc0) == 0x80)
        at--;
    const unsigned char first = at > 0 ? (unsigned char)e->msg[at - 1] : 0;
    const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
    if (length > n - (at - 1))
        e->msg[at - 1] = '\0';
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    assert(e);
    va_list ap;
    va_start(ap, fmt);
    e->code = code;
    e->sys_errno = 0;
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    end_whole(e);
    return -1;
}

int err_sys(struct err *e, int sys_errno, const char *fmt, ...)
{
    assert(e);
    va_list ap;
    va_start(ap, fmt);
    e->code = sys_errno == ENOSPC || sys_errno == EDQUOT ? ERR_NO_SPACE : ERR_SYS;
    e->sys_errno = sys_errno;
    int n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->msg)
        snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s", strerror(sys_errno));
    end_whole(e);
    return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    assert(e);
    char old[sizeof e->msg];
    memcpy(old, e->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->msg)
        snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s", old);
    end_whole(e);
    return -1;
}

void err_clear(struct err *e)
{
    e->code = ERR_OK;
    e->sys_errno = 0;
    e->msg[0] = '\0';
}

static enum err_code checked(enum err_code code)
{
    return code >= 0 && code < ERR_MAX ? code : ERR_INTERNAL;
}

int err_http_status(enum err_code code)
{
    return table[checked(code)].http;
}

const char *err_reason(enum err_code code)
{
    return table[checked(code)].reason;
}

int err_exit_code(enum err_code code)
{
    return table[checked(code)].exit_code;
}

bool err_retryable(enum err_code code)
{
    return table[checked(code)].retry;
}

const char *err_code_name(enum err_code code)
{
    return table[checked(code)].name;
}

/* log.c - see log.h. One write(2) a line, so lines of several threads and processes never mix. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic int sink_fd = 2;
static _Atomic int sink_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    sink_level = (int)level;
}

void log_set_fd(int fd)
{
    sink_fd = fd;
}

void log_line(enum log_level level, const char *component, const char *fmt, ...)
{
    static const char letter[] = "DIWE";
    if ((int)level < sink_level)
        return;
    char now[MICROTIME_TEXT_LEN];
    microtime_format(clock_wall_ns(clock_real()), now);
    _auto_buf_ struct buf line = BUF_INIT;
    buf_addf(&line, "%s %c %s: ", now, letter[level], component);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&line, fmt, ap);
    va_end(ap);
    buf_addc(&line, '\n');
    ssize_t n = write(sink_fd, line.data, line.len);
    (void)n; /* a full or closed log must not stop the cluster */
}

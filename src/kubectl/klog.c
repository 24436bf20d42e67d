/* klog.c - see klog.h. */
#include "kubectl/klog.h"

#include "base/buf.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void add_head(struct buf *line, char level, const char *where)
{
    struct timespec now;
    struct tm day;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &day);
    strftime(text, sizeof text, "%m%d %H:%M:%S", &day);
    buf_addf(line, "%c%s.%06ld %7d %s] ", level, text, now.tv_nsec / 1000, (int)getpid(), where);
}

void klog_error(FILE *err, const char *where, const char *what, const char *error)
{
    _auto_buf_ struct buf line = BUF_INIT;
    add_head(&line, 'E', where);
    buf_add_quoted(&line, what, strlen(what));
    buf_adds(&line, " err=");
    buf_add_quoted(&line, error, strlen(error));
    fprintf(err, "%s\n", buf_str(&line));
}

void klog_warning(FILE *err, const char *where, const char *fmt, ...)
{
    _auto_buf_ struct buf line = BUF_INIT;
    va_list ap;
    add_head(&line, 'W', where);
    va_start(ap, fmt);
    buf_addv(&line, fmt, ap);
    va_end(ap);
    fprintf(err, "%s\n", buf_str(&line));
}

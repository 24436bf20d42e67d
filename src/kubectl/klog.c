/* klog.c - see klog.h. */
#include "kubectl/klog.h"

#include "base/buf.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

void klog_error(FILE *err, const char *where, const char *what, const char *error)
{
    struct timespec now;
    struct tm day;
    char text[32];
    _auto_buf_ struct buf line = BUF_INIT;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &day);
    strftime(text, sizeof text, "%m%d %H:%M:%S", &day);
    buf_addf(&line, "E%s.%06ld %7d %s] ", text, now.tv_nsec / 1000, (int)getpid(), where);
    buf_add_quoted(&line, what, strlen(what));
    buf_adds(&line, " err=");
    buf_add_quoted(&line, error, strlen(error));
    fprintf(err, "%s\n", buf_str(&line));
}

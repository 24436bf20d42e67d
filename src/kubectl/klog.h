/* klog.h - lines as kubectl's own log writes them to stderr: what fails where no command can say it. */
#ifndef STOWAGE_KUBECTL_KLOG_H
#define STOWAGE_KUBECTL_KLOG_H

#include <stdio.h>

/* E1121 23:39:19.943720     753 run.go:72] "what" err="error" */
void klog_error(FILE *err, const char *where, const char *what, const char *error);
/* W1121 23:39:19.943720     753 proxy.go:200] text */
void klog_warning(FILE *err, const char *where, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif

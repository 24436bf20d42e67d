/* call_int.h - private to kubectl: how a call is made of a command line. */
#ifndef STOWAGE_KUBECTL_CALL_INT_H
#define STOWAGE_KUBECTL_CALL_INT_H

#include "kubectl/call.h"

/* Reads flags (of the verb's table and the global one) and words. BAD_REQUEST in pflag's words. */
int flags_parse(struct call *c, int argc, char **argv, struct err *e);
/* Is argv[i] a flag of the table whose value is the next argument? */
bool flags_skips(const struct kubectl_flag *const *tables, const char *arg);
void call_end(struct call *c);
/* "1h5m", "30s", "1.5s"; a bare number is seconds. -1: it is none. */
int duration_ms(const char *text, int64_t *out);

/* complete.c: what the last word may become. Returns the exit code. */
int kubectl_complete(struct kubectl *k, int argc, char **argv);

void help_print(const struct call *c, FILE *out);
void help_print_all(FILE *out);

#endif

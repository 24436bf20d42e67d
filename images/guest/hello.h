/* hello.h - what the small web applications of the guest share: their settings, their texts, their server. */
#ifndef STOWAGE_GUEST_HELLO_H
#define STOWAGE_GUEST_HELLO_H

#include "web.h"

/* The command line, for hello_setting(). */
void hello_arguments(int argc, char **argv);
/* What "-flag=x", "-flag x" (or with two dashes) says, else the environment's `env`, else `otherwise`. Each name may be
 * NULL. */
const char *hello_setting(const char *flag, const char *env, const char *otherwise);
/* The template with its marks replaced; returns new. %h host name, %v version, %i %p our address and port, %c the
 * client's address, %m %u %q %H method, path, query and Host of the request, %t the time, %a all headers, a line each,
 * %A the same as "\tname=value", %{flag|ENV|otherwise} a setting, %% a percent sign. */
char *hello_expand(const char *text, const struct request *r);
/* Serves until told to stop; -1 after saying why it cannot. logs: an access log on standard output. */
int hello_serve(uint16_t port, bool logs,
                bool (*answer)(const struct web *w, const struct request *r, struct response *out));
extern const char *hello_version;

#endif

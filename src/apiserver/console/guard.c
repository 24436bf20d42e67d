/* guard.c - is it our own page that asks? A cookie goes with every request a browser makes, also with those another
 * site's page has it make.
 *
 * DESIGN: three things a page cannot forge: Host, Origin and Sec-Fetch-Site. Host must be the loopback's own name, or
 * a name that somebody pointed here could call us its own; Origin, which browsers send with whatever changes something
 * and with every WebSocket, must then be the same; and what browsers say of the site must not contradict it. What is
 * neither a browser's nor ours has no cookie. Source: OWASP's advice on cross-site request forgery; fetch metadata.
 * THREADS: pure. */
#include "apiserver/console/console_int.h"
#include "apiserver/server_int.h"

#include <stdlib.h>

bool console_host_ours(const struct request *rq)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    const char *host = request_header(rq, "Host");
    char *end;
    for (size_t i = 0; host && i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(host, names[i], n) == 0 && host[n] == ':')
            return strtol(host + n + 1, &end, 10) == rq->srv->console->port && !*end;
    }
    return false;
}

const char *console_origin(const struct request *rq)
{
    const char *host = request_header(rq, "Host");
    struct arena *m = (struct arena *)(uintptr_t)&rq->arena;
    return arena_printf(m, "%s://%s", rq->conn->tls ? "https" : "http", host ? host : "");
}

static bool changes_something(const struct request *rq)
{
    bool reads = strcmp(rq->method, "GET") == 0 || strcmp(rq->method, "HEAD") == 0;
    return !reads || request_header(rq, "Upgrade");
}

bool console_same_site(const struct request *rq)
{
    const char *origin = request_header(rq, "Origin"), *site = request_header(rq, "Sec-Fetch-Site");
    if (console_at_door(rq) && !console_host_ours(rq))
        return false;
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return false;
    if (!origin)
        return !changes_something(rq);
    return strcmp(origin, console_origin(rq)) == 0;
}

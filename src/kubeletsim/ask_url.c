/* ask_url.c - where an HTTP request of a probe or hook goes: the address in its manifest, then where answers send it
 * on.
 *
 * DESIGN: a struct url is what a request needs, taken apart. A Location that is not a whole address is completed from
 * the one that was asked; "." and ".." in it are the server's to understand. What is no address of HTTP gives none.
 *
 * THREADS: any. Source: net/url ResolveReference, net/http client.go. */
#include "kubeletsim/probe_int.h"

#include <stdlib.h>
#include <string.h>

void url_release(struct url *u)
{
    free(u->authority);
    free(u->host);
    free(u->path);
    *u = (struct url){0};
}

char *url_text(const struct url *u)
{
    return xasprintf("%s://%s%s", u->secure ? "https" : "http", u->authority, u->path);
}

void url_of_handler(const struct action *a, const json_t *get, struct url *out)
{
    const char *host = ask_host(a, get), *path = jstr_or(get, "path", "/");
    *out = (struct url){.secure = str_eq(jstr(get, "scheme"), "HTTPS"),
                        .authority = xasprintf("%s:%d", host, a->port),
                        .host = xstrdup(host),
                        .port = a->port,
                        .path = xasprintf("%s%s", *path == '/' ? "" : "/", path)};
}

/* text: what follows "http:" or "https:", from its slashes on. */
static bool take_whole(bool secure, const char *text, struct url *out)
{
    uint64_t port = secure ? 443 : 80;
    if (!str_starts(text, "//"))
        return false;
    const size_t n = strcspn(text + 2, "/?#");
    const char *path = text + 2 + n;
    _auto_free_ char *authority = xstrndup(text + 2, n);
    const size_t name = strcspn(authority, ":");
    if (name == 0 || (authority[name] && (!str_to_u64(authority + name + 1, &port) || port < 1 || port > 65535)))
        return false;
    *out = (struct url){.secure = secure,
                        .host = xstrndup(authority, name),
                        .authority = xstrdup(authority),
                        .port = (int)port,
                        .path = xasprintf("%s%.*s", *path == '/' ? "" : "/", (int)strcspn(path, "#"), path)};
    return true;
}

bool url_follow(const struct url *from, const char *location, struct url *out)
{
    if (str_starts(location, "http:") || str_starts(location, "https:"))
        return take_whole(location[4] == 's', strchr(location, ':') + 1, out);
    if (str_starts(location, "//"))
        return take_whole(from->secure, location, out);
    if (strcspn(location, ":") < strcspn(location, "/?#"))
        return false; /* of another scheme */
    size_t kept = strcspn(from->path, "?");
    if (*location == '/')
        kept = 0;
    else if (*location != '?')
        while (kept > 0 && from->path[kept - 1] != '/')
            kept--;
    *out = (struct url){.secure = from->secure,
                        .authority = xstrdup(from->authority),
                        .host = xstrdup(from->host),
                        .port = from->port,
                        .path = xasprintf("%.*s%.*s", (int)kept, from->path, (int)strcspn(location, "#"), location)};
    return true;
}

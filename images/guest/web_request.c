/* web_request.c - HTTP/1.x request heads: when they are complete, what they say. Bounded: the head by REQUEST_MAX,
 * headers by count. The path is decoded and its "." and ".." parts are resolved before anyone looks at it: it cannot
 * leave the root. */
#include "web.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

ssize_t request_complete(const char *data, size_t len)
{
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    if (end)
        return end - data + 4;
    const char *bare = memmem(data, len, "\n\n", 2);
    if (bare)
        return bare - data + 2;
    return len >= REQUEST_MAX ? -1 : 0;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "/a/../b%20c//d" -> "/b c/d". False if it leaves the root or is no path. */
static bool normalise(const char *target, size_t len, char *out, size_t size)
{
    size_t n = 0;
    if (!len || target[0] != '/' || len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = target[i];
        if (c == '%') {
            const int high = i + 2 < len ? hex(target[i + 1]) : -1, low = i + 2 < len ? hex(target[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
            if (!c)
                return false;
        }
        if (c == '/' && n && out[n - 1] == '/')
            continue;
        out[n++] = c;
        const bool ends = i + 1 == len || target[i + 1] == '/';
        if (ends && n >= 2 && out[n - 1] == '.' && out[n - 2] == '/') {
            n--;
        } else if (ends && n >= 3 && out[n - 1] == '.' && out[n - 2] == '.' && out[n - 3] == '/') {
            n -= 3;
            while (n && out[n - 1] != '/')
                n--;
            if (!n)
                return false;
        }
    }
    out[n] = '\0';
    return n && out[0] == '/';
}

static char *cut(char **at, const char *separators)
{
    char *start = *at;
    const size_t n = strcspn(start, separators);
    *at = start[n] ? start + n + 1 : NULL;
    start[n] = '\0';
    return start;
}

static int parse_line(struct request *r, char *line)
{
    snprintf(r->line, sizeof r->line, "%s", line);
    char *at = line;
    r->method = cut(&at, " ");
    r->target = at ? cut(&at, " ") : "";
    r->version = at ? at : "HTTP/0.9";
    if (!*r->method || !*r->target)
        return 400;
    if (strncmp(r->version, "HTTP/1.", 7) != 0)
        return 505;
    const char *path = r->target;
    if (strncasecmp(path, "http://", 7) == 0)
        path = strchr(path + 7, '/') ? strchr(path + 7, '/') : "/";
    const size_t len = strcspn(path, "?#");
    r->args = path[len] == '?' ? path + len + 1 : "";
    return normalise(path, len, r->path, sizeof r->path) ? 0 : 400;
}

const char *request_header(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

static int parse_headers(struct request *r, char *at)
{
    while (at && *at) {
        char *line = cut(&at, "\n");
        line[strcspn(line, "\r")] = '\0';
        if (!*line)
            break;
        char *colon = strchr(line, ':');
        if (!colon || colon == line)
            return 400;
        if (r->header_count == HEADERS_MAX)
            return 400;
        *colon = '\0';
        r->headers[r->header_count++] = (struct header){line, colon + 1 + strspn(colon + 1, " \t")};
    }
    return 0;
}

int request_parse(struct request *r, char *take_head, size_t len)
{
    r->head = take_head;
    r->head_len = len;
    char *at = take_head + strspn(take_head, "\r\n");
    char *line = cut(&at, "\n");
    line[strcspn(line, "\r")] = '\0';
    r->keep_alive = false;
    int code = parse_line(r, line);
    if (code == 0)
        code = parse_headers(r, at);
    if (code)
        return code;
    const char *connection = request_header(r, "Connection"), *length = request_header(r, "Content-Length");
    const bool old = strcmp(r->version, "HTTP/1.0") == 0;
    r->keep_alive =
        old ? connection && strcasestr(connection, "keep-alive") : !(connection && strcasestr(connection, "close"));
    r->head_only = strcmp(r->method, "HEAD") == 0;
    if (!old && !request_header(r, "Host"))
        return 400;
    if (length)
        r->body_left = strtoll(length, NULL, 10);
    if (r->body_left < 0)
        return 400;
    if (request_header(r, "Transfer-Encoding"))
        r->keep_alive = false; /* chunks are not read: the connection ends after the answer */
    return 0;
}

void request_release(struct request *r)
{
    free(r->head);
    memset(r, 0, sizeof *r);
}

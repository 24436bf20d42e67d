/* web_respond.c - from a request to an answer: which server, which location, which file, or which error.
 *
 * Follows nginx: server by port and name, location by exact, longest prefix, regular expression; directories redirect
 * to their slash and show their index file, a list, or 403. */
#include "web.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRY_DEPTH 5 /* internal redirects (error pages, try_files) */

static const struct {
    int code;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Moved Temporarily"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Not Allowed"},
    {408, "Request Time-out"},
    {413, "Request Entity Too Large"},
    {414, "Request-URI Too Large"},
    {416, "Requested Range Not Satisfiable"},
    {418, "I'm a teapot"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Temporarily Unavailable"},
    {504, "Gateway Time-out"},
    {505, "HTTP Version Not Supported"},
};

const char *reason_of(int code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    return "";
}

void response_release(struct response *p)
{
    free(p->body);
    if (p->file >= 0)
        close(p->file);
    p->body = NULL;
    p->file = -1;
}

/* ---- heads ---- */

__attribute__((format(printf, 2, 3))) static void head_add(struct response *p, const char *fmt, ...)
{
    va_list ap;
    const size_t room = sizeof p->head - p->head_len;
    va_start(ap, fmt);
    const int n = vsnprintf(p->head + p->head_len, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        p->head_len += (size_t)n < room ? (size_t)n : room - 1;
}

static void http_date(time_t t, char *out, size_t size)
{
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(out, size, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static void head_begin(const struct web *w, struct response *p, int code)
{
    char date[64];
    http_date(time(NULL), date, sizeof date);
    p->code = code;
    p->head_len = 0;
    head_add(p, "HTTP/1.1 %d %s\r\nServer: %.*s\r\nDate: %s\r\n", code, reason_of(code),
             w->tokens ? (int)strlen(w->product) : (int)strcspn(w->product, "/"), w->product, date);
}

static void head_end(const struct request *r, const struct scope *s, struct response *p)
{
    head_add(p, "Connection: %s\r\n", r->keep_alive ? "keep-alive" : "close");
    const bool fine = p->code < 400;
    for (size_t i = 0; s && fine && i < s->add_count; i++)
        head_add(p, "%s: %s\r\n", s->add[i].name, s->add[i].value);
    head_add(p, "\r\n");
}

void respond_text(const struct web *w, const struct request *r, const struct scope *s, int code, const char *type,
                  char *take_body, struct response *p)
{
    head_begin(w, p, code);
    p->body = take_body;
    p->length = (int64_t)strlen(take_body);
    head_add(p, "Content-Type: %s\r\nContent-Length: %lld\r\n", type, (long long)p->length);
    head_end(r, s, p);
}

static void respond_redirect(const struct web *w, const struct request *r, const struct scope *s, int code,
                             const char *location, struct response *p)
{
    char *body = calloc(1, 1024);
    const size_t n = w->error_page(w, code, reason_of(code), body, 1024);
    head_begin(w, p, code);
    p->body = body;
    p->length = (int64_t)n;
    head_add(p, "Content-Type: text/html\r\nContent-Length: %zu\r\nLocation: %s\r\n", n, location);
    head_end(r, s, p);
}

/* ---- variables in texts ("$host") ---- */

static const char *variable(const struct request *r, const char *name, size_t n, char *space, size_t size)
{
    const char *host = request_header(r, "Host");
#define IS(text) (n == sizeof(text) - 1 && memcmp(name, text, n) == 0)
    if (IS("host") || IS("http_host")) {
        snprintf(space, size, "%.*s", IS("host") && host ? (int)strcspn(host, ":") : 255, host ? host : "");
        return space;
    }
    if (IS("request_uri"))
        return r->target;
    if (IS("uri") || IS("document_uri"))
        return r->path;
    if (IS("args") || IS("query_string"))
        return r->args;
    if (IS("remote_addr"))
        return r->client;
    if (IS("request_method"))
        return r->method;
    if (IS("scheme"))
        return "http";
    if (IS("server_port")) {
        snprintf(space, size, "%u", r->local_port);
        return space;
    }
    if (IS("hostname")) {
        gethostname(space, size);
        return space;
    }
    if (n > 5 && memcmp(name, "http_", 5) == 0) {
        snprintf(space, size, "%.*s", (int)(n - 5), name + 5);
        for (char *c = space; *c; c++)
            if (*c == '_')
                *c = '-';
        const char *value = request_header(r, space);
        return value ? value : "";
    }
#undef IS
    return NULL;
}

static char *expand(const struct request *r, const char *text)
{
    char *out = NULL, space[512];
    size_t len = 0;
    FILE *f = open_memstream(&out, &len);
    while (*text) {
        if (*text != '$') {
            fputc(*text++, f);
            continue;
        }
        const bool braces = text[1] == '{';
        const char *name = text + 1 + braces;
        const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        const char *value = n ? variable(r, name, n, space, sizeof space) : NULL;
        if (value) {
            fputs(value, f);
            text = name + n + (braces && name[n] == '}');
        } else {
            fputc(*text++, f);
        }
    }
    fclose(f);
    return out;
}

/* ---- errors ---- */

static void serve_path(const struct web *w, struct request *r, const struct server *v, int depth, int status,
                       struct response *p);

void respond_error(const struct web *w, const struct request *r, const struct scope *s, int code, struct response *p)
{
    char *body = calloc(1, 2048);
    w->error_page(w, code, reason_of(code), body, 2048);
    respond_text(w, r, s, code, "text/html", body, p);
}

/* An error_page of the configuration, if there is one for the code. */
static void fail(const struct web *w, struct request *r, const struct server *v, const struct scope *s, int code,
                 int depth, struct response *p)
{
    for (size_t i = 0; i < s->error_count && depth < TRY_DEPTH; i++) {
        if (s->errors[i].code != code || s->errors[i].page[0] != '/')
            continue;
        snprintf(r->path, sizeof r->path, "%s", s->errors[i].page);
        serve_path(w, r, v, depth + 1, code, p);
        return;
    }
    respond_error(w, r, s, code, p);
}

/* ---- choosing ---- */

static const struct server *choose_server(const struct web *w, const struct request *r)
{
    const char *host = request_header(r, "Host");
    const size_t n = host ? strcspn(host, ":") : 0;
    const struct server *first = NULL;
    for (const struct server *v = w->servers; v; v = v->next) {
        bool here = false;
        for (size_t i = 0; i < v->listen_count; i++)
            if (v->listen[i].port == r->local_port) {
                here = true;
                if (v->listen[i].is_default || !first)
                    first = v;
            }
        for (size_t i = 0; here && v->names[i]; i++) {
            const char *name = v->names[i];
            const size_t len = strlen(name);
            const bool wild =
                len > 1 && name[0] == '*' && n >= len - 1 && strncasecmp(host + n - (len - 1), name + 1, len - 1) == 0;
            if (wild || (len == n && n && strncasecmp(name, host, n) == 0))
                return v;
        }
    }
    return first ? first : w->servers;
}

static const struct location *choose_location(const struct server *v, const char *path)
{
    const struct location *best = NULL;
    for (const struct location *l = v->locations; l; l = l->next) {
        const size_t n = strlen(l->path);
        if (l->match == MATCH_EXACT && strcmp(l->path, path) == 0)
            return l;
        if ((l->match == MATCH_PREFIX || l->match == MATCH_PREFIX_FINAL) && strncmp(l->path, path, n) == 0 &&
            (!best || n > strlen(best->path)))
            best = l;
    }
    if (best && best->match == MATCH_PREFIX_FINAL)
        return best;
    for (const struct location *l = v->locations; l; l = l->next)
        if (l->match == MATCH_REGEX && regexec(&l->regex, path, 0, NULL, 0) == 0)
            return l;
    return best;
}

/* The file a path names. */
static void file_path(const struct scope *s, const struct location *l, const char *path, char *out, size_t size)
{
    if (s->alias && l && l->match != MATCH_REGEX)
        snprintf(out, size, "%s%s", s->alias, path + strlen(l->path));
    else
        snprintf(out, size, "%s%s", s->root ? s->root : "/usr/share/nginx/html", path);
}

static const char *type_of(const struct web *w, const struct scope *s, const char *file)
{
    const char *dot = strrchr(file, '.');
    for (const struct mime *m = w->mimes; dot && !strchr(dot, '/') && m; m = m->next)
        if (strcasecmp(m->extension, dot + 1) == 0)
            return m->type;
    return s->default_type ? s->default_type : "application/octet-stream";
}

/* ---- directories ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void list_entry(FILE *f, int dir, const char *name)
{
    struct stat st;
    struct tm tm;
    char when[32], shown[64];
    if (fstatat(dir, name, &st, 0) < 0)
        return;
    const char *slash = S_ISDIR(st.st_mode) ? "/" : "";
    gmtime_r(&st.st_mtime, &tm);
    strftime(when, sizeof when, "%d-%b-%Y %H:%M", &tm);
    const int cut = strlen(name) + strlen(slash) > 50;
    snprintf(shown, sizeof shown, "%.*s%s", cut ? 47 : 50, name, cut ? "..>" : slash);
    fprintf(f, "<a href=\"%s%s\">%s</a>%*s %s ", name, slash, shown, (int)(50 - strlen(shown)), "", when);
    if (*slash)
        fprintf(f, "%19s\r\n", "-");
    else
        fprintf(f, "%19lld\r\n", (long long)st.st_size);
}

static char *list_directory(const char *file, const char *path)
{
    struct dirent **entries;
    const int n = scandir(file, &entries, visible, by_name);
    if (n < 0)
        return NULL;
    char *out = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&out, &len);
    const int dir = open(file, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fprintf(f,
            "<html>\r\n<head><title>Index of %s</title></head>\r\n<body>\r\n<h1>Index of %s</h1><hr><pre><a "
            "href=\"../\">../</a>\r\n",
            path, path);
    for (int i = 0; i < n; i++) {
        list_entry(f, dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    fprintf(f, "</pre><hr></body>\r\n</html>\r\n");
    fclose(f);
    close(dir);
    return out;
}

/* ---- files ---- */

/* "bytes=5-9", one range only. False: whole file. */
static bool range_of(const struct request *r, int64_t size, int64_t *from, int64_t *to)
{
    const char *range = request_header(r, "Range");
    if (!range || strncmp(range, "bytes=", 6) != 0 || strchr(range, ','))
        return false;
    char *end;
    const bool tail = range[6] == '-';
    *from = tail ? size - strtoll(range + 7, NULL, 10) : strtoll(range + 6, &end, 10);
    *to = tail || end[0] != '-' || !end[1] ? size - 1 : strtoll(end + 1, NULL, 10);
    if (*from < 0)
        *from = 0;
    if (*to >= size)
        *to = size - 1;
    return true;
}

static void send_file(const struct web *w, const struct request *r, const struct scope *s, const char *file,
                      const struct stat *st, int status, struct response *p)
{
    char modified[64];
    int64_t from = 0, to = (int64_t)st->st_size - 1;
    const char *since = request_header(r, "If-Modified-Since"), *none = request_header(r, "If-None-Match");
    char etag[64];
    http_date(st->st_mtime, modified, sizeof modified);
    snprintf(etag, sizeof etag, "\"%llx-%llx\"", (unsigned long long)st->st_mtime, (unsigned long long)st->st_size);
    const bool same = none ? strcmp(none, etag) == 0 : since && strcmp(since, modified) == 0;
    if (status == 200 && same) {
        head_begin(w, p, 304);
        head_add(p, "Last-Modified: %s\r\nETag: %s\r\n", modified, etag);
        head_end(r, s, p);
        return;
    }
    const bool part = status == 200 && range_of(r, st->st_size, &from, &to);
    if (part && from > to) {
        respond_error(w, r, s, 416, p);
        return;
    }
    p->file = open(file, O_RDONLY | O_CLOEXEC);
    if (p->file < 0) {
        respond_error(w, r, s, 403, p);
        return;
    }
    p->offset = from;
    p->length = to - from + 1;
    head_begin(w, p, part ? 206 : status);
    head_add(p, "Content-Type: %s\r\nContent-Length: %lld\r\nLast-Modified: %s\r\nETag: %s\r\n", type_of(w, s, file),
             (long long)p->length, modified, etag);
    if (part)
        head_add(p, "Content-Range: bytes %lld-%lld/%lld\r\n", (long long)from, (long long)to, (long long)st->st_size);
    else
        head_add(p, "Accept-Ranges: bytes\r\n");
    head_end(r, s, p);
}

static void open_failed(const struct web *w, const struct request *r, const char *file, int code)
{
    const char *host = request_header(r, "Host");
    web_log(w, "error",
            "*%u open() \"%s\" failed (%d: %s), client: %s, server: localhost, request: \"%s\", host: \"%s\"",
            r->connection, file, code, strerror(code), r->client, r->line, host ? host : "");
}

/* A directory with its slash: index file, list, or forbidden. */
static void serve_directory(const struct web *w, struct request *r, const struct server *v, const struct location *l,
                            const struct scope *s, const char *file, int depth, int status, struct response *p)
{
    char index[4200];
    struct stat st;
    for (size_t i = 0; i < LISTS_MAX; i++) {
        const char *name = s->index[0] ? s->index[i] : i == 0 ? "index.html" : NULL;
        if (!name)
            break;
        file_path(s, l, r->path, index, sizeof index);
        const size_t n = strlen(index);
        snprintf(index + n, sizeof index - n, "%s", name);
        if (stat(index, &st) == 0 && S_ISREG(st.st_mode)) {
            if (access(index, R_OK) < 0) {
                open_failed(w, r, index, errno);
                fail(w, r, v, s, 403, depth, p);
            } else {
                send_file(w, r, s, index, &st, status, p);
            }
            return;
        }
    }
    char *list = s->autoindex ? list_directory(file, r->path) : NULL;
    if (list) {
        respond_text(w, r, s, status, "text/html", list, p);
        return;
    }
    const char *host = request_header(r, "Host");
    web_log(w, "error",
            "*%u directory index of \"%s\" is forbidden, client: %s, server: localhost, request: \"%s\", host: \"%s\"",
            r->connection, file, r->client, r->line, host ? host : "");
    fail(w, r, v, s, 403, depth, p);
}

static void serve_file(const struct web *w, struct request *r, const struct server *v, const struct location *l,
                       const struct scope *s, int depth, int status, struct response *p)
{
    char file[4096];
    struct stat st;
    file_path(s, l, r->path, file, sizeof file);
    if (stat(file, &st) < 0) {
        const int code = errno;
        open_failed(w, r, file, code);
        fail(w, r, v, s, code == EACCES ? 403 : 404, depth, p);
    } else if (S_ISDIR(st.st_mode) && r->path[strlen(r->path) - 1] == '/') {
        serve_directory(w, r, v, l, s, file, depth, status, p);
    } else if (S_ISDIR(st.st_mode)) {
        char location[4096];
        const char *host = request_header(r, "Host");
        snprintf(location, sizeof location, "http://%s%s/", host ? host : "localhost", r->path);
        respond_redirect(w, r, s, 301, location, p);
    } else if (access(file, R_OK) < 0) {
        open_failed(w, r, file, errno);
        fail(w, r, v, s, 403, depth, p);
    } else {
        send_file(w, r, s, file, &st, status, p);
    }
}

/* The first of try_files that is there; the last is what to do otherwise. True: answered. */
static bool try_files(const struct web *w, struct request *r, const struct server *v, const struct location *l,
                      const struct scope *s, int depth, struct response *p)
{
    size_t count = 0;
    while (count < LISTS_MAX && s->try_files[count])
        count++;
    for (size_t i = 0; i < count; i++) {
        char *candidate = expand(r, s->try_files[i]), file[4096];
        struct stat st;
        const size_t n = strlen(candidate);
        const bool want_dir = n && candidate[n - 1] == '/';
        if (i + 1 == count && candidate[0] == '=') {
            fail(w, r, v, s, (int)strtol(candidate + 1, NULL, 10), depth, p);
            free(candidate);
            return true;
        }
        file_path(s, l, candidate, file, sizeof file);
        const bool there = stat(file, &st) == 0 && (want_dir ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
        if (there || i + 1 == count)
            snprintf(r->path, sizeof r->path, "%.*s", (int)sizeof r->path - 1, candidate);
        free(candidate);
        if (there)
            return false; /* serve the new path here */
        if (i + 1 == count) {
            serve_path(w, r, v, depth + 1, 200, p);
            return true;
        }
    }
    return false;
}

static void serve_return(const struct web *w, const struct request *r, const struct scope *s, struct response *p)
{
    char *text = expand(r, s->return_text ? s->return_text : "");
    if (s->return_code >= 300 && s->return_code < 400) {
        respond_redirect(w, r, s, s->return_code, text, p);
        free(text);
    } else if (s->return_text) {
        respond_text(w, r, s, s->return_code, s->default_type ? s->default_type : "application/octet-stream", text, p);
    } else {
        free(text);
        respond_error(w, r, s, s->return_code, p);
    }
}

static void serve_path(const struct web *w, struct request *r, const struct server *v, int depth, int status,
                       struct response *p)
{
    const struct location *l = v->scope.return_code ? NULL : choose_location(v, r->path);
    struct scope s = l ? l->scope : v->scope;
    if (l)
        scope_inherit(&s, &v->scope);
    scope_inherit(&s, &w->http);
    if (depth >= TRY_DEPTH)
        respond_error(w, r, &s, 500, p);
    else if (s.deny_all)
        fail(w, r, v, &s, 403, depth, p);
    else if (s.return_code)
        serve_return(w, r, &s, p);
    else if (s.proxy_pass)
        fail(w, r, v, &s, 502, depth, p);
    else if (strcmp(r->method, "GET") != 0 && !r->head_only)
        fail(w, r, v, &s, 405, depth, p);
    else if (!(s.try_files[0] && try_files(w, r, v, l, &s, depth, p)))
        serve_file(w, r, v, l, &s, depth, status, p);
}

void respond(const struct web *w, const struct request *r, struct response *out)
{
    if (w->answer && w->answer(w, r, out))
        return;
    struct request copy = *r; /* its path changes with internal redirects */
    serve_path(w, &copy, choose_server(w, r), 0, 200, out);
}

void scope_inherit(struct scope *s, const struct scope *from)
{
    if (!s->root && !s->alias)
        s->root = from->root;
    if (!s->index[0])
        memcpy(s->index, from->index, sizeof s->index);
    if (!s->try_files[0])
        memcpy(s->try_files, from->try_files, sizeof s->try_files);
    if (!s->default_type)
        s->default_type = from->default_type;
    if (!s->autoindex_set) {
        s->autoindex = from->autoindex;
        s->autoindex_set = from->autoindex_set;
    }
    if (!s->add_count) {
        memcpy(s->add, from->add, sizeof s->add);
        s->add_count = from->add_count;
    }
    if (!s->error_count) {
        memcpy(s->errors, from->errors, sizeof s->errors);
        s->error_count = from->error_count;
    }
}

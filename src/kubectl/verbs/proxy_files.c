/* proxy_files.c - see proxy_files.h.
 *
 * DESIGN: a path is made plain before anything is opened: ".." ends at the folder, symbolic links are followed, as the
 * real one does. A folder is its index.html, else a list; a path that could be written shorter is redirected. The type
 * is that of the name's end, by a table and the machine's mime.types, else what the first bytes look like. One range of
 * a file is served as such; who asks for several gets the whole. Source: Go's net/http fs.go and sniff.go. */
#include "kubectl/verbs/proxy_files.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SNIFFED   512
#define DATE_TEXT "%a, %d %b %Y %H:%M:%S GMT"

/* ---- answers ---- */

static bool send_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        const ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void add_date(struct buf *to, const char *name, time_t at)
{
    char text[64];
    struct tm tm;
    strftime(text, sizeof text, DATE_TEXT, gmtime_r(&at, &tm));
    buf_addf(to, "%s: %s\r\n", name, text);
}

/* headers: lines beside those of every answer. */
static void answer(const struct files_request *rq, const char *status, const char *headers, const char *body, size_t n)
{
    _auto_buf_ struct buf head = BUF_INIT;
    buf_addf(&head, "HTTP/1.1 %s\r\n%s", status, headers);
    add_date(&head, "Date", time(NULL));
    buf_adds(&head, "Connection: close\r\n\r\n");
    if (send_all(rq->fd, buf_str(&head), head.len) && !str_eq(rq->method, "HEAD"))
        send_all(rq->fd, body, n);
}

static void answer_error(const struct files_request *rq, const char *status, const char *text)
{
    _auto_free_ char *body = xasprintf("%s\n", text);
    _auto_free_ char *headers = xasprintf("Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: "
                                          "nosniff\r\nContent-Length: %zu\r\n",
                                          strlen(body));
    answer(rq, status, headers, body, strlen(body));
}

static void answer_errno(const struct files_request *rq, int why)
{
    if (why == ENOENT || why == ENOTDIR || why == ENAMETOOLONG || why == ELOOP)
        answer_error(rq, "404 Not Found", "404 page not found");
    else if (why == EACCES || why == EPERM)
        answer_error(rq, "403 Forbidden", "403 Forbidden");
    else
        answer_error(rq, "500 Internal Server Error", "500 Internal Server Error");
}

/* Go's server adds no length of its own where there is nothing to send. */
static void add_length(const struct files_request *rq, struct buf *to, size_t n)
{
    if (!str_eq(rq->method, "HEAD"))
        buf_addf(to, "Content-Length: %zu\r\n", n);
}

/* To a neighbour; the query goes along. */
static void redirect(const struct files_request *rq, const char *to)
{
    _auto_buf_ struct buf headers = BUF_INIT;
    const char *query = strchr(rq->path, '?');
    buf_addf(&headers, "Location: %s%s\r\n", to, query ? query : "");
    add_length(rq, &headers, 0);
    answer(rq, "301 Moved Permanently", buf_str(&headers), "", 0);
}

static const char *header_of(const struct files_request *rq, const char *name, char out[128])
{
    const size_t n = strlen(name);
    for (const char *line = rq->headers; line && *line; line = strstr(line, "\r\n") ? strstr(line, "\r\n") + 2 : NULL)
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            const char *value = line + n + 1 + strspn(line + n + 1, " ");
            snprintf(out, 128, "%.*s", (int)strcspn(value, "\r"), value);
            return out;
        }
    return NULL;
}

/* ---- types ---- */

static const struct {
    const char *end, *type;
} known_ends[] = {{"avif", "image/avif"},
                  {"css", "text/css; charset=utf-8"},
                  {"gif", "image/gif"},
                  {"htm", "text/html; charset=utf-8"},
                  {"html", "text/html; charset=utf-8"},
                  {"jpeg", "image/jpeg"},
                  {"jpg", "image/jpeg"},
                  {"js", "text/javascript; charset=utf-8"},
                  {"json", "application/json"},
                  {"mjs", "text/javascript; charset=utf-8"},
                  {"pdf", "application/pdf"},
                  {"png", "image/png"},
                  {"svg", "image/svg+xml"},
                  {"wasm", "application/wasm"},
                  {"webp", "image/webp"},
                  {"xml", "text/xml; charset=utf-8"}};

/* By the machine's list, "type end end…" a line. Returns new, or NULL. */
static char *listed_type(const char *end)
{
    static const char *const lists[] = {"/etc/mime.types", "/etc/apache2/mime.types", "/etc/apache/mime.types",
                                        "/etc/httpd/conf/mime.types"};
    char *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(lists) && !found; i++) {
        _auto_file_ FILE *f = fopen(lists[i], "re");
        char line[1024], *rest;
        while (f && fgets(line, sizeof line, f)) {
            const char *type = line[0] == '#' ? NULL : strtok_r(line, " \t\r\n", &rest);
            for (const char *w = type ? strtok_r(NULL, " \t\r\n", &rest) : NULL; w && w[0] != '#';
                 w = strtok_r(NULL, " \t\r\n", &rest))
                if (strcasecmp(w, end) == 0) {
                    free(found);
                    found = xasprintf("%s%s", type, str_starts(type, "text/") ? "; charset=utf-8" : "");
                }
        }
    }
    return found;
}

#define SIGN(bytes, type)                                                                                              \
    {                                                                                                                  \
        bytes, sizeof bytes - 1, type                                                                                  \
    }
static const struct {
    const char *bytes;
    size_t len;
    const char *type;
} signs[] = {SIGN("%PDF-", "application/pdf"),
             SIGN("%!PS-Adobe-", "application/postscript"),
             SIGN("\xfe\xff", "text/plain; charset=utf-16be"),
             SIGN("\xff\xfe", "text/plain; charset=utf-16le"),
             SIGN("\xef\xbb\xbf", "text/plain; charset=utf-8"),
             SIGN("\0\0\1\0", "image/x-icon"),
             SIGN("\0\0\2\0", "image/x-icon"),
             SIGN("BM", "image/bmp"),
             SIGN("GIF87a", "image/gif"),
             SIGN("GIF89a", "image/gif"),
             SIGN("\x89PNG\r\n\x1a\n", "image/png"),
             SIGN("\xff\xd8\xff", "image/jpeg"),
             SIGN("ID3", "audio/mpeg"),
             SIGN("OggS\0", "application/ogg"),
             SIGN("MThd\0\0\0\6", "audio/midi"),
             SIGN("\x1a\x45\xdf\xa3", "video/webm"),
             SIGN("\0\1\0\0", "font/ttf"),
             SIGN("OTTO", "font/otf"),
             SIGN("ttcf", "font/collection"),
             SIGN("wOFF", "font/woff"),
             SIGN("wOF2", "font/woff2"),
             SIGN("\x1f\x8b\b", "application/x-gzip"),
             SIGN("PK\3\4", "application/zip"),
             SIGN("Rar!\x1a\7\0", "application/x-rar-compressed"),
             SIGN("Rar!\x1a\7\1\0", "application/x-rar-compressed"),
             SIGN("\0asm", "application/wasm")};

static const char *const html_signs[] = {
    "<!DOCTYPE HTML", "<HTML",  "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE", "<A",
    "<STYLE",         "<TITLE", "<B",    "<BODY",   "<BR",     "<P",  "<!--"};

static bool is_markup(const char *text, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(html_signs); i++) {
        const size_t len = strlen(html_signs[i]);
        if (n > len && strncasecmp(text, html_signs[i], len) == 0 && (text[len] == ' ' || text[len] == '>'))
            return true;
    }
    return false;
}

static const char *sniffed_type(const char *data, size_t n)
{
    size_t space = 0;
    while (space < n && memchr("\t\n\f\r ", data[space], 5))
        space++;
    if (is_markup(data + space, n - space))
        return "text/html; charset=utf-8";
    if (n - space >= 5 && memcmp(data + space, "<?xml", 5) == 0)
        return "text/xml; charset=utf-8";
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (n >= signs[i].len && memcmp(data, signs[i].bytes, signs[i].len) == 0)
            return signs[i].type;
    if (n >= 12 && memcmp(data, "RIFF", 4) == 0)
        return memcmp(data + 8, "WEBP", 4) == 0   ? "image/webp"
               : memcmp(data + 8, "AVI ", 4) == 0 ? "video/avi"
                                                  : "audio/wave";
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)data[i];
        if (c <= 8 || c == 0xb || (c >= 0xe && c <= 0x1a) || (c >= 0x1c && c <= 0x1f))
            return "application/octet-stream";
    }
    return "text/plain; charset=utf-8";
}

/* Returns new. */
static char *type_of(const char *name, int fd)
{
    char data[SNIFFED];
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
    char *listed = dot ? listed_type(dot + 1) : NULL;
    if (listed)
        return listed;
    for (size_t i = 0; dot && i < ARRAY_LEN(known_ends); i++)
        if (strcasecmp(dot + 1, known_ends[i].end) == 0)
            return xstrdup(known_ends[i].type);
    const ssize_t n = pread(fd, data, sizeof data, 0);
    return xstrdup(sniffed_type(data, n > 0 ? (size_t)n : 0));
}

/* ---- a file ---- */

static bool unchanged_since(const struct files_request *rq, time_t changed)
{
    char text[128];
    struct tm tm = {0};
    if ((!str_eq(rq->method, "GET") && !str_eq(rq->method, "HEAD")) || !header_of(rq, "If-Modified-Since", text))
        return false;
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end && !*end && timegm(&tm) >= changed;
}

enum range { RANGE_WHOLE, RANGE_PART, RANGE_BEHIND, RANGE_BAD };

/* Digits and nothing else up to `end`; -1: that is none. */
static int64_t place_of(const char *text, const char *end)
{
    char *stop;
    const int64_t n = isdigit((unsigned char)*text) ? strtoll(text, &stop, 10) : -1;
    return n >= 0 && stop == end ? n : -1;
}

/* "bytes=1-2", "bytes=5-", "bytes=-3". */
static enum range range_of(const struct files_request *rq, int64_t size, int64_t *out_from, int64_t *out_len)
{
    char text[128];
    *out_from = 0;
    *out_len = size;
    if (!header_of(rq, "Range", text) || !str_starts(text, "bytes=") || strchr(text, ',') || size == 0)
        return RANGE_WHOLE;
    const char *from = text + 6, *dash = strchr(from, '-'), *end = text + strlen(text);
    const int64_t last = dash && dash[1] ? place_of(dash + 1, end) : size - 1;
    if (!dash || last < 0 || (dash == from && !dash[1]))
        return RANGE_BAD;
    if (dash == from) {
        *out_len = last < size ? last : size;
        *out_from = size - *out_len;
        return RANGE_PART;
    }
    const int64_t first = place_of(from, dash);
    if (first >= size)
        return RANGE_BEHIND;
    if (first < 0 || last < first)
        return RANGE_BAD;
    *out_from = first;
    *out_len = (last < size ? last + 1 : size) - first;
    return RANGE_PART;
}

static void send_part(int to, int from, int64_t at, int64_t n)
{
    off_t place = at;
    while (n > 0) {
        const ssize_t sent = sendfile(to, from, &place, n < (1 << 20) ? (size_t)n : 1 << 20);
        if (sent <= 0)
            return;
        n -= sent;
    }
}

static void serve_file(const struct files_request *rq, const char *name, int fd, const struct stat *st)
{
    int64_t from, len;
    _auto_buf_ struct buf headers = BUF_INIT;
    _auto_free_ char *type = type_of(name, fd);
    if (unchanged_since(rq, st->st_mtim.tv_sec)) {
        add_date(&headers, "Last-Modified", st->st_mtim.tv_sec);
        answer(rq, "304 Not Modified", buf_str(&headers), "", 0);
        return;
    }
    const enum range range = range_of(rq, st->st_size, &from, &len);
    if (range == RANGE_BEHIND || range == RANGE_BAD) {
        const char *text = range == RANGE_BAD ? "invalid range\n" : "invalid range: failed to overlap\n";
        if (range == RANGE_BEHIND)
            buf_addf(&headers, "Content-Range: bytes */%lld\r\n", (long long)st->st_size);
        buf_addf(&headers,
                 "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
                 "Content-Length: %zu\r\n",
                 strlen(text));
        answer(rq, "416 Requested Range Not Satisfiable", buf_str(&headers), text, strlen(text));
        return;
    }
    buf_addf(&headers, "Accept-Ranges: bytes\r\nContent-Length: %lld\r\n", (long long)len);
    if (range == RANGE_PART)
        buf_addf(&headers, "Content-Range: bytes %lld-%lld/%lld\r\n", (long long)from, (long long)(from + len - 1),
                 (long long)st->st_size);
    buf_addf(&headers, "Content-Type: %s\r\n", type);
    add_date(&headers, "Last-Modified", st->st_mtim.tv_sec);
    answer(rq, range == RANGE_PART ? "206 Partial Content" : "200 OK", buf_str(&headers), "", 0);
    if (!str_eq(rq->method, "HEAD"))
        send_part(rq->fd, fd, from, len);
}

/* ---- a folder ---- */

/* As Go escapes a path in a URL. */
static void add_href(struct buf *to, const char *name)
{
    if (strchr(name, ':') && !strchr(name, '/'))
        buf_adds(to, "./");
    for (const char *p = name; *p; p++)
        if ((*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || strchr("-_.~$&+,/:;=@", *p))
            buf_addc(to, *p);
        else
            buf_addf(to, "%%%02X", (unsigned char)*p);
}

static void add_html(struct buf *to, const char *text)
{
    static const struct {
        char c;
        const char *as;
    } rows[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&#34;"}, {'\'', "&#39;"}};
    for (; *text; text++) {
        size_t i = 0;
        while (i < ARRAY_LEN(rows) && rows[i].c != *text)
            i++;
        if (i < ARRAY_LEN(rows))
            buf_adds(to, rows[i].as);
        else
            buf_addc(to, *text);
    }
}

static int not_self(const struct dirent *entry)
{
    return !str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void serve_list(const struct files_request *rq, const char *path, const struct stat *st)
{
    struct dirent **entries = NULL;
    _auto_buf_ struct buf body = BUF_INIT, headers = BUF_INIT;
    const int n = scandir(path, &entries, not_self, by_bytes);
    if (n < 0) {
        answer_error(rq, "500 Internal Server Error", "Error reading directory");
        return;
    }
    if (unchanged_since(rq, st->st_mtim.tv_sec)) {
        add_date(&headers, "Last-Modified", st->st_mtim.tv_sec);
        answer(rq, "304 Not Modified", buf_str(&headers), "", 0);
    } else {
        buf_adds(&body, "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n");
        for (int i = 0; i < n; i++) {
            _auto_free_ char *name = xasprintf("%s%s", entries[i]->d_name, entries[i]->d_type == DT_DIR ? "/" : "");
            buf_adds(&body, "<a href=\"");
            add_href(&body, name);
            buf_adds(&body, "\">");
            add_html(&body, name);
            buf_adds(&body, "</a>\n");
        }
        buf_adds(&body, "</pre>\n");
        buf_adds(&headers, "Content-Type: text/html; charset=utf-8\r\n");
        add_date(&headers, "Last-Modified", st->st_mtim.tv_sec);
        buf_addf(&headers, "Content-Length: %zu\r\n", body.len);
        answer(rq, "200 OK", buf_str(&headers), buf_str(&body), body.len);
    }
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
}

/* ---- paths ---- */

/* Without "//", "." and ".."; a slash at the end stays. Returns new. */
static char *clean(const char *path)
{
    _auto_strlist_ struct strlist parts = {0};
    _auto_buf_ struct buf out = BUF_INIT;
    size_t kept = 0;
    const size_t n = strlen(path);
    strlist_split(&parts, path, '/');
    for (size_t i = 0; i < parts.len; i++) {
        char *part = parts.items[i];
        if (str_eq(part, "..") && kept > 0)
            kept--;
        else if (*part && !str_eq(part, ".") && !str_eq(part, "..")) {
            parts.items[i] = parts.items[kept]; /* both are freed with the list */
            parts.items[kept++] = part;
        }
    }
    for (size_t i = 0; i < kept; i++)
        buf_addf(&out, "/%s", parts.items[i]);
    if (kept == 0 || (n > 0 && path[n - 1] == '/'))
        buf_addc(&out, '/');
    return buf_steal(&out, NULL);
}

/* The multiplexer's redirect, to the path as a whole. */
static void redirect_whole(const struct files_request *rq, const char *to)
{
    _auto_buf_ struct buf body = BUF_INIT, headers = BUF_INIT;
    const char *query = strchr(rq->path, '?');
    _auto_free_ char *whole = xasprintf("%s%s", to, query ? query : "");
    buf_adds(&body, "<a href=\"");
    add_html(&body, whole);
    buf_adds(&body, "\">Moved Permanently</a>.\n\n");
    const bool shown = str_eq(rq->method, "GET") || str_eq(rq->method, "HEAD");
    if (shown)
        buf_adds(&headers, "Content-Type: text/html; charset=utf-8\r\n");
    buf_addf(&headers, "Location: %s\r\n", whole);
    add_length(rq, &headers, shown ? body.len : 0);
    answer(rq, "301 Moved Permanently", buf_str(&headers), buf_str(&body), shown ? body.len : 0);
}

static void serve_at(const struct files_request *rq, const char *name, const char *path)
{
    struct stat st;
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        answer_errno(rq, errno);
        return;
    }
    const char *slash = strrchr(name, '/');
    const bool ends = slash && !slash[1];
    if (S_ISDIR(st.st_mode) != ends) {
        _auto_free_ char *copy = xstrndup(name, strlen(name) - ends);
        const char *last = strrchr(copy, '/') ? strrchr(copy, '/') + 1 : copy;
        _auto_free_ char *to = ends ? xasprintf("../%s", last) : xasprintf("%s/", last);
        redirect(rq, to);
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        serve_file(rq, name, fd, &st);
        return;
    }
    struct stat index_st;
    _auto_free_ char *index = xasprintf("%s/index.html", path);
    _auto_close_ int index_fd = open(index, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (index_fd >= 0 && fstat(index_fd, &index_st) == 0 && !S_ISDIR(index_st.st_mode))
        serve_file(rq, "index.html", index_fd, &index_st);
    else
        serve_list(rq, path, &st);
}

void proxy_files_serve(const char *folder, const char *prefix, const struct files_request *rq)
{
    struct stat st;
    const size_t n = strlen(prefix);
    _auto_free_ char *asked = xstrndup(rq->path, strcspn(rq->path, "?")), *short_form = clean(asked);
    const bool bare = strlen(rq->plain) < n; /* the prefix without its slash, however it was escaped */
    if (bare || !str_eq(short_form, asked)) {
        redirect_whole(rq, bare ? prefix : short_form);
        return;
    }
    _auto_free_ char *name = clean(rq->plain + n);
    if (str_ends(name, "/index.html")) {
        redirect(rq, "./");
        return;
    }
    if (stat(folder, &st) == 0 && !S_ISDIR(st.st_mode)) {
        answer_error(rq, "500 Internal Server Error", "http: attempting to traverse a non-directory");
        return;
    }
    _auto_free_ char *path = xasprintf("%s%s", folder, name);
    const size_t len = strlen(path);
    if (len > 1 && path[len - 1] == '/')
        path[len - 1] = '\0'; /* a file with a slash is redirected, not refused */
    serve_at(rq, name, path);
}

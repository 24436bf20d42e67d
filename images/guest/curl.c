/* curl.c - a small HTTP client with curl's command line: what labs type (curl -s http://web:80/path, -I, -o, -v, -f,
 * -L, -H, -m, -w).
 *
 * Names come from /etc/hosts, then by DNS over UDP as resolv.conf says (search list, ndots): libc's resolver cannot be
 * linked statically. HTTPS is refused with curl's words and code. */
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REDIRECTS_MAX 20
#define HEAD_MAX      32768

enum {
    EXIT_PROTOCOL = 1,
    EXIT_URL = 3,
    EXIT_RESOLVE = 6,
    EXIT_CONNECT = 7,
    EXIT_HTTP = 22,
    EXIT_WRITE = 23,
    EXIT_TIMEOUT = 28,
    EXIT_EMPTY = 52
};

struct options {
    bool silent, show_error, head, include, verbose, fail, follow;
    const char *output, *method, *data, *write_out, *headers[32];
    size_t header_count;
    int timeout_ms, connect_ms;
};
struct url {
    char host[256], path[2048];
    uint16_t port;
};
static int64_t deadline_ms;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int time_left(void)
{
    const int64_t left = deadline_ms - now_ms();
    return left > 0 ? (int)left : 0;
}

/* ---- names ---- */

static bool hosts_lookup(const char *name, struct in_addr *out)
{
    char line[1024];
    FILE *f = fopen("/etc/hosts", "re");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "#\n")] = '\0';
        char *save, *word = strtok_r(line, " \t", &save);
        struct in_addr address;
        if (!word || inet_pton(AF_INET, word, &address) != 1)
            continue;
        while (!found && (word = strtok_r(NULL, " \t", &save)))
            if (strcasecmp(word, name) == 0) {
                *out = address;
                found = true;
            }
    }
    if (f)
        fclose(f);
    return found;
}

struct resolver {
    struct in_addr server;
    char search[8][256];
    size_t search_count;
    int ndots;
};

static void read_resolver(struct resolver *r)
{
    char line[1024];
    *r = (struct resolver){.ndots = 1};
    inet_pton(AF_INET, "127.0.0.1", &r->server);
    FILE *f = fopen("/etc/resolv.conf", "re");
    bool have = false;
    while (f && fgets(line, sizeof line, f)) {
        char *save, *word = strtok_r(line, " \t\n", &save);
        if (!word)
            continue;
        const bool search = strcmp(word, "search") == 0, options = strcmp(word, "options") == 0;
        const bool server = strcmp(word, "nameserver") == 0;
        while ((word = strtok_r(NULL, " \t\n", &save))) {
            if (search && r->search_count < 8)
                snprintf(r->search[r->search_count++], sizeof r->search[0], "%s", word);
            else if (server && !have)
                have = inet_pton(AF_INET, word, &r->server) == 1;
            else if (options && strncmp(word, "ndots:", 6) == 0)
                r->ndots = (int)strtol(word + 6, NULL, 10);
        }
    }
    if (f)
        fclose(f);
}

static size_t build_query(const char *name, uint8_t *q, size_t size)
{
    static const uint8_t head[12] = {0x12, 0x34, 1, 0, 0, 1};
    memcpy(q, head, sizeof head);
    size_t n = sizeof head;
    while (*name) {
        const size_t len = strcspn(name, ".");
        if (!len || len > 63 || n + len + 6 > size)
            return 0;
        q[n++] = (uint8_t)len;
        memcpy(q + n, name, len);
        n += len;
        name += len + (name[len] == '.');
    }
    const uint8_t tail[5] = {0, 0, 1, 0, 1};
    memcpy(q + n, tail, sizeof tail);
    return n + sizeof tail;
}

static size_t skip_name(const uint8_t *m, size_t at, size_t len)
{
    while (at < len && m[at]) {
        if ((m[at] & 0xc0) == 0xc0)
            return at + 2;
        at += m[at] + 1u;
    }
    return at + 1;
}

static bool parse_answer(const uint8_t *m, size_t len, struct in_addr *out)
{
    if (len < 12 || (m[3] & 15) != 0)
        return false;
    const unsigned answers = (unsigned)m[6] << 8 | m[7];
    size_t at = skip_name(m, 12, len) + 4;
    for (unsigned i = 0; i < answers; i++) {
        at = skip_name(m, at, len);
        if (at + 10 > len)
            return false;
        const unsigned type = (unsigned)m[at] << 8 | m[at + 1], size = (unsigned)m[at + 8] << 8 | m[at + 9];
        at += 10;
        if (type == 1 && size == 4 && at + 4 <= len) {
            memcpy(out, m + at, 4);
            return true;
        }
        at += size;
    }
    return false;
}

static bool dns_lookup(const struct resolver *r, const char *name, struct in_addr *out)
{
    uint8_t query[512], answer[1500];
    const size_t n = build_query(name, query, sizeof query);
    const int fd = n ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = r->server};
    bool found = false;
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 && send(fd, query, n, 0) == (ssize_t)n) {
        struct pollfd p = {fd, POLLIN, 0};
        const int wait = time_left() < 2500 ? time_left() : 2500;
        const ssize_t got = poll(&p, 1, wait) > 0 ? recv(fd, answer, sizeof answer, 0) : -1;
        found = got > 0 && parse_answer(answer, (size_t)got, out);
    }
    close(fd);
    return found;
}

static bool resolve(const char *name, struct in_addr *out)
{
    if (inet_pton(AF_INET, name, out) == 1 || hosts_lookup(name, out))
        return true;
    if (strcasecmp(name, "localhost") == 0)
        return inet_pton(AF_INET, "127.0.0.1", out) == 1;
    struct resolver r;
    read_resolver(&r);
    int dots = 0;
    for (const char *c = name; *c; c++)
        dots += *c == '.';
    if (dots >= r.ndots && dns_lookup(&r, name, out))
        return true;
    for (size_t i = 0; i < r.search_count; i++) {
        char full[600];
        snprintf(full, sizeof full, "%s.%s", name, r.search[i]);
        if (dns_lookup(&r, full, out))
            return true;
    }
    return dots < r.ndots && dns_lookup(&r, name, out);
}

/* ---- one exchange ---- */

static int complain(const struct options *o, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int complain(const struct options *o, int code, const char *fmt, ...)
{
    va_list ap;
    if (o->silent && !o->show_error)
        return code;
    fprintf(stderr, "curl: (%d) ", code);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return code;
}

static int parse_url(const struct options *o, const char *text, struct url *u)
{
    const char *at = strstr(text, "://");
    if (at && strncasecmp(text, "https://", 8) == 0)
        return complain(o, EXIT_PROTOCOL, "Protocol \"https\" not supported");
    if (at && strncasecmp(text, "http://", 7) != 0)
        return complain(o, EXIT_PROTOCOL, "Protocol \"%.*s\" not supported", (int)(at - text), text);
    at = at ? at + 3 : text;
    const size_t n = strcspn(at, "/?#");
    char authority[300];
    snprintf(authority, sizeof authority, "%.*s", (int)n, at);
    char *colon = strrchr(authority, ':');
    u->port = 80;
    if (colon) {
        const long port = strtol(colon + 1, NULL, 10);
        if (port < 1 || port > 65535)
            return complain(o, EXIT_URL, "URL rejected: Port number was not a decimal number between 0 and 65535");
        u->port = (uint16_t)port;
        *colon = '\0';
    }
    if (!*authority)
        return complain(o, EXIT_URL, "URL rejected: No host part in the URL");
    snprintf(u->host, sizeof u->host, "%.255s", authority);
    snprintf(u->path, sizeof u->path, "%s%s", at[n] == '/' ? "" : "/", at + n);
    u->path[strcspn(u->path, "#")] = '\0';
    return 0;
}

static int connect_to(const struct options *o, const struct url *u, int *out_fd)
{
    struct in_addr address;
    const int64_t start = now_ms();
    if (!resolve(u->host, &address))
        return complain(o, EXIT_RESOLVE, "Could not resolve host: %s", u->host);
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(u->port), .sin_addr = address};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int code = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        struct pollfd p = {fd, POLLOUT, 0};
        socklen_t len = sizeof code;
        const int limit = o->connect_ms && o->connect_ms < time_left() ? o->connect_ms : time_left();
        if (poll(&p, 1, limit) <= 0) {
            close(fd);
            return complain(o, EXIT_TIMEOUT, "Failed to connect to %s port %u after %lld ms: Timeout was reached",
                            u->host, u->port, (long long)(now_ms() - start));
        }
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
    }
    if (code) {
        close(fd);
        return complain(o, EXIT_CONNECT, "Failed to connect to %s port %u after %lld ms: Couldn't connect to server",
                        u->host, u->port, (long long)(now_ms() - start));
    }
    if (o->verbose) {
        char text[INET_ADDRSTRLEN];
        fprintf(stderr, "*   Trying %s:%u...\n* Connected to %s (%s) port %u\n",
                inet_ntop(AF_INET, &address, text, sizeof text), u->port, u->host, text, u->port);
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    *out_fd = fd;
    return 0;
}

static void send_request(const struct options *o, const struct url *u, int fd)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    const char *method = o->method ? o->method : o->head ? "HEAD" : o->data ? "POST" : "GET";
    bool has_host = false, has_type = false;
    for (size_t i = 0; i < o->header_count; i++) {
        has_host |= strncasecmp(o->headers[i], "host:", 5) == 0;
        has_type |= strncasecmp(o->headers[i], "content-type:", 13) == 0;
    }
    fprintf(f, "%s %s HTTP/1.1\r\n", method, u->path);
    if (!has_host && u->port == 80)
        fprintf(f, "Host: %s\r\n", u->host);
    else if (!has_host)
        fprintf(f, "Host: %s:%u\r\n", u->host, u->port);
    fprintf(f, "User-Agent: curl/8.5.0\r\nAccept: */*\r\n");
    for (size_t i = 0; i < o->header_count; i++)
        fprintf(f, "%s\r\n", o->headers[i]);
    if (o->data)
        fprintf(f, "Content-Length: %zu\r\n%s", strlen(o->data),
                has_type ? "" : "Content-Type: application/x-www-form-urlencoded\r\n");
    fprintf(f, "Connection: close\r\n\r\n");
    fclose(f);
    for (char *line = text; o->verbose && *line && strncmp(line, "Connection: close", 17) != 0;
         line = strchr(line, '\n') + 1)
        fprintf(stderr, "> %.*s\n", (int)strcspn(line, "\r\n"), line);
    if (o->verbose)
        fprintf(stderr, "> \n");
    if (send(fd, text, len, MSG_NOSIGNAL) > 0 && o->data)
        send(fd, o->data, strlen(o->data), MSG_NOSIGNAL);
    free(text);
}

static ssize_t receive(int fd, char *to, size_t size)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, time_left()) > 0 ? recv(fd, to, size, 0) : -1;
}

struct answer {
    int code;
    bool chunked;
    int64_t length, size; /* announced (-1 = to the end), received */
    char location[2048];
    char *head; /* owned */
};

static void parse_head(struct answer *a)
{
    a->length = -1;
    sscanf(a->head, "HTTP/%*s %d", &a->code);
    for (char *line = strchr(a->head, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        const char *h = line + 1;
        if (strncasecmp(h, "content-length:", 15) == 0)
            a->length = strtoll(h + 15, NULL, 10);
        else if (strncasecmp(h, "transfer-encoding:", 18) == 0)
            a->chunked = strncasecmp(h + 18 + strspn(h + 18, " "), "chunked", 7) == 0;
        else if (strncasecmp(h, "location:", 9) == 0)
            snprintf(a->location, sizeof a->location, "%.*s", (int)strcspn(h + 9 + strspn(h + 9, " "), "\r\n"),
                     h + 9 + strspn(h + 9, " "));
    }
}

/* Removes the chunk marks; *left is what remains of the present chunk (-1 = a size line comes). */
static size_t unchunk(char *data, size_t len, int64_t *left, bool *done)
{
    size_t in = 0, out = 0;
    while (in < len && !*done) {
        if (*left > 0) {
            const size_t n = (int64_t)(len - in) < *left ? len - in : (size_t)*left;
            memmove(data + out, data + in, n);
            in += n;
            out += n;
            *left -= (int64_t)n;
            if (*left == 0)
                *left = -1;
            continue;
        }
        in += strspn(data + in, "\r\n");
        char *end = memchr(data + in, '\n', len - in);
        if (!end)
            break;
        *left = strtoll(data + in, NULL, 16);
        *done = *left == 0;
        in = (size_t)(end - data) + 1;
    }
    return out;
}

static int read_answer(const struct options *o, int fd, FILE *to, bool show_body, struct answer *a)
{
    char *data = malloc(HEAD_MAX + 1);
    size_t len = 0;
    char *end = NULL;
    while (!end && len < HEAD_MAX) {
        const ssize_t n = receive(fd, data + len, HEAD_MAX - len);
        if (n <= 0) {
            free(data);
            return n < 0 ? complain(o, EXIT_TIMEOUT, "Operation timed out")
                         : complain(o, EXIT_EMPTY, "Empty reply from server");
        }
        len += (size_t)n;
        data[len] = '\0';
        end = strstr(data, "\r\n\r\n");
    }
    const size_t head = end ? (size_t)(end - data) + 4 : len;
    a->head = strndup(data, head);
    parse_head(a);
    for (char *line = a->head; o->verbose && *line; line = strchr(line, '\n') + 1)
        fprintf(stderr, "< %.*s\n", (int)strcspn(line, "\r\n"), line);
    if (o->head || o->include)
        fwrite(a->head, 1, head, to);
    memmove(data, data + head, len - head);
    len -= head;
    int64_t left = -1;
    bool done = o->head || a->code == 204 || a->code == 304;
    while (!done) {
        data[len] = '\0';
        const size_t n = a->chunked ? unchunk(data, len, &left, &done) : len;
        a->size += (int64_t)n;
        if (show_body && fwrite(data, 1, n, to) != n)
            break;
        if (done || (a->length >= 0 && a->size >= a->length))
            break;
        const ssize_t got = receive(fd, data, HEAD_MAX);
        if (got <= 0)
            break;
        len = (size_t)got;
    }
    free(data);
    return 0;
}

/* ---- the whole ---- */

static void write_out(const struct options *o, const struct answer *a)
{
    for (const char *f = o->write_out; f && *f; f++) {
        if (strncmp(f, "%{http_code}", 12) == 0 || strncmp(f, "%{response_code}", 16) == 0) {
            printf("%03d", a->code);
            f += f[2] == 'h' ? 11 : 15;
        } else if (strncmp(f, "%{size_download}", 16) == 0) {
            printf("%lld", (long long)a->size);
            f += 15;
        } else if (*f == '\\' && f[1] == 'n') {
            putchar('\n');
            f++;
        } else {
            putchar(*f);
        }
    }
}

static int fetch(const struct options *o, const char *text)
{
    char address[2400];
    snprintf(address, sizeof address, "%s", text);
    FILE *to = o->output ? fopen(o->output, "we") : stdout;
    if (!to)
        return complain(o, EXIT_WRITE, "Failure writing output to destination");
    int code = 0;
    struct answer a = {0};
    for (int i = 0; i <= REDIRECTS_MAX; i++) {
        struct url u;
        int fd = -1;
        free(a.head);
        a = (struct answer){0};
        code = parse_url(o, address, &u);
        if (code || (code = connect_to(o, &u, &fd)))
            break;
        send_request(o, &u, fd);
        code = read_answer(o, fd, to, true, &a);
        close(fd);
        if (code || !o->follow || !a.location[0] || a.code < 300 || a.code > 399)
            break;
        if (a.location[0] == '/')
            snprintf(address, sizeof address, "http://%s:%u%s", u.host, u.port, a.location);
        else
            snprintf(address, sizeof address, "%s", a.location);
    }
    free(a.head);
    if (to != stdout)
        fclose(to);
    write_out(o, &a);
    if (!code && o->fail && a.code >= 400)
        code = complain(o, EXIT_HTTP, "The requested URL returned error: %d", a.code);
    return code;
}

/* "2", "0.5" */
static int seconds_to_ms(const char *text)
{
    char *end;
    long ms = strtol(text, &end, 10) * 1000, unit = 100;
    if (*end == '.')
        for (const char *digit = end + 1; unit && *digit >= '0' && *digit <= '9'; digit++, unit /= 10)
            ms += (*digit - '0') * unit;
    return ms > 0 && ms < 86400000 ? (int)ms : 86400000;
}

/* Options with a value; the rest of the letters are switches. */
static bool take_option(struct options *o, char letter, const char *value)
{
    switch (letter) {
    case 'o':
        o->output = strcmp(value, "-") ? value : NULL;
        return true;
    case 'X':
        o->method = value;
        return true;
    case 'd':
        o->data = value;
        return true;
    case 'w':
        o->write_out = value;
        return true;
    case 'H':
        if (o->header_count < 32)
            o->headers[o->header_count++] = value;
        return true;
    case 'm':
        o->timeout_ms = seconds_to_ms(value);
        return true;
    case 'A':
    case 'u':
        return true;
    default:
        return false;
    }
}

static void take_switch(struct options *o, char letter)
{
    o->silent |= letter == 's';
    o->show_error |= letter == 'S';
    o->head |= letter == 'I';
    o->include |= letter == 'i';
    o->verbose |= letter == 'v';
    o->fail |= letter == 'f';
    o->follow |= letter == 'L';
}

static const struct {
    const char *name;
    char letter;
    bool value;
} long_options[] = {
    {"--silent", 's', false},    {"--show-error", 'S', false},     {"--head", 'I', false},
    {"--include", 'i', false},   {"--verbose", 'v', false},        {"--fail", 'f', false},
    {"--location", 'L', false},  {"--output", 'o', true},          {"--request", 'X', true},
    {"--data", 'd', true},       {"--write-out", 'w', true},       {"--header", 'H', true},
    {"--max-time", 'm', true},   {"--connect-timeout", 'T', true}, {"--insecure", 'k', false},
    {"--user-agent", 'A', true},
};

static int long_option(struct options *o, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof long_options / sizeof *long_options; i++) {
        if (strcmp(long_options[i].name, name) != 0)
            continue;
        if (!long_options[i].value)
            take_switch(o, long_options[i].letter);
        else if (long_options[i].letter == 'T')
            o->connect_ms = value ? seconds_to_ms(value) : 0;
        else if (value)
            take_option(o, long_options[i].letter, value);
        return long_options[i].value;
    }
    return 0;
}

int curl_main(int argc, char **argv)
{
    struct options o = {.timeout_ms = 300 * 1000};
    const char *urls[16];
    size_t count = 0;
    int code = 0;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || !argv[i][1]) {
            if (count < 16)
                urls[count++] = argv[i];
        } else if (argv[i][1] == '-') {
            i += long_option(&o, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        } else {
            for (const char *letter = argv[i] + 1; *letter; letter++) {
                const char *value = letter[1] ? letter + 1 : i + 1 < argc ? argv[i + 1] : "";
                if (take_option(&o, *letter, value)) {
                    i += letter[1] == '\0';
                    break;
                }
                take_switch(&o, *letter);
            }
        }
    }
    if (!count) {
        fprintf(stderr, "curl: (2) no URL specified\n");
        return 2;
    }
    deadline_ms = now_ms() + o.timeout_ms;
    for (size_t i = 0; i < count; i++)
        code = fetch(&o, urls[i]);
    return code;
}

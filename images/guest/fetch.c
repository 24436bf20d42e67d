/* fetch.c - see fetch.h.
 *
 * Names come from /etc/hosts, then by DNS over UDP as resolv.conf says (search list, ndots): libc's resolver cannot be
 * linked statically. HTTP/1.1 with one connection a request; bodies by length, in chunks, or to the end. */
#include "fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t deadline_ms;

int64_t fetch_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void fetch_within(int ms)
{
    deadline_ms = fetch_now_ms() + ms;
}

static int time_left(void)
{
    const int64_t left = deadline_ms - fetch_now_ms();
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

enum fetch_result fetch_resolve(const struct fetch_url *u, struct in_addr *out)
{
    return resolve(u->host, out) ? FETCH_OK : FETCH_NO_ADDRESS;
}

/* ---- addresses ---- */

enum fetch_result fetch_parse(const char *text, struct fetch_url *u)
{
    const char *at = strstr(text, "://");
    if (at && strncasecmp(text, "http://", 7) != 0)
        return FETCH_BAD_SCHEME;
    at = at ? at + 3 : text;
    const size_t n = strcspn(at, "/?#");
    char authority[300];
    snprintf(authority, sizeof authority, "%.*s", (int)n, at);
    char *colon = strrchr(authority, ':');
    u->port = 80;
    if (colon) {
        const long port = strtol(colon + 1, NULL, 10);
        if (port < 1 || port > 65535)
            return FETCH_BAD_PORT;
        u->port = (uint16_t)port;
        *colon = '\0';
    }
    if (!*authority)
        return FETCH_NO_HOST;
    snprintf(u->host, sizeof u->host, "%.255s", authority);
    snprintf(u->path, sizeof u->path, "%s%s", at[n] == '/' ? "" : "/", at + n);
    u->path[strcspn(u->path, "#")] = '\0';
    return FETCH_OK;
}

void fetch_redirect(const struct fetch_url *u, const struct fetch_answer *a, char *out, size_t size)
{
    if (a->location[0] == '/')
        snprintf(out, size, "http://%s:%u%s", u->host, u->port, a->location);
    else
        snprintf(out, size, "%s", a->location);
}

/* ---- one exchange ---- */

enum fetch_result fetch_connect(const struct fetch_url *u, struct in_addr address, int limit_ms, int *out_fd)
{
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(u->port), .sin_addr = address};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int code = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        struct pollfd p = {fd, POLLOUT, 0};
        socklen_t len = sizeof code;
        if (poll(&p, 1, limit_ms && limit_ms < time_left() ? limit_ms : time_left()) <= 0) {
            close(fd);
            return FETCH_CONNECT_TIMEOUT;
        }
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
    }
    if (code) {
        close(fd);
        errno = code;
        return FETCH_REFUSED;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    *out_fd = fd;
    return FETCH_OK;
}

static ssize_t receive(int fd, char *to, size_t size)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, time_left()) > 0 ? recv(fd, to, size, 0) : -1;
}

static void parse_head(struct fetch_answer *a)
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

enum fetch_result fetch_head(int fd, struct fetch_answer *a)
{
    char *end = NULL;
    while (!end && a->data_len < FETCH_BUFFER) {
        const ssize_t n = receive(fd, a->data + a->data_len, FETCH_BUFFER - a->data_len);
        if (n <= 0)
            return n < 0 ? FETCH_TIMEOUT : FETCH_EMPTY;
        a->data_len += (size_t)n;
        a->data[a->data_len] = '\0';
        end = strstr(a->data, "\r\n\r\n");
    }
    const size_t head = end ? (size_t)(end - a->data) + 4 : a->data_len;
    a->head = strndup(a->data, head);
    parse_head(a);
    memmove(a->data, a->data + head, a->data_len - head);
    a->data_len -= head;
    return FETCH_OK;
}

enum fetch_result fetch_body(int fd, struct fetch_answer *a, FILE *to)
{
    int64_t left = -1;
    bool done = a->code == 204 || a->code == 304;
    while (!done) {
        a->data[a->data_len] = '\0';
        const size_t n = a->chunked ? unchunk(a->data, a->data_len, &left, &done) : a->data_len;
        a->size += (int64_t)n;
        if (fwrite(a->data, 1, n, to) != n)
            return FETCH_CANNOT_WRITE;
        if (done || (a->length >= 0 && a->size >= a->length))
            break;
        const ssize_t got = receive(fd, a->data, FETCH_BUFFER);
        if (got <= 0)
            return got < 0 ? FETCH_TIMEOUT : FETCH_OK;
        a->data_len = (size_t)got;
    }
    return FETCH_OK;
}

void fetch_answer_release(struct fetch_answer *a)
{
    free(a->head);
    a->head = NULL;
}

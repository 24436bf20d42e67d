/* curl.c - a small HTTP client with curl's command line: what labs type (curl -s http://web:80/path, -I, -o, -v, -f,
 * -L, -H, -m, -w). HTTPS is refused with curl's words and code. */
#include "fetch.h"
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REDIRECTS_MAX 20

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

static int parse_url(const struct options *o, const char *text, struct fetch_url *u)
{
    switch (fetch_parse(text, u)) {
    case FETCH_BAD_SCHEME:
        return complain(o, EXIT_PROTOCOL, "Protocol \"%.*s\" not supported", (int)strcspn(text, ":"), text);
    case FETCH_BAD_PORT:
        return complain(o, EXIT_URL, "URL rejected: Port number was not a decimal number between 0 and 65535");
    case FETCH_NO_HOST:
        return complain(o, EXIT_URL, "URL rejected: No host part in the URL");
    default:
        return 0;
    }
}

static int connect_to(const struct options *o, const struct fetch_url *u, int *out_fd)
{
    struct in_addr address;
    const int64_t start = fetch_now_ms();
    if (fetch_resolve(u, &address) != FETCH_OK)
        return complain(o, EXIT_RESOLVE, "Could not resolve host: %s", u->host);
    const enum fetch_result result = fetch_connect(u, address, o->connect_ms, out_fd);
    const long long took = (long long)(fetch_now_ms() - start);
    if (result == FETCH_CONNECT_TIMEOUT)
        return complain(o, EXIT_TIMEOUT, "Failed to connect to %s port %u after %lld ms: Timeout was reached", u->host,
                        u->port, took);
    if (result != FETCH_OK)
        return complain(o, EXIT_CONNECT, "Failed to connect to %s port %u after %lld ms: Couldn't connect to server",
                        u->host, u->port, took);
    if (o->verbose) {
        char text[INET_ADDRSTRLEN];
        fprintf(stderr, "*   Trying %s:%u...\n* Connected to %s (%s) port %u\n",
                inet_ntop(AF_INET, &address, text, sizeof text), u->port, u->host, text, u->port);
    }
    return 0;
}

static void send_request(const struct options *o, const struct fetch_url *u, int fd)
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

static int read_answer(const struct options *o, int fd, FILE *to, struct fetch_answer *a)
{
    switch (fetch_head(fd, a)) {
    case FETCH_TIMEOUT:
        return complain(o, EXIT_TIMEOUT, "Operation timed out");
    case FETCH_EMPTY:
        return complain(o, EXIT_EMPTY, "Empty reply from server");
    default:
        break;
    }
    for (char *line = a->head; o->verbose && *line; line = strchr(line, '\n') + 1)
        fprintf(stderr, "< %.*s\n", (int)strcspn(line, "\r\n"), line);
    if (o->head || o->include)
        fwrite(a->head, 1, strlen(a->head), to);
    if (!o->head)
        fetch_body(fd, a, to);
    return 0;
}

/* ---- the whole ---- */

static void write_out(const struct options *o, const struct fetch_answer *a)
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
    static struct fetch_answer a;
    char address[2400];
    snprintf(address, sizeof address, "%s", text);
    FILE *to = o->output ? fopen(o->output, "we") : stdout;
    if (!to)
        return complain(o, EXIT_WRITE, "Failure writing output to destination");
    int code = 0;
    for (int i = 0; i <= REDIRECTS_MAX; i++) {
        struct fetch_url u;
        int fd = -1;
        fetch_answer_release(&a);
        memset(&a, 0, sizeof a);
        code = parse_url(o, address, &u);
        if (code || (code = connect_to(o, &u, &fd)))
            break;
        send_request(o, &u, fd);
        code = read_answer(o, fd, to, &a);
        close(fd);
        if (code || !o->follow || !a.location[0] || a.code < 300 || a.code > 399)
            break;
        fetch_redirect(&u, &a, address, sizeof address);
    }
    fetch_answer_release(&a);
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
    fetch_within(o.timeout_ms);
    for (size_t i = 0; i < count; i++)
        code = fetch(&o, urls[i]);
    return code;
}

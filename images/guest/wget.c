/* wget.c - wget as busybox has it, over HTTP: what labs type (wget -qO- http://web, -T 2, --timeout=2, --spider, -S).
 *
 * Debian's static busybox cannot: its resolver is glibc's, which a static program must not use. Words and exit codes
 * are busybox's: 0, or 1 with "wget: " and why. */
#include "fetch.h"
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REDIRECTS_MAX 20
#define HEADERS_MAX   32

struct options {
    bool quiet, show_head, spider, resume;
    const char *output, *dir, *agent, *post, *headers[HEADERS_MAX];
    size_t header_count;
    int timeout_ms;
};

static int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *fmt, ...)
{
    va_list ap;
    fputs("wget: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

static void say(const struct options *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct options *o, const char *fmt, ...)
{
    va_list ap;
    if (o->quiet)
        return;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}

/* ---- one exchange ---- */

static int connect_to(const struct options *o, const struct fetch_url *u, int *out_fd)
{
    struct in_addr address;
    char text[INET_ADDRSTRLEN], port[8] = "";
    if (u->port != 80)
        snprintf(port, sizeof port, ":%u", u->port);
    if (fetch_resolve(u, &address) != FETCH_OK)
        return fail("bad address '%s%s'", u->host, port);
    inet_ntop(AF_INET, &address, text, sizeof text);
    say(o, "Connecting to %s%s (%s:%u)\n", u->host, port, text, u->port);
    switch (fetch_connect(u, address, 0, out_fd)) {
    case FETCH_OK:
        return 0;
    case FETCH_REFUSED:
        return fail("can't connect to remote host (%s): %s", text, strerror(errno));
    default:
        return fail("download timed out");
    }
}

static void send_request(const struct options *o, const struct fetch_url *u, int fd)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    fprintf(f, "%s %s HTTP/1.1\r\n", o->spider ? "HEAD" : o->post ? "POST" : "GET", u->path);
    if (u->port == 80)
        fprintf(f, "Host: %s\r\n", u->host);
    else
        fprintf(f, "Host: %s:%u\r\n", u->host, u->port);
    fprintf(f, "User-Agent: %s\r\nConnection: close\r\n", o->agent);
    for (size_t i = 0; i < o->header_count; i++)
        fprintf(f, "%s\r\n", o->headers[i]);
    if (o->post)
        fprintf(f, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n", strlen(o->post));
    fprintf(f, "\r\n%s", o->post ? o->post : "");
    fclose(f);
    send(fd, text, len, MSG_NOSIGNAL);
    free(text);
}

static int read_head(const struct options *o, int fd, struct fetch_answer *a)
{
    const enum fetch_result result = fetch_head(fd, a);
    if (result == FETCH_TIMEOUT)
        return fail("download timed out");
    if (result != FETCH_OK || a->code == 0)
        return fail("error getting response");
    for (const char *line = a->head; o->show_head && *line != '\r'; line = strchr(line, '\n') + 1)
        fprintf(stderr, "  %.*s\n", (int)strcspn(line, "\r\n"), line);
    if (a->code >= 400)
        return fail("server returned error: %.*s", (int)strcspn(a->head, "\r\n"), a->head);
    return 0;
}

/* ---- where it goes ---- */

/* The last part of the path, or index.html. */
static void name_of(const struct options *o, const struct fetch_url *u, char *out, size_t size)
{
    char path[sizeof u->path];
    snprintf(path, sizeof path, "%.*s", (int)strcspn(u->path, "?"), u->path);
    const char *base = strrchr(path, '/') + 1;
    snprintf(out, size, "%s%s%s", o->dir ? o->dir : "", o->dir ? "/" : "", *base ? base : "index.html");
}

static FILE *open_output(const struct options *o, const char *name)
{
    if (o->output && strcmp(o->output, "-") == 0)
        return stdout;
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (o->output || o->resume ? O_TRUNC : O_EXCL);
    const int fd = open(name, flags, 0666);
    if (fd < 0)
        fail("can't open '%s': %s", name, strerror(errno));
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int save(const struct options *o, const struct fetch_url *u, int fd, struct fetch_answer *a)
{
    char name[2400];
    name_of(o, u, name, sizeof name);
    if (o->output)
        snprintf(name, sizeof name, "%s", o->output);
    FILE *to = open_output(o, name);
    if (!to)
        return 1;
    if (to == stdout)
        say(o, "writing to stdout\n");
    else
        say(o, "saving to '%s'\n", name);
    enum fetch_result result = fetch_body(fd, a, to);
    if (to == stdout ? fflush(to) : fclose(to))
        result = FETCH_CANNOT_WRITE;
    if (result == FETCH_TIMEOUT)
        return fail("download timed out");
    if (result != FETCH_OK)
        return fail("write error: %s", strerror(errno));
    if (a->length >= 0 && a->size < a->length)
        return fail("connection closed prematurely");
    say(o, "%-20.20s 100%% |********************************| %5lld  0:00:00 ETA\n", name, (long long)a->size);
    if (to == stdout)
        say(o, "written to stdout\n");
    else
        say(o, "'%s' saved\n", name);
    return 0;
}

static int fetch(const struct options *o, const char *text)
{
    static struct fetch_answer a;
    char address[2400];
    snprintf(address, sizeof address, "%s", text);
    for (int i = 0; i <= REDIRECTS_MAX; i++) {
        struct fetch_url u;
        int fd = -1;
        const enum fetch_result parsed = fetch_parse(address, &u);
        if (parsed == FETCH_BAD_SCHEME)
            return fail("not an http or ftp url: %s", address);
        if (parsed != FETCH_OK)
            return fail("bad address '%s'", address);
        if (connect_to(o, &u, &fd))
            return 1;
        fetch_answer_release(&a);
        memset(&a, 0, sizeof a);
        send_request(o, &u, fd);
        int code = read_head(o, fd, &a);
        const bool moved = code == 0 && a.code >= 300 && a.code < 400 && a.location[0];
        if (code == 0 && !moved && o->spider)
            say(o, "remote file exists\n");
        else if (code == 0 && !moved)
            code = save(o, &u, fd, &a);
        close(fd);
        if (!moved)
            return code;
        fetch_redirect(&u, &a, address, sizeof address);
    }
    return fail("too many redirections");
}

/* ---- the command line ---- */

static const struct option long_options[] = {
    {"quiet", no_argument, NULL, 'q'},
    {"output-document", required_argument, NULL, 'O'},
    {"server-response", no_argument, NULL, 'S'},
    {"timeout", required_argument, NULL, 'T'},
    {"spider", no_argument, NULL, 's'},
    {"continue", no_argument, NULL, 'c'},
    {"directory-prefix", required_argument, NULL, 'P'},
    {"user-agent", required_argument, NULL, 'U'},
    {"header", required_argument, NULL, 'h'},
    {"post-data", required_argument, NULL, 'p'},
    {"tries", required_argument, NULL, 't'},
    {"no-check-certificate", no_argument, NULL, 'k'},
    {NULL, 0, NULL, 0},
};

static int usage(void)
{
    fputs("Usage: wget [-cqS] [--spider] [-O FILE] [-P DIR] [-T SEC] [-U AGENT] [--header STR] [--post-data STR] "
          "URL...\n",
          stderr);
    return 1;
}

/* False: not one of ours. */
static bool take(struct options *o, int letter)
{
    o->quiet |= letter == 'q';
    o->show_head |= letter == 'S';
    o->spider |= letter == 's';
    o->resume |= letter == 'c';
    if (letter == 'O')
        o->output = optarg;
    else if (letter == 'P')
        o->dir = optarg;
    else if (letter == 'U')
        o->agent = optarg;
    else if (letter == 'p')
        o->post = optarg;
    else if (letter == 'h' && o->header_count < HEADERS_MAX)
        o->headers[o->header_count++] = optarg;
    else if (letter == 'T')
        o->timeout_ms = (int)(strtod(optarg, NULL) * 1000);
    return letter != '?';
}

int wget_main(int argc, char **argv)
{
    struct options o = {.timeout_ms = 900 * 1000, .agent = "Wget"};
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, "qO:ST:cP:U:t:Y:n:", long_options, NULL)) != -1;)
        if (!take(&o, letter))
            return usage();
    if (optind == argc)
        return usage();
    int code = 0;
    for (int i = optind; i < argc; i++) {
        fetch_within(o.timeout_ms > 0 ? o.timeout_ms : 900 * 1000);
        code |= fetch(&o, argv[i]);
    }
    return code;
}

/* redis_server.c - redis-server of the guest: the protocol, connections (one process, poll()), and files that keep what
 * was written: dump.rdb (SAVE, and at the end), and with --appendonly yes a log of commands. */
#include "guest.h"
#include "redis_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 1024
#define QUERY_MAX (16 << 20)
#define AOF_DIR   "appendonlydir"
#define AOF       AOF_DIR "/appendonly.aof.1.incr.aof"

struct redis_server server = {.port = 6379, .dir = "."};
volatile sig_atomic_t redis_ending;

static void on_end(int sig)
{
    (void)sig;
    redis_ending = 1;
}

void redis_note(const char *fmt, ...)
{
    char when[64];
    va_list ap;
    const time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%d %b %Y %H:%M:%S.000", &tm);
    printf("%d:M %s * ", (int)getpid(), when);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

/* ---- requests ---- */

/* "*2\r\n$3\r\nGET\r\n…" or "GET x\r\n". Returns how many bytes it took; 0: not whole yet; -1: broken. */
static ssize_t parse(char *in, size_t len, struct text *argv, size_t *argc)
{
    char *end = memchr(in, '\n', len);
    *argc = 0;
    if (!end)
        return len > QUERY_MAX ? -1 : 0;
    if (in[0] != '*') {
        for (char *at = in; at < end && *argc < WORDS_MAX;) {
            const size_t n = strcspn(at, " \r\n");
            if (n)
                argv[(*argc)++] = (struct text){at, n};
            at += n + 1;
        }
        return end + 1 - in;
    }
    const long words = strtol(in + 1, NULL, 10);
    char *at = end + 1;
    if (words < 0 || words > WORDS_MAX)
        return -1;
    for (long i = 0; i < words; i++) {
        end = memchr(at, '\n', len - (size_t)(at - in));
        if (!end)
            return 0;
        const long n = *at == '$' ? strtol(at + 1, NULL, 10) : -1;
        if (n < 0 || n > QUERY_MAX)
            return -1;
        at = end + 1;
        if ((size_t)(at - in) + (size_t)n + 2 > len)
            return 0;
        argv[(*argc)++] = (struct text){at, (size_t)n};
        at += n + 2;
    }
    return at - in;
}

/* Runs all whole requests of the buffer. False: the connection is to end. */
static bool take_requests(struct client *c, struct reply *out)
{
    struct text argv[WORDS_MAX];
    size_t argc, at = 0;
    ssize_t n;
    while (at < c->len && (n = parse(c->in + at, c->len - at, argv, &argc)) != 0) {
        if (n < 0) {
            reply_line(out, "-ERR Protocol error");
            return false;
        }
        for (size_t i = 0; i < argc; i++)
            argv[i] = text_of(argv[i].data, argv[i].len);
        struct call call = {argv, argc, c->fd >= 0 ? c : NULL, out};
        if (argc)
            redis_execute(&call);
        const bool quit = argc && strcasecmp(argv[0].data, "quit") == 0;
        for (size_t i = 0; i < argc; i++)
            free(argv[i].data);
        at += (size_t)n;
        if (quit)
            return false;
    }
    memmove(c->in, c->in + at, c->len - at);
    c->len -= at;
    return true;
}

static void client_end(struct client *c)
{
    close(c->fd);
    free(c->in);
    *c = (struct client){.fd = -1};
}

static void client_read(struct client *c)
{
    struct reply out = {0};
    if (c->cap - c->len < 65536) {
        c->cap += 65536;
        c->in = realloc(c->in, c->cap + 1);
        if (!c->in)
            abort();
    }
    const ssize_t n = read(c->fd, c->in + c->len, c->cap - c->len);
    bool goes_on = n > 0;
    if (n > 0) {
        c->len += (size_t)n;
        c->in[c->len] = '\0';
        goes_on = take_requests(c, &out);
    }
    for (size_t done = 0; done < out.len;) {
        const ssize_t k = send(c->fd, out.data + done, out.len - done, MSG_NOSIGNAL);
        if (k <= 0)
            break;
        done += (size_t)k;
    }
    free(out.data);
    if (!goes_on)
        client_end(c);
}

/* ---- the server ---- */

static void load(void)
{
    struct client log = {.fd = -1};
    struct reply waste = {0};
    if (!server.appendonly) {
        if (access("dump.rdb", F_OK) == 0)
            redis_note(redis_load("dump.rdb") == 0 ? "DB loaded from disk: 0.000 seconds" : "dump.rdb cannot be read");
        return;
    }
    mkdir(AOF_DIR, 0755);
    FILE *f = fopen(AOF, "re");
    for (char chunk[65536]; f;) {
        const size_t n = fread(chunk, 1, sizeof chunk, f);
        if (n == 0)
            break;
        log.in = realloc(log.in, log.len + n + 1);
        if (!log.in)
            abort();
        memcpy(log.in + log.len, chunk, n);
        log.len += n;
        log.in[log.len] = '\0';
        take_requests(&log, &waste);
        waste.len = 0;
    }
    if (f) {
        fclose(f);
        redis_note("DB loaded from append only file: 0.000 seconds");
    }
    free(log.in);
    free(waste.data);
    FILE *manifest = fopen(AOF_DIR "/appendonly.aof.manifest", "we");
    if (manifest) {
        fputs("file appendonly.aof.1.incr.aof seq 1 type i\n", manifest);
        fclose(manifest);
    }
    server.aof = fopen(AOF, "ae");
}

static void take_option(const char *name, const char *value)
{
    if (strcmp(name, "port") == 0)
        server.port = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "appendonly") == 0)
        server.appendonly = strcmp(value, "yes") == 0;
    else if (strcmp(name, "requirepass") == 0)
        snprintf(server.password, sizeof server.password, "%s", value);
    else if (strcmp(name, "dir") == 0)
        snprintf(server.dir, sizeof server.dir, "%s", value);
}

static void read_conf(const char *path)
{
    char line[1024], name[128], value[512];
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "*** FATAL CONFIG FILE ERROR (Redis 7.4.2) ***\nCan't open config file: %s\n", path);
        exit(1);
    }
    while (fgets(line, sizeof line, f))
        if (line[0] != '#' && sscanf(line, "%127s \"%511[^\"]\"", name, value) != 2 &&
            sscanf(line, "%127s %511s", name, value) != 2)
            continue;
        else if (line[0] != '#')
            take_option(name, value);
    fclose(f);
}

static int listen_at(int port)
{
    const int on = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&any, sizeof any) == 0 && listen(fd, 128) == 0)
            return fd;
        close(fd);
    }
    const struct sockaddr_in all = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int four = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(four, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(four, (const struct sockaddr *)&all, sizeof all) == 0 && listen(four, 128) == 0 ? four : -1;
}

static void take_client(int listener)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
        if (server.clients[i].fd < 0) {
            server.clients[i] = (struct client){.fd = fd};
            return;
        }
    if (fd >= 0)
        close(fd);
}

static void serve(int listener)
{
    struct pollfd polled[CLIENTS_MAX + 1];
    while (!redis_ending) {
        polled[0] = (struct pollfd){listener, POLLIN, 0};
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            polled[i + 1] = (struct pollfd){server.clients[i].fd, POLLIN, 0};
        if (poll(polled, CLIENTS_MAX + 1, -1) < 0)
            continue;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            if (polled[i + 1].revents && server.clients[i].fd >= 0)
                client_read(&server.clients[i]);
        if (polled[0].revents)
            take_client(listener);
    }
}

int redis_server_main(int argc, char **argv)
{
    int i = 1;
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("Redis server v=7.4.2 sha=00000000:0 malloc=libc bits=64 build=0");
        return 0;
    }
    if (argc > 1 && argv[1][0] != '-')
        read_conf(argv[i++]);
    for (; i + 1 < argc; i += 2)
        take_option(argv[i] + strspn(argv[i], "-"), argv[i + 1]);
    if (chdir(server.dir) < 0 || !getcwd(server.dir, sizeof server.dir)) {
        fprintf(stderr, "Can't chdir to '%s': %s\n", server.dir, strerror(errno));
        return 1;
    }
    struct sigaction end = {.sa_handler = on_end};
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    for (size_t c = 0; c < CLIENTS_MAX; c++)
        server.clients[c].fd = -1;
    redis_note("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    const int listener = listen_at(server.port);
    if (listener < 0) {
        redis_note("Warning: Could not create server TCP listening socket *:%d: bind: %s", server.port,
                   strerror(errno));
        return 1;
    }
    redis_note("Server initialized");
    load();
    redis_note("Ready to accept connections tcp");
    serve(listener);
    redis_note("User requested shutdown...");
    if (!server.appendonly && server.changes && redis_save("dump.rdb") == 0)
        redis_note("DB saved on disk");
    redis_note("Redis is now ready to exit, bye bye...");
    return 0;
}

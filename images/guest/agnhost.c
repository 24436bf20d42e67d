/* agnhost.c - the test image of Kubernetes' own documentation: netexec, serve-hostname, liveness, connect, pause.
 *
 * A command is a row of `commands`; those that serve answer by path. Left out is what no lab asks for, and said so. */
#include "fetch.h"
#include "guest.h"
#include "hello.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static time_t started;

static uint16_t port_or(const char *flag, uint16_t otherwise)
{
    const int port = (int)strtol(hello_setting(flag, NULL, "0"), NULL, 10);
    return port > 0 && port < 65536 ? (uint16_t)port : otherwise;
}

/* -- queries -- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The value of a name in "a=1&b=2", decoded; returns new, "" if it is not there. */
static char *query(const struct request *r, const char *name)
{
    const size_t n = strlen(name);
    const char *at = r->args;
    while (at && !(strncmp(at, name, n) == 0 && at[n] == '='))
        at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL;
    char *out = strndup(at ? at + n + 1 : "", at ? strcspn(at + n + 1, "&") : 0), *to = out;
    for (const char *c = out; c && *c; c++)
        if (*c == '%' && hex(c[1]) >= 0 && hex(c[2]) >= 0) {
            *to++ = (char)(hex(c[1]) * 16 + hex(c[2]));
            c += 2;
        } else {
            *to++ = *c == '+' ? ' ' : *c;
        }
    if (out)
        *to = '\0';
    return out;
}

/* -- netexec -- */

static char *run_shell(const char *command)
{
    char *body = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&body, &len), *from = popen(command, "re");
    fputs("{\"output\":\"", out);
    for (int c; from && (c = fgetc(from)) != EOF;)
        if (c == '\n')
            fputs("\\n", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c >= ' ')
            fputc(c, out);
    if (from)
        pclose(from);
    fputs("\"}", out);
    fclose(out);
    return body;
}

static bool answer_netexec(const struct web *w, const struct request *r, struct response *out)
{
    static const struct {
        const char *path, *text;
    } pages[] = {{"/", "NOW: %t"},    {"/clientip", "%c"}, {"/hostname", "%h"},
                 {"/hostName", "%h"}, {"/healthz", ""},    {"/header", "%a"}};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(r->path, pages[i].path) == 0) {
            respond_text(w, r, NULL, 200, "text/plain", hello_expand(pages[i].text, r), out);
            return true;
        }
    char *value = query(r, strcmp(r->path, "/shell") == 0 || strcmp(r->path, "/shell/") == 0 ? "cmd"
                           : strcmp(r->path, "/exit") == 0                                   ? "code"
                                                                                             : "msg");
    if (strcmp(r->path, "/exit") == 0)
        exit((int)strtol(value, NULL, 10));
    if (strncmp(r->path, "/shell", 6) == 0) {
        respond_text(w, r, NULL, 200, "text/plain", run_shell(value), out);
        free(value);
        return true;
    }
    if (strcmp(r->path, "/echo") == 0) {
        respond_text(w, r, NULL, 200, "text/plain", value, out);
        return true;
    }
    free(value);
    return false;
}

static int netexec(int argc, char **argv)
{
    (void)argc, (void)argv;
    const uint16_t port = port_or("http-port", 8080);
    fprintf(stderr, "Started HTTP server on port %u\n", port);
    return hello_serve(port, false, answer_netexec) < 0;
}

/* -- the others -- */

static bool answer_hostname(const struct web *w, const struct request *r, struct response *out)
{
    respond_text(w, r, NULL, 200, "text/plain", hello_expand("%h", r), out);
    return true;
}

static int serve_hostname(int argc, char **argv)
{
    (void)argc, (void)argv;
    return hello_serve(port_or("port", 9376), false, answer_hostname) < 0;
}

/* Well for ten seconds, and then no more: what a liveness probe is there for. */
static bool answer_liveness(const struct web *w, const struct request *r, struct response *out)
{
    char text[64] = "ok";
    const double alive = (double)(time(NULL) - started);
    if (strcmp(r->path, "/healthz") == 0 && alive > 10)
        snprintf(text, sizeof text, "error: %f", alive);
    respond_text(w, r, NULL, *text == 'e' ? 500 : 200, "text/plain", strdup(text), out);
    return true;
}

static int liveness(int argc, char **argv)
{
    (void)argc, (void)argv;
    return hello_serve(8080, false, answer_liveness) < 0;
}

static int connect_to(int argc, char **argv)
{
    struct fetch_url u;
    struct in_addr address;
    const char *to = argc > 2 ? argv[2] : "", *limit = hello_setting("timeout", NULL, "0");
    const int ms = (int)strtol(limit, NULL, 10) * (strstr(limit, "ms") ? 1 : 1000);
    int fd = -1;
    if (fetch_parse(to, &u) != FETCH_OK || fetch_resolve(&u, &address) != FETCH_OK) {
        fprintf(stderr, "DNS: cannot resolve %s\n", to);
        return 1;
    }
    const enum fetch_result result = fetch_connect(&u, address, ms, &fd);
    if (result == FETCH_OK)
        close(fd);
    else if (result == FETCH_CONNECT_TIMEOUT || result == FETCH_TIMEOUT)
        fprintf(stderr, "TIMEOUT\n");
    else
        fprintf(stderr, "%s\n", errno == ECONNREFUSED ? "REFUSED" : "OTHER");
    return result != FETCH_OK;
}

int agnhost_main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*main)(int argc, char **argv);
    } commands[] = {{"netexec", netexec},
                    {"serve-hostname", serve_hostname},
                    {"liveness", liveness},
                    {"connect", connect_to},
                    {"pause", pause_main}};
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    const char *command = strcmp(name, "server") == 0 ? "liveness" : argc > 1 ? argv[1] : "pause";
    started = time(NULL);
    hello_arguments(argc, argv);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, command) == 0)
            return commands[i].main(argc, argv);
    fprintf(stderr, "agnhost: this stand-in has no %s\n", command);
    return 1;
}

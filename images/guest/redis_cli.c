/* redis_cli.c - redis-cli of the guest: a command from its arguments, or one a line from standard input; answers as the
 * real one prints them to a pipe or a terminal. */
#include "fetch.h"
#include "guest.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *in, *out;
static bool plain; /* no quotes and no types: not a terminal */

static bool connect_to(const char *host, const char *port)
{
    struct fetch_url u = {.port = (uint16_t)strtoul(port, NULL, 10)};
    struct in_addr address;
    int fd = -1;
    snprintf(u.host, sizeof u.host, "%s", host);
    fetch_within(30000);
    if (fetch_resolve(&u, &address) != FETCH_OK)
        fprintf(stderr, "Could not connect to Redis at %s:%s: Name or service not known\n", host, port);
    else if (fetch_connect(&u, address, 0, &fd) != FETCH_OK)
        fprintf(stderr, "Could not connect to Redis at %s:%s: Connection refused\n", host, port);
    if (fd < 0)
        return false;
    in = fdopen(fd, "r");
    out = fdopen(dup(fd), "w");
    return in && out;
}

static void send_command(int argc, char **argv)
{
    fprintf(out, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++)
        fprintf(out, "$%zu\r\n%s\r\n", strlen(argv[i]), argv[i]);
    fflush(out);
}

/* One answer, with `indent` before further lines. False when the connection ended. */
static bool print_answer(int indent)
{
    char line[1024];
    if (!fgets(line, sizeof line, in))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    const long n = strtol(line + 1, NULL, 10);
    if (line[0] == '$' && n >= 0) {
        char *text = calloc(1, (size_t)n + 3);
        const bool whole = text && fread(text, 1, (size_t)n + 2, in) == (size_t)n + 2;
        if (whole)
            text[n] = '\0';
        if (whole)
            printf(plain ? "%s\n" : "\"%s\"\n", text);
        free(text);
        return whole;
    }
    if (line[0] == '*') {
        if (n == 0 && !plain)
            puts("(empty array)");
        for (long i = 0; i < n; i++) {
            if (!plain)
                printf("%*s%ld) ", i ? indent : 0, "", i + 1);
            if (!print_answer(indent + 3))
                return false;
        }
        return true;
    }
    if (line[0] == '$')
        puts(plain ? "" : "(nil)");
    else
        printf(line[0] == ':' && !plain   ? "(integer) %s\n"
               : line[0] == '-' && !plain ? "(error) %s\n"
                                          : "%s\n",
               line + 1);
    return true;
}

static int run_lines(void)
{
    char line[65536];
    while (fgets(line, sizeof line, stdin)) {
        char *words[256];
        int n = 0;
        for (char *at = line; *at && n < 256;) {
            at += strspn(at, " \t\r\n");
            const char stop = *at == '"' || *at == '\'' ? *at++ : '\0';
            const size_t len = stop ? strcspn(at, (char[]){stop, '\0'}) : strcspn(at, " \t\r\n");
            if (!*at)
                break;
            words[n++] = at;
            at += len;
            if (*at)
                *at++ = '\0';
        }
        if (n == 0)
            continue;
        if (strcmp(words[0], "exit") == 0 || strcmp(words[0], "quit") == 0)
            return 0;
        send_command(n, words);
        if (!print_answer(0))
            return 1;
    }
    return 0;
}

int redis_cli_main(int argc, char **argv)
{
    const char *host = "127.0.0.1", *port = "6379", *password = getenv("REDISCLI_AUTH");
    int opt;
    plain = !isatty(1);
    while ((opt = getopt(argc, argv, "+h:p:a:n:")) != -1) {
        if (opt == 'h')
            host = optarg;
        else if (opt == 'p')
            port = optarg;
        else if (opt == 'a')
            password = optarg;
        else if (opt == '?' && argv[optind - 1][0] == '-' && argv[optind - 1][1] != '-')
            return 1;
    }
    if (!connect_to(host, port))
        return 1;
    if (password) {
        char *const auth[] = {(char *)"AUTH", (char *)password};
        char line[256];
        send_command(2, (char **)auth);
        if (!fgets(line, sizeof line, in))
            return 1;
        if (line[0] == '-')
            fprintf(stderr, "AUTH failed: %s", line + 1);
    }
    if (optind == argc)
        return run_lines();
    send_command(argc - optind, argv + optind);
    return print_answer(0) ? 0 : 1;
}

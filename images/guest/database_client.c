/* database_client.c - mysql, mysqladmin, psql, pg_isready and mongosh of the guest: as much of them as labs use, spoken
 * to our own servers (database.c). */
#include "database.h"
#include "fetch.h"
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
    FILE *in, *out;
    bool table; /* draw frames */
    bool psql;
};

static bool connect_to(struct session *s, const char *host, int port)
{
    struct fetch_url u = {.port = (uint16_t)port};
    struct in_addr address;
    int fd = -1;
    snprintf(u.host, sizeof u.host, "%s", host);
    fetch_within(30000);
    if (fetch_resolve(&u, &address) != FETCH_OK || fetch_connect(&u, address, 0, &fd) != FETCH_OK)
        return false;
    s->in = fdopen(fd, "r");
    s->out = fdopen(dup(fd), "w");
    return s->in && s->out;
}

/* ---- answers ---- */

enum { ROWS_MAX = 10000, CELLS_MAX = 64 };

static size_t split(char *line, char *cells[CELLS_MAX])
{
    size_t n = 0;
    for (char *at = line; n < CELLS_MAX;) {
        cells[n++] = at;
        at += strcspn(at, "\t");
        if (!*at)
            break;
        *at++ = '\0';
    }
    return n;
}

static void frame(const size_t *width, size_t n)
{
    for (size_t c = 0; c < n; c++) {
        putchar('+');
        for (size_t i = 0; i < width[c] + 2; i++)
            putchar('-');
    }
    puts("+");
}

static void draw_mysql(char *const *lines, size_t rows)
{
    size_t width[CELLS_MAX] = {0}, columns = 0;
    char *cells[CELLS_MAX];
    for (int pass = 0; pass < 2; pass++) {
        for (size_t r = 0; r <= rows; r++) {
            char *copy = strdup(lines[r]);
            const size_t n = copy ? split(copy, cells) : 0;
            columns = r == 0 ? n : columns;
            if (pass && r < 2)
                frame(width, columns);
            for (size_t c = 0; c < n; c++) {
                if (!pass && strlen(cells[c]) > width[c])
                    width[c] = strlen(cells[c]);
                if (pass)
                    printf("| %-*s ", (int)width[c], cells[c]);
            }
            if (pass)
                puts("|");
            free(copy);
        }
    }
    frame(width, columns);
}

static void draw_psql(char *const *lines, size_t rows)
{
    size_t width[CELLS_MAX] = {0};
    char *cells[CELLS_MAX];
    for (int pass = 0; pass < 2; pass++)
        for (size_t r = 0; r <= rows; r++) {
            char *copy = strdup(lines[r]);
            const size_t n = copy ? split(copy, cells) : 0;
            for (size_t c = 0; c < n; c++) {
                if (!pass && strlen(cells[c]) > width[c])
                    width[c] = strlen(cells[c]);
                if (pass)
                    printf("%s %-*s ", c ? "|" : "", (int)width[c], cells[c]);
            }
            if (pass)
                putchar('\n');
            for (size_t c = 0; pass && r == 0 && c < n; c++) {
                if (c)
                    putchar('+');
                for (size_t i = 0; i < width[c] + 2; i++)
                    putchar('-');
            }
            if (pass && r == 0)
                putchar('\n');
            free(copy);
        }
    printf("(%zu row%s)\n\n", rows, rows == 1 ? "" : "s");
}

static void show_rows(const struct session *s, char *const *lines, size_t rows)
{
    if (s->psql)
        draw_psql(lines, rows);
    else if (s->table && rows > 0)
        draw_mysql(lines, rows);
    else
        for (size_t r = 0; rows > 0 && r <= rows; r++)
            puts(lines[r]);
}

/* What psql says of a statement that gives no rows. */
static void show_done(const struct session *s, const char *statement, unsigned n)
{
    char word[16] = "", second[16] = "";
    if (!s->psql)
        return;
    sscanf(statement, " %15s %15s", word, second);
    for (char *c = word; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    for (char *c = second; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    if (strcmp(word, "INSERT") == 0)
        printf("INSERT 0 %u\n", n);
    else if (strcmp(word, "DELETE") == 0)
        printf("DELETE %u\n", n);
    else
        printf("%s %s\n", word, second);
}

/* One statement; 0, or 1 when the server refused it. */
static int run(struct session *s, const char *statement)
{
    char line[65536];
    char *lines[ROWS_MAX + 1];
    size_t have = 0, rows = 0;
    int rc = 0;
    for (const char *at = statement; *at; at++) /* one line, without its end */
        if (*at != ';' || at[strspn(at, "; \n")] != '\0')
            putc(*at == '\n' ? ' ' : *at, s->out);
    putc('\n', s->out);
    fflush(s->out);
    while (fgets(line, sizeof line, s->in) && line[0] != '\n') {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "ERR ", 4) == 0) {
            if (s->psql)
                fprintf(stderr, "ERROR:  %s\n", line + 4);
            else
                fprintf(stderr, "ERROR 1064 (42000) at line 1: %s\n", line + 4);
            rc = 1;
        } else if (strncmp(line, "OK ", 3) == 0 && rows == 0 && have == 0) {
            show_done(s, statement, (unsigned)strtoul(line + 3, NULL, 10));
        } else if (strncmp(line, "ROWS ", 5) == 0 && have == 0 && rows == 0) {
            rows = strtoul(line + 5, NULL, 10) + 1;
        } else if (have <= ROWS_MAX) {
            lines[have++] = strdup(line);
        }
    }
    if (rows && have)
        show_rows(s, lines, have - 1);
    while (have > 0)
        free(lines[--have]);
    return rc;
}

/* Each statement of a text; those of psql that begin with a backslash are put into SQL. */
static int run_all(struct session *s, const char *text)
{
    int rc = 0;
    while (*text && rc == 0) {
        const size_t n = strcspn(text, ";");
        char *one = strndup(text, n);
        const char *at = one ? one + strspn(one, " \t\r\n") : "";
        if (strncmp(at, "\\l", 2) == 0)
            rc = run(s, "SHOW DATABASES");
        else if (strncmp(at, "\\dt", 3) == 0)
            rc = run(s, "SHOW TABLES");
        else if (strncmp(at, "\\q", 2) != 0 && *at)
            rc = run(s, at);
        free(one);
        text += n + (text[n] == ';');
    }
    return rc;
}

static int run_input(struct session *s)
{
    char line[65536];
    static char text[1 << 20];
    size_t n = 0;
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "exit", 4) == 0 || strncmp(line, "quit", 4) == 0 || strncmp(line, "\\q", 2) == 0)
            break;
        const size_t len = strlen(line);
        if (n + len + 1 > sizeof text)
            return 1;
        memcpy(text + n, line, len + 1);
        n += len;
        if (strchr(line, ';') || line[0] == '\\') {
            const int rc = run_all(s, text);
            if (rc != 0 && !isatty(0))
                return rc;
            n = 0;
            text[0] = '\0';
        }
    }
    return n ? run_all(s, text) : 0;
}

/* ---- programs ---- */

static bool greet(struct session *s, const char *user, const char *password)
{
    char line[1024], rest[8];
    fprintf(s->out, "%s\t%s\n", user, password);
    fflush(s->out);
    if (!fgets(line, sizeof line, s->in))
        return false;
    if (!fgets(rest, sizeof rest, s->in))
        rest[0] = '\0';
    if (strncmp(line, "ERR ", 4) == 0)
        fprintf(stderr, "ERROR 1045 (28000): %s", line + 4);
    return strncmp(line, "OK", 2) == 0;
}

int mysql_main(int argc, char **argv)
{
    const char *host = "localhost", *user = "root", *password = getenv("MYSQL_PWD"), *text = NULL, *database = NULL;
    const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    const bool admin = strstr(program, "admin") != NULL;
    struct session s = {.table = isatty(1)};
    int port = 3306, words = 0;
    char use[128];
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        const bool more = i + 1 < argc;
        if (strncmp(a, "-h", 2) == 0 && a[1] == 'h')
            host = a[2] ? a + 2 : more ? argv[++i] : host;
        else if (strncmp(a, "--host=", 7) == 0)
            host = a + 7;
        else if (strncmp(a, "-u", 2) == 0)
            user = a[2] ? a + 2 : more ? argv[++i] : user;
        else if (strncmp(a, "--user=", 7) == 0)
            user = a + 7;
        else if (strncmp(a, "--password=", 11) == 0)
            password = a + 11;
        else if (strncmp(a, "-p", 2) == 0)
            password = a[2] ? a + 2 : password;
        else if (strncmp(a, "-P", 2) == 0)
            port = (int)strtol(a[2] ? a + 2 : more ? argv[++i] : "3306", NULL, 10);
        else if (strncmp(a, "-e", 2) == 0)
            text = a[2] ? a + 2 : more ? argv[++i] : "";
        else if (strncmp(a, "--execute=", 10) == 0)
            text = a + 10;
        else if (strcmp(a, "-t") == 0)
            s.table = true;
        else if (a[0] != '-' && words++ == 0)
            database = a;
    }
    if (!connect_to(&s, host, port)) {
        fprintf(stderr, "ERROR 2003 (HY000): Can't connect to MySQL server on '%s:%d' (111)\n", host, port);
        return 1;
    }
    if (admin && database && strcmp(database, "ping") == 0) {
        puts("mysqld is alive"); /* whoever asks */
        return 0;
    }
    if (!greet(&s, user, password ? password : ""))
        return 1;
    if (admin)
        return 0;
    if (database) {
        snprintf(use, sizeof use, "USE %s", database);
        if (run(&s, use) != 0)
            return 1;
    }
    return text ? run_all(&s, text) : run_input(&s);
}

int psql_main(int argc, char **argv)
{
    const char *host = getenv("PGHOST"), *database = NULL, *text = NULL, *user = getenv("PGUSER");
    const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    struct session s = {.psql = true};
    int port = 5432, opt;
    char use[128];
    host = host ? host : "localhost";
    while ((opt = getopt(argc, argv, "h:p:U:d:c:tAqwW")) != -1) {
        if (opt == 'h')
            host = optarg;
        else if (opt == 'p')
            port = (int)strtol(optarg, NULL, 10);
        else if (opt == 'U')
            user = optarg;
        else if (opt == 'd')
            database = optarg;
        else if (opt == 'c')
            text = optarg;
    }
    if (optind < argc)
        database = argv[optind];
    const bool up = connect_to(&s, host, port);
    if (strcmp(program, "pg_isready") == 0) {
        printf("%s:%d - %s\n", strcmp(host, "localhost") == 0 ? "/var/run/postgresql" : host, port,
               up ? "accepting connections" : "no response");
        return up ? 0 : 2;
    }
    if (!up) {
        fprintf(stderr, "psql: error: connection to server at \"%s\", port %d failed: Connection refused\n", host,
                port);
        return 2;
    }
    if (!greet(&s, user ? user : "postgres", ""))
        return 2;
    snprintf(use, sizeof use, "USE %s", database ? database : "postgres");
    s.psql = false; /* it says nothing of this */
    const int rc = run(&s, use);
    s.psql = true;
    return rc != 0 && database ? 2 : text ? run_all(&s, text) : run_input(&s);
}

int mongosh_main(int argc, char **argv)
{
    struct session s = {0};
    const char *text = NULL, *host = "127.0.0.1";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--eval") == 0 && i + 1 < argc)
            text = argv[++i];
        else if (strcmp(argv[i], "--host") == 0 && i + 1 < argc)
            host = argv[++i];
    }
    if (!connect_to(&s, host, 27017)) {
        fprintf(stderr, "MongoNetworkError: connect ECONNREFUSED %s:27017\n", host);
        return 1;
    }
    if (text && strstr(text, "version"))
        puts("7.0.16");
    else if (text)
        puts("{ ok: 1 }");
    return 0;
}

/* database.c - the databases of the guest: mysqld, mariadbd, postgres and mongod start as the real ones do (and refuse
 * to start where those refuse), keep files in their data directory, and answer the little SQL of sql_store.h to their
 * clients (database_client.c).
 *
 * Every server is a row of `products`; what differs between them is data. Between server and client a line is a
 * statement, and the answer is that of sql_run(), ended by an empty line. */
#include "database.h"
#include "guest.h"
#include "sql_store.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What mysql and mariadb, of one descent, have in common. */
#define OF_MYSQL                                                                                                       \
    .dir = "/var/lib/mysql", .mark = "ibdata1", .dirs = {"mysql", "performance_schema", "sys"}, .port = 3306

const struct database_product database_products[] = {
    {
        OF_MYSQL,
        .program = "mysqld",
        .version = "8.0.40",
        .files = {"ibdata1", "auto.cnf", "ca.pem", "undo_001", "undo_002", "mysql.ibd"},
        .wants = {"MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD"},
        .refusal = "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n"
                   "    You need to specify one of the following as an environment variable:\n"
                   "    - MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD\n    - MYSQL_RANDOM_ROOT_PASSWORD\n",
        .password = "MYSQL_ROOT_PASSWORD",
        .database = "MYSQL_DATABASE",
        .ready = "[System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: '8.0.40'  socket: "
                 "'/var/run/mysqld/mysqld.sock'  port: 3306  MySQL Community Server - GPL.",
    },
    {
        OF_MYSQL,
        .program = "mariadbd",
        .version = "11.4.4-MariaDB",
        .files = {"ibdata1", "aria_log_control", "ib_logfile0", "undo001"},
        .wants = {"MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
                  "MARIADB_RANDOM_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD"},
        .refusal = "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n"
                   "\tYou need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, "
                   "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD\n",
        .password = "MARIADB_ROOT_PASSWORD",
        .database = "MARIADB_DATABASE",
        .ready = "[Note] mariadbd: ready for connections. Version: '11.4.4-MariaDB-ubu2404'  socket: "
                 "'/run/mysqld/mysqld.sock'  port: 3306  mariadb.org binary distribution",
    },
    {
        .program = "postgres",
        .version = "PostgreSQL 16.6 on x86_64-pc-linux-gnu",
        .dir = "/var/lib/postgresql/data",
        .dir_env = "PGDATA",
        .mark = "PG_VERSION",
        .files = {"PG_VERSION", "postgresql.conf", "pg_hba.conf", "postmaster.opts"},
        .dirs = {"postgres", "pg_wal", "global"},
        .wants = {"POSTGRES_PASSWORD", "POSTGRES_HOST_AUTH_METHOD"},
        .refusal = "Error: Database is uninitialized and superuser password is not specified.\n"
                   "       You must specify POSTGRES_PASSWORD to a non-empty value for the\n"
                   "       superuser. For example, \"-e POSTGRES_PASSWORD=password\" on \"docker run\".\n\n"
                   "       You may also use \"POSTGRES_HOST_AUTH_METHOD=trust\" to allow all\n"
                   "       connections without a password. This is *not* recommended.\n\n"
                   "       See PostgreSQL documentation about \"trust\":\n"
                   "       https://www.postgresql.org/docs/current/auth-trust.html\n",
        .password = "POSTGRES_PASSWORD",
        .database = "POSTGRES_DB",
        .port = 5432,
        .must_be_empty = true,
        .ready = "LOG:  database system is ready to accept connections",
    },
    {
        .program = "mongod",
        .version = "7.0.16",
        .dir = "/data/db",
        .mark = "WiredTiger",
        .files = {"WiredTiger", "WiredTiger.wt", "mongod.lock", "storage.bson", "sizeStorer.wt"},
        .dirs = {"journal", "diagnostic.data"},
        .port = 27017,
        .ready = "{\"s\":\"I\",\"c\":\"NETWORK\",\"ctx\":\"listener\",\"msg\":\"Waiting for "
                 "connections\",\"attr\":{\"port\":27017,\"ssl\":\"off\"}}",
    },
};
const size_t database_product_count = sizeof database_products / sizeof *database_products;

static volatile sig_atomic_t ending;

static void on_end(int sig)
{
    (void)sig;
    ending = 1;
}

const struct database_product *database_product(const char *program)
{
    for (size_t i = 0; i < database_product_count; i++)
        if (strcmp(database_products[i].program, program) == 0)
            return &database_products[i];
    return &database_products[0];
}

static void note(const char *text)
{
    char when[64];
    const time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S.000", &tm);
    fprintf(stderr, "%s UTC [%d] %s\n", when, (int)getpid(), text);
}

/* ---- the data directory ---- */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static bool may_begin(const struct database_product *p)
{
    size_t i = 0;
    for (; p->wants[i]; i++)
        if (is_set(p->wants[i]))
            return true;
    return i == 0;
}

/* initdb looks before it begins: what a volume of its own filesystem has in it stops it. */
static bool is_empty(const struct database_product *p, const char *dir)
{
    bool empty = true, lost_found = false;
    DIR *d = opendir(".");
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        empty = false;
        lost_found = lost_found || strcmp(entry->d_name, "lost+found") == 0;
    }
    if (d)
        closedir(d);
    if (empty || !p->must_be_empty)
        return true;
    fprintf(stderr, "initdb: error: directory \"%s\" exists but is not empty\n", dir);
    if (lost_found)
        fprintf(stderr, "initdb: detail: It contains a lost+found directory, perhaps due to it being a mount point.\n"
                        "initdb: hint: Using a mount point directly as the data directory is not recommended.\n"
                        "Create a subdirectory under the mount point.\n");
    else
        fprintf(
            stderr,
            "initdb: hint: If you want to create a new database system, either remove or empty the directory \"%s\" "
            "or run initdb with an argument other than \"%s\".\n",
            dir, dir);
    return false;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "we");
    if (f) {
        fputs(text, f);
        fsync(fileno(f));
        fclose(f);
    }
}

static bool fill(const struct database_product *p)
{
    for (size_t i = 0; p->dirs[i]; i++)
        if (mkdir(p->dirs[i], 0700) < 0 && errno != EEXIST)
            return false;
    for (size_t i = 0; p->files[i]; i++)
        write_file(p->files[i], strcmp(p->files[i], "PG_VERSION") == 0 ? "16\n" : "\n");
    if (p->password)
        write_file(".password", is_set(p->password) ? getenv(p->password) : "");
    if (p->database && is_set(p->database))
        mkdir(getenv(p->database), 0700);
    return access(p->mark, F_OK) == 0;
}

/* As the real entry points do it: once, in an empty directory. */
static int prepare(const struct database_product *p, const char *dir)
{
    char path[512];
    snprintf(path, sizeof path, "%s", dir);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    mkdir(dir, 0700);
    if (chdir(dir) < 0) {
        fprintf(stderr, "%s: cannot enter %s: %s\n", p->program, dir, strerror(errno));
        return 1;
    }
    if (access(p->mark, F_OK) == 0)
        return 0;
    if (!may_begin(p)) {
        fputs(p->refusal, stderr);
        return 1;
    }
    if (!is_empty(p, dir))
        return 1;
    note("initializing the data directory");
    if (fill(p))
        return 0;
    fprintf(stderr, "%s: could not write to %s: %s\n", p->program, dir, strerror(errno));
    return 1;
}

/* ---- serving ---- */

/* The first line is "user<TAB>password"; then a line a statement. */
static void session(const struct database_product *p, int fd)
{
    char line[65536], database[64] = "", password[256] = "";
    FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
    FILE *kept = fopen(".password", "re");
    if (kept) {
        if (!fgets(password, sizeof password, kept))
            password[0] = '\0';
        fclose(kept);
    }
    if (!in || !out || !fgets(line, sizeof line, in))
        return;
    line[strcspn(line, "\n")] = '\0';
    const char *tab = strchr(line, '\t');
    if (strcmp(p->program, "postgres") != 0 && tab && strncmp(line, "root\t", 5) == 0 &&
        strcmp(tab + 1, password) != 0) {
        fprintf(out, "ERR Access denied for user 'root'@'localhost' (using password: %s)\n\n", tab[1] ? "YES" : "NO");
        fflush(out);
        return;
    }
    fputs("OK 0\n\n", out);
    fflush(out);
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        sql_run(line, database, p->version, out);
        fputs("\n", out);
        fflush(out);
    }
}

static int listen_at(int port)
{
    const int on = 1;
    const struct sockaddr_in all = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&all, sizeof all) == 0 && listen(fd, 64) == 0 ? fd : -1;
}

static void serve(const struct database_product *p, int listener)
{
    while (!ending) {
        const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        if (fd < 0)
            continue;
        if (fork() == 0) {
            signal(SIGTERM, SIG_DFL);
            close(listener);
            session(p, fd);
            _exit(0);
        }
        close(fd);
    }
}

int database_main(int argc, char **argv)
{
    const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    const struct database_product *p = database_product(program);
    const char *dir = p->dir_env && is_set(p->dir_env) ? getenv(p->dir_env) : p->dir;
    int port = p->port;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
            printf("%s  Ver %s\n", argv[0], p->version);
            return 0;
        }
        if (strncmp(argv[i], "--datadir=", 10) == 0)
            dir = argv[i] + 10;
        if (strncmp(argv[i], "--port=", 7) == 0)
            port = (int)strtol(argv[i] + 7, NULL, 10);
        if ((strcmp(argv[i], "--dbpath") == 0 || strcmp(argv[i], "-D") == 0) && i + 1 < argc)
            dir = argv[++i];
    }
    const struct sigaction end = {.sa_handler = on_end};
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGQUIT, &end, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (prepare(p, dir) != 0)
        return 1;
    const int listener = listen_at(port);
    if (listener < 0) {
        fprintf(stderr, "%s: cannot listen on port %d: %s\n", program, port, strerror(errno));
        return 1;
    }
    note(p->ready);
    serve(p, listener);
    note("shutdown complete");
    return 0;
}

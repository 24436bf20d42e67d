/* main.c - the guest program of the built-in images: one static binary that is several programs by the name it is
 * called.
 *
 * It runs inside containers, knows nothing of Stowage, and links nothing but libc. How to add a program: a row below, a
 * file with its main function, and a layer in src/images/content.c that puts the binary where the real image has it. */
#include "guest.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} applets[] = {
    {"pause", pause_main},
    {"stub", stub_main},
    {"event-simulator", event_simulator_main},
    {"nginx", nginx_main},
    {"httpd", httpd_main},
    {"httpd-foreground", httpd_main},
    {"curl", curl_main},
    {"df", df_main},
    {"wget", wget_main},
    {"redis-server", redis_server_main},
    {"redis-cli", redis_cli_main},
    {"mysqld", database_main},
    {"mariadbd", database_main},
    {"postgres", database_main},
    {"mongod", database_main},
    {"mysql", mysql_main},
    {"mariadb", mysql_main},
    {"mysqladmin", mysql_main},
    {"mariadb-admin", mysql_main},
    {"psql", psql_main},
    {"pg_isready", psql_main},
    {"mongosh", mongosh_main},
    {"mongo", mongosh_main},
    {"hello", hello_main},
    {"http-echo", hello_main},
    {"whoami", hello_main},
    {"agnhost", agnhost_main},
    {"server", agnhost_main},
    {"stress", stress_main},
    {"wordpress", wordpress_main},
    {"jenkins", jenkins_main},
    {"perl", perl_main},
};

int main(int argc, char **argv)
{
    const char *name = argc ? strrchr(argv[0], '/') : NULL;
    name = name ? name + 1 : argc ? argv[0] : "";
    for (size_t i = 0; i < sizeof applets / sizeof *applets; i++)
        if (strcmp(applets[i].name, name) == 0)
            return applets[i].main(argc, argv);
    fprintf(stderr, "%s: no such program in this image\n", name);
    return 127;
}

/* wordpress.c - applications that keep files in a volume and need another service: wordpress and jenkins, as far as
 * labs about volumes, services and secrets look.
 *
 * wordpress copies its files into /var/www/html unless they are there, and asks its database with each request: without
 * one it shows the real error page, with one the first page of the installation. jenkins writes its home and the
 * password that labs look up. Each page says that it stands in for the real program. */
#include "fetch.h"
#include "guest.h"
#include "hello.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wxe");
    if (!f)
        return;
    fputs(text, f);
    fclose(f);
}

/* -- wordpress -- */

#define DOCROOT "/var/www/html"

static void copy_wordpress(void)
{
    static const char *const dirs[] = {"wp-admin",          "wp-content",         "wp-content/plugins",
                                       "wp-content/themes", "wp-content/uploads", "wp-includes"};
    static const char *const files[] = {"index.php",
                                        "wp-login.php",
                                        "wp-settings.php",
                                        "wp-load.php",
                                        "wp-config.php",
                                        "wp-config-sample.php",
                                        "license.txt",
                                        "readme.html",
                                        "xmlrpc.php",
                                        "wp-admin/install.php",
                                        "wp-includes/version.php"};
    char path[256];
    if (access(DOCROOT "/index.php", F_OK) == 0)
        return;
    fprintf(stderr, "WordPress not found in " DOCROOT " - copying now...\n");
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        snprintf(path, sizeof path, DOCROOT "/%s", dirs[i]);
        if (mkdir(path, 0755) < 0)
            perror(path);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, DOCROOT "/%s", files[i]);
        put_file(path, "<?php\n// A file of the stand-in for WordPress.\n");
    }
    fprintf(stderr, "Complete! WordPress has been successfully copied to " DOCROOT "\n");
}

static bool has_database(void)
{
    struct fetch_url u = {.port = 3306};
    struct in_addr address;
    const char *host = hello_setting(NULL, "WORDPRESS_DB_HOST", "mysql"), *colon = strchr(host, ':');
    int fd = -1;
    snprintf(u.host, sizeof u.host, "%.*s", (int)(colon ? colon - host : (long)strlen(host)), host);
    if (colon && strtol(colon + 1, NULL, 10) > 0)
        u.port = (uint16_t)strtol(colon + 1, NULL, 10);
    if (fetch_resolve(&u, &address) != FETCH_OK || fetch_connect(&u, address, 2000, &fd) != FETCH_OK)
        return false;
    close(fd);
    return true;
}

static const char no_database[] =
    "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n<title>Database Error</title>\n</head>\n<body id=\"error-page\">\n"
    "<div class=\"wp-die-message\"><h1>Error establishing a database connection</h1></div></body>\n</html>\n";
static const char install_page[] =
    "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n<title>WordPress &rsaquo; Installation</title>\n</head>\n<body>\n"
    "<h1>WordPress</h1>\n<p>Welcome. The database at %{|WORDPRESS_DB_HOST|mysql} answers, and the files are in "
    "/var/www/html.</p>\n<p>This page stands in for the real program, which is not in this image. Pod: %h.</p>\n"
    "</body>\n</html>\n";

static bool answer_wordpress(const struct web *w, const struct request *r, struct response *out)
{
    const bool fine = has_database();
    respond_text(w, r, NULL, fine ? 200 : 500, "text/html; charset=UTF-8",
                 hello_expand(fine ? install_page : no_database, r), out);
    return true;
}

int wordpress_main(int argc, char **argv)
{
    hello_arguments(argc, argv);
    copy_wordpress();
    return hello_serve(80, true, answer_wordpress) < 0;
}

/* -- jenkins -- */

static const char login_page[] =
    "<!DOCTYPE html>\n<html><head><title>Sign in [Jenkins]</title></head><body><h1>Unlock Jenkins</h1><p>The password "
    "is in "
    "/var/jenkins_home/secrets/initialAdminPassword.</p>\n<p>This page stands in for the real program, which is not in "
    "this image. Pod: %h.</p></body></html>\n";

static bool answer_jenkins(const struct web *w, const struct request *r, struct response *out)
{
    respond_text(w, r, NULL, strcmp(r->path, "/login") == 0 ? 200 : 403, "text/html;charset=utf-8",
                 hello_expand(login_page, r), out);
    return true;
}

int jenkins_main(int argc, char **argv)
{
    const char *home = "/var/jenkins_home";
    char secrets[256], path[300], password[33] = "";
    unsigned char bytes[16];
    hello_arguments(argc, argv);
    if (getrandom(bytes, sizeof bytes, 0) == sizeof bytes)
        for (size_t i = 0; i < sizeof bytes; i++)
            snprintf(password + 2 * i, 3, "%02x", bytes[i]);
    snprintf(secrets, sizeof secrets, "%s/secrets", home);
    snprintf(path, sizeof path, "%s/initialAdminPassword", secrets);
    if (mkdir(secrets, 0700) < 0 && access(secrets, W_OK) < 0) {
        fprintf(stderr, "touch: cannot touch '/var/jenkins_home/copy_reference_file.log': Permission denied\n"
                        "Can not write to /var/jenkins_home/copy_reference_file.log. Wrong volume permissions?\n");
        return 1;
    }
    put_file(path, password);
    FILE *f = fopen(path, "re");
    if (f && fgets(password, sizeof password, f))
        password[strcspn(password, "\n")] = '\0';
    if (f)
        fclose(f);
    fprintf(
        stderr,
        "*************************************************************\n\nJenkins initial setup is required. An admin "
        "user has been created and a password generated.\nPlease use the following password to proceed to "
        "installation:\n\n%s\n\nThis may also be found at: %s\n\n"
        "*************************************************************\nJenkins is fully up and running\n",
        password, path);
    return hello_serve(8080, false, answer_jenkins) < 0;
}

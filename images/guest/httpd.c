/* httpd.c - the guest's web server behind Apache's manners: one process, /usr/local/apache2/htdocs, "It works!". Of
 * httpd.conf only Listen and DocumentRoot are read. */
#include "guest.h"
#include "web.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "/usr/local/apache2"

static char product[64], document_root[512] = PREFIX "/htdocs";

static const struct {
    int code;
    const char *title, *text;
} pages[] = {
    {403, "Forbidden", "You don't have permission to access this resource."},
    {404, "Not Found", "The requested URL was not found on this server."},
    {405, "Method Not Allowed", "The requested method is not allowed for this URL."},
    {400, "Bad Request", "Your browser sent a request that this server could not understand."},
};

static size_t error_page(const struct web *w, int code, const char *reason, char *out, size_t size)
{
    (void)w;
    const char *title = reason, *text = "";
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (pages[i].code == code) {
            title = pages[i].title;
            text = pages[i].text;
        }
    return (size_t)snprintf(
        out, size,
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>%d %s</title>\n</head><body>\n"
        "<h1>%s</h1>\n<p>%s</p>\n</body></html>\n",
        code, title, title, text);
}

static void read_version(void)
{
    char version[32] = "2.4.65";
    FILE *f = fopen(PREFIX "/version", "re");
    if (f && !fgets(version, sizeof version, f))
        snprintf(version, sizeof version, "2.4.65");
    if (f)
        fclose(f);
    version[strcspn(version, "\n")] = '\0';
    snprintf(product, sizeof product, "Apache/%s (Unix)", version);
}

static uint16_t read_conf(void)
{
    unsigned port = 80, found;
    char line[1024], root[512];
    FILE *f = fopen(PREFIX "/conf/httpd.conf", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, " Listen %u", &found) == 1 && found < 65536)
            port = found;
        if (sscanf(line, " DocumentRoot \"%511[^\"]\"", root) == 1)
            snprintf(document_root, sizeof document_root, "%s", root);
    }
    if (f)
        fclose(f);
    return (uint16_t)port;
}

static void notice(const char *code, const char *text)
{
    char when[64];
    const time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%a %b %d %H:%M:%S.000000 %Y", &tm);
    fprintf(stderr, "[%s] [mpm_event:notice] [pid %d:tid %d] %s: %s\n", when, (int)getpid(), (int)getpid(), code, text);
}

static const struct {
    const char *extension, *type;
} types[] = {{"html", "text/html"},     {"htm", "text/html"},     {"css", "text/css"},
             {"js", "text/javascript"}, {"txt", "text/plain"},    {"png", "image/png"},
             {"jpg", "image/jpeg"},     {"svg", "image/svg+xml"}, {"json", "application/json"}};

int httpd_main(int argc, char **argv)
{
    char text[256];
    read_version();
    if (argc > 1 && (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "-V") == 0)) {
        printf("Server version: %s\n", product);
        return 0;
    }
    struct server server = {.listen = {{.port = read_conf()}}, .listen_count = 1};
    struct web w = {.servers = &server,
                    .product = product,
                    .log_tail = "",
                    .tokens = true,
                    .error_page = error_page,
                    .access_fd = 1,
                    .error_fd = 2};
    struct mime mimes[sizeof types / sizeof *types];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        mimes[i] = (struct mime){w.mimes, types[i].extension, types[i].type};
        w.mimes = &mimes[i];
    }
    w.http = (struct scope){.root = document_root, .autoindex = true, .default_type = "text/plain"};
    struct sockets sockets;
    if (web_listen(&w, NULL, &sockets) < 0) {
        fprintf(stderr, "(98)Address already in use: AH00072: make_sock: could not bind to address\n");
        return 1;
    }
    snprintf(text, sizeof text, "%s configured -- resuming normal operations", product);
    notice("AH00489", text);
    snprintf(text, sizeof text, "Command line: '%s -D FOREGROUND'", "httpd");
    notice("AH00094", text);
    web_drop_user("www-data");
    web_serve(&w, &sockets);
    notice("AH00491", "caught SIGTERM, shutting down");
    return 0;
}

/* hello.c - the small web applications that labs deploy to have something that answers: who am I, which version, what
 * did you ask.
 *
 * Each is a row of `apps` and its pages are rows of `pages`: texts with marks that are replaced for every request
 * (hello.h). An image runs it as "hello NAME VERSION"; a link with the application's own name does too. How to add one:
 * its rows here, an image in src/images/catalogue_apps.c. */
#include "guest.h"
#include "hello.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

const char *hello_version = "1";
static int argument_count;
static char **arguments;

void hello_arguments(int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
}

const char *hello_setting(const char *flag, const char *env, const char *otherwise)
{
    const size_t n = flag ? strlen(flag) : 0;
    for (int i = 1; n && i < argument_count; i++) {
        const char *word = arguments[i];
        if (word[0] != '-')
            continue;
        word += word[1] == '-' ? 2 : 1;
        if (strncmp(word, flag, n) == 0 && word[n] == '=')
            return word + n + 1;
        if (strcmp(word, flag) == 0 && i + 1 < argument_count)
            return arguments[i + 1];
    }
    const char *value = env && *env ? getenv(env) : NULL;
    return value && *value ? value : otherwise;
}

/* -- texts -- */

static void put_headers(const struct request *r, bool as_values, FILE *out)
{
    for (size_t i = 0; i < r->header_count; i++) {
        const struct header *h = &r->headers[i];
        if (!as_values) {
            fprintf(out, "%s: %s\n", h->name, h->value);
            continue;
        }
        fputc('\t', out);
        for (const char *c = h->name; *c; c++)
            fputc(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c, out);
        fprintf(out, "=%s\n", h->value);
    }
}

/* Of IPv4 in the form of IPv6 ("::ffff:10.0.0.1"): what it means. */
static const char *plain(const char *address)
{
    static const char mapped[] = "::ffff:";
    return strncmp(address, mapped, sizeof mapped - 1) == 0 ? address + sizeof mapped - 1 : address;
}

static void put_time(FILE *out)
{
    char when[64];
    const time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    fputs(when, out);
}

/* "{flag|ENV|otherwise}"; returns what follows it. */
static const char *put_setting(const char *mark, FILE *out)
{
    char words[3][64] = {"", "", ""};
    size_t word = 0, n = 0;
    const char *c = mark + 1;
    for (; *c && *c != '}'; c++)
        if (*c == '|' && word < 2) {
            word++;
            n = 0;
        } else if (n + 1 < sizeof words[0]) {
            words[word][n++] = *c;
            words[word][n] = '\0';
        }
    fputs(hello_setting(words[0], words[1], words[2]), out);
    return *c ? c + 1 : c;
}

static const char *put_mark(const char *mark, const struct request *r, FILE *out)
{
    char host[256] = "";
    const char *asked = request_header(r, "Host");
    switch (*mark) {
    case 'h':
        gethostname(host, sizeof host - 1);
        fputs(host, out);
        break;
    case 'v':
        fputs(hello_version, out);
        break;
    case 'i':
        fputs(plain(r->local), out);
        break;
    case 'p':
        fprintf(out, "%u", r->local_port);
        break;
    case 'c':
        fputs(plain(r->client), out);
        break;
    case 'm':
        fputs(r->method, out);
        break;
    case 'u':
        fputs(r->path, out);
        break;
    case 'q':
        fputs(r->args ? r->args : "", out);
        break;
    case 'H':
        fputs(asked ? asked : "", out);
        break;
    case 't':
        put_time(out);
        break;
    case 'a':
    case 'A':
        put_headers(r, *mark == 'A', out);
        break;
    case '{':
        return put_setting(mark, out);
    default:
        fputc(*mark, out);
        break;
    }
    return mark + 1;
}

char *hello_expand(const char *text, const struct request *r)
{
    char *body = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&body, &len);
    while (*text)
        if (text[0] == '%' && text[1])
            text = put_mark(text + 1, r, out);
        else
            fputc(*text++, out);
    fclose(out);
    return body;
}

/* -- serving -- */

static size_t error_page(const struct web *w, int code, const char *reason, char *out, size_t size)
{
    (void)w;
    return (size_t)snprintf(out, size, "%d %s\n", code, reason);
}

int hello_serve(uint16_t port, bool logs,
                bool (*answer)(const struct web *w, const struct request *r, struct response *out))
{
    struct server server = {.listen = {{.port = port}}, .listen_count = 1};
    struct web w = {.servers = &server,
                    .product = "stowage",
                    .log_tail = "",
                    .error_page = error_page,
                    .access_fd = logs ? STDOUT_FILENO : -1,
                    .error_fd = STDERR_FILENO,
                    .answer = answer};
    struct sockets sockets;
    setvbuf(stdout, NULL, _IOLBF, 0);
    w.http = (struct scope){.root = "/usr/share/hello", .default_type = "text/plain"};
    if (web_listen(&w, NULL, &sockets) < 0)
        return -1;
    web_serve(&w, &sockets);
    return 0;
}

/* -- the applications -- */

struct app {
    const char *name;
    uint16_t port;
    const char *port_flag, *port_env; /* what may change it: a number, or ":number" */
    bool logs;
    const char *started; /* said at the start, or NULL */
    void (*work)(void);  /* for each request, or NULL */
};

/* Takes a twentieth of a second of a CPU, as the real page does: what autoscaling labs need. */
static void burn(void)
{
    volatile double x = 0.0001;
    for (int i = 0; i < 12000000; i++)
        x = x + 1 / x;
}

static const struct app apps[] = {
    {"hello-app", 8080, NULL, "PORT", false, "Server listening on port 8080", NULL},
    {"bootcamp", 8080, NULL, NULL, false, "Kubernetes Bootcamp App Started", NULL},
    {"http-echo", 5678, "listen", NULL, false, "[INFO] server is listening", NULL},
    {"whoami", 80, "port", "WHOAMI_PORT_NUMBER", false, "Starting up", NULL},
    {"echoserver", 8080, NULL, NULL, true, "Generating self-signed cert", NULL},
    {"echo-server", 8080, NULL, "PORT", false, "Echo server listening", NULL},
    {"nginx-hello", 80, NULL, NULL, true, NULL, NULL},
    {"nginx-hello-text", 80, NULL, NULL, true, NULL, NULL},
    {"webapp-color", 8080, NULL, NULL, true, " This is a sample web application that displays a colored background.",
     NULL},
    {"kubia", 8080, NULL, NULL, false, "Kubia server starting...", NULL},
    {"hpa-example", 80, NULL, NULL, true, NULL, burn},
    {"podinfo", 9898, "port", "PODINFO_PORT", false, "Starting podinfo", NULL},
    {"hello-kubernetes", 8080, NULL, "PORT", false, "Listening", NULL},
    {"kuard", 8080, NULL, NULL, true, "Serving on HTTP on :8080", NULL},
    {"tomcat", 8080, NULL, NULL, false, "org.apache.catalina.startup.Catalina.start Server startup", NULL},
    {"page", 80, "port", NULL, true, NULL, NULL},
};

struct page {
    const char *app, *path; /* NULL: any other path */
    const char *type, *text;
};
#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"
#define JSON "application/json; charset=utf-8"

static const struct page pages[] = {
    {"hello-app", NULL, TEXT, "Hello, world!\nVersion: %v\nHostname: %h\n"},
    {"bootcamp", NULL, TEXT, "Hello Kubernetes bootcamp! | Running on: %h | v=%v\n"},
    {"http-echo", "/health", JSON, "{\"status\":\"ok\"}\n"},
    {"http-echo", NULL, TEXT, "%{text|ECHO_TEXT|hello-world}\n"},
    {"whoami", "/health", TEXT, ""},
    {"whoami", NULL, TEXT,
     "%{name|WHOAMI_NAME|}\nHostname: %h\nIP: 127.0.0.1\nIP: %i\nRemoteAddr: %c\n%m %u HTTP/1.1\n%a\n"},
    {"echoserver", NULL, TEXT,
     "\n\nHostname: %h\n\nPod Information:\n\tnode name:\t%{|NODE_NAME|}\n\tpod name:\t%{|POD_NAME|}\n\tpod "
     "namespace:\t%{|POD_NAMESPACE|}\n\tpod IP:\t%{|POD_IP|}\n\nServer values:\n\tserver_version=nginx\n\nRequest "
     "Information:\n\tclient_address=%c\n\tmethod=%m\n\treal path=%u\n\tquery=%q\n\trequest_version=1.1\n\t"
     "request_scheme=http\n\trequest_uri=http://%H%u\n\nRequest Headers:\n%A\nRequest Body:\n\t-no body in "
     "request-\n\n"},
    {"echo-server", NULL, TEXT, "Request served by %h\n\n%m %u HTTP/1.1\n\n%a"},
    {"nginx-hello-text", NULL, TEXT, "Server address: %i:%p\nServer name: %h\nDate: %t\nURI: %u\nRequest ID: %h\n"},
    {"nginx-hello", NULL, HTML,
     "<!DOCTYPE html>\n<html>\n<head><title>Hello World</title></head>\n<body>\n<p><span>Server&nbsp;address:</span> "
     "<span>%i:%p</span></p>\n<p><span>Server&nbsp;name:</span> <span>%h</span></p>\n<p><span>Date:</span> "
     "<span>%t</span></p>\n<p><span>URI:</span> <span>%u</span></p>\n</body>\n</html>\n"},
    {"webapp-color", NULL, HTML,
     "<!doctype html>\n<title>Hello from Flask</title>\n<body style=\"background: %{color|APP_COLOR|green};\"></body>\n"
     "<div style=\"color: #e4e4e4; text-align: center; height: 90px; vertical-align: middle;\">\n  <h1>Hello from "
     "%h!</h1>\n  <h2>Application Version: %v</h2>\n  <h3>Color: %{color|APP_COLOR|green}</h3>\n</div>\n"},
    {"kubia", NULL, TEXT, "You've hit %h\n"},
    {"hpa-example", NULL, TEXT, "OK!"},
    {"podinfo", "/healthz", JSON, "{\n  \"status\": \"OK\"\n}\n"},
    {"podinfo", "/readyz", JSON, "{\n  \"status\": \"OK\"\n}\n"},
    {"podinfo", "/version", JSON, "{\n  \"version\": \"%v\"\n}\n"},
    {"podinfo", NULL, JSON,
     "{\n  \"hostname\": \"%h\",\n  \"version\": \"%v\",\n  \"color\": \"%{ui-color|PODINFO_UI_COLOR|#34577c}\",\n  "
     "\"message\": \"%{ui-message|PODINFO_UI_MESSAGE|greetings from podinfo v%v}\",\n  \"goos\": \"linux\"\n}\n"},
    {"hello-kubernetes", NULL, HTML,
     "<!DOCTYPE html>\n<html>\n<head><title>Hello Kubernetes!</title></head>\n<body>\n<h1>%{|MESSAGE|Hello "
     "world!}</h1>\n"
     "<table><tr><th>pod:</th><td>%h</td></tr><tr><th>node:</th><td>%{|KUBERNETES_NODE_NAME|}</td></tr></table>\n"
     "</body>\n</html>\n"},
    {"kuard", "/healthy", TEXT, "ok"},
    {"kuard", "/ready", TEXT, "ok"},
    {"kuard", "/env", TEXT, "HOSTNAME=%h\n"},
    {"kuard", NULL, HTML,
     "<!doctype html>\n<html>\n<head><title>KUAR Demo</title></head>\n<body>\n<h1>KUAR Demo</h1>\n<p>Request "
     "Details</p>\n"
     "<p>Hostname: %h</p>\n<p>Version: %v</p>\n<p>Client: %c</p>\n</body>\n</html>\n"},
    {"tomcat", NULL, HTML,
     "<!DOCTYPE html>\n<html>\n<head><title>Apache Tomcat/%v</title></head>\n<body>\n<h1>Apache "
     "Tomcat/%v</h1>\n<p>This "
     "page stands in for the real server.</p>\n</body>\n</html>\n"},
    {"page", "/health", JSON, "{\"status\":\"ok\"}\n"},
    {"page", NULL, HTML,
     "<!DOCTYPE html>\n<html>\n<head><title>%{title||hello}</title></head>\n<body>\n<h1>%{title||hello}</h1>\n<p>This "
     "page "
     "stands in for the real program, which is not in this image. Pod: %h.</p>\n</body>\n</html>\n"},
};

static const struct app *the_app;

static bool answer(const struct web *w, const struct request *r, struct response *out)
{
    if (the_app->work)
        the_app->work();
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(pages[i].app, the_app->name) == 0 && (!pages[i].path || strcmp(pages[i].path, r->path) == 0)) {
            respond_text(w, r, NULL, 200, pages[i].type, hello_expand(pages[i].text, r), out);
            return true;
        }
    return false;
}

static uint16_t port_of(const struct app *app)
{
    const char *text = hello_setting(app->port_flag, app->port_env, "");
    const char *colon = strrchr(text, ':');
    const int port = (int)strtol(colon ? colon + 1 : text, NULL, 10);
    return port > 0 && port < 65536 ? (uint16_t)port : app->port;
}

int hello_main(int argc, char **argv)
{
    const char *name = argc ? strrchr(argv[0], '/') : NULL;
    name = name ? name + 1 : argc ? argv[0] : "";
    if (strcmp(name, "hello") == 0 && argc > 2) {
        name = argv[1];
        hello_version = argv[2];
    }
    if (strcmp(name, "hello") == 0 && argc == 1) {
        printf("\nHello from Docker!\nThis message shows that your container ran; the program that says so is a "
               "stand-in.\n\n");
        return 0;
    }
    hello_arguments(argc, argv);
    for (size_t i = 0; i < sizeof apps / sizeof *apps; i++)
        if (strcmp(apps[i].name, name) == 0)
            the_app = &apps[i];
    if (!the_app) {
        fprintf(stderr, "%s: no such application in this image\n", name);
        return 127;
    }
    if (the_app->started)
        fprintf(stderr, "%s\n", the_app->started);
    return hello_serve(port_of(the_app), the_app->logs, answer) < 0 ? 1 : 0;
}

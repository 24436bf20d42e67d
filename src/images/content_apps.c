/* content_apps.c - the layers of small applications: what labs deploy to have something that answers, eats memory, or
 * asks the API. Each is a program of ours (images/guest/) where the real image has its own. THREADS: constant. */
#include "images/content_int.h"

#include "base/mem.h"
#include "base/str.h"

static const struct layer_file hello_files[] = {GUEST_("usr/local/bin/hello"), DIR_("usr/share/hello")};
static const struct layer_file http_echo_files[] = {GUEST_("http-echo"), DIR_("usr/share/hello")};
static const struct layer_file whoami_files[] = {GUEST_("whoami"), DIR_("usr/share/hello")};
static const struct layer_file hello_world_files[] = {GUEST_("hello"), DIR_("dev"), DIR_("etc"), DIR_("proc"),
                                                      DIR_("sys")};
static const struct layer_file agnhost_files[] = {SCRIPT_("usr/bin/nslookup", NSLOOKUP_("*")), GUEST_("agnhost"),
                                                  GUEST_("server"), DIR_("usr/share/hello")};
static const struct layer_file stress_files[] = {GUEST_("usr/local/bin/stress"), GUEST_("stress")};
static const struct layer_file perl_files[] = {GUEST_("usr/local/bin/perl")};

static const char curl_entrypoint[] = "#!/bin/sh\n"
                                      "# Options and addresses are curl's; anything else is a command.\n"
                                      "case $1 in -*|http*) set -- curl \"$@\" ;; esac\n"
                                      "exec \"$@\"\n";
static const struct layer_file curl_files[] = {SCRIPT_("entrypoint.sh", curl_entrypoint), GUEST_("usr/bin/curl")};

static const struct layer_file kubectl_files[] = {
    {"usr/local/bin/kubectl", S_IFREG | 0755, LAYER_PROGRAM "kubectl"},
    LINK_("bin/kubectl", "/usr/local/bin/kubectl"),
    LINK_("opt/bitnami/kubectl/bin/kubectl", "/usr/local/bin/kubectl"),
};

/* Servers that are started by the name of a web server, and anything else. */
static const char wordpress_entrypoint[] = "#!/bin/sh\n"
                                           "case $1 in apache2*|php-fpm*) exec wordpress ;; esac\n"
                                           "exec \"$@\"\n";
static const struct layer_file wordpress_files[] = {
    SCRIPT_("usr/local/bin/docker-entrypoint.sh", wordpress_entrypoint),
    GUEST_("usr/local/bin/wordpress"),
    DIR_("var/www/html"),
    DIR_("usr/share/hello"),
};
static const struct layer_file jenkins_files[] = {
    GUEST_("usr/local/bin/jenkins"),
    {"var/jenkins_home", S_IFDIR | 01777, NULL},
    DIR_("usr/share/hello"),
};

#define NGINX_PAGE                                                                                                     \
    "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n<h1>Welcome to "              \
    "nginx!</h1>\n</body>\n</html>\n"
#define NGINX_8080(root)                                                                                               \
    FILE_("etc/nginx/conf.d/default.conf",                                                                             \
          "server {\n    listen       8080;\n    server_name  localhost;\n\n"                                          \
          "    location / {\n        root   /" root ";\n        index  index.html index.htm;\n    }\n}\n"),            \
        FILE_("etc/nginx/nginx.conf",                                                                                  \
              "error_log  /dev/stderr notice;\npid        /tmp/nginx.pid;\n\nevents {\n}\n\n"                          \
              "http {\n    include       /etc/nginx/mime.types;\n    access_log  /dev/stdout;\n"                       \
              "    include /etc/nginx/conf.d/*.conf;\n}\n"),                                                           \
        FILE_("etc/nginx/mime.types",                                                                                  \
              "types {\n    text/html html htm;\n    text/css css;\n    text/plain txt;\n}\n"),                        \
        GUEST_("usr/sbin/nginx"), FILE_(root "/index.html", NGINX_PAGE),                                               \
        FILE_("usr/share/nginx/version", "@VERSION@\n")

static const struct layer_file nginx_unprivileged_files[] = {NGINX_8080("usr/share/nginx/html")};
static const struct layer_file bitnami_nginx_files[] = {NGINX_8080("app")};

static const struct layer_def layers[] = {
    LAYER("hello", APPLETS_NONE, hello_files),
    LAYER("http-echo", APPLETS_NONE, http_echo_files),
    LAYER("whoami", APPLETS_NONE, whoami_files),
    LAYER("hello-world", APPLETS_NONE, hello_world_files),
    LAYER("agnhost", APPLETS_NONE, agnhost_files),
    LAYER("stress", APPLETS_NONE, stress_files),
    LAYER("perl", APPLETS_NONE, perl_files),
    LAYER("curl", APPLETS_NONE, curl_files),
    LAYER("kubectl", APPLETS_NONE, kubectl_files),
    LAYER("wordpress", APPLETS_NONE, wordpress_files),
    LAYER("jenkins", APPLETS_NONE, jenkins_files),
    LAYER("nginx-unprivileged", APPLETS_NONE, nginx_unprivileged_files),
    LAYER("bitnami-nginx", APPLETS_NONE, bitnami_nginx_files),
};

const struct layer_def *app_layer_by_id(const char *id)
{
    for (size_t i = 0; i < ARRAY_LEN(layers); i++)
        if (str_eq(layers[i].id, id))
            return &layers[i];
    return NULL;
}

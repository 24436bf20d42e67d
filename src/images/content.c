/* content.c - the files of the built-in layers, as data. The texts are our own; names and places are those of the real
 * images.
 *
 * How to add a layer: its files as a table, a row in `layers`; those of small applications are in content_apps.c.
 * THREADS: constant. */
#include "images/content_int.h"

#include "base/mem.h"
#include "base/str.h"

#define COMMON_DIRS                                                                                                    \
    DIR_("dev"), DIR_("etc"), DIR_("home"), DIR_("mnt"), DIR_("opt"), DIR_("proc"), DIR_("run"), DIR_("srv"),          \
        DIR_("sys"), DIR_("usr/bin"), DIR_("usr/sbin"), DIR_("usr/local/bin"), DIR_("var/cache"), DIR_("var/lib"),     \
        DIR_("var/log"), {"root", S_IFDIR | 0700, NULL}, {"tmp", S_IFDIR | 01777, NULL},                               \
        {"var/tmp", S_IFDIR | 01777, NULL}, LINK_("var/run", "/run"),                                                  \
        FILE_("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),                                 \
        FILE_("etc/shells", "/bin/sh\n/bin/ash\n/bin/bash\n")

#define ACCOUNTS(shell)                                                                                                \
    FILE_("etc/passwd", "root:x:0:0:root:/root:" shell "\n"                                                            \
                        "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"                                            \
                        "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"                                                       \
                        "sys:x:3:3:sys:/dev:/usr/sbin/nologin\n"                                                       \
                        "mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"                                                \
                        "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"                                       \
                        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),                               \
        FILE_("etc/group", "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nmail:x:8:\n"    \
                           "www-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n"),                                        \
    {                                                                                                                  \
        "etc/shadow", S_IFREG | 0640, "root:*:::::::\nnobody:*:::::::\n"                                               \
    }

/* Scripts for bash run in busybox's shell, which knows most of what they use. */
#define BASH SCRIPT_("bin/bash", "#!/bin/sh\nexec /bin/sh \"$@\"\n")

/* The recycler's script and many a lab say `find … -delete`. */
static const char find_script[] =
    "#!/bin/sh\n"
    "# find, with the -delete that this busybox lacks: what is inside a directory goes before it. The applet has got\n"
    "# another name, so that the shell finds this.\n"
    "find=finc\n"
    "busybox $find / -maxdepth 0 >/dev/null 2>&1 || find=find\n"
    "case \" $* \" in *\" -delete \"*) ;; *) exec busybox $find \"$@\" ;; esac\n"
    "for word; do\n"
    "    shift\n"
    "    if [ \"$word\" = -delete ]; then\n"
    "        set -- \"$@\" -depth -exec sh -c 'for f; do\n"
    "            if [ -d \"$f\" ] && [ ! -L \"$f\" ]; then rmdir \"$f\"; else rm -f \"$f\"; fi || bad=1\n"
    "        done; exit ${bad:-0}' sh {} +\n"
    "    else\n"
    "        set -- \"$@\" \"$word\"\n"
    "    fi\n"
    "done\n"
    "exec busybox $find \"$@\"\n";

static const struct layer_file busybox_files[] = {
    SCRIPT_("bin/nslookup", NSLOOKUP_("1.2[0-8].*")),
    SCRIPT_("bin/find", find_script),
    GUEST_("bin/wget"),
    COMMON_DIRS,
    ACCOUNTS("/bin/sh"),
    LINK_("usr/bin/env", "/bin/env"),
};
static const struct layer_file alpine_files[] = {
    SCRIPT_("usr/bin/find", find_script),
    GUEST_("usr/bin/wget"),
    COMMON_DIRS,
    ACCOUNTS("/bin/ash"),
    FILE_("etc/alpine-release", "@VERSION@\n"),
    FILE_("etc/os-release",
          "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=@VERSION@\nPRETTY_NAME=\"Alpine Linux v@VERSION@\"\n"
          "HOME_URL=\"https://alpinelinux.org/\"\n"),
    GUEST_("usr/bin/curl"),
};
static const struct layer_file debian_files[] = {
    SCRIPT_("usr/bin/find", find_script),
    GUEST_("usr/bin/wget"),
    COMMON_DIRS,
    ACCOUNTS("/bin/bash"),
    BASH,
    FILE_("etc/debian_version", "@VERSION@\n"),
    FILE_("etc/os-release",
          "PRETTY_NAME=\"Debian GNU/Linux @VERSION@\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"@VERSION@\"\n"
          "ID=debian\nHOME_URL=\"https://www.debian.org/\"\n"),
    GUEST_("bin/df"),
    GUEST_("usr/bin/curl"),
};
static const struct layer_file ubuntu_files[] = {
    SCRIPT_("usr/bin/find", find_script),
    GUEST_("usr/bin/wget"),
    COMMON_DIRS,
    ACCOUNTS("/bin/bash"),
    BASH,
    FILE_("etc/os-release",
          "PRETTY_NAME=\"Ubuntu @VERSION@ LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"@VERSION@\"\nID=ubuntu\n"
          "ID_LIKE=debian\nHOME_URL=\"https://www.ubuntu.com/\"\n"),
    FILE_("etc/lsb-release",
          "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=@VERSION@\nDISTRIB_DESCRIPTION=\"Ubuntu @VERSION@ LTS\"\n"),
    GUEST_("bin/df"),
    GUEST_("usr/bin/curl"),
};
static const struct layer_file centos_files[] = {
    SCRIPT_("usr/bin/find", find_script),
    GUEST_("usr/bin/wget"),
    COMMON_DIRS,
    ACCOUNTS("/bin/bash"),
    BASH,
    FILE_("etc/centos-release", "CentOS Linux release @VERSION@\n"),
    LINK_("etc/redhat-release", "centos-release"),
    FILE_("etc/os-release", "NAME=\"CentOS Linux\"\nVERSION=\"@VERSION@\"\nID=\"centos\"\nID_LIKE=\"rhel "
                            "fedora\"\nVERSION_ID=\"@VERSION@\"\n"
                            "PRETTY_NAME=\"CentOS Linux @VERSION@\"\n"),
    GUEST_("bin/df"),
    GUEST_("usr/bin/curl"),
};
/* The others that come in rpm packages. */
#define RPM_FILES(id, name)                                                                                            \
    SCRIPT_("usr/bin/find", find_script), GUEST_("usr/bin/wget"), COMMON_DIRS, ACCOUNTS("/bin/bash"), BASH,            \
        FILE_("etc/system-release", name " release @VERSION@\n"),                                                      \
        FILE_("etc/os-release",                                                                                        \
              "NAME=\"" name "\"\nVERSION=\"@VERSION@\"\nID=\"" id                                                     \
              "\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"@VERSION@\"\nPRETTY_NAME=\"" name " @VERSION@\"\n"),          \
        GUEST_("bin/df"), GUEST_("usr/bin/curl")
static const struct layer_file fedora_files[] = {RPM_FILES("fedora", "Fedora Linux")};
static const struct layer_file amazon_files[] = {RPM_FILES("amzn", "Amazon Linux")};
static const struct layer_file rocky_files[] = {RPM_FILES("rocky", "Rocky Linux")};
static const struct layer_file alma_files[] = {RPM_FILES("almalinux", "AlmaLinux")};
static const struct layer_file oracle_files[] = {RPM_FILES("ol", "Oracle Linux Server")};
static const struct layer_file stub_files[] = {
    SCRIPT_("usr/bin/find", find_script),
    GUEST_("usr/bin/wget"),
    COMMON_DIRS,
    ACCOUNTS("/bin/sh"),
    BASH,
    FILE_("etc/os-release", "PRETTY_NAME=\"Stowage stub\"\nNAME=\"Stowage stub\"\nID=stowage-stub\n"),
    GUEST_("bin/df"),
    GUEST_("usr/bin/curl"),
    GUEST_("usr/local/bin/stub"),
};
static const struct layer_file event_simulator_files[] = {GUEST_("usr/bin/event-simulator"), DIR_("log")};
static const struct layer_file pause_files[] = {GUEST_("pause"), DIR_("dev"), DIR_("proc"), DIR_("sys"), DIR_("etc")};

static const char nginx_entrypoint[] =
    "#!/bin/sh\n"
    "# Runs what stands in /docker-entrypoint.d, then the command.\n"
    "say() { [ -n \"$NGINX_ENTRYPOINT_QUIET_LOGS\" ] || echo \"/docker-entrypoint.sh: $*\"; }\n"
    "if [ \"$1\" = nginx ]; then\n"
    "    if [ -n \"$(ls -A /docker-entrypoint.d 2>/dev/null)\" ]; then\n"
    "        say '/docker-entrypoint.d/ is not empty, will attempt to perform configuration'\n"
    "        say 'Looking for shell scripts in /docker-entrypoint.d/'\n"
    "        for f in /docker-entrypoint.d/*; do\n"
    "            case \"$f\" in\n"
    "            *.envsh) say \"Sourcing $f\"; . \"$f\" ;;\n"
    "            *.sh) if [ -x \"$f\" ]; then say \"Launching $f\"; \"$f\"; else say \"Ignoring $f, not executable\"; "
    "fi ;;\n"
    "            *) say \"Ignoring $f\" ;;\n"
    "            esac\n"
    "        done\n"
    "        say 'Configuration complete; ready for start up'\n"
    "    else\n"
    "        say 'No files found in /docker-entrypoint.d/, skipping configuration'\n"
    "    fi\n"
    "fi\n"
    "exec \"$@\"\n";

#define NGINX_CONF(log_level)                                                                                          \
    "user  nginx;\n"                                                                                                   \
    "worker_processes  auto;\n"                                                                                        \
    "error_log  /var/log/nginx/error.log " log_level ";\n"                                                             \
    "pid        /run/nginx.pid;\n"                                                                                     \
    "\n"                                                                                                               \
    "events {\n"                                                                                                       \
    "    worker_connections  1024;\n"                                                                                  \
    "}\n"                                                                                                              \
    "\n"                                                                                                               \
    "http {\n"                                                                                                         \
    "    include       /etc/nginx/mime.types;\n"                                                                       \
    "    default_type  application/octet-stream;\n"                                                                    \
    "    access_log  /var/log/nginx/access.log  main;\n"                                                               \
    "    sendfile        on;\n"                                                                                        \
    "    keepalive_timeout  65;\n"                                                                                     \
    "    include /etc/nginx/conf.d/*.conf;\n"                                                                          \
    "}\n"

/* What the image's own scripts do and say. */
static const char nginx_listen_script[] =
    "#!/bin/sh\n"
    "# The default server listens on IPv6 too, unless someone changed its file.\n"
    "me=10-listen-on-ipv6-by-default.sh\n"
    "say() { [ -n \"$NGINX_ENTRYPOINT_QUIET_LOGS\" ] || echo \"$me: $*\"; }\n"
    "conf=/etc/nginx/conf.d/default.conf\n"
    "[ -f $conf ] || { say \"info: $conf is not a file or does not exist\"; exit 0; }\n"
    "touch $conf 2>/dev/null || { say \"info: can not modify $conf (read-only file system?)\"; exit 0; }\n"
    "grep -q 'listen  *\\[::\\]:80;' $conf && { say \"info: IPv6 listen already enabled\"; exit 0; }\n"
    "say \"info: Getting the checksum of $conf\"\n"
    "sed -i 's/listen  *80;/listen       80;\\n    listen  [::]:80;/' $conf\n"
    "say \"info: Enabled listen on IPv6 in $conf\"\n";
static const char nginx_template_script[] =
    "#!/bin/sh\n"
    "# Files in /etc/nginx/templates become configuration, with the environment's values put in.\n"
    "for t in /etc/nginx/templates/*.template; do\n"
    "    [ -f \"$t\" ] || exit 0\n"
    "    out=/etc/nginx/conf.d/$(basename \"$t\" .template)\n"
    "    echo \"20-envsubst-on-templates.sh: Running envsubst on $t to $out\"\n"
    "    awk '{ out = \"\"; while (match($0, /\\$\\{?[A-Za-z_][A-Za-z0-9_]*\\}?/)) {\n"
    "        word = substr($0, RSTART, RLENGTH); name = word; gsub(/[${}]/, \"\", name)\n"
    "        out = out substr($0, 1, RSTART - 1) (name in ENVIRON ? ENVIRON[name] : word)\n"
    "        $0 = substr($0, RSTART + RLENGTH) } print out $0 }' \"$t\" > \"$out\"\n"
    "done\n";
static const char nginx_tune_script[] = "#!/bin/sh\n# The number of workers is the configuration's.\nexit 0\n";

static const char nginx_default_conf[] = "server {\n"
                                         "    listen       80;\n"
                                         "    server_name  localhost;\n"
                                         "\n"
                                         "    location / {\n"
                                         "        root   /usr/share/nginx/html;\n"
                                         "        index  index.html index.htm;\n"
                                         "    }\n"
                                         "\n"
                                         "    error_page   500 502 503 504  /50x.html;\n"
                                         "    location = /50x.html {\n"
                                         "        root   /usr/share/nginx/html;\n"
                                         "    }\n"
                                         "}\n";

/* The title and first heading are what labs look for. */
static const char nginx_index[] = "<!DOCTYPE html>\n"
                                  "<html>\n"
                                  "<head>\n"
                                  "<title>Welcome to nginx!</title>\n"
                                  "<style>\n"
                                  "html { color-scheme: light dark; }\n"
                                  "body { max-width: 36em; margin: 2em auto; font-family: sans-serif; }\n"
                                  "</style>\n"
                                  "</head>\n"
                                  "<body>\n"
                                  "<h1>Welcome to nginx!</h1>\n"
                                  "<p>This page is served from /usr/share/nginx/html inside the container.\n"
                                  "Put files there, or mount a volume over it, to serve your own.</p>\n"
                                  "</body>\n"
                                  "</html>\n";
static const char nginx_50x[] =
    "<!DOCTYPE html>\n<html>\n<head>\n<title>Error</title>\n</head>\n<body>\n"
    "<h1>An error occurred.</h1>\n<p>The page cannot be shown at the moment.</p>\n</body>\n</html>\n";
static const char mime_types[] = "types {\n"
                                 "    text/html               html htm shtml;\n"
                                 "    text/css                css;\n"
                                 "    text/xml                xml;\n"
                                 "    image/gif               gif;\n"
                                 "    image/jpeg              jpeg jpg;\n"
                                 "    application/javascript  js;\n"
                                 "    text/plain              txt;\n"
                                 "    image/png               png;\n"
                                 "    image/svg+xml           svg svgz;\n"
                                 "    image/x-icon            ico;\n"
                                 "    application/json        json;\n"
                                 "    application/pdf         pdf;\n"
                                 "    application/wasm        wasm;\n"
                                 "    application/zip         zip;\n"
                                 "    video/mp4               mp4;\n"
                                 "}\n";

#define NGINX_COMMON                                                                                                   \
    GUEST_("usr/sbin/nginx"), FILE_("etc/nginx/mime.types", mime_types),                                               \
        FILE_("etc/nginx/conf.d/default.conf", nginx_default_conf),                                                    \
        FILE_("usr/share/nginx/html/index.html", nginx_index), FILE_("usr/share/nginx/html/50x.html", nginx_50x),      \
        FILE_("usr/share/nginx/version", "@VERSION@\n"), DIR_("var/cache/nginx"),                                      \
        LINK_("var/log/nginx/access.log", "/dev/stdout"), LINK_("var/log/nginx/error.log", "/dev/stderr"),             \
        FILE_("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"                                                        \
                            "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"                                        \
                            "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"                                                   \
                            "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"                                   \
                            "nginx:x:101:101:nginx user:/nonexistent:/bin/false\n"                                     \
                            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),                           \
        FILE_("etc/group", "root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\nwww-data:x:33:\nusers:x:100:\nnginx:x:101:"    \
                           "\nnogroup:x:65534:\n")

static const struct layer_file nginx_files[] = {
    NGINX_COMMON,
    SCRIPT_("docker-entrypoint.sh", nginx_entrypoint),
    SCRIPT_("docker-entrypoint.d/10-listen-on-ipv6-by-default.sh", nginx_listen_script),
    SCRIPT_("docker-entrypoint.d/20-envsubst-on-templates.sh", nginx_template_script),
    SCRIPT_("docker-entrypoint.d/30-tune-worker-processes.sh", nginx_tune_script),
    FILE_("etc/nginx/nginx.conf", NGINX_CONF("notice")),
};
static const struct layer_file old_nginx_files[] = {
    NGINX_COMMON,
    FILE_("etc/nginx/nginx.conf", NGINX_CONF("warn")),
};

static const struct layer_file httpd_files[] = {
    GUEST_("usr/local/apache2/bin/httpd"),
    LINK_("usr/local/apache2/bin/httpd-foreground", "httpd"),
    FILE_("usr/local/apache2/htdocs/index.html", "<html><body><h1>It works!</h1></body></html>\n"),
    FILE_("usr/local/apache2/version", "@VERSION@\n"),
    FILE_("usr/local/apache2/conf/httpd.conf",
          "ServerRoot \"/usr/local/apache2\"\nListen 80\nUser www-data\nGroup www-data\n"
          "DocumentRoot \"/usr/local/apache2/htdocs\"\n"),
    DIR_("usr/local/apache2/logs"),
};

/* Options alone are the server's, as in the real entry points. */
#define DATABASE_ENTRYPOINT(server)                                                                                    \
    SCRIPT_("usr/local/bin/docker-entrypoint.sh", "#!/bin/sh\n"                                                        \
                                                  "# Runs the server, or whatever is asked for.\n"                     \
                                                  "case $1 in -*) set -- " server " \"$@\" ;; esac\n"                  \
                                                  "exec \"$@\"\n")

static const struct layer_file redis_files[] = {
    GUEST_("usr/local/bin/redis-server"),
    GUEST_("usr/local/bin/redis-cli"),
    DATABASE_ENTRYPOINT("redis-server"),
    DIR_("data"),
};
static const struct layer_file mysql_files[] = {
    GUEST_("usr/sbin/mysqld"),
    GUEST_("usr/bin/mysql"),
    GUEST_("usr/bin/mysqladmin"),
    DATABASE_ENTRYPOINT("mysqld"),
    DIR_("var/lib/mysql"),
    DIR_("docker-entrypoint-initdb.d"),
    FILE_("etc/my.cnf", "[mysqld]\ndatadir=/var/lib/mysql\n!includedir /etc/mysql/conf.d/\n"),
    DIR_("etc/mysql/conf.d"),
};
static const struct layer_file mariadb_files[] = {
    GUEST_("usr/sbin/mariadbd"),     GUEST_("usr/bin/mariadb"),    GUEST_("usr/bin/mariadb-admin"),
    GUEST_("usr/bin/mysql"),         GUEST_("usr/bin/mysqladmin"), LINK_("usr/sbin/mysqld", "mariadbd"),
    DATABASE_ENTRYPOINT("mariadbd"), DIR_("var/lib/mysql"),        DIR_("docker-entrypoint-initdb.d"),
    DIR_("etc/mysql/conf.d"),
};
static const struct layer_file postgres_files[] = {
    GUEST_("usr/local/bin/postgres"), GUEST_("usr/local/bin/psql"),    GUEST_("usr/local/bin/pg_isready"),
    DATABASE_ENTRYPOINT("postgres"),  DIR_("var/lib/postgresql/data"), DIR_("docker-entrypoint-initdb.d"),
};
static const struct layer_file mongo_files[] = {
    GUEST_("usr/bin/mongod"),      GUEST_("usr/bin/mongosh"), GUEST_("usr/bin/mongo"),
    DATABASE_ENTRYPOINT("mongod"), DIR_("data/db"),           DIR_("data/configdb"),
};

static const struct layer_def layers[] = {
    LAYER("busybox", APPLETS_IN_BIN, busybox_files),   LAYER("alpine", APPLETS_SPREAD, alpine_files),
    LAYER("debian", APPLETS_SPREAD, debian_files),     LAYER("ubuntu", APPLETS_SPREAD, ubuntu_files),
    LAYER("centos", APPLETS_SPREAD, centos_files),     LAYER("fedora", APPLETS_SPREAD, fedora_files),
    LAYER("amazon", APPLETS_SPREAD, amazon_files),     LAYER("rocky", APPLETS_SPREAD, rocky_files),
    LAYER("alma", APPLETS_SPREAD, alma_files),         LAYER("oracle", APPLETS_SPREAD, oracle_files),
    LAYER("stub", APPLETS_SPREAD, stub_files),         LAYER("nginx", APPLETS_NONE, nginx_files),
    LAYER("nginx-old", APPLETS_NONE, old_nginx_files), LAYER("httpd", APPLETS_NONE, httpd_files),
    LAYER("redis", APPLETS_NONE, redis_files),         LAYER("mysql", APPLETS_NONE, mysql_files),
    LAYER("mariadb", APPLETS_NONE, mariadb_files),     LAYER("postgres", APPLETS_NONE, postgres_files),
    LAYER("mongo", APPLETS_NONE, mongo_files),         LAYER("event-simulator", APPLETS_NONE, event_simulator_files),
    LAYER("pause", APPLETS_NONE, pause_files),
};

const struct layer_def *layer_by_id(const char *id)
{
    for (size_t i = 0; i < ARRAY_LEN(layers); i++)
        if (str_eq(layers[i].id, id))
            return &layers[i];
    return app_layer_by_id(id);
}

/* catalogue.c - the built-in images, as data: what courses use (nginx, busybox and friends).
 *
 * A repository may have several rows: the first whose tags have the tag counts. Small applications are in
 * catalogue_apps.c. How to add one: a row here or there (and a tag rule above it); a layer in content.c or
 * content_apps.c if no present one fits. THREADS: constant.
 */
#include "images/images_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define PATH_ALL "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MIB      (INT64_C(1024) * 1024)

#define NGINX_SUFFIXES                                                                                                 \
    "alpine perl slim otel bookworm bullseye buster alpine3.17 alpine3.18 alpine3.19 alpine3.20 alpine3.21 alpine3.22"
static const struct tag_rule nginx_tags = {
    .names = "latest=1.29.1 mainline=1.29.1 stable=1.28.0 alpine=1.29.1 1=1.29.1 bookworm=1.29.1 perl=1.29.1",
    .versions = "1.19:10 1.20:2 1.21:6 1.22:1 1.23:4 1.24:0 1.25:5 1.26:3 1.27:5 1.28:0 1.29:1",
    .suffixes = NGINX_SUFFIXES,
};
/* These had no entry point script and said nothing when they started. */
static const struct tag_rule old_nginx_tags = {
    .versions = "1.7:12 1.8:1 1.9:15 1.10:3 1.11:13 1.12:2 1.13:12 1.14:2 1.15:12 1.16:1 1.17:10 1.18:0",
    .suffixes = NGINX_SUFFIXES,
};
static const struct tag_rule httpd_tags = {
    .names = "latest=2.4.65 alpine=2.4.65 2=2.4.65 bookworm=2.4.65 trixie=2.4.65",
    .versions = "2.2:34 2.4:65",
    .suffixes = "alpine bookworm bullseye buster trixie alpine3.20 alpine3.21 alpine3.22",
};
static const struct tag_rule busybox_tags = {
    .names = "latest=1.37.0 stable=1.37.0 unstable=1.37.0 glibc=1.37.0 musl=1.37.0 uclibc=1.37.0 1=1.37.0",
    .versions = "1.21:0 1.22:1 1.23:2 1.24:2 1.25:1 1.26:2 1.27:2 1.28:4 1.29:3 1.30:1 1.31:1 1.32:1 1.33:1 1.34:1 "
                "1.35:0 1.36:1 "
                "1.37:0",
    .suffixes = "glibc musl uclibc ubuntu",
};
static const struct tag_rule alpine_tags = {
    .names = "latest=3.22.1 edge=3.22.1 3=3.22.1",
    .versions = "2.6 2.7 3.1:4 3.2:3 3.3:3 3.4:6 3.5:3 3.6:5 3.7:3 3.8:5 3.9:6 3.10:9 3.11:13 3.12:12 3.13:12 3.14:10 "
                "3.15:11 3.16:9 "
                "3.17:10 3.18:12 3.19:8 3.20:7 3.21:4 3.22:1",
};
static const struct tag_rule debian_tags = {
    .names = "latest=12 stable=12 bookworm=12 bullseye=11 buster=10 stretch=9 jessie=8 trixie=13 testing=13 sid=13 "
             "unstable=13 "
             "oldstable=11",
    .versions = "8 9 10 11 12 13 8.11 9.13 10.13 11.11 12.11",
    .suffixes = "slim backports",
};
static const struct tag_rule ubuntu_tags = {
    .names = "latest=24.04 rolling=25.04 devel=25.10 noble=24.04 jammy=22.04 focal=20.04 bionic=18.04 xenial=16.04 "
             "trusty=14.04 "
             "oracular=24.10 plucky=25.04",
    .versions = "14.04 16.04 18.04 20.04 22.04 23.04 23.10 24.04 24.10 25.04 25.10",
};
static const struct tag_rule centos_tags = {
    .names = "latest=8 centos6=6 centos7=7 centos8=8 centos7.9.2009=7",
    .versions = "5 6 7 8 6.10 7.9.2009 8.4.2105",
};
static const struct tag_rule redis_tags = {
    .names = "latest=7.4.2 alpine=7.4.2 7=7.4.2 6=6.2.16 5=5.0.14 bookworm=7.4.2",
    .versions = "3.2:12 4.0:14 5.0:14 6.0:20 6.2:16 7.0:15 7.2:6 7.4:2",
    .suffixes = "alpine bookworm bullseye buster alpine3.20 alpine3.21",
};
static const struct tag_rule mysql_tags = {
    .names = "latest=8.4.3 lts=8.4.3 8=8.4.3 5=5.7.44 oraclelinux9=8.4.3 innovation=9.1.0 9=9.1.0",
    .versions = "5.5:62 5.6:51 5.7:44 8.0:40 8.4:3 9.0:1 9.1:0",
    .suffixes = "debian oracle oraclelinux8 oraclelinux9",
};
static const struct tag_rule mariadb_tags = {
    .names = "latest=11.6.2 lts=11.4.4 11=11.6.2 10=10.11.10 jammy=11.6.2 noble=11.6.2",
    .versions = "10.1:48 10.2:44 10.3:39 10.4:34 10.5:27 10.6:20 10.11:10 11.2:6 11.4:4 11.5:2 11.6:2",
    .suffixes = "focal jammy noble ubi bionic",
};
static const struct tag_rule postgres_tags = {
    .names = "latest=17.2 alpine=17.2 bookworm=17.2",
    .versions = "9.4:26 9.5:25 9.6:24 10:23 11:22 12:22 13:18 14:15 15:10 16:6 17:2",
    .suffixes = "alpine bookworm bullseye alpine3.19 alpine3.20 alpine3.21",
};
static const struct tag_rule mongo_tags = {
    .names = "latest=8.0.4 4=4.4.29 5=5.0.31 6=6.0.19 7=7.0.16 8=8.0.4 noble=8.0.4 jammy=8.0.4 focal=4.4.29",
    .versions = "3.2:21 3.4:24 3.6:23 4.0:28 4.2:24 4.4:29 5.0:31 6.0:19 7.0:16 8.0:4",
    .suffixes = "bionic focal jammy noble xenial",
};
static const struct tag_rule any_version = {.names = "latest=1 v1=1 v2=2 v3=3", .any = true};
static const struct tag_rule debian_base_tags = {
    .names = "bookworm-v1.0.6=12 bookworm-v1.0.5=12 bookworm-v1.0.4=12 bookworm-v1.0.3=12 bookworm-v1.0.2=12 "
             "bookworm-v1.0.1=12 bookworm-v1.0.0=12 bullseye-v1.4.3=11 bullseye-v1.4.2=11"};
static const struct tag_rule pause_tags = {.names = "latest=3.10",
                                           .versions = "2.0 3.0 3.1 3.2 3.3 3.4 3.5 3.6 3.7 3.8 3.9 3.10:1"};

static const struct image_def rows[] = {
    {"docker.io/library/busybox", &busybox_tags, "busybox", NULL, NULL, {NULL}, {"sh"}, {PATH_ALL}, .size = 2156518},
    {"docker.io/library/alpine", &alpine_tags, "alpine", NULL, NULL, {NULL}, {"/bin/sh"}, {PATH_ALL}, .size = 3646756},
    {"docker.io/library/debian", &debian_tags, "debian", NULL, NULL, {NULL}, {"bash"}, {PATH_ALL}, .size = 48496372},
    {"docker.io/library/ubuntu",
     &ubuntu_tags,
     "ubuntu",
     NULL,
     NULL,
     {NULL},
     {"/bin/bash"},
     {PATH_ALL},
     .size = 29727061},
    {"docker.io/library/centos",
     &centos_tags,
     "centos",
     NULL,
     NULL,
     {NULL},
     {"/bin/bash"},
     {PATH_ALL},
     .size = 83518086},
    {"docker.io/library/nginx",
     &nginx_tags,
     "debian",
     "12",
     "nginx",
     {"/docker-entrypoint.sh"},
     {"nginx", "-g", "daemon off;"},
     {PATH_ALL, "NGINX_VERSION=@VERSION@"},
     .stop_signal = "SIGQUIT",
     .port = "80/tcp",
     .size = 72324501},
    {"docker.io/library/nginx",
     &old_nginx_tags,
     "debian",
     "9",
     "nginx-old",
     {NULL},
     {"nginx", "-g", "daemon off;"},
     {PATH_ALL, "NGINX_VERSION=@VERSION@"},
     .port = "80/tcp",
     .size = 39938244},
    {"docker.io/library/httpd",
     &httpd_tags,
     "debian",
     "12",
     "httpd",
     {NULL},
     {"httpd-foreground"},
     {"PATH=/usr/local/apache2/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HTTPD_PREFIX=/usr/local/apache2", "HTTPD_VERSION=@VERSION@"},
     .workdir = "/usr/local/apache2",
     .port = "80/tcp",
     .size = 45164206},
    {"docker.io/library/redis",
     &redis_tags,
     "debian",
     "12",
     "redis",
     {"docker-entrypoint.sh"},
     {"redis-server"},
     {PATH_ALL, "REDIS_VERSION=@VERSION@"},
     .workdir = "/data",
     .volume = "/data",
     .port = "6379/tcp",
     .size = 45006722},
    {"docker.io/library/mysql",
     &mysql_tags,
     "centos",
     "9",
     "mysql",
     {"docker-entrypoint.sh"},
     {"mysqld"},
     {PATH_ALL, "MYSQL_VERSION=@VERSION@"},
     .volume = "/var/lib/mysql",
     .port = "3306/tcp",
     .size = 175534272},
    {"docker.io/library/mariadb",
     &mariadb_tags,
     "ubuntu",
     "24.04",
     "mariadb",
     {"docker-entrypoint.sh"},
     {"mariadbd"},
     {PATH_ALL, "MARIADB_VERSION=@VERSION@"},
     .volume = "/var/lib/mysql",
     .port = "3306/tcp",
     .size = 123461120},
    {"docker.io/library/postgres",
     &postgres_tags,
     "debian",
     "12",
     "postgres",
     {"docker-entrypoint.sh"},
     {"postgres"},
     {PATH_ALL, "PG_MAJOR=@VERSION@", "PGDATA=/var/lib/postgresql/data"},
     .volume = "/var/lib/postgresql/data",
     .stop_signal = "SIGINT",
     .port = "5432/tcp",
     .size = 155012096},
    {"docker.io/library/mongo",
     &mongo_tags,
     "ubuntu",
     "22.04",
     "mongo",
     {"docker-entrypoint.sh"},
     {"mongod"},
     {PATH_ALL, "MONGO_VERSION=@VERSION@"},
     .volume = "/data/db",
     .port = "27017/tcp",
     .size = 286261248},
    {"docker.io/kodekloud/event-simulator",
     &any_version,
     "alpine",
     "3.18.12",
     "event-simulator",
     {"event-simulator"},
     {NULL},
     {PATH_ALL},
     .size = 26785210},
    {"docker.io/kiamol/ch03-sleep",
     &any_version,
     "alpine",
     "3.12.12",
     NULL,
     {NULL},
     {"/bin/sh", "-c", "trap : TERM INT; while true; do sleep 3600 & wait; done"},
     {PATH_ALL},
     .size = 3646756},
    {"registry.k8s.io/pause",
     &pause_tags,
     NULL,
     NULL,
     "pause",
     {"/pause"},
     {NULL},
     {PATH_ALL},
     .user = "65535:65535",
     .size = 320368},
    {"registry.k8s.io/build-image/debian-base", /* what recycles volumes */
     &debian_base_tags,
     "debian",
     "12",
     NULL,
     {NULL},
     {"/bin/bash"},
     {PATH_ALL},
     .size = 26 * MIB},
    {"registry.k8s.io/busybox", &any_version, "busybox", "1.27.2", NULL, {NULL}, {"sh"}, {PATH_ALL}, .size = 1 * MIB},
    {"registry.k8s.io/nginx",
     &any_version,
     "debian",
     "12",
     "nginx-old",
     {NULL},
     {"nginx", "-g", "daemon off;"},
     {PATH_ALL, "NGINX_VERSION=1.7.9"},
     .size = 39 * MIB},
};

const struct image_def stub_def = {
    "", NULL, "stub", "1", NULL, {"/usr/local/bin/stub"}, {NULL}, {PATH_ALL}, .size = 4 * MIB,
};

const struct image_def *catalogue_row(size_t i)
{
    return i < ARRAY_LEN(rows) ? &rows[i] : catalogue_app(i - ARRAY_LEN(rows));
}

/* Other places where the same images are had. */
static const struct {
    const char *mirror, *original;
} mirrors[] = {
    {"public.ecr.aws/docker/library/", "docker.io/library/"},
    {"mirror.gcr.io/library/", "docker.io/library/"},
    {"k8s.gcr.io/", "registry.k8s.io/"},
    {"gcr.io/google_containers/", "registry.k8s.io/"},
    {"gcr.io/google-containers/", "registry.k8s.io/"},
    {"us-docker.pkg.dev/google-samples/containers/gke/", "gcr.io/google-samples/"},
};

/* Is it that name, or the same on a mirror? */
static bool is_named(const struct image_def *def, const char *repository)
{
    for (size_t i = 0; i < ARRAY_LEN(mirrors); i++)
        if (str_starts(repository, mirrors[i].mirror) && str_starts(def->repository, mirrors[i].original) &&
            str_eq(def->repository + strlen(mirrors[i].original), repository + strlen(mirrors[i].mirror)))
            return true;
    return str_eq(def->repository, repository);
}

const struct image_def *catalogue_find(const char *repository, const struct image_def *after)
{
    const struct image_def *row;
    for (size_t i = 0; (row = catalogue_row(i)); i++) {
        if (!after && is_named(row, repository))
            return row;
        if (row == after)
            after = NULL;
    }
    return NULL;
}

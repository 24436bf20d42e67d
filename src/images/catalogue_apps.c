/* catalogue_apps.c - the catalogue's small applications: what courses deploy to have something that answers ("hello"),
 * fails a probe, eats memory, or asks the API; and more distributions. Their programs are in images/guest/hello.c,
 * agnhost.c, stress.c and wordpress.c. THREADS: constant. */
#include "images/images_int.h"

#include "base/mem.h"

#define PATH_ALL "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MIB      (INT64_C(1024) * 1024)

/* Applications come with tags of every fashion. */
static const struct tag_rule any_tag = {.names = "latest=1", .open = true};
static const struct tag_rule hello_app_tags = {.names = "latest=1.0.0 1.0=1.0.0 2.0=2.0.0 v1=1.0.0 v2=2.0.0"};
static const struct tag_rule bootcamp_tags = {.names = "latest=1 v1=1 v2=2"};
static const struct tag_rule color_tags = {.names = "latest=1 v1=1 v2=2 v3=3"};
static const struct tag_rule plain_text = {.names = "plain-text=1 0.3-plain-text=1 0.2-plain-text=1"};
static const struct tag_rule fedora_tags = {.names = "latest=42 rawhide=44",
                                            .versions = "33 34 35 36 37 38 39 40 41 42"};
static const struct tag_rule amazon_tags = {.names = "latest=2023", .versions = "1 2 2023"};
static const struct tag_rule rhel_like_tags = {.names = "latest=9", .open = true};

/* An application of images/guest/hello.c. */
#define HELLO(repository, rule, name, listens)                                                                         \
    {                                                                                                                  \
        repository, &rule, "alpine", "3.21.4", "hello", {"/usr/local/bin/hello", name, "@VERSION@"}, {NULL},           \
            {PATH_ALL}, .port = listens, .size = 12 * MIB                                                              \
    }
/* One whose program, the layer's, is at the root. */
#define PROGRAM(repository, layer, listens)                                                                            \
    {                                                                                                                  \
        repository, &any_tag, "alpine", "3.21.4", layer, {"/" layer}, {NULL}, {PATH_ALL}, .port = listens,             \
                                                                                          .size = 8 * MIB              \
    }
/* One that has a page only, which says what it stands for. */
#define PAGE(repository, port_flag, title, listens)                                                                    \
    {                                                                                                                  \
        repository, &any_tag, "debian", "12", "hello",                                                                 \
            {"/usr/local/bin/hello", "page", "@VERSION@", "-port=" port_flag, "-title=" title}, {NULL}, {PATH_ALL},    \
            .port = listens, .size = 120 * MIB                                                                         \
    }
#define SHELL(repository, rule, layer)                                                                                 \
    {                                                                                                                  \
        repository, &rule, layer, NULL, NULL, {NULL}, {"/bin/bash"}, {PATH_ALL}, .size = 70 * MIB                      \
    }
#define AGNHOST(repository, program, command)                                                                          \
    {                                                                                                                  \
        repository, &any_tag, "alpine", "3.21.4", "agnhost", {program}, {command}, {PATH_ALL}, .size = 50 * MIB        \
    }
#define STRESS(repository, program)                                                                                    \
    {                                                                                                                  \
        repository, &any_tag, "alpine", "3.21.4", "stress", {program}, {NULL}, {PATH_ALL}, .size = 4 * MIB             \
    }
#define KUBECTL(repository)                                                                                            \
    {                                                                                                                  \
        repository, &any_tag, "debian", "12", "kubectl", {"kubectl"}, {"--help"}, {PATH_ALL}, .user = "1001",          \
                                                                                              .size = 60 * MIB         \
    }
#define CURL(repository)                                                                                               \
    {                                                                                                                  \
        repository, &any_tag, "alpine", "3.21.4", "curl", {"/entrypoint.sh"}, {"curl"}, {PATH_ALL}, .user = "100",     \
                                                                                                    .size = 9 * MIB    \
    }
#define NGINX(repository, layer, where)                                                                                \
    {                                                                                                                  \
        repository, &any_tag, "debian", "12", layer, {NULL}, {"nginx", "-g", "daemon off;"}, {PATH_ALL},               \
            .port = where, .size = 60 * MIB                                                                            \
    }

static const struct image_def rows[] = {
    HELLO("gcr.io/google-samples/hello-app", hello_app_tags, "hello-app", "8080/tcp"),
    HELLO("gcr.io/google-samples/kubernetes-bootcamp", bootcamp_tags, "bootcamp", "8080/tcp"),
    HELLO("docker.io/jocatalin/kubernetes-bootcamp", bootcamp_tags, "bootcamp", "8080/tcp"),
    HELLO("docker.io/kodekloud/webapp-color", color_tags, "webapp-color", "8080/tcp"),
    HELLO("docker.io/mmumshad/webapp-color", color_tags, "webapp-color", "8080/tcp"),
    HELLO("docker.io/luksa/kubia", any_tag, "kubia", "8080/tcp"),
    HELLO("registry.k8s.io/hpa-example", any_tag, "hpa-example", "80/tcp"),
    HELLO("registry.k8s.io/echoserver", any_tag, "echoserver", "8080/tcp"),
    HELLO("registry.k8s.io/e2e-test-images/echoserver", any_tag, "echoserver", "8080/tcp"),
    HELLO("docker.io/kicbase/echo-server", any_tag, "echo-server", "8080/tcp"),
    HELLO("docker.io/jmalloc/echo-server", any_tag, "echo-server", "8080/tcp"),
    HELLO("docker.io/nginxdemos/hello", plain_text, "nginx-hello-text", "80/tcp"),
    HELLO("docker.io/nginxdemos/hello", any_tag, "nginx-hello", "80/tcp"),
    HELLO("docker.io/stefanprodan/podinfo", any_tag, "podinfo", "9898/tcp"),
    HELLO("ghcr.io/stefanprodan/podinfo", any_tag, "podinfo", "9898/tcp"),
    HELLO("docker.io/paulbouwer/hello-kubernetes", any_tag, "hello-kubernetes", "8080/tcp"),
    HELLO("gcr.io/kuar-demo/kuard-amd64", any_tag, "kuard", "8080/tcp"),
    HELLO("docker.io/library/tomcat", any_tag, "tomcat", "8080/tcp"),
    PROGRAM("docker.io/hashicorp/http-echo", "http-echo", "5678/tcp"),
    PROGRAM("docker.io/traefik/whoami", "whoami", "80/tcp"),
    PROGRAM("docker.io/containous/whoami", "whoami", "80/tcp"),
    {"docker.io/library/hello-world",
     &any_tag,
     NULL,
     NULL,
     "hello-world",
     {NULL},
     {"/hello"},
     {PATH_ALL},
     .size = 10240},
    {"docker.io/library/wordpress",
     &any_tag,
     "debian",
     "12",
     "wordpress",
     {"docker-entrypoint.sh"},
     {"apache2-foreground"},
     {PATH_ALL, "WORDPRESS_VERSION=@VERSION@"},
     .workdir = "/var/www/html",
     .volume = "/var/www/html",
     .port = "80/tcp",
     .size = 240 * MIB},
    {"docker.io/jenkins/jenkins",
     &any_tag,
     "debian",
     "12",
     "jenkins",
     {"/usr/local/bin/jenkins"},
     {NULL},
     {PATH_ALL, "JENKINS_HOME=/var/jenkins_home"},
     .user = "1000",
     .volume = "/var/jenkins_home",
     .port = "8080/tcp",
     .size = 260 * MIB},
    {"docker.io/library/perl",
     &any_tag,
     "debian",
     "12",
     "perl",
     {NULL},
     {"perl", "-de0"},
     {PATH_ALL},
     .size = 330 * MIB},
    PAGE("docker.io/grafana/grafana", "3000", "Grafana", "3000/tcp"),
    PAGE("docker.io/prom/prometheus", "9090", "Prometheus", "9090/tcp"),
    PAGE("docker.io/library/adminer", "8080", "Adminer", "8080/tcp"),
    PAGE("docker.io/library/phpmyadmin", "80", "phpMyAdmin", "80/tcp"),
    PAGE("docker.io/phpmyadmin/phpmyadmin", "80", "phpMyAdmin", "80/tcp"),
    PAGE("docker.io/library/ghost", "2368", "Ghost", "2368/tcp"),
    PAGE("docker.io/library/nextcloud", "80", "Nextcloud", "80/tcp"),
    PAGE("docker.io/library/drupal", "80", "Drupal", "80/tcp"),
    PAGE("docker.io/library/joomla", "80", "Joomla", "80/tcp"),
    PAGE("gcr.io/google-samples/gb-frontend", "80", "Guestbook", "80/tcp"),
    PAGE("registry.k8s.io/goproxy", "8080", "goproxy", "8080/tcp"),
    AGNHOST("registry.k8s.io/e2e-test-images/agnhost", "/agnhost", "pause"),
    AGNHOST("registry.k8s.io/liveness", NULL, "/server"),
    AGNHOST("registry.k8s.io/serve_hostname", "/agnhost", "serve-hostname"),
    AGNHOST("registry.k8s.io/e2e-test-images/jessie-dnsutils", "/agnhost", "pause"),
    STRESS("docker.io/polinux/stress", NULL),
    STRESS("docker.io/progrium/stress", "/usr/local/bin/stress"),
    STRESS("docker.io/vish/stress", "/stress"),
    CURL("docker.io/curlimages/curl"),
    CURL("docker.io/appropriate/curl"),
    KUBECTL("docker.io/bitnami/kubectl"),
    KUBECTL("docker.io/rancher/kubectl"),
    KUBECTL("docker.io/lachlanevenson/k8s-kubectl"),
    KUBECTL("registry.k8s.io/kubectl"),
    NGINX("docker.io/nginxinc/nginx-unprivileged", "nginx-unprivileged", "8080/tcp"),
    NGINX("docker.io/bitnami/nginx", "bitnami-nginx", "8080/tcp"),
    NGINX("registry.k8s.io/nginx-slim", "nginx-old", "80/tcp"),
    NGINX("registry.k8s.io/e2e-test-images/nginx", "nginx-old", "80/tcp"),
    {"registry.k8s.io/e2e-test-images/busybox",
     &any_tag,
     "busybox",
     "1.29.3",
     NULL,
     {NULL},
     {"sh"},
     {PATH_ALL},
     .size = 1 * MIB},
    {"docker.io/radial/busyboxplus",
     &any_tag,
     "alpine",
     "3.21.4",
     NULL,
     {NULL},
     {"/bin/sh"},
     {PATH_ALL},
     .size = 5 * MIB},
    SHELL("docker.io/library/fedora", fedora_tags, "fedora"),
    SHELL("docker.io/library/amazonlinux", amazon_tags, "amazon"),
    SHELL("docker.io/library/rockylinux", rhel_like_tags, "rocky"),
    SHELL("docker.io/rockylinux/rockylinux", rhel_like_tags, "rocky"),
    SHELL("docker.io/library/almalinux", rhel_like_tags, "alma"),
    SHELL("docker.io/library/oraclelinux", rhel_like_tags, "oracle"),
};

const struct image_def *catalogue_app(size_t i)
{
    return i < ARRAY_LEN(rows) ? &rows[i] : NULL;
}

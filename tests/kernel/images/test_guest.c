/* The built-in images run: nginx as nginx, httpd, the event simulator, the shells; and `tar` works, as kubectl cp
 * needs. */
#include "images/image.h"
#include "kernel/sys/harness.h"

#include <signal.h>

static struct machine *m;
static struct err e;
static struct images *im;

/* Starts a container of an image; argv NULL = what the image says. */
static void run_image(const char *id, const char *ref, const char *const *argv)
{
    struct image *image = NULL;
    const char *words[16];
    size_t n = 0;
    ok(images_resolve(im, ref, &image, &e));
    for (size_t i = 0; !argv && image->entrypoint[i]; i++)
        words[n++] = image->entrypoint[i];
    for (size_t i = 0; !argv && image->cmd[i]; i++)
        words[n++] = image->cmd[i];
    words[n] = NULL;
    struct container_spec c = container("pod", id, "");
    c.layers = image->layers;
    c.env = image->env;
    c.argv = argv ? argv : words;
    c.cwd = image->workdir;
    ok(m->ops->container_start(m, &c, NULL, &e));
    image_free(image);
}

static void end_container(const char *id, int sig, int code)
{
    ok(m->ops->container_signal(m, "worker-1", id, sig, &e));
    assert_int_equal(wait_exit(id), code);
    ok(m->ops->container_remove(m, "worker-1", id, true, &e));
}

static void nginx_serves(void **state)
{
    (void)state;
    char out[16384];
    run_image("n1", "nginx:1.7.9", NULL);
    await(container_run("n1", "curl -s -o /dev/null localhost", out, sizeof out) == 0);
    assert_int_equal(
        container_run("n1", "curl -s localhost | grep -o '<title>.*</title>'; curl -sI localhost/", out, sizeof out),
        0);
    assert_non_null(strstr(out, "<title>Welcome to nginx!</title>\nHTTP/1.1 200 OK\r\nServer: nginx/1.7.9\r\n"));
    assert_non_null(strstr(out, "Content-Type: text/html\r\n"));
    assert_int_equal(container_run("n1",
                                   "curl -s localhost/none; curl -s -o /dev/null -w '%{http_code}' localhost/none", out,
                                   sizeof out),
                     0);
    assert_non_null(strstr(out, "<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx/1.7.9</center>"));
    assert_non_null(strstr(out, "</html>\r\n404"));
    assert_int_equal(container_run("n1", "rm /usr/share/nginx/html/index.html; curl -s localhost", out, sizeof out), 0);
    assert_non_null(strstr(out, "403 Forbidden"));
    assert_int_equal(
        container_run(
            "n1",
            "mkdir /usr/share/nginx/html/d; echo in > /usr/share/nginx/html/d/f.txt; "
            "curl -sI localhost/d | grep Location; curl -s localhost/d/../d//f.txt; curl -s 'localhost/%64/f.txt'; "
            "curl -s -X POST -o /dev/null -w '%{http_code}' localhost/d/f.txt; "
            "curl -s -o /dev/null -w '%{http_code}' 'localhost/../../etc/passwd'",
            out, sizeof out),
        0);
    assert_string_equal(out, "Location: http://localhost/d/\r\nin\nin\n405400");
    assert_int_equal(container_run("n1",
                                   "curl -s -H 'Range: bytes=1-1' localhost/d/f.txt; wget -qO- 127.0.0.1/d/f.txt; "
                                   "nginx -v; cat /proc/*/cmdline | tr '\\0' ' '",
                                   out, sizeof out),
                     0);
    assert_non_null(strstr(out, "nin\n"));
    assert_non_null(strstr(out, "nginx version: nginx/1.7.9\n"));
    assert_non_null(strstr(out, "nginx: worker process"));
    end_container("n1", SIGQUIT, 0);
    assert_int_equal(node_run("worker-1", "cat /var/log/pods/n1.log", out, sizeof out), 0);
    assert_non_null(strstr(out, "stdout F 127.0.0.1 - - ["));
    assert_non_null(strstr(out, "\"GET /none HTTP/1.1\" 404 "));
    assert_non_null(
        strstr(out, "open() \"/usr/share/nginx/html/none\" failed (2: No such file or directory), client: 127.0.0.1"));
}

/* A pod deleted in the moment it runs: whatever the server has done by then about signals, it ends in its own way. */
static void servers_end_as_soon_as_they_run(void **state)
{
    (void)state;
    static const struct {
        const char *image;
        int sig;
    } rows[] = {{"nginx", SIGQUIT},
                {"nginx", SIGTERM},
                {"httpd", SIGTERM},
                {"redis", SIGTERM},
                {"kodekloud/event-simulator", SIGTERM}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char id[16];
        snprintf(id, sizeof id, "soon%zu", i);
        run_image(id, rows[i].image, NULL);
        ok(m->ops->container_signal(m, "worker-1", id, rows[i].sig, &e));
        assert_true(wait_exit(id) >= 0);
        ok(m->ops->container_remove(m, "worker-1", id, true, &e));
    }
}

static void nginx_is_configured(void **state)
{
    (void)state;
    char out[8192];
    run_image("n2", "nginx:alpine", NULL);
    static const char conf[] = "cat > /etc/nginx/conf.d/a.conf <<'E'\n"
                               "server { # mine\n"
                               "  listen 8080 default_server; listen [::]:8080;\n"
                               "  location / { return 200 \"hello $host ${uri}\\n\"; add_header X-Mine yes; }\n"
                               "  location /files { alias /tmp/f/; autoindex on; }\n"
                               "  location = /exact { return 301 https://example.com$request_uri; }\n"
                               "  location ~ \\.gone$ { return 410; }\n"
                               "  error_page 404 /oops.html;\n"
                               "}\n"
                               "E\n"
                               "mkdir -p /tmp/f; echo 1 > /tmp/f/one; nginx -t && nginx -s reload";
    await(container_run("n2", "curl -s -o /dev/null localhost", out, sizeof out) == 0);
    assert_int_equal(container_run("n2", conf, out, sizeof out), 0);
    assert_non_null(strstr(out, "nginx: configuration file /etc/nginx/nginx.conf test is successful\n"));
    await(container_run("n2", "curl -s -o /dev/null localhost:8080", out, sizeof out) == 0);
    assert_int_equal(
        container_run("n2",
                      "curl -si localhost:8080/a; curl -si localhost:8080/exact; curl -s localhost:8080/files/; "
                      "curl -s -o /dev/null -w '%{http_code}' localhost:8080/x.gone",
                      out, sizeof out),
        0);
    assert_non_null(strstr(out, "X-Mine: yes\r\n\r\nhello localhost /a\n"));
    assert_non_null(strstr(out, "Location: https://example.com/exact\r\n"));
    assert_non_null(strstr(out, "<a href=\"one\">one</a>"));
    assert_non_null(strstr(out, "410"));
    assert_int_equal(
        container_run("n2", "echo 'server { listn 80; }' > /etc/nginx/conf.d/b.conf; nginx -t", out, sizeof out), 1);
    assert_non_null(strstr(out, "nginx: [emerg] unknown directive \"listn\" in /etc/nginx/conf.d/b.conf:1\n"));
    assert_non_null(strstr(out, "nginx: configuration file /etc/nginx/nginx.conf test failed\n"));
    end_container("n2", SIGTERM, 0);
    assert_int_equal(node_run("worker-1", "cut -d' ' -f4- /var/log/pods/n2.log", out, sizeof out), 0);
    assert_non_null(strstr(out, "/docker-entrypoint.sh: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh\n"));
    assert_non_null(strstr(
        out, "10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf\n"));
    assert_non_null(strstr(out, "/docker-entrypoint.sh: Configuration complete; ready for start up\n"));
    assert_non_null(strstr(out, "[notice] 1#1: nginx/1.29.1\n"));
}

static void others_run(void **state)
{
    (void)state;
    char out[8192];
    run_image("h1", "httpd:2.4", NULL);
    await(container_run("h1", "curl -s localhost", out, sizeof out) == 0);
    assert_string_equal(out, "<html><body><h1>It works!</h1></body></html>\n");
    end_container("h1", SIGTERM, 0);
    run_image("e1", "kodekloud/event-simulator", NULL);
    await(node_run("worker-1", "grep -c event-simulator: /var/log/pods/e1.log", out, sizeof out) == 0);
    await(container_run("e1", "grep -c 'in event-simulator: USER' /log/app.log", out, sizeof out) == 0);
    end_container("e1", SIGTERM, 143 - 143);
}

static void shells_and_tar(void **state)
{
    (void)state;
    static const char *const images[] = {"busybox", "busybox:1.28", "alpine:3.18", "ubuntu", "debian:12", "centos:7"};
    static const char *const forever[] = {"sleep", "1000", NULL};
    char out[2048], id[16];
    for (size_t i = 0; i < ARRAY_LEN(images); i++) {
        snprintf(id, sizeof id, "s%zu", i);
        run_image(id, images[i], forever);
        assert_int_equal(
            container_run(
                id,
                "cd /tmp && mkdir a && echo x > a/b && tar cf - a | tar tf - && id -un && env | grep -c ^HOME=/root",
                out, sizeof out),
            0);
        assert_string_equal(out, "a/\na/b\nroot\n1\n");
        if (i > 2)
            assert_int_equal(container_run(id, "bash -c 'echo $0'; grep PRETTY /etc/os-release", out, sizeof out), 0);
        end_container(id, SIGKILL, 137);
    }
}

/* What a recycler pod does, as its controller writes it. */
static void volumes_are_scrubbed(void **state)
{
    (void)state;
    static const char *const images[] = {"registry.k8s.io/build-image/debian-base:bookworm-v1.0.6", "busybox"};
    static const char *const forever[] = {"sleep", "1000", NULL};
    static const char script[] =
        "mkdir -p '/scrub/a b/c' && touch '/scrub/a b/c/d' /scrub/.e && ln -s /etc /scrub/f && "
        "test -e /scrub && find /scrub -mindepth 1 -delete && test -z \"$(ls -A /scrub)\" && ls /etc/passwd && "
        "find /etc -name passwd";
    char out[2048], id[16];
    for (size_t i = 0; i < ARRAY_LEN(images); i++) {
        snprintf(id, sizeof id, "r%zu", i);
        run_image(id, images[i], forever);
        if (container_run(id, script, out, sizeof out) != 0)
            fail_msg("%s: %s", images[i], out);
        assert_string_equal(out, "/etc/passwd\n/etc/passwd\n");
        end_container(id, SIGKILL, 137);
    }
}

static void wget_fetches(void **state)
{
    (void)state;
    static const char *const forever[] = {"sleep", "1000", NULL};
    char out[4096];
    run_image("n3", "nginx:1.7.9", NULL);
    run_image("w1", "busybox:1.28", forever);
    await(container_run("w1", "wget -qO- -T 60 http://127.0.0.1", out, sizeof out) == 0);
    assert_non_null(strstr(out, "<title>Welcome to nginx!</title>"));
    assert_int_equal(container_run("w1",
                                   "cd /tmp; wget -S -T 60 http://localhost/index.html 2>&1; wc -c < index.html; "
                                   "wget --timeout=60 -q --spider localhost:80/ && echo there; "
                                   "wget --spider localhost 2>&1 | tail -n 1; wget localhost/index.html 2>&1",
                                   out, sizeof out),
                     1);
    assert_non_null(strstr(out, "Connecting to localhost (127.0.0.1:80)\n  HTTP/1.1 200 OK\n  Server: nginx/1.7.9\n"));
    assert_non_null(strstr(out, "saving to 'index.html'\nindex.html           100% |****"));
    assert_non_null(strstr(out, "'index.html' saved\n"));
    assert_non_null(strstr(out, "there\nremote file exists\n"));
    assert_non_null(strstr(out, "wget: can't open 'index.html': File exists\n"));
    assert_int_equal(container_run("w1",
                                   "wget -qO- localhost/none 2>&1; wget -O- localhost:81 2>&1; wget -q nosuch.invalid. "
                                   "2>&1",
                                   out, sizeof out),
                     1);
    assert_string_equal(out, "wget: server returned error: HTTP/1.1 404 Not Found\n"
                             "Connecting to localhost:81 (127.0.0.1:81)\n"
                             "wget: can't connect to remote host (127.0.0.1): Connection refused\n"
                             "wget: bad address 'nosuch.invalid.'\n");
    end_container("w1", SIGKILL, 137);
    end_container("n3", SIGQUIT, 0);
}

static int start(void **state)
{
    (void)state;
    m = harness_start();
    _auto_free_ char *dir = xasprintf("%s/images", data_dir);
    const struct sandbox_spec pod = {.node = "worker-1", .id = "pod", .hostname = "pod", .ip = "10.244.0.20"};
    if (images_open(dir, &im, &e) < 0 || m->ops->sandbox_start(m, &pod, &e) < 0)
        fail_msg("%s", e.msg);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    images_close(im);
    m->ops->close(m);
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nginx_serves),        cmocka_unit_test(servers_end_as_soon_as_they_run),
        cmocka_unit_test(nginx_is_configured), cmocka_unit_test(others_run),
        cmocka_unit_test(shells_and_tar),      cmocka_unit_test(volumes_are_scrubbed),
        cmocka_unit_test(wget_fetches),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

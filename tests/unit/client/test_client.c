/* Calls against a server of ours that says what each test wants said: framing, kept connections, failures, watches. */
#include "base/json.h"
#include "base/mem.h"
#include "client/client.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

/* Each connection gets the answers of one row, one a request; then it is closed. NULL ends a row and the rows. */
struct script {
    const char *const *const *connections;
    int listener, port;
    char last[4096]; /* the last request */
    pthread_t thread;
};

static bool read_request(int fd, char *out, size_t size)
{
    size_t n = 0;
    while (n + 1 < size) {
        const ssize_t k = read(fd, out + n, size - 1 - n);
        if (k <= 0)
            return false;
        n += (size_t)k;
        out[n] = '\0';
        const char *end = strstr(out, "\r\n\r\n"), *len = strstr(out, "Content-Length: ");
        if (end && strlen(end + 4) >= (len ? strtoul(len + 16, NULL, 10) : 0))
            return true;
    }
    return false;
}

static void *serve(void *arg)
{
    struct script *s = arg;
    for (size_t i = 0; s->connections[i]; i++) {
        _auto_close_ int fd = accept(s->listener, NULL, NULL);
        for (size_t k = 0; s->connections[i][k] && read_request(fd, s->last, sizeof s->last); k++)
            assert_int_equal(write(fd, s->connections[i][k], strlen(s->connections[i][k])),
                             (ssize_t)strlen(s->connections[i][k]));
    }
    return NULL;
}

static struct client *begin(struct script *s, const char *const *const *connections)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    struct err e = ERR_INIT;
    struct client *c;
    *s = (struct script){.connections = connections, .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listener, 4), 0);
    getsockname(s->listener, (struct sockaddr *)&a, &len);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    _auto_access_ struct access to = {.url = xasprintf("http://127.0.0.1:%d/k8s/", s->port), .token = xstrdup("tok")};
    assert_int_equal(client_open(&to, &c, &e), 0);
    return c;
}

static void end(struct script *s, struct client *c)
{
    client_free(c);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

static void test_a_kept_connection_serves_two_calls(void **state)
{
    (void)state;
    static const char *const one[] = {OK_HEAD "Content-Length: 7\r\nWarning: 299 - \"say \\\"hi\\\"\"\r\n\r\n{\"a\":1}",
                                      OK_HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:2}\r\n0\r\n\r\n",
                                      NULL};
    static const char *const *const rows[] = {one, NULL};
    struct script s;
    struct err e = ERR_INIT;
    struct client *c = begin(&s, rows);
    {
        _auto_client_answer_ struct client_answer a = {0};
        assert_int_equal(client_call(c, &(struct client_request){.path = "/api?x=1"}, &a, &e), 0);
        assert_string_equal(buf_str(&a.body), "{\"a\":1}");
        assert_int_equal(a.warnings.len, 1);
        assert_string_equal(a.warnings.items[0], "say \"hi\"");
        assert_non_null(strstr(s.last, "GET /k8s/api?x=1 HTTP/1.1\r\n"));
        assert_non_null(strstr(s.last, "Authorization: Bearer tok\r\n"));
    }
    _auto_json_ json_t *got = NULL, *body = json_pack("{s:s}", "k", "v");
    assert_int_equal(client_json(c, "POST", "/b", body, NULL, &got, &e), 0);
    assert_int_equal(jint(got, "a", 0), 2);
    assert_non_null(strstr(s.last, "\r\n\r\n{\"k\":\"v\"}"));
    end(&s, c);
}

static void test_a_closed_connection_is_opened_again(void **state)
{
    (void)state;
    static const char *const one[] = {OK_HEAD "Content-Length: 2\r\n\r\n{}", NULL};
    static const char *const *const rows[] = {one, one, NULL};
    struct script s;
    struct err e = ERR_INIT;
    struct client *c = begin(&s, rows);
    for (int i = 0; i < 2; i++)
        assert_int_equal(client_json(c, "GET", "/x", NULL, NULL, NULL, &e), 0);
    end(&s, c);
}

static void test_a_status_becomes_an_error(void **state)
{
    (void)state;
    static const char *const one[] = {"HTTP/1.1 409 Conflict\r\nContent-Length: 102\r\n\r\n"
                                      "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"AlreadyExists\","
                                      "\"message\":\"pods \\\"x\\\" exists\",\"code\":409}",
                                      NULL};
    static const char *const bare[] = {"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy", NULL};
    static const char *const *const rows[] = {one, bare, NULL};
    struct script s;
    struct err e = ERR_INIT;
    struct client *c = begin(&s, rows);
    assert_int_equal(client_json(c, "POST", "/x", NULL, NULL, NULL, &e), -1);
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    assert_string_equal(e.msg, "pods \"x\" exists");
    assert_int_equal(client_json(c, "GET", "/x", NULL, NULL, NULL, &e), -1);
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    end(&s, c);
}

static int count_two(void *arg, const char *type, json_t *object, struct err *e)
{
    int *n = arg;
    (void)e;
    assert_string_equal(type, *n == 0 ? "ADDED" : "MODIFIED");
    assert_int_equal(jint(object, "n", 0), *n + 1);
    return ++*n == 2 ? 5 : 0;
}

static void test_a_watch_ends_when_its_reader_has_enough(void **state)
{
    (void)state;
    static const char *const one[] = {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
                                              "1f\r\n{\"type\":\"ADDED\",\"object\":{\"n\":1\r\n"
                                              "28\r\n}}\n{\"type\":\"MODIFIED\",\"object\":{\"n\":2}}\n\r\n",
                                      NULL};
    static const char *const *const rows[] = {one, NULL};
    struct script s;
    struct err e = ERR_INIT;
    int n = 0;
    struct client *c = begin(&s, rows);
    assert_int_equal(client_watch(c, "/w?watch=true", 60000, count_two, &n, &e), 5);
    assert_int_equal(n, 2);
    end(&s, c);
}

static void test_answers_that_are_none(void **state)
{
    (void)state;
    static const char *const no_http[] = {"hello\r\n\r\n", NULL};
    static const char *const cut[] = {OK_HEAD "Content-Length: 100\r\n\r\n{", NULL};
    static const char *const chunk[] = {OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n", NULL};
    static const char *const length[] = {OK_HEAD "Content-Length: -5x\r\n\r\n", NULL};
    static const char *const *const rows[] = {no_http, cut, chunk, length, NULL};
    static const enum err_code codes[] = {ERR_CORRUPT, ERR_UNAVAILABLE, ERR_CORRUPT, ERR_CORRUPT};
    struct script s;
    struct client *c = begin(&s, rows);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(client_json(c, "GET", "/x", NULL, NULL, NULL, &e), -1);
        assert_int_equal(e.code, codes[i]);
        client_free(c); /* as a new caller would begin */
        _auto_access_ struct access to = {.url = xasprintf("http://127.0.0.1:%d", s.port)};
        assert_int_equal(client_open(&to, &c, &e), 0);
    }
    end(&s, c);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_client_ struct client *c = NULL;
    _auto_access_ struct access to = {.url = xstrdup("http://127.0.0.1:1")};
    assert_int_equal(client_open(&to, &c, &e), 0);
    assert_int_equal(client_json(c, "GET", "/x", NULL, NULL, NULL, &e), -1);
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    _auto_access_ struct access wrong = {.url = xstrdup("ftp://h")};
    struct client *none = NULL;
    assert_int_equal(client_open(&wrong, &none, &e), -1);
    assert_int_equal(e.code, ERR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kept_connection_serves_two_calls),
        cmocka_unit_test(test_a_closed_connection_is_opened_again),
        cmocka_unit_test(test_a_status_becomes_an_error),
        cmocka_unit_test(test_a_watch_ends_when_its_reader_has_enough),
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

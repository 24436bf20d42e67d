/* Probes and hooks: when they are asked, what their answers change, and what is told. The machine's exec and dial are
 * replaced by ones that answer what the test says. */
#include "unit/kubeletsim/kubelet_kit.h"

#include <sys/socket.h>

static struct {
    int exec_code;          /* of the next command */
    const char *exec_text;  /* its output */
    const char *exec_error; /* "": it runs; else why it could not be started */
    int http_code;          /* 0: refused, unless: */
    const void *bytes;      /* what is sent instead */
    size_t byte_count;
    const char *and_then; /* what is sent to those who come after that, once it is set */
    int asked, hooks, terms;
    char command[256], request[1024], dialed[64];
} answer;
static const struct machine_ops *inner;

static int pipe_with(const void *data, size_t n)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], data, n), n);
    close(fds[1]);
    return fds[0];
}

static int fake_exec(struct machine *m, const struct exec_spec *s, struct stream_fds *out, struct err *e)
{
    (void)m, (void)e;
    struct exec_exit end = {.code = answer.exec_code};
    snprintf(end.message, sizeof end.message, "%s", answer.exec_error ? answer.exec_error : "");
    answer.command[0] = '\0';
    for (size_t i = 0, n = 0; s->argv[i]; i++)
        n += (size_t)snprintf(answer.command + n, sizeof answer.command - n, "%s%s", i ? " " : "", s->argv[i]);
    answer.hooks += str_starts(answer.command, "hook");
    answer.asked++;
    const char *text = answer.exec_text ? answer.exec_text : "";
    *out = (struct stream_fds){-1, pipe_with(text, strlen(text)), -1, pipe_with(&end, sizeof end)};
    return 0;
}

/* The request of the last one who dialed: it is read when the other side is done with it. */
static int last_dialed = -1;
static void take_request(void)
{
    if (last_dialed < 0)
        return;
    ssize_t got = recv(last_dialed, answer.request, sizeof answer.request - 1, MSG_DONTWAIT);
    answer.request[got > 0 ? got : 0] = '\0';
    close(last_dialed);
    last_dialed = -1;
}

static int fake_dial(struct machine *m, const char *node, const char *ip, uint16_t port, int64_t timeout_ms,
                     int *out_fd, struct err *e)
{
    (void)m, (void)node, (void)timeout_ms;
    snprintf(answer.dialed, sizeof answer.dialed, "%s:%u", ip, port);
    int pair[2];
    char text[64];
    answer.asked++;
    if (!answer.http_code && !answer.bytes)
        return err_set(e, ERR_UNAVAILABLE, "dial: connection refused");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int n = snprintf(text, sizeof text, "HTTP/1.1 %d X\r\n\r\nbody", answer.http_code);
    if (answer.bytes)
        assert_int_equal(write(pair[1], answer.bytes, answer.byte_count), answer.byte_count);
    else
        assert_int_equal(write(pair[1], text, (size_t)n), n);
    if (answer.and_then) {
        answer.bytes = answer.and_then;
        answer.byte_count = strlen(answer.and_then);
    }
    shutdown(pair[1], SHUT_WR);
    *out_fd = pair[0];
    take_request();
    last_dialed = pair[1];
    return 0;
}

static int polite_signal(struct machine *m, const char *node, const char *id, int sig, struct err *e)
{
    answer.terms += sig == SIGTERM;
    return inner->container_signal(m, node, id, sig, e);
}

static int setup(void **state)
{
    kit_setup(state);
    struct kit *kit = *state;
    memset(&answer, 0, sizeof answer);
    inner = kit->fake_ops;
    kit->ops.exec = fake_exec;
    kit->ops.dial_from = fake_dial;
    kit->ops.container_signal = polite_signal;
    return 0;
}

/* -- readiness -- */

static void test_readiness(void **state)
{
    struct kit *kit = *state;
    answer.exec_code = 1;
    answer.exec_text = "not yet\n";
    make(&kit->w, POD_ON_NODE("p",
                              ",'readinessProbe':{'exec':{'command':['test','$(F)']},'periodSeconds':5,"
                              "'failureThreshold':2},'env':[{'name':'F','value':'/f'}]",
                              ""));
    settle(&kit->w);
    assert_string_equal(cs(kit, "p", "c", "started"), "true");
    assert_string_equal(cs(kit, "p", "c", "ready"), "false");
    assert_string_equal(condition(kit, "p", "Ready"), "False ContainersNotReady: containers with unready status: [c]");
    assert_string_equal(phase(kit, "p"), "Running");
    pass_seconds(&kit->w, 1);
    assert_int_equal(answer.asked, 1); /* soon after it runs, then at its own pace */
    assert_string_equal(answer.command, "test /f");
    assert_event(&kit->w, "p", "Unhealthy", "Readiness probe failed: not yet\n");
    answer.exec_code = 0;
    pass_seconds(&kit->w, 5);
    assert_int_equal(answer.asked, 2);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    assert_string_equal(condition(kit, "p", "Ready"), "True");
    answer.exec_code = 1;
    pass_seconds(&kit->w, 5);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true"); /* one is not enough */
    pass_seconds(&kit->w, 5);
    assert_string_equal(cs(kit, "p", "c", "ready"), "false");
    assert_string_equal(cs(kit, "p", "c", "restartCount"), "0");
    answer.exec_error = "OCI runtime exec failed: exec: \"test\": executable file not found";
    pass_seconds(&kit->w, 5);
    assert_int_equal(event_count(kit, "p", "Unhealthy", "Readiness probe errored: rpc error: code = Unknown desc = "),
                     1);
}

/* A command that is not in the image says nothing of the container: it stays as it is, alive. */
static void test_no_such_command(void **state)
{
    struct kit *kit = *state;
    answer.exec_error = "OCI runtime exec failed: exec: \"test\": executable file not found";
    make(&kit->w,
         POD_ON_NODE("p", ",'livenessProbe':{'exec':{'command':['test']},'periodSeconds':1,'failureThreshold':1}", ""));
    for (int i = 0; i < 5; i++)
        pass_seconds(&kit->w, 1);
    assert_true(event_count(kit, "p", "Unhealthy", "Liveness probe errored: rpc error: ") >= 4);
    assert_int_equal(event_count(kit, "p", "Killing", ""), 0);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    answer.exec_error = NULL;
    answer.exec_code = 1;
    pass_seconds(&kit->w, 1);
    assert_int_equal(event_count(kit, "p", "Killing", "Container c failed liveness probe, will be restarted"), 1);
}

static void test_http(void **state)
{
    struct kit *kit = *state;
    make(&kit->w,
         POD_ON_NODE("p",
                     ",'ports':[{'name':'web','containerPort':8080}],'readinessProbe':{'httpGet':{'path':"
                     "'/healthz?x=1','port':'web','httpHeaders':[{'name':'X-A','value':'b'}]},'periodSeconds':1}",
                     ""));
    pass_seconds(&kit->w, 2);
    assert_event(
        &kit->w, "p", "Unhealthy",
        "Readiness probe failed: Get \"http://10.244.0.2:8080/healthz?x=1\": dial tcp 10.244.0.2:8080: connect: "
        "connection refused");
    answer.http_code = 503;
    pass_seconds(&kit->w, 1);
    assert_event(&kit->w, "p", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503");
    answer.http_code = 302;
    pass_seconds(&kit->w, 1);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    pass_seconds(&kit->w, 1);
    assert_string_equal(answer.request, "GET /healthz?x=1 HTTP/1.1\r\nX-A: b\r\nHost: 10.244.0.2:8080\r\n"
                                        "User-Agent: kube-probe/1.32\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

/* An answer, the one after it, and what came of them: who was asked last, for what, and what is told. */
static void test_redirects(void **state)
{
    static const struct {
        const char *first, *then, *dialed, *request, *event; /* event NULL: it just succeeds */
    } rows[] = {
#define ANSWER(text) "HTTP/1.1 " text "\r\nContent-Length: 5\r\n\r\nmoved and what follows"
#define HOST         "10.244.0.2"
        {ANSWER("302 Found\r\nLocation: /login?to=a#top"), ANSWER("200 OK"), HOST ":82", "GET /login?to=a HTTP/1.1",
         NULL},
        {ANSWER("301 Moved\r\nlocation:  b"), ANSWER("404 No"), HOST ":82", "GET /a/b HTTP/1.1",
         "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 404"},
        {ANSWER("307 There\r\nLocation: http://" HOST ":81"), ANSWER("204 No"), HOST ":81", "GET / HTTP/1.1", NULL},
        {ANSWER("308 There\r\nLocation: ?y"), ANSWER("200 OK"), HOST ":82", "GET /a/x?y HTTP/1.1", NULL},
        {ANSWER("302 Found\r\nLocation: http://else.where/"), ANSWER("500 No"), HOST ":82", "GET /a/x HTTP/1.1",
         "ProbeWarning: Readiness probe warning: Probe terminated redirects, Response body: moved"},
        {ANSWER("304 Same"), ANSWER("500 No"), HOST ":82", "GET /a/x HTTP/1.1",
         "ProbeWarning: Readiness probe warning: Probe terminated redirects, Response body: moved"},
        {ANSWER("302 Found\r\nLocation: /a/x"), ANSWER("302 Found\r\nLocation: /a/x"), HOST ":82", "GET /a/x HTTP/1.1",
         "Unhealthy: Readiness probe failed: Get \"http://" HOST ":82/a/x\": stopped after 10 redirects"},
    };
    struct kit *kit = *state;
    answer.http_code = 200;
    make(&kit->w, POD_ON_NODE("p", ",'readinessProbe':{'httpGet':{'path':'/a/x','port':82},'periodSeconds':1}", ""));
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *told = rows[i].event, *colon = told ? strchr(told, ':') : NULL;
        _auto_free_ char *reason = told ? xstrndup(told, (size_t)(colon - told)) : NULL;
        const int64_t before = told ? event_count(kit, "p", reason, colon + 2) : 0;
        const int64_t failed = event_count(kit, "p", "Unhealthy", "");
        answer.bytes = rows[i].first;
        answer.byte_count = strlen(rows[i].first);
        answer.and_then = rows[i].then;
        pass_seconds(&kit->w, 1);
        take_request();
        assert_string_equal(answer.dialed, rows[i].dialed);
        assert_int_equal(strncmp(answer.request, rows[i].request, strlen(rows[i].request)), 0);
        if (told)
            assert_int_equal(event_count(kit, "p", reason, colon + 2), before + 1);
        else
            assert_int_equal(event_count(kit, "p", "Unhealthy", ""), failed);
    }
    assert_string_equal(cs(kit, "p", "c", "ready"), "true"); /* never three failures in a row */
}

/* The node asks whom the manifest names. */
static void test_other_hosts(void **state)
{
    struct kit *kit = *state;
    answer.http_code = 200;
    make(&kit->w, POD_ON_NODE("p", ",'readinessProbe':{'httpGet':{'host':'127.0.0.1','port':81}}", ""));
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    assert_string_equal(answer.dialed, "127.0.0.1:81");
    make(&kit->w, POD_ON_NODE("q", ",'readinessProbe':{'tcpSocket':{'host':'localhost','port':82}}", ""));
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "q", "c", "ready"), "true");
    assert_string_equal(answer.dialed, "127.0.0.1:82");
    make(&kit->w, POD_ON_NODE("r", ",'readinessProbe':{'tcpSocket':{'host':'no.such.host','port':83}}", ""));
    pass_seconds(&kit->w, 2);
    assert_event(&kit->w, "r", "Unhealthy", "Readiness probe failed: dial tcp: lookup no.such.host: no such host");
}

static void test_tcp(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", ",'readinessProbe':{'tcpSocket':{'port':81},'periodSeconds':1}", ""));
    pass_seconds(&kit->w, 2);
    char want[128];
    snprintf(want, sizeof want, "Readiness probe failed: dial tcp %s:81: connect: connection refused",
             text_at(&kit->w, PODS, "p", "status.podIP"));
    assert_event(&kit->w, "p", "Unhealthy", want);
    answer.http_code = 200;
    pass_seconds(&kit->w, 1);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
}

/* HTTP/2 as a server of gRPC sends it: SETTINGS; HEADERS :status 200, content-type; DATA with the message; trailers. */
#define H2_SETTINGS "\0\0\0\4\0\0\0\0\0"
#define H2_HEADERS                                                                                                     \
    "\0\0\x13\1\4\0\0\0\1\x88\x5f\x10"                                                                                 \
    "application/grpc"
#define H2_DATA(status)        "\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08" status
#define H2_TRAILERS(len, code) "\0\0" len "\1\5\0\0\0\1\0\x0bgrpc-status" code

static void test_grpc(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *text; /* NULL: it succeeds */
    } rows[] = {
#define ROW(bytes, text) {bytes, sizeof bytes - 1, text}
        ROW(H2_SETTINGS H2_HEADERS H2_DATA("\2") H2_TRAILERS("\x0f", "\1"
                                                                     "0"),
            "service unhealthy (responded with \"NOT_SERVING\")"),
        ROW(H2_SETTINGS H2_HEADERS H2_TRAILERS("\x1f", "\1"
                                                       "5"
                                                       "\0\x0cgrpc-message\1x"),
            "error: health rpc probe failed: rpc error: code = NotFound desc = x"),
        ROW(H2_SETTINGS H2_HEADERS H2_TRAILERS("\x10", "\2"
                                                       "12"),
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "),
        ROW("HTTP/1.1 400 Bad Request\r\n\r\n",
            "timeout: failed to connect service \"10.244.0.2:82\" within 1s: context deadline exceeded"),
        ROW(H2_SETTINGS H2_HEADERS H2_DATA("\1") H2_TRAILERS("\x0f", "\1"
                                                                     "0"),
            NULL),
    };
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("g", ",'readinessProbe':{'grpc':{'port':82,'service':'s'},'periodSeconds':1}", ""));
    pass_seconds(&kit->w, 2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char want[256];
        answer.bytes = rows[i].bytes;
        answer.byte_count = rows[i].count;
        pass_seconds(&kit->w, 1);
        snprintf(want, sizeof want, "Readiness probe failed: %s", rows[i].text ? rows[i].text : "");
        if (rows[i].text)
            assert_event(&kit->w, "g", "Unhealthy", want);
    }
    assert_string_equal(cs(kit, "g", "c", "ready"), "true");
}

/* -- liveness and startup -- */

static void test_liveness(void **state)
{
    struct kit *kit = *state;
    make(&kit->w,
         POD_ON_NODE("p", ",'livenessProbe':{'exec':{'command':['x']},'periodSeconds':3,'failureThreshold':2}", ""));
    pass_seconds(&kit->w, 4);
    assert_int_equal(answer.asked, 1);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    answer.exec_code = 1;
    pass_seconds(&kit->w, 3);
    assert_int_equal(answer.terms, 0);
    answer.exec_code = 1;
    pass_seconds(&kit->w, 3);
    assert_int_equal(answer.terms, 1);
    assert_event(&kit->w, "p", "Killing", "Container c failed liveness probe, will be restarted");
    expect_cs(kit, "p", "c", "restartCount", "1");
    expect_cs(kit, "p", "c", "ready", "true"); /* a new one begins anew */
    answer.exec_code = 0;
    pass_seconds(&kit->w, 10);
    assert_int_equal(answer.terms, 1);
}

static void test_startup(void **state)
{
    struct kit *kit = *state;
    answer.exec_code = 1;
    make(&kit->w, POD_ON_NODE("p",
                              ",'startupProbe':{'exec':{'command':['up']},'periodSeconds':2,'failureThreshold':5},"
                              "'livenessProbe':{'tcpSocket':{'port':80},'periodSeconds':1,'failureThreshold':1}",
                              ""));
    settle(&kit->w);
    pass_seconds(&kit->w, 7);
    assert_string_equal(cs(kit, "p", "c", "started"), "false");
    assert_string_equal(cs(kit, "p", "c", "ready"), "false");
    assert_string_equal(phase(kit, "p"), "Running");
    assert_int_equal(event_count(kit, "p", "Unhealthy", "Liveness"), 0); /* it rests */
    answer.exec_code = 0;
    pass_seconds(&kit->w, 1);
    assert_string_equal(cs(kit, "p", "c", "started"), "true");
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    pass_seconds(&kit->w, 2);
    assert_true(event_count(kit, "p", "Unhealthy", "Liveness") > 0);
    expect_cs(kit, "p", "c", "restartCount", "1");
}

static void test_startup_fails(void **state)
{
    struct kit *kit = *state;
    answer.exec_code = 1;
    make(&kit->w, POD_ON_NODE("p", ",'startupProbe':{'exec':{'command':['up']},'periodSeconds':1,'failureThreshold':2}",
                              ",'restartPolicy':'Never'"));
    pass_seconds(&kit->w, 3);
    expect_text(kit, "p", "status.phase", "Failed");
    assert_event(&kit->w, "p", "Killing", "Container c failed startup probe");
}

/* A pod that is being deleted is asked only for its readiness. */
static int deaf_signal(struct machine *m, const char *node, const char *id, int sig, struct err *e)
{
    return sig == SIGTERM ? 0 : inner->container_signal(m, node, id, sig, e);
}

static void test_deletion_stops_liveness(void **state)
{
    struct kit *kit = *state;
    kit->ops.container_signal = deaf_signal;
    make(&kit->w, POD_ON_NODE("p",
                              ",'livenessProbe':{'exec':{'command':['live']},'periodSeconds':1,'failureThreshold':1},"
                              "'readinessProbe':{'exec':{'command':['ready']},'periodSeconds':1,'failureThreshold':1}",
                              ""));
    pass_seconds(&kit->w, 3);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    delete_it(&kit->w, PODS, "p", NULL);
    settle(&kit->w);
    answer.exec_code = 1;
    answer.asked = 0;
    pass_seconds(&kit->w, 3);
    assert_int_equal(answer.asked, 3);
    assert_string_equal(cs(kit, "p", "c", "ready"), "false");
    assert_int_equal(event_count(kit, "p", "Unhealthy", "Liveness"), 0);
}

/* -- hooks -- */

static void test_post_start(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", ",'lifecycle':{'postStart':{'exec':{'command':['hook','a']}}}", ""));
    settle(&kit->w);
    assert_int_equal(answer.hooks, 1);
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
}

static void test_post_start_fails(void **state)
{
    struct kit *kit = *state;
    char want[512];
    answer.exec_code = 9;
    answer.exec_text = "oops";
    make(&kit->w, POD_ON_NODE("p", ",'lifecycle':{'postStart':{'exec':{'command':['hook','a']}}}", ""));
    expect_cs(kit, "p", "c", "restartCount", "1");
    expect_cs(kit, "p", "c", "state.waiting.reason", "PostStartHookError");
    snprintf(
        want, sizeof want,
        "Exec lifecycle hook ([hook a]) for Container \"c\" in Pod \"p_default(%s)\" failed - error: command 'hook "
        "a' exited with 9: oops, message: \"oops\"",
        uid_of(kit, "p"));
    assert_string_equal(cs(kit, "p", "c", "state.waiting.message"), want);
    assert_event(&kit->w, "p", "FailedPostStartHook", "PostStartHook failed");
    assert_event(&kit->w, "p", "Killing", "FailedPostStartHook");
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "CrashLoopBackOff");
}

/* To a hook any answer will do. */
static void test_post_start_over_http(void **state)
{
    struct kit *kit = *state;
    answer.http_code = 500;
    make(&kit->w, POD_ON_NODE("p", ",'lifecycle':{'postStart':{'httpGet':{'port':80}}}", ""));
    expect_cs(kit, "p", "c", "ready", "true");
    assert_int_equal(answer.asked, 1);
    assert_int_equal(event_count(kit, "p", "FailedPostStartHook", ""), 0);
}

static void test_pre_stop(void **state)
{
    struct kit *kit = *state;
    answer.exec_code = 1;
    make(&kit->w, POD_ON_NODE("p", ",'lifecycle':{'preStop':{'exec':{'command':['hook','b']}}}", ""));
    settle(&kit->w);
    assert_int_equal(answer.hooks, 0);
    delete_it(&kit->w, PODS, "p", NULL);
    expect_gone(kit, "p");
    assert_int_equal(answer.hooks, 1);
    assert_int_equal(answer.terms, 1);
    assert_event(&kit->w, "p", "FailedPreStopHook", "PreStopHook failed");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_readiness),
        TEST(test_no_such_command),
        TEST(test_http),
        TEST(test_redirects),
        TEST(test_grpc),
        TEST(test_other_hosts),
        TEST(test_tcp),
        TEST(test_liveness),
        TEST(test_startup),
        TEST(test_startup_fails),
        TEST(test_deletion_stops_liveness),
        TEST(test_post_start),
        TEST(test_post_start_fails),
        TEST(test_post_start_over_http),
        TEST(test_pre_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ask_grpc.c - a gRPC health check, as the kubelet's probes make it: one HTTP/2 request, one answer.
 *
 * DESIGN: nghttp2 speaks HTTP/2 (frames, HPACK) on a plain connection; what is gRPC here is little: a length before
 * each message, two messages of one field each, and the status in the trailers. The kubelet's client waits for a
 * connection as long as it has time, so everything that never becomes HTTP/2, a refused connection too, has the words
 * of a time-out.
 *
 * THREADS: patient threads; touches only the action. Source: pkg/probe/grpc/grpc.go, grpc/grpc doc/PROTOCOL-HTTP2.md,
 * health/v1/health.proto. */
#include "kubeletsim/probe_int.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 4096
#define UNKNOWN    2

struct call {
    struct action *a;
    int fd;
    int64_t deadline;
    nghttp2_session *http; /* owned */
    struct buf request, answer;
    size_t sent;  /* of the request */
    bool settled; /* the other side spoke HTTP/2 */
    bool closed;
    int http_status;
    int status; /* of gRPC, -1 = none came */
    char message[256];
};

static const char *const codes[] = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};
enum { CODE_OK, CODE_UNIMPLEMENTED = 12 };

static const char *const health[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
enum { HEALTH_SERVING = 1 };

/* ---- messages ---- */

/* HealthCheckRequest {string service = 1} behind its length. */
static void request_message(struct buf *out, const char *service)
{
    struct buf message = BUF_INIT;
    const size_t n = strlen(service);
    if (n > 0) {
        buf_addc(&message, 0x0a);
        if (n >= 128)
            buf_addc(&message, (char)((n & 127) | 128));
        buf_addc(&message, (char)(n >= 128 ? n >> 7 : n));
        buf_add(&message, service, n);
    }
    const unsigned char head[] = {0, 0, 0, (unsigned char)(message.len >> 8), (unsigned char)message.len};
    buf_add(out, head, sizeof head);
    buf_add(out, message.data, message.len);
    buf_release(&message);
}

/* HealthCheckResponse {ServingStatus status = 1}: a missing field is 0. */
static int answer_status(const struct buf *in)
{
    const unsigned char *at = (const unsigned char *)in->data;
    return in->len >= 7 && at[5] == 0x08 ? at[6] : 0;
}

/* ---- what nghttp2 tells ---- */

static ssize_t on_read(nghttp2_session *s _unused_, int32_t stream _unused_, uint8_t *out, size_t max, uint32_t *flags,
                       nghttp2_data_source *source _unused_, void *arg)
{
    struct call *c = arg;
    const size_t left = c->request.len - c->sent, n = left < max ? left : max;
    memcpy(out, c->request.data + c->sent, n);
    c->sent += n;
    if (c->sent == c->request.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_frame(nghttp2_session *s _unused_, const nghttp2_frame *frame, void *arg)
{
    struct call *c = arg;
    c->settled = c->settled || frame->hd.type == NGHTTP2_SETTINGS;
    return 0;
}

/* "%20" and the like, as gRPC writes its messages. */
static void unescape(const char *text, size_t n, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < n && at + 1 < size; i++) {
        unsigned value;
        char hex[3] = {0};
        if (text[i] == '%' && i + 2 < n) {
            memcpy(hex, text + i + 1, 2);
            if (sscanf(hex, "%2x", &value) == 1) {
                out[at++] = (char)value;
                i += 2;
                continue;
            }
        }
        out[at++] = text[i];
    }
    out[at] = '\0';
}

static int on_header(nghttp2_session *s _unused_, const nghttp2_frame *frame _unused_, const uint8_t *name,
                     size_t name_len _unused_, const uint8_t *value, size_t n, uint8_t flags _unused_, void *arg)
{
    struct call *c = arg;
    if (str_eq((const char *)name, ":status"))
        c->http_status = (int)strtol((const char *)value, NULL, 10);
    else if (str_eq((const char *)name, "grpc-status"))
        c->status = (int)strtol((const char *)value, NULL, 10);
    else if (str_eq((const char *)name, "grpc-message"))
        unescape((const char *)value, n, c->message, sizeof c->message);
    return 0;
}

static int on_data(nghttp2_session *s _unused_, uint8_t flags _unused_, int32_t stream _unused_, const uint8_t *data,
                   size_t n, void *arg)
{
    struct call *c = arg;
    if (c->answer.len + n <= ANSWER_MAX)
        buf_add(&c->answer, data, n);
    return 0;
}

static int on_close(nghttp2_session *s _unused_, int32_t stream _unused_, uint32_t code _unused_, void *arg)
{
    ((struct call *)arg)->closed = true;
    return 0;
}

/* ---- the exchange ---- */

static void call_start(struct call *c, const char *service)
{
    nghttp2_session_callbacks *told;
    nghttp2_session_callbacks_new(&told);
    nghttp2_session_callbacks_set_on_frame_recv_callback(told, on_frame);
    nghttp2_session_callbacks_set_on_header_callback(told, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(told, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(told, on_close);
    nghttp2_session_client_new(&c->http, told, c);
    nghttp2_session_callbacks_del(told);
    nghttp2_submit_settings(c->http, NGHTTP2_FLAG_NONE, NULL, 0);
    request_message(&c->request, service);
    _auto_free_ char *authority = xasprintf("%s:%d", c->a->ip, c->a->port);
    const char *const rows[][2] = {
        {":method", "POST"},
        {":scheme", "http"},
        {":authority", authority},
        {":path", "/grpc.health.v1.Health/Check"},
        {"te", "trailers"},
        {"content-type", "application/grpc"},
        {"user-agent", "kube-probe/1.32"},
    };
    nghttp2_nv headers[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        headers[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)rows[i][0], (uint8_t *)(uintptr_t)rows[i][1],
                                  strlen(rows[i][0]), strlen(rows[i][1]), NGHTTP2_NV_FLAG_NONE};
    const nghttp2_data_provider body = {.read_callback = on_read};
    nghttp2_submit_request(c->http, NULL, headers, ARRAY_LEN(headers), &body, NULL);
}

/* Waits for the descriptor. False out of time. */
static bool ready(const struct call *c, short what)
{
    struct pollfd p[2] = {{c->fd, what, 0}, {c->a->k->closing, POLLIN, 0}};
    int n;
    while ((n = poll(p, 2, ask_left(c->deadline))) < 0 && errno == EINTR)
        ;
    return n > 0 && !p[1].revents;
}

static bool send_what_is_due(struct call *c)
{
    const uint8_t *data;
    for (ssize_t n; (n = nghttp2_session_mem_send(c->http, &data)) > 0;)
        for (ssize_t at = 0; at < n;) {
            const ssize_t w = send(c->fd, data + at, (size_t)(n - at), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (w < 0 && errno != EAGAIN && errno != EINTR)
                return false;
            if (w < 0 && !ready(c, POLLOUT))
                return false;
            at += w > 0 ? w : 0;
        }
    return true;
}

/* Until the answer is there, time is over, or the other side went away. */
static void exchange(struct call *c)
{
    uint8_t chunk[4096];
    while (!c->closed && send_what_is_due(c) && ready(c, POLLIN)) {
        const ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0 || nghttp2_session_mem_recv(c->http, chunk, (size_t)n) < 0)
            return;
    }
}

/* ---- what it means ---- */

static const char *code_name(int status, char other[16])
{
    if (status >= 0 && (size_t)status < ARRAY_LEN(codes))
        return codes[status];
    snprintf(other, 16, "Code(%d)", status);
    return other;
}

static char *not_answered(const struct call *c)
{
    const long long seconds = c->a->timeout_ms / 1000;
    if (!c->settled)
        return xasprintf("timeout: failed to connect service \"%s:%d\" within %llds: context deadline exceeded",
                         c->a->ip, c->a->port, seconds);
    if (ask_left(c->deadline) == 0)
        return xasprintf("timeout: health rpc did not complete within %llds", seconds);
    return xstrdup(
        "error: health rpc probe failed: rpc error: code = Unavailable desc = error reading from server: EOF");
}

static void judge(struct call *c)
{
    struct action *a = c->a;
    char other[16];
    const int status = answer_status(&c->answer);
    a->outcome = ACTION_FAILED;
    if (c->closed && c->status < 0 && c->http_status != 200) {
        c->status = c->http_status == 404 ? CODE_UNIMPLEMENTED : UNKNOWN;
        snprintf(c->message, sizeof c->message, "unexpected HTTP status code received from server: %d", c->http_status);
    }
    if (c->status < 0)
        a->text = not_answered(c);
    else if (c->status == CODE_UNIMPLEMENTED)
        a->text = xasprintf(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): %s", c->message);
    else if (c->status != CODE_OK)
        a->text = xasprintf("error: health rpc probe failed: rpc error: code = %s desc = %s",
                            code_name(c->status, other), c->message);
    else if (status != HEALTH_SERVING)
        a->text = xasprintf("service unhealthy (responded with \"%s\")",
                            (size_t)status < ARRAY_LEN(health) ? health[status] : "UNKNOWN");
    else
        a->outcome = ACTION_OK;
}

void ask_grpc(struct action *a, const json_t *grpc)
{
    struct err e = ERR_INIT;
    struct call c = {.a = a, .deadline = ask_deadline(a), .status = -1, .request = BUF_INIT, .answer = BUF_INIT};
    c.fd = ask_dial(a, a->ip, &e);
    if (c.fd >= 0) {
        call_start(&c, jstr_or(grpc, "service", ""));
        exchange(&c);
        nghttp2_session_del(c.http);
        close(c.fd);
    }
    judge(&c);
    buf_release(&c.request);
    buf_release(&c.answer);
}

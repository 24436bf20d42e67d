/* ask.c - the ways to ask a container how it is: a command, an HTTP request, a TCP connection.
 *
 * DESIGN: everything is bounded: by the action's time-out, by OUTPUT_MAX, and by the kubelet's end (k->closing), for
 * which each wait also watches. Connections are made by the node inside the pod's network. Texts are those of the
 * kubelet's probes and of Go's net package.
 *
 * THREADS: patient threads; touches only the action. Source: pkg/probe/{exec,http,tcp}, prober.go,
 * lifecycle/handlers.go. */
#include "kubeletsim/probe_int.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTPUT_MAX (10 * 1024)
#define HEAD_MAX   (16 * 1024)

/* Hooks without a limit still end with the kubelet. Real time: it is about file descriptors. */
static int64_t deadline_of(const struct action *a)
{
    return a->timeout_ms > 0 ? clock_mono_ms(clock_real()) + a->timeout_ms : INT64_MAX;
}

static int left_of(int64_t deadline)
{
    int64_t left = deadline == INT64_MAX ? INT32_MAX : deadline - clock_mono_ms(clock_real());
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* -- commands -- */

static void close_streams(struct stream_fds *fds)
{
    int *const all[] = {&fds->in, &fds->out, &fds->err, &fds->exit_fd};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (*all[i] >= 0) {
            close(*all[i]);
            *all[i] = -1;
        }
}

/* Reads some; what is beyond OUTPUT_MAX is thrown away. Closes at the end. */
static void take_output(int *fd, struct buf *out)
{
    char chunk[4096];
    ssize_t n = read(*fd, chunk, sizeof chunk);
    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        close(*fd);
        *fd = -1;
        return;
    }
    size_t room = out->len < OUTPUT_MAX ? OUTPUT_MAX - out->len : 0;
    buf_add(out, chunk, (size_t)n < room ? (size_t)n : room);
}

/* Collects output until the exit code is there. 0, or -1 out of time. */
static int await_exit(struct action *a, struct stream_fds *fds, struct buf *out, struct exec_exit *end)
{
    int64_t deadline = deadline_of(a);
    for (;;) {
        struct pollfd p[4] = {
            {fds->out, POLLIN, 0}, {fds->err, POLLIN, 0}, {fds->exit_fd, POLLIN, 0}, {a->k->closing, POLLIN, 0}};
        int n = poll(p, ARRAY_LEN(p), left_of(deadline));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || p[3].revents)
            return -1;
        if (p[0].revents)
            take_output(&fds->out, out);
        if (p[1].revents)
            take_output(&fds->err, out);
        if (p[2].revents && !p[0].revents && !p[1].revents)
            return read(fds->exit_fd, end, sizeof *end) == (ssize_t)sizeof *end ? 0 : -1;
    }
}

static void timed_out(struct action *a)
{
    _auto_free_ char *words = strlist_join(&a->argv, " ");
    a->outcome = ACTION_FAILED;
    a->text = xasprintf("command timed out: \"%s\" timed out after %llds", words, (long long)(a->timeout_ms / 1000));
    a->error = xstrdup(a->text);
}

void ask_exec(struct action *a)
{
    struct machine *m = a->k->m;
    struct err e = ERR_INIT;
    struct stream_fds fds = {-1, -1, -1, -1};
    struct exec_exit end = {0};
    _auto_buf_ struct buf out = BUF_INIT;
    strlist_take(&a->argv, NULL); /* a vector's end */
    a->argv.len--;
    struct exec_spec spec = {
        .node = a->node, .id = a->id, .argv = (const char *const *)a->argv.items, .timeout_ms = a->timeout_ms};
    if (m->ops->exec(m, &spec, &fds, &e) < 0) {
        a->text = xstrdup(e.msg);
        a->error = xstrdup(e.msg);
        return;
    }
    int rc = await_exit(a, &fds, &out, &end);
    close_streams(&fds);
    if (rc < 0 || str_eq(end.message, "timed out")) {
        timed_out(a);
        return;
    }
    a->outcome = end.code == 0 ? ACTION_OK : ACTION_FAILED;
    if (end.message[0]) { /* it could not be started */
        a->outcome = ACTION_ERRORED;
        a->text =
            xasprintf("rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"%.64s\": "
                      "%s",
                      a->id, end.message);
        a->error = xstrdup(a->text);
        return;
    }
    _auto_free_ char *words = strlist_join(&a->argv, " ");
    a->text = buf_steal(&out, NULL);
    a->error = xasprintf("command '%s' exited with %d: %s", words, (int)end.code, a->text);
}

/* -- connections -- */

/* Go's words for a connection that could not be made. Returns new. */
static char *dial_text(const struct action *a, const struct err *e)
{
    const char *why = strstr(e->msg, "refused") ? "connect: connection refused" : "i/o timeout";
    return xasprintf("dial tcp %s:%d: %s", a->ip, a->port, why);
}

static int dial(struct action *a, struct err *e)
{
    struct machine *m = a->k->m;
    int fd = -1;
    if (a->port < 1 || a->port > 65535)
        return err_set(e, ERR_INVALID, "refused: invalid port number: %d", a->port);
    return m->ops->dial(m, a->node, a->uid, (uint16_t)a->port, &fd, e) < 0 ? -1 : fd;
}

void ask_tcp(struct action *a)
{
    struct err e = ERR_INIT;
    _auto_close_ int fd = dial(a, &e);
    a->outcome = fd >= 0 ? ACTION_OK : ACTION_FAILED;
    if (fd < 0)
        a->text = dial_text(a, &e);
}

/* -- HTTP -- */

static void request_text(const struct action *a, const json_t *get, struct buf *out)
{
    const char *path = jstr_or(get, "path", "/");
    bool has[3] = {false};
    static const char *const usual[] = {"Host", "User-Agent", "Accept"};
    buf_addf(out, "GET %s%s HTTP/1.1\r\n", *path == '/' ? "" : "/", path);
    size_t i;
    const json_t *h;
    json_array_foreach(json_object_get(get, "httpHeaders"), i, h)
    {
        const char *name = jstr_or(h, "name", "");
        for (size_t u = 0; u < ARRAY_LEN(usual); u++)
            has[u] = has[u] || strcasecmp(name, usual[u]) == 0;
        buf_addf(out, "%s: %s\r\n", name, jstr_or(h, "value", ""));
    }
    if (!has[0])
        buf_addf(out, "Host: %s:%d\r\n", jstr_or(get, "host", a->ip), a->port);
    if (!has[1])
        buf_adds(out,
                 a->kind == ACTION_PROBE ? "User-Agent: kube-probe/1.32\r\n" : "User-Agent: kube-lifecycle/1.32\r\n");
    if (!has[2])
        buf_adds(out, "Accept: */*\r\n");
    buf_adds(out, "Connection: close\r\n\r\n");
}

/* Waits for the descriptor. False out of time. */
static bool ready(const struct action *a, int fd, short what, int64_t deadline)
{
    for (;;) {
        struct pollfd p[2] = {{fd, what, 0}, {a->k->closing, POLLIN, 0}};
        int n = poll(p, 2, left_of(deadline));
        if (n < 0 && errno == EINTR)
            continue;
        return n > 0 && !p[1].revents;
    }
}

static bool send_all(const struct action *a, int fd, const struct buf *b, int64_t deadline)
{
    for (size_t at = 0; at < b->len;) {
        if (!ready(a, fd, POLLOUT, deadline))
            return false;
        ssize_t n = send(fd, b->data + at, b->len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return true; /* the answer, or its absence, will say more */
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Reads the head of the answer. 1, 0 at an early end, -1 out of time. */
static int read_head(const struct action *a, int fd, struct buf *in, int64_t deadline)
{
    while (in->len < HEAD_MAX && !strstr(buf_str(in), "\r\n\r\n")) {
        if (!ready(a, fd, POLLIN, deadline))
            return -1;
        ssize_t n = recv(fd, buf_reserve(in, 4096), 4095, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            break;
        in->len += (size_t)n;
        in->data[in->len] = '\0';
    }
    return in->len > 0;
}

static void judge(struct action *a, const struct buf *in, const char *url)
{
    int code = 0;
    if (sscanf(buf_str(in), "HTTP/%*d.%*d %d", &code) != 1) {
        size_t n = strcspn(buf_str(in), "\r\n");
        a->outcome = ACTION_FAILED;
        a->text =
            xasprintf("Get \"%s\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"%.*s\"",
                      url, (int)(n < 200 ? n : 200), buf_str(in));
        return;
    }
    a->outcome = code >= 200 && code < 400 ? ACTION_OK : ACTION_FAILED;
    if (a->outcome == ACTION_FAILED)
        a->text = xasprintf("HTTP probe failed with statuscode: %d", code);
}

void ask_http(struct action *a, const json_t *get)
{
    struct err e = ERR_INIT;
    const char *path = jstr_or(get, "path", "/");
    _auto_buf_ struct buf out = BUF_INIT;
    _auto_buf_ struct buf in = BUF_INIT;
    if (str_eq(jstr(get, "scheme"), "HTTPS")) {
        a->text = xstrdup("Stowage does not probe over TLS; use tcpSocket or exec");
        return;
    }
    _auto_free_ char *url =
        xasprintf("http://%s:%d%s%s", jstr_or(get, "host", a->ip), a->port, *path == '/' ? "" : "/", path);
    int64_t deadline = deadline_of(a);
    _auto_close_ int fd = dial(a, &e);
    a->outcome = ACTION_FAILED;
    if (fd < 0) {
        _auto_free_ char *why = dial_text(a, &e);
        a->text = xasprintf("Get \"%s\": %s", url, why);
    } else {
        request_text(a, get, &out);
        int rc = send_all(a, fd, &out, deadline) ? read_head(a, fd, &in, deadline) : -1;
        if (rc > 0)
            judge(a, &in, url);
        else
            a->text = xasprintf("Get \"%s\": %s", url,
                                rc == 0 ? "EOF"
                                        : "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    }
    if (a->text)
        a->error = xstrdup(a->text);
}

/* ask.c - the ways to ask a container how it is: a command, a TCP connection. HTTP is in ask_http.c.
 *
 * DESIGN: everything is bounded: by the action's time-out, by OUTPUT_MAX, and by the kubelet's end (k->closing), for
 * which each wait also watches. Connections are made by the node, from its own network. Texts are those of the
 * kubelet's probes and of Go's net package.
 *
 * THREADS: patient threads; touches only the action. Source: pkg/probe/{exec,http,tcp}, prober.go,
 * lifecycle/handlers.go. */
#include "kubeletsim/probe_int.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_MAX (10 * 1024)

int64_t ask_deadline(const struct action *a)
{
    return a->timeout_ms > 0 ? clock_mono_ms(clock_real()) + a->timeout_ms : INT64_MAX;
}

int ask_left(int64_t deadline)
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
    int64_t deadline = ask_deadline(a);
    for (;;) {
        struct pollfd p[4] = {
            {fds->out, POLLIN, 0}, {fds->err, POLLIN, 0}, {fds->exit_fd, POLLIN, 0}, {a->k->closing, POLLIN, 0}};
        int n = poll(p, ARRAY_LEN(p), ask_left(deadline));
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

const char *ask_host(const struct action *a, const json_t *what)
{
    const char *host = jstr(what, "host");
    return str_empty(host) ? a->ip : host;
}

char *ask_dial_text(const struct action *a, const char *host, const struct err *e)
{
    static const struct {
        const char *part, *text;
    } rows[] = {
        {"refused", "connect: connection refused"},
        {"No route", "connect: no route to host"},
        {"unreachable", "connect: network is unreachable"},
    };
    if (e->code == ERR_NOT_FOUND)
        return xasprintf("dial tcp: lookup %s: no such host", host);
    const char *why = "i/o timeout";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strstr(e->msg, rows[i].part))
            why = rows[i].text;
    return xasprintf("dial tcp %s:%d: %s", host, a->port, why);
}

/* The kubelet is a program of the node: it reaches the pod at its address, or whatever host the manifest says. */
int ask_dial(struct action *a, const char *host, struct err *e)
{
    struct machine *m = a->k->m;
    struct in_addr ip;
    int fd = -1;
    if (a->port < 1 || a->port > 65535)
        return err_set(e, ERR_INVALID, "refused: invalid port number: %d", a->port);
    if (str_eq(host, "localhost"))
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &ip) != 1)
        return err_set(e, ERR_NOT_FOUND, "no such host");
    return m->ops->dial_from(m, a->node, host, (uint16_t)a->port, a->timeout_ms, &fd, e) < 0 ? -1 : fd;
}

void ask_tcp(struct action *a, const json_t *socket)
{
    struct err e = ERR_INIT;
    const char *host = ask_host(a, socket);
    _auto_close_ int fd = ask_dial(a, host, &e);
    a->outcome = fd >= 0 ? ACTION_OK : ACTION_FAILED;
    if (fd < 0)
        a->text = ask_dial_text(a, host, &e);
}

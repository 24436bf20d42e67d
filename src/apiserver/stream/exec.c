/* exec.c - exec and attach: from the request to the loop that moves bytes between a process and its client.
 *
 *      request --checks--> 101 --> [all streams open] --> process runs --> output drained --> Status --> goodbye
 *
 * DESIGN: one poll loop a session. Neither direction can block the other: what the client sends is queued for the
 * process, what the process says is queued for the client, and each queue that is too long stops its source, not the
 * loop. The exit code comes through its own descriptor; output is drained until its end, or until it has been silent
 * for a moment after the exit (a background child may hold the pipe). A Status is always sent, since kubectl takes
 * silence for success. THREADS: one a session. Source: pkg/kubelet/cri/streaming/remotecommand. */
#include "apiserver/stream/exec_int.h"

#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/stream/ws_int.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CHUNK = 32768, QUEUE_MAX = 1 << 20, OPEN_SECONDS = 30, LINGER_MS = 3000, SILENT_MS = 200 };

/* -- the request -- */

static int64_t on_heard(struct wake *wk, unsigned why)
{
    struct exec_run *x = (struct exec_run *)((char *)wk - offsetof(struct exec_run, first));
    (void)why;
    atomic_store(&x->heard, clock_mono_ms(clock_real()));
    return WAKE_NEVER;
}

struct exec_run *exec_new(const struct request *rq, const struct node_ops *ops, void *ops_self)
{
    struct exec_run *x = xcalloc(1, sizeof *x);
    *x = (struct exec_run){.ops = ops,
                           .ops_self = ops_self,
                           .waker = rq->srv->waker,
                           .first = {.fire = on_heard, .fd = -1},
                           .s = {-1, -1, -1, -1}};
    return x;
}

static struct exec_run *run_new(struct request *rq, const char *container, bool attach)
{
    void *ops_self;
    const struct node_ops *ops = registry_node_ops(rq->srv->registry, &ops_self);
    struct exec_run *x = exec_new(rq, ops, ops_self);
    x->attach = attach;
    x->ns = xstrdup(rq->target.ns);
    x->pod = xstrdup(rq->target.name);
    x->container = xstrdup(container);
    x->want_stdin = query_bool(&rq->query, "stdin");
    x->want_stdout = query_bool(&rq->query, "stdout");
    x->tty = query_bool(&rq->query, "tty");
    x->want_stderr = query_bool(&rq->query, "stderr") && !x->tty;
    const char *word;
    for (size_t i = 0; (word = query_nth(&rq->query, "command", i)); i++)
        strlist_add(&x->argv, word);
    return x;
}

void exec_free(void *run)
{
    struct exec_run *x = run;
    const int fds[] = {x->s.in, x->s.out, x->s.err, x->s.exit_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    strlist_release(&x->argv);
    buf_release(&x->stdin_queue);
    free(x->ns);
    free(x->pod);
    free(x->container);
    free(x);
}

static void open_session(struct request *rq, bool attach)
{
    _auto_sobj_ struct sobj *pod = stream_pod(rq);
    const char *container = pod ? stream_container(rq, pod->tree) : NULL;
    if (!container || !stream_node(rq, pod->tree, STREAM_DIALING))
        return;
    struct exec_run *x = run_new(rq, container, attach);
    if (!x->ops) {
        stream_refuse(rq, ERR_UNAVAILABLE, "no node is running yet");
    } else if (!x->want_stdin && !x->want_stdout && !x->want_stderr) {
        stream_refuse(rq, ERR_BAD_REQUEST, "you must specify at least 1 of stdin, stdout, stderr");
    } else if (!attach && x->argv.len == 0) {
        stream_refuse(rq, ERR_BAD_REQUEST, "you must specify at least 1 command for the container");
    } else if (ws_requested(rq)) {
        exec_ws_open(rq, x);
        return;
    } else if (stream_header_has(rq, "Upgrade", "SPDY/3.1")) {
        exec_spdy_open(rq, x);
        return;
    } else {
        stream_refuse(rq, ERR_BAD_REQUEST, "Upgrade request required");
    }
    exec_free(x);
}

void exec_open(struct request *rq)
{
    open_session(rq, false);
}

void attach_open(struct request *rq)
{
    open_session(rq, true);
}

/* -- what protocols hand in -- */

void exec_stdin(struct exec_run *x, const void *data, size_t len)
{
    if (x->want_stdin && !x->stdin_ended)
        buf_add(&x->stdin_queue, data, len);
}

void exec_stdin_end(struct exec_run *x)
{
    x->stdin_ended = true;
}

void exec_hold_output(struct exec_run *x, int64_t until)
{
    if (!x->quiet_until || until < x->quiet_until)
        x->quiet_until = until;
}

int64_t exec_heard(const struct exec_run *x)
{
    const int64_t heard = atomic_load(&x->heard);
    return heard ? heard : clock_mono_ms(clock_real());
}

static void apply_size(struct exec_run *x)
{
    if (!x->started || !x->tty || x->s.in < 0 || x->rows <= 0 || x->cols <= 0)
        return;
    struct winsize size = {.ws_row = (unsigned short)x->rows, .ws_col = (unsigned short)x->cols};
    ioctl(x->s.in, TIOCSWINSZ, &size);
}

void exec_resize(struct exec_run *x, const char *json, size_t len)
{
    _auto_json_ json_t *size = json_loadb(json, len, JSON_DISABLE_EOF_CHECK, NULL);
    int64_t rows = jint(size, "Height", 0), cols = jint(size, "Width", 0);
    if (rows < 0 || rows > 65535 || cols < 0 || cols > 65535)
        return;
    x->rows = (int)rows;
    x->cols = (int)cols;
    apply_size(x);
}

/* -- the end -- */

static void end_with(struct exec_run *x, json_t *take_status, const char *plain)
{
    _auto_free_ char *text = json_text(take_status);
    x->proto->end(x, text, plain);
    json_decref(take_status);
}

static void end_failed(struct exec_run *x, const char *why)
{
    _auto_free_ char *cause =
        xasprintf("error %s container: %s", x->attach ? "attaching to" : "executing command in", why);
    _auto_free_ char *message = xasprintf("Internal error occurred: %s", cause);
    end_with(x,
             json_pack("{s:{}, s:s, s:s, s:s, s:{s:[{s:s}]}, s:i}", "metadata", "status", "Failure", "message", message,
                       "reason", "InternalError", "details", "causes", "message", cause, "code", 500),
             message);
}

/* How a container ended is not attach's business: kubectl reads it in the pod's status. */
static void end_exited(struct exec_run *x, const struct exec_exit *end)
{
    if (end->code == 0 || x->attach) {
        end_with(x, json_pack("{s:{}, s:s}", "metadata", "status", "Success"), "");
        return;
    }
    char code[16];
    snprintf(code, sizeof code, "%d", end->code & 0xff);
    _auto_free_ char *message = xasprintf("command terminated with non-zero exit code: exit status %s", code);
    end_with(x,
             json_pack("{s:{}, s:s, s:s, s:s, s:{s:[{s:s, s:s}]}}", "metadata", "status", "Failure", "message", message,
                       "reason", "NonZeroExitCode", "details", "causes", "reason", "ExitCode", "message", code),
             message);
}

/* -- the process -- */

static void unblock(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Waits until the process runs. What the client says meanwhile is read later, so the moment is noted. */
static int run_process(struct exec_run *x, const struct exec_req *req, struct err *e)
{
    if (x->quiet_until)
        waker_arm(x->waker, &x->first, x->wire.fd, EPOLLIN, WAKE_NEVER);
    const int rc = (x->attach ? x->ops->attach : x->ops->exec)(x->ops_self, req, &x->s, e);
    waker_disarm(x->waker, &x->first);
    return rc;
}

static int start_process(struct exec_run *x, struct err *e)
{
    strlist_take(&x->argv, NULL);
    x->argv.len--;
    struct exec_req req = {
        .ns = x->ns,
        .pod = x->pod,
        .container = x->container,
        .argv = x->attach ? NULL : (const char *const *)x->argv.items,
        .stdin_ = x->want_stdin,
        .stdout_ = x->want_stdout,
        .stderr_ = x->want_stderr,
        .tty = x->tty,
    };
    if (run_process(x, &req, e) < 0)
        return -1;
    x->started = true;
    const int fds[] = {x->s.in, x->s.out, x->s.err};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        unblock(fds[i]);
    apply_size(x);
    return 0;
}

/* Where output comes from: with a terminal the one descriptor is both. */
static int *output_fd(struct exec_run *x, enum exec_channel ch)
{
    if (ch == CHANNEL_STDERR)
        return &x->s.err;
    return x->s.out < 0 && x->tty ? &x->s.in : &x->s.out;
}

static bool is_wanted(const struct exec_run *x, enum exec_channel ch)
{
    return ch == CHANNEL_STDOUT ? x->want_stdout : x->want_stderr;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* False at its end. */
static bool read_output(struct exec_run *x, enum exec_channel ch)
{
    char chunk[CHUNK];
    ssize_t n = read(*output_fd(x, ch), chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0 && is_wanted(x, ch))
        x->proto->output(x, ch, chunk, (size_t)n);
    return n > 0;
}

static void write_stdin(struct exec_run *x)
{
    if (x->s.in >= 0 && x->stdin_queue.len > 0) {
        ssize_t n = write(x->s.in, x->stdin_queue.data, x->stdin_queue.len);
        if (n > 0)
            buf_consume(&x->stdin_queue, (size_t)n);
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            buf_clear(&x->stdin_queue); /* nobody reads it any more */
    }
    if (x->stdin_ended && x->stdin_queue.len == 0 && !x->tty)
        close_fd(&x->s.in);
}

/* -- the loop -- */

enum { P_WIRE, P_STDIN, P_OUT, P_ERR, P_EXIT, P_COUNT };

struct loop_state {
    bool exited, open[3]; /* open: by channel */
    struct exec_exit end;
    size_t end_len;
};

/* How long nothing may be sent yet. */
static int quiet_left(const struct exec_run *x)
{
    int64_t left = x->quiet_until ? x->quiet_until - clock_mono_ms(clock_real()) : 0;
    return left > 0 ? (int)left : 0;
}

static void prepare(struct exec_run *x, const struct loop_state *st, bool quiet, struct pollfd p[P_COUNT])
{
    bool room = x->wire.out.len < QUEUE_MAX && !quiet;
    p[P_WIRE] = (struct pollfd){x->wire.fd, wire_events(&x->wire, x->stdin_queue.len < QUEUE_MAX), 0};
    p[P_STDIN] = (struct pollfd){x->stdin_queue.len ? x->s.in : -1, POLLOUT, 0};
    p[P_OUT] = (struct pollfd){st->open[CHANNEL_STDOUT] && room ? *output_fd(x, CHANNEL_STDOUT) : -1, POLLIN, 0};
    p[P_ERR] = (struct pollfd){st->open[CHANNEL_STDERR] && room ? x->s.err : -1, POLLIN, 0};
    p[P_EXIT] = (struct pollfd){st->exited ? -1 : x->s.exit_fd, POLLIN, 0};
}

static void read_exit(struct exec_run *x, struct loop_state *st)
{
    ssize_t n = read(x->s.exit_fd, (char *)&st->end + st->end_len, sizeof st->end - st->end_len);
    if (n > 0 && (st->end_len += (size_t)n) < sizeof st->end)
        return;
    if (n < 0 && errno == EINTR)
        return;
    if (st->end_len < sizeof st->end)
        st->end = (struct exec_exit){.code = 137, .message = "the node went away"};
    st->end.message[sizeof st->end.message - 1] = '\0';
    st->exited = true;
}

/* Moves bytes until the process has ended and its output is through, or the client is gone. */
static void pump(struct exec_run *x, struct loop_state *st)
{
    st->open[CHANNEL_STDOUT] = *output_fd(x, CHANNEL_STDOUT) >= 0;
    st->open[CHANNEL_STDERR] = x->s.err >= 0;
    while (!x->wire.ended && !(st->exited && !st->open[CHANNEL_STDOUT] && !st->open[CHANNEL_STDERR])) {
        struct pollfd p[P_COUNT];
        int quiet = quiet_left(x);
        write_stdin(x);
        prepare(x, st, quiet, p);
        int n = poll(p, P_COUNT, quiet ? quiet : st->exited ? SILENT_MS : -1);
        if (n == 0 && !quiet)
            return;
        wire_move(&x->wire, p[P_WIRE].revents);
        x->proto->input(x);
        if (p[P_OUT].revents)
            st->open[CHANNEL_STDOUT] = read_output(x, CHANNEL_STDOUT);
        if (p[P_ERR].revents)
            st->open[CHANNEL_STDERR] = read_output(x, CHANNEL_STDERR);
        if (p[P_EXIT].revents)
            read_exit(x, st);
    }
}

/* The client must open what it asked for. */
static bool await_ready(struct exec_run *x)
{
    int64_t until = clock_mono_ms(clock_real()) + OPEN_SECONDS * 1000;
    x->proto->input(x);
    while (!x->wire.ended && !x->proto->ready(x)) {
        int64_t left = until - clock_mono_ms(clock_real());
        struct pollfd p = {x->wire.fd, wire_events(&x->wire, x->stdin_queue.len < QUEUE_MAX), 0};
        if (left <= 0 || poll(&p, 1, (int)left) < 0)
            return false;
        wire_move(&x->wire, p.revents);
        x->proto->input(x);
    }
    return !x->wire.ended;
}

/* A short program may have ended, and an error may be there, before anything is to be sent. */
static void stay_quiet(struct exec_run *x)
{
    for (int left; !x->wire.ended && (left = quiet_left(x)) > 0;) {
        struct pollfd p = {x->wire.fd, wire_events(&x->wire, true), 0};
        poll(&p, 1, left);
        wire_move(&x->wire, p.revents);
        x->proto->input(x);
    }
}

static void linger_input(void *run)
{
    struct exec_run *x = run;
    x->proto->input(x);
    if (x->proto->closed(x) && wire_flushed(&x->wire))
        x->wire.ended = true;
}

void exec_main(struct upgraded *up, void *run)
{
    struct exec_run *x = run;
    struct loop_state st = {0};
    struct err e = ERR_INIT;
    wire_init(&x->wire, up);
    x->proto->begin(x);
    if (await_ready(x)) {
        wire_move(&x->wire, 0); /* a ping's answer comes while the process starts */
        if (start_process(x, &e) < 0) {
            stay_quiet(x);
            end_failed(x, e.msg);
        } else {
            pump(x, &st);
            stay_quiet(x);
            if (st.exited && st.end.message[0])
                end_failed(x, st.end.message);
            else if (st.exited)
                end_exited(x, &st.end);
        }
        exec_stdin_end(x); /* nobody reads it any more */
        wire_linger(&x->wire, LINGER_MS, linger_input, x);
    }
    x->proto->release(x);
    wire_release(&x->wire);
}

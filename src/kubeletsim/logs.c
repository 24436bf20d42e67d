/* logs.c - a container's log: from the CRI file on its node to a pipe of plain lines.
 *
 * DESIGN: one thread a request reads the file, selects (since, tail, limit), strips or keeps the time stamps, and
 * writes into a pipe; a reader that goes away ends it through EPIPE. Following waits on inotify for the file to grow
 * (and looks every half second whether the container still runs), so an idle follower costs nothing. A rotated file is
 * followed under its new inode. Source: pkg/kubelet/kuberuntime/logs, kubelet_pods.go validateContainerLogStatus. */
#include "kubeletsim/kubelet_int.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define CHUNK      16384
#define FOLLOW_MS  500
#define STACK_SIZE (256 * 1024)

struct reader {
    struct kubelet *k;
    char *ns, *pod, *container, *node, *path; /* owned */
    int restart;                              /* which instance: <restart>.log */
    struct log_req req;                       /* strings inside are not used */
    int in, out;
    struct buf pending; /* bytes of an unfinished line */
    int64_t sent;
    bool done;
};

static void reader_free(struct reader *r)
{
    free(r->ns);
    free(r->pod);
    free(r->container);
    free(r->node);
    free(r->path);
    buf_release(&r->pending);
    if (r->in >= 0)
        close(r->in);
    if (r->out >= 0)
        close(r->out);
    free(r);
}

/* -- one line: "2024-01-02T03:04:05.123456789Z stdout F text" -- */

static void emit(struct reader *r, const char *data, size_t n)
{
    if (r->req.limit_bytes >= 0 && r->sent + (int64_t)n > r->req.limit_bytes) {
        n = (size_t)(r->req.limit_bytes - r->sent);
        r->done = true;
    }
    while (n > 0) {
        ssize_t w = write(r->out, data, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) {
            r->done = true;
            return;
        }
        data += w;
        n -= (size_t)w;
        r->sent += w;
    }
}

static bool is_wanted(const struct reader *r, const char *stamp, size_t n)
{
    char text[64];
    int64_t when;
    if (r->req.since_ns == 0)
        return true;
    snprintf(text, sizeof text, "%.*s", (int)(n < 63 ? n : 63), stamp);
    return time_parse(text, &when) < 0 || when >= r->req.since_ns;
}

/* line has no line end. */
static void take_line(struct reader *r, const char *line, size_t n)
{
    const char *end = line + n;
    const char *stream = memchr(line, ' ', n);
    const char *tag = stream ? memchr(stream + 1, ' ', (size_t)(end - stream - 1)) : NULL;
    const char *text = tag ? memchr(tag + 1, ' ', (size_t)(end - tag - 1)) : NULL;
    if (!text || !is_wanted(r, line, (size_t)(stream - line)))
        return;
    bool full = tag[1] == 'F';
    _auto_buf_ struct buf out = BUF_INIT;
    if (r->req.timestamps)
        buf_add(&out, line, (size_t)(stream - line + 1));
    buf_add(&out, text + 1, (size_t)(end - text - 1));
    if (full)
        buf_addc(&out, '\n');
    emit(r, buf_str(&out), out.len);
}

static void take_lines(struct reader *r)
{
    size_t at = 0;
    for (;;) {
        const char *start = buf_str(&r->pending) + at;
        const char *end = memchr(start, '\n', r->pending.len - at);
        if (!end || r->done)
            break;
        take_line(r, start, (size_t)(end - start));
        at += (size_t)(end - start) + 1;
    }
    buf_consume(&r->pending, at);
}

/* Reads what is there now. */
static void drain(struct reader *r)
{
    while (!r->done) {
        ssize_t n = read(r->in, buf_reserve(&r->pending, CHUNK), CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        r->pending.len += (size_t)n;
        take_lines(r);
    }
}

/* Moves to the start of the last `tail` lines. */
static void seek_tail(struct reader *r)
{
    char chunk[CHUNK];
    off_t at = lseek(r->in, 0, SEEK_END);
    int64_t lines = 0;
    if (r->req.tail == 0) /* nothing of what is there */
        return;
    while (at > 0) {
        size_t n = at > CHUNK ? CHUNK : (size_t)at;
        if (pread(r->in, chunk, n, at - (off_t)n) != (ssize_t)n)
            break;
        for (size_t i = n; i-- > 0;) {
            if (chunk[i] != '\n' || ++lines <= r->req.tail)
                continue;
            lseek(r->in, at - (off_t)n + (off_t)i + 1, SEEK_SET);
            return;
        }
        at -= (off_t)n;
    }
    lseek(r->in, 0, SEEK_SET);
}

/* -- following -- */

static const json_t *container_status(const json_t *pod, const char *name)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        const json_t *s;
        json_array_foreach(jat(pod, lists[l]), i, s)
        {
            if (str_eq(jstr(s, "name"), name))
                return s;
        }
    }
    return NULL;
}

static bool still_runs(const struct reader *r)
{
    _auto_sobj_ struct sobj *pod = reg_read(r->k->conf.registry, RES.pods, r->ns, r->pod);
    const json_t *s = pod ? container_status(pod->tree, r->container) : NULL;
    return s && jat(s, "state.running") && jint(s, "restartCount", 0) == r->restart;
}

static void reopen_if_rotated(struct reader *r)
{
    struct stat have, now;
    struct err e = ERR_INIT;
    struct machine *m = r->k->m;
    if (fstat(r->in, &have) < 0 || m->ops->stat(m, r->node, r->path, &now, &e) < 0 || have.st_ino == now.st_ino)
        return;
    int fd = -1;
    if (m->ops->open(m, r->node, r->path, O_RDONLY | O_CLOEXEC, 0, &fd, &e) < 0)
        return;
    drain(r);
    close(r->in);
    r->in = fd;
}

static void follow(struct reader *r)
{
    char proc[64];
    _auto_close_ int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", r->in);
    if (notify >= 0)
        inotify_add_watch(notify, proc, IN_MODIFY);
    while (!r->done) {
        struct pollfd p[2] = {{notify, POLLIN, 0}, {r->out, 0, 0}};
        int n = poll(p, 2, FOLLOW_MS);
        if (p[1].revents & (POLLERR | POLLHUP))
            return;
        char events[1024];
        while (n > 0 && read(notify, events, sizeof events) > 0)
            ;
        bool running = still_runs(r);
        drain(r);
        if (!running)
            return;
        if (n == 0)
            reopen_if_rotated(r);
    }
}

static void *run(void *arg)
{
    struct reader *r = arg;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    if (r->req.tail >= 0)
        seek_tail(r);
    drain(r);
    if (r->req.follow && !r->done)
        follow(r);
    reader_free(r);
    return NULL;
}

/* -- which log -- */

static int waiting_error(const char *pod, const char *container, const char *reason, struct err *e)
{
    const char *why = str_eq(reason, "ErrImagePull")       ? "image can't be pulled"
                      : str_eq(reason, "ImagePullBackOff") ? "trying and failing to pull image"
                                                           : reason;
    return err_set(e, ERR_BAD_REQUEST, "container \"%s\" in pod \"%s\" is waiting to start: %s", container, pod, why);
}

/* The instance number whose log is meant. */
static int pick_instance(const struct log_req *req, const json_t *status, int *out, struct err *e)
{
    if (!status)
        return err_set(e, ERR_BAD_REQUEST, "container \"%s\" in pod \"%s\" is not available", req->container, req->pod);
    int count = (int)jint(status, "restartCount", 0);
    bool had_before = jat(status, "lastState.terminated") != NULL;
    if (req->previous) {
        if (!had_before)
            return err_set(e, ERR_BAD_REQUEST, "previous terminated container \"%s\" in pod \"%s\" not found",
                           req->container, req->pod);
        *out = jat(status, "state.waiting") ? count : count - 1;
        return 0;
    }
    if (jat(status, "state.waiting") && !had_before)
        return waiting_error(req->pod, req->container, jstr_or(status, "state.waiting.reason", "no logs yet"), e);
    *out = count;
    return 0;
}

static int start_reader(struct reader *r, int *out_fd, struct err *e)
{
    int fds[2];
    pthread_t thread;
    pthread_attr_t attr;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    r->out = fds[1];
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    int rc = pthread_create(&thread, &attr, run, r);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        close(fds[0]);
        return err_sys(e, rc, "log reader");
    }
    *out_fd = fds[0];
    return 0;
}

int logs_open(void *self, const struct log_req *req, int *out_fd, struct err *e)
{
    struct kubelet *k = self;
    _auto_sobj_ struct sobj *pod = reg_read(k->conf.registry, RES.pods, req->ns, req->pod);
    if (!pod)
        return err_set(e, ERR_NOT_FOUND, "pods \"%s\" not found", req->pod);
    struct log_req want = *req;
    if (str_empty(want.container))
        want.container = jstr_or(json_array_get(jat(pod->tree, "spec.containers"), 0), "name", "");
    int instance;
    if (pick_instance(&want, container_status(pod->tree, want.container), &instance, e) < 0)
        return -1;
    char dir[PATH_LEN];
    pod_log_dir(req->ns, req->pod, jstr_or(pod->tree, "metadata.uid", ""), want.container, dir);
    struct reader *r = xcalloc(1, sizeof *r);
    *r = (struct reader){.k = k, .restart = instance, .req = want, .in = -1, .out = -1};
    r->ns = xstrdup(req->ns);
    r->pod = xstrdup(req->pod);
    r->container = xstrdup(want.container);
    r->node = xstrdup(jstr_or(pod->tree, "spec.nodeName", ""));
    r->path = xasprintf("%s/%d.log", dir, instance);
    if (k->m->ops->open(k->m, r->node, r->path, O_RDONLY | O_CLOEXEC, 0, &r->in, e) < 0 ||
        start_reader(r, out_fd, e) < 0) {
        reader_free(r);
        return -1;
    }
    return 0;
}

/* logs.c - a container's log: from the CRI file on its node to a pipe of plain lines.
 *
 * DESIGN: one thread a request reads the file, selects (since, tail, limit), strips or keeps the time stamps, and
 * writes into a pipe. A follower sleeps until the file grows or is rotated (inotify), the pod's status changes
 * (logs_wake), its reader goes away, or the kubelet closes: an idle one costs nothing. After a rotation it goes on in
 * the new file under the old name.
 *
 * INVARIANTS: a reader is in k->readers from before its thread starts until its last touch of the kubelet;
 * logs_close() waits until the list is empty. A container's end is seen in the status only after all its output is in
 * the file, so one more read after that is the last.
 *
 * THREADS: logs_open() on stream threads; each reader has its own. LOCK: k->mu for the list. Source:
 * pkg/kubelet/kuberuntime/logs, kubelet_pods.go validateContainerLogStatus. */
#include "kubeletsim/kubelet_int.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK      16384
#define LOOK_MS    30000 /* a follower looks by itself that often, whatever was missed */
#define STACK_SIZE (256 * 1024)
#define FIND_TRIES 5

struct log_reader {
    struct kubelet *k;
    char *ns, *pod, *container, *node, *path; /* owned */
    int restart;                              /* which instance: <restart>.log */
    struct log_req req;                       /* strings inside are not used */
    int in, out, notify, wake;
    struct buf pending; /* bytes of an unfinished line */
    int64_t sent;
    bool done;
    struct log_reader *next; /* under k->mu */
};

static void reader_free(struct log_reader *r)
{
    const int fds[] = {r->in, r->out, r->notify, r->wake};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(r->ns);
    free(r->pod);
    free(r->container);
    free(r->node);
    free(r->path);
    buf_release(&r->pending);
    free(r);
}

/* -- who reads -- */

static void reader_list(struct log_reader *r)
{
    pthread_mutex_lock(&r->k->mu);
    r->next = r->k->readers;
    r->k->readers = r;
    pthread_mutex_unlock(&r->k->mu);
}

static void reader_unlist(struct log_reader *r)
{
    struct kubelet *k = r->k;
    pthread_mutex_lock(&k->mu);
    struct log_reader **at = &k->readers;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    if (!k->readers)
        pthread_cond_broadcast(&k->readers_gone);
    pthread_mutex_unlock(&k->mu);
}

void logs_wake(struct kubelet *k, const char *ns, const char *pod)
{
    pthread_mutex_lock(&k->mu);
    for (struct log_reader *r = k->readers; r; r = r->next)
        if (str_eq(r->pod, pod) && str_eq(r->ns, ns))
            eventfd_write(r->wake, 1);
    pthread_mutex_unlock(&k->mu);
}

void logs_close(struct kubelet *k)
{
    pthread_mutex_lock(&k->mu);
    while (k->readers)
        pthread_cond_wait(&k->readers_gone, &k->mu);
    pthread_mutex_unlock(&k->mu);
}

/* -- one line: "2024-01-02T03:04:05.123456789Z stdout F text" -- */

/* Waits until the pipe takes something; false when nobody reads or the kubelet closes. */
static bool wait_room(const struct log_reader *r)
{
    struct pollfd p[2] = {{r->out, POLLOUT, 0}, {r->k->closing, POLLIN, 0}};
    while (poll(p, 2, -1) < 0)
        if (errno != EINTR)
            return false;
    return !(p[0].revents & POLLERR) && !p[1].revents;
}

static void emit(struct log_reader *r, const char *data, size_t n)
{
    if (r->req.limit_bytes >= 0 && r->sent + (int64_t)n >= r->req.limit_bytes) {
        n = (size_t)(r->req.limit_bytes - r->sent);
        r->done = true;
    }
    while (n > 0) {
        ssize_t w = write(r->out, data, n);
        if (w < 0 && errno == EAGAIN && wait_room(r))
            continue;
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

static bool is_wanted(const struct log_reader *r, const char *stamp, size_t n)
{
    char text[64];
    int64_t when;
    if (r->req.since_ns == 0)
        return true;
    snprintf(text, sizeof text, "%.*s", (int)(n < 63 ? n : 63), stamp);
    return time_parse(text, &when) < 0 || when >= r->req.since_ns;
}

/* line has no line end. */
static void take_line(struct log_reader *r, const char *line, size_t n)
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

static void take_lines(struct log_reader *r)
{
    size_t at = 0;
    while (!r->done) {
        const char *start = buf_str(&r->pending) + at;
        const char *end = memchr(start, '\n', r->pending.len - at);
        if (!end)
            break;
        take_line(r, start, (size_t)(end - start));
        at += (size_t)(end - start) + 1;
    }
    buf_consume(&r->pending, at);
}

/* Reads what is there now. */
static void drain(struct log_reader *r)
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
static void seek_tail(struct log_reader *r)
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

static bool still_runs(const struct log_reader *r)
{
    _auto_sobj_ struct sobj *pod = reg_read(r->k->conf.registry, RES.pods, r->ns, r->pod);
    const json_t *s = pod ? container_status_find(pod->tree, r->container) : NULL;
    return s && jat(s, "state.running") && jint(s, "restartCount", 0) == r->restart;
}

/* The descriptor reaches the file in the node's mount namespace, where its name means nothing here. */
static void watch_file(struct log_reader *r)
{
    char proc[64];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", r->in);
    inotify_add_watch(r->notify, proc, IN_MODIFY | IN_MOVE_SELF | IN_ATTRIB);
}

/* The files of the log, oldest first: "0.log.20240102-030405" …, "0.log". */
static void list_files(const struct log_reader *r, struct strlist *out)
{
    _auto_strlist_ struct strlist names = {0};
    const char *base = strrchr(r->path, '/') + 1;
    _auto_free_ char *dir = xstrndup(r->path, (size_t)(base - 1 - r->path));
    _auto_free_ char *prefix = xasprintf("%s.", base);
    node_list_dir(r->k, r->node, dir, &names);
    strlist_sort(&names);
    for (size_t i = 0; i < names.len; i++)
        if (str_starts(names.items[i], prefix))
            strlist_addf(out, "%s/%s", dir, names.items[i]);
    strlist_add(out, r->path);
}

static ino_t inode_at(const struct log_reader *r, const char *path)
{
    struct stat st;
    struct err e = ERR_INIT;
    return r->k->m->ops->stat(r->k->m, r->node, path, &st, &e) < 0 ? 0 : st.st_ino;
}

/* Lists the files and finds ours by its inode. A rotation between listing and looking hides it: then again, a few
 * times; what is still not found is deleted. Returns the place of the file that follows (0: of the oldest). */
static size_t find_next(const struct log_reader *r, struct strlist *out_files)
{
    struct stat have;
    if (fstat(r->in, &have) < 0)
        return 0;
    for (int tries = 0; tries < FIND_TRIES; tries++) {
        strlist_release(out_files);
        list_files(r, out_files);
        for (size_t i = out_files->len; i-- > 0;)
            if (inode_at(r, out_files->items[i]) == have.st_ino)
                return i + 1;
    }
    return 0;
}

/* Goes on to the file that follows the one we are in. False: ours is the newest. */
static bool open_next(struct log_reader *r)
{
    struct stat found;
    struct err e = ERR_INIT;
    struct machine *m = r->k->m;
    _auto_strlist_ struct strlist files = {0};
    _auto_close_ int fd = -1;
    size_t next = find_next(r, &files);
    if (next >= files.len || m->ops->open(m, r->node, files.items[next], O_RDONLY | O_CLOEXEC, 0, &fd, &e) < 0)
        return false;
    /* Did it get another name meanwhile? Then what we opened may be a later one. */
    size_t again = find_next(r, &files);
    if (fstat(fd, &found) < 0 || again >= files.len || inode_at(r, files.items[again]) != found.st_ino)
        return true;
    drain(r);
    close(r->in);
    r->in = TAKE_FD(fd);
    watch_file(r);
    return true;
}

/* A busy container may have gone on by more than one file. */
static void follow_rotation(struct log_reader *r)
{
    do
        drain(r);
    while (!r->done && open_next(r));
    drain(r);
}

/* True if the file was moved away. */
static bool take_events(struct log_reader *r)
{
    _Alignas(struct inotify_event) char events[4096];
    bool moved = false;
    ssize_t n;
    while ((n = read(r->notify, events, sizeof events)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *ev = (const struct inotify_event *)(const void *)(events + at);
            moved = moved || (ev->mask & (IN_MOVE_SELF | IN_ATTRIB));
            at += (ssize_t)sizeof *ev + (ssize_t)ev->len;
        }
    return moved;
}

static void follow(struct log_reader *r)
{
    watch_file(r);
    follow_rotation(r); /* what came before the watch */
    while (!r->done) {
        struct pollfd p[4] = {{r->notify, POLLIN, 0}, {r->wake, POLLIN, 0}, {r->out, 0, 0}, {r->k->closing, POLLIN, 0}};
        eventfd_t ignored;
        bool running = still_runs(r);
        drain(r);
        if (!running) {
            follow_rotation(r);
            return;
        }
        int n = poll(p, ARRAY_LEN(p), LOOK_MS);
        if ((p[2].revents & (POLLERR | POLLHUP)) || p[3].revents)
            return;
        if (p[1].revents)
            eventfd_read(r->wake, &ignored);
        if (take_events(r) || n == 0)
            follow_rotation(r);
    }
}

static void *run(void *arg)
{
    struct log_reader *r = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    if (r->req.tail >= 0)
        seek_tail(r);
    drain(r);
    if (r->req.follow && !r->done)
        follow(r);
    reader_unlist(r);
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

static int start_reader(struct log_reader *r, int *out_fd, struct err *e)
{
    int fds[2];
    pthread_t thread;
    pthread_attr_t attr;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    r->out = fds[1];
    fcntl(r->out, F_SETFL, O_NONBLOCK);
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    reader_list(r);
    int rc = pthread_create(&thread, &attr, run, r);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        reader_unlist(r);
        close(fds[0]);
        return err_sys(e, rc, "log reader");
    }
    *out_fd = fds[0];
    return 0;
}

static struct log_reader *reader_new(struct kubelet *k, const struct log_req *req, const struct sobj *pod, int instance)
{
    char dir[PATH_LEN];
    snprintf(dir, sizeof dir, LOG_DIR "/%s_%s_%s/%s", req->ns, req->pod, pod_uid(pod->tree), req->container);
    struct log_reader *r = xcalloc(1, sizeof *r);
    *r = (struct log_reader){.k = k, .restart = instance, .req = *req, .in = -1, .out = -1, .notify = -1, .wake = -1};
    r->ns = xstrdup(req->ns);
    r->pod = xstrdup(req->pod);
    r->container = xstrdup(req->container);
    r->node = xstrdup(jstr_or(pod->tree, "spec.nodeName", ""));
    r->path = xasprintf("%s/%d.log", dir, instance);
    return r;
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
    int instance = 0;
    if (pick_instance(&want, container_status_find(pod->tree, want.container), &instance, e) < 0)
        return -1;
    struct log_reader *r = reader_new(k, &want, pod, instance);
    if (k->m->ops->open(k->m, r->node, r->path, O_RDONLY | O_CLOEXEC, 0, &r->in, e) < 0 ||
        start_reader(r, out_fd, e) < 0) {
        reader_free(r);
        return -1;
    }
    return 0;
}

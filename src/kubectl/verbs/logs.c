/* logs.c - kubectl logs: of a pod, of the best pod of a deployment, of all that a selector finds.
 *
 * DESIGN: first the list of streams is made (a container of a pod each), then they are read one after the other, or,
 * when several are followed, each by a thread with a connection of its own. Lines are written whole, under one lock, so
 * they never mix. */
#include "kubectl/pods.h"
#include "kubectl/verbs/verbs_int.h"

#include "api/go_time.h"
#include "base/json.h"
#include "base/str.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct kubectl_flag flags[] = {
    {"all-containers", 0, FLAG_BOOL, NULL, "Of all containers of the pods", NULL},
    {"all-pods", 0, FLAG_BOOL, NULL, "Of all pods; sets --prefix", NULL},
    {"container", 'c', FLAG_TEXT, NULL, "Of this container", NULL},
    {"follow", 'f', FLAG_BOOL, NULL, "Go on as more is written", NULL},
    {"ignore-errors", 0, FLAG_BOOL, NULL, "What cannot be read is said, and does not end the command", NULL},
    {"insecure-skip-tls-verify-backend", 0, FLAG_BOOL, NULL, "Take any certificate of the kubelet", NULL},
    {"limit-bytes", 0, FLAG_INT, "0", "So many bytes at most; 0: all", NULL},
    {"max-log-requests", 0, FLAG_INT, "5", "Follow so many at once at most", NULL},
    FLAG_POD_TIMEOUT("20s"),
    {"prefix", 0, FLAG_BOOL, NULL, "Pod and container before each line", NULL},
    {"previous", 'p', FLAG_BOOL, NULL, "Of the container before its last restart", NULL},
    FLAGS_SELECTOR,
    {"since", 0, FLAG_DURATION, "0s", "What is newer than this: 5s, 2m, 3h", NULL},
    {"since-time", 0, FLAG_TEXT, NULL, "What is newer than this time (RFC 3339)", NULL},
    {"tail", 0, FLAG_INT, "-1", "So many last lines; -1: all, or 10 with a selector", NULL},
    {"timestamps", 0, FLAG_BOOL, NULL, "The time before each line", NULL},
    {NULL},
};

/* One container's log. */
struct stream {
    char *path;   /* owned */
    char *prefix; /* owned; "" without --prefix */
};
struct reading {
    struct call *c;
    struct stream *streams; /* owned */
    size_t len, cap;
    pthread_mutex_t lock; /* of `out`, `failed`, `first` */
    bool failed;
    struct err first; /* what failed first */
    json_t *refusal;  /* and its Status; owned */
    int stop, ended;  /* eventfds; stop readable: threads shall end; ended counts those that have */
};

/* ---- what is asked for ---- */

static void add_int(struct buf *path, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    call_query(path, key, text);
}

static void add_options(struct call *c, const char *container, struct buf *path)
{
    static const struct {
        const char *flag, *key;
    } bools[] = {{"follow", "follow"},
                 {"insecure-skip-tls-verify-backend", "insecureSkipTLSVerifyBackend"},
                 {"previous", "previous"},
                 {"timestamps", "timestamps"}};
    const int64_t tail = call_int(c, "tail"), since = call_duration(c, "since");
    call_query(path, "container", container);
    for (size_t i = 0; i < ARRAY_LEN(bools); i++)
        if (call_bool(c, bools[i].flag))
            call_query(path, bools[i].key, "true");
    if (call_int(c, "limit-bytes"))
        add_int(path, "limitBytes", call_int(c, "limit-bytes"));
    if (since)
        add_int(path, "sinceSeconds", (since + 500) / 1000);
    if (call_given(c, "since-time"))
        call_query(path, "sinceTime", call_text(c, "since-time"));
    if (tail != -1)
        add_int(path, "tailLines", tail);
    else if (call_given(c, "selector") && !call_given(c, "tail"))
        add_int(path, "tailLines", 10);
}

static void add_stream(struct reading *r, const json_t *pod, const char *container)
{
    _auto_buf_ struct buf path = BUF_INIT;
    const char *name = jstr_or(pod, "metadata.name", "");
    const bool prefix = call_bool(r->c, "prefix") || call_bool(r->c, "all-pods");
    pod_path(jstr_or(pod, "metadata.namespace", ""), name, "log", &path);
    add_options(r->c, container, &path);
    if (r->len == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 8;
        r->streams = xrealloc(r->streams, r->cap * sizeof *r->streams);
    }
    r->streams[r->len++] = (struct stream){.path = buf_steal(&path, NULL),
                                           .prefix = prefix ? xasprintf("[pod/%s/%s] ", name, container) : xstrdup("")};
}

static void add_all_containers(struct reading *r, const json_t *pod)
{
    static const char *const groups[] = {"spec.initContainers", "spec.containers", "spec.ephemeralContainers"};
    size_t i;
    const json_t *container;
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        json_array_foreach(jat(pod, groups[g]), i, container) add_stream(r, pod, jstr_or(container, "name", ""));
}

/* The container of a pod that is meant. NULL with `e`. */
static const char *one_container(struct reading *r, const json_t *pod, struct err *e)
{
    const char *name = r->c->words.len == 2 ? r->c->words.items[1] : call_text(r->c, "container");
    const char *annotated = jmap(pod, "metadata.annotations", DEFAULT_CONTAINER);
    const json_t *container;
    if (!str_empty(name)) {
        container = pod_container(pod, name, NULL);
        if (!container)
            err_set(e, ERR_INVALID, "container %s is not valid for pod %s", name, jstr_or(pod, "metadata.name", ""));
    } else {
        if (!str_empty(annotated) && !pod_container(pod, annotated, NULL))
            fprintf(r->c->k->err, "Default container name \"%s\" not found in pod %s\n", annotated,
                    jstr_or(pod, "metadata.name", ""));
        if (pod_choose_container(pod, NULL, call_bool(r->c, "all-pods") ? NULL : r->c->k->err, &container, e) < 0)
            return NULL;
    }
    return container ? jstr_or(container, "name", "") : NULL;
}

static int add_pod(struct reading *r, const json_t *pod, struct err *e)
{
    if (call_bool(r->c, "all-containers")) {
        add_all_containers(r, pod);
        return 0;
    }
    const char *container = one_container(r, pod, e);
    if (!container)
        return -1;
    add_stream(r, pod, container);
    return 0;
}

static int add_pods(struct reading *r, const json_t *pods, struct err *e)
{
    size_t i;
    const json_t *pod;
    json_array_foreach(pods, i, pod) if (add_pod(r, pod, e) < 0) return -1;
    return 0;
}

static int of_selector(struct reading *r, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    const char *ns = call_namespace(r->c);
    if (!ns)
        return err_set(e, ERR_OK, "%s", "");
    pod_path(ns, NULL, NULL, &path);
    call_query(&path, "labelSelector", call_text(r->c, "selector"));
    if (call_json(r->c, "GET", buf_str(&path), NULL, NULL, &list, e) < 0)
        return -1;
    if (json_array_size(json_object_get(list, "items")) == 0)
        fprintf(r->c->k->err, "No resources found in %s namespace.\n", ns);
    return add_pods(r, json_object_get(list, "items"), e);
}

static int of_object(struct reading *r, int64_t patience, struct err *e)
{
    _auto_json_ json_t *object = NULL, *pods = NULL;
    struct call *c = r->c;
    if (pods_named(c, "pods", c->words.items[0], &object, e) < 0) {
        if (!call_not_found(c))
            return -1;
        json_decref(TAKE(c->failure));
        call_fail(c, "error from server (NotFound): %s in namespace \"%s\"", e->msg, call_namespace(c));
        return err_set(e, ERR_OK, "%s", "");
    }
    if (pods_for_logs(c, object, patience, &pods, e) < 0)
        return -1;
    const json_t *best = json_array_get(pods, 0);
    if (call_bool(c, "all-pods"))
        return add_pods(r, pods, e);
    if (json_array_size(pods) > 1)
        fprintf(c->k->err, "Found %zu pods, using pod/%s\n", json_array_size(pods), jstr_or(best, "metadata.name", ""));
    return add_pod(r, best, e);
}

/* ---- reading ---- */

struct lines {
    struct reading *r;
    const struct stream *stream;
    struct buf part; /* of a line */
};

static int write_lines(struct lines *l, const char *data, size_t n, struct err *e)
{
    FILE *out = l->r->c->k->out;
    bool broken = false;
    if (n == 0)
        return 0;
    pthread_mutex_lock(&l->r->lock);
    for (size_t at = 0; at < n;) {
        const char *end = memchr(data + at, '\n', n - at);
        const size_t len = end ? (size_t)(end - data) + 1 - at : n - at;
        fputs(l->stream->prefix, out);
        broken |= fwrite(data + at, 1, len, out) != len;
        at += len;
    }
    broken |= fflush(out) != 0;
    pthread_mutex_unlock(&l->r->lock);
    return broken ? err_set(e, ERR_SYS, "write: output is gone") : 0;
}

static int take(void *arg, const void *data, size_t n, struct err *e)
{
    struct lines *l = arg;
    buf_add(&l->part, data, n);
    const char *last = memrchr(l->part.data, '\n', l->part.len);
    const size_t whole = last ? (size_t)(last - l->part.data) + 1 : 0;
    const int rc = write_lines(l, l->part.data, whole, e);
    buf_consume(&l->part, whole);
    return rc;
}

static int read_one(struct reading *r, const struct stream *s, struct client *with, struct err *e)
{
    struct lines l = {.r = r, .stream = s};
    _auto_client_answer_ struct client_answer a = {0};
    const struct client_request rq = {
        .path = s->path, .accept = "application/json, */*", .timeout_ms = -1, .take = take, .arg = &l};
    int rc = with ? client_call(with, &rq, &a, e) : call_request(r->c, &rq, &a, e);
    if (with && rc == 0 && a.status >= 300) {
        rc = client_failure(&a, e);
        pthread_mutex_lock(&r->lock);
        if (!r->failed)
            r->refusal = json_loadb(buf_str(&a.body), a.body.len, 0, NULL);
        pthread_mutex_unlock(&r->lock);
    }
    if (rc == 0)
        rc = write_lines(&l, buf_str(&l.part), l.part.len, e);
    buf_release(&l.part);
    return rc;
}

static int one_by_one(struct reading *r, struct err *e)
{
    for (size_t i = 0; i < r->len; i++) {
        if (read_one(r, &r->streams[i], NULL, e) == 0)
            continue;
        if (!call_bool(r->c, "ignore-errors"))
            return -1;
        fprintf(r->c->k->out, "error: %s\n", e->msg);
        json_decref(TAKE(r->c->failure));
        err_clear(e);
    }
    return 0;
}

struct follower {
    struct reading *r;
    const struct stream *stream;
    pthread_t thread;
};

static void signal_to(int fd)
{
    const uint64_t one = 1;
    if (write(fd, &one, sizeof one) < 0) /* its counter is full: it is readable anyway */
        return;
}

static void note_failure(struct reading *r, const struct err *e)
{
    pthread_mutex_lock(&r->lock);
    if (call_bool(r->c, "ignore-errors")) {
        fprintf(r->c->k->out, "error: %s\n", e->msg);
    } else if (!r->failed) {
        r->failed = true;
        r->first = *e;
        signal_to(r->stop);
    }
    pthread_mutex_unlock(&r->lock);
}

static void *follow(void *arg)
{
    struct follower *f = arg;
    struct err e = ERR_INIT;
    _auto_client_ struct client *client = NULL;
    if (client_open(&f->r->c->k->access, &client, &e) == 0)
        client_set_cancel(client, f->r->stop);
    if (!client || read_one(f->r, f->stream, client, &e) < 0)
        note_failure(f->r, &e);
    signal_to(f->r->ended);
    return NULL;
}

/* Until all have ended; who is interrupted stops them. */
static void await_all(struct reading *r, uint64_t started)
{
    int cancel = r->c->k->cancel;
    for (uint64_t ended = 0; ended < started;) {
        struct pollfd p[] = {{r->ended, POLLIN, 0}, {cancel, POLLIN, 0}};
        uint64_t more = 0;
        if (poll(p, ARRAY_LEN(p), -1) < 0)
            continue;
        if (p[0].revents && read(r->ended, &more, sizeof more) > 0)
            ended += more;
        if (p[1].revents) {
            signal_to(r->stop);
            cancel = -1;
        }
    }
}

static int all_at_once(struct reading *r, struct err *e)
{
    _auto_free_ struct follower *all = xcalloc(r->len, sizeof *all);
    size_t started = 0;
    r->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (; started < r->len; started++) {
        all[started] = (struct follower){.r = r, .stream = &r->streams[started]};
        if (pthread_create(&all[started].thread, NULL, follow, &all[started]) != 0)
            break;
    }
    await_all(r, started);
    for (size_t i = 0; i < started; i++)
        pthread_join(all[i].thread, NULL);
    close(r->stop);
    close(r->ended);
    if (!r->failed)
        return 0;
    *e = r->first;
    r->c->failure = TAKE(r->refusal);
    return -1;
}

/* ---- the verb ---- */

/* False: told. */
static bool valid(struct call *c)
{
    struct err e = ERR_INIT;
    char text[GO_TIME_TEXT_LEN];
    const bool since_time = !str_empty(call_text(c, "since-time"));
    const char *container = c->words.len == 2 ? c->words.items[1] : call_text(c, "container");
    if ((c->words.len == 0 && !call_given(c, "selector")) || c->words.len > 2)
        call_usage(c, "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\n"
                      "POD or TYPE/NAME is a required argument for the logs command");
    else if (c->words.len == 1 && call_given(c, "selector"))
        call_usage(c, "only a selector (-l) or a POD name is allowed");
    else if (since_time && go_time_parse(call_text(c, "since-time"), false, text, &e) < 0)
        call_fail(c, "%s", e.msg);
    else if (since_time && call_duration(c, "since") != 0)
        call_fail(c, "at most one of `sinceTime` or `sinceSeconds` may be specified");
    else if (call_bool(c, "all-containers") && !str_empty(container))
        call_fail(c, "--all-containers=true should not be specified with container name %s", container);
    else if (call_given(c, "container") && c->words.len == 2)
        call_fail(c, "only one of -c or an inline [CONTAINER] arg is allowed");
    else if (call_int(c, "limit-bytes") < 0)
        call_fail(c, "--limit-bytes must be greater than 0");
    else if (call_duration(c, "since") < 0)
        call_fail(c, "--since must be greater than 0");
    else if (call_int(c, "tail") < -1)
        call_fail(c, "--tail must be greater than or equal to -1");
    else
        return true;
    return false;
}

static int read_all(struct reading *r, int64_t patience, struct err *e)
{
    if ((r->c->words.len == 0 ? of_selector(r, e) : of_object(r, patience, e)) < 0)
        return -1;
    const bool together = call_bool(r->c, "follow") && r->len > 1;
    const int64_t most = call_int(r->c, "max-log-requests");
    if (together && (int64_t)r->len > most)
        return err_set(e, ERR_INVALID,
                       "you are attempting to follow %zu log streams, but maximum allowed concurrency is %lld, use "
                       "--max-log-requests to increase the limit",
                       r->len, (long long)most);
    return together ? all_at_once(r, e) : one_by_one(r, e);
}

static int run(struct call *c)
{
    struct err e = ERR_INIT;
    struct reading r = {.c = c, .lock = PTHREAD_MUTEX_INITIALIZER};
    int64_t patience;
    if (pods_timeout(c, &patience) < 0 || !valid(c))
        return c->code;
    if (read_all(&r, patience, &e) < 0)
        call_error(c, &e);
    for (size_t i = 0; i < r.len; i++) {
        free(r.streams[i].path);
        free(r.streams[i].prefix);
    }
    free(r.streams);
    json_decref(r.refusal);
    return c->code;
}

const struct kubectl_verb kubectl_logs = {
    .name = "logs",
    .summary = "Print the logs for a container in a pod",
    .usage = "[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]",
    .aliases = "log",
    .flags = flags,
    .takes = TAKES_PODS,
    .run = run,
};

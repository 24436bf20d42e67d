/* local.c - the local control socket; see local.h.
 *
 * DESIGN: SOCK_SEQPACKET, so a request is a packet and needs no framing. The path may be longer than sun_path allows,
 * so both sides go through /proc/self/fd/<directory>. One server thread answers one request at a time; a handler that
 * blocks (a shell that starts) blocks the next caller only. THREADS: local_call is safe from any thread; the handler
 * runs on the server thread. */
#include "cli/local.h"

#include "api/json_scan.h"
#include "base/accept.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local_far.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME  "control.sock"
#define PACKET_BYTES (64 * 1024)
#define WAIT_SECONDS 30 /* for a cluster's end */

/* Opens <data>/run and writes an address that reaches the socket in it. Returns the directory's descriptor. */
static int socket_address(const char *data_dir, bool make, struct sockaddr_un *addr, struct err *e)
{
    _auto_free_ char *dir = xasprintf("%s/run", data_dir);
    if (make && mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, errno, "make %s", dir);
    int fd = open(dir, O_DIRECTORY | O_PATH | O_CLOEXEC);
    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE, "no cluster runs in %s (start one with `stowage up`)", data_dir);
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(addr->sun_path, sizeof addr->sun_path, "/proc/self/fd/%d/" SOCKET_NAME, fd);
    return fd;
}

static int send_packet(int sock, const json_t *body, const int *fds, size_t nfds, struct err *e)
{
    _auto_free_ char *text = json_text(body);
    char control[CMSG_SPACE(sizeof(int) * LOCAL_MAX_FDS)] = {0};
    struct iovec iov = {text, strlen(text)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (nfds > 0) {
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
        return err_sys(e, errno, "control socket");
    return 0;
}

static void close_fds(int fds[LOCAL_MAX_FDS])
{
    for (int i = 0; i < LOCAL_MAX_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* All that came is ours to close, also in a packet that is then refused. */
static void take_fds(struct msghdr *msg, int fds[LOCAL_MAX_FDS])
{
    size_t taken = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (taken < LOCAL_MAX_FDS)
                fds[taken++] = fd;
            else
                close(fd);
        }
    }
}

static int read_packet(const char *text, size_t n, int flags, json_t **out, struct err *e)
{
    if (flags & MSG_CTRUNC)
        return err_set(e, ERR_UNAVAILABLE, "control socket: %s", strerror(EMFILE));
    json_t *body = flags & MSG_TRUNC ? NULL : json_loadb(text, n, 0, NULL);
    if (!json_is_object(body)) {
        json_decref(body);
        return err_set(e, ERR_BAD_REQUEST, "control socket: not an object");
    }
    *out = body;
    return 0;
}

/* `fds` has what came only if this succeeds. */
static int receive_packet(int sock, json_t **out, int fds[LOCAL_MAX_FDS], struct err *e)
{
    _auto_free_ char *text = xmalloc(PACKET_BYTES);
    char control[CMSG_SPACE(sizeof(int) * LOCAL_MAX_FDS)];
    struct iovec iov = {text, PACKET_BYTES - 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return err_sys(e, errno, "control socket");
    if (n == 0)
        return err_set(e, ERR_UNAVAILABLE, "the cluster closed the control socket");
    take_fds(&msg, fds);
    if (read_packet(text, (size_t)n, msg.msg_flags, out, e) == 0)
        return 0;
    close_fds(fds);
    return -1;
}

static int connect_in(const char *data_dir, struct err *e)
{
    struct sockaddr_un addr;
    _auto_close_ int dir = socket_address(data_dir, false, &addr, e);
    if (dir < 0)
        return -1;
    _auto_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return err_sys(e, errno, "socket");
    if (connect(sock, (struct sockaddr *)&addr, sizeof addr) < 0)
        return err_set(e, ERR_UNAVAILABLE, "no cluster runs in %s (start one with `stowage up`)", data_dir);
    return TAKE_FD(sock);
}

/* An ephemeral cluster lives in a directory of its own below; the one that runs answers for the directory above. */
static int connect_ephemeral(const char *data_dir, struct err *e)
{
    int found = -1;
    DIR *dir = opendir(data_dir);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        struct err none = ERR_INIT;
        _auto_free_ char *path = xasprintf("%s/%s", data_dir, entry->d_name);
        _auto_close_ int sock = str_starts(entry->d_name, "ephemeral-") ? connect_in(path, &none) : -1;
        if (sock >= 0 && found >= 0) {
            close(found);
            found = err_set(e, ERR_USAGE, "several ephemeral clusters run in %s; name one, as in --data %s", data_dir,
                            path);
            break;
        }
        if (sock >= 0)
            found = TAKE_FD(sock);
    }
    if (dir)
        closedir(dir);
    return found;
}

static int connect_cluster(const char *data_dir, struct err *e)
{
    int sock = connect_in(data_dir, e);
    if (sock >= 0)
        return sock;
    struct err several = ERR_INIT;
    sock = connect_ephemeral(data_dir, &several);
    if (several.code != ERR_OK)
        *e = several;
    return sock;
}

bool local_listens(const char *data_dir)
{
    struct err none = ERR_INIT;
    _auto_close_ int sock = connect_cluster(data_dir, &none);
    return sock >= 0;
}

/* Who judges an exam says so, because its cluster hears nobody else any more (own_cluster_seal()). Returns new. */
static json_t *with_pass(const json_t *request)
{
    const char *pass = getenv(LOCAL_PASS);
    json_t *full = json_copy((json_t *)(uintptr_t)request);
    if (pass)
        json_object_set_new(full, "pass", json_string(pass));
    return full;
}

/* No socket here, but a cluster around us. */
static int call_from_node(const json_t *request, json_t **out, int fds[LOCAL_MAX_FDS], struct err *e)
{
    err_clear(e);
    json_t *answer = local_far_call(request, e);
    for (size_t i = 0; fds && i < LOCAL_MAX_FDS; i++)
        fds[i] = -1;
    if (answer)
        *out = answer;
    return answer ? 0 : -1;
}

int local_call(const char *data_dir, const json_t *request, json_t **out, int fds[LOCAL_MAX_FDS], struct err *e)
{
    int got[LOCAL_MAX_FDS] = {-1, -1, -1, -1};
    _auto_close_ int sock = connect_cluster(data_dir, e);
    if (sock < 0 && e->code == ERR_UNAVAILABLE && local_is_far())
        return call_from_node(request, out, fds, e);
    if (sock < 0)
        return -1;
    _auto_json_ json_t *answer = NULL, *full = with_pass(request);
    if (send_packet(sock, full, NULL, 0, e) < 0 || receive_packet(sock, &answer, got, e) < 0)
        return -1;
    const char *error = jstr(answer, "error");
    if (error) {
        close_fds(got);
        return err_set(e, (enum err_code)jint(answer, "code", ERR_INTERNAL), "%s", error);
    }
    if (fds)
        memcpy(fds, got, sizeof got);
    else
        close_fds(got);
    *out = TAKE(answer);
    return 0;
}

json_t *local_call_long(const char *data_dir, const json_t *request, int fds[LOCAL_MAX_FDS], struct err *e)
{
    _auto_json_ json_t *answer = NULL;
    if (local_call(data_dir, request, &answer, fds, e) < 0)
        return NULL;
    if (fds[0] < 0 && local_is_far())
        return TAKE(answer);
    json_t *told = fds[0] < 0 ? NULL : json_loadfd(fds[0], 0, NULL);
    if (fds[0] >= 0)
        close(fds[0]);
    fds[0] = -1;
    const char *error = told && json_is_object(told) ? jstr(told, "error") : NULL;
    if (!told)
        err_set(e, ERR_UNAVAILABLE, "the cluster ended before it answered");
    if (!error)
        return told;
    err_set(e, (enum err_code)jint(told, "code", ERR_INTERNAL), "%s", error);
    json_decref(told);
    return NULL;
}

/* A process descriptor, because a parent that has not asked for the exit code yet keeps the number alive. */
static int wait_gone(pid_t pid, struct err *e)
{
    _auto_close_ int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0)
        return errno == ESRCH ? 0 : err_sys(e, errno, "process %d", pid);
    struct pollfd p = {process, POLLIN, 0};
    if (poll(&p, 1, WAIT_SECONDS * 1000) > 0)
        return 0;
    return err_set(e, ERR_TIMEOUT, "process %d did not stop within %d s; `kill -9 %d` is safe, nothing is lost", pid,
                   WAIT_SECONDS, pid);
}

int local_down(const char *data_dir, json_t **out, struct err *e)
{
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "down"), *answer = NULL;
    if (local_call(data_dir, request, &answer, NULL, e) < 0 || wait_gone((pid_t)jint(answer, "pid", 0), e) < 0)
        return -1;
    *out = TAKE(answer);
    return 0;
}

struct local_server {
    int sock, dir, wake;
    local_handler handler;
    void *arg;
    pthread_t thread;
};

json_t *local_refusal(const struct err *e)
{
    return json_pack("{s:o, s:i}", "error", json_string_clean(e->msg, strlen(e->msg)), "code", (int)e->code);
}

static void answer_one(struct local_server *s, int sock)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *request = NULL;
    _auto_json_ json_t *answer = NULL;
    int in[LOCAL_MAX_FDS] = {-1, -1, -1, -1}, fds[LOCAL_MAX_FDS] = {-1, -1, -1, -1};
    if (receive_packet(sock, &request, in, &e) < 0)
        return;
    close_fds(in);
    if (s->handler(s->arg, request, &answer, fds, &e) < 0)
        answer = local_refusal(&e);
    size_t n = 0;
    while (n < LOCAL_MAX_FDS && fds[n] >= 0)
        n++;
    send_packet(sock, answer, fds, n, &e);
    close_fds(fds);
}

static void *serve(void *arg)
{
    struct local_server *s = arg;
    struct pollfd p[2] = {{s->sock, POLLIN, 0}, {s->wake, POLLIN, 0}};
    while (poll(p, 2, -1) >= 0 || errno == EINTR) {
        if (p[1].revents)
            break;
        if (!(p[0].revents & POLLIN))
            continue;
        _auto_close_ int sock = accept_or_rest(s->sock, SOCK_CLOEXEC, s->wake);
        if (sock < 0)
            continue;
        struct timeval limit = {.tv_sec = 5};
        setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        answer_one(s, sock);
    }
    return NULL;
}

int local_serve(const char *data_dir, local_handler handler, void *arg, struct local_server **out, struct err *e)
{
    struct sockaddr_un addr;
    _auto_close_ int dir = socket_address(data_dir, true, &addr, e);
    if (dir < 0)
        return -1;
    _auto_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return err_sys(e, errno, "socket");
    unlinkat(dir, SOCKET_NAME, 0); /* ours alone: the data directory is locked */
    mode_t old = umask(0177);
    int rc = bind(sock, (struct sockaddr *)&addr, sizeof addr);
    umask(old);
    if (rc < 0 || listen(sock, 16) < 0)
        return err_sys(e, errno, "listen on %s/run/" SOCKET_NAME, data_dir);
    struct local_server *s = xcalloc(1, sizeof *s);
    *s = (struct local_server){TAKE_FD(sock), TAKE_FD(dir), eventfd(0, EFD_CLOEXEC), handler, arg, 0};
    if (pthread_create(&s->thread, NULL, serve, s) != 0)
        BUG("no thread for the control socket");
    *out = s;
    return 0;
}

void local_stop(struct local_server *s)
{
    if (!s)
        return;
    uint64_t one = 1;
    ssize_t n = write(s->wake, &one, sizeof one);
    (void)n;
    pthread_join(s->thread, NULL);
    unlinkat(s->dir, SOCKET_NAME, 0);
    close(s->sock);
    close(s->dir);
    close(s->wake);
    free(s);
}

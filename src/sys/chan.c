/* chan.c - see chan.h. THREADS: any number of senders; one receiver a socket. */
#include "sys/chan.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define INLINE_MAX (96 * 1024)
#define BODY_MAX   (64 * 1024 * 1024)

struct head {
    uint32_t id, kind, in_file, len;
};

void msg_release(struct msg *m)
{
    buf_release(&m->body);
    for (unsigned i = 0; i < CHAN_FDS_MAX; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    *m = MSG_INIT;
}

int msg_take_fd(struct msg *m, unsigned i)
{
    return i < CHAN_FDS_MAX ? TAKE_FD(m->fds[i]) : -1;
}

int chan_pair(int out_fds[2], struct err *e)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return err_sys(e, errno, "socketpair");
    const int size = 1 << 20;
    for (int i = 0; i < 2; i++)
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    memcpy(out_fds, fds, sizeof fds);
    return 0;
}

static int body_to_file(const struct buf *body, struct err *e)
{
    _auto_close_ int fd = memfd_create("stowage-message", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "memfd_create");
    for (size_t at = 0; at < body->len;) {
        const ssize_t n = pwrite(fd, body->data + at, body->len - at, (off_t)at);
        if (n < 0)
            return err_sys(e, errno, "write message");
        at += (size_t)n;
    }
    return TAKE_FD(fd);
}

int chan_send(int sock, uint32_t id, uint32_t kind, const struct buf *body, const int *fds, unsigned fd_count,
              struct err *e)
{
    struct head head = {id, kind, 0, body ? (uint32_t)body->len : 0};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * (CHAN_FDS_MAX + 1))];
    } control;
    int all[CHAN_FDS_MAX + 1];
    unsigned count = 0;
    _auto_close_ int file = -1;
    if (body && body->len > BODY_MAX)
        return err_set(e, ERR_TOO_LARGE, "%zu bytes are too many for one message: at most %d are sent", body->len,
                       BODY_MAX);
    if (head.len > INLINE_MAX) {
        file = body_to_file(body, e);
        if (file < 0)
            return -1;
        head.in_file = 1;
        all[count++] = file;
    }
    for (unsigned i = 0; i < fd_count && i < CHAN_FDS_MAX; i++)
        all[count++] = fds[i];

    struct iovec iov[2] = {{&head, sizeof head}, {body ? body->data : NULL, head.in_file ? 0 : head.len}};
    struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2};
    if (count) {
        memset(&control, 0, sizeof control);
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), all, sizeof(int) * count);
    }
    ssize_t n;
    do {
        n = sendmsg(sock, &h, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    err_sys(e, errno, "send");
    e->code = ERR_UNAVAILABLE;
    return -1;
}

static void take_fds(struct msghdr *h, struct msg *m, int *file, bool in_file)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (in_file && *file < 0)
                *file = fd;
            else if (m->fd_count < CHAN_FDS_MAX)
                m->fds[m->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

static int body_from_file(int file, size_t len, struct buf *out)
{
    if (file < 0 || len > BODY_MAX)
        return -1;
    char *to = buf_reserve(out, len);
    for (size_t at = 0; at < len;) {
        const ssize_t n = pread(file, to + at, len - at, (off_t)at);
        if (n <= 0)
            return -1;
        at += (size_t)n;
    }
    out->len += len;
    return 0;
}

int chan_recv(int sock, struct msg *out)
{
    struct head head = {0};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * (CHAN_FDS_MAX + 1))];
    } control;
    _auto_free_ char *space = xmalloc(INLINE_MAX);
    struct iovec iov[2] = {{&head, sizeof head}, {space, INLINE_MAX}};
    struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    do {
        n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? 0 : -1;
    if (n == 0)
        return 0;
    _auto_msg_ struct msg m = MSG_INIT;
    _auto_close_ int file = -1;
    take_fds(&h, &m, &file, head.in_file != 0);
    errno = EBADMSG;
    if ((size_t)n < sizeof head)
        return -1;
    m.id = head.id;
    m.kind = head.kind;
    m.fds_lost = (h.msg_flags & MSG_CTRUNC) != 0;
    if (m.fds_lost && head.in_file && file < 0)
        head.in_file = 0, head.len = 0;
    if (head.in_file ? body_from_file(file, head.len, &m.body) < 0 : head.len != (size_t)n - sizeof head)
        return -1;
    if (!head.in_file && head.len)
        buf_add(&m.body, space, head.len);
    *out = m;
    m = MSG_INIT;
    return 1;
}

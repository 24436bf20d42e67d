/* door.c - see door_int.h.
 *
 * A socket belongs to the network that it was made in, wherever it is bound and used later: so the process at the door
 * needs to know nothing but the type. Question: an int32; answer: the socket, or nothing and the error's number.
 * THREADS: none. */
#include "sys/door_int.h"
#include "sys/chan.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void keep_door(int sock)
{
    struct err lost = ERR_INIT;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "stowage-door");
    signal(SIGINT, SIG_IGN);
    proc_keep_fds(&sock, 1);
    for (;;) {
        _auto_msg_ struct msg m = MSG_INIT;
        if (chan_recv(sock, &m) != 1)
            _exit(0);
        _auto_close_ int fd = socket(AF_INET, (int)m.kind, 0);
        chan_send(sock, (uint32_t)errno, m.kind, NULL, &fd, fd >= 0 ? 1 : 0, &lost);
    }
}

int door_open(int *out_door, pid_t *out_pid, struct err *e)
{
    int pair[2];
    *out_pid = 0;
    if (!userns_inside()) {
        const int net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        *out_door = net;
        return net < 0 ? err_sys(e, errno, "open our network namespace") : 0;
    }
    if (chan_pair(pair, e) < 0)
        return -1;
    const pid_t pid = fork();
    if (pid == 0)
        keep_door(pair[1]);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_sys(e, errno, "fork");
    }
    *out_door = pair[0];
    *out_pid = pid;
    return 0;
}

static int ask(int door, int type)
{
    struct err lost = ERR_INIT;
    _auto_msg_ struct msg m = MSG_INIT;
    if (chan_send(door, 0, (uint32_t)type, NULL, NULL, 0, &lost) < 0 || chan_recv(door, &m) != 1)
        return -EPIPE;
    const int fd = msg_take_fd(&m, 0);
    return fd < 0 ? -(int)m.id : fd;
}

int door_socket(int door, int own_net, int type)
{
    struct stat st;
    const int wanted = type | SOCK_CLOEXEC | SOCK_NONBLOCK;
    if (fstat(door, &st) == 0 && S_ISSOCK(st.st_mode))
        return ask(door, wanted);
    if (setns(door, CLONE_NEWNET) < 0)
        return -errno;
    const int fd = socket(AF_INET, wanted, 0), code = errno;
    if (setns(own_net, CLONE_NEWNET) < 0)
        BUG("cannot come back to the cluster's network: %s", strerror(errno));
    return fd < 0 ? -code : fd;
}

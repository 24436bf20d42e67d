/* up.c - `stowage up`: in the foreground with a word of welcome, or detached.
 *
 * DESIGN: --detach forks first, while nothing exists yet; the parent waits on a pipe for one line from the child, "ok"
 * or the error, so its exit code and message are those of the start. In the child, standard output and error become
 * stowage.log in the data directory before anything is started, so that no process of the cluster holds on to the
 * caller's terminal or pipe; what the user must read at the start goes through copies that are closed once it is said.
 */
#include "app/up.h"

#include "app/cluster.h"
#include "app/datadir.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a start is told of. */
struct audience {
    int out, err; /* the user's */
    int ready;    /* the waiting parent's pipe, or -1 */
};

static void welcome(const struct up_conf *conf, const struct cluster *c, int64_t ms, const struct audience *to)
{
    if (*cluster_simulated(c))
        dprintf(to->err, "stowage: pods and disks are simulated: %s\n", cluster_simulated(c));
    if (*cluster_differs(c))
        dprintf(to->err, "stowage: without root, in a user namespace: %s\n", cluster_differs(c));
    if (conf->quiet)
        return;
    dprintf(to->out, "Cluster ready at %s in %d ms: %d node%s, profile %s, data in %s\n\n  export KUBECONFIG=%s\n\n",
            cluster_url(c), (int)ms, conf->nodes, conf->nodes == 1 ? "" : "s", conf->profile,
            conf->ephemeral ? "memory and a temporary directory" : conf->data_dir, cluster_kubeconfig(c));
    if (!conf->detach)
        dprintf(to->out, "Then, in another terminal: kubectl get nodes. Ctrl-C stops the cluster%s.\n",
                conf->ephemeral ? "" : "; everything is kept");
}

/* Says that it runs, and lets go of whoever waited for that. */
static void announce(const struct up_conf *conf, const struct cluster *c, int64_t ms, struct audience *to)
{
    welcome(conf, c, ms, to);
    if (to->ready < 0)
        return;
    ssize_t n = write(to->ready, "ok", 2);
    (void)n;
    close(to->ready);
    close(to->out);
    close(to->err);
    *to = (struct audience){STDOUT_FILENO, STDERR_FILENO, -1};
}

/* A thread's heap is writable as a whole from the start, not page by page: an mprotect() for each 4 KiB of new objects,
 * which stops the other threads' page faults, was a twentieth of a create. Memory never touched costs nothing. */
static void heap_at_once(void)
{
    mallopt(M_TOP_PAD, 64 * 1024 * 1024);
}

static int serve(const struct up_conf *conf, struct audience *to, struct err *e)
{
    struct cluster *c;
    int64_t began = clock_mono_ms(clock_real());
    heap_at_once();
    log_set_level(conf->verbose ? LOG_LEVEL_DEBUG : conf->quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN);
    if (cluster_open(conf, &c, e) < 0)
        return -1;
    announce(conf, c, clock_mono_ms(clock_real()) - began, to);
    int rc = cluster_wait(c, e);
    if (rc == 0 && !conf->quiet && !conf->detach)
        fprintf(stderr, "\nstowage: stopping\n");
    cluster_close(c);
    return rc;
}

/* Standard streams become the log; the user's come back as copies that no program we execute inherits. */
static struct audience leave_terminal(const struct up_conf *conf, int ready_fd)
{
    struct err later = ERR_INIT;
    _auto_free_ char *dir = datadir_name(conf->data_dir, conf->ephemeral);
    _auto_free_ char *log = xasprintf("%s/stowage.log", dir);
    struct audience to = {fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), ready_fd};
    datadir_make(dir, &later); /* the start itself says so if this fails */
    _auto_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    _auto_close_ int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    setsid();
    dup2(null, STDIN_FILENO);
    dup2(fd >= 0 ? fd : null, STDOUT_FILENO);
    dup2(fd >= 0 ? fd : null, STDERR_FILENO);
    return to;
}

/* The detached child. Never returns. */
static _Noreturn void run_detached(const struct up_conf *conf, int ready_fd)
{
    struct err e = ERR_INIT;
    struct audience to = leave_terminal(conf, ready_fd);
    if (serve(conf, &to, &e) == 0)
        _exit(0);
    if (to.ready >= 0)
        dprintf(to.ready, "%d %s", (int)e.code, e.msg);
    else
        log_line(LOG_LEVEL_ERROR, "stowage", "%s", e.msg);
    _exit(err_exit_code(e.code));
}

static int wait_ready(int fd, struct err *e)
{
    char text[1200];
    size_t got = 0;
    ssize_t n;
    while (got < sizeof text - 1 && (n = read(fd, text + got, sizeof text - 1 - got)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    text[got] = '\0';
    if (str_eq(text, "ok"))
        return 0;
    char *end;
    long code = strtol(text, &end, 10);
    return err_set(e, code > 0 && code < ERR_MAX ? (enum err_code)code : ERR_INTERNAL, "%s",
                   *end == ' ' ? end + 1 : "the cluster ended while it started");
}

static int detach(const struct up_conf *conf, struct err *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        return err_sys(e, errno, "fork");
    if (pid == 0) {
        close(fds[0]);
        run_detached(conf, fds[1]);
    }
    close(fds[1]);
    int rc = wait_ready(fds[0], e);
    close(fds[0]);
    return rc;
}

int app_up(const struct up_conf *conf, struct err *e)
{
    struct audience to = {STDOUT_FILENO, STDERR_FILENO, -1};
    return conf->detach ? detach(conf, e) : serve(conf, &to, e);
}

/* up.c - `stowage up`: in the foreground with a word of welcome, or detached.
 *
 * DESIGN: --detach forks first, while nothing exists yet; the parent waits on a pipe for one line from the child, "ok"
 * or the error, so its exit code and message are those of the start. The child's later words go to <data>/stowage.log.
 */
#include "app/up.h"

#include "app/cluster.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void welcome(const struct up_conf *conf, const struct cluster *c, int64_t ms)
{
    if (*cluster_simulated(c))
        fprintf(stderr, "stowage: pods and disks are simulated: %s\n", cluster_simulated(c));
    if (conf->quiet)
        return;
    printf("Cluster ready at %s in %d ms: %d node%s, profile %s, data in %s\n\n  export KUBECONFIG=%s\n\n",
           cluster_url(c), (int)ms, conf->nodes, conf->nodes == 1 ? "" : "s", conf->profile,
           conf->ephemeral ? "memory and a temporary directory" : conf->data_dir, cluster_kubeconfig(c));
    if (!conf->detach)
        printf("Then, in another terminal: kubectl get nodes. Ctrl-C stops the cluster%s.\n",
               conf->ephemeral ? "" : "; everything is kept");
    fflush(stdout);
}

static int serve(const struct up_conf *conf, int ready_fd, struct err *e)
{
    struct cluster *c;
    int64_t began = clock_mono_ms(clock_real());
    log_set_level(conf->verbose ? LOG_LEVEL_DEBUG : conf->quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN);
    if (cluster_open(conf, &c, e) < 0)
        return -1;
    welcome(conf, c, clock_mono_ms(clock_real()) - began);
    if (ready_fd >= 0) {
        ssize_t n = write(ready_fd, "ok", 2);
        (void)n;
        close(ready_fd);
        dup2(STDERR_FILENO, STDOUT_FILENO); /* let go of the terminal: a caller may wait for its end */
    }
    int rc = cluster_wait(c, e);
    if (!conf->quiet && !conf->detach)
        fprintf(stderr, "\nstowage: stopping\n");
    cluster_close(c);
    return rc;
}

/* The detached child: its standard streams become the log. Never returns. */
static _Noreturn void run_detached(const struct up_conf *conf, int ready_fd)
{
    struct err e = ERR_INIT;
    _auto_free_ char *log = xasprintf("%s/stowage.log", conf->data_dir);
    setsid();
    mkdir(conf->data_dir, 0755);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
    if (serve(conf, ready_fd, &e) < 0) {
        dprintf(ready_fd, "%d %s", (int)e.code, e.msg);
        _exit(err_exit_code(e.code));
    }
    _exit(0);
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
    return conf->detach ? detach(conf, e) : serve(conf, -1, e);
}

/* jail.c - see jail.h: the owner's side.
 *
 *     owner ──fork──► keeper ──clone──► first process (PID 1 of the jail's namespaces) ──fork──► bash …
 *       └──fork──► relay                        ▲
 *       └───────────── channel ─────────────────┘
 *
 * DESIGN: the keeper enters the control group and, without root, a user namespace, which the owner must not; it only
 * waits. Each has SIGKILL as the signal of its parent's death, so nothing outlives the owner, however he ends. Output
 * comes in pipes that are read all the time and kept up to a bound; the exit code comes on the channel, after
 * everything in the jail is dead, so what is in the pipes then is all. */
#include "sys/jail.h"

#include "sys/cgroup_int.h"
#include "sys/chan.h"
#include "sys/crowd.h"
#include "sys/jail_int.h"
#include "sys/machine.h"
#include "sys/proc_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUP      "jail"
#define API_GROUP  "api"
#define GRACE_MS   20000 /* for the end of what was told to end */
#define FIRST_UID  0x40000000u
#define LOOK_MS    250
#define IDLE_SHARE 50      /* a cluster that uses less than a 50th of a processor has nothing to do */
#define FLOOD_NS   1000000 /* a pause for each piece of output that is not kept, */
#define FLOOD_STEP 16      /* longer by one after so many of them, */
#define FLOOD_MOST 20      /* so many times as long in the end */

struct jail {
    pid_t keeper, relay; /* 0: none */
    int sock;
    int64_t cpu_ms; /* may be used in all; 0: no bound */
    struct cgroups groups;
};

static int64_t now_ms(void)
{
    return clock_mono_ms(clock_real());
}

static void end_process(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* The keeper's end is the first process's, and that one's end closes the channel, once all in the jail are gone. */
void jail_close(struct jail *j)
{
    if (!j)
        return;
    end_process(j->relay);
    end_process(j->keeper);
    if (j->sock >= 0) {
        struct pollfd p = {j->sock, 0, 0};
        poll(&p, 1, GRACE_MS);
        close(j->sock);
    }
    cgroups_remove(&j->groups, GROUP);
    cgroups_release(&j->groups);
    free(j);
}

/* ---- limits ---- */

static void put_number(const struct cgroups *c, int dir, const char *group, const char *v1, const char *v2, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    if (dir >= 0 && n > 0)
        cgroup_put(dir, group, c->v2 ? v2 : v1, text);
}

static void make_group(struct jail *j, const struct jail_conf *conf)
{
    if (!conf->cluster)
        return;
    _auto_free_ char *name = cgroup_cluster_name(conf->cluster);
    const struct cgroup_limits limits = {
        .container = true, .memory_bytes = conf->memory_bytes + conf->disk_bytes, .cpu_request_milli = 100};
    cgroups_open(&j->groups, name);
    cgroups_make(&j->groups, GROUP, &limits);
    put_number(&j->groups, j->groups.pids, GROUP, "pids.max", "pids.max", conf->pids);
}

/* The kernel shall find others first when the cluster's memory is used up. */
static void spare(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
    _auto_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "-500", 4) < 0)
        return; /* not root: it is one among others */
}

/* A number in one tree of v2 counts for all controllers; in v1 each has its own. */
static void take_in(const struct cgroups *c, pid_t pid)
{
    const int dirs[] = {c->memory, c->pids, c->account};
    char text[16];
    snprintf(text, sizeof text, "%d", (int)pid);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (dirs[i] >= 0 && (i == 0 || dirs[i] != dirs[i - 1])) {
            mkdirat(dirs[i], API_GROUP, 0755);
            cgroup_put(dirs[i], API_GROUP, "cgroup.procs", text);
        }
    spare(pid);
}

void jail_bound_cluster(const struct jail_cluster *cluster)
{
    struct cgroups c;
    _auto_free_ char *name = cgroup_cluster_name(cluster->data_dir);
    cgroups_open(&c, name);
    put_number(&c, c.memory, "", "memory.limit_in_bytes", "memory.max", cluster->memory_bytes);
    for (const char *const *node = cluster->nodes; *node; node++)
        put_number(&c, c.pids, *node, "pids.max", "pids.max", cluster->pids);
    if (cluster->api > 0)
        take_in(&c, cluster->api);
    cgroups_release(&c);
}

/* ---- starting ---- */

static _Noreturn void keep(const struct jail *j, const struct jail_conf *conf, int sock)
{
    struct err e = ERR_INIT;
    struct jail_boot boot = {.conf = conf, .sock = sock, .group_limits = j->groups.memory >= 0 && j->groups.count};
    /* As root an id that nobody has, and each jail another: the kernel counts processes by user. */
    boot.user = geteuid() == 0 ? FIRST_UID + (uid_t)getpid() : 1000;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    proc_reset_signals();
    if (j->groups.count)
        cgroups_enter(&j->groups, GROUP);
    proc_keep_fds(&sock, 1); /* none of the owner's: a pipe whose end somebody waits for */
    if (machine_enter_userns(&e) < 0) {
        _auto_buf_ struct buf text = BUF_INIT;
        buf_adds(&text, e.msg);
        chan_send(sock, 0, JAIL_FAILED, &text, NULL, 0, &e);
        _exit(1);
    }
    const pid_t pid =
        proc_clone(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);
    if (pid == 0)
        jail_inside(&boot);
    close(sock);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    _exit(0);
}

static int start_relay(struct jail *j, int listener, int port, struct err *e)
{
    j->relay = fork();
    if (j->relay == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        proc_reset_signals();
        jail_relay(listener, port);
    }
    return j->relay < 0 ? err_sys(e, errno, "fork") : 0;
}

/* The next message, whatever it is; an error becomes `e`. */
static int take(struct jail *j, struct msg *out, struct err *e)
{
    if (chan_recv(j->sock, out) != 1)
        return err_set(e, ERR_UNAVAILABLE, "the jail has ended");
    if (out->kind == JAIL_FAILED)
        return err_set(e, ERR_SYS, "%s", buf_str(&out->body));
    return 0;
}

int jail_open(const struct jail_conf *conf, struct jail **out, struct err *e)
{
    int pair[2];
    _auto_msg_ struct msg ready = MSG_INIT;
    if (chan_pair(pair, e) < 0)
        return -1;
    struct jail *j = xcalloc(1, sizeof *j);
    j->sock = pair[0];
    j->cpu_ms = conf->cpu_ms;
    make_group(j, conf);
    j->keeper = fork();
    if (j->keeper == 0)
        keep(j, conf, pair[1]);
    close(pair[1]);
    int rc = j->keeper < 0 ? err_sys(e, errno, "fork") : take(j, &ready, e);
    _auto_close_ int listener = rc == 0 ? msg_take_fd(&ready, 0) : -1;
    if (rc == 0 && conf->port)
        rc = start_relay(j, listener, conf->port, e);
    if (rc < 0) {
        jail_close(j);
        return err_wrap(e, "jail");
    }
    *out = j;
    return 0;
}

/* ---- files and scripts ---- */

int jail_put(struct jail *j, const char *path, const void *data, size_t len, struct err *e)
{
    _auto_buf_ struct buf body = BUF_INIT;
    _auto_msg_ struct msg done = MSG_INIT;
    buf_add(&body, path, strlen(path) + 1);
    buf_add(&body, data, len);
    if (chan_send(j->sock, 0, JAIL_PUT, &body, NULL, 0, e) < 0)
        return -1;
    return take(j, &done, e);
}

struct stream {
    int fd;        /* -1: closed */
    unsigned lost; /* pieces that were not kept */
};
struct streams {
    struct stream out, err;
};

/* Who writes without end waits for us, and longer and longer: it shall cost others nothing. */
static void rest_from_flood(struct stream *s)
{
    const unsigned times = 1 + s->lost++ / FLOOD_STEP;
    nanosleep(&(struct timespec){0, FLOOD_NS * (times < FLOOD_MOST ? times : FLOOD_MOST)}, NULL);
}

static void read_some(struct stream *s, struct buf *to)
{
    char piece[16384];
    const ssize_t n = read(s->fd, piece, sizeof piece);
    if (n > 0) {
        const size_t room = to->len < JAIL_OUTPUT_MAX ? JAIL_OUTPUT_MAX - to->len : 0;
        buf_add(to, piece, (size_t)n < room ? (size_t)n : room);
        if (room == 0)
            rest_from_flood(s);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        close(s->fd);
        s->fd = -1;
    }
}

/* ---- a script's time ---- */

struct allowance {
    int64_t began, looked, cluster_ns; /* when; what all of the cluster had used then; -1: not known */
    int64_t timeout_ms, spent_ms;
    int64_t cpu_ms; /* may be used; 0: no bound */
};

static int64_t used_ns(const struct jail *j, const char *group)
{
    return j->groups.count ? cgroups_use(&j->groups, group).cpu_ns : -1;
}

static void begin_time(const struct jail *j, int64_t timeout_ms, int64_t cpu_ms, struct allowance *a)
{
    const int64_t now = now_ms();
    *a = (struct allowance){
        .began = now, .looked = now, .cluster_ns = used_ns(j, "."), .timeout_ms = timeout_ms, .cpu_ms = cpu_ms};
}

static void count_time(const struct jail *j, struct allowance *a)
{
    const int64_t now = now_ms(), passed = now - a->looked, ns = used_ns(j, ".");
    const bool idle = ns >= 0 && a->cluster_ns >= 0 && (ns - a->cluster_ns) * IDLE_SHARE < passed * 1000000;
    a->spent_ms += idle ? passed : crowd_share(passed);
    a->looked = now;
    a->cluster_ns = ns;
}

/* Is it enough? Looks now and then. */
static enum jail_cut look_at_time(const struct jail *j, struct allowance *a)
{
    if (now_ms() - a->looked < LOOK_MS)
        return JAIL_IN_TIME;
    count_time(j, a);
    if (a->spent_ms >= a->timeout_ms || a->looked - a->began >= a->timeout_ms * JAIL_STRETCH)
        return JAIL_LATE;
    return a->cpu_ms && used_ns(j, GROUP) / 1000000 > a->cpu_ms ? JAIL_SPENT : JAIL_IN_TIME;
}

/* Until the channel has something to say; else why it is enough. */
static enum jail_cut attend(struct jail *j, struct streams *s, struct jail_end *end, struct allowance *a)
{
    for (;;) {
        struct pollfd p[] = {{s->out.fd, POLLIN, 0}, {s->err.fd, POLLIN, 0}, {j->sock, POLLIN, 0}};
        const int n = poll(p, ARRAY_LEN(p), LOOK_MS);
        const enum jail_cut cut = look_at_time(j, a);
        if (n < 0 && errno != EINTR)
            return JAIL_LATE;
        if (cut != JAIL_IN_TIME && (n <= 0 || !p[2].revents))
            return cut;
        if (n <= 0)
            continue;
        if (p[0].revents)
            read_some(&s->out, &end->out);
        if (p[1].revents)
            read_some(&s->err, &end->err);
        if (p[2].revents)
            return JAIL_IN_TIME;
    }
}

/* Everybody who could write is dead: what is in the pipes is all. */
static void drain(struct streams *s, struct jail_end *end)
{
    while (s->out.fd >= 0)
        read_some(&s->out, &end->out);
    while (s->err.fd >= 0)
        read_some(&s->err, &end->err);
}

static int await(struct jail *j, struct streams *s, int64_t timeout_ms, struct jail_end *end, struct err *e)
{
    _auto_msg_ struct msg done = MSG_INIT;
    struct allowance time, grace;
    begin_time(j, timeout_ms, j->cpu_ms, &time);
    end->cut = attend(j, s, end, &time);
    count_time(j, &time);
    end->ms = time.spent_ms;
    begin_time(j, GRACE_MS, 0, &grace);
    if (end->cut != JAIL_IN_TIME &&
        (chan_send(j->sock, 0, JAIL_STOP, NULL, NULL, 0, e) < 0 || attend(j, s, end, &grace) == JAIL_LATE))
        return err_set(e, ERR_UNAVAILABLE, "what runs in the jail could not be ended");
    if (take(j, &done, e) < 0)
        return -1;
    end->code = end->cut != JAIL_IN_TIME ? 124 : (int)strtol(buf_str(&done.body), NULL, 10);
    return 0;
}

void jail_end_release(struct jail_end *end)
{
    buf_release(&end->out);
    buf_release(&end->err);
}

int jail_run(struct jail *j, const char *script, const char *const *env, int64_t timeout_ms, struct jail_end *out,
             struct err *e)
{
    _auto_buf_ struct buf body = BUF_INIT;
    struct jail_end end = {0};
    int pipes[2][2];
    for (; env && *env; env++)
        buf_add(&body, *env, strlen(*env) + 1);
    buf_addc(&body, '\0');
    buf_adds(&body, script);
    if (pipe2(pipes[0], O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    if (pipe2(pipes[1], O_CLOEXEC) < 0) {
        close(pipes[0][0]);
        close(pipes[0][1]);
        return err_sys(e, errno, "pipe");
    }
    const int theirs[] = {pipes[0][1], pipes[1][1]};
    struct streams s = {{pipes[0][0], 0}, {pipes[1][0], 0}};
    int rc = chan_send(j->sock, 0, JAIL_RUN, &body, theirs, 2, e);
    close(theirs[0]);
    close(theirs[1]);
    rc = rc < 0 ? -1 : await(j, &s, timeout_ms, &end, e);
    if (rc == 0)
        drain(&s, &end);
    const int left[] = {s.out.fd, s.err.fd};
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        if (left[i] >= 0)
            close(left[i]);
    if (rc < 0)
        jail_end_release(&end);
    else
        *out = end;
    return rc;
}

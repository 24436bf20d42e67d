/* harness.h - for tests of the real machine: starts one with two nodes and a tiny busybox image, runs commands, looks
 * for leaks. A header with its code, because each test program is one file. */
#ifndef STOWAGE_TESTS_KERNEL_HARNESS_H
#define STOWAGE_TESTS_KERNEL_HARNESS_H

#include "base/mem.h"
#include "base/str.h"
#include "sys/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char data_dir[] = "/tmp/stowage-test-XXXXXX";
static char layer_dir[256];
static struct machine *harness_machine;
static struct err harness_err;

#define ok(call)                                                                                                       \
    do {                                                                                                               \
        struct err *err_ = &harness_err;                                                                               \
        (void)err_;                                                                                                    \
        if ((call) < 0)                                                                                                \
            fail_msg("%s: %s", #call, e.msg);                                                                          \
    } while (0)

/* Waits until it holds: a busy machine may take a minute over anything. */
#define await(condition)                                                                                               \
    do {                                                                                                               \
        for (int tries_ = 0; !(condition); tries_++) {                                                                 \
            if (tries_ == 3000)                                                                                        \
                fail_msg("not within a minute: %s", #condition);                                                       \
            usleep(20000);                                                                                             \
        }                                                                                                              \
    } while (0)

/* Call first in main: becomes the helper, or skips. */
static inline void harness_main(int argc, char **argv)
{
    const int hidden = sys_hidden_main(argc, argv);
    if (hidden >= 0)
        exit(hidden);
    if (geteuid() != 0) {
        printf("skipped: needs root\n");
        exit(77);
    }
    struct machine_info info;
    machine_probe(&info);
    const unsigned need = CAP_MOUNT | CAP_LOOP | CAP_OVERLAY | CAP_NETNS | CAP_MKFS_EXT4;
    if ((info.caps & need) != need) {
        printf("skipped: %s\n", info.why);
        exit(77);
    }
    if (access("/bin/busybox", X_OK) < 0) {
        printf("skipped: needs /bin/busybox\n");
        exit(77);
    }
}

/* ---- exits ---- */

static struct {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    struct exit_info seen[64];
    unsigned count;
} exits = {.mu = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static inline void harness_on_exit(void *arg, const struct exit_info *info)
{
    (void)arg;
    pthread_mutex_lock(&exits.mu);
    exits.seen[exits.count++ % 64] = *info;
    pthread_cond_broadcast(&exits.cond);
    pthread_mutex_unlock(&exits.mu);
}

static struct exit_info last_exit; /* of the last wait_exit() */

static inline int wait_exit(const char *id)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&exits.mu);
    int code = -1;
    while (code < 0) {
        for (unsigned i = 0; i < exits.count && i < 64; i++)
            if (str_eq(exits.seen[i].id, id))
                code = exits.seen[i].code, last_exit = exits.seen[i];
        if (code < 0 && pthread_cond_timedwait(&exits.cond, &exits.mu, &until) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&exits.mu);
    return code;
}

/* ---- running ---- */

/* Reads a session to its end (output of both streams, or why it could not start); returns its exit code. */
static inline int finish(struct stream_fds *fds, char *out, size_t size)
{
    struct pollfd p[3] = {{fds->out, POLLIN, 0}, {fds->err, POLLIN, 0}, {fds->out < 0 ? fds->in : -1, POLLIN, 0}};
    size_t len = 0;
    while (p[0].fd >= 0 || p[1].fd >= 0 || p[2].fd >= 0) {
        if (poll(p, 3, 120000) <= 0)
            break;
        for (int i = 0; i < 3; i++) {
            char chunk[4096];
            if (p[i].fd < 0 || !p[i].revents)
                continue;
            const ssize_t n = read(p[i].fd, chunk, sizeof chunk);
            if (n <= 0)
                p[i].fd = -1;
            for (ssize_t k = 0; k < n && len + 1 < size; k++)
                out[len++] = chunk[k];
        }
    }
    out[len] = '\0';
    struct {
        int32_t code;
        char message[252];
    } result = {.code = -1};
    if (read(fds->exit_fd, &result, sizeof result) != sizeof result)
        result.code = -1;
    if (result.message[0])
        snprintf(out, size, "%s", result.message);
    const int all[] = {fds->in, fds->out, fds->err, fds->exit_fd};
    for (int i = 0; i < 4; i++)
        if (all[i] >= 0)
            close(all[i]);
    return result.code;
}

static inline int run_in(const char *node, const char *id, const char *script, char *out, size_t size)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct exec_spec x = {.node = node, .id = id, .argv = argv};
    struct stream_fds fds;
    struct err e = ERR_INIT;
    if (harness_machine->ops->exec(harness_machine, &x, &fds, &e) < 0)
        fail_msg("exec: %s", e.msg);
    return finish(&fds, out, size);
}

static inline int node_run(const char *node, const char *script, char *out, size_t size)
{
    return run_in(node, "", script, out, size);
}

static inline int container_run(const char *id, const char *script, char *out, size_t size)
{
    return run_in("worker-1", id, script, out, size);
}

static const char *container_layers[2];
static const char *const container_env[] = {"PATH=/bin", NULL};

static inline struct container_spec container(const char *pod, const char *id, const char *script)
{
    static char text[4][8][256];
    static unsigned next;
    const unsigned k = next++ % 8;
    snprintf(text[0][k], sizeof text[0][k], "%s", script);
    snprintf(text[1][k], sizeof text[1][k], "/var/lib/containers/%s", id);
    snprintf(text[2][k], sizeof text[2][k], "/var/log/pods/%s.log", id);
    static const char *vector[8][4];
    vector[k][0] = "sh";
    vector[k][1] = "-c";
    vector[k][2] = text[0][k];
    return (struct container_spec){
        .node = "worker-1",
        .sandbox = pod,
        .id = id,
        .layers = container_layers,
        .rootfs_dir = text[1][k],
        .log_path = text[2][k],
        .argv = vector[k],
        .env = container_env,
        .cwd = "/",
    };
}

/* ---- the cluster ---- */

static inline int shell(const char *script)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static inline void make_layer(void)
{
    snprintf(layer_dir, sizeof layer_dir, "%s/images/layers/test", data_dir);
    container_layers[0] = layer_dir;
    _auto_free_ char *script = xasprintf("mkdir -p %s/bin %s/etc %s/tmp && cp /bin/busybox %s/bin/ && cd %s/bin && "
                                         "for a in $(./busybox --list); do ln -s busybox $a 2>/dev/null || :; done",
                                         layer_dir, layer_dir, layer_dir, layer_dir, layer_dir);
    if (shell(script) != 0)
        fail_msg("cannot make a layer");
}

static inline struct machine *harness_open(void)
{
    struct err e = ERR_INIT;
    if (machine_open_real("/proc/self/exe", data_dir, &harness_machine, &e) < 0)
        fail_msg("%s", e.msg);
    return harness_machine;
}

static inline struct machine *harness_start(void)
{
    struct err e = ERR_INIT;
    if (!mkdtemp(data_dir))
        return NULL;
    make_layer();
    struct machine *m = harness_open();
    m->ops->on_exit(m, harness_on_exit, NULL);
    ok(m->ops->node_start(m, &(struct node_spec){"worker-1", 0, INT64_C(4) << 30}, &e));
    ok(m->ops->node_start(m, &(struct node_spec){"worker-2", 1, INT64_C(4) << 30}, &e));
    return m;
}

static inline void harness_end(void)
{
    _auto_free_ char *cmd = xasprintf("rm -rf %s", data_dir);
    if (shell(cmd) != 0)
        fail_msg("rm");
}

/* ---- leaks ---- */

/* Loop devices whose file is below `dir`. */
static inline int loops_of(const char *dir)
{
    int count = 0;
    DIR *d = opendir("/sys/block");
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        char path[512], text[512] = "";
        snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", entry->d_name);
        _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, text, sizeof text - 1) > 0 && str_starts(text, dir))
            count++;
    }
    if (d)
        closedir(d);
    return count;
}

/* Mounts of this (the machine's) namespace that name `dir`. */
static inline int mounts_of(const char *dir)
{
    int count = 0;
    char line[4096];
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f && fgets(line, sizeof line, f))
        count += strstr(line, dir) != NULL;
    if (f)
        fclose(f);
    return count;
}

#endif

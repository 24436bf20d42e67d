/* Nothing is left, whoever dies and when: a cluster at work is killed (API process, helper, a node) at random moments,
 * again and again on the same data directory; afterwards there is no process, mount or loop device of it, and it starts
 * again. */
#include "kernel/sys/harness.h"

#include <signal.h>
#include <sys/wait.h>

static struct err e;

#define ROUNDS 50

/* ---- the victim: a process that works until it is killed ---- */

static void work(struct machine *m)
{
    const struct fs_mount mount = {"worker-1", "/dev/xvdba", "/mnt/v", "ext4", "", false, true};
    const struct sandbox_spec pod = {.node = "worker-1", .id = "pod", .hostname = "pod", .ip = "10.244.0.9"};
    struct container_spec c = container("pod", "c", "while true; do date > /v/f; sleep 0.01; done");
    const struct mount_spec mounts[] = {{"/mnt/v", "/v", false, false}};
    c.mounts = mounts;
    c.mount_count = 1;
    m->ops->disk_create(m, "vol", INT64_C(1) << 30, &e);
    m->ops->disk_attach(m, "vol", "worker-1", "/dev/xvdba", false, &e);
    m->ops->fs_mount(m, &mount, &e);
    m->ops->sandbox_start(m, &pod, &e);
    m->ops->container_start(m, &c, NULL, &e);
    char out[64];
    for (;;) {
        const char *const argv[] = {"cat", "/v/f", NULL};
        const struct exec_spec x = {.node = "worker-1", .id = "c", .argv = argv};
        struct stream_fds fds;
        if (m->ops->exec(m, &x, &fds, &e) == 0)
            finish(&fds, out, sizeof out);
        else
            usleep(10000);
    }
}

static _Noreturn void victim(void)
{
    struct machine *m = NULL;
    setpgid(0, 0);
    if (machine_open_real("/proc/self/exe", data_dir, &m, &e) < 0)
        _exit(1);
    harness_machine = m;
    if (m->ops->node_start(m, &(struct node_spec){"worker-1", 0, INT64_C(1) << 30}, &e) == 0 &&
        m->ops->node_start(m, &(struct node_spec){"worker-2", 1, INT64_C(1) << 30}, &e) == 0)
        work(m);
    for (;;)
        pause();
}

/* ---- its family ---- */

static int parent_of(int pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return -1;
    const char *after = strrchr(text, ')');
    int parent = -1;
    char state;
    return after && sscanf(after + 1, " %c %d", &state, &parent) == 2 && state != 'Z' ? parent : -1;
}

/* All living descendants of `root`. */
static size_t family(int root, int *out, size_t max)
{
    size_t n = 0;
    out[n++] = root;
    for (size_t i = 0; i < n; i++) {
        DIR *d = opendir("/proc");
        for (const struct dirent *entry; (entry = readdir(d));) {
            const int pid = (int)strtol(entry->d_name, NULL, 10);
            if (pid > 0 && n < max && parent_of(pid) == out[i])
                out[n++] = pid;
        }
        closedir(d);
    }
    return n;
}

static bool all_gone(const int *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (parent_of(pids[i]) >= 0)
            return false;
    return true;
}

static void wait_nothing_left(const int *pids, size_t count)
{
    await(all_gone(pids, count));
    await(loops_of(data_dir) == 0);
    await(mounts_of(data_dir) == 0);
}

static void nothing_is_left(void **state)
{
    (void)state;
    srand((unsigned)time(NULL));
    for (int round = 0; round < ROUNDS; round++) {
        int pids[64];
        const pid_t api = fork();
        if (api == 0)
            victim();
        usleep((unsigned)(rand() % 250) * 1000);
        const size_t count = family(api, pids, ARRAY_LEN(pids));
        const int target = pids[(size_t)rand() % (count < 4 ? count : 4)];
        kill(target, SIGKILL);
        usleep((unsigned)(rand() % 20) * 1000);
        kill(api, SIGKILL);
        waitpid(api, NULL, 0);
        wait_nothing_left(pids, count);
    }
}

/* ---- who is told ---- */

static pthread_mutex_t death_mu = PTHREAD_MUTEX_INITIALIZER;
static char deaths[256];

static void on_death(void *arg, const char *node)
{
    (void)arg;
    pthread_mutex_lock(&death_mu);
    const size_t n = strlen(deaths);
    snprintf(deaths + n, sizeof deaths - n, "[%s]", node);
    pthread_mutex_unlock(&death_mu);
}

static bool was_told(const char *text)
{
    pthread_mutex_lock(&death_mu);
    bool told = strstr(deaths, text) != NULL;
    pthread_mutex_unlock(&death_mu);
    return told;
}

static int find_child(int parent, const char *title)
{
    int pids[64];
    const size_t count = family(parent, pids, ARRAY_LEN(pids));
    for (size_t i = 0; i < count; i++) {
        char path[64], text[128] = "";
        snprintf(path, sizeof path, "/proc/%d/cmdline", pids[i]);
        _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, text, sizeof text - 1) > 0 && str_starts(text, title))
            return pids[i];
    }
    return -1;
}

static void deaths_are_told_and_calls_end(void **state)
{
    (void)state;
    struct machine *m = harness_open();
    m->ops->on_death(m, on_death, NULL);
    ok(m->ops->node_start(m, &(struct node_spec){"worker-1", 0, INT64_C(1) << 30}, &e));
    ok(m->ops->node_start(m, &(struct node_spec){"worker-2", 1, INT64_C(1) << 30}, &e));
    const int node = find_child(getpid(), "stowage node worker-1");
    assert_true(node > 0);
    kill(node, SIGKILL);
    await(was_told("[worker-1]"));
    assert_int_equal(m->ops->mkdir_p(m, "worker-1", "/x", 0755, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    ok(m->ops->mkdir_p(m, "worker-2", "/x", 0755, &e));
    ok(m->ops->node_start(m, &(struct node_spec){"worker-1", 0, INT64_C(1) << 30}, &e));
    ok(m->ops->mkdir_p(m, "worker-1", "/x", 0755, &e));
    const int helper = find_child(getpid(), "stowage node helper");
    assert_true(helper > 0);
    kill(helper, SIGKILL);
    await(was_told("[]"));
    assert_int_equal(m->ops->disk_create(m, "x", 1 << 20, &e), -1);
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    m->ops->close(m);
    await(loops_of(data_dir) == 0);
}

static int start(void **state)
{
    (void)state;
    if (!mkdtemp(data_dir))
        return -1;
    make_layer();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(deaths_are_told_and_calls_end),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

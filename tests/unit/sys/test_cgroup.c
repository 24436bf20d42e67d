/* Control groups of version 2, as files: what is written for a container, and what is read back. A directory stands for
 * the kernel's tree; on a machine with that tree the kernel tests do the same for real. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup_int.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define ID "c1"

struct tree {
    char dir[64];
    struct cgroups groups;
};

/* The files of a group, as the kernel would have made them. */
static const char *const files[] = {
    "memory.max", "memory.swap.max", "memory.oom.group", "memory.current", "memory.stat", "memory.events", "cpu.max",
    "cpu.weight", "cpu.stat",        "pids.max",         "pids.current",   "cgroup.kill", "cgroup.procs"};

static void put(struct tree *t, const char *file, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/" ID "/%s", t->dir, file);
    _auto_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static const char *read_back(struct tree *t, const char *file)
{
    static char out[256];
    char path[128];
    snprintf(path, sizeof path, "%s/" ID "/%s", t->dir, file);
    _auto_close_ int fd = open(path, O_RDONLY);
    const ssize_t n = fd < 0 ? 0 : read(fd, out, sizeof out - 1);
    out[n > 0 ? n : 0] = '\0';
    return out;
}

static int setup(void **state)
{
    struct tree *t = xcalloc(1, sizeof *t);
    char group[128];
    snprintf(t->dir, sizeof t->dir, "/tmp/cgroup-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(group, sizeof group, "%s/" ID, t->dir);
    assert_int_equal(mkdir(group, 0755), 0);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        put(t, files[i], "");
    const int dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    t->groups =
        (struct cgroups){.v2 = true, .memory = dir, .cpu = dir, .pids = dir, .account = dir, .devices = -1, .count = 1};
    t->groups.trees[0] = (struct cgroup_tree){.dir = dir, .v2 = true, .name = "cgroup"};
    *state = t;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct tree *t = *state;
    cgroups_release(&t->groups);
    nftw(t->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(t);
    return 0;
}

static void test_limits(void **state)
{
    static const struct {
        struct cgroup_limits limits;
        const char *memory, *swap, *cpu, *weight;
    } rows[] = {
        {{true, 64 << 20, 250, 250}, "67108864", "0", "25000 100000", "10"}, /* 256 shares */
        {{true, 0, 1, 0}, "", "", "1000 100000", "1"},                       /* no less than 1 ms */
        {{true, 0, 0, 1000}, "", "", "", "39"},                              /* 1024 shares */
        {{true, INT64_C(8) << 30, 16000, 256000}, "8589934592", "0", "1600000 100000", "10000"},
        {{true, 0, INT64_MAX, INT64_MAX}, "", "", "", "10000"}, /* "9P" of processors */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tree *t = *state;
        for (size_t f = 0; f < ARRAY_LEN(files); f++)
            put(t, files[f], "");
        cgroups_limit(&t->groups, ID, &rows[i].limits);
        assert_string_equal(read_back(t, "memory.max"), rows[i].memory);
        assert_string_equal(read_back(t, "memory.swap.max"), rows[i].swap);
        assert_string_equal(read_back(t, "memory.oom.group"), "1");
        assert_string_equal(read_back(t, "cpu.max"), rows[i].cpu);
        assert_string_equal(read_back(t, "cpu.weight"), rows[i].weight);
        assert_string_equal(read_back(t, "pids.max"), "1024");
    }
}

/* The node's own group has none. */
static void test_no_limits(void **state)
{
    struct tree *t = *state;
    cgroups_limit(&t->groups, ID, &(struct cgroup_limits){0});
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        assert_string_equal(read_back(t, files[i]), "");
}

/* "oom_kill", not "oom": that only says that memory was short; nor "oom_group_kill". */
static void test_killed_for_memory(void **state)
{
    static const struct {
        const char *events;
        bool killed;
    } rows[] = {
        {"low 0\nhigh 0\nmax 12\noom 3\noom_kill 0\noom_group_kill 0\n", false},
        {"low 0\nhigh 0\nmax 12\noom 3\noom_kill 1\noom_group_kill 1\n", true},
        {"oom_kill 27\n", true},
        {"oom 5\n", false},
        {"xoom_kill 5\n", false},
        {"", false},
    };
    struct tree *t = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put(t, "memory.events", rows[i].events);
        if (cgroups_oom_killed(&t->groups, ID) != rows[i].killed)
            fail_msg("%s", rows[i].events);
    }
    assert_false(cgroups_oom_killed(&t->groups, "none"));
}

static void test_use(void **state)
{
    struct tree *t = *state;
    put(t, "cpu.stat", "usage_usec 1234567\nuser_usec 1\nsystem_usec 2\n");
    put(t, "memory.current", "1048576\n");
    put(t, "memory.stat", "anon 4096\nfile 8192\ninactive_anon 1\ninactive_file 48576\n");
    put(t, "pids.current", "7\n");
    struct container_use use = cgroups_use(&t->groups, ID);
    assert_int_equal(use.cpu_ns, 1234567000);
    assert_int_equal(use.memory, 1048576);
    assert_int_equal(use.working_set, 1000000);
    assert_int_equal(use.rss, 4096);
    assert_int_equal(use.pids, 7);
    put(t, "memory.stat", "anon 4096\ninactive_file 9999999\n"); /* counted a moment later */
    use = cgroups_use(&t->groups, ID);
    assert_int_equal(use.working_set, 0);
    use = cgroups_use(&t->groups, "none");
    assert_int_equal(use.memory, -1);
    assert_int_equal(use.cpu_ns, -1);
}

/* The whole group in one write; where the kernel has not got that, each of its processes. */
static void test_kill(void **state)
{
    struct tree *t = *state;
    char path[128], line[32];
    cgroups_kill(&t->groups, ID);
    assert_string_equal(read_back(t, "cgroup.kill"), "1");
    snprintf(path, sizeof path, "%s/" ID "/cgroup.kill", t->dir);
    assert_int_equal(unlink(path), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    snprintf(line, sizeof line, "0\n%d\n", (int)pid);
    put(t, "cgroup.procs", line);
    cgroups_kill(&t->groups, ID);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_for_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

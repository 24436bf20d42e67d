/* Control groups of several clusters on one machine: who starts removes what the dead left, and nothing of the living,
 * whose processes are in PID namespaces that it does not see into. */
#include "kernel/sys/harness.h"

#include "sys/cgroup_int.h"
#include "sys/proc_int.h"

#include <sched.h>
#include <signal.h>

#define CLUSTERS 8

static struct cgroups groups; /* of the cluster that is looked at */

static void name_of(int i, char out[64])
{
    snprintf(out, 64, "stowage-test-%d-%d", (int)getpid(), i);
}

/* A helper as far as control groups go: in a PID namespace of its own, until it is killed. */
static pid_t helper_start(const char *cluster)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    const pid_t pid = proc_clone(CLONE_NEWPID);
    assert_true(pid >= 0);
    if (pid == 0) {
        cgroup_enter_helper(cluster);
        if (write(ready[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void helper_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static size_t count_of(const char *group)
{
    size_t n = 0;
    for (size_t i = 0; i < groups.count; i++)
        n += faccessat(groups.trees[i].dir, group, F_OK, 0) == 0;
    return n;
}

static void only_the_dead_are_cleared_away(void **state)
{
    (void)state;
    char one[64], two[64];
    name_of(0, one);
    name_of(1, two);
    pid_t a = helper_start(one);
    cgroups_open(&groups, one);
    if (groups.count == 0) {
        helper_end(a);
        skip();
    }
    for (size_t i = 0; i < groups.count; i++) /* as a container's group is before its process is in it */
        mkdirat(groups.trees[i].dir, "starting", 0755);
    assert_int_equal(count_of("starting"), groups.count);

    pid_t b = helper_start(two);
    assert_int_equal(count_of("starting"), groups.count);
    assert_int_equal(count_of("helper"), groups.count);
    helper_end(b);
    helper_end(a);

    b = helper_start(two);
    assert_int_equal(count_of("starting"), 0);
    assert_int_equal(count_of("helper"), 0);
    helper_end(b);
    cgroups_release(&groups);
    cgroup_remove_tree(two);
}

/* Is the process in its cluster's group in every tree? The lines: "4:memory:/stowage-x/helper". */
static bool is_in(pid_t pid, const char *cluster)
{
    char path[64], line[512];
    size_t found = 0;
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    _auto_file_ FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        found += strstr(line, cluster) != NULL;
    return found == groups.count;
}

static void many_may_start_at_once(void **state)
{
    (void)state;
    pid_t pids[CLUSTERS];
    char name[CLUSTERS][64];
    int go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    for (int i = 0; i < CLUSTERS; i++) {
        name_of(i, name[i]);
        pids[i] = proc_clone(CLONE_NEWPID);
        if (pids[i] == 0) {
            char byte;
            close(go[1]);
            if (read(go[0], &byte, 1) == 0)
                cgroup_enter_helper(name[i]);
            for (;;)
                pause();
        }
    }
    close(go[0]);
    close(go[1]);
    cgroups_open(&groups, name[0]);
    for (int i = 0; i < CLUSTERS; i++)
        await(is_in(pids[i], name[i]));
    cgroups_release(&groups);
    for (int i = 0; i < CLUSTERS; i++) {
        helper_end(pids[i]);
        cgroup_remove_tree(name[i]);
    }
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_dead_are_cleared_away),
        cmocka_unit_test(many_may_start_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Execs on the real machine: hundreds at a time in one container, and sessions whose other side goes away: whatever
 * happens, no process of them stays. */
#include "kernel/sys/harness.h"

#include <sys/resource.h>

#define AT_A_TIME 300 /* a thousand do as well, and take minutes with sanitizers */

static const struct sandbox_spec pod = {.node = "worker-1", .id = "pod-e", .hostname = "e", .ip = "10.244.0.9"};

static int setup(void **state)
{
    struct machine *m = harness_start();
    struct err e = ERR_INIT;
    pid_t pid;
    if (!m)
        return -1;
    const struct container_spec c = container("pod-e", "execs", "exec sleep 100000");
    ok(m->ops->sandbox_start(m, &pod, &e));
    ok(m->ops->container_start(m, &c, &pid, &e));
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    m->ops->close(m);
    harness_end();
    return 0;
}

/* Processes of the container: its program, and those that count them. Its program waits for nobody, so the dead that
 * lost their parent stay as zombies, as anywhere. */
static int processes(void)
{
    char out[64];
    assert_int_equal(
        container_run("execs", "grep -h ^State: /proc/[0-9]*/status 2>/dev/null | grep -vc Z", out, sizeof out), 0);
    return (int)strtol(out, NULL, 10);
}

static void close_session(struct stream_fds *fds)
{
    const int all[] = {fds->in, fds->out, fds->err, fds->exit_fd};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] >= 0)
            close(all[i]);
}

static void begin(struct machine *m, const char *script, struct stream_fds *fds)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct exec_spec x = {.node = "worker-1", .id = "execs", .argv = argv, .want_stdin = true};
    struct err e = ERR_INIT;
    ok(m->ops->exec(m, &x, fds, &e));
}

static void hundreds_at_a_time(void **state)
{
    struct machine *m = *state;
    static struct stream_fds sessions[AT_A_TIME];
    const int before = processes();
    for (int i = 0; i < AT_A_TIME; i++)
        begin(m, "read line; echo $line; exit 3", &sessions[i]);
    assert_true(processes() >= AT_A_TIME);
    for (int i = 0; i < AT_A_TIME; i++) {
        char out[64];
        assert_int_equal(write(sessions[i].in, "hello\n", 6), 6);
        assert_int_equal(finish(&sessions[i], out, sizeof out), 3);
        assert_string_equal(out, "hello\n");
    }
    await(processes() <= before);
}

static void cut_sessions_leave_nothing(void **state)
{
    struct machine *m = *state;
    struct stream_fds sessions[20];
    const int before = processes();
    for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
        begin(m, i % 2 ? "trap '' HUP TERM INT PIPE; sleep 1000; sleep 1000" : "exec sleep 1000", &sessions[i]);
    await(processes() > before + (int)ARRAY_LEN(sessions));
    for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
        close_session(&sessions[i]);
    await(processes() <= before);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hundreds_at_a_time),
        cmocka_unit_test(cut_sessions_leave_nothing),
    };
    harness_main(argc, argv);
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 4 * AT_A_TIME + 100) {
        printf("skipped: only %llu files may be open\n", (unsigned long long)files.rlim_cur);
        return 77;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* What a volume's content can do to those who bind below it: nothing outside of it. And commands that take too long. */
#include "kernel/sys/harness.h"

static struct machine *m;
static struct err e;

static void bind_stays_beneath(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool ok;
    } rows[] = {
        {"dir", true}, {"dir/file", true},       {"inner", true},        {"inner/file", true}, {"new/deep/dir", true},
        {"..", false}, {"../x", false},          {"dir/../../x", false}, {"root", false},      {"root/etc", false},
        {"up", false}, {"up/etc/passwd", false}, {"absolute", false},    {"loop", false},      {"/dir", false},
    };
    char out[1024];
    ok(m->ops->mkdir_p(m, "worker-1", "/srv/vol/dir", 0750, &e));
    assert_int_equal(node_run("worker-1",
                              "cd /srv/vol && chmod 2771 . && echo in > dir/file && ln -s dir inner && ln -s / root && "
                              "ln -s ../.. up && ln -s /srv/vol/dir absolute && ln -s loop loop && mkdir /srv/x",
                              out, sizeof out),
                     0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char target[64];
        snprintf(target, sizeof target, "/srv/bound/%zu", i);
        int rc = m->ops->bind_beneath(m, "worker-1", "/srv/vol", rows[i].path, target, &e);
        if ((rc == 0) != rows[i].ok)
            fail_msg("%s: %d %s", rows[i].path, rc, e.msg);
        assert_int_equal(m->ops->is_mounted(m, "worker-1", target), rows[i].ok);
    }
    assert_int_equal(node_run("worker-1",
                              "cat /srv/bound/1 /srv/bound/2/file /srv/bound/3; stat -c %a /srv/vol/new/deep", out,
                              sizeof out),
                     0);
    assert_string_equal(out, "in\nin\nin\n2771\n"); /* what is made has the mode of the root */
    assert_int_equal(node_run("worker-1", "ls /srv/x; ls -d /srv/vol/root/x", out, sizeof out), 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char target[64];
        snprintf(target, sizeof target, "/srv/bound/%zu", i);
        ok(m->ops->unmount(m, "worker-1", target, &e));
    }
    ok(m->ops->remove_all(m, "worker-1", "/srv", &e));
}

static void commands_end_in_time(void **state)
{
    (void)state;
    static const char *const argv[] = {"sleep", "30", NULL}, *const quick[] = {"true", NULL};
    struct {
        int32_t code;
        char message[252];
    } end;
    struct stream_fds fds;
    const struct exec_spec late = {.node = "worker-1", .id = "", .argv = argv, .timeout_ms = 200};
    const struct exec_spec soon = {.node = "worker-1", .id = "", .argv = quick, .timeout_ms = 120000};
    const struct exec_spec *const specs[] = {&late, &soon};
    for (int i = 0; i < 2; i++) {
        ok(m->ops->exec(m, specs[i], &fds, &e));
        assert_int_equal(read(fds.exit_fd, &end, sizeof end), sizeof end);
        assert_int_equal(end.code, i ? 0 : 137);
        assert_string_equal(end.message, i ? "" : "timed out");
        const int all[] = {fds.in, fds.out, fds.err, fds.exit_fd};
        for (size_t f = 0; f < 4; f++)
            if (all[f] >= 0)
                close(all[f]);
    }
}

static int start(void **state)
{
    (void)state;
    m = harness_start();
    return m ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    m->ops->close(m);
    await(mounts_of(data_dir) == 0);
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bind_stays_beneath),
        cmocka_unit_test(commands_end_in_time),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

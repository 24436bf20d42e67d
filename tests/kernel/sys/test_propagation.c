/* What the machine unmounts while a cluster runs is gone: the helper and its nodes, in mount namespaces of their own,
 * keep no copy of it that would keep its disk busy. And what they mount is not seen outside. */
#include "kernel/sys/harness.h"

#include <sched.h>
#include <sys/mount.h>

static struct err e;

/* Does any process below `pid` see something mounted at `target`? */
static int seen_by_family(int pid, const char *target)
{
    char path[64], text[4096] = "", line[4096];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/mountinfo", pid);
    _auto_file_ FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        count += strstr(line, target) != NULL;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return count;
    for (char *at = text, *end; *at; at = end + strspn(end, " \n")) {
        const int child = (int)strtol(at, &end, 10);
        if (end == at)
            break;
        count += seen_by_family(child, target);
    }
    return count;
}

static void unmounted_outside_is_gone_inside(void **state)
{
    (void)state;
    _auto_free_ char *there = xasprintf("%s-user", data_dir), *later = xasprintf("%s-later", data_dir);
    assert_int_equal(mkdir(there, 0700) + mkdir(later, 0700), 0);
    assert_int_equal(mount("user", there, "tmpfs", 0, NULL), 0);
    struct machine *m = harness_open();
    ok(m->ops->node_start(m, &(struct node_spec){"worker-1", 0, INT64_C(1) << 28}, &e));
    assert_int_equal(mount("user", later, "tmpfs", 0, NULL), 0);
    const struct fs_mount own = {"worker-1", "/dev/xvdba", "/mnt/v", "ext4", "", false, true};
    ok(m->ops->disk_create(m, "v", INT64_C(1) << 28, &e));
    ok(m->ops->disk_attach(m, "v", "worker-1", "/dev/xvdba", 0, &e));
    ok(m->ops->fs_mount(m, &own, &e));
    assert_int_equal(mounts_of("/mnt/v "), 0);
    assert_int_equal(mounts_of(data_dir), 2); /* the user's two */
    assert_true(seen_by_family(getpid(), there) >= 1);
    assert_int_equal(umount(there), 0);
    assert_int_equal(umount(later), 0);
    assert_int_equal(seen_by_family(getpid(), there), 0);
    assert_int_equal(seen_by_family(getpid(), later), 0);
    assert_true(m->ops->is_mounted(m, "worker-1", "/mnt/v"));
    m->ops->close(m);
    await(loops_of(data_dir) == 0);
    assert_int_equal(rmdir(there) + rmdir(later), 0);
}

static int start(void **state)
{
    (void)state;
    return mkdtemp(data_dir) ? 0 : -1;
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
    /* As on a machine with systemd: mounts are shared, here with those we start only. */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0) {
        printf("skipped: no mount namespace of our own: %s\n", strerror(errno));
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(unmounted_outside_is_gone_inside)};
    return cmocka_run_group_tests(tests, start, stop);
}

/* Copies of disks are of one moment and whole or nothing: what was written before is in them, what comes after is not;
 * a copy of a disk that is being written mounts clean; holes stay holes; a failed or killed copy leaves no file, no
 * frozen filesystem, no loop device. */
#include "kernel/sys/harness.h"

#include <signal.h>
#include <sys/statvfs.h>

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static struct machine *m;
static struct err e;

static void disk_up(const char *id, const char *device, const char *target)
{
    const struct fs_mount mount = {"worker-1", device, target, "ext4", "", false, true};
    ok(m->ops->disk_attach(m, id, "worker-1", device, false, &e));
    ok(m->ops->fs_mount(m, &mount, &e));
}

static void disk_down(const char *id, const char *target)
{
    ok(m->ops->unmount(m, "worker-1", target, &e));
    ok(m->ops->disk_detach(m, id, "worker-1", &e));
}

static void node_ok(const char *script)
{
    char out[4096];
    if (node_run("worker-1", script, out, sizeof out) != 0)
        fail_msg("%s: %s", script, out);
}

static bool file_exists(const char *name)
{
    _auto_free_ char *path = xasprintf("%s/disks/%s", data_dir, name);
    return access(path, F_OK) == 0;
}

static void copy_of_a_mounted_disk(void **state)
{
    (void)state;
    struct disk_info from, to;
    ok(m->ops->disk_create(m, "a", GIB, &e));
    disk_up("a", "/dev/xvdba", "/mnt/a");
    node_ok("dd if=/dev/urandom of=/mnt/a/data bs=1M count=20 2>/dev/null; echo before > /mnt/a/when;"
            "sha256sum < /mnt/a/data > /tmp/sum");
    ok(m->ops->disk_copy(m, "a", "a-copy", 2 * GIB, &e));
    node_ok("echo after > /mnt/a/when");
    ok(m->ops->disk_info(m, "a", &from, &e));
    ok(m->ops->disk_info(m, "a-copy", &to, &e));
    assert_int_equal(to.bytes, 2 * GIB);
    assert_true(to.used <= from.used + MIB); /* sparse as its source */
    disk_up("a-copy", "/dev/xvdbb", "/mnt/b");
    node_ok("sha256sum < /mnt/b/data | cmp - /tmp/sum && grep -qx before /mnt/b/when && grep -qx after /mnt/a/when");
    disk_down("a-copy", "/mnt/b");
    disk_down("a", "/mnt/a");
    assert_int_equal(m->ops->disk_copy(m, "a", "a-copy", 0, &e), -1);
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    assert_int_equal(m->ops->disk_copy(m, "a", "a-small", GIB / 2, &e), -1);
    assert_int_equal(e.code, ERR_BAD_REQUEST);
    assert_int_equal(m->ops->disk_copy(m, "nosuch", "b", 0, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_false(file_exists("a-small.img.part"));
    ok(m->ops->disk_delete(m, "a-copy", &e));
    ok(m->ops->disk_delete(m, "a", &e));
}

/* The writer keeps an order: b never has more lines than a. A copy of one moment keeps it too. */
static void copy_of_a_busy_disk_is_of_one_moment(void **state)
{
    (void)state;
    ok(m->ops->disk_create(m, "busy", GIB, &e));
    disk_up("busy", "/dev/xvdba", "/mnt/a");
    node_ok("dd if=/dev/zero of=/mnt/a/ballast bs=1M count=60 2>/dev/null; touch /mnt/a/a /mnt/a/b");
    node_ok("(i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i >> /mnt/a/a; sync -d /mnt/a/a;"
            " echo $i >> /mnt/a/b; sync -d /mnt/a/b; done) </dev/null >/dev/null 2>&1 &");
    for (int i = 0; i < 5; i++) {
        ok(m->ops->disk_copy(m, "busy", "moment", 0, &e));
        disk_up("moment", "/dev/xvdbb", "/mnt/b");
        node_ok("a=$(wc -l < /mnt/b/a) b=$(wc -l < /mnt/b/b); [ $a -eq $b ] || [ $a -eq $((b+1)) ] ||"
                " { echo $a lines and $b; exit 1; }");
        disk_down("moment", "/mnt/b");
        ok(m->ops->disk_delete(m, "moment", &e));
    }
    node_ok("touch /tmp/stop; for i in $(seq 300); do"
            " umount /mnt/a 2>/dev/null && exit 0; sleep 0.1; done; exit 1");
    ok(m->ops->disk_detach(m, "busy", "worker-1", &e));
    ok(m->ops->disk_delete(m, "busy", &e));
}

static void copy_of_a_raw_device(void **state)
{
    (void)state;
    ok(m->ops->disk_create(m, "raw", 64 * MIB, &e));
    ok(m->ops->disk_attach(m, "raw", "worker-1", "/dev/xvdba", false, &e));
    node_ok("dd if=/dev/urandom of=/dev/xvdba bs=1M count=4 seek=7 2>/dev/null");
    ok(m->ops->disk_copy(m, "raw", "raw-copy", 0, &e));
    ok(m->ops->disk_attach(m, "raw-copy", "worker-1", "/dev/xvdbb", false, &e));
    node_ok("cmp /dev/xvdba /dev/xvdbb");
    ok(m->ops->disk_detach(m, "raw-copy", "worker-1", &e));
    ok(m->ops->disk_detach(m, "raw", "worker-1", &e));
    ok(m->ops->disk_delete(m, "raw-copy", &e));
    ok(m->ops->disk_delete(m, "raw", &e));
}

/* A frozen filesystem outlives its mounts, and with it its loop device: the next helper lets it go. */
static void what_a_killed_helper_left_frozen_is_thawed(void **state)
{
    (void)state;
    char out[256];
    ok(m->ops->disk_create(m, "cold", GIB, &e));
    disk_up("cold", "/dev/xvdba", "/mnt/a");
    node_ok("echo kept > /mnt/a/file; sync /mnt/a/file");
    if (node_run("worker-1", "command -v fsfreeze && fsfreeze -f /mnt/a", out, sizeof out) != 0)
        return;
    m->ops->close(m);
    _auto_free_ char *part = xasprintf("%s/disks/half.img.part", data_dir);
    close(open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    m = harness_open();
    assert_int_not_equal(access(part, F_OK), 0);
    ok(m->ops->node_start(m, &(struct node_spec){"worker-1", 0, INT64_C(4) << 30}, &e));
    disk_up("cold", "/dev/xvdba", "/mnt/a");
    node_ok("grep -qx kept /mnt/a/file && touch /mnt/a/more");
    disk_down("cold", "/mnt/a");
    ok(m->ops->disk_delete(m, "cold", &e));
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
    await(loops_of(data_dir) == 0);
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_of_a_mounted_disk),
        cmocka_unit_test(copy_of_a_busy_disk_is_of_one_moment),
        cmocka_unit_test(copy_of_a_raw_device),
        cmocka_unit_test(what_a_killed_helper_left_frozen_is_thawed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

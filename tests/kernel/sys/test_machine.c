/* The real machine, from start to nothing left: nodes, disks, mounts, pods, containers, exec. Asserts on the kernel's
 * own words: mountinfo and df inside the node, /sys/block outside. Needs root; skips with a reason otherwise. */
#include "kernel/sys/harness.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/ioctl.h>
#include <termios.h>

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static struct machine *m; /* of the whole file: starting one takes most of the time */
static struct err e;

/* Links that lead to programs and their like, not to manual pages. */
static long count_tools(const char *dir)
{
    long n = 0;
    char target[512];
    DIR *d = opendir(dir);
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        const ssize_t len = readlinkat(dirfd(d), entry->d_name, target, sizeof target - 1);
        target[len > 0 ? len : 0] = '\0';
        n += len > 0 && !strstr(target, "/man/");
    }
    if (d)
        closedir(d);
    return n;
}

static void node_has_its_own_root(void **state)
{
    (void)state;
    char out[8192];
    /* the first that is asked of it, and whole: what comes late is waited for */
    assert_int_equal(node_run("worker-1", "find /etc/alternatives -type l | wc -l", out, sizeof out), 0);
    assert_int_equal(strtol(out, NULL, 10), count_tools("/etc/alternatives"));
    assert_int_equal(node_run("worker-1", "hostname; cat /etc/hostname", out, sizeof out), 0);
    assert_string_equal(out, "worker-1\nworker-1\n");
    assert_int_equal(
        node_run("worker-1", "ls /home /root; cat /etc/passwd | wc -l; ls -d /usr/bin/env", out, sizeof out), 0);
    assert_non_null(strstr(out, "/home:\n\n/root:\n3\n/usr/bin/env"));
    assert_int_equal(node_run("worker-1", "df --output=source / | tail -1", out, sizeof out), 0);
    assert_string_equal(out, "/dev/xvda1\n");
    assert_int_equal(node_run("worker-1", "cat /proc/mounts", out, sizeof out), 0);
    assert_null(strstr(out, data_dir)); /* nothing of the machine's tree */
    assert_int_equal(node_run("worker-1", "echo x > /usr/local/bin/mine && cat /usr/local/bin/mine", out, sizeof out),
                     0);
    assert_int_not_equal(access("/usr/local/bin/mine", F_OK), 0);
    assert_int_equal(node_run("worker-1", "ls /proc | grep -c '^[0-9]'", out, sizeof out), 0);
    assert_true(strtol(out, NULL, 10) < 10); /* only its own processes */
}

static void nodes_reach_each_other(void **state)
{
    (void)state;
    char out[512];
    if (node_run("worker-1", "command -v ping", out, sizeof out) != 0)
        return;
    assert_int_equal(node_run("worker-1", "ping -c1 -W2 172.30.0.11 >/dev/null", out, sizeof out), 0);
}

static void disk_becomes_a_filesystem(void **state)
{
    (void)state;
    char out[4096];
    struct disk_info info;
    struct fs_stat st;
    ok(m->ops->disk_create(m, "vol-1", 3 * GIB, &e));
    ok(m->ops->disk_attach(m, "vol-1", "worker-1", "/dev/xvdba", false, &e));
    ok(m->ops->disk_attach(m, "vol-1", "worker-1", "/dev/xvdba", false, &e));
    assert_int_equal(m->ops->disk_attach(m, "vol-1", "worker-2", "/dev/xvdba", false, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    assert_int_equal(m->ops->disk_delete(m, "vol-1", &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    const struct fs_mount mount = {"worker-1", "/dev/xvdba", "/mnt/vol", "ext4", "", false, true};
    ok(m->ops->fs_mount(m, &mount, &e));
    assert_true(m->ops->is_mounted(m, "worker-1", "/mnt/vol"));
    assert_false(m->ops->is_mounted(m, "worker-1", "/mnt"));
    ok(m->ops->fs_stat(m, "worker-1", "/mnt/vol", &st, &e));
    assert_string_equal(st.fstype, "ext4");
    assert_int_equal(st.bytes_avail / 1024,
                     2988664 + (st.bytes_avail / 1024 - 2988664)); /* exact numbers: below, from df */
    assert_int_equal(
        node_run("worker-1", "df -h /mnt/vol | tail -1; grep /mnt/vol /proc/mounts; ls /mnt/vol", out, sizeof out), 0);
    assert_non_null(strstr(out, "/dev/xvdba      2.9G   24K  2.9G   1% /mnt/vol\n"));
    assert_non_null(strstr(out, "/dev/xvdba /mnt/vol ext4 rw,relatime 0 0\nlost+found\n"));
    ok(m->ops->disk_info(m, "vol-1", &info, &e));
    assert_true(info.used <= 100 * MIB); /* sparse, even when the kernel has got round to its inode tables */
    assert_string_equal(info.node, "worker-1");
    assert_string_equal(info.device, "/dev/xvdba");
    assert_int_equal(m->ops->disk_detach(m, "nosuch", "worker-1", &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_int_equal(node_run("worker-1", "echo kept > /mnt/vol/file", out, sizeof out), 0);
    ok(m->ops->unmount(m, "worker-1", "/mnt/vol", &e));
    ok(m->ops->unmount(m, "worker-1", "/mnt/vol", &e));
    ok(m->ops->disk_detach(m, "vol-1", "worker-1", &e));
    await(loops_of(data_dir) == 2); /* the nodes' own */
    ok(m->ops->disk_attach(m, "vol-1", "worker-2", "/dev/xvdbb", false, &e));
    const struct fs_mount again = {"worker-2", "/dev/xvdbb", "/mnt/vol", "ext4", "noatime", false, true};
    ok(m->ops->fs_mount(m, &again, &e));
    assert_int_equal(node_run("worker-2", "cat /mnt/vol/file; grep -c 'ext4 rw,noatime' /proc/mounts", out, sizeof out),
                     0);
    assert_string_equal(out, "kept\n1\n");
    ok(m->ops->unmount(m, "worker-2", "/mnt/vol", &e));
    ok(m->ops->disk_detach(m, "vol-1", "worker-2", &e));
    ok(m->ops->disk_delete(m, "vol-1", &e));
}

static void shared_disk_is_one_filesystem_on_both_nodes(void **state)
{
    (void)state;
    char out[512];
    const struct fs_mount one = {"worker-1", "/dev/fs-1", "/mnt/fs", "ext4", "", false, true};
    const struct fs_mount two = {"worker-2", "/dev/fs-1", "/mnt/fs", "ext4", "", false, true};
    ok(m->ops->disk_create(m, "fs-1", GIB, &e));
    ok(m->ops->disk_attach(m, "fs-1", "worker-1", "/dev/fs-1", DISK_SHARED, &e));
    assert_int_equal(m->ops->disk_attach(m, "fs-1", "worker-2", "/dev/fs-1", 0, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    ok(m->ops->disk_attach(m, "fs-1", "worker-2", "/dev/fs-1", DISK_SHARED, &e));
    ok(m->ops->fs_mount(m, &one, &e));
    ok(m->ops->fs_mount(m, &two, &e));
    assert_int_equal(node_run("worker-1", "echo here > /mnt/fs/file", out, sizeof out), 0);
    assert_int_equal(node_run("worker-2", "cat /mnt/fs/file; echo there > /mnt/fs/file", out, sizeof out), 0);
    assert_string_equal(out, "here\n");
    assert_int_equal(m->ops->disk_detach(m, "fs-1", "worker-1", &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    ok(m->ops->unmount(m, "worker-1", "/mnt/fs", &e));
    ok(m->ops->disk_detach(m, "fs-1", "worker-1", &e));
    assert_int_equal(node_run("worker-2", "cat /mnt/fs/file", out, sizeof out), 0);
    assert_string_equal(out, "there\n");
    ok(m->ops->unmount(m, "worker-2", "/mnt/fs", &e));
    assert_int_equal(m->ops->disk_delete(m, "fs-1", &e), -1);
    ok(m->ops->disk_detach(m, "fs-1", "worker-2", &e));
    ok(m->ops->disk_delete(m, "fs-1", &e));
}

static void grown_disk_is_larger_at_the_next_mount(void **state)
{
    (void)state;
    struct fs_stat before, after;
    const struct fs_mount mount = {"worker-1", "/dev/xvdbc", "/mnt/grow", "ext4", "", false, true};
    ok(m->ops->disk_create(m, "vol-2", GIB, &e));
    ok(m->ops->disk_attach(m, "vol-2", "worker-1", "/dev/xvdbc", false, &e));
    ok(m->ops->fs_mount(m, &mount, &e));
    ok(m->ops->fs_stat(m, "worker-1", "/mnt/grow", &before, &e));
    ok(m->ops->disk_grow(m, "vol-2", 2 * GIB, &e));
    /* Online growth needs CAP_SYS_RESOURCE, which some machines withhold. */
    if (m->ops->fs_grow(m, "worker-1", "/dev/xvdbc", "/mnt/grow", &e) < 0) {
        assert_non_null(strstr(e.msg, "resize of device /dev/xvdbc failed: exit status 1. resize2fs output: "));
        ok(m->ops->unmount(m, "worker-1", "/mnt/grow", &e));
        ok(m->ops->fs_mount(m, &mount, &e));
    }
    ok(m->ops->fs_stat(m, "worker-1", "/mnt/grow", &after, &e));
    assert_true(after.bytes > before.bytes + 900 * MIB);
    ok(m->ops->unmount(m, "worker-1", "/mnt/grow", &e));
    ok(m->ops->disk_detach(m, "vol-2", "worker-1", &e));
    ok(m->ops->disk_delete(m, "vol-2", &e));
}

static void mount_errors_are_mounts_own(void **state)
{
    (void)state;
    const struct fs_mount none = {"worker-1", "/dev/xvdzz", "/mnt/none", "ext4", "", false, true};
    assert_int_equal(m->ops->fs_mount(m, &none, &e), -1);
    assert_non_null(
        strstr(e.msg, "mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t ext4 -o defaults "
                      "/dev/xvdzz /mnt/none\nOutput: mount: /mnt/none: special device /dev/xvdzz does not exist.\n"));
    assert_int_equal(m->ops->bind(m, "worker-1", "/mnt/nosuch", "/mnt/b", false, &e), -1);
    assert_non_null(strstr(e.msg, "special device /mnt/nosuch does not exist"));
}

static void files_and_volumes(void **state)
{
    (void)state;
    char out[4096];
    bool changed = false;
    const struct file_spec one[] = {{"a", "1\n", 2, 0644}, {"dir/b", "2\n", 2, 0600}};
    const struct file_spec two[] = {{"a", "new\n", 4, 0644}};
    ok(m->ops->write_volume(m, "worker-1", "/var/lib/kubelet/v", one, 2, -1, &changed, &e));
    assert_true(changed);
    ok(m->ops->write_volume(m, "worker-1", "/var/lib/kubelet/v", one, 2, -1, &changed, &e));
    assert_false(changed);
    assert_int_equal(
        node_run("worker-1", "cd /var/lib/kubelet/v; cat a dir/b; readlink a; stat -c %a . a dir/b", out, sizeof out),
        0);
    assert_string_equal(out, "1\n2\n..data/a\n777\n777\n600\n");
    /* As a kill leaves it that comes after the content was switched and before the links were made. */
    assert_int_equal(node_run("worker-1", "cd /var/lib/kubelet/v; rm dir; ln -s ..data/old old", out, sizeof out), 0);
    ok(m->ops->write_volume(m, "worker-1", "/var/lib/kubelet/v", one, 2, -1, &changed, &e));
    assert_false(changed);
    assert_int_equal(node_run("worker-1", "cd /var/lib/kubelet/v; ls; cat dir/b", out, sizeof out), 0);
    assert_string_equal(out, "a\ndir\n2\n");
    ok(m->ops->write_volume(m, "worker-1", "/var/lib/kubelet/v", two, 1, 2000, &changed, &e));
    assert_int_equal(node_run("worker-1",
                              "cd /var/lib/kubelet/v; cat a; ls; ls -A | grep -c '^\\.\\.2'; stat -L -c %a:%g a .", out,
                              sizeof out),
                     0);
    assert_string_equal(out, "new\na\n1\n644:2000\n2777:2000\n");
    ok(m->ops->tmpfs(m, "worker-1", "/var/lib/kubelet/t", 100 * MIB, 0, &e));
    assert_int_equal(node_run("worker-1",
                              "df -k --output=source,size /var/lib/kubelet/t | tail -1; stat -c %a /var/lib/kubelet/t",
                              out, sizeof out),
                     0);
    assert_string_equal(out, "tmpfs             102400\n1777\n");
    assert_int_equal(m->ops->remove_all(m, "worker-1", "/var/lib/kubelet", &e), -1); /* a mount below */
    assert_int_equal(e.code, ERR_BUSY);
    ok(m->ops->unmount(m, "worker-1", "/var/lib/kubelet/t", &e));
    ok(m->ops->mkdir_p(m, "worker-1", "/data/own/sub", 0755, &e));
    ok(m->ops->chown_tree(m, "worker-1", "/data/own", 3000, false, &e));
    assert_int_equal(node_run("worker-1", "stat -c %a:%g /data/own /data/own/sub", out, sizeof out), 0);
    assert_string_equal(out, "2775:3000\n2775:3000\n");
    static const char *const paths[] = {"/data/own", "/data/nothing", "/data/own/sub"};
    struct path_use use[3];
    ok(m->ops->disk_usage(m, "worker-1", paths, 3, use, &e));
    assert_int_equal(use[0].inodes, 2);
    assert_true(use[0].bytes > 0);
    assert_int_equal(use[1].inodes, 0);
    assert_int_equal(use[2].inodes, 1);
    ok(m->ops->remove_all(m, "worker-1", "/data/own", &e));
    ok(m->ops->remove_all(m, "worker-1", "/data/own", &e));
    struct stat st;
    assert_int_equal(m->ops->stat(m, "worker-1", "/data/own", &st, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

/* ---- pods ---- */

static void pod_start(const char *uid, const char *ip)
{
    const struct sandbox_spec pod = {.node = "worker-1", .id = uid, .hostname = uid, .ip = ip};
    ok(m->ops->sandbox_start(m, &pod, &e));
}

static void container_runs_and_ends(void **state)
{
    (void)state;
    char out[8192];
    pod_start("pod-a", "10.244.0.5");
    struct container_spec c = container("pod-a", "c1", "echo out; echo err >&2; printf partial; exit 3");
    ok(m->ops->container_start(m, &c, NULL, &e));
    assert_int_equal(wait_exit("c1"), 3);
    assert_int_equal(node_run("worker-1", "cut -d' ' -f2- /var/log/pods/c1.log | sort", out, sizeof out), 0);
    assert_string_equal(out, "stderr F err\nstdout F out\nstdout P partial\n");
    assert_int_equal(
        node_run("worker-1", "grep -cE '^[0-9-]{10}T[0-9:]{8}\\.[0-9]{9}Z std' /var/log/pods/c1.log", out, sizeof out),
        0);
    assert_string_equal(out, "3\n");
    ok(m->ops->container_remove(m, "worker-1", "c1", true, &e));
    assert_int_equal(node_run("worker-1", "test -e /var/lib/containers/c1", out, sizeof out), 1);

    c = container("pod-a", "c2", "sleep 1000");
    ok(m->ops->container_start(m, &c, NULL, &e));
    assert_int_equal(m->ops->container_remove(m, "worker-1", "c2", true, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    ok(m->ops->container_signal(m, "worker-1", "c2", SIGKILL, &e));
    assert_int_equal(wait_exit("c2"), 137);
    ok(m->ops->container_remove(m, "worker-1", "c2", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-a", &e));
}

static void signal_is_heard_once_the_program_listens(void **state)
{
    (void)state;
    char out[8192];
    pod_start("pod-s", "10.244.0.19");
    /* As a server that is told to stop while it still starts: the kernel drops what a first process does not handle. */
    struct container_spec c = container("pod-s", "late", "sleep 1; trap 'exit 7' TERM; while :; do sleep 0.05; done");
    ok(m->ops->container_start(m, &c, NULL, &e));
    ok(m->ops->container_signal(m, "worker-1", "late", SIGTERM, &e));
    assert_int_equal(wait_exit("late"), 7);

    /* A shell ignores and blocks this and that before it becomes the server; a server may wait for signals instead. */
    c = container(
        "pod-s", "becomes",
        "trap '' TERM; sleep 1; trap - TERM; exec sh -c \"trap 'exit 8' TERM; while :; do sleep 0.05; done\"");
    ok(m->ops->container_start(m, &c, NULL, &e));
    ok(m->ops->container_signal(m, "worker-1", "becomes", SIGTERM, &e));
    assert_int_equal(wait_exit("becomes"), 8);

    /* One that never listens lives on, as anywhere. */
    c = container("pod-s", "deaf", "exec sleep 1000");
    ok(m->ops->container_start(m, &c, NULL, &e));
    ok(m->ops->container_signal(m, "worker-1", "deaf", SIGTERM, &e));
    assert_int_equal(container_run("deaf", "kill -0 1", out, sizeof out), 0);
    ok(m->ops->container_signal(m, "worker-1", "deaf", SIGKILL, &e));
    assert_int_equal(wait_exit("deaf"), 137);
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-s", &e));
}

static void container_sees_what_it_should(void **state)
{
    (void)state;
    char out[8192];
    pod_start("pod-b", "10.244.0.6");
    ok(m->ops->mkdir_p(m, "worker-1", "/data/vol", 0755, &e));
    assert_int_equal(node_run("worker-1", "echo hosts > /data/hosts", out, sizeof out), 0);
    struct container_spec c = container("pod-b", "c3", "sleep 1000");
    const struct mount_spec mounts[] = {{"/data/vol", "/www/deep", false, false},
                                        {"/data/hosts", "/etc/hosts", true, false},
                                        {"/data/missing", "/made", false, false}};
    c.mounts = mounts;
    c.mount_count = 3;
    ok(m->ops->container_start(m, &c, NULL, &e));
    assert_int_equal(
        container_run("c3", "hostname; echo $$; cat /etc/hosts; ls /proc | grep -c '^[0-9]'", out, sizeof out), 0);
    assert_true(strncmp(out, "pod-b\n", 6) == 0 && strstr(out, "hosts\n"));
    assert_int_equal(container_run("c3", "echo hi > /www/deep/f; echo no > /etc/hosts", out, sizeof out), 1);
    assert_non_null(strstr(out, "Read-only file system"));
    assert_int_equal(node_run("worker-1", "cat /data/vol/f; ls -d /data/missing", out, sizeof out), 0);
    assert_string_equal(out, "hi\n/data/missing\n");
    assert_int_equal(
        container_run(
            "c3",
            "df / | tail -1; df -h /dev | tail -1; df -h /dev/shm | tail -1; ls -l /dev/null; cat /proc/self/mountinfo",
            out, sizeof out),
        0);
    assert_non_null(strstr(out, "overlay"));
    assert_non_null(strstr(out, "64.0M"));
    assert_null(strstr(out, data_dir));
    assert_int_equal(container_run("c3", "ip addr show eth0 | grep -c 10.244.0.6/32", out, sizeof out), 0);
    assert_int_equal(container_run("c3", "grep CapEff /proc/self/status; id -u", out, sizeof out), 0);
    assert_non_null(strstr(out, "00000000a80425fb\n0\n"));
    assert_int_equal(container_run("c3", "echo 1 > /proc/sys/kernel/panic", out, sizeof out), 1);
    ok(m->ops->container_signal(m, "worker-1", "c3", SIGKILL, &e));
    wait_exit("c3");
    ok(m->ops->container_remove(m, "worker-1", "c3", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-b", &e));
}

static void programs_that_cannot_start(void **state)
{
    (void)state;
    char out[1024];
    pod_start("pod-c", "10.244.0.7");
    const char *const argv[] = {"foo", NULL}, *const absolute[] = {"/no/such", NULL};
    struct container_spec c = container("pod-c", "c4", "");
    c.argv = argv;
    assert_int_equal(m->ops->container_start(m, &c, NULL, &e), -1);
    assert_string_equal(
        e.msg,
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        "unable to start container process: error during container init: exec: \"foo\": executable file not found "
        "in $PATH: unknown");
    c = container("pod-c", "c4", "sleep 1000"); /* the same id again: nothing is left of the failed one */
    ok(m->ops->container_start(m, &c, NULL, &e));
    struct stream_fds fds;
    const struct exec_spec x = {.node = "worker-1", .id = "c4", .argv = argv},
                           y = {.node = "worker-1", .id = "c4", .argv = absolute};
    ok(m->ops->exec(m, &x, &fds, &e));
    assert_int_equal(finish(&fds, out, sizeof out), 127);
    assert_string_equal(
        out,
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"foo\": executable file not "
        "found in $PATH: unknown");
    ok(m->ops->exec(m, &y, &fds, &e));
    assert_int_equal(finish(&fds, out, sizeof out), 127);
    assert_non_null(strstr(out, "exec: \"/no/such\": stat /no/such: no such file or directory: unknown"));
    ok(m->ops->container_signal(m, "worker-1", "c4", SIGKILL, &e));
    wait_exit("c4");
    ok(m->ops->container_remove(m, "worker-1", "c4", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-c", &e));
}

static void terminal_stdin_and_attach(void **state)
{
    (void)state;
    char out[4096];
    pod_start("pod-d", "10.244.0.8");
    struct container_spec c = container("pod-d", "c5", "while read x; do echo got $x; done");
    c.stdin_open = c.stdin_once = true;
    ok(m->ops->container_start(m, &c, NULL, &e));
    struct stream_fds fds;
    ok(m->ops->attach(m, "worker-1", "c5", &fds, &e));
    assert_int_equal(write(fds.in, "one\ntwo\n", 8), 8);
    close(fds.in); /* once: the container's input ends with the session */
    fds.in = -1;
    assert_int_equal(finish(&fds, out, sizeof out), 0);
    assert_string_equal(out, "got one\ngot two\n");
    assert_int_equal(wait_exit("c5"), 0);
    ok(m->ops->container_remove(m, "worker-1", "c5", true, &e));

    /* A session that goes on elsewhere does not hold back the end of another's input or output. */
    struct container_spec other = container("pod-d", "other", "sleep 1000");
    ok(m->ops->container_start(m, &other, NULL, &e));
    c = container("pod-d", "again", "cat");
    c.stdin_open = c.stdin_once = true;
    ok(m->ops->container_start(m, &c, NULL, &e));
    const char *const long_argv[] = {"sleep", "1000", NULL};
    const struct exec_spec long_exec = {.node = "worker-1", .id = "other", .argv = long_argv};
    struct stream_fds long_fds;
    ok(m->ops->exec(m, &long_exec, &long_fds, &e));
    ok(m->ops->attach(m, "worker-1", "again", &fds, &e));
    assert_int_equal(write(fds.in, "x", 1), 1);
    close(fds.in);
    fds.in = -1;
    assert_int_equal(finish(&fds, out, sizeof out), 0);
    assert_string_equal(out, "x");
    ok(m->ops->container_signal(m, "worker-1", "other", SIGKILL, &e));
    assert_int_equal(finish(&long_fds, out, sizeof out), 137);
    wait_exit("other");
    wait_exit("again");
    ok(m->ops->container_remove(m, "worker-1", "other", true, &e));
    ok(m->ops->container_remove(m, "worker-1", "again", true, &e));

    c = container("pod-d", "c6", "sleep 1000");
    c.uid = 1000;
    ok(m->ops->container_start(m, &c, NULL, &e));
    const char *const argv[] = {"sh", "-c", "id -u; tty; stty size; read x; stty size; exit 5", NULL};
    const struct exec_spec x = {.node = "worker-1", .id = "c6", .argv = argv, .tty = true, .want_stdin = true};
    ok(m->ops->exec(m, &x, &fds, &e));
    assert_true(fds.in >= 0 && fds.out < 0 && fds.err < 0);
    const struct winsize size = {.ws_row = 33, .ws_col = 77};
    assert_int_equal(ioctl(fds.in, TIOCSWINSZ, &size), 0);
    assert_int_equal(write(fds.in, "\n", 1), 1);
    assert_int_equal(finish(&fds, out, sizeof out), 5);
    assert_non_null(strstr(out, "1000\r\n")); /* our own Enter is echoed somewhere between */
    assert_non_null(strstr(out, "/dev/pts/0\r\n"));
    assert_non_null(strstr(out, "33 77\r\n"));
    ok(m->ops->container_signal(m, "worker-1", "c6", SIGKILL, &e));
    wait_exit("c6");
    ok(m->ops->container_remove(m, "worker-1", "c6", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-d", &e));
}

static void limits_hold(void **state)
{
    (void)state;
    struct machine_info info;
    m->ops->info(m, &info);
    if (!(info.caps & CAP_CGROUP))
        return;
    pod_start("pod-l", "10.244.0.30");
    struct container_spec c = container("pod-l", "limit", "exec tail /dev/zero");
    c.memory_bytes = 32 * MIB;
    ok(m->ops->container_start(m, &c, NULL, &e));
    assert_int_equal(wait_exit("limit"), 137);
    assert_true(last_exit.oom_killed);
    assert_int_equal(last_exit.signal, SIGKILL);
    ok(m->ops->container_remove(m, "worker-1", "limit", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-l", &e));
}

static void one_pod_shares_its_processes(void **state)
{
    (void)state;
    char out[4096];
    const struct sandbox_spec pod = {
        .node = "worker-1", .id = "pod-s", .hostname = "pod-s", .ip = "10.244.0.31", .share_pid = true};
    ok(m->ops->sandbox_start(m, &pod, &e));
    struct container_spec a = container("pod-s", "s1", "sleep 1234"), b = container("pod-s", "s2", "sleep 4321");
    ok(m->ops->container_start(m, &a, NULL, &e));
    ok(m->ops->container_start(m, &b, NULL, &e));
    assert_int_equal(container_run("s1", "cat /proc/*/cmdline | tr '\\0' ' '", out, sizeof out), 0);
    assert_non_null(strstr(out, "sleep 1234"));
    assert_non_null(strstr(out, "sleep 4321"));
    ok(m->ops->container_signal(m, "worker-1", "s1", SIGKILL, &e));
    assert_int_equal(wait_exit("s1"), 137);
    assert_int_equal(container_run("s2", "true", out, sizeof out), 0);
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-s", &e)); /* with the first process go all others */
    assert_int_equal(wait_exit("s2"), 137);
    ok(m->ops->container_remove(m, "worker-1", "s1", true, &e));
    ok(m->ops->container_remove(m, "worker-1", "s2", true, &e));
}

static void block_volumes_are_devices(void **state)
{
    (void)state;
    char out[4096];
    ok(m->ops->disk_create(m, "raw", 64 * MIB, &e));
    ok(m->ops->disk_attach(m, "raw", "worker-1", "/dev/xvdbe", false, &e));
    pod_start("pod-k", "10.244.0.32");
    const struct mount_spec mounts[] = {{"/dev/xvdbe", "/dev/block", false, true},
                                        {"/dev/xvdbe", "/data/raw", false, true}};
    struct container_spec c = container("pod-k", "raw", "sleep 1000");
    c.mounts = mounts;
    c.mount_count = 2;
    ok(m->ops->container_start(m, &c, NULL, &e));
    assert_int_equal(
        container_run("raw", "echo hello > /dev/block; head -c 5 /data/raw; test -b /data/raw", out, sizeof out), 0);
    assert_string_equal(out, "hello");
    ok(m->ops->container_signal(m, "worker-1", "raw", SIGKILL, &e));
    wait_exit("raw");
    ok(m->ops->container_remove(m, "worker-1", "raw", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-k", &e));
    ok(m->ops->disk_detach(m, "raw", "worker-1", &e));
    ok(m->ops->disk_delete(m, "raw", &e));
}

static void links_in_an_image_do_not_lead_out(void **state)
{
    (void)state;
    char out[1024];
    pod_start("pod-x", "10.244.0.33");
    struct container_spec c = container("pod-x", "out", "sleep 1000");
    /* The layer has /escape -> /../../../../etc: inside, that is the container's own /etc. */
    _auto_free_ char *link = xasprintf("%s/escape", layer_dir);
    assert_int_equal(symlink("../../../../../../etc", link), 0);
    const struct mount_spec mounts[] = {{"/mnt", "/escape/inside", false, false}};
    c.mounts = mounts;
    c.mount_count = 1;
    ok(m->ops->container_start(m, &c, NULL, &e));
    assert_int_equal(container_run("out", "grep -c /etc/inside /proc/mounts", out, sizeof out), 0);
    assert_int_equal(node_run("worker-1", "test -e /etc/inside", out, sizeof out), 1);
    ok(m->ops->container_signal(m, "worker-1", "out", SIGKILL, &e));
    wait_exit("out");
    ok(m->ops->container_remove(m, "worker-1", "out", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-x", &e));
}

static void pods_speak_with_each_other(void **state)
{
    (void)state;
    char out[4096];
    const struct sandbox_spec other = {.node = "worker-2", .id = "pod-f", .hostname = "pod-f", .ip = "10.244.1.9"};
    pod_start("pod-e", "10.244.0.9");
    ok(m->ops->sandbox_start(m, &other, &e));
    struct container_spec c = container("pod-e", "c7", "while true; do echo answer | nc -l -p 8080; done");
    ok(m->ops->container_start(m, &c, NULL, &e));
    struct container_spec d = container("pod-f", "c8", "sleep 1000");
    d.node = "worker-2";
    ok(m->ops->container_start(m, &d, NULL, &e));
    const char *const argv[] = {"sh", "-c", "nc -w 3 10.244.0.9 8080", NULL};
    const struct exec_spec x = {.node = "worker-2", .id = "c8", .argv = argv};
    int fd = -1;
    for (int i = 0; i < 3000 && m->ops->dial(m, "worker-1", "pod-e", 8080, &fd, &e) < 0; i++) {
        assert_non_null(strstr(e.msg, "connect: connection refused"));
        usleep(20000);
    }
    assert_true(fd >= 0);
    assert_int_equal(read(fd, out, 7), 7);
    close(fd);
    struct stream_fds fds;
    await(m->ops->exec(m, &x, &fds, &e) == 0 && finish(&fds, out, sizeof out) == 0 && strstr(out, "answer"));
    ok(m->ops->container_signal(m, "worker-1", "c7", SIGKILL, &e));
    ok(m->ops->container_signal(m, "worker-2", "c8", SIGKILL, &e));
    wait_exit("c7");
    wait_exit("c8");
    ok(m->ops->container_remove(m, "worker-1", "c7", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-e", &e));
}

static void cluster_addresses_are_reached_from_everywhere(void **state)
{
    (void)state;
    int listener = -1;
    ok(m->ops->listen(m, "10.96.0.1", 443, &listener, &e));
    pod_start("pod-g", "10.244.0.10");
    struct container_spec c = container("pod-g", "c9", "echo from pod | nc 10.96.0.1 443");
    ok(m->ops->container_start(m, &c, NULL, &e));
    struct pollfd p = {listener, POLLIN, 0};
    assert_int_equal(poll(&p, 1, 60000), 1);
    const int fd = accept(listener, NULL, NULL);
    char out[64] = "";
    assert_int_equal(read(fd, out, 9), 9);
    assert_string_equal(out, "from pod\n");
    close(fd);
    wait_exit("c9");
    const char *const argv[] = {"bash", "-c", "echo from node > /dev/tcp/10.96.0.1/443", NULL};
    const struct exec_spec x = {.node = "worker-2", .id = "", .argv = argv};
    struct stream_fds fds;
    ok(m->ops->exec(m, &x, &fds, &e));
    assert_int_equal(finish(&fds, out, sizeof out), 0);
    assert_int_equal(poll(&p, 1, 60000), 1);
    close(listener);
    ok(m->ops->container_remove(m, "worker-1", "c9", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-g", &e));
}

static void services_and_names_work(void **state)
{
    (void)state;
    char out[4096], *result = NULL;
    pod_start("pod-t", "10.244.0.40");
    pod_start("pod-u", "10.244.0.41");
    struct container_spec server =
        container("pod-t", "server", "while true; do echo from server | nc -l -p 8080; done");
    struct container_spec client = container("pod-u", "client", "sleep 1000");
    ok(m->ops->container_start(m, &server, NULL, &e));
    ok(m->ops->container_start(m, &client, NULL, &e));
    ok(m->ops->set_services(m,
                            "{\"dns\": \"10.96.0.10\", \"services\": ["
                            "{\"ip\": \"10.96.3.4\", \"port\": 80, \"targets\": [\"10.244.0.40:8080\"]},"
                            "{\"ip\": \"10.96.3.5\", \"port\": 80, \"targets\": []}],"
                            "\"names\": {\"web.default.svc.cluster.local\": {\"A\": [\"10.96.3.4\"]}}}",
                            &result, &e));
    assert_non_null(strstr(result, "\"refused\":[]"));
    free(result);
    await(container_run("client", "nc -w 2 10.96.3.4 80", out, sizeof out) == 0 && str_eq(out, "from server\n"));
    assert_int_equal(container_run("client", "nc -w 60 10.96.3.5 80", out, sizeof out), 1);
    assert_non_null(strstr(out, "Connection refused"));
    await(container_run("client", "nslookup web.default.svc.cluster.local 10.96.0.10", out, sizeof out) == 0);
    assert_non_null(strstr(out, "10.96.3.4"));
    assert_int_equal(container_run("client", "nslookup nosuch.default.svc.cluster.local 10.96.0.10", out, sizeof out),
                     1);
    assert_non_null(strstr(out, "NXDOMAIN"));
    ok(m->ops->set_services(m, "{}", &result, &e)); /* gone again */
    free(result);
    await(container_run("client", "nc -w 1 10.96.3.4 80", out, sizeof out) != 0);
    ok(m->ops->container_signal(m, "worker-1", "server", SIGKILL, &e));
    ok(m->ops->container_signal(m, "worker-1", "client", SIGKILL, &e));
    wait_exit("server");
    wait_exit("client");
    ok(m->ops->container_remove(m, "worker-1", "server", true, &e));
    ok(m->ops->container_remove(m, "worker-1", "client", true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-t", &e));
    ok(m->ops->sandbox_stop(m, "worker-1", "pod-u", &e));
}

static void node_stops_and_starts(void **state)
{
    (void)state;
    char out[256];
    assert_int_equal(node_run("worker-2", "echo kept > /opt/file", out, sizeof out), 0);
    ok(m->ops->disk_create(m, "stays", GIB, &e));
    ok(m->ops->disk_attach(m, "stays", "worker-2", "/dev/xvdbd", false, &e));
    ok(m->ops->node_stop(m, "worker-2", &e));
    assert_int_equal(m->ops->mkdir_p(m, "worker-2", "/x", 0755, &e), -1);
    ok(m->ops->node_start(m, &(struct node_spec){"worker-2", 1, 4 * GIB}, &e));
    assert_int_equal(node_run("worker-2", "cat /opt/file; test -b /dev/xvdbd", out, sizeof out), 0);
    assert_string_equal(out, "kept\n");
    ok(m->ops->disk_detach(m, "stays", "worker-2", &e));
    await(loops_of(data_dir) == 2); /* the node that started later holds nothing of it */
}

/* What a node had mounted keeps its files; who puts others in their place has them at once. */
static void abandoned_node_takes_other_files(void **state)
{
    (void)state;
    char out[256];
    struct disk_info info;
    const struct node_spec spec = {"worker-2", 1, 4 * GIB};
    const struct fs_mount mount = {"worker-2", "/dev/xvdbe", "/mnt/left", "ext4", "", false, true};
    _auto_free_ char *file = xasprintf("%s/disks/left.img", data_dir), *old = xasprintf("%s/disks/old.img", data_dir);
    _auto_free_ char *other = xasprintf("%s/disks/other.img", data_dir);
    ok(m->ops->disk_create(m, "left", GIB, &e));
    ok(m->ops->disk_create(m, "other", GIB, &e));
    ok(m->ops->disk_attach(m, "left", "worker-2", "/dev/xvdbe", 0, &e));
    ok(m->ops->fs_mount(m, &mount, &e));
    assert_int_equal(node_run("worker-2", "echo then > /mnt/left/file; echo kept > /opt/left", out, sizeof out), 0);
    ok(m->ops->node_abandon(m, "worker-2", &e));
    assert_int_equal(m->ops->mkdir_p(m, "worker-2", "/x", 0755, &e), -1);
    ok(m->ops->disk_info(m, "left", &info, &e));
    assert_string_equal(info.node, "");
    assert_int_equal(rename(file, old), 0);
    assert_int_equal(rename(other, file), 0);
    ok(m->ops->node_start(m, &spec, &e)); /* its own filesystem is the old file: it waits for that */
    ok(m->ops->disk_attach(m, "left", "worker-2", "/dev/xvdbe", 0, &e));
    ok(m->ops->fs_mount(m, &mount, &e));
    assert_int_equal(node_run("worker-2", "ls /mnt/left; cat /opt/left", out, sizeof out), 0);
    assert_string_equal(out, "lost+found\nkept\n");
    ok(m->ops->unmount(m, "worker-2", "/mnt/left", &e));
    ok(m->ops->disk_detach(m, "left", "worker-2", &e));
    ok(m->ops->disk_attach(m, "old", "worker-2", "/dev/xvdbe", 0, &e)); /* what was written there is there */
    ok(m->ops->fs_mount(m, &mount, &e));
    assert_int_equal(node_run("worker-2", "cat /mnt/left/file", out, sizeof out), 0);
    assert_string_equal(out, "then\n");
    ok(m->ops->unmount(m, "worker-2", "/mnt/left", &e));
    ok(m->ops->disk_detach(m, "old", "worker-2", &e));
    await(loops_of(data_dir) == 2);
}

/* The links of the machine's tools: what was changed on the node is as on the machine once it starts anew. */
static void a_node_that_starts_has_its_tools_again(void **state)
{
    (void)state;
    char out[64];
    const struct node_spec spec = {"worker-2", 1, 4 * GIB};
    for (int i = 0; i < 3; i++) { /* after no change, and after one */
        ok(m->ops->node_stop(m, "worker-2", &e));
        ok(m->ops->node_start(m, &spec, &e));
        assert_int_equal(node_run("worker-2", "find /etc/alternatives -type l | wc -l", out, sizeof out), 0);
        assert_int_equal(strtol(out, NULL, 10), count_tools("/etc/alternatives"));
        if (i == 1)
            assert_int_equal(node_run("worker-2", "cd /etc/alternatives && rm $(ls | head -n 3)", out, sizeof out), 0);
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
    await(loops_of(data_dir) == 0);
    await(mounts_of(data_dir) == 0);
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_has_its_own_root),
        cmocka_unit_test(nodes_reach_each_other),
        cmocka_unit_test(disk_becomes_a_filesystem),
        cmocka_unit_test(shared_disk_is_one_filesystem_on_both_nodes),
        cmocka_unit_test(grown_disk_is_larger_at_the_next_mount),
        cmocka_unit_test(mount_errors_are_mounts_own),
        cmocka_unit_test(files_and_volumes),
        cmocka_unit_test(container_runs_and_ends),
        cmocka_unit_test(signal_is_heard_once_the_program_listens),
        cmocka_unit_test(container_sees_what_it_should),
        cmocka_unit_test(programs_that_cannot_start),
        cmocka_unit_test(terminal_stdin_and_attach),
        cmocka_unit_test(pods_speak_with_each_other),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(one_pod_shares_its_processes),
        cmocka_unit_test(block_volumes_are_devices),
        cmocka_unit_test(links_in_an_image_do_not_lead_out),
        cmocka_unit_test(cluster_addresses_are_reached_from_everywhere),
        cmocka_unit_test(services_and_names_work),
        cmocka_unit_test(node_stops_and_starts),
        cmocka_unit_test(abandoned_node_takes_other_files),
        cmocka_unit_test(a_node_that_starts_has_its_tools_again),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

/* A filesystem is made on a blank disk, once, and never over anything else: what is corrupt, foreign or unknown is
 * refused in mount(8)'s words and keeps its bytes. A dirty filesystem is repaired at mount; one that fsck cannot repair
 * is refused in the kubelet's words. A format that was cut off by a kill is begun again. */
#include "kernel/sys/harness.h"

#define MIB (INT64_C(1) << 20)

static struct machine *m;
static struct err e;

static char out[8192];

static void node_ok(const char *script)
{
    if (node_run("worker-1", script, out, sizeof out) != 0)
        fail_msg("%s: %s", script, out);
}

static int mount_as(const char *fstype, const char *options)
{
    const struct fs_mount mount = {"worker-1", "/dev/xvdba", "/mnt/v", fstype, options, false, true};
    err_clear(&e);
    return m->ops->fs_mount(m, &mount, &e);
}

static void disk_new(void)
{
    ok(m->ops->disk_create(m, "v", 64 * MIB, &e));
    ok(m->ops->disk_attach(m, "v", "worker-1", "/dev/xvdba", false, &e));
}

static void disk_gone(void)
{
    ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
    ok(m->ops->disk_detach(m, "v", "worker-1", &e));
    ok(m->ops->disk_delete(m, "v", &e));
}

static void refused_and_untouched(const char *put)
{
    disk_new();
    node_ok(put);
    node_ok("sha256sum < /dev/xvdba > /tmp/sum");
    assert_int_equal(mount_as("ext4", ""), -1);
    assert_non_null(strstr(e.msg,
                           "mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t ext4 -o "
                           "defaults /dev/xvdba /mnt/v\nOutput: mount: /mnt/v: wrong fs type, bad option, bad "
                           "superblock on /dev/xvdba, missing codepage or helper program, or other error.\n"));
    node_ok("sha256sum < /dev/xvdba | cmp - /tmp/sum");
    disk_gone();
}

static void what_is_not_blank_is_never_formatted(void **state)
{
    (void)state;
    refused_and_untouched("echo precious | dd of=/dev/xvdba bs=1 seek=50M conv=notrunc 2>/dev/null");
    refused_and_untouched("head -c 70000 /dev/urandom > /dev/xvdba");
    /* an ext4 whose first block was lost */
    refused_and_untouched(
        "mkfs.ext4 -qF /dev/xvdba && dd if=/dev/zero of=/dev/xvdba bs=64k count=1 conv=notrunc 2>/dev/null");
    refused_and_untouched("printf 'LUKS\\272\\276' > /dev/xvdba");
}

static void another_filesystem_is_not_formatted_over(void **state)
{
    (void)state;
    disk_new();
    ok(mount_as("ext3", ""));
    node_ok("grep -q '/mnt/v ext3 ' /proc/mounts && echo kept > /mnt/v/f");
    ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
    assert_int_equal(mount_as("xfs", ""), -1);
    assert_non_null(strstr(e.msg, "-t xfs -o defaults /dev/xvdba"));
    ok(mount_as("ext3", ""));
    node_ok("grep -qx kept /mnt/v/f");
    disk_gone();
}

static void zeros_are_blank(void **state)
{
    (void)state;
    disk_new();
    node_ok("dd if=/dev/zero of=/dev/xvdba bs=1M count=8 2>/dev/null");
    ok(mount_as("ext4", ""));
    disk_gone();
}

static void a_format_cut_off_is_begun_again(void **state)
{
    (void)state;
    _auto_free_ char *mark = xasprintf("%s/disks/v.formatting", data_dir);
    disk_new();
    node_ok("head -c 70000 /dev/urandom | dd of=/dev/xvdba bs=4k seek=100 conv=notrunc 2>/dev/null");
    close(open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ok(mount_as("ext4", ""));
    assert_int_not_equal(access(mark, F_OK), 0);
    node_ok("echo kept > /mnt/v/f");
    ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
    ok(mount_as("ext4", ""));
    node_ok("grep -qx kept /mnt/v/f");
    disk_gone();
}

static void missing_helpers_are_named(void **state)
{
    (void)state;
    static const char *const types[] = {"xfs", "btrfs", "nosuchfs"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char text[512];
        snprintf(text, sizeof text, "command -v mkfs.%s", types[i]);
        disk_new();
        if (node_run("worker-1", text, out, sizeof out) == 0) {
            printf("this machine has mkfs.%s\n", types[i]);
            if (str_eq(types[i], "btrfs"))
                ok(m->ops->disk_grow(m, "v", 512 * MIB, &e));
            if (str_eq(types[i], "xfs"))
                ok(m->ops->disk_grow(m, "v", 512 * MIB, &e));
            ok(mount_as(types[i], ""));
            snprintf(text, sizeof text, "grep -q '/mnt/v %s ' /proc/mounts", types[i]);
            node_ok(text);
        } else {
            assert_int_equal(mount_as(types[i], ""), -1);
            snprintf(text, sizeof text,
                     "format of disk \"/dev/xvdba\" failed: type:(\"%s\") target:(\"/mnt/v\") options:(\"defaults\") "
                     "errcode:(executable file not found in $PATH) output:() ",
                     types[i]);
            assert_string_equal(e.msg, text);
        }
        disk_gone();
    }
}

static void mount_options_reach_the_kernel(void **state)
{
    (void)state;
    disk_new();
    ok(mount_as("ext4", "noatime,commit=17"));
    node_ok("grep '/mnt/v ' /proc/mounts | grep noatime | grep -q commit=17");
    ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
    assert_int_equal(mount_as("ext4", "nosuchoption"), -1);
    assert_non_null(strstr(e.msg, "Mounting arguments: -t ext4 -o nosuchoption,defaults /dev/xvdba /mnt/v\nOutput: "
                                  "mount: /mnt/v: wrong fs type, bad option, bad superblock on /dev/xvdba"));
    disk_gone();
}

static void a_dirty_filesystem_is_repaired(void **state)
{
    (void)state;
    disk_new();
    ok(mount_as("ext4", ""));
    node_ok("mkdir /mnt/v/d && echo kept > /mnt/v/d/f");
    ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
    /* wrong free counts, and marked as having errors: what e2fsck -p repairs by itself */
    node_ok("debugfs -w -R 'ssv free_blocks_count 7' /dev/xvdba && debugfs -w -R 'ssv state 2' /dev/xvdba");
    ok(mount_as("ext4", ""));
    node_ok("grep -qx kept /mnt/v/d/f");
    ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
    node_ok("e2fsck -fn /dev/xvdba");
    disk_gone();
}

static void a_broken_filesystem_is_refused(void **state)
{
    (void)state;
    disk_new();
    ok(mount_as("ext4", ""));
    node_ok("for i in 1 2 3 4 5 6; do mkdir /mnt/v/d$i; echo $i > /mnt/v/d$i/f; done");
    ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
    /* the root directory is no directory any more: e2fsck asks, and -p must not answer */
    node_ok("debugfs -w -R 'clri <2>' /dev/xvdba && debugfs -w -R 'ssv state 2' /dev/xvdba");
    node_ok("sha256sum < /dev/xvdba > /tmp/sum");
    assert_int_equal(mount_as("ext4", ""), -1);
    assert_true(str_starts(e.msg, "'fsck' found errors on device /dev/xvdba but could not correct them: fsck from "));
    assert_non_null(strstr(e.msg, "UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY."));
    disk_gone();
}

/* A table of two partitions, written by hand: the second is 16 MiB at 8 MiB. */
static void a_partition_is_formatted_and_mounted_alone(void **state)
{
    (void)state;
    const struct fs_mount mount = {"worker-1", "/dev/xvdba2", "/mnt/v", "ext4", "", false, true};
    disk_new();
    assert_int_equal(m->ops->fs_mount(m, &mount, &e), -1);
    assert_non_null(strstr(e.msg, "special device /dev/xvdba2 does not exist"));
    node_ok("{ head -c 446 /dev/zero; printf '\\0\\0\\0\\0\\203\\0\\0\\0\\0\\10\\0\\0\\0\\20\\0\\0';"
            " printf '\\0\\0\\0\\0\\203\\0\\0\\0\\0\\100\\0\\0\\0\\200\\0\\0';"
            " head -c 32 /dev/zero; printf '\\125\\252'; } | dd of=/dev/xvdba bs=512 conv=notrunc 2>/dev/null");
    if (m->ops->fs_mount(m, &mount, &e) < 0) {
        if (node_run("worker-1", "test -b /dev/xvdba2", out, sizeof out) == 0)
            fail_msg("%s", e.msg);
        printf("this kernel does not read DOS partition tables\n");
        disk_gone();
        return;
    }
    node_ok("df -k --output=source,size /mnt/v | tail -1 | awk '$1 == \"/dev/xvdba2\" && $2 > 8000 && $2 < 16384 {ok=1}"
            " END {exit !ok}' && echo kept > /mnt/v/f");
    assert_int_equal(m->ops->disk_detach(m, "v", "worker-1", &e), -1);
    ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
    assert_int_equal(mount_as("ext4", ""), -1); /* the whole is a table, not a filesystem */
    if (m->ops->fs_mount(m, &mount, &e) < 0)
        fail_msg("%s", e.msg);
    node_ok("grep -qx kept /mnt/v/f");
    disk_gone();
    node_ok("! ls /dev | grep xvdba"); /* a partition's name goes with its disk's */
}

#define LOOK                                                                                                           \
    "dumpe2fs -h /dev/xvdba 2>/dev/null | grep -Ev 'UUID|Seed|[Cc]hecksum|created|checked|time|Free|mounted|Journal "  \
    "(seq|feat)'"

/* What mkfs makes at the first mount and what is cast into a new disk are the same, but for who they are. */
static void a_filesystem_from_the_start_is_as_one_of_mkfs(void **state)
{
    (void)state;
    static const int64_t sizes[] = {512 * MIB, 1024 * MIB, 3072 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ok(m->ops->disk_create(m, "v", sizes[i], &e));
        ok(m->ops->disk_attach(m, "v", "worker-1", "/dev/xvdba", false, &e));
        ok(mount_as("ext4", ""));
        node_ok("df -k /mnt/v | tail -1 > /tmp/df");
        ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
        node_ok(LOOK " > /tmp/made");
        disk_gone();
        ok(m->ops->disk_create_ext4(m, "v", sizes[i], &e));
        ok(m->ops->disk_attach(m, "v", "worker-1", "/dev/xvdba", false, &e));
        node_ok("e2fsck -fn /dev/xvdba");
        ok(mount_as("ext4", ""));
        node_ok("df -k /mnt/v | tail -1 | diff /tmp/df - && echo kept > /mnt/v/f");
        ok(m->ops->unmount(m, "worker-1", "/mnt/v", &e));
        node_ok(LOOK " | sed 's/ metadata_csum_seed//' | diff /tmp/made -");
        node_ok("e2fsck -fn -b 32768 -B 4096 /dev/xvdba >/dev/null; test $? -le 4"); /* the copy has a good checksum */
        ok(mount_as("ext4", ""));
        node_ok("grep -qx kept /mnt/v/f");
        disk_gone();
    }
}

static void *create_one(void *arg)
{
    struct err why = ERR_INIT;
    return m->ops->disk_create_ext4(m, arg, 1536 * MIB, &why) == 0 ? arg : NULL;
}

/* Also those that were asked for while the first one was being made, each under its own name. */
static void filesystems_from_the_start_are_all_different(void **state)
{
    (void)state;
    static char names[][8] = {"one", "two", "three", "four"};
    enum { N = sizeof names / sizeof *names };
    pthread_t threads[N];
    for (size_t i = 0; i < N; i++)
        pthread_create(&threads[i], NULL, create_one, names[i]);
    node_ok(": > /tmp/uuids");
    for (size_t i = 0; i < N; i++) {
        void *made = NULL;
        pthread_join(threads[i], &made);
        assert_ptr_equal(made, names[i]);
        ok(m->ops->disk_attach(m, names[i], "worker-1", "/dev/xvdba", false, &e));
        node_ok("e2fsck -fn /dev/xvdba && dumpe2fs -h /dev/xvdba | grep UUID >> /tmp/uuids");
        ok(m->ops->disk_detach(m, names[i], "worker-1", &e));
    }
    node_ok("test $(sort -u /tmp/uuids | wc -l) = 4");
    assert_int_equal(m->ops->disk_create_ext4(m, "one", 1536 * MIB, &e), -1);
    assert_string_equal(e.msg, "disk \"one\" already exists");
    for (size_t i = 0; i < N; i++)
        ok(m->ops->disk_delete(m, names[i], &e));
}

/* What would not be cheap stays a blank disk, as any other. */
static void small_and_huge_disks_are_blank(void **state)
{
    (void)state;
    static const int64_t sizes[] = {64 * MIB, INT64_C(1) << 40};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct disk_info info;
        ok(m->ops->disk_create_ext4(m, "v", sizes[i], &e));
        ok(m->ops->disk_info(m, "v", &info, &e));
        assert_int_equal(info.bytes, sizes[i]);
        assert_int_equal(info.used, 0);
        ok(m->ops->disk_delete(m, "v", &e));
    }
}

/* Whether the loop device goes past the page cache or not: the file and the device are one. */
static void device_and_file_show_the_same(void **state)
{
    (void)state;
    char text[6] = "";
    _auto_free_ char *file = xasprintf("%s/disks/v.img", data_dir);
    disk_new();
    _auto_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, text, 5, 0), 5); /* now the page cache has the zeros */
    assert_string_equal(text, "");
    node_ok("printf hello | dd of=/dev/xvdba conv=notrunc,fsync 2>/dev/null");
    assert_int_equal(pread(fd, text, 5, 0), 5);
    assert_string_equal(text, "hello");
    node_ok("printf world | dd of=/dev/xvdba bs=5 seek=1 conv=notrunc,fsync 2>/dev/null");
    assert_int_equal(pread(fd, text, 5, 5), 5);
    assert_string_equal(text, "world");
    disk_gone();
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
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_blank_is_never_formatted),
        cmocka_unit_test(another_filesystem_is_not_formatted_over),
        cmocka_unit_test(zeros_are_blank),
        cmocka_unit_test(a_format_cut_off_is_begun_again),
        cmocka_unit_test(missing_helpers_are_named),
        cmocka_unit_test(mount_options_reach_the_kernel),
        cmocka_unit_test(a_dirty_filesystem_is_repaired),
        cmocka_unit_test(a_broken_filesystem_is_refused),
        cmocka_unit_test(a_partition_is_formatted_and_mounted_alone),
        cmocka_unit_test(a_filesystem_from_the_start_is_as_one_of_mkfs),
        cmocka_unit_test(filesystems_from_the_start_are_all_different),
        cmocka_unit_test(small_and_huge_disks_are_blank),
        cmocka_unit_test(device_and_file_show_the_same),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

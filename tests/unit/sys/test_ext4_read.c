/* ext4_read.h against images that mkfs.ext4 makes of a folder: names, sizes, modes, times, bytes; and against images
 * that are broken everywhere. */
#include "base/buf.h"
#include "base/mem.h"
#include "sys/ext4_read.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/test-ext4.XXXXXX";

static void shell(const char *script)
{
    _auto_free_ char *line =
        xasprintf("export PATH=$PATH:/usr/sbin:/sbin; cd %s && { %s\n} >/dev/null 2>&1", dir, script);
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int open_image(const char *name, struct ext4 **out)
{
    struct err e = ERR_INIT;
    _auto_free_ char *path = xasprintf("%s/%s", dir, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ext4_open(fd, out, &e), 0);
    return fd;
}

static const struct ext4_file *find(const struct ext4_files *f, const char *path)
{
    for (size_t i = 0; i < f->len; i++)
        if (strcmp(f->rows[i].path, path) == 0)
            return &f->rows[i];
    return NULL;
}

static int make(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    shell("mkdir -p a/deep/er a/many && printf hello >a/file && chmod 640 a/file && ln -s file a/link && "
          "touch -d '2024-05-06 07:08:09.123456789 UTC' a/file && "
          "for i in $(seq 1 1500); do : >a/many/a-name-that-is-long-enough-to-need-blocks-$i; done && "
          "dd if=/dev/urandom of=a/deep/big bs=64k count=40 && truncate -s 5M a/deep/er/hole && "
          "printf end >>a/deep/er/hole && cp -a a b && printf HELLO >b/file && "
          "printf x | dd of=b/deep/big bs=1 seek=2000000 conv=notrunc && "
          "for d in a b; do mkfs.ext4 -q -F -d $d $d.img 64M; done");
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    shell("rm -rf a b a.img b.img broken.img");
    return rmdir(dir);
}

static void test_names(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct ext4 *x = NULL;
    struct stat st;
    int64_t files, bytes;
    _auto_ext4_files_ struct ext4_files f = {0};
    _auto_close_ int fd = open_image("a.img", &x);
    assert_int_equal(ext4_list(x, 100000, &f, &e), 0);
    assert_int_equal(f.len, 1507); /* deep, deep/big, deep/er, deep/er/hole, file, link, many, and 1500 in it */
    assert_false(f.cut);
    const struct ext4_file *file = find(&f, "file");
    _auto_free_ char *path = xasprintf("%s/a/file", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_non_null(file);
    assert_int_equal(file->size, 5);
    assert_int_equal(file->mode, S_IFREG | 0640);
    assert_int_equal(file->mtime.tv_sec, st.st_mtim.tv_sec);
    assert_int_equal(find(&f, "deep/er/hole")->size, 5 * 1024 * 1024 + 3);
    assert_true(S_ISLNK(find(&f, "link")->mode) && S_ISDIR(find(&f, "deep/er")->mode));
    assert_null(find(&f, "lost+found"));
    ext4_use(x, &files, &bytes);
    assert_int_equal(files, 1507 + 1); /* lost+found */
    assert_true(bytes > 40 * 65536);
    ext4_close(x);
}

static void test_a_limit(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct ext4 *x = NULL;
    _auto_ext4_files_ struct ext4_files f = {0};
    _auto_close_ int fd = open_image("a.img", &x);
    assert_int_equal(ext4_list(x, 10, &f, &e), 0);
    assert_int_equal(f.len, 10);
    assert_true(f.cut);
    ext4_close(x);
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool same;
    } rows[] = {{"file", false}, {"link", true}, {"deep/big", false}, {"deep/er/hole", true}};
    struct err e = ERR_INIT;
    struct ext4 *x = NULL, *y = NULL;
    _auto_ext4_files_ struct ext4_files f = {0}, g = {0};
    _auto_close_ int fd = open_image("a.img", &x), fd2 = open_image("b.img", &y);
    assert_int_equal(ext4_list(x, 100000, &f, &e) + ext4_list(y, 100000, &g, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct ext4_file *a = find(&f, rows[i].path), *b = find(&g, rows[i].path);
        assert_int_equal(ext4_same_bytes(x, a->inode, y, b->inode), rows[i].same);
        assert_true(ext4_same_bytes(x, a->inode, x, a->inode));
    }
    ext4_close(x);
    ext4_close(y);
}

/* Whatever an image says: an answer or an error, never a crash (the sanitizers look), and it ends. */
static void test_broken(void **state)
{
    (void)state;
    unsigned seed = 7;
    _auto_free_ char *path = xasprintf("%s/broken.img", dir);
    for (int round = 0; round < 60; round++) {
        struct err e = ERR_INIT;
        struct ext4 *x = NULL;
        _auto_ext4_files_ struct ext4_files f = {0};
        shell("cp --sparse=always a.img broken.img");
        _auto_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
        for (int i = 0; i < 400; i++) {
            const off_t at = 1024 + (off_t)rand_r(&seed) % (round % 2 ? 1 << 20 : 4096);
            const unsigned char value = (unsigned char)rand_r(&seed);
            assert_int_equal(pwrite(fd, &value, 1, round % 4 < 2 || at > 2048 ? at : at + 1024), 1);
        }
        if (ext4_open(fd, &x, &e) < 0)
            continue;
        if (ext4_list(x, 5000, &f, &e) == 0)
            for (size_t i = 0; i < f.len; i++)
                if (f.rows[i].size < 8 << 20)
                    ext4_same_bytes(x, f.rows[i].inode, x, f.rows[i].inode);
        ext4_close(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_a_limit),
                                       cmocka_unit_test(test_bytes), cmocka_unit_test(test_broken)};
    return cmocka_run_group_tests(tests, make, tidy);
}

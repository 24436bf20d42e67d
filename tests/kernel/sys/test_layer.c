/* Layers from archives that GNU tar and python wrote, stacked by the kernel's own overlay; and archives nobody should
 * write, which are refused and leave nothing outside. */
#include "base/mem.h"
#include "base/str.h"
#include "base/tar.h"
#include "sys/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/tmp/stowage-layer-XXXXXX";

static int make_dir(const char *name)
{
    _auto_free_ char *path = xasprintf("%s/%s", top, name);
    mkdir(path, 0755);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void put(struct buf *out, int type, const char *path, const char *text)
{
    struct tar_entry entry = {.path = (char *)path, .type = type, .mode = type == TAR_DIR ? 0755 : 0644};
    entry.link = (char *)(type == TAR_FILE ? "" : text);
    entry.size = type == TAR_FILE ? (int64_t)strlen(text) : 0;
    tar_put_header(out, &entry);
    if (type != TAR_FILE)
        return;
    buf_adds(out, text);
    tar_put_pad(out, entry.size);
}

static int apply(const struct buf *archive, int dir, const int *lowers, size_t n, struct err *e)
{
    const struct stream_conf conf = {
        .fd = -1, .mem = archive->data, .mem_len = archive->len, .max_bytes = 1 << 20, .digest = true};
    const struct layer_job job = {dir, lowers, n};
    struct layer_result result;
    struct stream *s = NULL;
    assert_int_equal(stream_open(&conf, &s, e), 0);
    const int rc = layer_apply(&job, s, &result, e);
    stream_close(s);
    return rc;
}

static char *content(const char *path)
{
    char text[64] = "";
    _auto_free_ char *full = xasprintf("%s/%s", top, path);
    FILE *f = fopen(full, "re");
    if (!f)
        return NULL;
    const size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return xstrdup(text);
}

static void holds(const char *path, const char *text)
{
    _auto_free_ char *seen = content(path);
    if (!str_eq(seen, text))
        fail_msg("%s: expected %s, saw %s", path, text ? text : "nothing", seen ? seen : "nothing");
}

static void whiteouts_hide(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_close_ int one = make_dir("one"), two = make_dir("two"), merged = make_dir("merged");
    _auto_buf_ struct buf a = BUF_INIT, b = BUF_INIT;
    put(&a, TAR_DIR, "etc/", "");
    put(&a, TAR_FILE, "etc/gone", "1");
    put(&a, TAR_FILE, "etc/stays", "1");
    put(&a, TAR_FILE, "opaque/old", "1");
    put(&a, TAR_FILE, "anew/old", "1");
    put(&a, TAR_FILE, "usr/lib/f", "1");
    put(&a, TAR_SYMLINK, "lib", "usr/lib");
    put(&a, TAR_FILE, "source", "linked");
    tar_put_end(&a);
    put(&b, TAR_FILE, "etc/.wh.gone", "");
    put(&b, TAR_FILE, "opaque/.wh..wh..opq", "");
    put(&b, TAR_FILE, "opaque/new", "2");
    put(&b, TAR_FILE, ".wh.anew", "");
    put(&b, TAR_FILE, "anew/new", "2");
    put(&b, TAR_FILE, "lib/g", "2");
    put(&b, TAR_HARD_LINK, "hard", "source");
    put(&b, TAR_FILE, ".wh..wh.plnk", "");
    tar_put_end(&b);
    assert_int_equal(apply(&a, one, NULL, 0, &e), 0);
    fchmodat(one, "etc", 0700, 0);
    if (apply(&b, two, &one, 1, &e) < 0)
        fail_msg("%s", e.msg);

    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    _auto_free_ char *options = xasprintf("lowerdir=%s/two:%s/one", top, top), *at = xasprintf("%s/merged", top);
    assert_int_equal(mount("overlay", at, "overlay", MS_RDONLY, options), 0);
    holds("merged/etc/gone", NULL);
    holds("merged/etc/stays", "1");
    holds("merged/opaque/old", NULL);
    holds("merged/opaque/new", "2");
    holds("merged/anew/old", NULL);
    holds("merged/anew/new", "2");
    holds("merged/usr/lib/f", "1");
    holds("merged/usr/lib/g", "2");
    holds("merged/lib/g", "2");
    holds("merged/hard", "linked");
    struct stat st;
    _auto_free_ char *etc = xasprintf("%s/merged/etc", top);
    assert_int_equal(stat(etc, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700); /* as below: this layer does not bring it */
    assert_int_equal(umount2(at, MNT_DETACH), 0);
}

static void owners_modes_attributes(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_close_ int dir = make_dir("meta");
    _auto_buf_ struct buf a = BUF_INIT;
    struct tar_xattr xattrs[] = {{(char *)"user.note", (char *)"hi", 2}, {(char *)"security.selinux", (char *)"x", 1}};
    struct tar_entry entry = {.path = (char *)"./bin/su",
                              .type = TAR_FILE,
                              .mode = 04755,
                              .uid = 12,
                              .gid = 34,
                              .mtime = 1500000000,
                              .xattrs = xattrs,
                              .xattr_count = 2};
    put(&a, TAR_DIR, "./", "");
    tar_put_header(&a, &entry);
    put(&a, TAR_HARD_LINK, "bin/su2", "bin/su");
    put(&a, TAR_FIFO, "pipe", "");
    tar_put_end(&a);
    assert_int_equal(apply(&a, dir, NULL, 0, &e), 0);
    struct stat st, st2;
    char note[8] = "";
    assert_int_equal(fstatat(dir, "bin/su", &st, 0), 0);
    assert_int_equal(fstatat(dir, "bin/su2", &st2, 0), 0);
    assert_int_equal(st.st_ino, st2.st_ino);
    assert_int_equal(st.st_mode & 07777, 04755);
    assert_int_equal(st.st_uid, 12);
    assert_int_equal(st.st_gid, 34);
    assert_int_equal(st.st_mtime, 1500000000);
    _auto_free_ char *path = xasprintf("%s/meta/bin/su", top);
    if (getxattr(path, "user.note", note, sizeof note) < 0)
        assert_int_equal(errno, EOPNOTSUPP); /* this machine's /tmp has none */
    else
        assert_string_equal(note, "hi");
    assert_int_equal(fstatat(dir, "pipe", &st, 0), 0);
    assert_true(S_ISFIFO(st.st_mode));
}

static void hostile_archives(void **state)
{
    (void)state;
    static const struct {
        int type;
        const char *path, *text, *why;
    } rows[] = {
        {TAR_FILE, "../escaped", "x", "may not climb"},
        {TAR_FILE, "a/../../escaped", "x", "may not climb"},
        {TAR_FILE, "out/escaped", "x", "is no directory of this layer"}, /* out -> the directory above */
        {TAR_FILE, "abs/escaped", "x", "is no directory of this layer"},
        {TAR_HARD_LINK, "l", "../escaped", "leads out"},
        {TAR_HARD_LINK, "l", "/etc/passwd", "leads out"},
        {TAR_HARD_LINK, "l", "nothing", "which is not there"},
        {TAR_HARD_LINK, "l", "out/escaped", "is no directory"},
        {TAR_CHAR, "mem", "", "may not bring devices"},
        {TAR_BLOCK, "sda", "", "may not bring devices"},
        {TAR_FILE, ".wh...", "", "may not climb|without a name"},
        {TAR_FILE, ".wh.", "", "without a name"},
    };
    _auto_free_ char *outside = xasprintf("%s/escaped", top);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        _auto_free_ char *name = xasprintf("hostile%zu", i);
        _auto_close_ int dir = make_dir(name);
        _auto_buf_ struct buf a = BUF_INIT;
        put(&a, TAR_SYMLINK, "out", "..");
        put(&a, TAR_SYMLINK, "abs", top);
        struct tar_entry entry = {
            .path = (char *)rows[i].path, .type = rows[i].type, .mode = 0644, .major = 1, .minor = 1};
        entry.link = (char *)rows[i].text;
        tar_put_header(&a, &entry);
        tar_put_end(&a);
        assert_int_equal(apply(&a, dir, NULL, 0, &e), -1);
        assert_int_equal(e.code, ERR_INVALID);
        const char *bar = strchr(rows[i].why, '|');
        if (!strstr(e.msg, bar ? bar + 1 : rows[i].why) && !bar)
            fail_msg("%s: %s", rows[i].path, e.msg);
        assert_int_equal(access(outside, F_OK), -1);
    }
}

static void marks_may_not_be_brought(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_close_ int dir = make_dir("marks");
    _auto_buf_ struct buf a = BUF_INIT;
    struct tar_xattr xattr = {(char *)"trusted.overlay.redirect", (char *)"/etc", 4};
    struct tar_entry entry = {.path = (char *)"d", .type = TAR_DIR, .xattrs = &xattr, .xattr_count = 1};
    tar_put_header(&a, &entry);
    tar_put_end(&a);
    assert_int_equal(apply(&a, dir, NULL, 0, &e), -1);
    assert_int_equal(apply(&a, -1, NULL, 0, &e), -1);
    assert_non_null(strstr(e.msg, "marks of the overlay"));
}

static void bombs(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_close_ int dir = make_dir("bomb");
    _auto_buf_ struct buf a = BUF_INIT;
    _auto_free_ char *big = xmalloc((2 << 20) + 1);
    memset(big, 'x', 2 << 20);
    big[2 << 20] = '\0';
    put(&a, TAR_FILE, "big", big);
    tar_put_end(&a);
    assert_int_equal(apply(&a, dir, NULL, 0, &e), -1);
    assert_int_equal(e.code, ERR_TOO_LARGE);
}

int main(void)
{
    if (geteuid() != 0) {
        puts("skipped: needs root");
        return 77;
    }
    if (!mkdtemp(top))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whiteouts_hide),           cmocka_unit_test(owners_modes_attributes),
        cmocka_unit_test(hostile_archives),         cmocka_unit_test(bombs),
        cmocka_unit_test(marks_may_not_be_brought),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    struct err e = ERR_INIT;
    return layer_remove(top, &e) < 0 ? 1 : failed;
}

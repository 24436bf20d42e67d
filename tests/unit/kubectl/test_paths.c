/* Paths as Go cleans and joins them, names of images, and archives of folders. */
#include "kubectl/set/image_name.h"
#include "kubectl/verbs/pack.h"
#include "kubectl/verbs/paths.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/tar.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void paths_are_cleaned(void **state _unused_)
{
    static const char *const rows[][2] = {
        {"", "."},
        {"a", "a"},
        {"a/b/", "a/b"},
        {"a//b", "a/b"},
        {"a/./b", "a/b"},
        {"a/../b", "b"},
        {"a/..", "."},
        {"..", ".."},
        {"../../a", "../../a"},
        {"../a/..", ".."},
        {"/", "/"},
        {"/..", "/"},
        {"/../a", "/a"},
        {"/a/../..", "/"},
        {"/a/b/../c", "/a/c"},
        {"a/b/../../../c", "../c"},
        {"./a", "a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *clean = path_clean(rows[i][0]);
        assert_string_equal(clean, rows[i][1]);
    }
}

static void paths_are_joined_and_taken_apart(void **state _unused_)
{
    static const char *const joins[][3] = {{"a", "b", "a/b"}, {"a", "", "a"},          {"", "b", "b"},
                                           {"", "", ""},      {"/tmp/", "../x", "/x"}, {".", "x", "x"}};
    static const char *const parts[][3] = {/* path, its folder, its last name */
                                           {"a", ".", "a"}, {"a/b", "a", "b"}, {"/a", "/", "a"},
                                           {"/", "/", "/"}, {"", ".", "."},    {"a/b/", "a/b", "b"}};
    for (size_t i = 0; i < ARRAY_LEN(joins); i++) {
        _auto_free_ char *path = path_join(joins[i][0], joins[i][1]);
        assert_string_equal(path, joins[i][2]);
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        _auto_free_ char *dir = path_dir(parts[i][0]), *base = path_base(parts[i][0]);
        assert_string_equal(dir, parts[i][1]);
        assert_string_equal(base, parts[i][2]);
    }
}

static void what_climbs_is_outside(void **state _unused_)
{
    assert_true(path_inside("/a", "/a"));
    assert_true(path_inside("/a", "/a/b"));
    assert_false(path_inside("/a", "/ab"));
    assert_false(path_inside("/a", "/"));
    assert_true(path_inside(".", "x"));
    assert_false(path_inside(".", "../x"));
    assert_false(path_inside(".", "/x"));
    assert_true(path_inside("/", "/x"));
}

static void names_of_images_are_told_from_others(void **state _unused_)
{
    static const char *const good[] = {"nginx",
                                       "nginx:1.27-alpine",
                                       "library/nginx",
                                       "registry.k8s.io/e2e-test-images/agnhost:2.53",
                                       "localhost:5000/a__b/c.d-e",
                                       "a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    static const char *const bad[] = {"", "Nginx", "a b", "nginx:", "a//b", "-a", "a:b:c", "nginx@sha256:12", "a_"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(image_name_valid(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(image_name_valid(bad[i]));
}

static void put(const char *path, const char *text)
{
    _auto_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Read again by our own reader, whatever pieces it was written in. */
static void a_folder_becomes_an_archive(void **state _unused_)
{
    char dir[] = "/tmp/stowage-pack.XXXXXX";
    struct err e = ERR_INIT;
    _auto_pack_ struct pack *pack = NULL;
    _auto_buf_ struct buf bytes = BUF_INIT, seen = BUF_INIT;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    mkdir("t", 0755);
    mkdir("t/empty", 0750);
    put("t/a", "one");
    assert_int_equal(symlink("a", "t/link"), 0);
    assert_int_equal(pack_open("t", "n", &pack, &e), 0);
    for (ssize_t n; (n = pack_read(pack, buf_reserve(&bytes, 7), 7, &e)) != 0;) {
        assert_true(n > 0);
        bytes.len += (size_t)n;
    }
    const struct stream_conf conf = {.fd = -1, .mem = bytes.data, .mem_len = bytes.len};
    _auto_stream_ struct stream *stream = NULL;
    assert_int_equal(stream_open(&conf, &stream, &e), 0);
    _auto_tar_ struct tar *tar = tar_new(stream);
    const struct tar_entry *entry;
    while (tar_next(tar, &entry, &e) > 0)
        buf_addf(&seen, "%c %s %s %lld %o\n", entry->type, entry->path, entry->link, (long long)entry->size,
                 entry->type == TAR_SYMLINK ? 0 : entry->mode);
    assert_string_equal(buf_str(&seen), "0 n/a  3 640\n5 n/empty  0 750\n2 n/link a 0 0\n");
    assert_int_equal(pack_open("nothing", "n", &pack, &e), -1);
    assert_string_equal(e.msg, "lstat nothing: no such file or directory");
    unlink("t/a");
    unlink("t/link");
    rmdir("t/empty");
    rmdir("t");
    assert_int_equal(chdir("/"), 0);
    rmdir(dir);
}

int main(void)
{
    umask(022);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_cleaned),           cmocka_unit_test(paths_are_joined_and_taken_apart),
        cmocka_unit_test(what_climbs_is_outside),      cmocka_unit_test(names_of_images_are_told_from_others),
        cmocka_unit_test(a_folder_becomes_an_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

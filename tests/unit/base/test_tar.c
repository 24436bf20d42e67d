/* Archives: what is written is read back, what GNU tar writes is understood, what is damaged is refused and never
 * believed. */
#include "base/mem.h"
#include "base/str.h"
#include "base/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static struct stream *open_mem(const void *data, size_t n, int64_t max, struct err *e)
{
    const struct stream_conf conf = {.fd = -1, .mem = data, .mem_len = n, .max_bytes = max, .digest = true};
    struct stream *s = NULL;
    return stream_open(&conf, &s, e) < 0 ? NULL : s;
}

static void put_file(struct buf *out, const char *path, const char *text)
{
    struct tar_entry entry = {
        .path = (char *)path, .type = TAR_FILE, .mode = 0640, .uid = 7, .gid = 8, .size = (int64_t)strlen(text)};
    tar_put_header(out, &entry);
    buf_adds(out, text);
    tar_put_pad(out, entry.size);
}

static char *long_name(void)
{
    char *name = xmalloc(301);
    memset(name, 'n', 300);
    for (int i = 50; i < 300; i += 50)
        name[i] = '/';
    name[300] = '\0';
    return name;
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_buf_ struct buf archive = BUF_INIT;
    _auto_free_ char *name = long_name();
    struct tar_xattr xattr = {(char *)"user.note", (char *)"a\0b\n", 4};
    struct tar_entry link = {.path = name,
                             .link = name,
                             .type = TAR_SYMLINK,
                             .mode = 0777,
                             .uid = 70000000,
                             .mtime = 1700000000,
                             .xattrs = &xattr,
                             .xattr_count = 1};
    put_file(&archive, "a/b", "hello");
    tar_put_header(&archive, &link);
    tar_put_end(&archive);

    _auto_stream_ struct stream *s = open_mem(archive.data, archive.len, 0, &e);
    _auto_tar_ struct tar *t = tar_new(s);
    const struct tar_entry *entry;
    char text[16] = "";
    assert_int_equal(tar_next(t, &entry, &e), 1);
    assert_string_equal(entry->path, "a/b");
    assert_int_equal(entry->mode, 0640);
    assert_int_equal(entry->uid, 7);
    assert_int_equal(tar_data(t, text, sizeof text, &e), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(tar_data(t, text, sizeof text, &e), 0);
    assert_int_equal(tar_next(t, &entry, &e), 1);
    assert_int_equal(entry->type, TAR_SYMLINK);
    assert_string_equal(entry->path, name);
    assert_string_equal(entry->link, name);
    assert_int_equal(entry->uid, 70000000);
    assert_int_equal(entry->mtime, 1700000000);
    assert_int_equal(entry->xattr_count, 1);
    assert_string_equal(entry->xattrs[0].name, "user.note");
    assert_memory_equal(entry->xattrs[0].data, "a\0b\n", 4);
    assert_int_equal(tar_next(t, &entry, &e), 0);
}

#define ZSTD_HELLO "\050\265\057\375\004\130\071\000\000\150\145\154\154\157\054\040\317\271\076\163"
#define ZSTD_LAYER "\050\265\057\375\004\130\061\000\000\154\141\171\145\162\012\174\227\260\224"

static void undoes_gzip(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_buf_ struct buf packed = BUF_INIT;
    char plain[100000], back[100000];
    memset(plain, 'x', sizeof plain);
    for (int member = 0; member < 2; member++) { /* two members are one stream */
        z_stream z = {0};
        assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (unsigned char *)plain + member * 50000;
        z.avail_in = 50000;
        z.next_out = (unsigned char *)buf_reserve(&packed, 4096);
        z.avail_out = 4096;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        packed.len += z.total_out;
        deflateEnd(&z);
    }
    _auto_stream_ struct stream *s = open_mem(packed.data, packed.len, 0, &e);
    assert_int_equal(stream_read_full(s, back, sizeof back, &e), sizeof back);
    assert_memory_equal(plain, back, sizeof back);
    assert_int_equal(stream_read(s, back, 1, &e), 0);
    assert_int_equal(stream_bytes(s), sizeof plain);

    _auto_stream_ struct stream *bomb = open_mem(packed.data, packed.len, 1000, &e);
    assert_int_equal(stream_drain(bomb, &e), -1);
    assert_int_equal(e.code, ERR_TOO_LARGE);
    _auto_stream_ struct stream *cut = open_mem(packed.data, packed.len - 9, 0, &e);
    assert_int_equal(stream_drain(cut, &e), -1);
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_null(open_mem("BZh9....", 8, 0, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
}

static void undoes_zstd(void **state)
{
    (void)state;
    /* "hello, " and "layer\n": two frames, as the program zstd wrote them, which are one stream. */
    static const char packed[] = ZSTD_HELLO ZSTD_LAYER;
    struct err e = ERR_INIT;
    char back[32];
#if STOWAGE_ZSTD
    _auto_stream_ struct stream *s = open_mem(packed, sizeof packed - 1, 0, &e);
    assert_int_equal(stream_read_full(s, back, sizeof back, &e), 13);
    assert_memory_equal(back, "hello, layer\n", 13);
    assert_int_equal(stream_read(s, back, 1, &e), 0);
    for (size_t cut = 5; cut < sizeof packed - 1; cut++) { /* after 4 bytes it is a stream of zstd */
        _auto_stream_ struct stream *part = open_mem(packed, cut, 0, &e);
        assert_int_equal(stream_drain(part, &e), cut == sizeof ZSTD_HELLO - 1 ? 0 : -1);
    }
    _auto_stream_ struct stream *bomb = open_mem(packed, sizeof packed - 1, 5, &e);
    assert_int_equal(stream_drain(bomb, &e), -1);
    assert_int_equal(e.code, ERR_TOO_LARGE);
#else
    (void)back;
    assert_null(open_mem(packed, sizeof packed - 1, 0, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
#endif
}

static void digests(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char hex[SHA256_TEXT_LEN];
    _auto_stream_ struct stream *s = open_mem("abc", 3, 0, &e);
    assert_int_equal(stream_drain(s, &e), 0);
    stream_digest(s, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* Whatever a byte becomes and wherever it ends: an answer, never a crash. */
static void survives_damage(void **state)
{
    (void)state;
    _auto_buf_ struct buf archive = BUF_INIT;
    _auto_free_ char *name = long_name();
    put_file(&archive, name, "hello");
    tar_put_end(&archive);
    for (size_t at = 0; at < archive.len; at += 3) {
        _auto_free_ char *copy = xmemdup(archive.data, archive.len);
        copy[at] ^= (char)(at * 7 + 1);
        for (int cut = 0; cut < 2; cut++) {
            struct err e = ERR_INIT;
            const struct tar_entry *entry;
            _auto_stream_ struct stream *s = open_mem(copy, cut ? at : archive.len, 0, &e);
            _auto_tar_ struct tar *t = s ? tar_new(s) : NULL;
            while (t && tar_next(t, &entry, &e) == 1)
                assert_non_null(entry->path);
        }
    }
}

static void understands_gnu_tar(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_buf_ struct buf archive = BUF_INIT;
    FILE *f =
        popen("d=$(mktemp -d) && cd $d && n=dir/$(printf 'd%.0s' $(seq 120)) && mkdir -p $n && echo hi >$n/file && ln "
              "$n/file dir/hard && ln -s file dir/soft && tar --format=gnu -cf - dir && rm -rf $d",
              "r");
    assert_non_null(f);
    for (size_t n; (n = fread(buf_reserve(&archive, 8192), 1, 8192, f)) > 0;)
        archive.len += n;
    pclose(f);
    _auto_stream_ struct stream *s = open_mem(archive.data, archive.len, 0, &e);
    _auto_tar_ struct tar *t = tar_new(s);
    const struct tar_entry *entry;
    int files = 0, links = 0, long_names = 0, rc;
    while ((rc = tar_next(t, &entry, &e)) == 1) {
        files += entry->type == TAR_FILE;
        links += entry->type == TAR_HARD_LINK || entry->type == TAR_SYMLINK;
        long_names += strlen(entry->path) > 100;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(files, 1);
    assert_int_equal(links, 2);
    assert_true(long_names >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_writes), cmocka_unit_test(undoes_gzip),
        cmocka_unit_test(undoes_zstd),          cmocka_unit_test(digests),
        cmocka_unit_test(survives_damage),      cmocka_unit_test(understands_gnu_tar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Container logs: whole lines, pieces of long ones, the unfinished rest, rotation that keeps five files. */
#include "base/mem.h"
#include "base/str.h"
#include "sys/clog.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW INT64_C(1704164645123456789) /* 2024-01-02T03:04:05.123456789Z */
#define AT  "2024-01-02T03:04:05.123456789Z "

static char dir[] = "/tmp/stowage-clog-XXXXXX";

static char *content(const char *path)
{
    char *text = xcalloc(1, 1 << 20);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, (1 << 20) - 1) >= 0);
    return text;
}

static void lines_and_rests(void **state)
{
    (void)state;
    _auto_free_ char *path = xasprintf("%s/0.log", dir);
    struct clog log;
    struct clog_stream out = {.name = "stdout"}, err = {.name = "stderr"};
    clog_open(&log, path);
    clog_write(&log, &out, "one\ntw", 6, NOW);
    clog_write(&log, &err, "\n", 1, NOW);
    clog_write(&log, &out, "o\nrest", 6, NOW);
    clog_finish(&log, &out, NOW);
    clog_finish(&log, &err, NOW);
    clog_release(&log);
    _auto_free_ char *text = content(path);
    assert_string_equal(text, AT "stdout F one\n" AT "stderr F \n" AT "stdout F two\n" AT "stdout P rest\n");
    unlink(path);
}

static void long_lines_come_in_pieces(void **state)
{
    (void)state;
    _auto_free_ char *path = xasprintf("%s/1.log", dir), *line = xmalloc(40001);
    struct clog log;
    struct clog_stream out = {.name = "stdout"};
    memset(line, 'x', 40000);
    line[40000] = '\n';
    clog_open(&log, path);
    for (size_t at = 0; at < 40001; at += 7000)
        clog_write(&log, &out, line + at, at + 7000 < 40001 ? 7000 : 40001 - at, NOW);
    assert_int_equal(out.partial.len, 0);
    clog_finish(&log, &out, NOW);
    clog_release(&log);
    _auto_free_ char *text = content(path);
    static const struct {
        char tag;
        size_t len;
    } pieces[] = {{'P', CLOG_LINE_MAX}, {'P', CLOG_LINE_MAX}, {'F', 40000 - 2 * CLOG_LINE_MAX}};
    const char *at = text;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        assert_int_equal(at[sizeof AT - 1 + 7], pieces[i].tag);
        assert_int_equal(strcspn(at, "\n"), sizeof AT - 1 + 9 + pieces[i].len);
        at += strcspn(at, "\n") + 1;
    }
    assert_int_equal(*at, '\0');
    unlink(path);
}

static unsigned count_files(const char *prefix)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    for (const struct dirent *entry; (entry = readdir(d));)
        n += str_starts(entry->d_name, prefix);
    closedir(d);
    return n;
}

static void rotation_keeps_five(void **state)
{
    (void)state;
    _auto_free_ char *path = xasprintf("%s/2.log", dir), *chunk = xmalloc(64 * 1024);
    struct clog log;
    struct clog_stream out = {.name = "stdout"};
    struct stat st;
    memset(chunk, 'y', 64 * 1024);
    for (size_t i = 1023; i < 64 * 1024; i += 1024)
        chunk[i] = '\n';
    clog_open(&log, path);
    for (int i = 0; i < 1200; i++)
        clog_write(&log, &out, chunk, 64 * 1024, NOW + i * INT64_C(100000000));
    assert_int_equal(count_files("2.log"), CLOG_FILES_MAX);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= CLOG_FILE_MAX);
    clog_release(&log);
}

static int start(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    DIR *d = opendir(dir);
    for (const struct dirent *entry; (entry = readdir(d));)
        unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
    rmdir(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_rests),
        cmocka_unit_test(long_lines_come_in_pieces),
        cmocka_unit_test(rotation_keeps_five),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

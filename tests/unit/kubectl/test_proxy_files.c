/* The files of `kubectl proxy --www`: what a request gets, as the real one answers. */
#include "kubectl/verbs/proxy_files.h"

#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *path, *plain, *headers, *want;
} rows[] = {
    {"/static/f", "/static/f", "", "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: 10\r\n"},
    {"/static", "/static", "",
     "HTTP/1.1 301 Moved Permanently\r\nContent-Type: text/html; charset=utf-8\r\nLocation: /static/\r\n"},
    {"/%73tatic", "/static", "",
     "HTTP/1.1 301 Moved Permanently\r\nContent-Type: text/html; charset=utf-8\r\nLocation: /static/\r\n"},
    {"/static/f", "/static/f", "Range: bytes=2-3\r\n",
     "HTTP/1.1 206 Partial Content\r\nAccept-Ranges: bytes\r\nContent-Length: 2\r\n"},
    {"/static/f", "/static/f", "Range: bytes=-3\r\n",
     "HTTP/1.1 206 Partial Content\r\nAccept-Ranges: bytes\r\nContent-Length: 3\r\n"},
    {"/static/f", "/static/f", "Range: bytes=--3\r\n", "HTTP/1.1 416 Requested Range Not Satisfiable\r\n"},
    {"/static/f", "/static/f", "Range: bytes=-\r\n", "HTTP/1.1 416 Requested Range Not Satisfiable\r\n"},
    {"/static/f", "/static/f", "Range: bytes=10-\r\n",
     "HTTP/1.1 416 Requested Range Not Satisfiable\r\nContent-Range: bytes */10\r\n"},
    {"/static/f", "/static/f", "Range: bytes=1-x\r\n", "HTTP/1.1 416 Requested Range Not Satisfiable\r\n"},
};

static void test_answers(void **state)
{
    char folder[] = "/tmp/proxy-files-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    _auto_free_ char *file = xasprintf("%s/f", folder);
    FILE *f = fopen(file, "we");
    assert_non_null(f);
    fputs("0123456789", f);
    fclose(f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int ends[2];
        char got[4096] = "";
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        _auto_free_ char *plain = xstrdup(rows[i].plain);
        const struct files_request rq = {"GET", rows[i].path, plain, rows[i].headers, ends[1]};
        proxy_files_serve(folder, "/static/", &rq);
        assert_true(recv(ends[0], got, sizeof got - 1, 0) > 0);
        if (!str_starts(got, rows[i].want))
            fail_msg("%s %s: %s", rows[i].path, rows[i].headers, got);
        close(ends[0]);
        close(ends[1]);
    }
    unlink(file);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_http.c - heads and bodies: what is understood, what is refused because it could be understood in two ways. */
#include "base/mem.h"
#include "ingress/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
    struct io io;
    int other;
};

/* An end from which `text` can be read, then the end of it. */
static struct pair *speak(const char *text, size_t len)
{
    int fds[2];
    struct pair *p = xcalloc(1, sizeof *p);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(write(fds[1], text, len), len);
    shutdown(fds[1], SHUT_WR);
    io_init(&p->io, fds[0], eventfd(0, 0));
    p->other = fds[1];
    return p;
}

static void hush(struct pair *p)
{
    close(p->io.stop);
    close(p->other);
    io_release(&p->io);
    free(p);
}

static const struct {
    const char *text;
    int result;
    int framing; /* -1: contradicts itself */
} heads[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, BODY_NONE},
    {"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 1, BODY_LENGTH},
    {"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 1, BODY_CHUNKED},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 1, -1},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 1, -1},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 1, -1},
    {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 1, -1},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", -1, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", -1, 0},
    {"GET / HTTP/1.1\r\nno colon\r\n\r\n", -1, 0},
    {"GET / HTTP/1.1\nHost: a\n\n", -1, 0},
    {"GET /\r\n\r\n", 1, BODY_NONE}, /* without a version; whoever reads it looks */
    {"\r\n\r\n", -1, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\n", -1, 0}, /* cut */
    {"", 0, 0},
};

static void what_heads_say(void **state)
{
    (void)state;
    struct head *h = xmalloc(sizeof *h);
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct pair *p = speak(heads[i].text, strlen(heads[i].text));
        struct body b;
        const int got = head_read(&p->io, h, 60000);
        if (got != heads[i].result)
            fail_msg("%s: %d", heads[i].text, got);
        const int framing = got == 1 ? (body_of_request(h, &b) < 0 ? -1 : (int)b.framing) : 0;
        if (framing != heads[i].framing)
            fail_msg("%s: framing %d", heads[i].text, framing);
        hush(p);
    }
    free(h);
}

static void words_of_lists(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\r\n";
    struct head *h = xmalloc(sizeof *h);
    struct pair *p = speak(text, sizeof text - 1);
    assert_int_equal(head_read(&p->io, h, 60000), 1);
    assert_true(head_has(h, "connection", "upgrade") && head_has(h, "Connection", "Keep-Alive"));
    assert_false(head_has(h, "Connection", "keep"));
    assert_string_equal(head_get(h, "Upgrade"), "websocket");
    hush(p);
    free(h);
}

/* What `text` is carried as, by that framing; NULL: it is not. Returns new. */
static char *carried(int (*carry)(struct io *from, struct io *to, const struct body *b), const char *text,
                     enum framing framing, uint64_t length)
{
    struct pair *from = speak(text, strlen(text)), *to = speak("", 0);
    const struct body b = {framing, length};
    char *out = xcalloc(1, 4096);
    const int rc = carry(&from->io, &to->io, &b);
    if (rc == 0 && recv(to->other, out, 4095, MSG_DONTWAIT) < 0)
        assert_int_equal(errno, EAGAIN); /* nothing at all */
    hush(from);
    hush(to);
    if (rc == 0)
        return out;
    free(out);
    return NULL;
}

static void bodies_are_carried_as_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum framing framing;
        uint64_t length;
        const char *want;
    } rows[] = {
        {"hello, more", BODY_LENGTH, 5, "hello"},
        {"hell", BODY_LENGTH, 5, NULL},
        {"5\r\nhello\r\n0\r\n\r\nmore", BODY_CHUNKED, 0, "5\r\nhello\r\n0\r\n\r\n"},
        {"5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n", BODY_CHUNKED, 0, "5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n"},
        {"5\r\nhello, more\r\n0\r\n\r\n", BODY_CHUNKED, 0, NULL},
        {"-5\r\nhello\r\n0\r\n\r\n", BODY_CHUNKED, 0, NULL},
        {"fffffffffffffffff\r\n", BODY_CHUNKED, 0, NULL},
        {"to the end", BODY_UNTIL_END, 0, "to the end"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *got = carried(body_copy, rows[i].text, rows[i].framing, rows[i].length);
        if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
            fail_msg("%s: %s", rows[i].text, got ? got : "nothing");
    }
}

static void chunks_are_unwrapped(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum framing framing;
        uint64_t length;
        const char *want;
    } rows[] = {
        {"5\r\nhello\r\n2;x=y\r\n, \r\n4\r\nmore\r\n0\r\nA: b\r\n\r\n", BODY_CHUNKED, 0, "hello, more"},
        {"0\r\n\r\n", BODY_CHUNKED, 0, ""},
        {"5\r\nhello\r\n", BODY_CHUNKED, 0, NULL},
        {"5\r\nhello, more\r\n0\r\n\r\n", BODY_CHUNKED, 0, NULL},
        {"hello, more", BODY_LENGTH, 5, "hello"},
        {"5\r\nhello", BODY_UNTIL_END, 0, "5\r\nhello"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *got = carried(body_unwrap, rows[i].text, rows[i].framing, rows[i].length);
        if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
            fail_msg("%s: %s", rows[i].text, got ? got : "nothing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_heads_say),
        cmocka_unit_test(words_of_lists),
        cmocka_unit_test(bodies_are_carried_as_they_are),
        cmocka_unit_test(chunks_are_unwrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

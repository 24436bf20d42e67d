/* test_wire.c - the two queues of an upgraded connection: a client that is only answered, and does not read, is not
 * listened to for ever. */
#include "apiserver/stream/ws_int.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWERS_MAX (16u << 20)

static void no_message(void *arg, bool text, const uint8_t *data, size_t len)
{
    (void)arg;
    (void)text;
    (void)data;
    (void)len;
}

/* A masked ping of 125 zeros. */
static size_t make_ping(unsigned char out[256])
{
    memset(out, 0, 256);
    out[0] = 0x89;
    out[1] = 0x80 | 125;
    return 2 + 4 + 125;
}

static void test_pings_without_end(void **state)
{
    int ends[2];
    unsigned char ping[256];
    const size_t n = make_ping(ping);
    size_t sent = 0;
    struct wire w;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const struct upgraded up = {.fd = ends[0], .early = "", .early_len = 0};
    wire_init(&w, &up);
    struct ws *ws = ws_new(&w, no_message, NULL);
    while (sent < ANSWERS_MAX && (wire_events(&w, true) & POLLIN)) {
        for (int i = 0; i < 100; i++)
            sent += send(ends[1], ping, n, MSG_DONTWAIT) == (ssize_t)n ? n : 0;
        wire_move(&w, POLLIN);
        ws_input(ws);
    }
    assert_true(sent < ANSWERS_MAX);
    assert_true(wire_events(&w, true) & POLLOUT);
    assert_false(w.ended);
    ws_free(ws);
    wire_release(&w);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pings_without_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

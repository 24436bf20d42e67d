/* SPDY/3.1 against frames recorded from kubectl. */
#include "base/spdy.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    struct spdy spdy;
    struct buf log, sent;
    bool refuse;
};

static bool on_open(void *arg, uint32_t id, const struct spdy_headers *headers)
{
    struct seen *s = arg;
    buf_addf(&s->log, "open %u", id);
    for (size_t i = 0; i < headers->len; i++)
        buf_addf(&s->log, " %s=%s", headers->items[i].name, headers->items[i].value);
    buf_adds(&s->log, "\n");
    return !s->refuse;
}

static void on_data(void *arg, uint32_t id, const void *data, size_t len, bool fin)
{
    struct seen *s = arg;
    buf_addf(&s->log, "data %u \"%.*s\"%s\n", id, (int)len, (const char *)data, fin ? " fin" : "");
}

static void on_reset(void *arg, uint32_t id)
{
    buf_addf(&((struct seen *)arg)->log, "reset %u\n", id);
}

static void on_goaway(void *arg)
{
    buf_adds(&((struct seen *)arg)->log, "goaway\n");
}

static void on_reply(void *arg, uint32_t id)
{
    buf_addf(&((struct seen *)arg)->log, "reply %u\n", id);
}

static const struct spdy_events events = {on_open, on_data, on_reset, on_goaway, on_reply};
static const struct spdy_events client_events = {NULL, on_data, on_reset, on_goaway, on_reply};

static void on_send(void *arg, const void *data, size_t len)
{
    buf_add(&((struct seen *)arg)->sent, data, len);
}

static int setup(void **state)
{
    struct seen *s = xcalloc(1, sizeof *s);
    spdy_init(&s->spdy, &events, on_send, s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct seen *s = *state;
    spdy_release(&s->spdy);
    buf_release(&s->log);
    buf_release(&s->sent);
    free(s);
    return 0;
}

static size_t unhex(const char *hex, unsigned char *out)
{
    size_t n = 0;
    for (; hex[0] && hex[1]; hex += 2)
        out[n++] = (unsigned char)strtoul((char[]){hex[0], hex[1], 0}, NULL, 16);
    return n;
}

static void feed(struct seen *s, const char *hex, size_t step)
{
    unsigned char bytes[512];
    size_t n = unhex(hex, bytes);
    for (size_t i = 0; i < n; i += step)
        spdy_input(&s->spdy, bytes + i, n - i < step ? n - i : step);
}

#define SYN_ERROR  "80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff"
#define SYN_STDOUT "800300010000001900000003000000000000c22ac5565c92925f5a02000000ffff"
#define SYN_STDERR "800300010000001500000005000000000000c229975a5404000000ffff"
#define PING_1     "800300060000000400000001"
#define GOAWAY_0   "80030007000000080000000000000000"
#define RST_1      "80030003000000080000000100000005"

static void the_dictionary_is_spdy3s(void **state _unused_)
{
    assert_int_equal(adler32(1, spdy_dictionary, SPDY_DICTIONARY_LEN), 0xE3C6A7C2);
}

static void recorded_streams_open(void **state)
{
    struct seen *s = *state;
    for (size_t step = 1; step <= 64; step *= 8) {
        teardown(state);
        setup(state);
        s = *state;
        feed(s, SYN_ERROR SYN_STDOUT SYN_STDERR, step);
        assert_false(s->spdy.failed);
        assert_string_equal(buf_str(&s->log),
                            "open 1 streamtype=error\nopen 3 streamtype=stdout\nopen 5 streamtype=stderr\n");
    }
}

static void replies_inflate_to_empty_blocks(void **state)
{
    struct seen *s = *state;
    feed(s, SYN_ERROR SYN_STDOUT, 512);
    struct seen client = {0};
    spdy_init(&client.spdy, &client_events, on_send, &client);
    spdy_input(&client.spdy, s->sent.data, s->sent.len); /* two SYN_REPLY: a broken block would fail it */
    assert_false(client.spdy.failed);
    assert_string_equal(buf_str(&client.log), "reply 1\nreply 3\n");
    assert_int_equal(s->sent.data[3], 2);
    spdy_release(&client.spdy);
    buf_release(&client.log);
    buf_release(&client.sent);
}

/* Both of our sides, byte by byte; more headers than the first piece of output holds. */
static void what_a_client_opens_a_server_reads(void **state)
{
    struct seen *s = *state, client = {0};
    char noise[600];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(33 + (i * i + i / 7) % 90);
    noise[sizeof noise - 1] = '\0';
    const struct spdy_header error[] = {{"streamtype", "error"}, {"port", "80"}, {"requestid", "0"}};
    const struct spdy_header data[] = {{"streamtype", "data"}, {"noise", noise}};
    spdy_init(&client.spdy, &client_events, on_send, &client);
    assert_int_equal(spdy_open(&client.spdy, error, 3), 1);
    assert_int_equal(spdy_open(&client.spdy, data, 2), 3);
    spdy_data(&client.spdy, 3, "abc", 3, true);
    for (size_t i = 0; i < client.sent.len; i++)
        spdy_input(&s->spdy, client.sent.data + i, 1);
    _auto_free_ char *want = xasprintf("open 1 streamtype=error port=80 requestid=0\nopen 3 streamtype=data noise=%s\n"
                                       "data 3 \"abc\" fin\n",
                                       noise);
    assert_string_equal(buf_str(&s->log), want);
    spdy_input(&client.spdy, s->sent.data, s->sent.len);
    assert_string_equal(buf_str(&client.log), "reply 1\nreply 3\n");
    spdy_release(&client.spdy);
    buf_release(&client.log);
    buf_release(&client.sent);
}

static void a_client_is_opened_no_streams(void **state _unused_)
{
    struct seen client = {0};
    spdy_init(&client.spdy, &client_events, on_send, &client);
    feed(&client, SYN_ERROR, 512);
    assert_false(client.spdy.failed);
    assert_int_equal(client.sent.len, 16);
    assert_int_equal(client.sent.data[3], 3); /* RST_STREAM */
    spdy_release(&client.spdy);
    buf_release(&client.log);
    buf_release(&client.sent);
}

static void odd_pings_are_echoed(void **state)
{
    struct seen *s = *state;
    unsigned char want[12];
    feed(s, PING_1, 512);
    unhex(PING_1, want);
    assert_int_equal(s->sent.len, 12);
    assert_memory_equal(s->sent.data, want, 12);
    feed(s, "800300060000000400000002", 512);
    assert_int_equal(s->sent.len, 12);
}

static void data_reset_and_goaway_arrive(void **state)
{
    struct seen *s = *state;
    feed(s,
         SYN_ERROR "00000001"
                   "01000003"
                   "616263" RST_1 GOAWAY_0,
         512);
    assert_string_equal(buf_str(&s->log), "open 1 streamtype=error\ndata 1 \"abc\" fin\nreset 1\ngoaway\n");
}

static void a_refused_stream_keeps_the_compressor_in_step(void **state)
{
    struct seen *s = *state;
    s->refuse = true;
    feed(s, SYN_ERROR, 512);
    s->refuse = false;
    feed(s, SYN_STDOUT, 512);
    assert_string_equal(buf_str(&s->log), "open 1 streamtype=error\nopen 3 streamtype=stdout\n");
}

static void nonsense_fails_and_nothing_else(void **state)
{
    static const char *const bad[] = {
        "80030001000000050000000100",                           /* too short for a SYN_STREAM */
        "800300010000000e00000001000000000000ffffffff",         /* no zlib */
        "8003000100000010000000020000000000004242424242424242", /* even id */
        "80040001000000000000",                                 /* another version */
        "0000000100ffffff",                                     /* a frame of 16 MiB */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        teardown(state);
        setup(state);
        struct seen *s = *state;
        feed(s, bad[i], 512);
        assert_true(s->spdy.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dictionary_is_spdy3s),
        cmocka_unit_test_setup_teardown(recorded_streams_open, setup, teardown),
        cmocka_unit_test_setup_teardown(replies_inflate_to_empty_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_client_opens_a_server_reads, setup, teardown),
        cmocka_unit_test(a_client_is_opened_no_streams),
        cmocka_unit_test_setup_teardown(odd_pings_are_echoed, setup, teardown),
        cmocka_unit_test_setup_teardown(data_reset_and_goaway_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_stream_keeps_the_compressor_in_step, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_fails_and_nothing_else, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

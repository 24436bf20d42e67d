/* What is packed comes out the same; a cut or spoilt message is refused and never read past its end; descriptors
 * travel, large bodies too, and those that could not be taken are not forgotten. */
#include "base/mem.h"
#include "base/str.h"
#include "sys/chan.h"
#include "sys/spec_int.h"
#include "sys/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void values_come_back(void **state)
{
    (void)state;
    static const char *const words[] = {"a", "", "c d", NULL};
    _auto_buf_ struct buf b = BUF_INIT;
    struct err e = ERR_INIT, back = ERR_INIT;
    size_t len = 0;
    err_set(&e, ERR_BUSY, "held");
    wire_u32(&b, 7);
    wire_i64(&b, -5);
    wire_str(&b, NULL);
    wire_str(&b, "text");
    wire_blob(&b, "x\0y", 3);
    wire_strv(&b, words);
    wire_strv(&b, NULL);
    wire_err(&b, &e);
    struct wire_in in = wire_reader(b.data, b.len);
    assert_int_equal(wire_get_u32(&in), 7);
    assert_int_equal(wire_get_i64(&in), -5);
    assert_null(wire_get_str(&in));
    assert_string_equal(wire_get_str(&in), "text");
    assert_memory_equal(wire_get_blob(&in, &len), "x\0y", 3);
    assert_int_equal(len, 3);
    _auto_free_ const char **v = wire_get_strv(&in);
    assert_string_equal(v[2], "c d");
    assert_null(v[3]);
    assert_null(wire_get_strv(&in));
    wire_get_err(&in, &back);
    assert_int_equal(back.code, ERR_BUSY);
    assert_string_equal(back.msg, "held");
    assert_false(in.bad);
    wire_get_u32(&in);
    assert_true(in.bad);
}

static void spec_write_example(struct buf *b)
{
    static const char *const layers[] = {"/l/one", "/l/two", NULL}, *const argv[] = {"sh", NULL}, *const env[] = {NULL};
    static const struct mount_spec mounts[] = {{"/s", "/t", true, false}};
    static const uint32_t groups[] = {5, 6};
    const struct container_spec spec = {.node = "n",
                                        .sandbox = "p",
                                        .id = "c",
                                        .layers = layers,
                                        .rootfs_dir = "/r",
                                        .argv = argv,
                                        .env = env,
                                        .mounts = mounts,
                                        .mount_count = 1,
                                        .groups = groups,
                                        .group_count = 2,
                                        .uid = 9,
                                        .tty = true,
                                        .add_caps = UINT64_C(1) << 63,
                                        .memory_bytes = INT64_C(1) << 40};
    spec_write(b, &spec);
}

static void a_cut_specification_is_refused(void **state)
{
    (void)state;
    struct buf whole = BUF_INIT;
    spec_write_example(&whole);
    const size_t len = whole.len;
    for (size_t cut = 0; cut < len; cut++) {
        struct buf part = BUF_INIT;
        buf_add(&part, whole.data, cut);
        assert_null(spec_read(&part));
    }
    for (size_t at = 0; at < len; at++) { /* no value of any byte may crash the reader */
        struct buf spoilt = BUF_INIT;
        buf_add(&spoilt, whole.data, len);
        spoilt.data[at] = (char)~spoilt.data[at];
        spec_free(spec_read(&spoilt));
    }
    struct spec_box *box = spec_read(&whole);
    assert_non_null(box);
    assert_string_equal(box->spec.layers[1], "/l/two");
    assert_int_equal(box->spec.groups[1], 6);
    assert_true(box->spec.mounts[0].read_only && box->spec.tty);
    assert_true(box->spec.add_caps == UINT64_C(1) << 63);
    spec_free(box);
}

static void messages_carry_descriptors_and_large_bodies(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    int pair[2], pipe_fds[2];
    assert_int_equal(chan_pair(pair, &e), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    static const size_t sizes[] = {0, 1, 96 * 1024, 96 * 1024 + 1, 3 << 20};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _auto_buf_ struct buf body = BUF_INIT;
        _auto_msg_ struct msg m = MSG_INIT;
        memset(buf_reserve(&body, sizes[i]), 'a' + (int)i, sizes[i]);
        body.len = sizes[i];
        assert_int_equal(chan_send(pair[0], 3, 4, &body, pipe_fds, 2, &e), 0);
        assert_int_equal(chan_recv(pair[1], &m), 1);
        assert_int_equal(m.id, 3);
        assert_int_equal(m.kind, 4);
        assert_int_equal(m.body.len, sizes[i]);
        assert_int_equal(m.fd_count, 2);
        if (sizes[i])
            assert_memory_equal(m.body.data, body.data, sizes[i]);
        const int taken = msg_take_fd(&m, 1);
        assert_int_equal(write(taken, "x", 1), 1);
        close(taken);
    }
    close(pair[0]);
    struct msg end = MSG_INIT;
    assert_int_equal(chan_recv(pair[1], &end), 0);
    assert_int_equal(chan_send(pair[1], 1, 1, NULL, NULL, 0, &e), -1);
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    close(pair[1]);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* Its receiver would take the channel for broken, and a node would be lost. */
static void what_is_too_large_is_not_sent(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    int pair[2];
    _auto_buf_ struct buf body = BUF_INIT;
    _auto_msg_ struct msg m = MSG_INIT;
    const size_t most = 64 << 20;
    assert_int_equal(chan_pair(pair, &e), 0);
    memset(buf_reserve(&body, most + 1), 'a', most + 1);
    body.len = most + 1;
    assert_int_equal(chan_send(pair[0], 1, 1, &body, NULL, 0, &e), -1);
    assert_int_equal(e.code, ERR_TOO_LARGE);
    body.len = most;
    assert_int_equal(chan_send(pair[0], 2, 1, &body, NULL, 0, &e), 0);
    assert_int_equal(chan_recv(pair[1], &m), 1);
    assert_int_equal(m.id, 2);
    assert_int_equal(m.body.len, most);
    close(pair[0]);
    close(pair[1]);
}

/* Receives while this process may open `more` descriptors. */
static int recv_with_room(int sock, int more, struct msg *out)
{
    struct rlimit old, tight;
    getrlimit(RLIMIT_NOFILE, &old);
    tight = old;
    const int lowest = dup(sock);
    close(lowest);
    tight.rlim_cur = (rlim_t)(lowest + more);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    const int rc = chan_recv(sock, out);
    setrlimit(RLIMIT_NOFILE, &old);
    return rc;
}

static void lost_descriptors_are_known(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    int pair[2], pipe_fds[2];
    assert_int_equal(chan_pair(pair, &e), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    static const struct {
        size_t body, got_body;
        int room;
        unsigned fds;
        bool lost;
    } rows[] = {
        {5, 5, 2, 2, false},      {5, 5, 1, 1, true}, {5, 5, 0, 0, true}, {3 << 20, 3 << 20, 1, 0, true},
        {3 << 20, 0, 0, 0, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_buf_ struct buf body = BUF_INIT;
        _auto_msg_ struct msg m = MSG_INIT;
        memset(buf_reserve(&body, rows[i].body), 'a', rows[i].body);
        body.len = rows[i].body;
        assert_int_equal(chan_send(pair[0], 3, 4, &body, pipe_fds, 2, &e), 0);
        assert_int_equal(recv_with_room(pair[1], rows[i].room, &m), 1);
        assert_int_equal(m.body.len, rows[i].got_body);
        assert_int_equal(m.fd_count, rows[i].fds);
        assert_int_equal(m.fds_lost, rows[i].lost);
    }
    close(pair[0]);
    close(pair[1]);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(a_cut_specification_is_refused),
        cmocka_unit_test(messages_carry_descriptors_and_large_bodies),
        cmocka_unit_test(what_is_too_large_is_not_sent),
        cmocka_unit_test(lost_descriptors_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_waker.c - deadlines and descriptors, armed, replaced and disarmed, by many at once. */
#include "apiserver/waker_int.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct probe {
    struct wake wake;
    atomic_int fired;
    atomic_uint why;
    atomic_llong at;
    int again_ms; /* asks for another deadline */
};

static int64_t on_fire(struct wake *wk, unsigned why)
{
    struct probe *p = (struct probe *)wk;
    p->why = why;
    p->at = waker_now_ms();
    int n = ++p->fired;
    return p->again_ms && n < 3 ? waker_now_ms() + p->again_ms : WAKE_NEVER;
}

static void nap(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* However slow the machine is: waits until it has fired so often, and a moment more in which it must not fire again. */
static void await_fired(const struct probe *p, int times)
{
    for (int64_t until = waker_now_ms() + 60000; p->fired < times && waker_now_ms() < until;)
        nap(1);
    nap(20);
    assert_int_equal(p->fired, times);
}

static struct waker *start(void)
{
    struct err e = ERR_INIT;
    struct waker *w = NULL;
    assert_int_equal(waker_start(&w, &e), 0);
    return w;
}

#define PROBE                                                                                                          \
    {                                                                                                                  \
        .wake = {.fire = on_fire, .fd = -1 }                                                                           \
    }

static void deadlines_in_order(void **state)
{
    (void)state;
    struct waker *w = start();
    struct probe p[20];
    int64_t now = waker_now_ms();
    for (int i = 0; i < 20; i++) {
        p[i] = (struct probe)PROBE;
        waker_arm(w, &p[i].wake, -1, 0, now + 10 + (i * 7 % 20) * 5);
    }
    waker_disarm(w, &p[3].wake);
    for (int i = 0; i < 20; i++) {
        await_fired(&p[i], i == 3 ? 0 : 1);
        if (i != 3)
            assert_true(p[i].at >= now + 10 + (i * 7 % 20) * 5);
    }
    waker_stop(w);
}

static void descriptors(void **state)
{
    (void)state;
    struct waker *w = start();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct probe p = PROBE;
    waker_arm(w, &p.wake, fds[0], EPOLLIN, waker_now_ms() + 600000);
    await_fired(&p, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    await_fired(&p, 1); /* once, although there is still something to read */
    assert_int_equal(p.why, WAKE_FD);
    waker_arm(w, &p.wake, fds[0], EPOLLIN, WAKE_NEVER);
    await_fired(&p, 2);
    waker_disarm(w, &p.wake);
    close(fds[0]);
    close(fds[1]);
    waker_stop(w);
}

static void next_deadline(void **state)
{
    (void)state;
    struct waker *w = start();
    struct probe p = PROBE;
    p.again_ms = 10;
    waker_arm(w, &p.wake, -1, 0, waker_now_ms() + 5);
    await_fired(&p, 3);
    waker_disarm(w, &p.wake);
    waker_stop(w);
}

static void *churn(void *arg)
{
    struct waker *w = arg;
    unsigned seed = (unsigned)(uintptr_t)&seed;
    for (int i = 0; i < 2000; i++) {
        struct probe *p = xcalloc(1, sizeof *p);
        p->wake.fire = on_fire;
        p->wake.fd = -1;
        waker_arm(w, &p->wake, -1, 0, waker_now_ms() + rand_r(&seed) % 3);
        if (i % 3 == 0)
            waker_arm(w, &p->wake, -1, 0, waker_now_ms() + rand_r(&seed) % 2);
        waker_disarm(w, &p->wake);
        int fired = p->fired;
        assert_int_equal(p->fired, fired); /* final: it may be freed */
        free(p);
    }
    return NULL;
}

static void many_at_once(void **state)
{
    (void)state;
    struct waker *w = start();
    pthread_t t[4];
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, churn, w), 0);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        pthread_join(t[i], NULL);
    waker_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_in_order),
        cmocka_unit_test(descriptors),
        cmocka_unit_test(next_deadline),
        cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

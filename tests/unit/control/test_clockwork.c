/* A clock that is moved while loops, and others, read it: it never goes back, keeps what it was moved by, and the loops
 * see every step. */
#include "unit/loop_world.h"

#include "control/clockwork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define READERS 2
#define EVERY   INT64_C(10000) /* ms between two runs of the loop */

struct house {
    struct store *store;
    struct registry *registry;
    struct pool *pool;
    struct control *control;
    struct clock_ahead clock;
    char dir[64];
    atomic_int ran, backwards;
    atomic_bool over;
    int64_t last_ms; /* the loop's */
};

static int tick(struct loop *l, const char *ns, const char *name, struct err *e _unused_)
{
    struct house *h = loop_env(l);
    const int64_t now = clock_mono_ms(loop_clock(l));
    h->backwards += now < h->last_ms;
    h->last_ms = now;
    h->ran++;
    loop_enqueue_after(l, ns, name, EVERY);
    return 0;
}

static int begin(struct loop *l, struct err *e _unused_)
{
    loop_enqueue(l, "", "tick");
    return 0;
}
static const struct loop_def ticking = {.name = "ticking", .start = begin, .reconcile = tick};

static void *read_on(void *arg)
{
    struct house *h = arg;
    for (int64_t last = 0, now; !h->over; last = now) {
        now = clock_wall_ns(&h->clock.clock);
        h->backwards += now < last;
        usleep(100);
    }
    return NULL;
}

static int open_house(void **state)
{
    struct err e = ERR_INIT;
    struct house *h = xcalloc(1, sizeof *h);
    const struct clock *clock = &h->clock.clock;
    snprintf(h->dir, sizeof h->dir, "/tmp/stowage-clockwork-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    clockwork_load(h->dir, &h->clock);
    assert_int_equal(clock_ahead_by(&h->clock), 0);
    assert_int_equal(store_open(&(struct store_conf){.clock = clock}, &h->store, &e), 0);
    h->registry = registry_new(&(struct registry_conf){
        .store = h->store, .clock = clock, .service_cidr = "10.96.0.0/12", .pod_cidr = "10.244.0.0/16"});
    h->pool = pool_new("test", 2);
    h->control = control_new(&(struct control_conf){.registry = h->registry, .clock = clock, .pool = h->pool});
    control_add(h->control, &ticking, h);
    assert_int_equal(control_start(h->control, &e), 0);
    *state = h;
    return 0;
}

static int close_house(void **state)
{
    struct house *h = *state;
    _auto_free_ char *path = xasprintf("%s/clock", h->dir);
    control_free(h->control);
    pool_free(h->pool);
    registry_free(h->registry);
    store_close(h->store);
    unlink(path);
    assert_int_equal(rmdir(h->dir), 0);
    free(h);
    return 0;
}

/* Until the loop has run so often; it does sooner or later. */
static void await_runs(struct house *h, int times)
{
    for (int i = 0; i < 60000 && h->ran < times; i++)
        usleep(5000);
    assert_true(h->ran >= times);
}

/* What a later life of this data directory would begin with. */
static int64_t kept(const struct house *h)
{
    struct clock_ahead next;
    clockwork_load(h->dir, &next);
    return clock_ahead_by(&next);
}

static void test_forward(void **state)
{
    struct house *h = *state;
    struct err e = ERR_INIT;
    await_runs(h, 1);
    assert_int_equal(clockwork_forward(h->dir, &h->clock, h->control, 60 * SECOND, &e), 0);
    assert_int_equal(clock_ahead_by(&h->clock), 60 * SECOND);
    assert_int_equal(kept(h), 60 * SECOND);
    await_runs(h, 2);
    assert_int_equal(h->backwards, 0);
    assert_int_equal(clockwork_forward(h->dir, &h->clock, h->control, -1, &e), -1);
    assert_int_equal(clockwork_forward(h->dir, &h->clock, h->control, CLOCKWORK_MAX_NS + 1, &e), -1);
    assert_int_equal(clock_ahead_by(&h->clock), 60 * SECOND);
}

static void test_fast(void **state)
{
    struct house *h = *state;
    struct err e = ERR_INIT;
    pthread_t readers[READERS];
    struct clockwork *w = clockwork_open(h->dir, &h->clock, h->control);
    for (int i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_on, h);
    assert_int_equal(clockwork_speed(w, 0, &e), -1);
    assert_int_equal(clockwork_speed(w, CLOCKWORK_MAX_SPEED + 1, &e), -1);
    assert_int_equal(clockwork_speed_now(w), 1);
    assert_int_equal(clockwork_speed(w, CLOCKWORK_MAX_SPEED, &e), 0);
    await_runs(h, 5);
    assert_int_equal(clockwork_speed(w, 500, &e), 0); /* while it runs */
    assert_int_equal(clockwork_speed_now(w), 500);
    await_runs(h, h->ran + 3);
    assert_int_equal(clockwork_forward(h->dir, &h->clock, h->control, 20 * SECOND, &e), 0); /* beside its thread */
    assert_int_equal(clockwork_speed(w, 1, &e), 0);

    const int64_t by = clock_ahead_by(&h->clock);
    assert_true(by >= 20 * SECOND);
    assert_int_equal(kept(h), by);
    usleep(300000); /* as many beats of a clock that had not become slow again */
    assert_int_equal(clock_ahead_by(&h->clock), by);
    clockwork_close(w);
    h->over = true;
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(h->backwards, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_forward, open_house, close_house),
        cmocka_unit_test_setup_teardown(test_fast, open_house, close_house),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The runtime: step mode under a fake clock, then the thread with workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/control_int.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define EPOCH  (INT64_C(1700000000) * SECOND)

/* -- a house: store, registry, control, and a loop that writes down what it is given -- */

struct house {
    struct clock_fake fake;
    struct store *store;
    struct registry *registry;
    struct control *control;
    char log[1024];
    int fail; /* so many times */
    atomic_int ran;
    sem_t done;
};

static int recording_reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    struct house *h = loop_env(l);
    size_t len = strlen(h->log);
    snprintf(h->log + len, sizeof h->log - len, "%s/%s ", ns, name);
    h->ran++;
    if (h->fail > 0) {
        h->fail--;
        return err_set(e, ERR_UNAVAILABLE, "not yet");
    }
    return 0;
}

static const struct loop_watch configmap_watches[] = {{.bucket = "configmaps"}, {0}};
static const struct loop_def recording_loop = {
    .name = "recording",
    .component = "recording-controller",
    .watches = configmap_watches,
    .reconcile = recording_reconcile,
};

static void house_open(struct house *h, bool step_mode, struct pool *pool, const struct clock *clock)
{
    clock_fake_init(&h->fake, EPOCH);
    clock = clock ? clock : &h->fake.clock;
    struct err e = ERR_INIT;
    assert_int_equal(store_open(&(struct store_conf){.clock = clock}, &h->store, &e), 0);
    h->registry = registry_new(&(struct registry_conf){
        .store = h->store, .clock = clock, .service_cidr = "10.96.0.0/12", .pod_cidr = "10.244.0.0/16"});
    if (registry_bootstrap(h->registry, "127.0.0.1", 6443, &e) < 0)
        fail_msg("bootstrap: %s", e.msg);
    h->control = control_new(
        &(struct control_conf){.registry = h->registry, .clock = clock, .pool = pool, .step_mode = step_mode});
}

static void house_close(struct house *h)
{
    control_free(h->control);
    registry_free(h->registry);
    store_close(h->store);
}

static void house_start(struct house *h)
{
    struct err e = ERR_INIT;
    if (control_start(h->control, &e) < 0)
        fail_msg("control_start: %s", e.msg);
}

static void advance_ms(struct house *h, int64_t ms)
{
    clock_fake_advance(&h->fake, ms * 1000000);
}

static void make_map(struct house *h, const char *name)
{
    struct err e = ERR_INIT;
    json_t *tree = json_pack("{s:s,s:s,s:{s:s,s:s}}", "kind", "ConfigMap", "apiVersion", "v1", "metadata", "name", name,
                             "namespace", "default");
    if (reg_make(h->registry, "test", RES.configmaps, "default", tree, NULL, &e) < 0)
        fail_msg("reg_make: %s", e.msg);
}

/* What has been reconciled since the last call. */
static void ran_is(struct house *h, const char *want)
{
    control_step(h->control);
    assert_string_equal(h->log, want);
    h->log[0] = '\0';
}

/* -- step mode -- */

static void test_list_then_watch(void **state)
{
    (void)state;
    struct house h = {0};
    house_open(&h, true, NULL, NULL);
    make_map(&h, "before");
    control_add(h.control, &recording_loop, &h);
    house_start(&h);
    ran_is(&h, "default/before ");
    make_map(&h, "after");
    ran_is(&h, "default/after ");
    ran_is(&h, "");
    struct err e = ERR_INIT;
    assert_int_equal(reg_remove(h.registry, "test", RES.configmaps, "default", "before", NULL, &e), 0);
    ran_is(&h, "default/before ");
    assert_int_equal(control_next_timer(h.control), -1);
    house_close(&h);
}

static void test_failures_back_off(void **state)
{
    (void)state;
    struct house h = {.fail = 3};
    house_open(&h, true, NULL, NULL);
    struct loop *l = control_add(h.control, &recording_loop, &h);
    house_start(&h);
    loop_enqueue(l, "x", "y");
    ran_is(&h, "x/y ");
    ran_is(&h, "");
    for (int64_t delay = 5; delay <= 20; delay *= 2) {
        advance_ms(&h, delay - 1);
        ran_is(&h, "");
        advance_ms(&h, 1);
        ran_is(&h, "x/y ");
    }
    assert_int_equal(control_next_timer(h.control), -1);
    loop_enqueue_after(l, "x", "z", 1500);
    assert_int_equal(control_next_timer(h.control), clock_mono_ms(&h.fake.clock) + 1500);
    ran_is(&h, "");
    advance_ms(&h, 1500);
    ran_is(&h, "x/z ");
    house_close(&h);
}

static void map_to_owner(struct loop *l, const struct watch_event *ev)
{
    char key[64];
    snprintf(key, sizeof key, "%s-%d%s", ev->obj->name, (int)ev->type, ev->prev ? "+" : "");
    loop_enqueue(l, "", key);
}

static const struct loop_watch mapped_watches[] = {{.bucket = "configmaps", .map = map_to_owner}, {0}};
static const struct loop_def mapped_loop = {
    .name = "mapped", .watches = mapped_watches, .reconcile = recording_reconcile, .resync_ms = 60000};

static void test_map_and_resync(void **state)
{
    (void)state;
    struct house h = {0};
    house_open(&h, true, NULL, NULL);
    make_map(&h, "a");
    control_add(h.control, &mapped_loop, &h);
    house_start(&h);
    ran_is(&h, "/a-0 ");
    advance_ms(&h, 59999);
    ran_is(&h, "");
    advance_ms(&h, 1);
    ran_is(&h, "/a-0 ");
    advance_ms(&h, 60000);
    ran_is(&h, "/a-0 ");
    house_close(&h);
}

static json_t *plain_map(const char *name)
{
    return json_pack("{s:s,s:s,s:{s:s}}", "kind", "ConfigMap", "apiVersion", "v1", "metadata", "name", name);
}

/* More changes than a watch holds while the loop does not look: it must still hear of every object, the deleted too. */
static void test_overflow(void **state)
{
    (void)state;
    struct house h = {0};
    house_open(&h, true, NULL, NULL);
    make_map(&h, "gone");
    make_map(&h, "stays");
    control_add(h.control, &mapped_loop, &h);
    house_start(&h);
    ran_is(&h, "/gone-0 /stays-0 ");
    struct err e = ERR_INIT;
    store_delete(h.store, "configmaps", "default", "gone", RV_ANY, NULL, &e);
    for (int i = 0; i < 10001; i++)
        store_put(h.store, "configmaps", "default", "busy", RV_ANY, plain_map("busy"), NULL, &e);
    ran_is(&h, "/busy-0 /stays-1+ /gone-2+ ");
    make_map(&h, "later");
    ran_is(&h, "/later-0 ");
    house_close(&h);
}

static void job_work(void *arg)
{
    ((struct house *)arg)->ran += 100;
}

static void job_done(struct loop *l, void *arg)
{
    struct house *h = arg;
    assert_true(h->ran >= 100);
    loop_enqueue(l, "", "job-done");
    sem_post(&h->done);
}

static void test_job_inline(void **state)
{
    (void)state;
    struct house h = {0};
    house_open(&h, true, NULL, NULL);
    sem_init(&h.done, 0, 0);
    struct loop *l = control_add(h.control, &recording_loop, &h);
    house_start(&h);
    loop_offload(l, job_work, job_done, &h);
    assert_string_equal(h.log, "");
    ran_is(&h, "/job-done ");
    sem_destroy(&h.done);
    house_close(&h);
}

/* -- with the thread -- */

static const struct clock *real(void)
{
    return clock_real();
}

static int posting_reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    (void)ns;
    (void)name;
    (void)e;
    struct house *h = loop_env(l);
    h->ran++;
    sem_post(&h->done);
    return 0;
}
static const struct loop_def posting_loop = {
    .name = "posting", .watches = configmap_watches, .reconcile = posting_reconcile};

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* At rest it rests: soon 0.3 s pass that take less than 0.03 s of processor time. */
static bool comes_to_rest(void)
{
    for (int i = 0; i < 100; i++) {
        double before = cpu_seconds();
        usleep(300000);
        if (cpu_seconds() - before < 0.03)
            return true;
    }
    return false;
}

/* Its thread sleeps until somebody wakes it: one that only naps looks idle, too, but is never quiet. */
static bool comes_to_sleep(struct control *c)
{
    for (int i = 0; i < 30000 && !control_quiet(c); i++)
        usleep(1000);
    return control_quiet(c);
}

static void test_thread(void **state)
{
    (void)state;
    struct house h = {0};
    struct pool *pool = pool_new("test", 4);
    house_open(&h, false, pool, real());
    sem_init(&h.done, 0, 0);
    struct loop *l = control_add(h.control, &posting_loop, &h);
    house_start(&h);
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        make_map(&h, name);
        sem_wait(&h.done);
    }
    int64_t before = clock_mono_ms(clock_real());
    loop_enqueue_after(l, "", "later", 50);
    sem_wait(&h.done);
    assert_true(clock_mono_ms(clock_real()) - before >= 50);

    for (int i = 0; i < 20; i++)
        loop_offload(l, job_work, job_done, &h);
    for (int i = 0; i < 20; i++)
        sem_wait(&h.done);

    assert_true(comes_to_sleep(h.control));
    assert_true(control_pause(h.control, 60000));
    control_go_on(h.control);
    assert_true(comes_to_sleep(h.control));
    assert_true(comes_to_rest());
    house_close(&h);
    pool_free(pool);
    sem_destroy(&h.done);
}

/* A cluster whose port is taken ends before its loops began. */
static int state_start(struct loop *l, struct err *e)
{
    struct house *h = loop_env(l);
    if (h->fail)
        return err_set(e, ERR_UNAVAILABLE, "not today");
    char **text = loop_state(l);
    assert_null(*text);
    *text = xstrdup("something");
    return 0;
}

static void state_stop(struct loop *l)
{
    struct house *h = loop_env(l);
    char **text = loop_state(l);
    assert_string_equal(*text, "something");
    free(*text);
    h->ran++;
}
static const struct loop_def state_loop = {.name = "state",
                                           .state_size = sizeof(char *),
                                           .start = state_start,
                                           .stop = state_stop,
                                           .reconcile = recording_reconcile};

static void test_only_what_started_is_stopped(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    for (int i = 0; i < 3; i++) {
        struct house h = {.fail = i == 1};
        house_open(&h, true, NULL, NULL);
        control_add(h.control, &state_loop, &h);
        if (i > 0)
            assert_int_equal(control_start(h.control, &e), i == 1 ? -1 : 0);
        house_close(&h);
        assert_int_equal(h.ran, i == 2);
    }
}

/* Jobs that still run when the control stops end before control_stop() returns, and are told on. */
static void slow_work(void *arg)
{
    (void)arg;
    usleep(100000);
}

static void test_stop_waits_for_jobs(void **state)
{
    (void)state;
    struct house h = {.ran = 100};
    struct pool *pool = pool_new("test", 2);
    house_open(&h, false, pool, real());
    sem_init(&h.done, 0, 0);
    struct loop *l = control_add(h.control, &posting_loop, &h);
    house_start(&h);
    loop_offload(l, slow_work, job_done, &h);
    control_stop(h.control);
    assert_int_equal(sem_trywait(&h.done), 0);
    house_close(&h);
    pool_free(pool);
    sem_destroy(&h.done);
}

/* A reconcile that holds the loop thread until it is let go. */
static sem_t let_go;

static int held_reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    struct house *h = loop_env(l);
    (void)ns, (void)name, (void)e;
    sem_post(&h->done);
    sem_wait(&let_go);
    return 0;
}

static void test_alive(void **state)
{
    (void)state;
    static const struct loop_def held_loop = {
        .name = "held", .component = "held-controller", .watches = configmap_watches, .reconcile = held_reconcile};
    struct house h = {0};
    house_open(&h, false, NULL, real());
    sem_init(&h.done, 0, 0);
    sem_init(&let_go, 0, 0);
    struct loop *l = control_add(h.control, &held_loop, &h);
    assert_false(control_alive(h.control, 60000)); /* not started */
    house_start(&h);
    assert_true(control_alive(h.control, 60000));
    loop_enqueue(l, "default", "x");
    sem_wait(&h.done);
    assert_false(control_alive(h.control, 10)); /* it is held */
    sem_post(&let_go);
    assert_true(control_alive(h.control, 60000));
    control_stop(h.control);
    assert_false(control_alive(h.control, 60000));
    house_close(&h);
    sem_destroy(&h.done);
    sem_destroy(&let_go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_then_watch),
        cmocka_unit_test(test_failures_back_off),
        cmocka_unit_test(test_map_and_resync),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_job_inline),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_only_what_started_is_stopped),
        cmocka_unit_test(test_stop_waits_for_jobs),
        cmocka_unit_test(test_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

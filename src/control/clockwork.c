/* clockwork.c - see clockwork.h.
 *
 * DESIGN: a jump of six minutes would make every node look dead: its lease is ten seconds old, and forty are too many.
 * So time moves five seconds at a time, and after each step it waits until the loops have done what fell due. A machine
 * that is too busy is waited for, within reason. How far ahead the clock is stands in <data>/clock, so that times of
 * objects do not run backwards at the next start.
 *
 * A clock that is to go fast is moved ten times a second by a thread, by what it lacks, in the same steps: a machine
 * that cannot keep up has a clock that is slower than it was told to be, and nothing else suffers. The speed ends with
 * the cluster.
 *
 * THREADS: one caller at a time (the control socket's thread) and the thread that keeps the clock fast; moving is
 * atomic. The loops read the clock at any moment. */
#include "control/clockwork.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP_NS     (INT64_C(5) * 1000000000)
#define PATIENCE_MS 5000
#define BEAT_NS     100000000 /* between two moves of a fast clock */
#define SAVE_BEATS  10

void clockwork_load(const char *data_dir, struct clock_ahead *out)
{
    _auto_free_ char *path = xasprintf("%s/clock", data_dir);
    _auto_file_ FILE *f = fopen(path, "re");
    char text[40] = "";
    int64_t by = 0;
    if (f && fgets(text, sizeof text, f)) {
        text[strcspn(text, "\n")] = '\0';
        if (!str_to_i64(text, &by) || by < 0)
            by = 0;
    }
    clock_ahead_init(out, by);
}

static int save(const char *data_dir, int64_t by, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/clock", data_dir);
    _auto_free_ char *fresh = xasprintf("%s.new", path);
    FILE *f = fopen(fresh, "we");
    bool ok = f && fprintf(f, "%lld\n", (long long)by) > 0;
    ok = f && fclose(f) == 0 && ok;
    if (ok && rename(fresh, path) == 0)
        return 0;
    return err_sys(e, errno, "write %s", path);
}

/* Until no timer of the loops is due any more. */
static void let_them_work(const struct clock *clock, struct control *control)
{
    for (int waited = 0; waited < PATIENCE_MS; waited++) {
        control_wake(control);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        int64_t due = control_next_timer(control);
        if (due < 0 || due > clock_mono_ms(clock))
            return;
    }
}

static void move(struct clock_ahead *clock, struct control *control, int64_t ns)
{
    while (ns > 0) {
        int64_t step = ns < STEP_NS ? ns : STEP_NS;
        clock_ahead_move(clock, step);
        let_them_work(&clock->clock, control);
        ns -= step;
    }
}

int clockwork_forward(const char *data_dir, struct clock_ahead *clock, struct control *control, int64_t ns,
                      struct err *e)
{
    if (ns <= 0 || ns > CLOCKWORK_MAX_NS)
        return err_set(e, ERR_BAD_REQUEST, "the clock goes forward, by at most 24h at once");
    if (save(data_dir, clock_ahead_by(clock) + ns, e) < 0)
        return -1;
    move(clock, control, ns);
    return 0;
}

/* -- a fast clock -- */

struct clockwork {
    const char *data_dir;
    struct clock_ahead *clock;
    struct control *control;
    pthread_t thread;
    bool running; /* the thread is there. The caller's own */
    pthread_mutex_t mu;
    pthread_cond_t wake;
    int64_t times; /* under mu; 1: the thread ends */
};

struct clockwork *clockwork_open(const char *data_dir, struct clock_ahead *clock, struct control *control)
{
    struct clockwork *w = xcalloc(1, sizeof *w);
    *w = (struct clockwork){.data_dir = data_dir, .clock = clock, .control = control, .times = 1};
    pthread_mutex_init(&w->mu, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    return w;
}

/* Waits for the next beat, or until the speed is changed. Returns the speed. */
static int64_t next_beat(struct clockwork *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += BEAT_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&w->mu);
    if (w->times > 1)
        pthread_cond_timedwait(&w->wake, &w->mu, &until);
    int64_t times = w->times;
    pthread_mutex_unlock(&w->mu);
    return times;
}

static void *keep_fast(void *arg)
{
    struct clockwork *w = arg;
    struct err ignored = ERR_INIT; /* a full disk does not stop the time; the next beat tries again */
    int64_t before = clock_mono_ns(clock_real()), times;
    for (unsigned beat = 1; (times = next_beat(w)) > 1; beat++) {
        int64_t now = clock_mono_ns(clock_real());
        if (beat % SAVE_BEATS == 0)
            save(w->data_dir, clock_ahead_by(w->clock), &ignored);
        move(w->clock, w->control, (now - before) * (times - 1));
        before = now;
    }
    save(w->data_dir, clock_ahead_by(w->clock), &ignored);
    return NULL;
}

static void set_times(struct clockwork *w, int64_t times)
{
    pthread_mutex_lock(&w->mu);
    w->times = times;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mu);
}

int clockwork_speed(struct clockwork *w, int64_t times, struct err *e)
{
    if (times < 1 || times > CLOCKWORK_MAX_SPEED)
        return err_set(e, ERR_BAD_REQUEST, "the clock goes 1 to %d times as fast", CLOCKWORK_MAX_SPEED);
    set_times(w, times);
    if (times == 1 && w->running)
        pthread_join(w->thread, NULL);
    if (times == 1 || w->running) {
        w->running = times > 1;
        return 0;
    }
    int rc = pthread_create(&w->thread, NULL, keep_fast, w);
    if (rc)
        return set_times(w, 1), err_sys(e, rc, "start the clock's thread");
    w->running = true;
    return 0;
}

int64_t clockwork_speed_now(struct clockwork *w)
{
    pthread_mutex_lock(&w->mu);
    int64_t times = w->times;
    pthread_mutex_unlock(&w->mu);
    return times;
}

void clockwork_close(struct clockwork *w)
{
    struct err none = ERR_INIT;
    if (!w)
        return;
    clockwork_speed(w, 1, &none);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mu);
    free(w);
}

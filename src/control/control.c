/* control.c - the loop thread, timers and jobs.
 *
 * DESIGN. One thread runs everything that loops do, a round at a time: what watches brought, jobs that ended, events to
 * write, timers that are due, then one key of every loop that has one, so that no loop starves another. When a round
 * found nothing it sleeps until somebody wakes it or the next timer; with neither it sleeps for good, and costs
 * nothing. Events are written in order by a thread of their own, the scribe, which is there while there are any. Woken
 * twice in quick succession, it naps before it looks again: under a load of writes it runs some hundred times a second
 * instead of once a write (which cost a sixth of a create, on both sides of the wake-up), and whoever is alone waits
 * for nothing.
 *
 * A key whose work took long (ten thousand replicas to count) rests before it is worked on again, in proportion: what
 * comes meanwhile is done at once then, and other keys have the thread. So a loop may look at everything for each
 * change, and costs no more than a part of the time.
 *
 * In step mode there is no thread: control_step() runs rounds until one finds nothing. Time stands still inside a step.
 *
 * LOCK. control.mu guards the queues, the jobs that ended, the events recorded and the wake-up flag; loops' functions
 * run without it.
 *
 * When you add a kind of work to a round, also add its time to control_next_timer() if it has one. */
#include "control/control_int.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>

#define NAP_NS         2000000
#define MIN_BACKOFF_MS 5
#define MAX_BACKOFF_MS 1000000
/* Work that takes the thread for more than the first makes its key rest so many times as long, up to a second. */
#define LONG_WORK_NS INT64_C(4000000)
/* How old the reading may be that work is measured from: so much of earlier work may be counted with it. */
#define CPU_STALE_NS INT64_C(1000000)
#define REST_TIMES   9
#define REST_MAX_MS  1000
/* A loop that never rests is a mistake that a step must survive. */
#define STEP_ROUNDS 100000
/* Events waiting to be written; more are dropped, as client-go does (whose recorders are many, one a component). */
#define EVENTS_MAX 10000

int64_t control_now_ms(const struct control *c)
{
    return clock_mono_ms(c->conf.clock);
}

void control_wake_locked(struct control *c)
{
    if (!c->woken)
        pthread_cond_signal(&c->wake);
    c->woken = true;
}

void control_wake(struct control *c)
{
    pthread_mutex_lock(&c->mu);
    control_wake_locked(c);
    pthread_mutex_unlock(&c->mu);
}

/* -- making -- */

struct control *control_new(const struct control_conf *conf)
{
    struct control *c = xcalloc(1, sizeof *c);
    c->conf = *conf;
    c->recorder = recorder_new(conf->registry, conf->clock);
    c->scribe = pool_new("stowage-events", conf->step_mode ? 0 : 1);
    c->series_due_ms = -1;
    c->jobs_tail = &c->jobs_done;
    c->events_tail = &c->events;
    pthread_mutex_init(&c->mu, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &attr);
    pthread_cond_init(&c->passed, &attr);
    pthread_cond_init(&c->quiet, &attr);
    pthread_condattr_destroy(&attr);
    return c;
}

struct loop *control_add(struct control *c, const struct loop_def *def, void *env)
{
    struct loop *l = xcalloc(1, sizeof *l);
    l->def = def;
    l->control = c;
    l->env = env;
    l->state = def->state_size ? xcalloc(1, def->state_size) : NULL;
    l->resync_due_ms = -1;
    l->queue = wq_new(def->min_backoff_ms ? def->min_backoff_ms : MIN_BACKOFF_MS,
                      def->max_backoff_ms ? def->max_backoff_ms : MAX_BACKOFF_MS);
    struct loop **tail = &c->loops;
    while (*tail)
        tail = &(*tail)->next;
    *tail = l;
    for (const struct loop_watch *w = def->watches; w && w->bucket; w++)
        source_subscribe(c, l, w);
    return l;
}

/* -- one round -- */

static bool round_sources(struct control *c)
{
    bool any = false;
    for (struct source *src = c->sources; src; src = src->next)
        any |= source_drain(src);
    return any;
}

static bool round_jobs(struct control *c)
{
    pthread_mutex_lock(&c->mu);
    struct job *list = TAKE(c->jobs_done);
    c->jobs_tail = &c->jobs_done;
    pthread_mutex_unlock(&c->mu);
    bool any = list != NULL;
    for (struct job *next; list; list = next) {
        next = list->next;
        if (list->done)
            list->done(list->loop, list->arg);
        free(list);
    }
    return any;
}

/* On the scribe's thread: writes the events recorded so far, and ends series that have rested. */
static void write_events(void *arg)
{
    struct control *c = arg;
    pthread_mutex_lock(&c->mu);
    struct occurrence *list = TAKE(c->events);
    c->events_tail = &c->events;
    c->events_len = 0;
    c->events_asked = false;
    pthread_mutex_unlock(&c->mu);
    for (struct occurrence *next; list; list = next) {
        next = list->next;
        recorder_write(c->recorder, list);
        occurrence_free(list);
    }
    recorder_tick(c->recorder);
    pthread_mutex_lock(&c->mu);
    c->series_due_ms = recorder_due(c->recorder);
    if (c->series_due_ms >= 0)
        control_wake_locked(c);
    pthread_mutex_unlock(&c->mu);
}

static bool round_events(struct control *c)
{
    int64_t now = control_now_ms(c);
    pthread_mutex_lock(&c->mu);
    bool due = !c->events_asked && (c->events || (c->series_due_ms >= 0 && c->series_due_ms <= now));
    c->events_asked |= due;
    if (due)
        c->series_due_ms = -1; /* the scribe says anew */
    pthread_mutex_unlock(&c->mu);
    if (due)
        pool_submit(c->scribe, write_events, c);
    return due;
}

/* Reads what this thread has used of a processor: that it waited or was held up does not count. */
static void cpu_read(struct control *c, int64_t now_ns)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    c->cpu_read_ns = t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
    c->cpu_read_at_ns = now_ns;
}

/* What work that began then has used of a processor, or a little more. That clock is dear, and the cheap one knows of
 * most work that it was short. */
static int64_t cpu_used(struct control *c, int64_t began_ns)
{
    int64_t now = clock_mono_ns(clock_real()), took = now - began_ns, before = c->cpu_read_ns;
    if (took < LONG_WORK_NS)
        return took;
    cpu_read(c, now);
    return took < c->cpu_read_ns - before ? took : c->cpu_read_ns - before;
}

/* Keys that have rested may be worked on again. */
static void wake_rested_locked(struct loop *l, int64_t now)
{
    for (size_t i = l->resting_len; i-- > 0;) {
        if (l->resting[i].until_ms > now || (!l->control->idle && l->resting[i].until_cpu_ns > l->control->cpu_read_ns))
            continue;
        wq_done(l->queue, l->resting[i].work);
        l->resting[i] = l->resting[--l->resting_len];
    }
}

static void rest_locked(struct loop *l, const struct work *w, int64_t until_ms, int64_t until_cpu_ns)
{
    l->resting = xrealloc(l->resting, (l->resting_len + 1) * sizeof *l->resting);
    l->resting[l->resting_len++] = (struct resting){w, until_ms, until_cpu_ns};
}

static void round_timers(struct control *c)
{
    int64_t now = control_now_ms(c);
    for (struct loop *l = c->loops; l; l = l->next) {
        pthread_mutex_lock(&c->mu);
        wake_rested_locked(l, now);
        wq_expire(l->queue, now);
        pthread_mutex_unlock(&c->mu);
        if (l->resync_due_ms >= 0 && l->resync_due_ms <= now) {
            l->resync_due_ms = now + l->def->resync_ms;
            loop_resync(l);
        }
    }
}

static void reconcile_failed(struct loop *l, const struct work *w, const struct err *e)
{
    pthread_mutex_lock(&l->control->mu);
    int64_t delay = wq_failed(l->queue, w, control_now_ms(l->control));
    pthread_mutex_unlock(&l->control->mu);
    enum log_level level = err_retryable(e->code) ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
    log_line(level, l->def->name, "%s; again in %lld ms", e->msg, (long long)delay);
}

static void work_ended_locked(struct loop *l, const struct work *w, int64_t took_ns)
{
    struct control *c = l->control;
    wq_forget(l->queue, w->ns, w->name);
    bool rests = !c->conf.step_mode && !l->def->restless && !l->goes_on && took_ns >= LONG_WORK_NS;
    l->goes_on = false;
    if (!rests) {
        wq_done(l->queue, w);
        return;
    }
    int64_t rest = took_ns * REST_TIMES / 1000000;
    rest_locked(l, w, control_now_ms(c) + (rest < REST_MAX_MS ? rest : REST_MAX_MS),
                c->cpu_read_ns + took_ns * REST_TIMES);
}

/* One key of one loop. */
static bool loop_run_one(struct loop *l)
{
    struct control *c = l->control;
    pthread_mutex_lock(&c->mu);
    const struct work *w = c->stopping ? NULL : wq_take(l->queue);
    pthread_mutex_unlock(&c->mu);
    if (!w)
        return false;
    struct err e = ERR_INIT;
    int64_t began = clock_mono_ns(clock_real());
    if (began - c->cpu_read_at_ns >= CPU_STALE_NS)
        cpu_read(c, began);
    int rc = l->def->reconcile(l, w->ns, w->name, &e);
    int64_t used = cpu_used(c, began);
    if (rc < 0) {
        if (e.msg[0] == '\0')
            err_set(&e, ERR_INTERNAL, "%s%s%s failed", w->ns, *w->ns ? "/" : "", w->name);
        reconcile_failed(l, w, &e);
        return true;
    }
    pthread_mutex_lock(&c->mu);
    work_ended_locked(l, w, used);
    pthread_mutex_unlock(&c->mu);
    return true;
}

/* The keys of one loop before others have their turn. Returns how many. */
static unsigned loop_run_batch(struct loop *l)
{
    const unsigned most = l->def->batch ? (unsigned)l->def->batch : 1;
    unsigned n = 0;
    while (n < most && loop_run_one(l))
        n++;
    if (n && l->def->batch_end)
        l->def->batch_end(l);
    return n;
}

/* Returns whether there was anything to do; counts reconciles. */
static bool control_round(struct control *c, unsigned *reconciles)
{
    bool any = round_sources(c);
    any |= round_jobs(c);
    any |= round_events(c);
    cpu_read(c, clock_mono_ns(clock_real()));
    round_timers(c);
    for (struct loop *l = c->loops; l; l = l->next) {
        unsigned n = loop_run_batch(l);
        *reconciles += n;
        any |= n > 0;
    }
    c->idle = !any;
    return any;
}

/* -- timers -- */

static int64_t earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static int64_t next_timer_locked(const struct control *c)
{
    int64_t due = c->series_due_ms;
    for (const struct loop *l = c->loops; l; l = l->next) {
        due = earlier(due, wq_next_due(l->queue));
        due = earlier(due, l->resync_due_ms);
        for (size_t i = 0; i < l->resting_len; i++)
            due = earlier(due, l->resting[i].until_ms);
    }
    return due;
}

int64_t control_next_timer(struct control *c)
{
    pthread_mutex_lock(&c->mu);
    int64_t due = next_timer_locked(c);
    pthread_mutex_unlock(&c->mu);
    return due;
}

/* -- the thread -- */

static struct timespec ms_from_now(int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return until;
}

static void sleep_ms_locked(struct control *c, int64_t ms)
{
    const struct timespec until = ms_from_now(ms);
    pthread_cond_timedwait(&c->wake, &c->mu, &until);
}

static void sleep_locked(struct control *c)
{
    int64_t due = next_timer_locked(c);
    int64_t left = due < 0 ? -1 : due - control_now_ms(c);
    if (due < 0)
        pthread_cond_wait(&c->wake, &c->mu);
    else if (left > 0)
        sleep_ms_locked(c, left);
}

/* Nobody needs to be woken meanwhile: what comes is found afterwards. */
static void nap_locked(struct control *c)
{
    pthread_mutex_unlock(&c->mu);
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    pthread_mutex_lock(&c->mu);
}

/* The loop thread was here. */
static void answer_locked(struct control *c)
{
    if (c->answered == c->asked)
        return;
    c->answered = c->asked;
    pthread_cond_broadcast(&c->passed);
}

/* Sleeps until woken or the next timer. Returns false when it is time to stop. */
static bool control_wait(struct control *c)
{
    int64_t began = clock_mono_ns(clock_real());
    pthread_mutex_lock(&c->mu);
    if (c->busy && !c->stopping)
        nap_locked(c);
    if (!c->woken && !c->stopping) {
        c->asleep = true;
        sleep_locked(c);
        c->asleep = false;
    }
    c->busy = c->woken && clock_mono_ns(clock_real()) - began < 2 * NAP_NS;
    c->woken = false;
    answer_locked(c);
    bool go_on = !c->stopping;
    pthread_mutex_unlock(&c->mu);
    return go_on;
}

/* What jobs have to say when they end is of before the pause, too: it is heard. */
static void pause_locked(struct control *c)
{
    if (!c->paused)
        return;
    while (c->paused && !c->stopping) {
        if (c->jobs_done) {
            pthread_mutex_unlock(&c->mu);
            round_jobs(c);
            pthread_mutex_lock(&c->mu);
            continue;
        }
        c->resting = !c->jobs_running;
        c->woken = false;
        answer_locked(c);
        pthread_cond_broadcast(&c->passed);
        pthread_cond_wait(&c->wake, &c->mu);
    }
    c->resting = false;
    c->woken = true; /* there may be something that came meanwhile */
}

static bool control_stopping(struct control *c)
{
    pthread_mutex_lock(&c->mu);
    pause_locked(c);
    bool stopping = c->stopping;
    answer_locked(c);
    pthread_mutex_unlock(&c->mu);
    return stopping;
}

static void *control_main(void *arg)
{
    struct control *c = arg;
    unsigned reconciles = 0;
    do {
        while (!control_stopping(c) && control_round(c, &reconciles))
            ;
    } while (control_wait(c));
    return NULL;
}

static int loops_start(struct control *c, struct err *e)
{
    int64_t now = control_now_ms(c);
    for (struct loop *l = c->loops; l; l = l->next) {
        if (l->def->start && l->def->start(l, e) < 0)
            return err_wrap(e, "starting %s", l->def->name);
        l->started = true;
        if (l->def->resync_ms > 0 && l->def->watches && l->def->watches[0].bucket)
            l->resync_due_ms = now + l->def->resync_ms;
    }
    return 0;
}

int control_start(struct control *c, struct err *e)
{
    if (loops_start(c, e) < 0)
        return -1;
    for (struct source *src = c->sources; src; src = src->next)
        if (source_start(src, e) < 0)
            return err_wrap(e, "watching %s", src->bucket);
    if (!c->conf.step_mode) {
        int rc = pthread_create(&c->thread, NULL, control_main, c);
        if (rc)
            return err_sys(e, rc, "starting the control thread");
        pthread_setname_np(c->thread, "control");
        c->started = true;
    }
    pthread_mutex_lock(&c->mu);
    c->running = true;
    pthread_mutex_unlock(&c->mu);
    return 0;
}

bool control_alive(struct control *c, int wait_ms)
{
    const struct timespec until = ms_from_now(wait_ms);
    pthread_mutex_lock(&c->mu);
    bool alive = c->running && !c->stopping;
    if (alive && !c->conf.step_mode) {
        const uint64_t mine = ++c->asked;
        control_wake_locked(c);
        int rc = 0;
        while (c->answered < mine && rc == 0)
            rc = pthread_cond_timedwait(&c->passed, &c->mu, &until);
        alive = c->answered >= mine;
    }
    pthread_mutex_unlock(&c->mu);
    return alive;
}

bool control_quiet(struct control *c)
{
    pthread_mutex_lock(&c->mu);
    const bool quiet = c->asleep && !c->woken && !c->jobs_running && !c->jobs_done && !c->events;
    pthread_mutex_unlock(&c->mu);
    return quiet;
}

bool control_pause(struct control *c, int wait_ms)
{
    const struct timespec until = ms_from_now(wait_ms);
    int rc = 0;
    pthread_mutex_lock(&c->mu);
    c->paused = true;
    pthread_cond_signal(&c->wake);
    while (c->started && !c->resting && rc == 0)
        rc = pthread_cond_timedwait(&c->passed, &c->mu, &until);
    pthread_mutex_unlock(&c->mu);
    return rc == 0;
}

void control_go_on(struct control *c)
{
    pthread_mutex_lock(&c->mu);
    c->paused = false;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mu);
}

void control_stop(struct control *c)
{
    if (c->stopped)
        return;
    c->stopped = true;
    pthread_mutex_lock(&c->mu);
    c->stopping = true;
    control_wake_locked(c);
    pthread_mutex_unlock(&c->mu);
    if (c->started)
        pthread_join(c->thread, NULL);
    pthread_mutex_lock(&c->mu);
    while (c->jobs_running)
        pthread_cond_wait(&c->quiet, &c->mu);
    pthread_mutex_unlock(&c->mu);
    round_jobs(c); /* their ends release what they carry */
    round_events(c);
    pool_free(TAKE(c->scribe)); /* waits until they are written */
    for (struct loop *l = c->loops; l; l = l->next)
        if (l->def->stop && (l->started || !l->def->start))
            l->def->stop(l);
    for (struct source *src = c->sources; src; src = src->next)
        watch_close(TAKE(src->watch));
}

void control_free(struct control *c)
{
    if (!c)
        return;
    control_stop(c);
    while (c->loops) {
        struct loop *l = c->loops;
        c->loops = l->next;
        wq_free(l->queue);
        free(l->resting);
        free(l->state);
        free(l);
    }
    while (c->sources) {
        struct source *src = c->sources;
        c->sources = src->next;
        source_free(src);
    }
    round_jobs(c);
    while (c->events) {
        struct occurrence *oc = c->events;
        c->events = oc->next;
        occurrence_free(oc);
    }
    recorder_free(c->recorder);
    pthread_mutex_destroy(&c->mu);
    pthread_cond_destroy(&c->wake);
    pthread_cond_destroy(&c->quiet);
    pthread_cond_destroy(&c->passed);
    free(c);
}

unsigned control_step(struct control *c)
{
    unsigned reconciles = 0;
    for (int i = 0; i < STEP_ROUNDS && control_round(c, &reconciles); i++)
        ;
    return reconciles;
}

/* -- inside a loop -- */

struct registry *loop_registry(struct loop *l)
{
    return l->control->conf.registry;
}

const struct clock *loop_clock(struct loop *l)
{
    return l->control->conf.clock;
}

const char *loop_name(struct loop *l)
{
    return l->def->name;
}

void *loop_env(struct loop *l)
{
    return l->env;
}

void *loop_state(struct loop *l)
{
    return l->state;
}

struct control *loop_control(struct loop *l)
{
    return l->control;
}

void loop_enqueue(struct loop *l, const char *ns, const char *name)
{
    pthread_mutex_lock(&l->control->mu);
    wq_add(l->queue, ns, name);
    control_wake_locked(l->control);
    pthread_mutex_unlock(&l->control->mu);
}

void loop_enqueue_after(struct loop *l, const char *ns, const char *name, int64_t delay_ms)
{
    if (delay_ms <= 0) {
        loop_enqueue(l, ns, name);
        return;
    }
    int64_t due = control_now_ms(l->control) + delay_ms;
    pthread_mutex_lock(&l->control->mu);
    wq_add_at(l->queue, ns, name, due);
    control_wake_locked(l->control);
    pthread_mutex_unlock(&l->control->mu);
}

void loop_goes_on(struct loop *l)
{
    l->goes_on = true;
}

void loop_forget(struct loop *l, const char *ns, const char *name)
{
    pthread_mutex_lock(&l->control->mu);
    wq_forget(l->queue, ns, name);
    pthread_mutex_unlock(&l->control->mu);
}

/* -- events -- */

static void event_record(struct control *c, struct occurrence *take_oc)
{
    pthread_mutex_lock(&c->mu);
    bool room = c->events_len < EVENTS_MAX;
    if (room) {
        *c->events_tail = take_oc;
        c->events_tail = &take_oc->next;
        c->events_len++;
        control_wake_locked(c);
    }
    pthread_mutex_unlock(&c->mu);
    if (!room)
        occurrence_free(take_oc);
}

void control_event(struct control *c, const struct event_source *src, const json_t *object, const char *field_path,
                   enum event_type type, const char *reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct occurrence *oc = occurrence_new(c->conf.clock, src, object, field_path, type, reason, fmt, ap);
    va_end(ap);
    event_record(c, oc);
}

void loop_event(struct loop *l, const json_t *object, enum event_type type, const char *reason, const char *fmt, ...)
{
    struct event_source src = {.component = l->def->component ? l->def->component : l->def->name, .host = ""};
    va_list ap;
    va_start(ap, fmt);
    struct occurrence *oc = occurrence_new(l->control->conf.clock, &src, object, "", type, reason, fmt, ap);
    va_end(ap);
    event_record(l->control, oc);
}

/* clockwork.c - see clockwork.h.
 *
 * DESIGN: a jump of six minutes would make every node look dead: its lease is ten seconds old, and forty are too many.
 * So time moves five seconds at a time, and after each step it waits until the loops have done what fell due. A machine
 * that is too busy is waited for, within reason. How far ahead the clock is stands in <data>/clock, so that times of
 * objects do not run backwards at the next start.
 *
 * THREADS: one caller at a time (the control socket's thread); the loops read the clock at any moment. */
#include "app/clockwork.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STEP_NS     (INT64_C(5) * 1000000000)
#define PATIENCE_MS 5000

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

int clockwork_forward(const char *data_dir, struct clock_ahead *clock, struct control *control, int64_t ns,
                      struct err *e)
{
    if (ns <= 0 || ns > CLOCKWORK_MAX_NS)
        return err_set(e, ERR_BAD_REQUEST, "the clock goes forward, by at most 24h at once");
    if (save(data_dir, clock_ahead_by(clock) + ns, e) < 0)
        return -1;
    while (ns > 0) {
        int64_t step = ns < STEP_NS ? ns : STEP_NS;
        clock_ahead_move(clock, step);
        let_them_work(&clock->clock, control);
        ns -= step;
    }
    return 0;
}

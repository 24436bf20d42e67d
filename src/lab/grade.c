/* grade.c - see grade.h.
 *
 * DESIGN: an object is applied as `kubectl apply --server-side` has it; where the server says that a field can not be
 * changed, the object is replaced, as the labs' texts ask students to do (`kubectl replace --force`). All that waits
 * has what is left of the submission's time as its bound; on a machine that many want to use less time counts
 * (sys/crowd.h), so that nobody's points depend on who else is judged. */
#include "lab/grade.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/check.h"
#include "lab/play.h"
#include "lab/runner.h"
#include "sys/crowd.h"

#include <string.h>
#include <time.h>

#define GONE_MS  30000 /* an object that is replaced has so long to go */
#define SAYS_MAX 600

struct grading {
    struct lab_env *env;
    const struct plan *plan;
    const struct grade_opts *o;
    int64_t left_ms;
    json_t *notes; /* of the step under way; borrowed from `all` */
    json_t *all;   /* name of a step -> notes */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void note(struct grading *g, const char *file, const char *says)
{
    _auto_buf_ struct buf name = BUF_INIT, text = BUF_INIT;
    const size_t n = strlen(says), from = n > SAYS_MAX ? n - SAYS_MAX : 0;
    buf_add_visible(&name, file, strlen(file));
    buf_add_visible(&text, says + from, n - from);
    json_array_append_new(g->notes, json_pack("{s:s, s:s}", "file", buf_str(&name), "says", buf_str(&text)));
}

/* ---- objects ---- */

static int await_gone(struct lab_env *env, const char *path, int64_t patience_ms, struct err *e)
{
    for (const int64_t until = now_ms() + patience_ms;;) {
        if (client_json(env->client, "GET", path, NULL, NULL, NULL, e) < 0)
            break;
        if (now_ms() >= until)
            return err_set(e, ERR_TIMEOUT, "the one that is there does not go");
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    const bool gone = e->code == ERR_NOT_FOUND;
    if (gone)
        err_clear(e);
    return gone ? 0 : -1;
}

static int replace(struct grading *g, const json_t *object, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    const int64_t patience = g->left_ms < GONE_MS ? g->left_ms : GONE_MS;
    if (env_object_path(g->env, object, NULL, true, &path, e) < 0 ||
        client_json(g->env->client, "DELETE", buf_str(&path), NULL, NULL, NULL, e) < 0 ||
        await_gone(g->env, buf_str(&path), patience, e) < 0)
        return err_wrap(e, "replace %s", jstr_or(object, "metadata.name", "?"));
    return play_object(g->env, object, NULL, e);
}

static bool is_there(struct grading *g, const json_t *object)
{
    struct err none = ERR_INIT;
    _auto_buf_ struct buf path = BUF_INIT;
    return env_object_path(g->env, object, NULL, true, &path, &none) == 0 &&
           client_json(g->env->client, "GET", buf_str(&path), NULL, NULL, NULL, &none) == 0;
}

static void send(struct grading *g, const char *file, const json_t *object)
{
    struct err e = ERR_INIT;
    const int64_t began = now_ms();
    if (g->left_ms <= 0) {
        note(g, file, "the time was over before this");
        return;
    }
    int rc = play_object(g->env, object, NULL, &e);
    if (rc < 0 && (e.code == ERR_INVALID || e.code == ERR_FORBIDDEN)) {
        struct err first = e;
        err_clear(&e);
        const bool there = is_there(g, object);
        rc = there ? replace(g, object, &e) : -1;
        e = there ? e : first;
    }
    g->left_ms -= crowd_share(now_ms() - began);
    if (rc < 0)
        note(g, file, e.msg);
}

/* ---- scripts ---- */

static void run(struct grading *g, const struct piece *p)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf says = BUF_INIT;
    struct script_end end = {0};
    if (!g->o->script || g->left_ms <= 0) {
        note(g, p->file, g->o->script ? "the time was over before this" : "scripts are not run here");
        return;
    }
    const int code = g->o->script(g->o->self, p->script, g->left_ms, &end, &says, &e);
    g->left_ms -= end.ms;
    if (code < 0)
        buf_adds(&says, e.msg);
    else if (end.cut)
        buf_addf(&says, "\n%s, and was ended", end.cut);
    else if (code)
        buf_addf(&says, "\nit ended with %d", code);
    if (end.cut || code)
        note(g, p->file, buf_str(&says) + strspn(buf_str(&says), "\n"));
}

/* ---- steps ---- */

static void play_step(void *arg, const json_t *step)
{
    struct grading *g = arg;
    const json_t *steps = json_object_get(g->env->lab->tree, "steps");
    g->notes = json_array();
    json_object_set_new(g->all, jstr_or(step, "name", ""), g->notes);
    for (size_t i = 0; i < g->plan->len; i++) {
        const struct piece *p = &g->plan->items[i];
        size_t k;
        json_t *object;
        if (json_array_get(steps, p->step) != step)
            continue;
        json_array_foreach(p->objects, k, object)
        {
            if (!p->missing_only || !is_there(g, object))
                send(g, p->file, object);
        }
        if (p->script)
            run(g, p);
    }
}

static void add_notes(json_t *report, const json_t *all)
{
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(report, "steps"), i, step)
    {
        json_t *notes = json_object_get(all, jstr_or(step, "name", ""));
        if (json_array_size(notes))
            json_object_set(step, "notes", notes);
    }
}

json_t *grade_submission(struct lab_env *env, const struct plan *plan, const struct grade_opts *o, struct err *e)
{
    _auto_json_ json_t *all = json_object();
    struct grading g = {.env = env, .plan = plan, .o = o, .left_ms = o->timeout_ms, .all = all};
    const struct run_opts opts = {.play = play_step, .unprepared = true, .arg = &g};
    json_object_update(env->answers, plan->answers);
    json_t *report = lab_run(env, &opts, e);
    if (report)
        add_notes(report, all);
    return report;
}

/* ---- without playing ---- */

static json_t *failed_row(const json_t *check, const char *why)
{
    return json_pack("{s:s, s:b, s:i, s:i, s:i, s:s, s:s, s:s}", "name", jstr_or(check, "name", ""), "passed", 0,
                     "points", 0, "of", check_points(check), "ms", 0, "expected", jstr_or(check, "name", ""),
                     "observed", why, "look", "");
}

json_t *grade_refused(const struct lab *lab, const char *why)
{
    _auto_buf_ struct buf shown = BUF_INIT;
    buf_add_visible(&shown, why, strlen(why));
    why = buf_str(&shown);
    _auto_json_ json_t *rows = json_array();
    size_t s, c;
    const json_t *step, *check;
    json_array_foreach(json_object_get(lab->tree, "steps"), s, step)
    {
        json_t *checks = json_array();
        int of = 0;
        json_array_foreach(json_object_get(step, "checks"), c, check)
        {
            json_array_append_new(checks, failed_row(check, why));
            of += check_points(check);
        }
        json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:i, s:o}", "name", jstr_or(step, "name", ""), "title",
                                              jstr_or(step, "title", jstr_or(step, "name", "")), "points", 0, "of", of,
                                              "checks", checks));
    }
    json_t *report = check_report(lab, rows);
    jset_str(report, "refused", why);
    return report;
}

/* A step's checks that can be made here; the others have failed, with the reason. */
static json_t *judge_step(struct lab_env *env, const json_t *step, struct err *e)
{
    size_t c;
    const json_t *check;
    _auto_json_ json_t *can = json_copy((json_t *)(uintptr_t)step);
    json_t *checks = json_array(), *out = NULL;
    json_object_set_new(can, "checks", checks);
    json_array_foreach(json_object_get(step, "checks"), c, check)
    {
        if (!check_impossible(env, check))
            json_array_append(checks, (json_t *)(uintptr_t)check);
    }
    out = check_step(env, can, NULL, NULL, e);
    json_array_foreach(out ? json_object_get(step, "checks") : NULL, c, check)
    {
        const char *why = check_impossible(env, check);
        if (!why)
            continue;
        json_array_append_new(json_object_get(out, "checks"), failed_row(check, why));
        jset_int(out, "of", jint(out, "of", 0) + check_points(check));
    }
    return out;
}

json_t *grade_cluster(struct lab_env *env, const struct plan *plan, struct err *e)
{
    _auto_json_ json_t *rows = json_array();
    size_t i;
    const json_t *step;
    json_object_update(env->answers, plan->answers);
    json_array_foreach(json_object_get(env->lab->tree, "steps"), i, step)
    {
        json_t *row = judge_step(env, step, e);
        if (!row)
            return NULL;
        json_array_append_new(rows, row);
    }
    return check_report(env->lab, rows);
}

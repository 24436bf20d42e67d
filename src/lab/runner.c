/* runner.c - see runner.h. */
#include "lab/runner.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/check.h"
#include "lab/history.h"

/* Where patience has a limit, and what was to be judged was not done. */
#define AFTER_FAILURE_MS 1000

int lab_begin_step(struct lab_env *env, const json_t *step, struct err *e)
{
    if (play_actions(env, json_object_get(step, "setup"), NULL, e) < 0 ||
        play_actions(env, json_object_get(step, "faults"), NULL, e) < 0)
        return err_wrap(e, "preparing step %s", jstr(step, "name"));
    return history_begin(env, step, e);
}

/* What fails of the solution is no error, but told in the step's row. */
static void solve(struct lab_env *env, const json_t *step, const struct run_opts *o, struct err *failed)
{
    if (o->play)
        o->play(o->arg, step);
    else if (failed->code == ERR_OK && o->solve &&
             play_actions(env, json_object_get(step, "solution"), o->solution, failed) == 0 && o->solved)
        o->solved(o->arg, env, step, failed);
}

/* A row beside those of the checks, so that every report has it. */
static void add_failure(json_t *step, const char *why, const struct run_opts *o)
{
    json_t *row =
        json_pack("{s:s, s:b, s:i, s:i, s:i, s:s, s:s, s:s}", "name", "what the step does", "passed", 0, "points", 0,
                  "of", 0, "ms", 0, "expected", "every action of it succeeds", "observed", why, "look", "");
    json_array_append_new(json_object_get(step, "checks"), row);
    if (o->on_check)
        o->on_check(o->arg, row);
}

static json_t *run_step(struct lab_env *env, const json_t *step, bool first, const struct run_opts *o, struct err *e)
{
    struct err failed = ERR_INIT;
    if (o->on_step)
        o->on_step(o->arg, step);
    if (lab_begin_step(env, step, &failed) < 0 && (first || !o->unprepared)) {
        *e = failed;
        return NULL;
    }
    solve(env, step, o, &failed);
    const int64_t limit = env->limit_ms;
    if (limit && failed.code != ERR_OK)
        env->limit_ms = AFTER_FAILURE_MS;
    json_t *row = check_step(env, step, o->on_check, o->arg, e);
    env->limit_ms = limit;
    if (row && failed.code != ERR_OK)
        add_failure(row, failed.msg, o);
    return row;
}

json_t *lab_run(struct lab_env *env, const struct run_opts *opts, struct err *e)
{
    _auto_json_ json_t *rows = json_array();
    size_t i;
    const json_t *step;
    env->first_failure = opts->first_failure;
    if (play_cluster(env, e) < 0) {
        err_wrap(e, "preparing the cluster");
        return NULL;
    }
    json_array_foreach(json_object_get(env->lab->tree, "steps"), i, step)
    {
        json_t *row = run_step(env, step, i == 0, opts, e);
        if (!row)
            return NULL;
        json_array_append_new(rows, row);
        if (opts->first_failure && jint(row, "points", 0) < jint(row, "of", 0))
            break;
    }
    return check_report(env->lab, rows);
}

static void obstacles_of(const struct lab_env *env, const json_t *actions, const char *where, struct strlist *out)
{
    size_t i;
    const json_t *action;
    json_array_foreach(actions, i,
                       action) if (!env->host && (json_object_get(action, "disk") || json_object_get(action, "node")))
        strlist_addf(out, "%s: a %s is only to be had in a cluster of Stowage", where,
                     json_object_get(action, "disk") ? "disk" : "node's shell");
}

void lab_obstacles(const struct lab_env *env, struct strlist *out)
{
    size_t i, c;
    const json_t *step, *check;
    static const char *const lists[] = {"setup", "faults", "solution"};
    if (!env->host && json_array_size(jat(env->lab->tree, "cluster.disks")))
        strlist_add(out, "cluster.disks: disks are only to be had in a cluster of Stowage");
    obstacles_of(env, json_object_get(env->lab->tree, "setup"), "setup", out);
    json_array_foreach(json_object_get(env->lab->tree, "steps"), i, step)
    {
        for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
            _auto_free_ char *where = xasprintf("step %s, %s", jstr(step, "name"), lists[l]);
            obstacles_of(env, json_object_get(step, lists[l]), where, out);
        }
        json_array_foreach(json_object_get(step, "checks"), c, check) if (check_impossible(env, check))
            strlist_addf(out, "check \"%s\": %s", jstr(check, "name"), check_impossible(env, check));
    }
}

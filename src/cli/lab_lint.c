/* lab_lint.c - see lab_lint.h.
 *
 * DESIGN: first the file (lines and columns), then the lab is played in clusters of its own, a fresh one each time:
 * without a solution, with it, and with each near-miss of it (lab/mutate.h). A near-miss that still gets all points is
 * a survivor: a check that does not look. Near-misses end with the first point they lose.
 *
 * What is wrong stays wrong, and would be waited for until each check's patience is over. So a near-miss waits a few
 * times as long as the slowest thing of the right solution took on this machine, now: one that were noticed only later
 * is taken for noticed, none is taken for a survivor for being slow.
 *
 * PROCESSES: near-misses are played in children of this process, several at a time: each has a cluster of its own and
 * looks after it (own_cluster.h), which wants a process with one thread. */
#include "cli/lab_lint.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/own_cluster.h"
#include "lab/check.h"
#include "lab/mutate.h"
#include "lab/report.h"
#include "lab/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRESH_LIMIT_MS  1500 /* preparing a step behind the first, whose former ones were not solved */
#define SPOILT_LEAST_MS 1500
#define SPOILT_TIMES    3
#define JOBS_MAX        16

enum verdict { NOTICED, SURVIVED, NOT_THERE, UNJUDGED };

struct linting {
    const struct cli *cli;
    const struct lab *lab;
    bool solved;        /* by its solution */
    int64_t slowest_ms; /* that it took for one thing */
    int found;
};

struct playing {
    const struct run_opts *opts;
    int percent;        /* of the checks' patience */
    int64_t limit_ms;   /* see lab/env.h */
    int64_t slowest_ms; /* result */
    struct own_cluster own;
    struct lab_env env;
};

/* In a cluster of its own. Returns the report, new, or NULL. */
static json_t *play(const struct linting *l, struct playing *p, struct err *e)
{
    json_t *report = NULL;
    if (own_cluster_start(&p->own, l->cli, json_object_get(l->lab->tree, "cluster"), NULL, e) == 0 &&
        lab_env_open(&p->env, l->lab, p->own.kubeconfig, p->own.work, &p->own.host, e) == 0) {
        p->env.patience_percent = p->percent;
        p->env.limit_ms = p->limit_ms;
        p->env.janitor = &p->own.janitor;
        report = lab_run(&p->env, p->opts, e);
        p->slowest_ms = p->env.slowest_ms;
    }
    lab_env_close(&p->env);
    own_cluster_stop(&p->own, false);
    return report;
}

static void print_checks(const json_t *report, bool passed)
{
    size_t s, c;
    const json_t *step, *row;
    json_array_foreach(json_object_get(report, "steps"), s, step)
    {
        json_array_foreach(json_object_get(step, "checks"), c, row)
        {
            _auto_buf_ struct buf text = BUF_INIT;
            if (jbool(row, "passed", false) != passed || (passed && !jint(row, "of", 0)))
                continue;
            report_text_check(row, false, &text);
            printf("  step %s:\n%s", jstr(step, "name"), buf_str(&text));
        }
    }
}

/* ---- nothing done, and all done ---- */

/* Steps behind the first may wait for what nobody has done. */
static void fresh_step(void *arg, const json_t *step)
{
    struct lab_env *env = arg;
    if (step != json_array_get(json_object_get(env->lab->tree, "steps"), 0))
        env->limit_ms = FRESH_LIMIT_MS;
}

static int lint_fresh(struct linting *l, struct err *e)
{
    struct playing p = {0};
    const struct run_opts opts = {.solve = false, .unprepared = true, .on_step = fresh_step, .arg = &p.env};
    p.opts = &opts;
    _auto_json_ json_t *report = play(l, &p, e);
    if (!report)
        return -1;
    if (jint(report, "points", 0) == 0) {
        printf("%s: a fresh cluster scores 0\n", l->lab->name);
        return 0;
    }
    l->found++;
    printf("%s: a fresh cluster scores %lld of %lld points; these pass without anything done:\n", l->lab->name,
           (long long)jint(report, "points", 0), (long long)jint(report, "of", 0));
    print_checks(report, true);
    return 0;
}

static int lint_solution(struct linting *l, struct err *e)
{
    const struct run_opts opts = {.solve = true};
    struct playing p = {.opts = &opts, .percent = 100};
    _auto_json_ json_t *report = play(l, &p, e);
    if (!report)
        return -1;
    l->slowest_ms = p.slowest_ms;
    l->solved = check_all_passed(report);
    if (l->solved) {
        printf("%s: the solution scores 100\n", l->lab->name);
        return 0;
    }
    l->found++;
    printf("%s: the solution scores %lld of %lld points; these fail:\n", l->lab->name,
           (long long)jint(report, "points", 0), (long long)jint(report, "of", 0));
    print_checks(report, false);
    return 0;
}

/* ---- near-misses ---- */

static enum verdict try_mutant(const struct linting *l, const struct mutant *m)
{
    struct spoiler spoiler = {.mutant = m};
    const struct play_opts edit = {.action = spoil_action, .edit = spoil_object, .arg = &spoiler};
    const struct run_opts opts = {.solve = true,
                                  .solution = &edit,
                                  .first_failure = true,
                                  .unprepared = true,
                                  .solved = spoil_solved,
                                  .arg = &spoiler};
    struct playing p = {.opts = &opts, .percent = 100, .limit_ms = SPOILT_LEAST_MS + SPOILT_TIMES * l->slowest_ms};
    struct err e = ERR_INIT;
    _auto_json_ json_t *report = play(l, &p, &e);
    if (!report) {
        fprintf(stderr, "%s: %s: %s\n", l->lab->name, m->what, e.msg);
        return UNJUDGED;
    }
    if (jint(report, "points", 0) < lab_points(l->lab))
        return NOTICED;
    return spoiler.done ? SURVIVED : NOT_THERE;
}

struct batch {
    const struct linting *l;
    const struct mutants *all;
    size_t stride, next;
    enum verdict *verdicts; /* one a mutant */
    pid_t pids[JOBS_MAX];   /* 0: free */
    size_t of[JOBS_MAX];    /* the mutant that a child plays */
};

static int start_next(struct batch *b, size_t slot, struct err *e)
{
    const struct mutant *m = &b->all->items[b->next];
    const pid_t parent = getpid();
    fflush(NULL);
    const pid_t pid = fork();
    if (pid < 0)
        return err_sys(e, errno, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        _exit(getppid() == parent ? (int)try_mutant(b->l, m) : UNJUDGED);
    }
    b->pids[slot] = pid;
    b->of[slot] = b->next;
    b->next += b->stride;
    return 0;
}

/* Some child ends. */
static void reap(struct batch *b)
{
    int status;
    const pid_t pid = wait(&status);
    for (size_t i = 0; i < JOBS_MAX; i++)
        if (pid > 0 && b->pids[i] == pid) {
            const int code = WIFEXITED(status) ? WEXITSTATUS(status) : UNJUDGED;
            b->verdicts[b->of[i]] = code < UNJUDGED ? (enum verdict)code : UNJUDGED;
            b->pids[i] = 0;
        }
}

/* All of them, so many at a time. */
static int play_batch(struct batch *b, int jobs, struct err *e)
{
    int rc = 0, busy = 0;
    for (;;) {
        busy = 0;
        for (int i = 0; i < jobs; i++) {
            if (rc == 0 && !b->pids[i] && b->next < b->all->len)
                rc = start_next(b, (size_t)i, e);
            busy += b->pids[i] != 0;
        }
        if (!busy)
            return rc;
        reap(b);
    }
}

/* Tells survivors, and what is declared of near-misses but not so. */
static void tell(struct linting *l, const struct batch *b)
{
    size_t count[UNJUDGED + 1] = {0}, declared = 0, tried = 0;
    for (size_t i = 0; i < b->all->len; i += b->stride) {
        const struct mutant *m = &b->all->items[i];
        const enum verdict v = b->verdicts[i];
        count[v]++;
        tried++;
        declared += v == SURVIVED && m->why;
        if (v == SURVIVED && !m->why)
            printf("%s: SURVIVED: %s\n", l->lab->name, m->what);
        if (v == UNJUDGED)
            printf("%s: could not be played: %s\n", l->lab->name, m->what);
        if (v == NOTICED && m->why)
            printf("%s: declared equivalent, but noticed: %s\n", l->lab->name, m->what);
        l->found += (v == SURVIVED && !m->why) || v == UNJUDGED || (v == NOTICED && m->why);
    }
    printf("%s: %zu of %zu near-misses noticed (of %zu there are)", l->lab->name, count[NOTICED],
           tried - count[NOT_THERE] - declared, b->all->len);
    if (declared)
        printf("; %zu declared equivalent", declared);
    printf("\n");
}

static int lint_mutants(struct linting *l, const struct lint_opts *opts, struct err *e)
{
    struct mutants all = {0};
    _auto_strlist_ struct strlist unknown = {0};
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    const int jobs = opts->jobs ? opts->jobs : cpus > 0 ? (int)cpus : 1;
    if (mutants_of(l->lab, &all, &unknown, e) < 0)
        return -1;
    for (size_t i = 0; i < unknown.len; i++, l->found++)
        printf("%s: declared equivalent, but there is no such near-miss: %s\n", l->lab->name, unknown.items[i]);
    const size_t only = (size_t)opts->only;
    struct batch b = {.l = l, .all = &all, .stride = only && only < all.len ? (all.len + only - 1) / only : 1};
    b.verdicts = xcalloc(all.len + 1, sizeof *b.verdicts);
    const int rc = play_batch(&b, jobs < JOBS_MAX ? jobs : JOBS_MAX, e);
    if (rc == 0)
        tell(l, &b);
    free(b.verdicts);
    mutants_release(&all);
    return rc;
}

int lab_lint(const struct cli *cli, const char *dir, const struct lint_opts *opts, struct err *e)
{
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    const int rc = lab_load(dir, NULL, &lab, &faults, e);
    for (size_t i = 0; i < faults.len; i++)
        printf("%s\n", faults.items[i]);
    if (rc < 0)
        return faults.len ? 1 : -1;
    printf("%s: well formed, %d points\n", lab.name, lab_points(&lab));
    fflush(stdout);
    if (!opts->play)
        return 0;
    struct linting l = {.cli = cli, .lab = &lab};
    if (lint_fresh(&l, e) < 0 || lint_solution(&l, e) < 0)
        return -1;
    fflush(stdout);
    if (!l.solved)
        return 1; /* what is near it says nothing */
    if (lint_mutants(&l, opts, e) < 0)
        return -1;
    return l.found ? 1 : 0;
}

/* lab_lint.c - see lab_lint.h.
 *
 * DESIGN: first the file (lines and columns), then the lab is played in clusters of its own, a fresh one each time:
 * without a solution, with it, and with each near-miss of it (lab/mutate.h). A near-miss that still gets all points is
 * a survivor: a check that does not look. Near-misses end with the first point they lose. */
#include "cli/lab_lint.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/own_cluster.h"
#include "lab/check.h"
#include "lab/mutate.h"
#include "lab/report.h"
#include "lab/runner.h"

#include <stdio.h>

#define SPOILT_PATIENCE 20 /* percent: what is wrong stays so */

struct linting {
    const struct cli *cli;
    const struct lab *lab;
    int found;
};

/* In a cluster of its own. Returns the report, new, or NULL. */
static json_t *play(const struct linting *l, const struct run_opts *opts, int patience, struct err *e)
{
    struct own_cluster own = {0};
    struct lab_env env = {0};
    json_t *report = NULL;
    if (own_cluster_start(&own, l->cli, json_object_get(l->lab->tree, "cluster"), NULL, e) == 0 &&
        lab_env_open(&env, l->lab, own.kubeconfig, own.work, &own.host, e) == 0) {
        env.patience_percent = patience;
        env.janitor = &own.janitor;
        report = lab_run(&env, opts, e);
    }
    lab_env_close(&env);
    own_cluster_stop(&own, false);
    return report;
}

static void print_checks(const json_t *report, bool passed)
{
    size_t s, c;
    const json_t *step, *row;
    json_array_foreach(json_object_get(report, "steps"), s, step)
    {
        if (jstr(step, "failed"))
            printf("  step %s: the solution ended with: %s\n", jstr(step, "name"), jstr(step, "failed"));
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

static int lint_fresh(struct linting *l, struct err *e)
{
    const struct run_opts opts = {.solve = false};
    _auto_json_ json_t *report = play(l, &opts, 0, e);
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
    _auto_json_ json_t *report = play(l, &opts, 100, e);
    if (!report)
        return -1;
    if (check_all_passed(report)) {
        printf("%s: the solution scores 100\n", l->lab->name);
        return 0;
    }
    l->found++;
    printf("%s: the solution scores %lld of %lld points; these fail:\n", l->lab->name,
           (long long)jint(report, "points", 0), (long long)jint(report, "of", 0));
    print_checks(report, false);
    return 0;
}

/* 1: survived, 0: noticed. */
static int try_mutant(const struct linting *l, const struct mutant *m, struct err *e)
{
    struct spoiler spoiler = {.mutant = m};
    const struct play_opts edit = {.edit = spoil, .arg = &spoiler};
    const struct run_opts opts = {.solve = true, .solution = &edit, .first_failure = true};
    _auto_json_ json_t *report = play(l, &opts, SPOILT_PATIENCE, e);
    return report ? jint(report, "points", 0) == jint(report, "of", 0) : -1;
}

static int lint_mutants(struct linting *l, int only, struct err *e)
{
    struct mutants all = {0};
    size_t tried = 0, survivors = 0;
    int rc = 0;
    if (mutants_of(l->lab, &all, e) < 0)
        return -1;
    const size_t stride = only > 0 && (size_t)only < all.len ? (all.len + (size_t)only - 1) / (size_t)only : 1;
    for (size_t i = 0; i < all.len && rc >= 0; i += stride) {
        rc = try_mutant(l, &all.items[i], e);
        tried++;
        if (rc != 1)
            continue;
        survivors++;
        printf("%s: SURVIVED: %s\n", l->lab->name, all.items[i].what);
        fflush(stdout);
    }
    printf("%s: %zu of %zu near-misses noticed (of %zu there are)\n", l->lab->name, tried - survivors, tried, all.len);
    l->found += survivors > 0;
    mutants_release(&all);
    return rc < 0 ? -1 : 0;
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
    struct linting l = {cli, &lab, 0};
    if (lint_fresh(&l, e) < 0 || lint_solution(&l, e) < 0 || lint_mutants(&l, opts->only, e) < 0)
        return -1;
    return l.found ? 1 : 0;
}

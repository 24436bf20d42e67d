/* lab_session.c - see lab_session.h.
 *
 *     start ──► step 1 ──check passes──► step 2 … ──► done ──► stop
 *                 ▲  └── next (no points) ──┘
 *                 └── reset: the cluster as it was when this step began
 *
 * DESIGN: the cluster is a process of its own below <data>/labs/cluster, the progress is in the book (lab/book.h); each
 * word is a process that reads both, acts and writes. So a crash of anything loses nothing of the progress, and a
 * cluster that was killed is started again by the next word.
 *
 * When a step begins, the cluster is kept as a checkpoint, and the book has what belongs to it (state "begun": the
 * step, variables, answers). A reset goes back to both in milliseconds; where there is no such checkpoint (of an
 * earlier version, or there was no room for it) a fresh cluster is brought to that step by playing what comes before
 * it. */
#include "cli/lab_session_int.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/lab_place.h"
#include "cli/lab_solution.h"
#include "cli/lab_submit.h"
#include "cli/lab_view.h"
#include "cli/local.h"
#include "cli/local_far.h"
#include "cli/settle.h"
#include "lab/check.h"
#include "lab/history.h"
#include "lab/report.h"
#include "lab/runner.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void lab_session_close(struct session *s)
{
    lab_env_close(&s->env);
    own_cluster_stop(&s->cluster, true);
    lab_release(&s->lab);
    attempt_release(&s->attempt);
    book_close(s->book);
    lab_output_close(&s->out);
    free(s->home);
}

/* ---- opening ---- */

int lab_session_open_book(struct session *s, const struct cli *cli, const char *data, struct err *e)
{
    const char *no_colour = getenv("NO_COLOR");
    s->cli = cli;
    s->colour = s->out.form == LAB_TEXT && isatty(STDOUT_FILENO) && str_empty(no_colour);
    s->home = lab_home(data, e);
    if (!s->home)
        return -1;
    _auto_free_ char *path = xasprintf("%s/book.db", s->home);
    return book_open(path, &s->book, e);
}

int lab_session_load(struct session *s, const char *dir, const char *seed, struct err *e)
{
    _auto_strlist_ struct strlist faults = {0};
    const int rc = lab_load(dir, seed, &s->lab, &faults, e);
    for (size_t i = 0; i < faults.len; i++)
        fprintf(stderr, "%s\n", faults.items[i]);
    return rc;
}

/* An exam's cluster knows by itself when the time is over; the lab's own hand is the judge's, who passes then. */
static int seal(struct session *s, struct err *e)
{
    struct exam x;
    int64_t before;
    if (book_exam_find(s->book, s->attempt.exam, &x, e) < 0 || own_cluster_seal(&s->cluster, x.until, &before, e) < 0)
        return -1;
    s->sealed = before && before <= x.until;
    return 0;
}

/* The cluster runs (it is started when it does not), and is spoken to. */
int lab_session_open_cluster(struct session *s, struct err *e)
{
    _auto_free_ char *dir = lab_cluster_dir(s->home, s->attempt.exam ? s->attempt.id : 0);
    if (own_cluster_start(&s->cluster, s->cli, json_object_get(s->lab.tree, "cluster"), dir, e) < 0)
        return -1;
    if (s->attempt.exam && seal(s, e) < 0)
        return -1;
    const char *kubeconfig = s->cluster.judge ? s->cluster.judge : s->cluster.kubeconfig;
    if (lab_env_open(&s->env, &s->lab, kubeconfig, s->cluster.work, &s->cluster.host, e) < 0)
        return -1;
    s->env.janitor = &s->cluster.janitor;
    return 0;
}

/* Answers and disks as they were. */
static void take_state(struct session *s)
{
    json_object_update(s->env.vars, json_object_get(s->attempt.state, "vars"));
    json_object_update(s->env.answers, json_object_get(s->attempt.state, "answers"));
}

int lab_session_open_lab(struct session *s, struct err *e)
{
    if (book_current(s->book, &s->attempt, e) < 0 || lab_session_load(s, s->attempt.dir, s->attempt.seed, e) < 0)
        return -1;
    s->env.vars = json_deep_copy(s->lab.vars);
    s->env.answers = json_object();
    take_state(s);
    return 0;
}

int lab_session_open_current(struct session *s, struct err *e)
{
    if (book_current(s->book, &s->attempt, e) < 0 || lab_session_load(s, s->attempt.dir, s->attempt.seed, e) < 0 ||
        lab_session_open_cluster(s, e) < 0)
        return -1;
    take_state(s);
    return 0;
}

int lab_session_save(struct session *s, struct err *e)
{
    json_object_set(s->attempt.state, "vars", s->env.vars);
    json_object_set(s->attempt.state, "answers", s->env.answers);
    return book_save(s->book, &s->attempt, e);
}

/* ---- what is shown ---- */

const json_t *lab_session_step(const struct session *s)
{
    return json_array_get(json_object_get(s->lab.tree, "steps"), (size_t)s->attempt.step);
}

int lab_session_print_step(const struct session *s, struct err *e)
{
    const json_t *step = lab_session_step(s);
    size_t i, k;
    const json_t *check, *choice;
    if (!step)
        return 0;
    fprintf(s->out.text, "\n%s%s%s\n\n", s->colour ? "\033[1m" : "", jstr_or(step, "title", jstr(step, "name")),
            s->colour ? "\033[0m" : "");
    _auto_buf_ struct buf text = BUF_INIT;
    if (jstr(step, "file") && lab_file(&s->lab, jstr(step, "file"), &text, e) < 0)
        return -1;
    fputs(jstr(step, "file") ? buf_str(&text) : jstr_or(step, "text", ""), s->out.text);
    fprintf(s->out.text, "\n");
    json_array_foreach(json_object_get(step, "checks"), i, check)
    {
        if (!json_object_get(check, "quiz"))
            continue;
        fprintf(s->out.text, "\nQuestion: %s\n", jstr(check, "quiz.ask"));
        json_array_foreach(jat(check, "quiz.choices"), k, choice)
        {
            _auto_free_ char *word = json_is_string(choice) ? xstrdup(json_string_value(choice)) : json_text(choice);
            fprintf(s->out.text, "  - %s\n", word);
        }
        fprintf(s->out.text, "Answer it with: stowage lab answer TEXT\n");
    }
    return 0;
}

static int print_score(const struct session *s, struct err *e)
{
    int64_t points, cost;
    if (book_points(s->book, &s->attempt, &points, &cost, e) < 0)
        return -1;
    fprintf(s->out.text, "%s: %lld of %lld points", s->lab.name, (long long)points,
            (long long)jint(s->attempt.state, "of", lab_points(&s->lab)));
    if (cost)
        fprintf(s->out.text, " (hints took %lld)", (long long)cost);
    fprintf(s->out.text, "\n");
    return 0;
}

void lab_session_print_access(struct session *s)
{
    struct err none = ERR_INIT;
    _auto_free_ char *link = own_cluster_console(s->cluster.data, "labs", &none);
    fprintf(s->out.text, "  export KUBECONFIG=%s\n  export STOWAGE_DATA=%s\n", s->cluster.kubeconfig, s->cluster.data);
    if (!link)
        return;
    fprintf(s->out.text, "Or do it in a browser (a link for five minutes; `stowage console` prints another):\n  %s\n",
            link);
    lab_output_add(&s->out, "console", json_string(link));
}

/* ---- back to where the step began ---- */

#define STEP_CHECKPOINT "lab-step"

static int checkpoint(const struct session *s, const char *op, struct err *e)
{
    int fds[LOCAL_MAX_FDS] = {-1, -1, -1, -1};
    _auto_json_ json_t *request = json_pack("{s:s, s:s, s:b}", "op", op, "name", STEP_CHECKPOINT, "replace", true);
    _auto_json_ json_t *told = local_call_long(s->cluster.data, request, fds, e);
    return told ? 0 : -1;
}

/* The step has begun. That it cannot be kept ends no lab: a reset takes longer then. */
static int keep_step(struct session *s, struct err *e)
{
    struct err none = ERR_INIT;
    if (checkpoint(s, "checkpoint-save", &none) < 0)
        json_object_del(s->attempt.state, "begun");
    else
        json_object_set_new(s->attempt.state, "begun",
                            json_pack("{s:I, s:o, s:o}", "step", (json_int_t)s->attempt.step, "vars",
                                      json_deep_copy(s->env.vars), "answers", json_deep_copy(s->env.answers)));
    return lab_session_save(s, e);
}

/* False: it must be played. */
static bool go_back(struct session *s)
{
    const json_t *begun = json_object_get(s->attempt.state, "begun");
    struct err none = ERR_INIT;
    if (jint(begun, "step", -1) != s->attempt.step || checkpoint(s, "checkpoint-restore", &none) < 0)
        return false;
    json_object_clear(s->env.vars);
    json_object_clear(s->env.answers);
    json_object_update(s->env.vars, json_object_get(begun, "vars"));
    json_object_update(s->env.answers, json_object_get(begun, "answers"));
    return history_begin(&s->env, lab_session_step(s), &none) == 0; /* what the reset did is none of the student's */
}

/* ---- going on ---- */

/* The step is prepared and shown; behind the last one that is said. */
int lab_session_enter_step(struct session *s, struct err *e)
{
    const json_t *step = lab_session_step(s);
    lab_output_progress(&s->out, "preparing the step");
    if (step && lab_begin_step(&s->env, step, e) < 0)
        return -1;
    json_object_set_new(s->attempt.state, "since", json_integer(time(NULL)));
    if ((step ? keep_step(s, e) : lab_session_save(s, e)) < 0)
        return -1;
    if (step)
        return lab_session_print_step(s, e);
    if (s->attempt.exam)
        fprintf(s->out.text, "\nThis task is done. `stowage lab exam status` tells of the others.\n");
    else
        fprintf(s->out.text, "\nThat was the last step. `stowage lab stop` ends the lab.\n");
    return print_score(s, e);
}

static int next_step(struct session *s, struct err *e)
{
    if (json_object_get(s->attempt.state, "only"))
        s->attempt.step = (int64_t)json_array_size(json_object_get(s->lab.tree, "steps"));
    else if (lab_session_step(s))
        s->attempt.step++;
    return lab_session_enter_step(s, e);
}

/* ---- words; each is given a session with a lab under way, but start ---- */

/* Of a start that was killed before its lab was in the book. */
static void take_away_leftover(const struct session *s)
{
    _auto_free_ char *dir = lab_cluster_dir(s->home, 0);
    struct own_cluster left = {0};
    struct err none = ERR_INIT;
    if (own_cluster_find(&left, s->cli, dir, &none) == 0)
        own_cluster_stop(&left, false);
}

static int word_start(struct session *s, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    const char *seed = "";
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (opt != 's')
            return cli_usage(e, "lab", "unknown flag or missing value");
        seed = optarg;
    }
    if (optind + 1 != argc)
        return cli_usage(e, "lab", "start which lab?");
    if (book_current(s->book, &s->attempt, e) == 0)
        return err_set(e, ERR_CONFLICT, "%s is under way: `stowage lab status`, or end it with `stowage lab stop`",
                       s->attempt.lab);
    err_clear(e);
    _auto_free_ char *dir = lab_dir(s->cli, argv[optind], e);
    if (!dir || lab_session_load(s, dir, seed, e) < 0)
        return -1;
    lab_output_progress(&s->out, "starting the lab's cluster");
    take_away_leftover(s);
    if (lab_session_open_cluster(s, e) < 0)
        return -1;
    lab_output_progress(&s->out, "preparing the cluster");
    if (play_cluster(&s->env, e) < 0)
        return -1;
    s->attempt = (struct attempt){
        .lab = xstrdup(s->lab.name), .dir = xstrdup(s->lab.dir), .seed = xstrdup(seed), .state = json_object()};
    if (book_begin(s->book, &s->attempt, e) < 0)
        return -1;
    fprintf(s->out.text, "%s\n%s\n\nPoint kubectl and stowage at the lab's cluster:\n", jstr(s->lab.tree, "title"),
            jstr_or(s->lab.tree, "about", ""));
    lab_session_print_access(s);
    return lab_session_enter_step(s, e);
}

static int word_text(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    return lab_session_print_step(s, e);
}

/* The lab's cluster runs; how to get at it. */
static int word_open(struct session *s, int argc _unused_, char **argv _unused_, struct err *e _unused_)
{
    lab_session_print_access(s);
    return 0;
}

static int print_steps(const struct session *s, struct err *e)
{
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(s->lab.tree, "steps"), i, step)
    {
        const char *name = jstr_or(step, "name", ""), *title = jstr_or(step, "title", name);
        const int hints = book_hints(s->book, &s->attempt, name, e);
        int64_t points;
        if (hints < 0 || book_step_points(s->book, &s->attempt, name, &points, e) < 0)
            return -1;
        const int64_t at = (int64_t)i;
        fprintf(s->out.text, "%s %zu. %s: %lld of %lld points",
                at < s->attempt.step    ? "done"
                : at == s->attempt.step ? "  ->"
                                        : "    ",
                i + 1, title, (long long)points, (long long)lab_step_points(step));
        if (hints)
            fprintf(s->out.text, ", %d of %zu hints", hints, json_array_size(json_object_get(step, "hints")));
        fprintf(s->out.text, "\n");
    }
    return 0;
}

static int word_status(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    const json_t *steps = json_object_get(s->lab.tree, "steps"), *step = lab_session_step(s);
    const int64_t minutes = (time(NULL) - s->attempt.began) / 60, usual = jint(s->lab.tree, "minutes", 0);
    if (step)
        fprintf(s->out.text, "%s: step %lld of %zu, %s\n", s->lab.name, (long long)s->attempt.step + 1,
                json_array_size(steps), jstr_or(step, "title", jstr(step, "name")));
    else
        fprintf(s->out.text, "%s: all %zu steps are done\n", s->lab.name, json_array_size(steps));
    if (print_steps(s, e) < 0)
        return -1;
    fprintf(s->out.text, "begun %lld minutes ago", (long long)minutes);
    if (usual)
        fprintf(s->out.text, "; it is meant to take %lld", (long long)usual);
    if (*s->attempt.seed)
        fprintf(s->out.text, "; the variant of \"%s\"", s->attempt.seed);
    fprintf(s->out.text, "\n%s",
            step && jint(json_object_get(s->attempt.state, "begun"), "step", -1) == s->attempt.step
                ? "`stowage lab reset` goes back to this step's beginning\n"
                : "");
    fprintf(s->out.text, "export KUBECONFIG=%s\nexport STOWAGE_DATA=%s\n", s->cluster.kubeconfig, s->cluster.data);
    return print_score(s, e);
}

static void print_row(void *arg, const json_t *row)
{
    const struct session *s = arg;
    _auto_buf_ struct buf text = BUF_INIT;
    report_text_check(row, s->colour, &text);
    fputs(buf_str(&text), s->out.text);
    fflush(s->out.text);
    lab_output_row(&s->out, row);
}

/* Somebody waits for it: not for what will not come. Returns new, or NULL. */
static json_t *check_while_it_moves(struct session *s, const json_t *step, struct err *e)
{
    struct settle settle;
    settle_watch(&settle, &s->env);
    json_t *report = check_step(&s->env, step, print_row, s, e);
    s->env.settled = NULL;
    return report;
}

static int word_check(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    const json_t *step = lab_session_step(s);
    size_t i;
    const json_t *row;
    bool all = true;
    if (!step)
        return print_score(s, e);
    const int64_t now = time(NULL); /* what is asked for in time counts */
    _auto_json_ json_t *report = check_while_it_moves(s, step, e);
    if (!report || book_result_at(s->book, &s->attempt, report, now, e) < 0)
        return -1;
    lab_output_add(&s->out, "report", json_incref(report));
    json_array_foreach(json_object_get(report, "checks"), i, row) all = all && jbool(row, "passed", false);
    if (all)
        return next_step(s, e);
    if (s->attempt.exam)
        fprintf(s->out.text, "Not yet. `stowage lab exam status` tells how much time is left.\n");
    else
        fprintf(s->out.text, "Not yet. `stowage lab hint` helps, `stowage lab next` goes on without the points.\n");
    return 1;
}

static int word_next(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    return next_step(s, e);
}

static int word_hint(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    const json_t *step = lab_session_step(s), *hints = json_object_get(step, "hints");
    const int taken = step ? book_hints(s->book, &s->attempt, jstr(step, "name"), e) : 0;
    if (taken < 0)
        return -1;
    const json_t *hint = json_array_get(hints, (size_t)taken);
    if (!hint) {
        fprintf(s->out.text, json_array_size(hints) ? "There are no more hints for this step.\n"
                                                    : "There are no hints for this step.\n");
        return 1;
    }
    if (book_hint(s->book, &s->attempt, jstr(step, "name"), jint(hint, "cost", 0), e) < 0)
        return -1;
    fprintf(s->out.text, "%s\n", jstr(hint, "text"));
    lab_output_add(&s->out, "hint", json_incref((json_t *)(uintptr_t)hint));
    if (jint(hint, "cost", 0))
        fprintf(s->out.text, "(it cost %lld point%s)\n", (long long)jint(hint, "cost", 0),
                jint(hint, "cost", 0) == 1 ? "" : "s");
    return 0;
}

/* answer TEXT..., to the only question of the step or the first that has no answer; or: answer --to NAME TEXT... */
static int word_answer(struct session *s, int argc, char **argv, struct err *e)
{
    const bool named = argc > 3 && str_eq(argv[1], "--to");
    const char *to = named ? argv[2] : NULL;
    size_t i;
    const json_t *check;
    _auto_buf_ struct buf text = BUF_INIT;
    for (int a = named ? 3 : 1; a < argc; a++)
        buf_addf(&text, "%s%s", text.len ? " " : "", argv[a]);
    if (!text.len)
        return cli_usage(e, "lab", "answer what?");
    const json_t *checks = json_object_get(lab_session_step(s), "checks"), *meant = NULL;
    json_array_foreach(checks, i, check)
    {
        const char *name = jstr(check, "name");
        if (!json_object_get(check, "quiz") || (to && !str_eq(to, name)))
            continue;
        if (!meant || (json_object_get(s->env.answers, jstr(meant, "name")) && !json_object_get(s->env.answers, name)))
            meant = check;
    }
    if (!meant)
        return err_set(e, ERR_NOT_FOUND, to ? "this step has no question \"%s\"" : "this step asks nothing%s",
                       to ? to : "");
    json_object_set_new(s->env.answers, jstr(meant, "name"), json_string(buf_str(&text)));
    if (lab_session_save(s, e) < 0)
        return -1;
    fprintf(s->out.text, "noted. `stowage lab check` judges it.\n");
    return 0;
}

static int word_solution(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    if (lab_solution_print(&s->lab, s->env.vars, lab_session_step(s), s->out.text, e) < 0)
        return -1;
    fflush(s->out.text);
    if (s->out.seen)
        lab_output_add(&s->out, "solution", json_string(s->out.seen));
    return 0;
}

static int word_stop(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    if (print_score(s, e) < 0 || book_end(s->book, &s->attempt, e) < 0)
        return -1;
    lab_env_close(&s->env);
    own_cluster_stop(&s->cluster, false);
    return 0;
}

int lab_session_replay(struct session *s, struct err *e)
{
    size_t i;
    const json_t *step;
    if (play_cluster(&s->env, e) < 0)
        return -1;
    json_array_foreach(json_object_get(s->lab.tree, "steps"), i, step)
    {
        if ((int64_t)i >= s->attempt.step)
            break;
        if (lab_begin_step(&s->env, step, e) < 0 ||
            play_actions(&s->env, json_object_get(step, "solution"), NULL, e) < 0)
            return -1;
    }
    return lab_session_enter_step(s, e);
}

static int word_submit(struct session *s, int argc, char **argv, struct err *e)
{
    const struct submit_from from = {s->book, &s->attempt, &s->env, s->home};
    return lab_submit(&from, argc, argv, e);
}

static int word_reset(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    if (!go_back(s)) { /* a fresh cluster */
        lab_env_close(&s->env);
        own_cluster_stop(&s->cluster, false);
        return lab_session_open_cluster(s, e) < 0 ? -1 : lab_session_replay(s, e);
    }
    return lab_session_save(s, e) < 0 ? -1 : lab_session_print_step(s, e);
}

static int word_history(struct session *s, int argc _unused_, char **argv _unused_, struct err *e)
{
    _auto_json_ json_t *rows = book_history(s->book, e);
    size_t i;
    const json_t *row;
    if (!rows)
        return -1;
    lab_output_add(&s->out, "history", json_incref(rows));
    json_array_foreach(rows, i, row)
    {
        const time_t began = (time_t)jint(row, "began", 0);
        struct tm when;
        char text[32];
        strftime(text, sizeof text, "%Y-%m-%d %H:%M", localtime_r(&began, &when));
        fprintf(s->out.text, "%s  %-28s %4lld points%s", text, jstr(row, "lab"), (long long)jint(row, "points", 0),
                jint(row, "ended", 0) ? "" : "  (under way)");
        if (jint(row, "exam", 0))
            fprintf(s->out.text, "  (exam %lld)", (long long)jint(row, "exam", 0));
        fprintf(s->out.text, "\n");
    }
    return 0;
}

/* `text` and `status` for people start the cluster again, since they say how to get at it; as JSON they only look. */
enum need { NOTHING, LAB, CLUSTER, CLUSTER_FOR_PEOPLE };

static const struct {
    const char *name;
    int (*run)(struct session *s, int argc, char **argv, struct err *e);
    enum need need; /* what of the lab under way */
    bool helps;     /* not in an exam */
} words[] = {
    {"start", word_start, NOTHING, false},
    {"open", word_open, CLUSTER, false},
    {"text", word_text, CLUSTER_FOR_PEOPLE, false},
    {"status", word_status, CLUSTER_FOR_PEOPLE, false},
    {"check", word_check, CLUSTER, false},
    {"hint", word_hint, LAB, true},
    {"answer", word_answer, LAB, false},
    {"solution", word_solution, LAB, true},
    {"next", word_next, CLUSTER, false},
    {"reset", word_reset, CLUSTER, false},
    {"history", word_history, NOTHING, false},
    {"stop", word_stop, CLUSTER, true},
    {"submit", word_submit, CLUSTER, true},
    {"exam", lab_exam, NOTHING, false},
};

static size_t find(const char *word)
{
    size_t i = 0;
    while (i < ARRAY_LEN(words) && !str_eq(word, words[i].name))
        i++;
    return i;
}

bool lab_session_has(const char *word)
{
    return find(word) < ARRAY_LEN(words);
}

static int not_in_exam(const struct session *s, const char *word, struct err *e)
{
    struct exam x;
    struct err none = ERR_INIT;
    if (book_exam(s->book, &x, &none) < 0)
        return 0;
    return err_set(e, ERR_FORBIDDEN, "\"%s\" is not to be had in an exam; `stowage lab exam end` ends it", word);
}

/* The lab as JSON is told by the view; a look neither starts nor waits for anything. */
static bool only_looks(const struct session *s, size_t word)
{
    return s->out.form != LAB_TEXT && words[word].need == CLUSTER_FOR_PEOPLE;
}

static int open_for(struct session *s, size_t word, struct err *e)
{
    if (words[word].need == NOTHING)
        return 0;
    const int rc = words[word].need == LAB ? lab_session_open_lab(s, e) : lab_session_open_current(s, e);
    return rc < 0 && e->code == ERR_NOT_FOUND && s->attempt.id == 0 ? lab_exam_was(s, e) : rc;
}

static int run_word(struct session *s, size_t word, int argc, char **argv, struct err *e)
{
    if (only_looks(s, word))
        return lab_exam_look(s, e) < 0 ? -1 : 0;
    int rc = words[word].run == lab_exam ? 0 : lab_exam_over(s, e);
    if (rc == 0 && words[word].helps)
        rc = not_in_exam(s, argv[0], e);
    if (rc == 0)
        rc = open_for(s, word, e);
    return rc ? rc : words[word].run(s, argc, argv, e);
}

static int end_output(struct session *s, int rc, struct err *e)
{
    if (s->out.form == LAB_TEXT || rc < 0)
        return rc;
    json_t *view = lab_view(s->book, s->home, e);
    if (!view)
        return -1;
    lab_output_end(&s->out, view);
    return rc;
}

int lab_session(const struct cli *cli, int argc, char **argv, struct err *e)
{
    const size_t i = find(argv[0]);
    struct session s = {0};
    if (local_is_far())
        return err_set(e, ERR_UNSUPPORTED,
                       "a node knows nothing of labs: use the fields of the lab's page, or `stowage lab %s` "
                       "where the lab was started",
                       argv[0]);
    int rc = lab_output_open(&s.out, &argc, argv, e);
    if (rc == 0)
        rc = lab_session_open_book(&s, cli, NULL, e);
    if (rc == 0)
        rc = end_output(&s, run_word(&s, i, argc, argv, e), e);
    lab_session_close(&s);
    return rc;
}

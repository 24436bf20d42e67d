/* lab_exam.c - `stowage lab exam`: several tasks against the clock, no help, and an end that comes by itself.
 *
 *     exam LAB[:STEP]... [--minutes N] [--seed TEXT]  ──►  task N, check, answer, next, reset …  ──►  end, or the time
 * is over
 *
 * DESIGN: a task is an attempt at a lab (or at one step of it: what comes before that is done for the student) with a
 * cluster of its own, begun when it is first looked at. Its points are those of its checks, as in any lab. The clock is
 * two moments in the book (lab/book_exam.c), so neither a crash nor a reboot resets it.
 *
 * What counts is how the tasks stand at the end. Each cluster knows the moment and from then on refuses every change
 * (app/seal.h), also when it was killed and started again; the lab itself passes as the judge.
 *
 * Who ends the exam: `exam end`; else a timekeeper, a process without a terminal that waits for the moment, seals all
 * clusters and judges each task, once; else, should that have been killed, the next word of the lab goes on where it
 * was. Of a cluster that was not sealed in time (nobody had told it, or a clock was turned) nobody knows how it stood:
 * there only what was checked in time counts. A lock says whether there is a timekeeper; each word of an exam starts
 * one if there is none.
 *
 * THREADS: none. */
#include "cli/lab_session_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/lab_place.h"
#include "lab/check.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MINUTES_MAX   (7 * 24 * 60)
#define TASKS_MAX     50
#define LAST_PATIENCE 5 /* percent: at the end nobody works on it any more */
#define LAST_WAIT_S   120
#define STAY_S        15 /* the clusters of an exam that ended by itself */

/* ---- result ---- */

/* "2h05m", "12m30s". */
static void print_span(const struct session *s, int64_t seconds)
{
    if (seconds >= 3600)
        fprintf(s->out.text, "%lldh%02lldm", (long long)(seconds / 3600), (long long)(seconds / 60 % 60));
    else
        fprintf(s->out.text, "%lldm%02llds", (long long)(seconds / 60), (long long)(seconds % 60));
}

static void print_task(const struct session *s, const json_t *task, size_t number, bool chosen)
{
    const char *only = jstr(task, "state.only");
    fprintf(s->out.text, "%s%2zu  %s%s%s", chosen ? "*" : " ", number, jstr_or(task, "lab", ""), only ? ":" : "",
            only ? only : "");
    fprintf(s->out.text, "  %lld of %lld points", (long long)jint(task, "points", 0),
            (long long)jint(task, "state.of", 0));
    if (jint(task, "step", 0) >= jint(task, "state.steps", 1))
        fprintf(s->out.text, "  done");
    else if (!json_object_get(json_object_get(task, "state"), "opened"))
        fprintf(s->out.text, "  not begun");
    else if (!only)
        fprintf(s->out.text, "  step %lld of %lld", (long long)jint(task, "step", 0) + 1,
                (long long)jint(task, "state.steps", 1));
    fprintf(s->out.text, "\n");
}

static int print_tasks(const struct session *s, const struct exam *x, struct err *e)
{
    size_t i;
    const json_t *task;
    int64_t points = 0, of = 0;
    _auto_json_ json_t *tasks = book_exam_tasks(s->book, x, e);
    if (!tasks)
        return -1;
    json_array_foreach(tasks, i, task)
    {
        print_task(s, task, i + 1, !x->ended && jint(task, "id", 0) == x->task);
        points += jint(task, "points", 0);
        of += jint(task, "state.of", 0);
    }
    fprintf(s->out.text, "exam %lld: %lld of %lld points (%lld%%)\n", (long long)x->id, (long long)points,
            (long long)of, (long long)(of ? points * 100 / of : 0));
    return 0;
}

/* ---- a task ---- */

static void leave_task(struct session *s, bool keep_cluster)
{
    lab_env_close(&s->env);
    own_cluster_stop(&s->cluster, keep_cluster);
    lab_release(&s->lab);
    attempt_release(&s->attempt);
    s->env = (struct lab_env){0};
    s->lab = (struct lab){0};
}

static int first_step(const struct session *s)
{
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(s->lab.tree, "steps"), i, step)
    {
        if (str_eq(jstr(step, "name"), jstr(s->attempt.state, "only")))
            return (int)i;
    }
    return 0;
}

/* The chosen one, for the first time or again. */
static int open_task(struct session *s, struct err *e)
{
    lab_output_progress(&s->out, "starting the task's cluster");
    if (lab_session_open_current(s, e) < 0)
        return -1;
    lab_session_print_access(s);
    if (json_object_get(s->attempt.state, "opened"))
        return lab_session_print_step(s, e);
    s->attempt.step = first_step(s);
    json_object_set_new(s->attempt.state, "opened", json_true());
    return lab_session_replay(s, e);
}

/* ---- the end ---- */

static bool was_opened(const json_t *task)
{
    return json_object_get(json_object_get(task, "state"), "opened") != NULL;
}

/* The cluster of a task, if it is there; to be stopped. */
static bool find_cluster(struct session *s, const json_t *task)
{
    struct err none = ERR_INIT;
    _auto_free_ char *dir = lab_cluster_dir(s->home, jint(task, "id", 0));
    return own_cluster_find(&s->cluster, s->cli, dir, &none) == 0;
}

/* All of them at one moment, since judging takes a while: what somebody does meanwhile counts for none of them. */
static void seal_tasks(struct session *s, const struct exam *x, const json_t *tasks)
{
    size_t i;
    const json_t *task;
    int64_t before;
    struct err none = ERR_INIT;
    const int64_t now = time(NULL);
    json_array_foreach(tasks, i, task)
    {
        if (!was_opened(task) || jint(task, "ended", 0))
            continue;
        leave_task(s, true);
        if (find_cluster(s, task) && s->cluster.up)
            own_cluster_seal(&s->cluster, now < x->until ? now : x->until, &before, &none);
    }
    leave_task(s, true);
}

/* Judges the step it is at, as it stands. What cannot be judged any more has the points it had, and so has what nobody
 * has seen the end of: neither who judges now nor the cluster. */
static void judge_task(struct session *s, const struct exam *x, bool seen)
{
    struct err lost = ERR_INIT;
    const int64_t now = time(NULL);
    if (lab_session_open_current(s, &lost) < 0 || !lab_session_step(s) || !(seen || s->sealed))
        return;
    s->env.patience_percent = LAST_PATIENCE;
    _auto_json_ json_t *report = check_step(&s->env, lab_session_step(s), NULL, NULL, &lost);
    if (report)
        book_result_at(s->book, &s->attempt, report, now < x->until ? now : x->until, &lost);
}

/* Once: a task that has its result keeps it, whoever has to go on with the others. */
static int end_task(struct session *s, struct exam *x, const json_t *task, bool seen, struct err *e)
{
    leave_task(s, true);
    const bool there = find_cluster(s, task);
    leave_task(s, true);
    if (there && book_exam_choose(s->book, x, jint(task, "id", 0), e) == 0)
        judge_task(s, x, seen);
    leave_task(s, true);
    return book_exam_end_task(s->book, x, jint(task, "id", 0), e);
}

static void remove_clusters(struct session *s, const json_t *tasks)
{
    size_t i;
    const json_t *task;
    json_array_foreach(tasks, i, task)
    {
        leave_task(s, true);
        if (was_opened(task) && find_cluster(s, task))
            own_cluster_stop(&s->cluster, false);
    }
    leave_task(s, true);
}

/* seen: whoever ends it is there at its end. Clusters stay, sealed, for who looks at the result in their consoles; they
 * are removed after so many seconds. */
static int end_exam(struct session *s, struct exam *x, bool seen, int stay_s, struct err *e)
{
    size_t i;
    const json_t *task;
    _auto_json_ json_t *tasks = book_exam_tasks(s->book, x, e);
    if (!tasks)
        return -1;
    if (seen)
        seal_tasks(s, x, tasks);
    json_array_foreach(tasks, i, task)
    {
        if (was_opened(task) && !jint(task, "ended", 0) && end_task(s, x, task, seen, e) < 0)
            return -1;
    }
    if (book_exam_end(s->book, x, e) < 0)
        return -1;
    nanosleep(&(struct timespec){.tv_sec = stay_s}, NULL);
    remove_clusters(s, tasks);
    return 0;
}

/* ---- the timekeeper ---- */

/* The lock, or -1: somebody has it. It goes with its holder; who takes its file away ends him. */
static int timekeeper_lock(const struct session *s)
{
    _auto_free_ char *path = xasprintf("%s/exam.lock", s->home);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool is_there(int lock)
{
    struct stat st;
    return fstat(lock, &st) == 0 && st.st_nlink > 0;
}

static int keep_time(struct session *s)
{
    struct err e = ERR_INIT;
    struct exam x;
    _auto_close_ int lock = timekeeper_lock(s);
    while (lock >= 0 && is_there(lock) && book_exam(s->book, &x, &e) == 0) {
        if (time(NULL) < x.until)
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        else if (end_exam(s, &x, true, STAY_S, &e) < 0)
            return 0; /* the next word of the lab goes on with it */
    }
    return 0;
}

/* In a process that nobody waits for. */
static _Noreturn void become_timekeeper(const struct session *s)
{
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    setsid();
    if (fork() != 0)
        _exit(0);
    for (int fd = 0; fd < 3; fd++)
        dup2(nothing, fd);
    execl(s->cli->self_exe, "stowage", "lab", "exam", "keep-time", (char *)NULL);
    _exit(127);
}

static void start_timekeeper(const struct session *s)
{
    const int lock = timekeeper_lock(s);
    if (lock < 0)
        return; /* there is one */
    close(lock);
    const pid_t pid = fork();
    if (pid == 0)
        become_timekeeper(s);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

/* The timekeeper judges: its result is waited for. False: there is none. */
static bool await_timekeeper(const struct session *s, const struct exam *x)
{
    struct exam now;
    struct err none = ERR_INIT;
    for (int i = 0; i < LAST_WAIT_S * 10; i++) {
        if (book_exam(s->book, &now, &none) < 0 || now.id != x->id)
            return true;
        const int lock = timekeeper_lock(s);
        if (lock >= 0) {
            close(lock);
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return false;
}

/* Of an exam that has ended, where who ended it was killed before they were gone. */
static void take_away_leftover(struct session *s)
{
    struct exam x;
    struct err none = ERR_INIT;
    const int lock = timekeeper_lock(s);
    if (lock < 0)
        return; /* somebody is at it */
    _auto_json_ json_t *tasks = book_exam_find(s->book, 0, &x, &none) == 0 ? book_exam_tasks(s->book, &x, &none) : NULL;
    remove_clusters(s, tasks);
    close(lock);
}

static int print_over(struct session *s, int64_t id, struct err *e)
{
    struct exam x;
    if (book_exam_find(s->book, id, &x, e) < 0)
        return -1;
    fprintf(s->out.text, x.ended < x.until ? "The exam is over.\n" : "The time is over.\n");
    return print_tasks(s, &x, e) < 0 ? -1 : 1;
}

int lab_exam_was(struct session *s, struct err *e)
{
    struct err none = ERR_INIT;
    _auto_json_ json_t *rows = book_history(s->book, &none);
    const int64_t id = jint(json_array_get(rows, 0), "exam", 0);
    if (!id)
        return -1;
    err_clear(e);
    return print_over(s, id, e);
}

int lab_exam_over(struct session *s, struct err *e)
{
    struct exam x;
    struct err none = ERR_INIT;
    if (book_exam(s->book, &x, &none) < 0) {
        take_away_leftover(s);
        return 0;
    }
    if (time(NULL) < x.until) {
        start_timekeeper(s);
        return 0;
    }
    if (!await_timekeeper(s, &x) && end_exam(s, &x, false, 0, e) < 0)
        return -1;
    return print_over(s, x.id, e);
}

/* Who keeps the time judges; where nobody does, only what was checked in time counts. */
int lab_exam_look(struct session *s, struct err *e)
{
    struct exam x;
    struct err none = ERR_INIT;
    if (book_exam(s->book, &x, &none) < 0)
        return 0;
    if (time(NULL) < x.until) {
        start_timekeeper(s);
        return 0;
    }
    const int lock = timekeeper_lock(s);
    if (lock < 0)
        return 0;
    close(lock);
    return end_exam(s, &x, false, 0, e) < 0 ? -1 : 1;
}

/* ---- beginning ---- */

static int64_t points_of(const struct session *s, const char *only)
{
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(s->lab.tree, "steps"), i, step)
    {
        if (str_eq(jstr(step, "name"), only))
            return lab_step_points(step);
    }
    return lab_points(&s->lab);
}

static bool has_step(const struct session *s, const char *name)
{
    size_t i;
    const json_t *step;
    json_array_foreach(json_object_get(s->lab.tree, "steps"), i, step)
    {
        if (str_eq(jstr(step, "name"), name))
            return true;
    }
    return false;
}

/* "LAB" or "LAB:STEP": what the attempt's row will say. Returns new, or NULL. */
static json_t *plan_task(struct session *s, const char *word, const char *seed, int64_t *minutes, struct err *e)
{
    const char *colon = strrchr(word, ':');
    _auto_free_ char *lab = colon ? xstrndup(word, (size_t)(colon - word)) : xstrdup(word);
    const char *only = colon ? colon + 1 : NULL;
    _auto_free_ char *dir = lab_dir(s->cli, lab, e);
    if (!dir || lab_session_load(s, dir, seed, e) < 0)
        return NULL;
    const size_t steps = json_array_size(json_object_get(s->lab.tree, "steps"));
    json_t *task = NULL;
    if (only && !has_step(s, only)) {
        err_set(e, ERR_NOT_FOUND, "lab %s has no step \"%s\"", lab, only);
    } else {
        *minutes += only ? jint(s->lab.tree, "minutes", 10) / (int64_t)(steps ? steps : 1) + 1
                         : jint(s->lab.tree, "minutes", 10);
        task = json_pack("{s:s, s:s, s:s, s:{s:I, s:I}}", "lab", s->lab.name, "dir", s->lab.dir, "seed", seed, "state",
                         "of", (json_int_t)points_of(s, only), "steps", (json_int_t)steps);
        if (only)
            jset_str(task, "state.only", only);
    }
    lab_release(&s->lab);
    s->lab = (struct lab){0};
    return task;
}

static int add_tasks(struct session *s, struct exam *x, const json_t *tasks, struct err *e)
{
    size_t i;
    const json_t *task;
    json_array_foreach(tasks, i, task)
    {
        _auto_attempt_ struct attempt a = {.lab = xstrdup(jstr(task, "lab")),
                                           .dir = xstrdup(jstr(task, "dir")),
                                           .seed = xstrdup(jstr(task, "seed")),
                                           .exam = x->id,
                                           .state = json_deep_copy(json_object_get(task, "state"))};
        if (book_begin(s->book, &a, e) < 0 || (i == 0 && book_exam_choose(s->book, x, a.id, e) < 0))
            return -1;
    }
    return 0;
}

static int begin(struct session *s, char **words, int64_t minutes, const char *seed, struct err *e)
{
    struct exam x;
    int64_t usual = 0;
    _auto_json_ json_t *tasks = json_array();
    if (book_current(s->book, &s->attempt, e) == 0)
        return err_set(e, ERR_CONFLICT, "%s is under way: `stowage lab status`", s->attempt.lab);
    err_clear(e);
    for (int i = 0; words[i]; i++) {
        json_t *task = i < TASKS_MAX ? plan_task(s, words[i], seed, &usual, e) : NULL;
        if (!task)
            return i < TASKS_MAX ? -1 : cli_usage(e, "lab", "an exam has at most %d tasks", TASKS_MAX);
        json_array_append_new(tasks, task);
    }
    minutes = minutes ? minutes : usual;
    if (book_exam_begin(s->book, minutes * 60, &x, e) < 0 || add_tasks(s, &x, tasks, e) < 0)
        return -1;
    start_timekeeper(s);
    fprintf(s->out.text,
            "An exam of %lld minutes, with %zu tasks. `stowage lab exam status` tells how much time is left,\n"
            "`stowage lab exam task N` goes to another task, `stowage lab exam end` ends it before its time.\n\n",
            (long long)minutes, json_array_size(tasks));
    return open_task(s, e);
}

/* ---- words ---- */

static int word_status(struct session *s, struct err *e)
{
    struct exam x;
    if (book_exam_find(s->book, 0, &x, e) < 0)
        return -1;
    if (!x.ended) {
        print_span(s, x.until - time(NULL));
        fprintf(s->out.text, " left of ");
        print_span(s, x.until - x.began);
        fprintf(s->out.text, "\n");
    }
    return print_tasks(s, &x, e);
}

static int word_task(struct session *s, const char *number, struct err *e)
{
    struct exam x;
    int64_t n = 0;
    if (book_exam(s->book, &x, e) < 0)
        return -1;
    _auto_json_ json_t *tasks = book_exam_tasks(s->book, &x, e);
    if (!tasks)
        return -1;
    const json_t *task = number && str_to_i64(number, &n) && n > 0 ? json_array_get(tasks, (size_t)n - 1) : NULL;
    if (!task)
        return cli_usage(e, "lab", "which task: 1 to %d?", (int)json_array_size(tasks));
    return book_exam_choose(s->book, &x, jint(task, "id", 0), e) < 0 ? -1 : open_task(s, e);
}

static int word_end(struct session *s, struct err *e)
{
    struct exam x;
    if (book_exam(s->book, &x, e) < 0 || end_exam(s, &x, true, 0, e) < 0)
        return -1;
    return print_tasks(s, &x, e);
}

int lab_exam(struct session *s, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {
        {"minutes", required_argument, NULL, 'm'}, {"seed", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    int64_t minutes = 0;
    const char *seed = "";
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (opt == 's')
            seed = optarg;
        else if (opt != 'm' || !str_to_i64(optarg, &minutes) || minutes < 1 || minutes > MINUTES_MAX)
            return cli_usage(e, "lab", "exam: unknown flag, or a number of minutes that is none");
    const char *word = argv[optind];
    if (!word)
        return cli_usage(e, "lab", "an exam with which labs?");
    if (str_eq(word, "keep-time"))
        return keep_time(s);
    const int over = lab_exam_over(s, e);
    if (over)
        return over < 0 ? -1 : 0;
    if (str_eq(word, "status"))
        return word_status(s, e);
    if (str_eq(word, "task"))
        return word_task(s, argv[optind + 1], e);
    return str_eq(word, "end") ? word_end(s, e) : begin(s, argv + optind, minutes, seed, e);
}

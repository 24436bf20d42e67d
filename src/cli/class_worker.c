/* class_worker.c - see class_worker.h.
 *
 * DESIGN: a worker points $STOWAGE_DATA at the student's data directory and then says the words of `stowage lab`
 * (lab_session.h): a class is so many students at their labs, and no second way to begin or judge one. It is a process
 * since a lab's session is made for one, with its own environment and janitor; and one that crashes is one student's
 * failure.
 *
 * When you add an action: a row in actions[], a line in class_worker.h. */
#include "cli/class_worker.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cli/class_life.h"
#include "cli/lab_session_int.h"
#include "cli/spawn.h"
#include "lab/check.h"
#include "lab/progress.h"

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JUDGE_PATIENCE 5 /* percent: what is so now, not what may come */

struct pupil {
    const struct cli *cli;
    struct classroom room;
    const char *name;
};

/* ---- words of the lab ---- */

static int say(const struct pupil *p, struct strlist *words, struct err *e)
{
    strlist_take(words, NULL);
    const int code = lab_session(p->cli, (int)words->len - 1, words->items, e);
    return code < 0 ? -1 : code == 0 ? 0 : err_set(e, ERR_INTERNAL, "`lab %s` ended with %d", words->items[0], code);
}

static int begin_lab(const struct pupil *p, const json_t *task, struct err *e)
{
    _auto_strlist_ struct strlist words = {0};
    strlist_add(&words, "start");
    strlist_addf(&words, "--seed=%s", p->name);
    strlist_add(&words, jstr_or(task, "dir", ""));
    return say(p, &words, e);
}

static int begin_exam(const struct pupil *p, struct err *e)
{
    _auto_strlist_ struct strlist words = {0};
    size_t i;
    const json_t *task;
    strlist_add(&words, "exam");
    strlist_addf(&words, "--seed=%s", p->name);
    if (jint(p->room.file, "minutes", 0))
        strlist_addf(&words, "--minutes=%lld", (long long)jint(p->room.file, "minutes", 0));
    json_array_foreach(json_object_get(p->room.file, "tasks"), i, task) strlist_add(&words, jstr_or(task, "word", ""));
    return say(p, &words, e);
}

/* ---- where a student is ---- */

struct place {
    bool under_way;
    const json_t *next; /* the first task that was never begun; NULL: there is none. Borrowed */
};

static bool was_begun(const json_t *history, const json_t *task)
{
    size_t i;
    const json_t *row;
    json_array_foreach(history, i, row)
    {
        if (str_eq(jstr(row, "lab"), jstr(task, "lab")))
            return true;
    }
    return false;
}

static int look_for_place(const struct pupil *p, struct session *s, struct place *out, struct err *e)
{
    struct err none = ERR_INIT;
    _auto_attempt_ struct attempt current = {0};
    _auto_json_ json_t *history = book_history(s->book, e);
    size_t i;
    const json_t *task;
    if (!history)
        return -1;
    *out = (struct place){.under_way = book_current(s->book, &current, &none) == 0};
    json_array_foreach(json_object_get(p->room.file, "tasks"), i, task)
    {
        if (!out->next && !was_begun(history, task))
            out->next = task;
    }
    return 0;
}

/* ---- actions: each under the lock; they say what has become of the cluster ---- */

/* Its cluster is that of the lab's own words, started again if it does not run. */
static int go_on(struct session *s, enum life *to, struct err *e)
{
    const int over = lab_exam_over(s, e);
    if (over)
        *to = LIFE_FREE;
    return over < 0 ? -1 : over > 0 ? 0 : lab_session_open_current(s, e);
}

static int begin(const struct pupil *p, const struct place *at, enum life *to, struct err *e)
{
    if (!at->next) {
        *to = LIFE_FREE;
        return 0;
    }
    return jbool(p->room.file, "exam", false) ? begin_exam(p, e) : begin_lab(p, at->next, e);
}

static int do_start(const struct pupil *p, enum life *to, struct err *e)
{
    struct session s = {.out.text = stdout};
    struct place at = {0};
    int rc = lab_session_open_book(&s, p->cli, NULL, e);
    if (rc == 0)
        rc = look_for_place(p, &s, &at, e);
    if (rc == 0 && at.under_way)
        rc = go_on(&s, to, e);
    lab_session_close(&s);
    return rc < 0 || at.under_way ? rc : begin(p, &at, to, e);
}

static int do_next(const struct pupil *p, enum life *to, struct err *e)
{
    struct session s = {.out.text = stdout};
    struct place at = {0};
    _auto_strlist_ struct strlist stop = {0};
    int rc = lab_session_open_book(&s, p->cli, NULL, e);
    if (rc == 0)
        rc = look_for_place(p, &s, &at, e);
    lab_session_close(&s);
    strlist_add(&stop, "stop");
    if (rc == 0 && at.under_way)
        rc = say(p, &stop, e);
    return rc < 0 ? rc : begin(p, &at, to, e);
}

/* Marked as nothing the student did (progress.h). */
static int keep_judgement(const struct session *s, json_t *report, struct err *e)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(report, "checks"), i, row) jset_bool(row, PROGRESS_JUDGED, true);
    return book_result_at(s->book, &s->attempt, report, time(NULL), e);
}

static int do_judge(const struct pupil *p, enum life *to, struct err *e)
{
    struct session s = {.out.text = stdout};
    struct place at = {0};
    _auto_json_ json_t *report = NULL;
    int rc = lab_session_open_book(&s, p->cli, NULL, e);
    if (rc == 0)
        rc = look_for_place(p, &s, &at, e);
    if (rc == 0 && !at.under_way)
        *to = LIFE_FREE;
    if (rc == 0 && at.under_way)
        rc = go_on(&s, to, e);
    if (rc == 0 && *to == LIFE_UP && lab_session_step(&s)) {
        s.env.patience_percent = JUDGE_PATIENCE;
        report = check_step(&s.env, lab_session_step(&s), NULL, NULL, e);
        rc = report ? keep_judgement(&s, report, e) : -1;
    }
    lab_session_close(&s);
    return rc;
}

/* The cluster in a folder of the student's labs, if there is one. */
static int take_down(const struct pupil *p, const char *labs, const char *folder, struct err *e)
{
    _auto_free_ char *dir = xasprintf("%s/%s", labs, folder);
    struct own_cluster cluster = {0};
    if (own_cluster_find(&cluster, p->cli, dir, e) < 0)
        return -1;
    const int rc = own_cluster_down(&cluster, e);
    own_cluster_stop(&cluster, true);
    return rc;
}

static int do_stop(const struct pupil *p, enum life *to, struct err *e)
{
    _auto_free_ char *home = classroom_home(&p->room, p->name), *labs = xasprintf("%s/labs", home),
                     *clock = xasprintf("%s/exam.lock", labs);
    int rc = 0;
    unlink(clock); /* who keeps an exam's time ends with it; the exam's time goes on */
    DIR *d = opendir(labs);
    for (const struct dirent *entry; rc == 0 && d && (entry = readdir(d));)
        if (str_eq(entry->d_name, "cluster") || str_starts(entry->d_name, "task-"))
            rc = take_down(p, labs, entry->d_name, e);
    if (d)
        closedir(d);
    *to = LIFE_STOPPED;
    return rc;
}

static const struct {
    const char *name;
    enum life meanwhile;
    int (*run)(const struct pupil *p, enum life *to, struct err *e); /* *to: LIFE_UP unless it says otherwise */
} actions[] = {
    {"start", LIFE_STARTING, do_start},
    {"next", LIFE_STARTING, do_next},
    {"judge", LIFE_STARTING, do_judge},
    {"stop", LIFE_STOPPING, do_stop},
};

static int act(const struct pupil *p, size_t action, struct err *e)
{
    enum life to = LIFE_UP;
    struct err written = ERR_INIT;
    _auto_close_ int lock = life_lock(&p->room, p->name, e);
    if (lock < 0 || life_move(&p->room, p->name, actions[action].meanwhile, NULL, e) < 0)
        return -1;
    if (actions[action].run(p, &to, e) == 0)
        return life_move(&p->room, p->name, to, NULL, e);
    life_move(&p->room, p->name, LIFE_FAILED, e->msg, &written);
    return -1;
}

int class_worker(const struct cli *cli, int argc, char **argv, struct err *e)
{
    struct pupil p = {.cli = cli, .name = argc == 4 ? argv[3] : ""};
    size_t action = 0;
    while (action < ARRAY_LEN(actions) && (argc != 4 || !str_eq(argv[1], actions[action].name)))
        action++;
    if (action == ARRAY_LEN(actions) || classroom_open(argv[2], &p.room, e) < 0)
        return e->code ? -1 : cli_usage(e, "class", "no such worker");
    _auto_free_ char *home = classroom_home(&p.room, p.name);
    setenv("STOWAGE_DATA", home, 1);
    const int rc = act(&p, action, e);
    classroom_release(&p.room);
    return rc;
}

/* ---- many ---- */

struct crew {
    const struct class_work *work;
    pthread_mutex_t mu; /* guards the rest, and told() */
    int failed;
};
struct job {
    struct crew *crew;
    const char *student;
};

static void run_job(void *arg)
{
    const struct job *j = arg;
    const struct class_work *w = j->crew->work;
    const char *const argv[] = {w->cli->self_exe, "class", "worker", w->action, w->room->dir, j->student, NULL};
    _auto_buf_ struct buf said = BUF_INIT;
    struct err e = ERR_INIT;
    int code = -1;
    if (spawn_wait(argv, &said, &code, &e) < 0)
        buf_adds(&said, e.msg);
    pthread_mutex_lock(&j->crew->mu);
    j->crew->failed += code != 0;
    if (w->told)
        w->told(w->arg, j->student, code, buf_str(&said));
    pthread_mutex_unlock(&j->crew->mu);
}

int class_work(const struct class_work *work)
{
    struct crew crew = {.work = work};
    struct pool *pool = pool_new("stowage-class", (unsigned)work->jobs);
    _auto_free_ struct job *jobs = xcalloc(work->students->len + 1, sizeof *jobs);
    pthread_mutex_init(&crew.mu, NULL);
    for (size_t i = 0; i < work->students->len; i++) {
        jobs[i] = (struct job){&crew, work->students->items[i]};
        pool_submit(pool, run_job, &jobs[i]);
    }
    pool_free(pool); /* once all are done */
    pthread_mutex_destroy(&crew.mu);
    return crew.failed;
}

/* grade_class.c - see grade_class.h.
 *
 * DESIGN: a worker is this program again (`stowage grade --worker`), leader of a process group. It is given its job on
 * standard input and gives its answer on standard output; what it does not answer in time, or by dying, is the answer
 * "error", and nobody else's business. Workers wait for pods most of the time, so there are more of them than
 * processors. The deadline of a worker is far beyond all it may take: it ends what can not happen, a check that hangs.
 */
#include "cli/grade_class.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/grade_order.h"
#include "lab/grade.h"
#include "sys/jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ANSWER_MAX (16 * 1024 * 1024)
#define JUDGE_MS   (15 * 60 * 1000) /* beside the submission's own time */
#define JOBS_MAX   256

struct worker {
    size_t student; /* index */
    pid_t pid;      /* 0: this place is free */
    int out;
    struct buf answer;
    int64_t began, deadline;
};
struct class
{
    const struct cli *cli;
    const struct class_conf *conf;
    struct strlist names; /* of entries */
    json_t *rows;         /* by student; null: not done */
    struct worker *workers;
    size_t *order; /* of students, as they begin */
    size_t next, done;
};

static int64_t now_ms(void)
{
    return clock_mono_ms(clock_real());
}

/* ---- who there is ---- */

/* "alice.tar.gz" -> "alice". Returns new. */
static char *student_of(const char *entry)
{
    static const char *const ends[] = {".tar.gz", ".tgz",  ".tar.zst", ".tar",   ".zip",       ".yaml",
                                       ".yml",    ".json", ".sh",      ".jsonl", ".kubeconfig"};
    _auto_buf_ struct buf shown = BUF_INIT;
    size_t n = strlen(entry);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(entry, ends[i]) && n > strlen(ends[i])) {
            n -= strlen(ends[i]);
            break;
        }
    buf_add_visible(&shown, entry, n);
    return buf_steal(&shown, NULL);
}

static int list_names(struct class *c, struct err *e)
{
    const char *slash = strrchr(c->conf->submissions, '/');
    if (c->conf->one) {
        strlist_add(&c->names, slash && slash[1] ? slash + 1 : c->conf->submissions);
        return 0;
    }
    DIR *d = opendir(c->conf->submissions);
    if (!d)
        return err_sys(e, errno, "%s", c->conf->submissions);
    for (const struct dirent *entry; (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            strlist_add(&c->names, entry->d_name);
    closedir(d);
    strlist_sort(&c->names);
    return c->names.len ? 0 : err_set(e, ERR_NOT_FOUND, "there is nothing in %s", c->conf->submissions);
}

/* ---- a worker ---- */

static json_t *job_of(const struct class *c, const char *entry, const char *student)
{
    const struct class_conf *o = c->conf;
    _auto_free_ char *path = o->one ? xstrdup(o->submissions) : xasprintf("%s/%s", o->submissions, entry);
    json_t *job = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:i}", "lab", o->lab, "student", student, "timeout",
                            (json_int_t)o->timeout_ms, "memory", (json_int_t)o->memory_bytes, "disk",
                            (json_int_t)o->disk_bytes, "cluster-memory", (json_int_t)o->cluster_bytes, "pids", o->pids);
    jset_int(job, "cluster-disk", o->cluster_disk_bytes);
    jset_int(job, "cpu", o->cpu_ms);
    jset_str(job, "path", path);
    if (o->seed_from_name || o->seed)
        jset_str(job, "seed", o->seed_from_name ? student : o->seed);
    return job;
}

static int spawn_worker(const struct class *c, int in, int out, pid_t *pid)
{
    const char *const argv[] = {c->cli->self_exe, "grade", "--worker", NULL};
    posix_spawn_file_actions_t acts;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_adddup2(&acts, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&acts, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&acts, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &none);
    const int rc = posix_spawn(pid, argv[0], &acts, &attr, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&acts);
    posix_spawnattr_destroy(&attr);
    return rc;
}

/* A job is smaller than a pipe's buffer but for a path of absurd length: it is written at once. */
static int start(struct class *c, struct worker *w, size_t i, struct err *e)
{
    int in[2], out[2];
    _auto_free_ char *student = student_of(c->names.items[i]);
    _auto_json_ json_t *job = job_of(c, c->names.items[i], student);
    _auto_free_ char *text = json_dumps(job, JSON_COMPACT);
    if (pipe2(in, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return err_sys(e, errno, "pipe");
    }
    const int rc = spawn_worker(c, in[0], out[1], &w->pid);
    const bool told = rc == 0 && text && write(in[1], text, strlen(text)) == (ssize_t)strlen(text);
    close(in[0]);
    close(in[1]);
    close(out[1]);
    if (!told) {
        close(out[0]);
        return err_sys(e, rc ? rc : EIO, "start a worker");
    }
    w->student = i;
    w->out = out[0];
    w->began = now_ms();
    w->deadline = w->began + c->conf->timeout_ms * JAIL_STRETCH + JUDGE_MS;
    buf_clear(&w->answer);
    return 0;
}

/* ---- its answer ---- */

static json_t *row_without(const struct class *c, const char *why)
{
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    struct err e = ERR_INIT;
    json_t *row =
        json_pack("{s:s, s:s, s:[], s:s, s:s}", "status", "error", "error", why, "remarks", "seed", "", "digest", "");
    if (lab_load(c->conf->lab, NULL, &lab, &faults, &e) == 0)
        json_object_set_new(row, "report", grade_refused(&lab, why));
    return row;
}

static void finish(struct class *c, struct worker *w, const char *killed)
{
    int status = 0;
    kill(-w->pid, SIGKILL);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(w->out);
    json_t *row = killed ? NULL : json_loadb(w->answer.len ? w->answer.data : "", w->answer.len, 0, NULL);
    const bool whole = json_is_object(row) && json_is_object(json_object_get(row, "report"));
    if (!whole) {
        _auto_free_ char *said = row ? xstrdup(jstr_or(row, "error", "")) : NULL;
        json_decref(row);
        row = row_without(c, killed          ? killed
                             : said && *said ? said
                                             : "the process that judged it ended without a result");
    }
    _auto_free_ char *student = student_of(c->names.items[w->student]);
    _auto_buf_ struct buf entry = BUF_INIT;
    buf_add_visible(&entry, c->names.items[w->student], strlen(c->names.items[w->student]));
    jset_str(row, "student", student);
    jset_str(row, "submission", buf_str(&entry));
    jset_int(row, "ms", now_ms() - w->began);
    json_array_set_new(c->rows, w->student, row);
    w->pid = 0;
    c->done++;
    if (c->conf->told)
        c->conf->told(c->conf->arg, row, c->done, c->names.len);
}

static void listen_to(struct class *c, struct worker *w)
{
    const ssize_t n = read(w->out, buf_reserve(&w->answer, 65536), 65536);
    if (n > 0 && w->answer.len < ANSWER_MAX)
        w->answer.len += (size_t)n;
    else if (n == 0 || (n < 0 && errno != EINTR))
        finish(c, w, NULL);
}

/* ---- all ---- */

static int fill_places(struct class *c, struct err *e)
{
    for (int i = 0; i < c->conf->jobs && c->next < c->names.len; i++) {
        if (c->workers[i].pid)
            continue;
        if (start(c, &c->workers[i], c->order[c->next], e) < 0)
            return -1;
        c->next++;
    }
    return 0;
}

static void attend(struct class *c)
{
    struct pollfd p[JOBS_MAX];
    const int64_t now = now_ms();
    for (int i = 0; i < c->conf->jobs; i++)
        p[i] = (struct pollfd){c->workers[i].pid ? c->workers[i].out : -1, POLLIN, 0};
    poll(p, (nfds_t)c->conf->jobs, 1000);
    for (int i = 0; i < c->conf->jobs; i++) {
        if (p[i].revents)
            listen_to(c, &c->workers[i]);
        if (c->workers[i].pid && now >= c->workers[i].deadline)
            finish(c, &c->workers[i], "it could not be judged in time");
    }
}

static int judge_all(struct class *c, struct err *e)
{
    int rc = 0;
    while (c->done < c->names.len && (rc = fill_places(c, e)) == 0)
        attend(c);
    for (int i = 0; i < c->conf->jobs; i++) {
        if (c->workers[i].pid)
            finish(c, &c->workers[i], "grading was ended");
        buf_release(&c->workers[i].answer);
    }
    return rc;
}

/* One machine, two students: that is told to both, and judged by people. */
static void tell_shared_keys(json_t *rows)
{
    size_t i, k;
    json_t *a, *b;
    json_array_foreach(rows, i, a) json_array_foreach(rows, k, b)
    {
        const char *key = jstr(a, "bundle.key");
        if (i == k || !key || !str_eq(key, jstr(b, "bundle.key")))
            continue;
        _auto_free_ char *text = xasprintf("signed by the same key as %s", jstr_or(b, "student", ""));
        json_array_append_new(json_object_get(a, "remarks"), json_string(text));
    }
}

json_t *grade_class(const struct cli *cli, const struct class_conf *conf, struct err *e)
{
    struct class c = {.cli = cli, .conf = conf};
    if (conf->jobs < 1 || conf->jobs > JOBS_MAX || list_names(&c, e) < 0) {
        strlist_release(&c.names);
        if (!e->code)
            err_set(e, ERR_USAGE, "between 1 and %d jobs", JOBS_MAX);
        return NULL;
    }
    c.rows = json_array();
    c.workers = xcalloc((size_t)conf->jobs, sizeof *c.workers);
    c.order = grade_order(&c.names);
    for (size_t i = 0; i < c.names.len; i++)
        json_array_append_new(c.rows, json_null());
    const int rc = judge_all(&c, e);
    free(c.workers);
    free(c.order);
    strlist_release(&c.names);
    tell_shared_keys(c.rows);
    if (rc == 0)
        return c.rows;
    json_decref(c.rows);
    return NULL;
}

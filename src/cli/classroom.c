/* classroom.c - see classroom.h. */
#include "cli/classroom.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/console_link.h"
#include "cli/lab_place.h"
#include "cli/local.h"
#include "cli/spawn.h"
#include "lab/lab.h"
#include "lab/progress.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_MAX_BYTES 100

void classroom_release(struct classroom *c)
{
    free(c->dir);
    json_decref(c->file);
    *c = (struct classroom){0};
}

char *classroom_dir(const char *given)
{
    if (!str_empty(given))
        return cli_data_dir(given);
    _auto_free_ char *data = cli_data_dir(NULL);
    return xasprintf("%s/class", data);
}

/* ---- files ---- */

int classroom_write(const char *path, const json_t *what, struct err *e)
{
    _auto_free_ char *text = json_dumps(what, JSON_INDENT(1)), *fresh = xasprintf("%s.%d", path, (int)getpid());
    const size_t n = text ? strlen(text) : 0;
    _auto_close_ int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || fsync(fd) < 0 || rename(fresh, path) < 0) {
        err_sys(e, errno, "%s", path);
        unlink(fresh);
        return -1;
    }
    return 0;
}

int classroom_open(const char *dir, struct classroom *out, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/class.json", dir);
    json_error_t at;
    json_t *file = access(path, F_OK) == 0 ? json_load_file(path, 0, &at) : NULL;
    if (!file && access(path, F_OK) == 0)
        return err_set(e, ERR_CORRUPT, "%s:%d: %s", path, at.line, at.text);
    if (!file)
        return err_set(e, ERR_NOT_FOUND, "no class in %s: `stowage class start LAB --students FILE` begins one", dir);
    *out = (struct classroom){.dir = xstrdup(dir), .file = file};
    return 0;
}

/* ---- students ---- */

static bool is_name(const char *s)
{
    const size_t n = strlen(s);
    if (n == 0 || n > NAME_MAX_BYTES || s[0] == '.' || s[0] == '-')
        return false;
    for (const char *p = s; *p; p++)
        if (*p == '/' || iscntrl((unsigned char)*p))
            return false;
    return true;
}

static int add_name(struct strlist *out, const char *name, const char *file, int line, struct err *e)
{
    if (!is_name(name))
        return err_set(e, ERR_BAD_REQUEST, "%s:%d: \"%s\" can not be a folder's name", file, line, name);
    if (strlist_has(out, name))
        return err_set(e, ERR_BAD_REQUEST, "%s:%d: %s is there twice", file, line, name);
    _auto_json_ json_t *text = json_string(name);
    if (!text)
        return err_set(e, ERR_BAD_REQUEST, "%s:%d: this name is not UTF-8: save the list in that encoding", file, line);
    if (out->len >= CLASSROOM_STUDENTS_MAX)
        return err_set(e, ERR_TOO_LARGE, "%s: more than %d students", file, CLASSROOM_STUDENTS_MAX);
    strlist_add(out, name);
    return 0;
}

/* The first column of a line, blanks around it and quotes left out. Returns new. */
static char *first_column(const char *line)
{
    line += strspn(line, " \t\"");
    size_t n = strcspn(line, ",;\"\r\n");
    while (n && isspace((unsigned char)line[n - 1]))
        n--;
    return xstrndup(line, n);
}

static int read_names(const char *path, struct strlist *out, struct err *e)
{
    _auto_file_ FILE *f = fopen(path, "re");
    _auto_free_ char *line = NULL;
    size_t cap = 0;
    if (!f)
        return err_sys(e, errno, "%s", path);
    for (int number = 1; getline(&line, &cap, f) >= 0; number++) {
        _auto_free_ char *name = first_column(line);
        if (*name && *name != '#' && add_name(out, name, path, number, e) < 0)
            return -1;
    }
    return out->len ? 0 : err_set(e, ERR_NOT_FOUND, "%s: there is no name in it", path);
}

int classroom_names(const char *given, struct strlist *out, struct err *e)
{
    int64_t n;
    if (!str_to_i64(given, &n))
        return read_names(given, out, e);
    if (n < 1 || n > CLASSROOM_STUDENTS_MAX)
        return err_set(e, ERR_USAGE, "between 1 and %d students", CLASSROOM_STUDENTS_MAX);
    for (int64_t i = 1; i <= n; i++)
        strlist_addf(out, n > 99 ? "student-%03lld" : "student-%02lld", (long long)i);
    return 0;
}

/* ---- a new class ---- */

/* "LAB" or "LAB:STEP". Returns new, or NULL. */
static json_t *read_task(const struct classroom_plan *plan, const char *word, struct err *e)
{
    const char *colon = plan->exam ? strrchr(word, ':') : NULL;
    _auto_free_ char *name = colon ? xstrndup(word, (size_t)(colon - word)) : xstrdup(word);
    _auto_free_ char *dir = lab_dir(plan->cli, name, e);
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    const int rc = dir ? lab_load(dir, NULL, &lab, &faults, e) : -1;
    for (size_t i = 0; i < faults.len; i++)
        fprintf(stderr, "%s\n", faults.items[i]);
    json_t *task = rc == 0 ? progress_task(&lab, colon ? colon + 1 : NULL, e) : NULL;
    if (!task)
        return NULL;
    _auto_free_ char *whole = colon ? xasprintf("%s%s", lab.dir, colon) : xstrdup(lab.dir);
    jset_str(task, "word", whole);
    jset_str(task, "dir", lab.dir);
    return task;
}

static json_t *read_tasks(const struct classroom_plan *plan, struct err *e)
{
    _auto_json_ json_t *tasks = json_array();
    for (size_t i = 0; i < plan->words_len; i++) {
        json_t *task = read_task(plan, plan->words[i], e);
        if (!task)
            return NULL;
        json_array_append_new(tasks, task);
    }
    return TAKE(tasks);
}

/* The folder and those above it. */
static int make_dirs(const char *path, struct err *e)
{
    _auto_free_ char *part = xstrdup(path);
    for (char *slash = part; slash; *slash = '/') {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return err_sys(e, errno, "%s", part);
        if (!slash)
            return 0;
    }
    return 0;
}

int classroom_make(const char *dir, const struct classroom_plan *plan, struct classroom *out, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/class.json", dir), *students = xasprintf("%s/students", dir);
    if (access(path, F_OK) == 0)
        return err_set(e, ERR_CONFLICT,
                       "there is a class in %s: `stowage class status`; it goes on with `stowage class start` alone, "
                       "another class needs another --class DIR",
                       dir);
    json_t *tasks = read_tasks(plan, e);
    if (!tasks)
        return -1;
    _auto_json_ json_t *file =
        json_pack("{s:o, s:b, s:I, s:I, s:o}", "tasks", tasks, "exam", plan->exam, "minutes", (json_int_t)plan->minutes,
                  "began", (json_int_t)time(NULL), "students", json_array());
    for (size_t i = 0; i < plan->students->len; i++)
        json_array_append_new(json_object_get(file, "students"), json_string(plan->students->items[i]));
    if (make_dirs(students, e) < 0)
        return -1;
    for (size_t i = 0; i < plan->students->len; i++) {
        _auto_free_ char *home = xasprintf("%s/%s", students, plan->students->items[i]);
        if (mkdir(home, 0700) < 0 && errno != EEXIST)
            return err_sys(e, errno, "%s", home);
    }
    if (classroom_write(path, file, e) < 0)
        return -1;
    *out = (struct classroom){.dir = xstrdup(dir), .file = TAKE(file)};
    return 0;
}

/* ---- a student ---- */

char *classroom_home(const struct classroom *c, const char *student)
{
    return xasprintf("%s/students/%s", c->dir, student);
}

bool classroom_has(const struct classroom *c, const char *student)
{
    return jarr_has(c->file, "students", student);
}

int classroom_book(const struct classroom *c, const char *student, struct book **out, struct err *e)
{
    _auto_free_ char *home = classroom_home(c, student), *path = xasprintf("%s/labs/book.db", home);
    if (access(path, F_OK) < 0)
        return err_set(e, ERR_NOT_FOUND, "%s has not begun", student);
    return book_open(path, out, e);
}

char *class_look_link(const struct classroom *c, const char *student, int64_t seconds, struct err *e)
{
    _auto_free_ char *dir = NULL;
    if (!classroom_has(c, student)) {
        err_set(e, ERR_NOT_FOUND, "there is no student \"%s\" in this class", student);
        return NULL;
    }
    if (classroom_cluster(c, student, &dir, e) < 0) {
        err_wrap(e, "%s", student);
        return NULL;
    }
    _auto_free_ char *data = xasprintf("%s/data", dir);
    return console_link(data, &(struct link_wish){.view = "", .viewer = true, .seconds = seconds}, e);
}

/* ---- the teacher's cluster ---- */

char *classroom_teacher(const struct classroom *c)
{
    return xasprintf("%s/teacher", c->dir);
}

static int run(const char *const *argv, const char *what, struct err *e)
{
    _auto_buf_ struct buf told = BUF_INIT;
    int code;
    if (spawn_wait(argv, &told, &code, e) < 0)
        return -1;
    return code == 0 ? 0 : err_set(e, ERR_INTERNAL, "%s: %s", what, buf_str(&told));
}

/* It has nothing to do but to be looked at: no pod of it is ever more than remembered. */
int classroom_teacher_up(const struct classroom *c, const struct cli *cli, struct err *e)
{
    _auto_free_ char *data = classroom_teacher(c);
    const char *const argv[] = {cli->self_exe, "up",          "--detach",  "--quiet", "--data",  data,
                                "--listen",    "127.0.0.1:0", "--profile", "none",    "--nodes", "1",
                                "--simulate",  "--class",     c->dir,      NULL};
    return local_listens(data) ? 0 : run(argv, "the teacher's cluster did not start", e);
}

int classroom_teacher_down(const struct classroom *c, const struct cli *cli, struct err *e)
{
    _auto_free_ char *data = classroom_teacher(c);
    const char *const argv[] = {cli->self_exe, "down", "--data", data, NULL};
    return local_listens(data) ? run(argv, "the teacher's cluster did not end", e) : 0;
}

int classroom_cluster(const struct classroom *c, const char *student, char **out, struct err *e)
{
    _auto_attempt_ struct attempt a = {0};
    _auto_free_ char *home = classroom_home(c, student), *labs = xasprintf("%s/labs", home);
    struct book *book = NULL;
    if (classroom_book(c, student, &book, e) < 0)
        return -1;
    const int rc = book_current(book, &a, e);
    book_close(book);
    if (rc == 0)
        *out = lab_cluster_dir(labs, a.exam ? a.id : 0);
    return rc;
}

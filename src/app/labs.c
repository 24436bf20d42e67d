/* labs.c - see labs.h. */
#include "app/labs.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/lab_place.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOBS    16
#define OUT_MAX (16 * 1024 * 1024) /* of one look */

struct job {
    int64_t id; /* 0: free */
    pid_t pid;  /* 0: not known yet */
    int out, err, told, code;
    bool alone, ended;
    char word[16];
};

struct labs {
    const struct launcher *launcher; /* borrowed */
    char *data, *owner, *home;
    struct job jobs[JOBS];
    int64_t last;
};

struct labs *labs_new(const struct launcher *launcher, const char *data)
{
    struct labs *l = xcalloc(1, sizeof *l);
    l->launcher = launcher;
    l->data = xstrdup(data);
    l->owner = lab_owner(data);
    l->home = xasprintf("%s/labs", l->owner);
    return l;
}

const char *labs_owner(const struct labs *l)
{
    return l->owner;
}

static void forget(struct job *j)
{
    close(j->out);
    close(j->err);
    close(j->told);
    *j = (struct job){0};
}

void labs_free(struct labs *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < JOBS; i++)
        if (l->jobs[i].id)
            forget(&l->jobs[i]);
    free(l->data);
    free(l->owner);
    free(l->home);
    free(l);
}

/* ---- a process ---- */

/* Has it ended? One that the launcher could not start has, too. */
static bool reap(struct job *j)
{
    int32_t number;
    while (!j->ended) {
        const ssize_t n = read(j->told, &number, sizeof number);
        if (n < 0)
            break; /* nothing yet */
        if (n == sizeof number && !j->pid) {
            j->pid = number;
            continue;
        }
        j->code = n == sizeof number ? number : 255;
        j->ended = true;
    }
    return j->ended;
}

/* ---- jobs ---- */

/* What is under way alone; NULL: nothing. */
static struct job *alone(struct labs *l)
{
    for (size_t i = 0; i < JOBS; i++)
        if (l->jobs[i].id && l->jobs[i].alone && !reap(&l->jobs[i]))
            return &l->jobs[i];
    return NULL;
}

/* One that is free, else the oldest that has ended and that nobody asked for. */
static struct job *free_job(struct labs *l)
{
    struct job *oldest = NULL;
    for (size_t i = 0; i < JOBS; i++) {
        struct job *j = &l->jobs[i];
        if (!j->id)
            return j;
        if (reap(j) && (!oldest || j->id < oldest->id))
            oldest = j;
    }
    if (oldest)
        forget(oldest);
    return oldest;
}

int labs_begin(struct labs *l, const char *word, const char *const *argv, bool is_alone, json_t **out, struct err *e)
{
    const struct job *other = is_alone ? alone(l) : NULL;
    if (other)
        return err_set(e, ERR_CONFLICT, "\"%s\" is still under way", other->word);
    struct job *j = free_job(l);
    if (!j)
        return err_set(e, ERR_BUSY, "too much is under way");
    *j = (struct job){.id = ++l->last,
                      .out = memfd_create("lab-out", MFD_CLOEXEC),
                      .err = memfd_create("lab-err", MFD_CLOEXEC),
                      .told = -1,
                      .alone = is_alone};
    snprintf(j->word, sizeof j->word, "%s", word);
    if (j->out < 0 || j->err < 0 ? err_sys(e, errno, "memory for what it says") < 0
                                 : launcher_start(l->launcher, l->owner, argv, j->out, j->err, &j->told, e) < 0) {
        forget(j);
        return -1;
    }
    *out = json_pack("{s:I}", "job", (json_int_t)j->id);
    return 0;
}

static struct job *find(struct labs *l, int64_t id, struct err *e)
{
    for (size_t i = 0; i < JOBS && id > 0; i++)
        if (l->jobs[i].id == id)
            return &l->jobs[i];
    err_set(e, ERR_NOT_FOUND, "no such job");
    return NULL;
}

/* The whole file from an offset on, appended. */
static void read_from(int fd, int64_t from, struct buf *to)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= from)
        return;
    const size_t most = st.st_size - from < OUT_MAX ? (size_t)(st.st_size - from) : OUT_MAX;
    const ssize_t n = pread(fd, buf_reserve(to, most), most, from);
    if (n > 0)
        to->len += (size_t)n;
    to->data[to->len] = '\0';
}

int labs_look(struct labs *l, int64_t id, int64_t from, json_t **out, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT, errors = BUF_INIT, shown = BUF_INIT;
    struct job *j = find(l, id, e);
    if (!j)
        return -1;
    const bool ended = reap(j); /* first: what it wrote before is all there then */
    from = from > 0 ? from : 0;
    read_from(j->out, from, &text);
    const char *last = text.len && !ended ? memrchr(text.data, '\n', text.len) : NULL;
    if (!ended)
        text.len = last ? (size_t)(last + 1 - text.data) : 0;
    json_t *told = json_stringn(buf_str(&text), text.len);
    *out = json_pack("{s:o, s:I, s:b}", "out", told ? told : json_string(""), "next",
                     (json_int_t)(from + (int64_t)text.len), "ended", ended);
    if (!ended)
        return 0;
    read_from(j->err, 0, &errors);
    buf_add_visible(&shown, buf_str(&errors), errors.len);
    json_object_set_new(*out, "code", json_integer(j->code));
    json_object_set_new(*out, "err", json_string(buf_str(&shown)));
    forget(j);
    return 0;
}

int labs_cancel(struct labs *l, int64_t id, struct err *e)
{
    struct job *j = find(l, id, e);
    if (!j)
        return -1;
    if (!reap(j) && j->pid)
        kill(j->pid, SIGTERM);
    return 0;
}

/* ---- the book ---- */

static void add_mark(const char *home, const char *name, struct buf *to)
{
    struct stat st;
    _auto_free_ char *path = xasprintf("%s/%s", home, name);
    if (stat(path, &st) == 0 && st.st_size > 0)
        buf_addf(to, "%lld.%09ld/%lld ", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size);
}

json_t *labs_mark(struct labs *l)
{
    _auto_buf_ struct buf mark = BUF_INIT;
    const struct job *j = alone(l);
    add_mark(l->home, "book.db", &mark);
    add_mark(l->home, "book.db-wal", &mark);
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "mark", buf_str(&mark), "data", l->data, "owner", l->owner, "job",
                     j ? json_integer(j->id) : json_null(), "word", j ? json_string(j->word) : json_null());
}

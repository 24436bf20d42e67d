/* class_life.c - see class_life.h. */
#include "cli/class_life.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const struct sm_state states[] = {
    [LIFE_NEW] = {"new", SM(LIFE_STARTING) | SM(LIFE_UP) | SM(LIFE_STOPPING)},
    [LIFE_STARTING] = {"starting", SM(LIFE_UP) | SM(LIFE_FREE) | SM(LIFE_FAILED)},
    [LIFE_UP] = {"up", SM(LIFE_STARTING) | SM(LIFE_DOWN) | SM(LIFE_FREE) | SM(LIFE_STOPPING)},
    [LIFE_DOWN] = {"down", SM(LIFE_STARTING) | SM(LIFE_UP) | SM(LIFE_FREE) | SM(LIFE_STOPPING)},
    [LIFE_FREE] = {"no lab", SM(LIFE_STARTING) | SM(LIFE_UP) | SM(LIFE_STOPPING)},
    [LIFE_STOPPING] = {"stopping", SM(LIFE_STOPPED) | SM(LIFE_UP) | SM(LIFE_FAILED)},
    [LIFE_STOPPED] = {"stopped", SM(LIFE_STARTING) | SM(LIFE_UP) | SM(LIFE_STOPPING)},
    [LIFE_FAILED] = {"failed", SM(LIFE_STARTING) | SM(LIFE_UP) | SM(LIFE_STOPPING)},
};
const struct sm_def life_sm = {"student's cluster", states, ARRAY_LEN(states)};

enum life life_now(enum life written, const struct life_seen *seen)
{
    if (seen->busy)
        return written;
    if (written == LIFE_STARTING) /* who started it is gone, and the lab may not have begun */
        return seen->answers && seen->under_way ? LIFE_UP : LIFE_FAILED;
    if (seen->answers) /* a word of its student's may have started it */
        return LIFE_UP;
    switch (written) {
    case LIFE_UP:
    case LIFE_DOWN:
        return seen->under_way ? LIFE_DOWN : LIFE_FREE;
    case LIFE_STOPPING:
        return LIFE_STOPPED;
    default:
        return written;
    }
}

/* ---- what is written ---- */

void life_row_release(struct life_row *r)
{
    free(r->why);
    *r = (struct life_row){0};
}

static char *file_of(const struct classroom *c, const char *student, const char *file)
{
    _auto_free_ char *home = classroom_home(c, student);
    return xasprintf("%s/%s", home, file);
}

/* A file that is not there, or none of ours: new. */
static void read_row(const struct classroom *c, const char *student, struct life_row *out)
{
    _auto_free_ char *path = file_of(c, student, "life.json");
    _auto_json_ json_t *j = json_load_file(path, 0, NULL);
    const int state = sm_find(&life_sm, jstr_or(j, "state", ""));
    *out = (struct life_row){.state = state < 0 ? LIFE_NEW : state,
                             .since = jint(j, "since", 0),
                             .why = jstr(j, "why") ? xstrdup(jstr(j, "why")) : NULL};
}

int life_lock(const struct classroom *c, const char *student, struct err *e)
{
    _auto_free_ char *path = file_of(c, student, "life.lock");
    _auto_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "%s", path);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_sys(e, errno, "%s", path);
    return TAKE_FD(fd);
}

int life_move(const struct classroom *c, const char *student, enum life to, const char *why, struct err *e)
{
    _auto_free_ char *path = file_of(c, student, "life.json");
    _auto_life_ struct life_row row = {0};
    read_row(c, student, &row);
    const struct life_seen seen = {.busy = false, .answers = false, .under_way = true};
    if (!sm_may(&life_sm, row.state, to)) /* its last keeper was killed */
        row.state = (int)life_now((enum life)row.state, &seen);
    sm_move(&life_sm, &row.state, to);
    _auto_json_ json_t *j = json_pack("{s:s, s:I}", "state", sm_name(&life_sm, to), "since", (json_int_t)time(NULL));
    if (why)
        jset_str(j, "why", why);
    return classroom_write(path, j, e);
}

/* ---- what is seen ---- */

static bool is_busy(const struct classroom *c, const char *student)
{
    _auto_free_ char *path = file_of(c, student, "life.lock");
    _auto_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

void life_look(const struct classroom *c, const char *student, struct life_row *out)
{
    struct err none = ERR_INIT;
    _auto_free_ char *dir = NULL;
    struct life_seen seen = {.busy = is_busy(c, student)}; /* asked first: who ends in between has written before */
    seen.under_way = classroom_cluster(c, student, &dir, &none) == 0;
    if (seen.under_way) {
        _auto_free_ char *data = xasprintf("%s/data", dir);
        seen.answers = local_listens(data);
    }
    read_row(c, student, out);
    const int now = (int)life_now((enum life)out->state, &seen);
    if (now == LIFE_FAILED && out->state == LIFE_STARTING)
        out->why = xstrdup("its start was interrupted");
    if (now == LIFE_UP && out->state != LIFE_UP) {
        free(out->why);
        out->why = NULL;
    }
    out->state = now;
}

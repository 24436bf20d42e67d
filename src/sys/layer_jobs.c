/* layer_jobs.c - image layers unpacked and removed by children of the helper (layer.c), which may give files away and
 * make overlay's marks; the API process may not.
 *
 * DESIGN: a child a request. It makes the directory of images its root before it reads a byte of the archive, so that
 * even a fault in the reader would stay inside, and answers for itself; the helper never waits. What a child leaves
 * half done is the caller's to remove. THREADS: none; the helper's loop. */
#include "sys/layer_jobs_int.h"
#include "sys/hidden_int.h"
#include "sys/layer.h"
#include "sys/proc_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOWERS_MAX 128

struct layer_job_child {
    struct layer_job_child *next;
    pid_t pid;
    uint32_t id; /* of the request */
};

/* ---- the child ---- */

struct unpack { /* what was opened for it */
    int blob, dir, lowers[LOWERS_MAX];
    size_t lower_count;
};

static int open_all(struct unpack *u, const char *blob, const char *dir, const char *const *lowers, struct err *e)
{
    u->blob = open(blob, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (u->blob < 0)
        return err_sys(e, errno, "open %s", blob);
    if (mkdir(dir, 0755) < 0)
        return err_sys(e, errno, "mkdir %s", dir);
    u->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (u->dir < 0)
        return err_sys(e, errno, "open %s", dir);
    for (size_t i = 0; lowers && lowers[i]; i++) {
        if (u->lower_count == LOWERS_MAX)
            return err_set(e, ERR_UNSUPPORTED, "more than %d layers", LOWERS_MAX);
        u->lowers[u->lower_count] = open(lowers[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (u->lowers[u->lower_count++] < 0)
            return err_sys(e, errno, "open %s", lowers[i]);
    }
    return 0;
}

static int unpack(struct wire_in *in, struct buf *out, struct err *e)
{
    struct unpack u = {.blob = -1, .dir = -1};
    struct layer_result result;
    struct stream *s = NULL;
    const char *blob = wire_need_str(in), *dir = wire_need_str(in);
    const char **lowers = wire_get_strv(in); /* this process ends soon */
    const int64_t max_bytes = wire_get_i64(in);
    if (in->bad)
        return err_set(e, ERR_BAD_REQUEST, "malformed request");
    if (open_all(&u, blob, dir, lowers, e) < 0)
        return -1;
    const struct stream_conf conf = {.fd = u.blob, .max_bytes = max_bytes, .digest = true};
    const struct layer_job job = {u.dir, u.lowers, u.lower_count};
    if (stream_open(&conf, &s, e) < 0 || layer_apply(&job, s, &result, e) < 0)
        return -1;
    wire_blob(out, &result, sizeof result);
    return 0;
}

static int run(const char *images, enum op op, struct wire_in *in, struct buf *out, struct err *e)
{
    umask(0);
    if (chdir(images) < 0 || chroot(".") < 0)
        return err_sys(e, errno, "enter %s", images);
    if (op == OP_LAYER_UNPACK)
        return unpack(in, out, e);
    const char *dir = wire_need_str(in);
    return *dir && !str_eq(dir, ".") ? layer_remove(dir, e) : err_set(e, ERR_BAD_REQUEST, "malformed request");
}

/* ---- the helper ---- */

void layer_jobs_start(struct layer_jobs *jobs, const char *images, int sock, uint32_t id, enum op op,
                      struct wire_in *in)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf out = BUF_INIT;
    const pid_t pid = fork();
    if (pid == 0) {
        proc_keep_fds(&sock, 1);
        run(images, op, in, &out, &e);
        helper_answer(sock, id, &e, &out, -1);
        _exit(0);
    }
    if (pid < 0) {
        err_sys(&e, errno, "fork");
        helper_answer(sock, id, &e, NULL, -1);
        return;
    }
    struct layer_job_child *c = xcalloc(1, sizeof *c);
    *c = (struct layer_job_child){jobs->first, pid, id};
    jobs->first = c;
}

void layer_jobs_ended(struct layer_jobs *jobs, int sock, pid_t pid, int status)
{
    for (struct layer_job_child **at = &jobs->first; *at; at = &(*at)->next) {
        struct layer_job_child *c = *at;
        if (c->pid != pid)
            continue;
        if (!WIFEXITED(status)) {
            struct err e = ERR_INIT;
            err_set(&e, ERR_INTERNAL, "the unpacking process ended with status %d", status);
            helper_answer(sock, c->id, &e, NULL, -1);
        }
        *at = c->next;
        free(c);
        return;
    }
}

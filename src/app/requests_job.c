/* requests_job.c - answers that take long: images, checkpoints.
 *
 * DESIGN: the socket has one thread, so a worker does what was asked, and the answer's first descriptor is a pipe
 * through which the result comes when there is one: an object, with "lines" to be shown if there are any, or {"error",
 * "code"}.
 *
 * THREADS: begun on the control socket's; jobs on the cluster's pool, which ends before what they use. */
#include "app/requests_int.h"

#include "api/json_scan.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cli/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void work(void *arg)
{
    struct request_job *j = arg;
    struct err e = ERR_INIT;
    _auto_strlist_ struct strlist lines = {0};
    json_t *told = json_array();
    const int rc = j->run(j, &lines, &e);
    for (size_t i = 0; i < lines.len; i++)
        json_array_append_new(told, json_string_clean(lines.items[i], strlen(lines.items[i])));
    json_object_set_new(j->result, "lines", told);
    if (rc < 0)
        json_object_update_new(j->result, local_refusal(&e));
    json_dumpfd(j->result, j->pipe, JSON_COMPACT); /* nobody may listen any more */
    close(j->pipe);
    if (j->file >= 0)
        close(j->file);
    json_decref(j->request);
    json_decref(j->result);
    free(j);
}

int request_job_start(struct cluster *c, const json_t *r, request_job_fn run, int file, json_t **out, int fds[4],
                      struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(e, errno, "pipe");
    struct request_job *j = xcalloc(1, sizeof *j);
    *j = (struct request_job){c, json_deep_copy(r), json_object(), ends[1], file, run};
    fds[0] = ends[0];
    *out = json_object();
    pool_submit(cluster_pool(c), work, j);
    return 0;
}

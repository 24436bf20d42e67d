/* verb_down.c - `stowage down`: asks the cluster to stop and waits until it is gone. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"
#include "cli/verbs_int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_SECONDS 30

/* A process descriptor, because a parent that has not asked for the exit code yet keeps the number alive. */
static int wait_gone(pid_t pid, struct err *e)
{
    _auto_close_ int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0)
        return errno == ESRCH ? 0 : err_sys(e, errno, "process %d", pid);
    struct pollfd p = {process, POLLIN, 0};
    if (poll(&p, 1, WAIT_SECONDS * 1000) > 0)
        return 0;
    return err_set(e, ERR_TIMEOUT, "process %d did not stop within %d s; `kill -9 %d` is safe, nothing is lost", pid,
                   WAIT_SECONDS, pid);
}

static int down_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    _auto_free_ char *dir = cli_data_flag("down", false, argc, argv, e);
    if (!dir)
        return -1;
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "down");
    _auto_json_ json_t *answer = NULL;
    if (local_call(dir, request, &answer, NULL, e) < 0)
        return -1;
    if (wait_gone((pid_t)jint(answer, "pid", 0), e) < 0)
        return -1;
    printf("stopped the cluster in %s; its objects and volumes are %s\n", dir,
           jbool(answer, "ephemeral", false) ? "gone: it was ephemeral" : "kept for the next `stowage up`");
    return 0;
}

const struct cli_verb verb_down = {
    .name = "down",
    .summary = "stop the cluster; objects and volumes are kept",
    .help = "usage: stowage down [--data DIR]\n\nTo forget everything as well, remove the data directory afterwards.\n",
    .run = down_run,
};

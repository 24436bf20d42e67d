/* verb_down.c - `stowage down`: asks the cluster to stop and waits until it is gone (local.h). */
#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"
#include "cli/verbs_int.h"

#include <stdio.h>

static int down_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    _auto_free_ char *dir = cli_data_flag("down", false, argc, argv, e);
    if (!dir)
        return -1;
    _auto_json_ json_t *answer = NULL;
    if (local_down(dir, &answer, e) < 0)
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

/* verb_version.c - `stowage version`. */
#include "base/mem.h"
#include "cli/verbs_int.h"
#include "cli/version.h"

#include <stdio.h>

static int version_run(const struct cli *cli _unused_, int argc _unused_, char **argv _unused_, struct err *e _unused_)
{
    printf("stowage %s (speaks Kubernetes %s)\n", STOWAGE_VERSION, STOWAGE_KUBERNETES);
    return 0;
}

const struct cli_verb verb_version = {
    .name = "version",
    .summary = "print the version, and which Kubernetes it speaks",
    .help = "usage: stowage version\n",
    .run = version_run,
};

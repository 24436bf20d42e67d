/* kubectl_record.h - `stowage kubectl` in a lab: what was asked goes into the lab's record, as at the prompt
 * (session_log.h). Another kubectl is not seen; what it made is in a bundle as objects. THREADS: one. */
#ifndef STOWAGE_CLI_KUBECTL_RECORD_H
#define STOWAGE_CLI_KUBECTL_RECORD_H

#include "base/buf.h"

#include <jansson.h>
#include <stdint.h>

struct kubectl_record {
    char *log;       /* NULL: no lab is under way in that cluster, nothing is recorded */
    char *lab;       /* its name */
    int64_t attempt; /* and which go at it */
    int64_t step, began;
    struct buf line; /* the command */
    json_t *files;   /* what it reads */
};
/* Before the command. kubeconfig: the one it uses. *in: its standard input; where the command reads a manifest from
 * there
 * (-f -), what is there is kept and *in becomes a descriptor with the same, to be closed by the caller. */
void kubectl_record_begin(struct kubectl_record *r, const char *kubeconfig, int argc, char **argv, int *in);
/* Behind it. Releases; tells what could not be written. */
void kubectl_record_end(struct kubectl_record *r, const char *ns, int code);

#endif

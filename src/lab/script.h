/* script.h - a script, run to its end or its deadline, with what it writes. */
#ifndef STOWAGE_LAB_SCRIPT_H
#define STOWAGE_LAB_SCRIPT_H

#include "base/buf.h"
#include "lab/env.h"

struct script {
    const char *text;
    const char *node;   /* on this node; NULL: here */
    bool on_node;       /* on a node, the first if `node` is NULL */
    int64_t timeout_ms; /* then its whole process group is killed */
};
/* 0 when it ran, whatever came of it: *out_code (128 + signal; 124 out of time), its stdout appended to `out`, its
 * stderr to `errors`; of each 1 MiB at most is kept. UNSUPPORTED: a node's shell where there is none. */
int script_run(struct lab_env *env, const struct script *s, int *out_code, struct buf *out, struct buf *errors,
               struct err *e);

#endif

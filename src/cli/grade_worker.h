/* grade_worker.h - one submission, in a process of its own: what is hostile in it can hurt only that.
 *
 * The job is a JSON object: lab, path, student, seed; timeout (ms), memory, disk (bytes), pids. The answer: status
 * ("graded", "refused": the submission's fault, "error": ours), report (lab/check.h), remarks, seed, digest. */
#ifndef STOWAGE_CLI_GRADE_WORKER_H
#define STOWAGE_CLI_GRADE_WORKER_H

#include "cli/cli.h"

#include <jansson.h>

/* As a verb: reads the job from standard input, writes the answer to standard output. */
int grade_worker(const struct cli *cli, struct err *e);

#endif

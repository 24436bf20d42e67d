/* class_status.h - a class as its teacher looks at it: students and tasks, who is where, who is stuck on what.
 *
 * Read from the students' books and from what can be seen of their clusters: no cluster is asked anything, none is
 * kept waiting. THREADS: any; nothing is shared. */
#ifndef STOWAGE_CLI_CLASS_STATUS_H
#define STOWAGE_CLI_CLASS_STATUS_H

#include "base/buf.h"
#include "cli/classroom.h"

/*     {"class", "exam", "minutes", "began", "now", "of", "tasks": [progress_task()],
 *      "students": [{"student", "cluster" (class_life.h), "since", "why", "data", "kubeconfig", "state" (as of a
 *                    task's progress: stuck before working before done…), "points", "cost", "hints", "last",
 *                    "tasks": [progress_read()], "stuck": {"lab", …}}]}
 * data, kubeconfig: of the cluster the student works in; absent while there is none. Returns new, or NULL. */
json_t *class_status(const struct classroom *c, struct err *e);

/* For people, and for spreadsheets. Appended. */
void class_status_table(const json_t *status, struct buf *out);
void class_status_csv(const json_t *status, struct buf *out);

#endif

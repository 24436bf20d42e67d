/* class_worker.h - what is done with a student's lab and cluster, each in a process of its own: `stowage class worker`.
 *
 * A worker holds the student's lock (class_life.h), so two never work on one student. THREADS: class_work() is one
 * thread's; it uses some of its own. */
#ifndef STOWAGE_CLI_CLASS_WORKER_H
#define STOWAGE_CLI_CLASS_WORKER_H

#include "cli/classroom.h"

/* What there is to be done:
 *     start   the cluster runs: the lab begins, or goes on where it was
 *     next    the lab ends, and the class's next one begins
 *     stop    no process of it is left; its work stays
 *     judge   the step it is at is looked at as it stands, and that is written down; nothing goes on by it */
struct class_work {
    const struct cli *cli;
    const struct classroom *room;
    const char *action;
    const struct strlist *students;
    int jobs; /* at a time */
    /* Told of each that is done, by any thread, one at a time; said: what it wrote, when it failed. May be NULL. */
    void (*told)(void *arg, const char *student, int code, const char *said);
    void *arg;
};
/* Returns how many failed. */
int class_work(const struct class_work *work);

/* argv: worker ACTION DIR STUDENT. In the worker. */
int class_worker(const struct cli *cli, int argc, char **argv, struct err *e);

#endif

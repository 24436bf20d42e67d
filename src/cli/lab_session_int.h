/* lab_session_int.h - what lab_session.c and lab_exam.c share: a lab under way, its cluster and its place in the book.
 */
#ifndef STOWAGE_CLI_LAB_SESSION_INT_H
#define STOWAGE_CLI_LAB_SESSION_INT_H

#include "cli/lab_session.h"

#include "cli/lab_output.h"
#include "cli/own_cluster.h"
#include "lab/book.h"
#include "lab/env.h"
#include "lab/lab.h"

struct session {
    const struct cli *cli;
    char *home;
    struct book *book;
    struct attempt attempt;
    struct lab lab;
    struct own_cluster cluster;
    struct lab_env env;
    struct lab_output out;
    bool colour;
    bool sealed; /* of an exam's task: its cluster has let nobody change anything since the time was over, at the latest
                  */
};
int lab_session_open_book(struct session *s, const struct cli *cli, const char *data, struct err *e);
void lab_session_close(struct session *s); /* the cluster goes on */

/* The lab's files; faults go to stderr. */
int lab_session_load(struct session *s, const char *dir, const char *seed, struct err *e);
/* The cluster of s->attempt runs (it is started when it does not), and is spoken to. */
int lab_session_open_cluster(struct session *s, struct err *e);
/* As that, but only the lab and what belongs to the attempt: the cluster is left as it is. */
int lab_session_open_lab(struct session *s, struct err *e);
/* The attempt that the book has as the current one, with lab and cluster. */
int lab_session_open_current(struct session *s, struct err *e);
int lab_session_save(struct session *s, struct err *e);
/* NULL behind the last one. Borrows. */
const json_t *lab_session_step(const struct session *s);
int lab_session_print_step(const struct session *s, struct err *e);
/* How to get at the lab's cluster: kubectl, stowage, a browser. */
void lab_session_print_access(struct session *s);
/* The step is prepared, kept for a reset, and shown. */
int lab_session_enter_step(struct session *s, struct err *e);
/* In a cluster that has seen nothing yet: what comes before the step is done as the lab itself would; then it is
 * entered. */
int lab_session_replay(struct session *s, struct err *e);

/* -- lab_exam.c -- */
int lab_exam(struct session *s, int argc, char **argv, struct err *e);
/* 1: an exam's time is over; it is ended now, and its result printed. 0: there is none, or it goes on. */
int lab_exam_over(struct session *s, struct err *e);
/* No lab is under way (`e` says so): was the last thing an exam? 1: its result has been printed. -1: it was not. */
int lab_exam_was(struct session *s, struct err *e);
/* The same for who only looks: nobody is waited for, nothing printed. */
int lab_exam_look(struct session *s, struct err *e);

#endif

/* mutate.h - near-misses: a reference solution with one thing wrong. A lab's checks must notice each.
 *
 * How to add one: a row in one of the tables of mutate.c (of an object, of an action), or of mutate_live.c (of what is
 * in the cluster when all is done). */
#ifndef STOWAGE_LAB_MUTATE_H
#define STOWAGE_LAB_MUTATE_H

#include "lab/lab.h"
#include "lab/play.h"

enum mutant_of {
    MUTANT_OBJECT, /* the how manieth object that the solutions send */
    MUTANT_ACTION, /* their how manieth action */
    MUTANT_LIVE,   /* an object in the cluster, when the last step with something to do is solved */
};
struct mutant {
    enum mutant_of of;
    size_t index;    /* of the object or action */
    size_t mutation; /* row of the table */
    json_t *object;  /* MUTANT_LIVE: apiVersion, kind, metadata.name, metadata.namespace; owned */
    char *what;      /* "q6: PersistentVolumeClaim claim-log-1: twice the size" */
    const char *why; /* the lab says that it is no miss at all, and why; borrowed. NULL: it does not */
};
struct mutants {
    struct mutant *items; /* owned */
    size_t len, cap;
};
void mutants_release(struct mutants *m);

/* All that the lab's solution allows. Objects are read from its files. What the lab says of a near-miss that is none of
 * them is told in `unknown`. */
int mutants_of(const struct lab *lab, struct mutants *out, struct strlist *unknown, struct err *e);

/* Counts what passes, and spoils what is meant: spoil_action and spoil_object for play_opts, spoil_solved for run_opts.
 */
struct spoiler {
    const struct mutant *mutant;
    size_t objects, actions; /* so many passed */
    bool done;               /* there was something to spoil */
};
json_t *spoil_action(void *arg, const json_t *action);
void spoil_object(void *arg, json_t *object);
int spoil_solved(void *arg, struct lab_env *env, const json_t *step, struct err *e);

#endif

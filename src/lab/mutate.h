/* mutate.h - near-misses: a reference solution with one thing wrong. A lab's checks must notice each.
 *
 * How to add one: a row in mutations[]. */
#ifndef STOWAGE_LAB_MUTATE_H
#define STOWAGE_LAB_MUTATE_H

#include "lab/lab.h"
#include "lab/play.h"

struct mutant {
    size_t object;   /* the how manieth that is sent */
    size_t mutation; /* row of the table */
    char *what;      /* "PersistentVolumeClaim claim-log-1: twice the size" */
};
struct mutants {
    struct mutant *items; /* owned */
    size_t len, cap;
};
void mutants_release(struct mutants *m);

/* All that the lab's solution allows. Objects are read from its files. */
int mutants_of(const struct lab *lab, struct mutants *out, struct err *e);

/* For play_opts.edit: counts the objects that pass, and spoils the one that is meant. */
struct spoiler {
    const struct mutant *mutant;
    size_t seen;
};
void spoil(void *arg, json_t *object);

#endif

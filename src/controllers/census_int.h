/* census_int.h - counts of the pods of a replica set. Private to controllers. */
#ifndef STOWAGE_CONTROLLERS_CENSUS_INT_H
#define STOWAGE_CONTROLLERS_CENSUS_INT_H

#include "controllers/controllers_int.h"

struct census; /* one a set, in a list */
struct census_counts {
    int64_t all, labelled, ready, available; /* active pods of the set */
    int64_t strays; /* pods that it should adopt or release: the others are not to be relied on before it has */
};

/* Counts the pods of the set as they are now. */
int census_take(struct loop *l, struct census **all, const json_t *rs, struct census_counts *out, struct err *e);
/* The set is gone. */
void census_drop(struct census **all, const char *ns, const char *name);
void census_release(struct census **all);

#endif

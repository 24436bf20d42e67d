/* explain_int.h - what the files of the explanation share. Private to volume. */
#ifndef STOWAGE_VOLUME_EXPLAIN_INT_H
#define STOWAGE_VOLUME_EXPLAIN_INT_H

#include "base/buf.h"
#include "volume/explain.h"

/* -- explain_candidates.c -- */
/* One volume under all rules. Returns new. */
json_t *candidate_explain(const struct pv_query *q, const json_t *pv);
/* All volumes under all rules, nearest first; the one the binder would take is marked. Returns new. */
json_t *candidates_explain(const json_t *claim, const struct explain_world *w, bool delay_binding);
/* The marked one's name, or NULL. */
const char *candidates_choice(const json_t *candidates);

/* -- explain_advice.c -- */
/* What to change so that this candidate fits; appended to `changes`. False if nothing could. */
bool advise_for(json_t *changes, const json_t *claim, const json_t *pv, const json_t *candidate);
/* What volume would have to be made. */
void advise_new_volume(json_t *changes, const json_t *claim);
void advise(json_t *changes, const char *command /* or NULL */, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* -- finding -- */
const json_t *tree_named(const struct trees *t, const char *name); /* cluster scope */
const json_t *tree_in(const struct trees *t, const char *ns, const char *name);
/* Does a volume of the pod stand on the claim? */
bool pod_names_claim(const json_t *pod, const char *claim);

/* -- situations: the first row that holds tells -- */
struct story {
    struct buf because, waits;
    const char *actor;
    json_t *changes; /* owned by the explanation being built */
};

#endif

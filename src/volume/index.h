/* index.h - volumes and waiting claims sorted so that neither side has to look at all of the other.
 *
 * What is kept is the keys of each object (class, access modes, size, what it is reserved for), not the object: a
 * candidate is read again and judged by the rules before anything is done, so an index that lags behind costs a retry,
 * never a wrong binding. THREADS: none of its own. */
#ifndef STOWAGE_VOLUME_INDEX_H
#define STOWAGE_VOLUME_INDEX_H

#include "volume/rules.h"

/* -- volumes that may be taken: free ones by class, mode and size; reserved ones by the claim they name -- */
struct pv_index;
struct pv_index *pv_index_new(void);
void pv_index_free(struct pv_index *x);
/* Puts the volume where it belongs now, or takes it out if nobody can have it. */
void pv_index_put(struct pv_index *x, const json_t *pv);
void pv_index_drop(struct pv_index *x, const char *name);
size_t pv_index_len(const struct pv_index *x);

/* Walks the candidates of a query (without node), best first. `visit` reads and judges the volume of that name; it
 * returns true to stop there. */
typedef bool (*pv_visit_fn)(const char *name, void *arg);
bool pv_index_search(const struct pv_index *x, const struct pv_query *q, pv_visit_fn visit, void *arg);

/* -- claims that wait: for any volume of a class, or for one by name -- */
struct claim_index;
struct claim_index *claim_index_new(void);
void claim_index_free(struct claim_index *x);
/* Puts the claim where it belongs now (a claim that has its volume belongs nowhere). If it stands there already it
 * keeps its place, else it goes to the end. */
void claim_index_put(struct claim_index *x, const json_t *claim);
void claim_index_drop(struct claim_index *x, const char *ns, const char *name);
size_t claim_index_len(const struct claim_index *x);

typedef void (*claim_visit_fn)(const char *ns, const char *name, void *arg);
/* Names the first claim in line that this free volume could serve by its size, class and modes, and takes it out of the
 * line: whoever is told looks for itself and is put back if it found nothing. Those before it that select by labels are
 * named too, since they may or may not. */
void claim_index_call(struct claim_index *x, const json_t *pv, claim_visit_fn visit, void *arg);
/* Names all that ask for the volume by name, or lost it. */
void claim_index_call_named(struct claim_index *x, const char *volume, claim_visit_fn visit, void *arg);
/* Names all that wait for a volume of the class ("": those without one). */
void claim_index_call_class(struct claim_index *x, const char *class_name, claim_visit_fn visit, void *arg);

#endif

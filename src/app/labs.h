/* labs.h - labs for the web console: `stowage lab …` as a process beside the server, whose words a page reads as they
 * come.
 *
 * DESIGN: the console does nothing of its own with labs; each operation is the very command that one would type, for
 * the data directory that this cluster's labs are kept in. It may take minutes (a check waits), so it is a job: begun
 * with one call, looked at with others. A job reads nothing and writes to two files in memory, so nobody waits for it,
 * and it goes on when the server ends: `lab stop` ends the very cluster whose page asked for it. THREADS: one at a time
 * (requests.c). */
#ifndef STOWAGE_APP_LABS_H
#define STOWAGE_APP_LABS_H

#include "app/launcher.h"

#include <jansson.h>

struct labs;
/* launcher: borrowed. data: the cluster's data directory, copied. */
struct labs *labs_new(const struct launcher *launcher, const char *data);
void labs_free(struct labs *l); /* jobs go on; NULL is fine */

/* argv: NULL-terminated, without the program. alone: not while another such job is under way (CONFLICT).
 * *out: {"job"}. */
int labs_begin(struct labs *l, const char *word, const char *const *argv, bool alone, json_t **out, struct err *e);
/* What a job has written from an offset on, whole lines of it: {"out", "next", "ended"}, and "code" and "err" when it
 * has ended; then it is forgotten. NOT_FOUND. */
int labs_look(struct labs *l, int64_t job, int64_t from, json_t **out, struct err *e);
/* It shall end. */
int labs_cancel(struct labs *l, int64_t job, struct err *e);
/* Something to compare: it changes when the book of labs does. {"mark", "data", "job", "word"}; the last two are those
 * of the job that is alone, or null. Returns new. */
json_t *labs_mark(struct labs *l);
/* The data directory whose labs these are: the cluster's own, or the one whose lab it was made for. Borrowed. */
const char *labs_owner(const struct labs *l);

#endif

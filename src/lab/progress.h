/* progress.h - how far somebody is with a lab, as a teacher looks at it: read from the book (book.h), nobody is asked.
 *
 * THREADS: as book.h. */
#ifndef STOWAGE_LAB_PROGRESS_H
#define STOWAGE_LAB_PROGRESS_H

#include "lab/book.h"
#include "lab/lab.h"

/* What there is to be done: {"lab", "title", "only" (absent: the whole lab), "of", "steps": [{"name", "title", "of"}]}.
 * only: the one step that an exam asks for, or NULL. NOT_FOUND: the lab has no such step. Returns new, or NULL. */
json_t *progress_task(const struct lab *lab, const char *only, struct err *e);

/* The latest attempt at a task:
 *     {"lab", "only", "state" ("not begun", "working", "stuck", "done", "ended"), "began", "ended", "seed", "points",
 *      "of", "cost" (of hints, taken off the points), "hints", "last" (seconds since 1970), "at" (the step's name),
 *      "steps": [{"name", "title", "state" ("ahead", "working", "stuck", "done", "skipped", "left"), "points", "of",
 *                 "hints", "checks": [rows as check.h has them, the last of each]}],
 *      "stuck": {"step", "title", "check", "since", "tries", "expected", "observed"}}
 * A step is done with all its points, skipped without. Stuck is who has looked at a check of the step he is at and it
 * has not passed: on the first such check, since the first look that failed. Returns new, or NULL. */
json_t *progress_read(struct book *b, const json_t *task, struct err *e);

/* A row with this member true is a look of the teacher's: its result counts, but it is nothing that the student did. */
#define PROGRESS_JUDGED "judged"

/* The same as a report of checks (check.h): checks nobody has looked at have failed. `lab` is the task's. Returns new.
 */
json_t *progress_report(const json_t *progress, const struct lab *lab);

#endif

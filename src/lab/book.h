/* book.h - the book of labs: who did what, how far, with what result. SQLite, so that nothing of the progress is lost
 * by a crash of anything.
 *
 * THREADS: one book, one thread; several processes may have it open. */
#ifndef STOWAGE_LAB_BOOK_H
#define STOWAGE_LAB_BOOK_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct book;
/* Makes the file when absent. */
int book_open(const char *path, struct book **out, struct err *e);
void book_close(struct book *b); /* NULL is fine */

/* One go at a lab. */
struct attempt {
    int64_t id;
    char *lab, *dir;      /* name, and the folder it was read from */
    char *seed;           /* which variant; "" */
    int64_t began, ended; /* seconds since 1970; ended 0: under way */
    int64_t exam;         /* which exam it is a task of; 0: none */
    int64_t step;         /* index of the step it is at; the number of steps when all are done */
    json_t *state;        /* {"vars": {…}, "answers": {…}} */
};
void attempt_release(struct attempt *a); /* zeroed is fine */
#define _auto_attempt_ __attribute__((cleanup(attempt_release)))

/* a->lab, dir, seed, state given; id, began set. */
int book_begin(struct book *b, struct attempt *a, struct err *e);
/* The one under way, in an exam the task that was chosen last; NOT_FOUND. */
int book_current(struct book *b, struct attempt *out, struct err *e);
/* Step and state are written. */
int book_save(struct book *b, const struct attempt *a, struct err *e);
int book_end(struct book *b, const struct attempt *a, struct err *e);

/* The rows of a step's checks, as check.h has them: the last result of each counts. */
int book_result(struct book *b, const struct attempt *a, const json_t *step, struct err *e);
/* The same, of a moment (seconds since 1970); 0: now. In an exam what is of a moment after its end does not count. */
int book_result_at(struct book *b, const struct attempt *a, const json_t *step, int64_t at, struct err *e);
/* The last result of each check of a step: its row as check.h has it, with "at" (seconds since 1970) and "tries" (how
 * often it was judged). Of an older version a row may lack "passed" and what was observed. Returns new, or NULL. */
json_t *book_results(struct book *b, const struct attempt *a, const char *step, struct err *e);
int book_hint(struct book *b, const struct attempt *a, const char *step, int64_t cost, struct err *e);
/* How many hints of a step were taken; -1 with `e`. */
int book_hints(struct book *b, const struct attempt *a, const char *step, struct err *e);
/* Points so far, less what hints cost, and what hints cost. */
int book_points(struct book *b, const struct attempt *a, int64_t *out_points, int64_t *out_cost, struct err *e);
/* Of one step, hints not taken off. */
int book_step_points(struct book *b, const struct attempt *a, const char *step, int64_t *out_points, struct err *e);
/* Ended and current attempts, newest first: [{"lab", "began", "ended", "points", "cost", "exam"}]. Returns new, or
 * NULL. */
json_t *book_history(struct book *b, struct err *e);

/* -- exams (book_exam.c): attempts with one clock, which is the machine's and no process's -- */
struct exam {
    int64_t id, began, until; /* seconds since 1970 */
    int64_t ended;            /* 0: under way, or over and nobody has said so yet */
    int64_t task;             /* attempt that is being worked on */
};
int book_exam_begin(struct book *b, int64_t seconds, struct exam *out, struct err *e);
/* The one under way; NOT_FOUND. */
int book_exam(struct book *b, struct exam *out, struct err *e);
/* Of that number; the last one for 0. NOT_FOUND. */
int book_exam_find(struct book *b, int64_t id, struct exam *out, struct err *e);
int book_exam_choose(struct book *b, const struct exam *x, int64_t attempt, struct err *e);
/* It ends now, or ended when its time was over; so do its tasks. */
int book_exam_end(struct book *b, struct exam *x, struct err *e);
/* That task has its final result. */
int book_exam_end_task(struct book *b, const struct exam *x, int64_t attempt, struct err *e);
/* The tasks in their order: [{"id", "lab", "dir", "seed", "step", "points", "state", "ended"}]. Returns new, or NULL.
 */
json_t *book_exam_tasks(struct book *b, const struct exam *x, struct err *e);

#endif

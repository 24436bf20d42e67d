/* lab_output.h - in which form a word of `stowage lab` says what it has to say: for people, or as JSON.
 *
 *     (nothing)   text, as people read it
 *     -o json     one object when the word has ended: the view (lab_view.h), and what the word itself came to
 *     -o jsonl    the same as one line, {"result": …}, and lines before it while it goes on:
 *                 {"progress": "starting the cluster"}, {"check": {a row as check.h has it}}
 *
 * What people would read goes to a file that nobody sees then, but for `solution`, whose text is the result. */
#ifndef STOWAGE_CLI_LAB_OUTPUT_H
#define STOWAGE_CLI_LAB_OUTPUT_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum lab_form { LAB_TEXT, LAB_JSON, LAB_JSONL };

struct lab_output {
    enum lab_form form;
    FILE *text; /* for people: stdout, or memory */
    char *seen; /* what was written to `text` in memory, once it is flushed */
    size_t len;
    json_t *more; /* members of the result that only this word has; owned */
};

/* Takes the words that name a form out of argv. In an answer they stand first, as all behind them is the answer. */
int lab_output_open(struct lab_output *o, int *argc, char **argv, struct err *e);
void lab_output_close(struct lab_output *o); /* zeroed is fine */

void lab_output_progress(const struct lab_output *o, const char *what);
void lab_output_row(const struct lab_output *o, const json_t *row); /* a check was judged */
/* A member of the result, beside the view's. `value` is taken. Nothing where text is printed. */
void lab_output_add(const struct lab_output *o, const char *name, json_t *value);
/* The whole, on stdout. The view is taken. */
void lab_output_end(const struct lab_output *o, json_t *take_view);

#endif

/* results.h - a class's results in the forms that people and other systems read.
 *
 * A class is {"lab", "title", "graded" (seconds since 1970), "seconds", "of", "students": [..]}; a student's row is
 * {"student", "submission", "status" ("graded", "refused", "error"), "seed", "digest", "ms", "remarks": [text],
 * "report": (check.h)}, and of a signed bundle "bundle": {"key", "time", "points", "of"}, as its student's machine
 * said. Everything a student wrote is text to all of these forms: markup, formulas and terminal codes in it are shown,
 * not obeyed.
 *
 * How to add a form: a function, and a row in forms[] of results.c. THREADS: pure. */
#ifndef STOWAGE_LAB_RESULTS_H
#define STOWAGE_LAB_RESULTS_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

struct results_form {
    const char *name; /* of --format */
    const char *file; /* its name in a folder of results */
    bool each;        /* a file for each student: what it is for knows one submission */
    void (*make)(const json_t *class, struct buf *out); /* of a class; for `each`, of one with a single student */
};
/* NULL-terminated by name. */
extern const struct results_form results_forms[];
const struct results_form *results_form(const char *name); /* NULL: none */

/* results_html.c */
void results_html(const json_t *class, struct buf *out);
/* results_systems.c: documented forms of other systems. */
void results_gradescope(const json_t *class, struct buf *out);
void results_classroom(const json_t *class, struct buf *out);
void results_nbgrader(const json_t *class, struct buf *out);

/* A text on a terminal or in a table: control characters become "?", at most `max` bytes. Appended. */
void results_plain(struct buf *out, const char *text, size_t max);
/* A quoted cell of CSV (RFC 4180), appended. What a spreadsheet would take for a formula gets a quote in front, as
 * OWASP's "CSV Injection" advises. */
void results_csv_cell(struct buf *out, const char *text);
/* The first things that went wrong with a student's work, a line each. */
void results_trouble(const json_t *student, struct buf *out);

#endif

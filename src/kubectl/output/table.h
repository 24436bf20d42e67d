/* table.h - columns as Go's tabwriter sets them: each as wide as its widest cell and the padding, the last one of a
 * line as it comes.
 *
 * THREADS: one table, one thread. */
#ifndef STOWAGE_KUBECTL_OUTPUT_TABLE_H
#define STOWAGE_KUBECTL_OUTPUT_TABLE_H

#include "base/buf.h"
#include "base/str.h"

#include <stdio.h>

struct table {
    struct buf text;     /* lines whose cells are divided by tabs */
    size_t min, padding; /* of a column: 6 and 3 for lists, 0 and 2 for descriptions; 0, 0: the former */
    bool remember;       /* columns do not become narrower from flush to flush (watches) */
    size_t *widths;      /* remembered; owned */
    size_t widths_len;
};
/* Cells divided by '\t', lines ended by '\n'. */
void table_addf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends what was added, its tabs made blanks. */
void table_align(struct table *t, struct buf *out);
/* Writes what was added. Nothing added, nothing written. */
void table_flush(struct table *t, FILE *out);
void table_release(struct table *t);
#define _auto_table_ __attribute__((cleanup(table_release)))

#endif

/* book_int.h - private to the book: its statements. */
#ifndef STOWAGE_LAB_BOOK_INT_H
#define STOWAGE_LAB_BOOK_INT_H

#include "lab/book.h"

#include <sqlite3.h>

/* types: one letter a parameter, 's' text, 'i' int64_t. Each row is given to `row`, which may be NULL. */
int book_query(struct book *b, void (*row)(sqlite3_stmt *st, void *arg), void *arg, struct err *e, const char *sql,
               const char *types, ...);

#endif

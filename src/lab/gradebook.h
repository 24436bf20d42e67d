/* gradebook.h - results of classes, in the book of labs (book.h), every time they were judged. */
#ifndef STOWAGE_LAB_GRADEBOOK_H
#define STOWAGE_LAB_GRADEBOOK_H

#include "lab/book.h"

/* A class as results.h has it, all or nothing. */
int gradebook_add(struct book *b, const json_t *class, struct err *e);
/* Newest first: [{"at", "lab", "student", "status", "score", "points", "of", "digest", "seed"}]; lab, student NULL:
 * all. Returns new, or NULL. */
json_t *gradebook_history(struct book *b, const char *lab, const char *student, struct err *e);

#endif

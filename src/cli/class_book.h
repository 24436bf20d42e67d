/* class_book.h - a class's results by the students' books, as results.h has them. */
#ifndef STOWAGE_CLI_CLASS_BOOK_H
#define STOWAGE_CLI_CLASS_BOOK_H

#include "cli/classroom.h"

/* One of the class's tasks, by number. Returns new, or NULL. */
json_t *class_results(const struct classroom *c, size_t task, struct err *e);
/* To the gradebook of the class (<class>/book.db). */
int class_keep(const struct classroom *c, const json_t *results, struct err *e);
/* The task of that lab, or LAB:STEP; NULL: the only one. -1 with `e`. */
int class_task(const struct classroom *c, const char *word, struct err *e);
/* A task's name in files: "LAB" or "LAB-STEP". Returns new. */
char *class_task_name(const struct classroom *c, size_t task);

#endif

/* grade_write.h - a class's results (lab/results.h), written: `stowage grade` and `stowage class`. */
#ifndef STOWAGE_CLI_GRADE_WRITE_H
#define STOWAGE_CLI_GRADE_WRITE_H

#include "base/err.h"
#include "lab/results.h"

/* All forms, to a folder, made if absent; students/<entry>/ has those that are about one. */
int results_write(const json_t *class, const char *dir, struct err *e);
/* One form, to standard output. USAGE: it is about one submission, and there are more. */
int results_print(const json_t *class, const struct results_form *form, struct err *e);

#endif

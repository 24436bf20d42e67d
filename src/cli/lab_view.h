/* lab_view.h - where somebody is in a lab, as one JSON object: what `stowage lab status -o json` prints, what the web
 * console shows and a teacher's view of a class is made of. Its members: docs/labs.md.
 *
 * It is read from the book and the lab's files; the cluster is only asked whether it runs. */
#ifndef STOWAGE_CLI_LAB_VIEW_H
#define STOWAGE_CLI_LAB_VIEW_H

#include "cli/cli.h"
#include "lab/book.h"

#include <jansson.h>

/* {"lab": null} when none is under way. Returns new, or NULL. */
json_t *lab_view(struct book *b, const char *home, struct err *e);
/* The labs below a folder, each with what was made of it so far: [{"name", "title", …}]. home: its book is read if
 * there is one. Returns new, or NULL. */
json_t *lab_catalogue(const char *labs, const char *home, struct err *e);

#endif

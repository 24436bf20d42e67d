/* handin_int.h - private to handin: where files come in. */
#ifndef STOWAGE_LAB_HANDIN_INT_H
#define STOWAGE_LAB_HANDIN_INT_H

#include "lab/handin.h"

/* Takes a place for a file of that name: NULL with `e` when there is too much, NULL without when it is left out (told).
 * The caller fills its data, of which handin_room() says how much there may be. Borrowed until the next. */
struct handin_file *handin_add(struct handin *h, const char *path, struct err *e);
/* The bytes that one more file may have. */
size_t handin_room(const struct handin *h);
/* The file that was added last is whole. */
void handin_added(struct handin *h);
/* handin_zip.c: all of a zip archive's files. */
int handin_unzip(struct handin *h, const void *data, size_t len, struct err *e);

#endif

/* paths.h - paths as text: cleaned, joined, taken apart. Nothing is looked up. Source: Go's path package, whose results
 * kubectl cp shows. All return new texts. */
#ifndef STOWAGE_KUBECTL_VERBS_PATHS_H
#define STOWAGE_KUBECTL_VERBS_PATHS_H

#include <stdbool.h>

/* No "//", no ".", and ".." only at the front of a relative one; "" is ".". */
char *path_clean(const char *path);
/* Cleaned; an empty part is left out, both empty: "". */
char *path_join(const char *a, const char *b);
char *path_dir(const char *path);  /* all but the last element, cleaned: "." of "a" */
char *path_base(const char *path); /* the last element: "." of "", "/" of "/" */
/* Does `path` (cleaned) lie in `dir` (cleaned), or is it `dir`? */
bool path_inside(const char *dir, const char *path);

#endif

/* session_files.h - the files that a command of a lab reads, kept with its record: without them it could not be played
 * again where they are not (`stowage grade`).
 *
 * Those that -f, -k, --from-file, --from-env-file and --patch-file name, and what `cp` sends; a folder's files with it.
 * What is longer than 256 KiB, and what goes beyond 1 MiB or 64 files for one command, is left out. THREADS: any. */
#ifndef STOWAGE_CLI_SESSION_FILES_H
#define STOWAGE_CLI_SESSION_FILES_H

#include <jansson.h>
#include <stddef.h>

/* Adds to `files` (an object) what the words of one command name: path -> text, or {"base64": …}. lab/plan.c makes
 * them again. */
void session_files_add(json_t *files, char *const *words, size_t count);
/* The same of one that is known to be read. */
void session_files_add_path(json_t *files, const char *path);

#endif

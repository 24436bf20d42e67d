/* session_log.h - the record of what a student typed in a lab: one JSON object a line, appended as each command ends.
 *
 *     {"attempt": 3, "lab": "first-volume", "time": "2025-03-01T10:00:00Z", "step": 0, "namespace": "default",
 *      "line": "apply -f - <<'EOF'\n…\nEOF", "exit": 0, "files": {"pod.yaml": "…"}}
 *
 * `line` holds all that was given to the command, a manifest that was pasted too, and `files` what it read, so
 * `stowage repl -c LINE` does the same again: `stowage lab submit` puts the file in its bundle, `stowage grade` can
 * play it. The file is its owner's alone (0600); unlike the history it keeps lines with secrets, since without them it
 * could not be played. */
#ifndef STOWAGE_CLI_SESSION_LOG_H
#define STOWAGE_CLI_SESSION_LOG_H

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

struct session_record {
    int64_t attempt; /* book.h */
    int64_t step;    /* index of the step it was typed in */
    const char *lab, *ns, *line;
    const json_t *files; /* session_files.h; NULL or empty: none */
    int64_t time;        /* seconds since 1970 */
    int exit;
};
/* <home>/session.jsonl; home: lab_place.h. Returns new. */
char *session_log_path(const char *home);
int session_log_add(const char *path, const struct session_record *r, struct err *e);
/* Those of one attempt, in order; a line that is none (a crash cut it) is left out. No file: an empty array. Returns
 * new, or NULL. */
json_t *session_log_read(const char *path, int64_t attempt, struct err *e);

#endif

/* line_int.h - where lines come from: an editor on a terminal, or a script.
 *
 * The editor is libedit: history, Emacs keys, completion by a callback, text pasted in brackets. THREADS: one. */
#ifndef STOWAGE_CLI_REPL_LINE_INT_H
#define STOWAGE_CLI_REPL_LINE_INT_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdio.h>

/* What may stand instead of the word that begins at `from`. */
struct completion {
    size_t from;
    struct strlist words; /* whole words; one that ends with '/' or '=' gets no blank behind it */
};
typedef void (*line_completer)(void *arg, const char *line, size_t cursor, struct completion *out);

struct line_conf {
    FILE *script;      /* borrowed; NULL: the terminal */
    const char *store; /* the file of what was typed; NULL: none is kept */
    int cancel;        /* an event descriptor that a signal makes readable; borrowed */
    line_completer complete;
    void *arg;
};
struct line;
struct line *line_new(const struct line_conf *conf);
void line_free(struct line *l); /* NULL is fine */

enum line_got { LINE_TEXT, LINE_END, LINE_INTERRUPTED };
/* prompt: colours between \1 and \1. *out: new, without its newline, for LINE_TEXT. *out_pasted: more of one paste is
 * waiting. */
enum line_got line_read(struct line *l, const char *prompt, char **out, bool *out_pasted);
/* For the arrow keys, and the file: but nothing that begins with a blank, and no secret. */
void line_remember(struct line *l, const char *text);
/* Newest last. */
void line_history(struct line *l, FILE *out);

/* -- typed.c -- */
/* $XDG_STATE_HOME/stowage/<name>, its folder made. Returns new, or NULL: there is no home. */
char *state_path(const char *name);
/* Holds it a value that others must not read? Flags of kubectl that take one, assignments that sound like one. */
bool typed_secret(const char *text);
void typed_append(const char *path, const char *text);
/* Oldest first; a file that has grown long is cut. */
void typed_load(const char *path, struct strlist *out);

#endif

/* expand_int.h - what typed words mean: quotes taken off, $X, ${X}, $?, $(command), ~ and file patterns filled in.
 *
 * As in a POSIX shell, less what nobody types at this prompt (arithmetic, ${X:-…} but for that one form). Variables are
 * those of the environment, so programs that are started know them, too. THREADS: one. */
#ifndef STOWAGE_CLI_REPL_EXPAND_INT_H
#define STOWAGE_CLI_REPL_EXPAND_INT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct expansion {
    int last; /* $? */
    /* $(text): what it prints is appended. */
    int (*substitute)(void *arg, const char *text, struct buf *out, struct err *e);
    void *arg;
};

/* None, one or several words. Appended. */
int expand_word(const struct expansion *x, const char *word, struct strlist *out, struct err *e);
/* One word, whatever it holds: a file's name, a value. Returns new, or NULL with `e`. */
char *expand_one(const struct expansion *x, const char *word, struct err *e);
/* The text of a heredoc: dollars only. Appended. */
int expand_text(const struct expansion *x, const char *text, struct buf *out, struct err *e);
/* A command for the user's shell, who expands it. What only we can: $(get pods -o name), where `ours` says so of the
 * text in the brackets, becomes a variable of the environment that holds what it printed. Appended. */
int expand_for_shell(const struct expansion *x, const char *raw, bool (*ours)(const char *text), struct buf *out,
                     struct err *e);

#endif

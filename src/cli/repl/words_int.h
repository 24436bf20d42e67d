/* words_int.h - a typed line as commands: what people know of a shell, as far as they expect it at a prompt.
 *
 *     script   = pipeline { (";" | newline | "&&" | "||" | "&") pipeline }
 *     pipeline = stage { "|" stage }          or  "!" anything to the end of the line
 *                                             or  for, while, if, case… up to their end, and to that of its line
 *     stage    = { word | ["2" | "&"] ">" word | ">>" word | "<" word | "<<" ["-"] word }
 *
 * Words are kept as they were typed, quotes and dollars too: a variable may be set by the command before. expand_int.h
 * makes them what they mean. Each stage keeps its own text as well, for the user's shell. THREADS: any. */
#ifndef STOWAGE_CLI_REPL_WORDS_INT_H
#define STOWAGE_CLI_REPL_WORDS_INT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum redirect_kind { REDIRECT_IN, REDIRECT_OUT, REDIRECT_APPEND, REDIRECT_SAME };
struct redirect {
    enum redirect_kind kind;
    int fd;     /* 0, 1, 2; -1: both outputs */
    char *word; /* owned; the file, or for REDIRECT_SAME the other descriptor: "1" */
};

struct heredoc {
    char *delimiter; /* owned */
    bool literal;    /* the delimiter was quoted: no dollars in the text */
    bool strip;      /* "<<-": tabs at the beginnings are left out */
    struct buf text;
};
struct stage {
    char *raw; /* owned; its text, without a heredoc */
    struct strlist words;
    struct redirect *redirects; /* owned */
    size_t nredirects;
    struct heredoc *heredoc; /* owned, or NULL */
};

enum joint { JOINT_ALWAYS, JOINT_AND, JOINT_OR };
struct pipeline {
    enum joint joint; /* with the one before */
    bool background;  /* "&" at its end */
    bool shell;       /* "!", a loop: its one stage's raw text is for the user's shell */
    struct stage *stages;
    size_t len;
};

struct script {
    struct pipeline *items;
    size_t len;
};
void script_release(struct script *s); /* zeroed is fine */
#define _auto_script_ __attribute__((cleanup(script_release)))

/* at_end: no more will come, so what is open is an error (a heredoc ends with its text). Returns 0; 1 when the text
 * goes on in another line; -1 with BAD_REQUEST. */
int script_parse(const char *text, bool at_end, struct script *out, struct err *e);

/* How far a word reaches that begins at `p`: quotes, backslashes and $(…) are of it. *out_open: it does not end. */
size_t word_length(const char *p, bool *out_open);
/* The same of a bracket at `p` and what is in it. */
size_t word_bracket(const char *p, bool *out_open);

#endif

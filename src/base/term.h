/* term.h - the user's terminal while a session runs on it: raw, its size followed, put back on every way out.
 *
 * SIGWINCH and what would end the process (INT, TERM, HUP, QUIT) arrive at a descriptor instead of in a handler, so who
 * waits for a session waits for them too. THREADS: the process's one thread; one session at a time. */
#ifndef STOWAGE_BASE_TERM_H
#define STOWAGE_BASE_TERM_H

#include <signal.h>
#include <stdbool.h>
#include <termios.h>

struct term {
    int fd;      /* borrowed; the terminal */
    int signals; /* readable: term_take() */
    bool raw;
    struct termios saved;
    sigset_t old;
};

/* raw: every key is sent as it is. False (and nothing done) when `fd` is no terminal. */
bool term_begin(struct term *t, int fd, bool raw);
/* Takes what arrived at `signals`. A signal that ends the process does so, after the terminal is as it was. */
void term_take(struct term *t);
void term_end(struct term *t); /* again is fine */

/* Of a terminal, in characters. False when `fd` is none. */
bool term_size(int fd, int *out_width, int *out_height);

#endif
